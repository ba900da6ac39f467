"""`entrepot world aggregate, split, balance, attach`: a world made into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from entrepot.cli.options import (
    AsCsv,
    FormatOption,
    MemberOption,
    PartsOption,
    RateOption,
    RateSource,
    Source,
    Target,
    YearOption,
    read_source,
    say,
)
from entrepot.cli.output import JsonFlag
from entrepot.cli.world import app as app
from entrepot.core.errors import WorldError


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
    say(done, target, as_json)


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
    say(done, target, as_json)


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
    parts: PartsOption = "fold",
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
    table = read_source(source, format, year, member, parts)
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
    say(world, target, as_json)


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
    say(done, target, as_json, {"coverage": share, "uncovered": missing})


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
