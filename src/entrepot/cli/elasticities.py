"""`entrepot elasticities`: the sets, their sources and standard errors, and what they give a world."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from entrepot.cli.output import JsonFlag, console, print_json

FACTS = ("label", "source", "table", "page", "read_in", "year", "method", "unit", "note")


def elasticities_command(
    name: Annotated[
        str | None, typer.Argument(help="A set, or a CSV file; every set is listed when absent.")
    ] = None,
    world: Annotated[
        str, typer.Option(help="The world whose sectors to show, by name or file.")
    ] = "world-2022",
    as_json: JsonFlag = False,
) -> None:
    """List elasticity sets and their sources, or one set's values for a world's sectors."""
    facts = _every_set() if name is None else _one_set(name, world)
    if as_json:
        print_json(facts)
    elif name is None:
        _print_sets(facts)
    else:
        _print_sectors(facts)


def _every_set() -> dict[str, Any]:
    from entrepot.catalogues.elasticities import STANDARD, absent_sets, elasticity_sets

    sets = []
    for name, row in elasticity_sets().items():
        published, stated = row.get("published", {}), row.get("stated", {})
        values = [r["theta"] for r in row.get("rows", ())] or [row["uniform"]]
        sets.append(
            {"name": name}
            | {key: row.get(key) for key in FACTS}
            | {
                "services": row.get("services"),
                "range": [min(values), max(values)],
                "published": len(published),
                "with_se": sum("se" in p for n, p in published.items() if n not in stated),
                "with_every_result": name in STANDARD,
            }
        )
    absent = [
        {"name": name, "label": row["label"], "source": row["source"], "reason": row["absent"]}
        for name, row in absent_sets().items()
    ]
    return {"sets": sets, "absent": absent}


def _one_set(name: str, world_name: str) -> dict[str, Any]:
    import numpy as np

    from entrepot.catalogues.elasticities import (
        elasticities,
        find_set,
        loadings,
        standard_errors,
    )
    from entrepot.world.shelf import load_world

    if name.lower().endswith(".csv"):
        from entrepot.scenario.elasticities import read_elasticities

        world = load_world(world_name)
        table = read_elasticities(name, world)
        about: dict[str, Any] = {"name": name, "source": table.source}
        theta = list(table.theta.values())
        se = [table.se.get(code) for code in world.sector_codes]
        origin: list[list[str]] = [[] for _ in theta]
    else:
        chosen = find_set(name)
        world = load_world(world_name)
        about = {"name": name} | {k: chosen[k] for k in FACTS if k in chosen}
        about |= {k: chosen[k] for k in ("published", "stated", "services") if k in chosen}
        of = world.sector_codes, [s.isic for s in world.sectors]
        theta = elasticities(name, *of).tolist()
        se = [None if np.isnan(e) else float(e) for e in standard_errors(name, *of)]
        names, shares = loadings(name, *of)
        origin = [[n for n, s in zip(names, row, strict=True) if s > 0] for row in shares]
    return about | {
        "world": world.name,
        "sectors": [
            {"code": s.code, "name": s.name, "theta": t, "se": e, "from": o}
            for s, t, e, o in zip(world.sectors, theta, se, origin, strict=True)
        ],
    }


def _print_sets(facts: dict[str, Any]) -> None:
    from rich.markup import escape

    from entrepot.report.table import plain_table

    out = console()
    columns = [("name", False), ("label", False), ("table", False), ("theta", True)]
    table = plain_table(None, [*columns, ("with s.e.", True)])
    for row in facts["sets"]:
        low, high = row["range"]
        place = ", ".join(filter(None, [row["table"], row["page"] and f"p. {row['page']}"]))
        table.add_row(
            row["name"],
            escape(row["label"]),
            escape(place),
            f"{low:g}" if low == high else f"{low:g} to {high:g}",
            f"{row['with_se']} of {row['published']}" if row["published"] else "none",
        )
    out.print(table)
    for row in facts["sets"]:
        out.print(f"[bold]{row['name']}[/bold]: {escape(row['source'])}.")
        if row["read_in"]:
            out.print(f"  Read in: {escape(row['read_in'].rstrip('.'))}.")
    for row in facts["absent"]:
        out.print(f"[bold]{row['name']}[/bold], not entered: {escape(row['reason'])}")


def _print_sectors(facts: dict[str, Any]) -> None:
    from rich.markup import escape

    from entrepot.report.table import plain_table

    out = console()
    heads = [("sector", False), ("name", False), ("theta", True), ("s.e.", True), ("from", False)]
    table = plain_table(f"{facts.get('label', facts['name'])}, on {facts['world']}", heads)
    for row in facts["sectors"]:
        se = "." if row["se"] is None else f"{row['se']:.4g}"
        cells = (row["code"], row["name"], f"{row['theta']:.4g}", se, ", ".join(row["from"]))
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)
    out.print(f"Source: {escape(facts['source'])}.")
    for key, words in (("read_in", "Read in"), ("method", "Method"), ("note", "Note")):
        if facts.get(key):
            out.print(f"{words}: {escape(facts[key].rstrip('.'))}.")
    if facts.get("services"):
        out.print(f"Services: {escape(facts['services']['note'])}")
