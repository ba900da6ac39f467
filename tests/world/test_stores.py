"""Stores: equal round trips, lazy slices, damage found; the plain format; series of years."""

import csv
import json
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import entrepot as ep
from entrepot.core.errors import DataError, EntrepotError, OutputError, WorldError
from entrepot.core.tables import Margin
from entrepot.sources import plain
from entrepot.world.audit import raw_of
from entrepot.world.build import build
from entrepot.world.series import REAL_VALUE_ADDED, deflate, open_series
from entrepot.world.store import read_world, write_world
from entrepot.world.world import World, attach, identity_gaps
from entrepot.world.zarr import is_zarr, open_zarr, read_zarr, write_zarr
from worlds import full_world, random_world


def everything(seed=0, n=3, s=2, year=2022):
    """A world with taxes, tariffs, stocks, margins, parents, several categories and satellites."""
    world = full_world(seed, n, s)
    part = np.abs(world.V[0]) * 0.1
    world = replace(
        world,
        year=year,
        V=np.stack([world.V[0] * 0.6 - part, world.V[0] * 0.4]),
        value_added_categories=("labour", "capital"),
        margins={"transport": Margin(part, np.full_like(world.T_final, 2.0))},
        region_names={"R00": "Région zéro"},
        parent={"R01": "Union"},
        provenance={"data": "made up", "notes": ["a note"]},
    )
    jobs = np.arange(s * n, dtype=float).reshape(s, n)
    jobs[0, 1] = np.nan
    return attach(world, "jobs", jobs, ("sector", "region"), "persons", "counted", "sum")


def equal(a, b):
    assert a.content_hash == b.content_hash
    for name in ("name", "year", "regions", "sectors", "final_categories", "value_added_categories",
                 "taxes", "rtol", "atol"):  # fmt: skip
        assert getattr(a, name) == getattr(b, name), name
    for name in ("region_names", "parent", "provenance"):
        assert dict(getattr(a, name)) == dict(getattr(b, name)), name
    for key, x in a.satellites.items():
        y = b.satellites[key]
        assert (x.dims, x.unit, x.source, x.rule) == (y.dims, y.unit, y.source, y.rule)
        np.testing.assert_array_equal(x.values, y.values)
    for key, x in a.margins.items():
        np.testing.assert_array_equal(x.final, b.margins[key].final)


def write_as(kind, path, world):
    if kind == "npz":
        write_world(path.with_suffix(".npz"), world)
        return path.with_suffix(".npz")
    if kind == "zarr":
        write_zarr(path.with_suffix(".zarr"), world)
        return path.with_suffix(".zarr")
    plain.write(path, raw_of(world), parquet=kind == "parquet")
    return path


KINDS = ("npz", "zarr", "parquet", "csv")


class TestRoundTrips:
    @pytest.mark.parametrize("kind", KINDS)
    @given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 3))
    @settings(max_examples=12)
    def test_equal_to_the_bit(self, tmp_path_factory, kind, seed, n, s):
        world = everything(seed, max(n, 2), s)
        path = write_as(kind, tmp_path_factory.mktemp("w") / "w", world)
        equal(ep.load_world(path), world)

    @pytest.mark.parametrize("kind", KINDS)
    def test_embedded_worlds(self, tmp_path, kind):
        world = ep.load_world("world-2019-g20")
        equal(ep.load_world(write_as(kind, tmp_path / "w", world)), world)

    def test_a_plain_table_may_be_a_zip(self, tmp_path):
        world = everything()
        folder = write_as("csv", tmp_path / "w", world)
        with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
            for file in folder.rglob("*"):
                archive.write(file, f"inner/{file.relative_to(folder)}")
        got = ep.load_world(tmp_path / "w.zip")
        assert got.content_hash == world.content_hash

    def test_a_world_that_is_written_twice_is_the_newer_one(self, tmp_path):
        path = tmp_path / "w.zarr"
        write_zarr(path, everything(1))
        write_zarr(path, everything(2))
        assert read_zarr(path).content_hash == everything(2).content_hash
        assert [p.name for p in tmp_path.iterdir()] == ["w.zarr"]

    def test_nothing_else_is_overwritten(self, tmp_path):
        (tmp_path / "w.zarr").mkdir()
        (tmp_path / "w.zarr" / "mine").write_text("x")
        with pytest.raises(OutputError, match="not overwritten"):
            write_zarr(tmp_path / "w.zarr", everything())
        assert (tmp_path / "w.zarr" / "mine").exists()
        with pytest.raises(OutputError, match="not overwritten"):
            plain.write(tmp_path / "w.zarr", raw_of(everything()))

    def test_a_full_disk_leaves_nothing(self, tmp_path, monkeypatch):
        import entrepot.world.zarr as zarr

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(zarr, "_write_array", full)
        with pytest.raises(OutputError, match="No space left"):
            write_zarr(tmp_path / "w.zarr", everything())
        assert list(tmp_path.iterdir()) == []


