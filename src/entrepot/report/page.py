"""A result as one HTML page that opens anywhere: no server, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from entrepot.catalogues import economies, economy_names, groups
from entrepot.equilibrium.welfare import SPLIT_TERMS
from entrepot.report import charts
from entrepot.report.chart_base import figure, minus
from entrepot.report.html import page
from entrepot.report.table import listing
from entrepot.report.terminal import CLOSURES
from entrepot.results.tables import (
    UNITS,
    assumption_rows,
    group_rows,
    headline_rows,
    limits,
    provenance,
    region_rows,
    sector_rows,
)

if TYPE_CHECKING:
    from entrepot.results.run import Result
    from entrepot.scenario.model import Change

Row = dict[str, Any]

INSTRUMENT_WORDS = {
    "tariff": "Import tariff",
    "export_tax": "Export tax",
    "export_subsidy": "Export subsidy",
    "trade_cost": "Cost of trade",
    "non_tariff_cost": "Cost of non-tariff measures",
    "embargo": "Embargo",
    "productivity": "Productivity",
    "labour": "Labour",
}
TAXES = {
    "fixed_rate_revenue": "net product taxes at fixed rates, the revenue to the household",
    "in_value_added": "net product taxes counted in value added",
}
INVENTORIES = {
    "fixed_real": "changes in inventories held at base quantities",
    "netted": "changes in inventories netted out of final use",
    "error": "no negative final use allowed",
}
HEADINGS = {
    "welfare_pct": ("Real income %", 3),
    "welfare_musd": ("Million USD", 0),
    "welfare_without_transfer_pct": ("Without transfer %", 3),
    "real_wage_pct": ("Real wage %", 3),
    "price_level_pct": ("Price level %", 3),
    "output_pct": ("Output %", 2),
    "exports_pct": ("Exports %", 2),
    "imports_pct": ("Imports %", 2),
    "deficit_part_pct": ("Deficit part %", 3),
    "trade_creation_musd": ("Trade creation", 0),
    "trade_diversion_musd": ("Trade diversion", 0),
    "tariff_revenue_musd": ("Tariff revenue", 0),
    "income_musd": ("Base income", 0),
}
SECTOR_HEADINGS = {
    "output_musd": ("Base output, million USD", 0),
    "output_pct": ("Output %", 2),
    "trade_musd": ("Base trade, million USD", 0),
    "trade_pct": ("Trade %", 2),
    "price_pct": ("Price %", 3),
    "theta": ("θ", 2),
}
LEVELS = {"income_musd", "output_musd", "trade_musd", "theta", "tariff_revenue_musd"}
CARD_GROUPS = ("world", "members", "others", "least_developed")


def report_page(result: Result) -> str:
    """The report as one HTML text that needs nothing else (see `html.page`).

    Text from the scenario and the world is escaped. The same result gives the same text.
    """
    rows = region_rows(result)
    return page(
        "page.html.j2",
        charts.chart_specs(result, rows),
        **_question(result),
        **_answer(result),
        **_tables(result, rows),
        **_method(result),
        off_map=_off_map(charts.off_map(rows)),
        deficits_end=result.deficit_part is not None,
        some_named=0 < int(result.lowered.named.sum()) < len(rows),
        movers=min(charts.MOVERS, len(rows)),
        all_shown=len(rows) <= charts.CELLS,
    )


# --- the question ------------------------------------------------------------------------------


def _question(result: Result) -> dict[str, Any]:
    world, data = result.base_world, result.base_world.provenance
    given = assumption_rows(result)
    words = scenario_words(result)
    return {
        "name": result.scenario.name,
        "why": result.scenario.why.strip(),
        "changes": [
            {"words": change_words(c, words), "why": c.why.strip()} for c in result.scenario.changes
        ],
        "world": world.name,
        "year": world.year,
        "counts": f"{len(world.regions)} economies × {len(world.sectors)} sectors",
        "estimated": [str(t) for t in data.get("estimated", [])],
        "measured": str(data.get("measured_error", {}).get("summary", "")),
        "tariffs": given["tariffs"],
        "tariffs_assumed": given["tariffs_assumed"],
    }


def scenario_words(result: Result) -> dict[str, str]:
    """What the codes, groups and sectors that a scenario can name are called."""
    world = result.base_world
    sectors = {s.slug: s.name for s in world.sectors} | {s.code: s.name for s in world.sectors}
    labels = {name: str(row["label"]) for name, row in groups().items()}
    return sectors | labels | economy_names(world.regions) | dict(world.region_names)


def change_words(change: Change, words: Mapping[str, str]) -> str:
    """One change as a sentence without its reason."""
    sellers = _listed(change.exporters, words, "economies")
    text = f"{INSTRUMENT_WORDS.get(change.instrument, change.instrument)}{_amount_words(change)}"
    if change.importers is None:
        text += f" in {sellers}"
    elif change.importers == change.exporters:
        text += f" on trade between {sellers}" if sellers != "all economies" else " on all trade"
    else:
        text += f" on sales from {sellers} to {_listed(change.importers, words, 'economies')}"
        text += ", and the other way round" if change.both_ways else ""
    if change.sectors != ("all",):
        text += f"; sectors: {_listed(change.sectors, words, 'sectors')}"
    return text + "."


def _amount_words(change: Change) -> str:
    if change.to is not None:
        return " abolished" if change.to.kind == "eliminate" else f" set to {_amount(change.to)}"
    if change.by is not None:
        of = " (of the rate)" if change.instrument in ("tariff", "export_tax") else ""
        return f" {_amount(change.by, sign=True)}{of if change.by.kind == 'fraction' else ''}"
    if change.ad_valorem_equivalent is not None:
        return f" {_amount(change.ad_valorem_equivalent, sign=True)} in ad-valorem equivalent"
    return ""


def _amount(amount: Any, sign: bool = False) -> str:
    unit = "percentage points" if amount.kind == "points" else "%"
    return f"{minus(format(amount.value * 100, '+.10g' if sign else '.10g'))} {unit}"


def _listed(names: Sequence[str], words: Mapping[str, str], kind: str) -> str:
    """Economies or sectors as a person would list them."""
    words = {**words, "all": f"all {kind}"}
    inside = [words.get(n, n) for n in names if not n.startswith("!")] or [words["all"]]
    outside = [words.get(n[1:].strip(), n[1:]) for n in names if n.startswith("!")]
    return listing(inside) + (f" except {listing(outside)}" if outside else "")


# --- the answer --------------------------------------------------------------------------------


def _answer(result: Result) -> dict[str, Any]:
    rows = group_rows(result)
    cards = [_card(r) for r in rows if r["group"] in CARD_GROUPS]
    others = [_card(r) for r in rows if r["group"] not in CARD_GROUPS]
    return {"answer": _answer_words(rows), "cards": cards, "group_rows": [*cards, *others]}


def _card(row: Row) -> Row:
    """A group's figures as text."""
    total = len(row["present"]) + len(row["absent"])
    if not row["present"]:
        return {"label": row["label"], "note": f"none of {total} is separate here", "pct": None}
    card: Row = {"label": row["label"], "note": ""}
    for key, digits in (("welfare_pct", 3), ("welfare_musd", 0), ("real_wage_pct", 3)):
        card[key] = figure(row[key], digits)
    for key in ("output_pct", "exports_pct", "imports_pct"):
        card[key] = figure(row[key], 2)
    card |= {"pct": card["welfare_pct"], "value": row["welfare_pct"] or 0.0}
    card["gaining"] = f"{row['gaining']} of {len(row['present'])}"
    if row["absent"]:
        card["note"] = f"{len(row['present'])} of {total} are separate here"
    return card


