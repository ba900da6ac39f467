"""Extraction against the table solved anew, and what must hold whatever the table."""

import numpy as np
import pytest

from entrepot.core.errors import WorldError
from entrepot.measure.extraction import (
    VARIANTS,
    extract_groups,
    extract_nodes,
    extraction_loss,
)


def table(seed, n=7):
    rng = np.random.default_rng(seed)
    A = rng.random((n, n)) * (rng.random((n, n)) < 0.7)
    A *= rng.uniform(0.2, 0.8, n) / np.maximum(A.sum(0), 1e-9)
    final = rng.gamma(2, 10, n)
    B = np.linalg.inv(np.eye(n) - A)
    return A, B, B @ final, 1 - A.sum(0)


def solved_anew(A, x, g, variant):
    """Output by node lost when the cells are set to zero and the table is solved again."""
    n = len(x)
    rest = np.setdiff1d(np.arange(n), g)
    final = x - A @ x
    A, new_final = A.copy(), final.copy()
    if variant in ("purchases", "both", "whole"):
        A[np.ix_(rest, g)] = 0
    if variant in ("sales", "both", "whole"):
        A[np.ix_(g, rest)] = 0
    if variant == "whole":
        A[np.ix_(g, g)] = 0
        new_final[g] = 0
    return x - np.linalg.solve(np.eye(n) - A, new_final)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(3))
def test_single_nodes_lose_what_a_new_inverse_says(seed, variant):
    A, B, x, v = table(seed)
    got = extract_nodes(A, B, x, v, variant)
    for i in range(len(x)):
        loss = solved_anew(A, x, [i], variant)
        rest = np.arange(len(x)) != i
        assert got.output_rest[i] == pytest.approx(loss[rest].sum(), rel=1e-10, abs=1e-10)
        assert got.output_own[i] == pytest.approx(loss[i], rel=1e-10, abs=1e-10)
        assert got.value_added_rest[i] == pytest.approx(v[rest] @ loss[rest], abs=1e-10)
        assert got.value_added_own[i] == pytest.approx(v[i] * loss[i], abs=1e-10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_groups_lose_what_a_new_inverse_says(variant):
    A, B, x, v = table(11, n=9)
    groups = [[0, 1, 2], [5], [8, 3, 6, 1], list(range(9))]
    got = extract_groups(A, B, x, v, groups, variant)
    for k, g in enumerate(groups):
        loss = solved_anew(A, x, g, variant)
        rest = np.setdiff1d(np.arange(9), g)
        np.testing.assert_allclose(extraction_loss(A, B, x, g, variant), loss, atol=1e-9)
        assert got.output_rest[k] == pytest.approx(loss[rest].sum(), abs=1e-9)
        assert got.output_own[k] == pytest.approx(loss[g].sum(), abs=1e-9)
        assert got.value_added_rest[k] == pytest.approx(v[rest] @ loss[rest], abs=1e-9)
        assert got.value_added_own[k] == pytest.approx(v[g] @ loss[g], abs=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_groups_of_one_are_nodes(variant):
    A, B, x, v = table(4)
    nodes = extract_nodes(A, B, x, v, variant)
    groups = extract_groups(A, B, x, v, [[i] for i in range(len(x))], variant)
    for name in ("output_rest", "output_own", "value_added_rest", "value_added_own"):
        np.testing.assert_allclose(getattr(nodes, name), getattr(groups, name), atol=1e-10)


def test_no_one_gains_and_cutting_more_loses_more():
    A, B, x, v = table(6)
    total = {}
    for variant in VARIANTS:
        got = extract_nodes(A, B, x, v, variant)
        assert (got.output_rest >= -1e-12).all()
        total[variant] = got.output_rest + got.output_own
    assert (total["whole"] >= total["both"] - 1e-12).all()
    assert (total["both"] >= np.maximum(total["purchases"], total["sales"]) - 1e-12).all()


def test_a_node_without_links_costs_the_rest_nothing():
    A, B, x, v = table(2)
    A[3], A[:, 3] = 0, 0
    B = np.linalg.inv(np.eye(7) - A)
    x = B @ np.ones(7)
    got = extract_nodes(A, B, x, v)
    assert got.output_rest[3] == pytest.approx(0, abs=1e-12)
    assert got.output_own[3] == pytest.approx(1)


def test_what_does_not_fit_is_refused():
    A, B, x, v = table(1)
    with pytest.raises(WorldError, match="fit together"):
        extract_nodes(A, B, x[:-1], v)
    with pytest.raises(WorldError, match="no variant"):
        extract_nodes(A, B, x, v, "half")
    with pytest.raises(WorldError, match="not finite"):
        extract_nodes(A, B, x * np.nan, v)
    for group in ([], [0, 0], [7], [-1], [0.5]):
        with pytest.raises(WorldError, match="distinct whole numbers"):
            extract_groups(A, B, x, v, [group])
