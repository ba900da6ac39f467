"""Intra-industry trade, intensity, preference and market access: by hand, by loops, by known worlds."""

from __future__ import annotations

import numpy as np
import pytest
from trade_tables import HAND, get, table

from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import accounts_of
from entrepot.world.world import attach
from worlds import random_world


def test_grubel_lloyd_by_hand():
    # A: S0 sells 40 and buys 5; S1 sells 0 and buys 35.
    assert get(HAND, "grubel_lloyd")[0] == pytest.approx([1 - 35 / 45, 0])
    assert get(HAND, "grubel_lloyd_overall")[0] == pytest.approx(1 - (35 + 35) / 80)
    # A and B: S0 30 against 5, S1 0 against 15.
    by_partner = get(HAND, "grubel_lloyd_by_partner")
    assert by_partner[0, 1] == pytest.approx(1 - (25 + 15) / 50)
    assert by_partner == pytest.approx(by_partner.T, nan_ok=True)
    assert np.isnan(np.diagonal(by_partner)).all()


def test_overall_intra_industry_trade_is_the_mean_by_trade():
    a = accounts_of(random_world(4, 4, 5, density=0.6))
    x, m = get(a, "gross_exports_by_sector", "gross_imports_by_product")
    by_sector, overall = get(a, "grubel_lloyd", "grubel_lloyd_overall")
    mean = np.nansum(by_sector * (x + m), axis=1) / (x + m).sum(1)
    assert overall == pytest.approx(mean)


def test_similarity_and_complementarity_by_hand():
    # Exports: A (1, 0), B (1/3, 2/3), C (0, 1). Imports: A (1/8, 7/8), B (3/4, 1/4), C (3/4, 1/4).
    similar = get(HAND, "export_similarity")
    assert similar[0] == pytest.approx([1, 1 / 3, 0])
    match = get(HAND, "trade_complementarity")
    assert match[0, 1] == pytest.approx(0.75)
    assert match[2, 0] == pytest.approx(7 / 8)
    assert np.isnan(match[1, 1])


def test_intensity_by_hand_and_by_loops():
    # A sends 30 of 40 to B, which takes 40 of the 60 that B and C import.
    assert get(HAND, "trade_intensity")[0, 1] == pytest.approx((30 / 40) / (40 / 60))
    n, s = 5, 4
    a = accounts_of(random_world(9, n, s))
    e = a.exports.reshape(n, s, n)
    got_i, got_c, got_b = get(a, "trade_intensity", "intensity_complementarity", "trade_bias")
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            others = [o for o in range(n) if o != i]
            m = {o: e[:, :, o].sum() for o in range(n)}
            part = m[j] / sum(m[o] for o in others)
            intensity = e[i, :, j].sum() / e[i].sum() / part
            structure = 0.0
            for k in range(s):
                there = sum(e[:, k, o].sum() for o in others)
                structure += e[i, k].sum() / e[i].sum() * e[:, k, j].sum() / there / part
            assert got_i[i, j] == pytest.approx(intensity)
            assert got_c[i, j] == pytest.approx(structure)
            assert got_b[i, j] == pytest.approx(intensity / structure)


def test_intensities_average_to_one():
    a = accounts_of(random_world(10, 5, 3))
    m = get(a, "gross_imports")
    for name in ("trade_intensity", "intensity_complementarity"):
        found = get(a, name)
        for i in range(5):
            others = np.arange(5) != i
            assert np.average(found[i, others], weights=m[others]) == pytest.approx(1)


def test_preference_by_hand():
    # Trade: A-B 50, A-C 30, B-C 20; of A 80, B 70, C 50; all 200.
    s, v = 50 / 80, 20 / 120
    inward, outward = s / v, (1 - s) / (1 - v)
    found = get(HAND, "revealed_trade_preference")
    assert found[0, 1] == pytest.approx((inward - outward) / (inward + outward))
    assert np.nanmax(np.abs(found)) <= 1


def test_introversion_by_hand():
    rng = np.random.default_rng(0)
    sales = rng.uniform(1, 2, (5, 1, 5))
    world = table(sales)
    t = sales[:, 0] * (1 - np.eye(5))
    t = t + t.T
    bloc, rest = [0, 3], [1, 2, 4]
    inside, own = t[np.ix_(bloc, bloc)].sum(), t[bloc].sum()
    s, v = inside / own, t[np.ix_(rest, bloc)].sum() / t[rest].sum()
    hi, he = s / v, (1 - s) / (1 - v)
    found = get(world, "trade_introversion", together={"bloc": ["A", "D"]})
    assert found[0] == pytest.approx((hi - he) / (hi + he))
    assert np.isnan(found[1:]).all()
    alone = sales.copy()
    alone[np.ix_(bloc, [0], rest)] = alone[np.ix_(rest, [0], bloc)] = 0
    assert get(table(alone), "trade_introversion", together={"bloc": ["A", "D"]})[0] == 1


def gravity(seed, n=5):
    """Sales by gravity with symmetric freeness, and what they were made of."""
    rng = np.random.default_rng(seed)
    s, m = rng.uniform(1, 10, n), rng.uniform(1, 10, n)
    phi = rng.uniform(0.01, 0.5, (n, n))
    phi = (phi + phi.T) / 2
    np.fill_diagonal(phi, 1)
    return s, m, phi, table((s[:, None] * phi * m[None])[:, None])


def test_freeness_and_access_come_back_from_gravity():
    s, m, phi, world = gravity(1)
    assert get(world, "trade_freeness") == pytest.approx(phi)
    access, supply = phi @ m, phi.T @ s
    real = get(world, "real_market_potential")
    assert real == pytest.approx(access / access.mean())
    assert get(world, "foreign_market_access") == pytest.approx((access - m) / access.mean())
    assert get(world, "supplier_access") == pytest.approx(supply / supply.mean())
    expenditure = world.F.sum((0, 2))
    assert get(world, "nominal_market_potential") == pytest.approx(phi @ expenditure)


def test_no_border_is_freeness_one_and_autarky_zero():
    sizes = np.array([1.0, 2, 5])
    world = table((sizes[:, None] * sizes[None])[:, None])
    assert get(world, "trade_freeness") == pytest.approx(np.ones((3, 3)))
    alone = table(np.diag(sizes)[:, None])
    assert get(alone, "trade_freeness") == pytest.approx(np.eye(3))
    assert get(alone, "nominal_market_potential") == pytest.approx(sizes)
    assert np.isnan(get(alone, "real_market_potential")).all()


def test_harris_by_hand():
    distance = [[2.0, 10, 20], [10, 4, 5], [20, 5, 1]]
    dims = ("origin", "destination")
    world = attach(HAND, "distances", distance, dims, "km", "drawn")
    use = np.array([120.0, 160, 90])
    potential = (use[None] / np.array(distance)).sum(1)
    assert get(world, "harris_market_potential") == pytest.approx(potential)
    together = get(world, "harris_market_potential", together={"AC": ["A", "C"]})
    assert together == pytest.approx([(potential[0] * 120 + potential[2] * 90) / 210, potential[1]])
    distance[1][1] = 0.0  # not known within B
    world = attach(HAND, "distances", distance, dims, "km", "drawn")
    assert np.isnan(get(world, "harris_market_potential")).tolist() == [False, True, False]
    other = attach(HAND, "distances", [1.0, 1, 1], ("region",), "km", "drawn")
    with pytest.raises(MeasureError, match="origin and destination"):
        get(other, "harris_market_potential")
