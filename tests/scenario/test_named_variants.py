"""Variants as scenarios state them: names, mappings, what they do to the table."""

import numpy as np
import pytest

import entrepot as ep
from entrepot.core.errors import ScenarioError, WorldError
from entrepot.results.robustness import robustness
from entrepot.results.run import economy_for
from entrepot.results.tables import limits
from entrepot.scenario.collapse import collapsed, without_inputs
from entrepot.scenario.lower import lower
from entrepot.scenario.model import Assumptions
from entrepot.scenario.read import with_assumptions
from entrepot.scenario.variants import VARIANTS, ModelVariant, label, numeric, stated, tradable
from entrepot.world.world import attach
from worlds import full_world, random_world


def asked(variant=None, world=None, changes=None, **assumptions):
    given = assumptions if variant is None else assumptions | {"variant": variant}
    change = {
        "instrument": "trade_cost",
        "importers": "R00",
        "exporters": "R01",
        "by": "-5%",
        "why": "w",
    }
    return ep.read_scenario(
        {"name": "n", "why": "w", "changes": changes or [change], "assumptions": given}
    )


def answer(world, scenario):
    return ep.run(world, scenario, headlines=False)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_named_variant_answers_or_says_why(name):
    world = random_world(5, 3, 3, inputs=0.3, home=12.0, tariffs=0.1)
    result = answer(world, asked(name))
    assert result.certificate.passed
    assert result.to_dict()["assumptions"]["variant"] == name
    assert result.to_dict()["provenance"]["variant"] == name
    assert result.world.Z.shape == result.base_world.Z.shape  # the counterfactual balances


@pytest.mark.parametrize("name", [n for n, row in VARIANTS.items() if row.neighbour])
def test_every_variant_has_a_neighbour_in_the_list(name):
    row = VARIANTS[name]
    assert row.neighbour in VARIANTS
    assert row.limit


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("half-scale", "scale"),
        ("krugman", "scale"),
        ("krugman-no-inputs", "scale"),
        ("melitz", "selection"),
    ],
)
def test_named_variants_collapse_to_their_neighbour(name, parameter):
    world = random_world(5, 3, 3, inputs=0.3, home=12.0, tariffs=0.1)
    near = VARIANTS[name].variant.model_dump() | {parameter: 1e-7}
    close = answer(world, asked(near)).welfare.real_income
    there = answer(world, asked(VARIANTS[name].neighbour)).welfare.real_income
    far = answer(world, asked(name)).welfare.real_income
    np.testing.assert_allclose(close, there, rtol=1e-7)
    assert np.abs(far - there).max() > 2e-6


@pytest.mark.parametrize(("name", "near"), [("ces", 1 - 1e-5), ("leontief", 1 - 1e-5)])
def test_nests_collapse_to_cobb_douglas(name, near):
    world = random_world(5, 3, 3, inputs=0.4)
    parts = VARIANTS[name].variant.model_dump(exclude_defaults=True)
    close = answer(world, asked(dict.fromkeys(parts, near))).welfare.real_income
    np.testing.assert_allclose(close, answer(world, asked()).welfare.real_income, rtol=1e-6)


@pytest.mark.parametrize(
    ("small", "big"), [("one-sector", "competitive"), ("one-sector-no-inputs", "no-inputs")]
)
def test_one_sector_changes_nothing_where_there_is_one(small, big):
    world = full_world(6, 3, 1)
    one, many = (answer(world, asked(name)).welfare.real_income for name in (small, big))
    np.testing.assert_allclose(one, many, rtol=1e-9)


