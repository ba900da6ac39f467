"""Every library scenario gives its golden result; `examples/opening.yaml` is one of them."""

import json
from pathlib import Path

import pytest

import entrepot as ep
from entrepot.scenario.read import library

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def world():
    return ep.load_world("world-2022")


@pytest.mark.parametrize("name", sorted(library()))
def test_golden(name, world):
    expect = json.loads((ROOT / f"src/entrepot/scenario/library/{name}.expect.json").read_text())
    answer = ep.run(world, ep.read_scenario(name)).to_dict()
    assert answer["solve"]["status"] == "converged"
    assert set(expect["regions"]) == {row["region"] for row in answer["regions"]}
    for row in answer["regions"]:
        for key, value in expect["regions"][row["region"]].items():
            assert row[key] == pytest.approx(value, abs=1e-6), (row["region"], key)
    for row, head in zip(answer["headlines"], expect["headlines"], strict=True):
        assert row["elasticities"] == head["elasticities"]
        assert row.get("world_pct") == pytest.approx(head["world_pct"], abs=1e-6)


def test_the_example_is_the_library_scenario(world):
    example = ep.read_scenario(ROOT / "examples" / "opening.yaml")
    assert example.changes == ep.read_scenario("opening-by-agreement").changes


def test_scenarios_that_remove_tariffs_state_a_sourced_baseline():
    for name in library():
        scenario = ep.read_scenario(name)
        removes = any(
            c.instrument == "tariff" and c.to is not None and c.to.kind == "eliminate"
            for c in scenario.changes
        )
        if removes:
            assert scenario.assumptions.baseline, name
            assert all(row.source for row in scenario.assumptions.baseline)


def test_assumed_tariffs_are_said_to_be_assumed(world):
    answer = ep.run(world, ep.read_scenario("duty-free-least-developed"), headlines=False).to_dict()
    assert answer["assumptions"]["tariffs_assumed"] is True
    assert any("assumption, not data" in line for line in answer["limits"])
