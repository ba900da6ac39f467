"""BACI into a store: what is in it, and what is refused."""

import contextlib
import gzip
import json
import tempfile
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trade_files
from entrepot.core.errors import DataError, OutputError
from entrepot.products.build import build_store
from entrepot.products.store import open_store, part_of
from entrepot.sources.baci import is_baci, read_baci
from trade_files import COUNTRIES, flows, name, text

turns = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=3)
HEADER = "t,i,j,k,v,q\n"
GOOD = "2022,276,251,010121,5.5,1.25\n"


def write(folder, body, year=2022, packed=False):
    path = folder / (name(year) + (".gz" if packed else ""))
    data = body.encode() if isinstance(body, str) else body
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def rows(store, year=2022):
    return pq.read_table(part_of(store.path, "trade", year)).to_pylist()


def codes(label):
    return "490" if label == "S19" else label


def test_a_store_holds_the_flows_of_the_files(store):
    assert store.years == (2020, 2021, 2022)
    assert store.manifest.hs == "HS17"
    assert store.manifest.numeric_codes == ("490",)
    assert store.manifest.inputs[0].name.endswith(".zip")
    assert len(store.manifest.inputs[0].sha256) == 64
    for year in store.years:
        expected = {(codes(a), codes(b), p): (v / 1000, q) for a, b, p, v, q in flows(year)}
        found = {
            (r["exporter"], r["importer"], r["product"]): (r["value"], r["quantity"])
            for r in rows(store, year)
        }
        assert found.keys() == expected.keys()
        assert store.manifest.rows[year] == len(expected)
        for key, (value, quantity) in expected.items():
            assert found[key][0] == pytest.approx(value, rel=1e-15)
            assert found[key][1] == quantity
    assert any(r["quantity"] is None for r in rows(store))
    assert "010121" in {r["product"] for r in rows(store)}