def test_no_inputs_changes_nothing_where_there_are_none():
    world = random_world(6, 3, 3, inputs=0.0, tariffs=0.1)
    one, two = (answer(world, asked(n)).welfare.real_income for n in ("no-inputs", "competitive"))
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_one_sector_of_equal_sectors_is_the_same_world():
    """Sectors alike in everything, and a shock common to them: summing them loses nothing."""
    one = random_world(7, 3, 1, inputs=0.4, tariffs=0.2)
    from dataclasses import replace

    from entrepot.world.world import Sector

    half = np.full((2, 2), 0.25)
    n = 3
    Z = np.einsum("od,rk->ordk", one.Z, half).reshape(2 * n, 2 * n)
    two = replace(
        one,
        sectors=(Sector("a", "a"), Sector("b", "b")),
        Z=Z,
        F=np.repeat(one.F, 2, axis=0) / 2,
        V=np.repeat(one.V, 2, axis=1) / 2,
        T_inputs=np.repeat(one.T_inputs, 2) / 2,
        satellites={},
    )
    dims = ("sector", "origin", "destination")
    rates = np.repeat(one.satellites["tariffs"].values, 2, axis=0)
    two = attach(two, "tariffs", rates, dims, "fraction", "drawn")
    whole = answer(one, asked()).welfare.real_income
    for scenario in (asked(), asked("one-sector")):
        np.testing.assert_allclose(answer(two, scenario).welfare.real_income, whole, rtol=1e-9)


def test_one_sector_means_weigh_by_flows():
    world = full_world(8, 3, 3)
    tariff = {
        "instrument": "tariff",
        "importers": "R00",
        "exporters": "all",
        "sectors": "S1",
        "by": "+10pp",
        "why": "w",
    }
    scenario = asked("one-sector", changes=[tariff])
    whole = lower(scenario, world)
    small = collapsed(whole, stated("one-sector"))
    from entrepot.world.world import trade_flows

    sales = trade_flows(world)[0]
    share = sales[1] / sales.sum(0)
    rise = small.shock.t[0] - small.world.satellites["tariffs"].values[0]
    np.testing.assert_allclose(rise[1:, 0], 0.1 * share[1:, 0], rtol=1e-12)
    np.testing.assert_allclose(rise[:, 1:], 0, atol=1e-15)


def test_an_embargo_of_some_sectors_cannot_be_put_to_one():
    change = {
        "instrument": "embargo",
        "importers": "R00",
        "exporters": "R01",
        "sectors": "S1",
        "why": "w",
    }
    world = random_world(9, 3, 3)
    with pytest.raises(ScenarioError, match="embargo of some sectors"):
        answer(world, asked("one-sector", changes=[change]))
    change["sectors"] = "all"
    assert answer(world, asked("one-sector", changes=[change])).certificate.passed


def test_without_inputs_all_sales_stay_and_value_added_is_output():
    world = full_world(10, 3, 3)
    bare = without_inputs(world)
    np.testing.assert_allclose(bare.x, world.x)
    assert not bare.Z.any()
    np.testing.assert_allclose(bare.V.sum(0), world.x)
    small = collapsed(lower(asked("no-inputs"), world), stated("no-inputs"))
    e = economy_for(small.world, small.theta, Assumptions())
    np.testing.assert_allclose(e.va, 1)


def test_non_tradables_are_told_from_the_data():
    world = ep.load_world("world-2022")
    names = {c for c, t in zip(world.sector_codes, tradable(world), strict=True) if not t}
    assert names == {"F", "O_T", "D_E", "I"}
    theta = np.full(len(world.sectors), 5.0)
    scale = numeric("krugman-tradables", world, theta).scale
    assert (scale == tradable(world)).all()


def test_sigma_says_the_same_as_selection():
    world = random_world(5, 3, 3, inputs=0.3, home=12.0)
    one = answer(world, asked({"scale": 1, "sigma": 5})).welfare.real_income
    two = answer(world, asked("melitz")).welfare.real_income
    np.testing.assert_allclose(one, two, rtol=1e-10)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("krugmann", "did you mean 'krugman'"),
        ("", "there is no variant"),
        (3, "there is no variant 3"),
        ({"scale": 2}, "variant: scale: "),
        ({"scael": 1}, "unknown key 'scael'"),
        ({"scale": "x"}, "variant: scale: "),
        ({"selection": 0.2}, "need `scale` above 0"),
        ({"scale": 1, "selection": 0.2, "sigma": 5}, "says the same"),
        ({"scale": 1, "selection": 0.2, "inputs": 0.5}, "of 1 only"),
        ({"value_added": -1}, "variant: value_added: "),
        ({"demand": float("inf")}, "variant: demand: "),
        ({"sigma": 1.0, "scale": 1}, "variant: sigma: "),
        ({"non_tradables": "competitive"}, "needs `scale` above 0"),
        ({"non_tradables": "shut", "scale": 1}, "variant: non_tradables: "),
    ],
)
def test_what_is_no_variant_is_refused(given, said):
    with pytest.raises(ScenarioError) as error:
        asked(given)
    assert "assumptions.variant" in str(error.value)
    assert said in str(error.value)


