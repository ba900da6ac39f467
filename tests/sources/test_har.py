"""Header array files: against bytes assembled by hand, there and back, and damaged in every way."""

import gzip
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrepot.core.errors import DataError, OutputError
from entrepot.sources.har import MAX_SPARSE, SPARSE_FLOOR, Header, har_names, read_har
from entrepot.sources.har_writer import write_har

# Bytes that reading any file below may take at its peak: a sparse array of the largest size that
# a few values may spread over, and some more.
MOST = 8 * SPARSE_FLOOR + 20_000_000
SMALL = 2_000_000  # where no sparse array is concerned


# --- an assembler of its own ------------------------------------------------------------------


def rec(*parts):
    """A Fortran record of integers and bytes."""
    body = b"".join(struct.pack("<i", p) if isinstance(p, int) else p for p in parts)
    return struct.pack("<i", len(body)) + body + struct.pack("<i", len(body))


def data(*parts):
    return rec(b"    ", *parts)


def pad(text, width):
    return text.encode("latin-1").ljust(width)


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def head(name, kind, sizes, long_name="long name"):
    return rec(pad(name, 4)) + data(kind.encode(), pad(long_name, 70), len(sizes), *sizes)


def names(total, words, left=1, width=12):
    return data(left, total, len(words), *(pad(w, width) for w in words))


def sets(distinct, names, states, coefficient="X", flag=1):
    zero = [0] * len(names)
    return data(distinct, flag, len(names), pad(coefficient, 12), flag, *(pad(n, 12) for n in names),
                states.encode(), *zero, 0)  # fmt: skip


COMM = ["agr", "mfg", "svc"]
REG = ["usa", "eu", "row"]
VXSB = np.arange(27, dtype=np.float64).reshape(3, 3, 3)  # [c, s, d]


def fortran(array):
    """Values with the first index fastest, by loops."""
    return [float(array[c, s, d]) for d in range(3) for s in range(3) for c in range(3)]


def worked():
    """The dump that the description of the format works through."""
    return (
        head("VXSB", "REFULL", (3, 3, 3, 1, 1, 1, 1), "trade")
        + sets(2, ["COMM", "REG", "REG"], "kkk", "VXSB")
        + names(3, COMM)
        + names(3, REG)
        + data(3, 7, 3, 3, 3, 1, 1, 1, 1)
        + data(2, 1, 3, 1, 3, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1)
        + data(1, floats(*fortran(VXSB)))
    )


def sparse_twin(stored=None):
    """The same array, its 26 cells that are not zero by their positions."""
    flat = fortran(VXSB)
    at = [i for i, x in enumerate(flat) if x] if stored is None else stored
    return (
        head("VXSB", "RESPSE", (3, 3, 3, 1, 1, 1, 1), "trade")
        + sets(2, ["COMM", "REG", "REG"], "kkk", "VXSB")
        + names(3, COMM)
        + names(3, REG)
        + data(len(at), 4, 4, b" " * 80)
        + data(1, len(at), len(at), *(i + 1 for i in at), floats(*(flat[i] for i in at)))
    )


def one_set():
    return head("H2", "1CFULL", (3, 12), "Set COMM commodities") + names(3, COMM)


def matrix(kind="2IFULL"):
    values = struct.pack("<6i", *range(6)) if kind == "2IFULL" else floats(*range(6))
    return head("MAT", kind, (2, 3)) + data(1, 2, 3, 1, 2, 1, 3, values)


def put(tmp_path, *parts, name="a.har"):
    path = tmp_path / name
    path.write_bytes(b"".join(parts))
    return path


def refuse(path, match, headers=None, most=SMALL):
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=match) as caught:
            read_har(path, headers)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    return str(caught.value)


# --- bytes by hand ----------------------------------------------------------------------------


