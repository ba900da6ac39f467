"""The one table style of the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table


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
