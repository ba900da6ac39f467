"""Reliance on suppliers and markets, and withdrawal, against sums over explicit inverses."""

from dataclasses import replace

import numpy as np
import pytest

from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import accounts_of
from entrepot.measure.catalogue import MODULES, measures
from entrepot.measure.measurement import take
from entrepot.world.shelf import load_world
from entrepot.world.world import Sector, World
from worlds import full_world, random_world

CLOSE = {"rtol": 1e-9, "atol": 1e-11}
FAMILY = [r.name for r in measures().values() if r.family == "dependence" and not r.takes]


def values(world, name, **options):
    return take(world, name, **options).items[0].values


def inverse(world):
    x = world.x
    A = np.divide(world.Z, x, out=np.zeros_like(world.Z), where=x > 0)
    return A, np.linalg.inv(np.eye(len(x)) - A)


def two_by_one(A, f):
    """Two economies, one sector, with coefficients A and final sales f (seller, buyer)."""
    A, f = np.array(A, float), np.array(f, float)
    x = np.linalg.solve(np.eye(2) - A, f.sum(1))
    Z = A * x
    return World(
        name="two",
        year=2022,
        regions=("P", "Q"),
        sectors=(Sector("S", "all"),),
        Z=Z,
        F=f[:, :, None],
        V=(x - Z.sum(0))[None],
        T_inputs=np.zeros(2),
        T_final=np.zeros((2, 1)),
        final_categories=("f",),
        taxes="separate",
    )


def test_two_economies_by_hand():
    # A = [[.2, .1], [.3, .4]]: det(I - A) = .8 * .6 - .1 * .3 = .45,
    # B = [[.6, .1], [.3, .8]] / .45 = [[4/3, 2/9], [2/3, 16/9]].
    world = two_by_one([[0.2, 0.1], [0.3, 0.4]], [[90, 0], [45, 90]])
    # Behind a unit of P's output: 1/3 of P, 2/3 of Q; of Q's: 2/9 of P, 7/9 of Q.
    np.testing.assert_allclose(values(world, "input_reliance"), [[1 / 3, 2 / 3], [2 / 9, 7 / 9]])
    # Bought at once, over all that stands behind (1 either way).
    face = [[0.2, 0.3], [0.1, 0.4]]
    np.testing.assert_allclose(values(world, "input_reliance_face_value"), face)
    hidden = [[1 / 3 - 0.2, 2 / 3 - 0.3], [2 / 9 - 0.1, 7 / 9 - 0.4]]
    np.testing.assert_allclose(values(world, "hidden_exposure"), hidden)
    np.testing.assert_allclose(
        values(world, "foreign_input_reliance"),
        [[0.3, 2 / 3 - 0.3, 2 / 3], [0.1, 2 / 9 - 0.1, 2 / 9]],
    )
    # v = (.5, .5). Value in P's inputs (.5 a unit): P's .5 * 4/3 - .5 = 1/6, Q's .5 * 2/3 = 1/3.
    origin = [[1 / 3, 2 / 3], [2 / 9, 7 / 9]]
    np.testing.assert_allclose(values(world, "input_origin"), origin)
    # All suppliers of P, looked through: (1/3)^2 + (2/3)^2 = 5/9; one foreign supplier.
    np.testing.assert_allclose(values(world, "supplier_concentration")[0], [1, 1, 5 / 9])
    np.testing.assert_allclose(values(world, "effective_suppliers")[0], [1, 1, 9 / 5])
    np.testing.assert_allclose(values(world, "largest_supplier_share")[0], [1, 1, 2 / 3])
    # y_P = (90, 45), y_Q = (0, 90): B y = ((130, 140), (20, 160)).
    absorbed = np.array([[130, 20], [140, 160]])
    np.testing.assert_allclose(
        values(world, "market_reliance"), absorbed / absorbed.sum(1, keepdims=True)
    )
    # Without Q: P's chain is 1 / .8. As market: x_P = 90 / .8 = 112.5 of 150 stays.
    # As supplier: .5 / .8 = .625 of a unit's value never touches Q.
    loss = values(world, "extraction_loss")
    np.testing.assert_allclose(loss[0, 1], [1 - 112.5 / 150, 1 - 0.625])
    # Without P: 90 / .6 = 150 of Q's 300; .5 / .6 of its value stays.
    np.testing.assert_allclose(loss[1, 0], [1 - 150 / 300, 1 / 6])
    # P's industries stop: Q has no third supplier of inputs, P buys its 135 of Q alone:
    # x_Q = (135 + 90) / .6 = 375 of 300, half of it income; P loses half of 150.
    np.testing.assert_allclose(values(world, "extraction_with_replacement:P"), [-75, 37.5])


