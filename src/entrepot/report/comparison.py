"""A comparison in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from entrepot.report.table import number, plain_table
from entrepot.results.compare import Comparison


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Groups, then the economies whose answer differs most."""
    first, second = (escape(name) for name in comparison.names)
    console.rule(f"[bold]{first}[/bold] | [bold]{second}[/bold]")
    for line in comparison.differing:
        console.print(f"They also differ in {escape(line)}", highlight=False)
    groups = plain_table(
        "Groups: real income %", [("", False), (first, True), (second, True), ("difference", True)]
    )
    others = {g["group"]: g for g in comparison.second["groups"]}
    for group in comparison.first["groups"]:
        other = others.get(group["group"])
        if not group["present"] or other is None or other["present"] != group["present"]:
            continue
        x, y = group["welfare_pct"], other["welfare_pct"]
        groups.add_row(escape(group["label"]), number(x, 3), number(y, 3), number(y - x, 3))
    console.print(groups)
    rows = sorted(comparison.rows(), key=lambda r: -abs(r["welfare_pct_difference"]))
    table = plain_table(
        "Economies whose answer differs most",
        [("", False), ("", False), (f"{first}: real income %", True), (f"{second}", True),
         ("difference", True), ("million USD", True), ("exports, points", True), ("imports, points", True)],
    )  # fmt: skip
    for row in rows[:20]:
        table.add_row(
            row["region"],
            escape(row["name"]),
            number(row["welfare_pct_first"], 3),
            number(row["welfare_pct_second"], 3),
            number(row["welfare_pct_difference"], 3),
            number(row["welfare_musd_difference"], 0),
            number(row["exports_pct_difference"]),
            number(row["imports_pct_difference"]),
        )
    console.print(table)
    better = sum(1 for r in rows if r["welfare_pct_difference"] > 0)
    console.print(f"{better} of {len(rows)} economies do better under {second}.", highlight=False)