class TestBytes:
    def test_the_worked_dump(self, tmp_path):
        raw = worked()
        sizes = [87, 52, 52, 40, 64, 116]
        at = 12 + 8 + 112
        for size in sizes:
            assert struct.unpack_from("<i", raw, at)[0] == size
            at += 8 + size
        assert at == len(raw)
        got = read_har(put(tmp_path, raw))
        assert list(got) == ["VXSB"]
        h = got["VXSB"]
        assert (h.name, h.long_name, h.kind) == ("VXSB", "trade", "REFULL")
        assert h.coefficient == "VXSB"
        assert h.sets == ("COMM", "REG", "REG")
        assert h.elements == (tuple(COMM), tuple(REG), tuple(REG))
        assert h.values.dtype == np.float64
        assert (h.values == VXSB).all()
        assert not h.values.flags.writeable

    def test_the_worked_dump_is_what_is_written(self, tmp_path):
        words = (tuple(COMM), tuple(REG), tuple(REG))
        for kind, raw in (("REFULL", worked()), ("RESPSE", sparse_twin())):
            h = Header("VXSB", "trade", kind, VXSB, ("COMM", "REG", "REG"), words)
            write_har(tmp_path / "w.har", [h])
            assert (tmp_path / "w.har").read_bytes() == raw

    def test_sparse(self, tmp_path):
        h = read_har(put(tmp_path, sparse_twin()))["VXSB"]
        assert h.kind == "RESPSE"
        assert (h.values == VXSB).all()
        h = read_har(put(tmp_path, sparse_twin([5, 2, 26])))["VXSB"]  # any order
        assert h.values.sum() == sum(fortran(VXSB)[i] for i in (5, 2, 26))
        assert h.values[2, 1, 0] == VXSB[2, 1, 0]

    def test_nothing_but_zeros(self, tmp_path):
        assert (read_har(put(tmp_path, sparse_twin([])))["VXSB"].values == 0).all()

    def test_strings(self, tmp_path):
        path = put(
            tmp_path,
            one_set(),
            head("A", "1CFULL", (2, 1)) + names(2, ["A", "B"], width=1),
            head("LONG", "1CFULL", (1, 60)) + names(1, ["x" * 59], width=60),
            head("NONE", "1CFULL", (0, 12)) + names(0, []),
            head("MANY", "1CFULL", (3, 12)) + names(3, COMM[:2], left=2) + names(3, COMM[2:]),
            head("NUL", "1CFULL", (1, 4)) + data(1, 1, 1, b"a\0\xe9\0"),
        )
        got = read_har(path)
        assert got["H2"].values == got["H2"].strings == tuple(COMM)
        assert got["H2"].long_name == "Set COMM commodities"
        assert got["A"].values == ("A", "B")
        assert got["LONG"].values == ("x" * 59,)
        assert got["NONE"].values == ()
        assert got["MANY"].values == tuple(COMM)
        assert got["NUL"].values == ("a é",)
        with pytest.raises(DataError, match="strings"):
            _ = got["H2"].numbers

    def test_matrices(self, tmp_path):
        want = [[0, 2, 4], [1, 3, 5]]  # the first index is fastest
        for kind, dtype in (("2IFULL", np.int32), ("2RFULL", np.float64)):
            h = read_har(put(tmp_path, matrix(kind)))["MAT"]
            assert h.values.dtype == dtype
            assert h.values.tolist() == want
            assert (h.sets, h.elements) == (("", ""), (None, None))
            with pytest.raises(DataError, match="numbers"):
                _ = h.strings

    def test_a_matrix_in_blocks(self, tmp_path):
        raw = head("MAT", "2RFULL", (2, 3)) + data(3, 2, 3, 1, 2, 1, 1, floats(1, 2))
        raw += data(2, 2, 3, 2, 2, 2, 3, floats(4, 6)) + data(1, 2, 3, 1, 1, 2, 3, floats(3, 5))
        assert read_har(put(tmp_path, raw))["MAT"].values.tolist() == [[1, 3, 5], [2, 4, 6]]

    def test_a_scalar(self, tmp_path):
        ones = (1,) * 7
        raw = head("EXPN", "REFULL", ones) + sets(0, [], "", "EXPN") + data(3, 7, *ones)
        raw += data(2, *(1,) * 14) + data(1, floats(2.5))
        h = read_har(put(tmp_path, raw))["EXPN"]
        assert h.values.shape == ()
        assert float(h.values) == 2.5
        assert h.sets == h.elements == ()

    def test_without_sets(self, tmp_path):
        sizes = (2, 1, 3, 1, 1, 1, 1)
        raw = head("RL", "RLFULL", sizes) + data(3, 7, *sizes)
        raw += data(2, 1, 2, 1, 1, 1, 3, *(1,) * 8) + data(1, floats(*range(6)))
        h = read_har(put(tmp_path, raw))["RL"]
        assert h.values.shape == (2, 1, 3)
        assert h.values[:, 0].tolist() == [[0, 2, 4], [1, 3, 5]]
        assert h.elements == (None,) * 3
        raw = head("RL", "RLSPSE", sizes) + data(2, 4, 4, b" " * 80)
        raw += data(2, 2, 1, 6, floats(7)) + data(1, 2, 1, 3, floats(8))
        h = read_har(put(tmp_path, raw))["RL"]
        assert h.values[:, 0].tolist() == [[0, 8, 0], [0, 0, 7]]

    def test_blocks_are_put_where_they_say(self, tmp_path):
        """Ranges decide, whatever the order of blocks and their sizes."""
        sizes = (2, 3, 1, 1, 1, 1, 1)
        ones = (1,) * 10
        raw = head("R", "REFULL", sizes) + sets(2, ["S", "T"], "kk") + names(2, ["a", "b"])
        raw += names(3, ["x", "y", "z"]) + data(5, 7, *sizes)
        raw += data(4, 2, 2, 1, 3, *ones) + data(3, floats(2, 4, 6))
        raw += data(2, 1, 1, 1, 3, *ones) + data(1, floats(1, 3, 5))
        assert read_har(put(tmp_path, raw))["R"].values.tolist() == [[1, 3, 5], [2, 4, 6]]

    def test_sets_without_elements(self, tmp_path):
        """Size only (`u`), and one element of a set (`e`), whose name is not read."""
        sizes = (2, 1, 1, 1, 1, 1, 1)
        end = data(3, 7, *sizes) + data(2, 1, 2, *(1,) * 12) + data(1, floats(1, 2))
        h = read_har(
            put(tmp_path, head("U", "REFULL", sizes) + sets(0, ["S", "T"], "ue", flag=-1) + end)
        )
        assert h["U"].sets == ("S", "T")
        assert h["U"].elements == (None, None)
        assert h["U"].values.tolist() == [[1], [2]]

    def test_reals_are_read_as_stored(self, tmp_path):
        bits = [1, 0x00800000, 0x7F7FFFFF, 0x3DCCCCCD, 0x80000000, 0xC2F6E979]
        raw = head("B", "2RFULL", (6, 1)) + data(1, 6, 1, 1, 6, 1, 1, struct.pack("<6I", *bits))
        got = read_har(put(tmp_path, raw))["B"].values[:, 0]
        assert got.astype(np.float32).view(np.uint32).tolist() == bits
        assert got[3] == float(np.float32(0.1)) != 0.1


