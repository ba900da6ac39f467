"""Losses passed along a network, the worst input binding: the map, its traps, its least solution.

A node's loss is the largest of its own shock, what each of its *branches*
passes on (the weighted loss of the suppliers in one essential sector), and what
its linear part passes on (the weighted loss of everything else):

    l_i = max(floor_i, max_k sum_(j in k) D_ji sigma_j l_j, sum_(j linear) D_ji sigma_j l_j)

The index wants the least solution, which is where iterating from no loss ends.
With weights that sum to one it is a largest hitting probability (a Markov
decision process: a node chooses the branch, the branch draws a supplier), and
plain iteration has two faults there. It can crawl: among nodes that can pass a
loss around for ever without leak (an *end component*), a loss arrives in full
however small each step is. And its last step bounds no error. So end components
are found once, branches that stay inside are dropped and their members, whose
losses are equal, are set to the largest among them; and an answer counts only
with a bound above it that is checked to be one: if G(v) <= v, the least solution
is below v (Tarski).

Sources: Diem, Borsos, Reisch, Kertész & Thurner (2022), Methods; Baier & Katoen
(2008), Principles of Model Checking, section 10.6, on end components and largest
reachability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from entrepot.core.errors import NotConvergedError
from entrepot.core.tables import Array

Index = NDArray[np.intp]
LEAKLESS = 1e-12  # weights that sum to one within this leak nothing
BATCH = 512


@dataclass(frozen=True, eq=False)
class Branch:
    """What the suppliers in `rows` pass to the buyers in `cols`: `weights` (rows, cols)."""

    rows: slice
    cols: Index | None  # None: every buyer
    weights: Array


@dataclass(frozen=True, eq=False)
class Cascade:
    """The map, on nodes in order of sector.

    `first` (S,) is the first node of each sector and `share` (N,) a node's share
    of its sector's size where suppliers are replaceable, else None; `together`
    lists the end components; `linear` holds the linear part, its suppliers in
    `linear_rows`.
    """

    nodes: int
    branches: tuple[Branch, ...]
    linear: Array | None
    linear_rows: Index
    together: tuple[Index, ...] = ()
    share: Array | None = None
    first: Index | None = None
    sector: Index | None = None

    def lift(self, loss: Array) -> Array:
        """Members of an end component at the largest loss among them, in place."""
        for members in self.together:
            loss[:, members] = loss[:, members].max(1, keepdims=True)
        return loss

    def passed(self, loss: Array) -> Array:
        """sigma_j l_j: what suppliers fail to deliver after replacement (k, N).

        sigma_j = min(1, s_j / sum over j's sector of s_l (1 - l_l)): what a sector
        still makes beyond a supplier's own sales replaces it.
        """
        if self.share is None or self.first is None or self.sector is None:
            return loss
        left = np.add.reduceat((1 - loss) * self.share, self.first, axis=1)
        with np.errstate(divide="ignore"):
            factor = np.where(left > 0, 1 / left, np.inf)
        factor = np.minimum(factor, np.finfo(loss.dtype).max)
        return np.minimum(factor[:, self.sector] * self.share, 1) * loss

    def step(self, loss: Array, floor: Array) -> Array:
        """One application of the map to losses (k, N), as a new array."""
        given = self.passed(loss)
        if self.linear is None:
            out = floor.copy()
        else:
            whole = self.linear_rows.size == self.nodes
            out = (given if whole else given[:, self.linear_rows]) @ self.linear
            np.maximum(out, floor, out=out)
        room = np.empty_like(out)
        for branch in self.branches:
            if branch.cols is None:
                np.matmul(given[:, branch.rows], branch.weights, out=room)
                np.maximum(out, room, out=out)
            else:
                part = given[:, branch.rows] @ branch.weights
                out[:, branch.cols] = np.maximum(out[:, branch.cols], part)
        # Weights sum to one only to rounding.
        return self.lift(np.minimum(out, 1, out=out))


def cascade(
    D: Array,
    kind: NDArray[np.int8],
    sector: Index,
    share: Array | None = None,
    *,
    traps: bool = True,
) -> Cascade:
    """The map of weights D (N, N), supplier to buyer, nodes in order of sector.

    `kind` (S, S), by sector of supplier and buyer: 2 a branch a supplier sector,
    1 the linear part, 0 nothing. `share` (N,): sizes within the sector, for
    replaceable suppliers. Without `traps` end components are left as they are,
    which is plain iteration.
    """
    n = len(sector)
    count = len(kind)
    ends = np.searchsorted(sector, np.arange(count + 1))
    spans = [slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    essential = kind[:, sector] == 2  # (S, N)
    plain = np.repeat(kind == 1, np.diff(ends), axis=0)[:, sector]  # (N, N)
    linear = np.where(plain, D, 0) if plain.any() else None
    together: tuple[Index, ...] = ()
    if traps:
        sure = np.ones(n, bool) if share is None else share >= 1 - LEAKLESS
        kept, stay_linear, together = _end_components(D, essential, linear, spans, sure)
        if linear is not None:
            linear[:, stay_linear] = 0
        essential = essential & kept
    branches = []
    for k, span in enumerate(spans):
        cols = np.flatnonzero(essential[k] & (D[span] > 0).any(0))
        if cols.size:
            everyone = cols.size == n
            weights = np.ascontiguousarray(D[span] if everyone else D[span][:, cols])
            branches.append(Branch(span, None if everyone else cols, weights))
    rows = np.zeros(0, np.intp)
    if linear is not None:
        rows = np.flatnonzero(linear.any(1))
        linear = np.ascontiguousarray(linear[rows]) if rows.size < n else linear
        linear = linear if rows.size else None
    first = np.flatnonzero(np.diff(sector, prepend=-1)) if share is not None else None
    place = None if first is None else np.repeat(np.arange(first.size), np.diff([*first, n]))
    return Cascade(n, tuple(branches), linear, rows, together, share, first, place)


def _end_components(
    D: Array,
    essential: NDArray[np.bool_],
    linear: Array | None,
    spans: Sequence[slice],
    sure: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[Index, ...]]:
    """Largest sets of nodes that can pass a loss around for ever without leak.

    Returns which branches (S, N) are kept (those that do not stay inside), which
    buyers' linear parts stay inside (N,), and the sets. Found by splitting into
    strong components and dropping what leaves them until nothing leaves
    (Baier & Katoen 2008, algorithm 47).
    """
    n = D.shape[1]
    used = D > 0
    unsure = used & ~sure[:, None]
    inside = np.zeros((len(spans), n), bool)
    for k, span in enumerate(spans):
        inside[k] = essential[k] & used[span].any(0) & ~unsure[span].any(0)
    closed = np.zeros(n, bool)
    if linear is not None:
        closed = (linear.sum(0) >= 1 - LEAKLESS) & ~((linear > 0) & ~sure[:, None]).any(0)
    if not inside.any() and not closed.any():
        return ~inside, closed, ()
    branch_edges = used & (linear == 0) if linear is not None else used
    while True:
        edges = np.zeros((n, n), bool)
        for k, span in enumerate(spans):
            edges[span] = branch_edges[span] & inside[k]
        if linear is not None:
            edges |= (linear > 0) & closed
        _, label = connected_components(csr_array(edges), connection="strong")
        leaves = edges & (label[:, None] != label[None, :])
        gone = np.array([leaves[span].any(0) for span in spans]) & inside
        if linear is not None:
            gone_linear = (leaves & (linear > 0)).any(0) & closed
        else:
            gone_linear = np.zeros(n, bool)
        if not gone.any() and not gone_linear.any():
            break
        inside &= ~gone
        closed &= ~gone_linear
    active = inside.any(0) | closed
    sets = [np.flatnonzero(active & (label == x)) for x in np.unique(label[active])]
    return ~inside, closed, tuple(s for s in sets if s.size > 1)


@dataclass(frozen=True, eq=False)
class Settled:
    """Least losses (k, N), a bound above them (k, N), last change and steps by shock (k,)."""

    loss: Array
    bound: Array
    residual: Array
    steps: NDArray[np.int64]


def iterate(
    c: Cascade, start: Array, floor: Array, goal: Array, max_steps: int
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Apply the map until the largest change of each shock is at most its goal.

    Returns losses (k, N), last changes and steps (k,). Shocks that are done drop
    out. Raises NotConvergedError when max_steps do not suffice.
    """
    loss = start.copy()
    change = np.full(len(loss), np.inf)
    steps = np.zeros(len(loss), np.int64)
    active = np.arange(len(loss))
    now, base = loss, floor
    for _ in range(max_steps):
        new = c.step(now, base)
        moved = np.abs(new - now).max(1).astype(float)
        steps[active] += 1
        done = moved <= goal[active]
        if done.any():
            loss[active[done]], change[active[done]] = new[done], moved[done]
            active, new, base = active[~done], new[~done], base[~done]
        if not active.size:
            return loss, change, steps
        now = new
    raise NotConvergedError(
        f"{active.size} of {len(loss)} shocks still change by {moved.max():.1e} a step after "
        f"{max_steps:,} steps; raise max_steps or tol. Losses that pass round with little leak "
        "take long; where they do not leak at all, replaceable=True gives them one."
    )


def settle(
    c: Cascade, start: Array, floor: Array, weight: Array, tol: float, max_steps: int
) -> Settled:
    """Least losses, each shock's weighted total known to within tol.

    `start` (k, N) must lie below the least solution. `weight` (N,) sums to one.
    The bound is v = l + d w with G(v) <= v checked; w grows by w <- 1 + (G(v) - l)/d
    until it holds, which it does once losses shrink over that many steps.

    Raises NotConvergedError where no bound within tol is found in max_steps.
    """
    count = len(start)
    loss, bound = start.copy(), np.ones_like(start)
    residual, steps = np.zeros(count), np.zeros(count, np.int64)
    todo = np.arange(count)
    goal = np.full(count, tol / 4)
    while todo.size:
        found, moved, taken = iterate(c, loss[todo], floor[todo], goal[todo], max_steps)
        loss[todo], residual[todo] = found, moved
        steps[todo] += taken
        above, need, taken = _bound(c, found, floor[todo], moved, weight, tol, max_steps)
        steps[todo] += taken
        bound[todo] = above
        open_ = np.isfinite(need)
        goal[todo] = need
        if (steps[todo[open_]] >= max_steps).any():
            raise NotConvergedError(
                f"{int(open_.sum())} of {count} shocks have no bound within {tol:.1e} after "
                f"{max_steps:,} steps; raise max_steps or tol."
            )
        todo = todo[open_]
    return Settled(loss, bound, residual, steps)


def _bound(
    c: Cascade,
    loss: Array,
    floor: Array,
    moved: Array,
    weight: Array,
    tol: float,
    max_steps: int,
) -> tuple[Array, Array, NDArray[np.int64]]:
    """A checked bound above each shock's losses, or the change to iterate to before trying again.

    Returns bounds (k, N); the smaller change needed (k,), infinite where the bound
    holds; steps taken (k,).
    """
    above = np.ones_like(loss)
    need = np.full(len(loss), np.inf)
    steps = np.zeros(len(loss), np.int64)
    active = np.arange(len(loss))
    now, base, first = loss, floor, moved
    slack = np.ones_like(loss)
    for _ in range(max_steps):
        size = (tol / (slack @ weight)).astype(loss.dtype)
        v = c.lift(np.minimum(now + size[:, None] * slack, 1))
        image = c.step(v, base)
        steps[active] += 1
        holds = (image <= v).all(1)
        above[active[holds]] = v[holds]
        # What is left of the iteration exceeds the room there is: no bound can hold yet.
        short = ~holds & (first > size / 2)
        need[active[short]] = size[short] / 4
        keep = ~holds & ~short
        if not keep.any():
            return above, need, steps
        slack = 1 + np.maximum(image - now, 0)[keep] / size[keep, None]
        c.lift(slack)
        active, now, base, first = active[keep], now[keep], base[keep], first[keep]
    raise NotConvergedError(
        f"{active.size} shocks have no bound within {tol:.1e} after {max_steps:,} steps; raise "
        "max_steps or tol, or use replaceable=True, which damps what passes round."
    )
