"""EXIOBASE 3 as published: every cell read back, every flaw refused, nothing else opened."""

import os
import pickle
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import bounded, cut, outcome, turn, turns
from hypothesis import given
from hypothesis import strategies as st
from official import content

from entrepot.core.errors import DataError
from entrepot.sources import exiobase, text
from entrepot.world.audit import audit

REGIONS, ISO3 = ["AT", "US", "WF"], ("AUT", "USA", "WF")
SECTORS = ["Cultivation of paddy rice", "Fishing, and services", "Other land transport"]
FINALS = [
    "Final consumption expenditure by households",
    "Final consumption expenditure by non-profit organisations serving households (NPISH)",
    "Final consumption expenditure by government",
    "Gross fixed capital formation",
    "Changes in inventories",
    "Changes in valuables",
    "Exports: Total (fob)",
]
TAX = "Taxes less subsidies on products purchased: Total"
WAGES = "Compensation of employees; wages, salaries, & employers' social contributions: "
ADDED = [
    "Other net taxes on production",
    f"{WAGES}Low-skilled",
    f"{WAGES}Medium-skilled",
    f"{WAGES}High-skilled",
    "Operating surplus: Consumption of fixed capital",
    "Operating surplus: Rents on land",
    "Operating surplus: Royalties on resources",
    "Operating surplus: Remaining net operating surplus",
]


def numbers(seed=0, sectors=SECTORS):
    """A balanced table with a sector that makes nothing, negative cells and negative income."""
    c = content(REGIONS, sectors, FINALS, added=8, seed=seed, year=2019)
    s = len(sectors)
    c.Z[s, :], c.Z[:, s], c.F[s] = 0, 0, 0
    c.T_inputs[s] = 0
    c.F[:, :, 6] = 0
    c.F[:, :, 4] = np.round(np.random.default_rng(seed).normal(0, 1, c.F.shape[:2]), 3)
    c.F[s] = 0
    c.V[:-1, 1] *= -1
    c.V[:, s] = 0
    c.V[-1] = c.x - c.Z.sum(0) - c.T_inputs - c.V[:-1].sum(0)
    return c


def cell(value):
    return repr(float(value))


def headed(top, sub, names, labels, values, second="sector"):
    """Three header lines, and rows of labels and numbers, as lists of cells."""
    pad = [""] * (len(names) - 1)
    yield ["region", *pad, *top]
    yield [second, *pad, *sub]
    yield [*names, *[""] * len(top)]
    for label, row in zip(labels, values, strict=True):
        yield [*label, *map(cell, row)]


def parts(c, layout="3.8", flows="Z", kind="ixi", on_final=None):
    """The files of a table, by name, as lists of rows of cells."""
    nodes = [(r, s) for r in c.regions for s in c.sectors]
    finals = [(r, f) for r in c.regions for f in c.finals]
    m = len(nodes)
    out = {}

    def matrix(name, columns, names, labels, values, second="sector"):
        out[name] = list(headed(*zip(*columns, strict=True), names, labels, values, second))

    x = c.x
    A = np.divide(c.Z, x, out=np.zeros((m, m)), where=x != 0)
    both = ["region", "sector"]
    for name, values in (("A", A), ("Z", c.Z)):
        if name in flows:
            matrix(f"{name}.txt", nodes, both, nodes, values)
    matrix("Y.txt", finals, both, nodes, c.F.reshape(m, -1), "category")
    out["x.txt"] = [[*both, "indout"], *[[*k, cell(v)] for k, v in zip(nodes, x, strict=True)]]
    out["unit.txt"] = [[*both, "unit"], *[[*k, "M.EUR"] for k in nodes]]
    for name, letter in (("industries", "i"), ("products", "p")):
        count = len(c.sectors) + (letter != kind[0])
        listed = [*c.sectors, "One more"][:count]
        out[f"{name}.txt"] = [["Number", "Name", "CodeNr", "CodeTxt"]] + [
            [str(k + 1), f'"{s}"' if "," in s else s, f"{letter}0{k}", f"A_{letter}{k}"]
            for k, s in enumerate(listed)
        ]
    rows = [TAX, *ADDED]
    low = np.vstack([c.T_inputs, c.V])
    final = np.zeros((9, len(finals)))
    final[0] = c.T_final.ravel()
    if on_final is not None:
        final[1:] = on_final
    folder, units = "factor_inputs", ["M.EUR"] * 9
    if layout == "3.8":
        folder, units = "satellite", ["M.EUR"] * 9 + ["kg", "1000 p"]
        rows = [*rows, "CO2 - combustion - air", "Employment: Low-skilled male"]
        low = np.vstack([low, np.full((2, m), 1e9)])
        final = np.vstack([final, np.full((2, len(finals)), -1e9)])
    labels = [(r,) for r in rows]
    matrix(f"{folder}/F.txt", nodes, ["stressor"], labels, low)
    matrix(f"{folder}/F_Y.txt", finals, ["stressor"], labels, final, "category")
    out[f"{folder}/unit.txt"] = [["stressor", "unit"], *map(list, zip(rows, units, strict=True))]
    return out


