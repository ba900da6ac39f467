"""`entrepot years`: measures through time, and what their change is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entrepot.cli.measure import grouped, names
from entrepot.cli.output import JsonFlag, console, print_json
from entrepot.core.errors import MeasureError


def years_command(
    folder: Annotated[Path, typer.Argument(help="A folder of stored worlds, one a year.")],
    what: Annotated[
        str | None, typer.Option(help="Measures, by commas; `entrepot measure list` lists them.")
    ] = None,
    structural: Annotated[
        str | None,
        typer.Option(help="Instead: what moved value_added, or a satellite, by six factors."),
    ] = None,
    change: Annotated[
        bool,
        typer.Option("--change", help="What each part adds to the log change of its total."),
    ] = False,
    first: Annotated[
        int | None, typer.Option("--from", help="First year; the first there is.")
    ] = None,
    last: Annotated[int | None, typer.Option("--to", help="Last year; the last there is.")] = None,
    region: Annotated[
        str | None, typer.Option(help="Economies or groups to keep, by commas; all when absent.")
    ] = None,
    level: Annotated[str, typer.Option(help="region, or economy (see `measure`).")] = "region",
    together: Annotated[
        list[str] | None, typer.Option(help="Take a group as one economy; may be given again.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="How many rows to show of each table.")] = 20,
    out: Annotated[
        Path | None, typer.Option(help="File to write all rows to: .parquet, .csv or .json.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measures over a folder of years, and what their change is made of."""
    from entrepot.measure.years import change_rows, structural_rows, year_rows
    from entrepot.report.files import check_file
    from entrepot.report.years import print_rows, write_rows
    from entrepot.world.series import open_series

    if (what is None) == (structural is None):
        raise MeasureError("Say what to measure: --what NAME,NAME, or --structural value_added.")
    if what is None and change:
        raise MeasureError("--structural is a change already; --change goes with --what.")
    if out is not None:
        check_file(out)
    series = open_series(folder)
    shape = {"level": level, "together": grouped(together)}
    kept = None if region is None else names(region)
    if structural is not None:
        rows = structural_rows(series, structural, first, last, kept, **shape)
    elif change:
        rows = change_rows(series, names(what or ""), first, last, kept, **shape)
    else:
        rows = year_rows(series, names(what or ""), first, last, kept, **shape)
    if out is not None:
        write_rows(rows, out)
    if as_json:
        print_json(rows.to_dict())
    else:
        print_rows(console(), rows, most)
        if out is not None:
            print(f"Written to {out}.")  # noqa: T201
