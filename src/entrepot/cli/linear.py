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
    from entrepot.core.errors import ScenarioError
    from entrepot.core.labels import position
    from entrepot.equilibrium.calibrate import calibrate
    from entrepot.report.linear import print_response
    from entrepot.results.linear import response_rows, world_response
    from entrepot.scenario import select
    from entrepot.scenario.lower import theta_for

    if closure not in ("world_share", "proportional"):
        raise ScenarioError(f"--closure is {closure!r}; world_share or proportional was expected.")
    table = world_with_tariffs(world, tariffs)
    theta, label = theta_for(_number_or_name(elasticities), table)
    chosen = select.sectors(table, sectors.split("+"), "--sectors")
    if of is not None:
        position("economy", table.regions, of)
    found = world_response(
        calibrate(table, theta),
        instrument,
        sectors=chosen,
        closure="proportional" if closure == "proportional" else "world_share",
        check=check,
        inside=table.one_economy,
    )
    codes = [table.sector_codes[k] for k in chosen]
    if as_json:
        print_json(
            {
                "world": table.name,
                "instrument": instrument,
                "sectors": codes,
                "elasticities": label,
                "closure": closure,
                "unit": "log real income per log of the change: per cent per per cent",
                "residual": found.residual,
                "checked_at": check,
                "largest_error": found.error,
                "rows": response_rows(found),
            }
        )
    else:
        print_response(console(), found, label, of, None if sectors == "all" else codes)


def _number_or_name(given: str) -> str | float:
    try:
        return float(given)
    except ValueError:
        return given
