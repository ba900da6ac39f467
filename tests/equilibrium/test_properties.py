"""Random worlds and shocks of every kind: a certified answer that adds up, or a deliberate refusal."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from entrepot.core.errors import EntrepotError, InfeasibleError, NotConvergedError
from entrepot.equilibrium.counterfactual import counterfactual_world
from entrepot.equilibrium.economy import base_gap
from entrepot.equilibrium.outcome import certify
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.welfare import trade_shift, welfare, welfare_split
from entrepot.results.run import run, solve_closure
from entrepot.results.tables import group_rows, region_rows, sector_rows
from entrepot.scenario.model import Scenario
from worlds import (
    economy,
    off_diagonal,
    one_factor_world,
    random_shock,
    random_world,
    real_wage_by_shares,
)

CLOSURES = ["world_share", "proportional", "zero", "balanced_first"]

worlds = st.builds(
    random_world,
    st.integers(0, 10_000),
    st.integers(2, 5),
    st.integers(1, 4),
    density=st.sampled_from([1.0, 0.8, 0.5]),
    empty=st.integers(0, 2),
    dead_sector=st.booleans(),
    product_taxes=st.sampled_from([0.0, 0.05, 0.2]),
    inventories=st.sampled_from([0.0, 0.3]),
    tariffs=st.sampled_from([0.0, 0.2, 1.0]),
    export_taxes=st.sampled_from([0.0, 0.2]),
    categories=st.integers(1, 3),
    home=st.sampled_from([1.0, 6.0, 40.0]),
    inputs=st.sampled_from([0.0, 0.5, 0.85]),
    in_value_added=st.booleans(),
    spread=st.sampled_from([0.3, 1.5]),
)
thetas = st.floats(np.log(0.39), np.log(65.0))
seeds = st.integers(0, 10_000)


def calibrated(world, seed, top, taxes):
    rng = np.random.default_rng(seed)
    s = len(world.sectors)
    theta = np.exp(rng.uniform(np.log(0.39), top, s))
    return economy(world, theta, taxes=taxes)


def shocked(e, seed, size, embargo):
    rng = np.random.default_rng(seed)
    instruments = [k for k in ("t", "x", "tau", "A", "L") if rng.random() < 0.6] or ["t"]
    shock = random_shock(rng, e, size, tuple(instruments))
    if embargo:
        cells = off_diagonal(rng.random(e.pi.shape) < 0.15) > 0
        shock = replace(shock, embargo=cells)
    return shock


def solved_or_refused(e, shock, closure):
    try:
        return solve_closure(e, shock, closure, 1e-10)
    except (InfeasibleError, NotConvergedError) as error:
        event(type(error).__name__)
        if len(str(error)) < 40:
            raise
        return None


@given(
    worlds,
    seeds,
    thetas,
    st.sampled_from([0.05, 0.3, 1.0]),
    st.booleans(),
    st.sampled_from(CLOSURES),
    st.sampled_from(["fixed_rate_revenue", "in_value_added"]),
)
def test_every_answer_is_certified_and_adds_up(world, seed, top, size, embargo, closure, taxes):
    try:
        e = calibrated(world, seed, max(top, np.log(0.4)), taxes)
    except EntrepotError as error:
        event("world refused")
        if "R0" not in str(error):
            raise
        return
    assert base_gap(e) < 1e-9
    shock = shocked(e, seed, size, embargo)
    solved = solved_or_refused(e, shock, closure)
    if solved is None:
        return
    event("solved")
    f, base, s = solved.economy, solved.base, solved.state
    live = f.X > 0
    assert certify(f, shock, s, 1e-8).passed

    # Shares, goods, incomes, balances, world sums: each from its own arithmetic.
    np.testing.assert_allclose(s.pi.sum(1)[live], 1, atol=1e-12)
    assert (s.pi >= 0).all()
    assert not s.pi[shock.embargo].any()
    assert not s.pi[f.pi == 0].any()
    assert (s.I > 0).all()
    assert (s.X >= 0).all()
    assert s.Y.min() >= -1e-7 * s.X.sum()
    duty = (shock.t * s.border).sum((0, 1))
    np.testing.assert_allclose(s.tariff_revenue, duty, atol=1e-10 * f.V.sum())
    export = (shock.x * s.N).sum((0, 2))
    product = (f.omega * f.g.sum(0) * s.Y).sum(0)
    stock = -(f.inventories * s.c[:, :, None])
    income = s.V + duty + export + product + stock.sum((0, 1)) + s.D
    np.testing.assert_allclose(s.I, income, rtol=1e-9)
    np.testing.assert_allclose(s.V, (f.va * s.Y).sum(0), rtol=1e-7)
    final = s.X - np.einsum("rkd,kd->rd", f.g, s.Y)
    np.testing.assert_allclose(final.sum(0), s.I, rtol=1e-7)
    # World final use at producers' prices is world value added plus taxes and stock.
    all_taxes = duty.sum() + export.sum() + product.sum()
    assert final.sum() == pytest.approx(f.V.sum() + all_taxes + stock.sum(), rel=1e-8)
    assert abs(s.D.sum()) < 1e-10 * f.V.sum()
    flows = off_diagonal(s.border - stock)
    gap = flows.sum((0, 1)) - flows.sum((0, 2)) - s.D
    assert (
        np.abs(gap) <= 1e-7 * (np.abs(flows).sum((0, 1)) + np.abs(flows).sum((0, 2)))
    ).all() or (np.abs(gap) <= 1e-9 * s.V).all()

    hats = welfare(f, base, s)
    split = welfare_split(f, shock, base, s)
    np.testing.assert_allclose(sum(split.values()), hats.real_income - 1, atol=1e-9)
    home = np.einsum("rdd->rd", f.pi) > 0
    if (home | ~live).all():
        expected = real_wage_by_shares(f, base, s, shock.A)
        np.testing.assert_allclose(hats.real_wage, expected, rtol=1e-6)
    shift = trade_shift(shock, f, base, s)
    assert np.isfinite(shift.creation + shift.diversion + shift.other).all()

    after = counterfactual_world(world, f, s, {"scenario": "test"})
    assert np.abs(after.slack).max() <= 1e-7 * after.x.max()
    assert after.V.sum() == pytest.approx(s.V.sum(), rel=1e-7)


@given(worlds, seeds, st.sampled_from(["fixed_rate_revenue", "in_value_added"]))
def test_no_shock_on_a_counterfactual_world_gives_nothing(world, seed, taxes):
    try:
        e = calibrated(world, seed, np.log(12), taxes)
        shock = shocked(e, seed, 0.3, embargo=False)
        solved = solve_closure(e, shock, "world_share", 1e-11)
        after = counterfactual_world(world, e, solved.state, {"scenario": "test"})
        f = economy(after, e.theta, taxes=taxes)
    except EntrepotError as error:
        event(type(error).__name__)
        return
    event("solved")
    np.testing.assert_allclose(f.X, solved.state.X, rtol=1e-7, atol=1e-9 * f.X.sum())
    np.testing.assert_allclose(f.I, solved.state.I, rtol=1e-7)
    np.testing.assert_allclose(f.inventories, e.inventories * solved.state.c[:, :, None], rtol=1e-9)
    still = solve_closure(f, no_shock(f), "world_share", 1e-10)
    w = welfare(f, still.base, still.state)
    np.testing.assert_allclose(w.real_income, 1, atol=1e-7)


@given(worlds, seeds)
def test_raising_a_tariff_and_taking_it_back_returns_to_the_start(world, seed):
    """Through `result.world`, with the tariffs it carries."""
    try:
        e = calibrated(world, seed, np.log(10), "fixed_rate_revenue")
        rng = np.random.default_rng(seed)
        shock = replace(
            no_shock(e), t=e.t + off_diagonal(rng.uniform(0, 0.5, e.t.shape)), tau=no_shock(e).tau
        )
        one = solve_closure(e, shock, "world_share", 1e-11)
        after = counterfactual_world(world, e, one.state, {"scenario": "up"})
        f = economy(after, e.theta)
        two = solve_closure(f, replace(no_shock(f), t=e.t), "world_share", 1e-11)
    except EntrepotError as error:
        event(type(error).__name__)
        return
    event("solved")
    np.testing.assert_allclose(f.t, shock.t, atol=1e-15)
    a = welfare(e, one.base, one.state).real_income
    b = welfare(f, two.base, two.state).real_income
    np.testing.assert_allclose(a * b, 1, rtol=1e-7)
    np.testing.assert_allclose(two.state.X, e.X, rtol=1e-6, atol=1e-8 * e.X.sum())


def scenario(*changes, **assumptions):
    return Scenario.model_validate(
        {
            "name": "test",
            "why": "test",
            "changes": [{"why": "test", **c} for c in changes],
            "assumptions": assumptions,
        }
    )


@given(seeds, st.sampled_from(CLOSURES), st.floats(0.01, 0.6))
def test_run_reports_what_the_engine_found(seed, closure, rate):
    """Through the one verb: tables, group sums, deficit part, the new World and back."""
    world = random_world(seed, 4, 2, tariffs=0.1, product_taxes=0.05, inventories=0.2, categories=2)
    asked = scenario(
        {"instrument": "tariff", "importers": "R00", "exporters": "R01", "to": rate},
        {"instrument": "trade_cost", "importers": "R02", "exporters": "all", "by": "-5%"},
        {"instrument": "productivity", "exporters": "R03", "by": "3%"},
        closure=closure,
        elasticities=5.0,
    )
    try:
        result = run(world, asked, headlines=False)
    except EntrepotError as error:
        event(type(error).__name__)
        return
    event("solved")
    rows = region_rows(result)
    gains = sum(row["welfare_musd"] for row in rows)
    whole = group_rows(result)[0]
    assert whole["group"] == "world"
    assert whole["welfare_musd"] == pytest.approx(gains, rel=1e-9, abs=1e-9)
    assert 100 * gains / result.base.I.sum() == pytest.approx(whole["welfare_pct"], rel=1e-9)
    terms = [
        "terms_of_trade", "volume_of_trade", "trade_cost", "technology", "endowment", "transfer",
        "product_tax", "higher_order",
    ]  # fmt: skip
    for row in rows:
        split = sum(row.get(f"{k}_pct") or 0 for k in terms)
        assert split == pytest.approx(row["welfare_pct"], abs=1e-9)
    assert (result.deficit_part is not None) == (closure == "zero")
    trade = sum(row["trade_musd"] for row in sector_rows(result))
    assert trade == pytest.approx(off_diagonal(result.base.border).sum(), rel=1e-9)
    back = scenario(elasticities=5.0)
    again = run(result.world, back, headlines=False)
    np.testing.assert_allclose(again.welfare.real_income, 1, atol=1e-6)
    np.testing.assert_allclose(again.base.X, result.state.X, rtol=1e-6)


@given(seeds, st.floats(0.4, 20.0))
def test_free_trade_is_best_for_the_world_and_autarky_worst(seed, theta):
    """One sector, balanced: any tariff lowers world income at given weights of small changes."""
    e = economy(one_factor_world(seed, 3), theta)
    tau = off_diagonal(np.ones_like(e.t)) * 0.2
    cheaper = replace(no_shock(e), tau=np.exp(-tau))
    dearer = replace(no_shock(e), tau=np.exp(tau))
    gains = []
    for shock in (cheaper, dearer):
        solved = solve_closure(e, shock, "balanced_first", 1e-10)
        gains.append(welfare(solved.economy, solved.base, solved.state).real_income @ e.V)
    assert gains[0] > e.V.sum() > gains[1]
    rate = replace(no_shock(e), t=off_diagonal(np.full_like(e.t, 0.3)))
    solved = solve_closure(e, rate, "balanced_first", 1e-10)
    loss = welfare(solved.economy, solved.base, solved.state).real_income - 1
    assert (loss * e.V).sum() < 1e-12 * e.V.sum()
