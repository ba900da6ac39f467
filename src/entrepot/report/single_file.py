"""One file, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from entrepot.core.errors import OutputError


def check_path(path: Path, suffixes: Sequence[str]) -> None:
    """Raise OutputError, before anything is computed, where a file could not be written."""
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: name a file that ends in {', '.join(suffixes)}.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file.")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write to a scratch file beside the target, which then takes its place.

    Nothing is left when it fails. Raises OutputError.
    """
    scratch = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".entrepot-")
        os.close(handle)
        write(Path(scratch))
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
        scratch = None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from None
    finally:
        if scratch is not None:
            Path(scratch).unlink(missing_ok=True)
