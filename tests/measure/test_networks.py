"""Centralities against walks and powers written out, and where they have no meaning."""

import numpy as np
import pytest

from entrepot.measure.accounts import accounts_of
from entrepot.measure.measurement import take
from entrepot.measure.networks import between_economies
from worlds import full_world, random_world


def values(world, name, **options):
    return take(world, name, **options).items[0].values


def test_domar_weights_are_output_taken_by_demand():
    world = full_world(0, n=3, s=2)
    expected = world.x.reshape(3, 2) / world.F.sum()
    np.testing.assert_allclose(values(world, "domar_weight"), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_influence_by_its_equation(seed):
    world = random_world(seed, n=4, s=2)
    m = 8
    bought = world.Z.sum(0)
    W = world.Z / bought
    alpha = 1 - bought.sum() / world.x.sum()
    expected = alpha / m * np.linalg.inv(np.eye(m) - (1 - alpha) * W) @ np.ones(m)
    found = values(world, "influence").ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert found.sum() == pytest.approx(1, abs=1e-10)
    np.testing.assert_allclose(values(world, "weighted_outdegree").ravel(), W.sum(1), rtol=1e-12)


@pytest.mark.parametrize("empty", [0, 2])
def test_pagerank_is_what_the_surfer_visits(empty):
    world = full_world(3, n=4, s=3, empty=empty)
    x, m = world.x, 12
    bought = np.where(x > 0, world.Z.sum(0), 0)
    start = (x > 0) / (x > 0).sum()
    P = np.zeros((m, m))  # column: from where, row: to where
    for j in range(m):
        link = world.Z[:, j] / bought[j] if bought[j] > 0 else start
        P[:, j] = 0.85 * link + 0.15 * start
    at = start
    for _ in range(2000):
        at = P @ at
    np.testing.assert_allclose(values(world, "pagerank").ravel(), at, rtol=1e-9, atol=1e-15)


def test_eigenvector_is_a_fixed_point():
    world = full_world(1, n=5, s=2)
    M = between_economies(accounts_of(world))
    np.fill_diagonal(M, 0)
    found = values(world, "eigenvector_centrality")
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()
    np.testing.assert_allclose(M @ found / (M @ found).sum(), found, rtol=1e-9)


def test_walks_by_hand_on_three_economies():
    """First passage times solved one target at a time; passes counted along many steps."""
    world = full_world(2, n=3, s=2)
    flows = between_economies(accounts_of(world))
    M = flows / flows.sum(1, keepdims=True)
    nearness, passes = np.zeros(3), np.zeros(3)
    for t in range(3):
        kept = M.copy()
        kept[:, t] = 0
        kept[t] = 0
        steps = np.zeros((3, 3))  # expected visits of i (column) from s (row)
        power = np.eye(3)
        for _ in range(4000):
            steps += power
            power = power @ kept
        steps[t] = steps[:, t] = 0
        nearness[t] = 3 / steps.sum()
        for s in range(3):
            if s != t:
                N = steps[s][:, None] * kept
                passes += (N.sum(1) + N.sum(0)) / 2
    np.testing.assert_allclose(values(world, "random_walk_centrality"), nearness, rtol=1e-9)
    np.testing.assert_allclose(values(world, "counting_betweenness"), passes / 6, rtol=1e-9)


def test_two_economies_wait_for_the_walker_to_leave():
    # With probability q to leave, first passage takes 1 / q steps: n over the sum is 2 q.
    world = random_world(1, n=2, s=2)
    flows = between_economies(accounts_of(world))
    leave = [flows[0, 1] / flows[0].sum(), flows[1, 0] / flows[1].sum()]
    expected = [2 * leave[1], 2 * leave[0]]
    np.testing.assert_allclose(values(world, "random_walk_centrality"), expected)


def test_absent_where_economies_are_apart():
    world = random_world(5, n=3, s=2, density=0.0)
    for name in ("eigenvector_centrality", "random_walk_centrality", "counting_betweenness"):
        item = take(world, name).items[0]
        assert np.isnan(item.values).all()
        assert "does not lead" in item.why_absent


def test_strength_counts_each_flow_twice():
    world = full_world(4, n=3, s=2)
    sold, bought = np.moveaxis(values(world, "strength"), -1, 0)
    between = world.Z.sum() - np.trace(world.Z)
    assert sold.sum() == pytest.approx(between)
    assert bought.sum() == pytest.approx(between)
