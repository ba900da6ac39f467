"""Balancing: the nearest matrix with given row and column sums, or the proof that there is none.

Three measures of nearness: `ras` (information, non-negative cells), `gras` (information, cells
of both signs), `least_squares` (weighted squares). A target that is NaN is open: that row or
column is left to follow the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entrepot.core.errors import InfeasibleError, NotConvergedError, WorldError
from entrepot.core.labels import some
from entrepot.core.tables import Array, sealed

__all__ = ["Balanced", "Change", "Moved", "gras", "least_squares", "ras"]

Method = Literal["ras", "gras", "least squares"]
Mask = NDArray[np.bool_]

TOP = 10  # changes listed in a summary
FAR = 2.0**300  # tables beyond this, or below its inverse, are rescaled before any arithmetic
SPENT = 600.0  # log of a multiplier at which it has left the range of useful numbers
PLAIN = 5  # plain steps before their speed is judged
PATIENCE = 20  # plain steps still expected at which Newton's are tried instead
REACH = 5.0  # most that a Newton step may change a log multiplier
INNER = 200  # products of one Newton step
FIRST_LOOK = 40  # step at which a proof of infeasibility is first sought; then at every fourfold
DIRECT = 3000  # lines up to which least squares are solved by factorisation
TIGHT = 100  # sets of lines looked at for cells that must vanish
REFINE = 8  # rounds of refinement granted without progress
CUT = 400_000  # cells up to which a minimum cut is computed
SPARSE = 0.05  # share of cells below which products skip the zeros


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


# ------------------------------------------------------------------ the three methods


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
    task = _task("ras", M, rows, cols, tol, max_steps, row_names, col_names)
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
    task = _task("gras", M, rows, cols, tol, max_steps, row_names, col_names)
    return _fit(task, max_steps)


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
    task = _task("least squares", M, rows, cols, tol, 1, row_names, col_names)
    if weights is None:
        w = np.abs(task.M)
    else:
        w = np.array(weights, dtype=np.float64, order="C")
        if w.shape != task.M.shape:
            raise WorldError(f"weights have shape {w.shape}; {task.M.shape} was expected.")
        bad = ~np.isfinite(w) | (w < 0)
        if bad.any():
            raise WorldError(
                f"weights must be finite and not negative, but {replace(task, M=w).cells(bad)}."
            )
    row_sums, col_sums = task.M.sum(1), task.M.sum(0)
    if _worst(task, row_sums, col_sums)[0] <= tol:
        return _unchanged(task, row_sums, col_sums)
    return _solve(task, w, from_table=weights is None)


# ------------------------------------------------------------------ the question


@dataclass(frozen=True, eq=False, slots=True)
class _Task:
    """A matrix and its targets, all divided by 2**lift, and the words to speak of them."""

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

    def turned(self) -> _Task:
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
        return f"{self.words[0]} {repr(self.row_names[i]) if self.row_names else i}"

    def col(self, j: int) -> str:
        return self.turned().row(j)

    def all_rows(self, mask: Mask) -> str:
        which = np.flatnonzero(mask).tolist()
        word = self.words[0] + ("s" if len(which) != 1 else "")
        if not which:
            return f"no {self.words[0]}"
        if self.row_names:
            return f"{word} {some([self.row_names[i] for i in which])}"
        more = f" and {len(which) - 5} more" if len(which) > 5 else ""
        return f"{word} {', '.join(map(str, which[:5]))}{more}"

    def all_cols(self, mask: Mask) -> str:
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
        return f"{_lifted(value, self.lift):.8g}"


def _lifted(value: float, lift: int) -> float:
    """The value times 2**lift, inf beyond the range of numbers."""
    with np.errstate(over="ignore"):
        return float(np.ldexp(value, lift))


def _task(
    method: Method,
    M: ArrayLike,
    rows: ArrayLike,
    cols: ArrayLike,
    tol: float,
    max_steps: int,
    row_names: Sequence[str] | None,
    col_names: Sequence[str] | None,
) -> _Task:
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
    task = _Task(
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
    size = max(
        float(reduce(array, axis=None, initial=0.0)) * sign
        for array in (M, rows, cols)
        for reduce, sign in ((np.fmax.reduce, 1), (np.fmin.reduce, -1))
    )
    if size and not 1 / FAR < size < FAR:
        lift = math.frexp(size)[1]
        lifted = [np.ldexp(array, -lift) for array in (M, rows, cols)]
        if any(((x == 0) & (y != 0)).any() for x, y in zip(lifted, (M, rows, cols), strict=True)):
            raise WorldError(
                f"cells and targets reach from {size:.3g} down to numbers too small to be added to "
                "it; set the small ones to zero, or use another unit."
            )
        M, rows, cols = lifted
        task = replace(task, M=M, rows=rows, cols=cols, lift=lift)
    total = max(float(np.nansum(np.abs(target))) for target in (rows, cols))
    return replace(task, total=total or float(np.abs(M).sum()) or 1.0)


def _scale(targets: Array, total: float) -> Array:
    """What a miss is relative to: the target, or the total where that is zero."""
    return np.where(targets == 0, total, np.abs(targets))


def _misses(sums: Array, targets: Array, total: float) -> Array:
    """Relative miss of each target, 0 where it is open."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.isnan(targets), 0.0, np.abs(sums - targets) / _scale(targets, total))


