"""Archives and files made to hurt: refused with a sentence, in little memory."""

import gzip
import os
import stat
import zipfile

import numpy as np
import pytest
from hostile import bounded
from hypothesis import given, settings
from hypothesis import strategies as st
from official import (
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

from entrepot.core.errors import DataError, EntrepotError
from entrepot.sources.archive import members, open_file
from entrepot.sources.formats import Options, read_table
from entrepot.sources.text import read_matrix

NAMES = ["Agriculture", "Mining", "Food products", "Leather"]


def archive(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries:
            file.writestr(name, data)
    return path


class TestArchives:
    @pytest.mark.parametrize(
        "name", ["../2019_SML.csv", "/etc/2019_SML.csv", "a/../../2019_SML.csv", "..\\2019_SML.csv",
                 "C:/2019_SML.csv"]
    )  # fmt: skip
    def test_members_that_escape(self, tmp_path, name):
        path = archive(tmp_path / "x.zip", [(name, "V1,a\n")])
        with pytest.raises(DataError, match=r"outside its folder"):
            members(path)
        with pytest.raises(DataError):
            read_table(path, "oecd-icio")

    def test_links(self, tmp_path):
        entry = zipfile.ZipInfo("2019_SML.csv")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        path = archive(tmp_path / "x.zip", [(entry, "/etc/passwd")])
        with pytest.raises(DataError, match=r"is a link"):
            read_table(path, "oecd-icio")

    def test_a_bomb_is_refused_before_it_is_unpacked(self, tmp_path):
        path = archive(tmp_path / "x.zip", [("2019_SML.csv", b"0," * 200_000_000)])

        def work():
            with pytest.raises(DataError, match=r"refused"):
                read_table(path, "oecd-icio")

        bounded(work)

    def test_a_gzip_bomb_stops(self, tmp_path):
        path = tmp_path / "2019_SML.csv.gz"
        with gzip.open(path, "wb") as file:
            file.write(b"V1,AUS_A01,AUS_HFCE,OUT\n")
            for _ in range(400):
                file.write(b"\n" * 1_000_000)

        def work():
            with pytest.raises(DataError, match=r"out of all proportion|nothing below"):
                read_table(path, "oecd-icio")

        bounded(work)

    def test_a_lying_size(self, tmp_path):
        path = archive(tmp_path / "x.zip", [("2019_SML.csv", "V1,AUS_A01\n")])
        data = bytearray(path.read_bytes())
        at = data.index(b"PK\x01\x02") + 24
        data[at : at + 4] = (9_999_999).to_bytes(4, "little")
        path.write_bytes(data)
        with pytest.raises(DataError):
            read_table(path, "oecd-icio")

    def test_encrypted_and_oddly_packed(self, tmp_path):
        path = archive(tmp_path / "x.zip", [("2019_SML.csv", "V1,AUS_A01\n")])
        data = bytearray(path.read_bytes())
        flag = data.index(b"PK\x01\x02") + 8
        data[flag] |= 1
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"encrypted"):
            members(path)
        with zipfile.ZipFile(tmp_path / "y.zip", "w", zipfile.ZIP_LZMA) as file:
            file.writestr("2019_SML.csv", "V1,AUS_A01\n")
        with pytest.raises(DataError, match=r"packed in a way"):
            members(tmp_path / "y.zip")

    def test_thousands_of_members(self, tmp_path):
        path = archive(tmp_path / "x.zip", [(f"{i}.csv", "") for i in range(10_001)])
        with pytest.raises(DataError, match=r"10,001 members"):
            members(path)

    def test_things_that_are_no_files(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.csv")
        for path in (tmp_path / "pipe.csv", tmp_path, tmp_path / "none.csv"):
            with pytest.raises(DataError, match=r"ordinary|folder|no such"), open_file(path):
                pass


class TestText:
    def test_one_endless_line(self, tmp_path):
        path = tmp_path / "2019_SML.csv"
        path.write_bytes(b"V1,AUS_A01,OUT\n" + b"9" * 60_000_000)

        def work():
            with pytest.raises(DataError, match=r"no table|cells"), open_file(path) as opened:
                read_matrix(opened)

        bounded(work)

    def test_an_endless_header(self, tmp_path):
        path = tmp_path / "2019_SML.csv"
        path.write_bytes(b"V," * 30_000_000)

        def work():
            with pytest.raises(DataError, match=r"header"), open_file(path) as opened:
                read_matrix(opened)

        bounded(work)

    def test_more_rows_than_a_table_has(self, tmp_path):
        path = tmp_path / "2019_SML.csv"
        path.write_bytes(b"V1,AUS_A01\n" + b"a,1\n" * 2_000_000)
        with pytest.raises(DataError, match=r"more rows"), open_file(path) as opened:
            read_matrix(opened)

    @pytest.mark.parametrize(
        "text", [b"V1,\xff\xfe\n", b"V1,A\nr,\xff\n", b'V1,A\n"r,1\n', b"V1,A\nr\n"]
    )
    def test_not_text(self, tmp_path, text):
        path = tmp_path / "x.csv"
        path.write_bytes(text)
        with pytest.raises(DataError), open_file(path) as opened:
            read_matrix(opened)

    @given(
        st.lists(
            st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
            min_size=1,
            max_size=20,
        ),
        st.sampled_from([",", ";", "\t"]),
    )
    def test_every_number_comes_back_to_the_bit(self, tmp_path_factory, rows, mark):
        path = tmp_path_factory.mktemp("n") / "x.csv"
        lines = [mark.join(["", "a", "b", "c"])]
        lines += [mark.join([f"r{i}", *map(repr, row)]) for i, row in enumerate(rows)]
        path.write_text("\n".join(lines) + "\n")
        with open_file(path) as opened:
            got = read_matrix(opened, mark)
        assert got.values.tobytes() == np.array(rows).tobytes()
        assert got.columns == ("a", "b", "c")

    def test_blocks_do_not_matter(self, tmp_path, monkeypatch):
        import entrepot.sources.text as text

        c = content(["AUS", "CHN"], ["A01", "B"], ICIO_FINALS)
        path = write_csv(tmp_path / "2019_SML.csv", icio_rows(c))
        whole = read_table(path, "oecd-icio")
        monkeypatch.setattr(text, "BLOCK", 97)
        assert np.array_equal(read_table(path, "oecd-icio").Z, whole.Z)


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """One small file in every layout, with the format's name."""
    d = tmp_path_factory.mktemp("official")
    c = content(["AUS", "CHN", "ROW"], ["A01", "C24A"], ICIO_FINALS)
    f = content(["AT", "GR", "FIGW1"], ["A01", "F"], FIGARO_FINALS, added=3,
                margins=("OP_RES", "OP_NRES"))  # fmt: skip
    s = content(
        ["AUS", "CHN", "ROW"], ["c1", "c2", "c3", "c4"], range(5), margins=MARGINS, year=2014
    )
    one = write_csv(d / "2019_SML.csv", icio_rows(c))
    return {
        "oecd-icio csv": ("oecd-icio", one),
        "oecd-icio zip": ("oecd-icio", zipped(d / "2019.zip", "2019_SML.csv", one)),
        "figaro matrix": ("figaro", write_csv(d / "m_2022.csv", figaro_matrix_rows(f))),
        "figaro flat": ("figaro", write_csv(d / "f_2022.csv", figaro_flat_rows(f))),
        "wiod-2013": ("wiod-2013", write_xlsx(d / "wiot14_row_x.xlsx", {"a": wiod_2013_cells(s, NAMES)})),
        "wiod-2016": ("wiod-2016", write_xlsb(d / "WIOT2014_N_ROW.xlsb", "2014", wiod_2016_cells(s, NAMES))),
        "wiod-2016 stata": ("wiod-2016", write_stata_2016(d / "WIOT2014_O_ROW.dta", s, NAMES)),
        "adb-mrio": (
            "adb-mrio", write_xlsx(d / "ADB-MRIO-2014.xlsx", {"ADB MRIO 2014": adb_cells(s, NAMES)})
        ),
    }  # fmt: skip


def fields(raw):
    return [
        raw.Z,
        raw.F,
        raw.V,
        raw.T_inputs,
        raw.T_final,
        *(m.inputs for m in raw.margins.values()),
    ]


def attempt(path, name):
    """The table, or what the refusal says."""
    try:
        return read_table(path, name, Options(year=2014 if "2014" in path.name else None))
    except EntrepotError as error:
        return str(error)


KINDS = ("oecd-icio csv", "oecd-icio zip", "figaro matrix", "figaro flat", "wiod-2013", "wiod-2016",
         "wiod-2016 stata", "adb-mrio")  # fmt: skip


class TestFuzz:
    @pytest.mark.parametrize("kind", KINDS)
    @settings(max_examples=25)
    @given(share=st.floats(0, 0.9999))
    def test_a_file_cut_short_is_never_read_as_whole(self, official, tmp_path_factory, kind, share):
        name, path = official[kind]
        data = path.read_bytes()
        cut = tmp_path_factory.mktemp("cut") / path.name
        cut.write_bytes(data[: int(len(data) * share)])
        try:
            raw = read_table(cut, name)
        except EntrepotError:
            return
        # What still reads must be the whole table, or say by its blanks what is missing.
        whole = read_table(path, name)
        if kind == "figaro flat":  # cells that are not listed are zero there: sums tell
            assert not np.allclose(raw.sales, raw.costs, atol=1e-9) or np.array_equal(
                raw.Z, whole.Z
            )
        else:
            assert all(
                np.array_equal(a, b) for a, b in zip(fields(raw), fields(whole), strict=True)
            ) or (data[int(len(data) * share) :].strip(b"0123456789.,\r\n") == b"")

    @pytest.mark.parametrize("kind", KINDS)
    @settings(max_examples=30)
    @given(
        places=st.lists(st.floats(0, 0.99999), min_size=1, max_size=4),
        bits=st.lists(st.integers(1, 255), min_size=4, max_size=4),
    )
    def test_flipped_bytes_end_in_a_sentence_or_a_table(
        self, official, tmp_path_factory, kind, places, bits
    ):
        name, path = official[kind]
        data = bytearray(path.read_bytes())
        for place, bit in zip(places, bits, strict=False):
            data[int(place * len(data))] ^= bit
        spoilt = tmp_path_factory.mktemp("flip") / path.name
        spoilt.write_bytes(data)

        def work():
            raw = attempt(spoilt, name)
            if isinstance(raw, str):
                assert "\n" not in raw
            else:
                assert raw.Z.shape[0] == len(raw.regions) * len(raw.sectors)

        bounded(work)

    def test_a_text_file_cut_inside_its_last_number_shows_in_the_audit(self, tmp_path):
        from entrepot.world.audit import audit

        c = content(["AUS", "CHN", "ROW"], ["A01", "C24A"], ICIO_FINALS)
        path = write_csv(tmp_path / "2019_SML.csv", icio_rows(c))
        text = path.read_text().splitlines()
        text[1] = text[1][: text[1].rindex(".") + 2]  # the declared output of the first row, cut
        path.write_text("\n".join(text) + "\n")
        found = audit(read_table(path, "oecd-icio"))
        assert found.totals["output"] == pytest.approx(c.x.sum())


def test_workbook_bombs(tmp_path):
    path = tmp_path / "wiot11_row_x.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", "<Types/>")
        with file.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(b" " * 1_000_000)

    def work():
        with pytest.raises(DataError, match=r"unpacks to|refused|cannot be read"):
            read_table(path, "wiod-2013")

    bounded(work)
    (tmp_path / "wiot12_row_x.xlsx").write_bytes(b"PK\x03\x04" + os.urandom(5000))
    with pytest.raises(DataError):
        read_table(tmp_path / "wiot12_row_x.xlsx", "wiod-2013")