class TestZarr:
    @pytest.fixture
    def path(self, tmp_path):
        write_zarr(tmp_path / "w.zarr", everything())
        return tmp_path / "w.zarr"

    def test_other_tools_open_it(self, path):
        zarr = pytest.importorskip("zarr")
        group = zarr.open_group(str(path), mode="r")
        np.testing.assert_array_equal(group["Z"][:], everything().Z)
        assert group["F"].metadata.dimension_names == ("seller", "destination", "category")
        assert group.attrs["unit"] == "million USD at basic prices"

    def test_slices_are_mapped_and_cannot_be_written(self, path):
        stored = open_zarr(path)
        Z = stored.arrays["Z"]
        assert isinstance(Z.base, np.memmap)
        np.testing.assert_array_equal(Z[2:4, 1], everything().Z[2:4, 1])
        with pytest.raises(ValueError, match="read-only"):
            Z[0, 0] = 1
        assert stored.node_names == everything().node_names
        assert np.shares_memory(stored.world().Z, Z)

    def test_a_changed_number_is_found(self, path):
        chunk = path / "V" / "c" / "0" / "0"
        data = bytearray(chunk.read_bytes())
        data[1] ^= 1  # a last digit: the table still balances
        chunk.write_bytes(data)
        with pytest.raises(DataError, match="content hash differs"):
            read_zarr(path)

    @pytest.mark.parametrize(
        ("spoil", "match"),
        [
            (lambda p: (p / "Z" / "c" / "0" / "0").unlink(), "missing"),
            (lambda p: (p / "Z" / "c" / "0" / "0").write_bytes(b"1"), "bytes"),
            (lambda p: (p / "Z" / "zarr.json").write_text("{}"), "damaged"),
            (lambda p: (p / "zarr.json").write_text("[" * 100_000), "damaged"),
            (lambda p: (p / "zarr.json").write_text('{"attributes": {"entrepot": 3}}'), "damaged|format"),
            (lambda p: (p / "zarr.json").unlink(), "missing"),
        ],
    )  # fmt: skip
    def test_damage(self, path, spoil, match):
        spoil(path)
        with pytest.raises(DataError, match=match):
            read_zarr(path)

    def test_links_are_refused(self, path, tmp_path):
        outside = tmp_path / "outside"
        chunk = path / "Z" / "c" / "0" / "0"
        chunk.rename(outside)
        chunk.symlink_to(outside)
        with pytest.raises(DataError, match="is a link"):
            read_zarr(path)

    def test_what_is_no_store(self, tmp_path):
        assert not is_zarr(tmp_path)
        with pytest.raises(DataError):
            read_zarr(tmp_path)

    @given(st.data())
    @settings(max_examples=40)
    def test_any_damage_to_the_labels_is_a_sentence(self, tmp_path_factory, data):
        path = tmp_path_factory.mktemp("z") / "w.zarr"
        write_zarr(path, everything())
        file = path / data.draw(st.sampled_from(["zarr.json", "Z/zarr.json", "F/zarr.json"]))
        text = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(text)
        try:
            assert read_zarr(path).Z.shape == everything().Z.shape
        except EntrepotError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either may happen


