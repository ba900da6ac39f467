"""Cells that may move: what zero targets leave of a matrix, and products with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from entrepot.core.tables import Array
from entrepot.world.balance.infeasible import require_cells
from entrepot.world.balance.task import Mask, Task

SPARSE = 0.05  # share of cells below which products skip the zeros


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """Cells that may move: those of the lines that no zero target empties.

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

    def turned(self) -> Cells:
        """The same cells of the transposed matrix."""
        return replace(
            self,
            M=self.M.T,
            P=self.P.T,
            N=None if self.N is None else self.N.T,
            empty_rows=self.empty_cols,
            empty_cols=self.empty_rows,
            set_rows=self.set_cols,
            set_cols=self.set_rows,
        )

    def across(self, s: Array) -> tuple[Array, Array]:
        """Row products: of the positive cells with s, of the negative ones with 1 / s."""
        p: Array = self.P @ s
        return p, np.zeros_like(p) if self.N is None else self.N @ (1 / s)

    def down(self, r: Array) -> tuple[Array, Array]:
        """Column products, likewise."""
        return self.turned().across(r)

    def spread(self, r: Array, s: Array, d: Array) -> Array:
        """|X| d, X being the matrix scaled by r and s."""
        out: Array = r * (self.P @ (s * d))
        return out if self.N is None else out + (self.N @ (d / s)) / r

    def gather(self, r: Array, s: Array, d: Array) -> Array:
        """|X|' d."""
        return self.turned().spread(s, r, d)

    def scaled(self, r: Array, s: Array) -> Array:
        """X itself: positive cells m r s, negative ones m / (r s)."""
        X = r[:, None] * self.M
        X *= s
        if self.N is not None:
            i, j = np.nonzero(self.M < 0)
            X[i, j] = self.M[i, j] / r[i] / s[j]
        return X


def movable(task: Task) -> Cells:
    """The cells left by zero targets, which empty lines with cells of one sign, repeatedly.

    Raises InfeasibleError when a target has no cell to meet it.
    """
    M = task.M
    sides = (task, task.turned())
    empty = tuple(np.full(size, np.nan) for size in M.shape)
    while True:
        positive, negative = M > 0, M < 0
        can_rise: list[Mask] = [np.any(positive, axis=1), np.any(positive, axis=0)]
        can_fall: list[Mask] = [np.any(negative, axis=1), np.any(negative, axis=0)]
        emptied = False
        for side, factors, rise, fall in zip(sides, empty, can_rise, can_fall, strict=True):
            drop = (side.rows == 0) & np.isnan(factors) & ~(rise & fall)
            factors[drop] = np.where(fall[drop], np.inf, 0.0)
            emptied = emptied or bool(drop.any())
        if not emptied:
            break
        M = np.where(np.isnan(empty[0])[:, None] & np.isnan(empty[1]), M, 0.0)
    for side, rise, fall in zip(sides, can_rise, can_fall, strict=True):
        require_cells(side, rise, fall)
    signed = bool((task.M < 0).any())
    return Cells(
        M=M,
        P=_operator(np.maximum(M, 0) if signed else M),
        N=_operator(np.maximum(-M, 0)) if signed else None,
        empty_rows=empty[0],
        empty_cols=empty[1],
        set_rows=~np.isnan(task.rows) & (can_rise[0] | can_fall[0]),
        set_cols=~np.isnan(task.cols) & (can_rise[1] | can_fall[1]),
    )


def _operator(A: Array) -> Any:
    """The matrix, or a sparse one where most cells are zero."""
    if np.count_nonzero(A) >= SPARSE * A.size:
        return A
    from scipy.sparse import csr_array

    return csr_array(A)
