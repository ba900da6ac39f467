"""Accounts: a World as a Leontief system of economies, its equations solved once and shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from entrepot.catalogues import groups as catalogue_groups
from entrepot.core.errors import MeasureError, NotConvergedError
from entrepot.core.labels import did_you_mean
from entrepot.core.tables import Array
from entrepot.world.groups import GroupUse, group_use
from entrepot.world.world import World

Level = Literal["region", "economy"]
Together = Mapping[str, Sequence[str]] | Sequence[str] | None
FACTOR_UP_TO = 12_000
"""Nodes up to which the system may be factorised and inverted (1.2 GB each); iterated beyond."""
FEW = 8
"""Right-hand sides up to which iterating is faster than factorising."""
ACCURACY = 1e-13
"""Residual of the iterated equations, relative to the largest right-hand side."""
MOST_STEPS = 2000


@dataclass(frozen=True, eq=False)
class Accounts:
    """A World seen as economies that trade with one another.

    An economy is a region, or several regions taken together: provinces under
    one parent, a bloc. Inside an economy nothing is an export. Nodes are
    ordered economy by economy (`order` leads back to the world's own order).

    With N nodes and n economies, all in million USD:

    - `x` (N,) gross output; `Z` (N, N) intermediate sales;
    - `y` (N, n) final sales by buying economy, stocks drawn counted negative;
    - `v` (N,) primary inputs per unit of output, 1 - column sums of A: value
      added, and the net product taxes and margins paid on inputs;
    - `A = Z / x`, `B = (I - A)^-1`. `sales(f)` is B f, `costs(c)` is c B:
      iterated for a few right-hand sides, else by one factorisation that all
      measures share.

    A node whose output is not positive produces nothing that inputs could be
    assigned to: its column of A is zero, its v is 1, and what it buys counts as
    final use of its economy (`idle` lists them), so that every identity holds.
    """

    world: World
    economies: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    groups: tuple[GroupUse, ...] = ()
    order: NDArray[np.intp] = field(init=False, repr=False)
    starts: NDArray[np.intp] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        s = len(self.world.sectors)
        regions = np.array([r for group in self.members for r in group], np.intp)
        put = object.__setattr__
        put(self, "order", (regions[:, None] * s + np.arange(s)).ravel())
        put(self, "starts", np.cumsum([0, *(len(g) * s for g in self.members)]))

    # --- shape -------------------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Number of economies."""
        return len(self.economies)

    @property
    def s(self) -> int:
        """Number of sectors."""
        return len(self.world.sectors)

    @property
    def N(self) -> int:
        """Number of nodes."""
        return int(self.starts[-1])

    @property
    def large(self) -> bool:
        """Whether it is iterated only: too many nodes to factorise."""
        return self.N > FACTOR_UP_TO

    @property
    def whole(self) -> bool:
        """Whether every economy is one region, in the world's own order."""
        return bool((self.order == np.arange(self.N)).all()) and self.n * self.s == self.N

    def at(self, economy: int) -> slice:
        """Nodes of an economy."""
        return slice(int(self.starts[economy]), int(self.starts[economy + 1]))

    @cached_property
    def economy_of(self) -> NDArray[np.intp]:
        """Economy of each node (N,)."""
        return np.repeat(np.arange(self.n), np.diff(self.starts))

    @cached_property
    def sector_of(self) -> NDArray[np.intp]:
        """Sector of each node (N,)."""
        return np.tile(np.arange(self.s), self.N // self.s)

    def position(self, economy: str) -> int:
        """Position of an economy; raises MeasureError with a did-you-mean."""
        if not isinstance(economy, str):
            raise MeasureError(
                f"{economy!r} is no code; name one economy, as {self.economies[0]!r}."
            )
        if economy in self.economies:
            return self.economies.index(economy)
        for use in self.groups:
            if economy in use.present:
                raise MeasureError(f"{economy} is part of {use.name} here, which is one economy.")
        hint = did_you_mean(economy, self.economies) or "."
        raise MeasureError(f"There is no economy {economy!r} in {self.world.name}{hint}")

    def by_sector(self, amounts: Array) -> Array:
        """Amounts by node (N, ...) summed to economies and sectors (n, s, ...)."""
        shape = (self.n, self.s, *amounts.shape[1:])
        if self.n * self.s == self.N:
            return amounts.reshape(shape)
        out = np.zeros(shape)
        np.add.at(out, (self.economy_of, self.sector_of), amounts)
        return out

    def by_economy(self, amounts: Array, axis: int = 0) -> Array:
        """Amounts by node summed to economies along an axis."""
        return np.add.reduceat(amounts, self.starts[:-1], axis=axis)

    def over_sectors(self, rates: Array) -> Array:
        """Rates per unit of output (N,) as (n, s): means by output, NaN without output."""
        return share(self.by_sector(rates * self.made), self.by_sector(self.made))

    # --- the table ---------------------------------------------------------------------------

    @cached_property
    def Z(self) -> Array:
        """Intermediate sales (N, N); a view where economies are the world's regions."""
        return self.world.Z if self.whole else self.world.Z[np.ix_(self.order, self.order)]

    @cached_property
    def x(self) -> Array:
        """Gross output by node (N,)."""
        return self.world.x[self.order]

    @cached_property
    def made(self) -> Array:
        """Gross output of the nodes that produce, zero for the idle (N,)."""
        return np.maximum(self.x, 0.0)

    @cached_property
    def idle(self) -> NDArray[np.intp]:
        """Nodes whose output is not positive though they buy, sell or earn something."""
        busy = (self.x != 0) | (self.bought != 0) | (np.abs(self.value_added) > 0)
        return np.flatnonzero((self.x <= 0) & busy)

    @cached_property
    def bought(self) -> Array:
        """Inputs bought by node (N,), before product taxes on them."""
        return self.world.Z.sum(0)[self.order]

    @cached_property
    def value_added(self) -> Array:
        """Value added by node (N,), all categories."""
        return self.world.V.sum(0)[self.order]

    @cached_property
    def per_unit(self) -> Array:
        """1 / x, zero where nothing is produced (N,)."""
        return np.divide(1.0, self.x, out=np.zeros(self.N), where=self.x > 0)

    @cached_property
    def v(self) -> Array:
        """Primary inputs per unit of output (N,): 1 less the column sums of A."""
        return 1.0 - self.bought * self.per_unit

    @cached_property
    def inputs_by_buyer(self) -> Array:
        """Intermediate sales by node and buying economy (N, n), idle buyers left out."""
        if not (self.bought[self.x <= 0] != 0).any():
            return np.add.reduceat(self.Z, self.starts[:-1], axis=1)
        return self.Z @ ((self.economy_of[:, None] == np.arange(self.n)) & (self.x > 0)[:, None])

    @cached_property
    def y(self) -> Array:
        """Final sales by node and buying economy (N, n), idle buyers' inputs included."""
        by_region = self.world.F.sum(2)[self.order]
        regions = [r for group in self.members for r in group]
        firsts = np.cumsum([0, *(len(group) for group in self.members)])[:-1]
        out = np.add.reduceat(by_region[:, regions], firsts, axis=1)
        for j in np.flatnonzero((self.x <= 0) & (self.bought != 0)):
            out[:, self.economy_of[j]] += self.Z[:, j]
        return out

    @cached_property
    def flows(self) -> Array:
        """All sales by node and buying economy (N, n), home sales included."""
        return self.inputs_by_buyer + self.y

    @cached_property
    def exports(self) -> Array:
        """Gross exports by node and partner (N, n), zero at home."""
        return self.abroad(self.flows)

    @cached_property
    def home(self) -> NDArray[np.bool_]:
        """Cells (N, n) where the buyer is the node's own economy."""
        return self.economy_of[:, None] == np.arange(self.n)

    def own(self, flows: Array) -> Array:
        """Of (N, n), each node's cell of its own economy (N,)."""
        return np.asarray(flows[np.arange(self.N), self.economy_of])

    def abroad(self, flows: Array) -> Array:
        """Flows (N, n) with those inside economies set to zero."""
        return np.where(self.home, 0.0, flows)

    # --- the system --------------------------------------------------------------------------

    def A(self, rows: slice, columns: slice) -> Array:
        """A block of input coefficients."""
        return self.Z[rows, columns] * self.per_unit[columns]

    @cached_property
    def local(self) -> tuple[Array, ...]:
        """Inverse of each economy's own system, L_ss = (I - A_ss)^-1."""
        out: list[Array] = []
        for i in range(self.n):
            b = self.at(i)
            try:  # I - A sums chains when 1 (I - A)^-1 is positive, and only then
                out.append(
                    np.asarray(np.linalg.inv(np.eye(b.stop - b.start) - self.A(b, b)), float)
                )
            except np.linalg.LinAlgError:
                raise self._unproductive() from None
            if not (out[-1].sum(0) > 0).all():
                raise self._unproductive()
        return tuple(out)

    @cached_property
    def factor(self) -> tuple[Array, NDArray[np.int32]]:
        """LU factors of (I - A)', once for all measures: a C array is its transpose to LAPACK."""
        if self.large:
            raise MeasureError(
                f"{self.world.name} has {self.N:,} nodes: more than {FACTOR_UP_TO:,} are not "
                "factorised. Aggregate the world first (`entrepot world aggregate`)."
            )
        system = np.multiply(self.Z, -self.per_unit)
        system.flat[:: self.N + 1] += 1.0
        lu, pivots, info = lapack.dgetrf(system.T, overwrite_a=True)
        if info != 0 or not (_back(lu, pivots, np.ones(self.N), 0) > 0).all():
            raise self._unproductive()
        return lu, pivots

    @cached_property
    def B(self) -> Array:
        """The Leontief inverse (N, N), formed once from the shared factors."""
        eye = np.zeros((self.N, self.N), order="F")
        eye.flat[:: self.N + 1] = 1.0
        return _back(*self.factor, eye, 0).T

    def sales(self, demand: Array) -> Array:
        """Output that a demand (N,) or (N, k) takes through all tiers: B f."""
        return self._solve(demand, 0)

    def costs(self, coefficients: Array) -> Array:
        """What (N,) or (N, k) coefficients per unit of output embody through all tiers: c B."""
        return self._solve(coefficients, 1)

    def _solve(self, right: Array, transposed: int) -> Array:
        have = self.__dict__
        if "B" in have:
            return (self.B.T if transposed else self.B) @ right
        many = right.ndim > 1 and right.shape[1] > FEW
        if "factor" in have or (many and not self.large):
            return _back(*self.factor, np.array(right, order="F"), 1 - transposed)
        return self._iterate(right, transposed)

    def _iterate(self, right: Array, transposed: int) -> Array:
        """Block Jacobi by economy: home chains exactly, what crosses a border step by step."""
        size = np.maximum(np.abs(right).max(0, initial=0.0), np.finfo(float).tiny)
        x = np.zeros_like(right)
        left, before = right, np.inf
        for _ in range(MOST_STEPS):
            for i in range(self.n):
                b = self.at(i)
                x[b] += (self.local[i].T if transposed else self.local[i]) @ left[b]
            left = right - x + self._chain(x, transposed)
            worst = float((np.abs(left).max(0) / size).max())
            if worst <= ACCURACY or (worst <= 100 * ACCURACY and worst > 0.5 * before):
                return x
            if not np.isfinite(worst):
                break
            before = worst
        raise self._unproductive()

    def _chain(self, x: Array, transposed: int) -> Array:
        """A x, or A' x."""
        wide = self.per_unit if x.ndim == 1 else self.per_unit[:, None]
        return (self.Z.T @ x) * wide if transposed else self.Z @ (x * wide)

    def _unproductive(self) -> NotConvergedError:
        column = 1.0 - self.v
        worst = int(np.argmax(column))
        return NotConvergedError(
            f"The chains of {self.world.name} have no sum: its inputs per unit of output are too "
            f"large (at most {column[worst]:.3g}, {self.name(worst)}). Look at these industries "
            "(`entrepot world check`), or aggregate them."
        )

    def told(self, use: GroupUse) -> str:
        """Who of a group is here and who is not, in a sentence."""
        here, gone = len(use.present), len(use.absent)
        return (
            f"{use.label} as of {use.as_of}: {here} of {here + gone} members are separate in "
            f"{self.world.name}" + (f"; not {', '.join(use.absent)}." if gone else ".")
        )

    def name(self, node: int) -> str:
        """`region sector` of a node."""
        return self.world.node_names[self.order[node]]

    @cached_property
    def origins(self) -> Array:
        """Primary inputs of each economy in a unit of each node's output, v_t B (n, N).

        Columns sum to 1.
        """
        own = np.zeros((self.N, self.n))
        own[np.arange(self.N), self.economy_of] = self.v
        if "B" in self.__dict__:
            return np.add.reduceat(self.v[:, None] * self.B, self.starts[:-1], axis=0)
        return np.ascontiguousarray(self.costs(own).T)

    @cached_property
    def output_by_demand(self) -> Array:
        """Output of each node taken by each economy's final demand, B y (N, n)."""
        return self.sales(self.y)


def _back(lu: Array, pivots: NDArray[np.int32], right: Array, transposed: int) -> Array:
    """Solve by LU factors, over the right-hand side."""
    found, _ = lapack.dgetrs(lu, pivots, right, trans=transposed, overwrite_b=True)
    return np.asarray(found)


def share(part: Array, of: Array) -> Array:
    """Part / of, NaN where `of` is zero: a share of nothing is absent."""
    part, of = np.broadcast_arrays(part, of)
    return np.divide(part, of, out=np.full(part.shape, np.nan), where=of != 0)


def accounts_of(
    world: World | Accounts,
    level: Level = "region",
    together: Together = None,
) -> Accounts:
    """The accounts of a world, its regions as they stand or taken together.

    Parameters
    ----------
    level : `region` takes every region apart; `economy` takes the parts of one
        parent (provinces, zones) together.
    together : more economies to make of several: names of catalogue groups, or
        name to codes of regions (or of economies, at that level). Trade inside
        each is no longer an export.

    Accounts given are returned as they are. Raises MeasureError where codes are
    unknown, or stand in two groups, and where Accounts are to be regrouped.

    """
    if isinstance(world, Accounts):
        if level != "region" or together:
            raise MeasureError(
                "these are accounts of economies already: say level and together where they are made, "
                "in accounts_of(world, ...)."
            )
        return world
    if level not in get_args(Level):
        raise MeasureError(f"the level is {level!r}; region or economy was expected.")
    of = list(world.regions)
    if level == "economy":
        of = [world.parent.get(r, r) for r in world.regions]
    uses, named = _groups(world, together)
    said: dict[str, str] = {}
    for name, codes in named.items():
        if name in of and name not in codes:
            raise MeasureError(
                f"{name!r} names a group and an economy outside it; rename the group."
            )
        for code in codes:
            if code not in of and not world.part_of(code):
                hint = did_you_mean(code, [*of, *world.regions]) or "."
                raise MeasureError(f"{name}: there is no economy {code!r} here{hint}")
            if said.setdefault(code, name) != name:
                raise MeasureError(f"{code} cannot be part of both {said[code]} and {name}.")
    parents = [world.parent.get(r, r) for r in world.regions]
    labels = [
        said.get(r, said.get(p, o)) for r, p, o in zip(world.regions, parents, of, strict=True)
    ]
    economies = tuple(dict.fromkeys(labels))
    members = tuple(
        tuple(i for i, label in enumerate(labels) if label == economy) for economy in economies
    )
    return Accounts(world, economies, members, uses)


def _groups(world: World, together: Together) -> tuple[tuple[GroupUse, ...], dict[str, list[str]]]:
    """The catalogue groups used, and name to codes of all groups."""
    if isinstance(together, Mapping):
        return (), {name: list(codes) for name, codes in together.items()}
    uses = []
    for name in [together] if isinstance(together, str) else together or ():
        if name not in catalogue_groups():
            hint = did_you_mean(name, catalogue_groups()) or "."
            raise MeasureError(f"There is no group {name!r}{hint}")
        uses.append(group_use(world, name))
        if not uses[-1].present:
            raise MeasureError(f"No member of {uses[-1].label} is separate in {world.name}.")
    return tuple(uses), {use.name: list(use.present) for use in uses}
