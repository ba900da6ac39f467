"""Gradients and responses against central differences, one another, and the exact answer."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.core.errors import NotConvergedError, ScenarioError
from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.outcome import base_state, new_state
from entrepot.equilibrium.path import path_split
from entrepot.equilibrium.response import (
    OUTCOMES,
    WITH_RESPECT_TO,
    gradient,
    linearise,
    outcome,
    respond,
)
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.tangent import Given
from entrepot.equilibrium.variants import Variant
from entrepot.equilibrium.welfare import welfare
from entrepot.equilibrium.world_response import DIRECTIONS, world_response
from worlds import off_diagonal, random_world

THETA = np.array([4.0, 6.0, 3.0])
PLAIN = {"product_taxes": 0.1, "tariffs": 0.3, "export_taxes": 0.1, "inventories": 0.2}
CES = Variant(value_added=0.5, inputs=0.3, demand=0.7)
CASES = {
    "competitive": ({**PLAIN, "categories": 3}, Variant(), "by_sector"),
    "by use": ({**PLAIN, "categories": 3}, Variant(), "by_use"),
    "by user": ({**PLAIN, "categories": 3}, Variant(), "by_user"),
    "nested CES": ({**PLAIN, "categories": 3}, CES, "by_sector"),
    "nested CES by user": ({**PLAIN, "categories": 3}, CES, "by_user"),
    "scale": ({"tariffs": 0.3, "categories": 2}, replace(CES, scale=np.array(0.6)), "by_user"),
    "selection": ({"tariffs": 0.3}, Variant(scale=0.6, selection=0.4), "by_sector"),
}


def case(name, closure="world_share"):
    """An economy, a shock away from the base, and the solved state."""
    kw, variant, sourcing = CASES[name]
    e = calibrate(random_world(3, 4, 3, **kw), THETA, sourcing=sourcing, variant=variant)
    rng = np.random.default_rng(5)
    wide = off_diagonal(np.ones((3, 4, 4)))
    shock = replace(
        no_shock(e),
        t=e.t + 0.1 * wide,
        tau=np.exp(wide * rng.normal(0, 0.05, wide.shape)),
        A=np.exp(rng.normal(0, 0.05, (3, 4))),
    )
    return e, shock, at(e, shock, closure)


def at(e, shock, closure):
    return new_state(e, shock, solve(e, shock, closure=closure, tol=1e-13))


def value(e, shock, closure, name, weights):
    state, base = at(e, shock, closure), base_state(e)
    w = welfare(e, base, state)
    found = {
        "real_income": np.log(w.real_income),
        "real_wage": np.log(w.real_wage),
        "income": np.log(state.I),
        "wage": np.log(state.w),
        "price": np.log(w.price),
        "output": np.log(np.where(state.Y > 0, state.Y / state.c, 1)),
        "cost": np.log(state.c),
        "output_value": state.Y,
        "sales": state.N,
        "border": state.border,
        "revenue": state.tariff_revenue
        + state.export_revenue
        + (e.omega * state.g.sum(0) * state.Y).sum(0),
        "tariff_revenue": state.tariff_revenue,
        "deficit": state.D,
    }[name]
    return float((weights * found).sum())


def nudged(e, shock, key, place, h):
    """The economy and shock with one thing given moved by h, in the gradient's unit."""
    if key == "elasticities":
        theta = e.theta.copy()
        theta[place] += h
        return replace(e, theta=theta), shock
    if key == "transfers":
        i, j = place
        D = e.D.copy()
        D[i] += h
        D[j] -= h
        return replace(e, D=D), shock
    field = {"tariffs": "t", "export_taxes": "x", "trade_costs": "tau"}.get(key)
    field = field or {"productivity": "A", "labour": "L"}[key]
    array = getattr(shock, field).copy()
    array[place] = array[place] + h if field in ("t", "x") else array[place] * np.exp(h)
    return e, replace(shock, **{field: array})


PLACES = {
    "tariffs": [(0, 1, 2), (2, 3, 0)],
    "export_taxes": [(1, 0, 3)],
    "trade_costs": [(0, 1, 2), (1, 2, 2)],
    "productivity": [(1, 2)],
    "labour": [(3,)],
    "transfers": [(0, 2)],
    "elasticities": [(1,)],
}


