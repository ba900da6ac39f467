"""The calibrated base of the trade equilibrium, from a World or from shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import WorldError
from entrepot.core.labels import require_unique, some
from entrepot.world.world import World, trade_flows

Array = NDArray[np.float64]
InventoryRule = Literal["fixed_real", "netted", "error"]
TaxRule = Literal["fixed_rate_revenue", "in_value_added"]


@dataclass(frozen=True, eq=False)
class Economy:
    """One base-year equilibrium; s sectors, n regions, values in million USD.

    Axes are [sector, origin, destination], [input, using sector, region] and
    [sector, region]. Symbols as in Caliendo & Parro (2015), section 2, except
    `g`, the *value* of duty-paid inputs per unit of output value, before
    product taxes; buyers pay `(1 + omega) g`, so `va + (1 + omega) * g.sum(0) = 1`.

    - `pi` expenditure shares, `X` expenditure (duty paid), `t` tariffs on the
      border value, `x` export taxes on the producer price;
    - `alpha` final-use shares of income `I`, `V` value added, `D` trade
      deficit (positive: income received);
    - `inventories` (s, n, n) <= 0: sales out of stock, held at base quantities;
    - `theta` (s,) trade elasticities; `base_gap` how far the base is from
      satisfying its own equations, relative.
    """

    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    theta: Array
    pi: Array
    X: Array
    t: Array
    x: Array
    g: Array
    omega: Array
    va: Array
    alpha: Array
    I: Array  # noqa: E741 - the paper's symbol
    V: Array
    D: Array
    inventories: Array
    base_gap: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def pays(self) -> Array:
        """Cost shares of inputs, product taxes included: [region, using sector, input]."""
        return np.ascontiguousarray(((1 + self.omega) * self.g).transpose(2, 1, 0))

    @cached_property
    def uses(self) -> Array:
        """Input values per unit of output: [region, input, using sector]."""
        return np.ascontiguousarray(self.g.transpose(2, 0, 1))

    @cached_property
    def product_tax(self) -> Array:
        """Product taxes on inputs per unit of output value (s, n)."""
        return self.omega * self.g.sum(0)

    @cached_property
    def draws_stock(self) -> bool:
        """Whether any sale comes out of stock."""
        return bool(self.inventories.any())

    @property
    def N(self) -> Array:  # noqa: N802 - the paper's symbol
        """Producer value of market sales (s, n, n)."""
        return self.pi * self.X[:, None, :] / ((1 + self.t) * (1 + self.x))

    @property
    def Y(self) -> Array:  # noqa: N802
        """Output (s, n), sales out of stock taken off."""
        return self.N.sum(2) + self.inventories.sum(2)

    def cells(self, mask: NDArray[np.bool_]) -> list[str]:
        """`region sector` names where a (sector, region) mask holds."""
        return [f"{self.regions[d]} {self.sectors[r]}" for r, d in np.argwhere(mask)]


def calibrate(
    world: World,
    theta: Array,
    *,
    taxes: TaxRule = "fixed_rate_revenue",
    inventories: InventoryRule = "fixed_real",
) -> Economy:
    """The trade economy of a World, one sourcing mix per sector and destination.

    Parameters
    ----------
    theta : (s,) trade elasticities, positive.
    taxes : `fixed_rate_revenue` keeps net product taxes on inputs as fixed
        ad-valorem rates whose revenue the region's household receives;
        `in_value_added` counts them as value added. Taxes on final use are
        uniform within a region and handed back, hence neutral, and left out.
    inventories : what negative final use means: `fixed_real` holds it at base
        quantities, financed as a transfer; `netted` takes it off the same
        flow's positive sales; `error` refuses.

    Tariffs and export taxes attached to the world gross expenditure up, are
    credited as revenue, and are taken out of the net product taxes (or of
    value added, where the table carries taxes inside it). Margins on inputs count
    as value added of the buying sector, and a note says so.

    Raises WorldError naming the cells for negative value added, tax rates at
    or below -100 %, tax without inputs, or a region without value added.

    """
    n, s = len(world.regions), len(world.sectors)
    theta = _elasticities(theta, s)
    sales, drawn = trade_flows(world)
    notes: list[str] = []
    if drawn.any():
        sales, drawn, note = _treat_inventories(sales, drawn, inventories, world)
        notes.append(note)

    t = _rates(world, "tariffs", (s, n, n))
    x = _rates(world, "export_taxes", (s, n, n))
    spent = sales * (1 + x) * (1 + t)
    X = spent.sum(1)
    markup = _ratio(X, sales.sum(1), 1.0)

    inputs = world.Z.reshape(n, s, n, s).sum(0).transpose(0, 2, 1)  # [input, using, region]
    Y = sales.sum(2) + drawn.sum(2)
    paid = inputs * markup[:, None, :]
    duty = (paid - inputs).sum(0)
    V = (world.V.sum(0) + world.margin_inputs + world.slack).reshape(n, s).T
    T = world.T_inputs.reshape(n, s).T
    if world.slack.any() and np.abs(world.slack).max() > 1e-6:
        notes.append(
            f"slack of {np.abs(world.slack).sum():,.0f} million USD between row and column sums "
            "is counted as value added"
        )
    if world.margin_inputs.any():
        names = [key for key, margin in world.margins.items() if margin.inputs.any()]
        notes.append(
            f"{' and '.join(names)} ({np.abs(world.margin_inputs).sum():,.0f} million USD on inputs) "
            "are counted as value added"
        )
    if world.taxes == "separate":
        T = T - duty
    else:
        V = V - duty
    if taxes == "in_value_added":
        V, T = V + T, np.zeros_like(T)

    live = Y > 0
    if (short := -1e-9 * sales.sum(2) > Y).any():
        raise WorldError(
            f"more is drawn from stock than sold in {some(_cells(world, short))}: output would be "
            "negative; repair the table."
        )
    if (V[live] < -1e-12 * Y[live]).any():
        cells = _cells(world, (V < 0) & live)
        raise WorldError(
            f"value added is negative in {some(cells)}: a Cobb-Douglas cost share cannot be; "
            "aggregate these sectors, repair the table, or count product taxes as value added "
            "(assumptions: taxes: in_value_added)."
        )
    bought = paid.sum(0)
    if ((bought <= 0) & (np.abs(T) > 1e-9 * np.maximum(Y, 1e-9))).any():
        cells = _cells(world, (bought <= 0) & (np.abs(T) > 0))
        raise WorldError(
            f"product taxes without any taxed input in {some(cells)}: no rate can be formed; "
            "use assumptions: taxes: in_value_added."
        )
    omega = _ratio(T, bought, 0.0)
    if (omega <= -1).any():
        raise WorldError(
            f"product subsidies exceed the inputs they are paid on in {some(_cells(world, omega <= -1))}; "
            "use assumptions: taxes: in_value_added."
        )
    g = np.where(live[None], _ratio(paid, np.broadcast_to(Y, paid.shape), 0.0), 0.0)
    va = np.where(live, _ratio(V, Y, 1.0), 1.0)
    # Shares are made to add up to the last digit; the table has them to its own rounding.
    va = np.where(live, 1 - (1 + omega) * g.sum(0), va)

    final = np.maximum(world.F, 0).sum(2).reshape(n, s, n).sum(0)
    if inventories == "netted" and world.F.min(initial=0) < 0:
        final = sales.sum(1) - inputs.sum(1)
        if (final < -1e-9 * np.maximum(sales.sum(1), 1)).any():
            raise WorldError("netted inventories leave a negative final use; use fixed_real.")
        final = np.maximum(final, 0)
    final = final * markup
    I = final.sum(0)  # noqa: E741
    _require_positive(world, V.sum(0), "value added")
    _require_positive(world, I, "final use")
    border = sales * (1 + x) + drawn
    D = border.sum((0, 1)) - border.sum((0, 2))
    economy = Economy(
        regions=world.regions,
        sectors=world.sector_codes,
        theta=theta,
        pi=_ratio(spent, np.broadcast_to(X[:, None, :], spent.shape), 0.0),
        X=X,
        t=t,
        x=x,
        g=np.ascontiguousarray(g),
        omega=omega,
        va=va,
        alpha=final / I,
        I=I,
        V=(va * Y).sum(0),
        D=D,
        inventories=drawn,
        notes=tuple(notes),
    )
    gap = base_gap(economy)
    if gap > 1e-6:
        raise WorldError(
            f"{world.name}: the calibrated base misses its own equations by {gap:.1e}; "
            "is the table balanced? (`entrepot world show` prints its identities)."
        )
    return economy


def economy_from_shares(
    regions: Sequence[str],
    sectors: Sequence[str],
    *,
    trade: Array,
    tariffs: Array,
    inputs: Array,
    value_added_shares: Array,
    final_shares: Array,
    theta: Array,
    deficits: Array | None = None,
    negative_inputs: bool = False,
) -> Economy:
    """The trade economy from Caliendo & Parro's inputs.

    Parameters
    ----------
    trade : (s, n, n) expenditure of destination on origin, duty paid, home
        sales included; any money unit.
    tariffs : (s, n, n) ad-valorem fractions.
    inputs : (s, s, n) [input, using, region] value of inputs per unit of
        output value; with `value_added_shares` (s, n) they sum to one.
    final_shares : (s, n) shares of income spent on each sector.
    theta : (s,) trade elasticities.
    deficits : (n,) trade deficits; the trade's own when None.
    negative_inputs : admit negative input coefficients (published tables hold
        a few small ones); refused otherwise.

    A published base is an equilibrium only to its own digits: `base_gap` says
    how far it is; closures other than `balanced_first` refuse a base that
    misses by more than 1e-6.

    Raises WorldError for shapes, signs or shares that do not add up.

    """
    n, s = len(regions), len(sectors)
    trade, tariffs = np.asarray(trade, float), np.asarray(tariffs, float)
    inputs, va = np.asarray(inputs, float), np.asarray(value_added_shares, float)
    alpha = np.asarray(final_shares, float)
    for name, array, shape in (
        ("trade", trade, (s, n, n)),
        ("tariffs", tariffs, (s, n, n)),
        ("inputs", inputs, (s, s, n)),
        ("value_added_shares", va, (s, n)),
        ("final_shares", alpha, (s, n)),
    ):
        if array.shape != shape:
            raise WorldError(f"{name} has shape {array.shape}; {shape} was expected.")
        if not np.isfinite(array).all():
            raise WorldError(f"{name} holds values that are not finite.")
        signed = name == "tariffs" or (name == "inputs" and negative_inputs)
        if not signed and (array < 0).any():
            raise WorldError(f"{name} holds negative values.")
    if (tariffs <= -1).any():
        raise WorldError("tariffs hold a rate of -100 % or less.")
    if np.einsum("rdd->rd", tariffs).any():
        raise WorldError("tariffs hold a rate on home sales.")
    if np.abs(va + inputs.sum(0) - 1).max() > 1e-6:
        raise WorldError("value-added and input shares do not sum to one.")
    if np.abs(alpha.sum(0) - 1).max() > 1e-6:
        raise WorldError("final-use shares do not sum to one.")
    require_unique("regions", regions)
    require_unique("sectors", sectors)
    alpha = alpha / alpha.sum(0)
    va = 1 - inputs.sum(0)
    X = trade.sum(1)
    border = trade / (1 + tariffs)
    V = (va * border.sum(2)).sum(0)
    if not ((V > 0) & (X.sum(0) > 0)).all():
        raise WorldError("a region sells or buys nothing: it cannot be solved for.")
    if deficits is not None:
        deficits = np.asarray(deficits, float)
        if deficits.shape != (n,) or not np.isfinite(deficits).all():
            raise WorldError(f"deficits must be {n} finite numbers, one a region.")
        if abs(deficits.sum()) > 1e-6 * V.sum():
            raise WorldError("deficits do not sum to zero over the world.")
    D = border.sum((0, 1)) - border.sum((0, 2)) if deficits is None else deficits
    zero = np.zeros((s, n, n))
    economy = Economy(
        regions=tuple(regions),
        sectors=tuple(sectors),
        theta=_elasticities(theta, s),
        pi=_ratio(trade, np.broadcast_to(X[:, None, :], trade.shape), 0.0),
        X=X,
        t=tariffs,
        x=zero,
        g=np.ascontiguousarray(inputs),
        omega=np.zeros((s, n)),
        va=va,
        alpha=alpha,
        I=V + (trade - border).sum((0, 1)) + D,
        V=V,
        D=D,
        inventories=zero,
    )
    object.__setattr__(economy, "base_gap", base_gap(economy))
    return economy


def base_gap(economy: Economy) -> float:
    """Largest relative miss of the base's own goods, income and factor equations."""
    e = economy
    N, Y = e.N, e.Y
    tariff = (e.t / (1 + e.t) * e.pi * e.X[:, None, :]).sum((0, 1))
    export = (e.x * N).sum((0, 2))
    product = (e.omega * e.g.sum(0) * Y).sum(0)
    income = e.V + tariff + export + product + e.D - e.inventories.sum((0, 1))
    goods = np.einsum("rkd,kd->rd", e.g, Y) + e.alpha * e.I - e.X
    return float(
        max(
            np.abs(goods).max() / e.X.max(),
            (np.abs(goods).sum(0) / e.X.sum(0)).max(),
            np.abs(income / e.I - 1).max(),
            np.abs((e.va * Y).sum(0) / e.V - 1).max(),
        )
    )


