"""Comparative advantage, revealed productivity and complexity: by hand, by brute force, by known effects."""

from __future__ import annotations

import builtins
import sys
from dataclasses import replace

import numpy as np
import pytest
from trade_tables import HAND, get, table

import entrepot as ep
from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import accounts_of
from entrepot.measure.advantage import domestic_content_by_origin
from entrepot.measure.measurement import take
from entrepot.world.world import Sector
from worlds import full_world, random_world


def test_balassa_and_its_kin_by_hand():
    # World exports: S0 50, S1 50.
    assert get(HAND, "revealed_advantage") == pytest.approx(
        np.array([[2, 0], [2 / 3, 4 / 3], [0, 2]])
    )
    assert get(HAND, "revealed_advantage_symmetric")[0] == pytest.approx([1 / 3, -1])
    assert get(HAND, "revealed_advantage_additive")[1] == pytest.approx([-1 / 6, 1 / 6])
    assert get(HAND, "revealed_advantage_normalised")[0] == pytest.approx([0.4 - 0.2, -0.2])


def test_sums_of_advantage():
    a = accounts_of(full_world(2, 5, 4, empty=3))
    additive, normal, plain = get(
        a, "revealed_advantage_additive", "revealed_advantage_normalised", "revealed_advantage"
    )
    assert np.abs(additive.sum(1)).max() < 1e-12
    assert np.abs(normal.sum(1)).max() < 1e-12
    assert np.abs(normal.sum(0)).max() < 1e-12
    sold = np.maximum(a.exports.reshape(5, 4, 5), 0).sum(2)
    part = sold.sum(0) / sold.sum()
    assert np.nansum(plain * part, axis=1) == pytest.approx(np.ones(5))


def test_value_added_advantage_by_brute_force():
    n, s = 4, 3
    world = full_world(6, n, s)
    a = accounts_of(world)
    exports = a.exports.sum(1)
    added = np.zeros((n, s))
    for r in range(n):
        nodes = slice(r * s, (r + 1) * s)
        A = world.Z[:, nodes] / world.x[nodes]
        v = 1 - A.sum(0)
        x = np.linalg.solve(np.eye(s) - A[nodes], exports[nodes])
        added[r] = v * x
    assert domestic_content_by_origin(a) == pytest.approx(added)
    index = added / added.sum(1, keepdims=True) / (added.sum(0) / added.sum())
    assert get(a, "revealed_advantage_value_added") == pytest.approx(index)


def test_value_added_advantage_without_inputs_is_balassa():
    plain, added = get(HAND, "revealed_advantage", "revealed_advantage_value_added")
    assert added == pytest.approx(plain)


# --- revealed productivity -------------------------------------------------------------------


def centred(d):
    return d - d.mean(0) - d.mean(1, keepdims=True) + d.mean()


def fixed_effect_world(seed, n=6, s=5, theta=4.0, noise=0.0, density=1.0):
    """Sales whose logs are effects of pairs, of markets and of exporters' industries."""
    rng = np.random.default_rng(seed)
    z = np.exp(rng.normal(0, 0.3, (n, s)))
    pair, market = rng.normal(0, 1, (n, n)), rng.normal(0, 1, (s, n))
    logs = pair[:, None] + market[None] + theta * np.log(z)[:, :, None]
    logs = logs + noise * rng.normal(size=logs.shape)
    open_ = (rng.random(logs.shape) < density) | np.eye(n, dtype=bool)[:, None]
    return z, table(np.where(open_, np.exp(logs), 0.0))


def test_known_productivity_comes_back():
    z, world = fixed_effect_world(1)
    found = get(world, "revealed_productivity:4")
    assert np.log(found) == pytest.approx(centred(np.log(z)), abs=1e-9)
    # By default theta is 6.53: the same effects, on another scale.
    other = get(world, "revealed_productivity")
    assert np.log(other) * 6.53 == pytest.approx(np.log(found) * 4, abs=1e-9)


def test_known_productivity_comes_back_through_missing_flows():
    z, world = fixed_effect_world(2, n=8, density=0.6)
    found = get(world, "revealed_productivity:4")
    assert not np.isnan(found).any()
    assert np.log(found) == pytest.approx(centred(np.log(z)), abs=1e-9)


