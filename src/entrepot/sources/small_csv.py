"""A CSV table a user brings: its source, its columns, its rows with their lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from entrepot.core.errors import DataError


@dataclass(frozen=True, slots=True)
class SmallCsv:
    """`source` as its first line gives it (None: it does not), and rows, each with where it stands."""

    source: str | None
    columns: Sequence[str]
    rows: Iterator[tuple[str, dict[str, str]]]


@contextmanager
def small_csv(path: Path, max_rows: int) -> Iterator[SmallCsv]:
    """Open a table in UTF-8; a first line `# source: ...` names its source.

    Raises DataError for what is no ordinary file, cannot be read, is no CSV in
    UTF-8, or has more than `max_rows` lines.
    """
    try:
        if path.exists() and not path.is_file():  # a device or pipe may never end
            raise DataError(f"{path} is not an ordinary file.")
        with path.open(newline="", encoding="utf-8-sig") as file:
            start = file.tell()
            first = file.readline(10_000)
            skipped = first.startswith("#")
            if not skipped:
                file.seek(start)
            source = first.lstrip("# ").removeprefix("source:").strip() if skipped else ""
            reader = csv.DictReader(file)

            def rows() -> Iterator[tuple[str, dict[str, str]]]:
                for row in reader:
                    line = reader.line_num + skipped
                    if line > max_rows:
                        raise DataError(f"{path}: more than {max_rows:,} rows.")
                    yield f"{path} line {line}", row

            yield SmallCsv(source or None, tuple(reader.fieldnames or ()), rows())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV table in UTF-8 ({error}).") from None
