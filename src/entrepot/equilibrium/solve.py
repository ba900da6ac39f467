"""One joint fixed point in (wages, prices, expenditure), accelerated; four routes to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import NotConvergedError
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.equations import Point, deficits, residual, start, written_out
from entrepot.equilibrium.iterate import Outcome, Preconditioner, iterate, precondition
from entrepot.equilibrium.problem import Closure, Problem, lowered, prepare
from entrepot.equilibrium.shock import TradeShock, fraction

Array = NDArray[np.float64]

FIRST = 40  # steps by one linear response before another way is tried
NEAR = 1e-2  # the miss from which a linear response taken anew is worth its cost
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

    Four routes are tried in turn: steps by the base's linear response; the
    plain map until near and steps by the response there; the plain map to the
    end; continuation along the shock. Raises InfeasibleError, or NotConvergedError naming the worst equation.

    """
    D = e.D if deficit is None else deficit
    p = prepare(e, shock, np.zeros_like(D) if closure == "none" else D, closure)
    point = start(e) if begin is None else begin
    base_pre = _response(e, e.pi, e.X) if pre is None else pre
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
            near = _response(e, *_where(p, best))
            best, size, used, outcome = iterate(p, best, tol, FIRST, near)
            total += used
    if outcome is not Outcome.CONVERGED:
        route = "plain"
        best, size, used, outcome = iterate(p, best, tol, max_steps, None, memory=6)
        total += used
    if outcome is not Outcome.CONVERGED:
        route = "continuation"
        best, size, used, outcome = _continue(e, shock, p, point, tol, max_steps)
        total += used
    if outcome is not Outcome.CONVERGED:
        raise NotConvergedError(
            f"No certified solution: the solver {outcome.value} after {total} steps; the worst "
            f"miss is {size:.1e} at {_worst(p, best)} (tolerance {tol:.0e}). Make the shock "
            "smaller, use `closure: zero` where an economy is held to a trade surplus it could no "
            "longer earn, or look for an economy or sector that the shock cuts off."
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
        pre = _response(e, *_where(p, point))
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


def _where(p: Problem, at: Point) -> tuple[Array, Array]:
    """Shares and expenditure at a point."""
    _, X, pi = written_out(p, at)
    return pi, X


def _response(e: Economy, pi: Array, X: Array) -> Preconditioner | None:
    """Linear response at a point, or None where numbers have left the range of floats."""
    try:
        with np.errstate(all="ignore"):
            return precondition(e, pi, X)
    except np.linalg.LinAlgError:
        return None


@np.errstate(all="ignore")
def _worst(p: Problem, point: Point) -> str:
    miss, _ = residual(p, point, None)
    e = p.e
    places = {
        "the trade balance of": (miss.balance, e.regions),
        "the income of": (miss.income, e.regions),
        "the unit cost of": (miss.cost, e.cells(np.ones(e.va.shape, bool))),
        "the sales of": (miss.sales, e.cells(np.ones(e.va.shape, bool))),
    }

    def worst(name: str) -> float:
        return float(np.abs(np.nan_to_num(places[name][0])).max())

    name = max(places, key=worst)
    values, cells = places[name]
    return f"{name} {cells[int(np.abs(np.nan_to_num(values)).argmax())]}"