def _elasticities(theta: Array, s: int) -> Array:
    theta = np.asarray(theta, float)
    if theta.shape != (s,):
        raise WorldError(
            f"elasticities have shape {theta.shape}; one per sector ({s}) was expected."
        )
    if not (np.isfinite(theta).all() and (theta > 0).all()):
        raise WorldError("elasticities must be positive and finite.")
    return theta


def _rates(world: World, key: str, shape: tuple[int, ...]) -> Array:
    return world.satellites[key].values if key in world.satellites else np.zeros(shape)


def _ratio(a: Array, b: Array, empty: float) -> Array:
    out = np.full(np.broadcast_shapes(a.shape, b.shape), empty)
    return np.divide(a, b, out=out, where=b > 0)


def _treat_inventories(
    sales: Array, drawn: Array, rule: InventoryRule, world: World
) -> tuple[Array, Array, str]:
    count, size = int((drawn < 0).sum()), -drawn.sum()
    text = f"{count} flows out of stock ({size:,.1f} million USD)"
    if rule == "error":
        raise WorldError(
            f"{world.name} holds {text}; choose assumptions: inventories: fixed_real or netted."
        )
    if rule == "fixed_real":
        return sales, drawn, f"{text} are held at base quantities and financed as a transfer"
    netted = sales + drawn
    if (netted < 0).any():
        r, o, d = np.argwhere(netted < 0)[0]
        raise WorldError(
            f"netting stocks leaves {world.regions[o]} {world.sectors[r].code} selling a negative "
            f"amount to {world.regions[d]}; use assumptions: inventories: fixed_real."
        )
    return netted, np.zeros_like(drawn), f"{text} are netted against the same flow's sales"


def _cells(world: World, mask: NDArray[np.bool_]) -> list[str]:
    return [f"{world.regions[d]} {world.sectors[k].code}" for k, d in np.argwhere(mask)]


def _require_positive(world: World, values: Array, what: str) -> None:
    bad = [r for r, v in zip(world.regions, values, strict=True) if not v > 0]
    if bad:
        raise WorldError(
            f"{what} is not positive in {some(bad)}: such a region cannot be solved for."
        )
