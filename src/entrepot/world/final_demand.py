"""Final use by destination, estimated for a table that gives final sales by seller only.

Known of the target year: the inter-industry flows ``Z``, and each seller's final sales by *no*
destination. Known of an earlier year: a complete but coarser *reference* table. The estimate
splits every seller's final sales over the destinations in proportion to the geometric mean of
two rules, each of which uses what the other leaves out:

- *reference ratio*: final sales follow the seller's own intermediate sales, times the ratio of
  final to intermediate flows that the reference shows for this section, origin and destination;
- *buyer's shares*: a destination buys a product for final use from the same origins, in the same
  proportions, as for intermediate use, and in amounts proportional to its value added.

Both start from ``Z``, so with U a destination's intermediate use of the product from all origins
and r the reference ratio (factors common to a seller's row drop out),

    F[o,k,d]  proportional to  sqrt(Z r · Z/U V) = Z[o,k,d] · sqrt(r[o,k,d] · V[d] / U[k,d]).

Economies outside the table are netted out at home: what a seller is estimated to sell to them
stays with its own economy (``to_rest``), so that flows between the table's economies are not
inflated. Column totals are deliberately not imposed: home sales are nine tenths of a
destination's final use, so an error of one per cent in a total becomes ten in its imports
(measured on the OECD table of 2022, imposing them by RAS raises the error of total imports).

Million USD at basic prices throughout. Axes: [origin, sector, destination].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SMALLEST_FLOW = 1.0
"""Million USD added to both sides of a reference ratio: empty cells give one, not 0/0."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A complete table of an earlier year, and how the target table's labels map into it.

    regions, sections: the reference's own labels, R and K of them.
    Z: [R, K, R, K] intermediate flows; F: [R, K, R] final use by destination, M USD.
    region_of: the reference region of each of the target's n regions.
    section_of: the reference section of each of the target's s sectors.
    rest: the reference region that also holds economies absent from the target table, if any.
    """

    regions: Sequence[str]
    sections: Sequence[str]
    Z: Array
    F: Array
    region_of: Sequence[str]
    section_of: Sequence[str]
    rest: str | None = None

    def __post_init__(self) -> None:
        R, K = len(self.regions), len(self.sections)
        _require_flows("reference.Z", self.Z, (R, K, R, K))
        _require_flows("reference.F", self.F, (R, K, R))
        _require_known("region_of", self.region_of, self.regions)
        _require_known("section_of", self.section_of, self.sections)
        if self.rest is not None:
            _require_known("rest", [self.rest], self.regions)

    @property
    def region_index(self) -> NDArray[np.intp]:
        """[n] position in `regions` of each target region."""
        return np.array([list(self.regions).index(r) for r in self.region_of], dtype=np.intp)

    @property
    def section_index(self) -> NDArray[np.intp]:
        """[s] position in `sections` of each target sector."""
        return np.array([list(self.sections).index(k) for k in self.section_of], dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class FinalUseEstimate:
    """Estimated final use by destination.

    use: [n, s, n], what destination d buys of (origin, sector) for final use, M USD; a seller's
        row sums to its final sales.
    to_rest: [n, s], the part of a seller's home cell use[o, k, o] that is estimated to go to
        economies outside the table, for intermediate or final use, M USD.
    """

    use: Array
    to_rest: Array


def estimate_final_use(
    Z: ArrayLike, final_sales: ArrayLike, value_added: ArrayLike, reference: Reference
) -> FinalUseEstimate:
    """Split each seller's final sales over destinations; the method is in the module docstring.

    Z: [n, s, n, s] or [n s, n s], region-major, intermediate flows, M USD.
    final_sales: [n, s] sales outside Z, by no destination (with those to absent economies), M USD.
    value_added: [n] or [n, s], M USD; only its proportions between regions matter.

    A seller without intermediate sales is taken to sell at home.
    Raises ValueError on wrong shapes, negative or non-finite entries.
    """
    n, s = len(reference.region_of), len(reference.section_of)
    sales = np.asarray(final_sales, dtype=float)
    added = np.asarray(value_added, dtype=float)
    flows = np.asarray(Z, dtype=float)
    if flows.shape == (n * s, n * s):
        flows = flows.reshape(n, s, n, s)
    _require_flows("Z", flows, (n, s, n, s))
    _require_flows("final_sales", sales, (n, s))
    _require_flows("value_added", added, (n,) if added.ndim == 1 else (n, s))
    inputs = flows.sum(axis=3)
    size = added if added.ndim == 1 else added.sum(axis=1)

    seed = two_rule_seed(inputs, size, final_to_intermediate(reference))
    first = split_rows(seed, sales)
    to_rest = sales_to_rest(inputs, first, reference)
    home = np.arange(n)
    first[home, :, home] += to_rest
    kept = _ratio(sales, first.sum(axis=2))
    return FinalUseEstimate(use=split_rows(first, sales), to_rest=to_rest * kept)


def final_to_intermediate(reference: Reference) -> Array:
    """[n, s, n] final over intermediate flows of the reference, on the target's labels."""
    ratio = (reference.F + SMALLEST_FLOW) / (reference.Z.sum(axis=3) + SMALLEST_FLOW)
    regions = reference.region_index
    on_target: Array = ratio[np.ix_(regions, reference.section_index, regions)]
    return on_target