def written(files):
    """The bytes of files given as rows of cells; bytes stay as they are."""
    return {
        name: rows
        if isinstance(rows, bytes)
        else ("\n".join("\t".join(row) for row in rows) + "\n").encode()
        for name, rows in files.items()
    }


def pack(folder, files, name="IOT_2019_ixi", top=None):
    path = Path(folder) / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in written(files).items():
            archive.writestr(f"{name if top is None else top}/{member}".lstrip("/"), data)
    return path


def unpack(folder, files, name="IOT_2019_ixi"):
    for member, data in written(files).items():
        path = Path(folder) / name / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Path(folder) / name


def same(raw, c, flows="Z"):
    if flows == "A":
        np.testing.assert_allclose(raw.Z, c.Z, rtol=1e-14, atol=0)
    else:
        np.testing.assert_array_equal(raw.Z, c.Z)
    for block in ("F", "V", "T_inputs", "T_final"):
        np.testing.assert_array_equal(getattr(raw, block), getattr(c, block))
    np.testing.assert_array_equal(raw.declared_output, c.x)
    assert audit(raw).passed


class TestCells:
    @pytest.mark.parametrize("layout", ["3.8", "3.9"])
    @pytest.mark.parametrize("kind", ["ixi", "pxp"])
    @pytest.mark.parametrize("put", [pack, unpack])
    def test_every_cell_in_its_place(self, tmp_path, layout, kind, put):
        c = numbers()
        path = put(tmp_path, parts(c, layout, kind=kind), f"IOT_2019_{kind}")
        assert exiobase.matches(path)
        raw = exiobase.read(path)
        same(raw, c)
        assert (raw.name, raw.year, raw.unit) == (f"exiobase-{kind}-2019", 2019, "million EUR")
        assert raw.regions == ISO3
        assert raw.region_names["AUT"] == "Austria"
        assert raw.final_categories == tuple(FINALS)
        assert raw.value_added_categories == tuple(ADDED)
        assert raw.sector_codes == tuple(f"A_{kind[0]}{k}" for k in range(3))
        assert [s.name for s in raw.sectors] == SECTORS
        assert (raw.margins, raw.provenance["estimated"]) == ({}, [])
        assert (c.Z < 0).sum() == 0
        assert (raw.F < 0).any()
        assert (raw.V[:-1] < 0).any()
        assert not raw.Z[3].any()

    def test_rest_of_africa_is_not_wallis_and_futuna(self, tmp_path):
        raw = exiobase.read(pack(tmp_path, parts(numbers())))
        assert raw.region_names["WF"] == "Rest of Africa"

    def test_flows_from_coefficients_say_so(self, tmp_path):
        c = numbers()
        raw = exiobase.read(pack(tmp_path, parts(c, flows="A")))
        same(raw, c, "A")
        assert "no Z.txt" in raw.provenance["estimated"][0]

    def test_with_both_the_flows_count(self, tmp_path):
        c = numbers()
        files = parts(c, flows="AZ")
        files["A.txt"] = [["nonsense"]]
        same(exiobase.read(pack(tmp_path, files)), c)

    def test_value_added_on_final_use_is_kept(self, tmp_path):
        c = numbers()
        extra = np.zeros((8, 21))
        extra[4, 3], extra[7, 20] = -2.5, 1.25
        raw = exiobase.read(pack(tmp_path, parts(c, on_final=extra)))
        same(raw, c)
        assert set(raw.margins) == {f"{ADDED[4]} on final use", f"{ADDED[7]} on final use"}
        for k in (4, 7):
            margin = raw.margins[f"{ADDED[k]} on final use"]
            np.testing.assert_array_equal(margin.final.ravel(), extra[k])
            assert not margin.inputs.any()
        assert audit(raw).totals["margins"] == -1.25

    def test_older_names_and_missing_helpers(self, tmp_path):
        c = numbers()
        files = parts(c)
        files["satellite/F_hh.txt"] = files.pop("satellite/F_Y.txt")
        for name in ("unit.txt", "satellite/unit.txt", "x.txt", "industries.txt"):
            del files[name]
        raw = exiobase.read(pack(tmp_path, files))
        np.testing.assert_array_equal(raw.T_final, c.T_final)
        assert raw.declared_output is None
        assert raw.sector_codes == tuple(SECTORS)
        assert len(raw.provenance["notes"]) == 2

    @pytest.mark.parametrize("newline", ["\r\n", "\n"])
    def test_line_ends(self, tmp_path, newline):
        c = numbers()
        files = {
            k: v.replace(b"\n", newline.encode()).rstrip() for k, v in written(parts(c)).items()
        }
        same(exiobase.read(pack(tmp_path, files)), c)

    @pytest.mark.parametrize("size", [1, 7, 100, 1000])
    def test_blocks_of_any_size(self, tmp_path, monkeypatch, size):
        c = numbers()
        path = pack(tmp_path, parts(c))
        monkeypatch.setattr(text, "BLOCK", size)
        same(exiobase.read(path), c)

    def test_a_blank_cell_stays_blank(self, tmp_path):
        for name, block in (("Z.txt", "Z"), ("Y.txt", "F"), ("satellite/F.txt", "V")):
            files = parts(numbers())
            files[name][6][4] = ""
            raw = exiobase.read(pack(tmp_path, files))
            assert np.isnan(getattr(raw, block)).sum() == 1
            assert "missing-cells" in {f.check for f in audit(raw).findings if f.level == "fail"}


