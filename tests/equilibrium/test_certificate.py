"""The certificate catches every wrong number and says where it is."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.core.errors import NotConvergedError
from entrepot.equilibrium.outcome import certify, new_state, require_certified
from entrepot.equilibrium.solve import solve
from worlds import economy, full_world, random_shock

SEED, N, S = 61, 4, 3


@pytest.fixture(scope="module")
def good():
    e = economy(full_world(SEED, N, S), [2.0, 5.0, 9.0])
    shock = random_shock(np.random.default_rng(SEED), e, 0.3)
    solution = solve(e, shock, tol=1e-12)
    return e, shock, solution, new_state(e, shock, solution)


def touched(array, index, by):
    out = array.copy()
    out[index] *= by
    return out


def rebuilt(good, **changes):
    """The state that follows from a solution with some numbers replaced."""
    e, shock, solution, _ = good
    return new_state(e, shock, replace(solution, **changes))


def failing(certificate):
    return {c.equation: c for c in certificate.checks if not c.miss <= certificate.tolerance}


def test_a_good_state_passes_with_room(good):
    e, shock, _, state = good
    certificate = certify(e, shock, state)
    assert certificate.passed
    assert certificate.worst.miss < 1e-10
    require_certified(certificate)


@pytest.mark.parametrize("by", [1e-6, 1e-3, 0.5])
@pytest.mark.parametrize("d", range(N))
def test_a_wrong_wage_is_found(good, d, by):
    e, shock, solution, state = good
    claimed = replace(state, w=touched(state.w, d, 1 + by))
    bad = failing(certify(e, shock, claimed))
    assert "factor markets" in bad
    assert "zero profits" in bad
    assert bad["zero profits"].where.startswith(e.regions[d])
    certificate = certify(e, shock, rebuilt(good, w=touched(solution.w, d, 1 + by)))
    assert not certificate.passed
    assert {"price index", "trade shares", "factor markets"} <= set(failing(certificate))
    with pytest.raises(NotConvergedError, match="no numbers are returned"):
        require_certified(certificate)


@pytest.mark.parametrize("by", [1e-6, 0.5])
@pytest.mark.parametrize(("r", "d"), [(0, 0), (1, 2), (2, 3)])
def test_a_wrong_price_is_found(good, r, d, by):
    e, shock, solution, state = good
    for claimed in (
        replace(state, P=touched(state.P, (r, d), 1 + by)),
        rebuilt(good, P=touched(solution.P, (r, d), 1 + by)),
    ):
        bad = failing(certify(e, shock, claimed))
        assert bad["price index"].where == f"{e.regions[d]} {e.sectors[r]}"


@pytest.mark.parametrize("by", [1e-5, 0.5])
@pytest.mark.parametrize(("r", "d"), [(0, 0), (1, 2), (2, 3)])
def test_a_wrong_expenditure_is_found(good, r, d, by):
    e, shock, solution, state = good
    for claimed in (
        replace(state, X=touched(state.X, (r, d), 1 + by)),
        rebuilt(good, X=touched(solution.X, (r, d), 1 + by)),
    ):
        bad = failing(certify(e, shock, claimed))
        assert bad["goods markets"].where == f"{e.regions[d]} {e.sectors[r]}"


@pytest.mark.parametrize("by", [1e-4, 0.5])
@pytest.mark.parametrize(("r", "d"), [(0, 0), (1, 2), (2, 3)])
def test_a_wrong_share_is_found(good, r, d, by):
    e, shock, solution, state = good
    wrong = touched(state.pi, (r, (d + 1) % N, d), 1 + by)
    bad = failing(certify(e, shock, replace(state, pi=wrong)))
    assert bad["trade shares"].where == f"{e.regions[d]} {e.sectors[r]}"
    moved = solution.pi.copy()  # shares that still sum to one
    step = by * moved[r, (d + 1) % N, d]
    moved[r, (d + 1) % N, d] += step
    moved[r, d, d] -= step
    bad = failing(certify(e, shock, rebuilt(good, pi=moved)))
    assert bad["trade shares"].where == f"{e.regions[d]} {e.sectors[r]}"


@pytest.mark.parametrize("name", ["c", "Y", "I", "D"])
def test_every_other_claim_is_checked(good, name):
    e, shock, _, state = good
    index = (1, 2) if getattr(state, name).ndim == 2 else 2
    wrong = replace(state, **{name: touched(getattr(state, name), index, 1.001)})
    certificate = certify(e, shock, wrong)
    assert not certificate.passed
    where = {c.where for c in failing(certificate).values()}
    assert any(e.regions[2] in w for w in where), where


@pytest.mark.parametrize("name", ["w", "P", "c", "pi", "X", "Y", "I", "D"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number_never_passes(good, name, value):
    e, shock, _, state = good
    array = getattr(state, name).copy()
    array[(0,) * array.ndim] = value
    with np.errstate(all="ignore"):
        certificate = certify(e, shock, replace(state, **{name: array}))
    assert not certificate.passed
    with pytest.raises(NotConvergedError):
        require_certified(certificate)


def test_the_wrong_shock_is_found(good):
    """A right answer to another question is a wrong answer."""
    e, shock, _, state = good
    for changes in (
        {"t": shock.t * 1.01},
        {"x": shock.x * 1.01},
        {"tau": shock.tau**1.01},
        {"A": shock.A**1.01},
        {"L": shock.L**1.01},
    ):
        assert not certify(e, replace(shock, **changes), state).passed, changes.keys()


def test_the_money_unit_does_not_matter(good):
    """Misses of a slightly wrong state are the same in dollars and in trillions."""
    e, shock, solution, _ = good
    wrong = rebuilt(good, w=touched(solution.w, 1, 1.001))
    one = {c.equation: c for c in certify(e, shock, wrong).checks}
    for by in (1e-6, 1e6):
        money = {k: getattr(e, k) * by for k in ("X", "I", "V", "D", "inventories")}
        f = replace(e, **money)
        scaled = new_state(
            f,
            shock,
            replace(
                solution,
                w=touched(solution.w, 1, 1.001),
                X=solution.X * by,
                deficits=solution.deficits * by,
            ),
        )
        other = {c.equation: c for c in certify(f, shock, scaled).checks}
        for equation, check in one.items():
            assert other[equation].miss == pytest.approx(check.miss, rel=1e-6, abs=1e-9), equation
            if check.miss > 1e-6:
                assert other[equation].where == check.where


def test_a_small_economy_is_not_hidden_by_a_large_one():
    """A trade gap of a tiny economy counts relative to its own trade."""
    world = full_world(62, 4, 2, spread=6.0)
    e = economy(world, [4.0, 6.0])
    small = int(np.argmin(e.V))
    assert e.V[small] < 1e-2 * e.V.sum()
    shock = random_shock(np.random.default_rng(3), e, 0.2)
    solution = solve(e, shock, tol=1e-12)
    assert certify(e, shock, new_state(e, shock, solution)).passed
    wrong = new_state(e, shock, replace(solution, w=touched(solution.w, small, 1.0001)))
    bad = failing(certify(e, shock, wrong))
    assert bad["factor markets"].where == e.regions[small]
    assert bad["factor markets"].miss > 1e-5
    D = solution.deficits.copy()  # a transfer of a thousandth of its own value added
    large = int(np.argmax(e.V))
    D[small] += 1e-3 * e.V[small]
    D[large] -= 1e-3 * e.V[small]
    bad = failing(certify(e, shock, new_state(e, shock, replace(solution, deficits=D))))
    assert bad["trade balance"].where == e.regions[small]
