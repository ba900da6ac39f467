"""World files made to hurt: every one is a DataError or WorldError, in little memory."""

import io
import json
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

import entrepot as ep
from entrepot.core.errors import DataError, WorldError
from entrepot.world.store import MAX_META, read_world, write_world
from entrepot.world.world import Sector, World

SMALL = 80_000_000  # bytes that reading any hostile file below may take at its peak


def world():
    Z = np.full((4, 4), 2.0)
    F = np.full((4, 2, 1), 5.0)
    V = Z.sum(1) + F.sum((1, 2)) - Z.sum(0)
    return World(
        name="tiny",
        year=2001,
        regions=("AAA", "BBB"),
        sectors=(Sector("S", "s", "s", (1,)), Sector("T", "t", "t", (2,))),
        Z=Z,
        F=F,
        V=V[None],
        T_inputs=np.zeros(4),
        T_final=np.zeros((2, 1)),
    )


@pytest.fixture(params=[None, 2], ids=["float", "fixed"])
def good(request, tmp_path):
    path = tmp_path / "good.npz"
    write_world(path, world(), decimals=request.param)
    return path


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "good.npz"
    write_world(path, world())
    return path


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, parts, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def meta_of(path):
    return json.loads(members(path)["world.json"])


def with_meta(path, **changes):
    """The file again with its labels changed; a callable gets the whole mapping."""
    parts = members(path)
    meta = json.loads(parts["world.json"]) | changes
    parts["world.json"] = json.dumps(meta).encode()
    return pack(path, parts)


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def with_array(path, name, content):
    parts = members(path)
    parts[f"{name}.npy"] = content if isinstance(content, bytes) else npy(content)
    return pack(path, parts)


def refuse(path, match=None, error=DataError):
    tracemalloc.start()
    try:
        with pytest.raises(error, match=match) as caught:
            read_world(path)
        assert tracemalloc.get_traced_memory()[1] < SMALL
    finally:
        tracemalloc.stop()
    return str(caught.value)


def survives(path):
    """Read it; True for a world (damage where nothing is kept), else a deliberate error."""
    try:
        got = read_world(path)
    except (DataError, WorldError) as error:
        assert str(error)  # noqa: PT017
        return False
    assert got.content_hash == world().content_hash
    return True


