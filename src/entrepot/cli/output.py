"""What every command prints with."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def print_json(data: Any) -> None:
    """One strict JSON object."""
    print(json.dumps(data, allow_nan=False))  # noqa: T201


def console() -> Console:
    """The terminal; wide enough for the tables when output is not a terminal."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=190)