class TestChoice:
    def test_only_what_is_asked_for(self, tmp_path):
        path = put(tmp_path, one_set(), worked(), matrix(), head("BAD", "ZZFULL", (1, 1)))
        assert set(read_har(path, ["vxsb ", "none"])) == {"VXSB"}
        assert set(read_har(path, ["H2", "MAT"])) == {"H2", "MAT"}
        assert har_names(path) == ("H2", "VXSB", "MAT", "BAD")
        refuse(path, "header BAD.*'ZZFULL'")

    def test_internal_headers_only_by_name(self, tmp_path):
        history = head("XXHS", "1CFULL", (1, 60)) + names(1, ["made"], width=60)
        path = put(tmp_path, history, one_set())
        assert set(read_har(path)) == {"H2"}
        assert read_har(path, ["XXHS"])["XXHS"].values == ("made",)

    def test_names_keep_their_case(self, tmp_path):
        raw = one_set().replace(b"H2  ", b"h2  ")
        assert read_har(put(tmp_path, raw))["H2"].name == "h2"

    def test_archives(self, tmp_path):
        path = put(tmp_path, one_set(), worked())
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "in/a.har")
        got = read_har(tmp_path / "a.zip", member="in/a.har")
        assert (got["VXSB"].values == VXSB).all()
        (tmp_path / "a.har.gz").write_bytes(gzip.compress(path.read_bytes()))
        assert (read_har(tmp_path / "a.har.gz")["VXSB"].values == VXSB).all()
        with pytest.raises(DataError, match="no member"):
            read_har(tmp_path / "a.zip", member="b.har")


# --- there and back ---------------------------------------------------------------------------


def same(a, b):
    assert (a.name, a.long_name, a.kind, a.sets, a.elements) == (
        b.name, b.long_name, b.kind, b.sets, b.elements,
    )  # fmt: skip
    if isinstance(a.values, tuple):
        assert a.values == b.values
    else:
        assert a.values.shape == b.values.shape
        assert a.values.tobytes() == b.values.tobytes()


def single(array):
    return np.asarray(array, np.float32).astype(np.float64)


def everything():
    rng = np.random.default_rng(1)
    words = tuple(f"e{i}" for i in range(30))
    big = single(rng.normal(size=(30, 17, 30, 2)))
    thin = single(rng.normal(size=big.shape) * (rng.random(big.shape) < 0.3)) + 0.0  # no -0
    axes = (("S", "T", "S", ""), (words, tuple(f"t{i}" for i in range(17)), words, None))
    return [
        Header("SET", "Set S words", "1CFULL", words),
        Header("MANY", "", "1CFULL", tuple(f"word {i}" for i in range(6000))),
        Header("WIDE", "", "1CFULL", ("x" * 200, "y")),
        Header("NONE", "", "1CFULL", ()),
        Header("INT", "integers", "2IFULL", rng.integers(-(2**31), 2**31, (150, 160))),
        Header("REAL", "a matrix", "2RFULL", single(rng.normal(size=(150, 160)))),
        Header("TALL", "longer than a record", "2RFULL", single(rng.normal(size=(9000, 2)))),
        Header("BIG", "", "REFULL", big, *axes, coefficient="SOMETHING"),
        Header("THIN", "", "RESPSE", thin, *axes),
        Header("ZERO", "", "RESPSE", np.zeros((30, 2)), ("S", "PAIR"), (words, ("a", "b"))),
        Header("ONE", "a single number", "REFULL", np.array(2.5)),
        Header("ONES", "", "RESPSE", np.array(0.0)),
        Header("SEVN", "", "REFULL", single(rng.normal(size=(2, 3, 2, 3, 2, 3, 2)))),
        Header("L", "", "RLFULL", big),
        Header("LS", "", "RLSPSE", thin),
        Header("LONE", "", "RLFULL", np.array(1.0)),
        Header("VEC", "", "RLFULL", single(rng.normal(size=9000))),
    ]


