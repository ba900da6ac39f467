"""Sheets of a workbook, read in a process of their own (see `child`)."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.core.tables import Array
from entrepot.sources.child import Answer, answer, ask

MAX_CELLS = 30_000_000
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
    about, (values,) = ask("workbook", order, where, data)
    return Cells(about["sheet"], about["head"], about["labels"], values.copy())


def read_columns(
    data: bytes, where: str, sheets: Mapping[str, Sequence[str]]
) -> dict[str, list[list[str]]]:
    """The named columns of the named sheets as text, row by row, down to the first blank row.

    Names are compared without regard to case; the row that names the columns is
    among the first of its sheet.

    Raises DataError as `read_cells`, and for a sheet or column that is missing.
    """
    order = {"columns": {name: [*columns] for name, columns in sheets.items()}}
    found, _ = ask("workbook", order, where, data)
    return {name: [[str(x) for x in row] for row in rows] for name, rows in found.items()}


def _read(order: Any, data: bytes) -> Answer:
    """The child's work."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    if "columns" in order:
        return _all_columns(book, order["columns"]), ()
    rule = Rule(order["prefer"], tuple(order["ignore"]), order["first"])
    name = rule.choose(book.sheet_names)
    sheet = book.get_sheet_by_name(name)
    if sheet.total_height * sheet.total_width > MAX_CELLS:
        raise DataError(f"{sheet.total_height:,} x {sheet.total_width:,} cells; refused.")
    head, labels, values = _cut(sheet.iter_rows())
    return {"sheet": name, "head": head, "labels": labels}, (values,)


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
    raise SystemExit(answer(_read))
