"""One scenario through every variant of the model: what depends on the model, and what does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import economy_names
from entrepot.catalogues.elasticities import STANDARD
from entrepot.core.errors import EntrepotError, ScenarioError
from entrepot.core.labels import did_you_mean
from entrepot.equilibrium.economy import Sourcing
from entrepot.equilibrium.entry import in_words
from entrepot.results.run import economy_for, search, solve_closure
from entrepot.results.tables import UNCHANGED
from entrepot.scenario.collapse import collapsed
from entrepot.scenario.lower import Lowered, lower, theta_for
from entrepot.scenario.model import Scenario
from entrepot.scenario.variants import VARIANTS, label, stated
from entrepot.world.world import World

Array = NDArray[np.float64]

SOURCINGS: tuple[Sourcing, ...] = ("by_sector", "by_use", "by_user")
MOVERS = 3  # economies shown that gain and that lose most
SAID = 200  # characters of a reason that a table shows


@dataclass(frozen=True, eq=False)
class Row:
    """Real income by region in per cent under one variant, or why there is none.

    `notes` tell what its equilibria need told: others found, instability; `shut`
    names the producers that free entry made leave.
    """

    variant: str
    sourcing: str
    elasticities: str
    welfare_pct: Array | None
    reason: str = ""
    notes: tuple[str, ...] = ()
    shut: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """`solved`; `shuts`; `several` where other equilibria exist or it is unstable; `refused`."""
        if self.welfare_pct is None:
            return "refused"
        return "several" if self.notes else "shuts" if self.shut else "solved"


@dataclass(frozen=True, eq=False)
class Robustness:
    """A scenario under every variant, and the economies shown: `movers`, positions in the world.

    The first row is the scenario's own; incomes weigh.
    """

    scenario: Scenario
    world: World
    income: Array
    named: NDArray[np.bool_]
    movers: tuple[int, ...]
    rows: tuple[Row, ...]

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """World, the economies named and the others."""
        out = {"world": np.ones_like(self.named)}
        if self.named.any() and not self.named.all():
            out |= {"members": self.named, "others": ~self.named}
        return out

    def table(self) -> list[dict[str, Any]]:
        """One plain row a variant; per cent of real income, absent where refused."""
        first = self.rows[0].welfare_pct
        out = []
        for row in self.rows:
            plain: dict[str, Any] = {
                "variant": row.variant,
                "sourcing": row.sourcing,
                "elasticities": row.elasticities,
                "status": row.status,
                "reason": row.reason,
                "notes": list(row.notes),
                "shut": list(row.shut),
            }
            values = row.welfare_pct
            if values is not None:
                for key, mask in self.masks().items():
                    plain[f"{key}_pct"] = float(
                        values[mask] @ self.income[mask] / self.income[mask].sum()
                    )
                plain["regions_pct"] = dict(zip(self.world.regions, values.tolist(), strict=True))
                if first is not None:
                    same = [np.sign(np.where(np.abs(v) > UNCHANGED, v, 0)) for v in (values, first)]
                    plain["same_sign"] = int((same[0] == same[1]).sum())
            out.append(plain)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        names = economy_names(self.world.regions) | dict(self.world.region_names)
        return {
            "scenario": self.scenario.model_dump(mode="json", exclude_none=True),
            "world": {"name": self.world.name, "sha256": self.world.content_hash},
            "variants": {
                name: {"meaning": row.meaning, "neighbour": row.neighbour, "limit": row.limit}
                for name, row in VARIANTS.items()
            },
            "movers": {self.world.regions[i]: names[self.world.regions[i]] for i in self.movers},
            "rows": self.table(),
            "unit": "real income, per cent of base (equivalent variation)",
        }


def robustness(
    world: World,
    scenario: Scenario,
    *,
    variants: Sequence[str] = (),
    elasticities: Iterable[str] = STANDARD,
    sourcings: Iterable[Sourcing] = SOURCINGS,
    starts: int = 2,
    tolerance: float = 1e-9,
) -> Robustness:
    """Run a scenario through all variants, elasticity sets and ways of sourcing.

    Parameters
    ----------
    variants : names, all when empty.
    elasticities : sets under which every variant is repeated, the scenario's own first.
    sourcings : ways of sourcing under which the scenario's own variant is repeated.
    starts : perturbed starts from which other equilibria are looked for, under the scenario's
        own elasticities; none when zero.

    A variant that has no certified answer is a row with its reason. Raises
    ScenarioError where the question itself cannot be put.

    """
    for name in variants:
        if name not in VARIANTS:
            raise ScenarioError(
                f"there is no variant {name!r}{did_you_mean(name, VARIANTS) or '.'} "
                f"Known: {', '.join(VARIANTS)}."
            )
    whole = lower(scenario, world)
    given = scenario.assumptions
    own = label(given.variant)
    chosen = [given.variant, *(name for name in variants or VARIANTS if name != own)]
    sets = [whole]
    for name in elasticities:
        if name != given.elasticities:
            try:
                theta, said = theta_for(name, whole.world)
            except EntrepotError:
                continue  # a set for another classification says nothing here
            sets.append(replace(whole, theta=theta, theta_name=said))
    asked = [(question, variant, given.sourcing) for question in sets for variant in chosen]
    asked += [(whole, given.variant, way) for way in sourcings if way != given.sourcing]
    rows = []
    income: Array | None = None
    for question, variant, way in asked:
        rule = given.model_copy(update={"variant": variant, "sourcing": way})
        looks = starts if question is whole else 0
        row, base_income = _row(
            question, scenario.model_copy(update={"assumptions": rule}), looks, tolerance
        )
        rows.append(row)
        income = base_income if income is None else income
    if income is None:
        raise ScenarioError(
            f"{scenario.name}: no variant has an answer; the scenario's own says: {rows[0].reason}"
        )
    shown = next(row.welfare_pct for row in rows if row.welfare_pct is not None)
    order = np.argsort(-shown, kind="stable")
    few = order if len(order) <= 2 * MOVERS else np.append(order[:MOVERS], order[-MOVERS:])
    return Robustness(scenario, whole.world, income, whole.named, tuple(map(int, few)), tuple(rows))


def _row(
    question: Lowered, scenario: Scenario, starts: int, tolerance: float
) -> tuple[Row, Array | None]:
    """One variant solved or refused, and base incomes."""
    given = scenario.assumptions
    name, theta = label(given.variant), question.theta_name
    try:
        lowered = collapsed(question, stated(given.variant))
        theta = lowered.theta_name
        economy = economy_for(lowered.world, lowered.theta, given)
        solved = solve_closure(economy, lowered.shock, given.closure, tolerance)
        shut = tuple(solved.economy.cells(solved.found.shut))
        seen = search(solved, lowered.shock, given.closure, tolerance, starts) if starts else None
        notes = () if seen is None else tuple(in_words(solved.economy, seen))
    except EntrepotError as error:
        return Row(name, given.sourcing, theta, None, str(error)), None
    hat = solved.found.real_income(solved.economy)
    return Row(name, given.sourcing, theta, 100 * (hat - 1), "", notes, shut), solved.base.I
