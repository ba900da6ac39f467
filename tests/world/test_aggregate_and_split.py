"""Sums and splits: identities are kept, sums undo splits, satellites follow their rule."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import entrepot as ep
from entrepot.core.errors import InfeasibleError, NotConvergedError, WorldError
from entrepot.core.tables import Margin
from entrepot.world.aggregate import aggregate, group_concordance
from entrepot.world.split import split_region, split_sector
from entrepot.world.world import attach, identity_gaps, trade_flows
from worlds import full_world, random_world

BLOCKS = ("Z", "F", "V", "T_inputs", "T_final")


def close(a, b, rtol=1e-9):
    for name in BLOCKS:
        x, y = getattr(a, name), getattr(b, name)
        np.testing.assert_allclose(
            x, y, rtol=rtol, atol=1e-9 * max(1, np.abs(y).max()), err_msg=name
        )


def with_margins(world):
    part = np.abs(world.V[0]) * 0.1
    margin = Margin(part, np.full_like(world.T_final, 3.0))
    return replace(world, V=world.V - part, margins={"transport": margin})


class TestManyToMany:
    @given(st.integers(0, 10**6))
    @settings(max_examples=25)
    def test_identities_commute_with_weights(self, seed):
        rng = np.random.default_rng(seed)
        world = with_margins(full_world(seed % 100, 4, 3))
        a, b = rng.dirichlet([1, 1]), rng.dirichlet([1, 1, 1])
        new = aggregate(
            world,
            regions={"R00": {"X": a[0], "R01": a[1]}},
            sectors={"S1": dict(zip(("S0", "P", "Q"), b, strict=True))},
        )
        assert identity_gaps(new) == []
        for name in BLOCKS:
            assert getattr(new, name).sum() == pytest.approx(getattr(world, name).sum(), rel=1e-9)
        assert new.margins["transport"].final.sum() == pytest.approx(3.0 * world.T_final.size)

    def test_cells_are_the_weighted_ones(self):
        world = random_world(1, 2, 2)
        new = aggregate(world, sectors={"S1": {"P": 0.25, "Q": 0.75}})
        assert new.sector_codes == ("S0", "P", "Q")
        Z, old = new.Z.reshape(2, 3, 2, 3), world.Z.reshape(2, 2, 2, 2)
        assert Z[0, 1, 1, 2] == pytest.approx(0.25 * 0.75 * old[0, 1, 1, 1])
        assert Z[0, 0, 1, 2] == pytest.approx(0.75 * old[0, 0, 1, 1])

    def test_whole_weights_are_plain_sums(self):
        world = full_world(2, 3, 2)
        one = aggregate(world, regions={"R00": {"R01": 1.0}})
        assert one.content_hash == aggregate(world, regions={"R00": "R01"}).content_hash

    @pytest.mark.parametrize("weights", [{"A": 0.5}, {"A": 1.5, "B": -0.5}, {"A": np.nan}])
    def test_weights_must_sum_to_one(self, weights):
        with pytest.raises(
            WorldError, match="weights of 'R00' must not be negative, and sum to one"
        ):
            aggregate(random_world(1), regions={"R00": weights})

    def test_groups(self):
        world = ep.load_world("world-2022")
        to = group_concordance(world, ["eu27", "cptpp"], rest="REST")
        small = aggregate(world, regions=to)
        assert set(small.regions) == {"EU27", "CPTPP", "REST"}
        members = [r for r in world.regions if to[r] == "EU27"]
        assert len(members) == 27
        flows, _ = trade_flows(world)
        at = [world.regions.index(r) for r in members]
        k = small.regions.index("EU27")
        got, _ = trade_flows(small)
        assert got[:, k, k].sum() == pytest.approx(flows[:, at][:, :, at].sum(), rel=1e-12)
        with pytest.raises(WorldError, match="belong"):
            group_concordance(world, ["eu27", "g20"])
        with pytest.raises(WorldError, match="no group 'eu72'"):
            group_concordance(world, ["eu72"])

    def test_slack_adds_up_and_so_does_what_is_tolerated(self):
        world = random_world(1, 4, 3)
        off = replace(world, V=world.V + 0.9, atol=1.0)
        one = aggregate(off, regions=dict.fromkeys(world.regions, "W"))
        np.testing.assert_allclose(one.slack, -0.9 * 4, atol=1e-9)
        assert one.atol == pytest.approx(4.0)


class TestSatelliteRules:
    def test_amounts_are_summed_and_absence_spreads(self):
        world = random_world(1, 3, 2)
        jobs = np.array([[1.0, 2, 4], [8, 16, np.nan]])
        world = attach(world, "jobs", jobs, ("sector", "region"), "persons", "made up", "sum")
        assert world.satellites["jobs"].coverage == pytest.approx(5 / 6)
        small = aggregate(world, regions={"R00": "A", "R01": "A"})
        np.testing.assert_array_equal(small.satellites["jobs"].values, [[3, 4], [24, np.nan]])
        one = aggregate(world, sectors={"S0": "S", "S1": "S"})
        np.testing.assert_array_equal(one.satellites["jobs"].values, [[9, 18, np.nan]])

    def test_rates_are_averaged_by_output(self):
        world = random_world(1, 3, 2)
        rate = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
        world = attach(world, "wage", rate, ("sector", "region"), "1", "made up")
        small = aggregate(world, regions={"R00": "A", "R01": "A"})
        x = world.x.reshape(3, 2)
        want = (rate[0, 0] * x[0, 0] + rate[0, 1] * x[1, 0]) / (x[0, 0] + x[1, 0])
        assert small.satellites["wage"].values[0, 0] == pytest.approx(want)

    def test_distances_are_averaged_by_trade(self):
        world = random_world(1, 3, 2)
        km = np.array([[1.0, 5, 9], [5, 2, 7], [9, 7, 3]])
        world = attach(world, "distance", km, ("origin", "destination"), "km", "made up")
        small = aggregate(world, regions={"R00": "A", "R01": "A"})
        flows = trade_flows(world)[0].sum(0)
        want = (flows[:2, 2] * km[:2, 2]).sum() / flows[:2, 2].sum()
        assert small.satellites["distance"].values[0, 1] == pytest.approx(want)
        assert small.satellites["distance"].values[1, 1] == 3


class TestSplitRegion:
    @given(st.integers(0, 10**6))
    @settings(max_examples=25)
    def test_the_parts_sum_to_the_whole(self, seed):
        rng = np.random.default_rng(seed)
        world = with_margins(full_world(seed % 100, 4, 3))
        a = rng.uniform(0.2, 0.8, 3)
        shift = 1 + 0.05 * rng.uniform(-1, 1, 3)
        parts = split_region(
            world,
            "R02",
            {"P": a, "Q": 1 - a},
            exports={"P": a * shift, "Q": 1 - a * shift},
            affinity=[[1.5, 1], [1, 1.2]],
            final_use={"P": a.mean(), "Q": 1 - a.mean()},
        )
        assert parts.regions == ("R00", "R01", "P", "Q", "R03")
        assert dict(parts.parent) == {"P": "R02", "Q": "R02"}
        assert identity_gaps(parts) == []
        back = aggregate(parts, regions=parts.parent)
        close(back, world)
        for key in world.satellites:
            np.testing.assert_allclose(
                back.satellites[key].values, world.satellites[key].values, atol=1e-9
            )

    def test_stated_shares_hold(self):
        world = random_world(7, 4, 3)
        w = {"P": np.array([0.5, 0.4, 0.3]), "Q": np.array([0.5, 0.6, 0.7])}
        e = {"P": np.array([0.6, 0.45, 0.2]), "Q": np.array([0.4, 0.55, 0.8])}
        m = {"P": np.array([0.45, 0.5, 0.4]), "Q": np.array([0.55, 0.5, 0.6])}
        new = split_region(world, "R01", w, exports=e, imports=m, final_use={"P": 0.4, "Q": 0.6})
        x = new.x.reshape(5, 3)
        old = world.x.reshape(4, 3)
        np.testing.assert_allclose(x[1], w["P"] * old[1], rtol=1e-9)
        outside = [0, 3, 4]
        Z, F = new.Z.reshape(5, 3, 5, 3), new.F.reshape(5, 3, 5, -1)
        sold = Z[1][:, outside].sum((1, 2)) + F[1][:, outside].sum((1, 2))
        all_sold = sold + Z[2][:, outside].sum((1, 2)) + F[2][:, outside].sum((1, 2))
        np.testing.assert_allclose(sold / all_sold, e["P"], rtol=1e-9)
        bought, other = Z[outside, :, 1].sum((0, 1)), Z[outside, :, 2].sum((0, 1))
        np.testing.assert_allclose(bought / (bought + other), m["P"], rtol=1e-9)
        np.testing.assert_allclose(F[:, :, 1].sum() / F[:, :, 1:3].sum(), 0.4, rtol=1e-9)

    def test_affinity_makes_parts_trade_with_themselves(self):
        world = random_world(7, 3, 2)
        even = split_region(world, "R01", {"P": 0.5, "Q": 0.5})
        kin = split_region(world, "R01", {"P": 0.5, "Q": 0.5}, affinity=[[5, 1], [1, 5]])
        assert trade_flows(kin)[0][:, 1, 2].sum() < 0.5 * trade_flows(even)[0][:, 1, 2].sum()

    def test_exports_beyond_output_are_named(self):
        world = random_world(7, 3, 2, home=0.5)
        shares = {"P": 0.01, "Q": 0.99}
        with pytest.raises(InfeasibleError, match="exports leave P S0 with negative home sales"):
            split_region(world, "R01", shares, exports={"P": 0.99, "Q": 0.01})

    @pytest.mark.parametrize(
        ("shares", "more", "match"),
        [
            ({"P": 1.0}, {}, "two parts or more"),
            ({"P": 0.5, "R00": 0.5}, {}, "labels of their own"),
            ({"P": 0.5, "Q": 0.6}, {}, "sum to 1.1"),
            ({"P": -0.5, "Q": 1.5}, {}, "negative"),
            ({"P": [0.5, 0.5, 0.5], "Q": 0.5}, {}, "one share, or 2"),
            ({"P": 0.5, "Q": 0.5}, {"exports": {"P": 1.0}}, "shares are needed of 'P', 'Q'"),
            ({"P": 0.5, "Q": 0.5}, {"affinity": [[1, 0], [1, 1]]}, "positive numbers"),
        ],
    )
    def test_refused(self, shares, more, match):
        with pytest.raises(WorldError, match=match):
            split_region(random_world(1, 3, 2), "R01", shares, **more)

    def test_a_fit_that_is_not_finished_is_not_returned(self, monkeypatch):
        world = random_world(7, 3, 2)
        apart = [[9, 1], [1, 9]]
        monkeypatch.setattr("entrepot.world.split.MAX_STEPS", 2)
        with pytest.raises(NotConvergedError, match="could not be fitted; worst is"):
            split_region(world, "R01", {"P": 0.2, "Q": 0.8}, exports={"P": 0.3, "Q": 0.7},
                         imports={"P": 0.1, "Q": 0.9}, final_use={"P": 0.9, "Q": 0.1},
                         affinity=apart)  # fmt: skip

    def test_a_split_world_can_be_asked(self):
        world = ep.load_world("world-2019-g20")
        new = split_region(world, "CHN", {"CHN-C": 0.6, "CHN-I": 0.4}, exports={"CHN-C": 0.8,
                           "CHN-I": 0.2}, source="made up")  # fmt: skip
        from entrepot.scenario.read import parse_scenario

        text = """
