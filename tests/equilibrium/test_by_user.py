"""Sourcing by user: the base is the table cell by cell, and by sector is its case of equal mixes."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.core.errors import InfeasibleError, WorldError
from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.counterfactual import counterfactual_world
from entrepot.equilibrium.economy import base_gap
from entrepot.equilibrium.outcome import base_state, certify, new_state
from entrepot.equilibrium.path import path_split
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import trade_shift, welfare, welfare_split
from entrepot.world.shelf import load_world
from entrepot.world.world import identity_gaps
from worlds import off_diagonal, random_world

THETA = np.array([4.0, 6.0, 3.0])
MESSY = {
    "density": 0.8,
    "empty": 1,
    "product_taxes": 0.08,
    "tariffs": 0.2,
    "export_taxes": 0.05,
    "categories": 3,
}


def proportional(world):
    """The same table with every user of a product in a region sourcing alike."""
    n, s, c = len(world.regions), len(world.sectors), len(world.final_categories)
    Z, F = world.Z.reshape(n, s, n, s), world.F.reshape(n, s, n, c)
    total = Z.sum(3) + F.sum(3)
    whole = total.sum(0)
    mix = np.divide(total, whole, out=np.zeros_like(total), where=whole > 0)
    return replace(
        world,
        Z=(mix[..., None] * Z.sum(0)).reshape(n * s, n * s),
        F=(mix[..., None] * F.sum(0)).reshape(n * s, n, c),
    )


def answer(world, sourcing, shock=None, closure="world_share", theta=THETA, **more):
    e = calibrate(world, theta, sourcing=sourcing, **more)
    shock = no_shock(e) if shock is None else shock
    state = new_state(e, shock, solve(e, shock, closure=closure, tol=1e-12))
    certificate = certify(e, shock, state, tolerance=1e-9)
    assert certificate.passed, certificate.worst
    return e, base_state(e), state


def some_shock(e, seed=3):
    rng = np.random.default_rng(seed)
    wide = off_diagonal(np.ones(e.t.shape))
    return replace(
        no_shock(e),
        t=e.t + 0.2 * wide * rng.random(e.t.shape),
        tau=np.exp(wide * rng.normal(0, 0.1, e.t.shape)),
        A=np.exp(rng.normal(0, 0.1, e.va.shape)),
    )


@pytest.mark.parametrize("closure", ["world_share", "proportional"])
@pytest.mark.parametrize("sourcing", ["by_use", "by_user"])
def test_on_a_proportional_table_every_sourcing_gives_the_same(sourcing, closure):
    world = proportional(random_world(11, 4, 3, **MESSY))
    e = calibrate(world, THETA)
    shock = some_shock(e)
    _, base, one = answer(world, "by_sector", shock, closure)
    f, other_base, other = answer(world, sourcing, shock, closure)
    np.testing.assert_allclose(other.w, one.w, rtol=1e-9)
    np.testing.assert_allclose(other.Y, one.Y, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(other.border, one.border, rtol=1e-8, atol=1e-9)
    want, got = welfare(e, base, one), welfare(f, other_base, other)
    np.testing.assert_allclose(got.real_income, want.real_income, rtol=1e-9)
    split = welfare_split(e, shock, base, one)
    for term, value in welfare_split(f, shock, other_base, other).items():
        np.testing.assert_allclose(value, split[term], atol=1e-9, err_msg=term)
    shift = trade_shift(shock, e, base, one)
    np.testing.assert_allclose(
        trade_shift(shock, f, other_base, other).diversion, shift.diversion, atol=1e-7
    )


def test_without_proportionality_the_answers_differ():
    world = random_world(11, 4, 3, **MESSY)
    shock = some_shock(calibrate(world, THETA))
    one, two = (answer(world, s, shock)[2].w for s in ("by_sector", "by_user"))
    assert np.abs(one / two - 1).max() > 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_without_a_shock_the_world_by_user_is_the_table_cell_by_cell(seed):
    world = random_world(seed, 4, 3, inventories=0.3, **MESSY)
    e, _, state = answer(world, "by_user")
    after = counterfactual_world(world, e, state, {})
    size = world.x.max()
    np.testing.assert_allclose(after.Z, world.Z, rtol=1e-9, atol=1e-10 * size)
    np.testing.assert_allclose(after.F, world.F, rtol=1e-9, atol=1e-10 * size)
    np.testing.assert_allclose(after.T_inputs, world.T_inputs, rtol=1e-8, atol=1e-9 * size)
    np.testing.assert_allclose(after.T_final, world.T_final, rtol=1e-8, atol=1e-9 * size)
    np.testing.assert_allclose(after.V.sum(0), world.V.sum(0), rtol=1e-8, atol=1e-9 * size)
    assert after.final_categories == world.final_categories


def test_a_counterfactual_world_by_user_is_a_base_that_solves_back():
    """There and back again, with the counterfactual table calibrated anew."""
    world = random_world(5, 4, 3, **(MESSY | {"density": 1.0, "empty": 0}))
    e = calibrate(world, THETA, sourcing="by_user")
    shock = replace(no_shock(e), tau=np.exp(off_diagonal(np.full(e.t.shape, -0.1))))
    _, base, state = answer(world, "by_user", shock)
    after = counterfactual_world(world, e, state, {})
    f = calibrate(after, THETA, sourcing="by_user")
    assert base_gap(f) < 1e-9
    back = replace(no_shock(f), tau=1 / shock.tau)
    again = new_state(f, back, solve(f, back, tol=1e-12))
    there, home = welfare(e, base, state), welfare(f, base_state(f), again)
    np.testing.assert_allclose(there.real_income * home.real_income, 1, rtol=1e-8)


def test_world_2019_g20_by_user_is_the_table_with_its_taxes():
    world = load_world("world-2019-g20")
    assert np.abs(world.T_inputs).sum() > 1e6  # net product taxes
    e, _, state = answer(world, "by_user", theta=np.full(len(world.sectors), 5.0))
    after = counterfactual_world(world, e, state, {})
    for name in ("Z", "F", "T_inputs", "T_final"):
        np.testing.assert_allclose(
            getattr(after, name), getattr(world, name), rtol=1e-8, atol=1e-3, err_msg=name
        )
    np.testing.assert_allclose(after.V.sum(0), world.V.sum(0), rtol=1e-8, atol=1e-3)


def test_a_tariff_on_one_user_falls_on_that_user():
    """Duty on inputs of one sector only: its own imports fall, and revenue is what it pays."""
    world = random_world(8, 3, 3, categories=2)
    e = calibrate(world, THETA, sourcing="by_user")
    s, n, m = e.pi.shape
    t = np.zeros((s, n, m))
    t[:, 1, 0 * n + 0] = 0.5  # sector 0 of region 0, from region 1
    shock = replace(no_shock(e), t=t)
    state = new_state(e, shock, solve(e, shock, tol=1e-12))
    assert certify(e, shock, state, tolerance=1e-9).passed
    share = np.divide(state.pi, e.pi, out=np.full(e.pi.shape, np.nan), where=e.pi > 0)
    share = share.reshape(s, n, -1, n)[:, 1, :, 0]
    assert np.nanmax(share[:, 0]) < 0.5
    assert np.nanmin(share[:, 1:]) > 0.9
    spent = (state.pi * state.X[:, None])[:, 1, 0]
    assert state.tariff_revenue[0] == pytest.approx((spent * 0.5 / 1.5).sum())
    split = welfare_split(e, shock, base_state(e), state)
    assert abs(split["higher_order"]).max() < 0.02
    path = path_split(e, shock, state)
    assert abs(path.left_over).max() < 1e-8
    after = counterfactual_world(world, e, state, {})
    assert not identity_gaps(after)
    rates = after.satellites["tariffs"].values
    assert ((rates[:, 1, 0] > 0) == (e.pi[:, 1, 0] > 0)).all()
    assert (rates < 0.5).all()
    paid = (rates * state.border).sum()
    assert paid == pytest.approx(state.tariff_revenue.sum())


def test_an_embargo_names_the_user_left_without_a_supplier():
    world = random_world(8, 3, 3, categories=2)
    e = calibrate(world, THETA, sourcing="by_user")
    embargo = np.zeros(e.pi.shape, bool)
    embargo[1, :, 3 * 3 + 2] = True  # sector 1 to the first final-use category of the last region
    with pytest.raises(InfeasibleError, match=f"1 buyer.*'R02 S1 .{world.final_categories[0]}.'"):
        solve(e, replace(no_shock(e), embargo=embargo))


def test_netted_stocks_come_off_final_sales_and_the_base_holds():
    world = random_world(2, 3, 3, inventories=0.3, categories=3)
    for sourcing in ("by_sector", "by_use", "by_user"):
        e, *_ = answer(world, sourcing, inventories="netted")
        assert not e.inventories.any()
        np.testing.assert_allclose(e.Y.T.ravel(), world.x, rtol=1e-9)


def test_an_unknown_sourcing_is_refused():
    with pytest.raises(WorldError, match="by_sector, by_use or by_user"):
        calibrate(random_world(1), THETA[:2], sourcing="by_country")
