"""Charts of a result as Vega-Lite specifications, drawn from the result rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import economies
from entrepot.equilibrium.path import PATH_TERMS
from entrepot.equilibrium.welfare import SPLIT_TERMS
from entrepot.report.chart_base import GAIN, LOSS, Row, Spec, figure, minus
from entrepot.results.tables import volumes

if TYPE_CHECKING:
    from entrepot.results.run import Result

Array = NDArray[np.float64]

DIVERGING = (
    "#6b2c00", "#a84f00", "#d98032", "#f0b272", "#fadfc0",
    "#f4f3ee",
    "#d3e5f2", "#9cc5e2", "#5f9fcf", "#2a73b0", "#083d70",
)  # fmt: skip
TERM_COLOURS = {
    "terms_of_trade": "#0072b2",
    "volume_of_trade": "#56b4e9",
    "trade_cost": "#e69f00",
    "embargo": "#5b3a29",
    "technology": "#009e73",
    "endowment": "#cfc12c",
    "transfer": "#cc79a7",
    "product_tax": "#d55e00",
    "scale": "#7b5ea7",
    "selection": "#a6761d",
    "higher_order": "#8c8c8c",
}
ALL_BARS, END_BARS, MOVERS, CELLS = 25, 12, 15, 25
SMALL_KM2 = 12_000
MAP_FORMAT = {"type": "topojson", "feature": "countries"}


def map_layer() -> dict[str, Any]:
    """The world map: TopoJSON, object `countries`, ids ISO alpha-3."""
    text = (files("entrepot.report") / "data" / "world-map.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def class_breaks(values: Iterable[float | None]) -> list[float]:
    """Five positive class bounds for a scale centred on zero, the outer classes open.

    Values within one order of magnitude get equal steps; others the ladder
    1, 3, 10, 30 ending near the 95th percentile of the absolute values, so a
    few extreme cells do not wash out the rest.
    """
    size = np.array([abs(v) for v in values if v is not None and math.isfinite(v) and v != 0])
    if not size.size or size.max() < 1e-9:
        return [0.01, 0.03, 0.1, 0.3, 1.0]
    high, low = float(np.quantile(size, 0.95)), float(np.quantile(size, 0.25))
    if high < 10 * low:
        step = _nice(high / 4.5)
        return [_clean(step * k) for k in (0.2, 1, 2, 3, 4)]
    exponent = round(2 * math.log10(high))
    return [_ladder(exponent - k) for k in (4, 3, 2, 1, 0)]


def _ladder(half_decades: int) -> float:
    whole, half = divmod(half_decades, 2)
    return _clean((3 if half else 1) * 10.0**whole)


def _nice(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * m for m in (5, 2, 1) if power * m <= value * (1 + 1e-9) or m == 1)


def _clean(value: float) -> float:
    return float(f"{value:.6g}")


def classes(values: Iterable[float | None], breaks: Sequence[float]) -> list[int | None]:
    """Class of each value: 0 about zero, up to plus or minus the number of bounds; None stays."""
    bounds = [-b for b in reversed(breaks)] + list(breaks)
    return [
        None if v is None else int(np.searchsorted(bounds, v, "right")) - len(breaks)
        for v in values
    ]


def _classed(rows: list[Row], field: str) -> list[float]:
    """Add the field `class` to rows; the bounds used."""
    breaks = class_breaks(r[field] for r in rows)
    for row, k in zip(rows, classes([r[field] for r in rows], breaks), strict=True):
        row["class"] = k
    return breaks


def _class_colour(breaks: Sequence[float], title: str) -> Any:
    """Colour by class on the diverging scale; cells without one are neutral (CONFIG)."""
    import altair as alt

    n = len(breaks)
    bounds = [k + 0.5 for k in range(-n, n)]
    labels = [_short(-b) for b in reversed(breaks)] + [_short(b) for b in breaks]
    legend = alt.Legend(
        title=title,
        type="gradient",
        orient="top",
        direction="horizontal",
        gradientLength=352,
        gradientThickness=12,
        gradientStrokeColor="#c4c8c5",
        gradientStrokeWidth=0.5,
        labelExpr=f"isFinite(datum.value) ? {json.dumps(labels)}[round(datum.value + {n - 0.5})] : ''",
        labelFontSize=11,
        labelOverlap=False,
        offset=10,
    )
    scale = alt.Scale(type="threshold", domain=bounds, range=list(DIVERGING))
    return alt.Color("class:Q", scale=scale, legend=legend)


def _short(bound: float) -> str:
    return minus(f"{bound / 1000:g}k" if abs(bound) >= 1000 else f"{bound:g}")


def region_labels(rows: Sequence[Row]) -> dict[str, str]:
    """Display names by code, the code added where two economies share a name."""
    names = [r["name"] for r in rows]
    return {
        r["region"]: r["name"] if names.count(r["name"]) == 1 else f"{r['name']} ({r['region']})"
        for r in rows
    }


def _finish(chart: Any, description: str, height: int) -> Spec:
    """Plain specification, as wide as its place on the page."""
    spec: Spec = chart.to_dict()
    spec.pop("$schema", None)
    spec.pop("config", None)
    return spec | {"width": "container", "height": height, "description": description}


def _signed_axis() -> Any:
    import altair as alt

    return alt.Axis(tickCount=7, labelExpr="datum.value == 0 ? '0' : format(datum.value, '+~g')")


def _inline(rows: Sequence[Row]) -> Any:
    import altair as alt

    return alt.Chart(alt.InlineData(values=list(rows)))


def _named_weight(names: Iterable[str]) -> Any:
    """Bold axis labels for the economies named."""
    test = f"indexof({json.dumps(sorted(names))}, datum.value) >= 0"
    return {"condition": {"test": test, "value": "bold"}, "value": "normal"}


# --- map ---------------------------------------------------------------------------------------


def map_spec(rows: Sequence[Row]) -> Spec | None:
    """Choropleth of real income, circles for economies too small for it; None when none is on it."""
    import altair as alt

    if len(off_map(rows)) == len(rows):
        return None
    on_map = _map_rows(rows)
    colour = _class_colour(_classed(on_map, "welfare_pct"), "Real income, % (outer classes open)")
    tips = [
        alt.Tooltip("name:N", title="Economy"),
        alt.Tooltip("percent:N", title="Real income"),
        alt.Tooltip("musd:N", title="Million USD"),
    ]
    shapes = (
        _inline([])
        .mark_geoshape(stroke="#aab0b3", strokeWidth=0.4, invalid=None)
        .transform_lookup(
            lookup="id",
            from_=alt.LookupData(
                data=alt.InlineData(values=on_map),
                key="id",
                fields=["name", "percent", "musd", "class"],
            ),
        )
        .encode(color=colour, tooltip=tips)
    )
    layers = [shapes]
    points = [r for r in on_map if r["point"]]
    if points:
        layers.append(
            _inline(points)
            .mark_circle(size=58, opacity=1, stroke="#3b4248", strokeWidth=0.9)
            .encode(longitude="lon:Q", latitude="lat:Q", color=colour, tooltip=tips)
        )
    chart = alt.layer(*layers).project(type="equalEarth")
    spec = _finish(chart, "World map of the change in real income by economy", 430)
    place = spec["layer"][0] if "data" in spec["layer"][0] else spec  # a lone layer's data moves up
    spec["datasets"].pop(place["data"]["name"])
    place["data"] = {"values": map_layer(), "format": MAP_FORMAT}
    spec["usermeta"] = {"aspect": 0.5}
    return spec


def _map_rows(rows: Sequence[Row]) -> list[Row]:
    """A row for every economy of the catalogue: those of the world with numbers."""
    known, here = economies(), {r["region"]: r for r in rows}
    areas = land_areas()
    out = []
    for code, place in known.items():
        row = here.get(code)
        out.append(
            {
                "id": code,
                "name": row["name"] if row else place["name"],
                "welfare_pct": row["welfare_pct"] if row else None,
                "percent": f"{figure(row['welfare_pct'])} %" if row else "not separate here",
                "musd": figure(row["welfare_musd"], 0) if row else "–",
                "point": bool(row and place["lon"]) and areas.get(code, 0.0) < SMALL_KM2,
                "lon": float(place["lon"] or 0),
                "lat": float(place["lat"] or 0),
            }
        )
    return out


def off_map(rows: Sequence[Row]) -> list[Row]:
    """Regions of the world that are no economy of the catalogue, such as a rest of the world."""
    return [r for r in rows if r["region"] not in economies()]


@cache
def land_areas() -> dict[str, float]:
    """Land area of every economy on the map, square kilometres, from its outlines."""
    topology = map_layer()
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = [np.cumsum(np.array(a), axis=0) * scale + shift for a in topology["arcs"]]
    areas: dict[str, float] = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        parts = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        total = sum(
            _ring_area(arcs, ring) * (1 if k == 0 else -1)
            for polygon in parts
            for k, ring in enumerate(polygon)
        )
        if "id" in shape:
            areas[shape["id"]] = total
    return areas


def _ring_area(arcs: Sequence[Array], ring: Sequence[int]) -> float:
    """Area of a ring on the sphere (trapezoids in longitude and sine of latitude)."""
    path = np.concatenate([arcs[i] if i >= 0 else arcs[~i][::-1] for i in ring])
    lon, sine = np.radians(path[:, 0]), np.sin(np.radians(path[:, 1]))
    return float(abs(np.sum(np.diff(lon) * (sine[1:] + sine[:-1]) / 2)) * 6371.0**2)


# --- bars --------------------------------------------------------------------------------------


def bar_specs(rows: Sequence[Row], named: set[str]) -> dict[str, Spec]:
    """Ranked bars of real income: all economies, or the two ends of the ranking."""
    ranked = sorted(rows, key=lambda r: (-r["welfare_pct"], r["region"]))
    if len(ranked) <= ALL_BARS:
        return {"bars": _bars(ranked, named, "Real income of all economies, ranked")}
    return {
        "top": _bars(ranked[:END_BARS], named, "Largest changes upwards in real income"),
        "bottom": _bars(ranked[-END_BARS:], named, "Largest changes downwards in real income"),
    }


def _bars(rows: Sequence[Row], named: set[str], description: str) -> Spec:
    import altair as alt

    labels = region_labels(rows)
    data = [
        {
            "label": labels[r["region"]],
            "welfare_pct": r["welfare_pct"],
            "text": f"{figure(r['welfare_pct'])} %",
            "musd": figure(r["welfare_musd"], 0),
        }
        for r in rows
    ]
    values = [r["welfare_pct"] for r in rows]
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.36 * (high - low or 1.0)
    domain = [low - room if low < 0 else low, high + room if high > 0 else high]
    y = alt.Y(
        "label:N",
        sort=[d["label"] for d in data],
        title=None,
        axis=alt.Axis(labelFontWeight=_named_weight(labels[c] for c in labels if c in named)),
    )
    scale = alt.Scale(domain=domain, nice=False, zero=False)
    x = alt.X("welfare_pct:Q", title=None, scale=scale, axis=alt.Axis(labels=False, grid=False))
    bars = (
        _inline(data)
        .mark_bar(height={"band": 0.72}, cornerRadiusEnd=1.5)
        .encode(
            x=x,
            y=y,
            color=alt.condition("datum.welfare_pct < 0", alt.value(LOSS), alt.value(GAIN)),
            tooltip=[
                alt.Tooltip("label:N", title="Economy"),
                alt.Tooltip("text:N", title="Real income"),
                alt.Tooltip("musd:N", title="Million USD"),
            ],
        )
    )
    text = (
        _inline(data)
        .mark_text(
            fontSize=12,
            color="#23292e",
            align=alt.expr("datum.welfare_pct < 0 ? 'right' : 'left'"),
            dx=alt.expr("datum.welfare_pct < 0 ? -5 : 5"),
        )
        .encode(x=x, y=y, text="text:N")
    )
    zero = _inline([{"zero": 0}]).mark_rule(color="#23292e").encode(x=alt.X("zero:Q", scale=scale))
    return _finish(alt.layer(bars, text, zero), description, 24 * len(data))


# --- why ---------------------------------------------------------------------------------------


def term_label(term: str) -> str:
    """A welfare-split term in words."""
    return "rest (higher order)" if term == "higher_order" else term.replace("_", " ")


def split_terms(rows: Sequence[Row], prefix: str = "") -> list[str]:
    """Terms of the linear split, or of the `path_` split, that are not zero for every economy."""
    terms = PATH_TERMS if prefix else SPLIT_TERMS
    return [t for t in terms if any(abs(r.get(f"{prefix}{t}_pct") or 0) >= 5e-4 for r in rows)]


def largest_movers(rows: Sequence[Row], count: int) -> list[Row]:
    """The economies whose real income changes most, ranked from gain to loss."""
    chosen = sorted(rows, key=lambda r: (-abs(r["welfare_pct"]), r["region"]))[:count]
    return sorted(chosen, key=lambda r: (-r["welfare_pct"], r["region"]))


def split_spec(rows: Sequence[Row], prefix: str = "") -> Spec | None:
    """Stacked welfare split of the largest movers with their exact change; None when all is zero.

    The linear split, or with the prefix `path_` the one along the path.
    """
    import altair as alt

    terms, movers = split_terms(rows, prefix), largest_movers(rows, MOVERS)
    if not terms:
        return None
    labels = region_labels(rows)
    data = [
        {
            "label": labels[r["region"]],
            "term": term_label(t),
            "value": r[f"{prefix}{t}_pct"],
            "text": f"{figure(r[f'{prefix}{t}_pct'])} %",
        }
        for r in movers
        for t in terms
    ]
    totals = [
        {
            "label": labels[r["region"]],
            "total": r["welfare_pct"],
            "text": f"{figure(r['welfare_pct'])} %",
        }
        for r in movers
    ]
    y = alt.Y("label:N", sort=[t["label"] for t in totals], title=None)
    title = "% of base income"
    bars = (
        _inline(data)
        .mark_bar(height={"band": 0.7})
        .encode(
            x=alt.X("value:Q", title=title, axis=_signed_axis()),
            y=y,
            color=alt.Color(
                "term:N",
                scale=alt.Scale(
                    domain=[term_label(t) for t in terms], range=[TERM_COLOURS[t] for t in terms]
                ),
                legend=alt.Legend(title=None, orient="top", symbolType="square"),
            ),
            tooltip=[
                alt.Tooltip("label:N", title="Economy"),
                alt.Tooltip("term:N", title="Cause"),
                alt.Tooltip("text:N", title="% of base income"),
            ],
        )
    )
    marks = (
        _inline(totals)
        .mark_point(shape="diamond", size=62, filled=True, color="#111", stroke="#fff", opacity=1)
        .encode(
            x=alt.X("total:Q", title=title),
            y=y,
            tooltip=[
                alt.Tooltip("label:N", title="Economy"),
                alt.Tooltip("text:N", title="Real income"),
            ],
        )
    )
    zero = _inline([{"zero": 0}]).mark_rule(color="#23292e").encode(x=alt.X("zero:Q", title=title))
    chart = alt.layer(bars, zero, marks)
    return _finish(chart, "Welfare split of the largest movers by cause", 25 * len(totals))


# --- heat maps ---------------------------------------------------------------------------------


def _chosen(result: Result, weight: Array) -> list[int]:
    """Up to CELLS regions: all, or the named ones first and then the heaviest others."""
    n, named = len(result.base_world.regions), result.lowered.named
    if n <= CELLS:
        inside = [i for i in range(n) if named[i]]
        return inside + [i for i in range(n) if not named[i]]
    order = sorted(range(n), key=lambda i: (-weight[i], i))
    chosen = [i for i in order if named[i]][: CELLS - 5]
    return chosen + [i for i in order if not named[i]][: CELLS - len(chosen)]


def _heat(data: Sequence[Row], x: Any, y: Any, colour: Any, tips: list[Any]) -> Any:
    return (
        _inline(data)
        .mark_rect(stroke="#ffffff", strokeWidth=1, invalid=None)
        .encode(x=x, y=y, color=colour, tooltip=tips)
    )


def _name_axis(named: Iterable[str], side: str, title: str | None) -> Any:
    import altair as alt

    given: dict[str, Any] = {"labelFontWeight": _named_weight(named), "title": title}
    if side == "x":
        given |= {"orient": "top", "labelAngle": -45, "labelAlign": "left", "labelLimit": 115}
    return alt.Axis(**given)


def _named_labels(result: Result, rows: Sequence[Row]) -> list[str]:
    """Labels of the economies the scenario names."""
    labels = region_labels(rows)
    named = zip(rows, result.lowered.named, strict=True)
    return [labels[row["region"]] for row, is_named in named if is_named]


def sector_cells(result: Result, rows: Sequence[Row], chosen: Sequence[int]) -> list[Row]:
    """Change of output volume, one row for each sector and chosen economy."""
    base, new = volumes(result)["output"]
    labels, sectors = region_labels(rows), sector_labels(result)
    cells = []
    for k, i in ((k, i) for k in range(len(sectors)) for i in chosen):
        share = float(100 * (new[k, i] / base[k, i] - 1)) if base[k, i] > 0 else None
        cells.append(
            {
                "sector": sectors[k],
                "label": labels[rows[i]["region"]],
                "change": None if share is None else _clean(share),
                "text": "no output" if share is None else f"{figure(share, 2)} %",
                "musd": figure(float(new[k, i] - base[k, i]), 0),
                "base": figure(float(base[k, i]), 0, sign=False),
            }
        )
    return cells


def sector_labels(result: Result) -> list[str]:
    """Sector names, the code added where two sectors share one."""
    names = [s.name for s in result.base_world.sectors]
    return [
        s.name if names.count(s.name) == 1 else f"{s.name} ({s.code})"
        for s in result.base_world.sectors
    ]


def sector_spec(result: Result, rows: Sequence[Row]) -> Spec:
    """Change of output volume, sectors by economies."""
    import altair as alt

    labels, sectors = region_labels(rows), sector_labels(result)
    chosen = _chosen(result, np.array([abs(r["welfare_pct"]) for r in rows]))
    columns = [labels[rows[i]["region"]] for i in chosen]
    cells = sector_cells(result, rows, chosen)
    axis = _name_axis(_named_labels(result, rows), "x", None)
    chart = _heat(
        cells,
        alt.X("label:N", sort=columns, axis=axis),
        alt.Y("sector:N", sort=sectors, title=None, axis=alt.Axis(labelLimit=230)),
        _class_colour(_classed(cells, "change"), "Volume of output, % (outer classes open)"),
        [
            alt.Tooltip("label:N", title="Economy"),
            alt.Tooltip("sector:N", title="Sector"),
            alt.Tooltip("text:N", title="Output volume"),
            alt.Tooltip("musd:N", title="Change, million USD"),
            alt.Tooltip("base:N", title="Base, million USD"),
        ],
    )
    return _finish(chart, "Change of output volume by sector and economy", 19 * len(sectors))


def trade_cells(
    result: Result, rows: Sequence[Row], chosen: Sequence[int]
) -> tuple[list[str], list[Row]]:
    """Change of trade volume by exporter and importer, those not chosen summed: names, rows."""
    names, member = _membership(rows, chosen)
    before, after = (member.T @ f.sum(0) @ member for f in volumes(result)["flows"])
    cells = []
    for o, d in ((o, d) for o in range(len(names)) for d in range(len(names))):
        own = o == d and o < len(chosen)
        change = float(after[o, d] - before[o, d])
        share = f"{figure(100 * change / before[o, d], 2)} %" if before[o, d] > 0 else "–"
        cells.append(
            {
                "exporter": names[o],
                "importer": names[d],
                "change": None if own else _clean(change),
                "musd": "own market, not trade" if own else figure(change, 0),
                "pct": "–" if own else share,
                "base": "–" if own else figure(float(before[o, d]), 0, sign=False),
            }
        )
    return names, cells


def trade_spec(result: Result, rows: Sequence[Row]) -> Spec:
    """Change of bilateral trade volume, exporters by importers."""
    import altair as alt

    before = volumes(result)["flows"][0].sum(0)
    names, cells = trade_cells(result, rows, _chosen(result, before.sum(0) + before.sum(1)))
    named = _named_labels(result, rows)
    chart = _heat(
        cells,
        alt.X("importer:N", sort=names, axis=_name_axis(named, "x", "Importer")),
        alt.Y("exporter:N", sort=names, axis=_name_axis(named, "y", "Exporter")),
        _class_colour(_classed(cells, "change"), "Trade volume, million USD (outer classes open)"),
        [
            alt.Tooltip("exporter:N", title="Exporter"),
            alt.Tooltip("importer:N", title="Importer"),
            alt.Tooltip("musd:N", title="Change, million USD"),
            alt.Tooltip("pct:N", title="Change"),
            alt.Tooltip("base:N", title="Base, million USD"),
        ],
    )
    return _finish(chart, "Change of trade volume by exporter and importer", 21 * len(names))


def _membership(rows: Sequence[Row], chosen: Sequence[int]) -> tuple[list[str], Array]:
    """Labels and the 0/1 matrix (region, shown) that sums those not chosen into one."""
    labels = region_labels(rows)
    names = [labels[rows[i]["region"]] for i in chosen]
    rest = len(chosen) < len(rows)
    member = np.zeros((len(rows), len(names) + rest))
    member[chosen, range(len(chosen))] = 1
    if rest:
        member[member.sum(1) == 0, -1] = 1
        names.append("All others, summed")
    return names, member


# --- elasticities ------------------------------------------------------------------------------


def elasticity_points(result: Result, rows: Sequence[Row]) -> list[Row]:
    """Real income of the largest movers, one row for each economy and set of assumptions."""
    labels, position = region_labels(rows), {r["region"]: i for i, r in enumerate(rows)}
    points = []
    for row in largest_movers(rows, MOVERS + 5):
        for head in result.headlines:
            if head.welfare_pct is None:
                continue
            value = float(head.welfare_pct[position[row["region"]]])
            points.append(
                {
                    "label": labels[row["region"]],
                    "set": f"{head.elasticities.split(' (')[0]}, {head.closure}",
                    "value": value,
                    "text": f"{figure(value)} %",
                }
            )
    return points


def elasticity_spec(result: Result, rows: Sequence[Row]) -> Spec | None:
    """Real income of the largest movers under each set of assumptions; None when there is one."""
    import altair as alt

    points = elasticity_points(result, rows)
    sets = list(dict.fromkeys(p["set"] for p in points))
    if len(sets) < 2:
        return None
    title = "Real income, %"
    order = list(dict.fromkeys(p["label"] for p in points))
    y = alt.Y("label:N", sort=order, title=None)
    colours = alt.Scale(domain=sets, range=[GAIN, "#d98200", "#5d3a9b", "#555"][: len(sets)])
    shapes = alt.Scale(domain=sets, range=["circle", "diamond", "square", "cross"][: len(sets)])
    zero = _inline([{"zero": 0}]).mark_rule(color="#23292e").encode(x=alt.X("zero:Q", title=title))
    line = (
        _inline(points)
        .mark_rule(color="#9aa3a9", strokeWidth=2)
        .encode(x=alt.X("min(value):Q", title=title), x2="max(value):Q", y=y)
    )
    dots = (
        _inline(points)
        .mark_point(size=70, filled=True, opacity=1)
        .encode(
            x=alt.X("value:Q", title=title, axis=_signed_axis()),
            y=y,
            color=alt.Color(
                "set:N", scale=colours, legend=alt.Legend(title=None, orient="top", columns=1)
            ),
            shape=alt.Shape("set:N", scale=shapes),
            tooltip=[
                alt.Tooltip("label:N", title="Economy"),
                alt.Tooltip("set:N", title="Assumptions"),
                alt.Tooltip("text:N", title="Real income"),
            ],
        )
    )
    chart = alt.layer(zero, line, dots)
    return _finish(chart, "Real income under each set of assumptions", 21 * len(order))


def chart_specs(result: Result, rows: Sequence[Row]) -> dict[str, Spec]:
    """Every chart of the page by key; those with nothing to show are left out."""
    codes = zip(result.base_world.regions, result.lowered.named, strict=True)
    named = {code for code, is_named in codes if is_named}
    specs: dict[str, Spec | None] = {"map": map_spec(rows)}
    specs |= bar_specs(rows, named)
    specs |= {
        "split": split_spec(rows),
        "path": split_spec(rows, "path_"),
        "sectors": sector_spec(result, rows),
        "trade": trade_spec(result, rows),
        "elasticities": elasticity_spec(result, rows),
    }
    return {key: spec for key, spec in specs.items() if spec is not None}