def test_sigma_too_large_names_the_sectors():
    world = random_world(5, 3, 3)
    with pytest.raises(ScenarioError, match=r"sigma 7 is not below 1 \+ theta in 'S0'"):
        answer(world, asked({"scale": 1, "sigma": 7}, elasticities=5))


def test_selection_by_user_is_refused():
    with pytest.raises(WorldError, match="by_sector"):
        answer(random_world(5, 3, 3), asked("melitz", sourcing="by_user"))


@pytest.mark.parametrize("way", ["by_sector", "by_use", "by_user"])
@pytest.mark.parametrize("variant", ["competitive", "no-inputs", "one-sector", "ces", "half-scale"])
def test_variants_go_with_every_way_of_sourcing(way, variant):
    result = answer(random_world(5, 3, 3, categories=2, inputs=0.4), asked(variant, sourcing=way))
    assert result.certificate.passed
    assert result.to_dict()["assumptions"]["sourcing"] == way


@pytest.mark.parametrize(
    ("variant", "way", "said"),
    [
        (None, "by_sector", "Perfect competition and constant returns; sourcing by sector"),
        (None, "by_user", "each using sector and final-use category keeps its own mix"),
        ("krugman", "by_sector", "free entry of firms; sourcing"),
        ("half-scale", "by_use", "scale effects at 0.5 of free entry; sourcing by use"),
        ("melitz", "by_sector", "selecting into markets"),
        ("ces", "by_sector", "0.5 between value added and inputs"),
        ("no-inputs", "by_sector", "all sales are final"),
        ("one-sector", "by_sector", "means over sectors at base flows"),
    ],
)
def test_the_limits_tell_the_truth_about_the_variant(variant, way, said):
    world = random_world(5, 3, 3, inputs=0.3, home=12.0)
    result = ep.run(world, asked(variant, sourcing=way))
    text = " ".join(limits(result))
    assert said in text
    assert ("Perfect competition and constant" in text) == (
        variant not in ("krugman", "half-scale", "melitz")
    )
    assert ("Several equilibria are possible" in text) == (
        variant in ("krugman", "half-scale", "melitz")
    )


def test_several_equilibria_are_said_with_the_result():
    """Strong scale, own inputs and little home bias: the base is unstable and not the only one."""
    world = random_world(1, 2, 2, inputs=0.6, home=1.5)
    result = ep.run(world, asked("krugman", elasticities=4))
    text = " ".join(limits(result))
    assert "Another equilibrium exists" in text
    assert "shut" in text
    assert "unstable" in text
    row = robustness(
        world, asked("krugman", elasticities=4), variants=("ces",), elasticities=(), sourcings=()
    ).rows[0]
    assert row.status == "several"


def test_words_make_assumptions():
    scenario = with_assumptions(asked(), variant="half-scale", sourcing="by_use")
    assert scenario.assumptions.variant == "half-scale"
    assert scenario.assumptions.sourcing == "by_use"
    assert with_assumptions(scenario, closure="zero").assumptions.variant == "half-scale"
    mapped = with_assumptions(asked({"scale": 0.5}), closure="zero").assumptions.variant
    assert mapped == ModelVariant(scale=0.5)
    assert label(mapped) == "scale: 0.5"
    with pytest.raises(ScenarioError, match="sourcing"):
        with_assumptions(asked(), sourcing="by_habit")
