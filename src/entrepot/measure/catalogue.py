"""The catalogue of measures: every family's rows, by name."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from entrepot.core.errors import MeasureError
from entrepot.core.labels import did_you_mean
from entrepot.measure import (
    advantage,
    chains,
    circuits,
    complexity,
    concentration,
    content,
    dependence,
    gross_trade,
    hubs,
    intensity,
    lenses,
    market_access,
    markets,
    networks,
    openness,
    participation,
    position,
    productivity,
    suppliers,
    withdrawal,
)
from entrepot.measure.row import FAMILIES, Measure

MODULES = (
    gross_trade,
    openness,
    concentration,
    intensity,
    market_access,
    hubs,
    advantage,
    productivity,
    complexity,
    chains,
    participation,
    position,
    content,
    circuits,
    dependence,
    suppliers,
    markets,
    withdrawal,
    lenses,
    networks,
)


@cache
def measures() -> MappingProxyType[str, Measure]:
    """Measures by name, in the order of their families."""
    order = list(FAMILIES)
    rows = sorted(
        (row for module in MODULES for row in module.ROWS), key=lambda row: order.index(row.family)
    )
    return MappingProxyType({row.name: row for row in rows})


def named(what: str) -> tuple[Measure, str]:
    """A measure and its argument from `name` or `name:argument`.

    Raises MeasureError for unknown names, with a did-you-mean, and for
    arguments that are missing or not taken.
    """
    name, colon, argument = what.partition(":")
    if name not in measures():
        hint = did_you_mean(name, measures()) or "."
        raise MeasureError(
            f"There is no measure {name!r}{hint} `entrepot measure list` lists them."
        )
    row = measures()[name]
    if colon and not row.takes:
        raise MeasureError(f"{name} takes no argument; {argument!r} was given.")
    argument = argument or row.default
    if row.takes and not argument:
        raise MeasureError(f"{name} needs {row.takes}: write {name}:NAME.")
    return row, argument
