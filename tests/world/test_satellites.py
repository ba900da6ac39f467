"""Tables attached by label: exact labels or a stated concordance; absence stays visible."""

import numpy as np
import pandas as pd
import pytest

from entrepot.core.errors import DataError, WorldError
from entrepot.world.satellites import attach_table, uncovered
from worlds import random_world


@pytest.fixture
def world():
    return random_world(1, 3, 2)


def put(tmp_path, rows, columns=("sector", "region", "value"), parquet=False):
    frame = pd.DataFrame(rows, columns=list(columns))
    path = tmp_path / ("t.parquet" if parquet else "t.csv")
    frame.to_parquet(path) if parquet else frame.to_csv(path, index=False)
    return path


ABOUT = {"unit": "persons", "source": "made up"}
NODE = ("sector", "region")


@pytest.mark.parametrize("parquet", [False, True])
def test_exact_labels(world, tmp_path, parquet):
    path = put(tmp_path, [("S0", "R00", 5.0), ("S1", "R02", 7.5)], parquet=parquet)
    new = attach_table(world, path, "jobs", NODE, rule="sum", **ABOUT)
    want = np.full((2, 3), np.nan)
    want[0, 0], want[1, 2] = 5, 7.5
    np.testing.assert_array_equal(new.satellites["jobs"].values, want)
    assert new.satellites["jobs"].coverage == pytest.approx(2 / 6)
    assert uncovered(new, "jobs") == {"sector": (), "region": ("R01",)}
    with pytest.raises(WorldError, match="4 of 6 cells have no number"):
        attach_table(world, path, "jobs", NODE, need_all=True, **ABOUT)


def test_other_column_names_and_pairs(world, tmp_path):
    path = put(tmp_path, [("R00", "R01", 800)], ("from", "to", "km"))
    new = attach_table(
        world, path, "distance", ("origin", "destination"), value="km",
        columns={"origin": "from", "destination": "to"}, **ABOUT,
    )  # fmt: skip
    assert new.satellites["distance"].values[0, 1] == 800


def test_a_concordance_sums_amounts(world, tmp_path):
    path = put(tmp_path, [("a", "R00", 1), ("b", "R00", 2), ("c", "R00", 4)])
    to = {"sector": {"a": "S0", "b": "S0", "c": "S1"}}
    new = attach_table(world, path, "jobs", NODE, rule="sum", concordance=to, **ABOUT)
    np.testing.assert_array_equal(new.satellites["jobs"].values[:, 0], [3, 4])
    with pytest.raises(WorldError, match="a rate is not a sum"):
        attach_table(world, path, "rate", NODE, rule="mean", concordance=to, **ABOUT)


def test_a_concordance_repeats_rates(world, tmp_path):
    path = put(tmp_path, [("S0", "all", 0.5)])
    to = {"region": {"all": ["R00", "R01", "R02"]}}
    new = attach_table(world, path, "rate", NODE, concordance=to, **ABOUT)
    np.testing.assert_array_equal(new.satellites["rate"].values[0], [0.5] * 3)
    with pytest.raises(WorldError, match="an amount cannot be given to each"):
        attach_table(world, path, "jobs", NODE, rule="sum", concordance=to, **ABOUT)


def test_tariffs_are_zero_where_not_listed(world, tmp_path):
    dims = ("sector", "origin", "destination")
    path = put(tmp_path, [("S0", "R00", "R01", 0.1)], (*dims, "value"))
    new = attach_table(world, path, "tariffs", dims, unit="fraction", source="made up")
    assert new.satellites["tariffs"].values.sum() == pytest.approx(0.1)
    assert new.satellites["tariffs"].coverage == 1


@pytest.mark.parametrize(
    ("rows", "match", "error"),
    [
        ([("S0", "R0", 1)], "region 'R0' is not in the world; did you mean 'R0", DataError),
        ([("S0", "R00", 1), ("S0", "R00", 2)], "S0 / R00 is given more than once", DataError),
        ([("S0", "R00", None)], "S0 / R00 has no number", DataError),
        ([("S0", "R00", "x")], "not a long table", DataError),
    ],
)
def test_refused(world, tmp_path, rows, match, error):
    with pytest.raises(error, match=match):
        attach_table(world, put(tmp_path, rows), "jobs", NODE, **ABOUT)


def test_refused_axes(world, tmp_path):
    path = put(tmp_path, [("S0", "R00", 1)])
    with pytest.raises(WorldError, match="unknown axes 'moon'"):
        attach_table(world, path, "jobs", ("moon",), **ABOUT)
    with pytest.raises(DataError, match="says nothing of 'S0'"):
        attach_table(world, path, "jobs", NODE, concordance={"sector": {"a": "S0"}}, **ABOUT)
    with pytest.raises(WorldError, match="carries no 'jobs'"):
        uncovered(world, "jobs")
