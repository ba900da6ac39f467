"""The equations' derivative at an equilibrium, forwards (`push`) and backwards (`pull`).

Forwards, changes of the unknowns and of everything given are carried through
the equations to the change of every variable and of every miss. Backwards, a
weight on each of these is carried to a weight on each unknown and on each
thing given. Both are exact and pass over the shares a few times only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import ScenarioError
from entrepot.equilibrium.economy import Economy, at_home, on_markets
from entrepot.equilibrium.equations import Point, into, out_of
from entrepot.equilibrium.nests import inner, input_prices, within
from entrepot.equilibrium.outcome import State
from entrepot.equilibrium.problem import Closure, Flows, require_closure, trading_blocs
from entrepot.equilibrium.shock import TradeShock, same_width

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Given:
    """Changes of everything given, in logs unless said, or weights on them; None is no change.

    `t`, `x` of one plus the tariff and export tax, `tau` of the iceberg cost, each
    (s, n, n) or (s, n, m); `A` (s, n) productivity, `L` (n,) labour, `D` (n,)
    base deficits in million USD, `theta` (s,) the elasticities themselves.
    """

    t: Array | None = None
    x: Array | None = None
    tau: Array | None = None
    A: Array | None = None
    L: Array | None = None
    D: Array | None = None
    theta: Array | None = None


@dataclass(frozen=True, eq=False)
class Moves:
    """Changes of the variables, or weights on them; None is none.

    In logs `w`, `I`, `P_final` (n,), `c`, `seen` (the effective cost), (s, n), and
    `P` (s, m); in million USD `X` (s, m), `Y` (s, n), `sales` and `border` (s, n,
    n), `inputs` (s, s, n), and `D`, `tariff_revenue`, `revenue` (from all taxes), (n,).
    `duty` and `export_duty` (s, n, n) are rates times the changes of border values and sales.
    """

    w: Array | None = None
    I: Array | None = None  # noqa: E741
    P_final: Array | None = None
    c: Array | None = None
    seen: Array | None = None
    P: Array | None = None
    X: Array | None = None
    Y: Array | None = None
    sales: Array | None = None
    border: Array | None = None
    inputs: Array | None = None
    D: Array | None = None
    tariff_revenue: Array | None = None
    revenue: Array | None = None
    duty: Array | None = None
    export_duty: Array | None = None


@dataclass(frozen=True, eq=False)
class Tangent:
    """What `push` and `pull` need of one equilibrium."""

    e: Economy
    shock: TradeShock
    at: State
    closure: Closure
    deficit: Array  # base deficits (n,)
    blocs: NDArray[np.int64]
    psi: Array  # elasticities of effective cost to scale and selection, (s, 1)
    chi: Array
    made: Flows  # pi / ((1 + t)(1 + x)), (s, n, m)
    border: Flows  # pi / (1 + t)
    taxed: bool  # whether there are export taxes
    S: Array  # market sales (s, n)
    stock: Array  # f c (s, n, n)
    receipts: Array  # (n,)
    payments: Array
    within: Array  # shares of inputs in their bundle (s, s, n)
    bundle: Array  # the bundle's share of cost (s, n)
    among: Array  # shares of sectors in final bundles (s, f, n)
    pays: Array  # cost shares of inputs [region, using sector, input]
    uses: Array  # input values per unit of output [region, input, using sector]
    delivered: Array  # the part of spending that arrives at the border, (s, m)
    at_home: Array  # and the part that is sold at home


def require_shapes(tan: Tangent, of: Given | Moves) -> None:
    """Raise ScenarioError where an array does not fit the economy, or is not finite."""
    s, n, m = tan.at.pi.shape
    cells: list[tuple[int, ...]] = [(n,), (s, n), (s, m), (s, n, n), (s, n, m), (s, s, n), (s,)]
    one, two, market, flows, _, inputs, sectors = ([cell] for cell in cells)
    fits = dict.fromkeys(("w", "I", "P_final", "L", "D", "tariff_revenue", "revenue"), one)
    fits |= dict.fromkeys(("c", "seen", "Y", "A"), two) | dict.fromkeys(("P", "X"), market)
    fits |= dict.fromkeys(("sales", "border", "duty", "export_duty"), flows)
    fits |= dict.fromkeys(("t", "x", "tau"), cells[3:5])
    fits |= {"inputs": inputs, "theta": sectors}
    for field in fields(of):
        value = getattr(of, field.name)
        if value is None:
            continue
        shape = np.shape(value)
        if shape not in fits[field.name]:
            wanted = " or ".join(map(str, fits[field.name]))
            raise ScenarioError(f"{field.name} has shape {shape}; {wanted} was expected.")
        if not np.isfinite(value).all():
            raise ScenarioError(f"{field.name} holds values that are not finite.")


def tangent(
    e: Economy, shock: TradeShock, at: State, closure: Closure, deficit: Array | None = None
) -> Tangent:
    """The derivative of the equations of `e` under a shock, at its solved state."""
    require_closure(closure)
    n = len(e.regions)
    border = at.pi
    if shock.t.any():
        border = (e.wide(at.pi) / (1 + e.wide(shock.t))).reshape(at.pi.shape)
    made = border
    if shock.x.any():
        made = (e.wide(border) / (1 + e.wide(shock.x))).reshape(at.pi.shape)
    stock = e.inventories * at.c[:, :, None]
    # Sales out of stock stand on the other side of the balance: see `residual`.
    market, fixed = at.border.copy(), stock.copy()
    for flows in (market, fixed):
        np.einsum("rdd->rd", flows)[...] = 0
    receipts = market.sum((0, 2)) - fixed.sum((0, 1)) + np.maximum(at.D, 0)
    payments = market.sum((0, 1)) - fixed.sum((0, 2)) + np.maximum(-at.D, 0)
    psi, chi = e.variant.by_cost(e.theta)
    paid = (1 + e.omega) * at.g
    bundle = paid.sum(0)
    share = paid * _inverse(bundle)
    final = e.by_bundle(at.alpha)
    trade = at.pi.any(0).reshape(n, -1, n).any(1)
    return Tangent(
        e=e,
        shock=shock,
        at=at,
        closure=closure,
        deficit=e.D if deficit is None else deficit,
        blocs=trading_blocs(trade & ~np.eye(n, dtype=bool)),
        psi=psi,
        chi=chi,
        made=made,
        border=border,
        taxed=made is not border,
        S=at.N.sum(2),
        stock=stock,
        receipts=receipts,
        payments=payments,
        within=share,
        bundle=bundle,
        among=final * _inverse(final.sum(0)),
        pays=np.ascontiguousarray(paid.transpose(2, 1, 0)),
        uses=np.ascontiguousarray(at.g.transpose(2, 0, 1)),
        delivered=border.sum(1),
        at_home=at_home(border),
    )


def lowered(tan: Tangent) -> Tangent:
    """The same with its large arrays in single precision, for the inner steps of a linear solve."""
    pi: Any = tan.at.pi.astype(np.float32)
    border = pi if tan.border is tan.at.pi else tan.border.astype(np.float32)
    made = border if tan.made is tan.border else tan.made.astype(np.float32)
    return replace(tan, at=replace(tan.at, pi=pi), border=border, made=made)


def _inverse(values: Array) -> Array:
    return np.divide(1.0, values, out=np.zeros_like(values), where=values != 0)


def _back(e: Economy, tan: Tangent, cost: Array) -> Array:
    """Weights on costs (s, n) carried to inputs' prices, (s, n) where inputs are shared."""
    if e.shared_inputs:
        return within(tan.pays.transpose(0, 2, 1), cost)
    return tan.within * (tan.bundle * cost)


