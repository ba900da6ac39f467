"""The question: a matrix and its targets, checked and scaled, and how far sums are from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entrepot.core.errors import WorldError
from entrepot.core.labels import some
from entrepot.core.tables import Array

Method = Literal["ras", "gras", "least squares"]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

FAR = 2.0**300  # tables beyond this, or below its inverse, are rescaled before any arithmetic


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """A matrix and its targets, all divided by 2**lift, and the words to speak of them.

    `M` (n, m); `rows` (n,), `cols` (m,) targets, NaN where open; `total`: the larger sum of
    absolute targets (of absolute cells where all targets are zero), never zero.
    """

    method: Method
    M: Array
    rows: Array
    cols: Array
    tol: float
    lift: int
    total: float
    row_names: tuple[str, ...] | None
    col_names: tuple[str, ...] | None
    words: tuple[str, str] = ("row", "column")

    def turned(self) -> Task:
        """The same question of the transposed matrix."""
        return replace(
            self,
            M=self.M.T,
            rows=self.cols,
            cols=self.rows,
            row_names=self.col_names,
            col_names=self.row_names,
            words=(self.words[1], self.words[0]),
        )

    def row(self, i: int) -> str:
        """A row by name, or by number where rows have none."""
        return f"{self.words[0]} {self._labels()[i]!r}"

    def col(self, j: int) -> str:
        """A column, likewise."""
        return self.turned().row(j)

    def all_rows(self, mask: Mask) -> str:
        """Some rows, the first five of them by name."""
        word, labels = self.words[0], self._labels()
        chosen = [labels[i] for i in np.flatnonzero(mask).tolist()]
        return f"{word}{'s' if len(chosen) > 1 else ''} {some(chosen)}" if chosen else f"no {word}"

    def all_cols(self, mask: Mask) -> str:
        """Some columns, likewise."""
        return self.turned().all_rows(mask)

    def cells(self, mask: Mask) -> str:
        """The first offending cells, by name."""
        found = [
            f"{self.row(i)}, {self.col(j)} holds {self.amount(self.M[i, j])}"
            for i, j in np.argwhere(mask)[:3].tolist()
        ]
        more = int(mask.sum()) - len(found)
        return "; ".join(found) + (f"; and {more} more" if more > 0 else "")

    def amount(self, value: float) -> str:
        """A number in the table's own unit."""
        return f"{lifted(value, self.lift):.8g}"

    def _labels(self) -> Sequence[Any]:
        return self.row_names or range(len(self.rows))


def lifted(value: float, lift: int) -> float:
    """The value times 2**lift, inf beyond the range of numbers."""
    with np.errstate(over="ignore"):
        return float(np.ldexp(value, lift))


def checked(
    method: Method,
    M: ArrayLike,
    rows: ArrayLike,
    cols: ArrayLike,
    tol: float,
    row_names: Sequence[str] | None,
    col_names: Sequence[str] | None,
    max_steps: int = 1,
) -> Task:
    """The question as it was put, with the matrix in C order and scaled to safe numbers.

    Raises WorldError for shapes and settings that do not fit, numbers that are not finite, and
    tables that reach from very large to very small numbers.
    """
    M = np.ascontiguousarray(M, dtype=np.float64)
    rows, cols = (np.asarray(target, dtype=np.float64) for target in (rows, cols))
    if M.ndim != 2 or not M.size:
        raise WorldError(f"the matrix has shape {M.shape}; rows and columns were expected.")
    if rows.shape != M.shape[:1] or cols.shape != M.shape[1:]:
        raise WorldError(
            f"a matrix of shape {M.shape} needs {M.shape[0]} row and {M.shape[1]} column targets; "
            f"shapes {rows.shape} and {cols.shape} were given."
        )
    if not 0 < tol < 1:
        raise WorldError(f"tol is {tol}; a number between 0 and 1 was expected.")
    if max_steps < 1:
        raise WorldError(f"max_steps is {max_steps}; at least 1 was expected.")
    for word, names, count in (("row", row_names, len(rows)), ("col", col_names, len(cols))):
        if names is not None and len(names) != count:
            raise WorldError(f"{word}_names holds {len(names)} names; {count} were expected.")
    task = Task(
        method=method,
        M=M,
        rows=rows,
        cols=cols,
        tol=float(tol),
        lift=0,
        total=1.0,
        row_names=None if row_names is None else tuple(map(str, row_names)),
        col_names=None if col_names is None else tuple(map(str, col_names)),
    )
    if not np.isfinite(M).all():
        raise WorldError(f"cells must be finite, but {task.cells(~np.isfinite(M))}.")
    for side in (task, task.turned()):
        if np.isinf(side.rows).any():
            raise WorldError(f"the target of {side.all_rows(np.isinf(side.rows))} is not finite.")
    size = max(float(np.nanmax(np.abs(array), initial=0.0)) for array in (M, rows, cols))
    if size and not 1 / FAR < size < FAR:
        lift = math.frexp(size)[1]
        scaled = [np.ldexp(array, -lift) for array in (M, rows, cols)]
        if any(((x == 0) & (y != 0)).any() for x, y in zip(scaled, (M, rows, cols), strict=True)):
            raise WorldError(
                f"cells and targets reach from {size:.3g} down to numbers too small to be added to "
                "it; set the small ones to zero, or use another unit."
            )
        M, rows, cols = scaled
        task = replace(task, M=M, rows=rows, cols=cols, lift=lift)
    total = max(float(np.nansum(np.abs(target))) for target in (rows, cols))
    return replace(task, total=total or float(np.abs(M).sum()) or 1.0)


def scale(targets: Array, total: float) -> Array:
    """What a miss is relative to: the target, or the total where that is zero."""
    return np.where(targets == 0, total, np.abs(targets))


def misses(sums: Array, targets: Array, total: float) -> Array:
    """Relative miss of each target, 0 where it is open."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.isnan(targets), 0.0, np.abs(sums - targets) / scale(targets, total))


def worst(task: Task, X: Array) -> tuple[float, float, str]:
    """The largest miss of X, relative and absolute (NaN beyond numbers), and a clause that names it."""
    with np.errstate(over="ignore", invalid="ignore"):
        sides = (task, X.sum(1)), (task.turned(), X.sum(0))
    found = []
    for side, sums in sides:
        relative = misses(sums, side.rows, task.total)
        i = int(np.argmax(relative))  # the first NaN, if there is one
        found.append((float(relative[i]), side, i, float(sums[i])))
    miss, side, i, achieved = max(found, key=lambda x: (math.isnan(x[0]), x[0]))
    if not math.isfinite(miss):
        return math.nan, math.nan, f"the sum of {side.row(i)} has left the range of numbers"
    clause = (
        f"{side.row(i)} sums to {side.amount(achieved)} and its target is "
        f"{side.amount(side.rows[i])}, a miss of {miss:.2g} of "
        f"{'the total' if side.rows[i] == 0 else 'it'}"
    )
    return miss, abs(achieved - float(side.rows[i])), clause
