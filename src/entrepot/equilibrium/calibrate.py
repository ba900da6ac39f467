"""From a World to the trade economy: shares, tax rates and what becomes of stocks."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import WorldError
from entrepot.core.labels import some
from entrepot.equilibrium.economy import (
    ALL_USERS,
    INTERMEDIATE,
    Economy,
    Sourcing,
    as_elasticities,
    base_gap,
    ratio,
    with_variant,
)
from entrepot.equilibrium.variants import Variant
from entrepot.world.world import World, trade_flows

Array = NDArray[np.float64]
InventoryRule = Literal["fixed_real", "netted", "error"]
TaxRule = Literal["fixed_rate_revenue", "in_value_added"]

BASE_MISS = 1e-6  # a calibrated base that misses its equations by more is refused


def calibrate(
    world: World,
    theta: Array,
    *,
    taxes: TaxRule = "fixed_rate_revenue",
    inventories: InventoryRule = "fixed_real",
    sourcing: Sourcing = "by_sector",
    variant: Variant | None = None,
) -> Economy:
    """The trade economy of a World.

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
    sourcing : `by_sector`, one mix of origins per product and destination;
        `by_use`, one for inputs and one for final use; `by_user`, one for each
        using sector and final-use category, so that the base is the table cell
        by cell (Antràs & Chor 2018).
    variant : how nests substitute and whether scale matters; Cobb-Douglas and
        perfect competition when None.

    Tariffs and export taxes attached to the world gross expenditure up, are
    credited as revenue, and are taken out of the net product taxes (or of
    value added, where the table carries taxes inside it). Margins on inputs count
    as value added of the buying sector, and a note says so.

    Raises WorldError naming the cells for negative value added, tax rates at
    or below -100 %, tax without inputs, or a region without value added.

    """
    n, s = len(world.regions), len(world.sectors)
    theta = as_elasticities(theta, s)
    sales, drawn = trade_flows(world)
    notes: list[str] = []
    if drawn.any():
        drawn, note = _treat_inventories(sales, drawn, inventories, world)
        notes += note
    users, final_users = user_groups(world, sourcing)
    parts = sales_by_user(world, sourcing)
    if inventories == "netted" and world.F.min(initial=0) < 0:
        _net(parts, world, sourcing)
        sales = parts.sum(2)
    Y = sales.sum(2) + drawn.sum(2)

    t = _rates(world, "tariffs", (s, n, n))
    x = _rates(world, "export_taxes", (s, n, n))
    border = sales * (1 + x) + drawn
    sold = parts.sum(1)  # (s, u, n)
    for rate in (t, x):
        if rate.any():
            parts *= 1 + rate[:, :, None, :]
    X = parts.sum(1)
    markup = ratio(X, sold, 1.0)
    np.divide(parts, X[:, None], out=parts, where=X[:, None] > 0)

    inputs = world.Z.reshape(n, s, n, s).sum(0).transpose(0, 2, 1)  # [input, using, region]
    paid = inputs * (markup[:, :s] if sourcing == "by_user" else markup[:, :1])
    duty = (paid - inputs).sum(0)
    if sourcing == "by_sector":
        final = sold - inputs.sum(1)[:, None]
        if (final < -1e-9 * np.maximum(sold, 1)).any():
            raise WorldError("netted inventories leave a negative final use; use fixed_real.")
        final = np.maximum(final, 0) * markup
    else:
        final = X[:, list(final_users)]
    I = final.sum((0, 1))  # noqa: E741
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
    bought = paid.sum(0)
    short = live & (V < -1e-12 * Y)
    if (bad := short & ((_tolerance(world) < -V) | (bought <= 0))).any():
        raise WorldError(
            f"value added is negative in {some(_cells(world, bad))}: a cost share cannot be; "
            "aggregate these sectors, repair the table, or count product taxes as value added "
            "(assumptions: taxes: in_value_added)."
        )
    if short.any():
        notes.append(
            f"{-V[short].sum():,.1f} million USD by which value added falls short of zero in "
            f"{some(_cells(world, short))}, within the table's tolerance, are a subsidy on inputs"
        )
        T, V = np.where(short, T + V, T), np.where(short, 0.0, V)
    if ((bought <= 0) & (np.abs(T) > 1e-9 * np.maximum(Y, 1e-9))).any():
        cells = _cells(world, (bought <= 0) & (np.abs(T) > 0))
        raise WorldError(
            f"product taxes without any taxed input in {some(cells)}: no rate can be formed; "
            "use assumptions: taxes: in_value_added."
        )
    omega = ratio(T, bought, 0.0)
    if (omega <= -1).any():
        raise WorldError(
            f"product subsidies exceed the inputs they are paid on in {some(_cells(world, omega <= -1))}; "
            "use assumptions: taxes: in_value_added."
        )
    g = np.where(live[None], ratio(paid, np.broadcast_to(Y, paid.shape), 0.0), 0.0)
    va = np.where(live, ratio(V, Y, 1.0), 1.0)
    # Shares are made to add up to the last digit; the table has them to its own rounding.
    va = np.where(live, 1 - (1 + omega) * g.sum(0), va)

    _require_positive(world, V.sum(0), "value added")
    _require_positive(world, I, "final use")
    D = border.sum((0, 1)) - border.sum((0, 2))
    economy = Economy(
        regions=world.regions,
        sectors=world.sector_codes,
        theta=theta,
        pi=parts.reshape(s, n, -1),
        X=X.reshape(s, -1),
        t=t,
        x=x,
        g=np.ascontiguousarray(g),
        omega=omega,
        va=va,
        alpha=(final / I).reshape(s, -1),
        I=I,
        V=(va * Y).sum(0),
        D=D,
        inventories=drawn,
        notes=tuple(notes),
        users=users,
        final_users=final_users,
        shared_inputs=sourcing != "by_user",
    )
    if variant is not None:
        economy = with_variant(economy, variant)
    gap = base_gap(economy)
    if gap > BASE_MISS:
        raise WorldError(
            f"{world.name}: the calibrated base misses its own equations by {gap:.1e}; "
            "is the table balanced? (`entrepot world show` prints its identities)."
        )
    return economy


def user_groups(world: World, sourcing: Sourcing) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The user groups that source apart, in order, and the group of each final bundle.

    Intermediate users come first. Raises WorldError for an unknown sourcing.
    """
    if sourcing == "by_sector":
        return (ALL_USERS,), (0,)
    if sourcing == "by_use":
        return (INTERMEDIATE, "final use"), (1,)
    if sourcing != "by_user":
        raise WorldError(
            f"there is no sourcing {sourcing!r}; by_sector, by_use or by_user was expected."
        )
    s, c = len(world.sectors), len(world.final_categories)
    return (*world.sector_codes, *world.final_categories), tuple(range(s, s + c))


