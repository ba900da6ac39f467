"""The file formats that are read: one row each, recognised by what the file says of itself."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import cast

from entrepot.core.errors import DataError
from entrepot.core.labels import did_you_mean
from entrepot.sources.archive import is_zip, members, require_file
from entrepot.sources.raw import RawTable


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say about a file; readers take what concerns them."""

    year: int | None = None
    member: str | None = None
    split: str = "fold"


Reader = Callable[[Path, Options], RawTable]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file: its name, what it is, how it is recognised, and its reader."""

    name: str
    summary: str
    is_it: Callable[[Path], bool]
    read: Reader


def _names(path: Path) -> list[str]:
    """The names of the tables in question: the file's own, or an archive's members'."""
    if path.is_dir():
        return sorted(p.name for p in path.iterdir())
    names = [path.name]
    if path.is_file() and is_zip(path):
        names += [PurePosixPath(name).name for name in members(path)]
    return names


def _named(pattern: str) -> Callable[[Path], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda path: any(compiled.search(name) for name in _names(path))


def _csv(matches: Callable[[Path], bool], inside: str) -> Callable[[Path], bool]:
    """A CSV file by its header; an archive by the names of its members."""
    named = _named(inside)

    def is_it(path: Path) -> bool:
        if not path.is_file():
            return False
        if is_zip(path):
            return named(path)
        if path.suffix.lower() not in (".csv", ".gz"):
            return False
        try:
            return matches(path)
        except DataError:
            return False

    return is_it


def _asks(module: str, function: str = "matches") -> Callable[[Path], bool]:
    """A question to a reader's module, which is imported when it is asked."""

    def ask(path: Path) -> bool:
        return bool(getattr(import_module(f"entrepot.sources.{module}"), function)(path))

    return ask


def _reads(module: str, function: str = "read", takes: str = "year member") -> Reader:
    """A reader's function, imported when it is called, with the options that concern it."""

    def read(path: Path, options: Options) -> RawTable:
        chosen = {name: getattr(options, name) for name in takes.split()}
        table = getattr(import_module(f"entrepot.sources.{module}"), function)(path, **chosen)
        return cast(RawTable, table)

    return read


def _is_plain(path: Path) -> bool:
    return (path.is_dir() or is_zip(path)) and _asks("plain", "is_plain")(path)


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "plain",
            "the plain format of this project, a folder or zip",
            _is_plain,
            _reads("plain", takes=""),
        ),
        Format(
            "oecd-icio",
            "OECD ICIO, 2023 and 2025 editions, CSV or zip, regular or extended",
            _csv(_asks("oecd_icio"), r"^(ICIO\d{4}_)?(19|20)\d\d([._]SML)?\.csv$"),
            _reads("oecd_icio", takes="year member split"),
        ),
        Format(
            "figaro",
            "FIGARO, matrix or flat CSV or zip, by industry or product",
            _csv(_asks("figaro"), r"^(matrix|flatfile)_eu-ic-io_.*\.csv$"),
            _reads("figaro"),
        ),
        Format(
            "wiod-2013",
            "WIOD 2013 release, workbook or zip",
            _named(r"^wiot\d\d_row_\w+\.xlsx$"),
            _reads("wiod", "read_2013"),
        ),
        Format(
            "wiod-2016",
            "WIOD 2016 release, workbook, Stata file or zip",
            _named(r"^wiot\d{4}_\w+\.(xlsb|xlsx|dta)$"),
            _reads("wiod", "read_2016"),
        ),
        Format(
            "adb-mrio", "ADB MRIO, workbook or zip", _named(r"ADB.?MRIO.*\.xlsx$"), _reads("adb")
        ),
        Format(
            "gtap",
            "GTAP data base, HAR or long CSV files, version 7 or 6.2 names",
            _named(r"\.har$|^(VDFB|VDFM)\.csv$"),
            _reads("gtap"),
        ),
        Format(
            "exiobase",
            "EXIOBASE 3, industry by industry or product by product",
            _asks("exiobase"),
            _reads("exiobase"),
        ),
        Format(
            "gloria",
            "GLORIA, folder or zip",
            _asks("gloria"),
            _reads("gloria"),
        ),
        Format("eora26", "Eora26, folder or zip", _asks("eora26"), _reads("eora26")),
    )
}


def recognise(path: Path) -> Format:
    """The one format that a file or folder is of, by its header, members or official name.

    Raises DataError when none or several fit: say which with `--format`.
    """
    if not path.is_dir():
        require_file(path)
    good = [row for row in FORMATS.values() if row.is_it(path)]
    if len(good) == 1:
        return good[0]
    if path.is_dir() and not good:
        raise DataError(f"{path} is a folder, and no table in any format that is read here.")
    if path.is_file() and path.suffix.lower() == ".csv":
        with path.open("rb") as file:
            first = file.readline(10_000)
        if first.count(b";") > first.count(b","):
            raise DataError(f"{path}: separated by semicolons; every format here has commas.")
    said = f"it could be {' or '.join(r.name for r in good)}" if good else "none of them fits"
    raise DataError(
        f"{path}: which format this is cannot be told ({said}); say it with --format "
        f"({', '.join(FORMATS)})."
    )


def read_table(
    path: Path | str, name: str | None = None, options: Options | None = None
) -> RawTable:
    """The table in a file, by a format's name or by what the file says of itself.

    Raises DataError for an unknown format, and whatever its reader raises.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder.")
    if name is not None and name not in FORMATS:
        hint = did_you_mean(name, FORMATS)
        raise DataError(f"there is no format {name!r}{hint or '.'} Known: {', '.join(FORMATS)}.")
    row = FORMATS[name] if name is not None else recognise(path)
    try:
        return row.read(path, options or Options())
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: damaged ({error}).") from None