@pytest.mark.parametrize("seed", range(6))
def test_reliance_by_explicit_inverse(seed):
    world = full_world(seed, n=4, s=3, empty=2 * (seed % 2), dead_sector=seed == 3)
    n, s, x = 4, 3, np.maximum(world.x, 0)
    A, B = inverse(world)
    G, D = B - np.eye(n * s), A
    nodes = [range(p * s, p * s + s) for p in range(n)]
    behind, direct = np.zeros((n, n)), np.zeros((n, n))
    products = np.zeros((n, n, s))
    for r in range(n):
        for p in range(n):
            for k, i in enumerate(nodes[p]):
                for j in nodes[r]:
                    behind[r, p] += G[i, j] * x[j]
                    direct[r, p] += D[i, j] * x[j]
                    products[r, p, k] += G[i, j] * x[j]
    total = behind.sum(1)
    np.testing.assert_allclose(values(world, "input_reliance"), behind / total[:, None], **CLOSE)
    face = values(world, "input_reliance_face_value")
    np.testing.assert_allclose(face, direct / total[:, None], **CLOSE)
    found = values(world, "input_dependence")
    np.testing.assert_allclose(found, products / total[:, None, None], **CLOSE)
    np.testing.assert_allclose(found.sum((1, 2)), 1, **CLOSE)
    np.testing.assert_allclose(found.sum(2), values(world, "input_reliance"), **CLOSE)
    np.testing.assert_allclose(values(world, "input_dependence_face_value").sum(2), face, **CLOSE)
    hidden = values(world, "hidden_exposure")
    assert (hidden >= 0).all()
    np.testing.assert_allclose(face + hidden, values(world, "input_reliance"), **CLOSE)
    foreign = values(world, "foreign_input_reliance")
    away = behind - np.diag(np.diagonal(behind))
    np.testing.assert_allclose(foreign[:, 2], away.sum(1) / total, **CLOSE)
    np.testing.assert_allclose(foreign[:, :2].sum(1), foreign[:, 2], **CLOSE)
    per_output = values(world, "foreign_inputs_per_output")[:, 2]
    np.testing.assert_allclose(per_output, away.sum(1) / x.reshape(n, s).sum(1), **CLOSE)
    herfindahl = ((away / away.sum(1, keepdims=True)) ** 2).sum(1)
    np.testing.assert_allclose(values(world, "supplier_concentration")[:, 1], herfindahl, **CLOSE)
    sector = values(world, "input_reliance_by_sector")
    concealed = values(world, "hidden_exposure_by_sector")
    for r in range(n):
        for k in range(s):
            column = G[:, r * s + k].reshape(n, s).sum(1)
            if x[r * s + k] > 0 and column.sum() > 0:
                np.testing.assert_allclose(sector[r, k], column / column.sum(), **CLOSE)
                later = column - D[:, r * s + k].reshape(n, s).sum(1)
                np.testing.assert_allclose(concealed[r, k], later / column.sum(), **CLOSE)
            else:
                assert np.isnan(sector[r, k]).all()


