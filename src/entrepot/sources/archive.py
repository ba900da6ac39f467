"""Opening files that strangers made: ordinary files only, archives read in place and in bounds.

Nothing is ever unpacked to disk. A member whose path escapes its folder, a
link, an encrypted member, or one that expands beyond all proportion is refused
before a byte of it is read.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from entrepot.core.errors import DataError
from entrepot.core.labels import some

MAX_MEMBERS = 10_000
# What a file may expand to: this much, or this many times its own size if that is more.
MAX_EXPANDED = 256_000_000
MAX_RATIO = 200
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class Opened:
    """A readable file, or one member of an archive: its name in words, and its size unpacked."""

    stream: IO[bytes]
    where: str
    size: int


def require_file(path: Path) -> int:
    """The size of an ordinary file in bytes; DataError for anything else."""
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder; name a file in it.")
        if not path.exists():
            raise DataError(f"{path}: no such file.")
        if not path.is_file():  # a device or pipe may never end
            raise DataError(f"{path} is not an ordinary file.")
        return path.stat().st_size
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_zip(path: Path) -> bool:
    """Whether a file says of itself that it is a zip archive."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def members(path: Path) -> list[str]:
    """Names of the files in a zip archive, each of them safe to read in place.

    Raises DataError for an archive that is damaged or holds a member that is
    refused: a path that escapes, a link, encryption, or an unknown packing. What
    expands out of all proportion is refused when it is opened.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (*DAMAGED, OSError) as error:
        raise DataError(f"{path}: not a readable zip archive ({_short(error)}).") from None
    if len(entries) > MAX_MEMBERS:
        raise DataError(f"{path}: {len(entries):,} members; more than {MAX_MEMBERS:,} are refused.")
    for entry in entries:
        _check(path, entry)
    return [entry.filename for entry in entries if not entry.is_dir()]


def _check(path: Path, entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    inside = PurePosixPath(name.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or (inside.parts and ":" in inside.parts[0]):
        raise DataError(f"{path}: member {name!r} would lie outside its folder; refused.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise DataError(f"{path}: member {name!r} is a link; refused.")
    if entry.flag_bits & 1:
        raise DataError(f"{path}: member {name!r} is encrypted; unpack it first.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Other methods unpack without a bound on what comes out at once.
        raise DataError(f"{path}: member {name!r} is packed in a way that is not read here.")


def _check_size(path: Path, entry: zipfile.ZipInfo) -> None:
    """Refuse what expands out of all proportion, before a byte of it is unpacked."""
    name = entry.filename
    if entry.file_size > max(MAX_EXPANDED, MAX_RATIO * entry.compress_size):
        raise DataError(
            f"{path}: member {name!r} declares {entry.file_size:,} bytes, packed into "
            f"{entry.compress_size:,}; refused."
        )


def choose(path: Path, fits: Callable[[str], bool], what: str, member: str | None = None) -> str:
    """The one member of an archive that fits, or the one named.

    Raises DataError when none or several fit.
    """
    names = members(path)
    if member is not None:
        if member not in names:
            raise DataError(f"{path} holds no member {member!r}; it holds {some(names)}.")
        return member
    good = [name for name in names if fits(PurePosixPath(name).name) and "__MACOSX" not in name]
    if len(good) == 1:
        return good[0]
    if not good:
        raise DataError(f"{path} holds no {what}; it holds {some(names)}.")
    raise DataError(
        f"{path} holds {len(good)} of {what}: {some(good)}; say which with --member (or --year)."
    )


@contextmanager
def open_file(path: Path, member: str | None = None) -> Iterator[Opened]:
    """An ordinary file, a gzip file, or one member of a zip archive, for reading.

    Damage met while reading becomes a DataError that names the file.
    """
    size = require_file(path)
    where = str(path) if member is None else f"{path} ({member})"
    try:
        if member is not None:
            with zipfile.ZipFile(path) as archive:
                entry = archive.getinfo(member)
                _check(path, entry)
                _check_size(path, entry)
                with archive.open(entry) as stream:
                    yield Opened(stream, where, entry.file_size)
        elif path.suffix == ".gz":
            most = max(MAX_EXPANDED, MAX_RATIO * size)
            with gzip.open(path) as packed:
                yield Opened(cast(IO[bytes], _Bounded(packed, most, where)), where, most)
        else:
            with path.open("rb") as file:
                yield Opened(file, where, size)
    except KeyError:
        raise DataError(f"{path} holds no member {member!r}.") from None
    except (*DAMAGED, OSError) as error:
        raise DataError(f"{where}: cannot be read; damaged? ({_short(error)})") from None


class _Bounded(io.RawIOBase):
    """A stream that stops with an error once it has given more than it may."""

    def __init__(self, stream: gzip.GzipFile, most: int, where: str) -> None:
        self._stream, self._left, self._where = stream, most, where

    def readable(self) -> bool:
        return True

    def readline(self, size: int | None = -1) -> bytes:
        return self._count(self._stream.readline(-1 if size is None else size))

    def read(self, size: int = -1) -> bytes:
        return self._count(self._stream.read(self._left + 1 if size < 0 else size))

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise DataError(f"{self._where}: expands out of all proportion; refused.")
        return data


def read_bytes(path: Path, member: str | None, most: int) -> bytes:
    """A whole file or member of at most `most` bytes."""
    with open_file(path, member) as opened:
        data = opened.stream.read(min(most, opened.size) + 1)
    if len(data) > most:
        raise DataError(f"{opened.where}: larger than {most:,} bytes; refused.")
    return data


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]