class TestCodes:
    def test_the_second_code_where_the_first_repeats(self, tmp_path):
        files = parts(numbers())
        files["industries.txt"][1][3] = files["industries.txt"][2][3]
        raw = exiobase.read(pack(tmp_path, files))
        assert raw.sector_codes == ("i00", "i01", "i02")

    def test_names_where_the_list_is_another(self, tmp_path):
        files = parts(numbers())
        files["industries.txt"].append(["4", "More", "i03", "A_i3"])
        assert exiobase.read(pack(tmp_path, files)).sector_codes == tuple(SECTORS)

    def test_the_list_tells_the_kind_where_the_name_does_not(self, tmp_path):
        path = pack(tmp_path, parts(numbers(), kind="pxp"), "mine", "")
        assert exiobase.matches(path)
        raw = exiobase.read(path, year=2019)
        assert (raw.name, raw.sector_codes[0]) == ("exiobase-pxp-2019", "A_p0")
        with pytest.raises(DataError, match="holds no year"):
            exiobase.read(path)

    def test_a_list_in_another_order_is_refused(self, tmp_path):
        files = parts(numbers())
        files["industries.txt"][1:3] = files["industries.txt"][2:0:-1]
        with pytest.raises(DataError, match=r"industries\.txt.*another order"):
            exiobase.read(pack(tmp_path, files))