class TestRoundTrips:
    def test_every_kind(self, tmp_path):
        path = tmp_path / "a.har"
        headers = everything()
        write_har(path, headers)
        got = read_har(path)
        assert list(got) == [h.name for h in headers]
        for h in headers:
            same(got[h.name], h)
        assert got["BIG"].coefficient == "SOMETHING"
        again = tmp_path / "b.har"
        write_har(again, got.values())
        assert again.read_bytes() == path.read_bytes()

    def test_no_record_is_long(self, tmp_path):
        path = tmp_path / "a.har"
        write_har(path, everything())
        raw, at, longest = path.read_bytes(), 0, 0
        while at < len(raw):
            n = struct.unpack_from("<i", raw, at)[0]
            assert struct.unpack_from("<i", raw, at + 4 + n)[0] == n
            longest = max(longest, n)
            at += 8 + n
        assert 30_000 < longest <= 32_000

    def test_blocks_of_a_large_array(self, tmp_path):
        """(78, 9, 76, 8): eleven of the third dimension at a time, 56 blocks."""
        path = tmp_path / "a.har"
        write_har(path, [Header("BAS1", "", "RLFULL", np.zeros((78, 9, 76, 8)))])
        raw = path.read_bytes()
        first = 12 + 120
        assert struct.unpack_from("<3i", raw, first)[0] == 40
        assert struct.unpack_from("<i", raw, first + 8)[0] == 113
        assert struct.unpack_from("<7i", raw, first + 48 + 8) == (112, 1, 78, 1, 9, 1, 11)
        assert read_har(path)["BAS1"].values.shape == (78, 9, 76, 8)

    def test_doubles_are_rounded_to_single(self, tmp_path):
        path = tmp_path / "a.har"
        write_har(path, [Header("A", "", "REFULL", np.array([0.1, 1e-60, -1 / 3]))])
        assert read_har(path)["A"].values.tolist() == [
            float(np.float32(0.1)),
            0.0,
            float(np.float32(-1 / 3)),
        ]

    @given(
        st.lists(st.integers(1, 6), max_size=7),
        st.sampled_from(["REFULL", "RESPSE", "RLFULL", "RLSPSE"]),
        st.integers(0, 2**32 - 1),
    )
    def test_any_shape(self, tmp_path_factory, shape, kind, seed):
        rng = np.random.default_rng(seed)
        if kind.startswith("RL"):
            while shape and shape[-1] == 1:
                shape.pop()
        values = single(rng.normal(size=shape) * (rng.random(shape) < 0.6)) + 0.0
        path = tmp_path_factory.mktemp("har") / "a.har"
        if kind.startswith("RE"):
            labels = [
                tuple(f"e{i}" for i in range(n)) if rng.random() < 0.7 else None for n in shape
            ]
            known = [f"S{n}" for n in shape]
            h = Header("X", "", kind, values, tuple(known), tuple(labels))
        else:
            h = Header("X", "", kind, values)
        write_har(path, [h])
        same(read_har(path)["X"], h)