def _answer_words(rows: Sequence[Row]) -> str:
    by_name = {r["group"]: r for r in rows}
    world = by_name["world"]
    text = (
        f"Real income of the world {_moves(world['welfare_pct'])}, "
        f"{figure(world['welfare_musd'], 0)} million USD a year; "
        f"{world['gaining']} of {len(world['present'])} economies gain."
    )
    if "members" in by_name:
        text += (
            f" For the economies named together it {_moves(by_name['members']['welfare_pct'])}, "
            f"for all others it {_moves(by_name['others']['welfare_pct'])}."
        )
    return text


def _off_map(rows: Sequence[Row], most: int = 8) -> str:
    """Regions that the map does not show, with their numbers."""
    shown = [f"{r['name']} {figure(r['welfare_pct'])} %" for r in rows[:most]]
    if len(rows) > most:
        shown.append(f"{len(rows) - most} more (see the table)")
    return listing(shown) if shown else ""


def _moves(value: float) -> str:
    if abs(value) < 5e-4:
        return "hardly changes"
    return f"{'rises' if value > 0 else 'falls'} by {figure(abs(value), 3, sign=False)} %"


# --- tables ------------------------------------------------------------------------------------


def _tables(result: Result, rows: Sequence[Row]) -> dict[str, Any]:
    columns, absent = region_columns(rows)
    sectors = sector_rows(result)
    names = {r["region"]: r["name"] for r in rows}
    return {
        "columns": columns,
        "absent_columns": absent,
        "regions": [
            {"code": r["region"], "name": r["name"], "cells": [_cell(r, c["key"]) for c in columns]}
            for r in sorted(rows, key=lambda r: (-r["welfare_pct"], r["region"]))
        ],
        "sector_columns": [{"key": k, "label": v[0]} for k, v in SECTOR_HEADINGS.items()],
        "sectors": [
            {
                "code": r["sector"],
                "name": r["name"],
                "cells": [_cell(r, k, SECTOR_HEADINGS[k][1]) for k in SECTOR_HEADINGS],
                "gained": _mover(r, "gained", names),
                "lost": _mover(r, "lost", names),
            }
            for r in sectors
        ],
        **_elasticities(result, rows),
    }


