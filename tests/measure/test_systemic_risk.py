"""Systemic risk: published numbers, plain iteration taken to its end, closed cases, refusals."""

import numpy as np
import pytest
from scipy.optimize import linprog

from entrepot.core.errors import NotConvergedError, WorldError
from entrepot.measure.cascade import cascade, settle
from entrepot.measure.systemic_risk import essential_inputs, systemic_risk, world_systemic_risk
from worlds import random_world

# Supplier, buyer, weight; firms 1 to 8 in sectors 1 1 2 2 3 3 4 4.
EDGES = (
    (1, 3, 10), (2, 3, 5), (1, 4, 4), (2, 4, 6), (3, 5, 12), (4, 5, 6), (3, 6, 3),
    (4, 6, 9), (5, 7, 20), (6, 7, 5), (6, 8, 8), (2, 8, 2), (4, 8, 1),
)  # fmt: skip
INDEX = (
    0.5277167277, 0.4722832723, 0.5119047619, 0.4661172161,
    0.5906593407, 0.3695054945, 0.7327768385, 0.2672231615,
)  # fmt: skip


def eight_firms():
    W = np.zeros((8, 8))
    for seller, buyer, weight in EDGES:
        W[seller - 1, buyer - 1] = weight
    kind = np.full((4, 4), 2)
    kind[0, 3] = kind[0, 2] = 1
    kind[1, 3] = 0
    return W, np.array([0, 0, 1, 1, 2, 2, 3, 3]), kind


def plainly(W, sector, kind, psi, *, size=None, replaceable=False, steps=4000):
    """The equations as printed, one shock, one node and one sector at a time, from h = 1."""
    n = len(W)
    s = W.sum(1) if size is None else size
    total = W.sum(0)
    down, up = np.ones(n), np.ones(n)
    members = [np.flatnonzero(sector == k) for k in range(len(kind))]
    for _ in range(steps):
        sigma = np.ones(n)
        if replaceable:
            for j in range(n):
                left = (s * down)[members[sector[j]]].sum()
                sigma[j] = 1.0 if left <= s[j] else s[j] / left
        short = sigma * (1 - down)
        new, new_up = psi.copy(), psi.copy()
        for i in range(n):
            for k, rows in enumerate(members):
                if kind[k, sector[i]] == 2 and W[rows, i].sum() > 0:
                    new[i] = min(new[i], 1 - W[rows, i] @ short[rows] / W[rows, i].sum())
            other = kind[sector, sector[i]] == 1
            if total[i] > 0:
                new[i] = min(new[i], 1 - W[other, i] @ short[other] / total[i])
            if s[i] > 0:
                new_up[i] = min(psi[i], 1 - W[i] @ (1 - up) / s[i])
        moved = max(abs(new - down).max(), abs(new_up - up).max())
        down, up = new, new_up
        if moved < 1e-15:
            break
    return down, up, float(s @ (1 - np.minimum(down, up)) / s.sum())


def by_linear_program(W, sector, kind, psi, size):
    """The smallest losses above every line of the equations, without replacement.

    The least solution of a monotone system is its least upper solution (Tarski),
    so minimising the sum of losses over all of those finds it, however slowly
    iteration would.
    """
    n = len(W)
    lines, links = [], []
    for i in range(n):
        for k in range(len(kind)):
            row = np.where(sector == k, W[:, i], 0.0)
            if kind[k, sector[i]] == 2 and row.sum() > 0:
                lines.append(row / row.sum() - np.eye(n)[i])
        other = np.where(kind[sector, sector[i]] == 1, W[:, i], 0.0)
        if W[:, i].sum() > 0:
            lines.append(other / W[:, i].sum() - np.eye(n)[i])
        if size[i] > 0:
            links.append(W[i] / size[i] - np.eye(n)[i])
    out = []
    for rows in (lines, links):
        limits = np.column_stack([1 - psi, np.ones(n)])
        found = linprog(np.ones(n), np.array(rows), np.zeros(len(rows)), bounds=limits)
        assert found.status == 0
        out.append(1 - found.x)
    down, up = out
    return down, up, float(size @ (1 - np.minimum(down, up)) / size.sum())


def random_network(seed, n=14, sectors=4, density=0.35, leak=0.0):
    rng = np.random.default_rng(seed)
    W = rng.gamma(1, 1, (n, n)) * (rng.random((n, n)) < density)
    sector = rng.integers(0, sectors, n)
    kind = rng.integers(0, 3, (sectors, sectors))
    size = W.sum(1) + leak * rng.random(n) * (1 + W.sum(1))
    return W, sector, kind, size


