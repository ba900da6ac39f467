"""One joint fixed point in (wages, costs, sales, incomes), accelerated; five routes to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import NotConvergedError
from entrepot.core.labels import some
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.equations import (
    Point,
    deficits,
    effective,
    markets,
    start,
    written_out,
)
from entrepot.equilibrium.iterate import Outcome, Preconditioner, iterate, precondition
from entrepot.equilibrium.nests import choices
from entrepot.equilibrium.newton import newton
from entrepot.equilibrium.problem import Closure, Problem, lowered, prepare
from entrepot.equilibrium.shock import TradeShock, fraction, no_shock, same_width

Array = NDArray[np.float64]

FIRST = 40  # steps by one linear response before another way is tried
NEAR = 1e-2  # the miss from which a linear response taken anew is worth its cost
LEAST_STRIDE = 2e-4  # of a shock: where continuation gives up
GONE = 0.15  # of an economy's base income: below this, it is what ends an answer
IDLE = 0.01  # of all wages: what must not go unpaid in an answer
ON_THE_WAY = 1e-6  # the miss that is good enough at a part of a shock
COARSE_FROM = 50_000  # flows from which on the first steps are taken in single precision


@dataclass(frozen=True, eq=False)
class Solution:
    """Hats of wages (n,) and costs (s, n), and what follows from them in the solver's own terms.

    `P` (s, m) price hats, `X` (s, m) expenditure, `pi` (s, n, m) shares, `point` all unknowns.
    `residual` is the largest miss of any equation (trade balances relative to
    each economy's own trade, prices and expenditures relative to themselves).
    """

    w: Array
    c: Array
    P: Array
    X: Array
    pi: Array
    deficits: Array
    point: Point
    outcome: Outcome
    residual: float
    steps: int
    route: str


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

    Five routes are tried in turn: steps by the base's linear response; the
    plain map until near and steps by the response there; the plain map to the
    end; Newton steps; continuation along the shock. Raises
    InfeasibleError, or NotConvergedError naming where the answer ends, why, and the remedy.

    """
    D = e.D if deficit is None else deficit
    p = prepare(e, shock, np.zeros_like(D) if closure == "none" else D, closure)
    point = start(e) if begin is None else begin
    base_pre = linear_response(e, e.pi, e.X) if pre is None else pre
    route, total = "preconditioned", 0
    coarse = lowered(p) if e.pi.size >= COARSE_FROM else None
    best, size, used, outcome = iterate(p, point, tol, FIRST, base_pre, coarse=coarse)
    total += used
    if outcome is not Outcome.CONVERGED:
        # Far from the base its response misleads: come near by the plain map, take it anew there.
        route = "renewed"
        origin = best if size < 1 else point
        best, size, used, outcome = iterate(p, origin, NEAR, max_steps, None, memory=6)
        total += used
        if outcome is Outcome.CONVERGED:
            near = linear_response(e, *_where(p, best))
            best, size, used, outcome = iterate(p, best, tol, FIRST, near)
            total += used
    if outcome is not Outcome.CONVERGED:
        route = "plain"
        best, size, used, outcome = iterate(p, best, tol, max_steps, None, memory=6)
        total += used
    if outcome is not Outcome.CONVERGED:
        route = "newton"
        here = best if size < 10 else point
        pre = linear_response(e, *_where(p, here))
        best, size, used, outcome = newton(p, here, tol, max_steps, pre)
        total += used
    if outcome is not Outcome.CONVERGED:
        route = "continuation"
        best, share, size, used, outcome = _continue(e, shock, p, tol, max_steps)
        total += used
        if outcome is not Outcome.CONVERGED:
            _require_positive_output(p, best)
            raise NotConvergedError(_ended(p, shock, best, share, total))
    _require_positive_output(p, best)
    if (idle := _factor_miss(p, best)) > 10 * tol:
        # Wages can be a small part of income: then incomes must hold more exactly.
        target = max(tol * tol / idle, 1e-14)
        finer, at_end, used, _ = newton(
            p, best, target, max_steps, linear_response(e, *_where(p, best))
        )
        total += used
        if at_end < size:
            best, size = finer, at_end
        if (idle := _factor_miss(p, best)) > IDLE:
            raise NotConvergedError(
                f"No certified solution: a wage falls to nothing ({np.exp(best.w.min()):.0e} of the "
                f"base in {e.regions[int(best.w.argmin())]}), because production there can do "
                "without labour or cannot use all of it. Make the shock smaller, or set the "
                "elasticities of substitution nearer to one."
            )
    w = np.exp(best.w)
    log_P, X, pi = written_out(p, best)
    return Solution(
        w=w,
        c=np.exp(best.c),
        P=np.exp(log_P),
        X=X,
        pi=pi,
        deficits=deficits(p, w * p.labour),
        point=best,
        outcome=outcome,
        residual=size,
        steps=total,
        route=route,
    )


def _continue(
    e: Economy, shock: TradeShock, whole: Problem, tol: float, max_steps: int
) -> tuple[Point, float, float, int, Outcome]:
    """Follow the equilibrium from the base: first as deficits change, then along the shock.

    Returns the last point found, the share of the shock it belongs to, and the
    miss, steps and outcome of the last try.
    """
    begin, steps = start(e), 0
    closure: Closure = "world_share" if whole.closure == "none" else whole.closure
    if not np.array_equal(whole.deficit, e.D):

        def settled(share: float) -> Problem:
            return prepare(e, no_shock(e), (1 - share) * e.D + share * whole.deficit, closure)

        begin, share, size, steps, outcome = _follow(e, settled, begin, ON_THE_WAY, max_steps)
        if outcome is not Outcome.CONVERGED:
            return begin, 0.0, size, steps, outcome

    def part(share: float) -> Problem:
        return whole if share == 1 else _partly(e, shock, whole, share)

    point, share, size, used, outcome = _follow(e, part, begin, tol, max_steps)
    return point, share, size, steps + used, outcome


@np.errstate(all="ignore")  # points that are not finite are not taken
def _follow(
    e: Economy, part: Callable[[float], Problem], begin: Point, tol: float, max_steps: int
) -> tuple[Point, float, float, int, Outcome]:
    """Solve part after part of a problem, from a point where none of it is in."""
    s, n = e.va.shape
    before, reached = (0.0, begin), (0.0, begin)
    stride, total = 0.25, 0
    size, outcome = np.inf, Outcome.MAX_STEPS
    while reached[0] < 1 and stride > _least_stride(reached[1]):
        share = min(1.0, reached[0] + stride)
        p = part(share)
        enough = tol if share == 1 else max(tol, ON_THE_WAY)
        guess = reached[1]
        if reached[0] > before[0]:  # straight on
            ahead = (share - reached[0]) / (reached[0] - before[0])
            guess = Point.of(guess.flat + ahead * (guess.flat - before[1].flat), s, n)
        pre = linear_response(e, *_where(p, reached[1]))
        here, size, used, outcome = iterate(p, guess, enough, FIRST, pre)
        total += used
        if outcome is not Outcome.CONVERGED:
            here, size, used, outcome = iterate(p, reached[1], enough, max_steps, None, memory=6)
            total += used
        if outcome is not Outcome.CONVERGED:
            here, size, used, outcome = newton(p, guess, enough, max_steps // 4, pre)
            total += used
        if outcome is Outcome.CONVERGED:
            before, reached, stride = reached, (share, here), stride * 2
        else:
            stride /= 2
    ended = outcome if reached[0] == 1 else Outcome.MAX_STEPS
    return reached[1], reached[0], size, total, ended


def _least_stride(at: Point) -> float:
    """Where following gives up: sooner where an income is already going."""
    return LEAST_STRIDE if np.exp(at.I.min()) > GONE else 10 * LEAST_STRIDE


def _partly(e: Economy, shock: TradeShock, whole: Problem, share: float) -> Problem:
    """The problem after a share of the shock: embargoes close by degrees."""
    part = fraction(e, shock, share)
    if shock.embargo.any():
        tau, closing = same_width(part.tau, np.where(shock.embargo, 1 / (1 - share), 1.0))
        part = replace(part, tau=tau * closing, embargo=np.zeros_like(shock.embargo))
    return prepare(e, part, whole.deficit, whole.closure)


@np.errstate(all="ignore")
def _where(p: Problem, at: Point) -> tuple[Array, Array]:
    """Shares and expenditure at a point."""
    _, X, pi = written_out(p, at)
    return pi, X


def _factor_miss(p: Problem, at: Point) -> float:
    """The largest gap between the wages producers pay and the wages earned, relative."""
    e = p.e
    Y = np.where(p.sells, np.exp(at.S) * p.sales, 0.0)
    if p.stock is not None:
        Y = Y + p.stock.by_seller * np.exp(at.c)
    # Where firms select, prices hold more, but no share moves.
    va = choices(e, at.w, markets(p, effective(p, at.c, at.S)).log_P).va
    return float(np.abs((va * Y).sum(0) / (np.exp(at.w) * p.labour) - 1).max())


def linear_response(e: Economy, pi: Array, X: Array) -> Preconditioner | None:
    """Linear response at a point, or None where numbers have left the range of floats."""
    try:
        with np.errstate(all="ignore"):
            return precondition(e, pi, X)
    except np.linalg.LinAlgError:
        return None


def _ended(p: Problem, shock: TradeShock, at: Point, share: float, steps: int) -> str:
    """Why there is no answer: where it ends on the way from the base."""
    e = p.e
    income, sales = np.exp(at.I), np.where(e.sold > 0, np.exp(at.S), np.inf)
    poorest = f"the income of {e.regions[int(income.argmin())]} is down to {income.min():.2%}"
    least = f"the sales of {e.cells(sales == sales.min())[0]} to {sales.min():.2%} of the base"
    held = [
        (p.deficit.any(), "the trade surplus it is held to", "use `closure: zero`"),
        ((shock.x < 0).any(), "the export subsidies it pays", "lower the subsidies"),
        ((e.omega < 0).any(), "the product subsidies it pays", "count them as value added"),
        (p.stock is not None, "the stocks it buys", "use assumptions: inventories: netted"),
    ]
    causes = [(why, remedy) for there, why, remedy in held if there]
    if income.min() < GONE and causes:
        why, remedy = (" or ".join(parts) for parts in zip(*causes, strict=True))
        what = f"{poorest} of the base and nears zero: {why} would exceed what it earns"
    elif share == 0 and e.variant.has_scale:
        what = "no answer stays near the base: with scale effects entry feeds on itself there"
        remedy = "set `scale` lower"
    elif e.variant.has_scale or e.variant.selects:
        what = f"{poorest} and {least}: with scale effects it may jump from there"
        remedy = "set `scale` lower"
    else:
        what = f"{poorest} and {least}"
        remedy = "look for an economy or sector that the shock cuts off"
    return (
        f"No certified solution after {steps} steps: followed from the base, the answer ends at "
        f"{share:.1%} of the shock (in logs), where {what}. Make the shock smaller, or {remedy}."
    )


def _require_positive_output(p: Problem, at: Point) -> None:
    """Stocks held at base quantities can exceed what is sold at all: no equilibrium then."""
    if p.stock is None:
        return
    drawn = p.stock.by_seller * np.exp(at.c)
    short = (drawn < 0) & (np.exp(at.S) * p.sales + drawn <= 0)
    if short.any():
        raise NotConvergedError(
            f"The output of {some(p.e.cells(short), 4)} would fall below zero: sales out of stock, "
            "held at base quantities, would exceed all it sells. No numbers are returned; use "
            "assumptions: inventories: netted."
        )