def region_columns(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Columns of the region table, and the explanations of those that are zero throughout."""
    columns, absent = [], []
    for key, unit in UNITS.items():
        if key not in rows[0]:
            continue
        label, digits = HEADINGS.get(key, ("", 3))
        term = key.removesuffix("_pct")
        if term in SPLIT_TERMS:
            label = f"Split: {charts.term_label(term)} %"
            unit += f" ({SPLIT_TERMS[term]})"
        if any(abs(r[key] or 0) >= 0.5 * 10**-digits for r in rows):
            columns.append({"key": key, "label": label or key, "unit": unit, "digits": digits})
        else:
            absent.append(unit)
    return columns, absent


def _cell(row: Row, key: str, digits: int | None = None) -> Row:
    if digits is None:
        digits = HEADINGS.get(key, ("", 3))[1]
    value = row[key]
    text = figure(value, digits, sign=key not in LEVELS)
    return {"text": text, "down": text.startswith("\N{MINUS SIGN}")}


def _mover(row: Row, side: str, names: dict[str, str]) -> Row:
    """Who moves most in a sector, and by how much."""
    code = row[f"most_{side}"]
    change = figure(row[f"most_{side}_musd"], 0)
    return {
        "code": code,
        "name": names[code],
        "text": f"{change} ({figure(row[f'most_{side}_pct'], 1)} %)",
    }


def _elasticities(result: Result, rows: Sequence[Row]) -> dict[str, Any]:
    """The headline under each set of assumptions, and the economies whose sign depends on it."""
    heads = headline_rows(result)
    keys = [k for k in ("world", "members", "others") if any(f"{k}_pct" in h for h in heads)]
    labels = {"world": "World %", "members": "Economies named %", "others": "All others %"}
    solved = [h.welfare_pct for h in result.headlines if h.welfare_pct is not None]
    signs = np.array([np.where(np.abs(s) < 5e-4, 0, np.sign(s)) for s in solved])
    mixed = (signs.max(0) > 0) & (signs.min(0) < 0)
    return {
        "head_columns": [labels[k] for k in keys],
        "heads": [
            {
                "name": h["elasticities"],
                "closure": h["closure"],
                "reason": h["reason"],
                "cells": [figure(h.get(f"{k}_pct")) for k in keys],
                "gaining": h.get("gaining", "."),
                "same_sign": f"{h['same_sign']} of {len(rows)}" if "same_sign" in h else ".",
            }
            for h in heads
        ],
        "mixed": [r["name"] for r, is_mixed in zip(rows, mixed, strict=True) if is_mixed],
    }


# --- how it was done ---------------------------------------------------------------------------


def _method(result: Result) -> dict[str, Any]:
    import altair

    given, made = assumption_rows(result), provenance(result)
    solve, worst = result.solve, result.certificate.worst
    data = made["world_data"]
    tariffs = given["tariffs"]
    if given["tariffs_assumed"]:
        tariffs = f"assumed, not data: {tariffs}"
    return {
        "assumptions": [
            ("Trade deficits", f"{CLOSURES.get(given['closure'], '')} ({given['closure']})"),
            ("Elasticities", given["elasticities"]),
            ("Tariffs", tariffs),
            ("Product taxes", f"{TAXES.get(given['taxes'], '')} ({given['taxes']})"),
            (
                "Inventories",
                f"{INVENTORIES.get(given['inventories'], '')} ({given['inventories']})",
            ),
            *(("Note", note) for note in given["notes"]),
        ],
        "solve": {
            "status": solve.status,
            "steps": solve.steps,
            "route": solve.route,
            "seconds": f"{solve.seconds:.2f}",
            "residual": _power(solve.residual),
            "worst": f"{worst.equation}, {_power(worst.miss)} at {worst.where}",
        },
        "checks": [
            {"equation": c.equation, "miss": _power(c.miss), "where": c.where}
            for c in result.certificate.checks
        ],
        "facts": [
            ("World", f"{made['world']}, sha256 {made['world_sha256']}"),
            ("Data", str(data.get("data", "no source stated"))),
            ("Terms of the data", str(data.get("terms", "not stated"))),
            ("Data file", f"sha256 {data['sha256']}" if "sha256" in data else "not stated"),
            ("Scenario", f"sha256 {made['scenario_sha256']}"),
            ("Tariffs", made["tariffs"]),
            ("Elasticities", made["elasticities"]),
            ("Tolerance of the solver", _power(made["tolerance"])),
            (
                "Versions",
                f"entrepot {made['entrepot']}, numpy {made['numpy']}, altair {altair.__version__}",
            ),
        ],
        "groups": [_group_fact(name, g, result) for name, g in made["groups"].items()],
        "limits": limits(result),
        "credit": str(data.get("credit", "")),
    }


def _power(value: float) -> str:
    return minus(f"{value:.1e}")


def _group_fact(name: str, group: Row, result: Result) -> Row:
    """A group as resolved here, members by name."""
    known = economies()

    def listed(codes: Sequence[str]) -> str:
        return ", ".join(known[c]["name"] if c in known else c for c in codes) or "none"

    return {
        "label": result.groups[name].label,
        "as_of": group["as_of"],
        "source": group["source"],
        "present": listed(group["present"]),
        "absent": listed(group["absent"]),
        "count": f"{len(group['present'])} of {len(group['present']) + len(group['absent'])}",
    }
