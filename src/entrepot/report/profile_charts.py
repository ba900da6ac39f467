"""Charts of a profile as Vega-Lite specifications, drawn from its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from entrepot.measure.profile import Industry, Partner, Profile
from entrepot.report.chart_base import GAIN, Row, Spec
from entrepot.report.profile_words import (
    CIRCUITS,
    DECOMPOSITION,
    PARTICIPATION,
    largest,
    millions,
    percent,
    sector_names,
)
from entrepot.report.table import number

PARTNERS, SECTORS = 14, 15
HOME, RETURNING, FOREIGN, FAR, OTHER = "#0b4a82", "#6fa8d6", "#d98200", "#8a4a00", "#8c8c8c"
CIRCUIT_COLOURS = (HOME, RETURNING, FOREIGN, FAR, OTHER)
PARTICIPATION_COLOURS = (GAIN, "#9aa3a9", FOREIGN)
INK = "#23292e"


def chart_specs(p: Profile) -> dict[str, Spec]:
    """Every chart of the page by key; those with nothing to show are left out."""
    specs = {
        "participation": participation(p),
        "decomposition": decomposition(p),
        "positions": positions(p),
        "buyers": pair_of_values(p, "exports", "value_added_exports", "final payment"),
        "suppliers": pair_of_values(p, "imports", "value_added_imports", "earned there"),
        "inputs": inputs(p),
        "dependents": dependents(p),
        "income": circuit(p.income_circuits, "Value added, by what it serves"),
        "demand": circuit(p.demand_circuits, "Final demand, by what it buys"),
    }
    return {key: spec for key, spec in specs.items() if spec is not None}


# --- pieces ---------------------------------------------------------------------------------------


def _spec(height: int, description: str, **parts: Any) -> Spec:
    return {"width": "container", "height": height, "description": description, **parts}


def _values(rows: Sequence[Row]) -> Spec:
    return {"values": list(rows)}


def _tips(**fields: str) -> list[Spec]:
    return [{"field": f, "type": "nominal", "title": title} for f, title in fields.items()]


def _names(order: Iterable[str], bold: Sequence[str] = ()) -> Spec:
    """A vertical axis of names in a given order."""
    test = f"indexof({json.dumps(list(bold))}, datum.value) >= 0"
    weight = {"condition": {"test": test, "value": "bold"}, "value": "normal"}
    axis = {"labelFontWeight": weight} if bold else {}
    return {"field": "label", "type": "nominal", "sort": list(order), "title": None, "axis": axis}


def _terms(labels: Iterable[str], colours: Iterable[str]) -> Spec:
    shown = list(labels)
    return {
        "field": "term",
        "type": "nominal",
        "sort": shown,
        "scale": {"domain": shown, "range": list(colours)[: len(shown)]},
        "legend": {"title": None, "orient": "top", "symbolType": "square"},
    }


def partner_labels(p: Profile) -> dict[str, str]:
    """Names of all economies by code, the code added where two share one."""
    names = {p.economy: p.name, **p.partner_names()}
    seen = list(names.values())
    return {
        code: name if seen.count(name) == 1 else f"{name} ({code})" for code, name in names.items()
    }


def _bars(rows: Sequence[Row], x: Spec, y: Spec, colour: Spec, tips: list[Spec]) -> Spec:
    """Stacked bars; `order` of the rows is that of the stack."""
    return {
        "data": _values(rows),
        "mark": {"type": "bar", "height": {"band": 0.74}},
        "encoding": {
            "x": x,
            "y": y,
            "color": colour,
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": tips,
        },
    }


# --- position ---------------------------------------------------------------------------------------


def participation(p: Profile) -> Spec | None:
    """Pure forward, two-sided and pure backward participation, beside the largest exporters."""
    labels = partner_labels(p)
    there = [q for q in p.peers if q.PF is not None]
    if not any(q.code == p.economy for q in there):
        return None
    there.sort(key=lambda q: -sum(getattr(q, t) or 0.0 for t in PARTICIPATION))
    rows = [
        {
            "label": labels[q.code],
            "term": label,
            "order": k,
            "value": 100 * (getattr(q, term) or 0.0),
            "text": percent(getattr(q, term)),
        }
        for q in there
        for k, (term, label) in enumerate(PARTICIPATION.items())
    ]
    x = {"field": "value", "type": "quantitative", "title": "% of gross exports"}
    return _spec(
        25 * len(there),
        "Participation in value chains, % of gross exports",
        **_bars(
            rows,
            x,
            _names([labels[q.code] for q in there], [labels[p.economy]]),
            _terms(PARTICIPATION.values(), PARTICIPATION_COLOURS),
            _tips(label="Economy", term="Part", text="Of gross exports"),
        ),
    )


def decomposition(p: Profile) -> Spec | None:
    """Domestic and foreign value added in exports, by the sector that exports."""
    names = sector_names(p)
    shown = largest(p.industries, "exports", SECTORS)
    if not shown:
        return None
    rest = [i for i in p.industries if i not in shown and i.exports]
    groups: list[tuple[str, list[Industry]]] = [(names[i.code], [i]) for i in shown]
    if rest:
        groups.append(("All other sectors", rest))
    rows = []
    for label, members in groups:
        whole = sum(i.exports or 0.0 for i in members)
        for k, (term, words) in enumerate(DECOMPOSITION.items()):
            value = sum(getattr(i, term) or 0.0 for i in members)
            rows.append(
                {
                    "label": label,
                    "term": words,
                    "order": k,
                    "value": value / 1000,
                    "text": millions(value),
                    "share": percent(value / whole) if whole else ".",
                }
            )
    x = {"field": "value", "type": "quantitative", "title": "thousand million USD"}
    return _spec(
        24 * len(groups),
        "Value added in gross exports by exporting sector",
        **_bars(
            rows,
            x,
            _names(label for label, _ in groups),
            _terms(DECOMPOSITION.values(), (HOME, RETURNING, FOREIGN, FAR)),
            _tips(label="Sector", term="Part", text="Million USD", share="Of the sector's exports"),
        ),
    )


def positions(p: Profile) -> Spec | None:
    """Upstreamness and downstreamness of sectors, the circle's area by output."""
    names = sector_names(p)
    rows = [
        {
            "code": i.code,
            "label": names[i.code],
            "up": i.upstreamness,
            "down": i.downstreamness,
            "output": i.output,
            "up_text": number(i.upstreamness, 2, sign=False),
            "down_text": number(i.downstreamness, 2, sign=False),
            "output_text": millions(i.output),
        }
        for i in p.industries
        if i.upstreamness is not None and i.downstreamness is not None and (i.output or 0) > 0
    ]
    if not rows:
        return None
    x = _stages("up", "Upstreamness: stages to final use")
    y = _stages("down", "Downstreamness: stages from primary inputs")
    tips = _tips(
        label="Sector", up_text="Upstreamness", down_text="Downstreamness", output_text="Output, million USD"
    )  # fmt: skip
    circles = {
        "mark": {
            "type": "circle",
            "color": GAIN,
            "opacity": 0.45,
            "stroke": INK,
            "strokeWidth": 0.6,
        },
        "encoding": {
            "x": x,
            "y": y,
            "size": {
                "field": "output",
                "type": "quantitative",
                "scale": {"range": [25, 1500], "zero": True},
                "legend": None,
            },
            "tooltip": tips,
        },
    }
    words = {
        "mark": {"type": "text", "fontSize": 10.5, "color": INK},
        "encoding": {"x": x, "y": y, "text": {"field": "code", "type": "nominal"}},
    }
    spec = _spec(
        430,
        "Upstreamness and downstreamness of sectors",
        data=_values(rows),
        layer=[circles, words],
    )
    return spec


