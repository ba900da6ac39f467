"""Footprints of satellites: by explicit inverse, exact sums, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import accounts_of
from entrepot.measure.catalogue import measures
from entrepot.measure.measurement import take
from entrepot.world.world import attach
from worlds import full_world, random_world

CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def values(world, name, **options):
    return take(world, name, **options).items[0].values


def with_gas(world, amounts=None, dims=("sector", "region"), rule="sum"):
    n, s = len(world.regions), len(world.sectors)
    if amounts is None:
        amounts = np.random.default_rng(9).uniform(0, 5, (n, s))
    put = amounts if dims[0] == "region" else amounts.T
    return attach(world, "co2", put, dims, "Mt", "made up", rule)


@pytest.mark.parametrize("dims", [("sector", "region"), ("region", "sector")])
@pytest.mark.parametrize("seed", range(3))
def test_footprints_by_explicit_inverse(seed, dims):
    n, s = 4, 3
    world = with_gas(full_world(seed, n=n, s=s), dims=dims)
    gas = world.satellites["co2"].values
    gas = (gas if dims[0] == "region" else gas.T).ravel()
    B = np.linalg.inv(np.eye(n * s) - world.Z / world.x)
    y, e = world.F.sum(2), gas / world.x
    by_node = e[:, None] * (B @ y)  # (where it arises, buyer)
    found = values(world, "footprint_by_origin:co2")
    np.testing.assert_allclose(found, by_node.reshape(n, s, n).sum(1).T, **CLOSE)
    np.testing.assert_allclose(values(world, "footprint:co2"), by_node.sum(0), **CLOSE)
    assert values(world, "footprint:co2").sum() == pytest.approx(gas.sum(), rel=1e-9)
    m = e @ B
    products = (m[:, None] * y).reshape(n, s, n).sum(0).T
    np.testing.assert_allclose(values(world, "footprint_by_product:co2"), products, **CLOSE)
    np.testing.assert_allclose(values(world, "intensity_multiplier:co2"), m.reshape(n, s), **CLOSE)
    np.testing.assert_allclose(values(world, "direct_intensity:co2"), e.reshape(n, s), **CLOSE)

    made, used, out, inn, balance = values(world, "production_and_consumption:co2").T
    np.testing.assert_allclose(made, gas.reshape(n, s).sum(1), **CLOSE)
    np.testing.assert_allclose(balance, out - inn, **CLOSE)
    np.testing.assert_allclose(balance, made - used, **CLOSE)
    assert balance.sum() == pytest.approx(0, abs=1e-9 * gas.sum())

    flows = world.Z.reshape(n * s, n, s).sum(2) + y  # (seller, buying economy)
    exports, imports = np.zeros((n, 2)), np.zeros((n, n))
    for r in range(n):
        own = np.zeros(n * s)
        own[r * s : r * s + s] = e[r * s : r * s + s]
        sold = flows.copy()
        sold[:, r] = 0
        mine = sold[r * s : r * s + s].sum(1)
        exports[r] = (own @ B)[r * s : r * s + s] @ mine, ((e - own) @ B)[r * s : r * s + s] @ mine
        for p in range(n):
            if p != r:
                imports[r, p] = m[p * s : p * s + s] @ flows[p * s : p * s + s, r]
    np.testing.assert_allclose(values(world, "content_of_exports:co2"), exports, **CLOSE)
    np.testing.assert_allclose(values(world, "content_of_imports:co2"), imports, **CLOSE)
    np.testing.assert_allclose(exports.sum(), imports.sum(), rtol=1e-9)


def test_value_added_is_the_default_and_primary_inputs_sum_to_demand():
    world = full_world(3, n=4, s=2)
    added = values(world, "footprint_by_origin")
    np.testing.assert_allclose(added.sum(0), world.V.sum(0).reshape(4, 2).sum(1), **CLOSE)
    np.testing.assert_allclose(
        values(world, "footprint:primary_inputs"), world.F.sum((0, 2)), **CLOSE
    )
    one = values(world, "intensity_multiplier:primary_inputs")
    np.testing.assert_allclose(one, 1, **CLOSE)


def test_idle_industries_keep_their_amounts():
    world = random_world(4, n=3, s=3, empty=3)
    idle = world.x.reshape(3, 3) == 0
    assert idle.any()
    amounts = np.random.default_rng(1).uniform(1, 2, (3, 3))
    world = with_gas(world, amounts)
    left = values(world, "unassigned_content:co2")
    np.testing.assert_allclose(left, (amounts * idle).sum(1))
    total = values(world, "footprint:co2").sum() + left.sum()
    assert total == pytest.approx(amounts.sum(), rel=1e-10)
    # An empty industry need not have a number.
    blank = with_gas(random_world(4, n=3, s=3, empty=3), np.where(idle, np.nan, amounts))
    np.testing.assert_allclose(
        values(blank, "footprint:co2"), values(world, "footprint:co2"), rtol=1e-12
    )


def test_refusals():
    world = random_world(5, n=3, s=2)
    with pytest.raises(MeasureError, match="carries no 'co3'"):
        values(with_gas(world), "footprint:co3")
    amounts = np.ones((3, 2))
    amounts[1, 0] = np.nan
    with pytest.raises(MeasureError, match=r"no number for 1 of 6 producing industries .*R01 S0"):
        values(with_gas(world, amounts), "footprint:co2")
    with pytest.raises(MeasureError, match="is a rate"):
        values(with_gas(world, rule="mean"), "footprint:co2")
    people = attach(world, "people", np.ones(3), ("region",), "persons", "made up", "sum")
    with pytest.raises(MeasureError, match="needs region and sector"):
        values(people, "footprint:people")
    with pytest.raises(MeasureError, match="did you mean"):
        values(with_gas(world), "footprint:value_aded")


@pytest.mark.parametrize("name", [r.name for r in measures().values() if r.family == "content"])
def test_provinces_taken_together_and_scale(name):
    world = with_gas(full_world(6, n=4, s=2))
    parts = replace(world, parent={"R01": "C", "R02": "C"})
    apart, joined = values(world, f"{name}:co2"), values(parts, f"{name}:co2", level="economy")
    if name in ("footprint", "unassigned_content", "footprint_by_product"):
        np.testing.assert_allclose(joined[1], apart[1] + apart[2], **CLOSE)
        np.testing.assert_allclose(joined[2], apart[3], **CLOSE)
    if name == "footprint_by_origin":
        np.testing.assert_allclose(joined[1, 1], apart[1:3, 1:3].sum(), **CLOSE)
    if name == "direct_intensity":
        x = world.x.reshape(4, 2)
        mean = (apart[1:3] * x[1:3]).sum(0) / x[1:3].sum(0)
        np.testing.assert_allclose(joined[1], mean, **CLOSE)
    twice = with_gas(full_world(6, n=4, s=2), 2 * world.satellites["co2"].values.T)
    np.testing.assert_allclose(values(twice, f"{name}:co2"), 2 * apart, **CLOSE)


def test_footprints_do_not_form_the_inverse():
    a = accounts_of(with_gas(full_world(7, n=4, s=2)))
    names = [r.name for r in measures().values() if r.family == "content"]
    take(a, [f"{name}:co2" for name in names])
    assert "B" not in a.__dict__
