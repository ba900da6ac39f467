"""A sweep's points solved block by block: a pure function of world, sweep and block number.

A block begins its solves from the nearest point it has solved itself, never
from another block's, so numbers depend neither on who solves a block nor on
what was solved before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import EntrepotError, InfeasibleError, NotConvergedError
from entrepot.core.version import __version__
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.entry import equilibrium
from entrepot.equilibrium.equations import Point
from entrepot.equilibrium.iterate import Preconditioner
from entrepot.equilibrium.outcome import State, base_state
from entrepot.equilibrium.problem import Closure
from entrepot.equilibrium.solve import linear_response
from entrepot.equilibrium.welfare import Welfare, welfare
from entrepot.results.run import closed, economy_for
from entrepot.results.tables import outcome_columns
from entrepot.scenario.collapse import collapsed
from entrepot.scenario.lower import lower, with_baseline
from entrepot.scenario.model import Assumptions, BaselineTariff
from entrepot.scenario.sweep import Sweep, number, scenario_with, values_at
from entrepot.scenario.variants import stated
from entrepot.world.world import World

Array = NDArray[np.float64]

BLOCK = 16  # points: enough to share a calibration, few enough to lose to an interrupt
KEPT = 4  # calibrated economies kept at hand
ANSWERED = "converged"


@dataclass(frozen=True, slots=True)
class PointRow:
    """How one point ended: `converged`, or why not; numbers only where it did."""

    status: str
    reason: str = ""
    route: str = ""
    steps: int | None = None
    residual: float | None = None
    seconds: float = 0.0
    world_welfare_pct: float | None = None


@dataclass(frozen=True, eq=False)
class Block:
    """Points `number * BLOCK` onward: how each ended, and its outcomes by region.

    `outcomes` (points, outcomes, n), NaN where a point has no answer.
    """

    number: int
    rows: tuple[PointRow, ...]
    outcomes: Array
    version: str = __version__


@dataclass(frozen=True, eq=False)
class Setting:
    """What points of equal assumptions share."""

    economy: Economy
    mode: Closure
    base: State
    pre: Preconditioner | None


@dataclass(frozen=True, eq=False)
class Near:
    """A point solved before, to begin another from."""

    setting: Setting
    values: dict[str, Any]
    point: Point


@dataclass(frozen=True, eq=False)
class Answer:
    """One point's equilibrium, as outcome columns are read from it."""

    base_world: World
    base: State
    state: State
    welfare: Welfare


def block_count(sweep: Sweep) -> int:
    """How many blocks a sweep has."""
    return -(-sweep.points // BLOCK)


def block_points(sweep: Sweep, block: int) -> range:
    """The points of a block."""
    return range(block * BLOCK, min((block + 1) * BLOCK, sweep.points))


def block_solver(world: World, sweep: Sweep, tolerance: float) -> Callable[[int], Block]:
    """The function that solves a block by its number; a refused point becomes a row that says why."""

    @lru_cache(KEPT)
    def with_tariffs(baseline: tuple[BaselineTariff, ...]) -> World:
        return with_baseline(world, baseline)[0]

    @lru_cache(KEPT)
    def setting(table: World, theta: bytes, assumptions: str) -> Setting:
        given = Assumptions.model_validate_json(assumptions)
        economy = economy_for(table, np.frombuffer(theta), given)
        economy, mode = closed(economy, given.closure, tolerance)
        return Setting(
            economy, mode, base_state(economy), linear_response(economy, economy.pi, economy.X)
        )

    def solve_point(values: dict[str, Any], near: list[Near]) -> tuple[PointRow, Array]:
        scenario = scenario_with(sweep, values)
        given = scenario.assumptions
        table = world
        if given.baseline and given.without_supplier == "refuse":
            table = with_tariffs(given.baseline)  # else `lower` attaches them, point by point
        lowered = collapsed(lower(scenario, table), stated(given.variant))
        use = setting(lowered.world, lowered.theta.tobytes(), given.model_dump_json())
        begin = _nearest(near, use, values)
        ask = partial(
            equilibrium, use.economy, lowered.shock, closure=use.mode, pre=use.pre, tol=tolerance
        )
        try:
            found = ask(begin=begin)
        except NotConvergedError:
            if begin is None:
                raise
            found = ask()
        state, solution = found.state, found.solution
        near.append(Near(use, values, solution.point))
        answer = Answer(lowered.world, use.base, state, welfare(use.economy, use.base, state))
        gain = (answer.welfare.real_income - 1) @ use.base.I / use.base.I.sum()
        row = PointRow(
            status=ANSWERED,
            route=solution.route,
            steps=solution.steps,
            residual=solution.residual,
            world_welfare_pct=float(100 * gain),
        )
        columns = outcome_columns(answer, sweep.outcomes)
        return row, np.stack([columns[name] for name in sweep.outcomes])

    def solve_block(block: int) -> Block:
        points = block_points(sweep, block)
        outcomes = np.full((len(points), len(sweep.outcomes), len(world.regions)), np.nan)
        rows: list[PointRow] = []
        near: list[Near] = []
        for i, point in enumerate(points):
            began = time.perf_counter()
            try:
                row, outcomes[i] = solve_point(values_at(sweep, point), near)
            except EntrepotError as error:
                row = PointRow(_status(error), str(error))
            rows.append(replace(row, seconds=time.perf_counter() - began))
        return Block(block, tuple(rows), outcomes)

    return solve_block


def _status(error: EntrepotError) -> str:
    if isinstance(error, InfeasibleError):
        return "infeasible"
    return "unconverged" if isinstance(error, NotConvergedError) else "refused"


def _nearest(near: list[Near], use: Setting, values: dict[str, Any]) -> Point | None:
    """The point of the same setting whose parameters differ least, relative; None when there is none."""
    same = [other for other in near if other.setting is use]
    if not same:
        return None
    return min(same, key=lambda other: _apart(other.values, values)).point


def _apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    total = 0.0
    for name, value in one.items():
        a, b = number(value), number(other[name])
        if a is None or b is None:
            total += value != other[name]
        elif a != b:
            total += abs(a - b) / (abs(a) + abs(b))
    return total
