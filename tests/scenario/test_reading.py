"""Scenario files as an adversary would write them: a ScenarioError in one line, or a Scenario."""

import string
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.core.errors import EntrepotError, ScenarioError
from entrepot.scenario.amounts import Amount, parse_amount
from entrepot.scenario.instruments import INSTRUMENTS
from entrepot.scenario.model import Scenario
from entrepot.scenario.read import MAX_BYTES, library, parse_scenario, read_scenario


def change(**fields):
    """A tariff change with fields put in; None takes one out."""
    row = {"instrument": "tariff", "importers": "USA", "exporters": "CHN", "to": "10%", "why": "w"}
    row |= fields
    return {key: value for key, value in row.items() if value is not None}


def scenario(*changes, **fields):
    return {"name": "n", "why": "w", "changes": list(changes)} | fields


def refuse(given, match, read=None):
    read = read or (parse_scenario if isinstance(given, str) else read_scenario)
    with pytest.raises(ScenarioError, match=match) as caught:
        read(given)
    message = str(caught.value)
    assert "\n" not in message
    assert "pydantic" not in message
    return message


TEXT = """\
name: n
why: w
changes:
  - instrument: tariff
    importers: USA
    exporters: CHN
    to: 10%
    why: w
"""


class TestAmounts:
    @pytest.mark.parametrize(
        ("text", "value", "kind", "bare"),
        [
            ("25%", 0.25, "fraction", False),
            ("-5%", -0.05, "fraction", False),
            ("\u22125%", -0.05, "fraction", False),
            ("+10pp", 0.10, "points", False),
            ("10 pp", 0.10, "points", False),
            (" 2.3 % ", 0.023, "fraction", False),
            ("0.25", 0.25, "fraction", True),
            ("1e-3", 0.001, "fraction", True),
            ("1e2%", 1.0, "fraction", False),
            (0.25, 0.25, "fraction", True),
            (0, 0.0, "fraction", True),
            ("eliminate", 0.0, "eliminate", False),
            ("007%", 0.07, "fraction", False),
        ],
    )
    def test_forms(self, text, value, kind, bare):
        assert parse_amount(text) == Amount(value, kind, bare)

    @pytest.mark.parametrize(
        "bad",
        [
            True, False, None, "", " ", "%", "pp", "5%%", "5 percent", "--5%", "+-5%", "5,5%", "1_000%",
            "0x10", "nan", "NaN", "inf", "-inf", ".inf", "1e400", "-1e400%", "1e999999", "1e9999999",
            float("nan"), float("inf"), -float("inf"), 10**400, -(10**400), "9" * 400, [], [5], {},
            b"5%", 5j, "Eliminate", "remove", "5%\n6%", "5\x00%", "\u2013" "5%", "5pp%", "1e", "e5", ".",
        ],
    )  # fmt: skip
    def test_what_is_no_amount(self, bad):
        with pytest.raises(ValueError, match="amount"):
            parse_amount(bad)

    @given(
        st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["fraction", "points"])
    )
    def test_text_says_every_digit(self, value, kind):
        assert parse_amount(str(Amount(value, kind))) == Amount(value, kind)

    @given(st.text(alphabet=string.digits + "eE+-.%p \u2212", max_size=12))
    def test_any_text_is_an_amount_or_a_value_error(self, text):
        try:
            amount = parse_amount(text)
        except ValueError:
            return
        assert np.isfinite(amount.value)