def _worst(task: _Task, row_sums: Array, col_sums: Array) -> tuple[float, float, str]:
    """The largest miss, relative and absolute (NaN beyond numbers), and a clause that names it."""
    found = []
    for side, sums in ((task, row_sums), (task.turned(), col_sums)):
        misses = _misses(sums, side.rows, task.total)
        i = int(np.argmax(misses))  # the first NaN, if there is one
        found.append((float(misses[i]), side, i, float(sums[i])))
    miss, side, i, achieved = max(found, key=lambda x: (math.isnan(x[0]), x[0]))
    if not math.isfinite(miss):
        return math.nan, math.nan, f"the sum of {side.row(i)} has left the range of numbers"
    relative = "of the total" if side.rows[i] == 0 else "of it"
    clause = (
        f"{side.row(i)} sums to {side.amount(achieved)} and its target is "
        f"{side.amount(side.rows[i])}, a miss of {miss:.2g} {relative}"
    )
    return miss, abs(achieved - float(side.rows[i])), clause


def _result(
    task: _Task, X: Array, row_factors: Array, col_factors: Array, steps: int, miss: float
) -> Balanced:
    moved = _moved(task.M, X, task.lift)
    if task.lift:
        X = np.ldexp(X, task.lift)
    return Balanced(
        sealed(X), sealed(row_factors), sealed(col_factors), task.method, steps, miss, moved
    )


def _unchanged(task: _Task, row_sums: Array, col_sums: Array) -> Balanced:
    miss = _worst(task, row_sums, col_sums)[0]
    neutral = 0.0 if task.method == "least squares" else 1.0
    n, m = task.M.shape
    return _result(task, task.M.copy(), np.full(n, neutral), np.full(m, neutral), 0, miss)


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
        divergence = _lifted(max(0.0, sum_of), lift) if math.isfinite(sum_of) else None
    total = float(size.sum())
    return Moved(
        total=_lifted(total, lift),
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
            before=_lifted(float(before[i, j]), lift),
            after=_lifted(float(after[i, j]), lift),
            size=_lifted(float(size[i, j]), size_lift),
        )
        for i, j in zip(*np.unravel_index(chosen, size.shape), strict=True)
    )


# ------------------------------------------------------------------ ras and gras


@dataclass(frozen=True, eq=False, slots=True)
class _Structure:
    """Cells that may move: the lines left after those that a zero target empties.

    `M` has the cells of emptied lines at zero; `P` and `N` (None without any) are its positive
    and negative parts as operators. `empty_rows`, `empty_cols`: factors of emptied lines (0 or
    inf), NaN elsewhere. `set_rows`, `set_cols`: lines with a multiplier to find.
    """

    M: Array
    P: Any
    N: Any
    empty_rows: Array
    empty_cols: Array
    set_rows: Mask
    set_cols: Mask

    def across(self, s: Array) -> tuple[Array, Array]:
        """Row products: of the positive cells with s, of the negative ones with 1 / s."""
        p: Array = self.P @ s
        return p, np.zeros_like(p) if self.N is None else self.N @ (1 / s)

    def down(self, r: Array) -> tuple[Array, Array]:
        """Column products, likewise."""
        p: Array = self.P.T @ r
        return p, np.zeros_like(p) if self.N is None else self.N.T @ (1 / r)

    def spread(self, r: Array, s: Array, d: Array) -> Array:
        """|X| d, X being the matrix scaled by r and s."""
        out: Array = r * (self.P @ (s * d))
        return out if self.N is None else out + (self.N @ (d / s)) / r

    def gather(self, r: Array, s: Array, d: Array) -> Array:
        """|X|' d."""
        out: Array = s * (self.P.T @ (r * d))
        return out if self.N is None else out + (self.N.T @ (d / r)) / s

    def scaled(self, r: Array, s: Array) -> Array:
        """X itself: positive cells m r s, negative ones m / (r s)."""
        X = r[:, None] * self.M
        X *= s
        if self.N is not None:
            i, j = np.nonzero(self.M < 0)
            X[i, j] = self.M[i, j] / r[i] / s[j]
        return X


