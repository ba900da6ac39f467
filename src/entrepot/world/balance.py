"""Balancing: the nearest matrix with given row and column sums, or the proof that there is none.

Three measures of nearness: `ras` (information, non-negative cells), `gras` (information, cells
of both signs), `least_squares` (weighted squares). A target that is NaN is open: that row or
column is left to follow the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
    Bouwmeester (2013), in the table's unit; None where a sign turned or a zero filled.
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
        return f"{self.words[0]} {self.row_names[i]!r}" if self.row_names else f"{self.words[0]} {i}"

    def col(self, j: int) -> str:
        return self.turned().row(j)

    def all_rows(self, mask: Mask) -> str:
        which = np.flatnonzero(mask).tolist()
        word = self.words[0] + ("s" if len(which) != 1 else "")
        if self.row_names:
            return f"{word} {some([self.row_names[i] for i in which])}"
        more = f" and {len(which) - 5} more" if len(which) > 5 else ""
        return f"{word} {', '.join(map(str, which[:5]))}{more}" if which else f"no {self.words[0]}"

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
        return f"{math.ldexp(float(value), self.lift):.8g}"


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
    size = max(float(np.abs(array[~np.isnan(array)]).max(initial=0.0)) for array in (M, rows, cols))
    if size and not 1 / FAR < size < FAR:
        lift = math.frexp(size)[1]
        M, rows, cols = (np.ldexp(array, -lift) for array in (M, rows, cols))
        task = replace(task, M=M, rows=rows, cols=cols, lift=lift)
    total = max(float(np.nansum(np.abs(target))) for target in (rows, cols))
    return replace(task, total=total or float(np.abs(M).sum()) or 1.0)


def _misses(sums: Array, targets: Array, total: float) -> Array:
    """Relative miss of each target, 0 where it is open; of a zero target, relative to the total."""
    scale = np.where(targets == 0, total, np.abs(targets))
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.isnan(targets), 0.0, np.abs(sums - targets) / scale)


def _worst(task: _Task, row_sums: Array, col_sums: Array) -> tuple[float, str]:
    """The largest miss (NaN when a sum is not a number), and a clause that names it."""
    found = []
    for side, sums in ((task, row_sums), (task.turned(), col_sums)):
        misses = _misses(sums, side.rows, task.total)
        i = int(np.argmax(misses))  # the first NaN, if there is one
        found.append((float(misses[i]), side, i, float(sums[i])))
    miss, side, i, achieved = max(found, key=lambda x: (math.isnan(x[0]), x[0]))
    if not math.isfinite(miss):
        return miss, f"{side.row(i)} has left the range of numbers"
    relative = "of the total" if side.rows[i] == 0 else "of it"
    return miss, (
        f"{side.row(i)} sums to {side.amount(achieved)} and its target is "
        f"{side.amount(side.rows[i])}, a miss of {miss:.2g} {relative}"
    )


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
    relative = np.divide(size, was, out=np.zeros_like(size), where=there)
    turned = (before < 0) & (after > 0) | (before > 0) & (after < 0)
    flips = int(turned.sum())
    divergence = None
    if not flips and not (~there & (after != 0)).any():
        # (1 + d) log(1 + d) - d with d = z - 1, exact for small changes; z = 0 gives 1
        d = np.divide(change, before, out=change, where=there)
        with np.errstate(divide="ignore", invalid="ignore"):
            information = np.where(d > -1, (1 + d) * np.log1p(d) - d, 1.0)
        divergence = math.ldexp(max(0.0, float((was * information).sum())), lift)
    total = float(size.sum())
    return Moved(
        total=math.ldexp(total, lift),
        share=total / whole if whole else float(total > 0),
        largest=_top(before, after, size, lift, lift),
        largest_relative=_top(before, after, relative, lift, 0),
        flips=flips,
        flipped=_top(before, after, np.where(turned, size, 0.0), lift, lift) if flips else (),
        emptied=int((there & (after == 0)).sum()),
        divergence=divergence,
    )


def _top(
    before: Array, after: Array, size: Array, lift: int, size_lift: int
) -> tuple[Change, ...]:
    flat = size.ravel()
    k = min(TOP, flat.size)
    if k < flat.size:  # whatever ties with the k-th, so that ties fall to the first cells
        least = np.partition(flat, flat.size - k)[flat.size - k]
        some_of = np.flatnonzero(flat >= least) if least > 0 else np.flatnonzero(flat)
    else:
        some_of = np.flatnonzero(flat)
    chosen = some_of[np.argsort(-flat[some_of], kind="stable")][:k]
    return tuple(
        Change(
            row=int(i),
            col=int(j),
            before=math.ldexp(float(before[i, j]), lift),
            after=math.ldexp(float(after[i, j]), lift),
            size=math.ldexp(float(size[i, j]), size_lift),
        )
        for i, j in zip(*np.unravel_index(chosen, size.shape), strict=True)
    )


# ------------------------------------------------------------------ ras and gras


@dataclass(frozen=True, eq=False, slots=True)
class _Structure:
    """Cells that may move: the lines left after those that a zero target empties.

    `rows`, `cols`: lines that stay; `empty_rows`, `empty_cols`: factors of those that do not
    (0 or inf), NaN elsewhere; `M` has their cells at zero. `set_rows`, `set_cols`: lines with a
    multiplier to find.
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
    for k, side in enumerate(sides):
        _require_cells(side, can_rise[k], can_fall[k], (positive, negative) if k == 0 else (positive.T, negative.T))
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


