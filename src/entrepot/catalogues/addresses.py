"""Where published tables can be had: dataset, years, file, address, checksum, and who saw it there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from entrepot.catalogues import _yaml
from entrepot.core.errors import DataError
from entrepot.core.labels import did_you_mean, require_unique

READERS = (
    "oecd-icio",
    "wiod-2013",
    "wiod-2016",
    "figaro",
    "adb-mrio",
    "exiobase",
    "gloria",
    "eora26",
)
# Published checksums by name, strongest first, and their length in hexadecimal digits.
CHECKSUMS = {"sha256": 64, "sha1": 40, "md5": 32}
YEARS = range(1900, 2101)


@dataclass(frozen=True, slots=True)
class FileAddress:
    """One file: the name it is kept under (no other file's), its address, and its years.

    - `member`: name of the table inside the archive, with `{year}` or `{yy}`
      for the year; None where the file is the table;
    - `sha256`, `sha1`, `md5`: checksums that somebody published, and in
      `checksum_source` who; `size` in bytes, as seen there, for orientation;
    - `landing`, `manual`: of the dataset, for a user who must get it by hand.

    Raises DataError when a field is not of its form.
    """

    name: str
    url: str
    years: tuple[int, ...]
    landing: str
    member: str | None = None
    sha256: str | None = None
    sha1: str | None = None
    md5: str | None = None
    size: int | None = None
    checksum_source: str = ""
    manual: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._() -]*", self.name):
            raise DataError(f"addresses: {self.name!r} is no plain file name.")
        _require_url(self.name, self.url)
        _require_url(self.name, self.landing)
        if not self.years or list(self.years) != sorted(set(self.years) & set(YEARS)):
            raise DataError(
                f"addresses: {self.name}: {self.years} are no years in ascending order."
            )
        for kind, digits in CHECKSUMS.items():
            value = getattr(self, kind)
            if value is not None and not re.fullmatch(rf"[0-9a-f]{{{digits}}}", str(value)):
                raise DataError(
                    f"addresses: {self.name}: {kind} is not {digits} hexadecimal digits in lower case."
                )
        if self.checksum and not self.checksum_source:
            raise DataError(f"addresses: {self.name}: a checksum needs its checksum_source.")
        if self.size is not None and (not isinstance(self.size, int) or self.size <= 0):
            raise DataError(f"addresses: {self.name}: {self.size!r} is no size in bytes.")
        try:
            self.member_for(self.years[0])
        except (KeyError, IndexError, ValueError):
            raise DataError(
                f"addresses: {self.name}: a member is written with {{year}} or {{yy}}, "
                f"not as {self.member!r}."
            ) from None

    @property
    def checksum(self) -> tuple[str, str] | None:
        """The strongest published checksum, as (kind, digits); None where there is none."""
        known = ((kind, getattr(self, kind)) for kind in CHECKSUMS)
        return next(((kind, value) for kind, value in known if value), None)

    def member_for(self, year: int) -> str | None:
        """Name of a year's table inside the archive; None where the file is the table."""
        if self.member is None:
            return None
        return self.member.format(year=year, yy=f"{year % 100:02d}")


@dataclass(frozen=True, slots=True)
class Address:
    """One dataset: what it is, which reader takes it, its files, and what is known of its terms.

    `seen` says where and when the addresses were seen; `manual` what to do by
    hand where an account or a browser is needed, or where no address is known
    (then `files` is empty).

    Raises DataError when a field is not of its form or a year has two files.
    """

    name: str
    title: str
    reader: str
    landing: str
    seen: str
    files: tuple[FileAddress, ...] = ()
    terms: str = ""
    manual: str = ""
    _by_year: Mapping[int, FileAddress] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise DataError(f"addresses: {self.name!r} is no name of a dataset.")
        if self.reader not in READERS:
            raise DataError(
                f"addresses: {self.name}: there is no reader {self.reader!r}"
                f"{did_you_mean(self.reader, READERS) or '.'} Known: {', '.join(READERS)}."
            )
        _require_url(self.name, self.landing)
        if not (self.title and self.seen):
            raise DataError(f"addresses: {self.name} needs a title, and where it was seen.")
        if not (self.files or self.manual):
            raise DataError(f"addresses: {self.name} has neither files nor what to do by hand.")
        held = [(year, file) for file in self.files for year in file.years]
        require_unique(f"addresses: years of {self.name}", [str(y) for y, _ in held], DataError)
        object.__setattr__(self, "_by_year", dict(sorted(held, key=lambda pair: pair[0])))

    @property
    def years(self) -> tuple[int, ...]:
        """The years that can be had, ascending."""
        return tuple(self._by_year)

    def file_for(self, year: int | None = None) -> FileAddress:
        """The file that holds a year; the year may be left out where there is only one file.

        Raises DataError naming the years there are, or what to do by hand.
        """
        if not self.files:
            raise DataError(
                f"{self.name}: there is no address to download from. {self.manual} "
                f"See {self.landing}"
            )
        if year is None and len(self.files) == 1:
            return self.files[0]
        if year is None:
            raise DataError(f"{self.name}: say which year (--year); there are {spans(self.years)}.")
        if year not in self._by_year:
            raise DataError(f"{self.name} has no year {year}; there are {spans(self.years)}.")
        return self._by_year[year]


def spans(years: tuple[int, ...]) -> str:
    """Ascending years in words: `1995-2000, 2004`."""
    runs: list[list[int]] = []
    for year in years:
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in runs)


