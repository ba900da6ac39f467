"""The report page: safe, whole, self-contained, and showing the numbers of the rows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.metadata import version

import pytest

import entrepot as ep
from entrepot.report import charts
from entrepot.report.chart_base import figure
from entrepot.report.charts import class_breaks, classes, land_areas
from entrepot.report.html import embed_json
from entrepot.report.page import change_words, report_page
from entrepot.results.tables import group_rows, region_rows, sector_rows
from entrepot.scenario.model import Change, Scenario
from worlds import random_world

EVIL = '</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> {{ 7*7 }} "q" & \u2028'
SECTIONS = {
    "question",
    "headline",
    "map",
    "ranking",
    "causes",
    "sector-map",
    "trade",
    "elasticities",
    "groups",
    "regions",
    "sectors",
    "assumptions",
    "limits",
    "certificate",
    "provenance",
    "credits",
}


class Page(HTMLParser):
    """What a browser would build: elements with attributes, script texts, table rows, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.scripts: list[str] = []
        self.rows: list[list[str]] = []
        self.comments: list[str] = []
        self.text = ""
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag in ("script", "style", "td", "th"):
            self._open = ""

    def handle_comment(self, data):
        self.comments.append(data)

    def handle_data(self, data):
        if self._open == "script":
            self.scripts[-1] += data
        elif self._open != "style":
            self.text += data
            if self._open in ("td", "th", "button", "abbr") and self.rows:
                self.rows[-1][-1] += data

    def ids(self):
        return {a["id"] for _, a in self.elements if "id" in a}

    def data(self, key):
        script = [a for t, a in self.elements if t == "script"]
        at = next(i for i, a in enumerate(script) if a.get("id") == key)
        return json.loads(self.scripts[at])


def scenario(**given):
    change = {
        "instrument": "tariff",
        "importers": ["USA"],
        "exporters": ["all", "!USA"],
        "sectors": ["goods"],
        "to": "10%",
        "why": "a test",
    }
    base = {
        "name": "levy",
        "why": "What does a levy do?",
        "changes": [change],
        "assumptions": {
            "baseline": [
                {"importers": "all", "exporters": "all", "rate": "2%", "source": "made up"}
            ]
        },
    }
    return Scenario.model_validate(base | given)


@pytest.fixture(scope="module")
def result():
    return ep.run(ep.load_world("world-2019-g20"), scenario())


@pytest.fixture(scope="module")
def page(result):
    return Page(report_page(result))


def test_sections_and_charts_are_all_there(page, result):
    assert page.ids() >= SECTIONS
    specs = page.data("chart-specs")
    assert set(specs) == {"map", "bars", "split", "sectors", "trade", "elasticities"}
    assert {f"chart-{key}" for key in specs} <= page.ids()
    for line in ("Natural Earth", "no position is taken", "Assumed, not data", "Rest of the world"):
        assert line in page.text
    assert result.base_world.provenance["credit"] in page.text
    assert result.base_world.content_hash in page.text


def test_with_a_path_split_there_is_one_chart_more(result):
    along = ep.run(ep.load_world("world-2019-g20"), scenario(), headlines=False, path=True)
    page = Page(report_page(along))
    assert "path" in page.data("chart-specs")
    assert "chart-path" in page.ids()
    assert "the bars sum to the exact change" in page.text.replace("\n", " ")


def test_nothing_is_fetched(page):
    loading = {"src", "srcset", "data", "poster", "background", "action", "xlink:href"}
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert not loading & set(attributes)
        assert attributes.get("href", "#").startswith("#")
    policy = next(a for t, a in page.elements if t == "meta" and "http-equiv" in a)["content"]
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert "http" not in policy
    assert '"url"' not in json.dumps(page.data("chart-specs"))


def test_style_loads_nothing(result):
    style = re.findall(r"<style>(.*?)</style>", report_page(result), re.S)
    assert style
    assert not any("url(" in s or "@import" in s for s in style)


def test_text_from_the_scenario_cannot_become_markup():
    given = scenario().model_dump(mode="json", exclude_none=True)
    given |= {"name": EVIL[:120], "why": EVIL}
    given["changes"][0]["why"] = EVIL
    given["assumptions"]["baseline"][0]["source"] = EVIL
    world = ep.load_world("world-2019-g20")
    world = replace(world, region_names=dict(world.region_names) | {"ROW": EVIL, "CHN": EVIL})
    result = ep.run(world, Scenario.model_validate(given), headlines=False)
    page = Page(report_page(result))
    assert [t for t, _ in page.elements].count("script") == 4
    assert not page.comments
    assert not any(t in ("img", "b", "svg") for t, _ in page.elements)
    assert EVIL.rstrip("\u2028") in page.text
    labels = {
        row["label"] for row in next(iter(page.data("chart-specs")["bars"]["datasets"].values()))
    }
    assert {f"{EVIL} (CHN)", f"{EVIL} (ROW)"} <= labels


def test_json_in_a_script_is_inert_and_unchanged():
    data = {"a": EVIL, "b": "]]>\u2029"}
    text = embed_json(data)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == data


def test_numbers_equal_the_rows(page, result):
    shown = {
        row[1]: row for row in page.rows if len(row) > 3 and row[1] in result.base_world.regions
    }
    for row in region_rows(result):
        cells = shown[row["region"]]
        assert cells[0] == row["name"]
        assert cells[2:4] == [figure(row["welfare_pct"]), figure(row["welfare_musd"], 0)]
    by_code = {row[1]: row for row in page.rows if len(row) > 3}
    for row in sector_rows(result):
        assert by_code[row["sector"]][2] == figure(row["output_musd"], 0, sign=False)
        assert by_code[row["sector"]][3] == figure(row["output_pct"], 2)
    world = group_rows(result)[0]
    assert f"{figure(world['welfare_musd'], 0)} million USD" in page.text
    assert f"{world['gaining']} of 20 gain" in page.text
    assert figure(-1234.5678, 1) == "\N{MINUS SIGN}1,234.6"
    assert figure(None) == "."


