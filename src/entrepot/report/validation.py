"""A validation in the terminal: published beside computed."""

from __future__ import annotations

from rich.console import Console

from entrepot.report.table import plain_table
from entrepot.validation import Report

SHOWN = 100  # cells a table; whatever misses is always shown


def print_validation(console: Console, report: Report) -> None:
    """Cells, the first hundred of each table, then how many hold and the largest difference."""
    row = report.validation
    console.rule(f"[bold]{row.name}[/bold]")
    console.print(f"{row.summary}. {row.source}.")
    table = plain_table(
        None,
        [("table", False), ("", False), ("column", False), ("published", True), ("computed", True),
         ("difference", True), ("within", True), ("", False)],
    )  # fmt: skip
    tables = {
        name: [c for c in report.cells if c.table == name]
        for name in dict.fromkeys(c.table for c in report.cells)
    }
    shown = [
        c for cells in tables.values() for k, c in enumerate(cells) if k < SHOWN or not c.passed
    ]
    for c in shown:
        table.add_row(
            c.table,
            c.row,
            c.column,
            f"{c.published:g}",
            f"{c.computed:.5f}",
            f"{c.difference:+.5f}",
            f"{c.tolerance:.5g}",
            "" if c.passed else "MISSED",
        )
    console.print(table)
    if left := len(report.cells) - len(shown):
        console.print(f"{left:,} more cells hold; --json prints them all.")
    for name, cells in tables.items():
        held = sum(c.passed for c in cells)
        worst = max(abs(c.difference) for c in cells)
        console.print(f"{name}: {held} of {len(cells)} cells hold; largest difference {worst:.5f}")
