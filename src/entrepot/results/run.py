"""`run(world, scenario)`: the one verb."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues.elasticities import STANDARD, elasticity_sets
from entrepot.core.errors import EntrepotError, InfeasibleError, ScenarioError, WorldError
from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.counterfactual import counterfactual_world
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.entry import Equilibrium, Search, equilibrium, other_equilibria
from entrepot.equilibrium.outcome import Certificate, State, base_state, rebase
from entrepot.equilibrium.path import PathSplit, path_split
from entrepot.equilibrium.problem import Closure
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import Solution
from entrepot.equilibrium.welfare import (
    TradeShift,
    Welfare,
    trade_shift,
    welfare,
    welfare_split,
)
from entrepot.scenario.collapse import collapsed
from entrepot.scenario.lower import Lowered, lower, theta_for
from entrepot.scenario.model import Assumptions, Scenario
from entrepot.scenario.variants import numeric, stated
from entrepot.world.groups import GroupUse, group_use
from entrepot.world.world import World

Array = NDArray[np.float64]

BASE_LIMIT = 1e-6  # a base that misses its equations by more is not changed from


@dataclass(frozen=True, slots=True)
class Solve:
    """How the solve ended."""

    status: str
    residual: float
    steps: int
    seconds: float
    route: str


@dataclass(frozen=True, eq=False)
class Headline:
    """Real income by region in per cent under one set of assumptions, or why there is none."""

    elasticities: str
    closure: str
    welfare_pct: Array | None
    reason: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The answer: base and new equilibrium, how it was found and checked, and its limits.

    Never partial: an uncertified solve raises instead. `base` is the state
    results are reported against (the balanced one under `balanced_first`).
    """

    scenario: Scenario
    lowered: Lowered
    economy: Economy
    base: State
    state: State
    solve: Solve
    certificate: Certificate
    welfare: Welfare
    split: dict[str, Array]
    shift: TradeShift
    headlines: tuple[Headline, ...]
    deficit_part: Array | None
    tolerance: float
    path: PathSplit | None = None
    search: Search | None = None
    shut: NDArray[np.bool_] | None = None

    def __repr__(self) -> str:
        gain = ((self.welfare.real_income - 1) * self.base.I).sum() / self.base.I.sum()
        return (
            f"Result({self.scenario.name!r} on {self.base_world.name}: {self.solve.status} in "
            f"{self.solve.steps} steps; world real income {100 * gain:+.3f} %; see .regions, .sectors, "
            ".world, .to_dict())"
        )

    @property
    def base_world(self) -> World:
        """The world the question was asked of (sectors merged and baseline attached, if so stated)."""
        return self.lowered.world

    @cached_property
    def world(self) -> World:
        """The counterfactual World, balanced: every measure can be taken before and after."""
        return counterfactual_world(
            self.lowered.world,
            self.economy,
            self.state,
            {"scenario": self.scenario.name, "base": self.lowered.world.content_hash},
        )

    @cached_property
    def groups(self) -> dict[str, GroupUse]:
        """Groups the scenario used, and the least-developed, as resolved in this world."""
        return self.lowered.groups | {
            "least_developed": group_use(self.base_world, "least_developed")
        }

    @property
    def regions(self) -> Any:
        """Region table as a pandas DataFrame (`results.tables.region_rows`)."""
        import pandas as pd

        from entrepot.results.tables import region_rows

        return pd.DataFrame(region_rows(self)).set_index("region")

    @property
    def sectors(self) -> Any:
        """Sector table as a pandas DataFrame (`results.tables.sector_rows`)."""
        import pandas as pd

        from entrepot.results.tables import sector_rows

        return pd.DataFrame(sector_rows(self)).set_index("sector")

    def to_dict(self) -> dict[str, Any]:
        """The machine face: plain data, the object that `entrepot run --json` prints."""
        from entrepot.results.tables import result_dict

        return result_dict(self)


@dataclass(frozen=True, eq=False)
class Solved:
    """One economy solved for one shock and closure."""

    economy: Economy
    base: State
    state: State
    found: Equilibrium
    deficit_part: Array | None

    @property
    def solution(self) -> Solution:
        """How it was found, in the solver's terms."""
        return self.found.solution

    @property
    def certificate(self) -> Certificate:
        """The new equilibrium's."""
        return self.found.certificate


def economy_for(world: World, theta: Array, given: Assumptions) -> Economy:
    """The economy of a world under a scenario's assumptions, its elasticities given by sector."""
    return calibrate(
        world,
        theta,
        taxes=given.taxes,
        inventories=given.inventories,
        sourcing=given.sourcing,
        variant=numeric(given.variant, world, theta),
    )


