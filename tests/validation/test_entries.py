"""What the documentation says of each validation beyond "every cell holds"."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from entrepot.equilibrium.economy import with_variant
from entrepot.equilibrium.entry import equilibrium, stability
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.variants import Variant
from entrepot.results.run import balanced, solve_closure
from entrepot.validation import us_china_2018
from entrepot.validation.yotov_2016 import applications, as_printed, cleared, full, per_cent

sys.path.insert(0, str(Path(__file__).parents[1] / "equilibrium"))
from slow import Base, slow_solve
from variants_slow import Family, Slow

DATA = os.environ.get("ENTREPOT_VALIDATION_DATA")
pytestmark = [
    pytest.mark.validation,
    pytest.mark.skipif(DATA is None, reason="ENTREPOT_VALIDATION_DATA is not set"),
]
# docs/validation.md: largest difference of the Guide's loop from the cleared equilibrium, points.
APART = {
    "all borders removed": (0.473, 0.828, 0.582),
    "CAN-USA border removed, average": (0.406, 0.286, 0.033),
    "CAN-USA border removed, own": (0.348, 0.253, 0.029),
    "CAN-USA border removed, CAN's exports": (0.438, 0.383, 0.108),
    "NAFTA, as any agreement": (0.113, 0.079, 0.037),
    "NAFTA, its own effect": (0.201, 0.145, 0.062),
}


@pytest.fixture(scope="module")
def guide():
    return applications(Path(DATA) / "gravity_agtpa")[0]


@pytest.mark.parametrize("name", APART)
def test_the_guide_is_this_far_from_cleared_markets(name, guide):
    theirs = np.stack(per_cent(guide[name], full(guide[name])))
    ours = np.stack(per_cent(guide[name], cleared(guide[name])))
    assert np.abs(theirs - ours).max(1)[1:] == pytest.approx(APART[name], abs=6e-4)


@pytest.mark.parametrize("name", APART)
def test_our_solver_returns_the_guides_own_answer(name, guide):
    """With the endowments and transfers its loop implies: to rounding, not to printed digits."""
    theirs = np.stack(per_cent(guide[name], full(guide[name])))
    np.testing.assert_allclose(np.stack(as_printed(guide[name])[1:]), theirs, atol=1e-8)


@pytest.fixture(scope="module")
def year_2017():
    return us_china_2018.read(Path(DATA) / "cp_7x44_2017_us_china")


def slowly(economy, after, **changed):
    """Real income, per cent: the balanced base and the shock, each solved from the raw shares."""
    fields = {
        "theta": economy.theta, "pi": economy.pi, "t": economy.t, "x": economy.x,
        "cost": economy.g, "use": economy.g, "omega": economy.omega, "va": economy.va,
        "alpha": economy.alpha, "V": economy.V, "D": economy.D, "stock": economy.inventories,
        "I": economy.I, "used": economy.X > 0,
    }  # fmt: skip
    base = Base(**fields | changed)
    still = no_shock(economy)
    before = slow_solve(base, still, "none")["real_income"]
    return 100 * (slow_solve(base, replace(still, t=after), "none")["real_income"] / before - 1)


def test_a_solver_written_apart_agrees_on_2018(year_2017):
    economy, after, scale = year_2017
    none = np.zeros_like(economy.g)
    bare = {
        "cost": none, "use": none, "va": np.ones_like(economy.va),
        "alpha": economy.X / economy.X.sum(0), "V": economy.Y.sum(0), "I": economy.X.sum(0),
    }  # fmt: skip
    for variant, changed in (("competitive", {}), ("without inputs", bare)):
        solve, reference = us_china_2018.VARIANTS[variant]
        ours = solve(economy, after, scale)
        np.testing.assert_allclose(ours, slowly(economy, after, **changed), atol=1e-8)
        np.testing.assert_allclose(ours, reference, atol=0.51e-5)


@pytest.mark.parametrize("variant", ["nested CES", "scale effects"])
def test_every_equation_written_apart_holds_at_the_answer_of_2018(year_2017, variant):
    """The figures are of the slow solver's own Newton; here its equations, at our answer."""
    economy, after, scale = year_2017
    solve, reference = us_china_2018.VARIANTS[variant]
    np.testing.assert_allclose(solve(economy, after, scale), reference, atol=0.51e-5)
    chosen = us_china_2018.NESTED
    if variant == "scale effects":
        chosen = Variant(scale=us_china_2018.SCALED * scale)
    e = with_variant(balanced(economy, 1e-11), chosen)
    base = Base(
        theta=e.theta, pi=e.pi, t=e.t, x=e.x, cost=e.g, use=e.g, omega=e.omega, va=e.va,
        alpha=e.alpha, V=e.V, D=e.D, stock=e.inventories, I=e.I, used=e.X > 0,
    )  # fmt: skip
    shock = replace(no_shock(e), t=after)
    state = solve_closure(e, shock, "world_share", 1e-11).state
    family = Family(chosen.value_added, chosen.inputs, chosen.demand, chosen.scale)
    slow = Slow(base, shock, "none", family)
    entrants = state.N.sum(2) / slow.S0 / state.c
    unknowns = [np.log(v).ravel() for v in (state.w, state.P, entrants, state.X / slow.X0)]
    miss, found = slow.residual(np.concatenate(unknowns), False)
    assert np.abs(miss).max() < 1e-8
    np.testing.assert_allclose(100 * (found["real_income"] - 1), reference, atol=0.51e-5)


def test_at_the_whole_scale_the_base_of_2017_is_unstable(year_2017):
    economy, _, scale = year_2017
    base = balanced(economy, 1e-11)
    for share, unstable in ((us_china_2018.SCALED, False), (1.0, True)):
        e = with_variant(base, Variant(scale=share * scale))
        assert (stability(e, equilibrium(e, no_shock(e))).leading > 0) == unstable


def test_the_tariffs_of_2018_are_read_right(year_2017):
    economy, after, _ = year_2017
    rise = after - economy.t
    usa, china = economy.regions.index("USA"), economy.regions.index("CHN")
    assert rise[:22, china, usa].min() > 0
    assert rise[:22, usa, china].min() > 0
    rise[:22, china, usa] = rise[:22, usa, china] = 0
    assert not rise.any()
    assert (us_china_2018.implied_final(economy) < 0).sum() == 20
    assert economy.base_gap == pytest.approx(0.040, abs=5e-4)