def test_charts_show_the_rows(page, result):
    specs = page.data("chart-specs")
    rows = region_rows(result)
    bars = next(d for d in specs["bars"]["datasets"].values() if "label" in d[0])
    assert sorted(b["welfare_pct"] for b in bars) == sorted(r["welfare_pct"] for r in rows)
    on_map = {
        d["id"]: d for data in specs["map"]["datasets"].values() for d in data if "welfare_pct" in d
    }
    for row in rows:
        if row["region"] != "ROW":
            assert on_map[row["region"]]["welfare_pct"] == row["welfare_pct"]
    assert on_map["KEN"]["class"] is None
    assert not [d["id"] for d in on_map.values() if d["point"]]
    names, cells = charts.trade_cells(result, rows, [0, 1, 2])
    assert names[-1] == "All others, summed"
    before, after = (f.sum() for f in charts.volumes(result)["flows"])
    moved = sum(c["change"] for c in cells if c["change"] is not None)
    assert moved == pytest.approx(after - before, rel=1e-4)


def test_same_result_same_page_but_for_seconds(result):
    slow = replace(result, solve=replace(result.solve, seconds=99.0))
    one, other = report_page(result), report_page(slow)
    assert one != other
    assert one == re.sub(r'(<span id="seconds">)[^<]*', rf"\g<1>{result.solve.seconds:.2f}", other)


def test_any_world_has_a_page():
    world = random_world(3, n=2, s=2)
    first, second = world.regions
    change = {"instrument": "trade_cost", "importers": [first], "exporters": [second], "by": "-5%"}
    asked = scenario(changes=[change | {"why": "x"}], assumptions={})
    result = ep.run(world, asked)
    page = Page(report_page(result))
    assert page.ids() >= SECTIONS
    assert "map" not in page.data("chart-specs")
    assert "none of 44 is separate here" in page.text


def test_large_worlds_show_both_ends_of_the_ranking():
    change = {"instrument": "labour", "exporters": ["SGP"], "by": "1%", "why": "x"}
    asked = scenario(changes=[change], assumptions={})
    result = ep.run(ep.load_world("world-2022"), asked, headlines=False)
    text = report_page(result)
    specs = Page(text).data("chart-specs")
    assert {"top", "bottom"} <= set(specs)
    assert "elasticities" not in specs
    assert len(text.encode()) < 4_000_000
    points = {d["id"] for d in specs["map"]["datasets"].values() for d in d if d.get("point")}
    assert {"SGP", "HKG", "MLT", "BRN", "LUX", "STP"} <= points
    assert not {"DEU", "USA", "EST", "SVN"} & points


def test_classes_are_centred_on_zero():
    breaks = class_breaks([0.001, 0.02, -0.4, 1.3, None, -2.0])
    assert breaks == sorted(breaks)
    assert breaks[0] > 0
    assert classes([0.0, breaks[0] / 2, -breaks[0] / 2, None], breaks) == [0, 0, 0, None]
    assert classes([1e9, -1e9], breaks) == [len(breaks), -len(breaks)]
    assert class_breaks([5.0, 6.0, 7.0, 8.0]) == [0.2, 1.0, 2.0, 3.0, 4.0]
    assert len(class_breaks([])) == len(class_breaks([0.0, None])) == len(breaks)
    assert len(charts.DIVERGING) == 2 * len(breaks) + 1


def test_land_areas_are_right_to_a_tenth():
    areas = land_areas()
    for code, square_km in {"DEU": 357_000, "AUS": 7_690_000, "SVN": 20_270, "LUX": 2_590}.items():
        assert areas[code] == pytest.approx(square_km, rel=0.1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {
                "instrument": "tariff",
                "importers": "CHN",
                "exporters": ["all", "!CHN"],
                "to": "eliminate",
            },
            "Import tariff abolished on sales from all economies except China to China.",
        ),
        (
            {
                "instrument": "tariff",
                "importers": "all",
                "exporters": "all",
                "by": "10pp",
                "sectors": "goods",
            },
            "Import tariff +10 percentage points on all trade; sectors: goods.",
        ),
        (
            {
                "instrument": "trade_cost",
                "importers": ["CHN", "JPN"],
                "exporters": ["CHN", "JPN"],
                "by": "-5%",
            },
            "Cost of trade \N{MINUS SIGN}5 % on trade between China and JPN.",
        ),
        (
            {"instrument": "embargo", "importers": "JPN", "exporters": "CHN", "both_ways": True},
            "Embargo on sales from China to JPN, and the other way round.",
        ),
        (
            {"instrument": "productivity", "exporters": "CHN", "by": "2%"},
            "Productivity +2 % in China.",
        ),
    ],
)
def test_changes_in_words(given, words):
    change = Change.model_validate(given | {"why": "x"})
    assert change_words(change, {"CHN": "China"}) == words


def test_vendored_library_is_what_vl_convert_makes():
    import altair
    import vl_convert

    from entrepot.report.html import library

    assert altair.SCHEMA_VERSION.startswith("v6.")
    if not version("vl-convert-python").startswith("1.9.0"):
        pytest.skip("made with vl-convert-python 1.9.0")
    assert library() == vl_convert.javascript_bundle()
