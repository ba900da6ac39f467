"""A table brought to targets: what is asked holds, what is not asked moves as little as it must."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.core.errors import InfeasibleError, WorldError
from entrepot.core.tables import Margin
from entrepot.world.audit import audit, raw_of
from entrepot.world.build import build
from entrepot.world.rebalance import rebalance
from worlds import full_world, random_world


@pytest.fixture
def raw():
    table = raw_of(full_world(4, 4, 3))
    part = np.abs(table.V[0]) * 0.05
    return replace(
        table,
        V=np.stack([0.7 * (table.V[0] - part), 0.3 * (table.V[0] - part)]),
        value_added_categories=("labour", "capital"),
        margins={"transport": Margin(part, np.ones_like(table.T_final))},
        satellites={},
    )


def balanced(table, rtol=1e-8):
    np.testing.assert_allclose(table.sales, table.costs, rtol=rtol)
    return audit(table).passed


def test_a_balanced_table_is_left_as_it_is(raw):
    done = rebalance(raw)
    np.testing.assert_array_equal(done.table.Z, raw.Z)
    assert done.solution.moved.total == 0


@pytest.mark.parametrize("method", ["gras", "least_squares"])
def test_without_targets_costs_rule(raw, method):
    spoilt = replace(raw, V=raw.V * np.array([[1.03], [0.99]]))
    done = rebalance(spoilt, method=method)
    assert balanced(done.table)
    np.testing.assert_array_equal(done.table.V, spoilt.V)
    np.testing.assert_allclose(done.table.Z.sum(0), spoilt.Z.sum(0), rtol=1e-8)
    np.testing.assert_allclose(done.table.sales, spoilt.costs, rtol=1e-8)


@pytest.mark.parametrize("method", ["gras", "least_squares"])
def test_target_outputs_are_met_and_closing_rows_follow(raw, method):
    rng = np.random.default_rng(1)
    target = raw.sales * rng.uniform(0.95, 1.06, len(raw.sales))
    done = rebalance(raw, output=target, method=method)
    assert balanced(done.table)
    np.testing.assert_allclose(done.table.sales, target, rtol=1e-8)
    share = done.table.V[0] / done.table.V.sum(0)
    assert np.abs(share - 0.7).max() < (1e-9 if method == "gras" else 0.05)
    assert 0 < done.solution.moved.share < 0.15


def test_value_added_and_final_use_targets_are_met(raw):
    target = raw.sales * 1.05
    added = np.full(len(target), np.nan)
    added[[0, 5]] = raw.V.sum(0)[[0, 5]] * 1.2
    final = np.full(4, np.nan)
    final[2] = raw.F.sum((0, 2))[2] * 1.1
    done = rebalance(raw, output=target, value_added=added, final_use=final)
    assert balanced(done.table)
    np.testing.assert_allclose(done.table.V.sum(0)[[0, 5]], added[[0, 5]], rtol=1e-12)
    np.testing.assert_allclose(done.table.V[0, 0] / done.table.V[:, 0].sum(), 0.7)
    np.testing.assert_allclose(done.table.F[:, 2].sum(), final[2], rtol=1e-9)
    np.testing.assert_allclose(done.table.F[:, 2].sum(0) / raw.F[:, 2].sum(0), 1.1, rtol=1e-8)


def test_open_outputs_keep_their_costs(raw):
    target = np.full(len(raw.sales), np.nan)
    target[3] = raw.sales[3] * 1.1
    done = rebalance(raw, output=target)
    want = raw.costs.copy()
    want[3] = target[3]
    np.testing.assert_allclose(done.table.sales, want, rtol=1e-8)


@pytest.mark.parametrize("method", ["ras", "gras", "least_squares"])
def test_a_doubled_economy_is_a_doubled_table(method):
    """Where no cell is negative; GRAS treats negative cells the other way round."""
    raw = raw_of(random_world(4, 4, 3))
    done = rebalance(raw, output=2 * raw.sales, final_use=2 * raw.F.sum(0), method=method)
    np.testing.assert_allclose(done.table.Z, 2 * raw.Z, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(done.table.V, 2 * raw.V, rtol=1e-7)


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_signs_and_zeros_are_kept(seed):
    rng = np.random.default_rng(seed)
    raw = raw_of(full_world(seed % 60, 3, 3, density=0.7))
    done = rebalance(raw, output=raw.sales * rng.uniform(0.97, 1.03, 9))
    for name in ("Z", "F"):
        old, new = getattr(raw, name), getattr(done.table, name)
        assert (np.sign(new) == np.sign(old)).all()
    np.testing.assert_allclose(done.table.sales, done.table.costs, rtol=1e-7)


def test_contradictions_are_proven_and_named(raw):
    with pytest.raises(InfeasibleError) as caught:
        rebalance(raw, output=raw.sales, value_added=raw.sales * 1.2)
    assert "R0" in str(caught.value)
    with pytest.raises(InfeasibleError):
        rebalance(raw, output=raw.sales, value_added=raw.V.sum(0), final_use=5 * raw.F.sum(0))


@pytest.mark.parametrize(
    ("targets", "match"),
    [
        ({"output": [1.0]}, "output has shape"),
        ({"output": np.full(12, np.inf)}, "not finite"),
        ({"final_use": np.ones((3, 1))}, "final_use has shape"),
        ({"method": "magic"}, "method is 'magic'"),
    ],
)
def test_bad_targets(raw, targets, match):
    with pytest.raises(WorldError, match=match):
        rebalance(raw, **targets)


def test_the_world_after_can_be_built():
    raw = raw_of(random_world(1, 3, 2))
    done = rebalance(raw, output=raw.sales * 1.01)
    np.testing.assert_allclose(build(done.table).x, raw.sales * 1.01, rtol=1e-8)
    where, before, after = done.largest()[0]
    assert " to " in where
    assert before != after