name: t
why: does a province carry through
changes:
  - {instrument: trade_cost, importers: USA, exporters: CHN, by: -5%, why: a test}
"""
        whole = ep.run(world, parse_scenario(text), headlines=False).regions.welfare_pct
        parts = ep.run(new, parse_scenario(text), headlines=False).regions.welfare_pct
        assert parts["CHN-C"] > whole["CHN"] > parts["CHN-I"]
        assert parts["USA"] == pytest.approx(whole["USA"], rel=0.05)


class TestSplitSector:
    @given(st.integers(0, 10**6))
    @settings(max_examples=20)
    def test_the_parts_sum_to_the_whole(self, seed):
        rng = np.random.default_rng(seed)
        world = with_margins(full_world(seed % 100, 4, 3))
        a = rng.uniform(0, 1, 4)
        new = split_sector(world, "S1", {"P": a, "Q": 1 - a})
        assert new.sector_codes == ("S0", "P", "Q", "S2")
        assert identity_gaps(new) == []
        close(aggregate(new, sectors={"P": "S1", "Q": "S1"}, sector_rows=world.sectors), world)
        np.testing.assert_allclose(new.x.reshape(4, 4)[:, 1], a * world.x.reshape(4, 3)[:, 1])

    def test_one_share_for_all(self):
        world = full_world(3, 3, 2)
        same = split_sector(world, "S1", {"P": [0.3] * 3, "Q": [0.7] * 3})
        close(split_sector(world, "S1", {"P": 0.3, "Q": 0.7}), same)

    def test_amounts_are_divided(self):
        world = random_world(1, 3, 2)
        world = attach(world, "jobs", np.ones((2, 3)), ("sector", "region"), "p", "made up", "sum")
        new = split_sector(world, "S1", {"P": [0.1, 0.2, 0.3], "Q": [0.9, 0.8, 0.7]})
        np.testing.assert_allclose(
            new.satellites["jobs"].values, [[1, 1, 1], [0.1, 0.2, 0.3], [0.9, 0.8, 0.7]]
        )
