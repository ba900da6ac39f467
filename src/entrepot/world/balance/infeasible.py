"""Why there is no answer: checks of structure, proofs, and what to do when there is neither.

Let R be rows and C columns such that no positive cell joins R to a column outside C, and no
negative cell joins C to a row outside R. Then the rows of R cannot sum to more than the columns
of C. With no negative cells C is the set of columns that R reaches (Hall's condition). By the
max-flow min-cut theorem such pairs, and their mirrors, are the only obstacles.

Candidates come from multipliers that part or from a minimum cut; each is checked exactly before
it is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NoReturn

import numpy as np

from entrepot.core.errors import InfeasibleError, NotConvergedError
from entrepot.core.tables import Array
from entrepot.world.balance.task import Index, Mask, Task, scale

TIGHT = 100  # sets of lines looked at for cells that must vanish
CUT = 400_000  # cells up to which a minimum cut is computed


def require_totals(task: Task) -> None:
    """Raise InfeasibleError when every target is given and the two totals differ."""
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


def require_cells(task: Task, can_rise: Mask, can_fall: Mask) -> None:
    """Raise InfeasibleError for row targets without a cell of their sign that may move."""
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


def raise_if_apart(task: Task, w: Array, R: Mask, C: Mask) -> None:
    """Raise if rows R and columns C share all cells of weight w and cannot have the same sum."""
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


def raise_if_proven(task: Task, r: Array, s: Array) -> None:
    """Seek sets of lines whose multipliers part from the others, and raise the shortest proof."""
    proofs = []
    for side, rise, push in _orders(task, r, s):
        order, excess, allowed = _beginnings(side, rise, push)
        found = np.flatnonzero(excess > allowed)
        if found.size:
            proofs.append((side, *_shrunk(side, *_begin(side, order, int(found[0])))))
    for side, R, C in sorted(proofs, key=lambda proof: int(proof[1].sum() + proof[2].sum())):
        _raise_if_proof(side, R, C)


def refuse(
    task: Task, r: Array, s: Array, steps: int, worst: str, *, noise: bool, spent: bool
) -> NoReturn:
    """Raise the proof that there is no answer, or else say that none was found and what to do.

    `r`, `s`: the multipliers reached; `worst`: the clause that names the largest miss; `noise`:
    that miss is rounding error; `spent`: the multipliers have left the range of numbers.
    """
    raise_if_proven(task, r, s)
    if np.count_nonzero(task.M) <= CUT:
        for side in (task, task.turned()):
            _raise_if_proof(side, *_cut(side))
    forced = _forced(task, r, s)
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


def _excess(task: Task, R: Mask, C: Mask) -> tuple[float, float]:
    """Targets of R less those of C, exactly rounded, and what the tolerance allows."""
    u, v = task.rows[R], task.cols[C]
    allowed = task.tol * math.fsum(scale(np.concatenate([u, v]), task.total).tolist())
    return math.fsum([*u.tolist(), *(-v).tolist()]), allowed


def _raise_if_proof(task: Task, R: Mask, C: Mask) -> None:
    """Raise InfeasibleError if these rows and columns are a proof; do nothing otherwise."""
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


def _orders(task: Task, r: Array, s: Array) -> Iterator[tuple[Task, Array, Array]]:
    """Both sides of the question, with what parts the lines that ask too much from the others."""
    with np.errstate(divide="ignore", invalid="ignore"):  # an emptied line has factor 0
        a, b = (np.nan_to_num(np.log(f), nan=0.0, posinf=1e9, neginf=-1e9) for f in (r, s))
    for side, rise, fall in ((task, a, -b), (task.turned(), b, -a)):
        rise = np.where(np.isnan(side.rows), -np.inf, rise)
        yield side, rise, np.where(side.M > 0, rise[:, None], -np.inf).max(0)
        yield side, rise, fall


def _beginnings(task: Task, rise: Array, push: Array) -> tuple[Index, Array, Array]:
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
    for first, last in (
        (of_row, np.where(task.M > 0, of_col, -1).max(1)),
        (of_col, np.where(task.M < 0, of_row[:, None], -1).max(0)),
    ):
        late = last > first
        np.add.at(ruled_out, first[late], 1)
        np.add.at(ruled_out, last[late], -1)
    target = np.concatenate([-task.cols, task.rows])[order]  # NaN, and all sums after it
    allowed = task.tol * scale(target, task.total)
    excess = np.where(np.cumsum(ruled_out[:-1]) == 0, np.cumsum(target), np.nan)
    return order, excess, np.cumsum(allowed)


def _begin(task: Task, order: Index, k: int) -> tuple[Mask, Mask]:
    """Rows and columns among the first k + 1 lines."""
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[: k + 1]] = True
    m = len(task.cols)
    return chosen[m:], chosen[:m]


def _shrunk(task: Task, R: Mask, C: Mask) -> tuple[Mask, Mask]:
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


def _forced(task: Task, r: Array, s: Array) -> Mask:
    """Cells that must vanish: in columns whose targets the rows of a set exhaust, outside that set."""
    forced = np.zeros(task.M.shape, dtype=bool)
    for side, rise, push in _orders(task, r, s):
        order, excess, allowed = _beginnings(side, rise, push)
        out = forced if side is task else forced.T
        for k in np.flatnonzero(np.abs(excess) <= allowed)[:TIGHT].tolist():
            R, C = _begin(side, order, k)
            out |= (side.M > 0) & ~R[:, None] & C | (side.M < 0) & R[:, None] & ~C
    return forced


def _cut(task: Task) -> tuple[Mask, Mask]:
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