class TestWriter:
    @pytest.mark.parametrize(
        ("change", "match"),
        [
            (("TOOLONG", "", "REFULL", np.ones(2)), "up to 4"),
            (("", "", "REFULL", np.ones(2)), "needs a name"),
            (("É", "", "REFULL", np.ones(2)), "ASCII"),
            (("A", "x" * 71, "REFULL", np.ones(2)), "up to 70"),
            (("A", "", "REFULL", np.array([1e39])), "not finite in single"),
            (("A", "", "REFULL", np.array([np.nan])), "not finite"),
            (("A", "", "REFULL", np.ones((2, 0))), "without cells"),
            (("A", "", "1CFULL", ("\n",)), "ASCII"),
            (("A", "", "REFULL", np.ones(2), ("S",), (("a", "b" * 13),)), "up to 12"),
            (("A", "", "REFULL", np.ones(2), ("S" * 13,), (("a", "b"),)), "up to 12"),
            (("A", "", "REFULL", np.ones(2), ("S",), (("a", "a"),)), "more than once"),
            (("A", "", "REFULL", np.ones(2), ("",), (("a", "b"),)), "no name"),
            (
                ("A", "", "REFULL", np.ones((2, 2)), ("S", "S"), (("a", "b"), ("b", "a"))),
                "two contents",
            ),
        ],
    )
    def test_what_the_format_cannot_hold(self, tmp_path, change, match):
        with pytest.raises(DataError, match=match):
            write_har(tmp_path / "a.har", [Header(*change)])
        assert not (tmp_path / "a.har").exists()

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            (("A", "", "R8FULL", np.ones(2)), "none of"),
            (("A", "", "1CFULL", (1, 2)), "strings"),
            (("A", "", "1CFULL", ("a",), ("S",)), "no sets"),
            (("A", "", "REFULL", ("a",)), "numbers"),
            (("A", "", "REFULL", np.ones((1,) * 8)), "8 dimensions"),
            (("A", "", "2RFULL", np.ones(3)), "1 dimensions"),
            (("A", "", "2IFULL", np.array([[2**40]])), "32 bits"),
            (("A", "", "2IFULL", np.array([[0.5]])), "no integer"),
            (("A", "", "REFULL", np.ones(2), ("S", "T")), "2 sets"),
            (("A", "", "REFULL", np.ones(2), ("S",), (("a",),)), "1 elements"),
            (("A", "", "RLFULL", np.ones(2), ("S",)), "no sets"),
        ],
    )
    def test_what_does_not_fit_together(self, change, match):
        with pytest.raises(DataError, match=match):
            Header(*change)

    def test_two_of_one_name(self, tmp_path):
        two = [Header("A", "", "1CFULL", ()), Header("a", "", "1CFULL", ())]
        with pytest.raises(DataError, match="more than once"):
            write_har(tmp_path / "a.har", two)

    def test_where_nothing_can_be_written(self, tmp_path):
        with pytest.raises(OutputError, match="cannot be written"):
            write_har(tmp_path / "none" / "a.har", [])

    def test_a_header_keeps_its_numbers(self):
        values = np.ones(3)
        h = Header("A", "", "REFULL", values)
        values[0] = 5
        assert h.values[0] == 1
        with pytest.raises(ValueError, match="read-only"):
            h.values[0] = 2


# --- damage -----------------------------------------------------------------------------------