def test_eight_firms_have_the_published_index():
    risk = systemic_risk(*eight_firms())
    np.testing.assert_allclose(risk.esri, INDEX, atol=5.1e-11)
    assert (risk.error <= 1e-8).all()


def test_eight_firms_with_replaceable_suppliers():
    risk = systemic_risk(*eight_firms(), replaceable=True)
    expected = np.array(INDEX)
    expected[[1, 2]] = 0.4325391254, 0.5005151099
    np.testing.assert_allclose(risk.esri, expected, atol=5.1e-11)


def test_partial_shocks_of_eight_firms():
    psi = np.ones((2, 8))
    psi[0, 0] = 0.7
    psi[1, 2:4] = 0.5, 0.8
    risk = systemic_risk(*eight_firms(), replaceable=True, shocks=psi)
    np.testing.assert_allclose(risk.esri, (0.0989519836, 0.3177439145), atol=5.1e-11)


def test_the_order_of_nodes_and_batches_do_not_matter():
    W, sector, kind = eight_firms()
    order = np.random.default_rng(1).permutation(8)
    mixed = systemic_risk(W[np.ix_(order, order)], sector[order], kind, keep=True)
    plain = systemic_risk(W, sector, kind, keep=True)
    np.testing.assert_allclose(mixed.esri, plain.esri[order], atol=1e-12)
    np.testing.assert_allclose(mixed.h_down, plain.h_down[np.ix_(order, order)], atol=1e-12)
    np.testing.assert_allclose(mixed.h_up, plain.h_up[np.ix_(order, order)], atol=1e-12)
    some = systemic_risk(W, sector, kind, nodes=[5, 2])
    np.testing.assert_allclose(some.esri, plain.esri[[5, 2]], atol=1e-12)


@pytest.mark.parametrize("density", [0.12, 0.35])
@pytest.mark.parametrize("leak", [0.0, 0.8])
@pytest.mark.parametrize("seed", range(6))
def test_the_solution_is_the_least_one_without_replacement(seed, leak, density):
    W, sector, kind, size = random_network(seed, density=density, leak=leak)
    risk = systemic_risk(W, sector, kind, size=size, keep=True)
    for c in range(len(W)):
        down, up, index = by_linear_program(W, sector, kind, 1 - np.eye(len(W))[c], size)
        np.testing.assert_allclose(risk.h_up[c], up, atol=1e-7)
        np.testing.assert_allclose(risk.h_down[c], down, atol=1e-7)
        assert -1e-9 <= index - risk.esri[c] <= risk.error[c] + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_agree_with_plain_iteration(seed):
    W, sector, kind, size = random_network(seed, leak=0.8)
    risk = systemic_risk(W, sector, kind, size=size, replaceable=True, keep=True)
    for c in range(len(W)):
        psi = 1 - np.eye(len(W))[c]
        down, up, index = plainly(W, sector, kind, psi, size=size, replaceable=True)
        np.testing.assert_allclose(risk.h_up[c], up, atol=1e-7)
        np.testing.assert_allclose(risk.h_down[c], down, atol=1e-7)
        assert -1e-9 <= index - risk.esri[c] <= risk.error[c] + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_partial_shocks_agree_with_both(seed):
    W, sector, kind, size = random_network(seed + 50, leak=0.3)
    rng = np.random.default_rng(seed)
    psi = np.where(rng.random((3, len(W))) < 0.3, rng.random((3, len(W))), 1.0)
    replaced = systemic_risk(W, sector, kind, size=size, replaceable=True, shocks=psi)
    bound = systemic_risk(W, sector, kind, size=size, shocks=psi)
    for k in range(3):
        _, _, index = plainly(W, sector, kind, psi[k], size=size, replaceable=True)
        assert replaced.esri[k] == pytest.approx(index, abs=2e-8)
        _, _, index = by_linear_program(W, sector, kind, psi[k], size)
        assert bound.esri[k] == pytest.approx(index, abs=2e-8)
    assert max(replaced.error.max(), bound.error.max()) <= 1e-8


