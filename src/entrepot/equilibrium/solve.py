"""One joint fixed point in (wages, prices, expenditure), accelerated.

The map is stated once, in `residual`. Everything in it is a matrix-vector
product with a constant array: with a = c^-theta and K = pi kappa^-theta,

    P^-theta_rd = sum_o K_rod a_ro,     N_rod = K_rod a_ro X_rd P^theta_rd / ((1+t)(1+x)),

so a step costs no powers over (sector, origin, destination). The step taken
from the residual uses each economy's own input-output loop and the base's
gravity response of trade balances to wages; Anderson mixing does the rest.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import InfeasibleError, NotConvergedError
from entrepot.core.labels import some
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.shock import TradeShock, fraction

Array = NDArray[np.float64]
Flows = NDArray[np.floating[Any]]  # double precision, or single in the first steps
Closure = Literal["world_share", "proportional", "none"]

WAGE_STEP = 0.3  # the largest log wage change of one step
TINY = 1e-250  # below this a price sum is taken again in logs
COARSE = 1e-5  # the miss up to which single precision is used,
COARSE_FROM = 50_000  # on problems of at least this many flows


class Outcome(enum.Enum):
    """How a solve ended, in the user's words."""

    CONVERGED = "converged"
    MAX_STEPS = "stopped at max_steps before every equation held"
    NOT_FINITE = "left the positive numbers"


@dataclass(frozen=True, eq=False)
class Solution:
    """Hats of wages (n,) and prices (s, n), new expenditure X (s, n) and shares pi (s, n, n).

    `residual` is the largest miss of any equation (trade balances relative to
    each economy's own trade, prices and expenditures relative to themselves).
    """

    w: Array
    P: Array
    X: Array
    pi: Array
    deficits: Array
    outcome: Outcome
    residual: float
    steps: int
    route: str


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
    moved = np.flatnonzero((shock.tau != 1) | (shock.t != e.t) | (shock.x != e.x))
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
    for group in np.unique(groups):
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


def _into(a: Array, flows: Flows) -> Array:
    """Sum over origins: (s, o), (s, o, d) -> (s, d)."""
    product = np.matmul(a[:, None, :].astype(flows.dtype, copy=False), flows)[:, 0, :]
    return product.astype(np.float64, copy=False)


def _out_of(flows: Flows, q: Array) -> Array:
    """Sum over destinations: (s, o, d), (s, d) -> (s, o)."""
    product = np.matmul(flows, q[:, :, None].astype(flows.dtype, copy=False))[:, :, 0]
    return product.astype(np.float64, copy=False)


def _loop(inputs: Flows, values: Array) -> Array:
    """Within each economy: (n, s, s), (s, n) -> (s, n)."""
    columns = values.T[:, :, None].astype(inputs.dtype, copy=False)
    return np.matmul(inputs, columns)[:, :, 0].T.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Residual:
    """Misses of the three blocks of equations at a point, and the new wages' size."""

    balance: Array  # log of receipts over payments, (n,)
    price: Array  # log P implied less log P, (s, n)
    spending: Array  # X implied less X, relative, (s, n)
    finite: bool

    @property
    def size(self) -> float:
        """The largest miss."""
        if not self.finite:
            return np.inf
        return float(
            max(np.abs(self.balance).max(), np.abs(self.price).max(), np.abs(self.spending).max())
        )


def unit_costs(e: Economy, log_w: Array, log_p: Array, log_a: Array) -> Array:
    """Log c-hat (s, n): Cobb-Douglas over labour and duty-paid, tax-paid inputs."""
    return e.va * log_w + _loop(e.pays, log_p) - log_a


def deficits(p: Problem, value_added: Array) -> Array:
    """New deficits (n,) under the closure, summing to zero (DESIGN: section 4)."""
    if p.closure == "none":
        return np.zeros_like(p.deficit)
    world = value_added.sum()
    if p.closure == "world_share":
        return p.deficit * (world / p.e.V.sum())
    own = p.deficit * value_added / p.e.V
    return own - value_added / world * own.sum()