def test_fixed_effects_are_those_of_dense_least_squares():
    n, s = 5, 4
    _, world = fixed_effect_world(3, n, s, noise=0.5, density=0.9)
    e = np.array(world.F).reshape(n, s, n)
    i, k, j = np.nonzero(e * (1 - np.eye(n))[:, None])
    columns = [np.eye(n * n)[i * n + j], np.eye(n * s)[j * s + k], np.eye(n * s)[i * s + k]]
    beta = np.linalg.lstsq(np.hstack(columns), np.log(e[i, k, j]), rcond=None)[0]
    expect = centred(beta[-n * s :].reshape(n, s))
    found = get(world, "revealed_productivity:1")
    assert np.log(found) == pytest.approx(expect, abs=1e-8)
    # The paper's double ratio to one economy and industry does not depend on the centring.
    ratio = found * found[0, 0] / (found[:1] * found[:, :1])
    d = beta[-n * s :].reshape(n, s)
    assert np.log(ratio) == pytest.approx(d + d[0, 0] - d[:1] - d[:, :1], abs=1e-8)


def test_observed_productivity_divides_exports_by_home_shares():
    n, s = 5, 4
    _, world = fixed_effect_world(4, n, s, noise=0.3)
    e = np.array(world.F).reshape(n, s, n)
    home = np.einsum("iki->ik", e) / e.sum(0).T
    plain, observed = get(world, "revealed_productivity:4", "revealed_productivity_observed:4")
    assert np.log(observed / plain) == pytest.approx(centred(-np.log(home) / 4), abs=1e-9)


def test_what_trade_does_not_tell_is_absent():
    z, _ = fixed_effect_world(5, n=6)
    _, world = fixed_effect_world(5, n=6)
    e = np.array(world.F).reshape(6, 5, 6)
    abroad = ~np.eye(6, dtype=bool)
    e[0, 0, abroad[0]] = 0  # exports nothing of sector 0
    e[1, 1, abroad[1]] = 0
    e[1, 1, 2] = 1.0
    e[[0, 3, 4, 5], 1, 2] = (
        0  # and is alone in one market with sector 1, so that this tells nothing
    )
    item = take(table(e), "revealed_productivity:4").items[0]
    gone = np.isnan(item.values)
    assert gone[0, 0]
    assert gone[1, 1]
    assert gone.sum() == 2
    assert "exports nothing" in item.why_absent
    # What is left is told exactly, up to effects of economies and sectors.
    d = np.log(item.values) - np.log(z)
    for rows, columns in (([2, 3, 4, 5], [0, 1, 2, 3, 4]), ([0, 1, 2, 3, 4, 5], [2, 3, 4])):
        assert np.abs(centred(d[np.ix_(rows, columns)])).max() < 1e-9


def test_industries_in_markets_of_their_own_do_not_spoil_the_others():
    """Two economies alone sell a sector to two markets: nothing compares them with the others."""
    z, world = fixed_effect_world(7, n=7)
    e = np.array(world.F).reshape(7, 5, 7)
    abroad = ~np.eye(7, dtype=bool)
    for i in range(7):
        closed = abroad[i].copy()
        closed[[4, 5]] = False
        e[i, 2, closed if i < 2 else abroad[i] & ~closed] = 0
    found = get(table(e), "revealed_productivity:4")
    gone = np.isnan(found)
    assert gone[:2, 2].all()
    assert gone.sum() == 2
    d = np.log(found) - np.log(z)
    assert np.abs(centred(d[2:])).max() < 1e-9
    assert np.abs(centred(d[:, [0, 1, 3, 4]])).max() < 1e-9


def test_worlds_apart_are_each_centred_by_themselves_or_absent():
    z, world = fixed_effect_world(6, n=8, s=6)
    e = np.array(world.F).reshape(8, 6, 8)
    e[:4, 3:, :] *= np.eye(8)[:4, None]  # four economies export sectors 0-2 alone,
    e[4:, :3, :] *= np.eye(8)[4:, None]  # the others sectors 3-5
    found = np.log(get(table(e), "revealed_productivity:4"))
    assert found[:4, :3] == pytest.approx(centred(np.log(z[:4, :3])), abs=1e-9)
    assert found[4:, 3:] == pytest.approx(centred(np.log(z[4:, 3:])), abs=1e-9)
    assert np.isnan(found[:4, 3:]).all()


