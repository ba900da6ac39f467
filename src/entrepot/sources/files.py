"""The files of one table, wherever they lie: in a folder, or in a zip that is read in place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from entrepot.core.errors import DataError
from entrepot.core.labels import require_unique, some
from entrepot.sources.archive import (
    MAX_MEMBERS,
    Opened,
    is_zip,
    members,
    open_file,
    require_file,
    sha256,
)

MAX_DEPTH = 3  # folders below the one that is named


class Files:
    """The files of one table, in a folder or in a zip that is read in place, by relative name.

    Raises DataError for anything but a folder or zip, and for an archive with a
    member that is refused. A link in a folder is refused when it is opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str]
        try:
            self.is_folder = path.is_dir()
            if self.is_folder:
                self.names = sorted(_below(path, path, MAX_DEPTH))
                return
            require_file(path)
            packed = is_zip(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
        if not packed:
            raise DataError(f"{path} is neither a folder nor a zip archive.")
        self.names = [name for name in members(path) if "__MACOSX" not in name]
        require_unique(f"{path}: members", self.names, DataError)

    def where(self, name: str) -> str:
        """A file in words."""
        return f"{self.path / name}" if self.is_folder else f"{self.path} ({name})"

    def require(self, name: str) -> str:
        """The name itself; DataError where there is no such file."""
        if name not in self.names:
            raise DataError(f"{self.path} holds no {name}; it holds {some(self.names)}.")
        return name

    def packed(
        self, pattern: re.Pattern[str], year: int | None, member: str | None
    ) -> tuple[Path, str | None] | None:
        """The zip in the folder that is meant, with what is to be read in it; None without any.

        `pattern` matches the names of such zips and has a group `year`.
        """
        found = [(n, pattern.match(n)) for n in self.names if self.is_folder]
        good = [n for n, m in found if m and year in (None, int(m["year"]))]
        if member is not None and member in good:
            return self.path / member, None
        if len(good) > 1:
            raise DataError(f"{self.path} holds {some(good)}; say which with --year or --member.")
        return (self.path / good[0], member) if good else None

    def open(self, name: str) -> AbstractContextManager[Opened]:
        """One of the files, for reading."""
        self.require(name)
        if not self.is_folder:
            return open_file(self.path, name)
        if (self.path / name).is_symlink():
            raise DataError(f"{self.path / name} is a link; refused.")
        return open_file(self.path / name)

    def digest(self, names: Sequence[str]) -> str:
        """SHA-256 of the zip; of a folder, that of a list of its files' own."""
        if not self.is_folder:
            return sha256(self.path)
        try:
            lines = "".join(f"{sha256(self.path / name)}  {name}\n" for name in sorted(names))
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}).") from None
        return hashlib.sha256(lines.encode()).hexdigest()


def _below(top: Path, folder: Path, depth: int) -> list[str]:
    """Names of the files in a folder and its folders; links to folders are not followed."""
    found: list[str] = []
    for item in folder.iterdir():
        if item.is_dir() and not item.is_symlink():
            if depth > 1:
                found += _below(top, item, depth - 1)
        else:
            found.append(item.relative_to(top).as_posix())
        if len(found) > MAX_MEMBERS:
            raise DataError(f"{top}: more than {MAX_MEMBERS:,} files; name the table's own folder.")
    return found
