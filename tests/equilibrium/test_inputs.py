"""Calibration and shares: what is malformed is refused by name."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.core.errors import WorldError
from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.economy import base_gap
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.world.world import attach
from worlds import economy, full_world, random_world


def shares(**changes):
    """Valid arguments, with some replaced (a value, or a function of the old one)."""
    trade = np.array([[[8.0, 2], [2, 8]], [[6.0, 1], [1, 6]]])
    t = np.array([[[0, 0.1], [0.1, 0]], [[0, 0.0], [0.2, 0]]])
    given = {
        "regions": ["A", "B"],
        "sectors": ["one", "two"],
        "trade": trade,
        "tariffs": t,
        "inputs": np.full((2, 2, 2), 0.2),
        "value_added_shares": np.full((2, 2), 0.6),
        "final_shares": np.full((2, 2), 0.5),
        "theta": np.array([4.0, 6.0]),
    }
    for key, value in changes.items():
        given[key] = value(given[key]) if callable(value) else value
    regions, sectors = given.pop("regions"), given.pop("sectors")
    return economy_from_shares(regions, sectors, **given)


def put(value, *index):
    def change(array):
        out = np.array(array, float)
        out[index] = value
        return out

    return change


def test_valid_shares_are_taken():
    e = shares()
    np.testing.assert_allclose(e.pi.sum(1), 1)
    np.testing.assert_allclose(e.va + e.g.sum(0), 1)
    assert abs(e.D.sum()) < 1e-12


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"trade": np.ones((2, 2, 3))}, "trade has shape"),
        ({"tariffs": np.zeros((2, 2))}, "tariffs has shape"),
        ({"inputs": np.zeros((2, 2))}, "inputs has shape"),
        ({"value_added_shares": np.ones(2)}, "value_added_shares has shape"),
        ({"final_shares": np.ones((3, 2))}, "final_shares has shape"),
        ({"theta": np.ones(3)}, "elasticities have shape"),
        ({"trade": put(np.nan, 0, 0, 0)}, "trade holds values that are not finite"),
        ({"tariffs": put(np.inf, 0, 0, 1)}, "tariffs holds values that are not finite"),
        ({"inputs": put(np.nan, 0, 0, 0)}, "inputs holds values that are not finite"),
        ({"final_shares": put(np.nan, 0, 0)}, "final_shares holds values that are not finite"),
        ({"theta": put(np.nan, 0)}, "positive and finite"),
        ({"theta": put(0.0, 0)}, "positive and finite"),
        ({"theta": put(-4.0, 1)}, "positive and finite"),
        ({"trade": put(-1.0, 0, 0, 1)}, "trade holds negative"),
        ({"inputs": put(-0.1, 0, 0, 0)}, "inputs holds negative"),
        ({"value_added_shares": put(-0.1, 0, 0)}, "value_added_shares holds negative"),
        ({"final_shares": put(-0.1, 0, 0)}, "final_shares holds negative"),
        ({"tariffs": put(-1.0, 0, 0, 1)}, "-100 %"),
        ({"tariffs": put(0.1, 0, 1, 1)}, "home"),
        ({"inputs": put(0.3, 0, 0, 0)}, "do not sum to one"),
        ({"value_added_shares": put(0.7, 0, 0)}, "do not sum to one"),
        ({"final_shares": put(0.6, 0, 0)}, "do not sum to one"),
    ],
)
def test_malformed_shares_are_refused(changes, text):
    with pytest.raises(WorldError, match=text):
        shares(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"deficits": np.array([1.0, 1.0])},
        {"deficits": np.array([1.0, -1.0, 0.0])},
        {"deficits": np.array([np.nan, 0.0])},
        {"regions": ["A", "A"]},
        {"sectors": ["one", "one"]},
        {"trade": lambda a: a * np.array([1.0, 0.0])},
        {"trade": lambda a: a * 0},
    ],
)
def test_shares_that_cannot_be_an_economy_are_refused(changes):
    given = dict(changes)
    with pytest.raises(WorldError):
        shares(**given)


def test_negative_value_added_is_refused_by_name():
    world = random_world(81, 3, 2)
    # Node R01 S0 buys more from R00 S0, which earns it all.
    Z, V = world.Z.copy(), world.V.copy()
    extra = V[0, 2] * 1.5
    Z[0, 2] += extra
    V[0, 2] -= extra
    V[0, 0] += extra
    bad = replace(world, Z=Z, V=V)
    with pytest.raises(WorldError, match="R01 S0") as caught:
        economy(bad)
    assert "value added is negative" in str(caught.value)
    assert "in_value_added" in str(caught.value)
    assert "R00" not in str(caught.value)


def test_a_subsidy_larger_than_the_inputs_is_refused_by_name():
    world = random_world(82, 3, 2)
    T, V = world.T_inputs.copy(), world.V.copy()
    shift = 1.2 * world.Z.sum(0)[3]
    T[3] -= shift
    V[0, 3] += shift
    with pytest.raises(WorldError, match="R01 S1"):
        economy(replace(world, T_inputs=T, V=V))
    economy(replace(world, T_inputs=T, V=V), taxes="in_value_added")


def test_a_tax_without_inputs_is_refused_by_name():
    world = random_world(83, 3, 2, inputs=0.0)
    T, V = world.T_inputs.copy(), world.V.copy()
    T[4] += 0.1 * V[0, 4]
    V[0, 4] *= 0.9
    with pytest.raises(WorldError, match="R02 S0"):
        economy(replace(world, T_inputs=T, V=V))


def test_negative_output_is_refused():
    """Stocks drawn beyond what is sold: the producer would make less than nothing."""
    world = random_world(84, 3, 2, inputs=0.0, categories=2)
    F, V = world.F.copy(), world.V.copy()
    F[1, 0, 1] -= 2 * F[1].sum()
    V[0, 1] = F[1].sum()
    bad = replace(world, F=F, V=V)
    assert bad.x[1] < 0
    with pytest.raises(WorldError, match="R00 S1"):
        economy(bad)


@pytest.mark.parametrize("theta", [[5.0], [5.0, 5.0, 5.0], [5.0, np.nan], [0.0, 5.0], [-1.0, 5.0]])
def test_bad_elasticities_are_refused(theta):
    with pytest.raises(WorldError, match="elasticit"):
        calibrate(random_world(85, 3, 2), np.array(theta))


def test_inventories_by_rule():
    world = random_world(86, 3, 2, inventories=0.4, categories=2)
    assert (world.F < 0).any()
    with pytest.raises(WorldError, match="fixed_real or netted"):
        economy(world, inventories="error")
    kept, netted = economy(world), economy(world, inventories="netted")
    assert kept.inventories.sum() == pytest.approx(world.F[world.F < 0].sum())
    assert not netted.inventories.any()
    # The producers' own output is the same either way; gross sales differ by the stock.
    np.testing.assert_allclose(kept.Y, netted.Y, rtol=1e-10)
    np.testing.assert_allclose(kept.Y, world.x.reshape(3, 2).T, rtol=1e-10)
    assert kept.X.sum() - netted.X.sum() == pytest.approx(-world.F[world.F < 0].sum())


def test_netting_more_than_is_sold_is_refused_by_name():
    world = random_world(87, 3, 2, categories=2)
    F = world.F.copy()
    F[0, 1, 1] = -5 * (F[0, 1, 0] + world.Z[0, 2:4].sum())
    gap = world.F[0].sum() - F[0].sum()
    F[0, 0, 0] += gap
    with pytest.raises(WorldError, match="R00 S0 selling a negative amount to R01"):
        economy(replace(world, F=F), inventories="netted")


@pytest.mark.parametrize("in_value_added", [False, True])
@pytest.mark.parametrize("taxes", ["fixed_rate_revenue", "in_value_added"])
def test_calibration_reads_the_table(in_value_added, taxes):
    """Totals of the table found again in the economy, tariffs on top."""
    world = full_world(88, 4, 3, in_value_added=in_value_added)
    e = economy(world, 5.0, taxes=taxes)
    assert base_gap(e) < 1e-12
    n, s = 4, 3
    np.testing.assert_allclose(e.Y, world.x.reshape(n, s).T, rtol=1e-11)
    t, x = world.satellites["tariffs"].values, world.satellites["export_taxes"].values
    sales = np.zeros((s, n, n))
    for o in range(n):
        for r in range(s):
            for d in range(n):
                sales[r, o, d] = world.Z[o * s + r, d * s : d * s + s].sum()
                sales[r, o, d] += np.maximum(world.F[o * s + r, d], 0).sum()
    np.testing.assert_allclose(e.N, sales, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(e.X, (sales * (1 + x) * (1 + t)).sum(1), rtol=1e-11)
    # Gross domestic income: value added and taxes on inputs of the table, duty on final use on top.
    duty = (t * (1 + x) * sales).sum((0, 1))
    revenue = (x * sales).sum((0, 2)) + duty
    product = (e.omega * e.g.sum(0) * e.Y).sum(0)
    stock = -np.minimum(world.F, 0).sum(2).reshape(n, s, n).sum((0, 1))
    np.testing.assert_allclose(e.I, e.V + revenue + product + stock + e.D, rtol=1e-10)
    whole = (world.V.sum(0) + world.T_inputs).reshape(n, s).sum(1)
    paid_inside = e.V + product
    assert (np.abs(paid_inside - whole) <= duty + (x * sales).sum((0, 1)) + 1e-9).all()
    if taxes == "in_value_added":
        assert not e.omega.any()


def test_tariffs_gross_expenditure_up_and_credit_the_importer():
    plain = random_world(89, 3, 2, product_taxes=0.1)
    rate = np.zeros((2, 3, 3))
    rate[0, 1, 0] = 0.25
    taxed = attach(plain, "tariffs", rate, ("sector", "origin", "destination"), "fraction", "test")
    a, b = economy(plain), economy(taxed)
    flow = a.N[0, 1, 0]
    assert b.X[0, 0] - a.X[0, 0] == pytest.approx(0.25 * flow)
    np.testing.assert_allclose(b.N, a.N, rtol=1e-12)
    np.testing.assert_allclose(b.D, a.D, rtol=1e-9, atol=1e-9)
    # The duty on inputs comes out of their product taxes, not on top of them.
    paid = [(e.omega * e.g.sum(0) * e.Y).sum(0)[0] for e in (a, b)]
    share = plain.Z[2, 0:2].sum() / (plain.Z[[0, 2, 4], 0:2].sum())
    assert 0 < paid[0] - paid[1] < 0.25 * flow
    assert share > 0
    np.testing.assert_allclose(b.V, a.V, rtol=1e-12)


def test_a_region_without_final_use_or_value_added_is_refused():
    world = random_world(90, 3, 1, inputs=0.0)
    F = world.F.copy()
    F[:, 2] = 0
    with pytest.raises(WorldError, match="final use is not positive in 'R02'"):
        economy(replace(world, F=F, V=F.sum((1, 2))[None]))
    F = world.F.copy()
    F[2] = 0
    with pytest.raises(WorldError, match="value added is not positive in 'R02'"):
        economy(replace(world, F=F, V=F.sum((1, 2))[None]))
