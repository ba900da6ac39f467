"""Long tables of trade flows, block by block: a fast way, and a slow one that names the line.

A table is never in memory whole, and nothing is unpacked to disk. What the fast
parser does not take is read line by line, so an error names its line.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.sources.archive import Opened, require_file, sha256
from entrepot.sources.text import in_threads

Kind = Literal["code", "whole", "amount", "amount?"]
"""Text; an integer; a number of 0 or more; the same or absent."""

MAX_CODE = 64
ABSENT = frozenset({"", "NA"})
TYPES = {"code": pa.string(), "whole": pa.int32(), "amount": pa.float64(), "amount?": pa.float64()}

FLOWS = pa.schema(
    [
        ("flow", pa.string()),  # trade, exports (of those who report re-exports), re-exports
        ("year", pa.int32()),
        ("exporter", pa.int32()),  # UN M49 code, as the source uses it
        ("importer", pa.int32()),
        ("product", pa.string()),  # HS code, leading zeros kept
        ("value", pa.float64()),  # million USD
        ("quantity", pa.float64()),  # metric tons, null where absent
    ]
)
"""What every reader gives."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file that was read: name without its folder, size in bytes, SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """Product-level trade as a source has it, yet unread.

    `hs` is the revision (HS92 ... HS22), `valuation` says whose reports at what
    prices, `iso` maps the source's numeric codes to ISO alpha-3, `batches` reads
    the files and yields record batches in the schema `FLOWS`, and `notes` gives, after that,
    sentences about what was left out.
    """

    source: str
    version: str
    hs: Callable[[], str]
    digits: int
    valuation: str
    citation: str
    inputs: tuple[Input, ...]
    iso: Mapping[int, str]
    batches: Callable[[], Iterator[pa.RecordBatch]]
    notes: Callable[[], Sequence[str]]


def input_of(path: Path) -> Input:
    """What identifies a file; DataError for what is no ordinary one."""
    size = require_file(path)
    try:
        return Input(path.name, size, sha256(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None


def read_rows(
    opened: Opened, delimiter: str, header: Sequence[str], columns: Mapping[str, Kind]
) -> Iterator[pa.Table]:
    """The named columns of a table of which the header has been read, block by block.

    Raises DataError naming file and line for a line with too few or too many
    cells, a number that is none, negative or not finite, and text that is far
    too long for a code.
    """
    missing = [name for name in columns if header.count(name) != 1]
    if missing:
        count = header.count(missing[0])
        raise DataError(
            f"{opened.where}: {count or 'no'} columns are called {missing[0]!r}; "
            f"its first line has {some(list(header))}. Another delimiter than {delimiter!r}?"
        )
    work = _Block(opened.where, delimiter, tuple(header), dict(columns))
    found = False
    for table in in_threads(opened, len(header), 2, work.parse):
        if table is not None and table.num_rows:
            found = True
            yield table
    if not found:
        raise DataError(f"{opened.where}: a header and nothing below it.")


@dataclass(frozen=True, slots=True)
class _Block:
    where: str
    delimiter: str
    header: tuple[str, ...]
    columns: dict[str, Kind]

    def parse(self, first_line: int, block: bytes) -> pa.Table | None:
        if not block.strip():
            return None
        read = pyarrow.csv.ReadOptions(
            column_names=list(self.header), use_threads=False, block_size=1 << 30
        )
        parse = pyarrow.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=False)
        convert = pyarrow.csv.ConvertOptions(
            column_types={name: TYPES[kind] for name, kind in self.columns.items()},
            include_columns=list(self.columns),
            null_values=sorted(ABSENT),
            strings_can_be_null=False,
        )
        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(block), read, parse, convert)
        except pa.ArrowException:
            return self._slowly(first_line, block)
        return table if self._sound(table) else self._slowly(first_line, block)

    def _sound(self, table: pa.Table) -> bool:
        for name, kind in self.columns.items():
            column = table.column(name)
            if kind != "amount?" and column.null_count:
                return False
            if kind == "code":
                longest = pc.max(pc.binary_length(column)).as_py()
                if longest is not None and longest > MAX_CODE:
                    return False
            elif kind != "whole":
                good = pc.and_(pc.is_finite(column), pc.greater_equal(column, 0.0))
                if pc.all(good, skip_nulls=True).as_py() is False:
                    return False
        return True

    def _slowly(self, first_line: int, block: bytes) -> pa.Table:
        places = [(self.header.index(name), name, kind) for name, kind in self.columns.items()]
        out: dict[str, list[Any]] = {name: [] for name in self.columns}
        for number, raw in enumerate(block.split(b"\n"), first_line):
            line = raw.rstrip(b"\r")
            if not line:
                continue
            where = f"{self.where} line {number}"
            try:
                cells = next(csv.reader([line.decode()], delimiter=self.delimiter, strict=True))
            except UnicodeDecodeError as error:
                raise DataError(f"{where}: not text in UTF-8 ({error.reason}).") from None
            except (csv.Error, StopIteration) as error:
                raise DataError(f"{where}: cannot be split into cells ({error}).") from None
            if len(cells) != len(self.header):
                raise DataError(
                    f"{where}: {len(cells)} cells; the header has {len(self.header)}. "
                    f"Cut short, or another delimiter than {self.delimiter!r}?"
                )
            for place, name, kind in places:
                out[name].append(_value(cells[place].strip(), name, kind, where))
        return pa.table({name: pa.array(out[name], TYPES[k]) for name, k in self.columns.items()})


def _value(text: str, name: str, kind: Kind, where: str) -> str | int | float | None:
    if kind == "code":
        if len(text.encode()) > MAX_CODE:
            raise DataError(f"{where}: {name} is {len(text):,} characters long; no code.")
        return text
    if kind == "amount?" and text in ABSENT:
        return None
    try:
        number = int(text) if kind == "whole" else float(text)
    except ValueError:
        raise DataError(f"{where}: {name} is {text[:40]!r}, no number.") from None
    if kind == "whole" and abs(number) >= 1 << 31:
        raise DataError(f"{where}: {name} is {text[:40]}, out of range.")
    if not math.isfinite(number) or (kind != "whole" and number < 0):
        raise DataError(f"{where}: {name} is {text[:40]}; a number of 0 or more was expected.")
    return number


def flows(
    flow: str | pa.ChunkedArray,
    year: Any,
    exporter: Any,
    importer: Any,
    product: Any,
    value: Any,
    quantity: Any,
) -> Iterator[pa.RecordBatch]:
    """Columns of equal length as batches of the schema `FLOWS`."""
    named = pa.repeat(flow, len(year)) if isinstance(flow, str) else flow
    columns = [named, year, exporter, importer, product, value, quantity]
    yield from pa.table(columns, schema=FLOWS).to_batches()