def _stages(field: str, title: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": False, "nice": True, "padding": 24},
    }


# --- partners -----------------------------------------------------------------------------------------


def pair_of_values(p: Profile, gross: str, value: str, words: str) -> Spec | None:
    """Gross trade with each partner joined to the same trade by value added."""
    shown: list[Partner] = largest(p.partners, gross, PARTNERS)
    shown += [r for r in largest(p.partners, value, PARTNERS) if r not in shown][:4]
    if not shown:
        return None
    shown.sort(key=lambda r: -(getattr(r, value) or 0.0))
    by_value = f"value added ({words})"
    return _dots(
        [(partner_labels(p)[r.code], getattr(r, gross), getattr(r, value)) for r in shown],
        (f"gross {gross}", by_value),
        ("thousand million USD", 1000.0, millions, "Million USD"),
        f"Gross {gross} and value added by partner",
    )


def dependents(p: Profile) -> Spec | None:
    """Economies that rest most on this one, as a market and as a supplier."""
    shown: list[Partner] = largest(p.partners, "its_inputs", PARTNERS - 4)
    shown += [r for r in largest(p.partners, "its_market", PARTNERS - 4) if r not in shown]
    if not shown:
        return None
    shown.sort(key=lambda r: -max(r.its_inputs or 0.0, r.its_market or 0.0))
    return _dots(
        [(partner_labels(p)[r.code], r.its_inputs, r.its_market) for r in shown],
        (
            "of the production behind their output, made here",
            "of their income, paid by demand here",
        ),
        ("%", 0.01, percent, "Share"),
        "Economies that depend on this one",
    )