def _structure(task: _Task) -> _Structure:
    """Lines that a zero target empties, repeatedly; raises when a target has no cell to meet it."""
    positive, negative = task.M > 0, task.M < 0
    signed = bool(negative.any())
    n, m = task.M.shape
    keep = [np.ones(n, bool), np.ones(m, bool)]
    empty = [np.full(n, np.nan), np.full(m, np.nan)]
    sides = (task, task.turned())
    while True:
        can_rise = [positive[:, keep[1]].any(1) & keep[0], positive[keep[0]].any(0) & keep[1]]
        can_fall = [np.zeros(n, bool), np.zeros(m, bool)]
        if signed:
            can_fall = [negative[:, keep[1]].any(1) & keep[0], negative[keep[0]].any(0) & keep[1]]
        more = False
        for k, side in enumerate(sides):
            drop = (side.rows == 0) & keep[k] & ~(can_rise[k] & can_fall[k])
            empty[k][drop] = np.where(can_fall[k][drop], np.inf, 0.0)
            keep[k] &= ~drop
            more = more or bool(drop.any())
        if not more:
            break
    _require_cells(task, can_rise[0], can_fall[0])
    _require_cells(task.turned(), can_rise[1], can_fall[1])
    M = task.M
    if not (keep[0].all() and keep[1].all()):
        M = np.where(keep[0][:, None] & keep[1], M, 0.0)
    return _Structure(
        M=M,
        P=_operator(np.maximum(M, 0) if signed else M),
        N=_operator(np.maximum(-M, 0)) if signed else None,
        empty_rows=empty[0],
        empty_cols=empty[1],
        set_rows=~np.isnan(task.rows) & (can_rise[0] | can_fall[0]),
        set_cols=~np.isnan(task.cols) & (can_rise[1] | can_fall[1]),
    )


def _require_cells(task: _Task, can_rise: Mask, can_fall: Mask) -> None:
    bad = (task.rows > 0) & ~can_rise | (task.rows < 0) & ~can_fall
    if not bad.any():
        return
    lines = []
    for i in np.flatnonzero(bad)[:3].tolist():
        up = task.rows[i] > 0
        sign = "positive" if up else "negative"
        if (task.M[i] > 0 if up else task.M[i] < 0).any():
            why = f"its {sign} cells all lie in {task.words[1]}s that a target of zero empties"
        elif task.M[i].any():
            why = f"it has no {sign} cell"
        else:
            why = "it has no cell that is not zero"
        lines.append(f"{task.row(i)} must sum to {task.amount(task.rows[i])}, but {why}")
    more = f"; and {int(bad.sum()) - 3} more" if bad.sum() > 3 else ""
    raise InfeasibleError(
        f"no matrix with these zeros and signs meets the targets: {'; '.join(lines)}{more}. Set "
        "these targets to zero, leave them open (NaN), or give these lines a cell."
    )


def _operator(A: Array) -> Any:
    """The matrix, or a sparse one where most cells are zero."""
    if np.count_nonzero(A) >= SPARSE * A.size:
        return A
    from scipy.sparse import csr_array

    return csr_array(A)


def _require_totals(task: _Task) -> None:
    """Raise when every target is given and the two totals differ."""
    if np.isnan(task.rows).any() or np.isnan(task.cols).any():
        return
    apart = math.fsum([*task.rows.tolist(), *(-task.cols).tolist()])
    if abs(apart) > task.tol * task.total:
        raise InfeasibleError(
            f"the {task.words[0]} targets sum to {task.amount(math.fsum(task.rows.tolist()))} and "
            f"the {task.words[1]} targets to {task.amount(math.fsum(task.cols.tolist()))}, which "
            f"differ by {task.amount(abs(apart))} ({abs(apart) / task.total:.2g} of the total): no "
            "matrix has both sums. Rescale one side, or leave a target open (NaN)."
        )


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


def _settle(task: _Task, cells: _Structure, r: Array) -> _Point:
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
    miss = float(_misses(up - down, np.where(cells.set_rows, task.rows, np.nan), task.total).max())
    return _Point(r, s, p, n, up + down, size_cols, gap, miss, dual)


