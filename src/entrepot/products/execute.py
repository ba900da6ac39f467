"""From an expression to rows: in memory, or streamed into a file that appears whole."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.core.errors import DataError, OutputError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

SUFFIXES = (".parquet", ".csv")


def collect(expression: ir.Table, order: Sequence[str] = ()) -> pa.Table:
    """The rows of an expression, sorted by the columns of `order`.

    Everything comes into memory: for results, not for trade itself. Inside `connect` only.
    """
    import pyarrow as pa

    return pa.Table.from_batches(_batches(expression, order), expression.schema().to_pyarrow())


def records(expression: ir.Table, order: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The same as plain rows; what is absent is None."""
    return collect(expression, order).to_pylist()


def write_table(
    expression: ir.Table | Sequence[ir.Table], path: str | Path, order: Sequence[str] = ()
) -> int:
    """Stream the rows of an expression into a new .parquet or .csv file; how many.

    Several expressions of the same columns are executed one after the other.
    The file takes its name only when it is whole; an earlier one is replaced then. Raises
    OutputError for another ending or a file that cannot be written.
    """
    target = Path(path)
    check_target(target)
    scratch = None
    try:
        handle, name = tempfile.mkstemp(dir=target.resolve().parent, prefix=".entrepot-")
        os.close(handle)
        scratch = Path(name)
        scratch.chmod(0o644)
        parts = [expression] if not isinstance(expression, Sequence) else expression
        schema = parts[0].schema().to_pyarrow()
        rows = 0
        with _writer(scratch, target.suffix, schema) as write:
            for part in parts:
                for batch in _batches(part, order):
                    write(batch)
                    rows += batch.num_rows
        scratch.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error}).") from None
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)
    return rows


@contextmanager
def _writer(
    file: Path, suffix: str, schema: pa.Schema
) -> Iterator[Callable[[pa.RecordBatch], Any]]:
    import pyarrow.parquet as pq

    if suffix == ".parquet":
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            yield writer.write_batch
        return
    with file.open("w", newline="", encoding="utf-8") as text:
        out = csv.writer(text, lineterminator="\n")
        out.writerow(schema.names)
        yield lambda batch: out.writerows(zip(*(c.to_pylist() for c in batch.columns), strict=True))


def check_target(path: Path) -> None:
    """Raise OutputError, before anything is computed, for a file that could not be written."""
    if path.suffix not in SUFFIXES:
        raise OutputError(f"{path}: name a file ending in {' or '.join(SUFFIXES)}.")
    try:
        folder = path.resolve().parent
        if path.is_dir() or not folder.is_dir():
            raise OutputError(f"{path}: a folder, or in one that is not there.")
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"{path}: cannot be written ({error}).") from None


def read_production(path: str | Path, connection: Any, scratch: Path) -> ir.Table:
    """Domestic production from a CSV table, as a table on a store's engine.

    Columns importer, product, value (million USD), optionally quantity (metric
    tons) and year; at most 20 million rows. Raises DataError naming the line for a number that is
    none or negative and for a cell given twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from entrepot.sources.small_csv import small_csv

    rows: dict[tuple[str, ...], tuple[float, float | None]] = {}
    with small_csv(Path(path), 20_000_000) as table:
        columns = list(table.columns)
        odd = sorted(set(columns) - {"importer", "product", "value", "quantity", "year"})
        missing = [c for c in ("importer", "product", "value") if c not in columns]
        if odd or missing:
            raise DataError(
                f"{path}: columns {', '.join(map(repr, columns))}; importer, product, value, and "
                "optionally quantity and year, were expected."
            )
        keys = [c for c in ("importer", "product", "year") if c in columns]
        for where, row in table.rows:
            key = tuple((row[c] or "").strip() for c in keys)
            if not all(key) or ("year" in keys and not key[-1].isdigit()):
                raise DataError(f"{where}: an importer, product or year is missing.")
            if key in rows:
                raise DataError(f"{where}: {' / '.join(key)} is given twice.")
            tons = (row.get("quantity") or "").strip()
            rows[key] = (
                _amount(row["value"], where),
                _amount(tons, where) if tons else None,
            )
    if not rows:
        raise DataError(f"{path}: no rows.")
    parts = list(zip(*rows, strict=True))
    data: dict[str, Any] = {c: pa.array(v, pa.string()) for c, v in zip(keys, parts, strict=True)}
    if "year" in data:
        data["year"] = pa.array([int(y) for y in parts[-1]], pa.int32())
    data["value"] = pa.array([v for v, _ in rows.values()], pa.float64())
    data["quantity"] = pa.array([q for _, q in rows.values()], pa.float64())
    file = scratch / "production.parquet"
    pq.write_table(pa.table(data), file)
    return connection.read_parquet(str(file))


def _amount(text: str | None, where: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        raise DataError(f"{where}: {(text or '')[:40]!r} is no number.") from None
    if not 0 <= number < float("inf"):
        raise DataError(f"{where}: {number} is not a number of 0 or more.")
    return number


def _batches(expression: ir.Table, order: Sequence[str]) -> Iterator[pa.RecordBatch]:
    sorted_ = expression.order_by(*order) if order else expression
    backend = sorted_.get_backend()
    if backend.name == "pyspark":  # by Arrow; ibis would go by way of pandas
        batches = backend.raw_sql(backend.compile(sorted_)).toArrow().to_batches()
    else:
        batches = sorted_.to_pyarrow_batches()
    schema = sorted_.schema().to_pyarrow()  # an engine may count in wider types
    for batch in batches:
        yield batch.cast(schema)
