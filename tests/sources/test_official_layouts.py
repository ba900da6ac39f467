"""Every official layout, read back to the cell; oddities as published; what must be refused."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from official import (
    ADB_FINAL_NAMES,
    CODES_2016,
    FIGARO_FINALS,
    ICIO_FINALS,
    MARGINS,
    adb_cells,
    content,
    figaro_flat_rows,
    figaro_matrix_rows,
    icio_rows,
    wiod_2013_cells,
    wiod_2016_cells,
    write_csv,
    write_stata_2016,
    write_xlsb,
    write_xlsx,
    zipped,
)

from entrepot.core.errors import DataError
from entrepot.sources import adb, figaro, oecd_icio, wiod
from entrepot.sources.formats import FORMATS, Options, read_table, recognise
from entrepot.world.audit import audit
from entrepot.world.build import build

NAMES = ["Agriculture", "Mining", "Food products", "Leather"]


def same(raw, c, scale=1.0):
    """The table holds the content, cell by cell."""
    for block in ("Z", "F", "T_inputs", "T_final"):
        np.testing.assert_array_equal(getattr(raw, block), getattr(c, block))
    assert np.array_equal(raw.V.sum(0), c.V.sum(0)) or np.allclose(raw.V, c.V, rtol=0, atol=0)
    for (a, b), margin in zip(c.margins.values(), raw.margins.values(), strict=True):
        np.testing.assert_array_equal(margin.inputs, a)
        np.testing.assert_array_equal(margin.final, b)
    assert audit(raw).passed


def icio_content(regions=("AUS", "CHN", "ROW"), sectors=("A01_02", "C10T12", "T"), **more):
    return content(regions, sectors, ICIO_FINALS, **more)


class TestOecd:
    @pytest.mark.parametrize("corner", ["V1", ""])
    @pytest.mark.parametrize(
        "form",
        [{}, {"quote": True}, {"newline": "\r\n"}, {"bom": True}],
        ids=["plain", "quoted", "crlf", "bom"],
    )
    def test_to_the_cell(self, tmp_path, corner, form):
        c = icio_content()
        raw = oecd_icio.read(write_csv(tmp_path / "2019_SML.csv", icio_rows(c, corner), **form))
        same(raw, c)
        np.testing.assert_array_equal(raw.declared_output, np.round(c.x, 9))
        assert (raw.year, raw.regions) == (2019, ("AUS", "CHN", "ROW"))
        assert raw.sector_codes == ("A01_02", "C10T12", "T")
        assert [s.isic for s in raw.sectors] == [(1, 2), (10, 11, 12), (97, 98)]
        assert raw.region_names["ROW"] == "Rest of the world"

    def test_zip_of_years(self, tmp_path):
        path = tmp_path / "2016-2022_SML.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for year in (2018, 2019):
                one = write_csv(tmp_path / "x.csv", icio_rows(icio_content(seed=year)))
                archive.write(one, f"{year}_SML.csv")
        same(oecd_icio.read(path, year=2018), icio_content(seed=2018))
        same(oecd_icio.read(path, member="2019_SML.csv"), icio_content(seed=2019))
        with pytest.raises(DataError, match=r"holds 2 of CSV table"):
            oecd_icio.read(path)
        with pytest.raises(DataError, match=r"holds no CSV table of 2000"):
            oecd_icio.read(path, year=2000)
        with pytest.raises(DataError, match=r"named 2019, but 2018"):
            oecd_icio.read(path, year=2018, member="2019_SML.csv")

    def extended(self, tmp_path):
        c = icio_content(("CHN", "MEX", "USA", "MX1", "MX2", "CN1", "CN2"), ("A01", "C24A"))
        s = 2
        for whole in (0, 1):  # CHN and MEX produce nothing of their own ...
            at = slice(whole * s, whole * s + s)
            c.Z[at], c.Z[:, at], c.F[at] = 0, 0, 0
            c.V[:, at], c.T_inputs[at] = 0, 0
        c.F[:, 3:], c.T_final[3:] = 0, 0  # ... and alone have final users
        c.V[0] = np.round(c.x - c.Z.sum(0) - c.T_inputs, 9)
        rows = [list(row) for row in icio_rows(c)]
        keep = [j for j, label in enumerate(rows[0]) if not (label[:3] in ("MX1", "MX2", "CN1", "CN2")
                and label[4:] in ICIO_FINALS)]  # fmt: skip
        return c, write_csv(tmp_path / "2019.csv", [[row[j] for j in keep] for row in rows])

    def test_extended_tables_are_folded(self, tmp_path):
        c, path = self.extended(tmp_path)
        raw = oecd_icio.read(path)
        assert raw.regions == ("CHN", "MEX", "USA")
        by_hand = c.Z.reshape(7, 2, 7, 2)
        to = [0, 1, 2, 1, 1, 0, 0]
        want = np.zeros((3, 2, 3, 2))
        for o in range(7):
            for d in range(7):
                want[to[o], :, to[d]] += by_hand[o, :, d]
        np.testing.assert_allclose(raw.Z, want.reshape(6, 6), rtol=1e-15)
        assert raw.F.sum() == pytest.approx(c.F.sum(), rel=1e-14)
        assert audit(raw).passed
        assert "summed into CHN, MEX" in raw.provenance["notes"][0]

    def test_or_kept_on_request(self, tmp_path):
        c, path = self.extended(tmp_path)
        raw = oecd_icio.read(path, split="keep")
        assert raw.regions == tuple(c.regions)
        assert raw.parent == {"CN1": "CHN", "CN2": "CHN", "MX1": "MEX", "MX2": "MEX"}
        np.testing.assert_array_equal(raw.Z, c.Z)
        world = build(raw)
        assert world.parent["CN1"] == "CHN"

    @pytest.mark.parametrize(
        ("spoil", "match"),
        [
            (lambda r: r.pop(2), "missing: 'AUS C10T12'"),
            (lambda r: r.insert(2, r[1]), "row AUS A01_02 stands twice"),
            (lambda r: r[3].__setitem__(4, "abc"), "line 4, column 5: 'abc' is not a number"),
            (lambda r: r[3].__setitem__(4, "1,5"), "a cell holds the separator"),
            (lambda r: r[5].pop(), "line 6: .*cells; the header has"),
            (lambda r: r[2].append("7"), "line 3: .*cells; the header has"),
            (lambda r: [row.pop(3) for row in r], "column"),
            (lambda r: r[0].__setitem__(3, "AUS-T"), "not of the form REGION_ACTIVITY"),
            (lambda r: r.__setitem__(slice(1, None), []), "nothing below"),
            (lambda r: r.pop(-2), r"rows TLS, VA, OUT or the column OUT"),
            (lambda r: r[-2].__setitem__(15, "3"), "value added .* is not zero below final use"),
            (lambda r: [row.pop(12) for row in r], "lacks some categories"),
        ],
    )
    def test_refused(self, tmp_path, spoil, match):
        rows = [list(row) for row in icio_rows(icio_content())]
        spoil(rows)
        with pytest.raises(DataError, match=match) as caught:
            oecd_icio.read(write_csv(tmp_path / "2019_SML.csv", rows))
        assert "2019_SML.csv" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_blank_flow_is_missing_not_zero(self, tmp_path):
        rows = [list(row) for row in icio_rows(icio_content())]
        rows[2][5] = ""
        raw = oecd_icio.read(write_csv(tmp_path / "2019_SML.csv", rows))
        assert np.isnan(raw.Z[1, 4])
        assert np.isnan(raw.Z).sum() == 1
        assert next(f.check for f in audit(raw).findings if f.level == "fail") == "missing-cells"

    def test_a_year_is_needed(self, tmp_path):
        path = write_csv(tmp_path / "table.csv", icio_rows(icio_content()))
        with pytest.raises(DataError, match=r"holds no year"):
            oecd_icio.read(path)
        assert oecd_icio.read(path, year=2001).year == 2001


class TestFigaro:
    def make(self, **more):
        return content(
            ["AT", "GR", "FIGW1"], ["A01", "C10T12", "J62_63"], FIGARO_FINALS,
            added=3, margins=("OP_RES", "OP_NRES"), **more,
        )  # fmt: skip

    def test_matrix_flat_and_zip_agree(self, tmp_path):
        c = self.make()
        matrix = write_csv(
            tmp_path / "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv", figaro_matrix_rows(c)
        )
        name = "flatfile_eu-ic-io_ind-by-ind_24ed_2022.csv"
        flat = write_csv(tmp_path / name, figaro_flat_rows(c))
        sparse = write_csv(tmp_path / f"sparse_{name}", figaro_flat_rows(c, zeros=False))
        packed = zipped(tmp_path / "flat.zip", name, flat)
        for path in (matrix, flat, sparse, packed):
            raw = figaro.read(path)
            same(raw, c)
            np.testing.assert_array_equal(raw.V, c.V)
            assert raw.regions == ("AUT", "GRC", "ROW")
            assert (raw.currency, raw.year) == ("EUR", 2022)
            assert raw.unit == "million EUR"

    def test_products(self, tmp_path):
        c = self.make()
        path = tmp_path / "matrix_eu-ic-io_prod-by-prod_25ed_2021.csv"
        raw = figaro.read(write_csv(path, figaro_matrix_rows(c, "CPA_")))
        same(raw, c)
        assert raw.name == "figaro-product-2021"
        assert raw.sectors[1].isic == (10, 11, 12)

    def test_a_world_needs_the_rate(self, tmp_path):
        c = self.make()
        path = tmp_path / "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv"
        raw = figaro.read(write_csv(path, figaro_matrix_rows(c)))
        with pytest.raises(Exception, match=r"state the rate, USD per EUR"):
            build(raw)
        world = build(raw, rate=1.25, rate_source="a test")
        np.testing.assert_allclose(world.Z, 1.25 * c.Z, rtol=1e-15)
        assert world.provenance["steps"] == [
            {"step": "convert", "from": "EUR", "rate": 1.25, "source": "a test"}
        ]

    def test_refused(self, tmp_path):
        c = self.make()
        name = "flatfile_eu-ic-io_ind-by-ind_24ed_2022.csv"
        rows = list(figaro_flat_rows(c))
        with pytest.raises(DataError, match=r"AT_A01 / AT_C10T12 is given more than once"):
            figaro.read(write_csv(tmp_path / name, [*rows, rows[2]]))
        c.regions[0] = "XX"
        with pytest.raises(DataError, match=r"unknown areas"):
            figaro.read(write_csv(tmp_path / name, figaro_flat_rows(c)))
        rows[5] = [*rows[5][:-1], "n/a"]
        with pytest.raises(DataError, match=r"not a long table"):
            figaro.read(write_csv(tmp_path / name, rows))


def sheet_content(regions, year, sectors=4):
    return content(
        regions, [f"c{k + 1}" for k in range(sectors)], range(5), margins=MARGINS, year=year
    )


class TestWiod:
    def test_2013(self, tmp_path):
        c = sheet_content(["AUS", "ROM", "RoW"], 2011)
        path = tmp_path / "wiot11_row_sep12.xlsx"
        raw = wiod.read_2013(write_xlsx(path, {"WIOT_2011": wiod_2013_cells(c, NAMES)}))
        same(raw, c)
        assert raw.regions == ("AUS", "ROU", "ROW")
        assert raw.sector_codes == ("c1", "c2", "c3", "c4")
        assert [s.name for s in raw.sectors] == NAMES
        assert raw.year == 2011
        packed = zipped(tmp_path / "WIOTS_in_EXCEL.zip", "WIOT11_ROW_Sep12.xlsx", path)
        same(wiod.read_2013(packed, year=2011), c)

    @pytest.mark.parametrize("running", [False, True])
    def test_2016_binary_workbook(self, tmp_path, running):
        c = sheet_content(["AUS", "CHN", "ROW"], 2014)
        path = tmp_path / "WIOT2014_Nov16_ROW.xlsb"
        raw = wiod.read_2016(write_xlsb(path, "2014", wiod_2016_cells(c, NAMES, running)))
        same(raw, c)
        assert raw.sector_codes == CODES_2016[:4]
        assert raw.sectors[1].isic == (10, 11, 12)

    def test_2016_stata(self, tmp_path):
        c = sheet_content(["AUS", "CHN", "ROW"], 2014)
        path = tmp_path / "WIOT2014_October16_ROW.dta"
        raw = wiod.read_2016(write_stata_2016(path, c, NAMES))
        same(raw, c)
        assert (raw.year, raw.sector_codes) == (2014, CODES_2016[:4])
        with pytest.raises(DataError, match=r"not 2013"):
            wiod.read_2016(path, year=2013)

    def test_previous_years_prices_are_refused(self, tmp_path):
        c = sheet_content(["AUS", "CHN", "ROW"], 2014)
        rows = wiod_2016_cells(c, NAMES)
        rows[1] = ["43 countries, in previous year's prices"]
        with pytest.raises(DataError, match=r"previous year's prices"):
            wiod.read_2016(write_xlsb(tmp_path / "WIOT2014_Nov16_ROW.xlsb", "2014", rows))

    @pytest.mark.parametrize(
        ("spoil", "match"),
        [
            (lambda r: r[7].__setitem__(9, "x"), "row 8, column 10: 'x' is not a number"),
            (lambda r: r[-2].__setitem__(1, "Something else"), "Something else.* is unknown"),
            (lambda r: r.pop(8), "missing"),
            (lambda r: r.pop(5), "no row of item codes"),
            (lambda r: r[4].__setitem__(6, "XYZ"), "missing|different nodes"),
        ],
    )
    def test_refused(self, tmp_path, spoil, match):
        rows = wiod_2013_cells(sheet_content(["AUS", "ROM", "RoW"], 2011), NAMES)
        spoil(rows)
        path = write_xlsx(tmp_path / "wiot11_row_sep12.xlsx", {"a": rows})
        with pytest.raises(DataError, match=match):
            wiod.read_2013(path)

    def test_a_blank_flow_is_missing(self, tmp_path):
        rows = wiod_2013_cells(sheet_content(["AUS", "ROM", "RoW"], 2011), NAMES)
        rows[8][6] = " "
        raw = wiod.read_2013(write_xlsx(tmp_path / "wiot11_row_sep12.xlsx", {"a": rows}))
        assert np.isnan(raw.Z).sum() == 1


class TestAdb:
    @pytest.mark.parametrize("transport", ["trs", "r65"])
    def test_to_the_cell(self, tmp_path, transport):
        c = sheet_content(["PRC", "GER", "RoW"], 2022)
        rows = adb_cells(c, NAMES, transport)
        rows += [[None] * 5, ["note", None, None, None, None, "footnotes below the table"]]
        sheets = {"Legend": [["Code", "Country"], ["PRC", "x"]], "ADB MRIO 2022": rows}
        path = write_xlsx(tmp_path / "ADB-MRIO-2022_June2023.xlsx", sheets)
        raw = adb.read(path)
        same(raw, c)
        assert raw.regions == ("CHN", "DEU", "ROW")
        assert raw.final_categories == ADB_FINAL_NAMES
        assert raw.year == 2022
        with pytest.raises(DataError, match=r"holds 2022 by its name or sheet, not 2021"):
            adb.read(path, year=2021)

    def test_unknown_economies(self, tmp_path):
        c = sheet_content(["PRC", "QQQ", "RoW"], 2022)
        path = write_xlsx(tmp_path / "ADB-MRIO-2022.xlsx", {"ADB MRIO 2022": adb_cells(c, NAMES)})
        with pytest.raises(DataError, match=r"'QQQ' is unknown"):
            adb.read(path)


class TestClosingRows:
    def figaro(self, tmp_path, change):
        rows = [list(row) for row in figaro_matrix_rows(TestFigaro().make())]
        change(rows)
        return write_csv(tmp_path / "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv", rows)

    def test_one_that_stands_twice_is_no_sum(self, tmp_path):
        path = self.figaro(tmp_path, lambda rows: rows.insert(-1, rows[-5]))
        with pytest.raises(
            DataError, match=r"closing row of direct purchases abroad .* stands twice"
        ):
            figaro.read(path)

    def test_a_blank_tax_on_final_use_is_missing(self, tmp_path):
        path = self.figaro(tmp_path, lambda rows: rows[-6].__setitem__(12, ""))
        raw = figaro.read(path)
        assert np.isnan(raw.T_final).sum() == 1
        assert "missing-cells" in [f.check for f in audit(raw).findings if f.level == "fail"]

    def test_a_blank_value_added_in_a_workbook_is_missing(self, tmp_path):
        rows = wiod_2013_cells(sheet_content(["AUS", "ROM", "RoW"], 2011), NAMES)
        rows[-3][6] = None
        raw = wiod.read_2013(write_xlsx(tmp_path / "wiot11_row_sep12.xlsx", {"a": rows}))
        assert np.isnan(raw.V).sum() == 1

    def test_a_truth_value_is_no_number(self, tmp_path):
        rows = wiod_2013_cells(sheet_content(["AUS", "ROM", "RoW"], 2011), NAMES)
        rows[8][6] = True
        with pytest.raises(DataError, match=r"row 9, column 7: True is not a number"):
            wiod.read_2013(write_xlsx(tmp_path / "wiot11_row_sep12.xlsx", {"a": rows}))


class TestYears:
    def test_the_year_asked_for_must_be_the_files(self, tmp_path):
        c, f = icio_content(), TestFigaro().make()
        s = sheet_content(["AUS", "CHN", "ROW"], 2014)
        xlsx = {"ADB MRIO 2015": adb_cells(s, NAMES)}
        for name, path in (
            ("oecd-icio", write_csv(tmp_path / "ICIO2023_2014.csv", icio_rows(c))),
            ("figaro", write_csv(tmp_path / "matrix_24ed_2021.csv", figaro_matrix_rows(f))),
            (
                "adb-mrio",
                write_xlsx(tmp_path / "ADB MRIO 2015, at constant 2010 prices.xlsx", xlsx),
            ),
            (
                "wiod-2016",
                write_xlsb(tmp_path / "WIOT2013_x.xlsb", "2013", wiod_2016_cells(s, NAMES)),
            ),
            (
                "wiod-2013",
                write_xlsx(tmp_path / "wiot11_row_x.xlsx", {"a": wiod_2013_cells(s, NAMES)}),
            ),
        ):
            for year in (1999, 2023, 2010):
                with pytest.raises(DataError, match=r"was asked for|not|but taken for"):
                    read_table(path, name, Options(year=year))

    def test_names_sheets_and_columns_must_agree(self, tmp_path):
        s = sheet_content(["AUS", "CHN", "ROW"], 2014)
        wrong = write_xlsb(tmp_path / "WIOT2013_x.xlsb", "2014", wiod_2016_cells(s, NAMES))
        for given in (None, 2013, 2014):
            with pytest.raises(DataError, match=r"by its name or title, but taken for"):
                wiod.read_2016(wrong, year=given)
        bare = write_xlsb(tmp_path / "my.xlsb", "2014", wiod_2016_cells(s, NAMES))
        assert wiod.read_2016(bare).year == 2014
        with pytest.raises(DataError, match=r"of 2014"):
            wiod.read_2016(bare, year=2000)
        stata = write_stata_2016(tmp_path / "WIOT2013_October16_ROW.dta", s, NAMES)
        with pytest.raises(DataError, match=r"of 2013"):
            wiod.read_2016(stata)
        sheets = {"ADB MRIO 2022": adb_cells(s, NAMES)}
        with pytest.raises(DataError, match=r"2017 by its name"):
            adb.read(write_xlsx(tmp_path / "ADB-MRIO-LAC-2017_Mar2022-2.xlsx", sheets))

    def test_the_base_of_constant_prices_is_no_year(self, tmp_path):
        s = sheet_content(["AUS", "CHN", "ROW"], 2014)
        rows = adb_cells(s, NAMES)
        rows[0] = ["Multiregional Input-Output Table"]
        rows[1] = ["3 economies, at constant 2010 prices (industry by industry)"]
        path = write_xlsx(tmp_path / "mine.xlsx", {"Sheet1": rows})
        with pytest.raises(DataError, match=r"holds a year"):
            adb.read(path)
        raw = adb.read(path, year=2022)
        assert raw.year == 2022
        assert raw.provenance["notes"] == ["In constant 2010 prices."]


class TestRecognition:
    def test_each_by_its_own_signature(self, tmp_path):
        c, f = icio_content(), TestFigaro().make()
        s = sheet_content(["AUS", "CHN", "ROW"], 2014)
        files = {
            "oecd-icio": write_csv(tmp_path / "any 2019.csv", icio_rows(c)),
            "figaro": write_csv(tmp_path / "any 2022.csv", figaro_matrix_rows(f)),
            "wiod-2013": write_xlsx(tmp_path / "wiot11_row_sep12.xlsx", {"a": wiod_2013_cells(s, NAMES)}),
            "wiod-2016": write_xlsb(tmp_path / "WIOT2014_Nov16_ROW.xlsb", "2014", wiod_2016_cells(s, NAMES)),
            "adb-mrio": write_xlsx(tmp_path / "ADB-MRIO-2014.xlsx", {"ADB MRIO 2014": adb_cells(s, NAMES)}),
        }  # fmt: skip
        for name, path in files.items():
            assert recognise(path).name == name
        packed = zipped(tmp_path / "2016-2022_SML.zip", "2019_SML.csv", files["oecd-icio"])
        assert recognise(packed).name == "oecd-icio"
        assert read_table(packed, None, Options(year=2019)).year == 2019

    def test_semicolons_are_named(self, tmp_path):
        path = write_csv(tmp_path / "2019_SML.csv", icio_rows(icio_content()), delimiter=";")
        with pytest.raises(DataError, match=r"separated by semicolons"):
            recognise(path)

    def test_what_is_none_of_them(self, tmp_path):
        path = tmp_path / "notes.csv"
        path.write_text("a,b\n1,2\n")
        with pytest.raises(DataError, match=r"none of them fits.*--format"):
            recognise(path)
        with pytest.raises(DataError, match=r"no format 'oecd'; did you mean 'oecd-icio'"):
            read_table(path, "oecd")
        with pytest.raises(DataError, match=r"no such file"):
            read_table(tmp_path / "none.csv")

    def test_every_reader_refuses_an_empty_file_and_a_page(self, tmp_path):
        for name in FORMATS:
            for text in (b"", b"<!doctype html><html><body>Not found</body></html>\n"):
                for suffix in (".csv", ".zip", ".xlsx", ".xlsb", ".dta", ".har"):
                    path = Path(tmp_path / f"ADB MRIO 2019{suffix}")
                    path.write_bytes(text)
                    with pytest.raises(DataError):
                        read_table(path, name, Options(year=2019))