def _fit(task: _Task, max_steps: int) -> Balanced:
    row_sums, col_sums = task.M.sum(1), task.M.sum(0)
    if _worst(task, row_sums, col_sums)[0] <= task.tol:
        return _unchanged(task, row_sums, col_sums)
    cells = _structure(task)
    _require_totals(task)
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        at, steps = _iterate(task, cells, max_steps)
        r, s = _normalised(task, cells, at.r, at.s)
        X = cells.scaled(r, s)
        row_sums, col_sums = X.sum(1), X.sum(0)
    miss, gap, worst = _worst(task, row_sums, col_sums)
    if not miss <= task.tol:
        noise = gap <= 1e-13 * float(np.abs(X).sum())
        _refuse(task, at, steps, worst, noise=noise, spent=steps < max_steps)
    r = np.where(np.isnan(cells.empty_rows), r, cells.empty_rows)
    s = np.where(np.isnan(cells.empty_cols), s, cells.empty_cols)
    return _result(task, X, r, s, steps, miss)


def _iterate(task: _Task, cells: _Structure, max_steps: int) -> tuple[_Point, int]:
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
            _raise_if_proven(task, at)
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


def _newton(task: _Task, cells: _Structure, at: _Point, budget: int) -> tuple[_Point | None, int]:
    """One Newton step of the log row multipliers, and the products used; None if none descends.

    The columns follow, so the curvature is the Schur complement of |X|; a step counts when the
    (convex) dual has fallen along it.
    """
    wanted = cells.set_rows
    diagonal = np.where(wanted, at.size_rows, 1.0)
    per_col = np.where(cells.set_cols, 1 / at.size_cols, 0.0)
    scale = _scale(task.rows, task.total)
    enough = max(min(0.1, math.sqrt(at.miss)) * at.miss, task.tol / 10)

    def curvature(d: Array) -> Array:
        passed_on = cells.spread(at.r, at.s, per_col * cells.gather(at.r, at.s, d))
        return np.where(wanted, diagonal * d - passed_on, 0.0)

    d, used = _conjugate_gradient(
        curvature,
        -at.gap,
        diagonal,
        lambda rest: bool((np.abs(rest[wanted]) <= enough * scale[wanted]).all()),
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


def _conjugate_gradient(
    apply: Callable[[Array], Array],
    rhs: Array,
    diagonal: Array,
    enough: Callable[[Array], bool],
    most: int,
) -> tuple[Array, int]:
    """Solution of a symmetric positive semidefinite system, as far as it was taken.

    Preconditioned by the diagonal; ends at a direction without curvature.
    """
    x = np.zeros_like(rhs)
    rest = rhs.copy()
    z = rest / diagonal
    d = z
    size = float(rest @ z)
    step = 0
    while step < most and size > 0:
        step += 1
        Ad = apply(d)
        bend = float(d @ Ad)
        if not bend > 1e-14 * float(d @ (diagonal * d)):
            break
        x = x + (size / bend) * d
        rest = rest - (size / bend) * Ad
        if enough(rest):
            break
        z = rest / diagonal
        size, before = float(rest @ z), size
        d = z + (size / before) * d
    return x, step


def _normalised(task: _Task, cells: _Structure, r: Array, s: Array) -> tuple[Array, Array]:
    """The same X with column multipliers of geometric mean one, when no open line fixes a level."""
    if np.isnan(task.rows).any() or np.isnan(task.cols).any() or not cells.set_cols.any():
        return r, s
    level = float(np.exp(np.log(s[cells.set_cols]).mean()))
    return np.where(cells.set_rows, r * level, r), np.where(cells.set_cols, s / level, s)


# ------------------------------------------------------------------ why there is no answer
#
# Let R be rows and C columns such that no positive cell joins R to a column outside C, and no
# negative cell joins C to a row outside R. Then the rows of R cannot sum to more than the
# columns of C. With no negative cells C is the set of columns that R reaches (Hall's condition).
# By the max-flow min-cut theorem such pairs, and their mirrors, are the only obstacles.


def _refuse(
    task: _Task, at: _Point, steps: int, worst: str, *, noise: bool, spent: bool
) -> NoReturn:
    """Raise the proof that there is no answer, or else say that none was found and what to do."""
    _raise_if_proven(task, at)
    if np.count_nonzero(task.M) <= CUT:
        for side in (task, task.turned()):
            _raise_if_proof(side, *_cut(side))
    forced = _forced(task, at)
    if noise:
        remedy = (
            f"That is rounding error, below which tol ({task.tol:g}) cannot reach: raise tol, or "
            "set targets that are nearly zero to zero"
        )
    elif forced.any():
        remedy = (
            "The targets leave no room for cells that are not zero, and can be met only in the "
            f"limit: set these to zero ({task.cells(forced)}), or change the targets"
        )
    elif spent:
        remedy = (
            "The multipliers have left the range of numbers: the targets can be met only in a "
            "limit, or are too many orders of magnitude from the cells; leave targets open (NaN)"
        )
    else:
        remedy = f"Raise max_steps or tol ({task.tol:g}), or leave that target open (NaN)"
    raise NotConvergedError(
        f"{task.method} stopped after {steps} steps without meeting every target, nor proof that "
        f"none can: {worst}. {remedy}."
    )


def _orders(task: _Task, at: _Point) -> Iterator[tuple[_Task, Array, Array]]:
    """Both sides of the question, with what parts the lines that ask too much from the others."""
    a, b = (np.nan_to_num(np.log(f), nan=0.0, posinf=1e9, neginf=-1e9) for f in (at.r, at.s))
    for side, rise, fall in ((task, a, -b), (task.turned(), b, -a)):
        rise = np.where(np.isnan(side.rows), -np.inf, rise)
        yield side, rise, np.where(side.M > 0, rise[:, None], -np.inf).max(0)
        yield side, rise, fall


def _raise_if_proven(task: _Task, at: _Point) -> None:
    """Seek sets of lines whose multipliers part from the others, and raise the shortest proof."""
    proofs = []
    for side, rise, push in _orders(task, at):
        order, excess, allowed = _beginnings(side, rise, push)
        found = np.flatnonzero(excess > allowed)
        if found.size:
            proofs.append((side, *_shrunk(side, *_begin(side, order, int(found[0])))))
    for side, R, C in sorted(proofs, key=lambda proof: int(proof[1].sum() + proof[2].sum())):
        _raise_if_proof(side, R, C)


def _forced(task: _Task, at: _Point) -> Mask:
    """Cells that must vanish: in columns whose targets the rows of a set exhaust, outside that set."""
    forced = np.zeros(task.M.shape, dtype=bool)
    for side, rise, push in _orders(task, at):
        order, excess, allowed = _beginnings(side, rise, push)
        out = forced if side is task else forced.T
        for k in np.flatnonzero(np.abs(excess) <= allowed)[:TIGHT].tolist():
            R, C = _begin(side, order, k)
            out |= (side.M > 0) & ~R[:, None] & C | (side.M < 0) & R[:, None] & ~C
    return forced


def _excess(task: _Task, R: Mask, C: Mask) -> tuple[float, float]:
    """Targets of R less those of C, exactly rounded, and what the tolerance allows."""
    u, v = task.rows[R], task.cols[C]
    both = np.concatenate([u, v])
    allowed = task.tol * math.fsum(_scale(both, task.total).tolist())
    return math.fsum([*u.tolist(), *(-v).tolist()]), allowed


def _raise_if_proof(task: _Task, R: Mask, C: Mask) -> None:
    """Raise InfeasibleError if these rows and columns are a proof; do nothing otherwise."""
    if not R.any() and not C.any():
        return
    positive_outside = (task.M[np.ix_(R, ~C)] > 0).any()
    negative_outside = (task.M[np.ix_(~R, C)] < 0).any()
    excess, allowed = _excess(task, R, C)  # NaN, hence no proof, if a line is open
    if positive_outside or negative_outside or not excess > allowed:
        return
    have = task.amount(math.fsum(task.rows[R].tolist()))
    room = task.amount(math.fsum(task.cols[C].tolist()))
    word, other = task.words
    if not (task.M < 0).any():
        its, it, between = ("its", "it", f"it and other {word}s")
        if R.sum() > 1:
            its, it, between = ("their", "one of them", f"these {word}s and others")
        room = f"target is {room}" if C.sum() == 1 else f"targets sum to {room}"
        raise InfeasibleError(
            f"no matrix with these zeros meets the targets: {task.all_rows(R)} must sum to {have}, "
            f"but {its} non-zero cells lie only in {task.all_cols(C)}, whose {room}: "
            f"{task.amount(excess)} too little. Move targets between {between}, or give {it} a cell "
            f"in another {other}."
        )
    raise InfeasibleError(
        f"no matrix with these zeros and signs meets the targets: {task.all_rows(R)} must sum to "
        f"{have} and {task.all_cols(C)} to {room}, but no positive cell joins the former to another "
        f"{other}, and no negative cell the latter to another {word}, so the first sum cannot exceed "
        f"the second: it is {task.amount(excess)} too much. Move targets to other lines, or give "
        "these a cell elsewhere."
    )


def _beginnings(task: _Task, rise: Array, push: Array) -> tuple[NDArray[np.int64], Array, Array]:
    """The order by `rise` (rows) and `push` (columns), and the excess of each beginning of it.

    Returns the order (columns first, then rows), the targets of the rows less those of the
    columns among the first 1, 2, ... lines (NaN where these do not form a pair as above), and
    what the tolerance allows. All at once: a cell that joins a beginning to what it must not
    touch rules out the beginnings between its row and its column.
    """
    n, m = task.M.shape
    order = np.argsort(-np.concatenate([push, rise]), kind="stable")  # columns first among equals
    place = np.empty(n + m, dtype=np.int64)
    place[order] = np.arange(n + m)
    of_col, of_row = place[:m], place[m:]
    ruled_out = np.zeros(n + m + 1, dtype=np.int64)
    last = np.where(task.M > 0, of_col, -1).max(1)
    np.add.at(ruled_out, of_row[last > of_row], 1)
    np.add.at(ruled_out, last[last > of_row], -1)
    last = np.where(task.M < 0, of_row[:, None], -1).max(0)
    np.add.at(ruled_out, of_col[last > of_col], 1)
    np.add.at(ruled_out, last[last > of_col], -1)
    target = np.concatenate([-task.cols, task.rows])[order]  # NaN, and all sums after it
    allowed = task.tol * _scale(target, task.total)
    excess = np.where(np.cumsum(ruled_out[:-1]) == 0, np.cumsum(target), np.nan)
    return order, excess, np.cumsum(allowed)


def _begin(task: _Task, order: NDArray[np.int64], k: int) -> tuple[Mask, Mask]:
    """Rows and columns among the first k + 1 lines."""
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[: k + 1]] = True
    m = len(task.cols)
    return chosen[m:], chosen[:m]