class TestWhere:
    def test_years_in_one_zip(self, tmp_path):
        both = {}
        for year in (2018, 2019):
            files = parts(numbers(year))
            both |= {f"IOT_{year}_ixi/{k}": v for k, v in files.items()}
        path = pack(tmp_path, both, "two", "")
        with pytest.raises(DataError, match="holds 2 tables"):
            exiobase.read(path)
        same(exiobase.read(path, year=2018), numbers(2018))
        same(exiobase.read(path, member="IOT_2019_ixi"), numbers(2019))
        same(exiobase.read(path, member="IOT_2019_ixi/Z.txt"), numbers(2019))
        for bad in ("IOT_2020_ixi", "Z.txt", ""):
            with pytest.raises(DataError):
                exiobase.read(path, member=bad)
        with pytest.raises(DataError, match="holds 0 tables"):
            exiobase.read(path, year=2020)

    def test_a_folder_of_zips_or_of_folders(self, tmp_path):
        for year in (2018, 2019):
            pack(tmp_path, parts(numbers(year)), f"IOT_{year}_ixi")
        assert exiobase.matches(tmp_path)
        same(exiobase.read(tmp_path, year=2018), numbers(2018))
        same(exiobase.read(tmp_path, member="IOT_2019_ixi.zip"), numbers(2019))
        with pytest.raises(DataError, match="say which"):
            exiobase.read(tmp_path)
        unpack(tmp_path / "open", parts(numbers(5)))
        same(exiobase.read(tmp_path / "open"), numbers(5))

    def test_years_that_contradict(self, tmp_path):
        path = pack(tmp_path, parts(numbers()))
        with pytest.raises(DataError, match="named 2019, but 2018"):
            exiobase.read(path, year=2018)
        path = pack(tmp_path, parts(numbers()), top="IOT_2011_ixi")
        with pytest.raises(DataError, match="differ"):
            exiobase.read(path)

    def test_other_files_are_not_its_own(self, tmp_path):
        (tmp_path / "IOT_2019_ixi.csv").write_text("a,b\n")
        (tmp_path / "empty").mkdir()
        other = pack(tmp_path, {"a.txt": [["b"]]}, "other")
        for path in (tmp_path / "IOT_2019_ixi.csv", tmp_path / "empty", other, tmp_path / "no"):
            assert not exiobase.matches(path)
            with pytest.raises(DataError):
                exiobase.read(path)

    def test_the_digest_is_of_what_was_read(self, tmp_path):
        files = parts(numbers())
        path = unpack(tmp_path, files)
        before = exiobase.read(path).provenance["sha256"]
        (path / "other.txt").write_text("x")
        assert exiobase.read(path).provenance["sha256"] == before
        (path / "unit.txt").write_bytes((path / "unit.txt").read_bytes() + b"\n")
        assert exiobase.read(path).provenance["sha256"] != before


def put(name, i, j, value):
    def spoil(files):
        files[name][i][j] = value

    return spoil


def swap(name, i, j):
    def spoil(files):
        rows = files[name]
        rows[i], rows[j] = rows[j], rows[i]

    return spoil


def swap_columns(name, i, j):
    def spoil(files):
        for row in files[name]:
            row[i], row[j] = row[j], row[i]

    return spoil


def drop(name, i=None):
    return lambda files: files.pop(name) if i is None else files[name].pop(i)


def relabel(name, old, new, where=slice(None)):
    def spoil(files):
        for row in files[name][where]:
            row[:] = [new if word == old else word for word in row]

    return spoil


def everywhere(old, new):
    def spoil(files):
        for name in files:
            relabel(name, old, new)(files)

    return spoil


