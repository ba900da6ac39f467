"""GLORIA as published: use and diagonal supply read to the cell, nothing out of place passed over."""

import os
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hostile import bounded, cut, outcome, turn, turns
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.core.errors import DataError
from entrepot.sources import gloria, text
from entrepot.world.audit import audit

REGIONS = [("AFG", "Afghanistan"), ("SDS", "South Sudan"), ("DYE", "DR Yemen (Aden)")]
SECTORS = ["Growing wheat", "Basic iron, steel", "Other services"]
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
SHEETS = {
    "Regions": [["Lfd_Nr", "Region_acronyms", "Region_names"]]
    + [[k, *pair] for k, pair in enumerate(REGIONS, 1)],
    "Sectors": [["Lfd_Nr", "Sector_names"]] + [[k, x] for k, x in enumerate(SECTORS, 1)],
    "Value added and final demand": [["Lfd_Nr", "Value_added_names", "Final_demand_names"]]
    + [[k, *pair] for k, pair in enumerate(zip(ADDED, FINALS, strict=True), 1)],
    "Valuations": [["Lfd_Nr", "Valuation_names"], [1, "Basic prices"]],
}
N, S, V, C = 3, 3, 6, 6
M = N * S
INDUSTRY = [r * 2 * S + k for r in range(N) for k in range(S)]
PRODUCT = [i + S for i in INDUSTRY]