class TestDamage:
    @pytest.mark.parametrize(
        ("raw", "match"),
        [
            (b"", "empty"),
            (b"\xfd\x10\x00\x00", "first byte FD"),
            (b"\0\0\0\x04VXSB\0\0\0\x04", "big-endian"),
            (b"PK\x03\x04" + b"\0" * 20, "not a header array file"),
            (b"\x04\0\0\0", "cut short"),
            (b"\x04\0\0\0ABCD", "cut short"),
            (b"\x04\0\0\0ABCD\x05\0\0\0", "does not end where"),
            (rec(b"ABCD") + b"\x03\0\0\0abc\x03\0\0\0", "header ABCD"),
            (rec(b"ABCD") + rec(b"XXXXX"), "no header array's"),
            (rec(b"ABCD") + b"\xff\xff\xff\x7f    ", "cut short"),
            (rec(b"ABCD") + b"\xff\xff\xff\xff    ", "cut short"),
            (rec(b"A\0CD"), "no header's name"),
            (rec(b"ABCD"), "ends before its description"),
            (rec(b"ABCD") + data(), "description has 4 bytes"),
            (one_set() + one_set(), "more than once"),
            (one_set() + one_set().replace(b"H2  ", b"h2  "), "more than once"),
            (head("A", "ZZFULL", (1, 1)), "'ZZFULL'"),
            (head("A", "R2FULL", (1, 1)), "newer versions"),
            (head("A", "REFULL", (1, 1)), "2 dimensions of REFULL"),
            (head("A", "1CFULL", (1,) * 7), "7 dimensions of 1CFULL"),
            (rec(b"A   ") + data(b"1CFULL", b" " * 70, 2, 1, 1, 1), "2 dimensions"),
            (head("A", "2RFULL", (0, 3)), "a size of 0"),
            (head("A", "REFULL", (3, -1, 1, 1, 1, 1, 1)), "a size of -1"),
        ],
    )
    def test_the_container(self, tmp_path, raw, match):
        refuse(put(tmp_path, raw), match)

    @pytest.mark.parametrize(
        ("raw", "match"),
        [
            (
                names(3, COMM)[:4] + names(3, COMM)[4:] + names(3, COMM),
                "more than it declares|are left",
            ),
            (names(2, COMM[:2]), "2 of 2"),
            (names(3, COMM[:2]), "2 strings of 3"),
            (names(3, COMM[:2], left=2), "are left|ends before"),
            (names(3, COMM, left=0), "are left"),
            (data(1, 3, 3, b"abc"), "in 19 bytes"),
            (data(1, 3, -1), "-1 of 3"),
            (data(1, 3), "at least|bytes"),
            (b"", "ends before its strings"),
        ],
    )
    def test_strings(self, tmp_path, raw, match):
        refuse(put(tmp_path, head("A", "1CFULL", (3, 12)), raw), match)

    @pytest.mark.parametrize("sizes", [(-1, 12), (3, -1), (3, 0), (2**31 - 1, 12), (2**31 - 1, 0)])
    def test_sizes_of_strings(self, tmp_path, sizes):
        refuse(put(tmp_path, head("A", "1CFULL", sizes), names(3, COMM)), "characters")

    @pytest.mark.parametrize(
        ("raw", "match"),
        [
            (data(1, 2, 3, 1, 2, 1, 2, floats(1, 2, 3, 4)), "2 of 6 values are not there"),
            (data(1, 3, 2, 1, 2, 1, 3, floats(*range(6))), "of sizes"),
            (data(1, 2, 3, 1, 3, 1, 2, floats(*range(6))), "a block at"),
            (data(1, 2, 3, 0, 2, 1, 3, floats(*range(6))), "a block at"),
            (data(1, 2, 3, 2, 1, 1, 3, floats(*range(6))), "a block at"),
            (data(1, 2, 3, 1, 2, 1, 3, floats(*range(5))), "holds 5 values"),
            (data(1, 2, 3, 1, 2, 1, 3, floats(*range(5)), b"ab"), "within a value"),
            (data(2, 2, 3, 1, 2, 1, 3, floats(*range(6))), "are left"),
            (data(1, 2, 3, 1, 2, 1, 3, floats(*range(6))) + data(b"x"), "more than it declares"),
            (data(2, 2, 3, 1, 2, 1, 2, floats(*range(4))) + data(1, 2, 3, 1, 2, 2, 3, floats(*range(4))),
             "more than once"),
            (data(1, 2, 3, 1, 2, 1, 3, floats(1, 2, float("nan"), 4, 5, 6)), "not a finite"),
            (data(1, 2, 3, 1, 2, 1, 3, floats(1, 2, float("-inf"), 4, 5, 6)), "not a finite"),
            (data(b"short"), "has 9 bytes|24 bytes"),
        ],
    )  # fmt: skip
    def test_matrices(self, tmp_path, raw, match):
        refuse(put(tmp_path, head("A", "2RFULL", (2, 3)), raw), match)

    def test_declared_large(self, tmp_path):
        """Sizes of two billion cells, and bytes for six."""
        large = (50_000, 50_000)
        raw = data(1, *large, 1, *large, floats(1))
        refuse(
            put(tmp_path, head("A", "2RFULL", large), raw),
            "10,000|2,500,000,000 values are declared",
        )
        sizes = (2**31 - 1,) * 7
        raw = head("A", "RLFULL", sizes) + data(3, 7, *sizes)
        refuse(put(tmp_path, raw), "values are declared")

    @pytest.mark.parametrize(
        ("raw", "match"),
        [
            (
                sets(1, ["COMM", "REG"], "kk") + names(2, "ab") + names(2, "cd"),
                "1 lists .* 2 different",
            ),
            (sets(3, ["COMM", "REG"], "kk") + names(2, "ab") + names(2, "cd"), "3 lists"),
            (sets(2, ["COMM", "REG"], "kk") + names(3, "abc") + names(2, "cd"), "3 of 3 elements"),
            (sets(2, ["COMM", "REG"], "kk") + names(2, "ab"), "ends before|elements of REG"),
            (sets(2, ["COMM", "REG"], "kz"), "state 'z'"),
            (sets(1, ["COMM", "REG"], "ke"), "state 'e'"),
            (sets(1, ["COMM"], "k") + names(2, "ab"), "1 sets for sizes"),
            (sets(2, ["COMM", "REG"], "kk") + names(2, "aa"), "more than once"),
            (sets(2, ["COMM", "REG"], "kk") + names(2, ["a", ""]), "has no name"),
            (data(2, 1, 9, b" " * 12, 1, b" " * 200), "9 dimensions"),
            (data(2, 1, -1, b" " * 12, 1, b" " * 200), "-1 dimensions"),
            (data(0, 1, 0, b" " * 12, 1, 5), "names 5 elements"),
            (data(0, 1, 0, b" " * 12, 1, -1), "names -1 elements"),
            (data(b"x"), "list of sets has 5 bytes"),
        ],
    )
    def test_sets(self, tmp_path, raw, match):
        refuse(put(tmp_path, head("A", "REFULL", (2, 2, 1, 1, 1, 1, 1)), raw), match)

    def test_one_set_of_two_sizes(self, tmp_path):
        raw = head("A", "REFULL", (2, 3, 1, 1, 1, 1, 1)) + sets(1, ["S", "s"], "kk")
        refuse(put(tmp_path, raw), "of two sizes, 2 and 3")

    @pytest.mark.parametrize(
        ("parts", "match"),
        [
            ([data(1, 7, *(1,) * 7)], r"sizes \(1, 1"),
            ([data(1, 6, 2, 2, *(1,) * 5)], "sizes"),
            ([data(2, 7, 2, 2, *(1,) * 5), data(1, floats(1))], "pair up"),
            ([data(1, 7, 2, 2, *(1,) * 5)], "4 of 4 values are not there"),
            ([data(5, 7, 2, 2, *(1,) * 5)], "are left"),
            ([data(3, 7, 2, 2, *(1,) * 5), data(2, 1, 2, 1, 2, *(1,) * 10)], "are left"),
            ([data(3, 7, 2, 2, *(1,) * 5), data(9, 1, 2, 1, 2, *(1,) * 10), data(1, floats(*range(4)))],
             "are left"),
            ([data(3, 7, 2, 2, *(1,) * 5), data(2, 1, 2, 1, 2, *(1,) * 10), data(2, floats(*range(4)))],
             "are left"),
            ([data(3, 7, 2, 2, *(1,) * 5), data(2, 1, 2, 1, 2, *(1,) * 9), data(1, floats(*range(4)))],
             "ranges has 60 bytes"),
            ([data(3, 7, 2, 2, *(1,) * 5), data(2, 1, 2, 1, 1, *(1,) * 10), data(1, floats(*range(4)))],
             "block of 2 cells holds 4"),
        ],
    )  # fmt: skip
    def test_blocks(self, tmp_path, parts, match):
        parts = [p if isinstance(p, bytes) else data(*p) for p in parts]
        raw = (
            head("A", "REFULL", (2, 2, 1, 1, 1, 1, 1)) + sets(0, ["S", "T"], "uu") + b"".join(parts)
        )
        refuse(put(tmp_path, raw), match)

    @pytest.mark.parametrize(
        ("parts", "match"),
        [
            ([data(2, 8, 4, b" " * 80)], "positions of 8 bytes"),
            ([data(2, 4, 8, b" " * 80)], "values of 8"),
            ([data(2, 4, 4)], "count of values has 16 bytes"),
            ([data(-1, 4, 4, b" " * 80)], "-1 values"),
            (
                [data(5, 4, 4, b" " * 80), data(1, 5, 5, *range(1, 6), floats(*range(5)))],
                "5 values for 4",
            ),
            ([data(2, 4, 4, b" " * 80)], "ends before"),
            ([data(2, 4, 4, b" " * 80), data(1, 2, 1, 1, floats(1))], "1 values of 2"),
            ([data(2, 4, 4, b" " * 80), data(1, 3, 2, 1, 2, floats(1, 2))], "2 of 3"),
            ([data(2, 4, 4, b" " * 80), data(1, 2, 3, 1, 2, 3, floats(1, 2, 3))], "3 of 2"),
            ([data(2, 4, 4, b" " * 80), data(1, 2, 2, 1, floats(1, 2))], "in 28 bytes"),
            ([data(2, 4, 4, b" " * 80), data(2, 2, 2, 1, 2, floats(1, 2))], "are left"),
            ([data(2, 4, 4, b" " * 80), data(1, 2, 2, 0, 2, floats(1, 2))], "outside 1 to 4"),
            ([data(2, 4, 4, b" " * 80), data(1, 2, 2, 1, 5, floats(1, 2))], "outside 1 to 4"),
            ([data(2, 4, 4, b" " * 80), data(1, 2, 2, 3, 3, floats(1, 2))], "more than once"),
            (
                [data(2, 4, 4, b" " * 80), data(1, 2, 2, 1, 2, floats(1, float("inf")))],
                "not a finite",
            ),
        ],
    )
    def test_sparse(self, tmp_path, parts, match):
        raw = head("A", "RLSPSE", (2, 2, 1, 1, 1, 1, 1)) + b"".join(parts)
        refuse(put(tmp_path, raw), match)

    @pytest.mark.parametrize("sizes", [(2**31 - 1,) * 7, (SPARSE_FLOOR + 1,) + (1,) * 6])
    def test_sparse_out_of_proportion(self, tmp_path, sizes):
        raw = head("A", "RLSPSE", sizes) + data(1, 4, 4, b" " * 80) + data(1, 1, 1, 1, floats(1))
        refuse(put(tmp_path, raw), "spread over")

    def test_sparse_arrays_in_great_number(self, tmp_path):
        """Each within bounds, and together out of proportion."""
        raw = [
            head(f"S{k}", "RLSPSE", (SPARSE_FLOOR, *(1,) * 6))
            + data(1, 4, 4, b" " * 80)
            + data(1, 1, 1, 1, floats(1))
            for k in range(20)
        ]
        path = put(tmp_path, *raw)
        assert read_har(path, ["S19"])["S19"].values[:2].tolist() == [1, 0]
        refuse(path, "spread over", most=8 * MAX_SPARSE + SMALL)

    def test_damage_elsewhere_does_not_matter(self, tmp_path):
        """A header that is not asked for is only counted."""
        path = put(tmp_path, one_set(), head("BAD", "REFULL", (0,) * 7), worked())
        assert (read_har(path, ["VXSB"])["VXSB"].values == VXSB).all()
        refuse(path, "header BAD")

    def test_no_file(self, tmp_path):
        refuse(tmp_path / "none.har", "no such file")
        refuse(tmp_path, "is a folder")


