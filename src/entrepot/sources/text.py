"""Labelled matrices in text: header lines, labels before each line, numbers between separators.

The reader is strict: every line has as many cells as the header, every cell is
a number or blank (NaN), every label is kept as it stands. It parses blocks of
whole lines in threads, turning a block into one column of numbers first: a
wide table costs no more than a long one.

- `read_matrix`: a table with one header line, kept whole;
- `each_block`: any number of header lines, none included, and something done
  with every block of rows, in the same threads: what is not wanted need not be
  kept, and nothing is passed over unread;
- `read_numbers`: a matrix without any labels, of known size;
- `read_words`: a small table of words;
- `in_threads`: blocks of whole lines, for a reader of its own (see `long`).

Memory: 8 bytes a cell, and a cell takes at least one byte of text; so at most
eight times the unpacked text, and some blocks of it.
"""

from __future__ import annotations

import csv
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.csv

from entrepot.core.errors import DataError
from entrepot.core.tables import Array
from entrepot.sources.archive import Opened
from entrepot.sources.files import Files

BLOCK = 8 << 20
MAX_HEADER = 8 << 20
MAX_COLUMNS = 25_000
MAX_WIDE = 50_000  # columns where only some are kept
MAX_CELL = 400  # characters of one cell, on average over a line
MAX_WORDS = 16 << 20

Names = list[tuple[str, ...]]
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False, slots=True)
class Matrix:
    """Row and column labels, and the numbers between them; NaN where a cell is blank."""

    corner: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    values: Array


def read_header(opened: Opened, delimiter: str, line: int = 1) -> list[str]:
    """The cells of the first line, or of the next one, which is the file's line number `line`."""
    text = opened.stream.readline(MAX_HEADER)
    if len(text) >= MAX_HEADER:
        which = "first line" if line == 1 else f"line {line}"
        raise DataError(f"{opened.where}: its {which} is no header of a table.")
    return _cells(_text(text, opened.where, line), delimiter, f"{opened.where} line {line}")


