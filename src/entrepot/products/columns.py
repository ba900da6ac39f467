"""Small pieces that expressions share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir


def with_covered(trade: ir.Table) -> ir.Table:
    """The table with `covered_value`: the value of what has a quantity, in million USD."""
    if "covered_value" in trade.columns:
        return trade
    import ibis

    covered = ibis.cases((trade.quantity.notnull(), trade.value), else_=0.0)
    return trade.mutate(covered_value=covered)


def ratio(above: ir.NumericValue, below: ir.NumericValue) -> ir.NumericValue:
    """A quotient that is null where the denominator is zero, on every engine."""
    return above / below.nullif(0.0)


def either(first: ir.BooleanValue, *rest: ir.BooleanValue) -> ir.BooleanValue:
    """True where any is; null counts as not."""
    found = first.fill_null(False)
    for condition in rest:
        found = found | condition.fill_null(False)
    return found


def of_years(trade: ir.Table, years: Sequence[int]) -> ir.Table:
    """The rows of some years; all of them when none is named."""
    return trade.filter(trade.year.isin(list(years))) if years else trade


def drop_right(joined: ir.Table) -> ir.Table:
    """A left join without the second copies of its keys."""
    return joined.drop(*(c for c in joined.columns if c.endswith("_right")))


def importers_of(trade: ir.Table) -> list[str]:
    """The economies that import, in order; executed at once."""
    from entrepot.products.execute import records

    return [r["importer"] for r in records(trade.select("importer").distinct(), ("importer",))]
