"""One sheet of a workbook, read in a process of its own.

The parser of workbooks is a compiled library. A damaged or hostile file can
make it stop the whole process, or ask for more memory than there is; so it
runs in a child whose memory is limited, and whose end, whatever it is, becomes
one sentence here. Nothing but text and numbers comes back.
"""

from __future__ import annotations

import io
import json
import re
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.core.tables import Array

MAX_CELLS = 30_000_000
MAX_CHILD = 6_000_000_000
"""Bytes of memory that reading a workbook may take."""
MAX_SECONDS = 900
MAX_WIDTH = 20_000
HEADER_ROWS = 12
MAX_LABELS = 2_000
LABELS = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """Which sheet is meant: the one that fits `prefer`, else the only one not in `ignore`.

    With `first`, the first of several that are left.
    """

    prefer: str = ""
    ignore: tuple[str, ...] = ()
    first: bool = False

    def choose(self, names: list[str]) -> str:
        """The sheet meant; DataError when that is unclear."""
        fit = [n for n in names if self.prefer and re.search(self.prefer, n)]
        left = fit or [n for n in names if n not in self.ignore]
        if not left or (len(left) > 1 and not self.first):
            raise DataError(f"which of the sheets {names} holds the table is unclear.")
        return left[0]


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """A sheet: its name, the cells of its header rows, the label cells, and the numbers.

    `head` has one list a header row, the four label columns included; `labels`
    one list a label column. Blank cells among the numbers are NaN.
    """

    sheet: str
    head: list[list[str]]
    labels: list[list[str]]
    values: Array


def read_cells(data: bytes, where: str, rule: Rule) -> Cells:
    """Read one sheet; the header ends with the row whose fifth cell is `c1`.

    Raises DataError when the workbook cannot be read within the bounds, has no
    such header, or holds a cell that is neither a number nor blank.
    """
    order = {"prefer": rule.prefer, "ignore": rule.ignore, "first": rule.first}
    out = _in_a_child(data, where, order)
    (size,) = struct.unpack_from("<Q", out)
    about = json.loads(out[8 : 8 + size])
    values = np.frombuffer(out, dtype="<f8", offset=8 + size)
    return Cells(
        about["sheet"], about["head"], about["labels"], values.reshape(about["shape"]).copy()
    )


def read_columns(
    data: bytes, where: str, sheets: Mapping[str, Sequence[str]]
) -> dict[str, list[list[str]]]:
    """The named columns of the named sheets as text, row by row, down to the first blank row.

    Names are compared without regard to case; the row that names the columns is
    among the first of its sheet.

    Raises DataError as `read_cells`, and for a sheet or column that is missing.
    """
    found = json.loads(_in_a_child(data, where, {"columns": {k: [*v] for k, v in sheets.items()}}))
    return {name: [[str(x) for x in row] for row in rows] for name, rows in found.items()}


def _in_a_child(data: bytes, where: str, order: Mapping[str, Any]) -> bytes:
    """What the child sends back; DataError for its refusal, or its end."""
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, this module, no shell
            [sys.executable, "-m", "entrepot.sources.workbook", json.dumps(order)],
            input=data,
            capture_output=True,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{where}: reading it takes more than {MAX_SECONDS} s; refused.") from None
    if done.returncode == 0:
        return done.stdout
    if done.returncode == 3:  # a sentence of ours
        raise DataError(f"{where}: {done.stdout.decode('utf-8', 'replace').strip()}")
    raise DataError(f"{where}: the workbook cannot be read; damaged?")


def _limit() -> None:
    try:
        import resource
    except ImportError:  # not on this system
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_CHILD, MAX_CHILD))