@cache
def addresses() -> dict[str, Address]:
    """Every dataset that can be had, by name, as `addresses.yaml` lists it."""
    rows = _yaml("addresses.yaml")
    require_unique("addresses", [row["name"] for row in rows], DataError)
    known = {row["name"]: read_row(row) for row in rows}
    require_unique(
        "addresses: file names", [f.name for row in known.values() for f in row.files], DataError
    )
    return known


def address(name: str) -> Address:
    """A dataset by name; DataError with a did-you-mean for an unknown one."""
    known = addresses()
    if name not in known:
        raise DataError(
            f"there is no dataset {name!r} to download{did_you_mean(name, known) or '.'} "
            f"Known: {', '.join(known)}."
        )
    return known[name]


def read_row(row: Mapping[str, Any]) -> Address:
    """An Address from a row of `addresses.yaml`, one FileAddress for every address in it.

    `years` is a list, and of two numbers the first and the last. An address
    with `{year}` or `{id}` in it stands for one file per year; `ids`, `bytes`
    and checksums of such a row are mappings by year.

    Raises DataError for a row that is not of this form.
    """
    fields = {key: value for key, value in row.items() if key != "files"}
    try:
        files = [
            file
            for entry in row.get("files", ())
            for file in _files(entry, row["landing"], row.get("manual", ""))
        ]
        return Address(**fields, files=tuple(files))
    except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
        raise DataError(
            f"addresses: {row.get('name')}: not a row of the catalogue ({error})."
        ) from None


def _files(entry: Mapping[str, Any], landing: str, manual: str) -> list[FileAddress]:
    known = dict(entry)
    years = _years(known.pop("years"))
    url, ids = known.pop("url"), known.pop("ids", {})
    name, size = known.pop("name", None), known.pop("bytes", None)
    common: dict[str, Any] = {"landing": landing, "manual": manual}
    if "{" not in url:
        named = name or unquote(urlsplit(url).path.rpartition("/")[2])
        return [FileAddress(name=named, url=url, years=years, size=size, **common, **known)]
    by_year = {"ids": ids, "bytes": size or {}, **{k: known.pop(k, {}) for k in CHECKSUMS}}
    for key, values in by_year.items():
        if odd := set(values) - set(years):
            raise ValueError(f"{key} of {odd}")
    source = known.pop("checksum_source", "")
    out = []
    for year in years:
        if "{id}" in url and year not in ids:
            raise ValueError(f"no id for {year}")
        here = url.format(year=year, id=ids.get(year))
        named = (name or unquote(urlsplit(here).path.rpartition("/")[2])).format(year=year)
        own = {kind: by_year[kind].get(year) for kind in CHECKSUMS}
        own |= {"size": by_year["bytes"].get(year)}
        own |= {"checksum_source": source if any(own.values()) else ""}
        out.append(FileAddress(name=named, url=here, years=(year,), **common, **own, **known))
    return out


def _years(given: list[int]) -> tuple[int, ...]:
    if not given or given != sorted(set(given)):
        raise ValueError(f"years {given}")
    return tuple(range(given[0], given[1] + 1)) if len(given) == 2 else tuple(given)


def _require_url(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
        raise DataError(f"addresses: {name}: {url!r} is no http(s) address.")
    if re.search(r"[\s\x00-\x20{}]", url):
        raise DataError(f"addresses: {name}: {url!r} holds a character that no address has.")