class Numbers:
    """A balanced table in thousand dollars; the last region no longer exists."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        live = M - S
        self.use, self.final = np.zeros((M, M)), np.zeros((M, N * C))
        self.use[:live, :live] = np.round(rng.lognormal(5, 2, (live, live)), 3)
        self.use[1, :] = 0
        self.final[:live, : 2 * C] = np.round(rng.lognormal(6, 1, (live, 2 * C)), 3)
        self.final[:live, 4] = -np.round(rng.lognormal(1, 1, live), 3)
        self.x = self.use.sum(1) + self.final.sum(1)
        rest = self.x - self.use.sum(0)
        self.added = np.array([0.5, 0.1, -0.05, 0.2, 0.1, 0.15])[:, None] * rest

    def files(self):
        T, Y = np.zeros((2 * M, 2 * M)), np.zeros((2 * M, N * C))
        for i in range(M):
            T[INDUSTRY[i], PRODUCT[i]] = self.x[i]
            T[PRODUCT[i], INDUSTRY] = self.use[i]
            Y[PRODUCT[i]] = self.final[i]
        W = np.zeros((N * V, 2 * M))
        for i in range(M):
            for v in range(V):
                W[i // S * V + v, INDUSTRY[i]] = self.added[v, i]
        return {"T": T, "Y": Y, "V": W}


def lines(values):
    """Numbers as text; bytes stay as they are."""
    if isinstance(values, bytes):
        return values
    return "".join(",".join(repr(float(v)) for v in row) + "\n" for row in values).encode()


def named(part, year=2022, release="059", markup=1, date="20240111"):
    return (
        f"{date}_120secMother_AllCountries_002_{part}-Results_{year}_{release}_"
        f"Markup00{markup}(full).csv"
    )


def readme(folder, sheets=SHEETS, name="GLORIA_ReadMe_059.xlsx"):
    book = openpyxl.Workbook(write_only=True)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    Path(folder).mkdir(parents=True, exist_ok=True)
    book.save(Path(folder) / name)
    return Path(folder) / name


def pack(folder, files, year=2022, labels=True):
    path = Path(folder) / f"GLORIA_MRIOs_59_{year}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, values in files.items():
            archive.writestr(named(part, year) if len(part) == 1 else part, lines(values))
    if labels:
        readme(folder)
    return path


def unpack(folder, files, year=2022, labels=True):
    for part, values in files.items():
        (Path(folder) / (named(part, year) if len(part) == 1 else part)).write_bytes(lines(values))
    if labels:
        readme(folder)
    return Path(folder)


def same(raw, c):
    np.testing.assert_array_equal(raw.Z, c.use)
    np.testing.assert_array_equal(raw.F.reshape(M, -1), c.final)
    np.testing.assert_array_equal(raw.V, c.added)
    np.testing.assert_array_equal(raw.declared_output, c.x)
    assert not raw.T_inputs.any()
    assert not raw.T_final.any()
    assert audit(raw).passed


@pytest.fixture
def fast(monkeypatch):
    """Labels without a process for each."""
    words = {
        name: [[str(cell) for cell in row] for row in SHEETS[name][1:]] for name in gloria.SHEETS
    }
    monkeypatch.setattr(gloria, "read_columns", lambda data, where, sheets: words)


class TestCells:
    @pytest.mark.parametrize("put", [pack, unpack])
    def test_every_cell_in_its_place(self, tmp_path, put):
        c = Numbers()
        path = put(tmp_path, c.files())
        assert gloria.matches(path)
        raw = gloria.read(path)
        same(raw, c)
        assert (raw.name, raw.year, raw.unit) == ("gloria-059-2022", 2022, "thousand USD")
        assert raw.regions == ("AFG", "SSD", "DYE")
        assert raw.region_names["SSD"] == "South Sudan"
        assert raw.sector_codes == tuple(SECTORS)
        assert raw.final_categories == tuple(FINALS)
        assert raw.value_added_categories == tuple(ADDED)
        assert "SDS of the source is SSD." in raw.provenance["notes"]
        assert raw.provenance["labels"] == "GLORIA_ReadMe_059.xlsx"
        assert (raw.F < 0).any()
        assert (raw.V[2] < 0).any()
        assert not raw.Z[1].any()

    @pytest.mark.parametrize("size", [1, 10, 70, 300, 1000])
    def test_blocks_of_any_size(self, tmp_path, monkeypatch, fast, size):
        c = Numbers(3)
        path = pack(tmp_path, c.files())
        monkeypatch.setattr(text, "BLOCK", size)
        same(gloria.read(path), c)

    def test_forms_of_numbers(self, tmp_path, fast):
        c = Numbers()
        files = {k: lines(v).replace(b"0.0,", b"0,").strip() for k, v in c.files().items()}
        files["T"] = files["T"].replace(b"\n", b"\r\n")
        raw = gloria.read(pack(tmp_path, files))
        same(raw, c)
        files = c.files()
        files["T"] = lines(files["T"]).replace(b"0.0,0.0", b"-0.0,0e0", 1)
        same(gloria.read(pack(tmp_path, files)), c)

    def test_a_blank_cell_stays_blank(self, tmp_path, fast):
        for part, i, j, block in (
            ("T", PRODUCT[2], INDUSTRY[4], "Z"),
            ("T", INDUSTRY[2], PRODUCT[2], "declared_output"),
            ("Y", PRODUCT[2], 3, "F"),
            ("V", 1, INDUSTRY[2], "V"),
        ):
            files = Numbers().files()
            files[part][i, j] = np.nan
            raw = gloria.read(pack(tmp_path, files))
            assert np.isnan(getattr(raw, block)).sum() == 1
            assert not audit(raw).passed

    def test_other_layers_are_not_opened(self, tmp_path, fast):
        c = Numbers()
        files = c.files()
        for markup in range(2, 6):
            files |= {named(part, markup=markup): b"nonsense" for part in "TY"}
        same(gloria.read(pack(tmp_path, files)), c)

    def test_supply_that_is_less_than_what_is_used_is_not_mended(self, tmp_path, fast):
        files = Numbers().files()
        files["T"][INDUSTRY[2], PRODUCT[2]] = 0
        raw = gloria.read(pack(tmp_path, files))
        assert "declared-output" in {f.check for f in audit(raw).findings if f.level == "fail"}


STRAYS = {
    "supply": ("T", INDUSTRY[0], PRODUCT[4], "supply off the diagonal", "industry AFG 'Growing"),
    "supply of another region": ("T", INDUSTRY[8], PRODUCT[0], "supply off", "industry DYE 'Other"),
    "industries": ("T", INDUSTRY[2], INDUSTRY[2], "industry by industry", "to industry AFG 'Oth"),
    "products": ("T", PRODUCT[2], PRODUCT[8], "product by product", "to product DYE 'Other"),
    "final use": ("Y", INDUSTRY[4], 7, "final use of an industry", "to SDS 'Non-profit"),
    "products' value added": ("V", 1, PRODUCT[2], "value added of products", "'Taxes on prod"),
    "value added abroad": ("V", 0, INDUSTRY[3], "value added of another region", "industry SDS"),
}


class TestNothingIsDropped:
    @pytest.mark.parametrize("name", STRAYS)
    @pytest.mark.parametrize("value", [1000.0, -0.001, np.nan])
    def test_cells_out_of_place(self, tmp_path, fast, name, value):
        part, i, j, what, words = STRAYS[name]
        files = Numbers().files()
        files[part][i, j] = value
        path = pack(tmp_path, files)
        with pytest.raises(DataError, match=what) as caught:
            gloria.read(path)
        said = str(caught.value)
        assert f"{path} ({named(part)})" in said
        assert f"line {i + 1}, column {j + 1} (" in said
        assert words in said
        assert "1 cells" in said
        assert f"{0 if np.isnan(value) else abs(value):,.6g} in all" in said
        assert f"{value:.6g}" in said

    def test_all_of_them_are_counted(self, tmp_path, monkeypatch, fast):
        monkeypatch.setattr(text, "BLOCK", 100)
        files = Numbers().files()
        files["T"][INDUSTRY[7], PRODUCT[1]] = 2.5
        files["T"][INDUSTRY[3], PRODUCT[5]] = -4
        files["T"][PRODUCT[8], PRODUCT[8]] = 7
        with pytest.raises(DataError) as caught:
            gloria.read(pack(tmp_path, files))
        said = str(caught.value)
        assert (
            "supply off the diagonal: 2 cells, 6.5 in all, the first in line 7, column 12" in said
        )
        assert "product by product: 1 cells, 7 in all" in said

    def test_products_before_industries(self, tmp_path, fast):
        files = Numbers().files()
        order = [k for r in range(N) for k in (*PRODUCT[r * S : r * S + S], *INDUSTRY[r * S :][:S])]
        files["T"] = files["T"][order][:, order]
        with pytest.raises(DataError, match=r"supply off|product by product"):
            gloria.read(pack(tmp_path, files))


def spoiled(part, change):
    def spoil(files):
        files[part] = change(lines(files[part]))

    return spoil


def row(data, k, change):
    rows = data.split(b"\n")
    rows[k] = change(rows[k])
    return b"\n".join(rows)


REFUSED = {
    "text": (
        spoiled("T", lambda d: row(d, 3, lambda r: b"abc" + r[3:])),
        r"T-Res.* line 4, column 1",
    ),
    "short line": (
        spoiled("T", lambda d: row(d, 3, lambda r: r[: r.rindex(b",")])),
        r"T-Res.* line 4: 17 cells; a line of it has 18",
    ),
    "long line": (spoiled("Y", lambda d: row(d, 3, lambda r: r + b",0")), r"Y-Res.* line 4: 19"),
    "missing line": (spoiled("V", lambda d: row(d, 3, lambda r: b"")), r"V-Res.* line 4: blank"),
    "last line missing": (
        spoiled("T", lambda d: d[: d[:-1].rindex(b"\n") + 1]),
        r"T-Res.*17 rows; 18 were expected. Cut short",
    ),
    "a line more": (
        spoiled("T", lambda d: d + row(d, 0, bytes).split(b"\n")[0]),
        r"more than the 18",
    ),
    "a header": (spoiled("Y", lambda d: b"a,b\n" + d), r"Y-Res.* line 1: 2 cells"),
    "cut short": (spoiled("T", lambda d: d[: len(d) // 2]), r"T-Res.*(Cut short|cannot hold)"),
    "empty": (spoiled("V", lambda d: b""), r"V-Res.*0 bytes cannot hold 18 x 18 cells"),
    "semicolons": (spoiled("T", lambda d: d.replace(b",", b";")), r"T-Res.* line 1: 1 cells"),
    "no T": (lambda f: f.pop("T"), r"holds no file"),
    "no Y": (lambda f: f.pop("Y"), r"holds 0 files _Y-Results_2022_059"),
    "no V": (lambda f: f.pop("V"), r"holds 0 files _V-Results_2022_059"),
    "V of another year": (
        lambda f: f.__setitem__(named("V", 2021), f.pop("V")),
        r"holds 0 files _V-Results_2022",
    ),
    "V of another release": (
        lambda f: f.__setitem__(named("V", release="057"), f.pop("V")),
        r"holds 0 files _V-Results_2022",
    ),
    "two T": (
        lambda f: f.__setitem__(named("T", date="20240112"), f["T"]),
        r"holds 2 files .*say which",
    ),
}


class TestRefused:
    @pytest.mark.parametrize("name", REFUSED)
    @pytest.mark.parametrize("put", [pack, unpack])
    def test_with_file_and_place(self, tmp_path, fast, name, put):
        spoil, match = REFUSED[name]
        files = Numbers().files()
        spoil(files)
        path = put(tmp_path, files)
        with pytest.raises(DataError, match=match) as caught:
            gloria.read(path)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize("part", ["T", "V"])
    def test_a_blank_line_between_blocks(self, tmp_path, monkeypatch, fast, part):
        files = Numbers().files()
        files[part] = lines(files[part]).replace(b"\n", b"\n\n", 3)
        path = pack(tmp_path, files)
        monkeypatch.setattr(text, "BLOCK", 1)
        with pytest.raises(DataError, match=rf"{part}-Res.* line 2: blank, among the rows"):
            gloria.read(path)

    def test_two_dates_and_a_choice(self, tmp_path, fast):
        c = Numbers()
        files = c.files()
        files |= {named(part, date="20240112"): lines(Numbers(1).files()[part]) for part in "TYV"}
        path = pack(tmp_path, files)
        same(gloria.read(path, member=named("T")), c)
        same(gloria.read(path, member=named("T", date="20240112")), Numbers(1))
        with pytest.raises(DataError, match="holds no file"):
            gloria.read(path, member=named("Y"))

    def test_dates_that_differ_between_files(self, tmp_path, fast):
        files = Numbers().files()
        files[named("V", date="20231117")] = files.pop("V")
        same(gloria.read(pack(tmp_path, files)), Numbers())

    def test_years(self, tmp_path, fast):
        for year in (2021, 2022):
            pack(tmp_path, Numbers(year).files(), year)
        assert gloria.matches(tmp_path)
        same(gloria.read(tmp_path, year=2021), Numbers(2021))
        same(gloria.read(tmp_path, member="GLORIA_MRIOs_59_2022.zip"), Numbers(2022))
        for bad in ({}, {"year": 2020}, {"member": "other.zip"}):
            with pytest.raises(DataError):
                gloria.read(tmp_path, **bad)
        with pytest.raises(DataError):
            gloria.read(tmp_path / "GLORIA_MRIOs_59_2022.zip", year=2021)

    def test_other_files_are_not_its_own(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            archive.writestr("a.csv", "1")
        (tmp_path / "GLORIA_MRIOs_59_2022.zip").write_text("no archive")
        (tmp_path / "empty").mkdir()
        for name in ("other.zip", "GLORIA_MRIOs_59_2022.zip", "none.zip", "empty"):
            assert not gloria.matches(tmp_path / name)
            with pytest.raises(DataError):
                gloria.read(tmp_path / name)


def with_sheet(name, change):
    sheets = {k: [list(row) for row in rows] for k, rows in SHEETS.items()}
    change(sheets[name])
    return sheets


REGION_SHEET, SECTOR_SHEET, CATEGORIES = list(SHEETS)[:3]
LABELS = {
    "region missing": (REGION_SHEET, lambda r: r.pop(), r"V-Res.*cannot hold|18 cells|more than"),
    "region twice": (REGION_SHEET, lambda r: r[2].__setitem__(1, "AFG"), r"regions: 'AFG' stand"),
    "numbers out of order": (
        REGION_SHEET,
        lambda r: r.__setitem__(slice(2, 4), [r[3], r[2]]),
        r"Regions': number '3' stands where 2",
    ),
    "sector blank": (SECTOR_SHEET, lambda r: r[2].__setitem__(1, None), r"label is missing before"),
    "sector twice": (SECTOR_SHEET, lambda r: r[2].__setitem__(1, SECTORS[0]), r"sectors: 'Growing"),
    "no sector": (SECTOR_SHEET, lambda r: r.__setitem__(slice(1, None), []), r"no sectors"),
    "no name of a region": (REGION_SHEET, lambda r: r[3].__setitem__(2, None), r"not as many acr"),
    "no header": (SECTOR_SHEET, lambda r: r.pop(0), r"'Sectors' has no row with 'Lfd_Nr'"),
    "category twice": (CATEGORIES, lambda r: r[2].__setitem__(2, FINALS[0]), r"final demand: 'Ho"),
    "category missing": (CATEGORIES, lambda r: r[6].__setitem__(1, None), r"15 rows|more than the"),
    "endless": (
        SECTOR_SHEET,
        lambda r: r.extend([[k, f"s{k}"] for k in range(4, 2100)]),
        r"more than 2,000 rows",
    ),
}


class TestLabels:
    @pytest.mark.parametrize("name", LABELS)
    def test_labels_that_do_not_fit(self, tmp_path, name):
        sheet, change, match = LABELS[name]
        path = pack(tmp_path, Numbers().files(), labels=False)
        where = readme(tmp_path, with_sheet(sheet, change))
        with pytest.raises(DataError, match=match) as caught:
            gloria.read(path)
        assert str(where) in str(caught.value) or str(path) in str(caught.value)

    def test_titles_above_and_notes_below(self, tmp_path):
        path = pack(tmp_path, Numbers().files(), labels=False)
        sheets = with_sheet("Sectors", lambda r: r.insert(0, ["GLORIA", None]))
        sheets["Sectors"] += [[None, None], [None, "Source: somebody"]]
        sheets = {f" {k.upper()}" if k == "Regions" else k: v for k, v in sheets.items()}
        readme(tmp_path, sheets)
        same(gloria.read(path), Numbers())

    def test_no_labels(self, tmp_path):
        path = pack(tmp_path, Numbers().files(), labels=False)
        with pytest.raises(DataError, match=r"GLORIA_ReadMe_059\.xlsx.*put its ReadMe beside"):
            gloria.read(path)
        readme(tmp_path, name="GLORIA_ReadMe_057.xlsx")
        with pytest.raises(DataError, match=r"it holds 'GLORIA_ReadMe_057\.xlsx'"):
            gloria.read(path)
        readme(tmp_path, name="GLORIA_ReadMe_059a.xlsx")
        same(gloria.read(path), Numbers())
        readme(tmp_path, with_sheet("Sectors", lambda r: r[1].__setitem__(1, "Right")))
        assert gloria.read(path).sector_codes[0] == "Right"

    def test_labels_beside_the_folder(self, tmp_path):
        (tmp_path / "open").mkdir()
        path = unpack(tmp_path / "open", Numbers().files(), labels=False)
        readme(tmp_path)
        same(gloria.read(path), Numbers())

    def test_no_such_sheet(self, tmp_path):
        path = pack(tmp_path, Numbers().files(), labels=False)
        readme(tmp_path, {k: v for k, v in SHEETS.items() if k != "Sectors"})
        with pytest.raises(DataError, match=r"ReadMe_059\.xlsx: no sheet 'Sectors'"):
            gloria.read(path)

    def test_too_large(self, tmp_path):
        path = pack(tmp_path, Numbers().files(), labels=False)
        sheets = with_sheet(
            "Regions", lambda r: r.extend([[k, f"R{k}", "x"] for k in range(4, 1900)])
        )
        sheets["Sectors"] += [[k, f"s{k}"] for k in range(4, 20)]
        readme(tmp_path, sheets)
        with pytest.raises(DataError, match=r"region-sectors; more than 20,000"):
            gloria.read(path)

    def test_links(self, tmp_path):
        path = pack(tmp_path, Numbers().files())
        (tmp_path / "GLORIA_ReadMe_059.xlsx").rename(tmp_path / "x.xlsx")
        (tmp_path / "GLORIA_ReadMe_059.xlsx").symlink_to(tmp_path / "x.xlsx")
        with pytest.raises(DataError, match="is a link"):
            gloria.read(path)

    def test_a_workbook_that_asks_for_all_memory(self, tmp_path):
        path = pack(tmp_path, Numbers().files(), labels=False)
        where = readme(tmp_path)
        with zipfile.ZipFile(where) as archive:
            files = {n: archive.read(n) for n in archive.namelist()}
        files["xl/worksheets/sheet1.xml"] = files["xl/worksheets/sheet1.xml"].replace(
            b"</sheetData>",
            b'<row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row></sheetData>',
        )
        with zipfile.ZipFile(where, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        with pytest.raises(DataError, match=r"ReadMe_059\.xlsx"):
            gloria.read(path)

    @settings(max_examples=12)
    @given(st.integers(0, 10**6), st.booleans())
    def test_a_damaged_workbook(self, at, cut):
        with tempfile.TemporaryDirectory() as folder:
            path = pack(folder, Numbers().files())
            where = Path(folder) / "GLORIA_ReadMe_059.xlsx"
            data = bytearray(where.read_bytes())
            at %= len(data)
            data[at] ^= 0x55
            where.write_bytes(data[:at] if cut else data)
            raw = outcome(gloria.read, path)
            assert raw is None or (not cut and np.array_equal(raw.Z, Numbers().use))


class TestHostile:
    def test_members_that_escape(self, tmp_path, fast):
        path = pack(tmp_path, Numbers().files() | {f"../{named('T')}": b"0"})
        with pytest.raises(DataError, match="outside its folder"):
            gloria.read(path)

    def test_links_and_pipes(self, tmp_path, fast):
        path = unpack(tmp_path, Numbers().files())
        (path / named("T")).rename(tmp_path / "x")
        (path / named("T")).symlink_to(tmp_path / "x")
        with pytest.raises(DataError, match="is a link"):
            gloria.read(path)
        (path / named("T")).unlink()
        os.mkfifo(path / named("T"))
        with pytest.raises(DataError, match="not an ordinary file"):
            gloria.read(path)

    def test_a_bomb(self, tmp_path, fast):
        files = Numbers().files() | {"T": b"0," * 200_000_000}
        path = pack(tmp_path, files)
        del files

        def work():
            with pytest.raises(DataError, match="refused"):
                gloria.read(path)

        bounded(work)

    def test_one_endless_line(self, tmp_path, fast):
        path = unpack(tmp_path, Numbers().files() | {"T": b"0," * 40_000_000})
        with pytest.raises(DataError, match=r"far longer|cells"):
            gloria.read(path)


def test_only_the_use_block_is_kept(tmp_path, monkeypatch):
    n, s = 40, 25
    m = n * s
    monkeypatch.setattr(text, "BLOCK", 1 << 16)
    numbers = {
        "Regions": [[str(k + 1), f"R{k}", f"Region {k}"] for k in range(n)],
        "Sectors": [[str(k + 1), f"S{k}"] for k in range(s)],
        "Value added and final demand": [["1", "added", "final"]],
    }
    monkeypatch.setattr(gloria, "read_columns", lambda data, where, sheets: numbers)
    use = (("1," * s + "0," * s) * n)[:-1] + "\n"
    none = "0," * (2 * m - 1) + "0\n"
    T = []
    for i in range(m):
        at = 2 * (i // s * 2 * s + s + i % s)  # two characters a cell
        T.append(none[:at] + "9" + none[at + 1 :])
        if i % s == s - 1:
            T += [use] * s
    own = [("0," * (2 * s * r) + "1," * s + "0," * (2 * m - 2 * s * r - s))[:-1] for r in range(n)]
    Y = ("0," * n)[:-1] + "\n"
    path = pack(
        tmp_path,
        {
            "T": "".join(T).encode(),
            "Y": (Y * 2 * m).encode(),
            "V": ("\n".join(own) + "\n").encode(),
        },
    )
    del T
    tracemalloc.start()
    try:
        raw = gloria.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (raw.Z == 1).all()
    assert (raw.declared_output == 9).all()
    assert (raw.V == 1).all()
    assert peak < 1.3 * (raw.Z.nbytes + raw.F.nbytes)


def holds(raw, c):
    return (
        np.array_equal(raw.Z, c.use)
        and np.array_equal(raw.F.reshape(M, -1), c.final)
        and np.array_equal(raw.V, c.added)
    )


@pytest.mark.usefixtures("fast")
class TestFuzz:
    @given(st.integers(0, 10**6))
    def test_a_zip_cut_short(self, end):
        with tempfile.TemporaryDirectory() as folder:
            path = pack(folder, Numbers(1).files())
            cut(path, end)
            assert outcome(gloria.read, path) is None

    @given(turns)
    def test_bytes_turned_in_a_zip(self, spots):
        with tempfile.TemporaryDirectory() as folder:
            path = pack(folder, Numbers(1).files())
            turn(path, spots)
            raw = outcome(gloria.read, path)
            assert raw is None or holds(raw, Numbers(1))

    @given(st.sampled_from("TYV"), st.integers(0, 10**6))
    def test_a_file_cut_short(self, part, end):
        with tempfile.TemporaryDirectory() as folder:
            path = unpack(folder, Numbers(1).files())
            data = (path / named(part)).read_bytes()
            (path / named(part)).write_bytes(data[: end % len(data)])
            raw = outcome(gloria.read, path)
            # In the very last cell, here a zero, a shorter number is a number.
            assert raw is None or holds(raw, Numbers(1)) or np.isnan(raw.F[-1, -1, -1])

    @given(st.sampled_from("TYV"), st.integers(0, 10**6), st.binary(max_size=4))
    def test_bytes_put_into_a_file(self, part, at, junk):
        with tempfile.TemporaryDirectory() as folder:
            path = unpack(folder, Numbers(1).files())
            data = (path / named(part)).read_bytes()
            at %= len(data)
            (path / named(part)).write_bytes(data[:at] + junk + data[at + 1 :])
            outcome(gloria.read, path)