@pytest.mark.parametrize("closure", ["world_share", "proportional"])
@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_central_differences(name, closure):
    e, shock, state = case(name, closure)
    keys = [k for k in WITH_RESPECT_TO if not (name == "selection" and k == "elasticities")]
    linear = linearise(e, shock, state, closure=closure)
    rng = np.random.default_rng(1)
    shapes = {1: (4,), 2: (3, 4), 3: (3, 4, 4)}
    for of in ("real_income", "output", "border", "revenue"):
        weights = rng.normal(size=shapes[OUTCOMES[of][0]])
        if of == "output":
            weights = np.where(state.Y > 0, weights, 0)
        found = gradient(linear, outcome(state, of, weights), tuple(keys))
        for key in keys:
            gave = getattr(found, key)
            size = np.abs(gave).max()
            for place in PLACES[key]:
                h = 1e-4 if key != "transfers" else 1e-5 * e.V.sum()
                up, down = (
                    value(*nudged(e, shock, key, place, step), closure, of, weights)
                    for step in (h, -h)
                )
                want = (up - down) / (2 * h)
                got = gave[place[0]] - gave[place[1]] if key == "transfers" else gave[place]
                assert got == pytest.approx(want, rel=1e-6, abs=1e-6 * size), (of, key, place)


@pytest.mark.parametrize("name", CASES)
def test_forward_and_backward_agree(name):
    """The response to one change, weighed, is the gradient's entry for that change."""
    e, shock, state = case(name, "proportional")
    linear = linearise(e, shock, state, closure="proportional")
    A = np.zeros((3, 4))
    A[1, 2] = 1
    response = respond(linear, Given(A=A))
    assert response.residual < 1e-8
    for of in OUTCOMES:
        axes = OUTCOMES[of][0]
        weights = np.zeros({1: (4,), 2: (3, 4), 3: (3, 4, 4)}[axes])
        weights[{1: (3,), 2: (2, 3), 3: (0, 3, 1)}[axes]] = 1
        found = gradient(linear, outcome(state, of, weights), ("productivity",))
        changes = {
            "real_income": response.real_income,
            "real_wage": response.real_wage,
            "income": response.income,
            "wage": response.moves.w,
            "price": response.price,
            "output": response.moves.Y / np.where(state.Y > 0, state.Y, 1) - response.moves.c,
            "cost": response.moves.c,
            "output_value": response.moves.Y,
            "sales": response.moves.sales,
            "border": response.moves.border,
            "revenue": response.moves.revenue,
            "tariff_revenue": response.moves.tariff_revenue,
            "deficit": response.moves.D,
        }[of]
        size = max(np.abs(changes).max(), np.abs(found.productivity).max(), 1e-12)
        assert (weights * changes).sum() == pytest.approx(found.productivity[1, 2], abs=1e-7 * size)


def test_the_response_is_what_a_small_change_does():
    e, shock, state = case("nested CES by user")
    t = off_diagonal(np.full((3, 4, 4), 1.0))
    response = respond(linearise(e, shock, state), Given(t=t))
    h = 1e-4
    up, down = (
        at(e, replace(shock, t=(1 + shock.t) * np.exp(k * t) - 1), "world_share") for k in (h, -h)
    )
    for name in ("Y", "X", "border", "tariff_revenue"):
        exact = (getattr(up, name) - getattr(down, name)) / (2 * h)
        size = np.abs(exact).max()
        np.testing.assert_allclose(
            getattr(response.moves, name), exact, atol=1e-6 * size, err_msg=name
        )
    exact = (np.log(up.P) - np.log(down.P)) / (2 * h)
    np.testing.assert_allclose(response.moves.P, exact, atol=1e-6)


def test_gradients_by_user_sum_to_those_common_to_all_users():
    e, shock, state = case("by user")
    linear = linearise(e, shock, state)
    target = outcome(state, "real_income", np.array([1.0, 0, 0, 0]))
    one = gradient(linear, target, ("tariffs", "trade_costs"))
    by = gradient(linear, target, ("tariffs", "trade_costs"), by_user=True)
    assert by.tariffs.shape == e.pi.shape
    np.testing.assert_allclose(by.tariffs.reshape(3, 4, -1, 4).sum(2), one.tariffs, atol=1e-12)
    np.testing.assert_allclose(
        by.trade_costs.reshape(3, 4, -1, 4).sum(2), one.trade_costs, atol=1e-12
    )


