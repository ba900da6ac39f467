"""The data files: every code known, every date a date, every row sourced; maps cover exactly."""

from datetime import date

import pytest

from entrepot.catalogues import economies, economy_names, groups, sector_concordance
from entrepot.catalogues.elasticities import (
    STANDARD,
    elasticities,
    elasticity_sets,
    trade_weights,
)
from entrepot.core.errors import ScenarioError
from entrepot.world.shelf import SHELF, load_world

EMBEDDED = [name for name, row in SHELF.items() if row.embedded]


def divisions(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


class TestEconomies:
    def test_codes(self):
        assert len(economies()) > 190
        for code, row in economies().items():
            assert len(code) == 3
            assert code.isascii()
            assert code.isupper()
            assert row["code"] == code
            assert row["name"].strip() == row["name"] != ""
            assert len(row["numeric"]) == 3
            assert row["numeric"].isdigit()
            assert bool(row["lon"]) == bool(row["lat"])  # a few have no point on the map
            assert -180 <= float(row["lon"] or 0) <= 180
            assert -90 <= float(row["lat"] or 0) <= 90

    def test_nothing_twice(self):
        for key in ("name", "numeric"):
            values = [row[key] for row in economies().values()]
            assert len(set(values)) == len(values)

    @pytest.mark.parametrize("name", EMBEDDED)
    def test_every_economy_of_a_world_is_known(self, name):
        world = load_world(name)
        assert {r for r in world.regions if r not in economies()} <= {"ROW"}
        assert all(economies()[r]["lon"] for r in world.regions if r != "ROW")

    def test_names(self):
        assert economy_names(["TUR", "ZZZ"]) == {"TUR": "Türkiye", "ZZZ": "ZZZ"}


class TestGroups:
    @pytest.fixture(params=sorted(groups()))
    def row(self, request):
        return groups()[request.param]

    def test_row(self, row):
        assert set(row) <= {"name", "label", "as_of", "source", "members", "note"}
        assert row["label"].strip()
        assert row["source"].strip()
        as_of = row["as_of"] if isinstance(row["as_of"], date) else date.fromisoformat(row["as_of"])
        assert date(1990, 1, 1) < as_of < date(2030, 1, 1)

    def test_members(self, row):
        members = row["members"]
        assert members
        assert all(isinstance(m, str) for m in members)  # NO is Norway's two-letter code, and false
        assert len(set(members)) == len(members)
        assert [m for m in members if m not in economies()] == []

    def test_the_count_in_a_label_is_the_count(self, row):
        if "(" in row["label"]:
            said = row["label"].split("(")[1].split(")")[0]
            if said.isdigit() and int(said) < 200:  # a year otherwise
                assert int(said) == len(row["members"])

    def test_names_are_plain_and_collide_with_nothing(self):
        for name in groups():
            assert name == name.lower()
            assert name != "all"
            assert not name.startswith("!")
            assert name.upper() not in economies()

    def test_the_ones_the_program_needs(self):
        assert {"eu27", "cptpp", "least_developed"} <= set(groups())


class TestConcordance:
    def test_fifty_to_twenty_nine(self):
        rows = sector_concordance()
        assert len(rows) == len({row["code"] for row in rows}) == 50
        assert len({row["sector"] for row in rows}) == 29
        by_sector = {(row["sector"], row["sector_name"], row["slug"]) for row in rows}
        assert len(by_sector) == 29
        assert len({slug for _, _, slug in by_sector}) == 29

    def test_every_division_exactly_once(self):
        """ISIC Rev.4 has the divisions 1 to 99 without 4, 34, 40, 44, 48, 54, 57, 67, 76, 83, 89.

        99 (extraterritorial organizations) is outside the OECD tables; 24 and
        30 are split in two.
        """
        seen = [d for row in sector_concordance() for d in divisions(row["isic"])]
        holes = {4, 34, 40, 44, 48, 54, 57, 67, 76, 83, 89}
        assert set(range(1, 99)) - set(seen) <= holes
        assert max(seen) == 98
        twice = {d for d in seen if seen.count(d) > 1}
        assert twice == {24, 30}
        assert all(seen.count(d) == 2 for d in twice)

    def test_the_letter_of_a_code_is_its_section(self):
        from entrepot.scenario.select import SECTIONS

        for row in sector_concordance():
            low, high = SECTIONS[row["code"][0]]
            assert all(low <= d <= high for d in divisions(row["isic"])), row["code"]

    def test_no_sector_crosses_goods_and_services(self):
        for row in sector_concordance():
            parts = [r for r in sector_concordance() if r["sector"] == row["sector"]]
            assert len({max(divisions(r["isic"])) <= 33 for r in parts}) == 1

    def test_world_2022_carries_it(self):
        world = load_world("world-2022")
        for sector in world.sectors:
            want = {
                d
                for row in sector_concordance()
                if row["sector"] == sector.code
                for d in divisions(row["isic"])
            }
            assert set(sector.isic) == want

    def test_world_2019_covers_the_same(self):
        seen = sorted(d for x in load_world("world-2019-g20").sectors for d in x.isic)
        assert seen == sorted({d for row in sector_concordance() for d in divisions(row["isic"])})


class TestElasticities:
    codes = tuple(row["code"] for row in sector_concordance())

    @pytest.fixture(params=sorted(elasticity_sets()))
    def row(self, request):
        return elasticity_sets()[request.param]

    def test_standard_sets_are_there(self):
        assert set(STANDARD) <= set(elasticity_sets())

    def test_sourced(self, row):
        assert row["label"].strip()
        assert row["source"].strip()
        assert ("uniform" in row) != ("rows" in row)

    def test_all_fifty(self, row):
        if "rows" in row:
            assert tuple(r["code"] for r in row["rows"]) == self.codes
            assert all(0 < r["theta"] < 100 for r in row["rows"])

    @pytest.mark.parametrize("world", EMBEDDED)
    def test_on_the_worlds(self, row, world):
        world = load_world(world)
        theta = elasticities(row["name"], world.sector_codes, [s.isic for s in world.sectors])
        assert theta.shape == (len(world.sectors),)
        inside = [r["theta"] for r in row.get("rows", [])] or [row["uniform"]]
        assert (theta >= min(inside)).all()
        assert (theta <= max(inside)).all()

    def test_activities_keep_their_own_value(self):
        name = "caliendo-parro-2015"
        isic = [tuple(divisions(row["isic"])) for row in sector_concordance()]
        got = elasticities(name, self.codes, isic)
        assert got.tolist() == [r["theta"] for r in elasticity_sets()[name]["rows"]]
        world = load_world("world-2022")
        got = elasticities(name, world.sector_codes, [s.isic for s in world.sectors])
        by_code = dict(zip(world.sector_codes, got, strict=True))
        assert by_code["C19"] == 64.85
        assert by_code["C13T15"] == 8.1
        assert by_code["B05_06_09"] == pytest.approx(13.53)
        # A merged sector lies between its parts: wood 11.5, paper 16.52.
        assert 11.5 < by_code["C16T18"] < 16.52

    def test_a_sector_without_divisions(self):
        assert elasticities("uniform-5", ["X"], [()]).tolist() == [5.0]
        with pytest.raises(ScenarioError, match="no ISIC divisions"):
            elasticities("caliendo-parro-2015", ["X"], [()])

    def test_weights(self):
        assert set(trade_weights()) == set(self.codes)
        assert all(value >= 0 for value in trade_weights().values())
        assert sum(trade_weights().values()) > 1e7
