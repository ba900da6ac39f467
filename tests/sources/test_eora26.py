"""Eora26 as published: every cell read back, the discrepancy kept, every flaw refused."""

import os
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import SMALL, bounded, cut, outcome, turn, turns
from hypothesis import given
from hypothesis import strategies as st

from entrepot.core.errors import DataError
from entrepot.sources import eora26, text
from entrepot.sources.eora26 import FROM_ROW, TO_ROW
from entrepot.world.audit import audit

REGIONS = [("Afghanistan", "AFG"), ("Sudan", "SUD"), ("South Sudan", "SDS")]
SECTORS = ["Agriculture", "Mining and Quarrying", "Others"]
ADDED = [
    "Compensation of employees D.1",
    "Taxes on production D.29",
    "Subsidies on production D.39",
    "Net operating surplus B.2n",
    "Net mixed income B.3n",
    "Consumption of fixed capital K.1",
]
FINALS = [
    "Household final consumption P.3h",
    "Non-profit institutions serving households P.3n",
    "Government final consumption P.3g",
    "Gross fixed capital formation P.51",
    "Changes in inventories P.52",
    "Acquisitions less disposals of valuables P.53",
]
N, S, C = 3, 3, 6
M = N * S


class Numbers:
    """A table that balances with its discrepancy: node M of T, and the last columns of FD."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.T = np.round(rng.lognormal(5, 2, (M + 1, M + 1)), 3)
        self.T[2, :], self.T[:, 2] = 0, 0
        self.T[:, M] = np.round(rng.normal(0, 3, M + 1), 3)
        self.T[M] = np.round(rng.normal(0, 3, M + 1), 3)
        self.T[2, M] = self.T[M, 2] = 0
        self.FD = np.round(rng.lognormal(6, 1, (M + 1, (N + 1) * C)), 3)
        self.FD[:, 4::C] = np.round(rng.normal(0, 5, (M + 1, N + 1)), 3)
        self.FD[M] = np.round(rng.normal(0, 1, (N + 1) * C), 3)
        self.FD[2] = 0
        self.x = self.T.sum(1) + self.FD.sum(1)
        rest = self.x - self.T.sum(0)
        self.VA = np.array([0.5, 0.1, -0.05, 0.2, 0.1, 0.15])[:, None] * rest

    def files(self):
        return {"T": self.T, "FD": self.FD, "VA": self.VA, "Q": b"not read", "QY": b"not read"}


def labels(trail=True):
    """The three files of labels, as lists of rows of cells."""
    end = [""] if trail else []
    last = ("ROW", "ROW")
    return {
        "labels_T.txt": [[*r, "Industries", s, *end] for r in REGIONS for s in SECTORS]
        + [[*last, "Industries", "TOTAL", *end]],
        "labels_FD.txt": [[*r, "Final Demand", f, *end] for r in (*REGIONS, last) for f in FINALS],
        "labels_VA.txt": [["Primary Inputs", v, *end] for v in ADDED],
    }


def written(files, year=2015):
    out = {}
    for name, values in files.items():
        if isinstance(values, bytes):
            data = values
        elif isinstance(values, np.ndarray):
            data = "".join("\t".join(repr(float(v)) for v in r) + "\n" for r in values).encode()
        else:
            data = "".join("\t".join(row) + "\n" for row in values).encode()
        out[name if "." in name else f"Eora26_{year}_bp_{name}.txt"] = data
    return out


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def pack(folder, files, words=None, year=2015):
    """The matrices with their labels in one zip."""
    words = labels() if words is None else words
    return zipped(Path(folder) / f"Eora26_{year}_bp.zip", written(files | words, year))


def pack_apart(folder, files, words=None, year=2015):
    """The matrices in a zip, the labels in indices.zip beside it."""
    words = labels() if words is None else words
    zipped(Path(folder) / "indices.zip", written(words))
    return zipped(Path(folder) / f"Eora26_{year}_bp.zip", written(files, year))


def unpack(folder, files, words=None, year=2015):
    """All of them in a folder."""
    words = labels() if words is None else words
    for name, data in written(files | words, year).items():
        (Path(folder) / name).write_bytes(data)
    return Path(folder)


def same(raw, c):
    np.testing.assert_array_equal(raw.Z, c.T[:M, :M])
    np.testing.assert_array_equal(raw.V, c.VA[:, :M])
    np.testing.assert_array_equal(raw.F[:, :, :C].reshape(M, -1), c.FD[:M, : N * C])
    away = c.T[:M, M] + c.FD[:M, N * C :].sum(1)
    for i in range(M):
        for r in range(N):
            assert raw.F[i, r, C] == (away[i] if r == i // S else 0)
    margin = raw.margins[FROM_ROW]
    np.testing.assert_array_equal(margin.inputs, c.T[M, :M])
    np.testing.assert_array_equal(margin.final[:, :C].ravel(), c.FD[M, : N * C])
    assert not margin.final[:, C].any()
    assert not raw.T_inputs.any()
    assert not raw.T_final.any()
    np.testing.assert_allclose(raw.sales, c.x[:M], rtol=1e-12)
    np.testing.assert_allclose(raw.costs, c.x[:M], rtol=1e-12, atol=1e-6)


class TestCells:
    @pytest.mark.parametrize("put", [pack, pack_apart, unpack])
    @pytest.mark.parametrize("trail", [True, False])
    def test_every_cell_in_its_place(self, tmp_path, put, trail):
        c = Numbers()
        path = put(tmp_path, c.files(), labels(trail))
        assert eora26.matches(path)
        raw = eora26.read(path)
        same(raw, c)
        assert (raw.name, raw.year, raw.unit) == ("eora26-2015", 2015, "thousand USD")
        assert raw.regions == ("AFG", "SDN", "SSD")
        assert dict(raw.region_names) == {
            "AFG": "Afghanistan", "SDN": "Sudan", "SSD": "South Sudan",
        }  # fmt: skip
        assert raw.sector_codes == tuple(SECTORS)
        assert raw.final_categories == (*FINALS, TO_ROW)
        assert raw.value_added_categories == tuple(ADDED)
        assert "SUD of the source is SDN." in raw.provenance["notes"]
        assert (raw.margins[FROM_ROW].inputs < 0).any()
        assert (raw.V[2] < 0).any()

    def test_every_row_and_column_keeps_its_total(self, tmp_path):
        raw = eora26.read(pack(tmp_path, Numbers().files()))
        found = audit(raw)
        assert found.passed
        c = Numbers()
        assert found.totals["margins"] == pytest.approx(c.T[M, :M].sum() + c.FD[M, : N * C].sum())

    def test_what_belongs_to_nobody_is_stated(self, tmp_path):
        c = Numbers()
        notes = " ".join(eora26.read(pack(tmp_path, c.files())).provenance["notes"])
        for value in (
            c.T[:M, M].sum(),
            c.FD[:M, N * C :].sum(),
            c.T[M, M],
            c.FD[M, N * C :].sum(),
            c.VA[:, M].sum(),
        ):
            assert f"{value:,.6g}" in notes

    def test_negative_flows_are_kept_for_the_audit(self, tmp_path):
        c = Numbers()
        c.T[0, 4] = -7.5
        raw = eora26.read(pack(tmp_path, c.files()))
        assert raw.Z[0, 4] == -7.5
        assert "negative-flows" in {f.check for f in audit(raw).findings if f.level == "fail"}

    def test_a_discrepancy_that_stands_first(self, tmp_path):
        c = Numbers()
        order = [M, *range(M)]
        files = {"T": c.T[order][:, order], "FD": c.FD[order], "VA": c.VA[:, order]}
        words = labels()
        words["labels_T.txt"].insert(0, words["labels_T.txt"].pop())
        same(eora26.read(pack(tmp_path, files, words)), c)

    def test_value_added_in_several_blocks_is_summed(self, tmp_path):
        c = Numbers()
        words = labels()
        words["labels_VA.txt"] += [["Others", ADDED[0]], ["Others", "New"]]
        more = np.ones((2, M + 1)) * [[1], [2]]
        raw = eora26.read(pack(tmp_path, c.files() | {"VA": np.vstack([c.VA, more])}, words))
        np.testing.assert_array_equal(raw.V[0], c.VA[0, :M] + 1)
        assert raw.value_added_categories == (*ADDED, "New")
        assert (raw.V[-1] == 2).all()

    def test_a_blank_cell_stays_blank(self, tmp_path):
        for part, i, j in (
            ("T", 3, 4),
            ("T", M, 1),
            ("T", 1, M),
            ("FD", 4, 5),
            ("FD", 4, -1),
            ("VA", 2, 3),
        ):
            c = Numbers()
            getattr(c, part)[i, j] = np.nan
            files = written(c.files())
            name = f"Eora26_2015_bp_{part}.txt"
            for word in (b"nan", b""):
                raw = eora26.read(pack(tmp_path, files | {name: files[name].replace(b"nan", word)}))
                assert "missing-cells" in {f.check for f in audit(raw).findings}

    @pytest.mark.parametrize("size", [1, 50, 400])
    def test_blocks_of_any_size(self, tmp_path, monkeypatch, size):
        path = pack(tmp_path, Numbers().files())
        monkeypatch.setattr(text, "BLOCK", size)
        same(eora26.read(path), Numbers())

    def test_line_ends(self, tmp_path):
        files = {
            k: v.replace(b"\n", b"\r\n") for k, v in written(Numbers().files() | labels()).items()
        }
        files["Eora26_2015_bp_T.txt"] = files["Eora26_2015_bp_T.txt"].rstrip()
        same(eora26.read(pack(tmp_path, files, {})), Numbers())


class TestWhere:
    def test_years_in_a_folder(self, tmp_path):
        for year in (2014, 2015):
            pack_apart(tmp_path, Numbers(year).files(), year=year)
        assert eora26.matches(tmp_path)
        same(eora26.read(tmp_path, year=2014), Numbers(2014))
        same(eora26.read(tmp_path, member="Eora26_2015_bp.zip"), Numbers(2015))
        for bad in ({}, {"year": 2013}, {"member": "other.zip"}):
            with pytest.raises(DataError):
                eora26.read(tmp_path, **bad)

    def test_years_in_one_zip(self, tmp_path):
        files = written(Numbers(2014).files(), 2014) | written(Numbers(2015).files(), 2015)
        path = pack(tmp_path, files)
        same(eora26.read(path, year=2014), Numbers(2014))
        same(eora26.read(path, member="Eora26_2015_bp_T.txt"), Numbers(2015))
        for bad in ({}, {"year": 2013}, {"member": "labels_T.txt"}):
            with pytest.raises(DataError, match="say which"):
                eora26.read(path, **bad)
        with pytest.raises(DataError, match="named 2015, but 2014"):
            eora26.read(path, year=2014, member="Eora26_2015_bp_T.txt")

    def test_files_in_a_folder_of_the_zip(self, tmp_path):
        files = {f"a/{k}": v for k, v in written(Numbers().files() | labels()).items()}
        same(eora26.read(pack(tmp_path, files, {})), Numbers())

    def test_purchasers_prices_are_refused(self, tmp_path):
        files = {k.replace("_bp_", "_pp_"): v for k, v in written(Numbers().files()).items()}
        path = pack(tmp_path, files)
        with pytest.raises(DataError, match=r"0 files Eora26_YEAR_bp_T\.txt"):
            eora26.read(path)
        with pytest.raises(DataError, match="purchasers' prices"):
            eora26.read(path, member="Eora26_2015_pp_T.txt")

    def test_other_files_are_not_its_own(self, tmp_path):
        (tmp_path / "Eora26_2015_bp.zip").write_text("no archive")
        (tmp_path / "empty").mkdir()
        zipped(tmp_path / "other.zip", {"a.txt": b"1"})
        for name in ("other.zip", "Eora26_2015_bp.zip", "none.zip", "empty"):
            assert not eora26.matches(tmp_path / name)
            with pytest.raises(DataError):
                eora26.read(tmp_path / name)


def rows(name, change):
    def spoil(files, words):
        change(words[name])

    return spoil


def data(part, change):
    def spoil(files, words):
        files[part] = change(written({"T.": files[part]})["T."])

    return spoil


def line(k, change):
    def act(text):
        lines = text.split(b"\n")
        lines[k] = change(lines[k])
        return b"\n".join(lines)

    return act


REFUSED = {
    "text": (data("T", line(3, lambda r: b"abc" + r)), r"bp_T\.txt.* line 4, column 1: 'abc"),
    "short line": (
        data("T", line(3, lambda r: r[: r.rindex(b"\t")])),
        r"bp_T\.txt.* line 4: 9 cells",
    ),
    "trailing tab": (
        data("FD", lambda d: d.replace(b"\n", b"\t\n")),
        r"bp_FD\.txt.* line 1: 25 cells",
    ),
    "blank line": (data("VA", line(2, lambda r: b"")), r"bp_VA\.txt.* line 3: blank, among"),
    "last line missing": (
        data("T", lambda d: d[: d[:-1].rindex(b"\n") + 1]),
        r"bp_T\.txt.*9 rows; 10 were expected. Cut short",
    ),
    "last line cut": (data("T", lambda d: d[: d.rindex(b"\t")]), r"bp_T\.txt.* line 10: 9 cells"),
    "a line more": (data("VA", lambda d: d + d.split(b"\n")[0]), r"bp_VA\.txt.*more than the 6"),
    "a header": (data("T", lambda d: b"a\n" + d), r"bp_T\.txt.* line 1: 1 cells"),
    "commas": (data("T", lambda d: d.replace(b"\t", b",")), r"bp_T\.txt.* line 1: 1 cells"),
    "empty": (data("FD", lambda d: b""), r"bp_FD\.txt.*0 bytes cannot hold 10 x 24"),
    "no T": (lambda f, w: f.pop("T"), r"0 files Eora26_YEAR_bp_T\.txt"),
    "no FD": (lambda f, w: f.pop("FD"), r"holds no Eora26_2015_bp_FD\.txt"),
    "no VA": (lambda f, w: f.pop("VA"), r"holds no Eora26_2015_bp_VA\.txt"),
    "label missing": (
        rows("labels_T.txt", lambda r: r.pop(4)),
        r"labels_T\.txt row 5|labels_T.*row 5",
    ),
    "label twice": (
        rows("labels_T.txt", lambda r: r.__setitem__(4, r[3])),
        r"labels_T.*'SUD / Agriculture' stand",
    ),
    "labels swapped": (
        rows("labels_T.txt", lambda r: r.__setitem__(slice(3, 5), [r[4], r[3]])),
        r"labels_T.*row 4: 'SUD / Mining",
    ),
    "final labels swapped": (
        rows("labels_FD.txt", lambda r: r.__setitem__(slice(6, 8), [r[7], r[6]])),
        r"labels_FD.*row 7: 'SUD / Non",
    ),
    "regions of final demand swapped": (
        rows("labels_FD.txt", lambda r: r.__setitem__(slice(0, 12), [*r[6:12], *r[:6]])),
        r"labels_FD.*row 1: 'SUD / Household",
    ),
    "final label missing": (
        rows("labels_FD.txt", lambda r: r.pop(7)),
        r"labels_FD.*row 8: 'SUD / G",
    ),
    "region without final demand": (
        rows("labels_FD.txt", lambda r: r.__delitem__(slice(12, 18))),
        r"labels_FD.*12 labels of 3 regions",
    ),
    "value-added label missing": (
        rows("labels_VA.txt", lambda r: r.pop()),
        r"bp_VA.*more than the 5",
    ),
    "value-added label twice": (
        rows("labels_VA.txt", lambda r: r.__setitem__(1, r[0])),
        r"labels_VA.*'Primary Inputs / Comp.*more than once",
    ),
    "no discrepancy": (rows("labels_T.txt", lambda r: r.pop()), r"labels_T.*0 rows of ROW"),
    "two discrepancies": (
        rows("labels_T.txt", lambda r: r.append(r[-1])),
        r"labels_T.*2 rows of ROW",
    ),
    "discrepancy alone": (
        rows("labels_T.txt", lambda r: r.__delitem__(slice(0, 9))),
        r"labels_T.*no country",
    ),
    "two names": (
        rows("labels_T.txt", lambda r: r[1].__setitem__(0, "X")),
        r"AFG is 'Afgh.*and 'X'",
    ),
    "three words": (
        rows("labels_T.txt", lambda r: r[2].pop(1)),
        r"labels_T.* row 3: 4 labels were",
    ),
    "a blank word": (
        rows("labels_FD.txt", lambda r: r[2].__setitem__(3, "")),
        r"labels_FD.* row 3: 4",
    ),
    "six words": (
        rows("labels_FD.txt", lambda r: r[2].append("x")),
        r"labels_FD.* row 3: 4 labels",
    ),
    "no labels of value added": (lambda f, w: w.pop("labels_VA.txt"), r"labels_VA\.txt"),
    "no labels in it": (lambda f, w: w.__setitem__("labels_VA.txt", []), r"labels_VA.*no labels"),
    "labels not text": (
        lambda f, w: w.__setitem__("labels_T.txt", b"\xff\xfe\x00"),
        r"labels_T\.txt.* line 1: not text",
    ),
    "labels with a quote": (
        lambda f, w: w["labels_T.txt"][3].__setitem__(0, '"x'),
        r"labels_T\.txt.* line 4: cannot be split",
    ),
}


class TestRefused:
    @pytest.mark.parametrize("name", REFUSED)
    @pytest.mark.parametrize("put", [pack, pack_apart, unpack])
    def test_with_file_and_place(self, tmp_path, name, put):
        spoil, match = REFUSED[name]
        files, words = Numbers().files(), labels()
        spoil(files, words)
        path = put(tmp_path, files, words)
        with pytest.raises(DataError, match=match) as caught:
            eora26.read(path)
        assert str(tmp_path) in str(caught.value)

    def test_no_labels(self, tmp_path):
        path = pack(tmp_path, Numbers().files(), {})
        with pytest.raises(DataError, match=r"no labels_T\.txt, and there is no .*indices\.zip"):
            eora26.read(path)
        (tmp_path / "indices.zip").write_text("no archive")
        with pytest.raises(DataError, match=r"indices\.zip"):
            eora26.read(path)
        zipped(tmp_path / "indices.zip", {"a.txt": b""})
        with pytest.raises(DataError, match=r"indices\.zip holds 0 files labels_T\.txt"):
            eora26.read(path)

    def test_labels_of_countless_nodes(self, tmp_path):
        words = labels()
        words["labels_T.txt"] = [[f"n{k}", f"c{k}", "Industries", "s"] for k in range(20_001)]
        words["labels_T.txt"] += [["ROW", "ROW", "Industries", "TOTAL"]]
        path = pack(tmp_path, Numbers().files(), words)
        with pytest.raises(DataError, match=r"20,002 labels; more than 20,000"):
            eora26.read(path)
        del words["labels_T.txt"][:5]
        words["labels_FD.txt"] = [
            [f"n{k}", f"c{k}", "F", f"{j}"] for k in range(5, 20_001) for j in range(2)
        ]
        words["labels_T.txt"].insert(0, ["n5", "c5", "Industries", "t"])
        path = pack(tmp_path, Numbers().files(), words)
        tracemalloc.start()
        try:
            with pytest.raises(DataError):
                eora26.read(path)
            assert tracemalloc.get_traced_memory()[1] < SMALL
        finally:
            tracemalloc.stop()


class TestHostile:
    def test_members_that_escape(self, tmp_path):
        path = pack(tmp_path, Numbers().files() | {"../x.txt": b""})
        with pytest.raises(DataError, match="outside its folder"):
            eora26.read(path)
        path = pack_apart(tmp_path, Numbers().files(), labels() | {"../labels_T.txt": b""})
        with pytest.raises(DataError, match=r"indices\.zip.*outside its folder"):
            eora26.read(path)

    def test_links_and_pipes(self, tmp_path):
        path = unpack(tmp_path, Numbers().files())
        name = "Eora26_2015_bp_T.txt"
        (path / name).rename(tmp_path / "x")
        (path / name).symlink_to(tmp_path / "x")
        with pytest.raises(DataError, match="is a link"):
            eora26.read(path)
        (path / name).unlink()
        os.mkfifo(path / name)
        with pytest.raises(DataError, match="not an ordinary file"):
            eora26.read(path)

    def test_linked_labels(self, tmp_path):
        path = pack_apart(tmp_path, Numbers().files())
        (tmp_path / "indices.zip").rename(tmp_path / "x.zip")
        (tmp_path / "indices.zip").symlink_to(tmp_path / "x.zip")
        with pytest.raises(DataError, match="is a link"):
            eora26.read(path)

    def test_a_bomb(self, tmp_path):
        path = pack(tmp_path, Numbers().files() | {"FD": b"0\t" * 200_000_000})

        def work():
            with pytest.raises(DataError, match="refused"):
                eora26.read(path)

        bounded(work)

    def test_labels_without_end(self, tmp_path):
        words = labels() | {"labels_T.txt": b"ROW\tROW\tx\ty\n" * 2_000_000}
        path = unpack(tmp_path, Numbers().files(), words)
        with pytest.raises(DataError, match=r"labels_T\.txt: longer than"):
            eora26.read(path)


def holds(raw):
    try:
        same(raw, Numbers(1))
    except AssertionError:
        return False
    return True


FUZZ = written(Numbers(1).files() | labels())


class TestFuzz:
    @given(st.integers(0, 10**6))
    def test_a_zip_cut_short(self, end):
        with tempfile.TemporaryDirectory() as folder:
            path = pack(folder, FUZZ, {})
            cut(path, end)
            assert outcome(eora26.read, path) is None

    @given(turns)
    def test_bytes_turned_in_a_zip(self, spots):
        with tempfile.TemporaryDirectory() as folder:
            path = pack(folder, FUZZ, {})
            turn(path, spots)
            raw = outcome(eora26.read, path)
            assert raw is None or holds(raw)

    @given(st.sampled_from(sorted(FUZZ)), st.integers(0, 10**6))
    def test_a_file_cut_short(self, name, end):
        with tempfile.TemporaryDirectory() as folder:
            path = unpack(folder, FUZZ, {})
            data = (path / name).read_bytes()
            cut = end % len(data)
            (path / name).write_bytes(data[:cut])
            raw = outcome(eora26.read, path)
            # In the very last cell or label, of ROW or value added, a shorter one is one.
            last = cut > max(data[:-1].rfind(b"\t", 0, -2), data[:-1].rfind(b"\n"))
            assert raw is None or holds(raw) or last

    @given(st.sampled_from(sorted(FUZZ)), st.integers(0, 10**6), st.binary(max_size=4))
    def test_bytes_put_into_a_file(self, name, at, junk):
        with tempfile.TemporaryDirectory() as folder:
            path = unpack(folder, FUZZ, {})
            data = (path / name).read_bytes()
            at %= len(data)
            (path / name).write_bytes(data[:at] + junk + data[at + 1 :])
            outcome(eora26.read, path)
