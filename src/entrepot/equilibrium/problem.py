"""The constants of one solve, and whether an equilibrium can exist at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import InfeasibleError, ScenarioError
from entrepot.core.labels import some
from entrepot.equilibrium.economy import Economy, at_home, set_at_home
from entrepot.equilibrium.shock import TradeShock, same_width

Array = NDArray[np.float64]
Flows = NDArray[np.floating[Any]]  # double precision, or single in the first steps
Closure = Literal["world_share", "proportional", "none"]
CLOSURES = get_args(Closure)


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
    home: Array  # K at home, (s, m)
    uses: Flows  # `Economy.uses`
    scale: Array  # log of what K was divided by, (s, m)
    border: Flows  # K / (1 + t'), K itself when no tariff is left
    made: Flows  # K / ((1 + t') (1 + x')), `border` itself when no export tax is left
    export_tax: Flows | None  # x' * made, None when there is none
    logA: Array
    labour: Array  # L-hat times V
    active: NDArray[np.bool_]  # markets that spend anything, (s, m)
    sells: NDArray[np.bool_]  # producers that sell anything, (s, n)
    sales: Array  # their base market sales, (s, n)
    psi: Array  # elasticities of effective cost to scale and to selection, (s, 1)
    chi: Array
    blocs: NDArray[np.int64]
    product_tax: Array
    stock: Stock | None


def require_closure(closure: str) -> None:
    """Raise ScenarioError for a rule for deficits that the equations do not have."""
    if closure not in CLOSURES:
        raise ScenarioError(
            f"there is no closure {closure!r} in the equations; {', '.join(CLOSURES)} were expected "
            "(`zero` and `balanced_first` are `none`, from the economy as it is or balanced)."
        )


def prepare(e: Economy, shock: TradeShock, deficit: Array, closure: Closure) -> Problem:
    """Check that an equilibrium can exist and set the constants of its map.

    Raises InfeasibleError naming the buyers left without any supplier and the
    economies whose deficits or surpluses no trade could carry.
    """
    require_closure(closure)
    n, m = len(e.regions), e.X.shape[1]
    for name in ("t", "x", "tau", "embargo"):
        if getattr(shock, name).shape[2] not in (n, m):
            raise ScenarioError(
                f"the shock's {name} tells users apart that this sourcing does not "
                f"({', '.join(e.users[:3])}{', ...' if len(e.users) > 3 else ''})."
            )
    active = e.X > 0
    K, scale = _kernel(e, shock)
    _require_suppliers(e, K, active, shock)
    # Home and foreign sales are kept apart: the trade of a nearly closed economy must not be
    # the small difference of two large numbers.
    home = at_home(K)
    set_at_home(K, 0)
    trade = np.asarray(K.any(0).reshape(n, -1, n).any(1))
    blocs = trading_blocs(trade)
    _require_financeable(e, trade, deficit)
    _require_settled(e, blocs, deficit)
    border = _divided(e, K, shock.t)
    made = _divided(e, border, shock.x)
    sells = np.asarray(K.any(2)) | e.over_users(home > 0).astype(bool)
    psi, chi = e.variant.by_cost(e.theta)
    export_tax = None
    if shock.x.any():
        export_tax = made.copy()
        wide = e.wide(export_tax)
        wide *= e.wide(shock.x)
    return Problem(
        e=e,
        deficit=deficit,
        closure=closure,
        K=K,
        home=home,
        uses=e.uses,
        scale=scale,
        border=border,
        made=made,
        export_tax=export_tax,
        logA=np.log(shock.A),
        labour=shock.L * e.V,
        active=active,
        sells=sells,
        sales=e.sold,
        psi=psi,
        chi=chi,
        blocs=blocs,
        product_tax=e.product_tax,
        stock=Stock.of(e.inventories) if e.draws_stock else None,
    )


def _kernel(e: Economy, shock: TradeShock) -> tuple[Array, Array]:
    """`pi kappa^-theta` (s, n, m), divided by the exponential of the second, (s, m)."""
    K = e.pi.copy()
    scale = np.zeros(e.X.shape)
    tau, t1, t0, x1, x0 = same_width(shock.tau, shock.t, e.t, shock.x, e.x)
    change = tau != 1
    for new, old in ((t1, t0), (x1, x0)):
        if new is not old:
            change |= new != old
    moved = np.nonzero(change)
    if moved[0].size:
        log_k = -e.theta[moved[0]] * np.log(shock.kappa(e, moved))
        if np.abs(log_k).max() > 200:
            few = np.zeros(change.shape)
            few[moved] = log_k
            whole = np.broadcast_to(e.wide(few), e.wide(K).shape).reshape(K.shape)
            top = np.where(e.pi > 0, whole, -np.inf).max(1)
            scale = np.where(np.isfinite(top), top, 0.0)
            K *= np.exp(np.minimum(whole - scale[:, None, :], 700.0))
        else:
            _times(e, K, change.shape, moved, np.exp(log_k))
    if shock.embargo.any():
        wide = e.wide(K)
        wide *= e.wide(~shock.embargo)
    return K, scale


def _times(
    e: Economy, flows: Array, shape: tuple[int, ...], at: tuple[NDArray[np.intp], ...], by: Array
) -> None:
    """Multiply flows (s, n, m), in place, by numbers at places of a (s, n, n or m) array."""
    if shape == flows.shape:
        flows[at] *= by
    elif at[0].size * 8 < np.prod(shape):
        e.wide(flows)[at[0], at[1], :, at[2]] *= by[:, None]
    else:
        whole = np.ones(shape)
        whole[at] = by
        wide = e.wide(flows)
        wide *= e.wide(whole)


def _divided(e: Economy, flows: Array, rate: Array) -> Array:
    """Flows over one plus a rate; the same array where there is no rate at all."""
    taxed = np.nonzero(rate != 0)  # on floats themselves it is ten times slower
    if not taxed[0].size:
        return flows
    out = flows.copy()
    _times(e, out, rate.shape, taxed, 1 / (1 + rate[taxed]))
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


def trading_blocs(trade: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A number per region: regions that can trade, directly or through others, share it."""
    return np.argmax(_reach(trade | trade.T), axis=1).astype(np.int64)


def _require_financeable(e: Economy, trade: NDArray[np.bool_], deficit: Array) -> None:
    """Net payments must be possible: a region group that cannot export needs a deficit."""
    reach = _reach(trade)
    groups = np.argmax(reach & reach.T, axis=1)
    size = e.over_users(e.X).sum(0)
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
    size = e.over_users(e.X).sum(0)
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
    return replace(p, K=K, border=border, made=made, export_tax=tax)
