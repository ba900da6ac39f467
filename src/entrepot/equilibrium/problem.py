"""The constants of one solve, and whether an equilibrium can exist at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import InfeasibleError
from entrepot.core.labels import some
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.shock import TradeShock

Array = NDArray[np.float64]
Flows = NDArray[np.floating[Any]]  # double precision, or single in the first steps
Closure = Literal["world_share", "proportional", "none"]


@dataclass(frozen=True, eq=False)
class Stock:
    """Sales out of stock (<= 0): by seller (s, n), at home (s, n), by buyer (n, s*n)."""

    by_seller: Array
    home: Array
    by_buyer: Array

    @staticmethod
    def of(flows: Array) -> Stock:
        """From flows [sector, origin, destination]."""
        by_buyer = flows.transpose(2, 0, 1).reshape(flows.shape[2], -1)
        return Stock(
            flows.sum(2), np.einsum("rdd->rd", flows).copy(), np.ascontiguousarray(by_buyer)
        )


@dataclass(frozen=True, eq=False)
class Problem:
    """Constants of one solve; see `residual` for what each is for."""

    e: Economy
    deficit: Array
    closure: Closure
    K: Flows  # between economies; zero at home
    home: Array  # K at home, (s, n)
    pays: Flows  # `Economy.pays` and `Economy.uses`
    uses: Flows
    scale: Array  # log of what K was divided by, (s, n)
    border: Flows  # K / (1 + t'), K itself when no tariff is left
    made: Flows  # K / ((1 + t') (1 + x')), `border` itself when no export tax is left
    export_tax: Flows | None  # x' * made, None when there is none
    logA: Array
    labour: Array  # L-hat times V
    active: NDArray[np.bool_]
    blocs: NDArray[np.int64]
    product_tax: Array
    stock: Stock | None


def prepare(e: Economy, shock: TradeShock, deficit: Array, closure: Closure) -> Problem:
    """Check that an equilibrium can exist and set the constants of its map.

    Raises InfeasibleError naming the buyers left without any supplier and the
    economies whose deficits or surpluses no trade could carry.
    """
    s, n = e.X.shape
    active = e.X > 0
    K = e.pi.copy()
    scale = np.zeros((s, n))
    change = shock.tau != 1
    for new, old in ((shock.t, e.t), (shock.x, e.x)):
        if new is not old:
            change |= new != old
    moved = np.flatnonzero(change)
    if moved.size:
        log_k = -e.theta[moved // (n * n)] * np.log(shock.kappa(e, moved))
        if np.abs(log_k).max() > 200:
            whole = np.zeros(e.pi.size)
            whole[moved] = log_k
            top = np.where(e.pi > 0, whole.reshape(e.pi.shape), -np.inf).max(1)
            scale = np.where(np.isfinite(top), top, 0.0)
            K *= np.exp(np.minimum(whole.reshape(e.pi.shape) - scale[:, None, :], 700.0))
        else:
            K.ravel()[moved] *= np.exp(log_k)
    if shock.embargo.any():
        K[shock.embargo] = 0
    _require_suppliers(e, K, active, shock)
    # Home and foreign sales are kept apart: the trade of a nearly closed economy must not be
    # the small difference of two large numbers.
    home = np.einsum("rdd->rd", K).copy()
    np.einsum("rdd->rd", K)[...] = 0
    trade = K.sum(0) > 0
    blocs = _blocs(trade)
    _require_financeable(e, trade, deficit)
    _require_settled(e, blocs, deficit)
    border = _divided(K, shock.t)
    made = _divided(border, shock.x)
    stock = Stock.of(e.inventories) if e.draws_stock else None
    return Problem(
        e=e,
        deficit=deficit,
        closure=closure,
        K=K,
        home=home,
        pays=e.pays,
        uses=e.uses,
        scale=scale,
        border=border,
        made=made,
        export_tax=shock.x * made if shock.x.any() else None,
        logA=np.log(shock.A),
        labour=shock.L * e.V,
        active=active,
        blocs=blocs,
        product_tax=e.product_tax,
        stock=stock,
    )


def _divided(flows: Array, rate: Array) -> Array:
    """Flows over one plus a rate; the same array where there is no rate at all."""
    taxed = np.flatnonzero(rate != 0)  # on floats themselves it is ten times slower
    if not taxed.size:
        return flows
    out = flows.copy()
    out.ravel()[taxed] /= 1 + rate.ravel()[taxed]
    return out


def _require_suppliers(e: Economy, K: Array, active: NDArray[np.bool_], shock: TradeShock) -> None:
    lost = active & ~(K > 0).any(1)
    if not lost.any():
        return
    cells = e.cells(lost)
    cause = "the embargo leaves" if shock.embargo.any() else "trade costs leave"
    raise InfeasibleError(
        f"{cause} {len(cells)} buyer(s) without any supplier: {some(cells, 8)}. "
        "Exempt these cells, use a finite trade cost instead, or merge the sectors "
        "(assumptions: without_supplier: merge)."
    )


def _reach(trade: NDArray[np.bool_]) -> NDArray[np.bool_]:
    reach = trade | np.eye(len(trade), dtype=bool)
    for _ in range(max(1, int(np.ceil(np.log2(len(trade)))))):
        reach = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
    return reach


def _blocs(trade: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A number per region: regions that can trade, directly or through others, share it."""
    return np.argmax(_reach(trade | trade.T), axis=1).astype(np.int64)


