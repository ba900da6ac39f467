"""What the commands on tables share: their options, reading what is named, telling what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.cli.output import print_json
from entrepot.core.errors import DataError

if TYPE_CHECKING:
    from entrepot.scenario.model import Scenario
    from entrepot.sources.raw import RawTable
    from entrepot.world.world import World

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
PartsOption = Annotated[
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
VariantOption = Annotated[
    str | None, typer.Option(help="A named variant of the model, for the scenario's own.")
]
SourcingOption = Annotated[
    str | None, typer.Option(help="by_sector, by_use or by_user, for the scenario's own.")
]
Atol = Annotated[
    float | None,
    typer.Option(help="Tolerance of the identities to declare, in the table's unit."),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="A plain folder with CSV instead of Parquet.")]


TariffOption = Annotated[
    Path | None,
    typer.Option(
        "--tariffs",
        help="CSV of tariffs to attach: importer, exporter, sector, rate (fraction).",
    ),
]


ClosureOption = Annotated[
    str | None,
    typer.Option(help="world_share, proportional, balanced_first or zero, for the scenario's own."),
]
ElasticitiesOption = Annotated[
    str | None,
    typer.Option(help="A named set, one number or a CSV file, for the scenario's own."),
]


def question(
    scenario: str,
    world: str,
    tariffs: Path | None,
    closure: str | None,
    elasticities: str | None,
    variant: str | None,
    sourcing: str | None,
) -> tuple[World, Scenario]:
    """The world and the scenario that a command's options name."""
    from entrepot.scenario.elasticities import read_elasticities
    from entrepot.scenario.read import read_scenario, with_assumptions

    is_file = elasticities is not None and elasticities.lower().endswith(".csv")
    words = None if is_file else elasticities
    asked = with_assumptions(read_scenario(scenario), closure, words, variant, sourcing)
    table = world_with_tariffs(world, tariffs)
    if elasticities is not None and is_file:
        asked = with_assumptions(asked, None, read_elasticities(elasticities, table))
    return table, asked


def world_with_tariffs(name: str, tariffs: Path | None) -> World:
    """A world by name or file, with tariffs from a CSV file attached where one is named."""
    from entrepot.world.shelf import load_world

    table = load_world(name)
    if tariffs is None:
        return table
    from entrepot.sources.tariffs import read_tariffs
    from entrepot.world.world import attach

    rates, source = read_tariffs(tariffs, table.regions, table.sector_codes, table.parent)
    return attach(table, "tariffs", rates, ("sector", "origin", "destination"), "fraction", source)


def read_source(
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


def say(world: World, target: Path, as_json: bool, more: dict[str, Any] | None = None) -> None:
    """Tell what a world is made of and where it went, in sentences or as JSON."""
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
