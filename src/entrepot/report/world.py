"""A World in the terminal and as data."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entrepot.catalogues import groups
from entrepot.report.table import plain_table
from entrepot.world.build import steps_in_words
from entrepot.world.groups import group_use
from entrepot.world.world import World, trade_flows


def world_dict(world: World) -> dict[str, Any]:
    """Labels, totals, identities and provenance of a World."""
    sales, drawn = trade_flows(world)
    across = sales.copy()
    across[:, world.one_economy] = 0
    n, s = len(world.regions), len(world.sectors)
    added = world.V.sum(0).reshape(n, s)
    final = world.F.sum((0, 2))
    output = world.x.reshape(n, s)
    exports, imports = across.sum((0, 2)), across.sum((0, 1))
    return {
        "name": world.name,
        "year": world.year,
        "sha256": world.content_hash,
        "unit": "million USD at basic prices",
        "totals": {
            "output_musd": float(world.x.sum()),
            "value_added_musd": float(world.V.sum()),
            "final_use_musd": float(world.F.sum()),
            "product_taxes_musd": float(world.T_inputs.sum() + world.T_final.sum()),
            "cross_border_trade_musd": float(across.sum()),
        },
        "identities": {
            "largest_slack_musd": float(np.abs(world.slack).max()),
            "tolerance_musd": world.atol,
            "tolerance_relative": world.rtol,
            "zero_output_cells": int((world.x == 0).sum()),
            "negative_final_use_cells": int((world.F < 0).sum()),
            "stock_flows_musd": float(drawn.sum()),
            "negative_value_added_cells": int((added < 0).sum()),
        },
        "product_taxes": world.taxes,
        "margins": {key: float(m.inputs.sum() + m.final.sum()) for key, m in world.margins.items()},
        "steps": steps_in_words(world.provenance),
        "tariffs": world.satellites["tariffs"].source if "tariffs" in world.satellites else "none",
        "satellites": [
            {
                "name": key,
                "dims": list(s.dims),
                "unit": s.unit,
                "source": s.source,
                "rule": s.rule,
                "coverage": s.coverage,
            }
            for key, s in sorted(world.satellites.items())
        ],
        "final_categories": list(world.final_categories),
        "value_added_categories": list(world.value_added_categories),
        "regions": [
            {
                "region": code,
                "name": world.region_names.get(code, code),
                "value_added_musd": float(added[i].sum()),
                "final_use_musd": float(final[i]),
                "exports_musd": float(exports[i]),
                "imports_musd": float(imports[i]),
            }
            for i, code in enumerate(world.regions)
        ],
        "sectors": [
            {
                "sector": x.code,
                "name": x.name,
                "slug": x.slug,
                "isic": list(x.isic),
                "output_musd": float(output[:, k].sum()),
                "trade_musd": float(across[k].sum()),
            }
            for k, x in enumerate(world.sectors)
        ],
        "groups": [
            {
                "group": name,
                "as_of": use.as_of,
                "present": list(use.present),
                "absent": list(use.absent),
            }
            for name in groups()
            for use in [group_use(world, name)]
        ],
        "provenance": dict(world.provenance),
    }


def print_world(console: Console, world: World) -> None:
    """The same, for reading."""
    data = world_dict(world)
    console.rule(f"[bold]{escape(world.name)}[/bold]")
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    facts.add_row("Year", str(world.year))
    facts.add_row("Size", f"{len(world.regions)} economies x {len(world.sectors)} sectors")
    for key, value in data["totals"].items():
        facts.add_row(_label(key), _money(value))
    for key, value in data["identities"].items():
        facts.add_row(_label(key), f"{value:,.6g}")
    facts.add_row("Product taxes", world.taxes.replace("_", " "))
    facts.add_row("Tariffs", escape(data["tariffs"]))
    facts.add_row("Hash", world.content_hash)
    provenance = world.provenance
    for key in ("data", "terms", "credit"):
        if key in provenance:
            facts.add_row(key.capitalize(), escape(str(provenance[key])))
    for key, value in data["margins"].items():
        facts.add_row("Margin", f"{escape(key)}: {_money(value)}")
    for s in data["satellites"]:
        covered = f"{s['coverage']:.1%} of its cells have a number"
        facts.add_row(
            "Satellite",
            escape(f"{s['name']} ({', '.join(s['dims'])}; {s['unit']}): {covered}; {s['source']}"),
        )
    for text in data["steps"]:
        facts.add_row("Step", escape(text))
    for text in provenance.get("estimated", []):
        facts.add_row("Estimated", escape(text))
    if "measured_error" in provenance:
        facts.add_row("Error of it", escape(provenance["measured_error"]["summary"]))
    for text in provenance.get("notes", []):
        facts.add_row("Note", escape(text))
    console.print(facts)
    _rows(
        console,
        "Sectors",
        data["sectors"],
        ("sector", "slug", "name", "isic", "output_musd", "trade_musd"),
    )
    _rows(
        console,
        "Economies",
        data["regions"],
        ("region", "name", "value_added_musd", "final_use_musd", "exports_musd", "imports_musd"),
    )
    rows = [
        {
            "group": g["group"],
            "as of": g["as_of"],
            "here": f"{len(g['present'])} of {len(g['present']) + len(g['absent'])}",
            "members here": " ".join(g["present"]),
        }
        for g in data["groups"]
    ]
    _rows(console, "Groups", rows, ("group", "as of", "here", "members here"))


def _money(musd: float) -> str:
    """Million USD in the unit that suits its size."""
    if abs(musd) >= 1e5:
        return f"{musd / 1e6:,.2f} tn USD"
    return f"{musd / 1e3:,.2f} bn USD" if abs(musd) >= 1e3 else f"{musd:,.2f} million USD"


def _label(key: str) -> str:
    return key.removesuffix("_musd").replace("_", " ").capitalize()


def _rows(
    console: Console, title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]
) -> None:
    headings = []
    for column in columns:
        money = column.endswith("_musd")
        headings.append((_label(column).lower() + (", bn USD" if money else ""), money))
    table = plain_table(title, headings)
    for row in rows:
        cells = []
        for column in columns:
            value = row[column]
            if column.endswith("_musd"):
                cells.append(f"{value / 1e3:,.1f}")
            elif column == "isic":
                cells.append(_ranges(value))
            else:
                cells.append(escape(str(value)))
        table.add_row(*cells)
    console.print(table)


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for x in numbers:
        if parts and parts[-1][1] == x - 1:
            parts[-1][1] = x
        else:
            parts.append([x, x])
    return ", ".join(f"{a:02d}" if a == b else f"{a:02d}-{b:02d}" for a, b in parts)
