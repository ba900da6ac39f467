"""What must not get through the doors of worlds, and what must not be lost at them."""

import json
from dataclasses import replace

import numpy as np
import pytest

import entrepot as ep
from entrepot.core.errors import DataError, OutputError, WorldError
from entrepot.sources import plain
from entrepot.world.aggregate import aggregate, group_concordance
from entrepot.world.audit import raw_of
from entrepot.world.build import build, repair
from entrepot.world.rebalance import rebalance
from entrepot.world.series import Series, deflate
from entrepot.world.shelf import save_world
from entrepot.world.split import split_region, split_sector
from entrepot.world.world import attach
from entrepot.world.zarr import read_zarr, write_zarr
from worlds import random_world

NODE = ("sector", "region")


class TestNothingIsOverwritten:
    def test_a_users_own_files(self, tmp_path):
        world = random_world(1)
        (tmp_path / "mine.npz").write_bytes(b"PK\x03\x04 something else")
        np.savez(tmp_path / "arrays.npz", Z=np.ones(3))
        (tmp_path / "a.zarr").mkdir()
        (tmp_path / "a.zarr" / "zarr.json").write_text('{"attributes": {"made by": "entrepot"}}')
        write_zarr(tmp_path / "b.zarr", world)
        (tmp_path / "b.zarr" / "NOTES.txt").write_text("keep me")
        (tmp_path / "l.zarr").symlink_to(tmp_path / "b.zarr")
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        for name in ("mine.npz", "arrays.npz", "a.zarr", "b.zarr", "l.zarr"):
            with pytest.raises(OutputError, match=r"not overwritten|is a link"):
                save_world(world, tmp_path / name)
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before

    @pytest.mark.parametrize("name", ["w", "w.npz", "w.zarr"])
    def test_a_folder_or_file_beside_the_target(self, tmp_path, name):
        (tmp_path / f"{name}.part").mkdir()
        (tmp_path / f"{name}.part" / "mine").write_text("x")
        save_world(random_world(1), tmp_path / name)
        assert (tmp_path / f"{name}.part" / "mine").read_text() == "x"
        assert sorted(p.name for p in tmp_path.iterdir()) == [name, f"{name}.part"]

    def test_missing_folders_are_made(self, tmp_path):
        for name in ("d/e/w.npz", "d/f/w.zarr", "d/g/w", "d/v.1"):
            save_world(random_world(1), tmp_path / name)
            assert ep.load_world(tmp_path / name).content_hash == random_world(1).content_hash


class TestNames:
    @pytest.mark.parametrize("name", ["../x", "a/b", "", " ", "x" * 81, ".hidden", "CO2 emissions"])
    def test_satellites(self, name):
        with pytest.raises(WorldError, match=r"no name of a satellite"):
            attach(random_world(1, 3, 2), name, np.ones((2, 3)), NODE, "u", "s")

    @pytest.mark.parametrize(
        "change",
        [
            {"regions": ("-", "B", "C")},
            {"regions": (" A", "B", "C")},
            {"final_categories": ("S1",)},
            {"value_added_categories": ("",)},
        ],
    )
    def test_labels_the_plain_format_cannot_hold(self, tmp_path, change):
        table = replace(raw_of(random_world(1, 3, 2)), **change)
        with pytest.raises(OutputError, match=r"cannot hold the label"):
            plain.write(tmp_path / "w", table)
        assert list(tmp_path.iterdir()) == []

    def test_a_value_added_category_called_like_the_taxes(self, tmp_path):
        world = replace(random_world(1, 3, 2), value_added_categories=("net product taxes",))
        save_world(world, tmp_path / "w")
        assert ep.load_world(tmp_path / "w").content_hash == world.content_hash

    def test_a_satellite_without_a_number_comes_back(self, tmp_path):
        world = attach(
            random_world(1, 3, 2), "jobs", np.full((2, 3), np.nan), NODE, "u", "s", "sum"
        )
        for parquet in (True, False):
            plain.write(tmp_path / str(parquet), raw_of(world), parquet)
            back = ep.load_world(tmp_path / str(parquet))
            assert back.satellites["jobs"].coverage == 0

    @pytest.mark.parametrize(
        ("dims", "match"),
        [
            (("region", "region"), "each once"),
            (("destination", "region"), "beside an origin or destination"),
            ((), "not some of"),
        ],
    )
    def test_axes(self, dims, match):
        with pytest.raises(WorldError, match=match):
            attach(random_world(1, 3, 2), "x", np.ones((3,) * len(dims)), dims, "u", "s")


