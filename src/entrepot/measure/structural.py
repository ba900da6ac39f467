"""Structural decomposition: what moved value added, jobs or emissions between two years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from entrepot.core.errors import MeasureError
from entrepot.core.labels import require_same
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, Level, Together, accounts_of, share
from entrepot.measure.content import intensities
from entrepot.world.world import World

if TYPE_CHECKING:
    import xarray as xr

FACTORS = {
    "intensity": "the satellite per unit of output",
    "technology": "inputs per unit of output, wherever they are from",
    "input_sourcing": "where inputs are bought",
    "final_sourcing": "where final goods are bought",
    "final_mix": "which products final users buy",
    "final_level": "how much final users buy",
}


@dataclass(frozen=True, eq=False, slots=True)
class _Year:
    """The factors of one year: q, the sourcing M and requirements T of inputs, and of final use."""

    rates: Array
    needs: Array  # (s, N) inputs of each product per unit of output
    sources: Array  # (N, N) share of each origin in the inputs of a product
    final: Array  # (n,) level
    mix: Array  # (s, n)
    final_sources: Array  # (N, n)


def structural_decomposition(
    before: World | Accounts,
    after: World | Accounts,
    of: str = "value_added",
    *,
    level: Level = "region",
    together: Together = None,
) -> xr.DataArray:
    """The change of a satellite's total by economy, split by what moved it.

    The total is q B Y by producing economy, with q the satellite per unit of
    output. Six factors move it (`FACTORS`): q; input requirements by product;
    their sourcing; and the sourcing, product mix and level of final use. Each
    factor's part is its mean over all orders in which the six can change: the
    Shapley value, exact and symmetric (Dietzenbacher & Los 1998; Sun 1998).
    Values in the satellite's unit over (region, factor); they sum over factors to the
    change. A table at current prices mixes prices into every factor: `deflate` first
    for volumes.

    Raises MeasureError for unknown satellites; WorldError where labels differ.

    """
    import xarray as xr

    a, b = accounts_of(before, level, together), accounts_of(after, level, together)
    require_same("economies", a.economies, b.economies, MeasureError)
    require_same("regions", a.world.regions, b.world.regions)
    require_same("sectors", a.world.sector_codes, b.world.sector_codes)
    years = _complete(_factors(a, of), _factors(b, of))
    total = _totals(a, years)
    n, k = a.n, len(FACTORS)
    parts = np.zeros((n, k))
    for state, value in total.items():
        size = sum(state)
        for i in range(k):
            if state[i]:
                without = (*state[:i], 0, *state[i + 1 :])
                weight = factorial(size - 1) * factorial(k - size) / factorial(k)
                parts[:, i] += weight * (value - total[without])
    satellite = a.world.satellites.get(of)
    unit = "million USD" if satellite is None else satellite.unit
    return xr.DataArray(
        parts,
        {"region": list(a.economies), "factor": list(FACTORS)},
        ("region", "factor"),
        f"change of {of}",
        {
            "unit": unit,
            "from": a.world.year,
            "to": b.world.year,
            "source": "Dietzenbacher & Los (1998); Sun (1998)",
            "meaning": "; ".join(f"{key}: {words}" for key, words in FACTORS.items()),
        },
    )


def _products(a: Accounts, rows: Array) -> Array:
    """Rows of nodes summed over origins to products (s, ...)."""
    out = np.zeros((a.s, *rows.shape[1:]))
    for i in range(a.N // a.s):
        out += rows[i * a.s : (i + 1) * a.s]
    return out


def _factors(a: Accounts, of: str) -> _Year:
    inputs = a.Z * a.per_unit
    needs = _products(a, inputs)
    by_product = _products(a, a.y)
    level = a.y.sum(0)
    tile = a.N // a.s
    return _Year(
        intensities(a, of),
        needs,
        share(inputs, np.tile(needs, (tile, 1))),
        level,
        share(by_product, level),
        share(a.y, np.tile(by_product, (tile, 1))),
    )


def _complete(before: _Year, after: _Year) -> tuple[_Year, _Year]:
    """Shares that are undefined in one year (nothing is bought) taken from the other."""
    pairs = []
    for name in _Year.__slots__:
        x, y = getattr(before, name), getattr(after, name)
        x, y = np.where(np.isnan(x), y, x), np.where(np.isnan(y), x, y)
        pairs.append((np.nan_to_num(x), np.nan_to_num(y)))
    return _Year(*(x for x, _ in pairs)), _Year(*(y for _, y in pairs))


def _totals(a: Accounts, years: tuple[_Year, _Year]) -> dict[tuple[int, ...], Array]:
    """The total by economy (n,) with each factor of either year: one system a chain, 64 states."""
    from scipy.linalg import lu_factor, lu_solve

    tile, found = a.N // a.s, {}
    finals = {
        key: _final(years[key[0]].final_sources, years[key[1]].mix, years[key[2]].final, tile)
        for key in product((0, 1), repeat=3)
    }
    demand = np.stack(list(finals.values()), axis=1)
    for technology, sourcing in product((0, 1), repeat=2):
        system = -years[sourcing].sources * np.tile(years[technology].needs, (tile, 1))
        system.flat[:: a.N + 1] += 1.0
        made = lu_solve(lu_factor(system, overwrite_a=True, check_finite=False), demand)
        for j, key in enumerate(finals):
            for q in (0, 1):
                value = a.by_economy(years[q].rates * made[:, j])
                found[q, technology, sourcing, *key] = value
    return found


def _final(sources: Array, mix: Array, level: Array, tile: int) -> Array:
    """Final sales of each node (N,)."""
    return np.asarray((sources * np.tile(mix * level, (tile, 1))).sum(1))


def log_change(before: Sequence[float] | Array, after: Sequence[float] | Array) -> Array:
    """What each part adds to the log change of their sum: exact, whatever the parts' signs.

    (x1 - x0) / L(X1, X0), with L the logarithmic mean of the totals: the additive
    logarithmic-mean Divisia index (Ang 2004) of a sum. The parts sum to ln(X1 / X0).

    Raises MeasureError where a total is not positive: it has no log change.
    """
    x0, x1 = np.asarray(before, float), np.asarray(after, float)
    if x0.shape != x1.shape:
        raise MeasureError(f"parts of shapes {x0.shape} and {x1.shape} cannot be compared.")
    old, new = float(x0.sum()), float(x1.sum())
    if not (old > 0 and new > 0):
        raise MeasureError(
            f"totals of {old:g} and {new:g} have no log change; both must be positive."
        )
    mean = old if old == new else (new - old) / np.log(new / old)
    return np.asarray((x1 - x0) / mean)