def push(
    tan: Tangent, v: Point, given: Given | None = None, *, flows: bool = True
) -> tuple[Moves, Array]:
    """Changes of all variables, and of the misses (laid out as `Point.flat`), forwards.

    Without `flows` the changes of `sales` and `border` are left out, and only one
    pass each is made over the shares; `given` must then be None.
    """
    e, at, z0 = tan.e, tan.at, np.zeros
    s, n = e.va.shape
    theta = e.theta[:, None]
    given = given or Given()
    L = z0(n) if given.L is None else given.L
    A = z0((s, n)) if given.A is None else given.A
    dV = v.w + L

    seen = (1 + tan.psi + tan.chi) * v.c - tan.psi * v.S
    if given.theta is not None:
        seen = seen + (tan.psi / theta * _log_varieties(tan)) * given.theta[:, None]
    dP = into(seen, at.pi)
    kappa = _kappa(tan, given)
    if kappa is not None:
        dP = dP + (e.wide(at.pi) * e.wide(kappa)).sum(1).reshape(s, -1)
    if given.theta is not None:
        off, mean = _log_delivered(tan)
        dP = dP + mean * (given.theta / e.theta)[:, None]
    dP[e.X <= 0] = 0
    dY = tan.S * v.S + tan.stock.sum(2) * v.c
    if e.variant.selects:  # shares between sectors are constant there
        dX = on_markets(e, within(tan.uses, dY), e.by_bundle(at.alpha) * at.I * v.I)
        dP = dP - tan.chi * dX * _inverse(at.X)

    k = e.variant
    p, pf = input_prices(e, dP), e.by_bundle(e.final(dP))
    dF = (tan.among * pf).sum(0)
    if k.is_cobb_douglas:
        cost = at.va * v.w + inner(tan.pays, p)
        inputs = at.g * dY if flows or not e.shared_inputs else None
        final = e.by_bundle(at.alpha) * at.I * v.I
        product = ((e.omega * at.g.sum(0)) * dY).sum(0)
    else:
        dM = (tan.within * p).sum(0)
        cost = at.va * v.w + tan.bundle * dM
        dg = (1 - k.inputs) * (p - dM) + (1 - k.value_added) * (dM - cost)
        inputs = at.g * dY + at.g * at.Y * dg
        final = e.by_bundle(at.alpha) * at.I * (v.I + (1 - k.demand) * (pf - dF))
        product = (e.omega * inputs.sum(0)).sum(0)
    dX = on_markets(e, within(tan.uses, dY) if inputs is None else inputs, final)

    # In each flow dln N = z - theta (seen + kappa) - t - x, and dln B the same without x.
    z = (1 + theta * tan.chi) * dX * _inverse(at.X) + theta * dP
    if flows or kappa is not None or given.theta is not None:
        move = e.wide(z[:, None, :] - (theta * seen)[:, :, None])
        if kappa is not None:
            move = move - theta[:, :, None, None] * e.wide(kappa)
        if given.t is not None:
            move = move - e.wide(given.t)
        if given.theta is not None:
            move = move - e.wide(off) * given.theta[:, None, None, None]
        b_move = e.wide(tan.border * at.X[:, None, :]) * move
        n_move = b_move
        if tan.taxed or given.x is not None:
            move = move if given.x is None else move - e.wide(given.x)
            n_move = e.wide(tan.made * at.X[:, None, :]) * move
        sales, border = n_move.sum(2), b_move.sum(2)
        duty = (e.wide(at.t) * b_move).sum(2)
        export_duty = (e.wide(at.x) * n_move).sum(2)
        sold, at_border = sales.sum(2), border.sum(2)
        arrived = b_move.sum(1).reshape(s, -1)
        d_home = at_home(b_move.reshape(s, n, -1))
    else:
        sales = border = duty = export_duty = None
        sold = out_of(tan.made, at.X * z) - theta * seen * tan.S
        at_border = sold
        if tan.taxed:
            at_border = out_of(tan.border, at.X * z) - theta * seen * out_of(tan.border, at.X)
        arrived = at.X * (tan.delivered * z - theta * into(seen, tan.border))
        d_home = at.X * tan.at_home * (z - theta * e.on_users(seen))
    home_d = e.over_users(d_home).sum(0)
    tariff = e.over_users(dX - arrived).sum(0)
    export = (at_border - sold).sum(0)
    moved_stock = tan.stock * v.c[:, :, None]
    dD = _transfers(tan, dV, z0(n) if given.D is None else given.D)
    income = at.V * dV + tariff + export + product - moved_stock.sum((0, 1)) + dD
    np.einsum("rdd->rd", moved_stock)[...] = 0
    receipts = at_border.sum(0) - home_d - moved_stock.sum((0, 1)) + np.where(at.D > 0, dD, 0)
    payments = e.over_users(arrived).sum(0) - home_d - moved_stock.sum((0, 2))
    payments = payments - np.where(at.D > 0, 0, dD)
    level = _per_bloc(tan, at.V * dV) / _per_bloc(tan, at.V)
    balance = receipts * _inverse(tan.receipts) - payments * _inverse(tan.payments) + level
    misses = np.concatenate(
        [
            balance,
            (cost - A - v.c).ravel(),
            (sold * _inverse(tan.S) - v.S).ravel(),
            income / at.I - v.I,
        ]
    )
    moves = Moves(
        w=v.w,
        I=v.I,
        P_final=(e.budget * dF).sum(0),
        c=v.c,
        seen=seen,
        P=dP,
        X=dX,
        Y=dY,
        sales=sales,
        border=border,
        inputs=inputs,
        D=dD,
        tariff_revenue=tariff,
        revenue=tariff + export + product,
        duty=duty,
        export_duty=export_duty,
    )
    return moves, misses


