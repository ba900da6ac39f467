"""Entry under scale effects: producers that shut, stability, other equilibria."""

from dataclasses import replace

import numpy as np
import pytest
from slow import Base, base_of_world
from variants_slow import Family, variant_solve

from entrepot.core.errors import NotConvergedError
from entrepot.equilibrium.counterfactual import counterfactual_world
from entrepot.equilibrium.economy import with_variant
from entrepot.equilibrium.entry import (
    SAME,
    entrants,
    equilibrium,
    in_words,
    other_equilibria,
    settle,
    stability,
)
from entrepot.equilibrium.outcome import base_state, certify
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.variants import Variant
from worlds import economy, full_world, off_diagonal, outcome, random_shock, random_world


def two_countries(home, own_input, scale=1.0):
    """Symmetric; sector z competitive and nearly homogeneous, m under free entry, theta 4."""
    pi = np.array([[[0.5, 0.5], [0.5, 0.5]], [[home, 1 - home], [1 - home, home]]])
    inputs = np.zeros((2, 2, 2))
    inputs[1, 1] = own_input
    return economy_from_shares(
        ["A", "B"],
        ["z", "m"],
        trade=pi * np.array([0.5, 0.5 / (1 - own_input)])[:, None, None],
        tariffs=np.zeros((2, 2, 2)),
        inputs=inputs,
        value_added_shares=1 - inputs.sum(0),
        final_shares=np.full((2, 2), 0.5),
        theta=np.array([50.0, 4.0]),
        variant=Variant(scale=np.array([0.0, scale])),
    )


def plain_base(e):
    return Base(e.theta, e.pi, e.t, e.x, e.g, e.g, e.omega, e.va, e.alpha, e.V, e.D,
                e.inventories, e.I, e.X > 0)  # fmt: skip


# Leading eigenvalues by numerical derivatives of a solver written apart.
@pytest.mark.parametrize(
    ("own_input", "home", "leading"),
    [
        (0.0, 0.55, -0.096),
        (0.0, 0.7, -0.221),
        (0.3, 0.55, -0.009),
        (0.3, 0.6, 0.030),
        (0.3, 0.7, 0.049),
        (0.3, 0.8, -0.046),
        (0.6, 0.7, 0.462),
        (0.6, 0.99, -0.412),
    ],
)
def test_stability_of_the_base(own_input, home, leading):
    e = two_countries(home, own_input)
    about = stability(e, equilibrium(e, no_shock(e)))
    assert about.leading == pytest.approx(leading, abs=6e-4)
    assert about.stable == (leading < 0)
    assert about.index == (1 if leading < 0 else -1)


def test_scale_below_the_elasticity_restores_stability():
    e = two_countries(0.7, 0.6, scale=0.6)
    assert stability(e, equilibrium(e, no_shock(e))).leading == pytest.approx(-0.123, abs=6e-4)


def test_other_equilibria_of_the_unstable_base_are_found():
    e = two_countries(0.7, 0.3)
    known = equilibrium(e, no_shock(e))
    np.testing.assert_allclose(known.real_income(e), 1, atol=1e-9)
    found = other_equilibria(e, no_shock(e), known)
    assert not found.unique
    assert len(found.others) == 2  # each country alone makes m
    for other in found.others:
        assert other.shut.sum() == 1
        assert other.certificate.passed
        M = entrants(e, other.state)
        np.testing.assert_allclose(np.sort(M[1]), [0, 2.0068], atol=5e-5)
        np.testing.assert_allclose(np.sort(other.real_income(e)), [0.91814, 1.09165], atol=5e-6)
        assert stability(e, other).stable
    said = in_words(e, found)
    assert sum("another equilibrium exists" in line for line in said) == 2
    assert any("unstable" in line for line in said)


def test_a_stable_base_may_have_others():
    e = two_countries(0.99, 0.6)
    known = equilibrium(e, no_shock(e))
    found = other_equilibria(e, no_shock(e), known)
    assert found.stability.stable
    assert len(found.others) == 2
    M = entrants(e, found.others[0].state)[1]
    np.testing.assert_allclose(M.max(), 2.8581, atol=5e-5)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_labour_alone_has_one_equilibrium(scale):
    """Kucheryavyy, Lyn & Rodriguez-Clare: trade times scale elasticity at most one, no inputs."""
    world = random_world(3, 3, 3, inputs=0.0, home=12.0)
    e = economy(world, [4.0, 6.0, 5.0], variant=Variant(scale=scale))
    shock = random_shock(np.random.default_rng(1), e, 0.05, ("t", "tau"))
    known = equilibrium(e, shock)
    found = other_equilibria(e, shock, known)
    assert found.unique
    assert found.ended >= found.starts - 2
    assert in_words(e, found) == []


def test_without_scale_effects_there_is_nothing_to_look_for():
    e = economy(random_world(3, 3, 2), 5.0)
    about = stability(e, equilibrium(e, no_shock(e)))
    assert about.stable


