"""A sweep's folder: finished blocks are kept as they come, so that a sweep can be continued."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from entrepot.core.errors import OutputError
from entrepot.results.blocks import Block, PointRow

ABOUT = "sweep.json"
BLOCKS = "blocks"
SAME = ("format", "entrepot", "numpy", "world_sha256", "sweep", "tolerance", "block")
"""What must be equal for finished blocks to belong to a sweep."""


def open_folder(folder: Path, about: dict[str, Any], resume: bool) -> None:
    """Make a sweep's folder, or check that the one there holds the same sweep.

    Raises OutputError for a folder with other files, with another sweep, or
    with this one where it was not to be continued.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; name a folder for the sweep.")
        if not (folder / ABOUT).exists():
            if folder.is_dir() and any(folder.iterdir()):
                raise OutputError(f"{folder} holds other files; name a new folder for the sweep.")
            (folder / BLOCKS).mkdir(parents=True, exist_ok=True)
            put_json(folder / ABOUT, about)
            return
        if not resume:
            raise OutputError(
                f"{folder} holds a sweep already: continue it (--resume), or name a new folder."
            )
        there = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        for key in SAME:
            if there[key] != about[key]:
                raise OutputError(
                    f"{folder} holds another sweep: its {key} differs{_difference(there[key], about[key])}. "
                    "Name a new folder."
                )
        (folder / BLOCKS).mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}).") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(f"{folder / ABOUT} is damaged; name a new folder.") from None


def _difference(there: Any, here: Any) -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
        return f" ({', '.join(keys)})"
    return f" ({there}, now {here})"


def put_block(folder: Path, block: Block) -> None:
    """Keep a finished block; it is there whole or not at all."""
    rows = json.dumps([asdict(row) for row in block.rows])

    def write(file: IO[bytes]) -> None:
        np.savez(file, outcomes=block.outcomes, rows=np.frombuffer(rows.encode(), np.uint8))

    _put(folder / BLOCKS / f"{block.number:06d}.npz", write)


def get_block(folder: Path, number: int, shape: tuple[int, ...]) -> Block | None:
    """A block finished before; None where there is none, or none that can be read."""
    try:
        with (
            (folder / BLOCKS / f"{number:06d}.npz").open("rb") as file,
            np.load(file, allow_pickle=False) as data,
        ):
            outcomes, text = data["outcomes"], data["rows"].tobytes()
        rows = tuple(PointRow(**row) for row in json.loads(text))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    if outcomes.shape != shape or outcomes.dtype != np.float64 or len(rows) != shape[0]:
        return None
    return Block(number, rows, outcomes)


def put_json(path: Path, data: dict[str, Any]) -> None:
    """One JSON file, whole or not at all."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    _put(path, lambda file: file.write(text.encode()))


def put_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """One CSV file, whole or not at all; absent values are empty cells."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _put(path, lambda file: file.write(out.getvalue().encode()))


def put_parquet(path: Path, tables: Iterator[Any]) -> None:
    """One Parquet file of pyarrow tables below each other, whole or not at all."""
    import pyarrow.parquet as pq

    def write(file: IO[bytes]) -> None:
        first = next(tables)
        with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)

    _put(path, write)


def _put(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            write(file)
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
