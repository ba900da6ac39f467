"""Gradients and responses on labels: around a result, or around a world's base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import ScenarioError
from entrepot.core.labels import did_you_mean
from entrepot.equilibrium.response import (
    OUTCOMES,
    Gradient,
    Linear,
    Outcome,
    gradient,
    linearise,
    outcome,
)
from entrepot.equilibrium.world_response import WorldResponse, world_response
from entrepot.results.run import Result, economy_for, mode
from entrepot.scenario import select
from entrepot.scenario.lower import theta_for
from entrepot.scenario.model import Assumptions
from entrepot.scenario.variants import stated
from entrepot.world.world import World

Array = NDArray[np.float64]

UNITS = {
    "tariffs": "per percentage point of the tariff",
    "export_taxes": "per percentage point of the export tax",
    "trade_costs": "per per cent of the iceberg cost",
    "productivity": "per per cent of productivity",
    "labour": "per per cent of labour",
    "transfers": "per billion USD of base deficit, financed by all economies by size",
    "elasticities": "per unit of the elasticity",
}
NOISE = 1e-8  # of the largest effect; smaller ones are rounding and left out
LOGS = ("real_income", "real_wage", "income", "wage", "price", "output", "cost")


def linear_of(result: Result) -> Linear:
    """The linear world around a result's new equilibrium."""
    closure = mode(result.scenario.assumptions.closure)
    return linearise(result.economy, result.lowered.shock, result.state, closure=closure)


def named_outcome(result: Result, text: str) -> Outcome:
    """An outcome from words: `real_income:USA`, `output:CHN:manufacturing`, `border:CHN:USA:goods`.

    First a name of `OUTCOMES`; then economies or groups (joined by +), importers
    after exporters for flows; then sectors where they apply. Several economies
    together are what results report of groups: real income by equivalent
    variations, other logs by base income, output by volume at base prices; money
    adds up. Raises ScenarioError with a did-you-mean.
    """
    world, state = result.base_world, result.state
    name, *rest = text.split(":")
    if name not in OUTCOMES:
        raise ScenarioError(
            f"there is no outcome {name!r}{did_you_mean(name, OUTCOMES) or '.'} "
            f"Known: {', '.join(OUTCOMES)}."
        )
    if name == "deficit" and result.scenario.assumptions.closure != "proportional":
        raise ScenarioError(
            "deficits are held by the closure and do not move, except under `proportional`."
        )
    axes = OUTCOMES[name][0]
    regions = 2 if axes == 3 else 1
    if not regions <= len(rest) <= regions + (axes > 1):
        form = ":".join(["EXPORTERS", "IMPORTERS"] if axes == 3 else ["ECONOMIES"])
        raise ScenarioError(
            f"the outcome {text!r} was expected as {name}:{form}{'[:SECTORS]' if axes > 1 else ''}."
        )
    chosen = [select.regions(world, part.split("+"), text)[0] for part in rest[:regions]]
    sectors = select.sectors(world, (rest[regions:] or ["all"])[0].split("+"), text)
    s, n = state.Y.shape
    if axes == 1:
        at = np.zeros(n)
        income = result.base.I * (result.welfare.real_income if name == "real_income" else 1.0)
        at[chosen[0]] = income[chosen[0]] if name in LOGS else 1.0
    elif axes == 2:
        at = np.zeros((s, n))
        cells = np.ix_(sectors, chosen[0])
        at[cells] = np.maximum(state.Y / state.c, 0)[cells] if name in LOGS else 1.0
    else:
        at = np.zeros((s, n, n))
        at[np.ix_(sectors, *chosen)] = 1.0
        inside = world.one_economy.copy()
        if inside[np.ix_(*chosen)].all():  # between parts of one economy, named as such
            inside = np.eye(n, dtype=bool)
        at[:, inside] = 0.0
        if not at.any():
            raise ScenarioError(f"the outcome {text!r} crosses no border; name two economies.")
    if name in LOGS:
        if not at.sum() > 0:
            raise ScenarioError(f"the outcome {text!r} has no output to be weighed by.")
        at = at / at.sum()
    return Outcome(text, outcome(state, name, at).weights)


@dataclass(frozen=True, eq=False)
class GradientTable:
    """A gradient on labels: `rows` by effect, largest first, in `unit`.

    `values` is the gradient itself, in the units of `equilibrium.response.Gradient`.
    """

    outcome: str
    with_respect_to: str
    unit: str
    residual: float
    values: Gradient
    rows: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "outcome": self.outcome,
            "with_respect_to": self.with_respect_to,
            "unit": self.unit,
            "residual": self.residual,
            "rows": list(self.rows),
        }