REFUSED = {
    "text": (put("Z.txt", 5, 4, "abc"), r"Z\.txt.* line 6, column 5: 'abc' is not a number"),
    "comma": (put("Z.txt", 5, 4, "1,5"), r"line 6, column 5: '1,5' is not a number"),
    "short line": (lambda f: f["Z.txt"][5].pop(), r"Z\.txt.* line 6: 10 cells; the header has 11"),
    "long line": (lambda f: f["Y.txt"][5].append("7"), r"Y\.txt.* line 6: .* cells; the header"),
    "short line of factors": (lambda f: f["satellite/F.txt"][13].pop(), r"F\.txt.* line 14: "),
    "missing row": (drop("Z.txt", -1), r"Z\.txt.*8 rows; 9 were expected. Cut short"),
    "row more": (lambda f: f["Y.txt"].append(f["Y.txt"][-1]), r"Y\.txt.*more than the 9 rows"),
    "missing output": (drop("x.txt", -1), r"x\.txt.*8 rows; 9 were expected"),
    "blank line": (lambda f: f["Z.txt"].insert(6, []), r"Z\.txt.* line 7: blank, among"),
    "row twice": (lambda f: f["Z.txt"].__setitem__(5, f["Z.txt"][4]), r"line 6 is 'AT / Fishing"),
    "rows swapped": (swap("Z.txt", 4, 5), r"Z\.txt.* line 5 is 'AT / Other"),
    "rows of final use swapped": (swap("Y.txt", 4, 5), r"Y\.txt.* line 5 is 'AT / Other"),
    "output swapped": (swap("x.txt", 1, 2), r"x\.txt.* line 2 is 'AT / Fishing"),
    "units swapped": (swap("unit.txt", 1, 2), r"unit\.txt.* line 2 is 'AT / Fishing"),
    "columns swapped": (swap_columns("Z.txt", 2, 3), r"Z\.txt.*"),
    "columns of factors swapped": (
        swap_columns("satellite/F.txt", 2, 3),
        r"satellite/F\.txt.* column 6 is 'US / Fishing",
    ),
    "columns of taxes swapped": (
        swap_columns("satellite/F_Y.txt", 2, 3),
        r"F_Y\.txt.* column 10 is 'US",
    ),
    "sectors of factors in another order": (
        lambda f: [swap_columns("satellite/F.txt", k, k + 1)(f) for k in (1, 4, 7)],
        r"satellite/F\.txt.* column 2 is 'AT / Fishing",
    ),
    "regions of factors in another order": (
        lambda f: [swap_columns("satellite/F.txt", k, k + 3)(f) for k in (1, 2, 3)],
        r"satellite/F\.txt.* column 2 is 'US / Cult",
    ),
    "category twice": (put("Y.txt", 1, 3, FINALS[0]), r"Y\.txt.*stand\(s\) more than once"),
    "category of one region": (put("Y.txt", 1, 10, "Other"), r"Y\.txt.* column 11 is 'US / Other'"),
    "column twice": (put("Z.txt", 1, 3, SECTORS[0]), r"Z\.txt.*stand\(s\) more than once"),
    "unknown region": (everywhere("US", "XX"), r"Z\.txt.*unknown regions 'XX'"),
    "region of final use": (relabel("Y.txt", "US", "CN", slice(0, 1)), r"Y\.txt.*'CN'; 'US' was"),
    "blank label": (put("Z.txt", 1, 4, ""), r"Z\.txt.* column 5 has a blank label"),
    "two header lines": (drop("Z.txt", 2), r"Z\.txt.*three header lines"),
    "one header line": (drop("Y.txt", 0), r"Y\.txt"),
    "a header alone": (
        lambda f: f.__setitem__("Z.txt", f["Z.txt"][:3]),
        r"Z\.txt.*(0 rows; 9 were|cannot hold)",
    ),
    "nothing": (lambda f: f.__setitem__("Z.txt", []), r"Z\.txt.*0 and 0 cells|blank"),
    "output of two columns": (put("x.txt", 0, 2, "a\tb"), r"x\.txt.*4 columns"),
    "unit": (put("unit.txt", 4, 2, "kEUR"), r"unit\.txt.* line 5: the unit is 'kEUR'"),
    "unit of a row": (
        put("satellite/unit.txt", 2, 1, "kg"),
        r"satellite/F\.txt.*unit of 'Other net taxes on production' is 'kg'",
    ),
    "no unit of a row": (drop("satellite/unit.txt", 2), r"satellite/F\.txt.* is None, not M.EUR"),
    "unit twice": (
        lambda f: f["satellite/unit.txt"].append(f["satellite/unit.txt"][1]),
        r"satellite/unit\.txt.*stands twice",
    ),
    "unit row of three": (put("satellite/unit.txt", 2, 1, "a\tb"), r"unit\.txt.*3 cells"),
    "factor missing": (drop("satellite/F.txt", 5), r"satellite/F\.txt.*1 rows are missing: .Comp"),
    "factor twice": (
        lambda f: f["satellite/F.txt"].append(f["satellite/F.txt"][4]),
        r"satellite/F\.txt.*'Other net taxes on production' stands twice",
    ),
    "factor on final use missing": (drop("satellite/F_Y.txt", 3), r"F_Y\.txt.*1 rows are missing"),
    "no flows": (drop("Z.txt"), r"no Z\.txt or A\.txt"),
    "no final use": (drop("Y.txt"), r"holds no IOT_2019_ixi/Y\.txt"),
    "no factors": (drop("satellite/F.txt"), r"no .*factor_inputs/F\.txt and no .*satellite/F\.txt"),
    "no taxes": (drop("satellite/F_Y.txt"), r"no .*satellite/F_Y\.txt"),
    "not text": (
        lambda f: f.__setitem__(
            "Z.txt", written({"Z": f["Z.txt"]})["Z"].replace(b"AT", b"\xff\xfe")
        ),
        r"Z\.txt.* line 1: not text in UTF-8",
    ),
    "a quote that runs on": (put("Z.txt", 5, 0, '"AT'), r"Z\.txt.* line 6"),
}


