"""The file formats that are read: one row each, recognised by what the file says of itself."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from entrepot.core.errors import DataError
from entrepot.core.labels import did_you_mean
from entrepot.sources.archive import is_zip, members, require_file
from entrepot.sources.raw import RawTable

Reader = Callable[..., RawTable]


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say about a file; readers take what concerns them."""

    year: int | None = None
    member: str | None = None
    split: str = "fold"


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file: its name, what it is, how it is recognised, and its reader."""

    name: str
    summary: str
    is_it: Callable[[Path], bool]
    read: Callable[[Path, Options], RawTable]


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


def _icio(path: Path, options: Options) -> RawTable:
    from entrepot.sources.oecd_icio import read

    return read(path, year=options.year, member=options.member, split=options.split)  # type: ignore[arg-type]


def _is_icio(path: Path) -> bool:
    from entrepot.sources.oecd_icio import matches

    return matches(path)


def _figaro(path: Path, options: Options) -> RawTable:
    from entrepot.sources.figaro import read

    return read(path, year=options.year, member=options.member)


def _is_figaro(path: Path) -> bool:
    from entrepot.sources.figaro import matches

    return matches(path)


def _wiod_2013(path: Path, options: Options) -> RawTable:
    from entrepot.sources.wiod import read_2013

    return read_2013(path, year=options.year, member=options.member)


def _wiod_2016(path: Path, options: Options) -> RawTable:
    from entrepot.sources.wiod import read_2016

    return read_2016(path, year=options.year, member=options.member)


def _adb(path: Path, options: Options) -> RawTable:
    from entrepot.sources.adb import read

    return read(path, year=options.year, member=options.member)


def _gtap(path: Path, options: Options) -> RawTable:
    from entrepot.sources.gtap import read

    return read(path, year=options.year, member=options.member)


def _is_gtap(path: Path) -> bool:
    return _named(r"\.har$|^(VDFB|VDFM)\.csv$")(path)


def _plain(path: Path, options: Options) -> RawTable:
    from entrepot.sources.plain import read

    return read(path)


def _is_plain(path: Path) -> bool:
    from entrepot.sources.plain import is_plain

    return (path.is_dir() or is_zip(path)) and is_plain(path)


def _exiobase(path: Path, options: Options) -> RawTable:
    from entrepot.sources.exiobase import read

    return read(path, year=options.year, member=options.member)


def _gloria(path: Path, options: Options) -> RawTable:
    from entrepot.sources.gloria import read

    return read(path, year=options.year, member=options.member)


def _eora26(path: Path, options: Options) -> RawTable:
    from entrepot.sources.eora26 import read

    return read(path, year=options.year, member=options.member)


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("plain", "the plain format of this project, a folder or zip", _is_plain, _plain),
        Format(
            "oecd-icio",
            "OECD ICIO, 2023 and 2025 editions, CSV or zip, regular or extended",
            _csv(_is_icio, r"^(ICIO\d{4}_)?(19|20)\d\d([._]SML)?\.csv$"),
            _icio,
        ),
        Format(
            "figaro",
            "FIGARO, matrix or flat CSV or zip, by industry or product",
            _csv(_is_figaro, r"^(matrix|flatfile)_eu-ic-io_.*\.csv$"),
            _figaro,
        ),
        Format(
            "wiod-2013",
            "WIOD 2013 release, workbook or zip",
            _named(r"^wiot\d\d_row_\w+\.xlsx$"),
            _wiod_2013,
        ),
        Format(
            "wiod-2016",
            "WIOD 2016 release, workbook, Stata file or zip",
            _named(r"^wiot\d{4}_\w+\.(xlsb|xlsx|dta)$"),
            _wiod_2016,
        ),
        Format("adb-mrio", "ADB MRIO, workbook or zip", _named(r"ADB.?MRIO.*\.xlsx$"), _adb),
        Format(
            "gtap",
            "GTAP data base, HAR or long CSV files, version 7 or 6.2 names",
            _is_gtap,
            _gtap,
        ),
        Format(
            "exiobase",
            "EXIOBASE 3, industry by industry or product by product",
            _named(r"^IOT_\d{4}_(ixi|pxp)"),
            _exiobase,
        ),
        Format(
            "gloria",
            "GLORIA, folder or zip",
            _named(r"GLORIA_|_Results_.*Markup"),
            _gloria,
        ),
        Format("eora26", "Eora26, folder or zip", _named(r"^Eora26_"), _eora26),
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
