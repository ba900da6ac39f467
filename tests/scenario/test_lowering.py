"""Scenario x world: selection, combination, baselines, merging; nothing depends on order."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import entrepot as ep
from entrepot.catalogues import groups
from entrepot.core.errors import ScenarioError
from entrepot.scenario import select
from entrepot.scenario.lower import lower, theta_for
from entrepot.scenario.read import read_scenario
from entrepot.world.world import attach

DIMS = ("sector", "origin", "destination")


@pytest.fixture(scope="module")
def g20():
    return ep.load_world("world-2019-g20")


@pytest.fixture(scope="module")
def big():
    return ep.load_world("world-2022")


def with_tariffs(world, rate=0.1, name="tariffs"):
    n, s = len(world.regions), len(world.sectors)
    rates = np.full((s, n, n), rate)
    np.einsum("sdd->sd", rates)[...] = 0
    return attach(world, name, rates, DIMS, "fraction", "made up for a test")


@pytest.fixture(scope="module")
def taxed(g20):
    return with_tariffs(with_tariffs(g20), 0.2, "export_taxes")


def tariff(**fields):
    row = {"instrument": "tariff", "importers": "USA", "exporters": "CHN", "why": "w"}
    return row | fields


def cost(**fields):
    return tariff(instrument="trade_cost") | fields


def ask(*changes, **assumptions):
    return read_scenario(
        {"name": "n", "why": "w", "changes": list(changes), "assumptions": assumptions}
    )


def refuse(world, *changes, match, **assumptions):
    with pytest.raises(ScenarioError, match=match) as caught:
        lower(ask(*changes, **assumptions), world)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def at(world, sector, origin, destination):
    return (
        world.sector_codes.index(sector),
        world.regions.index(origin),
        world.regions.index(destination),
    )


def arrays(shock):
    return {name: getattr(shock, name) for name in ("t", "x", "tau", "embargo", "A", "L")}


class TestLevels:
    """What each instrument and amount does to the one cell it names, and to no other."""

    @pytest.mark.parametrize(
        ("fields", "array", "want"),
        [
            ({"to": "25%"}, "t", 0.25),
            ({"to": "-20%"}, "t", -0.2),
            ({"to": "eliminate"}, "t", 0.0),
            ({"to": 0}, "t", 0.0),
            ({"by": "+10pp"}, "t", 0.2),
            ({"by": "-10pp"}, "t", 0.0),
            ({"by": "-50%"}, "t", 0.05),
            ({"by": "-100%"}, "t", 0.0),
            ({"by": "100%"}, "t", 0.2),
            ({"instrument": "export_tax", "to": "25%"}, "x", 0.25),
            ({"instrument": "export_tax", "by": "-50%"}, "x", 0.1),
            ({"instrument": "export_tax", "by": "5pp"}, "x", 0.25),
            ({"instrument": "export_tax", "to": "eliminate"}, "x", 0.0),
            ({"instrument": "export_subsidy", "to": "10%"}, "x", -0.1),
            ({"instrument": "trade_cost", "by": "-5%"}, "tau", 0.95),
            ({"instrument": "trade_cost", "by": "\u22125%"}, "tau", 0.95),
            ({"instrument": "trade_cost", "ad_valorem_equivalent": "-5%"}, "tau", 0.95),
            (
                {
                    "instrument": "non_tariff_cost",
                    "ad_valorem_equivalent": "-5%",
                    "baseline_cost": "25%",
                },
                "tau",
                1.20 / 1.25,
            ),
            ({"instrument": "embargo"}, "embargo", True),
        ],
    )
    def test_border(self, taxed, fields, array, want):
        shock = lower(ask(tariff(sectors="C", **fields)), taxed).shock
        idle = arrays(lower(ask(), taxed).shock)
        for name, values in arrays(shock).items():
            moved = values != idle[name]
            cell = np.zeros_like(moved)
            if name == array:
                cell[at(taxed, "C", "CHN", "USA")] = True
                assert values[cell][0] == pytest.approx(want, abs=1e-15)
            assert (moved == cell).all(), name

    def test_producers(self, g20):
        made = {"exporters": "CHN", "why": "w"}
        shock = lower(
            ask(
                made | {"instrument": "productivity", "by": "2%", "sectors": "C"},
                made | {"instrument": "labour", "by": "-1%"},
            ),
            g20,
        ).shock
        k, i = g20.sector_codes.index("C"), g20.regions.index("CHN")
        assert shock.A[k, i] == 1.02
        assert shock.L[i] == 0.99
        assert (shock.A != 1).sum() == 1
        assert (shock.L != 1).sum() == 1

    def test_home_sales_are_never_touched(self, taxed):
        every = {"importers": "all", "exporters": "all"}
        changes = [
            tariff(**every, to="5%"),
            tariff(**every, instrument="export_tax", to="5%"),
            tariff(**every, instrument="embargo"),
            cost(**every, by="-5%"),
        ]
        shock = lower(ask(*changes), taxed).shock
        for name in ("t", "x", "embargo"):
            assert not np.einsum("sdd->sd", getattr(shock, name)).any()
        assert (np.einsum("sdd->sd", shock.tau) == 1).all()
        assert shock.embargo.sum() == 20 * 20 * 19

    def test_one_economy_with_itself(self, g20):
        refuse(g20, cost(importers="USA", exporters="USA", by="-5%"), match="same single economy")

    def test_both_ways(self, g20):
        shock = lower(ask(cost(by="-5%", sectors="C", both_ways=True)), g20).shock
        there, back = at(g20, "C", "CHN", "USA"), at(g20, "C", "USA", "CHN")
        assert shock.tau[there] == shock.tau[back] == 0.95
        assert (shock.tau != 1).sum() == 2

    def test_two_kinds_of_cost_multiply(self, g20):
        shock = lower(
            ask(cost(by="-10%", sectors="C"), cost(instrument="non_tariff_cost", by="-10%")), g20
        ).shock
        assert shock.tau[at(g20, "C", "CHN", "USA")] == pytest.approx(0.81)
        assert shock.tau[at(g20, "A", "CHN", "USA")] == pytest.approx(0.9)

    @pytest.mark.parametrize(
        ("fields", "match"),
        [
            ({"by": "-150pp"}, r"changes\[0\].* C from CHN to USA would be -100 %"),
            ({"by": "-110pp"}, r"changes\[0\]"),
            ({"instrument": "export_tax", "by": "-120pp"}, r"changes\[0\]"),
            (
                {
                    "instrument": "trade_cost",
                    "ad_valorem_equivalent": "-99%",
                    "baseline_cost": "-5%",
                },
                "nothing positive",
            ),
        ],
    )
    def test_levels_below_minus_one(self, taxed, fields, match):
        refuse(taxed, tariff(sectors="C", **fields), match=match)

    def test_numbers_beyond_floats(self, taxed):
        two = [tariff(to="1e308%", combine="multiply"), tariff(to="1e308%", combine="multiply")]
        refuse(taxed, *two, match="not finite")


class TestWithoutTariffs:
    @pytest.mark.parametrize(
        "fields", [{"to": "eliminate"}, {"to": 0}, {"to": "0%"}, {"by": "-50%"}, {"by": "10%"}]
    )
    def test_relative_changes_are_refused(self, g20, big, fields):
        for world in (g20, big):
            said = refuse(world, tariff(**fields), match="no tariffs are attached")
            assert "changes[0]" in said
            assert "baseline" in said
            refuse(
                world,
                tariff(instrument="export_tax", **fields),
                match="no export taxes are attached",
            )

    def test_new_tariffs_are_not(self, g20):
        assert lower(ask(tariff(to="5%")), g20).shock.t.max() == 0.05
        assert lower(ask(tariff(by="5pp")), g20).shock.t.max() == 0.05

    def baseline(self, **fields):
        row = {"importers": "all", "exporters": "all", "rate": "4%", "source": "a guess"}
        return row | fields

    def test_a_baseline_takes_their_place(self, g20):
        low = lower(ask(tariff(to="eliminate"), baseline=[self.baseline()]), g20)
        base = low.world.satellites["tariffs"].values
        assert base[at(g20, "C", "CHN", "USA")] == 0.04
        assert low.shock.t[at(g20, "C", "CHN", "USA")] == 0
        assert (low.shock.t != base).sum() == 20
        assert low.tariffs_assumed
        assert "a guess" in low.tariff_source
        assert any("assumption, not data" in note for note in low.notes)
        assert "tariffs" not in g20.satellites

    def test_it_is_ignored_where_there_are_data(self, taxed):
        low = lower(ask(tariff(by="-50%"), baseline=[self.baseline()]), taxed)
        assert low.world is taxed
        assert low.shock.t[at(taxed, "C", "CHN", "USA")] == 0.05
        assert not low.tariffs_assumed
        assert low.tariff_source == "made up for a test"
        assert any("not used" in note for note in low.notes)
        again = lower(ask(tariff(by="-50%")), taxed)
        assert (low.shock.t == again.shock.t).all()

    def test_rows_that_overlap(self, g20):
        rows = [self.baseline(sectors="goods"), self.baseline(sectors="C", importers="USA")]
        said = refuse(g20, tariff(to=0), match="both set C from", baseline=rows)
        assert "baseline[1]" in said
        assert "baseline[0]" in said
        assert said == refuse(g20, tariff(to=0), match="both set", baseline=rows)

    def test_rows_in_any_order(self, g20):
        rows = [
            self.baseline(sectors="C", rate="7%"),
            self.baseline(sectors="services", rate="1%"),
            self.baseline(sectors=["A", "B"], rate="3%"),
        ]
        want = lower(ask(tariff(to=0), baseline=rows), g20).shock.t
        for order in permutations(rows):
            assert (lower(ask(tariff(to=0), baseline=list(order)), g20).shock.t == want).all()

    def test_unknown_names_in_a_row(self, g20):
        refuse(
            g20,
            tariff(to=0),
            match=r"baseline\[0\].importers",
            baseline=[self.baseline(importers="X")],
        )


class TestMeeting:
    WAYS = ("multiply", "add", "max", "min")

    def test_refused_without_combine(self, g20):
        said = refuse(
            g20,
            cost(by="-1%", importers="CAN"),
            cost(by="-5%", sectors="goods"),
            cost(by="-3%", sectors="C"),
            match="both set trade_cost",
        )
        assert "changes[1] and changes[2]" in said
        assert "C from CHN to USA" in said

    @pytest.mark.parametrize("ways", [("max", None), (None, "max"), ("max", "min"), ("add", "max")])
    def test_refused_with_different_ones(self, g20, ways):
        changes = [
            cost(by=f"-{i + 1}%") | ({"combine": w} if w else {}) for i, w in enumerate(ways)
        ]
        refuse(g20, *changes, match=r"changes\[0\] and changes\[1\]")

    def test_the_pair_that_clashes_is_named(self, g20):
        three = (
            cost(by="-1%", sectors="A", combine="max"),
            cost(by="-2%", sectors="C", combine="add"),
            cost(by="-3%", sectors=["A", "C"], combine="max"),
        )
        said = refuse(g20, *three, match="both set trade_cost for C from CHN to USA")
        assert "changes[1] and changes[2]" in said

    @pytest.mark.parametrize(
        ("way", "want"),
        [("multiply", 1.1 * 1.2 * 1.3 / 1.1**2 - 1), ("add", 0.4), ("max", 0.3), ("min", 0.1)],
    )
    def test_tariffs(self, taxed, way, want):
        # Base 10 %; 10 %, 20 % and 30 % meet. Each is a change from the base.
        changes = [tariff(to=to, combine=way, sectors="C") for to in ("10%", "20%", "30%")]
        for order in permutations(changes):
            shock = lower(ask(*order), taxed).shock
            assert shock.t[at(taxed, "C", "CHN", "USA")] == pytest.approx(want, abs=1e-14)

    @pytest.mark.parametrize(
        ("way", "want"), [("multiply", 0.9 * 0.8), ("add", 0.7), ("max", 0.9), ("min", 0.8)]
    )
    def test_costs_and_producers(self, g20, way, want):
        made = {"instrument": "productivity", "exporters": "CHN", "why": "w", "combine": way}
        two = [cost(by=by, combine=way) for by in ("-10%", "-20%")]
        two += [made | {"by": by} for by in ("-10%", "-20%")]
        two += [made | {"by": by, "instrument": "labour"} for by in ("-10%", "-20%")]
        for order in (two, two[::-1]):
            shock = lower(ask(*order), g20).shock
            assert shock.tau[at(g20, "C", "CHN", "USA")] == pytest.approx(want)
            assert shock.A[3, g20.regions.index("CHN")] == pytest.approx(want)
            assert shock.L[g20.regions.index("CHN")] == pytest.approx(want)

    @pytest.mark.parametrize("way", WAYS)
    def test_embargoes(self, g20, way):
        two = [tariff(instrument="embargo", combine=way), tariff(instrument="embargo", combine=way)]
        two[0]["sectors"] = "goods"
        shock = lower(ask(*two), g20).shock
        assert shock.embargo.sum() == 20

    @pytest.mark.parametrize("rate", ["0%", "20%", "5%"])
    def test_export_tax_and_subsidy_meet_in_any_order(self, taxed, rate):
        # 20 % is the base level: a tax that changes nothing still meets the subsidy.
        two = (
            tariff(instrument="export_tax", to=rate),
            tariff(instrument="export_subsidy", to="10%", sectors="C"),
        )
        for order in permutations(two):
            refuse(
                taxed, *order, match="export tax and an export subsidy meet in C from CHN to USA"
            )

    @given(st.data())
    @settings(max_examples=40)
    def test_no_order_anywhere(self, taxed, data):
        """Permuted changes give the same shock, or are refused in every order."""
        regions = st.lists(
            st.sampled_from(["USA", "CHN", "DEU", "brics_plus", "!USA", "all"]),
            min_size=1,
            max_size=2,
        )
        sectors = st.lists(
            st.sampled_from(["A", "C", "goods", "services", "!C"]), min_size=1, max_size=2
        )
        amounts = {
            "tariff": [{"to": "5%"}, {"by": "3pp"}, {"by": "-50%"}, {"to": "eliminate"}],
            "export_tax": [{"to": "5%"}, {"to": "20%"}],
            "export_subsidy": [{"to": "5%"}],
            "trade_cost": [{"by": "-5%"}, {"ad_valorem_equivalent": "-3%"}],
            "embargo": [{}],
        }
        changes = []
        for _ in range(data.draw(st.integers(2, 4))):
            name = data.draw(st.sampled_from(sorted(amounts)))
            row = {
                "instrument": name,
                "importers": data.draw(regions),
                "exporters": data.draw(regions),
                "sectors": data.draw(sectors),
                "both_ways": data.draw(st.booleans()),
                "why": "w",
            } | data.draw(st.sampled_from(amounts[name]))
            if way := data.draw(st.sampled_from([None, "add", "max", "multiply"])):
                row["combine"] = way
            changes.append(row)

        def outcome(rows):
            try:
                return arrays(lower(ask(*rows), taxed).shock)
            except ScenarioError:
                return None

        want = outcome(changes)
        for order in list(permutations(changes))[1:7]:
            got = outcome(order)
            assert (got is None) == (want is None)
            if want is not None:
                for name, values in want.items():
                    np.testing.assert_allclose(got[name], values, rtol=0, atol=1e-13)

    def test_results_do_not_depend_on_order(self, taxed):
        changes = [
            tariff(to="25%", sectors="C"),
            tariff(to="15%", importers="CHN", exporters="USA"),
            cost(by="-5%", importers="DEU", exporters="FRA", both_ways=True),
            tariff(instrument="embargo", importers="GBR", exporters="RUS", sectors="B"),
            {"instrument": "productivity", "exporters": "IND", "by": "1%", "why": "w"},
        ]
        want = ep.run(taxed, ask(*changes), headlines=False)
        for order in (changes[::-1], changes[2:] + changes[:2]):
            got = ep.run(taxed, ask(*order), headlines=False)
            assert (got.welfare.real_income == want.welfare.real_income).all()
            assert (got.state.X == want.state.X).all()


class TestSectors:
    @pytest.mark.parametrize(
        ("name", "want"),
        [
            ("all", 29),
            ("C24", ["C24"]),
            ("basic-metals", ["C24"]),
            ("24", ["C24"]),
            ("isic:24", ["C24"]),
            ("C10-C33", 16),
            ("C10-33", 16),
            ("10-33", 16),
            ("C", 16),
            ("manufacturing", 16),
            ("goods", 20),
            ("services", 9),
            ("A", ["A01", "A02_03"]),
            ("A01-B", ["A01", "A02_03", "B05_06_09", "B07_08"]),
            ("A-C", 20),
            ("D-E", ["D_E"]),
            ("35-39", ["D_E"]),
            ("O-T", ["O_T"]),
            ("mining-quarrying", ["B05_06_09", "B07_08"]),
            ("agriculture-forestry-fishing", ["A01", "A02_03"]),
            ("H", ["H"]),
            ("49-53", ["H"]),
        ],
    )
    def test_world_2022(self, big, name, want):
        got = [big.sector_codes[k] for k in select.sectors(big, [name], "here")]
        assert want in (got, len(got))

    @pytest.mark.parametrize(
        ("name", "want"),
        [
            ("all", 20),
            ("C", ["C"]),
            ("c", ["C"]),
            ("10-33", ["C"]),
            ("manufacturing", ["C"]),
            ("goods", ["A", "B", "C"]),
            ("services", 17),
            ("D-E", ["D", "E"]),
            ("A-T", 20),
            ("1-98", 20),
            ("T", ["T"]),
        ],
    )
    def test_world_2019(self, g20, name, want):
        got = [g20.sector_codes[k] for k in select.sectors(g20, [name], "here")]
        assert want in (got, len(got))

    @pytest.mark.parametrize(
        ("name", "cut"),
        [("L", "L_M_N"), ("36", "D_E"), ("B05", "B05_06_09"), ("A02", "A02_03"), ("10-17", "C16T18"),
         ("D", "D_E"), ("A01-C10", "C10T12"), ("5-8", "B05_06_09"), ("84-88", "O_T")],
    )  # fmt: skip
    def test_a_range_that_cuts_a_sector(self, big, name, cut):
        with pytest.raises(ScenarioError, match=f"cuts through .*{cut}"):
            select.sectors(big, [name], "here")

    @pytest.mark.parametrize("name", ["24", "A01", "10-32", "1-10"])
    def test_a_range_that_cuts_a_section(self, g20, name):
        with pytest.raises(ScenarioError, match=r"cuts through .*world-2019-g20"):
            select.sectors(g20, [name], "here")

    @pytest.mark.parametrize(
        "name",
        ["", "-", "A-", "-C", "C-", "V", "100", "1000", "33-10", "U", "99", "00", "4", "A24", "C05",
         "D10-D33", "!C24X", "goodz", " ", "isic:", "isic:ZZ", "CC", "C-10-12", "\u0663\u0664"],
    )  # fmt: skip
    def test_unknown(self, big, name):
        with pytest.raises(ScenarioError, match="here") as caught:
            select.sectors(big, [name], "here")
        assert "\n" not in str(caught.value)

    def test_hints(self, big):
        for typed, meant in (("serv1ces", "services"), ("c24", "C24"), ("Vehicles", "vehicles")):
            with pytest.raises(ScenarioError, match=f"did you mean.*'{meant}'"):
                select.sectors(big, [typed], "here")

    def test_taking_out(self, big):
        codes = big.sector_codes
        got = [codes[k] for k in select.sectors(big, ["goods", "!C19", "!mining"], "here")]
        assert "C19" not in got
        assert "B07_08" not in got
        assert len(got) == 18
        assert len(select.sectors(big, ["!C19"], "here")) == 28
        assert select.sectors(big, ["!C19", "goods"], "x") == select.sectors(
            big, ["goods", "!C19"], "x"
        )
        with pytest.raises(ScenarioError, match="leaves no sector"):
            select.sectors(big, ["goods", "!goods"], "here")
        with pytest.raises(ScenarioError, match="leaves no sector"):
            select.sectors(big, ["!all"], "here")

    def test_every_label_finds_itself(self, big, g20):
        for world in (big, g20):
            for k, sector in enumerate(world.sectors):
                assert select.sectors(world, [sector.code], "x") == [k]
                assert select.sectors(world, [sector.slug], "x") == [k]


class TestRegions:
    def test_groups_are_resolved_and_recorded(self, g20):
        low = lower(ask(cost(importers="eu27", exporters="CHN", by="-5%")), g20)
        use = low.groups["eu27"]
        assert set(use.present) == {"DEU", "FRA", "ITA"}
        assert len(use.present) + len(use.absent) == 27
        assert use.as_of
        assert use.source
        assert low.shock.tau[low.shock.tau != 1].size == 20 * 3
        assert {r for r, here in zip(g20.regions, low.named, strict=True) if here} == {
            "DEU", "FRA", "ITA", "CHN",
        }  # fmt: skip

    def test_every_group_resolves_or_says_that_no_member_is_here(self, g20, big):
        for world in (g20, big):
            for name, row in groups().items():
                present = [m for m in row["members"] if m in world.regions]
                if present:
                    got, used = select.regions(world, [name], "here")
                    assert [world.regions[i] for i in got] == sorted(
                        present, key=world.regions.index
                    )
                    assert set(used) == {name}
                else:
                    with pytest.raises(ScenarioError, match="no member of"):
                        select.regions(world, [name], "here")

    def test_taking_out(self, g20):
        def got(*names):
            return [g20.regions[i] for i in select.regions(g20, names, "here")[0]]

        assert len(got("all")) == 20
        assert len(got("!USA")) == 19
        assert got("eu27", "!FRA") == ["DEU", "ITA"]
        assert got("!FRA", "eu27") == ["DEU", "ITA"]
        assert got("all", "!eu27", "!USA") == [r for r in g20.regions if r not in "DEU FRA ITA USA"]
        assert got("! USA") == got("!USA")
        assert got("CHN", "USA", "CHN") == got("USA", "CHN")
        for nothing in (("!all",), ("USA", "!USA"), ("eu27", "!eu27"), ("all", "!all")):
            with pytest.raises(ScenarioError, match="leaves no economy"):
                got(*nothing)

    def test_exclusion_alone_names_nobody(self, g20):
        low = lower(ask(cost(importers="!USA", exporters="all", by="-5%")), g20)
        assert not low.named.any()
        made = {"instrument": "productivity", "exporters": "!USA", "by": "1%", "why": "w"}
        assert not lower(ask(made), g20).named.any()

    @pytest.mark.parametrize(
        ("name", "match"),
        [
            ("usa", "did you mean 'USA'"),
            ("UAS", "did you mean"),
            ("Germany", "write its code, DEU"),
            ("germany", "write its code, DEU"),
            ("China", "write its code, CHN"),
            ("cptp", "did you mean 'cptpp'"),
            ("BEL", "is not a separate economy in world-2019-g20"),
            ("XXX", "no economy or group 'XXX'"),
            ("", "no economy or group ''"),
            ("!", "no economy or group ''"),
            ("USA,CHN", "no economy or group"),
            ("*", "no economy or group"),
            ("\u202eASU", "no economy or group"),
        ],
    )
    def test_unknown(self, g20, name, match):
        said = refuse(g20, cost(importers=name, by="-5%"), match=match)
        assert said.startswith("changes[0].importers")

    def test_parents(self, g20):
        from dataclasses import replace

        world = replace(g20, parent={"DEU": "EUX", "FRA": "EUX"})
        got, _ = select.regions(world, ["EUX"], "here")
        assert [world.regions[i] for i in got] == ["DEU", "FRA"]


class TestElasticities:
    def test_forms(self, g20):
        assert (theta_for(4, g20)[0] == 4).all()
        theta, name = theta_for({"goods": 4.0, "default": 8.0}, g20)
        assert set(theta[:3]) == {4.0}
        assert set(theta[3:]) == {8.0}
        assert "sector" in name

    def test_keys_in_any_order(self, g20):
        a = theta_for({"default": 8.0, "C": 3.0, "services": 9.0}, g20)[0]
        b = theta_for({"services": 9.0, "C": 3.0, "default": 8.0}, g20)[0]
        assert (a == b).all()

    @pytest.mark.parametrize(
        ("given_", "match"),
        [
            ({"goods": 5.0}, "nothing for 'D'"),
            ({}, "nothing for"),
            ({"goods": 5.0, "C": 3.0, "default": 5.0}, "'goods' and 'C' both set C"),
            ({"C": 3.0, "goods": 5.0, "default": 5.0}, "'C' and 'goods' both set C"),
            ({"goodz": 5.0}, "did you mean 'goods'"),
            ({"all": -5.0}, "positive"),
            ({"all": 0.0}, "positive"),
            ({"default": float("inf")}, "positive and finite"),
            (float("nan"), "positive and finite"),
            (0.0, "positive"),
            ("uniform-6", "did you mean 'uniform-5'"),
            ("5", "no set '5'"),
        ],
    )
    def test_refusals(self, g20, given_, match):
        with pytest.raises(ScenarioError, match=match):
            theta_for(given_, g20)


class TestMerging:
    """`without_supplier: merge`: economies that lose their only supplier of something."""

    CLOSED = {  # noqa: RUF012
        "importers": "all",
        "exporters": "all",
        "instrument": "embargo",
        "why": "no trade",
    }

    def test_autarky_needs_it(self, big):
        from entrepot.core.errors import InfeasibleError

        with pytest.raises(InfeasibleError):
            ep.run(big, ask(self.CLOSED, closure="zero"), headlines=False)

    def test_autarky_with_it(self, big):
        answer = ep.run(
            big, ask(self.CLOSED, closure="zero", without_supplier="merge"), headlines=False
        )
        assert answer.certificate.passed
        world = answer.base_world
        assert len(world.sectors) < 29
        assert len(world.regions) == 80
        assert world.x.sum() == pytest.approx(big.x.sum(), rel=1e-12)
        assert any("are merged in every economy" in note for note in answer.lowered.notes)
        assert any("are merged" in line for line in answer.to_dict()["limits"])
        # Nobody trades, everybody who traded is the poorer for it.
        across = answer.state.N.copy()
        np.einsum("rdd->rd", across)[...] = 0
        assert not across.any()
        assert (answer.welfare.real_wage < 1).all()

    def test_names_of_merged_sectors_are_explained(self, big):
        changes = [self.CLOSED, cost(by="-5%", sectors="C19")]
        said = refuse(big, *changes, match="'C19' cuts through", without_supplier="merge")
        assert "are merged in every economy" in said

    def test_nothing_is_merged_without_need(self, g20):
        low = lower(ask(cost(by="-5%"), without_supplier="merge"), g20)
        assert low.world is g20
        assert not low.notes


class TestParts:
    """A country split into provinces stays one country for groups and borders."""

    @pytest.fixture
    def split(self):
        from entrepot.world.split import split_region

        world = ep.load_world("world-2019-g20")
        return split_region(world, "CHN", {"CHN-C": 0.6, "CHN-I": 0.4})

    def change(self, importers, exporters):
        return {
            "name": "x",
            "why": "x",
            "changes": [
                {"instrument": "trade_cost", "importers": importers, "exporters": exporters,
                 "by": "-5%", "why": "x"}
            ],
        }  # fmt: skip

    def hit(self, world, importers, exporters):
        tau = lower(ep.read_scenario(self.change(importers, exporters)), world).shock.tau[0]
        at = {r: i for i, r in enumerate(world.regions)}
        return {(o, d) for o in at for d in at if tau[at[o], at[d]] != 1}

    def test_groups_reach_the_parts_of_a_member(self, split):
        from entrepot.world.groups import group_use

        assert "CHN" in group_use(split, "rcep").present
        reached = self.hit(split, ["rcep"], ["USA"])
        assert {("USA", "CHN-C"), ("USA", "CHN-I")} <= reached

    def test_no_border_runs_between_parts_of_one_economy(self, split):
        for who in (["rcep"], ["CHN", "USA"], ["all"]):
            reached = self.hit(split, who, who)
            assert ("CHN-C", "CHN-I") not in reached
            assert reached
        assert ("CHN-C", "USA") in self.hit(split, ["all"], ["all"])

    def test_unless_they_are_all_that_is_named(self, split):
        assert self.hit(split, ["CHN-C"], ["CHN-I"]) == {("CHN-I", "CHN-C")}

    def test_a_group_of_one_economy_has_no_border_inside(self, split):
        for who in (["CHN"], ["CHN", "CHN-C"]):
            with pytest.raises(ScenarioError, match="same single economy"):
                self.hit(split, who, who)

    def test_sales_between_parts_are_no_exports(self, split):
        scenario = ep.read_scenario(self.change(["rcep"], ["rcep"]))
        whole = ep.run(ep.load_world("world-2019-g20"), scenario, headlines=False)
        parts = ep.run(split, scenario, headlines=False)
        a, b = whole.regions, parts.regions
        assert b.exports_pct["CHN-C"] == pytest.approx(a.exports_pct["CHN"], abs=0.02)
        made = b.trade_creation_musd[["CHN-C", "CHN-I"]].sum()
        assert made == pytest.approx(a.trade_creation_musd["CHN"], rel=0.01)

    def test_a_tariff_of_the_economy_is_that_of_its_parts(self, split, tmp_path):
        from entrepot.sources.tariffs import read_tariffs

        path = tmp_path / "t.csv"
        path.write_text("importer,exporter,sector,rate\nCHN,USA,C,0.1\nUSA,CHN,C,0.2\n")
        rates, _ = read_tariffs(path, split.regions, split.sector_codes, split.parent)
        at = {r: i for i, r in enumerate(split.regions)}
        k = split.sector_codes.index("C")
        for part in ("CHN-C", "CHN-I"):
            assert rates[k, at["USA"], at[part]] == 0.1
            assert rates[k, at[part], at["USA"]] == 0.2
        assert (rates != 0).sum() == 4
        path.write_text("importer,exporter,sector,rate\nCHN,CHN-C,C,0.1\n")
        with pytest.raises(ep.EntrepotError, match="home sales"):
            read_tariffs(path, split.regions, split.sector_codes, split.parent)

    def test_a_split_world_answers_as_the_whole_does(self, split):
        scenario = ep.read_scenario(self.change(["rcep"], ["rcep"]))
        whole = ep.run(ep.load_world("world-2019-g20"), scenario, headlines=False)
        parts = ep.run(split, scenario, headlines=False)
        for region in ("USA", "JPN", "DEU"):
            assert parts.regions.welfare_pct[region] == pytest.approx(
                whole.regions.welfare_pct[region], abs=0.01
            )
        assert parts.regions.welfare_pct["CHN-C"] == pytest.approx(
            whole.regions.welfare_pct["CHN"], abs=0.01
        )