@pytest.mark.parametrize("theta", ["0", "-2", "nan", "inf", "many"])
def test_theta_must_be_a_positive_number(theta):
    with pytest.raises(MeasureError, match="positive number"):
        get(HAND, f"revealed_productivity:{theta}")


# --- complexity ------------------------------------------------------------------------------


def goods(world):
    """The same world, all its sectors said to be goods."""
    sectors = tuple(Sector(x.code, x.name, isic=(i + 1,)) for i, x in enumerate(world.sectors))
    return replace(world, sectors=sectors)


def nested(seed, n=14, s=14):
    """Sales where more capable economies sell more, and more demanding, products."""
    rng = np.random.default_rng(seed)
    capable, hard = np.linspace(0, 1, n), np.linspace(0, 1, s)
    can = capable[:, None] + 0.35 * rng.normal(size=(n, s)) > hard[None]
    can[0, 0] = can[np.arange(n), np.arange(s)] = True
    sales = np.where(can, 10.0, 0.5)[:, :, None] * rng.uniform(0.9, 1.1, (n, s, n))
    return goods(table_many(sales))


def table_many(sales):
    n, s, _ = sales.shape
    small = table(np.ones((2, 1, 2)))
    F = sales.reshape(n * s, n, 1)
    return replace(
        small,
        regions=tuple(f"R{i:02d}" for i in range(n)),
        sectors=tuple(Sector(f"S{k:02d}", f"sector {k}") for k in range(s)),
        Z=np.zeros((n * s, n * s)),
        F=F,
        V=F.sum((1, 2))[None],
        T_inputs=np.zeros(n * s),
        T_final=np.zeros((n, 1)),
    )


def test_complexity_is_the_second_eigenvector():
    pytest.importorskip("ecomplexity")
    world = nested(3)
    m = (get(world, "revealed_advantage") >= 1).astype(float)
    diversity, ubiquity = m.sum(1), m.sum(0)
    assert get(world, "diversity") == pytest.approx(diversity)
    assert get(world, "ubiquity") == pytest.approx(ubiquity)
    matrix = (m / diversity[:, None]) @ (m / ubiquity[None]).T
    values, vectors = np.linalg.eig(matrix)
    second = np.real(vectors[:, np.argsort(-np.real(values))[1]])
    second *= np.sign(np.corrcoef(second, diversity)[0, 1])
    expect = (second - second.mean()) / second.std()
    eci, pci = get(world, "economic_complexity", "sector_complexity")
    assert eci == pytest.approx(expect, abs=1e-8)
    # An economy's complexity is the mean of its sectors of advantage.
    assert m @ pci / diversity == pytest.approx(eci, abs=1e-8)


def test_complexity_is_absent_where_it_is_not_determined():
    pytest.importorskip("ecomplexity")
    unsaid = random_world(1, 12, 12)
    few = goods(random_world(1, 12, 5))
    each_its_own = goods(table_many(np.eye(12)[:, :, None] * np.ones((12, 12, 12))))
    all_alike = goods(table_many(np.ones((12, 12, 12))))
    for world in (unsaid, few, each_its_own, all_alike):
        item = take(world, "economic_complexity").items[0]
        assert np.isnan(item.values).all()
        assert item.why_absent


def test_services_have_no_complexity_and_do_not_change_that_of_goods():
    pytest.importorskip("ecomplexity")
    world = ep.load_world("world-2022")
    a = accounts_of(world)
    eci, pci = get(a, "economic_complexity", "sector_complexity")
    service = np.array([min(x.isic) >= 45 for x in world.sectors])
    assert np.isnan(pci[service]).all()
    assert eci.mean() == pytest.approx(0, abs=1e-9)
    assert eci.std() == pytest.approx(1)
    place = world.regions.index
    assert min(eci[place(r)] for r in ("CHE", "JPN", "DEU", "CHN")) > 1
    assert max(eci[place(r)] for r in ("AGO", "NGA", "KAZ")) < -1


def test_complexity_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("ecomplexity"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setitem(sys.modules, "ecomplexity", None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MeasureError, match=r"pip install 'entrepot\[complexity\]'"):
        get(nested(3), "economic_complexity")
