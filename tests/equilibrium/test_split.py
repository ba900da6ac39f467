"""The welfare split is right to first order for every instrument in every kind of world; trade shifts."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.equilibrium.outcome import base_state, certify, new_state
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import SPLIT_TERMS, trade_shift, welfare_split
from entrepot.results.run import solve_closure
from worlds import economy, full_world, off_diagonal, outcome, random_shock, random_world

THETA = [2.5, 5.0, 9.0]
WORLDS = {
    "plain": {},
    "tariffs": {"tariffs": 0.4},
    "export taxes": {"export_taxes": 0.3},
    "product taxes": {"product_taxes": 0.2},
    "stocks": {"inventories": 0.4, "categories": 2},
    "everything": {
        "tariffs": 0.4,
        "export_taxes": 0.3,
        "product_taxes": 0.2,
        "inventories": 0.4,
        "categories": 2,
        "density": 0.7,
    },
}
INSTRUMENTS = ("t", "x", "tau", "A", "L", "D")


def moved(e, instrument, h):
    """(shock, deficits): the instrument moved by h times a fixed random direction."""
    rng = np.random.default_rng(77)
    s, n = e.X.shape
    wedge = off_diagonal(rng.uniform(-0.5, 1, (s, n, n)))
    shock, D = no_shock(e), e.D
    if instrument == "t":
        shock = replace(shock, t=e.t + h * wedge)
    elif instrument == "x":
        shock = replace(shock, x=e.x + h * wedge)
    elif instrument == "tau":
        shock = replace(shock, tau=np.exp(h * wedge))
    elif instrument == "A":
        shock = replace(shock, A=np.exp(h * rng.uniform(-1, 1, (s, n))))
    elif instrument == "L":
        shock = replace(shock, L=np.exp(h * rng.uniform(-1, 1, n)))
    else:
        way = rng.uniform(-0.3, 0.3, n) * e.I
        D = e.D + h * (way - way.mean())
    return shock, D


def split_at(e, instrument, h):
    shock, D = moved(e, instrument, h)
    state = new_state(e, shock, solve(e, shock, deficit=D, tol=1e-13))
    assert certify(e, shock, state, 1e-11).passed
    return welfare_split(e, shock, base_state(e), state)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("kind", WORLDS)
def test_what_is_left_over_is_of_second_order(kind, instrument):
    e = economy(random_world(31, 3, 3, **WORLDS[kind]), THETA)
    h = 4e-4
    up, down = split_at(e, instrument, h), split_at(e, instrument, -h)
    total = (sum(up.values()) - sum(down.values())) / (2 * h)
    left = (up["higher_order"] - down["higher_order"]) / (2 * h)
    assert np.abs(total).max() > 1e-3
    # A missing or wrong first-order term would show as a slope, not as noise.
    np.testing.assert_allclose(left, 0, atol=2e-5 * np.abs(total).max())
    # Halving the shock quarters what is left.
    even = up["higher_order"] + down["higher_order"]
    half = split_at(e, instrument, h / 2), split_at(e, instrument, -h / 2)
    less = half[0]["higher_order"] + half[1]["higher_order"]
    big = np.abs(even) > 1e-9
    assert np.all(np.abs(even[big] / less[big] - 4) < 0.05)


@pytest.mark.parametrize("closure", ["world_share", "proportional", "zero", "balanced_first"])
def test_terms_sum_to_the_exact_change_and_are_all_explained(closure):
    e = economy(full_world(32, 3, 3), THETA)
    shock = random_shock(np.random.default_rng(32), e, 0.2)
    solved = solve_closure(e, shock, closure, 1e-11)
    split = welfare_split(solved.economy, shock, solved.base, solved.state)
    assert set(split) <= set(SPLIT_TERMS)
    price = np.exp((e.alpha * np.log(solved.state.P)).sum(0))
    exact = solved.state.I / solved.base.I / price - 1
    np.testing.assert_allclose(sum(split.values()), exact, atol=1e-12)


def test_each_term_moves_with_its_own_instrument_only():
    """Terms that name an instrument are zero without it."""
    e = economy(random_world(33, 3, 3, tariffs=0.2), THETA, taxes="in_value_added")
    for instrument in ("t", "tau", "A", "L"):
        split = split_at(e, instrument, 0.05)
        for term, owner in (("trade_cost", "tau"), ("technology", "A"), ("endowment", "L")):
            assert np.any(split[term] != 0) == (owner == instrument), (instrument, term)
        assert np.any(split["volume_of_trade"] != 0)
    free = economy(random_world(33, 3, 3), THETA)
    assert not split_at(free, "tau", 0.05)["volume_of_trade"].any()
    assert "product_tax" not in split_at(free, "tau", 0.05)


def test_terms_of_trade_sum_to_nothing_over_the_world():
    """One economy's export price is another's import price."""
    e = economy(random_world(34, 4, 3, tariffs=0.2, export_taxes=0.1), THETA)
    for instrument in INSTRUMENTS:
        terms = split_at(e, instrument, 0.1)["terms_of_trade"] * e.I
        assert abs(terms.sum()) < 1e-10 * e.I.sum()
        assert np.abs(terms).max() > 1e-6 * e.I.sum()


def test_terms_of_trade_sum_to_nothing_with_stocks_moved_abroad():
    e = economy(full_world(35, 4, 3), THETA)
    terms = split_at(e, "x", 0.1)["terms_of_trade"] * e.I
    assert abs(terms.sum()) < 1e-10 * e.I.sum()


def test_caliendo_and_parro_terms_for_tariffs_only():
    """With tariffs only: ToT and VoT exactly as printed in their equation 15."""
    e = economy(random_world(36, 3, 3, tariffs=0.3), THETA)
    shock = random_shock(np.random.default_rng(36), e, 0.3, ("t",))
    state, _ = outcome(e, shock)
    split = welfare_split(e, shock, base_state(e), state)
    M = e.pi * e.X[:, None, :] / (1 + e.t)
    after = state.pi * state.X[:, None, :] / (1 + shock.t)
    tot, vot = np.zeros(3), np.zeros(3)
    for d in range(3):
        for o in range(3):
            for r in range(3):
                if o != d:
                    tot[d] += M[r, d, o] * (state.c[r, d] - 1) - M[r, o, d] * (state.c[r, o] - 1)
                    vot[d] += (
                        e.t[r, o, d] * M[r, o, d] * (after[r, o, d] / M[r, o, d] - state.c[r, o])
                    )
    np.testing.assert_allclose(split["terms_of_trade"], tot / e.I, atol=1e-14)
    np.testing.assert_allclose(split["volume_of_trade"], vot / e.I, atol=1e-14)


# -- trade creation and diversion ----------------------------------------------------------------


def import_volumes(base, new):
    """Imports by destination at base border prices, by loops: before and after."""
    s, n, _ = base.border.shape
    before, after = np.zeros(n), np.zeros(n)
    for r in range(s):
        for o in range(n):
            for d in range(n):
                if o != d and base.border[r, o, d] > 0:
                    old = base.c[r, o] * (1 + base.x[r, o, d]) * base.tau[r, o, d]
                    now = new.c[r, o] * (1 + new.x[r, o, d]) * new.tau[r, o, d]
                    before[d] += base.border[r, o, d]
                    after[d] += new.border[r, o, d] / now * old
    return before, after


@pytest.mark.parametrize("seed", range(4))
def test_creation_and_the_rest_sum_to_the_change_of_imports(seed):
    """Diversion is trade that changed supplier: it is in neither sum of imports."""
    e = economy(full_world(40 + seed, 4, 3, density=0.8), THETA)
    shock = random_shock(np.random.default_rng(seed), e, 0.4, share=0.4)
    state, _ = outcome(e, shock)
    shift = trade_shift(shock, e, base_state(e), state)
    before, after = import_volumes(base_state(e), state)
    np.testing.assert_allclose(shift.imports, before, rtol=1e-12)
    parts = shift.creation + shift.other
    np.testing.assert_allclose(parts, after - before, atol=1e-9 * before.max())
    assert np.abs(shift.diversion).max() > 1e-4 * before.max()
    assert np.abs(parts).max() > 1e-4 * before.max()


def test_an_embargo_counts_as_trade_lost():
    e = economy(random_world(50, 4, 2), [4.0, 6.0])
    embargo = np.zeros((2, 4, 4), bool)
    embargo[:, 1, 0] = True
    shock = replace(no_shock(e), embargo=embargo)
    state, _ = outcome(e, shock)
    shift = trade_shift(shock, e, base_state(e), state)
    lost = base_state(e).border[:, 1, 0].sum()
    assert shift.creation[0] + shift.diversion[0] == pytest.approx(-lost, rel=1e-9)
    assert shift.diversion[0] < 0
    assert -shift.diversion[0] <= lost * (1 + 1e-9)
    assert not shift.creation[1:].any()


def test_a_preference_diverts_and_a_general_cut_does_not():
    """Viner: a cut for one supplier takes trade from the others; a cut for all has no others."""
    e = economy(random_world(51, 4, 2, tariffs=0.3), [5.0, 5.0])
    one, all_ = e.t.copy(), e.t.copy()
    one[:, 1, 0] = 0
    all_[:, 1:, 0] = 0
    for t, diverts in ((one, True), (all_, False)):
        shock = replace(no_shock(e), t=t)
        state, _ = outcome(e, shock)
        shift = trade_shift(shock, e, base_state(e), state)
        assert shift.creation[0] > 0
        assert (shift.diversion[0] > 0) == diverts