def numeraire(p: Problem, log_w: Array) -> Array:
    """Wages scaled so that each trading bloc keeps its share of world value added.

    With one bloc, this is: world value added stays at its base. An economy cut
    off from all others has no exchange rate; its value added is kept at the
    base's by convention, and only ratios within it have meaning.
    """
    shift = np.zeros_like(log_w)
    value = np.exp(log_w) * p.labour
    for bloc in np.unique(p.blocs):
        inside = p.blocs == bloc
        shift[inside] = np.log(value[inside].sum() / p.e.V[inside].sum())
    return log_w - shift


def residual(
    p: Problem, log_w: Array, log_p: Array, X: Array, step: Array | None
) -> tuple[Residual, Array]:
    """Misses at a point; `step` maps balance misses to a wage step (n, n) or (n,).

    Returns the residual and the wage step, numeraire imposed.
    """
    e, theta = p.e, p.e.theta[:, None]
    log_c = e.va * log_w + _loop(p.pays, log_p) - p.logA
    low = log_c.min(1, keepdims=True)
    a = np.exp(-theta * (log_c - low))
    foreign = _into(a, p.K)
    phi = foreign + a * p.home
    with np.errstate(all="ignore"):
        new_p = -(np.log(phi) + p.scale) / theta + low
        q = X / phi
    weak = np.flatnonzero((p.active & ~(phi > TINY)).any(1))
    q[~p.active] = 0
    new_p[~p.active] = 0
    imported = q * (foreign if p.border is p.K else _into(a, p.border))
    exported = a * _out_of(p.made, q)
    home = a * q * p.home
    tax = np.zeros_like(exported)
    if p.export_tax is not None:
        tax = a * _out_of(p.export_tax, q)
    for r in weak:  # shares beyond the range of plain numbers
        new_p[r], imported[r], exported[r], home[r], tax[r] = _in_logs(p, int(r), log_c[r], X[r])

    cost = np.exp(log_c)
    Y = exported + home
    imports = imported.sum(0)
    exports = (exported + tax).sum(0)
    receipts, payments = exports, imports
    stock_income: Array | float = 0.0
    sold = Y
    if p.stock is not None:
        taken = p.stock.by_buyer @ cost.ravel()
        home_taken = (p.stock.home * cost).sum(0)
        receipts = receipts - (taken - home_taken)
        payments = payments - (p.stock.by_seller * cost).sum(0) + home_taken
        sold = Y + p.stock.by_seller * cost
        stock_income = -taken
    value = np.exp(log_w) * p.labour
    D = deficits(p, value)
    receipts, payments = receipts + np.maximum(D, 0), payments + np.maximum(-D, 0)
    with np.errstate(all="ignore"):
        balance = np.where(
            (receipts > 0) | (payments > 0), np.log(receipts) - np.log(payments), 0.0
        )
    wage_step = np.zeros_like(balance)
    if step is not None:
        wage_step = step @ balance if step.ndim == 2 else step * balance
        # A change common to everybody is the numeraire's business.
        wage_step = np.clip(wage_step, -WAGE_STEP, WAGE_STEP)
    new_w = numeraire(p, log_w + wage_step)
    value = np.exp(new_w) * p.labour
    income = (
        value
        + (X - imported - home).sum(0)
        + tax.sum(0)
        + (p.product_tax * sold).sum(0)
        + stock_income
        + D
    )
    spent = _loop(p.uses, sold) + e.alpha * income
    with np.errstate(all="ignore"):
        spending = np.where(p.active, spent / X - 1, 0.0)
    price = new_p - log_p
    finite = bool(
        np.isfinite(balance).all() and np.isfinite(price).all() and np.isfinite(spending).all()
    )
    return Residual(balance, price, spending, finite), new_w - log_w