def read_matrix(opened: Opened, delimiter: str = ",", labels: int = 1) -> Matrix:
    """A table with one header line and `labels` leading label columns.

    Raises DataError naming file, line and cell for a line that is too short or
    too long, a cell that is no number, text that is not UTF-8, or a size
    beyond the bounds.
    """
    header = read_header(opened, delimiter)
    width = len(header) - labels
    if width < 1 or width > MAX_COLUMNS:
        raise DataError(
            f"{opened.where}: its first line has {len(header):,} cells; a table of 1 to "
            f"{MAX_COLUMNS:,} columns was expected (separator {delimiter!r})."
        )
    most_rows = min(MAX_COLUMNS + 1000, opened.size // width + 2)
    values = np.empty((most_rows, width))
    rows: Names = []
    work = _Lines(opened.where, delimiter, labels, width)
    for names, block, _ in in_threads(opened, width, 2, work.parse):
        if len(rows) + len(names) > most_rows:
            raise DataError(f"{opened.where}: more rows than a table of {width:,} columns has.")
        values[len(rows) : len(rows) + len(names)] = block
        rows.extend(names)
    if not rows:
        raise DataError(f"{opened.where}: a header and nothing below it.")
    return Matrix(tuple(header[:labels]), tuple(header[labels:]), tuple(rows), values[: len(rows)])


def each_block(
    opened: Opened,
    work: Callable[[int, Names, Array], Result],
    *,
    delimiter: str,
    width: int,
    rows: int | None,
    labels: int = 0,
    line: int = 1,
) -> Iterator[Result]:
    """What `work` makes of every block of rows, in the order of the file.

    Parameters
    ----------
    opened : a file of which `line` - 1 header lines have been read already.
    work : called in threads with the number of a block's first row (from 0), the
        labels of its rows and their values (rows, width), which it may keep; it
        must write only to what belongs to these rows.
    width, rows : the numbers of columns and rows that there must be; None where
        any number of rows will do.
    labels : leading label cells of every line.

    Raises DataError as `read_matrix` does, and for a blank line among the rows.
    Nothing is raised for the rest of a file that is not iterated to its end.

    """
    if not 1 <= width <= MAX_WIDE:
        raise DataError(
            f"{opened.where}: a table of {width:,} columns; 1 to {MAX_WIDE:,} were expected."
        )
    lines = _Lines(
        opened.where, delimiter, labels, width, "a line of it" if line == 1 else "the header"
    )

    def act(first_line: int, block: bytes) -> tuple[int, int, Result | None]:
        names, values, numbers = lines.parse(first_line, block)
        if not numbers:
            return 0, first_line, None
        first, count = numbers[0], len(numbers)
        if numbers[-1] - first + 1 > count:
            gap = next(k for k, number in enumerate(numbers) if number != first + k)
            raise DataError(f"{opened.where} line {first + gap}: blank, among the rows.")
        row = first - line
        if rows is not None and row + count > rows:
            raise DataError(f"{opened.where}: more than the {rows:,} rows that were expected.")
        return count, first, work(row, names, values)

    done = 0
    for count, first, result in in_threads(opened, width, line, act):
        if not count:
            continue
        if first != line + done:
            raise DataError(f"{opened.where} line {line + done}: blank, among the rows.")
        done += count
        yield result  # type: ignore[misc]  # None only without rows
    if rows is not None and done != rows:
        raise DataError(f"{opened.where}: {done:,} rows; {rows:,} were expected. Cut short?")


def read_numbers(opened: Opened, delimiter: str, rows: int, width: int) -> Array:
    """A matrix (rows, width) in a file that holds nothing else: no header, no labels."""
    require_cells(opened, rows, width)
    values = np.empty((rows, width))

    def put(row: int, _names: Names, block: Array) -> None:
        values[row : row + len(block)] = block

    for _ in each_block(opened, put, delimiter=delimiter, width=width, rows=rows):
        pass
    return values


def require_cells(opened: Opened, rows: int, width: int) -> None:
    """Raise unless a file is large enough for that many cells: before memory is taken for them."""
    if rows * width > opened.size + 1:
        raise DataError(
            f"{opened.where}: {opened.size:,} bytes cannot hold {rows:,} x {width:,} cells. Cut short?"
        )


def words_of(files: Files, name: str, delimiter: str) -> list[list[str]]:
    """`read_words` of one of several files."""
    with files.open(name) as opened:
        return read_words(opened, delimiter)


def read_words(opened: Opened, delimiter: str) -> list[list[str]]:
    """The cells of a small table of words, line by line; blank lines are left out."""
    data = opened.stream.read(MAX_WORDS + 1)
    if len(data) > MAX_WORDS:
        raise DataError(f"{opened.where}: longer than {MAX_WORDS:,} bytes; no table of labels.")
    lines = data.split(b"\n")
    return [
        _cells(_text(line, opened.where, i), delimiter, f"{opened.where} line {i}")
        for i, line in enumerate(lines, 1)
        if line.strip()
    ]


def in_threads(
    opened: Opened, width: int, line: int, work: Callable[[int, bytes], Result]
) -> Iterator[Result]:
    """What `work` makes of every block of whole lines, in order; few blocks at a time."""
    waiting: deque[Future[Result]] = deque()
    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        for first_line, block in _blocks(opened, width, line):
            waiting.append(pool.submit(work, first_line, block))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _blocks(opened: Opened, width: int, line: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines with the number of their first line, of which the first is `line`."""
    longest = MAX_CELL * (width + 10)
    rest = b""
    while data := opened.stream.read(BLOCK):
        rest += data
        cut = rest.rfind(b"\n") + 1
        if cut:
            yield line, rest[:cut]
            line += rest.count(b"\n", 0, cut)
            rest = rest[cut:]
        if len(rest) > max(longest, BLOCK):
            raise DataError(f"{opened.where} line {line}: far longer than the header; no table.")
    if rest:
        yield line, rest


def _lines(block: bytes, number: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a block that are not blank, each with its number."""
    start = 0
    if not block.strip(b"\r\n"):
        return
    while start < len(block):
        end = block.find(b"\n", start)
        end = len(block) if end < 0 else end
        line = block[start:end].rstrip(b"\r")
        if line:
            yield number, line
        start, number = end + 1, number + 1


@dataclass(frozen=True, slots=True)
class _Lines:
    where: str
    delimiter: str
    labels: int
    width: int
    owner: str = "the header"

    def parse(self, first_line: int, block: bytes) -> tuple[Names, Array, list[int]]:
        """Labels, values and line numbers of the lines that are not blank."""
        mark = self.delimiter.encode()
        names: Names = []
        parts: list[bytes] = []
        numbers: list[int] = []
        for number, line in _lines(block, first_line):
            label, rest = self._split(line, mark, number)
            if rest.count(mark) != self.width - 1:
                raise DataError(
                    f"{self.where} line {number}: {rest.count(mark) + 1 + self.labels:,} cells; "
                    f"{self.owner} has {self.width + self.labels:,}. Cut short?"
                )
            names.append(label)
            parts.append(rest)
            numbers.append(number)
        if not names:
            return names, np.empty((0, self.width)), numbers
        column = b"\n".join(parts).replace(mark, b"\n") + b"\n"
        try:
            flat = _floats(column)
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.where} {self._blame(parts, numbers, mark, error)}") from None
        if len(flat) != len(names) * self.width:
            raise DataError(f"{self.where} near line {numbers[0]}: quotes around numbers run on.")
        return names, flat.reshape(len(names), self.width), numbers

    def _split(self, line: bytes, mark: bytes, number: int) -> tuple[tuple[str, ...], bytes]:
        if b'"' not in line:
            if not self.labels:
                return (), line
            parts = line.split(mark, self.labels)
            if len(parts) <= self.labels:
                raise DataError(f"{self.where} line {number}: no cells after its label.")
            head, rest = parts[:-1], parts[-1]
            return tuple(_text(p, self.where, number).strip() for p in head), rest
        cells = _cells(
            _text(line, self.where, number), self.delimiter, f"{self.where} line {number}"
        )
        if any(self.delimiter in cell for cell in cells[self.labels :]):
            raise DataError(f"{self.where} line {number}: a cell holds the separator.")
        return (
            tuple(cells[: self.labels]),
            self.delimiter.join(cells[self.labels :]).encode(),
        )

    def _blame(self, parts: list[bytes], numbers: list[int], mark: bytes, error: Exception) -> str:
        """The first line and column whose cell is no number."""
        for number, part in zip(numbers, parts, strict=True):
            try:
                _floats(part.replace(mark, b"\n") + b"\n")
            except pa.ArrowInvalid:
                for j, cell in enumerate(part.split(mark), self.labels + 1):
                    try:
                        _floats(cell + b"\n")
                    except pa.ArrowInvalid:
                        text = cell[:40].decode("utf-8", "replace")
                        return f"line {number}, column {j}: {text!r} is not a number."
        return f"holds a cell that is not a number ({error})."


_READ = pyarrow.csv.ReadOptions(column_names=["v"], use_threads=False, block_size=1 << 30)
_PARSE = pyarrow.csv.ParseOptions(delimiter="\x1f", quote_char=False, ignore_empty_lines=False)
_CONVERT = pyarrow.csv.ConvertOptions(column_types={"v": pa.float64()}, null_values=[""])


def _floats(column: bytes) -> Array:
    """One number a line, correctly rounded; NaN for an empty line."""
    table = pyarrow.csv.read_csv(pa.BufferReader(column), _READ, _PARSE, _CONVERT)
    parts = [c.to_numpy(zero_copy_only=False) for c in table.column(0).chunks]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0)


def _text(data: bytes, where: str, line: int) -> str:
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} line {line}: not text in UTF-8 ({error.reason}).") from None


def _cells(text: str, delimiter: str, where: str) -> list[str]:
    try:
        rows = list(csv.reader([text.rstrip("\r\n")], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(f"{where}: cannot be split into cells ({error}).") from None
    return [cell.strip() for cell in rows[0]] if rows else []