class TestDamage:
    def test_truncated_anywhere(self, good):
        raw = good.read_bytes()
        for end in range(0, len(raw), 2):
            good.write_bytes(raw[:end])
            with pytest.raises(DataError):
                read_world(good)

    def test_every_byte_turned(self, good):
        raw = good.read_bytes()
        turned = bytearray(raw)
        seen = 0
        for i in range(len(raw)):
            turned[i] ^= 0xFF if i % 2 else 1 << (i // 2 % 8)
            good.write_bytes(turned)
            seen += not survives(good)
            turned[i] = raw[i]
        assert seen > len(raw) / 4

    def test_pieces_missing_or_repeated(self, good):
        raw = good.read_bytes()
        step = max(1, len(raw) // 60)
        for start in range(0, len(raw), step):
            for piece in (b"", raw[start : start + step] * 2, b"\0" * step):
                good.write_bytes(raw[:start] + piece + raw[start + step :])
                survives(good)

    def test_an_embedded_world_cut_short(self, tmp_path):
        from importlib.resources import files

        raw = (files("entrepot.world") / "data" / "world-2019-g20.npz").read_bytes()
        path = tmp_path / "w.npz"
        for share in (0, 0.001, 0.3, 0.9, 0.99999):
            path.write_bytes(raw[: int(len(raw) * share)])
            refuse(path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"just text\n", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18, b"\x93NUMPY", b"\0" * 10_000,
         b"{}", npy(np.ones(3)), b"PK\x05\x06" + b"\xff" * 18],
    )  # fmt: skip
    def test_files_of_other_kinds(self, tmp_path, content):
        (tmp_path / "w.npz").write_bytes(content)
        refuse(tmp_path / "w.npz", "w.npz")

    def test_an_ordinary_archive_of_arrays(self, tmp_path):
        np.savez(tmp_path / "w.npz", Z=np.ones(3))
        refuse(tmp_path / "w.npz", "world.json")

    def test_no_file(self, tmp_path):
        refuse(tmp_path / "none.npz", "no such file")
        refuse(tmp_path, "is a folder")
        refuse(tmp_path / ("x" * 300))

    def test_devices(self):
        for device in ("/dev/null", "/dev/zero"):
            with pytest.raises(DataError, match="not an ordinary file"):
                ep.load_world(device)


class TestMembers:
    def test_the_helper_changes_nothing(self, path):
        pack(path, members(path))
        assert survives(path)
        assert survives(pack(path, members(path), zipfile.ZIP_STORED))

    @pytest.mark.parametrize("name", ["world.json", "Z.npy", "V.npy", "T_final.npy"])
    def test_missing(self, path, name):
        parts = members(path)
        del parts[name]
        refuse(pack(path, parts), name.removesuffix(".npy"))

    def test_odd_names_are_not_touched(self, path, tmp_path):
        parts = members(path) | {"../evil": b"x", "/etc/evil": b"x", "a\\b": b"x", "d/": b""}
        pack(path, parts)
        assert survives(path)
        assert [p.name for p in tmp_path.iterdir()] == ["good.npz"]

    def test_twice_the_same_name(self, path):
        parts = members(path)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("Z.npy", npy(np.diag([9.0, 8.0, 7.0, 6.0])[::-1]))
        refuse(path, "balance", WorldError)

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_packings_are_refused(self, path, method):
        refuse(pack(path, members(path), method), "packed in a way")

    def test_encrypted(self, path):
        raw = bytearray(path.read_bytes())
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            start = raw.find(mark)
            while start >= 0:
                raw[start + offset] |= 1
                start = raw.find(mark, start + 4)
        path.write_bytes(raw)
        refuse(path, "encrypted")


class TestArrays:
    def test_pickles_are_never_run(self, path, tmp_path):
        class Evil:
            def __reduce__(self):
                return (tmp_path.joinpath("ran").touch, ())

        evil = np.array([Evil()], dtype=object)
        refuse(with_array(path, "Z", npy(evil, allow_pickle=True)), "object")
        shaped = np.empty((4, 4), dtype=object)
        shaped[:] = Evil()
        refuse(with_array(path, "Z", npy(shaped, allow_pickle=True)), "object")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        "array",
        [
            np.ones((4, 4), np.float32), np.ones((4, 4), np.int64), np.ones((4, 4), complex),
            np.ones((4, 4), ">f8"), np.ones((4, 4), bool), np.ones((4, 4), "U3"), np.ones((4, 4), "M8[s]"),
            np.ones((4, 4), [("a", float)]), np.ones((4, 5)), np.ones((16,)), np.ones(()), np.ones((0, 4)),
            np.ones((4, 4, 1)), np.asfortranarray(np.arange(16.0).reshape(4, 4)),
        ],
    )  # fmt: skip
    def test_other_kinds(self, path, array):
        refuse(with_array(path, "Z", array), "Z is")

    @pytest.mark.parametrize(
        "planes",
        [
            np.ones((4, 4), np.uint8), np.ones((0, 4, 4), np.uint8), np.ones((8, 4, 4), np.uint8),
            np.ones((1, 4, 4), np.int8), np.ones((1, 4, 4)), np.ones((), np.uint8),
        ],
    )  # fmt: skip
    def test_other_planes(self, tmp_path, planes):
        path = tmp_path / "w.npz"
        write_world(path, world(), decimals=2)
        refuse(with_array(path, "Z", planes), "Z is")

    def test_planes_that_overflow(self, tmp_path):
        path = tmp_path / "w.npz"
        write_world(path, world(), decimals=2)
        refuse(with_array(path, "Z", np.full((7, 4, 4), 255, np.uint8)), "negative", WorldError)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
    def test_bad_numbers(self, path, bad):
        Z = np.full((4, 4), 2.0)
        Z[1, 2] = bad
        refuse(with_array(path, "Z", Z), "AAA T to BBB S", WorldError)

    def test_short_and_long(self, path):
        content = npy(np.full((4, 4), 2.0))
        refuse(with_array(path, "Z", content[:-8]), "shorter or longer")
        refuse(with_array(path, "Z", content + b"\0"), "shorter or longer")
        refuse(with_array(path, "Z", content[:20]))
        refuse(with_array(path, "Z", b""))

    @pytest.mark.parametrize(
        "header",
        [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 4), }" + " " * 20_000,
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-4, -4), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4.0, 4), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': 4, }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999), }",
            "{'descr': '|O', 'fortran_order': False, 'shape': (4, 4), }",
            "{'descr': '|V9999999999', 'fortran_order': False, 'shape': (4, 4), }",
            "{'descr': 'garbage', 'fortran_order': False, 'shape': (4, 4), }",
            "{'shape': (4, 4), }",
            "__import__('os').system('true')",
            "(" * 5000,
            "[]",
            "\xff\x00",
        ],
    )
    def test_headers(self, path, header):
        raw = header.encode("latin-1") + b"\n"
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw) & 0xFFFF) + raw + bytes(128)
        refuse(with_array(path, "Z", content))

    def test_other_header_versions_are_refused(self, path):
        for version in ((2, 0), (3, 0), (0, 0), (9, 9)):
            head = b"\x93NUMPY" + bytes(version) + struct.pack("<I", 0xFFFFFFF0)
            refuse(with_array(path, "Z", head + b" " * 1000), "header of a kind")