@pytest.mark.parametrize("seed", range(3))
def test_shut_producers_are_those_of_the_complementarity_problem(seed):
    """Free entry, large tariff cuts, little home bias: some sectors leave some countries."""
    world = random_world(600 + seed, 3, 3, inputs=0.2, home=3.0, tariffs=0.3)
    e = economy(world, [4.0, 5.0, 6.0], taxes="in_value_added", variant=Variant(scale=1.0))
    shock = replace(no_shock(e), t=0.1 * e.t)
    found = equilibrium(e, shock)
    b = base_of_world(world, np.array([4.0, 5.0, 6.0]), taxes="in_value_added")
    slow = variant_solve(
        b, shock, Family(scale=1.0), shares=tuple(np.linspace(0.1, 1, 10)), shuts=True
    )
    M = entrants(e, found.state)
    np.testing.assert_array_equal(M == 0, slow["M"] < 1e-9)
    np.testing.assert_allclose(M, np.where(slow["M"] < 1e-9, 0, slow["M"]), rtol=1e-6)
    np.testing.assert_allclose(found.real_income(e), slow["real_income"], rtol=1e-7)


def test_some_of_those_cases_shut():
    count = 0
    for seed in range(3):
        world = random_world(600 + seed, 3, 3, inputs=0.2, home=3.0, tariffs=0.3)
        e = economy(world, [4.0, 5.0, 6.0], taxes="in_value_added", variant=Variant(scale=1.0))
        count += int(equilibrium(e, replace(no_shock(e), t=0.1 * e.t)).shut.sum())
    assert count > 0


def test_a_shut_producer_that_would_return_is_no_equilibrium():
    """Entry started from a producer nearly gone comes back where the base is the only one."""
    e = two_countries(0.7, 0.0)
    gone = np.array([[0.0, 0.0], [-6.0, 0.5]])
    found = settle(e, no_shock(e), gone)
    assert not found.shut.any()
    assert np.abs(np.log(found.real_income(e))).max() < SAME


@pytest.mark.parametrize("selection", [0.0, 0.3])
def test_entry_and_the_equations_agree(selection):
    """Followed by entry or solved at once, with every tax: the same equilibrium."""
    world = full_world(44, 3, 3, inputs=0.3)
    e = economy(world, [4.0, 6.0, 5.0], variant=Variant(scale=0.8, selection=selection))
    shock = random_shock(np.random.default_rng(5), e, 0.05)
    w = outcome(e, shock)[1]
    found = settle(e, shock, np.random.default_rng(0).normal(0, 0.3, e.va.shape), tol=1e-10)
    np.testing.assert_allclose(found.real_income(e), w.real_income, rtol=1e-8)
    assert certify(e, found.shock, found.state).passed


def test_where_nothing_settles_the_refusal_names_cause_and_remedy():
    """Stock cannot come out of a producer that shuts: no equilibrium, and said why."""
    world = full_world(31, 3, 3, inputs=0.4)
    e = economy(world, [4.0, 6.0, 5.0], variant=Variant(scale=1.0))
    shock = random_shock(np.random.default_rng(1), e, 0.08)
    with pytest.raises(NotConvergedError, match=r"free entry \(scale 1\).*half-scale"):
        equilibrium(e, shock, closure="proportional")
    part = with_variant(e, Variant(scale=0.3))
    assert equilibrium(part, shock, closure="proportional").certificate.passed


def test_the_search_is_the_same_each_time():
    e = two_countries(0.6, 0.3)
    known = equilibrium(e, no_shock(e))
    first, second = (other_equilibria(e, no_shock(e), known) for _ in range(2))
    assert [o.by for o in first.others] == [o.by for o in second.others]
    for one, two in zip(first.others, second.others, strict=True):
        np.testing.assert_array_equal(one.real_income(e), two.real_income(e))


def test_prohibitive_trade_costs_leave_scale_to_the_home_market():
    e = two_countries(0.9, 0.0)
    shock = replace(no_shock(e), tau=1 + off_diagonal(np.full((2, 2, 2), 99.0)))
    found = equilibrium(e, shock)
    assert not found.shut.any()
    np.testing.assert_allclose(entrants(e, found.state)[1], 1, rtol=1e-6)


def test_who_shuts_is_the_same_by_sector_and_by_use_where_users_buy_alike():
    answers = []
    world = random_world(601, 3, 3, inputs=0.2, home=3.0, tariffs=0.3)
    e = economy(world, [4.0, 5.0, 6.0], taxes="in_value_added")
    alike = counterfactual_world(world, e, base_state(e), {})
    for way in ("by_sector", "by_use"):
        e = economy(
            alike, [4.0, 5.0, 6.0], taxes="in_value_added", sourcing=way, variant=Variant(scale=1.0)
        )
        found = equilibrium(e, replace(no_shock(e), t=0.1 * economy(alike, 5.0).t))
        answers.append((found.shut, found.real_income(e)))
    assert answers[0][0].any()
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_allclose(answers[0][1], answers[1][1], rtol=1e-8)
