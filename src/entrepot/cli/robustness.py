"""`entrepot robustness`: a scenario through every variant of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entrepot.cli.output import JsonFlag, console, print_json


def robustness_command(
    scenario: Annotated[
        str, typer.Argument(help="A scenario file, or the name of a library scenario.")
    ],
    world: Annotated[str, typer.Option(help="A world by name, or a world file.")] = "world-2022",
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Only this variant; may be given again. All when absent."),
    ] = None,
    starts: Annotated[
        int,
        typer.Option(min=0, max=100, help="Starts from which other equilibria are looked for."),
    ] = 2,
    out: Annotated[Path | None, typer.Option(help="File to write the JSON object to.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask a scenario under every variant of the model, and tabulate real income."""
    import json

    from entrepot.core.errors import OutputError
    from entrepot.results.robustness import robustness
    from entrepot.scenario.read import read_scenario
    from entrepot.world.shelf import load_world

    question = read_scenario(scenario)
    if out is not None and not out.parent.is_dir():
        raise OutputError(f"{out.parent} is no folder; make it first.")
    answer = robustness(load_world(world), question, variants=variant or (), starts=starts)
    data = answer.to_dict()
    if out is not None:
        out.write_text(json.dumps(data, allow_nan=False, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print_json(data)
        return
    from entrepot.report.robustness import print_robustness

    print_robustness(console(), answer)