def pull(
    tan: Tangent,
    misses: Array,
    moves: Moves | None = None,
    *,
    wanted: tuple[str, ...] = (),
) -> tuple[Array, Given]:
    """Weights on the unknowns (laid out as `Point.flat`) and on what is `wanted` of `Given`.

    The transpose of `push`: `misses` and `moves` are weights on what it returns.
    """
    e, at = tan.e, tan.at
    s, n = e.va.shape
    theta = e.theta[:, None]
    row = Point.of(misses, s, n)
    m = moves or Moves()

    def of(value: Array | None, *shape: int) -> Array:
        return np.zeros(shape) if value is None else np.array(value, float)

    w, income = of(m.w, n), of(m.I, n)
    c, seen, Y = of(m.c, s, n), of(m.seen, s, n), of(m.Y, s, n)
    P, X = of(m.P, s, at.X.shape[1]), of(m.X, s, at.X.shape[1])
    D = of(m.D, n)
    revenue = of(m.revenue, n)
    tariff = of(m.tariff_revenue, n) + revenue

    # Balances, the numeraire and incomes.
    received, paid = row.w * _inverse(tan.receipts), -row.w * _inverse(tan.payments)
    lnV = at.V / _per_bloc(tan, at.V) * _per_bloc(tan, row.w)
    earned = row.I / at.I
    income = income - row.I
    lnV = lnV + at.V * earned
    tariff, product = tariff + earned, revenue + earned
    export = revenue + earned
    D = D + earned + np.where(at.D > 0, received, -paid)
    abroad = tan.stock.copy()
    np.einsum("rdd->rd", abroad)[...] = 0
    c = c - tan.stock @ earned - abroad @ received - abroad.sum(2) * paid
    from_D, D_given = _transfers_back(tan, D)
    lnV = lnV + from_D

    # Weights on N dln N: `made_by`; on B dln B: `shipped` and `arrived`, less `home` at home.
    made_by = row.S * _inverse(tan.S) - export
    shipped, arrived = export + received, paid - tariff
    home = received + paid
    S = -row.S
    per_market = e.on_users(arrived)
    here = at.X * tan.at_home * e.on_users(home)
    if tan.taxed:
        z = at.X * (into(made_by, tan.made) + into(np.tile(shipped, (s, 1)), tan.border))
        by_origin = made_by * tan.S + shipped * out_of(tan.border, at.X)
    else:
        z = at.X * into(made_by + shipped, tan.made)
        by_origin = (made_by + shipped) * tan.S
    z = z + at.X * tan.delivered * per_market - here
    by_origin = by_origin + out_of(tan.border, at.X * per_market) - e.over_users(here)
    more_n, more_b = _flow_weights(tan, m)
    for part, share in ((more_n, tan.made), (more_b, tan.border)):
        if part is not None:
            weighed = e.wide(share * at.X[:, None, :]) * part
            z = z + weighed.sum(1).reshape(s, -1)
            by_origin = by_origin + weighed.sum((2, 3))
    seen = seen - theta * by_origin
    X = X + (1 + theta * tan.chi) * z * _inverse(at.X) + e.on_users(tariff)
    P = P + theta * z

    # Spending, shares and costs.
    k = e.variant
    price = np.zeros(n) if m.P_final is None else e.budget * m.P_final
    if k.selects:
        early = P + on_markets(e, _back(e, tan, row.c), tan.among * price)
        X = X - tan.chi * _inverse(at.X) * early
    final = e.by_bundle(at.alpha) * at.I * e.by_bundle(e.final(X))
    income = income + final.sum((0, 1))
    if k.is_cobb_douglas and m.inputs is None and e.shared_inputs:
        Y = Y + within(tan.uses.transpose(0, 2, 1), input_prices(e, X)[:, 0])
        Y = Y + e.omega * at.g.sum(0) * product
        w = w + (at.va * row.c).sum(0)
        on_inputs, on_final = _back(e, tan, row.c), tan.among * price
    else:
        inputs = of(m.inputs, s, s, n) + input_prices(e, X) + e.omega * product
        Y = Y + (at.g * inputs).sum(0)
        g = at.g * at.Y * inputs
        cost = row.c - (1 - k.value_added) * g.sum(0)
        M = (k.inputs - k.value_added) * g.sum(0) + tan.bundle * cost
        w = w + (at.va * cost).sum(0)
        on_inputs = (1 - k.inputs) * g + tan.within * M
        on_final = (1 - k.demand) * final + tan.among * (price - (1 - k.demand) * final.sum(0))
    P = P + on_markets(e, on_inputs, on_final)
    P[e.X <= 0] = 0
    c = c - row.c
    S = S + tan.S * Y
    c = c + tan.stock.sum(2) * Y
    seen = seen + out_of(at.pi, P)
    c = c + (1 + tan.psi + tan.chi) * seen
    S = S - tan.psi * seen
    w = w + lnV
    unknowns = Point(w, c, S, income).flat
    if not wanted:
        return unknowns, Given()

    back: dict[str, Array] = {}
    if {"t", "x", "tau", "theta"} & set(wanted):
        on_n = made_by[:, :, None, None] + (0 if more_n is None else more_n)
        on_b = shipped[:, None, None] + arrived - np.diag(home)[:, None, :]
        on_b = on_b + (0 if more_b is None else more_b)
        n_weight = e.wide(tan.made * at.X[:, None, :]) * on_n
        both = n_weight + e.wide(tan.border * at.X[:, None, :]) * on_b
        delivered = e.wide(at.pi * P[:, None, :]) - theta[:, :, None, None] * both
        if "tau" in wanted:
            back["tau"] = delivered
        duties = delivered * (1 + tan.chi[:, :, None, None]) if k.selects else delivered
        for key, less in (("t", both), ("x", n_weight)):
            if key in wanted:
                back[key] = duties - less
    if "A" in wanted:
        back["A"] = -row.c
    if "L" in wanted:
        back["L"] = lnV
    if "D" in wanted:
        back["D"] = D_given
    if "theta" in wanted:
        off, mean = _log_delivered(tan)
        back["theta"] = (
            (P * mean).sum(1) / e.theta
            - (both * e.wide(off)).sum((1, 2, 3))
            + (seen * tan.psi / theta * _log_varieties(tan)).sum(1)
        )
    return unknowns, Given(**back)


