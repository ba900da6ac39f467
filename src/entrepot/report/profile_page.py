"""A profile as one HTML page that opens anywhere: no server, no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from entrepot.core.version import __version__
from entrepot.measure.profile import SECTIONS, Profile
from entrepot.report import profile_words as words
from entrepot.report.chart_base import minus
from entrepot.report.html import page
from entrepot.report.profile_charts import chart_specs, partner_labels
from entrepot.report.profile_words import amount, millions, percent, place
from entrepot.report.table import number

Row = dict[str, Any]
CARDS = (
    ("export_openness", "", "Exports over value added"),
    ("gvc_participation", "", "Exports in chains of several borders"),
    ("domestic_value_added_share", "", "Domestic value added in exports"),
    ("foreign_input_reliance", "looked_through", "Foreign production behind its output"),
    ("foreign_input_reliance", "hidden", "Of which hidden exposure"),
    ("income_shares", "external", "Income paid by foreign demand"),
)
PARTNER_COLUMNS = (
    ("exports", "Exports", millions),
    ("value_added_exports", "Value added it finally pays", millions),
    ("imports", "Imports", millions),
    ("value_added_imports", "Value added it earns", millions),
    ("market", "Its demand's part in income here", percent),
    ("inputs", "Its part in production behind output here", percent),
    ("inputs_face_value", "Face value", percent),
    ("inputs_hidden", "Hidden", percent),
)
DEPENDENT_COLUMNS = (
    ("its_market", "Income paid by demand here", percent),
    ("its_loss_as_market", "Income lost if nothing were bought here", percent),
    ("its_inputs", "Production behind output, made here", percent),
    ("its_inputs_face_value", "Face value", percent),
    ("its_inputs_hidden", "Hidden", percent),
    ("its_loss_as_supplier", "Income resting on supplies from here", percent),
)


def _two(value: float | None) -> str:
    return number(value, 2, sign=False)


INDUSTRY_COLUMNS = (
    ("output", "Output", millions),
    ("exports", "Exports", millions),
    ("imports", "Imports", millions),
    ("advantage", "Advantage, exports", _two),
    ("advantage_value_added", "Advantage, value added", _two),
    ("DVA", "DVA", millions),
    ("DDC", "DDC", millions),
    ("FVA", "FVA", millions),
    ("FDC", "FDC", millions),
    ("participation", "Participation", percent),
    ("upstreamness", "Upstreamness", _two),
    ("downstreamness", "Downstreamness", _two),
    ("foreign_inputs", "Foreign production behind output", percent),
)
PRODUCT_COLUMNS = (
    ("input_product", "Part of all production behind output", percent),
    ("suppliers_face_value", "Concentration, face value", _two),
    ("suppliers", "Concentration, all tiers", _two),
)
EXTREMES, DEPENDENTS, PRODUCTS = 8, 20, 12


def profile_page(p: Profile) -> str:
    """The profile as one HTML text that needs nothing else (see `html.page`).

    Names from the world are escaped. The same profile gives the same text.
    """
    specs = chart_specs(p)
    labels, sectors = partner_labels(p), words.sector_names(p)
    high, low = words.extremes(p, EXTREMES)
    return page(
        "profile.html.j2",
        specs,
        name=p.name,
        p=p,
        opening=words.opening(p),
        said={key: getattr(words, key)(p) for key in (*SAID, "dependents", "partners")},
        titles=titles(p),
        marked=f"Source: {p.world}, {p.year}{', partly estimated' if p.estimated else ''}.",
        estimated=words.estimated(p),
        cards=_cards(p),
        figures={section: _figures(p, section) for section in SECTIONS},
        partner_columns=[label for _, label, _ in PARTNER_COLUMNS],
        partners=_rows(
            sorted(p.partners, key=lambda r: (-(r.value_added_exports or 0.0), r.code)),
            PARTNER_COLUMNS,
            labels,
        ),
        dependent_columns=[label for _, label, _ in DEPENDENT_COLUMNS],
        dependents=_rows(
            words.largest(p.partners, "its_inputs", DEPENDENTS), DEPENDENT_COLUMNS, labels
        ),
        industry_columns=[label for _, label, _ in INDUSTRY_COLUMNS],
        industries=_rows(p.industries, INDUSTRY_COLUMNS, sectors),
        product_columns=[label for _, label, _ in PRODUCT_COLUMNS],
        products=_rows(
            words.largest(p.industries, "input_product", PRODUCTS), PRODUCT_COLUMNS, sectors
        ),
        inputs=[
            {
                "partner": labels[c.partner],
                "product": sectors[c.product],
                "cells": [percent(c.looked_through, 2), percent(c.face_value, 2)],
            }
            for c in p.inputs
        ],
        advantage=[
            ("Highest", _rows(high, ADVANTAGE_COLUMNS, sectors)),
            ("Lowest", _rows(low, ADVANTAGE_COLUMNS, sectors)),
        ],
        advantage_columns=[label for _, label, _ in ADVANTAGE_COLUMNS],
        decomposition=_shared(p.decomposition, words.DECOMPOSITION),
        circuits=[
            ("Its value added, by what it serves", _shared(p.income_circuits, words.CIRCUITS)),
            ("Its final demand, by what it buys", _shared(p.demand_circuits, words.CIRCUITS)),
        ],
        peers=[
            {
                "name": labels[q.code],
                "own": q.code == p.economy,
                "cells": [percent(v) for v in (q.PF, q.TS, q.PB)],
            }
            for q in p.peers
        ],
        facts=[
            ("World", f"{p.world}, sha256 {p.world_sha256}"),
            ("Data", p.data.get("data", "no source stated")),
            ("Terms of the data", p.data.get("terms", "not stated")),
            ("Made with", f"entrepot {__version__}"),
        ],
        credit=p.data.get("credit", ""),
    )


SAID = ("openness", "position", "dependence", "circuits", "advantage")
ADVANTAGE_COLUMNS = (*INDUSTRY_COLUMNS[3:5], INDUSTRY_COLUMNS[1])


def titles(p: Profile) -> dict[str, str]:
    """What each chart shows, in words with its numbers."""
    share, taking = p.figure("domestic_value_added_share"), p.figure("gvc_participation")
    hidden = p.figure("foreign_input_reliance", "hidden")
    paid, bought = p.figure("income_shares", "external"), p.figure("demand_shares", "external")
    first, rests = p.inputs[:1], words.largest(p.partners, "its_inputs", 1)
    buyer, seller = (
        words.largest(p.partners, key, 1) for key in ("value_added_exports", "value_added_imports")
    )
    names, labels = words.sector_names(p), partner_labels(p)
    return {
        "participation": f"{percent(taking.value)} of its exports cross more than one border",
        "decomposition": f"{percent(share.value)} of its exports is its own value added",
        "positions": "How far its sectors lie from final use, and from primary inputs",
        "buyers": f"Largest final buyer: {buyer[0].name}" if buyer else "",
        "suppliers": f"Largest supplier by value added: {seller[0].name}" if seller else "",
        "inputs": f"{percent(hidden.value)} of the production behind its output is hidden exposure; "
        f"the largest input is {names[first[0].product]} of {labels[first[0].partner]}"
        if first
        else "",
        "dependents": f"{rests[0].name} rests on its inputs most" if rests else "",
        "income": f"Foreign demand pays {percent(paid.value)} of its value added",
        "demand": f"{percent(bought.value)} of the value added it buys is earned abroad",
    }


def _cards(p: Profile) -> list[Row]:
    cards = []
    for measure, term, label in CARDS:
        f = p.figure(measure, term)
        text = percent(f.value).removesuffix(" %")
        cards.append(
            {"label": label, "text": text if f.value is not None else None, "place": place(f)}
            | {"median": percent(f.median), "absent": f.absent}
        )
    return cards


def _figures(p: Profile, section: str) -> list[Row]:
    measures = {m["name"]: m for m in p.measures}
    return [
        {
            "label": f.label,
            "sub": f.label.startswith("Of which"),
            "value": minus(amount(f.value, f.unit)),
            "unit": words.unit_words(f.unit) if f.value is not None else f.absent,
            "place": place(f),
            "median": minus(amount(f.median, f.unit)),
            "meaning": measures[f.measure]["meaning"],
        }
        for f in p.figures
        if f.section == section
    ]


def _rows(
    rows: Iterable[Any], columns: Sequence[tuple[str, str, Any]], labels: Mapping[str, str]
) -> list[Row]:
    """Rows as text, by code and name."""
    return [
        {
            "code": row.code,
            "name": labels[row.code],
            "cells": [minus(write(getattr(row, key))) for key, _, write in columns],
        }
        for row in rows
    ]


def _shared(terms: Mapping[str, float | None], labels: Mapping[str, str]) -> list[Row]:
    """Terms with their shares in the whole they sum to."""
    whole = sum(v or 0.0 for v in terms.values())
    return [
        {
            "label": labels[term],
            "text": minus(millions(value)),
            "share": minus(percent((value or 0.0) / whole)) if whole else ".",
        }
        for term, value in terms.items()
    ]
