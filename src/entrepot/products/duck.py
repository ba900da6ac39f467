"""DuckDB with bounds: memory, place for what does not fit, and no network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from entrepot.core.errors import DataError, EntrepotError, OutputError

MEMORY = "2GB"
SCRATCH = "100GB"


@contextmanager
def settings(
    memory: str = MEMORY, threads: int | None = None, scratch: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Settings of a DuckDB database with a scratch folder that is removed at the end.

    `memory` bounds what a query holds (`2GB`); what exceeds it goes to a folder
    below `scratch` (the system's place for temporary files when None).
    """
    with tempfile.TemporaryDirectory(prefix="entrepot-", dir=scratch) as folder:
        chosen: dict[str, Any] = {
            "memory_limit": memory,
            "temp_directory": folder,
            "max_temp_directory_size": SCRATCH,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        yield chosen | ({} if threads is None else {"threads": threads})


@contextmanager
def in_words(where: str) -> Iterator[None]:
    """Turn an engine's failures into one sentence each."""
    import duckdb

    try:
        yield
    except EntrepotError:
        raise
    except duckdb.OutOfMemoryException as error:
        raise OutputError(
            f"{where}: more memory or scratch space is needed than allowed "
            f"({_first(error)}); give more with memory=, or ask less at once."
        ) from None
    except duckdb.Error as error:
        raise DataError(f"{where}: {_first(error)}") from None


def _first(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
