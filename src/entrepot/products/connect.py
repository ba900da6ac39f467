"""A store as tables of ibis expressions: DuckDB by default, PySpark as the second engine."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.core.errors import DataError
from entrepot.core.labels import did_you_mean
from entrepot.products.duck import MEMORY, in_words, settings
from entrepot.products.store import Store, open_store

if TYPE_CHECKING:
    import ibis.expr.types as ir

ENGINES = ("duckdb", "spark")


@dataclass(frozen=True, slots=True)
class Tables:
    """A store's tables on an engine, as expressions: nothing is read before they are executed.

    `trade`: year, exporter, importer, product, value (million USD), quantity
    (metric tons, null where absent). `reexports`: year, exporter, importer,
    product, exports, reexports (million USD); None where the store has none.
    """

    store: Store
    trade: ir.Table
    reexports: ir.Table | None
    connection: Any


@contextmanager
def connect(
    store: Store | str | Path,
    engine: str = "duckdb",
    *,
    memory: str = MEMORY,
    threads: int | None = None,
    session: Any = None,
) -> Iterator[Tables]:
    """A store's tables on an engine, until the block ends.

    Parameters
    ----------
    engine : `duckdb`, in this process and within `memory`; or `spark`.
    memory, threads : bounds of DuckDB; what exceeds the memory goes to a scratch folder.
    session : a running SparkSession, for a cluster; when None one is started on
        this machine with two workers, and stopped at the end.

    Raises DataError for what is no store, an unknown engine, one that is not
    installed, and what an engine reports while the block lasts.

    """
    opened = store if isinstance(store, Store) else open_store(store)
    if engine not in ENGINES:
        hint = did_you_mean(engine, ENGINES)
        raise DataError(f"There is no engine {engine!r}{hint}; there are {', '.join(ENGINES)}.")
    kind = _duckdb(opened, memory, threads) if engine == "duckdb" else _spark(opened, session)
    with kind as tables:
        yield tables


@contextmanager
def _duckdb(store: Store, memory: str, threads: int | None) -> Iterator[Tables]:
    import ibis

    with settings(memory, threads) as chosen, in_words(str(store.path)):
        connection = ibis.duckdb.connect(**chosen)
        connection.raw_sql("SET enable_progress_bar = false")
        try:
            yield _tables(store, connection, "/*/*.parquet", {"hive_partitioning": True})
        finally:
            connection.disconnect()


@contextmanager
def _spark(store: Store, session: Any) -> Iterator[Tables]:
    try:
        import pyspark.errors
    except ImportError:
        raise DataError("PySpark is not installed: pip install 'entrepot[spark]'.") from None
    started = None
    if session is None:
        started = session = local_session()
    try:
        with warnings.catch_warnings():
            # PySpark and ibis say at import what does not concern these expressions.
            warnings.simplefilter("ignore")
            import ibis

            connection = ibis.pyspark.connect(session)
        yield _tables(store, connection, "", {})
    except pyspark.errors.PySparkException as error:
        text = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise DataError(f"{store.path}: {text}") from None
    finally:
        if started is not None:
            started.stop()


def local_session(workers: int = 2, partitions: int = 4) -> Any:
    """A Spark session on this machine; raises DataError where there is no Java."""
    if shutil.which("java") is None:
        raise DataError("Spark needs Java (17 or later): no `java` is found on the path.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyspark.sql import SparkSession

        return (
            SparkSession.builder.master(f"local[{workers}]")
            .appName("entrepot")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.ansi.enabled", "true")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", str(partitions))
            .getOrCreate()
        )


def _tables(store: Store, connection: Any, below: str, options: dict[str, Any]) -> Tables:
    def table(name: str) -> ir.Table:
        found = connection.read_parquet(f"{store.path.resolve() / name}{below}", **options)
        return found.mutate(year=found.year.cast("int32"))

    again = table("reexports") if store.manifest.reexport_years else None
    return Tables(store, table("trade"), again, connection)
