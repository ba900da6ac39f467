"""Three lenses on every industry: each by its definition, and their joint ranking."""

import numpy as np
import pytest
from scipy.stats import rankdata

import entrepot as ep
from entrepot.core.errors import EntrepotError
from entrepot.measure.accounts import accounts_of
from entrepot.measure.lenses import extraction_by_node, reliance_by_node, three_lenses
from entrepot.measure.measurement import take
from worlds import full_world, random_world

NAME = "single_points_of_failure"


def test_reliance_by_definition():
    a = accounts_of(full_world(4, 4, 3))
    behind = (np.linalg.inv(np.eye(12) - a.Z * a.per_unit) - np.eye(12)) * a.made
    others = np.array([behind[i, a.economy_of != a.economy_of[i]].sum() for i in range(12)])
    np.testing.assert_allclose(reliance_by_node(a), others / others.sum(), rtol=1e-10)


def test_extraction_by_solving_anew():
    a = accounts_of(random_world(5, 3, 3))
    A = a.Z * a.per_unit
    lost = extraction_by_node(a)
    for i in (0, 4, 8):
        rest = np.arange(9) != i
        left = np.linalg.solve(np.eye(8) - A[np.ix_(rest, rest)], a.y.sum(1)[rest])
        expected = a.v[rest] @ (a.x[rest] - left) / (a.v @ a.x)
        assert lost[i] == pytest.approx(expected, rel=1e-9)


def test_the_joint_rank_is_the_mean_of_three():
    a = accounts_of(ep.load_world("world-2019-g20"))
    found = take(a, NAME)[NAME]
    ranks = found.sel(term=["systemic_risk", "extraction", "reliance"]).values.reshape(-1, 3)
    there = np.isfinite(ranks).all(1)
    joint = found.sel(term="joint").values.ravel()[there]
    np.testing.assert_allclose(joint, rankdata(ranks[there].mean(1).round(9)))
    for term, name in (("systemic_risk", "systemic_risk"), ("reliance", "reliance_of_others")):
        score = take(a, name)[name].values.ravel()[there]
        np.testing.assert_allclose(
            found.sel(term=term).values.ravel()[there], rankdata(-score), rtol=1e-12
        )
    agreed = three_lenses(a).agreement
    assert 0 < agreed.concordance <= 1
    assert agreed.spearman.shape == (3, 3)


def test_industries_without_output_are_left_out():
    a = accounts_of(full_world(6, 4, 3, empty=2))
    found = take(a, f"{NAME}:none")[NAME]
    idle = a.made.reshape(4, 3) == 0
    assert idle.any()
    assert (np.isnan(found).all("term").values == idle).all()


def test_goods_need_divisions():
    with pytest.raises(EntrepotError, match="division"):
        take(random_world(1, 3, 2), "systemic_risk")
    with pytest.raises(EntrepotError, match="good"):
        take(random_world(1, 3, 2), "systemic_risk:good")