def test_outcomes_add_and_scale():
    e, shock, state = case("competitive")
    linear = linearise(e, shock, state)
    a = outcome(state, "real_income", np.array([1.0, 0, 0, 0]))
    b = outcome(state, "border", np.ones((3, 4, 4)))
    got = gradient(linear, 2 * a - b).tariffs
    want = 2 * gradient(linear, a).tariffs - gradient(linear, b).tariffs
    np.testing.assert_allclose(got, want, atol=1e-7 * np.abs(want).max())


def test_what_cannot_be_asked_is_named():
    e, shock, state = case("competitive")
    with pytest.raises(ScenarioError, match="did you mean 'real_income'"):
        outcome(state, "real_incom", np.ones(4))
    with pytest.raises(ScenarioError, match=r"shape \(3,\); \(4,\)"):
        outcome(state, "wage", np.ones(3))
    linear = linearise(e, shock, state)
    with pytest.raises(ScenarioError, match="did you mean 'tariffs'"):
        gradient(linear, outcome(state, "wage", np.ones(4)), ("tarifs",))


def test_a_point_where_the_equilibrium_is_not_unique_has_no_gradient():
    """A singular system ends with an error, not with numbers."""
    e, shock, state = case("competitive")
    linear = linearise(e, shock, state)
    linear = replace(linear, pre=replace(linear.pre, wages=0 * linear.pre.wages))
    with pytest.raises(NotConvergedError, match="residual"):
        gradient(linear, outcome(state, "wage", np.array([1.0, 0, 0, 0])))


@pytest.mark.parametrize("instrument", DIRECTIONS)
def test_the_linear_world_is_close_to_the_exact_one_and_closer_for_less(instrument):
    e, *_ = case("competitive")
    big, small = (world_response(e, instrument, check=size) for size in (0.02, 0.002))
    assert 0 < small.error < big.error / 5
    assert small.error < 0.02 * np.abs(small.real_income).max()


def test_productivity_everywhere_alike_is_the_sum_of_the_rows():
    e, *_ = case("competitive")
    one = world_response(e, "labour")
    response = respond(linearise(e, no_shock(e), base_state(e)), Given(L=np.ones(4)))
    np.testing.assert_allclose(one.real_income.sum(1), response.real_income, atol=1e-7)


@pytest.mark.parametrize("closure", ["world_share", "proportional", "none"])
@pytest.mark.parametrize("name", CASES)
def test_along_the_path_the_terms_sum_to_the_exact_change(name, closure):
    e, shock, _ = case(name)
    embargo = np.zeros((3, 4, 4), bool)
    embargo[1, 0, 2] = True
    shock = replace(shock, L=np.array([1.1, 1, 1, 0.9]), embargo=embargo)
    state = at(e, shock, closure)
    split = path_split(e, shock, state, closure=closure)
    exact = welfare(e, base_state(e), state).real_income - 1
    np.testing.assert_allclose(sum(split.by_region.values()), exact, atol=1e-8)
    np.testing.assert_allclose(split.left_over, exact - sum(split.by_region.values()), atol=1e-15)
    for term, whole in split.by_region.items():
        np.testing.assert_allclose(split.by_partner[term].sum(0), whole, atol=1e-12)
        if term in split.by_sector:
            np.testing.assert_allclose(split.by_sector[term].sum(0), whole, atol=1e-12)
    assert (split.by_region["embargo"][[0, 1, 3]] == 0).all()
    assert split.by_region["embargo"][2] < 0
    alone = split.by_partner["embargo"]
    assert not alone[[1, 2, 3]].any()


def test_the_path_and_the_published_split_agree_on_a_small_shock():
    from entrepot.equilibrium.welfare import welfare_split

    e, *_ = case("competitive")
    shock = replace(no_shock(e), t=e.t + off_diagonal(np.full((3, 4, 4), 1e-4)))
    state = at(e, shock, "world_share")
    path = path_split(e, shock, state).by_region
    linear = welfare_split(e, shock, base_state(e), state)
    size = np.abs(linear["terms_of_trade"]).max()
    for term in ("terms_of_trade", "volume_of_trade", "product_tax", "transfer"):
        np.testing.assert_allclose(path[term], linear[term], atol=3e-3 * size, err_msg=term)
