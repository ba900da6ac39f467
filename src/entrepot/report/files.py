"""Writing one file: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from entrepot.core.errors import OutputError

TABLES = (".parquet", ".csv", ".json")


def check_file(path: Path, suffixes: Sequence[str] = TABLES) -> None:
    """Raise OutputError, before anything is computed, where a file could not be written."""
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: name a file that ends in {', '.join(suffixes)}.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file.")


def write_whole(
    path: Path, put: Callable[[Path, str], object], suffixes: Sequence[str] = TABLES
) -> None:
    """Have `put` write a scratch file (given with the suffix asked for), then move it into place.

    Raises OutputError; an earlier file is then as it was, and nothing is left behind.
    """
    check_file(path, suffixes)
    scratch: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".entrepot-")
        os.close(handle)
        scratch = Path(name)
        put(scratch, path.suffix.lower())
        scratch.chmod(0o644)
        scratch.replace(path)
        scratch = None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from None
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)