def run(
    world: World,
    scenario: Scenario,
    horizon: Literal["years"] = "years",
    assumptions: Assumptions | None = None,
    *,
    headlines: bool = True,
    path: bool = False,
    tolerance: float = 1e-9,
) -> Result:
    """Ask a scenario of a world.

    Parameters
    ----------
    horizon : `years`, the trade equilibrium (the only horizon there is so far).
    assumptions : replace the scenario's own.
    headlines : also solve under the other standard elasticity set and the other closures,
        and under scale effects look for other equilibria.
    path : also split real income along the path of the shock, so that the terms sum
        to the exact change (`equilibrium.path`); some ten equilibria more.
    tolerance : largest miss of any equation, relative, for the solver to stop.

    Raises WorldError or ScenarioError for a question that cannot be put,
    InfeasibleError or NotConvergedError when there is no certified answer.

    """
    if horizon != "years":
        raise ScenarioError(f"there is no horizon {horizon!r}; the trade equilibrium is 'years'.")
    if assumptions is not None:
        scenario = scenario.model_copy(update={"assumptions": assumptions})
    began = time.perf_counter()
    given = scenario.assumptions
    whole = lower(scenario, world)
    lowered = collapsed(whole, stated(given.variant))
    economy = economy_for(lowered.world, lowered.theta, given)
    try:
        solved = solve_closure(economy, lowered.shock, given.closure, tolerance)
    except InfeasibleError as error:
        raise InfeasibleError(f"{scenario.name} on {world.name}: {error}") from None
    seconds = time.perf_counter() - began
    answer = welfare(solved.economy, solved.base, solved.state)
    heads = [Headline(lowered.theta_name, given.closure, 100 * (answer.real_income - 1))]
    if headlines:
        heads += _other_headlines(scenario, whole, economy, tolerance)
    return Result(
        scenario=scenario,
        lowered=lowered,
        economy=solved.economy,
        base=solved.base,
        state=solved.state,
        solve=Solve(
            solved.solution.outcome.value,
            solved.solution.residual,
            solved.solution.steps,
            seconds,
            solved.solution.route,
        ),
        certificate=solved.certificate,
        welfare=answer,
        split=welfare_split(solved.economy, lowered.shock, solved.base, solved.state),
        shift=trade_shift(
            lowered.shock, solved.economy, solved.base, solved.state, lowered.world.one_economy
        ),
        headlines=tuple(heads),
        deficit_part=solved.deficit_part,
        tolerance=tolerance,
        path=_path(solved, given.closure) if path else None,
        search=search(solved, lowered.shock, given.closure, tolerance) if headlines else None,
        shut=solved.found.shut if solved.found.shut.any() else None,
    )


def search(
    solved: Solved, shock: TradeShock, closure: str, tolerance: float, starts: int = 2
) -> Search | None:
    """Look for other equilibria of a solved question; None without scale effects."""
    if not solved.economy.variant.has_scale:
        return None
    return other_equilibria(
        solved.economy, shock, solved.found, closure=mode(closure), starts=starts, tol=tolerance
    )


def _path(solved: Solved, closure: str) -> PathSplit:
    return path_split(solved.economy, solved.found.shock, solved.state, closure=mode(closure))


def mode(closure: str) -> Closure:
    """The rule for deficits in the equations that a closure of `Assumptions` comes to."""
    if closure == "proportional":
        return "proportional"
    return "none" if closure in ("zero", "balanced_first") else "world_share"


def solve_closure(economy: Economy, shock: TradeShock, closure: str, tolerance: float) -> Solved:
    """Solve under a closure of `Assumptions.closure` and certify; see docs/explanation/model.md."""
    economy, rule = closed(economy, closure, tolerance)
    base = base_state(economy)
    deficit_part = None
    if closure == "zero":
        alone = equilibrium(economy, no_shock(economy), closure=rule, tol=tolerance)
        deficit_part = welfare(economy, base, alone.state).real_income - 1
    found = equilibrium(economy, shock, closure=rule, tol=tolerance)
    return Solved(economy, base, found.state, found, deficit_part)


def closed(economy: Economy, closure: str, tolerance: float) -> tuple[Economy, Closure]:
    """The economy to solve, balanced first where the closure says so, and the solver's rule.

    Raises WorldError for a base that is too far from an equilibrium to be changed from.
    """
    if closure == "balanced_first":
        return balanced(economy, tolerance), "none"
    if economy.base_gap > BASE_LIMIT:
        raise WorldError(
            f"the base misses its own equations by {economy.base_gap:.1e}, so changes from it would "
            "mix in that error; use `closure: balanced_first`, which re-solves it."
        )
    return economy, mode(closure)


def balanced(economy: Economy, tolerance: float) -> Economy:
    """The economy with deficits set to zero and the base re-solved (Caliendo & Parro 2015)."""
    found = equilibrium(economy, no_shock(economy), closure="none", tol=tolerance / 10)
    return rebase(economy, found.state)


OTHER_CLOSURES = {
    "world_share": ("proportional", "balanced_first"),
    "proportional": ("world_share", "balanced_first"),
    "balanced_first": ("world_share", "proportional"),
    "zero": ("balanced_first",),
}


def _other_headlines(
    scenario: Scenario, whole: Lowered, economy: Economy, tolerance: float
) -> list[Headline]:
    """Real income under the other standard elasticity sets, and under the other closures."""
    given = scenario.assumptions
    lowered = collapsed(whole, stated(given.variant))
    out = []
    for name in STANDARD:
        if name == given.elasticities:
            continue
        label = f"{name} ({elasticity_sets()[name]['label']})"
        try:
            theta, label = theta_for(name, whole.world)
            again = replace(whole, theta=theta, theta_name=label)
            again = collapsed(again, stated(given.variant))
            label = again.theta_name
            other = economy_for(again.world, again.theta, given)
            out.append(_headline(label, given.closure, other, lowered.shock, tolerance))
        except EntrepotError as error:
            out.append(Headline(label, given.closure, None, str(error)))
    out += [
        _headline(lowered.theta_name, closure, economy, lowered.shock, tolerance)
        for closure in OTHER_CLOSURES[given.closure]
    ]
    return out


def _headline(
    label: str, closure: str, economy: Economy, shock: TradeShock, tolerance: float
) -> Headline:
    try:
        solved = solve_closure(economy, shock, closure, tolerance)
    except EntrepotError as error:
        return Headline(label, closure, None, str(error))
    hat = welfare(solved.economy, solved.base, solved.state).real_income
    return Headline(label, closure, 100 * (hat - 1))
