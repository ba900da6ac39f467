"""The circuits: exact sums, and each term against explicit inverses."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.core.errors import MeasureError
from entrepot.measure.catalogue import measures
from entrepot.measure.measurement import take
from entrepot.world.world import attach
from worlds import full_world, random_world

CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def values(world, name, **options):
    return take(world, name, **options).items[0].values


def inverse(world):
    x = world.x
    A = np.divide(world.Z, x, out=np.zeros_like(world.Z), where=x > 0)
    return A, np.linalg.inv(np.eye(len(x)) - A)


def with_jobs(world, seed=0, dims=("region", "sector")):
    n, s = len(world.regions), len(world.sectors)
    jobs = np.random.default_rng(seed).uniform(1, 9, (n, s)) * (world.x.reshape(n, s) > 0)
    jobs = jobs if dims[0] == "region" else jobs.T
    return attach(world, "jobs", jobs, dims, "persons", "made up", "sum")


def income_terms(world, weights):
    """The four terms from the definition: own chains, returns, final goods, inputs."""
    n, s = len(world.regions), len(world.sectors)
    A, B = inverse(world)
    y = world.F.sum(2)
    out = np.zeros((n, 4))
    for g in range(n):
        b = slice(g * s, g * s + s)
        w, L = weights[b], np.linalg.inv(np.eye(s) - A[b, b])
        others = [k for k in range(n) if k != g]
        out[g, 0] = w @ L @ y[b, g]
        out[g, 1] = w @ (B[b, b] - L) @ y[b, g]
        for k in others:
            rows = slice(k * s, k * s + s)
            out[g, 1] += w @ B[b, rows] @ y[rows, g]
            out[g, 2] += w @ L @ y[b, k]
            out[g, 3] += w @ (B[b, b] - L) @ y[b, k]
            for m in others:
                rows = slice(m * s, m * s + s)
                out[g, 3] += w @ B[b, rows] @ y[rows, k]
    return out


@pytest.mark.parametrize("seed", range(5))
def test_income_by_explicit_inverse(seed):
    world = full_world(seed, n=4, s=3, empty=2 * (seed % 2))
    added = world.V.sum(0)
    rates = np.divide(added, world.x, out=np.zeros(12), where=world.x > 0)
    found = values(world, "income_circuits")
    np.testing.assert_allclose(found, income_terms(world, rates), **CLOSE)
    np.testing.assert_allclose(found.sum(1), added.reshape(4, 3).sum(1), **CLOSE)
    by_sector = values(world, "income_circuits_by_sector")
    np.testing.assert_allclose(by_sector.sum(1), found, **CLOSE)
    np.testing.assert_allclose(by_sector.sum(2), added.reshape(4, 3), **CLOSE)


@pytest.mark.parametrize("dims", [("region", "sector"), ("sector", "region")])
def test_jobs(dims):
    world = with_jobs(full_world(1, n=3, s=4), dims=dims)
    jobs = world.satellites["jobs"].values
    jobs = jobs if dims[0] == "region" else jobs.T
    found = values(world, "employment_circuits:jobs")
    np.testing.assert_allclose(found, income_terms(world, jobs.ravel() / world.x), **CLOSE)
    np.testing.assert_allclose(found.sum(1), jobs.sum(1), **CLOSE)
    np.testing.assert_allclose(values(world, "employment_circuits_by_sector").sum(2), jobs, **CLOSE)
    shares = values(world, "employment_shares")
    np.testing.assert_allclose(shares[:, 0] + shares[:, 1], 1, **CLOSE)
    with pytest.raises(MeasureError, match="carries no 'jobs'"):
        values(full_world(1), "employment_circuits")


@pytest.mark.parametrize("seed", range(5))
def test_demand_by_explicit_inverse(seed):
    n, s = 4, 3
    world = full_world(seed, n=n, s=s, empty=2 * (seed % 2))
    A, B = inverse(world)
    y = world.F.sum(2)
    rates = np.divide(world.V.sum(0), world.x, out=np.zeros(n * s), where=world.x > 0)
    found = values(world, "demand_circuits")
    for g in range(n):
        b = slice(g * s, g * s + s)
        L = np.linalg.inv(np.eye(s) - A[b, b])
        home = np.zeros(n * s)
        home[b] = y[b, g]
        imported = y[:, g] - home
        pure = rates[b] @ L @ home[b]
        assert found[g, 0] == pytest.approx(pure, rel=1e-9)
        assert found[g, 1] == pytest.approx(rates[b] @ (B @ y[:, g])[b] - pure, abs=1e-8)
        others = np.ones(n * s, bool)
        others[b] = False
        assert found[g, 2] == pytest.approx((rates * (B @ imported))[others].sum(), abs=1e-8)
        assert found[g, 3] == pytest.approx((rates * (B @ home))[others].sum(), abs=1e-8)
    np.testing.assert_allclose(found.sum(1), y.sum(0), **CLOSE)
    # What home demand pays at home is the same from either side.
    income = values(world, "income_circuits")
    np.testing.assert_allclose(found[:, :2], income[:, :2], **CLOSE)
    multiplier = values(world, "demand_multipliers")
    np.testing.assert_allclose(multiplier[:, 0] * y.sum(0), income[:, :2].sum(1), **CLOSE)
    np.testing.assert_allclose(multiplier[:, :2].sum(1) * y.sum(0), found[:, :4].sum(1), **CLOSE)


def test_without_taxes_all_demand_is_value_added():
    world = random_world(3, n=3, s=2)
    found = values(world, "demand_circuits")
    np.testing.assert_allclose(found[:, 4], 0, atol=1e-9 * world.F.sum())
    np.testing.assert_allclose(values(world, "demand_shares")[:, :2].sum(1), 1, **CLOSE)


def test_shares_are_of_the_terms():
    world = full_world(2, n=3, s=2)
    terms = values(world, "income_circuits")
    shares = values(world, "income_shares")
    np.testing.assert_allclose(shares[:, 0], terms[:, :2].sum(1) / terms.sum(1), **CLOSE)
    np.testing.assert_allclose(shares[:, 2], terms[:, 1] / terms.sum(1), **CLOSE)


def test_income_by_final_buyer():
    world = full_world(4, n=4, s=2)
    routes = values(world, "income_by_final_buyer")
    paid = routes.sum(2)
    np.testing.assert_allclose(paid.sum(1), world.V.sum(0).reshape(4, 2).sum(1), **CLOSE)
    terms = values(world, "income_circuits")
    np.testing.assert_allclose(np.diagonal(paid), terms[:, :2].sum(1), **CLOSE)
    np.testing.assert_allclose(routes[np.arange(4), np.arange(4), 0], terms[:, 0], **CLOSE)
    external = values(world, "external_circuit_by_partner")
    np.testing.assert_allclose(external.sum(1), 1, **CLOSE)
    assert external[0, 1] == pytest.approx(paid[0, 1] / (paid[0].sum() - paid[0, 0]))


def test_a_closed_economy_has_one_circuit():
    world = random_world(5, n=3, s=2, density=0.0)
    terms = values(world, "income_circuits")
    np.testing.assert_allclose(terms[:, 1:], 0, atol=1e-9 * terms.sum())
    item = take(world, "external_circuit_by_partner").items[0]
    # Shares of rounding are no shares: nothing crosses, so the economy's external income is absent.
    assert np.isnan(item.values).all()
    assert "pays nothing" in item.why_absent


def provinces(seed=6):
    world = full_world(seed, n=5, s=2)
    return replace(world, parent={"R01": "C", "R02": "C", "R03": "C"})


def test_nested_circuits_of_provinces():
    world = provinces()
    _, B = inverse(world)
    rates = world.V.sum(0) / world.x
    paid = (rates[:, None] * (B @ world.F.sum(2))).reshape(5, 2, 5).sum(1)
    found = values(world, "nested_circuits")
    assert np.isnan(found[[0, 4]]).all()
    np.testing.assert_allclose(found[1], [paid[1, 1], paid[1, 2:4].sum(), paid[1, [0, 4]].sum()])
    added = world.V.sum(0).reshape(5, 2).sum(1)
    np.testing.assert_allclose(found[1:4].sum(1), added[1:4], **CLOSE)
    demand = values(world, "nested_demand")
    np.testing.assert_allclose(
        demand[2], [paid[2, 2], paid[[1, 3], 2].sum(), paid[[0, 4], 2].sum()]
    )
    # The country's own circuit is what its provinces pay themselves and one another.
    country = take(world, "income_circuits", level="economy").items[0]
    at = country.labels["region"].index("C")
    assert country.values[at, :2].sum() == pytest.approx(found[1:4, :2].sum())
    assert np.isnan(values(world, "nested_circuits", level="economy")).all()
    # A zone of two provinces is still a part of the country.
    zone = values(world, "nested_circuits", together={"Z": ["R01", "R02"]})
    np.testing.assert_allclose(zone[1, 0], paid[1:3, 1:3].sum())
    np.testing.assert_allclose(zone[1, 1], paid[1:3, 3].sum())


@pytest.mark.parametrize("level", ["region", "economy"])
def test_terms_sum_at_either_level(level):
    world = provinces(8)
    added = world.V.sum(0).reshape(5, 2).sum(1)
    if level == "economy":
        added = np.array([added[0], added[1:4].sum(), added[4]])
    np.testing.assert_allclose(values(world, "income_circuits", level=level).sum(1), added, **CLOSE)
    found = values(world, "demand_circuits", level=level).sum()
    assert found == pytest.approx(world.F.sum(), rel=1e-9)


@pytest.mark.parametrize("name", [r.name for r in measures().values() if r.family == "circuits"])
def test_hard_worlds_are_defined_or_absent(name):
    for world in (
        full_world(4, n=3, s=2, empty=3, dead_sector=True),
        random_world(6, n=3, s=2, inputs=0.0),
        random_world(7, n=1, s=2),
    ):
        found = take(with_jobs(world), name).items[0]
        assert not np.isinf(found.values).any()
        assert found.measure.absent or not np.isnan(found.values).any()
