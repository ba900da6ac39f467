"""Named variants of the model: each one declared option, with the neighbour it collapses to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from entrepot.core.errors import ScenarioError
from entrepot.core.labels import did_you_mean, some
from entrepot.equilibrium.variants import Variant
from entrepot.world.world import World, trade_flows

Array = NDArray[np.float64]

NON_TRADABLE_BELOW = 0.05
"""A sector is non-tradable where less than this share of its world sales crosses a border."""


class ModelVariant(BaseModel):
    """One member of the family, as `variant:` states it.

    `one_sector`, `without_inputs` collapse the table before anything else. `value_added`, `inputs`,
    `demand` are elasticities of substitution: between value added and inputs, between inputs,
    between sectors in final use; 1 is Cobb-Douglas, 0 fixed proportions. `scale`, from 0
    (perfect competition) to 1 (free entry): how far varieties follow output. `selection`, theta /
    (sigma - 1) - 1, or `sigma` itself, the elasticity between firms' varieties: firms differ and
    select into markets. `non_tradables: competitive` leaves both out of non-tradable sectors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    one_sector: bool = False
    without_inputs: bool = False
    value_added: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    inputs: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    demand: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    scale: float = Field(default=0.0, ge=0, le=1)
    selection: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    sigma: float | None = Field(default=None, gt=1, allow_inf_nan=False)
    non_tradables: Literal["alike", "competitive"] = "alike"

    @model_validator(mode="after")
    def _consistent(self) -> ModelVariant:
        selects = self.selection > 0 or self.sigma is not None
        if self.selection and self.sigma is not None:
            raise ValueError("give `selection` or `sigma`, which says the same")
        if selects and self.scale == 0:
            raise ValueError("firms that select into markets need `scale` above 0: they enter")
        if selects and not self.value_added == self.inputs == self.demand == 1:
            raise ValueError(
                "selection of firms goes with `value_added`, `inputs` and `demand` of 1 only"
            )
        if self.non_tradables == "competitive" and self.scale == 0:
            raise ValueError("`non_tradables: competitive` needs `scale` above 0")
        return self


@dataclass(frozen=True, slots=True)
class Named:
    """A row of VARIANTS: what it means, and to which neighbour it collapses in which limit."""

    meaning: str
    neighbour: str
    limit: str
    variant: ModelVariant


DEFAULT = "competitive"
VARIANTS: dict[str, Named] = {
    "competitive": Named(
        "many sectors, inputs, perfect competition, Cobb-Douglas between sectors",
        "",
        "",
        ModelVariant(),
    ),
    "one-sector": Named(
        "the world summed to one sector, inputs kept",
        "competitive",
        "one sector in the table",
        ModelVariant(one_sector=True),
    ),
    "no-inputs": Named(
        "all sales final, output made by labour alone",
        "competitive",
        "no inputs in the table",
        ModelVariant(without_inputs=True),
    ),
    "one-sector-no-inputs": Named(
        "one sector, all sales final: the home share and theta tell the gains",
        "no-inputs",
        "one sector in the table",
        ModelVariant(one_sector=True, without_inputs=True),
    ),
    "ces": Named(
        "elasticities of 0.5 in all nests, an assumption: half way from Cobb-Douglas to fixed proportions",
        "competitive",
        "elasticities to 1",
        ModelVariant(value_added=0.5, inputs=0.5, demand=0.5),
    ),
    "leontief": Named(
        "inputs in fixed proportions to output, final use Cobb-Douglas",
        "competitive",
        "elasticities to 1",
        ModelVariant(value_added=0.0, inputs=0.0),
    ),
    "half-scale": Named(
        "half of Krugman's scale effects, an assumption: every sector stays open",
        "competitive",
        "scale to 0",
        ModelVariant(scale=0.5),
    ),
    "krugman": Named(
        "free entry of firms in every sector (Krugman 1980)",
        "competitive",
        "scale to 0",
        ModelVariant(scale=1.0),
    ),
    "krugman-tradables": Named(
        "free entry in tradable sectors, perfect competition in the others",
        "krugman",
        "no sector below the threshold",
        ModelVariant(scale=1.0, non_tradables="competitive"),
    ),
    "krugman-no-inputs": Named(
        "free entry of firms, all sales final",
        "no-inputs",
        "scale to 0",
        ModelVariant(scale=1.0, without_inputs=True),
    ),
    "melitz": Named(
        "firms differ and select into markets (Melitz 2003, Chaney 2008); theta = 1.25 (sigma - 1), "
        "an assumption: at theta 5, sigma is 5",
        "krugman",
        "selection to 0",
        ModelVariant(scale=1.0, selection=0.25),
    ),
    "melitz-tradables": Named(
        "the same in tradable sectors, perfect competition in the others",
        "melitz",
        "no sector below the threshold",
        ModelVariant(scale=1.0, selection=0.25, non_tradables="competitive"),
    ),
}


def checked(given: Any) -> Any:
    """A variant by name, or a mapping made into a ModelVariant; ValueError says what is wrong."""
    if isinstance(given, Mapping):
        try:
            return ModelVariant.model_validate(dict(given), strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                hint = did_you_mean(key, ModelVariant.model_fields) or "."
                raise ValueError(f"unknown key {key!r}{hint}") from None
            said = first["msg"].removeprefix("Value error, ")
            raise ValueError(f"{key}: {said}" if key else said) from None
    if isinstance(given, ModelVariant):
        return given
    if not isinstance(given, str) or given not in VARIANTS:
        hint = did_you_mean(str(given), VARIANTS)
        raise ValueError(
            f"there is no variant {given!r}{hint or '.'} Known: {', '.join(VARIANTS)}; or give a mapping"
        )
    return given


def stated(given: str | ModelVariant) -> ModelVariant:
    """What a variant, by name or in full, states."""
    return VARIANTS[given].variant if isinstance(given, str) else given


def label(given: str | ModelVariant) -> str:
    """The variant's name, or what a mapping sets apart from the default."""
    if isinstance(given, str):
        return given
    parts = given.model_dump(exclude_defaults=True)
    return ", ".join(f"{key}: {value}" for key, value in parts.items()) or DEFAULT


def tradable(world: World) -> NDArray[np.bool_]:
    """Sectors (s,) of whose world sales NON_TRADABLE_BELOW or more cross a border."""
    sales, _ = trade_flows(world)
    whole = sales.sum((1, 2))
    abroad = (sales * ~world.one_economy).sum((1, 2))
    return np.asarray(abroad >= NON_TRADABLE_BELOW * whole)


def numeric(given: str | ModelVariant, world: World, theta: Array) -> Variant:
    """The variant for a world's sectors and trade elasticities (s,).

    Raises ScenarioError where `sigma` is not below 1 + theta in some sector.
    """
    v = stated(given)
    here = np.ones(len(theta))
    if v.non_tradables == "competitive":
        here = tradable(world).astype(float)
    selection = np.full(len(theta), v.selection)
    if v.sigma is not None:
        selection = theta / (v.sigma - 1) - 1
        if (bad := (selection < 0) & (here > 0)).any():
            names = [c for c, b in zip(world.sector_codes, bad, strict=True) if b]
            raise ScenarioError(
                f"assumptions.variant: sigma {v.sigma:g} is not below 1 + theta in {some(names)}; "
                "use a smaller sigma, `selection`, or other elasticities."
            )
    return Variant(
        name=label(given),
        value_added=v.value_added,
        inputs=v.inputs,
        demand=v.demand,
        scale=v.scale * here,
        selection=selection * here,
    )
