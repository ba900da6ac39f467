"""`entrepot products`: read, show, screen, churn, measure, complexity."""

import json

import pyarrow.parquet as pq
import pytest

import trade_files


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return trade_files.release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def store(release):
    from entrepot.products.build import build_store
    from entrepot.sources.baci import read_baci

    folder = release.parent / "store"
    build_store(read_baci([release]), folder)
    return folder


def test_read_and_show(call, release, tmp_path):
    code, out, err = call("products", "read", release, "--to", tmp_path / "s", "--year", 2021)
    assert (code, err) == (0, "")
    assert "CEPII BACI, HS17 at 6 digits, 119 flows, 2021 to 2021" in out
    assert "no ISO code is known: 490." in out
    code, out, _ = call("products", "show", tmp_path / "s", "--json")
    said = json.loads(out)
    assert (code, said["years"], said["units"]["value"]) == (0, [2021], "million USD")


def test_screen_of_all_of_some_and_of_a_group(call, store, tmp_path):
    path = tmp_path / "out.parquet"
    code, out, _ = call("products", "screen", store, "--json", "--out", path, "--most", 3)
    said = json.loads(out)
    assert code == 0
    assert said["year"] == 2022
    assert said["thresholds"]["concentration"] == 0.4
    rows = pq.read_table(path).to_pylist()
    assert said["rows_written"] == len(rows)
    assert said["rows"] == sum(r["dependent_value"] for r in rows)
    assert len(said["shown"]) == 3
    largest = sorted((r["outside"] for r in rows if r["dependent_value"]), reverse=True)[:3]
    assert [r["outside"] for r in said["shown"]] == pytest.approx(largest)
    asked = ("products", "screen", store, "--json", "--most", 99, "--out", path)
    for words, buyers in (
        ("DEU+CHN", {"DEU", "CHN"}),
        ("eu27", {"eu27"}),
        ("two=DEU+FRA", {"two"}),
    ):
        code, _, _ = call(*asked, "--importer", words)
        assert code == 0
        assert {r["buyer"] for r in pq.read_table(path).to_pylist()} == buyers
    code, out, _ = call("products", "screen", store, "--importer", "eu27", "--digits", 2)
    assert code == 0
    assert "rows" in out


def test_options_reach_the_screen(call, store, tmp_path):
    made = tmp_path / "made.csv"
    made.write_text("importer,product,value\nDEU,010121,1000000\n")
    path = tmp_path / "out.csv"
    args = ("products", "screen", store, "--importer", "DEU", "--year", 2020, "--out", path)
    call(*args)
    plain = path.read_text()
    call(*args, "--production", made)
    assert "production" in path.read_text()
    call(*args, "--friendly", "eu27", "--friendly-weight", 0.5)
    assert path.read_text() != plain


def test_churn_and_measures(call, store, tmp_path):
    path = tmp_path / "churn.csv"
    code, out, _ = call("products", "churn", store, "--json", "--out", path, "--before", 2021)
    said = json.loads(out)
    assert (code, said["before"], said["after"]) == (0, 2021, 2022)
    assert said["shown"][0].keys() >= {"stayed", "entered", "left", "persistence"}
    assert len(path.read_text().splitlines()) == said["rows_written"] + 1
    code, out, _ = call("products", "measures", "--json")
    for row in json.loads(out):
        code, out, err = call("products", "measure", store, "--what", row["name"], "--json")
        assert (code, err) == (0, ""), row
        said = json.loads(out)
        assert said["source"] == row["source"]
        assert said["rows"] > 0
    code, out, _ = call("products", "measure", store, "--what", "rca", "--year", 2020)
    assert code == 0
    assert "rows, 20 shown" in out


def test_complexity(call, store):
    pytest.importorskip("ecomplexity", reason="the extra `complexity` is not installed")
    code, out, _ = call("products", "complexity", store, "--digits", 6, "--json")
    assert code == 0
    assert {r["economy"] for r in json.loads(out)["economies"]} <= {"490", *trade_files.CODES}


REFUSED = [
    (("show", "nowhere"), "no folder"),
    (("screen", "STORE", "--year", 1999), "holds no trade of 1999"),
    (("screen", "STORE", "--importer", "GER"), "no economy's code"),
    (("screen", "STORE", "--out", "x.xlsx"), "ending in .parquet or .csv"),
    (("screen", "STORE", "--engine", "hadoop"), "no engine 'hadoop'"),
    (("measure", "STORE", "--what", "rcb"), "did you mean 'rca'"),
    (("churn", "STORE", "--before", 2022), "two years in order"),
    (("read", "nothing.csv", "--to", "x"), "no such file"),
    (("read", "RELEASE", "--to", "STORE"), "is there already"),
    (("read", "RELEASE", "--to", "x", "--digits", 4), "stored at 6 digits"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=lambda w: str(w)[:40])
def test_refusals_are_one_line_and_code_two(call, store, release, words, said):
    places = {"STORE": store, "RELEASE": release}
    code, out, err = call("products", *(places.get(w, w) for w in words))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_importing_the_project_loads_no_engine():
    import subprocess
    import sys

    code = (
        "import sys, entrepot, entrepot.cli.main; "
        "print([m for m in ('ibis', 'duckdb', 'pyspark', 'ecomplexity') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
