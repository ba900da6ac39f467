"""A result in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entrepot.equilibrium.path import PATH_TERMS
from entrepot.equilibrium.welfare import SPLIT_TERMS
from entrepot.report.table import number, plain_table, print_fitting
from entrepot.results.run import Result
from entrepot.results.tables import (
    assumption_rows,
    group_rows,
    headline_rows,
    limits,
    region_rows,
    sector_rows,
)
from entrepot.scenario.variants import DEFAULT
from entrepot.world.world import World

CLOSURES = {
    "world_share": "trade deficits keep their share of world value added",
    "proportional": "trade deficits move with each economy's value added, adjusted to sum to zero",
    "balanced_first": "deficits are set to zero first; changes are from that balanced base",
    "zero": "the shock and the end of all deficits come together",
}


WITHOUT_TRANSFER = (
    "Without transfer: real income less the trade deficit. A deficit or surplus held in world money "
    "is worth more or less as an economy's own prices move; this column leaves that out."
)
OF_WHICH_DEFICITS = (
    "Of which deficits: what ending every trade deficit and surplus does by itself, without the "
    "changes asked about; the rest of real income is due to them."
)


def print_result(console: Console, result: Result) -> None:
    """The whole answer, from the question to what it leaves out."""
    world = result.base_world
    scenario = result.scenario
    console.rule(f"[bold]{escape(scenario.name)}[/bold]")
    console.print(escape(scenario.why.strip()))
    for change in scenario.changes:
        amount = next(
            (
                f"{word}{a}"
                for word, a in (
                    ("to ", change.to),
                    ("", _signed(change.by)),
                    ("ad-valorem equivalent ", change.ad_valorem_equivalent),
                )
                if a is not None
            ),
            "",
        )
        sold = ", ".join(change.exporters)
        arrow = "<->" if change.both_ways else "->"
        bought = f" {arrow} {', '.join(change.importers)}" if change.importers else ""
        console.print(
            f"  - {change.instrument} {amount}: "
            + escape(f"{sold}{bought}; {', '.join(change.sectors)} ({change.why})"),
            highlight=False,
        )
    _facts(console, result)
    rows = region_rows(result)
    ranked = sorted(rows, key=lambda r: r["welfare_pct"], reverse=True)
    print_fitting(console, _group_table(result))
    few = len(ranked) <= 20
    title = "All economies" if few else "Top ten by real income"
    print_fitting(console, _region_table(title, ranked if few else ranked[:10]))
    if not few:
        print_fitting(console, _region_table("Bottom ten by real income", ranked[-10:]))
    if result.deficit_part is None:
        console.print(WITHOUT_TRANSFER, style="dim")
    else:
        console.print(OF_WHICH_DEFICITS, style="dim")
    why = "Why: real income by cause, % of base income (largest movers; "
    linear = (*SPLIT_TERMS, "deficit_part")
    print_fitting(console, _split_table(why + "linear terms plus the rest)", linear, rows))
    if result.path is not None:
        whole = "along the path of the shock, the terms sum)"
        print_fitting(
            console, _split_table(why + whole, [f"path_{term}" for term in PATH_TERMS], rows)
        )
    print_fitting(console, _sector_table(result))
    print_fitting(console, _headline_table(result))
    console.print("[bold]What this answer leaves out[/bold]")
    for line in limits(result):
        console.print(f"  - {escape(line)}", highlight=False)
    console.print(f"[dim]{escape(str(world.provenance.get('credit', '')))}[/dim]")


def _signed(amount: Any) -> str | None:
    return None if amount is None else (f"+{amount}" if amount.value > 0 else str(amount))


def world_facts(world: World) -> Table:
    """What was asked, what of it is estimated, and how far off; more rows can be added."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    size = f"{len(world.regions)} economies x {len(world.sectors)} sectors"
    source = world.provenance.get("data", "no source stated")
    grid.add_row("Data", escape(f"{world.name}: {size}, {world.year}; {source}"))
    for text in world.provenance.get("estimated", []):
        grid.add_row("Estimated", escape(text))
    if measured := world.provenance.get("measured_error", {}):
        grid.add_row("Error of it", escape(str(measured.get("summary", ""))))
    return grid


def _facts(console: Console, result: Result) -> None:
    solve, worst = result.solve, result.certificate.worst
    given = assumption_rows(result)
    grid = world_facts(result.base_world)
    grid.add_row("Closure", f"{given['closure']}: {CLOSURES[given['closure']]}")
    grid.add_row("Elasticities", escape(given["elasticities"]))
    if given["variant"] != DEFAULT:
        grid.add_row("Variant", escape(given["variant"]))
    if given["sourcing"] != "by_sector":
        grid.add_row("Sourcing", escape(given["sourcing"]))
    tariffs = given["tariffs"]
    if given["tariffs_assumed"]:
        tariffs = f"ASSUMED, not data: {tariffs}"
    grid.add_row("Tariffs", escape(tariffs))
    grid.add_row(
        "Solve",
        f"{solve.status} in {solve.steps} steps, {solve.seconds:.2f} s; largest miss {solve.residual:.0e}",
    )
    grid.add_row(
        "Certificate",
        escape(f"passed; worst equation: {worst.equation}, {worst.miss:.0e} at {worst.where}"),
    )
    console.print(grid)


