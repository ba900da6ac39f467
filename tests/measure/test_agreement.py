"""Agreement against scipy's statistics, by hand where it has none, with ties throughout."""

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, kendalltau, spearmanr

from entrepot.core.errors import WorldError
from entrepot.measure.agreement import agreement


def scores(seed, m=3, n=20, ties=True):
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 1, n)
    drawn = common + rng.normal(0, 0.8, (m, n))
    return np.round(drawn, 0) if ties else drawn


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_statistics_are_scipys(seed, ties):
    x = scores(seed, ties=ties)
    got = agreement(x)
    chi2 = friedmanchisquare(*x.T).statistic
    assert got.concordance == pytest.approx(chi2 / (3 * 19), abs=1e-12)
    for a in range(3):
        for b in range(3):
            assert got.spearman[a, b] == pytest.approx(spearmanr(x[a], x[b]).statistic)
            assert got.kendall[a, b] == pytest.approx(kendalltau(x[a], x[b]).statistic)


def test_tau_b_counts_pairs():
    x = scores(9, m=2)
    sign = [np.sign(row[:, None] - row[None, :]) for row in x]
    both = (sign[0] * sign[1]).sum()
    expected = both / np.sqrt((sign[0] ** 2).sum() * (sign[1] ** 2).sum())
    assert agreement(x).kendall[0, 1] == pytest.approx(expected)


def test_equal_rankings_agree_fully_whatever_the_scale():
    one = scores(1, m=1, ties=False)[0]
    got = agreement(np.array([one, 3 * one - 7, np.exp(one)]), top=(5,))
    assert got.concordance == pytest.approx(1)
    np.testing.assert_allclose(got.spearman, 1)
    np.testing.assert_allclose(got.kendall, 1)
    np.testing.assert_allclose(got.overlap[5], 1)
    np.testing.assert_array_equal(got.joint, got.ranks[0])


def test_opposite_rankings_leave_nothing():
    one = np.arange(6.0)
    got = agreement(np.array([one, -one]), top=(3,))
    assert got.concordance == pytest.approx(0)
    assert got.spearman[0, 1] == pytest.approx(-1)
    assert got.overlap[3][0, 1] == 0
    np.testing.assert_array_equal(got.joint, 3.5)


def test_the_joint_ranking_is_bordas():
    x = scores(3)
    got = agreement(x)
    points = (x.shape[1] - got.ranks).sum(0)
    order = np.argsort(got.joint, kind="stable")
    assert (np.diff(points[order]) <= 1e-9).all()
    np.testing.assert_allclose(got.mean_rank, x.shape[1] - points / 3)
    assert got.joint.sum() == pytest.approx(20 * 21 / 2)


def test_ties_across_the_last_place_share_it():
    a = np.array([5.0, 4, 4, 1])
    b = np.array([4.0, 5, 3, 1])
    got = agreement(np.array([a, b]), top=(2, 50))
    # The first has one whole and two half members, the second two whole ones.
    assert got.overlap[2][0, 1] == pytest.approx((1 + 0.5) / 2)
    assert got.overlap[2][0, 0] == pytest.approx((1 + 0.5 + 0.5) / 2)
    assert list(got.overlap) == [2]


def test_a_constant_score_correlates_with_nothing_and_says_so():
    x = scores(4, ties=False)
    x[1] = 2
    got = agreement(x)
    np.testing.assert_array_equal(got.constant, [False, True, False])
    np.testing.assert_array_equal(got.spearman[1], [0, 1, 0])
    np.testing.assert_array_equal(got.kendall[1], [0, 1, 0])
    assert 0 <= got.concordance <= 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones(4), "shape"),
        (np.ones((1, 4)), "shape"),
        (np.array([[1.0, np.nan], [1, 2]]), "score 0 of thing 1"),
        (np.ones((2, 4)), "nothing to rank"),
    ],
)
def test_what_cannot_be_ranked_is_refused(given, message):
    with pytest.raises(WorldError, match=message):
        agreement(given)
    with pytest.raises(WorldError, match="whole numbers"):
        agreement(scores(0), top=(0,))