def test_rows_are_sorted_by_importer_product_and_exporter(store):
    keys = [(r["importer"], r["product"], r["exporter"]) for r in rows(store)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_packed_files_and_folders_are_read_alike(tmp_path, packed):
    path = write(tmp_path, HEADER + GOOD + "2022,4,276,9999AA,   2.000,   NA\n", packed=packed)
    for n, source in enumerate((path, tmp_path)):
        store = build_store(read_baci([source]), tmp_path / f"s{n}" / "store")
        assert rows(store) == [
            {
                "exporter": "AFG",
                "importer": "DEU",
                "product": "9999AA",
                "value": 0.002,
                "quantity": None,
            },
            {
                "exporter": "DEU",
                "importer": "FRA",
                "product": "010121",
                "value": 0.0055,
                "quantity": 1.25,
            },
        ]


def test_years_can_be_chosen(tmp_path):
    path = trade_files.release(tmp_path)
    assert is_baci(path)
    assert build_store(read_baci([path], [2021]), tmp_path / "s").years == (2021,)
    with pytest.raises(DataError, match="no BACI file of 1999"):
        read_baci([path], [1999, 2020])


def test_a_former_territory_is_not_summed_with_the_economy_that_has_its_code_now(tmp_path):
    write(tmp_path, HEADER + GOOD + "2022,280,251,010121,1,1\n")
    list_ = COUNTRIES + "280,former,DE,DEU\n"
    (tmp_path / "country_codes_V202601.csv").write_text(list_)
    store = build_store(read_baci([tmp_path]), tmp_path / "s")
    assert {r["exporter"] for r in rows(store)} == {"DEU", "280"}


REFUSED = {
    "not a number": (HEADER + GOOD + GOOD.replace("5.5", "abc"), "line 3: v is 'abc', no number"),
    "a year that is text": (HEADER + GOOD + "x" + GOOD, "line 3: t is 'x2022', no number"),
    "negative": (HEADER + GOOD.replace("5.5", "-5.5"), "line 2: v is -5.5"),
    "infinite": (HEADER + GOOD.replace("1.25", "inf"), "line 2: q is inf"),
    "not a number by name": (HEADER + GOOD.replace("5.5", "nan"), "line 2: v is nan"),
    "no value": (HEADER + GOOD.replace("5.5", ""), "line 2: v is '', no number"),
    "short line": (HEADER + GOOD + "2022,276\n", "line 3: 2 cells; the header has 6"),
    "semicolons": ((HEADER + GOOD).replace(",", ";"), "Another delimiter"),
    "a column missing": (HEADER.replace(",q", "") + "2022,1,2,010121,5\n", "called 'q'"),
    "a column twice": (HEADER.replace("q", "v") + GOOD, "2 columns are called 'v'"),
    "an open quote": (HEADER + GOOD + '2022,276,251,"010121,5,1\n' + GOOD, "line 3"),
    "no rows": (HEADER, "nothing below"),
    "empty": ("", "no columns are called"),
    "a huge field": (HEADER + GOOD.replace("010121", "9" * 100_000), "line 2: k is 100,000"),
    "not UTF-8": (
        HEADER.encode() + b"2022,276,251,\xff\xfe0121,x,1\n",
        "line 2: not text in UTF-8",
    ),
    "another year": (HEADER + GOOD.replace("2022", "2021"), "rows of 2021; its name says 2022"),
    "lost zeros": (HEADER + GOOD.replace("010121", "10121"), "'10121' is no HS code of 6 digits"),
    "a flow twice": (HEADER + GOOD + GOOD, "010121 from DEU to FRA is given twice"),
    "out of range": (HEADER + GOOD.replace("276", "99999999999"), "out of range"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(tmp_path, case):
    body, said = REFUSED[case]
    path = write(tmp_path, body)
    with pytest.raises(DataError) as error:
        build_store(read_baci([path]), tmp_path / "out" / "store")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_cut_short_is_refused(tmp_path):
    path = write(tmp_path, HEADER + "".join(f"2022,276,251,{k:06d},1,1\n" for k in range(20_000)))
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    (tmp_path / (name(2022) + ".gz")).write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="damaged"):
        build_store(read_baci([tmp_path]), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_damaged_and_escaping_archives_are_refused(tmp_path):
    path = trade_files.release(tmp_path)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match="not a readable zip"):
        read_baci([path])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../" + name(2022), HEADER + GOOD)
    with pytest.raises(DataError, match="outside its folder"):
        read_baci([path])


def test_releases_and_revisions_are_not_mixed(tmp_path):
    write(tmp_path, HEADER + GOOD)
    (tmp_path / name(2021, "HS92")).write_text(HEADER + GOOD)
    with pytest.raises(DataError, match="one at a time"):
        read_baci([tmp_path])
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="no files called like"):
        read_baci([tmp_path / "other.csv"])


def test_a_list_of_countries_that_contradicts_the_standard_is_refused(tmp_path):
    write(tmp_path, HEADER + GOOD)
    (tmp_path / "country_codes_V202601.csv").write_text(COUNTRIES.replace("276", "840", 1))
    with pytest.raises(DataError, match="840 is DEU there, USA in the standard"):
        read_baci([tmp_path])
    (tmp_path / "country_codes_V202601.csv").write_text(COUNTRIES.replace("276", "156", 1))
    with pytest.raises(DataError, match="156 stands there twice"):
        read_baci([tmp_path])


def test_a_folder_that_is_there_is_not_replaced(tmp_path):
    path = write(tmp_path, HEADER + GOOD)
    with pytest.raises(OutputError, match="is there already"):
        build_store(read_baci([path]), tmp_path)
    assert path.exists()


def spoil(folder, change):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_stores_that_are_not_whole_are_refused(tmp_path):
    path = write(tmp_path, HEADER + GOOD)
    store = build_store(read_baci([path]), tmp_path / "s")
    assert open_store(store.path) == store
    with pytest.raises(DataError, match=r"no folder"):
        open_store(tmp_path / "none")
    with pytest.raises(DataError, match=r"holds no manifest\.json"):
        open_store(tmp_path)
    spoil(store.path, {"digits": "many"})
    with pytest.raises(DataError, match="not a store's manifest"):
        open_store(store.path)
    spoil(store.path, {"digits": 6, "rows": {"2022": 1, "2023": 5}})
    with pytest.raises(DataError, match=r"year=2023.part\.parquet: missing"):
        open_store(store.path)


def test_a_damaged_table_of_a_store_is_one_sentence(tmp_path):
    from entrepot.products.connect import connect
    from entrepot.products.execute import collect

    store = build_store(read_baci([write(tmp_path, HEADER + GOOD)]), tmp_path / "s")
    part = part_of(store.path, "trade", 2022)
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(DataError) as error, connect(store) as tables:
        collect(tables.trade)
    assert "\n" not in str(error.value)


@settings(max_examples=25)
@given(turns, st.sampled_from(["csv", "gz", "zip"]))
def test_spoilt_bytes_are_read_or_refused_and_nothing_else(changes, kind):
    with tempfile.TemporaryDirectory() as name_of:
        folder = Path(name_of)
        path = trade_files.release(folder, (2022,))
        if kind != "zip":
            path.unlink()
            body = text(2022, flows(2022))
            path = write(folder, body, packed=kind == "gz")
        data = bytearray(path.read_bytes())
        for place, turn in changes:
            data[place % len(data)] ^= turn
        path.write_bytes(bytes(data))
        with contextlib.suppress(DataError):
            assert build_store(read_baci([path]), folder / "out").years == (2022,)
        left = {p.name for p in folder.iterdir()}
        assert left <= {path.name, "out"}
