"""Elasticity sets: published tables, their way to ISIC Rev.4, standard errors, what is not entered."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from entrepot.catalogues import sector_concordance
from entrepot.catalogues.elasticities import (
    absent_sets,
    activities,
    divisions_of,
    elasticities,
    elasticity_sets,
    find_set,
    loadings,
    standard_errors,
    trade_weights,
)
from entrepot.core.errors import ScenarioError
from entrepot.world.shelf import load_world

SETS = {name: row for name, row in elasticity_sets().items() if "rows" in row}
WORLDS = ("world-2022", "world-2019-g20")
CP = "caliendo-parro-2015"
DATA = os.environ.get("ENTREPOT_VALIDATION_DATA")


def axes(name):
    world = load_world(name)
    return world.sector_codes, [s.isic for s in world.sectors]


@pytest.fixture(params=sorted(SETS))
def row(request):
    return SETS[request.param]


class TestSources:
    def test_every_figure_has_a_table_and_where_it_was_read(self, row):
        for key in ("source", "table", "read_in", "year", "method", "unit", "services"):
            assert row[key], key
        assert row["services"]["note"]
        # The page, or plainly that it was not seen.
        assert "page" in row or "page was not at hand" in row["read_in"]

    def test_what_is_not_entered_says_why(self):
        assert absent_sets()
        for name, row in absent_sets().items():
            assert name not in elasticity_sets()
            assert row["absent"].strip()
            assert not {"rows", "uniform", "published"} & set(row)
            with pytest.raises(ScenarioError, match="is not entered"):
                find_set(name)

    def test_caliendo_and_parro_sum_to_their_aggregate(self):
        # aggregate_results.csv of the same package: observations of all sectors together
        for name, total in ((CP, 5102), ("caliendo-parro-2015-full", 7212)):
            assert sum(p["n"] for p in SETS[name]["published"].values()) == total

    def test_the_two_readings_of_the_99_percent_sample_are_one_table(self):
        assert SETS[CP]["published"] == SETS["caliendo-parro-2015-table-1"]["published"]


class TestConcordance:
    def test_rows_follow_the_published_table(self, row):
        """Recomputed here from the published cells, without the code under test."""
        for r in row["rows"]:
            cells = []
            for name in r["from"]:
                stated = row.get("stated", {}).get(name)
                cell = row["services"] if name == row["services"]["name"] else None
                cells.append(cell or stated or row["published"][name])
            assert r["theta"] == pytest.approx(np.mean([c["theta"] for c in cells]), abs=5e-5)
            if all("se" in c for c in cells):
                spread = np.sqrt(np.sum([c["se"] ** 2 for c in cells])) / len(cells)
                assert r["se"] == pytest.approx(spread, abs=5e-5)
            else:
                assert "se" not in r
            assert r.get("n") == (cells[0].get("n") if len(cells) == 1 else None)

    def test_goods_come_from_every_published_sector_that_meets_their_divisions(self, row):
        for r, activity in zip(row["rows"], sector_concordance(), strict=True):
            meets = {
                name
                for name, p in row["published"].items()
                if divisions_of(p["isic3"]) & divisions_of(activity["isic3"])
            }
            if min(divisions_of(activity["isic"])) <= 33:
                assert set(r["from"]) == meets
            else:
                assert set(r["from"]) <= meets | {row["services"]["name"]}

    def test_every_published_sector_is_used(self, row):
        assert set(row["published"]) <= {name for r in row["rows"] for name in r["from"]}

    def test_published_sectors_do_not_overlap(self, row):
        found = [d for p in row["published"].values() for d in divisions_of(p["isic3"])]
        assert len(found) == len(set(found))

    @pytest.mark.parametrize("world", WORLDS)
    def test_every_sector_is_reached_by_shares_that_sum_to_one(self, row, world):
        names, shares = loadings(row["name"], *axes(world))
        assert shares.sum(1) == pytest.approx(1)
        used = {"theta": row["services"]["theta"]}
        theta = [
            (
                used
                if n == row["services"]["name"]
                else row.get("stated", {}).get(n) or row["published"][n]
            )["theta"]
            for n in names
        ]
        assert shares @ theta == pytest.approx(elasticities(row["name"], *axes(world)), abs=1e-4)

    def test_weights_are_world_trade(self):
        parts, weights = activities("C16T18", (16, 17, 18))
        assert parts == ["C16", "C17_18"]
        assert weights.tolist() == [trade_weights()["C16"], trade_weights()["C17_18"]]

    @pytest.mark.parametrize(
        ("text", "want"), [("5", {5}), ("10-12", {10, 11, 12}), ("30 32-33", {30, 32, 33})]
    )
    def test_divisions(self, text, want):
        assert divisions_of(text) == want


class TestStandardErrors:
    def test_of_one_estimate(self):
        codes, isic = axes("world-2022")
        se = dict(zip(codes, standard_errors(CP, codes, isic), strict=True))
        assert se["C19"] == 15.61
        # Two activities of one estimate are that estimate, not two independent ones.
        assert se["B05_06_09"] == pytest.approx(3.67)

    def test_of_a_mean_of_independent_estimates(self):
        codes, isic = axes("world-2022")
        se = dict(zip(codes, standard_errors(CP, codes, isic), strict=True))
        assert se["C26"] == pytest.approx(np.sqrt(4.53**2 + 1.77**2 + 1.56**2) / 3)
        w = np.array([trade_weights()["C16"], trade_weights()["C17_18"]])
        w /= w.sum()
        assert se["C16T18"] == pytest.approx(np.hypot(w[0] * 2.87, w[1] * 2.65))

    def test_none_where_none_is_published(self):
        codes, isic = axes("world-2022")
        se = dict(zip(codes, standard_errors(CP, codes, isic), strict=True))
        # 8.22 is not an estimate for vehicles, ships or services; a mean with it has no error either.
        assert all(np.isnan(se[c]) for c in ("C29", "C30", "K"))
        assert np.isnan(standard_errors(CP, *axes("world-2019-g20"))[2])
        assert np.isnan(standard_errors("uniform-5", codes, isic)).all()
        assert np.isnan(standard_errors("fontagne-guimbard-orefice-2022", codes, isic)).all()

    def test_an_unknown_set(self):
        with pytest.raises(ScenarioError, match="did you mean 'uniform-5'"):
            standard_errors("uniform-6", ["A"], [(1,)])


@pytest.mark.validation
@pytest.mark.skipif(DATA is None, reason="ENTREPOT_VALIDATION_DATA is not set")
def test_table_1_equals_the_typed_copy():
    """Two independent readings: the replication file, and the article as typed."""
    typed = json.loads((Path(DATA) / "caliendo_parro_2015" / "published_tables.json").read_text())
    ours = {name: p["theta"] for name, p in SETS[CP]["published"].items()}
    assert ours == typed["Table1_theta"]["sample99"]
