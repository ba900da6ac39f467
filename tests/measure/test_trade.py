"""Trade, openness, concentration and hubs: by hand, by brute force, on worlds with everything in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from trade_tables import HAND, get, table, values

import entrepot as ep
from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import accounts_of
from entrepot.measure.catalogue import measures
from entrepot.measure.concentration import BASES
from entrepot.measure.measurement import take
from entrepot.world.world import attach
from worlds import full_world, random_world

OURS = [row for row in measures().values() if row.family in ("trade", "advantage")]
PLAIN = [row for row in OURS if not row.needs]


def test_amounts_by_hand():
    assert get(HAND, "gross_exports").tolist() == [40, 30, 30]
    assert get(HAND, "gross_imports").tolist() == [40, 40, 20]
    assert get(HAND, "trade_balance").tolist() == [0, -10, 10]
    assert get(HAND, "gross_exports_by_partner").tolist() == [[0, 30, 10], [20, 0, 10], [20, 10, 0]]
    assert get(HAND, "gross_imports_by_product").tolist() == [[5, 35], [30, 10], [15, 5]]
    assert get(HAND, "trade_balance_by_partner")[0].tolist() == [0, 10, -10]
    assert get(HAND, "trade_balance_by_product").tolist() == [[35, -35], [-20, 10], [-15, 25]]


def test_shares_by_hand():
    assert get(HAND, "export_openness") == pytest.approx([40 / 120, 30 / 150, 30 / 100])
    assert get(HAND, "trade_openness") == pytest.approx([80 / 120, 70 / 150, 50 / 100])
    assert get(HAND, "home_share") == pytest.approx([80 / 120, 120 / 160, 70 / 90])
    assert get(HAND, "import_penetration")[1] == pytest.approx([30 / 80, 10 / 80])
    assert get(HAND, "export_share_of_output")[0] == pytest.approx([0.4, 0])
    assert get(HAND, "world_export_share") == pytest.approx([0.4, 0.3, 0.3])
    assert get(HAND, "world_export_share_by_sector")[:, 0] == pytest.approx([0.8, 0.2, 0])
    assert get(HAND, "services_export_share") == pytest.approx([0, 20 / 30, 1])
    assert get(HAND, "services_import_share") == pytest.approx([35 / 40, 10 / 40, 5 / 20])


def test_concentration_by_hand():
    taken = take(
        HAND, ["trade_herfindahl", "trade_effective_number", "trade_herfindahl_normalised"]
    )
    hhi, number, normal = (item.values for item in taken.items)
    assert hhi[0] == pytest.approx([0.75**2 + 0.25**2, 0.5, 1.0, (1 / 8) ** 2 + (7 / 8) ** 2])
    assert number == pytest.approx(1 / hhi)
    assert normal[0] == pytest.approx(2 * hhi[0] - 1)  # two partners, two sectors
    theil = get(HAND, "trade_theil")
    x = np.array([30.0, 10.0]) / 20  # over their mean
    assert theil[0, 0] == pytest.approx(np.mean(x * np.log(x)))
    assert theil[0, 2] == pytest.approx(np.log(2))  # one sector of two takes all


def test_theil_splits_into_between_and_within_partners():
    world = random_world(3, 5, 4, density=0.7)
    total, between, within = get(world, "export_theil_by_partner").T
    a = accounts_of(world)
    for i in range(a.n):
        x = np.delete(a.exports.reshape(5, 4, 5)[i], i, axis=1)  # sector by partner
        mean = x.mean()

        def theil(cells):
            r = cells / cells.mean()
            return np.mean([v * np.log(v) if v > 0 else 0.0 for v in r.ravel()])

        parts = [x[:, j].sum() / x.sum() * theil(x[:, j]) for j in range(4) if x[:, j].any()]
        assert mean > 0
        assert total[i] == pytest.approx(theil(x))
        assert between[i] == pytest.approx(theil(x.sum(0)))
        assert within[i] == pytest.approx(sum(parts))


def test_even_trade_is_not_concentrated():
    even = np.full((4, 3, 4), 2.0)
    found = take(
        table(even), ["trade_herfindahl_normalised", "trade_theil", "trade_effective_number"]
    )
    assert np.abs(found.items[0].values).max() < 1e-12
    assert np.abs(found.items[1].values).max() < 1e-12
    assert found.items[2].values == pytest.approx(np.tile([3, 3, 3, 3], (4, 1)))
    assert found.items[2].labels["term"] == BASES


def test_identities_on_a_world_with_everything():
    world = full_world(5, 4, 3, empty=2, dead_sector=True)
    a = accounts_of(world)
    n, s = 4, 3
    trade = (world.Z.reshape(n, s, n, s).sum(3) + world.F.sum(2).reshape(n, s, n)) * (
        1 - np.eye(n)[:, None, :]
    )
    x, m = get(a, "gross_exports", "gross_imports")
    assert x == pytest.approx(trade.sum((1, 2)))
    assert m == pytest.approx(trade.sum((0, 1)))
    assert x.sum() == pytest.approx(m.sum())
    by_sector, by_product, by_partner = get(
        a, "gross_exports_by_sector", "gross_imports_by_product", "gross_imports_by_partner"
    )
    assert by_sector == pytest.approx(trade.sum(2))
    assert by_product == pytest.approx(trade.sum(0).T)
    assert by_partner == pytest.approx(trade.sum(1).T)
    for use, whole in (("gross_exports_by_use", by_sector), ("gross_imports_by_use", by_product)):
        assert get(a, use).sum(2) == pytest.approx(whole)
    final = world.F.sum(2).reshape(n, s, n) * (1 - np.eye(n)[:, None, :])
    assert get(a, "gross_exports_by_use")[..., 1] == pytest.approx(final.sum(2))
    assert get(a, "trade_balance").sum() == pytest.approx(0, abs=1e-9 * x.sum())
    home, into = get(a, "home_share_by_product", "import_penetration")
    assert (home + into)[~np.isnan(home)] == pytest.approx(1)
    assert np.nanmin(home) >= 0
    assert np.isnan(home[:, -1]).all()  # nobody makes the last sector
    assert get(a, "world_export_share").sum() == pytest.approx(1)


@pytest.mark.parametrize("row", PLAIN, ids=lambda r: r.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_amounts_scale_and_shares_do_not(row, seed):
    world = full_world(seed, 4, 3, empty=2, density=0.8)
    more = replace(
        world,
        **{f: 7.0 * getattr(world, f) for f in ("Z", "F", "V", "T_inputs", "T_final")},
    )
    before, after = (values(row, accounts_of(w)) for w in (world, more))
    assert np.isfinite(before[~np.isnan(before)]).all()
    factor = 7.0 if row.unit == "million USD" else 1.0
    assert np.allclose(factor * before, after, rtol=1e-8, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("row", PLAIN, ids=lambda r: r.name)
def test_an_economy_that_exports_nothing(row):
    sales = np.array(HAND.F).reshape(3, 2, 3)
    sales[2, :, :2] = 0  # C sells at home alone
    sales[:2, :, 2] = 0  # and buys of nobody
    found = values(row, accounts_of(table(sales)))
    assert not np.isinf(found).any()
    if row.additive:
        assert not np.isnan(found).any()
    if np.isnan(found).any():
        assert row.absent


@pytest.mark.parametrize("row", PLAIN, ids=lambda r: r.name)
def test_regions_in_any_order_give_the_same(row):
    world = random_world(11, 4, 3)
    order = [2, 0, 3, 1]
    nodes = np.array([r * 3 + k for r in order for k in range(3)])
    moved = replace(
        world,
        regions=tuple(world.regions[r] for r in order),
        Z=world.Z[np.ix_(nodes, nodes)],
        F=world.F[nodes][:, order],
        V=world.V[:, nodes],
        T_inputs=world.T_inputs[nodes],
        T_final=world.T_final[order],
    )
    before, after = (values(row, accounts_of(w)) for w in (world, moved))
    for axis, dim in enumerate(row.dims):
        if dim in ("region", "partner"):
            before = np.take(before, order, axis)
    assert np.allclose(before, after, rtol=1e-8, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("row", PLAIN, ids=lambda r: r.name)
def test_taken_together_like_a_world_that_never_had_the_parts(row):
    """Two regions taken together trade as one region made of both, sector by sector of each."""
    world = random_world(12, 4, 3)
    joined = accounts_of(world, together={"AB": ["R00", "R02"]})
    merged = ep.aggregate(world, regions={"R00": "AB", "R02": "AB", "R01": "R01", "R03": "R03"})
    if row.name in ("trade_introversion", "revealed_advantage_value_added"):
        return  # one is about the parts; in the other chains of merged industries differ
    one, other = (values(row, x) for x in (joined, accounts_of(merged)))
    where = [merged.regions.index(e) for e in joined.economies]
    for axis, dim in enumerate(row.dims):
        if dim in ("region", "partner"):
            other = np.take(other, where, axis)
    assert np.allclose(one, other, rtol=1e-8, atol=1e-9, equal_nan=True)


def test_provinces_of_one_parent_export_nothing_to_each_other():
    world = replace(HAND, parent={"A": "P", "B": "P"})
    apart, whole = accounts_of(world), accounts_of(world, "economy")
    assert whole.economies == ("P", "C")
    assert get(whole, "gross_exports").tolist() == [20, 30]
    assert get(apart, "gross_exports").tolist() == [40, 30, 30]
    assert get(whole, "home_share")[0] == pytest.approx((60 + 30 + 20 + 55 + 85) / (120 + 160))


def test_services_are_absent_where_the_table_does_not_tell():
    plain = table(np.ones((2, 2, 2)))
    mixed = table(np.ones((2, 2, 2)), isic=[(10,), (43, 45)])
    for world in (plain, mixed):
        item = take(world, "services_export_share").items[0]
        assert np.isnan(item.values).all()
        assert "do not tell goods from services" in item.why_absent


def test_stocks_drawn_count_in_amounts_and_not_in_shares():
    sales = np.array(HAND.F).reshape(3, 2, 3)
    sales[0, 1, 1] = -3  # B draws down what it had bought of A
    world = table(sales)
    assert get(world, "gross_exports")[0] == 37
    assert get(world, "trade_herfindahl")[0, 2] == 1.0
    assert np.nanmin(get(world, "revealed_advantage")) == 0.0


# --- hubs ------------------------------------------------------------------------------------


def test_re_exports_by_region_and_by_destination():
    world = attach(HAND, "re_exports", [10.0, np.nan, 0.0], ("region",), "million USD", "x", "sum")
    found = get(world, "re_export_share")
    assert found[[0, 2]].tolist() == [10 / 50, 0]
    assert np.isnan(found[1])
    flows = np.full((2, 3, 3), np.nan)
    flows[0] = [[99, 6, 4], [0, 99, 5], [0, 0, 99]]  # goods alone; home cells count nothing
    world = attach(
        HAND, "re_exports", flows, ("sector", "origin", "destination"), "million USD", "x", "sum"
    )
    assert get(world, "re_export_share") == pytest.approx([10 / 50, 5 / 15, np.nan], nan_ok=True)
    together = get(world, "re_export_share", together={"AB": ["A", "B"]})
    assert together == pytest.approx([9 / (9 + 15), np.nan], nan_ok=True)


def test_hub_ratio_and_what_it_refuses():
    dims = ("origin", "destination")
    record = [[np.nan, 60, 20], [20, np.nan, np.nan], [20, 10, np.nan]]
    world = attach(HAND, "gross_exports", record, dims, "million USD", "x", "sum")
    assert get(world, "hub_ratio") == pytest.approx([2, 1, 1])
    by_region = attach(
        HAND, "gross_exports", [80.0, 30, 30], ("region",), "million USD", "x", "sum"
    )
    assert get(by_region, "hub_ratio", together={"AB": ["A", "B"]}) == pytest.approx(
        [np.nan, 1], nan_ok=True
    )
    with pytest.raises(MeasureError, match="million USD"):
        get(
            attach(HAND, "gross_exports", [1.0, 1, 1], ("region",), "tonnes", "x", "sum"),
            "hub_ratio",
        )
    with pytest.raises(MeasureError, match="by destination"):
        get(
            attach(HAND, "gross_exports", [1.0, 1, 1], ("destination",), "million USD", "x", "sum"),
            "hub_ratio",
        )
    with pytest.raises(MeasureError, match="does not carry"):
        get(HAND, "hub_ratio")


@pytest.mark.parametrize("name", ["world-2019-g20", "world-2022"])
def test_all_measures_of_the_embedded_worlds(name):
    pytest.importorskip("ecomplexity")
    a = accounts_of(ep.load_world(name))
    for row in PLAIN:
        found = take(a, row.name).items[0].values
        assert not np.isinf(found).any(), row.name
        if row.additive:
            assert not np.isnan(found).any(), row.name
