"""Closed forms.

Arkolakis, Costinot & Rodriguez-Clare (2012), Costinot & Rodriguez-Clare (2014), Gros (1987),
and Lerner's symmetry.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from entrepot.equilibrium.outcome import base_state
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import no_shock
from entrepot.results.run import balanced, solve_closure
from worlds import (
    economy,
    foreign_shock,
    frictionless,
    full_world,
    off_diagonal,
    one_factor_world,
    outcome,
    random_shock,
    random_world,
    real_wage_by_shares,
)


def home_share_hat(base, state, d=0):
    return state.pi[:, d, d] / base.pi[:, d, d]


@pytest.mark.parametrize("theta", [0.39, 1.5, 5.0, 12.0, 30.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_sector_gains_are_the_home_share_to_the_minus_one_over_theta(seed, theta):
    """ACR (2012), proposition 1: foreign shocks and iceberg costs, balanced trade."""
    e = economy(one_factor_world(seed, 2 + seed), theta)
    e = balanced(e, 1e-12)
    shock = foreign_shock(np.random.default_rng(seed), e)
    state, w = outcome(e, shock, "none")
    expected = home_share_hat(base_state(e), state)[0] ** (-1 / theta)
    assert abs(expected - 1) > 1e-4
    assert w.real_income[0] == pytest.approx(expected, rel=1e-10)
    assert w.real_wage[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_own_productivity_multiplies_the_one_sector_gains(seed):
    e = balanced(economy(one_factor_world(seed), 4.0), 1e-12)
    shock = random_shock(np.random.default_rng(seed), e, 0.4, ("tau", "A", "L"))
    state, w = outcome(e, shock, "none")
    gains = np.einsum("rdd->d", state.pi) / np.einsum("rdd->d", e.pi)
    expected = gains ** (-1 / 4) * shock.A[0] * shock.L
    np.testing.assert_allclose(w.real_income, expected, rtol=1e-10)


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_one_sector_with_tariffs_adds_the_revenue_share(seed):
    """W = home-share-hat^(-1/theta) (1 - s) / (1 - s'), s revenue over income."""
    world = random_world(seed, 3, 1, inputs=0.0, tariffs=0.4)
    e = balanced(economy(world, 5.0, taxes="in_value_added"), 1e-12)
    # Tariffs in a table without taxes come out of the value added; there is no other revenue.
    base = base_state(e)
    shock = random_shock(np.random.default_rng(seed), e, 0.5, ("t", "tau"))
    state, w = outcome(e, shock, "none")
    gains = np.einsum("rdd->d", state.pi) / np.einsum("rdd->d", e.pi)
    before = base.tariff_revenue / base.I
    after = state.tariff_revenue / state.I
    assert after.max() > 0.01
    np.testing.assert_allclose(
        w.real_income, gains ** (-1 / 5) * (1 - before) / (1 - after), rtol=1e-10
    )


@pytest.mark.parametrize("seed", range(6))
def test_sectors_and_inputs_follow_the_price_pass_through_inverse(seed):
    """CRC (2014), equation 28: W = prod over r, k of home-share-hat_k^(-alpha_r a_rk / theta_k)."""
    rng = np.random.default_rng(100 + seed)
    n, s = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    theta = np.exp(rng.uniform(np.log(0.8), np.log(10), s))
    e = balanced(economy(random_world(seed, n, s, inputs=0.7), theta), 1e-12)
    base = base_state(e)
    shock = foreign_shock(rng, e)
    state, w = outcome(e, shock, "none")
    expected = real_wage_by_shares(e, base, state)[0]
    assert w.real_income[0] == pytest.approx(expected, rel=1e-10)
    # The same by an explicit geometric series of rounds of pass-through.
    hat = np.log(home_share_hat(base, state)) / theta
    pays = e.g[:, :, 0].T  # no product taxes here
    log_price, wave = np.zeros(s), hat.copy()
    for _ in range(400):
        log_price += wave
        wave = pays @ wave
    assert w.real_income[0] == pytest.approx(np.exp(-e.alpha[:, 0] @ log_price), rel=1e-10)


@pytest.mark.parametrize("closure", ["world_share", "proportional", "zero", "balanced_first"])
@pytest.mark.parametrize("seed", [11, 12])
def test_real_wages_follow_home_shares_whatever_else_there_is(seed, closure):
    """With tariffs, taxes, stocks and deficits the formula holds for the real wage."""
    e = economy(full_world(seed, 3, 3), [2.0, 5.0, 9.0])
    shock = random_shock(np.random.default_rng(seed), e, 0.3)
    solved = solve_closure(e, shock, closure, 1e-11)
    expected = real_wage_by_shares(solved.economy, solved.base, solved.state, shock.A)
    hat = solved.state.w / solved.base.w
    price = np.exp((e.alpha * np.log(solved.state.P)).sum(0))
    np.testing.assert_allclose(hat / price, expected, rtol=1e-9)


def test_autarky_costs_what_the_home_share_says():
    """Gains from trade = 1 - home share^(1/theta) (ACR 2012, section 2), embargoing everything."""
    e = balanced(economy(one_factor_world(21, 3), 5.0), 1e-12)
    shock = replace(no_shock(e), embargo=np.broadcast_to(~np.eye(3, dtype=bool), (1, 3, 3)).copy())
    _, w = outcome(e, shock, "none")
    np.testing.assert_allclose(w.real_income, np.einsum("rdd->d", e.pi) ** (1 / 5), rtol=1e-10)


def best_tariff(e, top=1.0):
    """The home (first) economy's best uniform tariff, and the partner's home share there."""

    def at(rate):
        t = off_diagonal(np.zeros_like(e.t))
        t[:, 1:, 0] = rate
        return outcome(e, replace(no_shock(e), t=t), tol=1e-13)

    found = minimize_scalar(
        lambda rate: -np.log(at(rate)[1].real_income[0]) / e.X[0, 1] * e.X.sum(),
        bounds=(0.0, top),
        method="bounded",
        options={"xatol": 1e-7},
    )
    state, _ = at(found.x)
    return found.x, state.pi[0, 1, 1]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 0.229), (0.1, 0.2029), (0.01, 0.2003), (0.001, 0.2000)]
)
def test_optimal_tariff_is_the_inverse_of_theta_times_the_foreign_home_share(share, expected):
    """Gros (1987): an economy of that share of the world that imports a fifth of what it buys."""
    m = share / 5
    e = economy_from_shares(
        ["home", "abroad"],
        ["all"],
        trade=np.array([[[share - m, m], [m, 1 - share - m]]]),
        tariffs=np.zeros((1, 2, 2)),
        inputs=np.zeros((1, 1, 2)),
        value_added_shares=np.ones((1, 2)),
        final_shares=np.ones((1, 2)),
        theta=np.array([5.0]),
    )
    rate, foreign_home = best_tariff(e)
    assert rate == pytest.approx(1 / (5 * foreign_home), abs=1e-5)
    assert rate == pytest.approx(expected, abs=6e-5 if share < 0.5 else 6e-4)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_optimal_tariff_without_any_trade_cost(share):
    rate, foreign_home = best_tariff(frictionless([share, 1 - share], 5.0))
    assert rate == pytest.approx(1 / (5 * foreign_home), abs=1e-5)