class TestInstruments:
    GOOD = (
        {"instrument": "tariff", "to": "25%"},
        {"instrument": "tariff", "to": 0.25},
        {"instrument": "tariff", "to": "-99.9%"},
        {"instrument": "tariff", "to": "eliminate"},
        {"instrument": "tariff", "by": "+10pp"},
        {"instrument": "tariff", "by": "-10pp"},
        {"instrument": "tariff", "by": "-50%"},
        {"instrument": "tariff", "by": "-100%"},
        {"instrument": "tariff", "by": "300%"},
        {"instrument": "export_tax", "to": "25%"},
        {"instrument": "export_tax", "by": "5pp"},
        {"instrument": "export_tax", "to": "eliminate"},
        {"instrument": "export_subsidy", "to": "10%"},
        {"instrument": "export_subsidy", "to": 0},
        {"instrument": "trade_cost", "by": "-5%"},
        {"instrument": "trade_cost", "by": -0.05},
        {"instrument": "trade_cost", "ad_valorem_equivalent": "-5%"},
        {"instrument": "non_tariff_cost", "by": "\u22125%"},
        {
            "instrument": "non_tariff_cost",
            "ad_valorem_equivalent": "-5%",
            "baseline_cost": "20%",
        },
        {"instrument": "embargo"},
        {"instrument": "productivity", "importers": None, "by": "1%"},
        {"instrument": "labour", "importers": None, "by": "-1%"},
    )

    @pytest.mark.parametrize("fields", GOOD, ids=lambda f: "-".join(map(str, f.values())))
    def test_every_form_reads_and_survives_its_record(self, fields):
        made = read_scenario(scenario(change(**({"to": None} | fields))))
        for exclude in (False, True):
            record = made.model_dump(mode="json", exclude_none=exclude)
            assert Scenario.model_validate(record).model_dump(mode="json") == made.model_dump(
                mode="json"
            )

    def test_all_instruments_are_covered(self):
        assert {f["instrument"] for f in self.GOOD} == set(INSTRUMENTS)

    @pytest.mark.parametrize(
        ("fields", "match"),
        [
            ({"to": None}, "exactly one of to, by; none is given"),
            ({"by": "5pp"}, "exactly one of to, by; to and by are given"),
            ({"to": "-100%"}, "no positive price"),
            ({"to": "-150%"}, "no positive price"),
            ({"to": -1}, "no positive price"),
            ({"to": "5pp"}, "is a level"),
            ({"to": None, "by": 0.05}, "needs a unit"),
            ({"to": None, "by": "0.05"}, "needs a unit"),
            ({"to": None, "by": 5}, "would be 500%; write 5% or 500%"),
            ({"to": 25}, "would be 2500%; write 25% or 2500%"),
            ({"to": None, "by": "eliminate"}, "to: eliminate"),
            ({"to": None, "by": "-101%"}, "more than 100%"),
            ({"to": None, "ad_valorem_equivalent": "5%"}, "does not take `ad_valorem_equivalent`"),
            ({"to": "5%", "ad_valorem_equivalent": "5%"}, "exactly one"),
            ({"baseline_cost": "5%"}, "belongs to"),
            ({"importers": None}, "needs `importers`"),
            ({"instrument": "export_subsidy", "to": "-1%"}, "from 0% to below 100%"),
            ({"instrument": "export_subsidy", "to": "100%"}, "from 0% to below 100%"),
            ({"instrument": "export_subsidy", "to": None, "by": "5pp"}, "does not take `by`"),
            ({"instrument": "export_tax", "to": "-100%"}, "no positive price"),
            ({"instrument": "trade_cost"}, "does not take `to`; use `by` or"),
            ({"instrument": "trade_cost", "to": None, "by": "-100%"}, "nothing positive"),
            ({"instrument": "trade_cost", "to": None, "by": "5pp"}, "a change such as -5%"),
            ({"instrument": "trade_cost", "to": None, "by": "eliminate"}, "a change such as"),
            (
                {"instrument": "trade_cost", "to": None, "by": "1%", "ad_valorem_equivalent": "1%"},
                "exactly one",
            ),
            (
                {
                    "instrument": "trade_cost",
                    "to": None,
                    "ad_valorem_equivalent": "-5%",
                    "baseline_cost": "eliminate",
                },
                "is a level",
            ),
            (
                {
                    "instrument": "trade_cost",
                    "to": None,
                    "ad_valorem_equivalent": "-5%",
                    "baseline_cost": "20pp",
                },
                "is a level",
            ),
            ({"instrument": "embargo"}, "embargo does not take `to`"),
            ({"instrument": "productivity", "to": None, "by": "1%"}, "without `importers`"),
            ({"instrument": "labour", "importers": None, "to": None, "by": "-100%"}, "nothing"),
            (
                {
                    "instrument": "labour",
                    "importers": None,
                    "to": None,
                    "by": "1%",
                    "sectors": "goods",
                },
                "no `sectors`",
            ),
            ({"instrument": "tarif"}, "did you mean 'tariff'"),
            ({"instrument": "quota"}, "there is no instrument"),
            ({"instrument": ["tariff"]}, "there is no instrument"),
            ({"instrument": {}}, "there is no instrument"),
            ({"instrument": 5}, "there is no instrument"),
            ({"tow": "5%"}, "unknown key; did you mean 'to'"),
            ({"importer": "USA"}, "unknown key; did you mean 'importers'"),
            ({"why": None}, "why: is missing"),
            ({"why": ""}, "blank"),
            ({"why": " \n "}, "blank"),
            ({"why": 5}, "string"),
            ({"importers": []}, "empty"),
            ({"exporters": []}, "empty"),
            ({"sectors": []}, "empty"),
            ({"importers": False}, "put codes in quotes"),
            ({"importers": ["USA", False]}, "put codes in quotes"),
            ({"importers": [["USA"]]}, "not a name"),
            ({"importers": {"USA": 1}}, "not a name"),
            ({"importers": 5}, "not a name"),
            ({"sectors": [24]}, "24 is not a name"),
            ({"both_ways": "maybe"}, "both_ways"),
            ({"combine": "sum"}, "combine"),
            ({"to": True}, "True is not an amount"),
            ({"to": [5]}, "not an amount"),
            ({"to": float("nan")}, "finite"),
            ({"to": 10**400}, "finite"),
        ],
    )
    def test_refusals(self, fields, match):
        refuse(scenario(change(**fields)), match)


