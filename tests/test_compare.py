"""Two answers side by side."""

import json

import pytest

import entrepot as ep
from entrepot.core.errors import DataError
from entrepot.results.compare import COLUMNS, compare, compare_inputs


@pytest.fixture(scope="module")
def world():
    return ep.load_world("world-2019-g20")


def scenario(rate):
    return ep.read_scenario(
        {
            "name": f"tariff {rate}",
            "why": "test",
            "changes": [
                {
                    "instrument": "tariff",
                    "importers": "USA",
                    "exporters": "CHN",
                    "to": rate,
                    "why": "x",
                }
            ],
        }
    )


def test_difference_is_second_less_first(world):
    low, high = (ep.run(world, scenario(rate), headlines=False) for rate in ("10%", "30%"))
    rows = {row["region"]: row for row in compare(low, high).rows()}
    a, b = low.to_dict()["regions"], high.to_dict()["regions"]
    for x, y in zip(a, b, strict=True):
        for column in COLUMNS:
            assert rows[x["region"]][f"{column}_difference"] == y[column] - x[column]
    assert rows["CHN"]["welfare_pct_difference"] < 0
    assert compare(low, high).names == ("tariff 10%", "tariff 30%")


def test_says_what_else_differs(world):
    plain = scenario("10%")
    balanced = ep.run(
        world, plain, assumptions=ep.Assumptions(closure="balanced_first"), headlines=False
    )
    lines = compare(ep.run(world, plain, headlines=False), balanced).differing
    assert lines == ["closure: world_share | balanced_first"]


def test_other_economies_are_refused(world):
    small = ep.aggregate(world, regions={"CAN": "NAM", "MEX": "NAM"}, name="small")
    one = ep.run(world, scenario("10%"), headlines=False)
    two = ep.run(small, scenario("10%"), headlines=False)
    with pytest.raises(DataError, match="economies of the two answers"):
        compare(one, two)


def test_result_folders(world, tmp_path):
    for name, rate in (("a", "10%"), ("b", "20%")):
        (tmp_path / name).mkdir()
        answer = ep.run(world, scenario(rate), headlines=False).to_dict()
        (tmp_path / name / "result.json").write_text(json.dumps(answer))
    got = compare_inputs(str(tmp_path / "a"), str(tmp_path / "b"), "world-2019-g20")
    assert got.names == ("tariff 10%", "tariff 20%")
    assert len(got.to_dict()["regions"]) == 20


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scenario": 1}', "not json", "[" * 10_000])
def test_a_file_that_is_no_result_is_refused(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(DataError):
        compare_inputs(str(tmp_path), str(tmp_path), "world-2019-g20")