def _dots(
    triples: Sequence[tuple[str, float | None, float | None]],
    names: tuple[str, str],
    scale: tuple[str, float, Any, str],
    description: str,
) -> Spec:
    """Two values of each row as dots on a line."""
    title, unit, words, head = scale
    rows = [
        {"label": label, "kind": kind, "value": value / unit, "text": words(value)}
        for label, *pair in triples
        for kind, value in zip(names, pair, strict=True)
        if value is not None
    ]
    x = {"field": "value", "type": "quantitative", "title": title, "scale": {"zero": True}}
    y = _names(label for label, *_ in triples)
    line = {
        "mark": {"type": "rule", "color": "#9aa3a9", "strokeWidth": 2},
        "encoding": {
            "x": {**x, "aggregate": "min"},
            "x2": {"field": "value", "aggregate": "max"},
            "y": y,
        },
    }
    kinds = {
        "field": "kind",
        "type": "nominal",
        "sort": list(names),
        "legend": {"title": None, "orient": "top", "columns": 1},
    }
    dots = {
        "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1},
        "encoding": {
            "x": x,
            "y": y,
            "color": {**kinds, "scale": {"domain": list(names), "range": [GAIN, FOREIGN]}},
            "shape": {**kinds, "scale": {"domain": list(names), "range": ["circle", "diamond"]}},
            "tooltip": _tips(label="Economy", kind="Measure", text=head),
        },
    }
    return _spec(22 * len(triples), description, data=_values(rows), layer=[line, dots])


# --- dependence ---------------------------------------------------------------------------------------


def inputs(p: Profile) -> Spec | None:
    """Partners by products: shares of all production behind the economy's output."""
    if not p.heat:
        return None
    labels, sectors = partner_labels(p), sector_names(p)
    rows = [
        {
            "label": labels[c.partner],
            "product": sectors[c.product],
            "value": 100 * (c.looked_through or 0.0),
            "cell": number(100 * (c.looked_through or 0.0), 2, sign=False),
            "text": percent(c.looked_through, 3),
            "face": percent(c.face_value, 3),
        }
        for c in p.heat
    ]
    top = max(100 * (c.looked_through or 0.0) for c in p.heat)
    y = _names(dict.fromkeys(labels[c.partner] for c in p.heat))
    x = {
        "field": "product",
        "type": "nominal",
        "sort": list(dict.fromkeys(sectors[c.product] for c in p.heat)),
        "title": None,
        "axis": {"orient": "top", "labelAngle": -70, "labelAlign": "left", "labelLimit": 110},
    }
    cells = {
        "mark": {"type": "rect", "stroke": "#ffffff", "strokeWidth": 1},
        "encoding": {
            "x": x,
            "y": y,
            "color": {
                "field": "value",
                "type": "quantitative",
                "scale": {
                    "type": "sqrt",
                    "domain": [0, top],
                    "range": ["#f4f3ee", "#9cc5e2", "#2a73b0", "#083d70"],
                    "interpolate": "lab",
                },
                "legend": {
                    "title": "% of all production behind its output",
                    "orient": "bottom",
                    "gradientLength": 260,
                    "gradientThickness": 12,
                },
            },
            "tooltip": _tips(label="Of", product="Product", text="All tiers", face="Face value"),
        },
    }
    words = {
        "mark": {"type": "text", "fontSize": 10.5},
        "encoding": {
            "x": x,
            "y": y,
            "text": {"field": "cell", "type": "nominal"},
            "color": {
                "condition": {"test": f"datum.value > {0.35 * top:.9g}", "value": "#ffffff"},
                "value": INK,
            },
        },
    }
    height = 26 * len({c.partner for c in p.heat})
    return _spec(
        height, "Dependence on foreign inputs by partner and product", data=_values(rows),
        layer=[cells, words],
    )  # fmt: skip


# --- circuits -----------------------------------------------------------------------------------------


def circuit(terms: Mapping[str, float | None], description: str) -> Spec | None:
    """One bar of what pays income, or of what demand buys."""
    whole = sum(v or 0.0 for v in terms.values())
    if whole <= 0:
        return None
    kept = {t: v for t, v in terms.items() if v is not None and abs(v) >= 5e-5 * whole}
    colours = [CIRCUIT_COLOURS[list(terms).index(t)] for t in kept]
    rows = [
        {
            "label": "",
            "term": CIRCUITS[term],
            "order": k,
            "value": value / 1000,
            "text": millions(value),
            "share": percent(value / whole),
        }
        for k, (term, value) in enumerate(kept.items())
    ]
    x = {"field": "value", "type": "quantitative", "title": "thousand million USD"}
    y = {"field": "label", "type": "nominal", "title": None, "axis": None}
    colour = _terms([CIRCUITS[t] for t in kept], colours)
    colour["legend"] = {**colour["legend"], "columns": 1}
    tips = _tips(term="Part", text="Million USD", share="Share")
    return _spec(56, description, **_bars(rows, x, y, colour, tips))
