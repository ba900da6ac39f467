"""Questions without an answer are refused, naming the cells and the remedy; embargoes are exact."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.core.errors import InfeasibleError, NotConvergedError, ScenarioError
from entrepot.equilibrium.outcome import base_state, certify, new_state, require_certified
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import welfare
from entrepot.results.run import run, solve_closure
from entrepot.scenario.model import Scenario
from worlds import economy, frictionless, full_world, one_factor_world, outcome, random_world


def forbid(e, origins=slice(None), destinations=slice(None), sectors=slice(None)):
    """An embargo on flows between two different economies."""
    s, n = e.X.shape
    cells = np.zeros((s, n, n), bool)
    cells[sectors, origins, destinations] = True
    np.einsum("rdd->rd", cells)[...] = False
    return replace(no_shock(e), embargo=cells)


def both_ways(e, d):
    one = forbid(e, d)
    return replace(one, embargo=one.embargo | forbid(e, slice(None), d).embargo)


# -- embargoes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("closure", ["world_share", "proportional", "zero", "balanced_first"])
def test_an_embargoed_flow_is_exactly_zero(closure):
    e = economy(full_world(71, 4, 3), [2.0, 5.0, 9.0])
    one_way = forbid(e, 1, 0)
    solved = solve_closure(e, one_way, closure, 1e-10)
    assert not solved.state.pi[:, 1, 0].any()
    assert not solved.state.N[:, 1, 0].any()
    assert not solved.state.border[:, 1, 0].any()
    assert (solved.state.N[:, 0, 1] > 0).all()
    two_ways = replace(one_way, embargo=one_way.embargo | one_way.embargo.transpose(0, 2, 1))
    both = solve_closure(e, two_ways, closure, 1e-10)
    assert not both.state.N[:, 1, 0].any()
    assert not both.state.N[:, 0, 1].any()
    assert (both.state.N[:, 2, 0] > 0).all()


def test_an_embargo_is_the_limit_of_rising_costs():
    e = economy(random_world(72, 4, 2), [5.0, 5.0])
    _, cut = outcome(e, forbid(e, 1, 0))
    gaps = []
    for cost in (3.0, 10.0, 100.0):
        tau = np.ones_like(e.t)
        tau[:, 1, 0] = cost
        _, w = outcome(e, replace(no_shock(e), tau=tau))
        gaps.append(np.abs(w.real_income - cut.real_income).max())
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-9


def test_an_embargo_of_what_is_not_traded_changes_nothing():
    world = random_world(73, 4, 2, density=0.5)
    e = economy(world, [5.0, 5.0])
    empty = (e.pi == 0) & ~np.eye(4, dtype=bool)[None]
    assert empty.any()
    _, w = outcome(e, replace(no_shock(e), embargo=empty))
    np.testing.assert_allclose(w.real_income, 1, atol=1e-10)


def test_embargo_alone_is_autarky_of_one_economy():
    """Closing one economy under `zero`: the others trade on, its own gains are lost."""
    e = economy(one_factor_world(74, 4), 5.0)
    solved = solve_closure(e, both_ways(e, 2), "zero", 1e-11)
    w = welfare(e, solved.base, solved.state)
    # ACR with a deficit: real income without the transfer falls by the home share.
    home = e.pi[0, 2, 2]
    assert w.real_wage[2] == pytest.approx(home ** (1 / 5), rel=1e-9)
    assert w.real_income[2] == pytest.approx(home ** (1 / 5) * e.V[2] / e.I[2], rel=1e-9)
    flows = solved.state.N.copy()
    assert not flows[:, 2, [0, 1, 3]].any()
    assert not flows[:, [0, 1, 3], 2].any()
    # Its value added keeps the base's share by convention; so does the rest's.
    assert solved.state.V[2] == pytest.approx(e.V[2], rel=1e-10)


# -- infeasible questions -------------------------------------------------------------------------


def dependent_economy():
    """Economy C makes no second good and buys it from A only."""
    trade = np.array(
        [
            [[40.0, 5, 10], [5, 40, 8], [10, 5, 30]],
            [[40.0, 5, 6], [5, 40, 0], [0, 0, 0]],
        ]
    )
    n = 3
    return economy_from_shares(
        ["A", "B", "C"],
        ["food", "fuel"],
        trade=trade,
        tariffs=np.zeros((2, n, n)),
        inputs=np.zeros((2, 2, n)),
        value_added_shares=np.ones((2, n)),
        final_shares=trade.sum(1) / trade.sum((0, 1)),
        theta=np.array([5.0, 5.0]),
    )


def test_a_buyer_without_suppliers_is_named():
    e = dependent_economy()
    with pytest.raises(InfeasibleError, match="C fuel") as caught:
        solve(e, forbid(e, 0, 2, 1))
    text = str(caught.value)
    assert "1 buyer(s)" in text
    assert "finite trade cost" in text
    assert "without_supplier: merge" in text
    assert "C food" not in text
    assert caught.value.exit_code == 3
    # The other good, or the same with a second supplier, is fine.
    outcome(e, forbid(e, 0, 2, 0))


def test_a_deficit_under_autarky_is_refused():
    e = dependent_economy()
    assert abs(e.D[1]) > 0
    with pytest.raises(InfeasibleError, match=r"'B'|'A', 'C'") as caught:
        solve(e, both_ways(e, 1))
    text = str(caught.value)
    assert "deficit" in text or "surplus" in text
    assert "closure: zero" in text
    assert "no wage" in text
    solved = solve_closure(e, both_ways(e, 1), "zero", 1e-10)
    assert solved.certificate.passed


@pytest.mark.parametrize("way", ["exports", "imports"])
def test_one_way_trade_with_zero_balance_is_refused(way):
    """An economy that can sell but not buy (or the reverse) cannot balance its trade."""
    e = frictionless([0.3, 0.3, 0.4], 5.0)
    shock = forbid(e, slice(None), 0) if way == "exports" else forbid(e, 0)
    with pytest.raises(InfeasibleError, match="R0") as caught:
        solve(e, shock, closure="none")
    assert ("buy nothing from" if way == "exports" else "sell nothing to") in str(caught.value)
    assert "leave some trade open both ways" in str(caught.value)


def test_a_group_that_cannot_pay_is_refused():
    """Two economies trading with each other only, with a joint deficit."""
    e = economy(random_world(75, 4, 2), [5.0, 5.0])
    assert abs(e.D[:2].sum()) > 1e-6 * e.V.sum()
    cells = np.zeros_like(e.pi, bool)
    cells[:, :2, 2:] = cells[:, 2:, :2] = True
    with pytest.raises(InfeasibleError, match="'R00', 'R01'"):
        solve(e, replace(no_shock(e), embargo=cells))
    solved = solve_closure(e, replace(no_shock(e), embargo=cells), "zero", 1e-10)
    assert solved.certificate.passed


def test_the_scenario_and_world_are_named_when_a_run_is_infeasible():
    world = one_factor_world(76, 3)
    scenario = Scenario.model_validate(
        {
            "name": "closed",
            "why": "test",
            "changes": [
                {
                    "instrument": "embargo",
                    "importers": "R00",
                    "exporters": "all",
                    "why": "test",
                    "both_ways": True,
                }
            ],
        }
    )
    with pytest.raises(InfeasibleError, match=r"closed on random-76.*'R00'"):
        run(world, scenario, headlines=False)


def test_a_transfer_larger_than_income_is_no_answer():
    """A surplus that exceeds what an economy earns leaves negative income: refused."""
    e = frictionless([0.5, 0.5], 5.0)
    D = np.array([0.6, -0.6])
    with pytest.raises((NotConvergedError, InfeasibleError)):
        solve(e, no_shock(e), deficit=D)


# -- malformed shocks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("t", -1.0, "-100 %"),
        ("x", -1.5, "-100 %"),
        ("tau", 0.0, "positive"),
        ("A", 0.0, "positive"),
        ("L", -1.0, "positive"),
        ("t", np.nan, "not finite"),
        ("tau", np.inf, "not finite"),
        ("L", np.nan, "not finite"),
    ],
)
def test_impossible_levels_are_refused(name, value, text):
    e = frictionless([0.3, 0.7], 5.0)
    array = np.array(getattr(no_shock(e), name), float)
    array[(0,) * (array.ndim - 1) + (1,)] = value
    with pytest.raises(ScenarioError, match=text):
        replace(no_shock(e), **{name: array})


def test_a_shock_of_another_shape_is_refused():
    e, f = frictionless([0.3, 0.7], 5.0), frictionless([0.3, 0.3, 0.4], 5.0)
    with pytest.raises(ScenarioError, match="shape"):
        replace(no_shock(e), t=no_shock(f).t)
    with pytest.raises(ScenarioError, match="shape"):
        TradeShock(**{**vars(no_shock(e)), "L": np.ones(3)})


def test_base_states_are_left_alone():
    """Solving changes neither the economy nor the shock handed in."""
    e = economy(full_world(77, 3, 2), [5.0, 5.0])
    shock = forbid(e, 1, 0)
    before = [a.copy() for a in (e.pi, e.X, e.D, shock.t, shock.embargo, base_state(e).border)]
    outcome(e, shock)
    after = [e.pi, e.X, e.D, shock.t, shock.embargo, base_state(e).border]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_income_below_zero_is_refused_with_the_remedy():
    """A surplus economy whose exports are taxed away cannot keep paying the others."""
    trade = np.array([[[40.0, 30.0], [10.0, 60.0]]])
    e = economy_from_shares(
        ["A", "B"],
        ["all"],
        trade=trade,
        tariffs=np.zeros((1, 2, 2)),
        inputs=np.zeros((1, 1, 2)),
        value_added_shares=np.ones((1, 2)),
        final_shares=np.ones((1, 2)),
        theta=np.array([5.0]),
    )
    still = no_shock(e)
    solution = solve(e, still)
    state = new_state(e, still, solution)
    certificate = certify(e, still, replace(state, I=state.I * np.array([-1.0, 1.0])))
    assert certificate.worst.where == "A"
    with pytest.raises(
        NotConvergedError, match=r"income of A would fall below zero.*closure: zero"
    ):
        require_certified(certificate)


def test_negative_output_is_never_certified():
    """Stocks held at base quantities can exceed what is sold after a shock: refused by name."""
    world = random_world(78, 2, 2, inputs=0.0, categories=2)
    F, V = world.F.copy(), world.V.copy()
    F[1, 0, 1] = -0.9 * (F[1].sum() - F[1, 0, 1])  # nine tenths of R00 S1's sales come from stock
    V[0, 1] = F[1].sum()
    e = economy(replace(world, F=F, V=V), 5.0)
    A = np.ones((2, 2))
    A[1, 0] = 0.2
    with pytest.raises(NotConvergedError, match="R00 S1"):
        solve_closure(e, replace(no_shock(e), A=A), "world_share", 1e-10)


def test_labour_growing_everywhere_alike_is_not_refused():
    """The numeraire is imposed from the first point on, under balanced trade too."""
    e = economy(random_world(79, 3, 2), 5.0)
    solved = solve_closure(e, replace(no_shock(e), L=np.full(3, 1.25)), "balanced_first", 1e-9)
    w = welfare(solved.economy, solved.base, solved.state)
    np.testing.assert_allclose(w.real_income, 1.25, rtol=1e-7)


def test_blocs_that_cannot_settle_are_refused():
    """Two pairs with one-way trade inside and unequal sums: no single economy gives it away."""
    e = economy(random_world(5, 4, 2), 5.0)
    cells = np.broadcast_to(~np.eye(4, dtype=bool), (2, 4, 4)).copy()
    cells[:, 0, 1] = cells[:, 2, 3] = False
    D = np.array([-10.0, 5.0, -5.0, 10.0])
    with pytest.raises(InfeasibleError, match="could trade with no one else"):
        solve(e, replace(no_shock(e), embargo=cells), deficit=D)


def test_stocks_that_cross_a_closed_border_are_refused():
    """Base-quantity sales out of stock abroad cannot be paid for without trade."""
    e = economy(full_world(3, 4, 2), 5.0)
    assert e.inventories[:, :, 2].sum() < e.inventories[:, 2, 2].sum()
    with pytest.raises(InfeasibleError, match="could trade with no one else"):
        solve_closure(e, both_ways(e, 2), "zero", 1e-9)
