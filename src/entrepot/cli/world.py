"""`entrepot world`: list, show, get, check, convert, aggregate, split, attach, repairs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.cli.output import JsonFlag, console, print_json
from entrepot.core.errors import DataError, WorldError

if TYPE_CHECKING:
    from entrepot.sources.download import Progress
    from entrepot.sources.raw import RawTable
    from entrepot.world.world import World

app = typer.Typer(
    help="World tables: get, check, convert, sum, split, complete.", no_args_is_help=True
)

Source = Annotated[str, typer.Argument(help="A world by name, or a table's file or folder.")]
Target = Annotated[
    Path,
    typer.Argument(
        help="Where to write: NAME.zarr (fast), NAME.npz (compact), else a plain folder."
    ),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="The file's format, where it cannot be told.")
]
YearOption = Annotated[int | None, typer.Option(help="The year, where a file holds several.")]
MemberOption = Annotated[
    str | None, typer.Option(help="The file inside an archive, where several fit.")
]
SplitOption = Annotated[
    str,
    typer.Option(
        "--parts", help="OECD extended tables: fold CN1, CN2, MX1, MX2 into CHN, MEX, or keep them."
    ),
]
RepairOption = Annotated[
    list[str] | None,
    typer.Option("--repair", help="A named repair (`entrepot world repairs`); may be given again."),
]
RateOption = Annotated[
    float | None, typer.Option(help="USD per unit of the table's currency, where it is another.")
]
RateSource = Annotated[str, typer.Option(help="Where the rate is from.")]
Atol = Annotated[
    float | None,
    typer.Option(help="Tolerance of the identities to declare, in the table's unit."),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="A plain folder with CSV instead of Parquet.")]


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
    parts: SplitOption = "fold",
    atol: Atol = None,
    as_json: JsonFlag = False,
) -> None:
    """Audit a table before use: exit code 0 passed, 1 failed, 2 no table."""
    from dataclasses import replace

    from entrepot.report.audit import print_audit
    from entrepot.world.audit import audit

    table = _table(name, format, year, member, parts)
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
    parts: SplitOption = "fold",
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
    table = _table(source, format, year, member, parts)
    world = build(table, repair or (), rate=rate, rate_source=rate_source, name=name, atol=atol)
    save_world(world, target, csv=csv)
    _say(world, target, as_json)


@app.command("aggregate")
def aggregate_command(
    source: Source,
    target: Target,
    regions: Annotated[
        Path | None, typer.Option(help="CSV of region, to and, where one goes to several, weight.")
    ] = None,
    sectors: Annotated[
        Path | None, typer.Option(help="CSV of sector, to and, where one goes to several, weight.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="Sum a dated group of economies; may be given again.")
    ] = None,
    rest: Annotated[
        str | None, typer.Option(help="Sum all regions outside the groups under this label.")
    ] = None,
    to_parents: Annotated[
        bool, typer.Option("--to-parents", help="Sum provinces and zones into their parents.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="A name for the world.")] = None,
    csv: AsCsv = False,
    as_json: JsonFlag = False,
) -> None:
    """Sum regions and sectors by a concordance or by groups."""
    from entrepot.world.aggregate import aggregate, group_concordance
    from entrepot.world.concordance import read_concordance
    from entrepot.world.shelf import load_world, require_target, save_world

    chosen = [bool(regions), bool(group), to_parents]
    if sum(chosen) > 1:
        raise WorldError(
            "regions are summed by --regions, by --group or --to-parents, one of them."
        )
    if rest is not None and not group:
        raise WorldError("--rest goes with --group.")
    require_target(target)
    world = load_world(source)
    by_region: Any = dict(world.parent) if to_parents else None
    if to_parents and not by_region:
        raise WorldError(f"no region of {world.name} has a parent.")
    if regions:
        by_region = read_concordance(regions, "region")
    elif group:
        by_region = group_concordance(world, group, rest)
    by_sector = read_concordance(sectors, "sector") if sectors else None
    done = aggregate(world, regions=by_region, sectors=by_sector, name=name)
    save_world(done, target, csv=csv)
    _say(done, target, as_json)


@app.command("split")
def split_command(
    source: Source,
    target: Target,
    shares: Annotated[
        Path,
        typer.Option(
            help="CSV of part, output and, as known, sector, exports, imports, final_use, name."
        ),
    ],
    region: Annotated[str | None, typer.Option(help="The region to split.")] = None,
    sector: Annotated[str | None, typer.Option(help="The sector to split.")] = None,
    shares_source: Annotated[str, typer.Option(help="Where the shares are from.")] = "",
    name: Annotated[str | None, typer.Option(help="A name for the world.")] = None,
    csv: AsCsv = False,
    as_json: JsonFlag = False,
) -> None:
    """Split a region into provinces or zones, or a sector into finer ones, with shares."""
    from dataclasses import replace

    from entrepot.world.concordance import read_region_shares, read_sector_shares
    from entrepot.world.shelf import load_world, require_target, save_world
    from entrepot.world.split import split_region, split_sector

    if (region is None) == (sector is None):
        raise WorldError("say what to split: --region or --sector, one of them.")
    require_target(target)
    world = load_world(source)
    said = shares_source or str(shares)
    if region is not None:
        done = split_region(
            world, region, source=said, **read_region_shares(shares, world.sector_codes)
        )
    else:
        done = split_sector(
            world, str(sector), read_sector_shares(shares, world.regions), source=said
        )
    if name:
        done = replace(done, name=name)
    save_world(done, target, csv=csv)
    _say(done, target, as_json)


@app.command("balance")
def balance_command(
    source: Source,
    target: Target,
    targets: Annotated[
        Path | None,
        typer.Option(help="CSV of region, sector and output, value_added or both; blank is open."),
    ] = None,
    final_use: Annotated[
        Path | None,
        typer.Option(help="CSV of region, final_use and, for one kind of it, category."),
    ] = None,
    method: Annotated[str, typer.Option(help="gras, ras or least_squares.")] = "gras",
    format: FormatOption = None,
    year: YearOption = None,
    member: MemberOption = None,
    parts: SplitOption = "fold",
    rate: RateOption = None,
    rate_source: RateSource = "",
    name: Annotated[str | None, typer.Option(help="A name for the world.")] = None,
    csv: AsCsv = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring a table to balance, or to target outputs, value added and final use."""
    from dataclasses import replace

    from entrepot.core.provenance import with_step
    from entrepot.world.build import build
    from entrepot.world.concordance import read_final_targets, read_node_targets
    from entrepot.world.rebalance import rebalance
    from entrepot.world.shelf import require_target, save_world

    require_target(target)
    table = _table(source, format, year, member, parts)
    wanted = read_node_targets(targets, table.regions, table.sector_codes) if targets else {}
    if final_use is not None:
        wanted["final_use"] = read_final_targets(final_use, table.regions, table.final_categories)
    done = rebalance(table, method=method, **wanted)  # type: ignore[arg-type]
    moved = done.solution.moved
    step = {
        "step": f"balance ({method})",
        "targets": [str(p) for p in (targets, final_use) if p is not None],
        "share": moved.share,
        "unit": table.unit,
        "largest": [list(row) for row in done.largest()],
    }
    balanced = replace(done.table, provenance=with_step(done.table.provenance, step))
    world = build(balanced, rate=rate, rate_source=rate_source, name=name)
    save_world(world, target, csv=csv)
    if not as_json:
        print(  # noqa: T201
            f"Cells moved by {moved.share:.2%} of the table in all ({moved.total:,.6g} {table.unit}); "
            f"{done.solution.steps} steps, every target met to {done.solution.miss:.0e}; "
            f"{moved.flips} signs turned."
        )
        for where, before, after in done.largest()[:5]:
            print(f"  {where}: {before:,.6g} to {after:,.6g}")  # noqa: T201
    _say(world, target, as_json)


