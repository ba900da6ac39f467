"""A profile in plain sentences and figures, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from entrepot.measure.profile import Figure, Industry, Partner, Profile
from entrepot.report.table import listing, number

Row = TypeVar("Row", Partner, Industry)

CIRCUITS = {
    "home_demand_home_chains": "home demand, chains that stay at home",
    "home_demand_foreign_chains": "home demand, chains that go abroad and return",
    "foreign_demand_final_goods": "foreign demand for its final goods",
    "foreign_demand_inputs": "foreign demand for others' goods made with its inputs",
    "home_value_home_chains": "home value added, chains that stay at home",
    "home_value_returning": "home value added that returns from abroad",
    "foreign_value_imported_goods": "foreign value added in imported final goods",
    "foreign_value_home_made_goods": "foreign value added in home-made goods",
    "not_value_added": "product taxes and margins on inputs",
}
DECOMPOSITION = {
    "DVA": "domestic value added",
    "DDC": "domestic, counted again",
    "FVA": "foreign value added",
    "FDC": "foreign, counted again",
}
PARTICIPATION = {"PF": "pure forward", "TS": "two-sided", "PB": "pure backward"}


def percent(value: float | None, digits: int = 1) -> str:
    """A share as per cent; small ones keep two figures."""
    if value is None:
        return "."
    if digits == 1 and 0 < abs(value) < 0.00995:
        digits = 2
    return f"{number(100 * value, digits, sign=False)} %"


def millions(value: float | None) -> str:
    """An amount, million USD."""
    return number(value, 2 if value is not None and 0.005 <= abs(value) < 100 else 0, sign=False)


def amount(value: float | None, unit: str) -> str:
    """A figure with the digits of its unit."""
    if value is None:
        return "."
    if unit == "share":
        return percent(value)
    if unit == "million USD":
        return millions(value)
    if unit in ("number", "economies"):
        return number(value, 0 if value == round(value) else 1, sign=False)
    return number(value, 2 if abs(value) < 1000 else 0, sign=False)


def unit_words(unit: str) -> str:
    """A unit as it stands behind a figure."""
    return {"share": "", "number": "", "index": "index", "economies": ""}.get(unit, unit)


def ordinal(rank: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ending = "th" if 10 <= rank % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def place(figure: Figure) -> str:
    """`12th of 80`, counted from the highest; empty where absent."""
    return "" if figure.rank is None else f"{ordinal(figure.rank)} of {figure.of}"


def opening(p: Profile) -> str:
    """What the page is about."""
    kind = f"{len(p.parts)} regions taken together as one, " if p.parts else ""
    return (
        f"{p.name}: {kind}one of {p.economies} economies of {p.world} ({p.sectors} sectors, "
        f"{p.year}). Places count from the highest value of all economies; the median is theirs."
    )


def openness(p: Profile) -> str:
    """How much it trades."""
    exports, imports = p.figure("gross_exports"), p.figure("gross_imports")
    text = "It exports nothing in this table"
    if exports.value:
        over = p.figure("export_openness")
        text = f"It exports {millions(exports.value)} million USD{_of(over, 'its value added')}"
    text += ", and imports nothing. " if not imports.value else (
        f", and imports {millions(imports.value)} million USD"
        f"{_of(p.figure('import_openness'), 'its value added')}. "
    )  # fmt: skip
    home = p.figure("home_share")
    if home.value is not None:
        text += (
            f"Of all that its industries and final users buy, {percent(home.value)} is made at "
            f"home ({place(home)}). "
        )
    world = p.figure("world_export_share")
    if world.value:
        text += f"Its part in the exports of all economies is {percent(world.value)}."
    return text.strip()


def _of(figure: Figure, what: str) -> str:
    if figure.value is None:
        return ""
    return f", {percent(figure.value)} of {what} ({place(figure)})"


def position(p: Profile) -> str:
    """Where it stands in value chains."""
    own, taking = p.figure("domestic_value_added_share"), p.figure("gvc_participation")
    text = ""
    if own.value is not None and taking.value is not None:
        parts = [p.figure("tripartite_participation", t) for t in ("PF", "PB", "TS")]
        forward, backward, both = (percent(part.value) for part in parts)
        text = (
            f"Of every 100 USD it exports, {number(100 * own.value, 1, sign=False)} are its own value "
            f"added, counted once ({place(own)}). {percent(taking.value)} of its exports cross more "
            f"than one border ({place(taking)}): {forward} feed the exports of others, {backward} "
            f"hold foreign inputs, {both} do both. "
        )
    else:
        text = "It exports nothing in this table: its exports have no position. "
    up, down = p.figure("economy_upstreamness"), p.figure("economy_downstreamness")
    if up.value is not None and down.value is not None:
        text += (
            f"Its output lies {number(up.value, 2, sign=False)} stages from final use on average "
            f"({place(up)}) and holds {number(down.value, 2, sign=False)} stages of production "
            f"({place(down)})."
        )
    return text.strip()


def partners(p: Profile) -> str:
    """Who buys and who supplies, gross and by value added."""
    lines = []
    for verb, gross, value in (
        ("is the largest buyer of its exports", "exports", "value_added_exports"),
        ("is the largest supplier of its imports", "imports", "value_added_imports"),
    ):
        first, second = largest(p.partners, gross, 1), largest(p.partners, value, 1)
        if not first or not second:
            continue
        how = "finally pays" if value == "value_added_exports" else "finally earns"
        amounts = millions(getattr(first[0], gross)), millions(getattr(second[0], value))
        lines.append(
            f"{first[0].name} {verb} ({amounts[0]} million USD); by value added it is "
            + (
                f"{second[0].name}, which {how} more than any other ({amounts[1]} million USD)."
                if second[0].code != first[0].code
                else f"also first ({amounts[1]} million USD)."
            )
        )
    return " ".join(lines) or "It trades with nobody in this table."


def dependence(p: Profile) -> str:
    """What it rests on."""
    whole = p.figure("foreign_input_reliance", "looked_through")
    if whole.value is None:
        return "It uses no inputs in this table, or makes nothing."
    face, hidden = (p.figure("foreign_input_reliance", t) for t in ("face_value", "hidden"))
    text = (
        f"Of all production that stands behind its output, through every tier of suppliers, "
        f"{percent(whole.value)} is foreign ({place(whole)}): {percent(face.value)} it buys abroad "
        f"itself, {percent(hidden.value)} hides in what its suppliers buy. "
    )
    top = largest(p.partners, "inputs", 1)
    if top:
        text += (
            f"The largest part of it is made in {top[0].name}: {percent(top[0].inputs)}, of which "
            f"{percent(top[0].inputs_hidden)} hidden. "
        )
    if p.inputs:
        first = p.inputs[0]
        text += (
            f"The one foreign input it rests on most is {sector_names(p)[first.product]} of "
            f"{p.partner_names()[first.partner]} ({percent(first.looked_through, 2)})."
        )
    return text.strip()


def dependents(p: Profile) -> str:
    """Who rests on it."""
    market, inputs = largest(p.partners, "its_market", 1), largest(p.partners, "its_inputs", 1)
    text = ""
    if market:
        text = (
            f"Its final demand pays {percent(market[0].its_market)} of the income of "
            f"{market[0].name}, the economy whose income rests on it most. "
        )
    if inputs:
        text += (
            f"Its industries make {percent(inputs[0].its_inputs)} of all production behind the "
            f"output of {inputs[0].name}, the economy whose inputs rest on it most "
            f"({percent(inputs[0].its_inputs_hidden)} hidden in what others sell)."
        )
    return text.strip() or "No economy of this table depends on it."


def circuits(p: Profile) -> str:
    """What pays its income, and what its demand pays."""
    paid, bought = p.figure("income_shares", "external"), p.figure("demand_shares", "external")
    text = ""
    if paid.value is not None:
        text = (
            f"Foreign final demand pays {percent(paid.value)} of its value added ({place(paid)}); "
            "home demand pays the rest. "
        )
    if bought.value is not None:
        text += (
            f"Of the value added that its own final demand pays for, {percent(bought.value)} is "
            f"earned abroad ({place(bought)})."
        )
    return text.strip() or "It has no income or no final demand in this table."


def advantage(p: Profile) -> str:
    """What it is specialised in."""
    wide, best = p.figure("diversity"), largest(p.industries, "advantage", 3)
    if wide.value is None or not best:
        return "It exports nothing in this table: it has no revealed comparative advantage."
    listed = [f"{i.name} ({number(i.advantage, 2, sign=False)})" for i in best]
    return (
        f"Its share in world exports is above its average in {amount(wide.value, 'number')} of "
        f"{p.sectors} sectors ({place(wide)}); most of all in {listing(listed)}."
    )


def estimated(p: Profile) -> list[str]:
    """What in the table is estimated, and how far off it is known to be."""
    lines = [f"Estimated, not observed: {text}" for text in p.estimated]
    if p.measured_error:
        lines.append(f"Measured error: {p.measured_error}.")
    return lines


def largest(rows: Iterable[Row], field: str, most: int) -> list[Row]:
    """Rows with the largest positive values of a field."""
    there = [row for row in rows if (getattr(row, field) or 0) > 0]
    return sorted(there, key=lambda row: (-getattr(row, field), row.code))[:most]


def extremes(p: Profile, most: int) -> tuple[list[Industry], list[Industry]]:
    """Sectors with the highest index of advantage, from the top, and those with the lowest.

    No sector stands in both; those that export nothing anywhere are left out.
    """
    there = [row for row in p.industries if row.advantage is not None]
    ranked = sorted(there, key=lambda row: (-(row.advantage or 0.0), row.code))
    high = [row for row in ranked if row.advantage][:most]
    return high, [row for row in ranked if row not in high][-most:]


def sector_names(p: Profile) -> dict[str, str]:
    """Names of sectors by code, the code added where two share one."""
    names = [row.name for row in p.industries]
    return {
        row.code: row.name if names.count(row.name) == 1 else f"{row.name} ({row.code})"
        for row in p.industries
    }
