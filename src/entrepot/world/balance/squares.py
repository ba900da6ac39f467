"""Least squares: corrections w (a + b) whose multipliers solve a linear system."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from entrepot.core.errors import NotConvergedError, WorldError
from entrepot.core.tables import Array
from entrepot.world.balance.infeasible import raise_if_apart, require_totals
from entrepot.world.balance.linear import schur
from entrepot.world.balance.result import Balanced, balanced, unchanged
from entrepot.world.balance.task import Index, Mask, Task, checked, scale, worst

REFINE = 8  # rounds of refinement granted without progress


def least_squares(
    M: ArrayLike,
    rows: ArrayLike,
    cols: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    tol: float = 1e-10,
    row_names: Sequence[str] | None = None,
    col_names: Sequence[str] | None = None,
) -> Balanced:
    """The matrix with the given sums that minimises sum (x - m)^2 / w.

    `weights` (n, m) non-negative, |M| by default; a cell of weight zero is kept as it is, so
    zeros stay zero by default. Signs may turn: `moved.flips` counts, `moved.flipped` lists.
    Other arguments and errors as in `ras`.

    The solution is x = m + w (a_i + b_j). One side's multipliers are eliminated and the Schur
    complement factorised (by conjugate gradients above 3000 lines), with refinement. Stone,
    Champernowne and Meade (1942), Review of Economic Studies 9.
    """
    task = checked("least squares", M, rows, cols, tol, row_names, col_names)
    if weights is None:
        w = np.abs(task.M)
    else:
        w = np.array(weights, dtype=np.float64, order="C")
        if w.shape != task.M.shape:
            raise WorldError(f"weights have shape {w.shape}; {task.M.shape} was expected.")
        bad = ~np.isfinite(w) | (w < 0)
        if bad.any():
            raise WorldError(
                f"weights must be finite and not negative, but {replace(task, M=w, lift=0).cells(bad)}."
            )
    done = unchanged(task)
    return _solve(task, w, from_table=weights is None) if done is None else done


def _solve(task: Task, w: Array, from_table: bool) -> Balanced:
    """The multipliers a, b of x = m + w (a + b), by elimination of the longer side."""
    shift = math.frexp(float(w.max()))[1]
    w = np.ldexp(w, -shift)
    require_totals(task)
    groups = _linked(task, w)
    rows, cols = _reconciled(task, w, groups)
    set_rows, set_cols = ~np.isnan(rows) & (w.sum(1) > 0), ~np.isnan(cols) & (w.sum(0) > 0)
    long = len(rows) >= len(cols)
    if long:
        by_col = scale(task.cols, task.total)
        solver = schur(w, set_rows, set_cols, by_col, groups.cols, groups.closed)
    else:
        by_row = scale(task.rows, task.total)
        solver = schur(w.T, set_cols, set_rows, by_row, groups.rows, groups.closed)
    X, a, b = task.M, np.zeros(len(rows)), np.zeros(len(cols))
    best, steps, rounds = math.inf, 0, 0
    while True:
        need_rows = np.where(set_rows, rows - X.sum(1), 0.0)
        need_cols = np.where(set_cols, cols - X.sum(0), 0.0)
        if long:
            da, db, used = solver.solve(need_rows, need_cols)
        else:
            db, da, used = solver.solve(need_cols, need_rows)
        da, db = groups.centred(da, db)
        a, b = a + da, b + db
        steps += used
        correction = da[:, None] + db
        correction *= w
        X = X + correction  # not from a + b anew, whose rounding would come back every time
        miss, _, clause = worst(task, X)
        if miss <= task.tol:
            break
        rounds += 1
        if not miss < best / 2 and rounds >= REFINE:
            raise NotConvergedError(
                f"least squares did not meet every target: {clause}. The weights span too many "
                f"orders of magnitude, or tol ({task.tol:g}) is below rounding error: raise tol, "
                "or set targets and cells that are nearly zero to zero."
            )
        best = min(best, miss)
    unit = -shift if from_table else task.lift - shift
    return balanced(task, X, np.ldexp(a, unit), np.ldexp(b, unit), steps, miss)


@dataclass(frozen=True, eq=False, slots=True)
class _Groups:
    """Lines with targets, grouped by the cells that they share and that may move.

    `rows` (n,), `cols` (m,): the group of each line, -1 where open. `closed`: which groups have
    no cell that may move in an open line, so that their rows and columns must have the same sum.
    """

    rows: Index
    cols: Index
    closed: Mask

    def centred(self, a: Array, b: Array) -> tuple[Array, Array]:
        """The same a + b with b of mean zero in each closed group, where its level is free."""
        count = len(self.closed)
        number = np.maximum(_sums(self.cols, np.ones_like(b), count), 1)
        level = np.where(self.closed, _sums(self.cols, b, count) / number, 0.0)
        level = np.append(level, 0.0)  # the last for open lines, labelled -1
        return a + level[self.rows], b - level[self.cols]


def _sums(group: Index, values: Array, count: int) -> Array:
    """Sums of values by group, of those that have one."""
    inside = group >= 0
    sums: Any = np.bincount(group[inside], values[inside], count)  # typed as if without weights
    return sums


def _linked(task: Task, w: Array) -> _Groups:
    """The groups, by breadth-first search."""
    given_rows, given_cols = ~np.isnan(task.rows), ~np.isnan(task.cols)
    links = (w > 0) & given_rows[:, None] & given_cols
    back = np.ascontiguousarray(links.T)
    rows, cols = (np.full(size, -1, dtype=np.int64) for size in w.shape)
    count = 0
    for first in np.flatnonzero(given_rows).tolist():
        if rows[first] >= 0:
            continue
        edge = np.array([first])
        while edge.size:  # every line is an edge once
            rows[edge] = count
            across = np.flatnonzero(links[edge].any(0) & (cols < 0))
            cols[across] = count
            edge = np.flatnonzero(back[across].any(0) & (rows < 0))
        count += 1
    alone = given_cols & (cols < 0)
    cols[alone] = count + np.arange(int(alone.sum()))
    count += int(alone.sum())
    closed = np.ones(count, dtype=bool)
    closed[rows[given_rows & (w[:, ~given_cols] > 0).any(1)]] = False
    closed[cols[given_cols & (w[~given_rows] > 0).any(0)]] = False
    return _Groups(rows, cols, closed)


def _reconciled(task: Task, w: Array, groups: _Groups) -> tuple[Array, Array]:
    """Targets whose sums agree exactly in every closed group, each moved within the tolerance.

    Raises InfeasibleError for a group whose sums differ by more.
    """
    scale_rows, scale_cols = scale(task.rows, task.total), scale(task.cols, task.total)
    count = len(groups.closed)
    need_rows = _sums(groups.rows, task.rows - task.M.sum(1), count)
    need_cols = _sums(groups.cols, task.cols - task.M.sum(0), count)
    apart = np.where(groups.closed, need_rows - need_cols, 0.0)
    whole = _sums(groups.rows, scale_rows, count) + _sums(groups.cols, scale_cols, count)
    for group in np.flatnonzero(np.abs(apart) > 0.9 * task.tol * whole):
        raise_if_apart(task, w, groups.rows == group, groups.cols == group)
    share = np.divide(apart, whole, out=np.zeros(count), where=whole > 0)
    rows = task.rows - share[groups.rows] * scale_rows  # NaN where open
    cols = task.cols + share[groups.cols] * scale_cols
    return rows, cols
