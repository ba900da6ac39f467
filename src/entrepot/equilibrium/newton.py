"""Newton's method on the misses themselves, for points where the fixed point will not settle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.equations import Point, Residual, numeraire, residual
from entrepot.equilibrium.iterate import Outcome, Preconditioner
from entrepot.equilibrium.problem import Problem

Array = NDArray[np.float64]

LONGEST = 2.0  # the largest change of a log wage, cost or income in one step
FALL = 20.0  # and of log sales relative to it: they follow costs with the elasticity of trade
SHORTEST = 1e-4  # of the Newton step: below this the line search gives up
NUDGE = 1e-7  # of the differences that give the derivative along a direction


def misses(p: Problem, u: Array) -> tuple[Array, Residual]:
    """Log misses at a point laid out as `Point.flat`, as many as unknowns; and as `residual` has them.

    One trade balance of each trading bloc follows from the others: the
    numeraire is added to all. What a producer without buyers sells is held.
    """
    s, n = p.e.va.shape
    at = Point.of(u, s, n)
    with np.errstate(all="ignore"):
        miss, _ = residual(p, at, None)
        balance = miss.balance + at.w - numeraire(p, at.w)
        sales = np.where(p.sells, np.log1p(miss.sales), -at.S)
        return Point(balance, miss.cost, sales, np.log1p(miss.income)).flat, miss


def newton(
    p: Problem, begin: Point, tol: float, max_steps: int, pre: Preconditioner | None
) -> tuple[Point, float, int, Outcome]:
    """The zero of the misses from a point, the way `iterate` returns it; steps count evaluations.

    Jacobian-free Newton-GMRES (Knoll & Keyes 2004): derivatives along a direction
    are differences of misses, exact enough in logs wherever the point is; steps
    are shortened until the misses shrink.
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    s, n = p.e.va.shape
    u = np.array(begin.flat)
    now, miss = misses(p, u)
    used = 1

    def back(y: Array) -> Array:
        return y if pre is None else -pre.answer(y)

    def longest(v: Array) -> float:
        at = Point.of(v, s, n)
        return max(float(np.abs(part).max()) for part in (at.w, at.c, at.S / FALL, at.I))

    while np.isfinite(now).all():
        if miss.size <= tol:
            return Point.of(u, s, n), miss.size, used, Outcome.CONVERGED
        if used >= max_steps:
            break
        here, at = now, u

        def along(y: Array, here: Array = here, at: Array = at) -> Array:
            nonlocal used
            used += 1
            v = back(y)
            length = longest(v)
            if not 0 < length < np.inf:
                return np.zeros_like(y)
            h = NUDGE / length
            out = (misses(p, at + h * v)[0] - here) / h
            return np.where(np.isfinite(out), out, 0.0)

        operator = LinearOperator((u.size, u.size), matvec=along, dtype=float)
        size = float(np.linalg.norm(here))
        enough = min(0.1, max(size, 1e-6))
        y, _ = gmres(operator, -here, rtol=enough, restart=min(60, u.size), maxiter=2)
        step = back(y)
        if not np.isfinite(step).all():
            break
        share = min(1.0, LONGEST / max(longest(step), LONGEST))
        while share > SHORTEST:
            used += 1
            now, miss = misses(p, at + share * step)
            # Not finite compares as not smaller.
            if float(np.linalg.norm(now)) < (1 - 1e-4 * share) * size:
                break
            share /= 2
        else:
            now, miss = misses(p, at)
            break
        u = at + share * step
    outcome = Outcome.MAX_STEPS if np.isfinite(now).all() else Outcome.NOT_FINITE
    return Point.of(u, s, n), miss.size, used, outcome