def whole():
    return one_set() + worked() + matrix() + sparse_twin().replace(b"VXSB", b"SPSE", 1) + matrix(
        "2RFULL"
    ).replace(b"MAT", b"MR ") + head("LS", "RLSPSE", (2, 3, 1, 1, 1, 1, 1)) + data(
        1, 4, 4, b" " * 80
    ) + data(1, 1, 1, 6, floats(7))  # fmt: skip


KEEP = ["H2", "VXSB", "MAT", "SPSE", "MR", "LS"]


def extents(raw):
    """Where each header's bytes lie."""
    starts = [raw.index(rec(pad(name, 4))) for name in KEEP]
    return dict(zip(KEEP, zip(starts, [*starts[1:], len(raw)], strict=True), strict=True))


def bounded(path, headers=None):
    """What is read, or nothing where that is refused; in little memory."""
    tracemalloc.start()
    try:
        got = read_har(path, headers)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017
        got = {}
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MOST
    return got


def survives(path, touched):
    """The headers read one by one; those that are not touched are as they were, or refused."""
    good = {}
    for names in (None, *([name] for name in KEEP)):
        got = bounded(path, names)
        for name, h in got.items():
            if name in KEEP and name not in touched:
                same(h, EXPECTED[name])
        if names is not None:
            good |= dict.fromkeys(names) | dict.fromkeys(got, True)
    return good