@pytest.mark.parametrize("seed", range(4))
def test_origin_of_inputs_sums_to_what_is_bought(seed):
    world = full_world(seed, n=4, s=2)
    _, B = inverse(world)
    v = 1 - world.Z.sum(0) / world.x
    content = (v[:, None] * B).reshape(4, 2, 8).sum(1) * world.x  # (origin, node)
    own = np.zeros((4, 8))
    for j in range(8):
        own[j // 2, j] = v[j] * world.x[j]
    amounts = (content - own).reshape(4, 4, 2).sum(2).T
    np.testing.assert_allclose(amounts.sum(1), world.Z.sum(0).reshape(4, 2).sum(1), rtol=1e-9)
    expected = amounts / amounts.sum(1, keepdims=True)
    np.testing.assert_allclose(values(world, "input_origin"), expected, **CLOSE)
    foreign = values(world, "foreign_input_origin_by_sector")
    whole = (content - own).reshape(4, 4, 2)
    found = values(world, "input_origin_by_sector")
    np.testing.assert_allclose(found.transpose(2, 0, 1), whole / whole.sum(0), **CLOSE)
    for r in range(4):
        others = np.delete(np.arange(4), r)
        np.testing.assert_allclose(
            foreign[r], whole[others, r].sum(0) / whole[:, r].sum(0), **CLOSE
        )


@pytest.mark.parametrize("seed", range(4))
def test_markets_by_explicit_inverse(seed):
    n, s = 4, 3
    world = full_world(seed, n=n, s=s)
    A, B = inverse(world)
    v, y = 1 - A.sum(0), world.F.sum(2)
    b = [slice(p * s, p * s + s) for p in range(n)]
    L = [np.linalg.inv(np.eye(s) - A[q, q]) for q in b]
    total = (v[:, None] * (B @ y)).reshape(n, s, n).sum(1)
    income = (v * world.x).reshape(n, s).sum(1)[:, None]
    np.testing.assert_allclose(values(world, "market_reliance"), total / income, **CLOSE)
    route = values(world, "market_reliance_by_route")
    for r in range(n):
        for p in range(n):
            sold = y[b[r], p] + (0 if r == p else A[b[r], b[p]] @ L[p] @ y[b[p], p])
            np.testing.assert_allclose(route[r, p, 0], v[b[r]] @ L[r] @ sold / income[r], **CLOSE)
    np.testing.assert_allclose(route.sum((1, 2)), 1, **CLOSE)
    finished = np.zeros((n * s, n))
    for p in range(n):
        finished[b[p], p] = y[b[p]].sum(1)
    output = (B @ finished).reshape(n, s, n).sum(1)
    np.testing.assert_allclose(
        values(world, "finishing_reliance"), output / output.sum(1, keepdims=True), **CLOSE
    )
    np.testing.assert_allclose(values(world, "finishing_reliance").sum(1), 1, **CLOSE)
    for name in ("market_asymmetry", "input_asymmetry"):
        odd = values(world, name)
        np.testing.assert_allclose(odd + odd.T, np.where(np.eye(n), np.nan, 0), atol=1e-14)


def removed(world, p, n, s):
    """(x without p's purchases, value shares untouched by p), by inverting what is left."""
    A, _ = inverse(world)
    keep = np.array([i for i in range(n * s) if i // s != p])
    left = np.linalg.inv(np.eye(len(keep)) - A[np.ix_(keep, keep)])
    y = np.delete(world.F.sum(2), p, axis=1).sum(1)[keep]
    v = (1 - A.sum(0))[keep]
    return keep, left @ y, v @ left


@pytest.mark.parametrize(("seed", "n", "s"), [(0, 4, 3), (1, 2, 3), (2, 5, 1), (3, 3, 4)])
def test_extraction_by_inverting_what_is_left(seed, n, s):
    world = full_world(seed, n=n, s=s)
    A, _ = inverse(world)
    v, x = 1 - A.sum(0), world.x
    loss = values(world, "extraction_loss")
    for p in range(n):
        keep, output, untouched = removed(world, p, n, s)
        for r in range(n):
            mine = keep // s == r
            if r == p:
                assert np.isnan(loss[r, p]).all()
                continue
            i = keep[mine]
            income = v[i] @ x[i]
            np.testing.assert_allclose(loss[r, p, 0], 1 - v[i] @ output[mine] / income, rtol=1e-8)
            rest = (v[i] * x[i]) @ (1 - untouched[mine]) / income
            np.testing.assert_allclose(loss[r, p, 1], rest, rtol=1e-8, atol=1e-12)


def test_extraction_by_blocks_and_by_corrections_agree():
    world = full_world(5, n=6, s=3, home=60.0)
    quick, exact = accounts_of(world), accounts_of(world)
    exact.B  # noqa: B018
    found = values(quick, "extraction_loss")
    assert "B" not in quick.__dict__
    np.testing.assert_allclose(found, values(exact, "extraction_loss"), rtol=1e-9, atol=1e-13)


def test_a_single_economy_that_dominates_is_still_exact():
    # Nearly all production passes the partner: corrections would not shrink.
    world = two_by_one([[0.1, 0.6], [0.6, 0.1]], [[90, 10], [10, 90]])
    np.testing.assert_allclose(values(world, "extraction_loss")[0, 1, 1], 1 - 0.3 / 0.9, rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_replacement_by_changing_the_table(seed):
    n, s, p = 4, 2, 1
    world = random_world(seed + 20, n=n, s=s)
    A, _ = inverse(world)
    y = world.F.sum(2)
    A2, y2, gone = A.copy(), y.copy(), 0.0
    for k in range(s):
        for table, width in ((A2, s), (y2, 1)):
            for column in range(table.shape[1]):
                thirds = [r * s + k for r in range(n) if r not in (p, column // width)]
                lost = table[p * s + k, column]
                if table[thirds, column].sum() > 0:
                    table[thirds, column] *= 1 + lost / table[thirds, column].sum()
                elif table is y2 or column // s != p:
                    gone += lost
            table[p * s + k] = 0
    A2[:, p * s : p * s + s] = 0
    x2 = np.linalg.solve(np.eye(n * s) - A2, y2.sum(1))
    v = 1 - A.sum(0)
    expected = (v * (x2 - world.x)).reshape(n, s).sum(1)
    found = values(world, "extraction_with_replacement:R01")
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9 * world.x.sum())
    if gone == 0:  # everything is replaced and demand stands: so does the world's income
        assert abs(found.sum()) < 1e-9 * world.x.sum()
    else:
        assert found.sum() < 0
    with pytest.raises(MeasureError, match="no economy 'R09'"):
        values(world, "extraction_with_replacement:R09")


@pytest.mark.parametrize("name", FAMILY)
def test_invariances(name):
    world = full_world(2, n=4, s=3, empty=1)
    base = values(world, name)
    bigger = replace(
        world,
        Z=world.Z * 7,
        F=world.F * 7,
        V=world.V * 7,
        T_inputs=world.T_inputs * 7,
        T_final=world.T_final * 7,
    )
    scaled = values(bigger, name) / (7 if measures()[name].unit == "million USD" else 1)
    np.testing.assert_allclose(scaled, base, rtol=1e-7, atol=1e-10)
    # Naming every region a group of itself changes nothing.
    same = values(world, name, together={r: [r] for r in world.regions})
    np.testing.assert_allclose(same, base, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FAMILY)
def test_hard_worlds_are_defined_or_absent(name):
    worlds = [
        full_world(4, n=3, s=2, empty=3, dead_sector=True),
        random_world(5, n=3, s=2, density=0.0),
        random_world(6, n=3, s=2, inputs=0.0),
        random_world(7, n=1, s=2),
    ]
    for world in worlds:
        found = take(world, name).items[0]
        assert not np.isinf(found.values).any()
        if np.isnan(found.values).any():
            assert found.measure.absent
        if found.measure.unit == "share" and "asymmetry" not in name and "market" not in name:
            inside = found.values[np.isfinite(found.values)]
            assert (inside >= -1e-9).all()


def test_no_trade_means_no_dependence():
    world = random_world(5, n=3, s=2, density=0.0)
    np.testing.assert_allclose(values(world, "input_reliance"), np.eye(3), atol=1e-12)
    assert np.isnan(values(world, "supplier_concentration")[:, :2]).all()
    np.testing.assert_allclose(values(world, "supplier_concentration")[:, 2], 1)
    np.testing.assert_allclose(values(world, "foreign_market_reliance"), 0, atol=1e-12)
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(values(world, "extraction_loss")[off], 0, atol=1e-12)


def test_industries_without_inputs_have_no_suppliers():
    for n in (3, 10):
        world = random_world(6, n=n, s=2, inputs=0.0)
        for name in ("input_reliance", "input_origin", "foreign_input_origin_by_sector"):
            assert np.isnan(values(world, name)).all()


def test_taken_together_regions_supply_as_one():
    world = random_world(8, n=4, s=3)
    whole = values(world, "input_reliance")
    found = values(world, "input_reliance", together={"U": ["R01", "R02"]})
    _, B = inverse(world)
    rows = np.r_[3:9]  # nodes of R01 and R02
    behind = ((B - np.eye(12))[:, rows] @ world.x[rows]).reshape(4, 3).sum(1)
    share = behind / behind.sum()
    np.testing.assert_allclose(found[1], [share[0], share[1] + share[2], share[3]], **CLOSE)
    joined = [whole[0, 0], whole[0, 1] + whole[0, 2], whole[0, 3]]
    np.testing.assert_allclose(found[0], joined, **CLOSE)


def alone(world, r, s):
    """The world with one economy that neither sells nor buys abroad."""
    mine = np.zeros(len(world.x), bool)
    mine[r * s : r * s + s] = True
    Z, F = world.Z.copy(), world.F.copy()
    Z[np.ix_(mine, ~mine)] = Z[np.ix_(~mine, mine)] = 0
    F[~mine, r] = 0
    F[np.ix_(mine, np.arange(len(world.regions)) != r)] = 0
    x = Z.sum(1) + F.sum((1, 2))
    return replace(world, Z=Z, F=F, V=(x - Z.sum(0) - world.T_inputs)[None])


@pytest.mark.parametrize("n", [4, 10])  # iterated, factorised
def test_an_economy_without_trade_among_others_that_trade(n):
    world = alone(random_world(9, n=n, s=3), 2, 3)
    for name in ("supplier_concentration", "effective_suppliers", "largest_supplier_share"):
        found = values(world, name)
        assert np.isnan(found[2, :2]).all()
        assert found[2, 2] == pytest.approx(1)
        assert np.isfinite(found[[0, 1, 3]]).all()
    assert values(world, "input_dependence")[2, [0, 1, 3]].max() == 0
    assert np.isnan(values(world, "product_supplier_concentration")[2]).all()
    assert np.isnan(values(world, "external_circuit_by_partner")[2]).all()
    assert np.isnan(values(world, "eigenvector_centrality")).all()
    assert values(world, "foreign_market_reliance")[2] == pytest.approx(0, abs=1e-12)
    others = [p for p in range(n) if p != 2]
    np.testing.assert_allclose(values(world, "extraction_loss")[2, others], 0, atol=1e-12)
    np.testing.assert_allclose(values(world, "extraction_loss")[others, 2], 0, atol=1e-12)
    np.testing.assert_allclose(values(world, "content_of_exports")[2], 0, atol=1e-9)


def idle_producer(seed, n=4):
    """A world in which node 1 only draws down stocks and buys inputs, though it makes nothing."""
    world = random_world(seed, n=n, s=2)
    Z, F = world.Z.copy(), world.F.copy()
    Z[1], F[1] = 0, 0
    F[1, 0, 0] = -0.02 * world.x[1]
    x = Z.sum(1) + F.sum((1, 2))
    return replace(world, Z=Z, F=F, V=(x - Z.sum(0) - world.T_inputs)[None])


@pytest.mark.parametrize("n", [4, 10])
def test_stocks_drawn_of_what_nobody_makes(n):
    world = idle_producer(1, n)
    a = accounts_of(world)
    assert a.idle.tolist() == [1]
    for row in measures().values():
        if row.family in ("dependence", "circuits", "content") and row.takes not in (
            "economy",
            "rule",
        ):
            name = f"{row.name}:value_added" if row.takes else row.name
            assert not np.isinf(take(a, name).items[0].values).any()
    made = world.x > 0
    added = np.where(made, world.V.sum(0), 0).reshape(n, 2).sum(1)
    np.testing.assert_allclose(values(a, "income_circuits").sum(1), added, **CLOSE)
    np.testing.assert_allclose(values(a, "demand_circuits").sum(1), a.y.sum(0), rtol=1e-9)
    left = values(a, "unassigned_content")
    np.testing.assert_allclose(left[0], world.V[0, 1])
    np.testing.assert_allclose(values(a, "footprint").sum() + left.sum(), world.V.sum(), rtol=1e-9)
    reliance = values(a, "input_reliance_by_sector")
    assert np.isnan(reliance[0, 1]).all()
    np.testing.assert_allclose(values(a, "input_reliance").sum(1), 1, **CLOSE)
    np.testing.assert_allclose(values(a, "market_reliance").sum(1), 1, **CLOSE)


def test_iterated_beyond_what_is_factorised(monkeypatch):
    world = full_world(12, n=10, s=2, home=60.0)
    names = [r.name for r in measures().values() if not (r.takes or r.needs)]
    names.remove("extraction_loss_by_sector")  # needs the inverse, and says so
    factorised = take(world, names)
    monkeypatch.setattr("entrepot.measure.accounts.FACTOR_UP_TO", 0)
    a = accounts_of(world)
    iterated = take(a, names)
    assert "factor" not in a.__dict__
    for x, y in zip(iterated.items, factorised.items, strict=True):
        np.testing.assert_allclose(x.values, y.values, rtol=1e-8, atol=1e-8, err_msg=x.name)


def test_names_are_given_once():
    rows = [row.name for module in MODULES for row in module.ROWS]
    assert len(rows) == len(set(rows))


def test_most_us_inputs_come_from_home_and_more_from_china_than_it_seems():
    """Baldwin, Freeman & Theodorakopoulos (2023): over 80 % at home; exposure is hidden."""
    world = load_world("world-2022")
    taken = take(world, ["input_reliance", "input_reliance_face_value"], regions=["USA"])
    through, face = (x.to_xarray().sel(region="USA") for x in taken.items)
    assert through.sel(partner="USA") > 0.8
    assert through.sel(partner="CHN") > 3 * face.sel(partner="CHN")
