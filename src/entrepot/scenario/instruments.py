"""The instruments: one row each; the model, the translator and the docs read the row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Instrument:
    """What an instrument changes and which amounts it takes.

    `target` is the shock's array; `border` means it falls on flows between
    two different economies; `by_user` that it may fall on some users alone;
    `term` is its term in the welfare split.
    """

    name: str
    target: str
    amounts: tuple[str, ...]
    meaning: str
    term: str
    border: bool = True
    by_sector: bool = True
    by_user: bool = False
    check: Callable[[Any], None] = lambda change: None


def _check_unit(change: Any) -> None:
    """A bare number above one is a slip more often than a rate above 100 %."""
    for key in ("to", "by", "ad_valorem_equivalent"):
        amount = getattr(change, key)
        if amount is not None and amount.bare and abs(amount.value) > 1:
            raise ValueError(
                f"{change.instrument}: `{key}: {amount.value:g}` would be {amount.value:.0%}; "
                f"write {amount.value:g}% or {amount.value:.0%}"
            )


def _check_rate(change: Any) -> None:
    _check_unit(change)
    if change.to is not None:
        if change.to.kind == "points":
            raise ValueError("`to` is a level: write 25%, not points")
        if change.to.value <= -1:
            raise ValueError(f"{change.instrument}: a rate of {change.to} leaves no positive price")
    if change.by is not None:
        if change.by.bare:
            raise ValueError(
                f"{change.instrument}: `by` needs a unit: 25pp (percentage points) or -50% (of the rate)"
            )
        if change.by.kind == "eliminate":
            raise ValueError("write `to: eliminate`")
        if change.by.kind == "fraction" and change.by.value < -1:
            raise ValueError(f"{change.instrument}: a cut of more than 100% of the rate")


def _check_subsidy(change: Any) -> None:
    _check_rate(change)
    if change.to is not None and not 0 <= change.to.value < 1:
        raise ValueError(
            "export_subsidy: `to` is a share of the producer price from 0% to below 100%"
        )


def _check_factor(change: Any) -> None:
    _check_unit(change)
    for amount in (change.by, change.ad_valorem_equivalent):
        if amount is None:
            continue
        if amount.kind != "fraction":
            raise ValueError(f"{change.instrument}: write a change such as -5%")
        if amount.value <= -1:
            raise ValueError(f"{change.instrument}: {amount} leaves nothing positive")


_ROWS = (
    Instrument(
        "tariff",
        "t",
        ("to", "by"),
        "Ad-valorem import duty on the border value, the revenue handed to the importer's "
        "household. `to` a level or `eliminate`; `by` points (+10pp) or a share of the rate (-50%).",
        "volume_of_trade",
        by_user=True,
        check=_check_rate,
    ),
    Instrument(
        "export_tax",
        "x",
        ("to", "by"),
        "Ad-valorem tax on the producer price of exports, the revenue handed to the exporter's "
        "household.",
        "terms_of_trade",
        check=_check_rate,
    ),
    Instrument(
        "export_subsidy",
        "x",
        ("to",),
        "The opposite of an export tax: `to` the share of the producer price paid by the exporter's "
        "household.",
        "terms_of_trade",
        check=_check_subsidy,
    ),
    Instrument(
        "trade_cost",
        "tau",
        ("by", "ad_valorem_equivalent"),
        "Iceberg cost of delivery: `by: -5%` makes the delivered price 5 % lower at given producer "
        "prices.",
        "trade_cost",
        check=_check_factor,
    ),
    Instrument(
        "non_tariff_cost",
        "tau",
        ("by", "ad_valorem_equivalent"),
        "Cost of rules, standards and procedures, resources used up as with an iceberg cost. "
        "`ad_valorem_equivalent: -5%` takes 0.05 off 1 plus the cost's level.",
        "trade_cost",
        check=_check_factor,
    ),
    Instrument(
        "embargo",
        "embargo",
        (),
        "No sales at all from the exporters to the importers in the sectors named.",
        "higher_order",
    ),
    Instrument(
        "productivity",
        "A",
        ("by",),
        "Output per bundle of all inputs (gross output, not value added) in the producers and sectors "
        "named.",
        "technology",
        border=False,
        check=_check_factor,
    ),
    Instrument(
        "labour",
        "L",
        ("by",),
        "Endowment of the primary factor of the economies named.",
        "endowment",
        border=False,
        by_sector=False,
        check=_check_factor,
    ),
)

INSTRUMENTS = {row.name: row for row in _ROWS}