@pytest.fixture(scope="module", autouse=True)
def _expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("har") / "whole.har"
    path.write_bytes(whole())
    EXPECTED.update(read_har(path))
    assert list(EXPECTED) == KEEP


EXPECTED: dict[str, Header] = {}


class TestFuzz:
    def test_truncated_anywhere(self, tmp_path):
        raw, path = whole(), tmp_path / "a.har"
        spans = extents(raw)
        ends = {end for _, end in spans.values()}
        for size in range(len(raw)):
            path.write_bytes(raw[:size])
            touched = {name for name, (_, end) in spans.items() if size < end}
            good = survives(path, touched)
            assert all(good[name] is None for name in touched)
            if size not in ends:  # the format has no end mark
                with pytest.raises(DataError):
                    read_har(path)

    def test_every_byte_turned(self, tmp_path):
        raw, path = whole(), tmp_path / "a.har"
        spans = extents(raw)
        turned = bytearray(raw)
        refused = 0
        for i in range(len(raw)):
            turned[i] ^= 0xFF if i % 2 else 1 << (i // 2 % 8)
            path.write_bytes(turned)
            touched = {name for name, (start, end) in spans.items() if start <= i < end}
            good = survives(path, touched)
            refused += any(good[name] is None for name in touched)
            turned[i] = raw[i]
        assert refused > len(raw) / 4

    @example([(0, 0)], 0)
    @given(
        st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=4),
        st.integers(0, 600),
    )
    def test_bytes_replaced_and_cut(self, tmp_path_factory, changes, cut):
        raw = bytearray(whole())
        spans = extents(bytes(raw))
        for at, byte in changes:
            raw[at % len(raw)] = byte
        touched = {n for n, (a, b) in spans.items() for at, _ in changes if a <= at % len(raw) < b}
        size = len(raw) - cut
        touched |= {n for n, (_, end) in spans.items() if size < end}
        path = tmp_path_factory.mktemp("har") / "a.har"
        path.write_bytes(raw[:size])
        survives(path, touched)

    @given(
        st.integers(0, 10_000),
        st.integers(-(2**31), 2**31 - 1)
        | st.integers(-3, 30)
        | st.sampled_from([2**28, 30_000_000]),
    )
    def test_any_integer_anywhere(self, tmp_path_factory, place, number):
        """Counts, sizes, ranges and lengths of every value."""
        raw = bytearray(whole())
        spans = extents(bytes(raw))
        at = place % (len(raw) - 4)
        raw[at : at + 4] = struct.pack("<i", number)
        touched = {n for n, (a, b) in spans.items() if a < at + 4 and at < b}
        path = tmp_path_factory.mktemp("har") / "a.har"
        path.write_bytes(raw)
        survives(path, touched)

    @given(st.binary(max_size=300))
    def test_anything_after_a_name(self, tmp_path_factory, tail):
        path = tmp_path_factory.mktemp("har") / "a.har"
        path.write_bytes(rec(b"ABCD") + tail)
        with pytest.raises(DataError):
            read_har(path)

    def test_a_zip_that_is_damaged(self, tmp_path):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.har", whole())
        raw = bytearray(path.read_bytes())
        start = raw.index(b"a.har") + 5
        for i in range(start, start + 200):
            turned = bytearray(raw)
            turned[i] ^= 0x55
            path.write_bytes(turned)
            try:
                read_har(path, member="a.har")
            except DataError:
                continue
            pytest.fail(f"byte {i} turned, and nobody saw it")