def test_suppliers_that_nobody_is_left_to_replace_are_found_on_the_way():
    # Sector 0 is nodes 0 and 1, sector 1 nodes 2 and 3. With 0 and 3 gone, 1 and 2 have no
    # rival and feed each other; a ten-thousandth of 2's inputs came from 0.
    W = np.array([[0, 0, 1e-4, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    sector, kind, size = np.array([0, 0, 1, 1]), np.full((2, 2), 2), np.array([1.0, 1, 2, 2])
    psi = np.array([0, 1.0, 1, 0])
    risk = systemic_risk(W, sector, kind, size=size, replaceable=True, shocks=psi[None], keep=True)
    np.testing.assert_allclose(risk.h_down[0], 0, atol=1e-12)
    assert risk.steps[0] < 1000
    creeping, _, _ = plainly(W, sector, kind, psi, size=size, replaceable=True)
    assert creeping[1] > 0.7


def test_removal_and_the_same_removal_as_a_shock_agree():
    W, sector, kind, size = random_network(3, n=40, sectors=5, leak=0.5)
    removed = systemic_risk(W, sector, kind, size=size, replaceable=True)
    shocked = systemic_risk(W, sector, kind, size=size, replaceable=True, shocks=1 - np.eye(40))
    np.testing.assert_allclose(removed.esri, shocked.esri, atol=1e-8)


def test_a_dense_table_without_leaks_collapses_and_plain_iteration_hides_it():
    rng = np.random.default_rng(4)
    W = rng.gamma(1, 1, (60, 60)) * np.exp(rng.normal(0, 2, (60, 1)))
    sector = np.tile(np.arange(3), 20)
    everything = systemic_risk(W, sector, np.full((3, 3), 2))
    np.testing.assert_allclose(everything.esri, 1, atol=1e-12)
    stopped = systemic_risk(W, sector, np.full((3, 3), 2), stop="change", tol=1e-2)
    assert stopped.esri.min() < 0.9
    np.testing.assert_allclose(stopped.error, 1 - stopped.esri)


def test_end_components_take_the_best_way_out_of_any_member():
    # 0 and 1 feed each other without leak; only 1 uses 2, for a quarter of all its inputs.
    W = np.array([[0.0, 3, 0], [1, 0, 0], [0, 1, 0]])
    kind = np.array([[2, 2], [1, 1]])
    risk = systemic_risk(W, np.array([0, 0, 1]), kind, nodes=[2], keep=True)
    np.testing.assert_allclose(risk.h_down[0], (0.75, 0.75, 0), atol=1e-12)


def test_upstream_losses_are_hitting_probabilities_with_final_sales_as_the_leak():
    # A line: 0 sells half of its output to 1, which sells a quarter of its own to 2.
    W = np.array([[0.0, 5, 0], [0, 0, 2], [0, 0, 0]])
    risk = systemic_risk(W, [0, 1, 2], np.zeros((3, 3), int), size=[10, 8, 4], keep=True)
    np.testing.assert_allclose(risk.h_up[2], (1 - 0.125, 0.75, 0), atol=1e-12)
    np.testing.assert_allclose(risk.esri[2], (10 * 0.125 + 8 * 0.25 + 4) / 22, atol=1e-12)


def test_a_closed_class_loses_all_with_any_member():
    # 0 and 1 sell only to each other; 2 sells half to 0 and half to itself.
    W = np.array([[0.0, 2, 0], [3, 0, 0], [1, 0, 1]])
    risk = systemic_risk(W, [0, 0, 0], [[0]], keep=True)
    np.testing.assert_allclose(risk.h_up, [[0, 0, 0], [0, 0, 0], [1, 1, 0]], atol=1e-12)


def test_plain_iteration_stops_by_the_papers_rule():
    W, sector, kind, size = random_network(8, n=30, leak=0.3)
    loose = systemic_risk(W, sector, kind, size=size, replaceable=True, stop="change", tol=1e-2)
    exact = systemic_risk(W, sector, kind, size=size, replaceable=True)
    assert (loose.esri <= exact.esri + exact.error).all()
    assert loose.steps.mean() < exact.steps.mean()
    assert (loose.residual <= 1e-2).all()


def test_float32_is_within_its_bound():
    W, sector, kind, size = random_network(9, n=50, sectors=6, leak=0.4)
    fast = systemic_risk(
        W, sector, kind, size=size, replaceable=True, tol=1e-3, dtype=np.float32, keep=True
    )
    exact = systemic_risk(W, sector, kind, size=size, replaceable=True)
    assert fast.h_down.dtype == np.float32
    assert (exact.esri - fast.esri <= fast.error + 1e-6).all()
    assert (fast.esri - exact.esri <= 1e-6).all()
    assert (fast.error <= 1e-3 + 1e-6).all()


def test_nodes_that_make_nothing_lose_nothing():
    W, sector, kind = eight_firms()
    more = np.zeros((9, 9))
    more[:8, :8] = W
    for replaceable in (False, True):
        with_idle = systemic_risk(more, [*sector, 3], kind, replaceable=replaceable)
        without = systemic_risk(W, sector, kind, replaceable=replaceable)
        np.testing.assert_allclose(with_idle.esri[:8], without.esri, atol=1e-12)
        assert with_idle.esri[8] == 0


def test_a_lone_producer_cannot_be_replaced():
    W, sector, kind, size = random_network(5, n=6, sectors=6, density=0.6, leak=0.5)
    sector = np.arange(6)
    one = systemic_risk(W, sector, kind, size=size, replaceable=True)
    other = systemic_risk(W, sector, kind, size=size, replaceable=False)
    np.testing.assert_allclose(one.esri, other.esri, atol=1e-8)


def test_a_bound_is_refused_rather_than_assumed():
    # Losses arrive at a ten-millionth a step, and as much leaks: in the end, half of all.
    D = np.array([[0, 1 - 2e-7, 0], [1 - 2e-7, 0, 0], [1e-7, 1e-7, 0]])
    slow = cascade(D, np.ones((1, 1), np.int8), np.zeros(3, np.intp))
    floor = np.array([[0.0, 0, 1]])
    with pytest.raises(NotConvergedError, match="max_steps"):
        settle(slow, floor, floor, np.full(3, 1 / 3), 1e-8, 50)


def test_rules_of_essential_inputs():
    isic = [(1, 2), (10,), (35, 36), (41,), (64, 65)]
    goods = essential_inputs("goods", isic)
    np.testing.assert_array_equal(goods[:, 0], [2, 2, 2, 1, 1])
    assert (goods == goods[:, :1]).all()
    assert (essential_inputs("all", isic) == 2).all()
    assert (essential_inputs("none", isic) == 1).all()
    with pytest.raises(WorldError, match="neither goods nor services"):
        essential_inputs("goods", [(38, 41)])
    with pytest.raises(WorldError, match="no rule"):
        essential_inputs("some", isic)


def test_a_world_leaks_by_final_sales_and_replacement():
    world = random_world(5, 6, 4, density=0.7)
    sector = np.tile(np.arange(4), 6)
    kind = essential_inputs("all", [(1,)] * 4)
    risk = world_systemic_risk(world.Z, sector, kind, world.x, keep=True)
    assert (risk.esri >= risk.direct - 1e-12).all()
    assert (risk.esri + risk.error < 1).all()
    one, other = (systemic_risk(world.Z, sector, kind, size=x) for x in (world.x, None))
    assert (risk.esri <= one.esri + 1e-8).all()
    np.testing.assert_allclose(other.esri, 1, atol=1e-8)
    # Upstream alone is the output inverse (Ghosh): each node's sales that end at the removed one.
    G = np.linalg.inv(np.eye(24) - world.Z / world.x[:, None])
    np.testing.assert_allclose(risk.h_up, 1 - (G / np.diag(G)).T, atol=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W": np.ones((2, 3))}, "square"),
        ({"W": -np.ones((8, 8))}, "negative"),
        ({"sector_of": np.full(8, 4)}, "outside"),
        ({"sector_of": np.zeros(8)}, "whole number"),
        ({"essential": np.full((4, 4), 3)}, "essential must"),
        ({"size": np.ones(8)}, "more than its size"),
        ({"shocks": np.full((1, 8), 1.5)}, "0..1"),
        ({"shocks": np.ones(8)}, "shape"),
        ({"nodes": [8]}, "nodes needs"),
        ({"nodes": [1], "shocks": np.ones((1, 8))}, "not both"),
        ({"tol": 0.0}, "tol"),
        ({"tol": 1e-6, "dtype": np.float32}, "tol"),
        ({"dtype": np.int64}, "dtype"),
        ({"stop": "soon"}, "stop"),
        ({"W": np.zeros((8, 8))}, "nothing is sold"),
    ],
)
def test_bad_input_is_refused(change, message):
    W, sector, kind = eight_firms()
    with pytest.raises(WorldError, match=message):
        systemic_risk(**({"W": W, "sector_of": sector, "essential": kind} | change))
