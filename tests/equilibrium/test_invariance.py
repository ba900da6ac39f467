"""What must not matter does not: units, labels, order, numeraire; nothing comes of nothing."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.equilibrium.counterfactual import counterfactual_world
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.outcome import base_state, certify, new_state
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import trade_shift, welfare, welfare_split
from entrepot.results.run import balanced, solve_closure
from entrepot.world.world import World
from worlds import economy, full_world, off_diagonal, outcome, random_shock, random_world

THETA = [2.5, 5.0, 11.0]


def permuted(e: Economy, regions, sectors) -> Economy:
    """The same economy with its labels in another order."""
    d, r = np.asarray(regions), np.asarray(sectors)
    three = np.ix_(r, d, d)
    return replace(
        e,
        regions=tuple(e.regions[i] for i in d),
        sectors=tuple(e.sectors[i] for i in r),
        theta=e.theta[r],
        pi=e.pi[three],
        X=e.X[np.ix_(r, d)],
        t=e.t[three],
        x=e.x[three],
        g=np.ascontiguousarray(e.g[np.ix_(r, r, d)]),
        omega=e.omega[np.ix_(r, d)],
        va=e.va[np.ix_(r, d)],
        alpha=e.alpha[np.ix_(r, d)],
        I=e.I[d],
        V=e.V[d],
        D=e.D[d],
        inventories=e.inventories[three],
    )


def permuted_shock(shock: TradeShock, regions, sectors) -> TradeShock:
    d, r = np.asarray(regions), np.asarray(sectors)
    three = np.ix_(r, d, d)
    return TradeShock(
        t=shock.t[three],
        x=shock.x[three],
        tau=shock.tau[three],
        embargo=shock.embargo[three],
        A=shock.A[np.ix_(r, d)],
        L=shock.L[d],
    )


def scaled(world: World, by: float) -> World:
    """The same table in another money unit."""
    return replace(
        world,
        Z=world.Z * by,
        F=world.F * by,
        V=world.V * by,
        T_inputs=world.T_inputs * by,
        T_final=world.T_final * by,
        atol=world.atol * by,
    )


def twins(theta=(4.0, 7.0)):
    """Two identical economies with two sectors, inputs and a tariff each."""
    half = np.array([[8.0, 2.0], [2.0, 8.0]])
    trade = np.stack([half, half[::-1, ::-1] * 1.5])
    t = off_diagonal(np.full((2, 2, 2), 0.1))
    g = np.repeat(np.array([[0.2, 0.1], [0.3, 0.25]])[:, :, None], 2, axis=2)
    border = (trade / (1 + t)).sum(2)
    use = np.einsum("rkd,kd->rd", g, border)
    final = trade.sum(1) - use
    return economy_from_shares(
        ["A", "B"],
        ["one", "two"],
        trade=trade,
        tariffs=t,
        inputs=g,
        value_added_shares=1 - g.sum(0),
        final_shares=final / final.sum(0),
        theta=np.array(theta),
    )


def test_twins_stay_twins():
    e = twins()
    assert e.base_gap < 1e-12
    t = off_diagonal(np.full((2, 2, 2), 0.35))
    tau = np.ones((2, 2, 2))
    tau[0] = [[1, 1.2], [1.2, 1]]
    state, w = outcome(e, replace(no_shock(e), t=t, tau=tau))
    np.testing.assert_allclose(state.w, 1, atol=1e-11)
    np.testing.assert_allclose(w.real_income[0], w.real_income[1], rtol=1e-12)
    np.testing.assert_allclose(state.P[:, 0], state.P[:, 1], rtol=1e-11)
    np.testing.assert_allclose(state.X[:, 0], state.X[:, 1], rtol=1e-11)
    np.testing.assert_allclose(state.D, 0, atol=1e-12)
    assert w.real_income[0] < 1 - 1e-3


def test_a_tariff_by_one_twin_raises_its_wage():
    e = twins()
    t = e.t.copy()
    t[:, 1, 0] = 0.3
    state, w = outcome(e, replace(no_shock(e), t=t))
    assert state.w[0] > 1 > state.w[1]
    mirrored = e.t.copy()
    mirrored[:, 0, 1] = 0.3
    other, v = outcome(e, replace(no_shock(e), t=mirrored))
    np.testing.assert_allclose(w.real_income, v.real_income[::-1], rtol=1e-11)
    np.testing.assert_allclose(state.w, other.w[::-1], rtol=1e-11)


@pytest.mark.parametrize("closure", ["world_share", "proportional", "balanced_first"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_shock_changes_nothing(seed, closure):
    """On a base re-solved under its own closure; nothing is lost to the base's own digits."""
    e = economy(full_world(seed, 4, 3), THETA)
    solved = solve_closure(e, no_shock(e), closure, 1e-11)
    hats = welfare(solved.economy, solved.base, solved.state)
    for values in (hats.real_income, hats.without_transfer, hats.real_wage, hats.price):
        np.testing.assert_allclose(values, 1, atol=2e-10)
    np.testing.assert_allclose(solved.state.pi, solved.base.pi, atol=2e-10)
    np.testing.assert_allclose(solved.state.Y, solved.base.Y, rtol=1e-9, atol=1e-9)
    split = welfare_split(solved.economy, no_shock(e), solved.base, solved.state)
    for term, values in split.items():
        np.testing.assert_allclose(values, 0, atol=2e-9, err_msg=term)
    shift = trade_shift(no_shock(e), solved.economy, solved.base, solved.state)
    for values in (shift.creation, shift.diversion, shift.other):
        np.testing.assert_allclose(values / shift.imports, 0, atol=2e-8)


