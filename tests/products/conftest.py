"""A store of made-up trade, and the engines it is asked on."""

import shutil

import pytest

import trade_files
from entrepot.products.build import build_store
from entrepot.products.connect import connect
from entrepot.sources.baci import read_baci


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Three years of made-up BACI."""
    folder = tmp_path_factory.mktemp("trade")
    return build_store(read_baci([trade_files.release(folder)]), folder / "store")


@pytest.fixture
def trade(store):
    """Its trade on DuckDB."""
    with connect(store, memory="500MB") as tables:
        yield tables.trade


@pytest.fixture(scope="session")
def session():
    """A small Spark; skipped where there is none."""
    pytest.importorskip("pyspark", reason="PySpark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java: no `java` on the path")
    from entrepot.products.connect import local_session

    found = local_session(workers=2, partitions=1)
    found.sparkContext.setLogLevel("ERROR")
    # Queries this small take their time in planning and compiling.
    found.conf.set("spark.sql.adaptive.enabled", "false")
    found.conf.set("spark.sql.codegen.wholeStage", "false")
    found.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    yield found
    found.stop()