def sales_by_user(world: World, sourcing: Sourcing) -> Array:
    """Market sales by user group (s, n, u, n), in the order of `user_groups`."""
    if sourcing == "by_sector":
        return trade_flows(world)[0][:, :, None, :]
    n, s = len(world.regions), len(world.sectors)
    F = np.maximum(world.F, 0).reshape(n, s, n, -1)
    if sourcing == "by_use":
        both = np.stack([world.Z.reshape(n, s, n, s).sum(3), F.sum(3)], axis=2)
        return np.ascontiguousarray(both.transpose(1, 0, 2, 3))
    parts = np.empty((s, n, s + F.shape[3], n))
    parts[:, :, :s] = world.Z.reshape(n, s, n, s).transpose(1, 0, 3, 2)
    parts[:, :, s:] = F.transpose(1, 0, 3, 2)
    return parts


def _treat_inventories(
    sales: Array, drawn: Array, rule: InventoryRule, world: World
) -> tuple[Array, list[str]]:
    """Sales out of stock that stay beside the market, and what was decided."""
    count, size = int((drawn < 0).sum()), -drawn.sum()
    text = f"{count} flows out of stock ({size:,.1f} million USD)"
    if rule == "error":
        raise WorldError(
            f"{world.name} holds {text}; choose assumptions: inventories: fixed_real or netted."
        )
    if rule == "netted":
        return np.zeros_like(drawn), [f"{text} are netted against the same flow's sales"]
    notes = [f"{text} are held at base quantities and financed as a transfer"]
    sold, taken = sales.sum(2), -drawn.sum(2)
    over = taken - sold
    if (bad := over > np.maximum(_tolerance(world), 1e-9 * sold)).any():
        raise WorldError(
            f"more is drawn from stock than sold in {some(_cells(world, bad))}: output would be "
            "negative; repair the table."
        )
    if (over > 0).any():
        drawn = drawn * np.where(over > 0, ratio(sold, taken, 0.0), 1.0)[:, :, None]
        notes.append(
            f"{over[over > 0].sum():,.1f} million USD drawn beyond all sales in "
            f"{some(_cells(world, over > 0))} are left out, within the table's tolerance"
        )
    return drawn, notes


def _net(parts: Array, world: World, sourcing: Sourcing) -> None:
    """Take stocks drawn off the same flow's sales, in place; off its final sales where told apart."""
    drawn = trade_flows(world)[1]
    final = parts if sourcing != "by_user" else parts[:, :, len(world.sectors) :]
    final = final[:, :, 1:] if sourcing == "by_use" else final
    whole = final.sum(2)
    left = whole + drawn
    if (left < -1e-9 * np.maximum(whole, 1)).any():
        r, o, d = np.argwhere(left < 0)[0]
        raise WorldError(
            f"netting stocks leaves {world.regions[o]} {world.sectors[r].code} selling a negative "
            f"amount to {world.regions[d]}; use assumptions: inventories: fixed_real."
        )
    final *= ratio(np.maximum(left, 0), whole, 0.0)[:, :, None]


def _tolerance(world: World) -> Array:
    """What the table's identities may miss by (s, n), million USD."""
    return (world.atol + world.rtol * np.abs(world.x)).reshape(len(world.regions), -1).T


def _cells(world: World, mask: NDArray[np.bool_]) -> list[str]:
    return [f"{world.regions[d]} {world.sectors[k].code}" for k, d in np.argwhere(mask)]


def _require_positive(world: World, values: Array, what: str) -> None:
    bad = [r for r, v in zip(world.regions, values, strict=True) if not v > 0]
    if bad:
        raise WorldError(
            f"{what} is not positive in {some(bad)}: such a region cannot be solved for."
        )


def _rates(world: World, key: str, shape: tuple[int, ...]) -> Array:
    return world.satellites[key].values if key in world.satellites else np.zeros(shape)