class TestTariffs:
    DIMS = ("sector", "origin", "destination")

    def test_they_are_rates(self, tmp_path):
        world = random_world(1, 3, 2)
        path = tmp_path / "t.csv"
        path.write_text("sector,origin,destination,value\nS0,R00,R01,25\n")
        with pytest.raises(WorldError, match=r"fractions"):
            ep.attach_table(world, path, "tariffs", self.DIMS, unit="percent", source="s")
        with pytest.raises(DataError, match=r"would be 2500%"):
            ep.attach_table(world, path, "tariffs", self.DIMS, unit="fraction", source="s")
        with pytest.raises(WorldError, match=r"their rule is mean"):
            attach(world, "tariffs", np.zeros((2, 3, 3)), self.DIMS, "fraction", "s", "sum")

    def test_summing_nothing_changes_nothing(self):
        world = random_world(1, 3, 2, density=0.3)
        rates = np.full((2, 3, 3), 0.1)
        np.einsum("sdd->sd", rates)[...] = 0
        world = attach(world, "tariffs", rates, self.DIMS, "fraction", "s")
        assert aggregate(world).content_hash == world.content_hash


class TestJudgement:
    def test_what_check_fails_is_not_built(self):
        raw = raw_of(random_world(1, 3, 2))
        wrong = raw.sales.copy()
        wrong[2] *= 1.5
        table = replace(raw, declared_output=wrong)
        with pytest.raises(WorldError, match=r"drop-declared-totals"):
            build(table)
        world = build(table, ["drop-declared-totals"])
        assert world.provenance["steps"][0]["changed"][0][0] == "declared output of R01 S0"

    @pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
    def test_tolerances_are_numbers(self, value):
        raw = raw_of(random_world(1, 3, 2))
        for key in ("atol", "rtol"):
            with pytest.raises(DataError, match=r"tolerances must be finite"):
                replace(raw, **{key: value})

    def test_infinity_is_repaired_to_zero_and_logged(self):
        raw = raw_of(random_world(1, 3, 2, product_taxes=0.1))
        T = raw.T_final.copy()
        T[1, 0] = np.inf
        table, (log,) = repair(replace(raw, T_final=T), ["blank-to-zero"])
        assert table.T_final[1, 0] == 0
        assert log["cells"] == 1

    def test_a_discrepancy_may_be_closed_twice(self):
        raw = raw_of(random_world(1, 3, 2))
        table, _ = repair(replace(raw, V=raw.V * 1.01), ["discrepancy-to-value-added"])
        again = build(replace(table, F=table.F * 1.001), ["discrepancy-to-value-added"])
        assert again.value_added_categories.count("statistical discrepancy") == 1
        np.testing.assert_allclose(again.slack, 0, atol=1e-9)

    def test_the_log_of_a_balance_counts_every_cell(self):
        raw = raw_of(random_world(1, 5, 4))
        table = replace(raw, V=raw.V * np.linspace(0.99, 1.02, 20))
        new, (log,) = repair(table, ["rebalance"])
        moved = rebalance(table).solution.moved
        assert log["sum_absolute"] == pytest.approx(moved.total, rel=1e-9)
        assert log["cells"] == sum(
            int((getattr(new, k) != getattr(table, k)).sum()) for k in ("Z", "F", "V", "T_inputs")
        )


class TestConcordances:
    def test_weights_of_zero_are_no_targets(self):
        world = random_world(1, 3, 2)
        same = aggregate(world, regions={"R00": {"P": 1.0, "Q": 0.0}})
        assert same.regions == ("P", "R01", "R02")
        split = split_sector(world, "S1", {"P": 1.0, "Q": 0.0})
        assert split.x.reshape(3, 3)[:, 2].sum() == 0

    def test_the_rest_is_no_group(self):
        with pytest.raises(WorldError, match=r"cannot be a group and the rest"):
            group_concordance(ep.load_world("world-2022"), ["cptpp"], rest="CPTPP")

    def test_parts_split_again_still_sum_to_the_whole(self):
        world = random_world(1, 3, 2)
        twice = split_region(split_region(world, "R01", {"a": 0.5, "b": 0.5}), "a",
                             {"c": 0.3, "d": 0.7})  # fmt: skip
        assert dict(twice.parent) == {"b": "R01", "c": "R01", "d": "R01"}
        back = aggregate(twice, regions=twice.parent)
        np.testing.assert_allclose(back.Z, world.Z, rtol=1e-9)

    def test_parts_can_be_renamed(self):
        parts = split_region(random_world(1, 3, 2), "R01", {"a": 0.5, "b": 0.5})
        new = aggregate(parts, regions={"a": "x", "b": "y"})
        assert dict(new.parent) == {"x": "R01", "y": "R01"}

    def test_summing_is_told(self):
        from entrepot.world.build import steps_in_words

        small = aggregate(random_world(1, 3, 2), regions={"R00": "R01"})
        assert steps_in_words(small.provenance) == [
            "Aggregated from 3 x 2 to 2 x 2 regions and sectors."
        ]

    def test_stated_shares_leave_no_visible_slack(self):
        world = ep.load_world("world-2019-g20")
        new = split_region(world, "CHN", {"a": 0.6, "b": 0.4}, exports={"a": 0.8, "b": 0.2})
        assert np.abs(new.slack).max() < 1e-3
        assert new.atol == world.atol


