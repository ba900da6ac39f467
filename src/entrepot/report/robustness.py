"""A robustness table in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from entrepot.core.labels import some
from entrepot.report.table import number, plain_table
from entrepot.results.robustness import SAID, Robustness

HEADINGS = {"world": "world", "members": "economies named", "others": "all others"}


def print_robustness(console: Console, answer: Robustness) -> None:
    """One table a set of elasticities and way of sourcing, then what stands behind the marks."""
    console.rule(f"[bold]{escape(answer.scenario.name)}[/bold]")
    codes = [answer.world.regions[i] for i in answer.movers]
    rows = answer.table()
    masks = answer.masks()
    columns = [("variant", False), ("sourcing", False), ("elasticities", False), ("", False)]
    columns += [(HEADINGS[key], True) for key in masks]
    columns += [(code, True) for code in codes] + [("same sign", True)]
    table = plain_table("Real income %, by variant of the model", columns)
    for row in rows:
        cells = [row["variant"], row["sourcing"], row["elasticities"].split(" (")[0], row["status"]]
        values = [row.get(f"{key}_pct") for key in masks]
        values += [row.get("regions_pct", {}).get(code) for code in codes]
        table.add_row(
            *map(escape, cells), *(number(v, 3) for v in values), str(row.get("same_sign", "."))
        )
    console.print(table)
    console.print(
        f"Same sign: economies, of {len(answer.world.regions)}, whose real income moves as in the "
        "first row. `several`: other equilibria were found or must exist, or this one is "
        "unstable; `shuts`: free entry makes producers leave.",
        style="dim",
    )
    for row in rows:
        said = [*row["notes"], *([row["reason"]] if row["reason"] else [])]
        if row["shut"]:
            said.append(f"shut: {some(row['shut'], 8)}")
        for line in said:
            short = line if len(line) <= SAID else line[: SAID - 3] + "..."
            console.print(
                escape(f"  - {row['variant']}, {row['elasticities'].split(' (')[0]}: {short}"),
                highlight=False,
            )
