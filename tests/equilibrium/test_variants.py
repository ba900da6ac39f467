"""The family of variants: against an independent slow solver, in limits and in closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from slow import Base, base_of_world
from variants_slow import Family, gains_from_trade, variant_solve

from entrepot.core.errors import WorldError
from entrepot.equilibrium.economy import Economy, with_variant
from entrepot.equilibrium.outcome import base_state, certify, new_state
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.variants import Variant
from entrepot.results.run import balanced
from worlds import (
    economy,
    foreign_shock,
    full_world,
    off_diagonal,
    one_factor_world,
    outcome,
    random_shock,
    random_world,
)

THETA = [4.0, 6.0, 5.0]
SOME = [1.0, 0.0, 0.5]
FAMILY = {
    "ces": {"value_added": 0.5, "inputs": 0.3, "demand": 0.8},
    "ces above one": {"value_added": 1.4, "inputs": 2.0, "demand": 1.6},
    "fixed proportions": {"value_added": 0.0, "inputs": 0.0, "demand": 0.0},
    "krugman": {"scale": 1.0},
    "krugman in some sectors": {"scale": SOME},
    "half scale": {"scale": 0.5},
    "scale with ces": {"scale": 0.5, "value_added": 0.6, "inputs": 0.4, "demand": 0.8},
    "melitz": {"scale": 1.0, "selection": [0.2, 0.5, 0.3]},
    "melitz in some sectors": {"scale": SOME, "selection": [0.3, 0.0, 0.2]},
}
CLOSURES = ("world_share", "proportional", "none")


def variant(parts):
    arrays = {k: np.asarray(v, float) for k, v in parts.items() if k in ("scale", "selection")}
    return Variant(**(parts | arrays))


def largest_gap(e, state, w, slow):
    logs = [np.log(getattr(state, k) / slow[k]) for k in ("w", "P", "c", "X", "I")]
    logs += [np.log(w.real_income / slow["real_income"]), (state.pi - slow["pi"]).ravel()]
    logs += [(state.Y - slow["Y"]) / e.Y.sum(0)]
    return max(float(np.abs(x).max()) for x in logs)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", FAMILY)
def test_equal_to_the_slow_solver_with_every_tax_and_stocks(name, seed):
    # Stocks cannot be drawn from a producer that free entry may shut.
    stocks = {"inventories": 0.0} if np.max(FAMILY[name].get("scale", 0)) == 1 else {}
    world = full_world(30 + seed, 3, 3, inputs=0.4, **stocks)
    e = economy(world, THETA, variant=variant(FAMILY[name]))
    shock = random_shock(np.random.default_rng(seed), e, 0.04)
    state, w = outcome(e, shock, CLOSURES[seed])
    b = base_of_world(world, np.asarray(THETA))
    slow = variant_solve(b, shock, Family(**FAMILY[name]), CLOSURES[seed])
    assert largest_gap(e, state, w, slow) < 1e-8
    plain = outcome(with_variant(e, Variant()), shock, CLOSURES[seed])[1]
    assert np.abs(np.log(plain.real_income / w.real_income)).max() > 1e-6  # the variant matters


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("parts", "neighbour"),
    [
        ({"scale": 1e-6}, {}),
        ({"scale": 1.0, "selection": 1e-6}, {"scale": 1.0}),
        ({"scale": 1e-6, "selection": 1e-6}, {}),
        ({"value_added": 1 + 1e-5, "inputs": 1 - 1e-5, "demand": 1 + 1e-5}, {}),
        ({"value_added": 1e-6, "inputs": 1e-6}, {"value_added": 0.0, "inputs": 0.0}),
        (
            {"scale": 1e-6, "value_added": 0.5, "inputs": 0.2},
            {"value_added": 0.5, "inputs": 0.2},
        ),
    ],
)
def test_each_collapses_to_its_neighbour_in_the_limit(parts, neighbour, seed):
    world = full_world(60 + seed, 3, 3, inputs=0.4, inventories=0.1)
    e = economy(world, THETA)
    shock = random_shock(np.random.default_rng(seed), e, 0.05)
    at, there, far = (
        outcome(with_variant(e, variant(p)), shock, tol=1e-9)[1].real_income
        for p in (parts, neighbour, {"scale": 0.2})
    )
    np.testing.assert_allclose(at, there, rtol=3e-6)
    assert np.abs(far / there - 1).max() > 1e-5


@pytest.mark.parametrize("name", FAMILY)
def test_without_a_shock_nothing_moves(name):
    world = full_world(70, 3, 3, inputs=0.4)
    e = economy(world, THETA, variant=variant(FAMILY[name]))
    _, w = outcome(e, no_shock(e))
    np.testing.assert_allclose(w.real_income, 1, atol=1e-10)


def autarkic(e, cost=1e5):
    s, n = e.va.shape
    away = 1 + off_diagonal(np.full((s, n, n), cost - 1))
    return replace(no_shock(e), tau=away)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "parts",
    [{}, {"scale": 1.0}, {"scale": SOME}, {"scale": 1.0, "selection": [0.2, 0.5, 0.3]}],
    ids=["competitive", "krugman", "some", "melitz"],
)
def test_gains_from_trade_have_their_closed_form(parts, seed):
    """Sectors, inputs and scale; balanced trade; tariffs in the base."""
    world = random_world(80 + seed, 3, 3, inputs=0.3, tariffs=0.2)
    e = balanced(economy(world, THETA, taxes="in_value_added"), 1e-12)
    e = with_variant(e, variant(parts))
    f = Family(**parts)
    used, stock = e.X > 0, e.inventories
    b = Base(e.theta, e.pi, e.t, e.x, e.g, e.g, e.omega, e.va, e.alpha, e.V, e.D, stock, e.I, used)
    expected = gains_from_trade(b, e.X, e.sold, f)
    state, w = outcome(e, autarkic(e), "none", tol=1e-10)
    home = np.einsum("rdd->rd", state.pi)
    assert home.min() > 1 - 1e-9
    np.testing.assert_allclose(w.real_income, expected, rtol=1e-7)
    assert (expected < 1).all()


@pytest.mark.parametrize("parts", [{}, {"scale": 1.0}, {"scale": 1.0, "selection": 0.4}])
@pytest.mark.parametrize("seed", range(3))
def test_one_sector_gains_are_the_home_share_in_every_variant(parts, seed):
    """ACR (2012): one sector, no inputs, balanced trade, foreign shocks."""
    e = balanced(economy(one_factor_world(seed, 2 + seed), 5.0), 1e-12)
    e = with_variant(e, variant(parts))
    shock = foreign_shock(np.random.default_rng(seed), e, 0.3)
    state, w = outcome(e, shock, "none")
    home = state.pi[0, 0, 0] / e.pi[0, 0, 0]
    assert w.real_income[0] == pytest.approx(home ** (-1 / 5), rel=1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_one_sector_with_inputs_gains_more_under_scale(seed):
    """W = home-share-hat^(-1 / (theta (1 - g) - g (scale + selection))), own-input share g."""
    world = random_world(90 + seed, 3, 1, inputs=0.5)
    e = balanced(economy(world, 5.0, taxes="in_value_added"), 1e-12)
    shock = foreign_shock(np.random.default_rng(seed), e, 0.2)
    for scale, select in ((0.0, 0.0), (1.0, 0.0), (0.5, 0.0), (1.0, 0.3)):
        other = with_variant(e, variant({"scale": scale, "selection": select}))
        state, w = outcome(other, shock, "none")
        g = e.g[0, 0, 0]
        home = state.pi[0, 0, 0] / e.pi[0, 0, 0]
        power = -1 / (5 * (1 - g) - g * (scale + select))
        assert w.real_income[0] == pytest.approx(home**power, rel=1e-9)


@pytest.mark.parametrize(
    "parts", [FAMILY["ces"], FAMILY["half scale"], FAMILY["scale with ces"]], ids=str
)
def test_sourcing_by_user_is_by_sector_where_users_buy_alike(parts):
    """On a table whose users have one mix, the three ways of sourcing are one."""
    world = random_world(95, 3, 3, inputs=0.4, categories=2, tariffs=0.1)
    e = economy(world, THETA)
    from entrepot.equilibrium.counterfactual import counterfactual_world

    alike = counterfactual_world(world, e, base_state(e), {})
    answers = []
    for way in ("by_sector", "by_use", "by_user"):
        e = economy(alike, THETA, sourcing=way, variant=variant(parts))
        shock = random_shock(np.random.default_rng(1), economy(alike, THETA), 0.1)
        answers.append(outcome(e, shock)[1].real_income)
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-9)
    # By user, final use has no substitution between categories: alike only at unit elasticity.
    if parts.get("demand", 1) == 1:
        np.testing.assert_allclose(answers[2], answers[0], rtol=1e-9)


PLANTED = {
    "c": "zero profits",
    "P": "price index",
    "pi": "trade shares",
    "X": "goods markets",
    "Y": "output",
    "va": "cost shares",
    "g": "cost shares",
    "alpha": "final shares",
    "I": "budgets",
}


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("key", PLANTED)
def test_the_certificate_catches_a_planted_error(name, key):
    world = full_world(99, 3, 3, inputs=0.4)
    e = economy(world, THETA, variant=variant(FAMILY[name]))
    shock = random_shock(np.random.default_rng(3), e, 0.05)
    state = new_state(e, shock, solve(e, shock, tol=1e-11))
    assert certify(e, shock, state).passed
    wrong = np.array(getattr(state, key), float)
    wrong.flat[0] *= 1 + 1e-4
    failed = certify(e, shock, replace(state, **{key: wrong}))
    assert not failed.passed
    misses = {c.equation: c.miss for c in failed.checks}
    assert misses[PLANTED[key]] > failed.tolerance


@pytest.mark.parametrize("parts", [{"scale": 0.5}, {"scale": 0.5, "selection": 0.3}])
def test_the_certificate_knows_the_variant(parts):
    """An equilibrium of one variant is none of its neighbour."""
    world = full_world(98, 3, 3, inputs=0.4)
    e = economy(world, THETA, variant=variant(parts))
    shock = random_shock(np.random.default_rng(3), e, 0.05)
    state = new_state(e, shock, solve(e, shock, tol=1e-11))
    assert certify(e, shock, state).passed
    assert not certify(with_variant(e, Variant()), shock, state).passed


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"scale": 1.2}, "share from 0"),
        ({"scale": -0.1}, "share from 0"),
        ({"scale": np.nan}, "share from 0"),
        ({"selection": -0.1}, "sigma between 1 and"),
        ({"selection": np.inf}, "sigma between 1 and"),
        ({"value_added": -1.0}, "value_added is -1"),
        ({"inputs": np.nan}, "inputs is nan"),
        ({"demand": np.inf}, "demand is inf"),
        ({"selection": 0.2, "demand": 0.5}, "unit elasticities"),
    ],
)
def test_bad_values_are_refused(parts, said):
    with pytest.raises(WorldError, match=said):
        variant(parts)


def test_arrays_must_fit_the_sectors():
    e: Economy = economy(random_world(1, 3, 3), THETA)
    with pytest.raises(WorldError, match=r"scale has shape \(2,\)"):
        with_variant(e, Variant(scale=np.array([1.0, 0.0])))


def test_selection_needs_one_market_per_destination():
    with pytest.raises(WorldError, match="by_sector"):
        economy(random_world(1, 3, 3), THETA, sourcing="by_use", variant=variant(FAMILY["melitz"]))
