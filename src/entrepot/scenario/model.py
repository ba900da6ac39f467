"""Scenario: named, explained changes and assumptions; data that cannot hold a typo."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from entrepot.core.labels import did_you_mean
from entrepot.scenario.amounts import Amount, parse_amount
from entrepot.scenario.instruments import INSTRUMENTS
from entrepot.scenario.variants import DEFAULT, ModelVariant, checked

AmountField = Annotated[
    Amount, BeforeValidator(parse_amount), PlainSerializer(str, return_type=str)
]


def _names(given: Any) -> Any:
    """One name or a list of names, as strings (YAML reads NO as false: say so)."""
    if not isinstance(given, list | tuple):
        given = [given]
    for item in given:
        if not isinstance(item, str):
            raise ValueError(f'{item!r} is not a name; put codes in quotes, as in "NO"')
    if not given:
        raise ValueError("the list is empty; name at least one")
    return given


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


def _instrument(given: Any) -> Any:
    if not isinstance(given, str) or given not in INSTRUMENTS:
        hint = did_you_mean(str(given), INSTRUMENTS)
        raise ValueError(
            f"there is no instrument {given!r}{hint or '.'} Known: {', '.join(INSTRUMENTS)}"
        )
    return given


def _said(given: str) -> str:
    if not given.strip():
        raise ValueError("is blank; say something in words")
    return given


def _not_a_switch(given: Any) -> Any:
    """YAML reads yes and on as true; a number is not meant by them."""
    values = given.values() if isinstance(given, dict) else (given,)
    if any(isinstance(value, bool) for value in values):
        raise ValueError("true or false is not an elasticity; write a number, a set or a mapping")
    return given


Words = Annotated[str, AfterValidator(_said)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Change(_Strict):
    """One change: who buys, who sells, what, by which instrument, how much, and why.

    `exporters` are the economies that produce; `productivity` and `labour`
    change them alone and take no importers. Exactly one of `to`, `by` and
    `ad_valorem_equivalent` is given, none for an embargo. `baseline_cost`
    is the level of the trade cost that an `ad_valorem_equivalent` is taken
    off (zero when not stated). `users` keeps a tariff to some users of what is
    imported: `intermediate`, `final`, using sectors or final-use categories; it
    needs `sourcing: by_use` or `by_user`. `both_ways` adds the mirror image. Where two
    changes of one instrument meet in a cell, both must state the same
    `combine`.
    """

    instrument: Annotated[str, BeforeValidator(_instrument)]
    importers: Names | None = None
    exporters: Names
    sectors: Names = ("all",)
    users: Names | None = None
    to: AmountField | None = None
    by: AmountField | None = None
    ad_valorem_equivalent: AmountField | None = None
    baseline_cost: AmountField | None = None
    both_ways: bool = False
    combine: Literal["multiply", "add", "max", "min"] | None = None
    why: Words

    @model_validator(mode="after")
    def _consistent(self) -> Change:
        row = INSTRUMENTS[self.instrument]
        given = [k for k in ("to", "by", "ad_valorem_equivalent") if getattr(self, k) is not None]
        if row.amounts and len(given) != 1:
            raise ValueError(
                f"{self.instrument} takes exactly one of {', '.join(row.amounts)}"
                + (f"; {' and '.join(given)} are given" if given else "; none is given")
            )
        if bad := [k for k in given if k not in row.amounts]:
            raise ValueError(
                f"{self.instrument} does not take `{bad[0]}`"
                + (f"; use {' or '.join(f'`{k}`' for k in row.amounts)}" if row.amounts else "")
            )
        if row.border and self.importers is None:
            raise ValueError(f"{self.instrument} needs `importers`")
        if not row.border and self.importers is not None:
            raise ValueError(
                f"{self.instrument} changes producers: name them in `exporters`, without `importers`"
            )
        if not row.by_sector and self.sectors != ("all",):
            raise ValueError(f"{self.instrument} is by economy; it takes no `sectors`")
        if self.users is not None and not row.by_user:
            raise ValueError(f"{self.instrument} falls on all users; it takes no `users`")
        if self.baseline_cost is not None and self.ad_valorem_equivalent is None:
            raise ValueError("`baseline_cost` belongs to `ad_valorem_equivalent`")
        if self.baseline_cost is not None and (
            self.baseline_cost.kind != "fraction" or self.baseline_cost.value <= -1
        ):
            raise ValueError("`baseline_cost` is a level above -100%, such as 20%")
        row.check(self)
        return self


class BaselineTariff(_Strict):
    """An assumed tariff level, used where the world has no tariffs attached."""

    importers: Names
    exporters: Names
    sectors: Names = ("all",)
    rate: AmountField
    source: Words

    @model_validator(mode="after")
    def _level(self) -> BaselineTariff:
        if self.rate.kind != "fraction" or self.rate.value <= -1:
            raise ValueError("a baseline rate is a level above -100%, such as 4.0%")
        return self


class Assumptions(_Strict):
    """How the question is closed.

    `closure`: what becomes of trade deficits. `elasticities`: a named set, one
    number for all sectors, or a mapping sector: theta, whose
    `elasticities_source` is printed with the result. `taxes`, `inventories`,
    `sourcing`: see `equilibrium.calibrate`. `variant`: a named variant of the
    model (`scenario.variants.VARIANTS`), or a mapping of its parts.
    `without_supplier`: what to do with buyers that a change leaves without any
    supplier. `baseline`: assumed tariffs, printed as an assumption.
    """

    closure: Literal["world_share", "proportional", "balanced_first", "zero"] = "world_share"
    elasticities: Annotated[str | float | dict[str, float], BeforeValidator(_not_a_switch)] = (
        "uniform-5"
    )
    elasticities_source: Words | None = None
    taxes: Literal["fixed_rate_revenue", "in_value_added"] = "fixed_rate_revenue"
    inventories: Literal["fixed_real", "netted", "error"] = "fixed_real"
    variant: Annotated[str | ModelVariant, BeforeValidator(checked)] = DEFAULT
    sourcing: Literal["by_sector", "by_use", "by_user"] = "by_sector"
    without_supplier: Literal["refuse", "merge"] = "refuse"
    baseline: tuple[BaselineTariff, ...] = ()

    @model_validator(mode="after")
    def _source_of_a_mapping(self) -> Assumptions:
        if self.elasticities_source is not None and not isinstance(self.elasticities, dict):
            raise ValueError(
                "elasticities_source names the source of a mapping sector: theta; named sets have "
                "their own"
            )
        return self


class Scenario(_Strict):
    """A named question: changes and assumptions. Holds no arrays and no order."""

    name: Annotated[Words, Field(max_length=120)]
    why: Words
    changes: tuple[Change, ...]
    assumptions: Assumptions = Assumptions()
