"""`entrepot profile`: the portrait of one economy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from entrepot.cli.measure import grouped
from entrepot.cli.output import JsonFlag, console, print_json

PAGES = (".html", ".htm")


def profile_command(
    economy: Annotated[
        str,
        typer.Argument(help="A code of the table (CHN), or a group (eu27) taken together as one."),
    ],
    world: Annotated[str, typer.Option(help="A world by name, or a world file.")] = "world-2022",
    level: Annotated[
        str,
        typer.Option(help="region, or economy: the provinces and zones of one parent together."),
    ] = "region",
    together: Annotated[
        list[str] | None,
        typer.Option(help="Take a group as one economy (eu27, or EU=DEU+FRA); may be given again."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="HTML page to write, with charts.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Portray an economy: openness, value chains, partners, dependence, circuits, advantage."""
    from entrepot.measure.profile import profile
    from entrepot.report.files import check_file, write_whole
    from entrepot.report.profile import print_profile
    from entrepot.world.shelf import load_world

    if out is not None:
        check_file(out, PAGES)
    found = profile(load_world(world), economy, level=level, together=grouped(together))  # type: ignore[arg-type]
    if out is not None:
        from entrepot.report.profile_page import profile_page

        text = profile_page(found)
        write_whole(out, lambda scratch, _: scratch.write_text(text, encoding="utf-8"), PAGES)
    if as_json:
        print_json(found.to_dict())
    else:
        print_profile(console(), found)
    if out is not None:
        print(
            f"Written to {out}: open it in a browser.", file=sys.stderr if as_json else sys.stdout
        )