@app.command("attach")
def attach_command(
    source: Source,
    target: Target,
    table: Annotated[Path, typer.Option(help="Long table, CSV or Parquet: the axes, and value.")],
    name: Annotated[str, typer.Option(help="What it is: tariffs, employment, emissions, ...")],
    dims: Annotated[
        str, typer.Option(help="Its axes, by comma: sector, region, origin, destination.")
    ],
    unit: Annotated[str, typer.Option(help="The unit of its numbers.")],
    data_source: Annotated[str, typer.Option("--data-source", help="Where the numbers are from.")],
    rule: Annotated[
        str, typer.Option(help="When cells are merged: sum (amounts) or mean (rates, distances).")
    ] = "mean",
    concordance: Annotated[
        list[str] | None,
        typer.Option(help="AXIS=FILE, a CSV of the file's label and `to`; may be given again."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="AXIS=COLUMN, where a column is not called as its axis; may be given again."
        ),
    ] = None,
    value: Annotated[str, typer.Option(help="The column of numbers.")] = "value",
    need_all: Annotated[
        bool, typer.Option(help="Refuse a table that leaves cells absent.")
    ] = False,
    csv: AsCsv = False,
    as_json: JsonFlag = False,
) -> None:
    """Attach a table by label: jobs, emissions, distances, tariffs, anything."""
    from entrepot.world.concordance import read_labels_map
    from entrepot.world.satellites import attach_table, uncovered
    from entrepot.world.shelf import load_world, require_target, save_world

    if rule not in ("sum", "mean"):
        raise WorldError(f"--rule is {rule!r}; sum or mean was expected.")
    axes = [d.strip() for d in dims.split(",")]
    columns = _pairs("--column", column, axes)
    maps = {
        axis: read_labels_map(Path(file), axis)
        for axis, file in _pairs("--concordance", concordance, axes).items()
    }
    require_target(target)
    world = load_world(source)
    done = attach_table(
        world,
        table,
        name,
        axes,
        columns=columns,
        value=value,
        unit=unit,
        source=data_source,
        rule=rule,  # type: ignore[arg-type]
        concordance=maps,
        need_all=need_all,
    )
    save_world(done, target, csv=csv)
    missing = {k: v for k, v in uncovered(done, name).items() if v}
    share = done.satellites[name].coverage
    if not as_json:
        print(f"{name}: {share:.1%} of its cells have a number.")  # noqa: T201
        for axis, labels in missing.items():
            print(f"No number for {axis} {', '.join(labels)}.")  # noqa: T201
    _say(done, target, as_json, {"coverage": share, "uncovered": missing})


