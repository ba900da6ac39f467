"""An audit in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entrepot.report.table import plain_table
from entrepot.world.audit import Audit

WORDS = {"fail": "[bold red]FAIL[/bold red]", "warn": "[yellow]warn[/yellow]", "note": "note"}
SHOWN = 3


def print_audit(console: Console, audit: Audit) -> None:
    """Totals, then every finding with its worst places, then the verdict."""
    console.rule(f"[bold]{escape(audit.name)}[/bold]")
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    facts.add_row("Year", str(audit.year))
    facts.add_row("Size", f"{audit.regions} regions x {audit.sectors} sectors")
    facts.add_row("Unit", escape(audit.unit))
    for key, value in audit.totals.items():
        if key == "largest_discrepancy" or value:
            facts.add_row(key.replace("_", " ").capitalize(), f"{value:,.6g}")
    absolute, relative = audit.tolerance
    facts.add_row("Tolerance", f"{absolute:g} and {relative:g} of a total")
    console.print(facts)
    if audit.findings:
        table = plain_table(
            None, [("", False), ("check", False), ("what", False), ("places", True), ("sum", True)]
        )
        for f in audit.findings:
            table.add_row(WORDS[f.level], f.check, escape(f.text), f"{f.count:,}", f"{f.size:,.6g}")
            for spot in f.worst[:SHOWN]:
                table.add_row("", "", f"[dim]{escape(spot.where)}: {spot.value:,.6g}[/dim]", "", "")
        console.print(table)
    failed = sum(f.level == "fail" for f in audit.findings)
    warned = sum(f.level == "warn" for f in audit.findings)
    checks = len(audit.checks)
    verdict = "Passed" if audit.passed else "Failed"
    console.print(
        f"[bold]{verdict}[/bold]: {checks} checks, {failed} failing and {warned} warning "
        f"finding{'s' if failed + warned != 1 else ''}."
    )
