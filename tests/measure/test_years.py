"""Measures through time, and what their change is made of."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import accounts_of
from entrepot.measure.content import intensities
from entrepot.measure.structural import FACTORS, log_change, structural_decomposition
from entrepot.measure.years import take_years
from entrepot.world.series import Series
from entrepot.world.world import attach
from worlds import full_world, random_world


def two_years(seed=1, make=random_world, **options):
    before = replace(make(seed, 3, 3, **options), year=2000)
    after = replace(make(seed + 100, 3, 3, **options), year=2010, name="later")
    return before, after


def series(*worlds):
    return Series({w.year: (lambda w=w: w) for w in worlds})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [random_world, full_world])
def test_the_factors_sum_to_the_change(seed, make):
    before, after = two_years(seed, make)
    found = structural_decomposition(before, after)
    change = [
        a.by_economy(intensities(a, "value_added") * a.x) for a in map(accounts_of, (before, after))
    ]
    assert found.dims == ("region", "factor")
    np.testing.assert_allclose(found.sum("factor"), change[1] - change[0], rtol=1e-10)


def test_each_factor_alone():
    """A change of one factor is put down to it, whole."""
    world = replace(random_world(5, 3, 3), year=2000)
    doubled = replace(
        world, Z=world.Z * 2, F=world.F * 2, V=world.V * 2, T_final=world.T_final * 2, year=2001
    )
    found = structural_decomposition(world, doubled)
    total = world.V.reshape(3, 3).sum(1)
    np.testing.assert_allclose(found.sel(factor="final_level"), total, rtol=1e-10)
    others = found.sel(factor=[f for f in FACTORS if f != "final_level"])
    np.testing.assert_allclose(others, 0, atol=1e-9)
    jobs = [np.arange(1.0, 10).reshape(3, 3) * k for k in (1, 3)]
    years = [
        attach(w, "jobs", j, ("region", "sector"), "persons", "made up", "sum")
        for w, j in zip((world, replace(world, year=2001)), jobs, strict=True)
    ]
    found = structural_decomposition(*years, of="jobs")
    assert found.attrs["unit"] == "persons"
    np.testing.assert_allclose(
        found.sel(factor="intensity"), (jobs[1] - jobs[0]).sum(1), rtol=1e-10
    )


def test_the_mean_over_all_orders():
    """The Shapley value by its definition: the mean over 720 orders, each a walk between the years."""

    def dense(world):  # everybody buys something of every product
        Z = world.Z + 0.1
        x = Z.sum(1) + world.F.sum((1, 2))
        return replace(world, Z=Z, V=(x - Z.sum(0))[None])

    before, after = map(dense, two_years(9))
    a, b = accounts_of(before), accounts_of(after)

    def state(a):
        A = a.Z * a.per_unit
        tile = np.tile(np.eye(3), (1, 3))
        needs, bought = tile @ A, tile @ a.y
        return {
            "intensity": intensities(a, "value_added"),
            "technology": needs,
            "input_sourcing": A / np.tile(needs, (3, 1)),
            "final_sourcing": a.y / np.tile(bought, (3, 1)),
            "final_mix": bought / a.y.sum(0),
            "final_level": a.y.sum(0),
        }

    def total(f):
        A = f["input_sourcing"] * np.tile(f["technology"], (3, 1))
        y = (f["final_sourcing"] * np.tile(f["final_mix"] * f["final_level"], (3, 1))).sum(1)
        return (f["intensity"] * np.linalg.solve(np.eye(9) - A, y)).reshape(3, 3).sum(1)

    old, new = state(a), state(b)
    by_hand = dict.fromkeys(FACTORS, 0.0)
    for order in permutations(FACTORS):
        now, value = dict(old), total(old)
        for factor in order:
            now[factor] = new[factor]
            reached = total(now)
            by_hand[factor] = by_hand[factor] + (reached - value) / 720
            value = reached
    found = structural_decomposition(before, after)
    for factor in FACTORS:
        np.testing.assert_allclose(
            found.sel(factor=factor), by_hand[factor], rtol=1e-8, atol=1e-8 * after.V.sum()
        )


def test_what_is_bought_in_one_year_only():
    """A product that nobody bought before has no sourcing then: its change is put down elsewhere."""
    before, after = two_years(3, dead_sector=True)
    after = replace(random_world(3, 3, 3), year=2010)
    found = structural_decomposition(before, after)
    assert np.isfinite(found).all()
    change = after.V.reshape(3, 3).sum(1) - before.V.reshape(3, 3).sum(1)
    np.testing.assert_allclose(found.sum("factor"), change, rtol=1e-9)


def test_log_change_is_exact_whatever_the_signs():
    parts = log_change([3.0, -1.0, 0.0], [4.0, 0.5, 1.5])
    assert parts.sum() == pytest.approx(np.log(6 / 2), rel=1e-14)
    assert log_change([1.0, 2.0], [2.0, 1.0]).sum() == pytest.approx(0, abs=1e-15)
    with pytest.raises(MeasureError, match="both must be positive"):
        log_change([1.0, -2.0], [1.0, 1.0])


def test_measures_over_years():
    before, after = two_years(4)
    found = take_years(series(before, after), ["gvc_participation", "gross_exports_by_partner"])
    assert found.years == (2000, 2010)
    values = found["gvc_participation"]
    assert values.dims == ("year", "region")
    tidy = found.tidy()
    assert sorted(set(tidy["year"])) == [2000, 2010]
    assert len(tidy) == 2 * (3 + 9)
    parts = found.change("gross_exports_by_partner")
    exports = [accounts_of(w).exports.sum(1).reshape(3, 3).sum(1) for w in (before, after)]
    np.testing.assert_allclose(parts.sum("partner"), np.log(exports[1] / exports[0]), rtol=1e-12)
    with pytest.raises(MeasureError, match="not an amount that adds up"):
        found.change("gvc_participation")
    with pytest.raises(MeasureError, match="no year 2005"):
        found.change("gross_exports_by_partner", 2000, 2005)
    with pytest.raises(MeasureError, match="was not taken"):
        found["upstreamness"]


def test_the_total_of_a_measure_by_region():
    before, after = two_years(6)
    found = take_years(series(before, after), "gross_exports").change("gross_exports")
    total = [accounts_of(w).exports.sum() for w in (before, after)]
    assert float(found.sum()) == pytest.approx(np.log(total[1] / total[0]), rel=1e-12)


def test_worlds_that_do_not_match():
    before, after = two_years(2)
    with pytest.raises(MeasureError, match="economies"):
        structural_decomposition(before, accounts_of(after, together={"G": ["R00", "R01"]}))
    with pytest.raises(MeasureError, match="jobs"):
        structural_decomposition(before, after, of="jobs")