def two_rule_seed(inputs: Array, size: Array, ratio: Array) -> Array:
    """[n, s, n] geometric mean of the reference-ratio and the buyer's-shares rule, to row scale.

    inputs: [n, s, n] intermediate sales; size: [n] value added; ratio: [n, s, n].
    """
    seed: Array = inputs * np.sqrt(ratio * _ratio(size, inputs.sum(axis=0)))
    return seed


def split_rows(seed: Array, sales: Array) -> Array:
    """[n, s, n] `sales` [n, s] over destinations as `seed` has them; at home where it has none."""
    total = seed.sum(axis=2)
    use = seed * _ratio(sales, total)[:, :, None]
    origin, sector = np.nonzero(total <= 0)
    use[origin, sector, origin] = sales[origin, sector]
    return use


def sales_to_rest(inputs: Array, final: Array, reference: Reference) -> Array:
    """[n, s] sales, intermediate and final, to economies that are outside the target table.

    The reference's `rest` region holds them together with regions that the target separates
    ("members"). In the reference a seller's intermediate sales to all of `rest`, over those to
    the other foreign regions, exceed the same with members only in the target table; the relative
    excess, one number per seller region, is applied to its sales to foreign members. Sellers that
    are members themselves get the average excess. Zero without a `rest`.

    inputs, final: [n, s, n] intermediate sales, and a first estimate of final use by destination.
    """
    n = inputs.shape[0]
    if reference.rest is None:
        return np.zeros(inputs.shape[:2])
    region, rest = reference.region_index, list(reference.regions).index(reference.rest)
    group = np.eye(len(reference.regions))[region]
    now = group.T @ inputs.sum(axis=1) @ group
    then = reference.Z.sum(axis=(1, 3))

    members = now[:, rest]
    excess = np.maximum(_ratio(_to_rest_share(then, rest), _to_rest_share(now, rest)) - 1, 0)
    excess[rest] = 0
    others = np.delete(members, rest).sum()
    excess[rest] = excess @ members / others if others > 0 else 0

    foreign_member = (region == rest)[None, :] & ~np.eye(n, dtype=bool)
    abroad = ((inputs + final) * foreign_member[:, None, :]).sum(axis=2)
    to_rest: Array = excess[region][:, None] * abroad
    return to_rest


def _to_rest_share(trade: Array, rest: int) -> Array:
    """[R] sales to the rest over sales to the other foreign regions; trade: [R, R]."""
    foreign = trade.sum(axis=1) - np.diag(trade) - trade[:, rest]
    return _ratio(trade[:, rest], foreign)


def _ratio(top: Array, bottom: Array) -> Array:
    """Elementwise top / bottom, zero where bottom is not positive."""
    shape = np.broadcast_shapes(top.shape, bottom.shape)
    return np.divide(top, bottom, out=np.zeros(shape), where=bottom > 0)


def _require_flows(name: str, values: Array, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        msg = f"{name} has shape {values.shape}, expected {shape}"
        raise ValueError(msg)
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        msg = f"{name} has {int(bad.sum())} negative or non-finite entries, the first at {where}"
        raise ValueError(msg)


def _require_known(name: str, labels: Sequence[str], known: Sequence[str]) -> None:
    if odd := sorted(set(labels) - set(known)):
        msg = f"reference.{name}: {odd[:5]} not among {list(known)}"
        raise ValueError(msg)