@pytest.mark.parametrize("theta", [2.0, 8.0])
def test_optimal_tariff_with_costly_trade(theta):
    e = balanced(economy(one_factor_world(31, 2), theta), 1e-12)
    rate, foreign_home = best_tariff(e, top=2.0)
    assert rate == pytest.approx(1 / (theta * foreign_home), abs=2e-5)


def test_lerner_symmetry():
    """A uniform import tariff and a uniform export tax of the same rate are the same policy."""
    e = economy(one_factor_world(41, 3), 5.0)
    e = balanced(e, 1e-12)
    t, x = np.zeros_like(e.t), np.zeros_like(e.x)
    t[:, 1:, 0] = 0.3
    x[:, 0, 1:] = 0.3
    one, a = outcome(e, replace(no_shock(e), t=t), "none")
    two, b = outcome(e, replace(no_shock(e), x=x), "none")
    np.testing.assert_allclose(a.real_income, b.real_income, rtol=1e-10)
    np.testing.assert_allclose(one.pi, two.pi, rtol=1e-9)


def test_lerner_symmetry_with_sectors_and_inputs():
    e = balanced(economy(random_world(42, 3, 3), [3.0, 5.0, 8.0]), 1e-12)
    t, x = np.zeros_like(e.t), np.zeros_like(e.x)
    t[:, 1:, 0] = 0.25
    x[:, 0, 1:] = 0.25
    _, a = outcome(e, replace(no_shock(e), t=t), "none")
    _, b = outcome(e, replace(no_shock(e), x=x), "none")
    np.testing.assert_allclose(a.real_income, b.real_income, rtol=1e-10)
    assert a.real_income[0] != pytest.approx(1, abs=1e-4)


def test_world_productivity_raises_everybody_alike():
    """Hicks-neutral growth everywhere with no inputs: real income up by the same factor."""
    e = economy(one_factor_world(43, 4), 5.0)
    _, w = outcome(e, replace(no_shock(e), A=np.full((1, 4), 1.1)))
    np.testing.assert_allclose(w.real_income, 1.1, rtol=1e-10)
    # With inputs the Domar weight: 1 / (1 - input share), where it is common.
    world = random_world(44, 3, 2)
    e = economy(world, 5.0)
    _, w = outcome(e, replace(no_shock(e), A=np.full((2, 3), 1.1)))
    assert (w.real_income > 1.1).all()


def test_growth_of_labour_everywhere_alike_changes_only_the_scale():
    e = economy(full_world(45, 3, 2, inventories=0.0), 5.0)
    state, w = outcome(e, replace(no_shock(e), L=np.full(3, 1.25)))
    np.testing.assert_allclose(w.real_income, 1.25, rtol=1e-9)
    np.testing.assert_allclose(state.pi, e.pi, rtol=1e-9)
