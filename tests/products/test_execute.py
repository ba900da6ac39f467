"""Answers into files, and domestic production out of one."""

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from entrepot.core.errors import DataError, OutputError
from entrepot.products.connect import connect
from entrepot.products.execute import read_production, records, write_table


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_file_holds_all_rows_and_replaces_an_earlier_one(trade, tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    path.write_text("earlier")
    rows = records(trade)
    assert write_table(trade, path, ("year", "importer", "product", "exporter")) == len(rows)
    found = pq.read_table(path) if ending == "parquet" else pyarrow.csv.read_csv(path)
    assert found.num_rows == len(rows)
    assert found.column_names == list(trade.columns)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_nothing_is_written_when_the_question_fails(store, tmp_path):
    def ask():
        with connect(store) as tables:
            bad = tables.trade.mutate(x=tables.trade.product.cast("int32"))  # 9999AA
            write_table(bad, tmp_path / "out.csv")

    with pytest.raises(DataError):
        ask()
    assert list(tmp_path.iterdir()) == []


def test_no_rows_are_a_file_with_columns(trade, tmp_path):
    path = tmp_path / "out.parquet"
    assert write_table(trade.filter(trade.year == 1), path) == 0
    assert pq.read_table(path).column_names == list(trade.columns)


@pytest.mark.parametrize("name", ["out.xlsx", "none/out.csv", "."])
def test_places_that_cannot_be_written_are_refused(trade, tmp_path, name):
    with pytest.raises(OutputError):
        write_table(trade, tmp_path / name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("importer,product,value\nDEU,01,x\n", "line 2: 'x' is no number"),
        ("importer,product,value\nDEU,01,-1\n", "line 2: -1.0 is not a number of 0 or more"),
        ("importer,product,value\nDEU,01,1\nDEU,01,2\n", "line 3: DEU / 01 is given twice"),
        ("importer,product\nDEU,01\n", "importer, product, value"),
        ("importer,product,value,tons\nDEU,01,1,1\n", "importer, product, value"),
        ("importer,product,value\n,01,1\n", "line 2: an importer, product or year is missing"),
        ("importer,product,value\n", "no rows"),
    ],
)
def test_production_that_is_wrong_is_refused(store, tmp_path, text, said):
    path = tmp_path / "made.csv"
    path.write_text(text)
    with connect(store) as tables, pytest.raises(DataError, match=said):
        read_production(path, tables.connection, tmp_path)


def test_production_may_be_of_a_year(store, tmp_path):
    path = tmp_path / "made.csv"
    path.write_text("year,importer,product,value\n2021,DEU,010121,5\n")
    with connect(store) as tables:
        (row,) = records(read_production(path, tables.connection, tmp_path))
    assert row == {
        "importer": "DEU",
        "product": "010121",
        "year": 2021,
        "value": 5.0,
        "quantity": None,
    }