def _group_table(result: Result) -> Table:
    zero = result.deficit_part is not None
    table = plain_table(
        "Groups, summed (real income weighs by income)",
        [("", False), ("real income %", True), ("million USD", True), ("real wage %", True),
         ("output %", True), ("exports %", True), ("imports %", True), ("gaining", True),
         ("of which deficits %" if zero else "without transfer %", True),
         ("not separate here", False)],
    )  # fmt: skip
    for row in group_rows(result):
        absent = row["absent"]
        if not row["present"]:
            table.add_row(escape(row["label"]), *["."] * 8, f"all {len(absent)}")
            continue
        note = ""
        if absent:
            total = len(absent) + len(row["present"])
            note = f"{len(absent)} of {total}: {' '.join(absent[:6])}{' ...' if len(absent) > 6 else ''}"
        table.add_row(
            escape(row["label"]),
            number(row["welfare_pct"], 3),
            number(row["welfare_musd"], 0),
            number(row["real_wage_pct"], 3),
            number(row["output_pct"]),
            number(row["exports_pct"]),
            number(row["imports_pct"]),
            f"{row['gaining']} of {len(row['present'])}",
            number(row["deficit_part_pct" if zero else "welfare_without_transfer_pct"], 3),
            note,
        )
    return table


def _region_table(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    table = plain_table(
        title,
        [("", False), ("", False), ("real income %", True), ("million USD", True), ("real wage %", True),
         ("price level %", True), ("output %", True), ("exports %", True), ("imports %", True),
         ("of which deficits %" if "deficit_part_pct" in rows[0] else "without transfer %", True)],
    )  # fmt: skip
    for row in rows:
        table.add_row(
            escape(row["region"]),
            escape(row["name"]),
            number(row["welfare_pct"], 3),
            number(row["welfare_musd"], 0),
            number(row["real_wage_pct"], 3),
            number(row["price_level_pct"]),
            number(row["output_pct"]),
            number(row["exports_pct"]),
            number(row["imports_pct"]),
            number(row.get("deficit_part_pct", row["welfare_without_transfer_pct"]), 3),
        )
    return table


def _split_table(title: str, terms: Sequence[str], rows: Sequence[dict[str, Any]]) -> Table:
    """Real income by the terms (columns of the rows) that are not zero everywhere."""
    terms = [t for t in terms if any(abs(r.get(f"{t}_pct") or 0) >= 5e-4 for r in rows)]
    heads = (t.removeprefix("path_").replace("_", " ") for t in terms)
    table = plain_table(title, [("", False), ("real income", True), *((h, True) for h in heads)])
    for row in sorted(rows, key=lambda r: -abs(r["welfare_pct"]))[:10]:
        table.add_row(
            escape(f"{row['region']} {row['name']}"),
            number(row["welfare_pct"], 3),
            *(number(row[f"{t}_pct"], 3) for t in terms),
        )
    return table


def _sector_table(result: Result) -> Table:
    table = plain_table(
        "Sectors that move most (by world trade volume)",
        [("", False), ("", False), ("output %", True), ("trade %", True), ("price %", True),
         ("most gained", True), ("million USD", True), ("most lost", True), ("million USD", True)],
    )  # fmt: skip
    rows = sector_rows(result)
    for row in sorted(rows, key=lambda r: -abs(r["trade_pct"] or 0))[:10]:
        table.add_row(
            escape(row["sector"]),
            escape(row["name"]),
            number(row["output_pct"]),
            number(row["trade_pct"]),
            number(row["price_pct"]),
            f"{escape(row['most_gained'])} {number(row['most_gained_pct'], 1)}%",
            number(row["most_gained_musd"], 0),
            f"{escape(row['most_lost'])} {number(row['most_lost_pct'], 1)}%",
            number(row["most_lost_musd"], 0),
        )
    return table


def _headline_table(result: Result) -> Table:
    rows = headline_rows(result)
    named = {"world_pct": "world", "members_pct": "economies named", "others_pct": "all others"}
    keys = [k for k in named if any(k in r for r in rows)]
    table = plain_table(
        "The headline under other elasticities and other rules for deficits: real income %",
        [("elasticities", False), ("deficits", False), *((named[k], True) for k in keys),
         ("gaining", True), ("losing", True), ("same sign", True)],
    )  # fmt: skip
    total = len(result.base_world.regions)
    for row in rows:
        label = escape(row["elasticities"])
        if row["reason"]:
            label += f"\n  no answer: {escape(row['reason'][:90])}"
        table.add_row(
            label,
            row["closure"],
            *(number(row.get(k), 3) for k in keys),
            str(row.get("gaining", ".")),
            str(row.get("losing", ".")),
            f"{row['same_sign']} of {total}" if "same_sign" in row else ".",
        )
    return table