class TestBombs:
    """A few kilobytes that would unpack to far more."""

    def deflated(self, size):
        engine = zlib.compressobj(1, zlib.DEFLATED, -15)
        block = bytes(1 << 20)
        return b"".join(engine.compress(block) for _ in range(size >> 20)) + engine.flush()

    def lie(self, path, name, packed, size, crc=0):
        """The file with one member's packed bytes and declared size replaced."""
        parts = members(path)
        del parts[name]
        pack(path, parts)
        with zipfile.ZipFile(path, "a") as archive:
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, packed)  # stored, then called deflated
        raw = bytearray(path.read_bytes())
        # In the header before the data: method at 8, crc at 14, sizes at 18 and 22.
        local = raw.rfind(b"PK\x03\x04")
        while raw[local + 30 : local + 30 + len(name)] != name.encode():
            local = raw.rfind(b"PK\x03\x04", 0, local)
        struct.pack_into("<H", raw, local + 8, 8)
        struct.pack_into("<I", raw, local + 14, crc)
        struct.pack_into("<I", raw, local + 22, size)
        central = raw.rfind(b"PK\x01\x02")
        assert raw[central + 46 : central + 46 + len(name)] == name.encode()
        struct.pack_into("<H", raw, central + 10, 8)
        struct.pack_into("<I", raw, central + 16, crc)
        struct.pack_into("<I", raw, central + 24, size)
        path.write_bytes(raw)
        return path

    def test_labels_declared_large(self, path):
        parts = members(path)
        parts["world.json"] = b" " * (MAX_META + 1)
        refuse(pack(path, parts), "labels take")

    @pytest.mark.parametrize("name", ["world.json", "Z.npy"])
    def test_more_than_declared(self, path, name):
        """Says 200 bytes, unpacks to 256 MB."""
        packed = self.deflated(1 << 28)
        assert len(packed) < 2_000_000
        refuse(self.lie(path, name, packed, 200))

    def test_arrays_declared_large(self, path):
        """Labels of 20,000 nodes and a table of zeros: 3 GB asked for by a file of kilobytes."""
        n = 20_000
        parts = members(path)
        meta = json.loads(parts["world.json"])
        meta["regions"] = [f"R{i}" for i in range(n)]
        meta["sectors"] = meta["sectors"][:1]
        parts["world.json"] = json.dumps(meta).encode()
        pack(path, parts)
        refuse(self.lie(path, "Z.npy", b"\x03\x00", 0xFFFFFFF0), "are declared in a file of")

    def test_many_categories(self, path):
        """A third axis of a million categories."""
        with_meta(path, final_categories=["u"] * 1_000_000)
        refuse(path, "F is")

    def test_too_many_nodes(self, path):
        with_meta(path, regions=[f"R{i}" for i in range(10_001)])
        refuse(path, "more than 20,000 region-sectors")