class TestRefused:
    @pytest.mark.parametrize("name", REFUSED)
    @pytest.mark.parametrize("how", [pack, unpack])
    def test_with_file_and_place(self, tmp_path, name, how):
        spoil, match = REFUSED[name]
        files = parts(numbers())
        spoil(files)
        if how is unpack:
            match = match.replace("IOT_2019_ixi/", "")
        path = how(tmp_path, files)
        with pytest.raises(DataError, match=match) as caught:
            exiobase.read(path)
        assert str(path) in str(caught.value)

    def test_coefficients_without_output(self, tmp_path):
        files = parts(numbers(), flows="A")
        del files["x.txt"]
        with pytest.raises(DataError, match=r"no IOT_2019_ixi/x\.txt"):
            exiobase.read(pack(tmp_path, files))

    def test_unknown_value_added(self, tmp_path):
        files = parts(numbers(), "3.9")
        files["factor_inputs/F.txt"].append(["New tax", *["1"] * 9])
        with pytest.raises(DataError, match=r"factor_inputs/F\.txt.*not known: 'New tax'"):
            exiobase.read(pack(tmp_path, files))
        files["factor_inputs/unit.txt"].append(["New tax", "1000 p"])
        same(exiobase.read(pack(tmp_path, files)), numbers())

    def test_too_many_nodes(self, tmp_path):
        files = parts(numbers())
        wide = [f"s{k}" for k in range(20_001)]
        files["Z.txt"] = [
            ["region", "", *["AT"] * 20_001],
            ["sector", "", *wide],
            ["region", "sector"],
        ]
        with pytest.raises(DataError, match=r"20,001 columns; more than 20,000"):
            exiobase.read(pack(tmp_path, files))


