"""Labelled matrices in text: one header line, one label a line, numbers between separators.

The reader is strict: every line has as many cells as the header, every cell is
a number or blank (NaN), every label is kept as it stands. It parses blocks of
whole lines in threads, turning a block into one column of numbers first: a
wide table costs no more than a long one.

Memory: 8 bytes a cell, and a cell takes at least one byte of text; so at most
eight times the unpacked text, and some blocks of it.
"""

from __future__ import annotations

import csv
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv

from entrepot.core.errors import DataError
from entrepot.core.tables import Array
from entrepot.sources.archive import Opened

BLOCK = 8 << 20
MAX_HEADER = 8 << 20
MAX_COLUMNS = 25_000
MAX_CELL = 400  # characters of one cell, on average over a line


@dataclass(frozen=True, eq=False, slots=True)
class Matrix:
    """Row and column labels, and the numbers between them; NaN where a cell is blank."""

    corner: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    values: Array


def read_header(opened: Opened, delimiter: str) -> list[str]:
    """The cells of the first line."""
    line = opened.stream.readline(MAX_HEADER)
    if len(line) >= MAX_HEADER:
        raise DataError(f"{opened.where}: its first line is no header of a table.")
    return _cells(_text(line, opened.where, 1), delimiter)


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
    rows: list[tuple[str, ...]] = []
    work = _Lines(opened.where, delimiter, labels, width)
    waiting: deque[Future[tuple[list[tuple[str, ...]], Array]]] = deque()

    def take() -> None:
        names, block = waiting.popleft().result()
        if len(rows) + len(names) > most_rows:
            raise DataError(f"{opened.where}: more rows than a table of {width:,} columns has.")
        values[len(rows) : len(rows) + len(names)] = block
        rows.extend(names)

    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        for first_line, block in _blocks(opened, width):
            waiting.append(pool.submit(work.parse, first_line, block))
            if len(waiting) > threads:
                take()
        while waiting:
            take()
    if not rows:
        raise DataError(f"{opened.where}: a header and nothing below it.")
    return Matrix(tuple(header[:labels]), tuple(header[labels:]), tuple(rows), values[: len(rows)])


def _blocks(opened: Opened, width: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines with the number of their first line."""
    longest = MAX_CELL * (width + 10)
    rest, line = b"", 2
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


@dataclass(frozen=True, slots=True)
class _Lines:
    where: str
    delimiter: str
    labels: int
    width: int

    def parse(self, first_line: int, block: bytes) -> tuple[list[tuple[str, ...]], Array]:
        mark = self.delimiter.encode()
        names: list[tuple[str, ...]] = []
        parts: list[bytes] = []
        numbers: list[int] = []
        for number, line in enumerate(block.split(b"\n"), first_line):
            line = line.rstrip(b"\r")
            if not line:
                continue
            label, rest = self._split(line, mark, number)
            if rest.count(mark) != self.width - 1:
                raise DataError(
                    f"{self.where} line {number}: {rest.count(mark) + 1 + self.labels:,} cells; the "
                    f"header has {self.width + self.labels:,}. Cut short?"
                )
            names.append(label)
            parts.append(rest)
            numbers.append(number)
        if not names:
            return names, np.empty((0, self.width))
        column = b"\n".join(parts).replace(mark, b"\n") + b"\n"
        try:
            flat = _floats(column)
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.where} {self._blame(parts, numbers, mark, error)}") from None
        if len(flat) != len(names) * self.width:
            raise DataError(f"{self.where} near line {numbers[0]}: quotes around numbers run on.")
        return names, flat.reshape(len(names), self.width)

    def _split(self, line: bytes, mark: bytes, number: int) -> tuple[tuple[str, ...], bytes]:
        if b'"' not in line:
            parts = line.split(mark, self.labels)
            if len(parts) <= self.labels:
                raise DataError(f"{self.where} line {number}: no cells after its label.")
            head, rest = parts[:-1], parts[-1]
            return tuple(_text(p, self.where, number).strip() for p in head), rest
        cells = _cells(_text(line, self.where, number), self.delimiter)
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
    chunks = table.column(0).chunks
    return (
        np.concatenate([c.to_numpy(zero_copy_only=False) for c in chunks])
        if chunks
        else np.empty(0)
    )


def _text(data: bytes, where: str, line: int) -> str:
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} line {line}: not text in UTF-8 ({error.reason}).") from None


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader([text.rstrip("\r\n")], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(f"a line of the table cannot be split into cells ({error}).") from None
    return [cell.strip() for cell in rows[0]] if rows else []