class TestLabels:
    @pytest.mark.parametrize(
        "text",
        [b"", b"[]", b"5", b"null", b"{", b"\xff\xfe", b"{}", b'{"format": "entrepot-world-2"}',
         b'{"format": "entrepot-world-1"}', b"[" * 200_000, b'{"a":' * 100_000, b'"' + b"x" * 100_000],
    )  # fmt: skip
    def test_no_labels(self, path, text):
        parts = members(path)
        parts["world.json"] = text
        refuse(pack(path, parts))

    @pytest.mark.parametrize(
        "changes",
        [
            {"regions": [1, 2]}, {"regions": [["AAA"], ["BBB"]]}, {"regions": "AB"}, {"regions": None},
            {"regions": {"AAA": 1, "BBB": 2}}, {"sectors": ["S", "T"]}, {"sectors": [["S"], ["T"]]},
            {"sectors": [[1, "s", "s", [1]], ["T", "t", "t", [2]]]},
            {"sectors": [["S", "s", None, [1]], ["T", "t", "t", [2]]]},
            {"sectors": [["S", "s", "s", ["1"]], ["T", "t", "t", [2]]]},
            {"sectors": [["S", "s", "s", [1.5]], ["T", "t", "t", [2]]]},
            {"year": "2001"}, {"year": True}, {"name": 5}, {"name": None}, {"taxes": 5}, {"taxes": []},
            {"final_categories": [1]}, {"value_added_categories": None}, {"region_names": ["AAA"]},
            {"region_names": {"AAA": 5}}, {"parent": {"AAA": None}}, {"provenance": []}, {"provenance": 5},
            {"provenance": {"notes": 5}}, {"provenance": {"estimated": [5]}},
            {"provenance": {"measured_error": "x"}}, {"provenance": {"measured_error": {}}},
            {"provenance": {"x": float("nan")}}, {"rtol": "x"}, {"rtol": None}, {"atol": float("inf")},
            {"decimals": "2"}, {"decimals": 2.5}, {"decimals": 999}, {"decimals": True},
            {"satellites": []}, {"satellites": {"a": 5}}, {"satellites": {"a": {"dims": ["x"]}}},
            {"satellites": {"a": {"dims": ["x"], "unit": "u", "source": "s"}}},
            {"satellites": {"a": {"dims": [], "unit": "u", "source": "s"}}},
        ],
        ids=lambda changes: json.dumps(changes)[:50],
    )  # fmt: skip
    def test_other_kinds_of_labels(self, path, changes):
        refuse(with_meta(path, **changes))

    def test_missing_labels(self, path):
        parts = members(path)
        meta = json.loads(parts["world.json"])
        assert len(meta) == 15
        for key in meta:
            parts["world.json"] = json.dumps({k: v for k, v in meta.items() if k != key}).encode()
            refuse(pack(path, parts), key)

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"regions": ["AAA", "AAA"]}, "stand"),
            ({"taxes": "nowhere"}, "taxes are"),
            ({"rtol": -1}, "tolerances"),
            ({"region_names": {"XXX": "x"}}, "no such region"),
        ],
    )
    def test_labels_that_contradict(self, path, changes, match):
        refuse(with_meta(path, **changes), match, WorldError)

    def test_no_regions(self, path):
        parts = members(path)
        meta = json.loads(parts["world.json"]) | {"regions": []}
        for name, shape in (
            ("Z", (0, 0)),
            ("F", (0, 0, 1)),
            ("V", (1, 0)),
            ("T_inputs", (0,)),
            ("T_final", (0, 1)),
        ):
            parts[f"{name}.npy"] = npy(np.zeros(shape))
        parts["world.json"] = json.dumps(meta).encode()
        refuse(pack(path, parts), "at least one", WorldError)

    def test_satellites_are_checked(self, path):
        row = {"dims": ["sector", "origin", "destination"], "unit": "u", "source": "s"}
        for name, value in (("jobs", np.inf), ("tariffs", -1.5), ("tariffs", 0.1)):
            with_meta(path, satellites={name: row})
            with_array(path, "satellite0", np.full((2, 2, 2), value))
            refuse(path, "finite|-100|home", WorldError)

    def test_markup_and_control_characters_are_only_text(self, path):
        with_meta(path, name="[/bold] \x1b[31m", regions=["[/x]", "[red]"])
        got = read_world(path)
        assert got.regions == ("[/x]", "[red]")