def test_no_shock_under_zero_is_the_deficit_part_alone():
    e = economy(full_world(4, 4, 3), THETA)
    solved = solve_closure(e, no_shock(e), "zero", 1e-11)
    hats = welfare(e, solved.base, solved.state)
    np.testing.assert_allclose(hats.real_income - 1, solved.deficit_part, atol=1e-9)
    assert np.abs(solved.deficit_part).max() > 1e-3
    np.testing.assert_array_equal(solved.state.D, 0)


@pytest.mark.parametrize("closure", ["world_share", "proportional", "zero", "balanced_first"])
def test_money_units_do_not_matter(closure):
    world = full_world(5, 3, 3)
    shock = random_shock(np.random.default_rng(5), economy(world, THETA), 0.3)
    answers = []
    for by in (1.0, 1000.0, 1e-6):
        e = economy(scaled(world, by), THETA)
        solved = solve_closure(e, shock, closure, 1e-11)
        hats = welfare(solved.economy, solved.base, solved.state)
        split = welfare_split(solved.economy, shock, solved.base, solved.state)
        assert solved.certificate.passed
        answers.append(
            np.concatenate([hats.real_income, hats.price, *split.values(), solved.state.Y[0] / by])
        )
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("closure", ["world_share", "proportional", "zero"])
def test_the_order_of_labels_does_not_matter(closure):
    e = economy(full_world(6, 4, 3), THETA)
    shock = random_shock(np.random.default_rng(6), e, 0.4)
    one = solve_closure(e, shock, closure, 1e-12)
    d, r = [2, 0, 3, 1], [1, 2, 0]
    f = permuted(e, d, r)
    g = permuted_shock(shock, d, r)
    two = solve_closure(f, g, closure, 1e-12)
    np.testing.assert_allclose(two.state.w, one.state.w[d], rtol=1e-9)
    np.testing.assert_allclose(two.state.Y, one.state.Y[np.ix_(r, d)], rtol=1e-8, atol=1e-8)
    a = welfare_split(e, shock, one.base, one.state)
    b = welfare_split(f, g, two.base, two.state)
    for term in a:
        np.testing.assert_allclose(b[term], a[term][d], atol=1e-10, err_msg=term)
    x, y = trade_shift(shock, e, one.base, one.state), trade_shift(g, f, two.base, two.state)
    np.testing.assert_allclose(y.creation, x.creation[d], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(y.diversion, x.diversion[d], rtol=1e-7, atol=1e-7)


def test_reported_numbers_are_free_of_the_numeraire():
    """Multiplying wages, prices and money by anything leaves hats and real flows alone."""
    e = economy(full_world(7, 3, 3), THETA)
    shock = random_shock(np.random.default_rng(7), e, 0.4)
    solution = solve(e, shock, tol=1e-12)
    state = new_state(e, shock, solution)
    k = 3.7
    other = new_state(
        e,
        shock,
        replace(
            solution,
            w=solution.w * k,
            P=solution.P * k,
            X=solution.X * k,
            deficits=solution.deficits * k,
        ),
    )
    live = e.X > 0
    a, b = welfare(e, base_state(e), state), welfare(e, base_state(e), other)
    np.testing.assert_allclose(b.real_income, a.real_income, rtol=1e-10)
    np.testing.assert_allclose(b.without_transfer, a.without_transfer, rtol=1e-10)
    np.testing.assert_allclose(b.real_wage, a.real_wage, rtol=1e-10)
    np.testing.assert_allclose(other.pi, state.pi, rtol=1e-12)
    np.testing.assert_allclose((other.Y / other.c)[live], (state.Y / state.c)[live], rtol=1e-10)
    # Every equation but the numeraire's own still holds.
    checks = {c.equation: c.miss for c in certify(e, shock, other).checks}
    assert checks.pop("numeraire") > 1
    checks.pop("zero profits")
    assert max(checks.values()) < 1e-9
    sums = [sum(welfare_split(e, shock, base_state(e), s).values()) for s in (state, other)]
    np.testing.assert_allclose(sums[0], sums[1], atol=1e-10)


@pytest.mark.parametrize("seed", [8, 9])
def test_closures_follow_their_formulas_and_sum_to_zero(seed):
    e = economy(full_world(seed, 4, 2), [4.0, 6.0])
    shock = random_shock(np.random.default_rng(seed), e, 0.4)
    V = {}
    for closure in ("world_share", "proportional", "zero", "balanced_first"):
        solved = solve_closure(e, shock, closure, 1e-12)
        s = solved.state
        V[closure] = s.V
        assert abs(s.D.sum()) < 1e-10 * s.V.sum()
        if closure == "world_share":
            np.testing.assert_allclose(s.D, e.D * s.V.sum() / e.V.sum(), rtol=1e-9)
        elif closure == "proportional":
            whole = sum(e.D[j] * s.V[j] / e.V[j] for j in range(4))
            expected = [e.D[d] * s.V[d] / e.V[d] - s.V[d] / s.V.sum() * whole for d in range(4)]
            np.testing.assert_allclose(s.D, expected, rtol=1e-9, atol=1e-9)
        else:
            np.testing.assert_array_equal(s.D, 0)
        flows = off_diagonal(s.border + solved.economy.inventories * s.c[:, :, None])
        gap = flows.sum((0, 1)) - flows.sum((0, 2)) - s.D
        np.testing.assert_allclose(gap / s.V, 0, atol=1e-9)
    assert np.abs(V["world_share"] / V["zero"] - 1).max() > 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_the_balanced_base_is_a_base(seed):
    """Deficits set to zero first: balanced trade, its own equations, no shock does nothing."""
    from entrepot.equilibrium.economy import base_gap

    e = balanced(economy(full_world(seed, 3, 3), THETA), 1e-11)
    assert base_gap(e) < 1e-9
    trade = off_diagonal(e.N * (1 + e.x) + e.inventories)
    np.testing.assert_allclose((trade.sum((0, 1)) - trade.sum((0, 2))) / e.V, 0, atol=1e-9)
    _, w = outcome(e, no_shock(e), "none")
    np.testing.assert_allclose(w.real_income, 1, atol=1e-9)


@pytest.mark.parametrize("closure", ["world_share", "proportional", "zero", "balanced_first"])
@pytest.mark.parametrize("inventories", [0.0, 0.3])
def test_the_counterfactual_world_balances_and_keeps_the_state(closure, inventories):
    world = full_world(10, 3, 3, inventories=inventories)
    e = economy(world, THETA)
    shock = random_shock(np.random.default_rng(10), e, 0.3, ("t", "tau", "x"))
    solved = solve_closure(e, shock, closure, 1e-11)
    after = counterfactual_world(world, solved.economy, solved.state, {"scenario": "test"})
    assert np.abs(after.slack).max() < 1e-8 * after.x.max()
    f = economy(after, THETA)
    np.testing.assert_allclose(f.X, solved.state.X, rtol=1e-8)
    np.testing.assert_allclose(f.V, solved.state.V, rtol=1e-8)
    np.testing.assert_allclose(f.I, solved.state.I, rtol=1e-8)
    np.testing.assert_allclose(f.D, solved.state.D, atol=1e-8 * f.V.sum())
    np.testing.assert_allclose(f.pi, solved.state.pi, atol=1e-9)
    np.testing.assert_allclose(f.omega, e.omega, atol=1e-8)
    _, w = outcome(f, no_shock(f), "world_share", tol=1e-10)
    np.testing.assert_allclose(w.real_income, 1, atol=1e-8)


@pytest.mark.parametrize("closure", ["world_share"])
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_what_is_done_can_be_undone(seed, closure):
    """From the counterfactual World, the opposite shock leads back to the start."""
    world = full_world(seed, 3, 3)
    e = economy(world, THETA)
    shock = random_shock(np.random.default_rng(seed), e, 0.3, ("t", "x", "tau", "A", "L"))
    solved = solve_closure(e, shock, closure, 1e-11)
    hats = welfare(e, solved.base, solved.state).real_income
    after = counterfactual_world(world, e, solved.state, {"scenario": "test"})
    f = economy(after, THETA)
    back = TradeShock(
        t=e.t, x=e.x, tau=1 / shock.tau, embargo=shock.embargo, A=1 / shock.A, L=1 / shock.L
    )
    again = solve_closure(f, back, closure, 1e-11)
    undone = welfare(f, again.base, again.state).real_income
    np.testing.assert_allclose(hats * undone, 1, rtol=1e-8)
    np.testing.assert_allclose(again.state.X, e.X, rtol=1e-7)
    there = counterfactual_world(after, f, again.state, {"scenario": "back"})
    np.testing.assert_allclose(there.x, world.x, rtol=1e-7)
    np.testing.assert_allclose(there.V, world.V, rtol=1e-6, atol=1e-7 * world.V.max())
    np.testing.assert_allclose(there.T_inputs, world.T_inputs, atol=1e-7 * world.x.max())
    there_final = there.T_final[:, : world.T_final.shape[1]]
    np.testing.assert_allclose(there_final, world.T_final, atol=1e-7 * world.x.max())
    assert there.T_final.sum() == pytest.approx(world.T_final.sum(), rel=1e-7)


def test_two_half_steps_are_one_step():
    """Path independence: a shock in two parts through result.world equals the whole."""
    world = random_world(14, 3, 3, tariffs=0.2, product_taxes=0.1)
    e = economy(world, THETA)
    whole = random_shock(np.random.default_rng(14), e, 0.4, ("t", "tau", "A"))
    first = replace(whole, t=e.t, A=np.ones_like(whole.A))
    _, direct = outcome(e, whole)
    half, one = outcome(e, first)
    f = economy(counterfactual_world(world, e, half, {"scenario": "half"}), THETA)
    _, two = outcome(f, replace(no_shock(f), t=whole.t, A=whole.A))
    np.testing.assert_allclose(one.real_income * two.real_income, direct.real_income, rtol=1e-8)


def test_merging_identical_sectors_changes_nothing():
    """Two sectors that are copies of one another answer as one with the same elasticity."""
    world = random_world(15, 3, 1, tariffs=0.2)
    e = economy(world, 5.0)
    rng = np.random.default_rng(15)
    shock = random_shock(rng, e, 0.4)
    _, one = outcome(e, shock)
    double = economy_from_shares(
        e.regions,
        ["a", "b"],
        trade=np.repeat(e.pi * e.X[:, None, :], 2, axis=0) / 2,
        tariffs=np.repeat(e.t, 2, axis=0),
        inputs=np.repeat(np.repeat(e.g * (1 + e.omega), 2, axis=0), 2, axis=1) / 2,
        value_added_shares=np.repeat(e.va, 2, axis=0),
        final_shares=np.repeat(e.alpha, 2, axis=0) / 2,
        theta=np.array([5.0, 5.0]),
    )
    if np.abs(e.omega).max() < 1e-12:
        pytest.fail("the world was meant to hold duties inside its product taxes")
    single = economy_from_shares(
        e.regions,
        ["a"],
        trade=e.pi * e.X[:, None, :],
        tariffs=e.t,
        inputs=e.g * (1 + e.omega),
        value_added_shares=e.va,
        final_shares=e.alpha,
        theta=np.array([5.0]),
    )
    shock_one = replace(no_shock(single), t=shock.t, tau=shock.tau)
    still = replace(
        no_shock(double), t=np.repeat(shock.t, 2, axis=0), tau=np.repeat(shock.tau, 2, axis=0)
    )
    a = balanced(single, 1e-12)
    b = balanced(double, 1e-12)
    _, one = outcome(a, shock_one, "none")
    _, two = outcome(b, still, "none")
    np.testing.assert_allclose(one.real_income, two.real_income, rtol=1e-9)