def _require_financeable(e: Economy, trade: NDArray[np.bool_], deficit: Array) -> None:
    """Net payments must be possible: a region group that cannot export needs a deficit."""
    reach = _reach(trade)
    groups = np.argmax(reach & reach.T, axis=1)
    size = e.X.sum(0)
    found, members = np.unique(groups, return_counts=True)
    for group in found[np.argsort(members, kind="stable")]:  # the smallest is named
        inside = groups == group
        sells, buys = trade[inside][:, ~inside].any(), trade[~inside][:, inside].any()
        net = deficit[inside].sum() / size[inside].sum()
        settled = abs(net) < 1e-9
        fine = (sells and buys) or (
            settled if sells == buys else (net > 1e-9 if buys else net < -1e-9)
        )
        if fine:
            continue
        names = [r for r, here in zip(e.regions, inside, strict=True) if here]
        what = "sell nothing to" if not sells else "buy nothing from"
        both = "neither sell to nor buy from" if sells == buys else what
        raise InfeasibleError(
            f"{some(names)} could {both} the others, yet would run a trade "
            f"{'deficit' if net > 0 else 'surplus' if net < 0 else 'balance of zero'}"
            f"{'' if settled else f' of {abs(net):.2%} of spending'}: no wage clears that. "
            "Use `closure: zero`, or leave some trade open both ways."
        )


def _require_settled(e: Economy, blocs: NDArray[np.int64], deficit: Array) -> None:
    """What crosses no border must balance: deficits, and stock sold, within each trading bloc."""
    size = e.X.sum(0)
    for bloc in np.unique(blocs):
        inside = blocs == bloc
        if inside.all():
            return
        names = some([r for r, here in zip(e.regions, inside, strict=True) if here])
        net = deficit[inside].sum() / size[inside].sum()
        if abs(net) > 1e-9:
            raise InfeasibleError(
                f"{names} could trade with no one else, yet would run a joint trade "
                f"{'deficit' if net > 0 else 'surplus'} of {abs(net):.2%} of spending. "
                "Use `closure: zero`, or leave some trade open."
            )
        if e.draws_stock:
            crossing = (
                e.inventories[:, inside][:, :, ~inside],
                e.inventories[:, ~inside][:, :, inside],
            )
            if any(flows.any() for flows in crossing):
                raise InfeasibleError(
                    f"{names} could trade with no one else, yet goods out of stock, held at base "
                    "quantities, would cross that border. Use assumptions: inventories: netted."
                )


def lowered(p: Problem) -> Problem:
    """The same problem with its large arrays in single precision, for the first steps.

    The steps are bound by memory; a point good to 1e-5 costs a third this way.
    """
    K = p.K.astype(np.float32)
    border = K if p.border is p.K else p.border.astype(np.float32)
    made = border if p.made is p.border else p.made.astype(np.float32)
    tax = None if p.export_tax is None else p.export_tax.astype(np.float32)
    pays, uses = p.pays.astype(np.float32), p.uses.astype(np.float32)
    return replace(p, K=K, border=border, made=made, export_tax=tax, pays=pays, uses=uses)
