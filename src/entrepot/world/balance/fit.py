"""RAS and GRAS: alternating exact steps, and Newton steps where those crawl."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from entrepot.core.errors import WorldError
from entrepot.core.tables import Array
from entrepot.world.balance.cells import Cells, movable
from entrepot.world.balance.infeasible import raise_if_proven, refuse, require_totals
from entrepot.world.balance.linear import conjugate_gradient
from entrepot.world.balance.result import Balanced, balanced, unchanged
from entrepot.world.balance.task import Mask, Task, checked, misses, scale, worst

SPENT = 600.0  # log of a multiplier at which it has left the range of useful numbers
PLAIN = 5  # plain steps before their speed is judged
PATIENCE = 20  # plain steps still expected at which Newton's are tried instead
REACH = 5.0  # most that a Newton step may change a log multiplier
INNER = 200  # products of one Newton step
FIRST_LOOK = 40  # step at which a proof of infeasibility is first sought; then at every fourfold


def ras(
    M: ArrayLike,
    rows: ArrayLike,
    cols: ArrayLike,
    *,
    tol: float = 1e-8,
    max_steps: int = 2000,
    row_names: Sequence[str] | None = None,
    col_names: Sequence[str] | None = None,
) -> Balanced:
    """The matrix r_i m_ij s_j with the given sums: nearest to M in information, zeros kept.

    `M` (n, m) non-negative; `rows` (n,), `cols` (m,) targets in M's unit, NaN where open. `tol`
    bounds every relative miss (of a zero target: relative to the total). An M that meets its
    targets within `tol` comes back as it is.

    Alternating exact steps; where they crawl, Newton steps on the reduced dual, by conjugate
    gradients. Only products with M, never a scaled copy of it. Where targets can only be met
    with some positive cells at zero, those come out tiny.

    Raises WorldError for malformed input, InfeasibleError with a proof when no such matrix is
    within `tol` of the targets, NotConvergedError when neither is settled in `max_steps`.

    Stone (1961); Bacharach (1970), Biproportional Matrices and Input-Output Change. Newton
    steps: Knight and Ruiz (2013), IMA Journal of Numerical Analysis 33.
    """
    task = checked("ras", M, rows, cols, tol, row_names, col_names, max_steps)
    if (task.M < 0).any():
        raise WorldError(
            f"ras balances non-negative cells, but {task.cells(task.M < 0)}; use gras."
        )
    return _fit(task, max_steps)


def gras(
    M: ArrayLike,
    rows: ArrayLike,
    cols: ArrayLike,
    *,
    tol: float = 1e-8,
    max_steps: int = 2000,
    row_names: Sequence[str] | None = None,
    col_names: Sequence[str] | None = None,
) -> Balanced:
    """The matrix m r s (positive cells) and m / (r s) (negative ones) with the given sums.

    Generalised RAS: signs and zeros are kept, targets may be negative, and on a non-negative M
    it is `ras`, to the last bit. Minimises sum |m| (z ln z - z + 1), z = x / m. A zero target
    empties a row whose cells have one sign; otherwise its cells cancel. Arguments and errors
    as in `ras`.

    Junius and Oosterhaven (2003), Economic Systems Research 15; objective and zeros as
    corrected by Lenzen, Wood and Gallego (2007), ESR 19; lines with cells of one sign as in
    Temurshoev, Miller and Bouwmeester (2013), ESR 25.
    """
    task = checked("gras", M, rows, cols, tol, row_names, col_names, max_steps)
    return _fit(task, max_steps)


def _fit(task: Task, max_steps: int) -> Balanced:
    done = unchanged(task)
    if done is not None:
        return done
    cells = movable(task)
    require_totals(task)
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        at, steps = _iterate(task, cells, max_steps)
        r, s = _normalised(task, cells, at.r, at.s)
        X = cells.scaled(r, s)
        miss, gap, clause = worst(task, X)
    if not miss <= task.tol:
        noise = gap <= 1e-13 * float(np.abs(X).sum())
        refuse(task, at.r, at.s, steps, clause, noise=noise, spent=steps < max_steps)
    r = np.where(np.isnan(cells.empty_rows), r, cells.empty_rows)
    s = np.where(np.isnan(cells.empty_cols), s, cells.empty_cols)
    return balanced(task, X, r, s, steps, miss)


@dataclass(frozen=True, eq=False, slots=True)
class _Point:
    """Multipliers whose columns are exact, and what they give.

    `size_rows`, `size_cols`: sums of |X|; `p`, `n`: row products; `gap`: row sums less targets
    (0 for open rows); `miss`: the largest relative one; `dual`: the function that is minimised.
    """

    r: Array
    s: Array
    p: Array
    n: Array
    size_rows: Array
    size_cols: Array
    gap: Array
    miss: float
    dual: float


def _multiplier(p: Array, n: Array, target: Array, wanted: Mask) -> Array:
    """The positive root of p r - n / r = target where wanted, 1 elsewhere.

    Two forms of one root, each without cancellation for one sign of the target; the second
    also holds where p = 0 (Temurshoev, Miller and Bouwmeester 2013).
    """
    root = np.hypot(target, 2 * np.sqrt(p) * np.sqrt(n))
    r = np.where(target >= 0, (root + target) / (2 * p), 2 * n / (root - target))
    return np.where(wanted, r, 1.0)


def _settle(task: Task, cells: Cells, r: Array) -> _Point:
    """Best columns for these row multipliers: minimises the dual over them."""
    p, n = cells.down(r)
    s = _multiplier(p, n, task.cols, cells.set_cols)
    size_cols = s * p + n / s
    p, n = cells.across(s)
    up, down = r * p, n / r
    gap = np.where(cells.set_rows, up - down - task.rows, 0.0)
    dual = float((up + down).sum())
    for targets, factors, wanted in (
        (task.rows, r, cells.set_rows),
        (task.cols, s, cells.set_cols),
    ):
        dual -= float((np.where(wanted, targets, 0.0) * np.log(factors)).sum())
    miss = float(misses(up - down, np.where(cells.set_rows, task.rows, np.nan), task.total).max())
    return _Point(r, s, p, n, up + down, size_cols, gap, miss, dual)


def _iterate(task: Task, cells: Cells, max_steps: int) -> tuple[_Point, int]:
    """Multipliers that meet the targets, or the last ones before steps or numbers ran out."""
    at = _settle(task, cells, np.ones(len(task.rows)))
    steps, look, newton_from = 1, FIRST_LOOK, 0
    crawling = False
    history = [at.miss]
    while not at.miss <= task.tol and steps < max_steps:
        spent = max(float(np.abs(np.log(f)).max()) for f in (at.r, at.s))
        if not (math.isfinite(at.miss) and spent < SPENT):
            break
        if steps >= look:
            raise_if_proven(task, at.r, at.s)
            look *= 4
        crawling = crawling or (steps >= newton_from and _crawls(history, task.tol))
        if crawling:
            there, used = _newton(task, cells, at, max_steps - steps)
            steps += used
            if there is None:
                crawling, history, newton_from = False, [], steps + PATIENCE
            else:
                at = there
            if at.miss <= task.tol or steps >= max_steps:
                break
        at = _settle(task, cells, _multiplier(at.p, at.n, task.rows, cells.set_rows))
        steps += 1
        history.append(at.miss)
    return at, steps


def _crawls(history: list[float], tol: float) -> bool:
    """Whether plain steps would need many more."""
    if len(history) < PLAIN:
        return False
    rate = (history[-1] / history[-4]) ** (1 / 3)
    return rate >= 1 or math.log(tol / history[-1]) < PATIENCE * math.log(rate)


def _newton(task: Task, cells: Cells, at: _Point, budget: int) -> tuple[_Point | None, int]:
    """One Newton step of the log row multipliers, and the products used; None if none descends.

    The columns follow, so the curvature is the Schur complement of |X|; a step counts when the
    (convex) dual has fallen along it.
    """
    wanted = cells.set_rows
    diagonal = np.where(wanted, at.size_rows, 1.0)
    per_col = np.where(cells.set_cols, 1 / at.size_cols, 0.0)
    enough = max(min(0.1, math.sqrt(at.miss)) * at.miss, task.tol / 10)
    allowed = enough * scale(task.rows, task.total)[wanted]

    def curvature(d: Array) -> Array:
        passed_on = cells.spread(at.r, at.s, per_col * cells.gather(at.r, at.s, d))
        return np.where(wanted, diagonal * d - passed_on, 0.0)

    d, used = conjugate_gradient(
        curvature,
        -at.gap,
        diagonal,
        lambda rest: bool((np.abs(rest[wanted]) <= allowed).all()),
        min(INNER, budget),
    )
    slope = float(at.gap @ d)
    reach = float(np.abs(d).max())
    if not slope < 0 or not math.isfinite(reach):
        return None, used
    t = min(1.0, REACH / reach)
    noise = 1e-13 * (abs(at.dual) + task.total)
    for _ in range(3):
        if used >= budget:
            break
        there = _settle(task, cells, at.r * np.exp(t * d))
        used += 1
        rest = float(there.gap @ d)
        if math.isfinite(there.miss) and (
            rest <= 0 or (rest <= -slope / 2 and there.dual <= at.dual + noise)
        ):
            return there, used
        t /= 4
    return None, used


def _normalised(task: Task, cells: Cells, r: Array, s: Array) -> tuple[Array, Array]:
    """The same X with column multipliers of geometric mean one, when no open line fixes a level."""
    if np.isnan(task.rows).any() or np.isnan(task.cols).any() or not cells.set_cols.any():
        return r, s
    level = float(np.exp(np.log(s[cells.set_cols]).mean()))
    return np.where(cells.set_rows, r * level, r), np.where(cells.set_cols, s / level, s)
