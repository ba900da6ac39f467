"""`entrepot measure`: numbers read off a world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from entrepot.cli.output import JsonFlag, console, print_json
from entrepot.core.errors import MeasureError


def measure_command(
    world: Annotated[
        str, typer.Argument(help="A world by name, or a world file; `list` lists the measures.")
    ],
    what: Annotated[
        str | None,
        typer.Option(help="Measures, by commas: gvc_participation,upstreamness,footprint:jobs."),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Economies or groups to keep, by commas; all when absent.")
    ] = None,
    level: Annotated[
        str,
        typer.Option(help="region, or economy: the provinces and zones of one parent together."),
    ] = "region",
    together: Annotated[
        list[str] | None,
        typer.Option(help="Take a group as one economy (eu27, or EU=DEU+FRA); may be given again."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="How many rows to show of each measure.")] = 20,
    out: Annotated[
        Path | None, typer.Option(help="File to write all rows to: .parquet, .csv or .json.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take measures of a world (openness, value chains, dependence), or list them."""
    from entrepot.measure.accounts import accounts_of
    from entrepot.measure.measurement import take
    from entrepot.report.files import check_file
    from entrepot.report.measures import print_measurement, write_measurement
    from entrepot.world.shelf import load_world

    if world == "list":
        return _list(as_json)
    if what is None:
        raise MeasureError(
            "Say what to measure: --what NAME,NAME; `entrepot measure list` lists them."
        )
    if out is not None:
        check_file(out)
    shape: dict[str, Any] = {"level": level, "together": grouped(together)}
    a = accounts_of(load_world(world), **shape)
    found = take(a, names(what), regions=None if region is None else names(region))
    if out is not None:
        write_measurement(found, out)
    if as_json:
        print_json(found.to_dict())
    else:
        print_measurement(console(), found, most)
        if out is not None:
            print(f"Written to {out}.")  # noqa: T201
    return None


def names(text: str) -> list[str]:
    """Names given by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def grouped(together: list[str] | None) -> dict[str, list[str]] | list[str] | None:
    """Groups from `NAME` or `NAME=CODE+CODE`."""
    if not together:
        return None
    named = [text for text in together if "=" in text]
    if not named:
        return together
    if len(named) < len(together):
        raise MeasureError("--together is given by names or by NAME=CODE+CODE, not by both.")
    pairs = [text.split("=", 1) for text in named]
    return {name.strip(): [c.strip() for c in codes.split("+")] for name, codes in pairs}


def _list(as_json: bool) -> None:
    from entrepot.measure.catalogue import measures
    from entrepot.report.measures import print_catalogue

    rows = list(measures().values())
    if as_json:
        print_json([row.about() for row in rows])
    else:
        print_catalogue(console(), rows)