def _main(stream: BinaryIO, out: BinaryIO, order: dict[str, Any]) -> int:
    from python_calamine import CalamineWorkbook

    _limit()
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(stream.read()))
        if "columns" in order:
            out.write(json.dumps(_all_columns(book, order["columns"])).encode())
            return 0
        rule = Rule(order["prefer"], tuple(order["ignore"]), order["first"])
        name = rule.choose(book.sheet_names)
        sheet = book.get_sheet_by_name(name)
        if sheet.total_height * sheet.total_width > MAX_CELLS:
            raise DataError(f"{sheet.total_height:,} x {sheet.total_width:,} cells; refused.")
        head, labels, values = _cut(sheet.iter_rows())
    except DataError as error:
        out.write(str(error).encode())
        return 3
    about = {"sheet": name, "head": head, "labels": labels, "shape": list(values.shape)}
    text = json.dumps(about).encode()
    out.write(struct.pack("<Q", len(text)) + text)
    out.write(np.ascontiguousarray(values, dtype="<f8").data)
    return 0


def _cut(rows: Any) -> tuple[list[list[str]], list[list[str]], Array]:
    head: list[list[str]] = []
    for row in rows:
        head.append([_word(cell) for cell in row])
        if len(head[-1]) > LABELS and head[-1][LABELS].lower() == "c1":
            break
        if len(head) > HEADER_ROWS:
            raise DataError("no row of item codes (c1, c2, ...) above the data.")
    else:
        raise DataError("no row of item codes (c1, c2, ...) above the data.")
    economies = head[-2] if len(head) > 1 else []
    width = max((j for j, word in enumerate(economies) if word), default=0) + 1
    if width < LABELS + 2 or width > MAX_WIDTH:
        raise DataError("no row of economies above the item codes.")
    labels: list[list[str]] = [[] for _ in range(LABELS)]
    values: list[Array] = []
    for i, row in enumerate(rows, len(head) + 1):
        words = [_word(cell) for cell in row[:LABELS]]
        if not any(words[1:]):
            if any(isinstance(cell, float) and cell for cell in row[LABELS:width]):
                raise DataError(f"row {i}: numbers without a label.")
            break  # footnotes and formatting below the table
        for column, word in zip(labels, words, strict=True):
            column.append(word)
        values.append(_numbers(row[LABELS:width], i))
    if not values:
        raise DataError("nothing below the header.")
    head = [[*row, *[""] * (width - len(row))][:width] for row in head]
    return head, labels, np.stack(values)


def _all_columns(book: Any, sheets: dict[str, list[str]]) -> dict[str, list[list[str]]]:
    known = {name.strip().casefold(): name for name in book.sheet_names}
    out = {}
    for name, columns in sheets.items():
        if name.casefold() not in known:
            raise DataError(f"no sheet {name!r}; it has {some(book.sheet_names)}.")
        out[name] = _columns(
            book.get_sheet_by_name(known[name.casefold()]).iter_rows(), name, columns
        )
    return out


def _columns(rows: Any, name: str, columns: list[str]) -> list[list[str]]:
    for _, row in zip(range(HEADER_ROWS), rows, strict=False):
        head = [_word(cell).casefold() for cell in row]
        if all(c.casefold() in head for c in columns):
            at = [head.index(c.casefold()) for c in columns]
            break
    else:
        raise DataError(f"sheet {name!r} has no row with {some(columns)} at its top.")
    out: list[list[str]] = []
    for row in rows:
        words = [_word(row[j]) for j in at]
        if not any(words):
            break
        out.append(words)
        if len(out) > MAX_LABELS:
            raise DataError(f"sheet {name!r} has more than {MAX_LABELS:,} rows; refused.")
    return out


def _numbers(cells: list[Any], row: int) -> Array:
    if set(map(type, cells)) <= {float, int}:
        return np.array(cells, dtype=np.float64)
    out = np.full(len(cells), np.nan)
    for j, cell in enumerate(cells):
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            out[j] = cell
        elif not (isinstance(cell, str) and not cell.strip()):  # blank, or a space
            raise DataError(f"row {row}, column {j + LABELS + 1}: {cell!r} is not a number.")
    return out


def _word(cell: Any) -> str:
    """A label cell as text; codes that look like numbers come as numbers."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


if __name__ == "__main__":
    raise SystemExit(_main(sys.stdin.buffer, sys.stdout.buffer, json.loads(sys.argv[1])))
