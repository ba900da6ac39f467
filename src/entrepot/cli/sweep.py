"""`entrepot sweep`: one scenario at many values of its parameters."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from entrepot.cli.options import TariffOption, world_with_tariffs
from entrepot.cli.output import JsonFlag, console, print_json
from entrepot.core.errors import ScenarioError

if TYPE_CHECKING:
    from entrepot.results.sweep import Progress


def sweep_command(
    sweep: Annotated[str, typer.Argument(help="A sweep file.")],
    world: Annotated[str, typer.Option(help="A world by name, or a world file.")] = "world-2022",
    tariffs: TariffOption = None,
    workers: Annotated[str, typer.Option(help="Processes on this machine, or `all` cores.")] = "1",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler whose workers solve instead.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write the tables to.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue what the folder holds of this sweep.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask a scenario at every point of a grid, or at random draws, and sum up the answers.

    Exits with 3 when no point has an answer.
    """
    from entrepot.results.sweep import run_sweep
    from entrepot.scenario.sweep import read_sweep

    question = read_sweep(sweep)
    count = _workers(workers)
    table = world_with_tariffs(world, tariffs)
    with _progress(as_json) as progress:
        result = run_sweep(
            table,
            question,
            workers=count,
            scheduler=scheduler,
            out=out,
            resume=resume,
            progress=progress,
        )
    if as_json:
        print_json(result.to_dict())
    else:
        from entrepot.report.sweep import print_sweep

        print_sweep(console(), result)
    if out is not None:
        print(
            f"Written to {out}: points.csv, regions.parquet, sweep.json.",
            file=sys.stderr if as_json else sys.stdout,
        )
    if not result.answered.any():
        raise typer.Exit(3)


def _workers(given: str) -> int | Literal["all"]:
    if given == "all":
        return "all"
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= 1024):
        raise ScenarioError(
            f"--workers is {given!r}; a number from 1 to 1024, or all, was expected."
        )
    return int(given)


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress | None]:
    """A bar on standard error while a terminal looks on; nothing otherwise."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sweep", total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield tell
