"""Worlds: what may not become one, immutability, identity under round trips, sums."""

from dataclasses import FrozenInstanceError, replace
from importlib.resources import files
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import entrepot as ep
from entrepot.catalogues import sector_concordance
from entrepot.core.errors import DataError, OutputError, WorldError
from entrepot.world.aggregate import aggregate
from entrepot.world.shelf import SHELF, load_world
from entrepot.world.store import read_world, write_world
from entrepot.world.world import Sector, World, attach, identity_gaps, trade_flows

# `World.content_hash` of the embedded worlds. They change only with the script that builds them
# from the two pinned packages: `make worlds` (scripts/build_worlds.py) writes the files anew;
# `entrepot world show NAME --json` prints the hash to be put here.
HASHES = {
    "world-2022": "4ef7a1c037f2e7b24ad99005304d3b5300cba7a8a91901d070ae836ac2343197",
    "world-2019-g20": "978ea6453269ddf3c9c0bcb067ac4ae2e04069385e62be656b7842cfc3f1a1f9",
}


def table(seed=0, n=3, s=2, c=2, taxes=True, negative=False, decimals=None):
    """Fields of a balanced World, value added by difference."""
    rng = np.random.default_rng(seed)
    Z = rng.uniform(0, 10, (n * s, n * s))
    F = rng.uniform(20, 60, (n * s, n, c))
    if negative:
        F[0, 1, 0] = -3.0
    T = rng.uniform(-1, 1, n * s) if taxes else np.zeros(n * s)
    T_final = rng.uniform(-1, 1, (n, c)) if taxes else np.zeros((n, c))
    if decimals is not None:
        Z, F, T, T_final = (np.rint(a * 10**decimals) / 10**decimals for a in (Z, F, T, T_final))
    V = Z.sum(1) + F.sum((1, 2)) - Z.sum(0) - T
    return {
        "name": "tiny",
        "year": 2001,
        "regions": tuple(f"R{i}" for i in range(n)),
        "sectors": tuple(Sector(f"S{k}", f"Sector {k}", f"s{k}", (k + 1,)) for k in range(s)),
        "Z": Z,
        "F": F,
        "V": V[None],
        "T_inputs": T,
        "T_final": T_final,
        "final_categories": tuple(f"use {i}" for i in range(c)),
        "region_names": {"R0": "Land [no]rd"},
        "parent": {"R1": "R"},
        "provenance": {"data": "made up", "notes": ["é"]},
    }


def tiny(seed=0, **options):
    return World(**table(seed, **options))


def same(a, b):
    for name in ("Z", "F", "V", "T_inputs", "T_final"):
        assert (getattr(a, name) == getattr(b, name)).all(), name
    for name in (
        "name", "year", "regions", "sectors", "final_categories", "value_added_categories", "taxes",
        "region_names", "parent", "provenance", "rtol", "atol", "content_hash",
    ):  # fmt: skip
        assert getattr(a, name) == getattr(b, name), name
    assert set(a.satellites) == set(b.satellites)
    for key, one in a.satellites.items():
        two = b.satellites[key]
        assert (one.values == two.values).all()
        assert (one.dims, one.unit, one.source) == (two.dims, two.unit, two.source)