class TestTop:
    @pytest.mark.parametrize(
        ("given", "match"),
        [
            ({}, "name: is missing"),
            (scenario(change(), nam="x"), "unknown key; did you mean 'name'"),
            (scenario(change(), why=" "), "why: is blank"),
            (scenario(change(), name=""), "name"),
            (scenario(change(), name="x" * 121), "name"),
            (scenario(change(), changes=None), "changes"),
            (scenario(change(), changes={"a": 1}), "changes"),
            (scenario(change(), changes=["tariff"]), r"changes\[0\]"),
            (scenario(change(), assumptions=None), "assumptions"),
            (scenario(change(), assumptions={"closures": "zero"}), "did you mean 'closure'"),
            (scenario(change(), assumptions={"closure": "sero"}), "assumptions.closure"),
            (scenario(change(), assumptions={"elasticities": True}), "not an elasticity"),
            (scenario(change(), assumptions={"elasticities": {"A": True}}), "not an elasticity"),
            (scenario(change(), assumptions={"elasticities": [5]}), "elasticities"),
            (
                scenario(change(), assumptions={"baseline": [{"rates": "5%"}]}),
                "missing|did you mean 'rate'",
            ),
        ],
    )
    def test_refusals(self, given, match):
        refuse(given, match)

    @pytest.mark.parametrize("rate", ["-100%", "5pp", "eliminate", True, "nan", "-2"])
    def test_a_baseline_rate_is_a_level(self, rate):
        row = {"importers": "all", "exporters": "all", "rate": rate, "source": "s"}
        refuse(scenario(change(), assumptions={"baseline": [row]}), "baseline")

    def test_a_baseline_names_its_source(self):
        row = {"importers": "all", "exporters": "all", "rate": "5%"}
        refuse(scenario(change(), assumptions={"baseline": [row]}), "source: is missing")
        refuse(scenario(change(), assumptions={"baseline": [row | {"source": " "}]}), "blank")

    def test_no_changes_is_a_question_too(self):
        assert read_scenario(scenario()).changes == ()

    def test_the_count_of_further_problems_is_said(self):
        assert "(2 more problem(s))" in refuse(
            scenario(change(to="x"), change(by="y", to=None), change(why="")), r"changes\[0\]\.to"
        )

    def test_a_scenario_is_frozen(self):
        made = read_scenario(scenario(change()))
        with pytest.raises(Exception, match="frozen"):
            made.name = "other"