def _pairs(option: str, given: list[str] | None, axes: list[str]) -> dict[str, str]:
    """AXIS=SOMETHING options by axis."""
    out = {}
    for text in given or ():
        axis, _, value = text.partition("=")
        if not value or axis not in axes:
            raise WorldError(
                f"{option} {text!r} is not AXIS=..., with an axis of {', '.join(axes)}."
            )
        out[axis] = value
    return out


def _table(
    name: str, format_: str | None, year: int | None, member: str | None, parts: str
) -> RawTable:
    """The table behind a name or path, unjudged where it is a file."""
    from entrepot.sources.formats import Options, read_table
    from entrepot.world.audit import raw_of
    from entrepot.world.shelf import is_stored, load_world

    if parts not in ("fold", "keep"):
        raise DataError(f"--parts is {parts!r}; fold or keep was expected.")
    if format_ is None and is_stored(name):
        return raw_of(load_world(name))
    return read_table(Path(name), format_, Options(year, member, parts))


def _say(world: World, target: Path, as_json: bool, more: dict[str, Any] | None = None) -> None:
    if as_json:
        facts = {
            "name": world.name,
            "path": str(target),
            "sha256": world.content_hash,
            "regions": len(world.regions),
            "sectors": len(world.sectors),
            "steps": [
                {k: v for k, v in step.items() if k != "changed"}
                for step in world.provenance.get("steps", [])
            ],
        }
        print_json(facts | (more or {}))
        return
    from entrepot.world.build import steps_in_words

    for sentence in steps_in_words(world.provenance):
        print(sentence)  # noqa: T201
    print(f"{world!r} written to {target}.")  # noqa: T201


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
