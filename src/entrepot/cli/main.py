"""`entrepot`: every command, and what deliberate failures print."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Annotated

# Many small matrices gain nothing from BLAS threads, and lose to their contention; the large
# systems of the measures gain.
if not {"measure", "years", "profile"} & set(sys.argv[1:2]):
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from entrepot.cli import linear, products, robustness, shape
from entrepot.cli.elasticities import elasticities_command
from entrepot.cli.measure import measure_command
from entrepot.cli.options import (
    ClosureOption,
    ElasticitiesOption,
    SourcingOption,
    TariffOption,
    VariantOption,
    question,
)
from entrepot.cli.output import JsonFlag, console, print_json
from entrepot.cli.profile import profile_command
from entrepot.cli.sweep import sweep_command
from entrepot.cli.years import years_command
from entrepot.core.errors import EntrepotError, ScenarioError

app = typer.Typer(
    help="An open-economy laboratory: what happens when borders open, close or break.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(shape.app, name="world")
app.add_typer(products.app, name="products")
app.command("gradient")(linear.gradient_command)
app.command("response")(linear.response_command)
app.command("measure")(measure_command)
app.command("years")(years_command)
app.command("profile")(profile_command)
app.command("sweep")(sweep_command)
app.command("elasticities")(elasticities_command)
app.command("robustness")(robustness.robustness_command)


def main() -> None:
    """Entry point: every deliberate failure is one clear line and its exit code."""
    as_json = "--json" in sys.argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows a mark instead
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except EntrepotError as error:
        _complain(str(error), type(error).__name__, error.exit_code, as_json)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _drop_output()
        sys.exit(0)
    except SystemExit as stop:
        # Libraries turn a reader that has gone (`| head`) into exit 1; it is no failure.
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        _drop_output()
        sys.exit(0)
    except OSError as error:
        _drop_output()
        place = error.filename or "the output"
        _complain(f"{place}: {error.strerror or error}.", "OutputError", 2, as_json)
    except Exception as error:
        # Usage errors of the command-line library carry their own message and code 2.
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())  # type: ignore[attr-defined]  # noqa: T201
            sys.exit(2)
        if hasattr(error, "format_message"):
            _complain(error.format_message(), "UsageError", 2, as_json)
        raise
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that leaving does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _complain(message: str, kind: str, code: int, as_json: bool) -> None:
    if as_json:
        text = json.dumps({"error": {"type": kind, "message": message, "exit_code": code}})
    else:
        text = f"entrepot: {message}"
    print(text, file=sys.stderr)  # noqa: T201
    sys.exit(code)


@app.command("run")
def run_command(
    scenario: Annotated[
        str, typer.Argument(help="A scenario file, or the name of a library scenario.")
    ],
    world: Annotated[str, typer.Option(help="A world by name, or a world file.")] = "world-2022",
    tariffs: TariffOption = None,
    closure: ClosureOption = None,
    elasticities: ElasticitiesOption = None,
    variant: VariantOption = None,
    sourcing: SourcingOption = None,
    path: Annotated[
        bool,
        typer.Option(
            "--path", help="Also split real income along the path of the shock: the terms sum."
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write the result to.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask a scenario of a world, print the answer and write it to a folder."""
    from entrepot.report.write import check_folder, write_result
    from entrepot.results.run import run

    if out is not None:
        check_folder(out)
    table, asked = question(scenario, world, tariffs, closure, elasticities, variant, sourcing)
    result = run(table, asked, path=path)
    gone: BaseException | None = None
    try:
        if as_json:
            print_json(result.to_dict())
        else:
            from entrepot.report.terminal import print_result

            print_result(console(), result)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:  # the reader has gone; the folder is still due
        gone = error
    if out is not None:
        folder = write_result(result, out)
        if gone is not None:
            raise gone
        print(
            f"Written to {folder}: open {folder / 'report.html'} in a browser.",
            file=sys.stderr if as_json else sys.stdout,
        )
    if gone is not None:
        raise gone


@app.command("compare")
def compare_command(
    first: Annotated[str, typer.Argument(help="A scenario, or a result folder.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    world: Annotated[
        str, typer.Option(help="World for scenarios given by file or name.")
    ] = "world-2022",
    as_json: JsonFlag = False,
) -> None:
    """Two answers side by side: who does better under which."""
    from entrepot.results.compare import compare_inputs

    comparison = compare_inputs(first, second, world)
    if as_json:
        print_json(comparison.to_dict())
    else:
        from entrepot.report.comparison import print_comparison

        print_comparison(console(), comparison)


@app.command("validate")
def validate_command(
    name: Annotated[
        str | None, typer.Argument(help="One validation; all of them when absent.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder holding the published data.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Recompute published tables and print computed beside published, cell by cell."""
    from entrepot.validation import run_validations

    reports = run_validations(name, data)
    if as_json:
        print_json({"validations": [r.to_dict() for r in reports]})
    else:
        from entrepot.report.validation import print_validation

        for report in reports:
            print_validation(console(), report)
    if not all(r.passed for r in reports):
        raise typer.Exit(1)


@app.command("scenarios")
def scenarios_command(
    name: Annotated[str | None, typer.Argument(help="Print this one, to copy and change.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the scenarios in the library, or print one."""
    from entrepot.scenario.read import library, read_scenario

    if name is not None:
        question = read_scenario(name)
        if as_json:
            print_json(question.model_dump(mode="json", exclude_none=True))
        elif name in library():
            print(library()[name].read_text(encoding="utf-8"), end="")  # noqa: T201
        else:
            raise ScenarioError(f"{name} is not in the library; `entrepot scenarios` lists it.")
        return
    rows = [(name, read_scenario(name).why.strip()) for name in library()]
    if as_json:
        print_json([{"name": n, "why": w} for n, w in rows])
        return
    from entrepot.report.table import plain_table

    table = plain_table(None, [("name", False), ("why", False)])
    for row in rows:
        table.add_row(*row)
    console().print(table)


@app.command("version")
def version_command() -> None:
    """The version."""
    from entrepot.core.version import __version__

    print(__version__)  # noqa: T201


if __name__ == "__main__":
    main()