def _require_cells(task: _Task, can_rise: Mask, can_fall: Mask, cells: tuple[Mask, Mask]) -> None:
    bad = (task.rows > 0) & ~can_rise | (task.rows < 0) & ~can_fall
    if not bad.any():
        return
    lines = []
    for i in np.flatnonzero(bad)[:3].tolist():
        sign, own = ("positive", cells[0][i]) if task.rows[i] > 0 else ("negative", cells[1][i])
        if own.any():
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
    for targets, factors, wanted in ((task.rows, r, cells.set_rows), (task.cols, s, cells.set_cols)):
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
    miss, worst = _worst(task, X.sum(1), X.sum(0))
    if not miss <= task.tol:
        _refuse(task, at, steps, miss, worst)
    r = np.where(np.isnan(cells.empty_rows), r, cells.empty_rows)
    s = np.where(np.isnan(cells.empty_cols), s, cells.empty_cols)
    return _result(task, X, r, s, steps, miss)


def _iterate(task: _Task, cells: _Structure, max_steps: int) -> tuple[_Point, int]:
    """Multipliers that meet the targets, or the last ones before the steps or the numbers ran out."""
    at = _settle(task, cells, np.ones(len(task.rows)))
    steps, look, newton_from = 1, FIRST_LOOK, 0
    history = [at.miss]
    while not at.miss <= task.tol and steps < max_steps:
        spent = max(float(np.abs(np.log(f)).max()) for f in (at.r, at.s))
        if not (math.isfinite(at.miss) and spent < SPENT):
            break
        if steps >= look:
            _raise_if_proven(task, _candidates(task, at))
            look *= 4
        if steps >= newton_from and _crawls(history, task.tol):
            there, used = _newton(task, cells, at, max_steps - steps)
            steps += used
            if there is None:
                history, newton_from = [at.miss], steps + 2 * PATIENCE
            else:
                at = there
                if at.miss <= task.tol or steps >= max_steps:
                    break
        r = _multiplier(at.p, at.n, task.rows, cells.set_rows)
        at = _settle(task, cells, r)
        steps += 1
        history.append(at.miss)
    return at, steps


def _crawls(history: list[float], tol: float) -> bool:
    """Whether plain steps would need many more."""
    if len(history) < PLAIN:
        return False
    rate = (history[-1] / history[-4]) ** (1 / 3)
    return rate >= 1 or math.log(tol / history[-1]) > PATIENCE * math.log(rate)
