"""Gradients on labels are derivatives of the numbers that results print."""

import copy
import json
import pickle

import numpy as np
import pytest

import entrepot as ep
from entrepot.core.errors import ScenarioError
from entrepot.equilibrium.response import Outcome, gradient, outcome, respond
from entrepot.equilibrium.tangent import Given, Moves
from entrepot.equilibrium.world_response import world_response
from entrepot.results.linear import gradient_of, linear_of
from entrepot.results.run import economy_for

H = 1e-4


def scenario(extra=0.0, closure="world_share"):
    """A tariff war of all, and 10 points more from CHN to USA on C."""
    return ep.read_scenario(
        {
            "name": "a war",
            "why": "a test",
            "changes": [
                {"importers": "all", "exporters": "all", "instrument": "tariff", "to": 0.6, "why": "war",
                 "combine": "add"},
                {"importers": "USA", "exporters": "CHN", "sectors": "C", "instrument": "tariff",
                 "to": 0.1 + extra, "why": "more", "combine": "add"},
            ],
            "assumptions": {"closure": closure},
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def world():
    return ep.load_world("world-2019-g20")


def ask(world, *args):
    return ep.run(world, scenario(*args), headlines=False, tolerance=1e-12)


@pytest.mark.parametrize("closure", ["world_share", "proportional", "zero", "balanced_first"])
def test_a_group_is_the_derivative_of_what_is_printed(world, closure):
    """Real income of all and of two, and the volume of output, by one percentage point."""
    middle = ask(world, 0.0, closure)
    up, down = ask(world, H, closure), ask(world, -H, closure)

    def slope(number):
        return (number(up) - number(down)) / (2 * H) / number(middle)  # per cent by point

    def income(members):
        at = [world.regions.index(r) for r in members]
        return lambda r: (r.base.I * r.welfare.real_income)[at].sum()

    def volume(r):
        return (r.state.Y / r.state.c).sum()

    for words, number in (
        ("real_income:all", income(world.regions)),
        ("real_income:USA+CHN", income(["USA", "CHN"])),
        ("real_income:USA", income(["USA"])),
        ("output:all", volume),
    ):
        found = gradient_of(middle, words).values.tariffs
        place = (world.sector_codes.index("C"), *map(world.regions.index, ("CHN", "USA")))
        assert found[place] == pytest.approx(slope(number), rel=1e-5), words


def test_rows_are_per_point_and_largest_first(world):
    found = gradient_of(ask(world), "real_income:USA", most=5)
    assert len(found.rows) == 5
    effects = [abs(row["effect"]) for row in found.rows]
    assert effects == sorted(effects, reverse=True)
    first = found.rows[0]
    place = (
        world.sector_codes.index(first["sector"]),
        world.regions.index(first["exporter"]),
        world.regions.index(first["importer"]),
    )
    assert first["effect"] == pytest.approx(found.values.tariffs[place])  # per cent by point
    assert found.unit == "per cent per percentage point of the tariff"
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["rows"][0] == first


@pytest.mark.parametrize(
    ("of", "with_respect_to", "most", "says"),
    [
        ("border:USA:USA", "tariffs", None, "crosses no border"),
        ("deficit:USA", "tariffs", None, "do not move"),
        ("real_income:USA", "tariffs", 0, "one row or more"),
        ("real_income:USA:C", "tariffs", None, "was expected as real_income:ECONOMIES"),
        ("real_income", "tariffs", None, "was expected as"),
        ("border:USA", "tariffs", None, "EXPORTERS:IMPORTERS"),
        ("output:USA:X9", "tariffs", None, "X9"),
        ("real_income:ATLANTIS", "tariffs", None, "ATLANTIS"),
        ("real_income:USA", "tarifs", None, "did you mean 'tariffs'"),
    ],
)
def test_what_cannot_be_asked_is_said(world, of, with_respect_to, most, says):
    with pytest.raises(ScenarioError, match=says):
        gradient_of(ask(world), of, with_respect_to, most=most)


def test_without_deficits_there_are_no_transfers(world):
    with pytest.raises(ScenarioError, match="no deficits"):
        gradient_of(ask(world, 0.0, "zero"), "real_income:USA", "transfers")


def test_home_costs_are_left_out_of_rows(world):
    rows = gradient_of(ask(world), "real_income:USA", "trade_costs").rows
    assert rows
    assert all(row["exporter"] != row["importer"] for row in rows)


def test_parts_of_one_economy_have_no_border_unless_both_are_named(tmp_path):
    from entrepot.world.split import split_region

    world = split_region(ep.load_world("world-2019-g20"), "USA", {"USA-N": 0.6, "USA-S": 0.4})
    result = ep.run(world, scenario(), headlines=False, tolerance=1e-11)
    inside = {"USA-N", "USA-S"}
    rows = gradient_of(result, "real_income:USA-N").rows
    assert not any({row["exporter"], row["importer"]} <= inside for row in rows)
    assert gradient_of(result, "border:USA-N:USA-S:C", "productivity", most=1).rows
    e = economy_for(world, np.full(len(world.sectors), 5.0), scenario().assumptions)
    masked = world_response(e, "import_tariffs", inside=world.one_economy)
    plain = world_response(e, "import_tariffs")
    i = world.regions.index("USA-N")
    assert abs(masked.real_income[i, i]) < abs(plain.real_income[i, i])


def test_duties_have_gradients_and_revenue_is_their_sum(world):
    result = ask(world)
    linear = linear_of(result)
    n = len(world.regions)
    ones = np.ones((len(world.sectors), n, n))
    duties = gradient(linear, Outcome("duties at given rates", Moves(duty=ones)), "productivity")
    revenue = gradient(linear, outcome(result.state, "tariff_revenue", np.ones(n)), "productivity")
    size = np.abs(revenue.productivity).max()
    np.testing.assert_allclose(duties.productivity, revenue.productivity, atol=1e-6 * size)


def test_a_response_can_be_copied(world):
    result = ask(world)
    found = respond(linear_of(result), Given(L=np.ones(len(world.regions))))
    for other in (copy.copy(found), pickle.loads(pickle.dumps(found))):
        np.testing.assert_array_equal(other.real_income, found.real_income)
    with pytest.raises(AttributeError, match="nothing"):
        found.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Given(t=np.ones((3, 3, 3))), r"t has shape \(3, 3, 3\)"),
        (Given(L=np.ones(3)), "L has shape"),
        (Given(A=np.full((20, 20), np.nan)), "A holds values that are not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_named(world, given, says):
    with pytest.raises(ScenarioError, match=says):
        respond(linear_of(ask(world)), given)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"check": 0.0}, "0.0001 to 1"),
        ({"check": float("nan")}, "0.0001 to 1"),
        ({"closure": "zero"}, "no closure 'zero'"),
        ({"closure": "none"}, "balance it first"),
        ({"sectors": []}, "no sector"),
        ({"sectors": [99]}, "positions"),
    ],
)
def test_a_world_response_refuses_what_it_cannot_answer(world, more, says):
    e = economy_for(world, np.full(len(world.sectors), 5.0), scenario().assumptions)
    with pytest.raises(ScenarioError, match=says):
        world_response(e, **more)