class TestPrices:
    def year(self, year, index, output=True):
        world = random_world(1, 2, 2)
        if not output:
            keep = np.ones(4)
            keep[3] = 0
            Z = world.Z * keep[:, None] * keep[None]
            F = world.F * keep[:, None, None]
            V = (Z.sum(1) + F.sum((1, 2)) - Z.sum(0))[None]
            world = replace(world, Z=Z, F=F, V=V)
        return attach(replace(world, year=year), "price_index", index, NODE, "1", "made up")

    def test_a_price_is_never_invented(self):
        index = np.full((2, 2), 100.0)
        index[1, 1] = np.nan
        later = np.full((2, 2), 110.0)
        series = Series(
            {2000: lambda: self.year(2000, index, False), 2001: lambda: self.year(2001, later)}
        )
        with pytest.raises(WorldError, match=r"R01 S1 sells in 2001 and has no price in 2000"):
            deflate(series, 2000)[2001]

    def test_constant_prices_are_not_deflated_again(self):
        series = Series({2000: lambda: self.year(2000, np.full((2, 2), 2.0))})
        with pytest.raises(WorldError, match=r"at prices constant, 2000 already"):
            deflate(deflate(series, 2000), 2000)[2000]


class TestStoresCannotLie:
    @pytest.mark.parametrize(
        "change",
        [
            lambda m: m.update(year=1066),
            lambda m: m["satellites"]["km"].update(unit="miles"),
            lambda m: m["satellites"]["km"].update(dims=["destination", "origin"]),
            lambda m: m["region_names"].update(R00="Elsewhere"),
        ],
    )
    def test_labels_are_hashed(self, tmp_path, change):
        km = np.arange(9.0).reshape(3, 3)
        world = attach(random_world(1, 3, 2), "km", km, ("origin", "destination"), "km", "s")
        write_zarr(tmp_path / "w.zarr", world)
        file = tmp_path / "w.zarr" / "zarr.json"
        about = json.loads(file.read_text())
        change(about["attributes"]["entrepot"])
        file.write_text(json.dumps(about))
        with pytest.raises(DataError, match=r"labels are not the ones"):
            read_zarr(tmp_path / "w.zarr")

    def test_the_content_hash_tells_satellites_apart(self):
        base, values = random_world(1, 3, 2), np.arange(9.0).reshape(3, 3)
        dims = ("origin", "destination")
        one = attach(base, "km", values, dims, "km", "s")
        others = (
            attach(base, "km", values, dims[::-1], "km", "s"),
            attach(base, "km", values, dims, "miles", "s"),
            attach(base, "km", values, dims, "km", "s", "sum"),
            attach(base, "kn", values, dims, "km", "s"),
        )
        assert len({w.content_hash for w in (one, *others)}) == 5

    @pytest.mark.parametrize(
        "said",
        [
            {"steps": 5},
            {"steps": [{"x": 1}]},
            {"steps": [{"step": "x", "cells": 3}]},
            {"steps": [{"step": "convert"}]},
            {"steps": [{"step": "aggregate", "before": 1, "after": []}]},
            {"notes": "abc"},
            {"estimated": [3]},
            {"measured_error": {}},
        ],
    )
    @pytest.mark.parametrize("name", ["w", "w.npz", "w.zarr"])
    def test_provenance_that_could_not_be_printed_is_not_stored(self, tmp_path, said, name):
        world = replace(random_world(1), provenance=said)
        with pytest.raises(OutputError, match=r"provenance"):
            save_world(world, tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    def test_nor_read(self, tmp_path):
        save_world(random_world(1), tmp_path / "w")
        file = tmp_path / "w" / "world.json"
        for key, value in (
            ("provenance", {"steps": 5}),
            ("atol", 10**400),
            ("satellites", {"a": {"dims": [], "unit": "", "source": ""}}),
            ("satellites", {"a": {"dims": [["x"]], "unit": "", "source": ""}}),
        ):
            about = json.loads(file.read_text())
            spoilt = tmp_path / "s"
            if not spoilt.exists():
                spoilt.mkdir()
                for part in file.parent.iterdir():
                    (spoilt / part.name).write_bytes(part.read_bytes())
            (spoilt / "world.json").write_text(json.dumps(about | {key: value}))
            with pytest.raises(DataError):
                plain.read(spoilt)

    def test_a_small_folder_cannot_ask_for_a_large_table(self, tmp_path):
        save_world(random_world(1, 2, 2), tmp_path / "w", csv=True)
        (tmp_path / "w" / "regions.csv").write_text(
            "code\n" + "".join(f"R{i:02d}\n" for i in range(10_000))
        )
        rows = "".join(f"final,f{i}\n" for i in range(900))
        (tmp_path / "w" / "categories.csv").write_text(
            f"kind,name\n{rows}value_added,value added\n"
        )
        with pytest.raises(DataError, match=r"refused"):
            plain.read(tmp_path / "w")


def test_raw_tables_check_their_own_shapes():
    raw = raw_of(random_world(1, 3, 2))
    with pytest.raises(DataError, match=r"shape"):
        replace(raw, Z=np.ones((2, 2)))
    with pytest.raises(DataError, match=r"more than once"):
        replace(raw, final_categories=("a", "a"), F=np.ones((6, 3, 2)), T_final=np.ones((3, 2)))
