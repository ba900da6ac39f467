"""The same expressions on DuckDB and on Spark give the same rows."""

import math

import pytest

from entrepot.core.errors import DataError, EntrepotError
from entrepot.products import connect as connecting
from entrepot.products.catalogue import MEASURES
from entrepot.products.churn import churn, churn_summary
from entrepot.products.connect import connect
from entrepot.products.execute import collect, read_production, records, write_table
from entrepot.products.measures import at_digits
from entrepot.products.screen import Buyer, Friendly, screen

EU = Buyer("eu", ("DEU", "FRA", "ITA"))
PRODUCTION = "importer,product,value,quantity\nDEU,010121,5,9\nFRA,010121,1,\nDEU,280461,0,0\n"


def questions(tables, scratch):
    trade = tables.trade
    path = scratch / "made.csv"
    path.write_text(PRODUCTION)
    made = read_production(path, tables.connection, scratch)
    two = trade.filter(trade.year < 2022)
    found = {name: measure.compute(tables, two) for name, measure in MEASURES.items()}
    return found | {
        "at four digits": at_digits(trade, 4),
        "screen": screen(trade),
        "screen of a group": screen(at_digits(two, 4), EU, friendly=Friendly(("USA",), 0.25)),
        "screen with production": screen(two, EU, production=made, exports="outside"),
        "churn": churn(screen(two), 2020, 2021, "dependent_quantity"),
        "churn summary": churn_summary(churn(screen(two), 2020, 2021)),
    }


def answers(store, scratch, engine, session=None):
    scratch.mkdir()
    with connect(store, engine, memory="500MB", session=session) as tables:
        return {name: records(e) for name, e in questions(tables, scratch).items()}


def keyed(rows):
    """Rows in an order that does not depend on rounding."""
    return sorted(rows, key=lambda r: [str(v) for v in r.values() if not isinstance(v, float)])


def test_both_engines_give_equal_rows(store, session, tmp_path):
    duck = answers(store, tmp_path / "a", "duckdb")
    spark = answers(store, tmp_path / "b", "spark", session)
    assert duck.keys() == spark.keys()
    compared = 0
    for name, rows in duck.items():
        assert len(rows) == len(spark[name]) > 0, name
        for ours, theirs in zip(keyed(rows), keyed(spark[name]), strict=True):
            assert ours.keys() == theirs.keys()
            for column, value in ours.items():
                other = theirs[column]
                if isinstance(value, float) and isinstance(other, float):
                    # Sums in another order; what is near 0 differs by rounding of 1.
                    good = math.isclose(value, other, rel_tol=1e-12, abs_tol=1e-14)
                    assert good, (name, column, value, other)
                    compared += 1
                else:
                    assert value == other, (name, column)
    assert compared > 2000


def test_spark_writes_and_counts_as_duckdb_does(store, session, tmp_path):
    with connect(store, "spark", session=session) as tables:
        path = tmp_path / "out.csv"
        count = write_table(tables.trade.filter(tables.trade.year == 2020), path, ("importer",))
        assert count == store.manifest.rows[2020] == len(path.read_text().splitlines()) - 1
        assert collect(tables.trade.limit(0)).num_rows == 0


def test_without_java_spark_says_so(store, monkeypatch):
    pytest.importorskip("pyspark")
    monkeypatch.setattr(connecting.shutil, "which", lambda _: None)
    with pytest.raises(DataError, match="needs Java"), connect(store, "spark"):
        pass


def test_an_unknown_engine_is_refused(store):
    with pytest.raises(DataError, match="did you mean 'duckdb'"), connect(store, "duckdv"):
        pass


def test_too_little_memory_is_one_sentence(store):
    def ask():
        with connect(store, memory="1MB") as tables:
            collect(screen(tables.trade))

    with pytest.raises(EntrepotError) as error:
        ask()
    assert "memory" in str(error.value)
    assert "\n" not in str(error.value)