def _in_logs(
    p: Problem, r: int, log_c: Array, X: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Prices, imports, exports, home sales and export taxes of one sector by log-sum-exp."""
    kernel = p.K[r].astype(np.float64)
    np.fill_diagonal(kernel, p.home[r])
    with np.errstate(all="ignore"):
        logs = np.log(kernel) - p.e.theta[r] * log_c[:, None]
        top = logs.max(0)
        top = np.where(np.isfinite(top), top, 0.0)
        shares = np.exp(logs - top)
        total = shares.sum(0)
        log_p = np.where(total > 0, -(np.log(total) + top + p.scale[r]) / p.e.theta[r], 0.0)
        spent = np.where(total > 0, shares / total, 0.0) * X

        def part(of: Flows) -> Array:
            return np.where(p.K[r] > 0, spent * (of[r] / p.K[r]), 0.0)

        home = np.diag(spent).copy()
        imported, exported = part(p.border), part(p.made)
        tax = part(p.export_tax) if p.export_tax is not None else np.zeros_like(spent)
    return log_p, imported.sum(0), exported.sum(1), home, tax.sum(1)


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """The base's linear response, used to turn misses into steps.

    `wages` (n, n): minus the inverse of the gravity Jacobian of log trade
    balances; `prices`, `spending` (n, s, s): inverses of each economy's own
    loop through its input-output table.
    """

    wages: Array
    prices: Flows
    spending: Flows
    own_cost: Array


def precondition(e: Economy, pi: Array, X: Array) -> Preconditioner:
    """Linear responses at expenditure shares `pi` (s, n, n) and expenditure `X` (s, n).

    Wages move delivered prices one for one here (the direct gravity response);
    the input loops are exact within each economy and ignored across borders.
    """
    s = len(X)
    flows = pi * X[:, None, :]
    np.einsum("rdd->rd", flows)[...] = 0
    exports = np.maximum(flows.sum((0, 2)), 1e-300)
    imports = np.maximum(flows.sum((0, 1)), 1e-300)
    elastic = flows * e.theta[:, None, None]
    across = np.matmul(elastic, pi.transpose(0, 2, 1)).sum(0)
    jac = (across + flows.sum(0)) / exports[:, None] - np.diag(elastic.sum((0, 2)) / exports)
    toward = (pi * elastic.sum(1)[:, None, :]).sum(0).T
    jac -= (toward - elastic.sum(0).T) / imports[:, None] + np.diag(
        (flows.sum((0, 1)) > 0).astype(float)
    )
    home = np.einsum("rdd->rd", pi).T
    eye = np.eye(s)
    return Preconditioner(
        wages=-np.linalg.pinv(jac, rcond=1e-10),
        # Single precision is enough to choose a step by, and half the memory to read.
        prices=np.linalg.inv(eye - home[:, :, None] * e.pays).astype(np.float32),
        spending=np.linalg.inv(eye - e.uses * home[:, None, :]).astype(np.float32),
        own_cost=np.ascontiguousarray((home * e.va.T).T),
    )


class History:
    """Anderson mixing: the last few moves and turns of a fixed-point iteration.

    Walker & Ni (2011), type II; near-singular histories are regularised, and
    wild combinations refused.
    """

    def __init__(self, memory: int, size: int) -> None:
        self.moves = np.zeros((memory, size))
        self.turns = np.zeros((memory, size))
        self.gram = np.zeros((memory, memory))
        self.count = 0
        self.last: tuple[Array, Array] | None = None

    def mix(self, u: Array, r: Array) -> Array:
        """The next point from this point and its step."""
        memory = len(self.moves)
        if self.last is not None:
            k = self.count % memory
            np.subtract(u, self.last[0], out=self.moves[k])
            np.subtract(r, self.last[1], out=self.turns[k])
            self.count += 1
            held = min(self.count, memory)
            self.gram[k, :held] = self.gram[:held, k] = self.turns[:held] @ self.turns[k]
        self.last = (u, r)
        held = min(self.count, memory)
        if held == 0:
            return u + r
        gram = self.gram[:held, :held]
        gram = gram + 1e-14 * np.trace(gram) * np.eye(held)
        weights = np.linalg.lstsq(gram, self.turns[:held] @ r, rcond=None)[0]
        if not np.isfinite(weights).all() or np.abs(weights).max() > 1e4:
            return u + r
        return u + r - weights @ self.moves[:held] - weights @ self.turns[:held]


@dataclass(frozen=True, eq=False)
class Point:
    """A point of the iteration: log wages, log prices, expenditure."""

    log_w: Array
    log_p: Array
    X: Array


def start(e: Economy) -> Point:
    """The base itself: all hats one."""
    s, n = e.X.shape
    return Point(np.zeros(n), np.zeros((s, n)), e.X.copy())


def iterate(
    p: Problem,
    begin: Point,
    tol: float,
    max_steps: int,
    pre: Preconditioner | None,
    memory: int = 8,
) -> tuple[Point, float, int, Outcome]:
    """Anderson-accelerated fixed point from a point; the best point seen is returned.

    With a preconditioner, its steps; without, the plain map with a wage step
    of balance / (1 + export- plus import-weighted elasticity), which is slower
    and harder to upset.
    """
    e = p.e
    s, n = e.X.shape
    active = p.active
    step = pre.wages if pre is not None else _plain_wage_step(e)
    safe_x = np.where(active, begin.X, 1.0)
    u = np.concatenate([begin.log_w, begin.log_p.ravel(), np.log(safe_x).ravel()])
    history = History(memory, u.size)
    best, best_size, since_best = begin, np.inf, 0
    outcome = Outcome.MAX_STEPS
    used = 0
    for step_number in range(1, max_steps + 1):
        used = step_number
        log_w, log_p = u[:n], u[n : n + s * n].reshape(s, n)
        X = np.where(active, np.exp(u[n + s * n :].reshape(s, n)), 0.0)
        miss, wage_step = residual(p, log_w, log_p, X, step)
        size = miss.size
        if size < best_size:
            best, best_size, since_best = Point(log_w, log_p, X), size, 0
        else:
            since_best += 1
        if size <= tol:
            outcome = Outcome.CONVERGED
            break
        if not miss.finite or since_best > 40 or size > 1e6 * best_size:
            if best_size == np.inf or since_best > 40:
                outcome = Outcome.NOT_FINITE if best_size == np.inf else Outcome.MAX_STEPS
                break
            u = np.concatenate(
                [best.log_w, best.log_p.ravel(), np.log(np.where(active, best.X, 1.0)).ravel()]
            )
            memory = max(2, memory // 2)
            history = History(memory, u.size)
            since_best += 10
            continue
        price, spending = miss.price, miss.spending
        if pre is not None:
            price = _loop(pre.prices, price + pre.own_cost * wage_step)
            money = _loop(pre.spending, spending * X)
            spending = np.where(active, money / np.where(active, X, 1.0), 0.0)
        bent = np.log1p(np.clip(spending, -0.8, 4.0))
        r = np.concatenate([wage_step, np.clip(price, -3, 3).ravel(), bent.ravel()])
        u = history.mix(u, r)
    return best, best_size, used, outcome


def _plain_wage_step(e: Economy) -> Array:
    flows = e.pi * e.X[:, None, :]
    np.einsum("rdd->rd", flows)[...] = 0
    out, into = flows.sum(2), flows.sum(1)
    weigh = e.theta[:, None]
    steep = (out * weigh).sum(0) / np.maximum(out.sum(0), 1e-300)
    steep += (into * weigh).sum(0) / np.maximum(into.sum(0), 1e-300)
    return np.asarray(1 / (1 + steep))


def solve(
    e: Economy,
    shock: TradeShock,
    *,
    closure: Closure = "world_share",
    deficit: Array | None = None,
    begin: Point | None = None,
    pre: Preconditioner | None = None,
    tol: float = 1e-9,
    max_steps: int = 400,
) -> Solution:
    """The equilibrium after a shock.

    Parameters
    ----------
    closure : what becomes of deficits (`deficits`); `none` sets them to zero.
    deficit : base deficits, the economy's own when None.
    begin : where to start, the base when None.
    pre : linear response at the base, made when None; pass it to solve many
        shocks of one economy.
    tol : largest admitted miss of any equation, relative.

    Three routes are tried in turn: preconditioned steps (renewed once at the
    point reached), the plain map, and continuation along the shock. Raises
    InfeasibleError, or NotConvergedError naming the worst equation.

    """
    D = e.D if deficit is None else deficit
    p = prepare(e, shock, np.zeros_like(D) if closure == "none" else D, closure)
    point = start(e) if begin is None else begin
    base_pre = precondition(e, e.pi, e.X) if pre is None else pre
    route, total = "preconditioned", 0
    if e.pi.size > COARSE_FROM and tol < COARSE:
        coarse, size, used, outcome = iterate(lowered(p), point, COARSE, 40, base_pre)
        total += used
        if outcome is Outcome.CONVERGED:
            point = coarse
    best, size, used, outcome = iterate(p, point, tol, min(100, max_steps), base_pre)
    total += used
    if outcome is not Outcome.CONVERGED:
        route = "plain"
        origin = best if size < 1 else point
        best, size, used, outcome = iterate(p, origin, tol, max_steps, None, memory=6)
        total += used
    if outcome is not Outcome.CONVERGED:
        route = "renewed"
        renewed = precondition(e, shares(p, best), best.X)
        best, size, used, outcome = iterate(p, best, tol, max_steps, renewed)
        total += used
    if outcome is not Outcome.CONVERGED:
        route = "continuation"
        best, size, used, outcome = _continue(e, shock, p, point, tol, max_steps)
        total += used
    if outcome is not Outcome.CONVERGED:
        raise NotConvergedError(
            f"No certified solution: the solver {outcome.value} after {total} steps; the worst "
            f"miss is {size:.1e} at {_worst(p, best)} (tolerance {tol:.0e}). Make the shock "
            "smaller, or look for an economy or sector that it cuts off."
        )
    w = np.exp(best.log_w)
    return Solution(
        w=w,
        P=np.exp(best.log_p),
        X=best.X,
        pi=shares(p, best),
        deficits=deficits(p, w * p.labour),
        outcome=outcome,
        residual=size,
        steps=total,
        route=route,
    )


def shares(p: Problem, point: Point) -> Array:
    """Expenditure shares (s, n, n) at a point."""
    log_c = unit_costs(p.e, point.log_w, point.log_p, p.logA)
    cost = -p.e.theta[:, None] * log_c
    price = p.e.theta[:, None] * point.log_p + p.scale
    if max(np.abs(cost).max(), np.abs(price).max()) < 300:
        pi = p.K * np.exp(cost)[:, :, None] * np.exp(price)[:, None, :]
        home = p.home * np.exp(cost) * np.exp(price)
    else:
        with np.errstate(divide="ignore"):
            pi = np.exp(np.log(p.K) + cost[:, :, None] + price[:, None, :])
            home = np.exp(np.log(p.home) + cost + price)
    np.einsum("rdd->rd", pi)[...] = home
    return np.asarray(pi)


def _continue(
    e: Economy, shock: TradeShock, whole: Problem, begin: Point, tol: float, max_steps: int
) -> tuple[Point, float, int, Outcome]:
    """Follow the equilibrium along growing shares of the shock."""
    point, done, stride, total = begin, 0.0, 0.25, 0
    size, outcome = np.inf, Outcome.MAX_STEPS
    while done < 1 and stride > 1e-3:
        share = min(1.0, done + stride)
        p = (
            whole
            if share == 1.0
            else prepare(e, fraction(e, shock, share), whole.deficit, whole.closure)
        )
        pre = precondition(e, shares(p, point), point.X)
        here, size, used, outcome = iterate(p, point, tol, max_steps, pre)
        total += used
        if outcome is not Outcome.CONVERGED:
            here, size, used, outcome = iterate(p, point, tol, max_steps, None, memory=6)
            total += used
        if outcome is Outcome.CONVERGED:
            point, done, stride = here, share, stride * 1.5
        else:
            stride /= 2
    return point, size, total, outcome if done == 1 else Outcome.MAX_STEPS


def _worst(p: Problem, point: Point) -> str:
    miss, _ = residual(p, point.log_w, point.log_p, point.X, None)
    blocks = {"price": miss.price, "expenditure": miss.spending}
    name = max(blocks, key=lambda k: float(np.abs(np.nan_to_num(blocks[k])).max()))
    worst = np.abs(np.nan_to_num(blocks[name]))
    balance = np.abs(np.nan_to_num(miss.balance))
    if balance.max() >= worst.max():
        return f"the trade balance of {p.e.regions[int(balance.argmax())]}"
    r, d = np.unravel_index(int(worst.argmax()), worst.shape)
    return f"the {name} of {p.e.sectors[int(r)]} in {p.e.regions[int(d)]}"