def _shrunk(task: _Task, R: Mask, C: Mask) -> tuple[Mask, Mask]:
    """Fewer rows that are as good a proof, where they are few enough to try and no cell is negative."""
    if not 1 < R.sum() <= 50 or (task.M < 0).any():
        return R, C
    for i in np.flatnonzero(R):
        fewer = R.copy()
        fewer[i] = False
        reached: Mask = np.any(task.M[fewer] > 0, axis=0)
        excess, allowed = _excess(task, fewer, reached)
        if excess > allowed:
            R, C = fewer, reached
    return R, C


def _cut(task: _Task) -> tuple[Mask, Mask]:
    """The side of a minimum cut that asks for more than it can pass on; empty if all can be passed.

    Row targets are sent along positive cells to column targets, and back along negative ones.
    Amounts are rounded to 2**-30 of the total: a candidate, not yet a proof.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    n, m = task.M.shape
    source, sink, endless = n + m, n + m + 1, 2**31 - 1
    size = 2 * task.total
    supply = np.concatenate([np.nan_to_num(task.rows), -np.nan_to_num(task.cols)])
    amount = np.rint(np.abs(supply) / size * 2**30).astype(np.int64)
    amount[np.concatenate([np.isnan(task.rows), np.isnan(task.cols)])] = endless
    up, down = np.nonzero(task.M > 0), np.nonzero(task.M < 0)
    gives, takes = np.flatnonzero(supply > 0), np.flatnonzero((supply <= 0) & (amount > 0))
    tails = [up[0], n + down[1], np.full(gives.size, source), takes]
    heads = [n + up[1], down[0], gives, np.full(takes.size, sink)]
    room = [np.full(up[0].size + down[0].size, endless), amount[gives], amount[takes]]
    network = coo_array(
        (
            np.concatenate(room).astype(np.int32),
            (np.concatenate(tails).astype(np.int32), np.concatenate(heads).astype(np.int32)),
        ),
        shape=(n + m + 2, n + m + 2),
    ).tocsr()
    flow = maximum_flow(network, source, sink).flow
    left = network.astype(np.int64) - flow.astype(np.int64)
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = np.zeros(n + m + 2, dtype=bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    return reached[:n], reached[n : n + m]


# ------------------------------------------------------------------ least squares


def _solve(task: _Task, w: Array, from_table: bool) -> Balanced:
    """The multipliers a, b of x = m + w (a + b), by elimination of the longer side."""
    shift = math.frexp(float(w.max()))[1]
    w = np.ldexp(w, -shift)
    _require_totals(task)
    label_rows, label_cols, closed = _linked(task, w)
    rows, cols = _reconciled(task, w, label_rows, label_cols, closed)
    wanted = ~np.isnan(rows) & (w.sum(1) > 0), ~np.isnan(cols) & (w.sum(0) > 0)
    long = len(rows) >= len(cols)
    solver = _Schur(
        w=w if long else w.T,
        set_rows=wanted[0] if long else wanted[1],
        set_cols=wanted[1] if long else wanted[0],
        label=label_cols if long else label_rows,
        closed=closed,
        scale=_scale(task.cols if long else task.rows, task.total),
    ).prepared()
    a, b = np.zeros(len(rows)), np.zeros(len(cols))
    X, row_sums, col_sums = task.M, task.M.sum(1), task.M.sum(0)
    best, steps, rounds = math.inf, 0, 0
    while True:
        need = (
            np.where(wanted[0], rows - row_sums, 0.0),
            np.where(wanted[1], cols - col_sums, 0.0),
        )
        if long:
            da, db, used = solver.solve(*need)
        else:
            db, da, used = solver.solve(need[1], need[0])
        da, db = _centred(da, db, label_rows, label_cols, closed)
        a, b = a + da, b + db
        steps += used
        correction = da[:, None] + db
        correction *= w
        X = X + correction  # not from a + b anew, whose rounding would come back every time
        row_sums, col_sums = X.sum(1), X.sum(0)
        miss, _, worst = _worst(task, row_sums, col_sums)
        if miss <= task.tol:
            break
        rounds += 1
        if not miss < best / 2 and rounds >= REFINE:
            raise NotConvergedError(
                f"least squares did not meet every target: {worst}. The weights span too many "
                f"orders of magnitude, or tol ({task.tol:g}) is below rounding error: raise tol, "
                "or set targets and cells that are nearly zero to zero."
            )
        best = min(best, miss)
    unit = -shift if from_table else task.lift - shift
    return _result(task, X, np.ldexp(a, unit), np.ldexp(b, unit), steps, miss)


def _linked(task: _Task, w: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
    """Groups of lines with targets that share cells which may move.

    Labels of rows and columns (-1 where open), and which groups are closed: no cell that may
    move lies in an open line, so that their rows and columns must have the same sum.
    """
    given_rows, given_cols = ~np.isnan(task.rows), ~np.isnan(task.cols)
    links = (w > 0) & given_rows[:, None] & given_cols
    back = np.ascontiguousarray(links.T)
    label_rows, label_cols = (np.full(size, -1, dtype=np.int64) for size in w.shape)
    count = 0
    for first in np.flatnonzero(given_rows).tolist():
        if label_rows[first] >= 0:
            continue
        edge = np.array([first])
        while edge.size:  # every line is an edge once
            label_rows[edge] = count
            across = np.flatnonzero(links[edge].any(0) & (label_cols < 0))
            label_cols[across] = count
            edge = np.flatnonzero(back[across].any(0) & (label_rows < 0))
        count += 1
    alone = given_cols & (label_cols < 0)
    label_cols[alone] = count + np.arange(int(alone.sum()))
    count += int(alone.sum())
    closed = np.ones(count, dtype=bool)
    closed[label_rows[given_rows & (w[:, ~given_cols] > 0).any(1)]] = False
    closed[label_cols[given_cols & (w[~given_rows] > 0).any(0)]] = False
    return label_rows, label_cols, closed


def _reconciled(
    task: _Task,
    w: Array,
    label_rows: NDArray[np.int64],
    label_cols: NDArray[np.int64],
    closed: Mask,
) -> tuple[Array, Array]:
    """Targets whose sums agree exactly in every closed group, each moved within the tolerance.

    Raises InfeasibleError for a group whose sums differ by more.
    """
    count = len(closed)
    in_rows, in_cols = label_rows >= 0, label_cols >= 0
    scale_rows = _scale(task.rows, task.total)
    scale_cols = _scale(task.cols, task.total)
    need_rows, need_cols = task.rows - task.M.sum(1), task.cols - task.M.sum(0)

    def by_group(of_rows: Array, of_cols: Array, sign: float) -> Array:
        return np.bincount(label_rows[in_rows], of_rows[in_rows], count) + sign * np.bincount(
            label_cols[in_cols], of_cols[in_cols], count
        )

    apart = np.where(closed, by_group(need_rows, need_cols, -1.0), 0.0)
    scale = by_group(scale_rows, scale_cols, 1.0)
    for group in np.flatnonzero(np.abs(apart) > 0.9 * task.tol * scale):
        _raise_if_apart(task, w, label_rows == group, label_cols == group)
    share = np.divide(apart, scale, out=np.zeros(count), where=scale > 0)
    rows = np.where(in_rows, task.rows - share[label_rows] * scale_rows, np.nan)
    cols = np.where(in_cols, task.cols + share[label_cols] * scale_cols, np.nan)
    return rows, cols


def _raise_if_apart(task: _Task, w: Array, R: Mask, C: Mask) -> None:
    """Raise if rows R and columns C share all their movable cells and cannot have the same sum."""
    if w[np.ix_(R, ~C)].any() or w[np.ix_(~R, C)].any():
        return
    row_rest, col_rest = task.M[np.ix_(R, ~C)], task.M[np.ix_(~R, C)]
    rows = [*task.rows[R].tolist(), *(-row_rest).ravel().tolist()]
    cols = [*task.cols[C].tolist(), *(-col_rest).ravel().tolist()]
    apart = math.fsum([*rows, *(-x for x in cols)])
    if not abs(apart) > _excess(task, R, C)[1]:
        return
    have, room = task.amount(math.fsum(rows)), task.amount(math.fsum(cols))
    by = task.amount(abs(apart))
    if R.sum() + C.sum() == 1:
        side, mask = (task, R) if R.any() else (task.turned(), C)
        i = int(np.argmax(mask))
        raise InfeasibleError(
            f"{side.row(i)} must sum to {side.amount(side.rows[i])}, but none of its cells may "
            f"move (zero, or of zero weight): a miss of {by}. Set its target to what it holds, "
            "leave it open (NaN), or give it a cell."
        )
    raise InfeasibleError(
        f"{task.all_rows(R)} and {task.all_cols(C)} share all their cells that may move (not zero, "
        f"nor of zero weight), yet on these the rows must sum to {have} and the columns to {room}, "
        f"which differ by {by}. Move targets to other lines, or leave one of these open (NaN)."
    )


def _centred(
    a: Array, b: Array, label_rows: NDArray[np.int64], label_cols: NDArray[np.int64], closed: Mask
) -> tuple[Array, Array]:
    """The same a + b with b of mean zero in each closed group, where its level is free."""
    count = len(closed)
    given = label_cols >= 0
    number = np.bincount(label_cols[given], minlength=count)
    level = np.bincount(label_cols[given], b[given], count) / np.maximum(number, 1)
    level = np.append(np.where(closed, level, 0.0), 0.0)  # the last for open lines, labelled -1
    return a + level[label_rows], b - level[label_cols]


@dataclass(frozen=True, eq=False, slots=True)
class _Schur:
    """Solves W(a + b) = needs with the row multipliers eliminated.

    `factor` is the Cholesky factor over `free` columns (one of each closed group is held at
    zero), None where the system is too large or too near singular and conjugate gradients are
    used.
    """

    w: Array
    set_rows: Mask
    set_cols: Mask
    label: NDArray[np.int64]
    closed: Mask
    scale: Array
    free: Mask | None = None
    factor: Any = None

    def prepared(self) -> _Schur:
        if int(self.set_cols.sum()) > DIRECT:
            return self
        from scipy.linalg import LinAlgError, cho_factor

        free = self.set_cols.copy()
        size = np.where(free, self.w.sum(0), 0.0)
        largest_last = np.argsort(size, kind="stable")
        held = np.full(len(self.closed), -1)
        held[self.label[largest_last]] = largest_last  # the last assignment stays
        held = held[self.closed & (held >= 0)]
        free[held] = False
        if not free.any():
            return replace(self, free=free)
        B = self.w[:, free] * np.sqrt(self._per_row())[:, None]
        S = B.T @ B
        np.negative(S, out=S)
        S[np.diag_indices_from(S)] += size[free]
        try:
            factor = cho_factor(S, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return self
        return replace(self, free=free, factor=factor)

    def _per_row(self) -> Array:
        sums = self.w.sum(1)
        return np.divide(1.0, sums, out=np.zeros_like(sums), where=self.set_rows)

    def _worst(self, rest: Array) -> float:
        return float(np.abs(rest / self.scale).max(where=self.set_cols, initial=0.0))

    def solve(self, need_rows: Array, need_cols: Array) -> tuple[Array, Array, int]:
        """Row and column multipliers, and the steps taken."""
        per_row = self._per_row()
        rest = np.where(self.set_cols, need_cols - self.w.T @ (per_row * need_rows), 0.0)
        if self.free is not None:
            b, used = np.zeros_like(rest), 1
            if self.factor is not None:
                from scipy.linalg import cho_solve

                b[self.free] = cho_solve(self.factor, rest[self.free], check_finite=False)
        else:
            sums = self.w.sum(0)

            def apply(x: Array) -> Array:
                passed_on = self.w.T @ (per_row * (self.w @ x))
                return np.where(self.set_cols, sums * x - passed_on, 0.0)

            b, used = _conjugate_gradient(
                apply,
                rest,
                np.where(self.set_cols, sums, 1.0),
                lambda left: self._worst(left) <= 1e-4 * self._worst(rest),
                10 * len(rest),
            )
        return per_row * (need_rows - self.w @ b), b, used