class TestPlain:
    @pytest.fixture
    def folder(self, tmp_path):
        return write_as("csv", tmp_path / "w", everything())

    def rows(self, folder, name="flows.csv"):
        with (folder / name).open(newline="") as file:
            return list(csv.reader(file))

    def put(self, folder, rows, name="flows.csv"):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    def test_written_by_hand(self, tmp_path):
        """A table that anybody could type: two regions, one sector, exports of five."""
        d = tmp_path / "two"
        d.mkdir()
        (d / "world.json").write_text('{"format": "entrepot-table-1", "name": "two", "year": 2020}')
        (d / "regions.csv").write_text("code\nHOME\nAWAY\n")
        (d / "sectors.csv").write_text("code,isic\nALL,1-3\n")
        (d / "categories.csv").write_text("kind,name\nfinal,use\nvalue_added,work\n")
        (d / "flows.csv").write_text(
            "seller_region,seller,buyer_region,buyer,value\n"
            "HOME,ALL,HOME,use,10\nHOME,ALL,AWAY,use,5\nAWAY,ALL,AWAY,use,7\n"
            "-,work,HOME,ALL,15\n-,work,AWAY,ALL,7\n"
        )
        world = ep.load_world(d)
        np.testing.assert_array_equal(world.x, [15, 7])
        np.testing.assert_array_equal(world.F[:, :, 0], [[10, 5], [0, 7]])
        assert world.sectors[0].isic == (1, 2, 3)

    @pytest.mark.parametrize(
        ("column", "label", "match"),
        [
            (0, "R0O", "'R0O' is no region of this table; did you mean 'R0"),
            (1, "S9", "'S9' is no sector"),
            (2, "XX", "'XX' is no region"),
            (3, "use", "'use' is no sector or final category"),
            (4, "abc", "not a long table"),
        ],
    )
    def test_unknown_labels(self, folder, column, label, match):
        rows = self.rows(folder)
        rows[3][column] = label
        self.put(folder, rows)
        with pytest.raises(DataError, match=match):
            plain.read(folder)

    def test_cells_given_twice(self, folder):
        rows = self.rows(folder)
        self.put(folder, [*rows, rows[4]])
        with pytest.raises(DataError, match="given more than once"):
            plain.read(folder)

    def test_a_blank_value_is_missing(self, folder):
        rows = self.rows(folder)
        rows[1][4] = ""
        self.put(folder, rows)
        assert np.isnan(plain.read(folder).Z).sum() + np.isnan(plain.read(folder).F).sum() == 1

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"format": "x"}, "'format'"),
            ({"year": "2020"}, "year is '2020'"),
            ({"colour": 1}, "unknown key 'colour'"),
            ({"to_million": 0}, "to_million"),
            ({"taxes": "none"}, "taxes"),
            ({"satellites": {"../x": {}}}, "not described"),
            (
                {"satellites": {"jobs": {"dims": ["moon"], "unit": "", "source": ""}}},
                "not described",
            ),
        ],
    )
    def test_the_description(self, folder, change, match):
        about = json.loads((folder / "world.json").read_text()) | change
        (folder / "world.json").write_text(json.dumps(about))
        with pytest.raises(DataError, match=match):
            plain.read(folder)

    def test_a_name_with_two_meanings(self, folder):
        rows = self.rows(folder, "categories.csv")
        rows[1][1] = "S0"
        self.put(folder, rows, "categories.csv")
        with pytest.raises(DataError, match="mean two things"):
            plain.read(folder)

    def test_links_and_missing_files(self, folder, tmp_path):
        (folder / "sectors.csv").rename(tmp_path / "s.csv")
        with pytest.raises(DataError, match=r"no file sectors\.csv"):
            plain.read(folder)
        (folder / "sectors.csv").symlink_to(tmp_path / "s.csv")
        with pytest.raises(DataError, match="is a link"):
            plain.read(folder)


class TestPlainFuzz:
    @given(st.data())
    @settings(max_examples=25)
    def test_any_damage_is_a_sentence_or_a_table(self, tmp_path_factory, data):
        folder = tmp_path_factory.mktemp("p") / "w"
        plain.write(folder, raw_of(everything()), parquet=data.draw(st.booleans()))
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        file = data.draw(st.sampled_from(files))
        text = bytearray(file.read_bytes())
        if data.draw(st.booleans()):
            text = text[: data.draw(st.integers(0, len(text) - 1))]
        for _ in range(data.draw(st.integers(0, 3))):
            if text:
                text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(text)
        tracemalloc.start()
        try:
            raw = plain.read(folder)
            n = len(raw.regions) * len(raw.sectors)
            assert raw.Z.shape == (n, n)
            assert raw.F.shape[0] == n
        except EntrepotError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either may happen
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 100_000_000


def years(tmp_path, inflation=1.1):
    """Three years of one economy whose volumes grow by 2 % and prices by `inflation` a year."""
    base = random_world(4, 3, 2, product_taxes=0.05)
    for t, year in enumerate((2000, 2001, 2002)):
        growth, level = 1.02**t, inflation**t
        world = replace(
            base,
            year=year,
            name=f"made-up-{year}",
            Z=base.Z * growth * level,
            F=base.F * growth * level,
            V=base.V * growth * level,
            T_inputs=base.T_inputs * growth * level,
            T_final=base.T_final * growth * level,
            atol=1e-6,
        )
        index = np.full((2, 3), 100 * level)
        world = attach(world, "price_index", index, ("sector", "region"), "2000 = 100", "made up")
        write_zarr(tmp_path / f"w-{year}.zarr", world)
    return base


