"""CEPII BACI: bilateral trade at six HS digits, one CSV a year, alone, in a folder or in the zip.

Gaulier & Zignago (2010), *BACI: International Trade Database at the
Product-Level*, CEPII Working Paper 2010-23. Columns t, i, j, k, v, q: year,
exporter, importer (numeric codes), product, value in thousand USD (fob),
quantity in metric tons. `country_codes` beside it gives ISO codes. BACI holds
strictly positive flows, reconciled from both partners' reports; re-exports are not told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.sources.archive import is_zip, members, open_file, read_bytes, require_file
from entrepot.sources.economy_codes import codes_of_source, iso_codes
from entrepot.sources.flow_rows import Kind, Release, flows, input_of, read_rows
from entrepot.sources.text import read_header

NAME = re.compile(r"BACI_(?P<hs>HS\d\d)_Y(?P<year>\d{4})_V(?P<version>\w+)\.csv(\.gz)?$", re.I)
COUNTRIES = re.compile(r"country_codes.*\.csv$", re.I)
MAX_LIST = 4 << 20
COLUMNS: dict[str, Kind] = {
    "t": "whole",
    "i": "whole",
    "j": "whole",
    "k": "code",
    "v": "amount",
    "q": "amount?",
}
CITATION = "Gaulier & Zignago (2010), BACI, CEPII Working Paper 2010-23"


@dataclass(frozen=True, slots=True)
class _Part:
    """A year's file: where it is, and the year, revision and release that its name says."""

    path: Path
    member: str | None
    year: int
    hs: str
    version: str


def is_baci(path: Path) -> bool:
    """Whether a file is called, or an archive or folder holds a file that is called, as BACI's."""
    return any(NAME.search(PurePosixPath(name).name) for _, _, name in _names(path))


def read_baci(paths: Sequence[Path], years: Sequence[int] = ()) -> Release:
    """BACI files of one release and one HS revision, of all or of some years.

    Parameters
    ----------
    paths : yearly CSV files (or .csv.gz), the zip of a release, or a folder of either's contents.
    years : only these; all of them when empty.

    Raises DataError for files that are not BACI's, of several revisions or
    releases, a year twice, and, while they are read, for what `read_rows` refuses
    and for a year in the rows that is not the one in the name.

    """
    found, lists = [], []
    for path in paths:
        for place, member, name in _names(path):
            base = PurePosixPath(name).name
            if m := NAME.search(base):
                found.append(_Part(place, member, int(m["year"]), m["hs"].upper(), m["version"]))
            elif COUNTRIES.search(base):
                lists.append((place, member))
    parts = sorted((p for p in found if not years or p.year in years), key=lambda p: p.year)
    if not parts:
        raise DataError(
            f"{some([str(p) for p in paths])}: no files called like BACI_HS92_Y2022_V202401.csv"
            + (f" of {', '.join(map(str, years))}." if found else ".")
        )
    if gone := sorted(set(years) - {p.year for p in parts}):
        raise DataError(f"There is no BACI file of {', '.join(map(str, gone))} among them.")
    kinds = sorted({f"{p.hs}, release {p.version}" for p in parts})
    if len(kinds) > 1:
        raise DataError(f"BACI files of {'; '.join(kinds)}: name files of one at a time.")
    if len({p.year for p in parts}) < len(parts):
        raise DataError("A year of BACI is given twice; name each once.")
    iso = iso_codes()
    if lists:
        place, member = lists[0]
        text = read_bytes(place, member, MAX_LIST).decode("latin-1")  # only ASCII columns are used
        iso = codes_of_source(text.lstrip("ï»¿"), str(place))
    return Release(
        source="CEPII BACI",
        version=parts[0].version,
        hs=lambda: parts[0].hs,
        digits=6,
        valuation="fob, reconciled from importers' and exporters' reports",
        citation=CITATION,
        inputs=tuple(input_of(path) for path in sorted({p.path for p in parts})),
        iso=iso,
        batches=lambda: _batches(parts),
        notes=lambda: ["BACI does not tell re-exports apart."],
    )


def _names(path: Path) -> list[tuple[Path, str | None, str]]:
    """Files by path, member and name."""
    if path.is_dir():
        return [(p, None, p.name) for p in sorted(path.iterdir()) if p.is_file()]
    require_file(path)
    if is_zip(path):
        return [(path, name, name) for name in members(path) if "__MACOSX" not in name]
    return [(path, None, path.name)]


def _batches(parts: Sequence[_Part]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        with open_file(part.path, part.member) as opened:
            header = read_header(opened, ",")
            for rows in read_rows(opened, ",", header, COLUMNS):
                year = rows["t"]
                if pc.any(pc.not_equal(year, part.year)).as_py():
                    other = rows.filter(pc.not_equal(year, part.year))["t"][0].as_py()
                    raise DataError(f"{opened.where}: rows of {other}; its name says {part.year}.")
                value = pc.divide(rows["v"], 1000.0)  # thousand USD to million
                yield from flows("trade", year, rows["i"], rows["j"], rows["k"], value, rows["q"])
