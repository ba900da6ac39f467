"""The one table style of the terminal, and its figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def number(value: float | None, digits: int = 2, sign: bool = True) -> str:
    """A figure for a table: thousands separated, sign shown, absent as a dot."""
    if value is None:
        return "."
    if abs(value) < 0.5 * 10**-digits:
        return f"{0:.{digits}f}"
    return f"{value:{'+' if sign else ''},.{digits}f}"


def listing(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def plain_table(title: str | None, columns: Iterable[tuple[str, bool]]) -> Table:
    """A light table; columns are (heading, right-aligned)."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name, right in columns:
        table.add_column(name, justify="right" if right else "left", no_wrap=right)
    return table


def print_fitting(console: Console, table: Table, least: int = 4) -> None:
    """Print a table; in a narrow terminal, leave out columns from the right rather than squeeze."""
    for column in table.columns:
        if column.justify == "left":
            column.max_width = 34
    dropped = 0
    free = console.options.update(width=1000)
    while (
        len(table.columns) > least and Measurement.get(console, free, table).maximum > console.width
    ):
        table.columns.pop()
        dropped += 1
    console.print(table)
    if dropped:
        console.print(
            f"[dim]{dropped} more column(s) in a wider terminal, in --json and in --out[/dim]"
        )