def _flow_weights(tan: Tangent, m: Moves) -> tuple[Array | None, Array | None]:
    """Weights of flows on changes of sales and of border values, (s, n, u or 1, n)."""

    def both(plain: Array | None, rated: Array | None, rate: Array) -> Array | None:
        out = None if plain is None else plain[:, :, None, :]
        if rated is None:
            return out
        more = rated[:, :, None, :] * tan.e.wide(rate)
        return more if out is None else out + more

    return both(m.sales, m.export_duty, tan.at.x), both(m.border, m.duty, tan.at.t)


def _per_bloc(tan: Tangent, values: Array) -> Array:
    """Sums over each region's trading bloc (n,)."""
    return np.asarray(np.bincount(tan.blocs, values, len(values))[tan.blocs], float)


def _transfers(tan: Tangent, dV: Array, dD: Array) -> Array:
    """Changes of new deficits (n,) with log value added and base deficits; see `deficits`."""
    V, D = tan.at.V, tan.deficit
    if tan.closure == "none":
        return np.zeros_like(V)
    world, moved = V.sum(), (V * dV).sum()
    if tan.closure == "world_share":
        return (dD * world + D * moved) / tan.e.V.sum()
    hat = V / tan.e.V
    own, d_own = D * hat, (dD + D * dV) * hat
    share = V / world
    return np.asarray(d_own - share * (d_own.sum() + own.sum() * (dV - moved / world)))


