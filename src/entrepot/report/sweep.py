"""A sweep in the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from entrepot.report.table import number, plain_table, print_fitting
from entrepot.report.terminal import world_facts
from entrepot.results.sweep import SweepResult
from entrepot.results.sweep_tables import summary
from entrepot.results.tables import world_limits
from entrepot.scenario.sweep import Parameter, Sweep, shown

MOVERS = 12


def print_sweep(console: Console, result: SweepResult) -> None:
    """The question, how many points have an answer and why not, and the spread of answers."""
    sweep, found = result.sweep, summary(result)
    console.rule(f"[bold]{escape(sweep.name)}[/bold]")
    console.print(escape(sweep.why.strip()))
    console.print(f"Scenario: {escape(sweep.scenario.name)}. {_design(sweep)}:", highlight=False)
    for name, parameter in sweep.parameters.items():
        console.print(
            escape(f"  - {name}: {', '.join(parameter.at)}; {_values(parameter)}"), highlight=False
        )
    facts = world_facts(result.world)
    facts.add_row("Closure", sweep.scenario.assumptions.closure)
    facts.add_row("Elasticities", escape(shown(sweep.scenario.assumptions.elasticities)))
    facts.add_row("Tariffs", escape(result.about["tariffs"]))
    facts.add_row(
        "Answered", f"{found['answered']:,} of {found['points']:,} points, each certified"
    )
    for row in found["reasons"]:
        facts.add_row("", escape(f"{row['points']:,} {row['status']}: {row['reason']}"))
    facts.add_row(
        "Time",
        f"{found['seconds']:.1f} s; median of a point {1e3 * found['seconds_per_point_median']:.0f} ms",
    )
    console.print(facts)
    if found["movers"]:
        _spread(console, found)
    console.print("[bold]What these answers leave out[/bold]")
    for line in world_limits(result.world):
        console.print(f"  - {escape(line)}", highlight=False)
    console.print(f"[dim]{escape(str(result.world.provenance.get('credit', '')))}[/dim]")


def _spread(console: Console, found: dict[str, Any]) -> None:
    outcome = found["outcome"]
    heads = ("least", "5th percentile", "median", "95th percentile", "most")
    table = plain_table(
        f"{outcome} over the points answered: the world's real income %, and the economies that "
        "move most",
        [("", False), ("", False), *((head, True) for head in heads)],
    )
    table.add_row("", "World", *(number(x, 3) for x in found["world_welfare_pct"]))
    for row in found["movers"][:MOVERS]:
        table.add_row(row["region"], escape(row["name"]), *(number(x, 3) for x in row[outcome]))
    print_fitting(console, table)


def _design(sweep: Sweep) -> str:
    if sweep.design == "draws":
        return f"{sweep.points:,} draws from seed {sweep.seed}"
    return f"{sweep.points:,} points, {sweep.design}"


def _values(parameter: Parameter) -> str:
    if parameter.values is not None:
        few = ", ".join(map(shown, parameter.values[:6]))
        return few + (f" and {len(parameter.values) - 6} more" if len(parameter.values) > 6 else "")
    if (kind := parameter.distribution) is None:
        ends = (parameter.listed(0), parameter.listed(parameter.count - 1))
        return f"{shown(ends[0])} to {shown(ends[1])} in {parameter.count} steps"
    text = f"{kind} {_pair(getattr(parameter, kind))}"
    return text + (f" within {_pair(parameter.within)}" if parameter.within else "")


def _pair(pair: Any) -> str:
    return " ".join(f"{a.value:g}" if a.bare else str(a) for a in pair)
