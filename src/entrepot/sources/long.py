"""Long tables: one value a line, its place given by label columns. CSV or Parquet, in bounds.

Memory: 8 bytes a value and 4 a label, and some blocks of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.core.tables import Array
from entrepot.sources.archive import Opened, require_file
from entrepot.sources.child import Answer, answer, ask
from entrepot.sources.text import in_threads, read_header

MAX_ROWS = 400_000_000
MAX_LABELS = 200_000
MAX_LABEL = 300


@dataclass(frozen=True, eq=False, slots=True)
class Flat:
    """Values with the position of each of their labels in `labels`, in order of appearance."""

    labels: tuple[tuple[str, ...], ...]
    codes: tuple[NDArray[np.int32], ...]
    values: Array

    def scatter(self, out: Array, where: str) -> None:
        """Write the values into an array with one axis per label column.

        Raises DataError for a cell given twice.
        """
        flat = np.ravel_multi_index(self.codes, out.shape) if len(self.values) else np.empty(0, int)
        seen = np.zeros(out.size, dtype=bool)
        seen[flat] = True
        if int(seen.sum()) < len(flat):
            order = np.argsort(flat, kind="stable")
            twice = order[1:][np.diff(flat[order]) == 0]
            at = [
                labels[code[twice[0]]] for labels, code in zip(self.labels, self.codes, strict=True)
            ]
            raise DataError(f"{where}: the cell {' / '.join(at)} is given more than once.")
        out.reshape(-1)[flat] = self.values


def read_flat(opened: Opened, labels: Sequence[str], value: str, empty: bool = False) -> Flat:
    """The named label columns and the value column of a long CSV table in UTF-8."""
    header = read_header(opened, ",")
    missing = [c for c in (*labels, value) if header.count(c) != 1]
    if missing:
        raise DataError(
            f"{opened.where}: not a long table with {some([*labels, value])}: "
            f"{header.count(missing[0]) or 'no'} columns are called {missing[0]!r}."
        )
    kinds = {name: pa.dictionary(pa.int32(), pa.string()) for name in labels}
    read = pyarrow.csv.ReadOptions(column_names=header, use_threads=False, block_size=1 << 30)
    parse = pyarrow.csv.ParseOptions(newlines_in_values=False)
    convert = pyarrow.csv.ConvertOptions(
        column_types={**kinds, value: pa.float64()},
        include_columns=[*labels, value],
        null_values=[""],
        strings_can_be_null=False,
    )

    def batches(first_line: int, block: bytes) -> list[pa.RecordBatch]:
        if not block.strip():
            return []
        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(block), read, parse, convert)
            return table.to_batches()
        except pa.ArrowException as error:
            text = str(error).splitlines()[0]
            raise DataError(
                f"{opened.where}: not a long table with {some([*labels, value])}, "
                f"in the lines from {first_line} on: {text}"
            ) from None

    # Block by block, not by Arrow's streaming reader: after an error in a damaged
    # file its read-ahead thread may bring the process down.
    blocks = in_threads(opened, len(header), 2, batches)
    return _gather((b for block in blocks for b in block), labels, value, opened.where, empty)


def read_flat_parquet(path: Path, labels: Sequence[str], value: str, empty: bool = False) -> Flat:
    """The same from a Parquet file, read in a process of its own (see `child`)."""
    require_file(path)
    order = {"path": str(path), "labels": [*labels], "value": value, "empty": empty}
    words, arrays = ask("long", order, str(path))
    return Flat(tuple(map(tuple, words)), tuple(arrays[:-1]), arrays[-1])


def _read_parquet(order: Any, _: bytes) -> Answer:
    """The child's work."""
    labels, value = order["labels"], order["value"]
    try:
        with pyarrow.parquet.ParquetFile(order["path"]) as file:
            missing = [c for c in (*labels, value) if c not in file.schema_arrow.names]
            if missing:
                raise DataError(f"no column {missing[0]!r}.")
            if file.metadata.num_rows > MAX_ROWS:
                raise DataError(f"more than {MAX_ROWS:,} rows; refused.")
            batches = file.iter_batches(batch_size=1 << 20, columns=[*labels, value])
            flat = _gather(batches, labels, value, "the file", order["empty"])
    except (pa.ArrowException, OSError) as error:
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"not a readable Parquet file ({text}).") from None
    return [list(words) for words in flat.labels], (*flat.codes, flat.values)


def _gather(batches: Any, labels: Sequence[str], value: str, where: str, empty: bool) -> Flat:
    places: list[dict[str, int]] = [{} for _ in labels]
    codes: list[list[NDArray[np.int32]]] = [[] for _ in labels]
    values: list[Array] = []
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        if rows > MAX_ROWS:
            raise DataError(f"{where}: more than {MAX_ROWS:,} rows; refused.")
        for i, name in enumerate(labels):
            codes[i].append(_codes(batch.column(name), places[i], name, where))
        column = batch.column(value)
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            raise DataError(f"{where}: the column {value!r} holds {column.type}, not numbers.")
        values.append(
            np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
        )
    if not rows and not empty:
        raise DataError(f"{where}: a header and nothing below it.")
    if not rows:
        none = np.empty(0, np.int32)
        return Flat(tuple(() for _ in labels), tuple(none for _ in labels), np.empty(0))
    return Flat(
        tuple(tuple(p) for p in places),
        tuple(np.concatenate(c) for c in codes),
        np.concatenate(values),
    )


def _codes(column: Any, place: dict[str, int], name: str, where: str) -> NDArray[np.int32]:
    """Positions of a column's labels, new ones added to `place`."""
    if not pa.types.is_dictionary(column.type):
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise DataError(f"{where}: the column {name!r} holds {column.type}, not labels.")
        column = column.dictionary_encode()
    if column.null_count:
        raise DataError(f"{where}: a blank label in the column {name!r}.")
    words = column.dictionary.to_pylist()
    used = np.asarray(column.indices.to_numpy(zero_copy_only=False))
    # In order of appearance, not of the dictionary.
    _, first = np.unique(used, return_index=True)
    for k in used[np.sort(first)]:
        word = words[k]
        if word is None or len(word) > MAX_LABEL:
            raise DataError(
                f"{where}: the column {name!r} holds a label that is blank or too long."
            )
        place.setdefault(word, len(place))
    if len(place) > MAX_LABELS:
        raise DataError(f"{where}: more than {MAX_LABELS:,} different labels in {name!r}; refused.")
    table = np.array([place.get(w, -1) if w is not None else -1 for w in words], dtype=np.int32)
    return table[used]


if __name__ == "__main__":
    raise SystemExit(answer(_read_parquet))