def gradient_of(
    result: Result, of: str, with_respect_to: str = "tariffs", *, most: int | None = None
) -> GradientTable:
    """The gradient of a named outcome at a result's new equilibrium.

    Parameters
    ----------
    of : see `named_outcome`.
    with_respect_to : one of `WITH_RESPECT_TO`.
    most : keep the rows of largest effect only; all when None.

    """
    if most is not None and most < 1:
        raise ScenarioError(f"most is {most}; one row or more was expected.")
    world = result.base_world
    if with_respect_to == "transfers" and mode(result.scenario.assumptions.closure) == "none":
        raise ScenarioError("under this closure there are no deficits, hence no transfers to move.")
    found = gradient(linear_of(result), named_outcome(result, of), with_respect_to)
    values = np.array(getattr(found, with_respect_to))
    if values.ndim == 3:  # home sales bear no border cost that a scenario could change
        values[:, world.one_economy] = 0
    in_logs = of.split(":")[0] in LOGS
    # Per cent of the outcome, or million USD, per unit of UNITS.
    scale = 100.0 if in_logs else 1.0
    if with_respect_to in ("tariffs", "export_taxes", "trade_costs", "productivity", "labour"):
        scale /= 100.0
    if with_respect_to == "transfers":
        share = result.base.V / result.base.V.sum()
        values, scale = (values - share @ values), scale * 1000.0
    values = values * scale
    order = np.argsort(-np.abs(values), axis=None)[:most]
    rows = []
    for flat in order:
        place = np.unravel_index(int(flat), values.shape)
        if abs(values[place]) <= NOISE * np.abs(values).max():
            continue
        rows.append({**_labels(world, with_respect_to, place), "effect": float(values[place])})
    unit = "per cent " if in_logs else "million USD "
    return GradientTable(of, with_respect_to, unit + UNITS[with_respect_to], found.residual, found,
                         tuple(rows))  # fmt: skip


def _labels(world: World, kind: str, place: Sequence[Any]) -> dict[str, str]:
    if len(place) == 3:
        r, o, d = place
        return {
            "sector": world.sector_codes[r],
            "exporter": world.regions[o],
            "importer": world.regions[d],
        }
    if len(place) == 2:
        return {"sector": world.sector_codes[place[0]], "region": world.regions[place[1]]}
    if kind == "elasticities":
        return {"sector": world.sector_codes[place[0]]}
    return {"region": world.regions[place[0]]}


@dataclass(frozen=True, eq=False)
class ResponseTable:
    """The linearised world on labels: what was changed, in which sectors, and under what."""

    world: World
    sectors: tuple[str, ...]
    assumptions: Assumptions
    elasticities: str
    found: WorldResponse

    def rows(self) -> list[dict[str, Any]]:
        """One row a pair: what one per cent in `origin` does to real income in `region`, per cent."""
        found = self.found
        return [
            {
                "region": region,
                "origin": origin,
                "real_income_pct": float(found.real_income[d, o]),
                "exact_pct": None if found.exact is None else float(found.exact[d, o]),
            }
            for o, origin in enumerate(found.regions)
            for d, region in enumerate(found.regions)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "world": self.world.name,
            "instrument": self.found.instrument,
            "sectors": list(self.sectors),
            "elasticities": self.elasticities,
            "closure": self.assumptions.closure,
            "unit": "log real income per log of the change: per cent per per cent",
            "residual": self.found.residual,
            "checked_at": self.found.size,
            "largest_error": self.found.error,
            "rows": self.rows(),
        }


def response_of(
    world: World,
    instrument: str = "productivity",
    *,
    sectors: Sequence[str] = ("all",),
    assumptions: Assumptions | None = None,
    check: float | None = None,
) -> ResponseTable:
    """The linearised world around a world's base; see `equilibrium.world_response`.

    `sectors` are named as in scenarios. Raises ScenarioError for closures and variants that
    would change the base.
    """
    given = assumptions or Assumptions()
    if given.closure not in ("world_share", "proportional"):
        raise ScenarioError(
            f"the closure is {given.closure!r}; world_share or proportional was expected, which "
            "leave the base as it is."
        )
    if (table := stated(given.variant)).one_sector or table.without_inputs:
        raise ScenarioError(
            "the linearised world is of the table as it is: variants of one sector or without inputs "
            "need another table (`entrepot world aggregate`)."
        )
    theta, label = theta_for(given.elasticities, world, given.elasticities_source)
    chosen = select.sectors(world, sectors, "sectors")
    found = world_response(
        economy_for(world, theta, given),
        instrument,
        sectors=chosen,
        closure=mode(given.closure),
        check=check,
        inside=world.one_economy,
    )
    codes = tuple(world.sector_codes[k] for k in chosen)
    return ResponseTable(world, codes, given, label, found)
