"""`entrepot world list, show, get, check, repairs, convert`: tables come in and are judged."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from entrepot.cli.options import (
    AsCsv,
    Atol,
    FormatOption,
    MemberOption,
    PartsOption,
    RateOption,
    RateSource,
    RepairOption,
    Source,
    Target,
    YearOption,
    read_source,
    say,
)
from entrepot.cli.output import JsonFlag, console, print_json
from entrepot.core.errors import WorldError

if TYPE_CHECKING:
    from entrepot.sources.download import Progress

app = typer.Typer(
    help="World tables: get, check, convert, sum, split, complete.", no_args_is_help=True
)


@app.command("list")
def list_command(as_json: JsonFlag = False) -> None:
    """The worlds at hand, the datasets that can be got, and the formats that are read."""
    from entrepot.catalogues.addresses import addresses
    from entrepot.sources.formats import FORMATS
    from entrepot.world.shelf import SHELF, built_path, got_path

    rows = [
        {
            "name": r.name,
            "state": "embedded"
            if r.embedded
            else "here"
            if got_path(r.name).exists()
            else "to get",
            "summary": r.summary,
        }
        for r in SHELF.values()
    ]
    for name, address in addresses().items():
        here = [y for y in address.years if built_path(f"{name}-{y}").exists()]
        years = f"{address.years[0]}-{address.years[-1]}" if address.years else "by hand"
        state = (
            f"here: {' '.join(map(str, here))}"
            if here
            else "to get"
            if address.files
            else "by hand"
        )
        rows.append({"name": name, "state": state, "summary": f"{address.title}; {years}"})
    if as_json:
        print_json(rows)
        return
    from entrepot.report.table import plain_table

    for title, table_rows in (
        (None, [tuple(r.values()) for r in rows]),
        ("Formats read from files", [(f.name, "", f.summary) for f in FORMATS.values()]),
    ):
        table = plain_table(title, [("name", False), ("state", False), ("what it is", False)])
        for row in table_rows:
            table.add_row(*row)
        console().print(table)


@app.command("show")
def show_command(name: Source, as_json: JsonFlag = False) -> None:
    """Labels, totals, identities, provenance and what is estimated in a world."""
    from entrepot.report.world import print_world, world_dict
    from entrepot.world.shelf import load_world

    table = load_world(name)
    if as_json:
        print_json(world_dict(table))
    else:
        print_world(console(), table)


@app.command("get")
def get_command(
    name: Annotated[str, typer.Argument(help="A dataset of `entrepot world list`.")],
    year: YearOption = None,
    repair: RepairOption = None,
    rate: RateOption = None,
    rate_source: RateSource = "",
    atol: Atol = None,
    as_json: JsonFlag = False,
) -> None:
    """Download a table from its official address, check it, and build a world from it."""
    from entrepot.world.shelf import get_world

    with _progress(as_json) as progress:
        got = get_world(
            name,
            year,
            repairs=repair or (),
            rate=rate,
            rate_source=rate_source,
            atol=atol,
            progress=progress,
        )
    if as_json:
        print_json(
            {"name": got.name, "path": str(got.path), "built": got.built, "message": got.message}
        )
    elif got.built:
        print(f"{got.name} is built: {got.path}")  # noqa: T201
    else:
        print(f"The table is here: {got.path}")  # noqa: T201
    if not got.built:
        raise WorldError(f"the table is downloaded ({got.path}), but no world yet: {got.message}")


@app.command("check")
def check_command(
    name: Source,
    format: FormatOption = None,
    year: YearOption = None,
    member: MemberOption = None,
    parts: PartsOption = "fold",
    atol: Atol = None,
    as_json: JsonFlag = False,
) -> None:
    """Audit a table before use: exit code 0 passed, 1 failed, 2 no table."""
    from dataclasses import replace

    from entrepot.report.audit import print_audit
    from entrepot.world.audit import audit

    table = read_source(name, format, year, member, parts)
    if atol is not None:
        table = replace(table, atol=atol)
    done = audit(table)
    if as_json:
        print_json(done.to_dict())
    else:
        print_audit(console(), done)
    if not done.passed:
        raise typer.Exit(1)


@app.command("repairs")
def repairs_command(as_json: JsonFlag = False) -> None:
    """The repairs that `convert` can make, and the checks that `check` makes."""
    from entrepot.report.table import plain_table
    from entrepot.world.checks import CHECKS
    from entrepot.world.repairs import REPAIRS

    if as_json:
        print_json(
            {
                "repairs": [
                    {"name": r.name, "argument": r.argument, "meaning": r.meaning}
                    for r in REPAIRS.values()
                ],
                "checks": [
                    {"name": c.name, "level": c.level, "meaning": c.meaning} for c in CHECKS
                ],
            }
        )
        return
    table = plain_table("Repairs", [("name", False), ("argument", False), ("meaning", False)])
    for r in REPAIRS.values():
        table.add_row(r.name, r.argument, r.meaning)
    console().print(table)
    table = plain_table("Checks", [("name", False), ("level", False), ("what must hold", False)])
    for c in CHECKS:
        table.add_row(c.name, c.level, c.meaning)
    console().print(table)


@app.command("convert")
def convert_command(
    source: Source,
    target: Target,
    format: FormatOption = None,
    year: YearOption = None,
    member: MemberOption = None,
    parts: PartsOption = "fold",
    repair: RepairOption = None,
    rate: RateOption = None,
    rate_source: RateSource = "",
    atol: Atol = None,
    name: Annotated[str | None, typer.Option(help="A name for the world.")] = None,
    csv: AsCsv = False,
    as_json: JsonFlag = False,
) -> None:
    """Read a table in any format, repair what you name, and store it."""
    from entrepot.world.build import build, require_known
    from entrepot.world.shelf import require_target, save_world

    require_known(repair or ())
    require_target(target)
    table = read_source(source, format, year, member, parts)
    world = build(table, repair or (), rate=rate, rate_source=rate_source, name=name, atol=atol)
    save_world(world, target, csv=csv)
    say(world, target, as_json)


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress | None]:
    """A bar on standard error while a terminal looks on; nothing otherwise."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("download", total=None)

        def tell(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield tell
