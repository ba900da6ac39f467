"""Gradients and responses in the terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.markup import escape

from entrepot.core.labels import some
from entrepot.equilibrium.world_response import DIRECTIONS
from entrepot.report.table import number, plain_table
from entrepot.results.linear import GradientTable, ResponseTable
from entrepot.results.run import Result
from entrepot.results.tables import assumption_rows

SHOWN = 12  # pairs of the world response


def print_gradient(console: Console, found: GradientTable, result: Result) -> None:
    """The rows of a gradient, largest effect first."""
    console.rule(f"[bold]{escape(found.outcome)}[/bold] by {found.with_respect_to}")
    console.print(
        f"At the new equilibrium of {escape(result.scenario.name)} on {escape(result.base_world.name)}; "
        f"{found.unit}. Adjoint residual {found.residual:.0e}.",
        highlight=False,
    )
    said = assumption_rows(result)
    shown = ("closure", "elasticities", "tariffs", "variant", "sourcing")
    about = "; ".join(f"{key} {said[key]}" for key in shown if said.get(key))
    console.print(escape(about[0].upper() + about[1:] + "."), highlight=False)
    if not found.rows:
        console.print("Nothing moves it: the derivative is zero everywhere.")
        return
    keys = [k for k in found.rows[0] if k != "effect"]
    table = plain_table(None, [*((k, False) for k in keys), ("effect", True)])
    for row in found.rows:
        table.add_row(*(escape(row[k]) for k in keys), f"{row['effect']:+.3g}")
    console.print(table)


def print_response(console: Console, asked: ResponseTable, of: str | None) -> None:
    """The largest effects of each economy on others, and the error against the exact answer."""
    found = asked.found
    console.rule("[bold]The linearised world[/bold]")
    whole = len(asked.sectors) == len(asked.world.sectors)
    console.print(
        f"Per cent of real income for one per cent of: {DIRECTIONS[found.instrument][2]}"
        f"{'' if whole else f' in {some(asked.sectors, 8)}'}.",
        highlight=False,
    )
    console.print(
        f"Elasticities {escape(asked.elasticities)}; residual {found.residual:.0e}.",
        highlight=False,
    )
    if found.error is not None:
        console.print(
            f"Against the exact answer at a log change of {found.size:g}: at most {found.error:.2g} off "
            f"where effects reach {np.abs(found.real_income).max():.2g}.",
            highlight=False,
        )
    values = found.real_income.copy()
    table = plain_table(None, [("change in", False), ("real income of", False), ("per cent", True)])
    if of is not None:
        i = found.regions.index(of)
        pairs = [(i, o) for o in range(len(found.regions)) if o != i]
        pairs += [(d, i) for d in range(len(found.regions)) if d != i]
        table.add_row(of, of, number(values[i, i], 4))
    else:
        pairs = [(d, o) for d in range(len(values)) for o in range(len(values)) if d != o]
    pairs.sort(key=lambda pair: -abs(values[pair]))
    for d, o in pairs[: 2 * SHOWN]:
        table.add_row(found.regions[o], found.regions[d], number(values[d, o], 4))
    console.print(table)
    friends = (values > 0).sum(1) - (np.diag(values) > 0)
    console.print(
        f"{int(friends.sum())} of {values.size - len(values)} pairs gain from the other's change.",
        highlight=False,
    )