class TestSeries:
    def test_years_are_loaded_when_asked_for(self, tmp_path):
        years(tmp_path)
        for year in (2001, 2002):  # spoil what is not asked for
            (tmp_path / f"w-{year}.zarr" / "Z" / "c" / "0" / "0").write_bytes(b"")
        series = open_series({y: tmp_path / f"w-{y}.zarr" for y in (2000, 2001, 2002)})
        assert series.years == (2000, 2001, 2002)
        assert series[2000].year == 2000
        with pytest.raises(DataError):
            series[2001]

    def test_folder(self, tmp_path):
        years(tmp_path)
        series = open_series(tmp_path)
        assert list(series) == [2000, 2001, 2002]
        assert [w.year for w in series.values()] == [2000, 2001, 2002]
        with pytest.raises(DataError, match="no year 1999"):
            series[1999]
        write_world(tmp_path / "again.npz", series[2000])
        with pytest.raises(DataError, match="both of 2000"):
            open_series(tmp_path)

    def test_labels_must_not_change(self, tmp_path):
        years(tmp_path)
        series = open_series(tmp_path)
        other = replace(series[2001], regions=("A", "B", "C"))
        write_zarr(tmp_path / "w-2001.zarr", other)
        with pytest.raises(WorldError, match="labels differ"):
            open_series(tmp_path)[2001]

    def test_a_wrong_year_is_no_year(self, tmp_path):
        years(tmp_path)
        with pytest.raises(WorldError, match="is of 2000"):
            open_series({2005: tmp_path / "w-2000.zarr"})[2005]

    def test_pure_inflation_deflates_away(self, tmp_path):
        base = years(tmp_path)
        real = deflate(open_series(tmp_path), 2000)
        for t, year in enumerate((2000, 2001, 2002)):
            world = real[year]
            np.testing.assert_allclose(world.x, base.x * 1.02**t, rtol=1e-12)
            np.testing.assert_allclose(
                world.V.sum(0), base.V.sum(0) * 1.02**t, rtol=1e-9, atol=1e-9
            )
            np.testing.assert_allclose(
                world.T_inputs, base.T_inputs * 1.02**t, rtol=1e-9, atol=1e-12
            )
            assert identity_gaps(world) == []
            assert world.value_added_categories == (REAL_VALUE_ADDED,)
        assert "constant, 2000" in real[2001].provenance["prices"]

    def test_double_deflation_by_hand(self):
        """One economy, two sectors: the second buys from the first, whose price doubled."""
        world = World(
            name="hand", year=2001, regions=("A",), sectors=random_world(0, 2, 2).sectors,
            Z=np.array([[0.0, 40.0], [0.0, 0.0]]), F=np.array([[[60.0]], [[100.0]]]),
            V=np.array([[100.0, 60.0]]), T_inputs=np.zeros(2), T_final=np.zeros((1, 1)),
        )  # fmt: skip
        from entrepot.world.series import at_prices

        real = at_prices(world, np.array([2.0, 1.25]), 2000)
        np.testing.assert_allclose(real.x, [50, 80])
        np.testing.assert_allclose(real.V[0], [50, 80 - 20])

    def test_an_index_is_needed_everywhere(self, tmp_path):
        years(tmp_path)
        series = open_series(tmp_path)
        bare = series.map(lambda w: replace(w, satellites={}))
        with pytest.raises(WorldError, match="carries no 'price_index'"):
            deflate(bare, 2000)[2001]

        def holed(w):
            values = w.satellites["price_index"].values.copy()
            values[1, 2] = np.nan
            sat = replace(w.satellites["price_index"], values=values)
            return replace(w, satellites={"price_index": sat})

        with pytest.raises(WorldError, match="absent or not positive at R02 S1"):
            deflate(series.map(holed), 2000)[2001]


def test_labels_alone_cost_nothing(tmp_path):
    from entrepot.world.store import read_labels

    write_world(tmp_path / "w.npz", everything(year=1999))
    assert read_labels(tmp_path / "w.npz")["year"] == 1999
    assert read_world(tmp_path / "w.npz").margins["transport"].final[0, 0] == 2.0
    assert build(raw_of(everything())).margins.keys() == {"transport"}