def _transfers_back(tan: Tangent, weight: Array) -> tuple[Array, Array]:
    """The transpose of `_transfers`: weights on log value added and on base deficits."""
    V, D = tan.at.V, tan.deficit
    if tan.closure == "none":
        return np.zeros_like(V), np.zeros_like(V)
    world = V.sum()
    if tan.closure == "world_share":
        base = tan.e.V.sum()
        return V * (weight @ D) / base, weight * world / base
    hat, share = V / tan.e.V, V / world
    own = D * hat
    d_own = weight - share @ weight
    on_V = D * hat * d_own - own.sum() * share * (weight - share @ weight)
    return on_V, hat * d_own


def _kappa(tan: Tangent, given: Given) -> Array | None:
    """Log change of the delivered price at given unit cost; None where nothing changes it."""
    power = 1 + tan.chi[:, :, None]
    parts = [a * power for a in (given.t, given.x) if a is not None]
    parts += [given.tau] if given.tau is not None else []
    return np.sum(same_width(*parts), axis=0) if parts else None


def _log_varieties(tan: Tangent) -> Array:
    """Log hat of varieties under scale effects, sales over cost (s, n)."""
    sold = tan.e.sold
    ratio = np.divide(tan.S, sold, out=np.ones_like(sold), where=(sold > 0) & (tan.S > 0))
    return np.asarray(np.log(ratio / tan.at.c))


def _log_delivered(tan: Tangent) -> tuple[Array, Array]:
    """Log delivered cost over price by flow (s, n, m), and its mean over shares (s, m)."""
    e = tan.e
    seen = np.log(tan.at.c) - tan.psi * _log_varieties(tan)
    kappa = np.log(tan.shock.kappa(e))
    off = e.wide(seen[:, :, None] - np.log(tan.at.P)[:, None, :]) + e.wide(kappa)
    off = np.where(e.wide(tan.at.pi) > 0, off, 0.0).reshape(tan.at.pi.shape)
    return off, (tan.at.pi * off).sum(1)
