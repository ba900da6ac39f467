"""What the commands on product-trade stores share: asking one, and telling the answer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.cli.output import console, print_json
from entrepot.core.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from entrepot.products.connect import Tables


@dataclass(frozen=True)
class Asked:
    """A store's tables, its trade in some years at some digits, and a scratch folder."""

    tables: Tables
    trade: ir.Table
    years: list[int]
    scratch: Path


@contextmanager
def ask(
    store: Path,
    engine: str,
    memory: str,
    years: Sequence[int | None],
    digits: int | None,
    out: Path | None,
) -> Iterator[Asked]:
    """Open a store for a question; a year that is None is its last one.

    Raises DataError for years or digits that it does not hold, OutputError for
    an output file that could not be written: both before anything is computed.
    """
    from entrepot.products.columns import of_years
    from entrepot.products.connect import connect
    from entrepot.products.execute import check_target
    from entrepot.products.measures import at_digits
    from entrepot.products.store import open_store

    if out is not None:
        check_target(out)
    opened = open_store(store)
    wanted = [opened.years[-1] if year is None else year for year in years]
    if gone := [y for y in wanted if y not in opened.years]:
        held = ", ".join(map(str, opened.years))
        raise DataError(f"{store} holds no trade of {gone[0]}; it holds {held}.")
    stored = opened.manifest.digits
    if digits is not None and digits > stored:
        raise DataError(f"{store} is at {stored} digits, not {digits}.")
    with (
        tempfile.TemporaryDirectory(prefix="entrepot-") as scratch,
        connect(opened, engine, memory=memory) as tables,
    ):
        trade = of_years(tables.trade, wanted)
        if digits is not None and digits != stored:
            trade = at_digits(trade, digits)
        yield Asked(tables, trade, wanted, Path(scratch))


def answer(
    asked: Asked,
    found: ir.Table | list[ir.Table],
    order: Sequence[str],
    shown: Callable[[ir.Table], ir.Table],
    largest: str | None,
    out: Path | None,
    most: int,
    as_json: bool,
    about: dict[str, Any],
    brief: Sequence[str] = (),
) -> None:
    """Compute once; write all rows where asked; print the first ones, or the largest in a column."""
    import ibis

    from entrepot.products.execute import records, write_table

    whole = out if out is not None and out.suffix == ".parquet" else asked.scratch / "all.parquet"
    written = write_table(found, whole, order)
    held = asked.tables.connection.read_parquet(str(whole.resolve()))
    if out is not None and out != whole:
        write_table(held, out, order)
    view = shown(held)
    keys = [c for c in order if c in view.columns]
    rows = records(view.order_by(*([ibis.desc(largest)] if largest else []), *keys).limit(most))
    total = int(records(view.agg(n=view.count()))[0]["n"])
    if as_json:
        more = {} if out is None else {"out": str(out), "rows_written": written}
        print_json(about | more | {"rows": total, "shown": rows})
        return
    show_rows([{c: r[c] for c in brief or r} for r in rows])
    print(f"{total:,} rows, {len(rows):,} shown.")  # noqa: T201
    if out is not None:
        print(f"{written:,} rows written to {out}.")  # noqa: T201


def show_rows(rows: list[dict[str, Any]]) -> None:
    """Print rows as a table; what is absent is blank."""
    from entrepot.report.table import plain_table, print_fitting

    if not rows:
        return
    numbers = {c for c in rows[0] if any(isinstance(r[c], int | float) for r in rows)}
    table = plain_table(None, [(c, c in numbers) for c in rows[0]])
    for row in rows:
        table.add_row(*(_cell(v) for v in row.values()))
    print_fitting(console(), table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def tell(about: dict[str, Any], path: Path, as_json: bool) -> None:
    """Tell what a store holds, in sentences or as JSON."""
    if as_json:
        print_json(about | {"path": str(path)})
        return
    rows = sum(about["rows"].values())
    years = about["years"]
    print(  # noqa: T201
        f"{path}: {about['source']}, {about['hs']} at {about['digits']} digits, {rows:,} flows, "
        f"{years[0]} to {years[-1]} ({len(years)} years); value in {about['units']['value']}, "
        f"{about['valuation']}; quantity in {about['units']['quantity']}."
    )
    if about["numeric_codes"]:
        codes = ", ".join(about["numeric_codes"])
        print(f"Kept under their numbers, as no ISO code is known: {codes}.")  # noqa: T201
    for note in about["notes"]:
        print(note)  # noqa: T201
