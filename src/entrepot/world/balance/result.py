"""The answer: a balanced matrix, how it was reached, and a summary of what moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from entrepot.core.tables import Array, sealed
from entrepot.world.balance.task import Method, Task, lifted, worst

TOP = 10  # changes listed in a summary


@dataclass(frozen=True, slots=True)
class Change:
    """One cell: its position, its value before and after, and the size of the change.

    `size` is `|after - before|`, divided by `|before|` in lists of relative changes.
    """

    row: int
    col: int
    before: float
    after: float
    size: float


@dataclass(frozen=True, slots=True)
class Moved:
    """How far balancing moved a matrix.

    `total`: sum of absolute changes, in the table's unit; `share`: the same over the sum of
    absolute cells. `largest` and `largest_relative`: the ten largest changes, largest first
    (relative ones of cells that were not zero). `flips`: cells whose sign turned, of which
    `flipped` lists the ten largest changes; `emptied`: cells that became zero. `divergence`:
    sum of |m| (z ln z - z + 1) with z = x / m, the information of Temurshoev, Miller and
    Bouwmeester (2013), in the table's unit; None where that is not finite (a sign turned, a
    zero was filled).
    """

    total: float
    share: float
    largest: tuple[Change, ...]
    largest_relative: tuple[Change, ...]
    flips: int
    flipped: tuple[Change, ...]
    emptied: int
    divergence: float | None


@dataclass(frozen=True, eq=False, slots=True)
class Balanced:
    """A matrix that meets its targets, and how it was reached.

    `values` (n, m). `row_factors` (n,) r and `col_factors` (m,) s: for `ras` and `gras` a
    positive cell is m r s and a negative one m / (r s), r = 1 for an open row; a line that its
    target empties has factor 0 (inf where its cells are negative). For `least squares` they
    are added: a cell is m + w (r + s), r = 0 for an open row. `steps`: pairs of matrix-vector
    products (solves, for least squares). `miss`: the largest relative miss of a target in
    `values`; for a target of zero, relative to the total.
    """

    values: Array
    row_factors: Array
    col_factors: Array
    method: Method
    steps: int
    miss: float
    moved: Moved


def balanced(
    task: Task, X: Array, row_factors: Array, col_factors: Array, steps: int, miss: float
) -> Balanced:
    """The answer in the table's own unit; X and the factors are given away."""
    moved = _moved(task.M, X, task.lift)
    if task.lift:
        X = np.ldexp(X, task.lift)
    return Balanced(
        sealed(X), sealed(row_factors), sealed(col_factors), task.method, steps, miss, moved
    )


def unchanged(task: Task) -> Balanced | None:
    """The matrix as it is, if it meets its targets."""
    miss = worst(task, task.M)[0]
    if not miss <= task.tol:
        return None
    neutral = 0.0 if task.method == "least squares" else 1.0
    n, m = task.M.shape
    return balanced(task, task.M.copy(), np.full(n, neutral), np.full(m, neutral), 0, miss)


def _moved(before: Array, after: Array, lift: int) -> Moved:
    change = after - before
    size = np.abs(change)
    was = np.abs(before)
    there = was > 0
    whole = float(was.sum())
    with np.errstate(over="ignore"):
        relative = np.divide(size, was, out=np.zeros_like(size), where=there)
    turned = (before < 0) & (after > 0) | (before > 0) & (after < 0)
    flips = int(turned.sum())
    divergence = None
    if not flips and not (~there & (after != 0)).any():
        # (1 + d) log(1 + d) - d with d = z - 1, exact for small changes; z = 0 gives 1
        with np.errstate(all="ignore"):
            d = np.divide(change, before, out=change, where=there)
            information = np.where(d > -1, (1 + d) * np.log1p(d) - d, 1.0)
            sum_of = float((was * information).sum())
        divergence = lifted(max(0.0, sum_of), lift) if math.isfinite(sum_of) else None
    total = float(size.sum())
    return Moved(
        total=lifted(total, lift),
        share=total / whole if whole else float(total > 0),
        largest=_top(before, after, size, lift, lift),
        largest_relative=_top(before, after, relative, lift, 0),
        flips=flips,
        flipped=_top(before, after, np.where(turned, size, 0.0), lift, lift) if flips else (),
        emptied=int((there & (after == 0)).sum()),
        divergence=divergence,
    )


def _top(before: Array, after: Array, size: Array, lift: int, size_lift: int) -> tuple[Change, ...]:
    flat = size.ravel()
    found = np.flatnonzero(flat)
    if found.size > TOP:  # whatever ties with the last, so that ties fall to the first cells
        least = np.partition(flat[found], found.size - TOP)[found.size - TOP]
        found = np.flatnonzero(flat >= least)
    chosen = found[np.argsort(-flat[found], kind="stable")][:TOP]
    return tuple(
        Change(
            row=int(i),
            col=int(j),
            before=lifted(float(before[i, j]), lift),
            after=lifted(float(after[i, j]), lift),
            size=lifted(float(size[i, j]), size_lift),
        )
        for i, j in zip(*np.unravel_index(chosen, size.shape), strict=True)
    )