class TestRefusals:
    def test_the_template_is_a_world(self):
        assert tiny().x.sum() > 0

    @pytest.mark.parametrize("name", ["Z", "F", "V", "T_inputs", "T_final"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_not_finite(self, name, bad):
        fields = table()
        fields[name] = fields[name].copy()
        fields[name].flat[1] = bad
        with pytest.raises(WorldError, match=f"{name} holds .*not finite"):
            World(**fields)

    @pytest.mark.parametrize("name", ["Z", "F", "V", "T_inputs", "T_final"])
    @pytest.mark.parametrize("shape", [(), (0,), (1,), (6, 7), (6, 6, 6, 6), (2, 2)])
    def test_shapes(self, name, shape):
        with pytest.raises(WorldError, match=f"{name} has shape"):
            World(**(table() | {name: np.zeros(shape)}))

    def test_a_category_given_twice(self):
        fields = table()
        with pytest.raises(WorldError, match="final-use categories: 'same' stand"):
            World(**(fields | {"final_categories": ("same",) * fields["F"].shape[2]}))
        split = {"V": np.repeat(fields["V"] / 2, 2, axis=0)}
        with pytest.raises(WorldError, match="value-added categories: 'same' stand"):
            World(**(fields | split | {"value_added_categories": ("same", "same")}))

    def test_negative_flows_are_named(self):
        fields = table()
        fields["Z"] = fields["Z"].copy()
        fields["Z"][3, 4] = -1
        with pytest.raises(WorldError, match="negative flows at R1 S1 to R2 S0"):
            World(**fields)

    def test_imbalance_names_the_worst_nodes_first(self):
        fields = table(n=20, s=3)
        off = np.zeros(60)
        off[7], off[31], off[2] = 5, -40, 1
        with pytest.raises(WorldError, match="does not balance") as caught:
            World(**(fields | {"V": fields["V"] + off}))
        assert "\n" not in str(caught.value)
        text = str(caught.value).split("balance: ")[1]
        assert [part.split(" sells")[0].strip() for part in text.split(";")[:3]] == [
            "R10 S1",
            "R2 S1",
            "R0 S2",
        ]
        with pytest.raises(WorldError, match="and 57 more"):
            World(**(fields | {"V": fields["V"] + 1}))

    def test_tolerances(self):
        fields = table()
        off = fields | {"V": fields["V"] + 1.0}
        world = World(**off, atol=1.0001)
        assert np.abs(world.slack + 1).max() < 1e-9
        assert identity_gaps(world) == []
        for bad in (
            {"atol": np.nan},
            {"rtol": np.nan},
            {"atol": -1},
            {"rtol": np.inf},
            {"atol": np.inf},
        ):
            with pytest.raises(WorldError, match="tolerances"):
                World(**off, **bad)

    @pytest.mark.parametrize(
        ("fields", "match"),
        [
            ({"regions": ("R0", "R1", "R0")}, "regions: 'R0' stand"),
            ({"sectors": (Sector("S0", "a"), Sector("S0", "b"))}, "sectors: 'S0' stand"),
            ({"regions": ("R0", "R1")}, "has shape"),
            ({"parent": {"X": "Y"}}, "no such region"),
            ({"region_names": {"X": "Y"}}, "no such region"),
            ({"taxes": "in_value_added"}, "inside value added"),
            ({"taxes": "elsewhere"}, "taxes are 'elsewhere'"),
            ({"regions": ()}, "at least one"),
            ({"sectors": ()}, "at least one"),
            ({"final_categories": ()}, "at least one"),
            ({"value_added_categories": ()}, "at least one"),
        ],
    )
    def test_labels(self, fields, match):
        with pytest.raises(WorldError, match=match):
            World(**(table() | fields))


class TestSatellites:
    DIMS = ("sector", "origin", "destination")

    def test_attach(self):
        world = tiny()
        taxed = attach(world, "tariffs", np.zeros((2, 3, 3)), self.DIMS, "fraction", "me")
        assert "tariffs" not in world.satellites
        assert taxed.content_hash != world.content_hash
        with pytest.raises(WorldError, match="already"):
            attach(taxed, "tariffs", np.zeros((2, 3, 3)), self.DIMS, "fraction", "me")
        assert attach(world, "jobs", np.ones((2, 3)), ("sector", "region"), "heads", "me")

    @pytest.mark.parametrize(
        ("name", "bad"),
        [("tariffs", np.nan), ("export_taxes", np.nan), ("tariffs", np.inf), ("jobs", np.inf)],
    )
    def test_not_finite(self, name, bad):
        values = np.zeros((2, 3, 3))
        values[0, 1, 2] = bad
        with pytest.raises(WorldError, match="not finite"):
            attach(tiny(), name, values, self.DIMS, "fraction", "me")

    @pytest.mark.parametrize(
        ("shape", "dims", "match"),
        [
            ((2, 3, 3), ("sector", "origin", "target"), "unknown axis 'target'"),
            ((3, 2, 3), ("sector", "origin", "destination"), "has shape"),
            ((2, 3), ("sector", "origin", "destination"), "has shape"),
        ],
    )
    def test_axes(self, shape, dims, match):
        with pytest.raises(WorldError, match=match):
            attach(tiny(), "jobs", np.zeros(shape), dims, "u", "s")

    def test_rates(self):
        low, home, turned = np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), np.zeros((3, 3, 2))
        low[0, 1, 2], home[0, 1, 1] = -1, 0.1
        for name in ("tariffs", "export_taxes"):
            with pytest.raises(WorldError, match="-100 %"):
                attach(tiny(), name, low, self.DIMS, "u", "s")
            with pytest.raises(WorldError, match="home sales"):
                attach(tiny(), name, home, self.DIMS, "u", "s")
            with pytest.raises(WorldError, match="must have dims"):
                attach(tiny(), name, turned, ("origin", "destination", "sector"), "u", "s")

    def test_a_world_made_directly_is_checked_alike(self):
        from entrepot.world.world import Satellite

        bad = np.full((2, 3, 3), np.nan)
        with pytest.raises(WorldError, match="not finite"):
            World(**table(), satellites={"tariffs": Satellite(bad, self.DIMS, "u", "s")})


class TestFrozen:
    def test_nothing_can_be_changed(self):
        fields = table()
        world = attach(World(**fields), "jobs", np.ones((2, 3)), ("sector", "region"), "u", "s")
        with pytest.raises(FrozenInstanceError):
            world.name = "x"
        for array in (
            world.Z, world.F, world.V, world.T_inputs, world.T_final, world.x, world.slack,
            world.satellites["jobs"].values,
        ):  # fmt: skip
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
            with pytest.raises(ValueError, match="read-only"):
                array += 1
        for mapping in (world.satellites, world.region_names, world.parent, world.provenance):
            assert isinstance(mapping, MappingProxyType)
            with pytest.raises(TypeError):
                mapping["x"] = 1

    def test_the_givers_arrays_stay_theirs(self):
        fields = table()
        world = World(**fields)
        before = world.content_hash
        fields["Z"][0, 0] += 5
        fields["provenance"]["x"] = 1
        assert "x" not in world.provenance
        assert replace(world).content_hash == before
        assert world.Z[0, 0] != fields["Z"][0, 0]


class TestHash:
    def test_equal_exactly_when_the_table_is(self):
        one = tiny()
        assert tiny().content_hash == one.content_hash
        assert replace(one, name="other", year=1).content_hash == one.content_hash
        others = [
            tiny(1),
            replace(one, regions=("R0", "R2", "R1"), region_names={}, parent={}),
            replace(one, parent={}),
            replace(one, final_categories=("a", "b")),
            World(**(table() | {"sectors": (Sector("S0", "x", "", (9,)), Sector("S1", "y"))})),
        ]
        nudged = table()
        nudged["Z"][0, 1] = np.nextafter(nudged["Z"][0, 1], 9)
        others.append(World(**nudged))
        assert len({w.content_hash for w in [one, *others]}) == len(others) + 1


class TestRoundTrip:
    @pytest.mark.parametrize("negative", [False, True])
    def test_float(self, tmp_path, negative):
        world = attach(
            tiny(negative=negative), "tariffs", np.zeros((2, 3, 3)), TestSatellites.DIMS, "u", "é"
        )
        world = attach(world, "jobs", np.ones((2, 3)) / 3, ("sector", "region"), "heads", "me")
        write_world(tmp_path / "w.npz", world)
        same(read_world(tmp_path / "w.npz"), world)
        assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]
        same(load_world(tmp_path / "w.npz"), world)
        same(load_world(str(tmp_path / "w.npz")), world)

    @pytest.mark.parametrize("decimals", [0, 2, 5, -1])
    @pytest.mark.parametrize("negative", [False, True])
    def test_fixed_point(self, tmp_path, decimals, negative):
        world = tiny(negative=negative, decimals=max(decimals, 0))
        write_world(tmp_path / "w.npz", world, decimals=decimals)
        got = read_world(tmp_path / "w.npz")
        assert np.abs(got.slack).max() < 1e-9
        if decimals >= 0:
            for name in ("Z", "F", "T_inputs", "T_final"):
                np.testing.assert_allclose(getattr(got, name), getattr(world, name), atol=1e-12)
            np.testing.assert_allclose(got.V, world.V, atol=1e-9)
        else:
            assert np.abs(got.Z - world.Z).max() <= 5
        write_world(tmp_path / "again.npz", got, decimals=decimals)
        same(read_world(tmp_path / "again.npz"), got)
        assert (tmp_path / "w.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()

    @given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
    @settings(max_examples=15)
    def test_any(self, tmp_path_factory, seed, n, s, c):
        fields = table(seed, n=n, s=s, c=c) | {"region_names": {}, "parent": {}}
        world = World(**fields)
        path = tmp_path_factory.mktemp("w") / "w.npz"
        write_world(path, world)
        same(read_world(path), world)

    def test_embedded(self, tmp_path):
        world = load_world("world-2019-g20")
        write_world(tmp_path / "w.npz", world)
        same(read_world(tmp_path / "w.npz"), world)

    def test_fixed_point_refuses_what_it_cannot_hold(self, tmp_path):
        fields = table()
        two = World(
            **(
                fields
                | {"V": np.vstack([fields["V"]] * 2) / 2, "value_added_categories": ("a", "b")}
            )
        )
        with pytest.raises(OutputError, match="one value-added category"):
            write_world(tmp_path / "w.npz", two, decimals=2)
        with pytest.raises(OutputError, match="too large"):
            write_world(tmp_path / "w.npz", tiny(), decimals=15)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("bad", [{"a": float("nan")}, {"a": {1, 2}}, {"a": np.ones(2)}])
    def test_provenance_that_is_not_plain(self, tmp_path, bad):
        with pytest.raises(OutputError, match="plain data"):
            write_world(tmp_path / "w.npz", replace(tiny(), provenance=bad))
        assert not list(tmp_path.iterdir())

    def test_satellites_keep_their_own_numbers(self, tmp_path):
        world = tiny()
        for name, rate in (("tariffs", 0.1), ("export_taxes", 0.2), ("a", 3.0)):
            values = np.full((2, 3, 3), rate)
            np.einsum("sdd->sd", values)[...] = 0
            world = attach(world, name, values, TestSatellites.DIMS, f"unit {name}", name)
        write_world(tmp_path / "w.npz", world)
        same(read_world(tmp_path / "w.npz"), world)

    def test_where_it_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("x")
        for path in (tmp_path / "file" / "w.npz", tmp_path / "none" / "w.npz", tmp_path):
            with pytest.raises(OutputError, match="cannot be written"):
                write_world(path, tiny())
        assert [p.name for p in tmp_path.iterdir()] == ["file"]

    def test_interrupted(self, tmp_path, monkeypatch):
        write_world(tmp_path / "w.npz", tiny())
        before = (tmp_path / "w.npz").read_bytes()

        def stop(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(np, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            write_world(tmp_path / "w.npz", tiny(1))
        assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]
        assert (tmp_path / "w.npz").read_bytes() == before


@pytest.fixture(scope="module", params=sorted(HASHES), name="world")
def embedded(request):
    return load_world(request.param)


class TestEmbedded:
    def test_hash(self, world):
        assert world.content_hash == HASHES[world.name]

    def test_identities(self, world):
        assert identity_gaps(world) == []
        assert np.abs(world.slack).max() < 1e-6
        assert (world.Z >= 0).all()
        assert (world.F >= 0).all()
        assert (world.V.sum(0) >= 0).all()
        # Final use is income: value added and net product taxes.
        final = world.F.sum() + world.T_final.sum()
        income = world.V.sum() + world.T_inputs.sum() + world.T_final.sum()
        assert final == pytest.approx(income, rel=1e-12)

    def test_totals(self, world):
        value_added, output, shape = {
            "world-2022": (93.169, 192.417, (80, 29)),
            "world-2019-g20": (81.590, 170.745, (20, 20)),
        }[world.name]
        assert (len(world.regions), len(world.sectors)) == shape
        assert world.V.sum() / 1e6 == pytest.approx(value_added, abs=1e-3)
        assert world.x.sum() / 1e6 == pytest.approx(output, abs=1e-3)
        sales, drawn = trade_flows(world)
        assert sales.sum() + drawn.sum() == pytest.approx(world.x.sum(), rel=1e-12)
        across = sales.sum(0)
        np.fill_diagonal(across, 0)
        assert 0.10 < across.sum() / world.x.sum() < 0.20

    def test_every_label_speaks(self, world):
        assert all(world.region_names[r].strip() for r in world.regions)
        assert all(s.name and s.slug and s.isic for s in world.sectors)
        slugs = [s.slug for s in world.sectors]
        assert len(set(slugs)) == len(slugs)
        divisions = [d for s in world.sectors for d in s.isic]
        assert len(set(divisions)) == len(divisions)
        assert not world.satellites

    def test_credit(self, world):
        given_ = world.provenance
        assert "OECD" in given_["credit"]
        assert "OECD" in given_["data"]
        assert given_["terms"]
        assert len(given_["sha256"]) >= 1
        assert all(isinstance(note, str) for note in given_["notes"])
        if world.name == "world-2022":
            assert "Final use by destination" in given_["estimated"][0]
            assert given_["measured_error"]["summary"]

    @pytest.mark.parametrize("name", sorted(HASHES))
    def test_size(self, name):
        assert len((files("entrepot.world") / "data" / f"{name}.npz").read_bytes()) <= 8_000_000

    def test_the_shelf(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path))
        assert {name for name, row in SHELF.items() if row.embedded} == set(HASHES)
        with pytest.raises(DataError, match="world get oecd-2022-full"):
            load_world("oecd-2022-full")
        with pytest.raises(DataError, match="did you mean 'world-2022'"):
            load_world("world-2O22")
        for odd in ("x" * 300, "a\0b", "nothing.npz", "", "/dev/null", str(tmp_path)):
            with pytest.raises(DataError):
                load_world(odd)


def concord(labels, k):
    return {label: f"M{i % k}" for i, label in enumerate(labels)}


class TestAggregate:
    @given(
        st.integers(0, 10**6),
        st.integers(1, 5),
        st.integers(1, 4),
        st.integers(1, 3),
        st.booleans(),
    )
    @settings(max_examples=25)
    def test_totals_are_kept(self, seed, n, s, k, negative):
        fields = table(seed, n=max(n, 2), s=s, negative=negative)
        world = World(**(fields | {"region_names": {}, "parent": {}}))
        small = aggregate(
            world, regions=concord(world.regions, k), sectors=concord(world.sector_codes, k)
        )
        assert identity_gaps(small) == []
        for name in ("Z", "F", "V", "T_inputs", "T_final"):
            assert getattr(small, name).sum() == pytest.approx(
                getattr(world, name).sum(), rel=1e-12
            )
        assert len(small.regions) == min(k, len(world.regions))
        assert {d for x in small.sectors for d in x.isic} == {
            d for x in world.sectors for d in x.isic
        }

    @given(st.integers(0, 10**6), st.booleans())
    @settings(max_examples=25)
    def test_regions_and_sectors_commute(self, seed, taxed):
        world = tiny(seed, n=5, s=4)
        if taxed:
            rates = np.random.default_rng(seed).uniform(-0.5, 1, (4, 5, 5))
            np.einsum("sdd->sd", rates)[...] = 0
            world = attach(world, "tariffs", rates, TestSatellites.DIMS, "u", "s")
        to_regions, to_sectors = concord(world.regions, 3), concord(world.sector_codes, 2)
        both = aggregate(world, regions=to_regions, sectors=to_sectors)
        one = aggregate(aggregate(world, regions=to_regions), sectors=to_sectors)
        two = aggregate(aggregate(world, sectors=to_sectors), regions=to_regions)
        for other in (one, two):
            assert other.regions == both.regions
            assert other.sector_codes == both.sector_codes
            for name in ("Z", "F", "V", "T_inputs", "T_final"):
                np.testing.assert_allclose(getattr(other, name), getattr(both, name), rtol=1e-12)
            for key in both.satellites:
                np.testing.assert_allclose(
                    other.satellites[key].values, both.satellites[key].values, atol=1e-12
                )

    def test_nothing_to_do(self):
        world = tiny()
        assert aggregate(world).content_hash == world.content_hash

    def test_all_to_one(self):
        for world in (tiny(n=4, s=3), load_world("world-2019-g20")):
            one = aggregate(
                world,
                regions=dict.fromkeys(world.regions, "W"),
                sectors=dict.fromkeys(world.sector_codes, "ALL"),
            )
            assert one.Z.shape == (1, 1)
            assert one.x[0] == pytest.approx(world.x.sum(), rel=1e-12)
            assert one.V.sum() == pytest.approx(world.V.sum(), rel=1e-12)

    def test_many_sectors_to_one(self):
        world = load_world("world-2022")
        goods = [x.code for x in world.sectors if max(x.isic) <= 33]
        small = aggregate(world, sectors=dict.fromkeys(goods, "GOODS"))
        assert len(small.sectors) == 29 - 20 + 1
        row = small.sectors[small.sector_codes.index("GOODS")]
        assert row.isic == tuple(x for x in range(1, 34) if x != 4 and x != 34)
        old, new = trade_flows(world)[0], trade_flows(small)[0]
        keep = [world.sector_codes.index(c) for c in goods]
        np.testing.assert_allclose(
            new[small.sector_codes.index("GOODS")], old[keep].sum(0), rtol=1e-12
        )

    def test_into_a_label_that_is_there(self):
        world = tiny()
        small = aggregate(world, regions={"R0": "R1"}, sectors={"S1": "S0"})
        assert small.regions == ("R1", "R2")
        assert small.sector_codes == ("S0",)
        assert small.sectors[0].isic == (1, 2)

    def test_weights_are_pre_duty_flows(self):
        world = tiny(n=3, s=2)
        rates = np.zeros((2, 3, 3))
        rates[0, 0, 2], rates[1, 0, 2], rates[0, 1, 2] = 0.1, 0.3, 0.2
        world = attach(world, "tariffs", rates, TestSatellites.DIMS, "u", "s")
        flows = trade_flows(world)[0]
        small = aggregate(world, sectors={"S0": "S", "S1": "S"}, regions={"R0": "A", "R1": "A"})
        want = (flows * rates)[:, :2, 2].sum() / flows[:, :2, 2].sum()
        assert small.satellites["tariffs"].values[0, 0, 1] == pytest.approx(want)
        assert small.satellites["tariffs"].values[0, 1, 0] == 0

    @pytest.mark.parametrize("fields", [{"regions": {"XX": "R0"}}, {"sectors": {"s0": "S"}}])
    def test_unknown_labels(self, fields):
        with pytest.raises(WorldError, match="not in the world"):
            aggregate(tiny(), **fields)

    def test_rows_must_fit(self):
        with pytest.raises(WorldError, match="different sectors"):
            aggregate(tiny(), sectors={"S0": "S", "S1": "S"}, sector_rows=[Sector("X", "x")])

    def test_rows_give_the_order(self):
        world = tiny(s=3)
        turned = aggregate(world, sector_rows=world.sectors[::-1])
        assert turned.sector_codes == ("S2", "S1", "S0")
        back = aggregate(turned, sector_rows=world.sectors)
        assert back.content_hash == world.content_hash

    def test_the_concordance_of_the_catalogue_fits_world_2022(self):
        rows = list(dict.fromkeys(row["sector"] for row in sector_concordance()))
        assert tuple(rows) == load_world("world-2022").sector_codes


def test_top_level_names_are_the_same_objects():
    assert ep.World is World
    assert ep.aggregate is aggregate
