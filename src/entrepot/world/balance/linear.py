"""Linear systems of balancing: conjugate gradients, and elimination of one side's multipliers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from entrepot.core.tables import Array
from entrepot.world.balance.task import Index, Mask

DIRECT = 3000  # lines up to which least squares are solved by factorisation


def conjugate_gradient(
    apply: Callable[[Array], Array],
    rhs: Array,
    diagonal: Array,
    enough: Callable[[Array], bool],
    most: int,
) -> tuple[Array, int]:
    """Solution of a symmetric positive semidefinite system, as far as it was taken, and the steps.

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


@dataclass(frozen=True, eq=False, slots=True)
class Schur:
    """Solves for a, b such that the cells w (a + b) have given sums, a having been eliminated.

    `per_row`: inverse row sums of w, 0 where no sum is given; `set_cols`: columns with one;
    `scale`: what their misses are relative to. `direct` solves the reduced system; without it
    conjugate gradients do.
    """

    w: Array
    per_row: Array
    set_cols: Mask
    scale: Array
    direct: Callable[[Array], Array] | None

    def solve(self, need_rows: Array, need_cols: Array) -> tuple[Array, Array, int]:
        """Row and column multipliers, and the steps taken."""
        rest = np.where(self.set_cols, need_cols - self.w.T @ (self.per_row * need_rows), 0.0)
        b, used = self._iterated(rest) if self.direct is None else (self.direct(rest), 1)
        return self.per_row * (need_rows - self.w @ b), b, used

    def _iterated(self, rest: Array) -> tuple[Array, int]:
        sums = self.w.sum(0)

        def apply(x: Array) -> Array:
            passed_on = self.w.T @ (self.per_row * (self.w @ x))
            return np.where(self.set_cols, sums * x - passed_on, 0.0)

        def worst(left: Array) -> float:
            return float(np.abs(left / self.scale).max(where=self.set_cols, initial=0.0))

        enough = 1e-4 * worst(rest)
        return conjugate_gradient(
            apply,
            rest,
            np.where(self.set_cols, sums, 1.0),
            lambda left: worst(left) <= enough,
            10 * len(rest),
        )


def schur(
    w: Array, set_rows: Mask, set_cols: Mask, scale: Array, label: Index, closed: Mask
) -> Schur:
    """The system over cells of weight w (n, m), factorised where it is neither large nor singular.

    `label` (m,): the group of each column (-1 without); in a `closed` group the level of the
    column multipliers is free. Factorised, one of them is held at zero.
    """
    sums = w.sum(1)
    with np.errstate(over="ignore"):  # a row of almost nothing: the factorisation says so
        per_row = np.divide(1.0, sums, out=np.zeros_like(sums), where=set_rows)
    direct = None
    if int(set_cols.sum()) <= DIRECT:
        size = np.where(set_cols, w.sum(0), 0.0)
        largest_last = np.argsort(size, kind="stable")
        held = np.full(len(closed), -1)
        held[label[largest_last]] = largest_last  # the last assignment stays
        free = set_cols.copy()
        free[held[closed & (held >= 0)]] = False
        direct = _factorised(w, per_row, size, free)
    return Schur(w, per_row, set_cols, scale, direct)


def _factorised(
    w: Array, per_row: Array, size: Array, free: Mask
) -> Callable[[Array], Array] | None:
    """A solver of the reduced system over the free columns; None where it is near singular."""
    if not free.any():
        return np.zeros_like
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    B = w[:, free] * np.sqrt(per_row)[:, None]
    S = B.T @ B
    np.negative(S, out=S)
    S[np.diag_indices_from(S)] += size[free]
    try:
        factor = cho_factor(S, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return None

    def solve(rest: Array) -> Array:
        b = np.zeros_like(rest)
        b[free] = cho_solve(factor, rest[free], check_finite=False)
        return b

    return solve
