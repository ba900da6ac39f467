"""Newton's method on the misses themselves, for points where the fixed point will not settle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.equations import Point, Residual, numeraire, residual
from entrepot.equilibrium.iterate import Outcome, Preconditioner
from entrepot.equilibrium.problem import Problem

Array = NDArray[np.float64]

LONGEST = 2.0  # the largest change of a log wage, cost or income in one step
FALL = 20.0  # and of log sales relative to it: they follow costs with the elasticity of trade
SHORTEST = 1e-4  # of the Newton step: below this the line search gives up
SMALL = 150  # unknowns up to which the derivative is written out
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


@np.errstate(all="ignore")  # points that are not finite are not taken
def newton(
    p: Problem, begin: Point, tol: float, max_steps: int, pre: Preconditioner | None
) -> tuple[Point, float, int, Outcome]:
    """The zero of the misses from a point, the way `iterate` returns it.

    Derivatives are differences of misses, exact enough in logs wherever the point
    is: written out in small problems, along directions only in large ones
    (Newton-GMRES, Knoll & Keyes 2004). Steps are shortened until the misses
    shrink. A derivative written out counts as one step.
    """
    s, n = p.e.va.shape
    u = begin.flat
    now, miss = misses(p, u)
    used = 1
    while np.isfinite(now).all():
        if miss.size <= tol:
            return Point.of(u, s, n), miss.size, used, Outcome.CONVERGED
        if used >= max_steps:
            break
        step, tried = _written(p, u, now) if u.size <= SMALL else _by_gmres(p, u, now, pre)
        used += tried
        if not np.isfinite(step).all():
            break
        here, size = u, float(np.linalg.norm(now))
        share = min(1.0, LONGEST / max(_length(step, s, n), LONGEST))
        while share > SHORTEST:
            u = here + share * step
            now, miss = misses(p, u)
            used += 1
            if float(np.linalg.norm(now)) < (1 - 1e-4 * share) * size:  # not so where not finite
                break
            share /= 2
        else:
            return Point.of(here, s, n), misses(p, here)[1].size, used, Outcome.MAX_STEPS
    outcome = Outcome.MAX_STEPS if np.isfinite(now).all() else Outcome.NOT_FINITE
    return Point.of(u, s, n), miss.size, used, outcome


def _length(step: Array, s: int, n: int) -> float:
    at = Point.of(step, s, n)
    return max(float(np.abs(part).max()) for part in (at.w, at.c, at.S / FALL, at.I))


def _written(p: Problem, u: Array, now: Array) -> tuple[Array, int]:
    """The Newton step by the whole matrix of derivatives."""
    columns = [misses(p, u + NUDGE * unit)[0] - now for unit in np.eye(u.size)]
    matrix = np.array(columns).T / NUDGE
    try:
        return np.asarray(np.linalg.lstsq(matrix, -now, rcond=1e-14)[0], float), 1
    except np.linalg.LinAlgError:  # numbers beyond floats
        return np.full(u.size, np.nan), 1


def _by_gmres(p: Problem, u: Array, now: Array, pre: Preconditioner | None) -> tuple[Array, int]:
    """The Newton step by derivatives along directions, preconditioned from the right."""
    from scipy.sparse.linalg import LinearOperator, gmres

    s, n = p.e.va.shape
    used = 0

    def back(y: Array) -> Array:
        if pre is None:
            return y
        v = Point.of(-pre.answer(y), s, n)
        # Sales too small for its single precision would never move.
        return replace(v, S=np.where(pre.level > 0, v.S, -Point.of(y, s, n).S)).flat

    def along(y: Array) -> Array:
        nonlocal used
        used += 1
        v = back(y)
        length = _length(v, s, n)
        if not 0 < length < np.inf:
            return np.zeros_like(y)
        h = NUDGE / length
        out = (misses(p, u + h * v)[0] - now) / h
        return np.where(np.isfinite(out), out, 0.0)

    operator = LinearOperator((u.size, u.size), matvec=along, dtype=float)
    enough = min(0.1, max(float(np.linalg.norm(now)), 1e-6))
    y, _ = gmres(operator, -now, rtol=enough, restart=60, maxiter=2)
    return back(y), used
