"""A validation in the terminal: published beside computed."""

from __future__ import annotations

from rich.console import Console

from entrepot.report.table import plain_table
from entrepot.validation import Report


def print_validation(console: Console, report: Report) -> None:
    """Every cell, then how many hold and the largest difference by table."""
    row = report.validation
    console.rule(f"[bold]{row.name}[/bold]")
    console.print(f"{row.summary}. {row.source}.")
    table = plain_table(
        None,
        [("table", False), ("", False), ("column", False), ("published", True), ("computed", True),
         ("difference", True), ("within", True), ("", False)],
    )  # fmt: skip
    for c in report.cells:
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
    for name in dict.fromkeys(c.table for c in report.cells):
        cells = [c for c in report.cells if c.table == name]
        held = sum(c.passed for c in cells)
        worst = max(abs(c.difference) for c in cells)
        console.print(f"{name}: {held} of {len(cells)} cells hold; largest difference {worst:.5f}")
