"""Balancing: closed forms, published numbers, optimality, and every reason why there is no answer."""

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from entrepot.core.errors import InfeasibleError, NotConvergedError, WorldError
from entrepot.world.balance import cells, gras, least_squares, linear, ras

NAN = np.nan
seeds = st.integers(0, 2**32 - 1)


def random_table(seed, signed=False, density=0.7):
    """A table with zeros, and another with the same zeros and signs whose sums are targets."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 9, 2)
    M = rng.uniform(1, 10, (n, m)) * 10.0 ** rng.integers(-2, 3, (n, m))
    M *= rng.random((n, m)) < density
    if signed:
        M *= np.where(rng.random((n, m)) < 0.3, -1, 1)
    return rng, M, M * np.exp(rng.standard_normal((n, m)))


def worst_miss(X, rows, cols):
    """Largest relative miss of a target, without help from the module under test."""
    total = max(np.nansum(np.abs(rows)), np.nansum(np.abs(cols))) or 1.0
    misses = [
        abs(got - want) / (abs(want) or total)
        for sums, targets in ((X.sum(1), rows), (X.sum(0), cols))
        for got, want in zip(sums, targets, strict=True)
        if not np.isnan(want)
    ]
    return max(misses, default=0.0)


# ------------------------------------------------------------------ closed forms and publications


def test_two_by_two_ras_solves_its_quadratic():
    # The cross-product ratio k stays, so x = X[0, 0] solves x (x - r0 - c0 + T) = k (r0 - x)(c0 - x).
    M, (r0, r1), (c0, c1) = np.array([[5, 0.5], [4, 3]]), (10, 2), (7, 5)
    k = 5 * 3 / (0.5 * 4)
    x = max(np.roots([1 - k, r1 - c0 + k * (r0 + c0), -k * r0 * c0]), key=lambda x: 0 < x < c0)
    expected = [[x, r0 - x], [c0 - x, r1 - c0 + x]]
    result = ras(M, [r0, r1], [c0, c1], tol=1e-14)
    np.testing.assert_allclose(result.values, expected, rtol=1e-12)


def test_miller_and_blair_two_by_two_example_is_reproduced():
    # Miller and Blair (2009), p. 335, as held by the tests of hybridvut; five iterations there.
    result = ras([[5, 0.5], [4, 3]], [10, 2], [7, 5])
    np.testing.assert_allclose(result.values, [[6.5911, 3.4089], [0.4099, 1.5901]], atol=1e-3)


def test_published_three_by_three_ras_with_a_zero_is_reproduced():
    # A worked answer posted to comp.soft-sys.matlab, 25 June 2002 (J. D'Errico).
    result = ras([[20, 40, 80], [20, 20, 40], [20, 20, 0]], [150, 70, 50], [70, 70, 130])
    expected = [[22.923, 34.537, 92.54], [18.559, 13.981, 37.46], [28.518, 21.482, 0]]
    np.testing.assert_allclose(result.values, expected, atol=5e-4)


def test_junius_and_oosterhaven_example_is_reproduced():
    # Their 3 x 4 example with the corrected objective; numbers as in the test of doGRAS (R).
    M = [[7, 3, 5, -3], [2, 9, 8, 0], [-2, 0, 2, 0]]
    expected = [
        [8.424340881, 3.375237362, 5.200422021, -2.000000263],
        [3.000997078, 12.624763744, 10.374239178, 0],
        [-2.425339135, 0, 1.425339135, 0],
    ]
    result = gras(M, [15, 26, -1], [9, 16, 17, -2])
    np.testing.assert_allclose(result.values, expected, atol=2e-6)


def test_gras_of_one_row_solves_its_quadratic():
    # 4 r - 6 / r = 5 has the root r = 2
    result = gras([[4.0, -6.0]], [5], [NAN, NAN], tol=1e-14)
    np.testing.assert_allclose(result.values, [[8, -3]], rtol=1e-14)
    np.testing.assert_allclose(result.row_factors, [2], rtol=1e-14)


@pytest.mark.parametrize(("target", "factor"), [(-2.0, 3.0), (-12.0, 0.5)])
def test_a_row_of_negative_cells_is_divided_by_its_multiplier(target, factor):
    result = gras([[-1.0, -5.0], [1.0, 1.0]], [target, NAN], [NAN, NAN], tol=1e-14)
    np.testing.assert_allclose(result.row_factors, [factor, 1], rtol=1e-14)
    np.testing.assert_allclose(result.values[0], [-1 / factor, -5 / factor], rtol=1e-14)


def test_uniform_least_squares_spreads_a_surplus_evenly():
    # weights 1: X - M = (row surplus) / 3 + (column surplus) / 2 - (total surplus) / 6
    M = np.arange(6.0).reshape(2, 3)
    rows, cols = M.sum(1) + np.array([6, 0]), M.sum(0) + np.array([1, 2, 3])
    result = least_squares(M, rows, cols, weights=np.ones((2, 3)))
    expected = M + np.array([[6], [0]]) / 3 + np.array([1, 2, 3]) / 2 - 1
    np.testing.assert_allclose(result.values, expected, rtol=1e-12)


# ------------------------------------------------------------------ what must hold of every answer


@given(seeds)
def test_feasible_targets_are_met_and_zeros_and_signs_kept(seed):
    for signed, method in ((False, ras), (False, gras), (True, gras)):
        _, M, target = random_table(seed, signed)
        rows, cols = target.sum(1), target.sum(0)
        result = method(M, rows, cols)
        assert worst_miss(result.values, rows, cols) <= 1e-8
        assert result.miss == pytest.approx(worst_miss(result.values, rows, cols), abs=1e-13)
        np.testing.assert_array_equal(np.sign(result.values), np.sign(M))


@given(seeds)
def test_ras_preserves_cross_product_ratios(seed):
    rng, M, _ = random_table(seed, density=1.0)
    target = M * np.exp(rng.standard_normal(M.shape))
    X = ras(M, target.sum(1), target.sum(0)).values
    before, after = (np.diff(np.diff(np.log(A), axis=0), axis=1) for A in (M, X))
    np.testing.assert_allclose(after, before, atol=1e-9)


@given(seeds)
def test_cells_are_scaled_by_their_two_multipliers(seed):
    _, M, target = random_table(seed, signed=True)
    result = gras(M, target.sum(1), target.sum(0))
    r, s = result.row_factors[:, None], result.col_factors
    M = np.where((r > 0) & (s > 0), M, 0)  # lines without a cell have factor zero
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(M > 0, M * r * s, np.where(M < 0, M / (r * s), 0))
    np.testing.assert_allclose(result.values, expected, rtol=1e-12)


@given(seeds)
def test_gras_is_ras_on_non_negative_tables(seed):
    _, M, target = random_table(seed)
    one, other = (f(M, target.sum(1), target.sum(0)) for f in (ras, gras))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.row_factors, other.row_factors)


@pytest.mark.parametrize("seed", range(6))
def test_gras_minimises_the_corrected_objective(seed):
    """An independent optimiser, from the answer of least squares, finds nothing nearer."""
    rng = np.random.default_rng(seed)
    M = rng.uniform(1, 5, (3, 4)) * np.where(rng.random((3, 4)) < 0.3, -1, 1)
    target = M * rng.uniform(0.7, 1.4, M.shape)
    rows, cols = target.sum(1), target.sum(0)
    result = gras(M, rows, cols, tol=1e-13)

    def far(z):
        return np.sum(np.abs(M).ravel() * (z * np.log(z) - z + 1))

    def gradient(z):
        return np.abs(M).ravel() * np.log(z)

    def sums(z):
        X = z.reshape(M.shape) * M
        return np.concatenate([X.sum(1) - rows, (X.sum(0) - cols)[:-1]])

    found = minimize(
        far,
        np.ones(M.size),
        jac=gradient,
        method="SLSQP",
        bounds=[(1e-6, 50)] * M.size,
        constraints={"type": "eq", "fun": sums},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert result.moved.divergence == pytest.approx(far((result.values / M).ravel()), rel=1e-9)
    assert result.moved.divergence == pytest.approx(found.fun, rel=1e-6)
    np.testing.assert_allclose(result.values.ravel(), found.x * M.ravel(), rtol=1e-3, atol=1e-3)


@given(seeds)
def test_a_table_that_balances_already_comes_back_as_it_is(seed):
    for method, signed in ((ras, False), (gras, True), (least_squares, True)):
        _, M, _ = random_table(seed, signed)
        result = method(M, M.sum(1), M.sum(0))
        np.testing.assert_array_equal(result.values, M)
        assert result.steps == 0
        assert result.moved.total == 0
        assert result.moved.largest == result.moved.largest_relative == ()
        assert set(result.row_factors) == {0.0 if method is least_squares else 1.0}


@given(seeds)
def test_the_answer_does_not_depend_on_the_order_of_lines_or_the_side(seed):
    for method, signed in ((ras, False), (gras, True), (least_squares, True)):
        rng, M, target = random_table(seed, signed)
        rows, cols = target.sum(1), target.sum(0)
        X = method(M, rows, cols, tol=1e-9).values
        i, j = rng.permutation(len(rows)), rng.permutation(len(cols))
        near = {"rtol": 1e-5, "atol": 1e-7 * np.abs(M).max()}
        mixed = method(M[np.ix_(i, j)], rows[i], cols[j], tol=1e-9).values
        np.testing.assert_allclose(mixed, X[np.ix_(i, j)], **near)
        np.testing.assert_allclose(method(M.T, cols, rows, tol=1e-9).values.T, X, **near)


@given(seeds, st.sampled_from([-1000, -40, 3, 900]))
def test_the_unit_of_the_table_does_not_matter(seed, power):
    for method, signed in ((ras, False), (gras, True), (least_squares, True)):
        _, M, target = random_table(seed, signed)
        plain = method(M, target.sum(1), target.sum(0))
        scaled = method(*(np.ldexp(x, power) for x in (M, target.sum(1), target.sum(0))))
        np.testing.assert_allclose(np.ldexp(scaled.values, -power), plain.values, rtol=1e-6)
        np.testing.assert_allclose(scaled.row_factors, plain.row_factors, rtol=1e-6, atol=1e-9)
        assert scaled.moved.share == pytest.approx(plain.moved.share)
        assert scaled.moved.total == pytest.approx(np.ldexp(plain.moved.total, power))


@given(seeds)
def test_the_level_of_the_start_does_not_matter_to_ras(seed):
    rng, M, target = random_table(seed)
    rows, cols = target.sum(1), target.sum(0)
    scaled = M * np.exp(rng.standard_normal(M.shape[0]))[:, None]
    scaled *= np.exp(rng.standard_normal(M.shape[1]))
    np.testing.assert_allclose(
        ras(scaled, rows, cols, tol=1e-10).values, ras(M, rows, cols, tol=1e-10).values, rtol=1e-4
    )


def test_two_by_two_blocks_that_barely_touch_are_balanced_in_few_steps():
    # plain RAS moves about 1e-6 of the gap per step here
    M = np.ones((40, 40))
    M[:20, 20:] = M[20:, :20] = 1e-6
    rows = np.r_[np.full(20, 1.0), np.full(20, 1.02)]
    cols = np.r_[np.full(20, 1.02), np.full(20, 1.0)]
    assert ras(M, rows, cols).steps < 100


def test_targets_that_force_a_cell_to_nought_are_met_in_the_limit():
    result = ras([[1, 1], [0, 1]], [1, 1], [1, 1])
    np.testing.assert_allclose(result.values, np.eye(2), atol=1e-7)


# ------------------------------------------------------------------ least squares against dense systems


def dense_least_squares(M, w, rows, cols):
    """The same minimum from one equation per target over all cells, by a pseudo-inverse."""
    n, m = M.shape
    of_rows, of_cols = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    needs = np.concatenate([rows - M.sum(1), cols - M.sum(0)])
    given_ = ~np.isnan(needs)
    A = np.vstack([of_rows, of_cols])[given_] * np.sqrt(w).ravel()
    y, *_ = np.linalg.lstsq(A, needs[given_], rcond=1e-12)
    return M + (np.sqrt(w).ravel() * y).reshape(n, m)


@pytest.mark.parametrize("direct", [3000, 0], ids=["factorised", "conjugate gradients"])
@pytest.mark.parametrize("weighted", [False, True])
@given(seed=seeds)
def test_least_squares_is_the_minimum_of_a_dense_system(direct, weighted, seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 8, 2)
    M = rng.standard_normal((n, m)) * (rng.random((n, m)) < 0.7)
    weights = rng.random((n, m)) * (rng.random((n, m)) < 0.8) if weighted else None
    w = np.abs(M) if weights is None else weights
    target = M + w * rng.standard_normal((n, m))
    rows, cols = target.sum(1), target.sum(0)
    if rng.random() < 0.4:
        rows[rng.random(n) < 0.3] = NAN
        cols[rng.random(m) < 0.3] = NAN
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "DIRECT", direct)
        result = least_squares(M, rows, cols, weights=weights, tol=1e-8)
    np.testing.assert_allclose(result.values, dense_least_squares(M, w, rows, cols), atol=1e-6)
    assert worst_miss(result.values, rows, cols) <= 1e-8
    a, b = result.row_factors, result.col_factors
    np.testing.assert_allclose(result.values, M + w * (a[:, None] + b), atol=1e-8)
    assert not a[np.isnan(rows)].any()
    assert not b[np.isnan(cols)].any()
    np.testing.assert_array_equal(result.values[w == 0], M[w == 0])


def test_least_squares_reports_the_cells_whose_sign_turned():
    result = least_squares([[1.0, 9.0], [5.0, 5.0]], [2, 10], [-3, 15])
    turned = {(i, j) for i in range(2) for j in range(2) if result.values[i, j] < 0}
    assert turned
    assert {(c.row, c.col) for c in result.moved.flipped} == turned
    assert result.moved.flips == len(turned)
    assert result.moved.divergence is None


def test_least_squares_fills_a_zero_only_where_a_weight_allows_it():
    M, weights = np.diag([1.0, 1.0]), np.array([[1.0, 1.0], [0.0, 1.0]])
    result = least_squares(M, [2, 1], [1, 2], weights=weights)
    assert result.values[0, 1] > 0
    assert result.values[1, 0] == 0


# ------------------------------------------------------------------ open and zero targets


@given(seeds)
def test_open_lines_keep_a_multiplier_of_one(seed):
    for method, signed in ((ras, False), (gras, True)):
        rng, M, target = random_table(seed, signed)
        rows, cols = target.sum(1), target.sum(0)
        rows[rng.random(len(rows)) < 0.4] = NAN
        cols[rng.random(len(cols)) < 0.4] = NAN
        # an interior answer, which exists where the targets are those of `target`
        result = method(M, rows, cols)
        assert worst_miss(result.values, rows, cols) <= 1e-8
        assert (result.row_factors[np.isnan(rows)] == 1).all()
        assert (result.col_factors[np.isnan(cols)] == 1).all()
        both = np.ix_(np.isnan(rows), np.isnan(cols))
        np.testing.assert_array_equal(result.values[both], M[both])


def test_column_targets_alone_scale_columns_once():
    M = np.array([[1.0, 2.0], [3.0, 6.0]])
    result = ras(M, [NAN, NAN], [8, 4])
    np.testing.assert_allclose(result.values, [[2, 1], [6, 3]])
    np.testing.assert_allclose(result.col_factors, [2, 0.5])


@pytest.mark.parametrize("method", [ras, gras, least_squares])
def test_without_any_target_nothing_moves(method):
    result = method([[1, 2], [3, 4]], [NAN, NAN], [NAN, NAN])
    np.testing.assert_array_equal(result.values, [[1, 2], [3, 4]])


def test_a_zero_target_empties_its_row_and_nothing_else():
    result = ras([[1, 2], [3, 4], [5, 6]], [0, 5, 5], [4, 6])
    assert (result.values[0] == 0).all()
    assert (result.values[1:] > 0).all()
    assert result.row_factors[0] == 0
    assert result.moved.emptied == 2


def test_a_zero_target_empties_negative_cells_but_lets_mixed_ones_cancel():
    result = gras([[-1, -2], [3, -4], [5, 6]], [0, 0, NAN], [NAN, NAN])
    assert (result.values[0] == 0).all()
    assert result.row_factors[0] == np.inf
    assert result.values[1, 0] == pytest.approx(-result.values[1, 1])
    assert result.values[1, 0] > 0


def test_a_sum_of_nought_may_be_all_that_an_emptied_neighbour_leaves():
    # the zero column empties the only positive cell of row 0, whose zero target then empties the rest
    result = gras([[1, -2], [0, 3], [0, -1]], [0, 4, -1], [0, 3])
    np.testing.assert_allclose(result.values, [[0, 0], [0, 4], [0, -1]], atol=1e-9)


# ------------------------------------------------------------------ why there is no answer


def names(n, m):
    return {"row_names": [f"r{i}" for i in range(n)], "col_names": [f"c{j}" for j in range(m)]}


@pytest.mark.parametrize("method", [ras, gras, least_squares])
def test_totals_that_differ_are_named_with_the_difference(method):
    with pytest.raises(
        InfeasibleError, match=r"row targets sum to 10 and the column .* 12, .* by 2 "
    ):
        method(np.ones((2, 2)), [4, 6], [5, 7])


@pytest.mark.parametrize("method", [ras, gras, least_squares])
def test_totals_that_differ_within_the_tolerance_are_met_within_it(method):
    tol = 1e-6
    rows, cols = np.array([4.0, 6.0]), np.array([5.0, 5.0]) * (1 + 9e-7)
    result = method([[1, 2], [3, 5]], rows, cols, tol=tol)
    assert worst_miss(result.values, rows, cols) <= tol


@pytest.mark.parametrize("method", [ras, gras])
@pytest.mark.parametrize("turned", [False, True])
def test_a_target_for_an_empty_line_is_refused_by_name(method, turned):
    M, rows, cols = np.array([[0, 0], [1, 1.0]]), [3, 4], [3, 4]
    word, name = ("column", "c0") if turned else ("row", "r0")
    with pytest.raises(InfeasibleError, match=f"{word} '{name}' must sum to 3, but it has no cell"):
        method(M.T if turned else M, rows, cols, **names(2, 2))


def test_least_squares_refuses_a_target_for_a_line_that_cannot_move():
    with pytest.raises(InfeasibleError, match="row 'r0' must sum to 3, but none of its cells may"):
        least_squares([[0, 0], [1, 1]], [3, 4], [3, 4], **names(2, 2))
    with pytest.raises(InfeasibleError, match="column 1 must sum to 4, but none of its cells may"):
        least_squares([[1, 1]], [NAN], [3, 4], weights=[[1, 0]])


@pytest.mark.parametrize("method", [ras, gras])
def test_a_negative_target_without_negative_cells_is_refused_by_name(method):
    with pytest.raises(
        InfeasibleError, match="row 'r1' must sum to -2, but it has no negative cell"
    ):
        method(np.ones((2, 2)), [5, -2], [1, 2], **names(2, 2))


def test_a_positive_target_without_positive_cells_is_refused_by_name():
    with pytest.raises(InfeasibleError, match=r"column 'c1' must sum to 2, .* no positive cell"):
        gras([[1, -1], [1, -1]], [1, 2], [1, 2], **names(2, 2))


def test_a_target_whose_cells_a_zero_target_empties_is_refused_by_name():
    with pytest.raises(
        InfeasibleError, match=r"row 0 must sum to 1, .* columns that a target of zero"
    ):
        ras([[1, 0], [1, 1]], [1, 2], [0, 3])


@pytest.mark.parametrize("turned", [False, True])
def test_lines_that_ask_for_more_than_they_reach_are_refused_with_the_proof(turned):
    M = np.ones((5, 5))
    M[:2, 2:] = 0
    rows, cols = [4, 5, 6, 3, 2], [4, 4, 7, 3, 2]
    lines = "rows 'r0', 'r1'", "columns 'c0', 'c1'"
    if turned:
        M, rows, cols, lines = M.T, cols, rows, lines[::-1]
    message = (
        f"{lines[0]} must sum to 9, but their non-zero cells lie only in {lines[1]}, whose targets "
        "sum to 8: 1 too little"
    )
    with pytest.raises(InfeasibleError, match=message):
        ras(M, rows, cols, **names(5, 5))


def test_the_proof_names_no_row_that_it_does_not_need():
    M = np.eye(6) + np.eye(6, k=-1)  # row i reaches columns i - 1 and i
    rows, cols = np.array([2, 1, 1, 1, 1, 0.5]), np.array([1, 1, 1, 1, 1, 1.5])
    with pytest.raises(
        InfeasibleError, match=r"row 0 must sum to 2, .* column 0, whose target is 1:"
    ):
        ras(M, rows, cols)


def test_the_proof_leaves_out_lines_that_moved_for_other_reasons():
    # column 2 has a huge multiplier and balances; column 1 is the shorter half of the contradiction
    M = [[1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1e-60, 0], [1, 0, 0, 1]]
    with pytest.raises(InfeasibleError, match=r"column 1 must sum to 3, .* in row 1, .* is 2: 1 "):
        ras(M, [2.5, 2, 5, 2.5], [2, 3, 5, 2])


def test_a_contradiction_within_the_tolerance_is_no_proof():
    M = np.kron(np.eye(2), [[1, 2], [3, 5]])
    rows, cols = [1, 2, 1, 2], [1 + 2.5e-8, 2, 1 - 2.5e-8, 2]
    assert worst_miss(ras(M, rows, cols).values, rows, cols) <= 1e-8
    with pytest.raises(NotConvergedError):
        ras(M, rows, cols, max_steps=1)


def test_blocks_with_unequal_totals_are_refused_with_the_proof():
    M = np.kron(np.eye(2), np.ones((2, 2)))
    rows, cols = [1, 1, 2, 2], [1, 2, 1, 2]
    with pytest.raises(
        InfeasibleError, match=r"rows 2, 3 must sum to 4, .* columns 2, 3, .* sum to 3"
    ):
        ras(M, rows, cols)
    with pytest.raises(InfeasibleError, match=r"rows 0, 1 and columns 0, 1 share .* differ by 1\."):
        least_squares(M, rows, cols)


def test_an_open_column_makes_blocks_with_unequal_totals_feasible():
    M = np.kron(np.eye(2), np.ones((2, 2)))
    rows, cols = [1, 1, 2, 2], [1, NAN, 1, NAN]
    for method in (ras, least_squares):
        assert worst_miss(method(M, rows, cols).values, rows, cols) <= 1e-8


def test_signs_that_rule_the_targets_out_are_refused_with_the_proof():
    # row 0 draws on no positive cell outside column 0, which no other row can lower
    M = [[1, -1, 0], [1, 1, -1], [2, 1, 3]]
    message = r"row 0 must sum to 5 and column 0 to 3, .* it is 2 too much"
    with pytest.raises(InfeasibleError, match=message):
        gras(M, [5, 3, 4], [3, 4, 5])


def parse(message, kind):
    """The line numbers of a set named in a message (complete up to five)."""
    found = re.search(rf"{kind}s? ([\d, ]+\d|\d+)", message)
    return [int(x) for x in found.group(1).split(", ")]


@given(seeds, st.booleans())
def test_structure_that_rules_the_targets_out_is_always_refused_with_a_true_proof(seed, turned):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(3, 6, 2)
    inside, reached = int(rng.integers(1, n)), int(rng.integers(1, m))
    M = rng.uniform(0.1, 10, (n, m)) * (rng.random((n, m)) < 0.7)
    M[:, 0] = M[-1] = 1.0  # no empty line
    M[:inside, reached:] = 0
    rows, cols = rng.uniform(1, 2, n), rng.uniform(1, 2, m)
    cols /= cols.sum()
    rows[:inside] *= cols[:reached].sum() * (1 + rng.uniform(1e-5, 0.3)) / rows[:inside].sum()
    assume(rows[:inside].sum() < 0.99)
    rows[inside:] *= (1 - rows[:inside].sum()) / rows[inside:].sum()
    i, j = rng.permutation(n), rng.permutation(m)
    M, rows, cols = M[np.ix_(i, j)], rows[i], cols[j]
    if turned:
        M, rows, cols = M.T, cols, rows
    with pytest.raises(InfeasibleError) as refusal:
        ras(M, rows, cols)
    message = str(refusal.value)
    assert "non-zero cells lie only in" in message
    by_columns = "meets the targets: column" in message
    first, second = ("column", "row") if by_columns else ("row", "column")
    A, u, v = (M.T, cols, rows) if by_columns else (M, rows, cols)
    asking = parse(message.split("must sum")[0], first)
    giving = parse(message.split("lie only in")[1], second)
    assert set(np.flatnonzero(A[asking].any(0))) <= set(giving)
    assert u[asking].sum() > v[giving].sum()


def possible(M, rows, cols):
    """Whether a matrix with these zeros and signs has these sums, by linear programming."""
    i, j = np.nonzero(M)
    A = np.zeros((len(rows) + len(cols), len(i)))
    A[i, np.arange(len(i))] = A[len(rows) + j, np.arange(len(i))] = np.sign(M[i, j])
    targets = np.concatenate([rows, cols])
    is_given = ~np.isnan(targets)
    return linprog(np.zeros(len(i)), A_eq=A[is_given], b_eq=targets[is_given]).status == 0


@pytest.mark.parametrize("max_steps", [2000, 1], ids=["by multipliers", "by minimum cut"])
@given(seed=seeds)
def test_a_refusal_is_given_exactly_when_linear_programming_finds_no_matrix(max_steps, seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(3, 8, 2)
    M = rng.integers(1, 9, (n, m)) * (rng.random((n, m)) < 0.45)
    M[rng.random((n, m)) < 0.3] *= -1
    M[:, 0], M[0, 1] = rng.integers(1, 9, n), -1
    rows, cols = rng.integers(1, 9, n).astype(float), rng.integers(0, 9, m).astype(float)
    cols[0] += rows.sum() - cols.sum()
    if rng.random() < 0.4:
        rows[rng.integers(n)] = cols[rng.integers(m)] = NAN
    try:
        gras(M, rows, cols, max_steps=max_steps)
    except InfeasibleError:
        assert not possible(M, rows, cols)
    except NotConvergedError:
        assert max_steps == 1
        assert possible(M, rows, cols)
    else:
        assert possible(M, rows, cols)


# ------------------------------------------------------------------ no answer without a certificate


def test_an_unfinished_balance_names_its_worst_line_and_the_remedy():
    message = r"row 'r\d' sums to .* its target is .* a miss of .* of it\. Raise max_steps or tol"
    M = np.array([[1.0, 20.0], [30.0, 4.0]])
    with pytest.raises(NotConvergedError, match=message):
        ras(M, [4, 6], [5, 5], max_steps=2, **names(2, 2))


def test_a_tolerance_below_rounding_is_refused_as_such():
    rng = np.random.default_rng(0)
    M = rng.random((30, 30))
    with pytest.raises(NotConvergedError, match=r"rounding error, below which tol .* cannot reach"):
        ras(M, np.ones(30), np.ones(30), tol=1e-18)
    with pytest.raises(NotConvergedError, match="below rounding error"):
        least_squares(M, np.ones(30), np.ones(30), tol=1e-18)


def test_a_limit_out_of_reach_is_refused_with_the_cells_that_must_vanish():
    # only the unit matrix meets these targets, and the multipliers would have to span e^1000
    M, ones = np.triu(np.ones((60, 60))), np.ones(60)
    with pytest.raises(NotConvergedError, match=r"set these to zero \(row 0, column 1 holds 1; "):
        ras(M, ones, ones)
    np.testing.assert_array_equal(ras(np.diag(M.diagonal()), ones, ones).values, np.eye(60))


def test_multipliers_beyond_the_range_of_numbers_are_refused():
    with pytest.raises(NotConvergedError, match="left the range of numbers"):
        ras(np.array([[1.0, 2], [3, 4]]) * 1e-290, [3, 4], [2, 5])
    with pytest.raises(WorldError, match=r"numbers too small to be added to it"):
        ras(np.array([[1e300, 1e-300], [1, 1]]), [1, 1], [1, 1])


# ------------------------------------------------------------------ malformed input


@pytest.mark.parametrize("method", [ras, gras, least_squares])
def test_malformed_input_is_refused_by_cell_and_shape(method):
    M = np.ones((2, 3))
    with pytest.raises(WorldError, match="row 'r1', column 'c2' holds nan"):
        method([[1, 1, 1], [1, 1, NAN]], [3, 3], [2, 2, 2], **names(2, 3))
    with pytest.raises(WorldError, match=r"row 0, column 0 holds inf; .*; and 2 more"):
        method([[np.inf] * 3, [np.inf, -np.inf, 1]], [3, 3], [2, 2, 2])
    with pytest.raises(WorldError, match="needs 2 row and 3 column targets"):
        method(M, [3, 3], [3, 3])
    with pytest.raises(WorldError, match="the target of row 1 is not finite"):
        method(M, [3, np.inf], [2, 2, 2])
    with pytest.raises(WorldError, match=r"has shape \(3,\)"):
        method([1, 1, 1], [3], [1, 1, 1])
    with pytest.raises(WorldError, match="has shape"):
        method(np.ones((0, 2)), [], [1, 1])
    with pytest.raises(WorldError, match="row_names holds 1 names; 2 were expected"):
        method(M, [3, 3], [2, 2, 2], row_names=["a"])
    with pytest.raises(WorldError, match="tol is 0"):
        method(M, [3, 3], [2, 2, 2], tol=0)


def test_ras_refuses_negative_cells_by_name():
    with pytest.raises(WorldError, match="row 1, column 0 holds -2; use gras"):
        ras([[1, 1], [-2, 1]], [1, 1], [1, 1])
    with pytest.raises(WorldError, match="max_steps is 0"):
        ras([[1]], [1], [1], max_steps=0)


def test_least_squares_refuses_weights_that_are_not_weights():
    with pytest.raises(WorldError, match="row 0, column 1 holds -1"):
        least_squares([[1, 1]], [3], [1, 2], weights=[[1, -1]])
    with pytest.raises(WorldError, match=r"weights have shape \(1, 1\)"):
        least_squares([[1, 1]], [3], [1, 2], weights=[[1]])


# ------------------------------------------------------------------ what is handed out


def test_the_summary_says_what_moved():
    M = np.arange(1.0, 26.0).reshape(5, 5)
    rng = np.random.default_rng(3)
    target = M * rng.uniform(0.5, 1.5, M.shape)
    result = ras(M, target.sum(1), target.sum(0))
    change = np.abs(result.values - M)
    moved = result.moved
    assert moved.total == pytest.approx(change.sum())
    assert moved.share == pytest.approx(change.sum() / M.sum())
    assert len(moved.largest) == len(moved.largest_relative) == 10
    for found, sizes in ((moved.largest, change), (moved.largest_relative, change / M)):
        assert [c.size for c in found] == pytest.approx(sorted(sizes.ravel())[::-1][:10])
        for c in found:
            assert (c.before, c.after) == (M[c.row, c.col], result.values[c.row, c.col])
            assert c.size == pytest.approx(sizes[c.row, c.col])
    z = result.values / M
    assert moved.divergence == pytest.approx((M * (z * np.log(z) - z + 1)).sum())
    assert (moved.flips, moved.flipped, moved.emptied) == (0, (), 0)


@pytest.mark.parametrize("method", [ras, gras, least_squares])
def test_inputs_are_left_alone_and_results_cannot_be_changed(method):
    M, rows, cols = np.array([[1.0, 2], [3, 4]]), np.array([4.0, 6]), np.array([5.0, 5])
    for targets in ((rows, cols), (M.sum(1), M.sum(0))):
        copies = M.copy(), targets[0].copy(), targets[1].copy()
        result = method(M, *targets)
        for now, before in zip((M, *targets), copies, strict=True):
            np.testing.assert_array_equal(now, before)
            assert now.flags.writeable
        for array in (result.values, result.row_factors, result.col_factors):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        assert not np.shares_memory(result.values, M)
        with pytest.raises(FrozenInstanceError):
            result.miss = 0.0


def test_tables_that_nobody_can_write_to_are_balanced():
    M = np.array([[1.0, 2], [3, 4]])
    M.flags.writeable = False
    assert ras(M.T, [4, 6], [5, 5]).miss <= 1e-8


def test_a_sparse_table_is_balanced_as_a_dense_one(monkeypatch):
    rng = np.random.default_rng(1)
    M = (
        rng.random((80, 90))
        * (rng.random((80, 90)) < 0.04)
        * np.where(rng.random((80, 90)) < 0.1, -1, 1)
    )
    target = M * rng.uniform(0.8, 1.2, M.shape)
    rows, cols = target.sum(1), target.sum(0)
    sparse = gras(M, rows, cols, tol=1e-10)
    monkeypatch.setattr(cells, "SPARSE", 0)
    dense = gras(M, rows, cols, tol=1e-10)
    np.testing.assert_allclose(sparse.values, dense.values, rtol=1e-7, atol=1e-9)


def test_importing_the_module_does_not_import_scipy():
    code = "import sys, entrepot.world.balance; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
