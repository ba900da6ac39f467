"""The engine against the independent slow solver on random worlds with everything in them."""

import numpy as np
import pytest
from slow import base_of_world, slow_solve

from worlds import economy, full_world, outcome, random_shock, random_world

CLOSURES = ("world_share", "proportional", "none")


def largest_gap(e, state, w, slow):
    live = e.X > 0
    logs = [
        np.log(state.w / slow["w"]),
        np.log(state.P / slow["P"])[live],
        np.log(state.c / slow["c"]),
        np.log(state.X[live] / slow["X"][live]),
        np.log(state.I / slow["I"]),
        np.log(w.real_income / slow["real_income"]),
        (state.pi - slow["pi"])[:, :, :] * live[:, None, :],
        (state.D - slow["D"]) / e.V,
        (state.Y - slow["Y"]) / e.Y.sum(0),
    ]
    return max(float(np.abs(x).max()) for x in logs)


def compare(world, theta, size, closure, seed, rules=None, tolerance=1e-7, shares=(1.0,)):
    rules = rules or {}
    e = economy(world, theta, **rules)
    b = base_of_world(world, np.asarray(theta, float), **rules)
    shock = random_shock(np.random.default_rng(seed), e, size)
    state, w = outcome(e, shock, closure)
    slow = slow_solve(b, shock, closure, shares)
    assert largest_gap(e, state, w, slow) < tolerance
    assert np.abs(w.real_income - 1).max() > 1e-5


@pytest.mark.parametrize("seed", range(45))
def test_equal_on_worlds_with_everything(seed):
    rng = np.random.default_rng(5000 + seed)
    n, s = int(rng.integers(2, 6)), int(rng.integers(1, 5))
    density = 1.0 if n < 4 else 0.7
    world = full_world(
        seed,
        n,
        s,
        density=density,
        empty=int(rng.integers(0, 2)) if s > 1 else 0,
        dead_sector=seed % 7 == 3,
        in_value_added=seed % 5 == 0,
    )
    theta = np.exp(rng.uniform(np.log(0.39), np.log(12), s))
    compare(world, theta, float(rng.choice([0.05, 0.3])), CLOSURES[seed % 3], seed)


@pytest.mark.parametrize("seed", range(6))
def test_equal_with_product_taxes_counted_as_value_added(seed):
    world = full_world(200 + seed, 3, 2)
    compare(world, [3.0, 6.0], 0.3, CLOSURES[seed % 3], seed, {"taxes": "in_value_added"})


@pytest.mark.parametrize("theta", [[20.0, 20.0], [5.0, 65.0], [0.39, 65.0]])
def test_equal_at_high_elasticities(theta):
    world = full_world(300, 3, 2)
    compare(world, theta, 0.1, "world_share", 3, tolerance=1e-6, shares=(0.25, 0.5, 0.75, 1.0))


@pytest.mark.parametrize("seed", range(4))
def test_equal_after_large_shocks(seed):
    world = random_world(400 + seed, 3, 2, tariffs=0.1)
    compare(world, [4.0, 5.0], 1.5, CLOSURES[seed % 2], seed, shares=(0.25, 0.5, 0.75, 1.0))


def test_the_slow_solver_is_its_own_judge():
    """No shock: the slow calibration satisfies the slow equations at once."""
    for seed in range(5):
        world = full_world(500 + seed, 3, 3)
        e = economy(world, 5.0)
        b = base_of_world(world, np.full(3, 5.0))
        from entrepot.equilibrium.shock import no_shock

        out = slow_solve(b, no_shock(e))
        np.testing.assert_allclose(out["real_income"], 1, atol=1e-9)
        np.testing.assert_allclose(out["I"], e.I, rtol=1e-9)
        np.testing.assert_allclose(b.D, e.D, atol=1e-9 * e.V.sum())
        np.testing.assert_allclose(b.omega, e.omega, atol=1e-12)
        np.testing.assert_allclose(b.va, e.va, atol=1e-12)