class TestHostile:
    def test_nothing_is_unpickled_and_no_parameters_are_read(self, tmp_path):
        class Bad:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "ran"),)

        files = parts(numbers())
        files["A.pkl"] = pickle.dumps(Bad())
        files["file_parameters.json"] = (
            b'{"files": {"Z": {"name": "A.pkl"}, "Y": {"name": "../../secret"}}}'
        )
        same(exiobase.read(pack(tmp_path, files)), numbers())
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("name", ["../Z.txt", "/tmp/Z.txt", "a/../../Z.txt", "..\\Z.txt"])
    def test_members_that_escape(self, tmp_path, name):
        path = pack(tmp_path, parts(numbers()))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, "x")
        with pytest.raises(DataError, match="outside its folder"):
            exiobase.read(path)

    def test_links(self, tmp_path):
        files = parts(numbers())
        path = unpack(tmp_path, files)
        (path / "Y.txt").rename(tmp_path / "elsewhere")
        (path / "Y.txt").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(DataError, match=r"Y\.txt is a link"):
            exiobase.read(path)
        packed = pack(tmp_path, files)
        with zipfile.ZipFile(packed, "a") as archive:
            entry = zipfile.ZipInfo("IOT_2019_ixi/M.txt")
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, "/etc/passwd")
        with pytest.raises(DataError, match="is a link"):
            exiobase.read(packed)

    def test_a_pipe(self, tmp_path):
        path = unpack(tmp_path, parts(numbers()))
        (path / "Y.txt").unlink()
        os.mkfifo(path / "Y.txt")
        with pytest.raises(DataError, match="not an ordinary file"):
            exiobase.read(path)

    def test_a_member_twice(self, tmp_path):
        path = pack(tmp_path, parts(numbers()))
        with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("IOT_2019_ixi/Z.txt", "x")
        with pytest.raises(DataError, match="more than once"):
            exiobase.read(path)

    def test_a_bomb(self, tmp_path):
        files = parts(numbers()) | {"Z.txt": b"0\t" * 200_000_000}
        path = pack(tmp_path, files)
        del files

        def work():
            with pytest.raises(DataError, match="refused"):
                exiobase.read(path)

        bounded(work)


def holds(raw, c, atol=0.0):
    return all(
        np.allclose(getattr(raw, block), getattr(c, block), rtol=1e-12, atol=atol)
        for block in ("Z", "F", "V", "T_inputs", "T_final")
    )


FUZZ = parts(numbers(1), flows="AZ")


class TestFuzz:
    @given(st.integers(0, 10**6))
    def test_a_zip_cut_short(self, end):
        with tempfile.TemporaryDirectory() as folder:
            path = pack(folder, FUZZ)
            cut(path, end)
            assert outcome(exiobase.read, path) is None

    @given(turns)
    def test_bytes_turned_in_a_zip(self, spots):
        with tempfile.TemporaryDirectory() as folder:
            path = pack(folder, FUZZ)
            turn(path, spots)
            raw = outcome(exiobase.read, path)
            assert raw is None or holds(raw, numbers(1))

    @given(st.sampled_from(sorted(FUZZ)), st.integers(0, 10**6))
    def test_a_file_cut_short(self, name, end):
        with tempfile.TemporaryDirectory() as folder:
            path = unpack(folder, FUZZ)
            data = (path / name).read_bytes()
            (path / name).write_bytes(data[: end % len(data)])
            raw = outcome(exiobase.read, path)
            # In the very last cell a shorter number is a number; the sums tell, to their tolerance.
            assert raw is None or holds(raw, numbers(1), 0.011) or not audit(raw).passed

    @given(st.sampled_from(sorted(FUZZ)), st.integers(0, 10**6), st.binary(max_size=4))
    def test_bytes_put_into_a_file(self, name, at, junk):
        with tempfile.TemporaryDirectory() as folder:
            path = unpack(folder, FUZZ)
            data = (path / name).read_bytes()
            at %= len(data)
            (path / name).write_bytes(data[:at] + junk + data[at + 1 :])
            outcome(exiobase.read, path)
