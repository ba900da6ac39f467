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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from entrepot.core.errors import NotConvergedError
from entrepot.core.tables import Array

Index = NDArray[np.intp]
NONE = np.zeros(0, np.intp)
DOUBLE: np.dtype[np.floating[Any]] = np.dtype(np.float64)
LEAKLESS = 1e-12  # weights that sum to one within this leak nothing
BATCH = 256  # shocks at a time
PATIENCE = 200  # steps before a shock is looked at again


@dataclass(frozen=True, eq=False)
class Branch:
    """What the suppliers in `rows` pass to the buyers in `cols`: `weights` (rows, cols)."""

    rows: slice
    cols: Index | None  # None: every buyer
    weights: Array


@dataclass(frozen=True, eq=False)
class Cascade:
    """The map, on nodes in order of sector.

    `linear` holds the linear part, its suppliers in `linear_rows`; `together` lists
    the end components and `sure` (N,) the suppliers known to be beyond replacement.
    Where suppliers are replaceable `share` (N,) is a node's share of its sector's
    size, `first` the first node of each sector and `sector` each node's.
    """

    nodes: int
    sure: NDArray[np.bool_]
    branches: tuple[Branch, ...]
    linear: Array | None
    linear_rows: Index
    together: tuple[Index, ...] = ()
    share: Array | None = None
    first: Index = field(default_factory=lambda: NONE)
    sector: Index = field(default_factory=lambda: NONE)

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
        if self.share is None:
            return loss
        left = self._left(loss, self.share)
        with np.errstate(divide="ignore", over="ignore"):
            factor = np.where(left > 0, 1 / left, np.inf)
        factor = np.minimum(factor, np.finfo(loss.dtype).max)
        return np.minimum(factor[:, self.sector] * self.share, 1) * loss

    def _left(self, loss: Array, share: Array) -> Array:
        """What each sector still makes, of 1 (k, sectors)."""
        return np.add.reduceat((1 - loss) * share, self.first, axis=1)

    def irreplaceable(self, loss: Array) -> NDArray[np.bool_]:
        """Suppliers (k, N) whose sector makes no more than they sold: sigma_j = 1."""
        if self.share is None:
            return np.ones(loss.shape, bool)
        return self._left(loss, self.share)[:, self.sector] <= self.share

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
    sure: NDArray[np.bool_] | None = None,
    traps: bool = True,
    dtype: np.dtype[np.floating[Any]] = DOUBLE,
) -> Cascade:
    """The map of weights D (N, N), supplier to buyer, nodes in order of sector.

    `kind` (S, S), by sector of supplier and buyer: 2 a branch a supplier sector,
    1 the linear part, 0 nothing. `share` (N,): sizes within the sector, for
    replaceable suppliers, of which those in `sure` (N,) are beyond replacement: by
    default those who are alone in their sector. Without `traps` end components are left as they are,
    which is plain iteration. `dtype` is what the map computes in.
    """
    n = len(sector)
    count = len(kind)
    ends = np.searchsorted(sector, np.arange(count + 1))
    spans = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    essential = kind[:, sector] == 2  # (S, N)
    plain = np.repeat(kind == 1, np.diff(ends), axis=0)[:, sector]  # (N, N)
    linear = np.where(plain, D, 0) if plain.any() else None
    together: tuple[Index, ...] = ()
    if sure is None:
        sure = np.ones(n, bool) if share is None else share >= 1 - LEAKLESS
    if traps:
        kept, stay_linear, together = _end_components(D, essential, linear, spans, sure)
        if linear is not None:
            linear[:, stay_linear] = 0
        essential = essential & kept
    branches = []
    for k, span in enumerate(spans):
        cols = np.flatnonzero(essential[k] & (D[span] > 0).any(0))
        if cols.size:
            everyone = cols.size == n
            weights = D[span] if everyone else D[span][:, cols]
            weights = np.ascontiguousarray(weights, dtype)
            branches.append(Branch(span, None if everyone else cols, weights))
    rows = first = place = NONE
    if linear is not None:
        rows = np.flatnonzero(linear.any(1))
        linear = np.ascontiguousarray(linear[rows], dtype) if rows.size else None
    if share is not None:
        share = share.astype(dtype)
        first = np.flatnonzero(np.diff(sector, prepend=-1))
        place = np.repeat(np.arange(first.size), np.diff([*first, n]))
    return Cascade(n, sure, tuple(branches), linear, rows, together, share, first, place)


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
    (Baier & Katoen 2008, section 10.6).
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
        gone_linear = np.zeros(n, bool)
        if linear is not None:
            gone_linear = (leaves & (linear > 0)).any(0) & closed
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
    c: Cascade, start: Array, floor: Array, goal: Array, most: int
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Apply the map until the largest change of each shock is at most its goal, or `most` times.

    Returns losses (k, N), last changes and steps (k,). Shocks that are done drop out.
    """
    loss = start.copy()
    change = np.full(len(loss), np.inf)
    steps = np.zeros(len(loss), np.int64)
    active = np.arange(len(loss))
    now, base = loss, floor
    for _ in range(most):
        new = c.step(now, base)
        change[active] = np.abs(new - now).max(1)
        steps[active] += 1
        done = change[active] <= goal[active]
        if done.any():
            loss[active[done]] = new[done]
            active, new, base = active[~done], new[~done], base[~done]
        now = new
        if not active.size:
            break
    loss[active] = now
    return loss, change, steps


def settle(
    c: Cascade,
    start: Array,
    floor: Array,
    weight: Array,
    tol: float,
    max_steps: int,
    retrap: Callable[[NDArray[np.bool_]], Cascade] | None = None,
) -> Settled:
    """Least losses, each shock's weighted total known to within tol.

    `start` (k, N) must lie below the least solution. `weight` (N,) sums to one.
    Suppliers that nobody is left to replace pass losses on in full from then on,
    which can close end components that the map as given has not: a shock that takes
    long goes on with `retrap` of the suppliers that are beyond replacement by now.

    Raises NotConvergedError where no bound within tol is found in max_steps.
    """
    count = len(start)
    loss, bound = start.copy(), np.ones_like(start)
    residual, steps = np.zeros(count), np.zeros(count, np.int64)
    todo = np.arange(count)
    goal = np.full(count, tol / 4)
    patience = min(PATIENCE, max_steps)
    while todo.size:
        loss[todo], residual[todo], taken = iterate(
            c, loss[todo], floor[todo], goal[todo], patience
        )
        steps[todo] += taken
        calm = todo[residual[todo] <= goal[todo]]
        if calm.size:
            moved = residual[calm]
            bound[calm], need, taken = _bound(c, loss[calm], floor[calm], moved, weight, tol)
            steps[calm] += taken
            goal[calm] = need
            todo = np.setdiff1d(todo, calm[need == np.inf])
        late = todo[steps[todo] >= patience]
        if (steps[late] >= max_steps).any():
            raise NotConvergedError(
                f"{late.size} shocks are not known to within {tol:.1e} after {max_steps:,} steps "
                f"(last change {residual[late].max():.1e}); raise max_steps or tol. Losses that "
                "pass round with little leak take long: replaceable suppliers make for more of it."
            )
        if retrap is None or not late.size:
            continue
        patterns, which = np.unique(c.irreplaceable(loss[late]), axis=0, return_inverse=True)
        for p, sure in enumerate(patterns):
            if (sure & ~c.sure).any():
                rows = late[which.ravel() == p]
                left = max(max_steps - int(steps[rows].max()), 1)
                new = retrap(sure | c.sure)
                got = settle(new, new.lift(loss[rows]), floor[rows], weight, tol, left, retrap)
                loss[rows], bound[rows], residual[rows] = got.loss, got.bound, got.residual
                steps[rows] += got.steps
                todo = np.setdiff1d(todo, rows)
    return Settled(loss, bound, residual, steps)


def _bound(
    c: Cascade, loss: Array, floor: Array, moved: Array, weight: Array, tol: float
) -> tuple[Array, Array, NDArray[np.int64]]:
    """A checked bound above each shock's losses, or the change to iterate to before trying again.

    The bound is v = l + d w with G(v) <= v, its weighted total above l's being tol at
    most; w grows by w <- 1 + (G(v) - l) / d until it holds, which it does once losses
    shrink over that many steps. Returns bounds (k, N); the smaller change needed (k,),
    infinite where the bound holds; steps taken (k,).
    """
    above = np.ones_like(loss)
    need = np.full(len(loss), np.inf)
    steps = np.zeros(len(loss), np.int64)
    active = np.arange(len(loss))
    now, base, last = loss, floor, moved
    slack = np.ones_like(loss)
    for _ in range(PATIENCE):
        size = (tol / (slack @ weight)).astype(loss.dtype)
        v = c.lift(np.minimum(now + size[:, None] * slack, 1))
        image = c.step(v, base)
        steps[active] += 1
        holds = (image <= v).all(1)
        above[active[holds]] = v[holds]
        # What is left of the iteration exceeds the room there is: no bound can hold yet.
        short = ~holds & (last > size / 2)
        need[active[short]] = size[short] / 4
        keep = ~holds & ~short
        slack = c.lift(1 + np.maximum(image - now, 0)[keep] / size[keep, None])
        active, now, base, last = active[keep], now[keep], base[keep], last[keep]
        if not active.size:
            break
    need[active] = last / 4
    return above, need, steps