class TestYaml:
    def test_the_template_reads(self):
        assert parse_scenario(TEXT).changes[0].to == Amount(0.1)

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("", "is a mapping"),
            ("# only a comment\n", "is a mapping"),
            ("- a\n- b\n", "is a mapping"),
            ("just words", "is a mapping"),
            ("5", "is a mapping"),
            ("null", "is a mapping"),
            ("name: [", "not valid YAML"),
            ("name: 'x", "not valid YAML"),
            ("a: b: c", "not valid YAML"),
            ("\tname: x", "not valid YAML"),
            ("name: a\x07b", "not valid YAML"),
            ("name: a\n--- \nname: b\n", "not valid YAML"),
            ("name: a\nname: b\n", "'name' stands twice"),
            ("name: &a x\nwhy: *a\n", "aliases are not used"),
            ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "aliases are not used"),
            ("why: !!python/object/apply:os.system [ls]", "not valid YAML"),
            ("why: !include /etc/passwd", "not valid YAML"),
            ('why: !!int ""', "not a scenario"),
            ("why: !!bool maybe", "not a scenario"),
            ("why: !!float x", "not a scenario"),
            ("why: !!timestamp x", "not a scenario"),
            ("why: 2024-13-45", "not a scenario"),
            ("? [a]\n: b", "not valid YAML"),
            ("? {a: b}\n: c", "not valid YAML"),
            ("<<: {a: b}", "not valid YAML"),
            ("[" * 100_000, "not a scenario"),
            ("{a: " * 100_000, "not a scenario"),
            ("- " * 100_000, "not a scenario"),
            ("{1: 2, name: a, why: b, changes: []}", "Keys should be strings"),
            ("{on: 2, name: a, why: b, changes: []}", "Keys should be strings"),
            ("{null: 2, name: a, why: b, changes: []}", "Keys should be strings"),
            ('{"x\\ny": 2, name: a, why: b, changes: []}', "unknown key"),
            ("name: yes\nwhy: w\nchanges: []", "string"),
            ("why: " + "9" * 5000 + "\n", "not a scenario"),
            (TEXT.replace("USA", "NO"), "put codes in quotes"),
            (TEXT.replace("USA", "[NO]"), "put codes in quotes"),
            (TEXT.replace("10%", "1" + "0" * 400), "finite"),
            (TEXT.replace("10%", ".inf"), "finite"),
            (TEXT.replace("10%", "1e400"), "finite"),
            (TEXT.replace("    why: w\n", ""), r"changes\[0\].why: is missing"),
            (TEXT + "    to: 5%\n", "'to' stands twice"),
        ],
    )  # fmt: skip
    def test_refusals(self, text, match):
        refuse(text, match)

    def test_the_place_of_a_mistake_is_said(self):
        assert "line 7, column" in refuse(TEXT.replace("CHN", "[CHN"), "not valid YAML")

    @given(st.text(alphabet="abn:-[]{}&*!|>%@`'\"#,? \n\t0~<=.", max_size=60))
    def test_any_text_is_refused_deliberately(self, text):
        with pytest.raises(ScenarioError):
            parse_scenario(text)

    @given(st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["instrument", "importers", "to", "by", "why", "sectors", "x"]), inner
        ),
        max_leaves=8,
    ))  # fmt: skip
    def test_any_data_is_refused_deliberately(self, data):
        for given_ in (
            {"name": data, "why": "w", "changes": []},
            {"name": "n", "why": "w", "changes": [data]},
            {"name": "n", "why": "w", "changes": [], "assumptions": data},
            scenario(change(importers=data)),
            scenario(change(to=data)),
            scenario(change(), assumptions={"elasticities": data}),
        ):
            try:
                read_scenario(given_)
            except EntrepotError as error:
                assert "\n" not in str(error)  # noqa: PT017


class TestFiles:
    def write(self, folder, content):
        path = folder / "s.yaml"
        path.write_bytes(content)
        return path

    def test_a_file_reads(self, tmp_path):
        assert read_scenario(self.write(tmp_path, TEXT.encode())).name == "n"
        assert read_scenario(str(self.write(tmp_path, TEXT.encode()))).name == "n"

    def test_a_byte_order_mark_and_windows_lines_are_read(self, tmp_path):
        raw = b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()
        assert read_scenario(self.write(tmp_path, raw)).name == "n"

    @pytest.mark.parametrize(
        ("content", "match"),
        [
            (b"", "is a mapping"),
            (b"\xff\xfe\x00n", "UTF-8"),
            (TEXT.replace("why: w", "why: caf\xe9").encode("latin-1"), "UTF-8"),
            (TEXT.encode("utf-16"), "UTF-8"),
            (b"\x00" * 100, "not valid YAML"),
            (b"PK\x03\x04" + bytes(range(128)), "not valid YAML"),
            (b"#" * (MAX_BYTES + 1), "larger than"),
        ],
    )
    def test_refusals(self, tmp_path, content, match):
        refuse(self.write(tmp_path, content), match)

    def test_a_huge_file_is_not_read_into_memory(self, tmp_path):
        path = tmp_path / "huge.yaml"
        with path.open("wb") as file:
            file.truncate(10**10)  # sparse
        tracemalloc.start()
        try:
            refuse(path, "larger than")
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()

    def test_an_endless_device_is_not_read_to_its_end(self):
        refuse("/dev/zero", "larger than", read_scenario)

    def test_missing_folder_and_odd_names(self, tmp_path):
        refuse(tmp_path / "nothing.yaml", "no such file, nor a library scenario")
        refuse(tmp_path, "is a folder")
        refuse(tmp_path / ("x" * 300), "cannot be read")
        refuse("a\0b", "cannot be read", read_scenario)
        refuse(self.write(tmp_path, b"") / "below", "cannot be read")
        refuse("", "folder", read_scenario)

    def test_a_near_miss_of_a_library_name_is_told(self):
        name = next(iter(library()))
        refuse(name + "x", f"did you mean '{name}'", read_scenario)

    @pytest.mark.parametrize("name", sorted(library()))
    def test_the_library_reads(self, name):
        assert read_scenario(name).why
