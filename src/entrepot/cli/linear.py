"""`entrepot gradient` and `entrepot response`: first-order answers."""

from __future__ import annotations

from typing import Annotated

import typer

from entrepot.cli.options import (
    ClosureOption,
    ElasticitiesOption,
    SourcingOption,
    TariffOption,
    VariantOption,
    question,
    world_with_tariffs,
)
from entrepot.cli.output import JsonFlag, console, print_json


def gradient_command(
    scenario: Annotated[
        str, typer.Argument(help="A scenario file, or the name of a library scenario.")
    ],
    of: Annotated[
        str,
        typer.Option(
            help="The outcome: real_income:USA, output:CHN:C26, border:CHN:USA:goods, ..."
        ),
    ],
    with_respect_to: Annotated[
        str,
        typer.Option(
            help="tariffs, export_taxes, trade_costs, productivity, labour, transfers or elasticities."
        ),
    ] = "tariffs",
    world: Annotated[str, typer.Option(help="A world by name, or a world file.")] = "world-2022",
    tariffs: TariffOption = None,
    closure: ClosureOption = None,
    elasticities: ElasticitiesOption = None,
    variant: VariantOption = None,
    sourcing: SourcingOption = None,
    most: Annotated[
        int, typer.Option(min=1, help="How many rows to show, largest effect first.")
    ] = 20,
    as_json: JsonFlag = False,
) -> None:
    """What one outcome gains from a little more of everything, at a scenario's new equilibrium."""
    from entrepot.report.linear import print_gradient
    from entrepot.results.linear import gradient_of
    from entrepot.results.run import run
    from entrepot.results.tables import assumption_rows

    asked = question(scenario, world, tariffs, closure, elasticities, variant, sourcing)
    result = run(*asked, headlines=False, tolerance=1e-11)
    found = gradient_of(result, of, with_respect_to, most=most)
    if as_json:
        about = {
            "scenario": result.scenario.name,
            "world": result.base_world.name,
            "assumptions": assumption_rows(result),
        }
        print_json(found.to_dict() | about)
    else:
        print_gradient(console(), found, result)


def response_command(
    instrument: Annotated[
        str,
        typer.Argument(help="productivity, labour, import_tariffs, import_costs or export_costs."),
    ] = "productivity",
    world: Annotated[str, typer.Option(help="A world by name, or a world file.")] = "world-2022",
    tariffs: TariffOption = None,
    sectors: Annotated[
        str, typer.Option(help="Sectors changed: codes, ranges, goods, services, all (join by +).")
    ] = "all",
    elasticities: Annotated[str, typer.Option(help="A named set or one number.")] = "uniform-5",
    closure: Annotated[str, typer.Option(help="world_share or proportional.")] = "world_share",
    variant: VariantOption = None,
    sourcing: SourcingOption = None,
    check: Annotated[
        float | None,
        typer.Option(help="Also the exact answer at this log change, for the error (slower)."),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(help="Show this economy's row and column; the largest when absent."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """What one per cent in each economy does to real income in every other (linearised world)."""
    from entrepot.core.labels import position
    from entrepot.report.linear import print_response
    from entrepot.results.linear import response_of
    from entrepot.scenario.model import Scenario
    from entrepot.scenario.read import with_assumptions

    table = world_with_tariffs(world, tariffs)
    if of is not None:
        position("economy", table.regions, of)
    still = Scenario(name="response", why="the base as it is", changes=())
    given = with_assumptions(still, closure, elasticities, variant, sourcing).assumptions
    found = response_of(
        table, instrument, sectors=sectors.split("+"), assumptions=given, check=check
    )
    if as_json:
        print_json(found.to_dict())
    else:
        print_response(console(), found, of)
