"""Tariffs on some users of what is imported."""

import numpy as np
import pytest

import entrepot as ep
from entrepot.core.errors import ScenarioError
from entrepot.report.write import write_result
from entrepot.results.robustness import robustness
from entrepot.scenario.lower import lower
from entrepot.scenario.read import read_scenario


@pytest.fixture(scope="module")
def g20():
    return ep.load_world("world-2019-g20")


def asked(users, sourcing="by_use", **more):
    change = {
        "importers": "USA", "exporters": "CHN", "sectors": "C", "instrument": "tariff",
        "to": "25%", "why": "a test", "users": users,
    }  # fmt: skip
    change = {k: v for k, v in (change | more).items() if v is not None}
    data = {"name": "users", "why": "a test", "changes": [change]}
    return read_scenario(data | {"assumptions": {"sourcing": sourcing}})


def rates(g20, scenario):
    """The new rates (u, n) of what USA imports from CHN of C, by user."""
    t = lower(scenario, g20).shock.t
    s, n = len(g20.sectors), len(g20.regions)
    c, o, d = (
        g20.sector_codes.index("C"), g20.regions.index("CHN"), g20.regions.index("USA")
    )  # fmt: skip
    wide = t.reshape(s, n, -1, n)
    assert (wide != 0).sum() == (wide[c, o, :, d] != 0).sum()
    return wide[c, o, :, d]


def test_users_are_found_by_name(g20):
    np.testing.assert_array_equal(rates(g20, asked("intermediate")), [0.25, 0])
    np.testing.assert_array_equal(rates(g20, asked("final")), [0, 0.25])
    s = len(g20.sectors)
    by = rates(g20, asked("intermediate", "by_user"))
    assert (by[:s] == 0.25).all()
    assert not by[s:].any()
    by = rates(g20, asked(["C", "F"], "by_user"))
    assert set(np.flatnonzero(by)) == {g20.sector_codes.index("C"), g20.sector_codes.index("F")}
    by = rates(g20, asked(g20.final_categories[0], "by_user"))
    assert set(np.flatnonzero(by)) == {s}


def test_on_all_users_it_is_the_plain_tariff(g20):
    both = ep.run(g20, asked(["intermediate", "final"]), headlines=False, tolerance=1e-11)
    plain = ep.run(g20, asked(None), headlines=False, tolerance=1e-11)
    np.testing.assert_allclose(both.welfare.real_income, plain.welfare.real_income, rtol=1e-10)
    for term, values in plain.split.items():
        np.testing.assert_allclose(both.split[term], values, atol=1e-10)
    np.testing.assert_allclose(both.state.tariff_revenue, plain.state.tariff_revenue, rtol=1e-8)


def test_parts_of_it_are_less_than_the_whole_and_everything_is_written(g20, tmp_path):
    usa, chn = g20.regions.index("USA"), g20.regions.index("CHN")
    fall = {}
    for users in ("intermediate", "final", None):
        result = ep.run(g20, asked(users), path=True, tolerance=1e-10)
        before, after = (r.border[:, chn, usa].sum() for r in (result.base, result.state))
        fall[users] = 1 - after / before
        assert result.world.satellites["tariffs"].values.shape == (20, 20, 20)
        assert abs(result.path.left_over).max() < 1e-8
        write_result(result, tmp_path / str(users))
    assert 0 < fall["intermediate"] < fall[None]
    assert 0 < fall["final"] < fall[None]
    assert fall["intermediate"] + fall["final"] == pytest.approx(fall[None], rel=0.1)


def test_two_changes_may_tax_two_users_differently(g20):
    one = asked("intermediate").model_dump(mode="json", exclude_none=True)
    two = asked("final", to="10%").model_dump(mode="json", exclude_none=True)
    both = read_scenario(one | {"changes": one["changes"] + two["changes"]})
    np.testing.assert_array_equal(rates(g20, both), [0.25, 0.10])
    meet = read_scenario(one | {"changes": one["changes"] * 2})
    with pytest.raises(ScenarioError, match="both set tariff for C from CHN to USA"):
        lower(meet, g20)


@pytest.mark.parametrize(
    ("change", "sourcing", "says"),
    [
        ({}, "by_sector", "sourcing: by_use"),
        ({"users": "C"}, "by_use", "no 'C'; use `sourcing: by_user`"),
        ({"users": "househlds"}, "by_user", "househlds"),
    ],
)
def test_what_cannot_be_told_apart_is_said(g20, change, sourcing, says):
    with pytest.raises(ScenarioError, match=says):
        lower(asked(**({"users": "final"} | change), sourcing=sourcing), g20)


def test_other_instruments_fall_on_all_users():
    with pytest.raises(ScenarioError, match="falls on all users"):
        asked("final", instrument="trade_cost", to=None, by="-5%")


def test_robustness_says_which_rows_cannot_tell_users_apart(g20):
    found = robustness(g20, asked("final"), variants=("one-sector", "ces"), elasticities=())
    reasons = {(row.variant, row.sourcing): row.reason for row in found.rows}
    assert not reasons["competitive", "by_use"]
    assert not reasons["ces", "by_use"]
    assert "one sector" in reasons["one-sector", "by_use"]
    assert "tells users apart" in reasons["competitive", "by_user"]
