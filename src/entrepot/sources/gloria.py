"""GLORIA: supply and use of 164 regions x 120 sectors in one matrix, zip or folder.

Three comma-separated files a year at basic prices (`Markup001`), without labels:
transactions `T`, final use `Y` and value added `V`. In each region industries
come first, then products: product rows by industry columns are use, industry
rows by product columns supply. The labels are in `GLORIA_ReadMe_*.xlsx`, beside
the zip or in the folder.

Only a strictly diagonal supply is read: each industry then makes one product
and each product is of one industry, so that the use block is the table, and no
technology has to be assumed. Every cell is looked at; one that is not zero
where the layout has none is an error, and nothing is passed over. Of `T` only
the use block is kept: 8 bytes a cell, 3.1 GB for a full table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.core.labels import require_unique, some
from entrepot.core.tables import Array, Sector, sealed
from entrepot.sources.archive import is_zip
from entrepot.sources.files import Files
from entrepot.sources.raw import MAX_NODES, RawTable
from entrepot.sources.sheets import workbook
from entrepot.sources.text import Names, each_block, require_cells
from entrepot.sources.workbook import read_columns

FILE = re.compile(
    r"_(?P<part>[TYV])-Results_(?P<year>(?:19|20)\d\d)_(?P<release>\d{3}[a-z]?)"
    r"_Markup001\(full\)\.csv$",
    re.IGNORECASE,
)
ZIP = re.compile(r"^GLORIA_MRIOs_\d{2,3}[a-z]?_(?P<year>(?:19|20)\d\d)\.zip$", re.IGNORECASE)
README = re.compile(r"^GLORIA_ReadMe_(\d{3}[a-z]?)\.xlsx$", re.IGNORECASE)
# Sheets of the ReadMe, and the columns that are read of each.
SHEETS = {
    "Regions": ("Lfd_Nr", "Region_acronyms", "Region_names"),
    "Sectors": ("Lfd_Nr", "Sector_names"),
    "Value added and final demand": ("Lfd_Nr", "Value_added_names", "Final_demand_names"),
}
# Codes of the source that are not those of ISO 3166.
ISO = {"SDS": "SSD"}
COMMA = ","
# Five digits are printed: a cell, and a sum of cells of one sign, is good to half a unit in the
# fifth; what is below a thousand dollars is noise of the source's balancing.
RTOL, ATOL = 5e-5, 1.0


@dataclass(frozen=True, eq=False, slots=True)
class _Labels:
    """Labels of a release, in the order of its files."""

    regions: tuple[str, ...]
    region_names: tuple[str, ...]
    sectors: tuple[str, ...]
    added: tuple[str, ...]
    finals: tuple[str, ...]

    def node(self, i: int) -> str:
        """Node i in words."""
        region, sector = divmod(i, len(self.sectors))
        return f"{self.regions[region]} {self.sectors[sector]!r}"

    def line(self, i: int) -> str:
        """Row or column i of `T` in words."""
        region, inside = divmod(i, 2 * len(self.sectors))
        kind, sector = divmod(inside, len(self.sectors))
        return f"{('industry', 'product')[kind]} {self.node(region * len(self.sectors) + sector)}"

    def final(self, j: int) -> str:
        """Column j of `Y` in words."""
        region, category = divmod(j, len(self.finals))
        return f"{self.regions[region]} {self.finals[category]!r}"

    def income(self, i: int) -> str:
        """Row i of `V` in words."""
        region, category = divmod(i, len(self.added))
        return f"{self.regions[region]} {self.added[category]!r}"


@dataclass(frozen=True, slots=True)
class _Stray:
    """Cells that are not zero where the layout has none: how many, how much, and the first."""

    what: str
    count: int
    size: float
    row: int
    column: int
    value: float


def matches(path: Path) -> bool:
    """Whether a folder or zip is GLORIA, by its name and those of its files."""
    try:
        if path.is_dir():
            return any(FILE.search(n) or ZIP.match(n) for n in Files(path).names)
        if not path.is_file() or not is_zip(path):
            return False
        return bool(ZIP.match(path.name)) or any(map(FILE.search, Files(path).names))
    except (DataError, OSError):
        return False


def read(path: Path, *, year: int | None = None, member: str | None = None) -> RawTable:
    """One year of GLORIA at basic prices, from its zip or the folder unpacked from it.

    Parameters
    ----------
    year, member : which of several; `member` is the name of the file `T`.

    Raises DataError naming file and place for files that are missing or cut
    short, cells that are no number, a ReadMe that is missing or does not fit, and
    any cell that is not zero outside use, the diagonal of supply, final use of
    products and each region's own value added.

    """
    files = Files(path)
    if not any(map(FILE.search, files.names)) and (inside := files.packed(ZIP, year, member)):
        return read(inside[0], year=year, member=inside[1])
    names, when, release = _choose(files, year, member)
    labels, readme = _labels(path, release)
    n, s = len(labels.regions), len(labels.sectors)
    if n * s > MAX_NODES:
        raise DataError(f"{readme}: {n * s:,} region-sectors; more than {MAX_NODES:,} are refused.")
    # The small files first: what is wrong with them is known in seconds.
    V = _value_added(files, names["V"], labels)
    F = _final(files, names["Y"], labels)
    Z, supply = _use(files, names["T"], labels)
    regions = tuple(ISO.get(r, r) for r in labels.regions)
    notes = [
        "Basic prices (Markup001) only: trade and transport margins and product taxes and subsidies "
        "(Markup002 to 005) are not in this table.",
        "Supply is diagonal: each product is of one industry.",
        *(f"{old} of the source is {new}." for old, new in ISO.items() if old in labels.regions),
    ]
    return RawTable(
        name=f"gloria-{release}-{when}",
        year=when,
        regions=regions,
        sectors=tuple(Sector(x, x, x.lower()) for x in labels.sectors),
        Z=Z,
        F=F,
        V=V,
        T_inputs=np.zeros(n * s),
        T_final=np.zeros((n, len(labels.finals))),
        final_categories=labels.finals,
        value_added_categories=labels.added,
        declared_output=supply,
        to_million=1e-3,
        region_names=dict(zip(regions, labels.region_names, strict=True)),
        provenance={
            "data": f"GLORIA, release {release}, year {when}, basic prices (Lenzen and others 2022)",
            "file": path.absolute().name,
            "sha256": files.digest(list(names.values())),
            "labels": readme.name,
            "terms": "CC BY-NC-SA 4.0",
            "notes": notes,
            "estimated": [],
        },
        rtol=RTOL,
        atol=ATOL,
    )


# --- which files -----------------------------------------------------------------------------


def _choose(files: Files, year: int | None, member: str | None) -> tuple[dict[str, str], int, str]:
    """The files T, Y and V of one year, the year, and the release."""
    known = [(name, m) for name in files.names if (m := FILE.search(name))]
    parts = [name for name, m in known if m["part"].upper() == "T"]
    if member is not None:
        parts = [files.require(member)] if member in parts else []
    elif year is not None:
        parts = [n for n, m in known if n in parts and int(m["year"]) == year]
    if len(parts) != 1:
        what = f"{len(parts)} files" if parts else "no file"
        wanted = member or f"..._T-Results_{year or 'YEAR'}_..._Markup001(full).csv"
        raise DataError(
            f"{files.path} holds {what} {wanted}; it holds {some(parts or files.names)}. "
            "One is read: say which with --year or --member."
        )
    (first,) = (m for name, m in known if name == parts[0])
    when, release = int(first["year"]), first["release"].lower()
    if year is not None and year != when:
        raise DataError(f"{files.where(parts[0])}: named {when}, but {year} was asked for.")
    names = {"T": parts[0]}
    for part in "YV":
        same = [
            name
            for name, m in known
            if m["part"].upper() == part
            and (int(m["year"]), m["release"].lower()) == (when, release)
        ]
        # The date in front differs between files; among several, that of T counts.
        if len(same) > 1:
            same = [n for n in same if FILE.sub("", n) == FILE.sub("", parts[0])]
        if len(same) != 1:
            raise DataError(
                f"{files.path} holds {len(same)} files _{part}-Results_{when}_{release}_"
                f"Markup001(full).csv that go with {parts[0]}; one was expected."
            )
        names[part] = same[0]
    return names, when, release


def _labels(path: Path, release: str) -> tuple[_Labels, Path]:
    """The labels of a release from its ReadMe, and where it is."""
    folders = [path, path.absolute().parent] if path.is_dir() else [path.absolute().parent]
    found: list[Path] = []
    for folder in folders:
        try:
            found = sorted(p for p in folder.iterdir() if README.match(p.name))
        except OSError as error:
            raise DataError(f"{folder}: cannot be read ({error.strerror}).") from None
        if found:
            break
    own = [p for p in found if (m := README.match(p.name)) and m[1].lower() == release]
    # A release and its corrections (059, 059a) name their tables alike.
    near = [p for p in found if (m := README.match(p.name)) and m[1][:3] == release[:3]]
    good = own or near
    if len(good) != 1:
        raise DataError(
            f"{folders[0]} holds {len(good)} label files of release {release} (GLORIA_ReadMe_"
            f"{release}.xlsx){f'; it holds {some([p.name for p in found])}' if found else ''}. "
            "GLORIA's files have no labels of their own: put its ReadMe beside them."
        )
    readme = good[0]
    if readme.is_symlink():
        raise DataError(f"{readme} is a link; refused.")
    data, _ = workbook(readme, lambda _: False, None)
    sheets = read_columns(data, str(readme), SHEETS)
    columns = [c for name in SHEETS for c in _columns(sheets[name], name, str(readme))]
    labels = _Labels(*map(tuple, columns))
    if len(labels.regions) != len(labels.region_names):
        raise DataError(f"{readme}, sheet Regions: not as many acronyms as names.")
    for what, axis in (
        ("regions", labels.regions),
        ("sectors", labels.sectors),
        ("value added", labels.added),
        ("final demand", labels.finals),
    ):
        if not axis:
            raise DataError(f"{readme}: no {what}.")
        require_unique(f"{readme}: {what}", axis, DataError)
    return labels, readme


def _columns(rows: list[list[str]], name: str, where: str) -> list[list[str]]:
    """The label columns of a sheet, whose first column counts its rows."""
    out: list[list[str]] = [[] for _ in SHEETS[name][1:]]
    for k, row in enumerate(rows, 1):
        if row[0] != str(k):
            raise DataError(
                f"{where}, sheet {name!r}: number {row[0]!r} stands where {k} was expected."
            )
        for column, word in zip(out, row[1:], strict=True):
            if word and len(column) < k - 1:
                raise DataError(f"{where}, sheet {name!r}: a label is missing before {word!r}.")
            if word:
                column.append(word)
    return out


# --- the matrices ----------------------------------------------------------------------------


def _stray(what: str, row: int, block: Array, odd: NDArray[np.bool_]) -> Iterator[_Stray]:
    """The cells that `odd` marks in a block whose first row is `row`, if any."""
    rows, columns = np.nonzero(odd)
    if not len(rows):
        return
    with np.errstate(invalid="ignore", over="ignore"):
        size = float(np.nansum(np.abs(block[odd])))
    i, j = int(rows[0]), int(columns[0])
    yield _Stray(what, len(rows), size, row + i, j, float(block[i, j]))


def _require_none(
    found: list[_Stray],
    where: str,
    row_words: Callable[[int], str],
    column_words: Callable[[int], str],
) -> None:
    """Raise for cells out of place: every kind with its number, sum and first place."""
    told = []
    for what in dict.fromkeys(x.what for x in found):
        same = [x for x in found if x.what == what]
        first = min(same, key=lambda x: (x.row, x.column))
        told.append(
            f"{what}: {sum(x.count for x in same):,} cells, {sum(x.size for x in same):,.6g} in "
            f"all, the first in line {first.row + 1}, column {first.column + 1} "
            f"({row_words(first.row)} to {column_words(first.column)}): {first.value:.6g}"
        )
    if told:
        raise DataError(
            f"{where}: {'; '.join(told)}. Such cells have no place in a table of one product an "
            "industry; they are not dropped."
        )


def _runs(row: int, rows: int, s: int) -> Iterator[tuple[slice, int, bool, int]]:
    """Runs of rows of `T` or `Y` in one half of one region.

    Each with its place in the block, its first node, whether it is of products,
    and its region.
    """
    start = 0
    while start < rows:
        half, sector = divmod(row + start, s)
        region, product = divmod(half, 2)
        stop = min(rows, start + s - sector)
        yield slice(start, stop), region * s + sector, bool(product), region
        start = stop


def _use(files: Files, name: str, labels: _Labels) -> tuple[Array, Array]:
    """The use block, product by industry, and the diagonal of supply."""
    n, s = len(labels.regions), len(labels.sectors)
    m = n * s

    def put(row: int, _names: Names, block: Array) -> list[_Stray]:
        found: list[_Stray] = []
        for run, node, product, region in _runs(row, len(block), s):
            rows = block[run]
            k = len(rows)
            cells = rows.reshape(k, n, 2, s)
            if product:
                use[node : node + k].reshape(k, n, s)[...] = cells[:, :, 0]
                if cells[:, :, 1].any():
                    odd = cells != 0
                    odd[:, :, 0] = False
                    found += _stray("product by product", row + run.start, rows, _flat(odd))
                continue
            i = np.arange(k)
            own = i, region, 1, node - region * s + i
            supply[node : node + k] = cells[own]
            if np.count_nonzero(rows) > np.count_nonzero(cells[own]):
                odd = cells != 0
                odd[own] = False
                off = odd.copy()
                odd[:, :, 1], off[:, :, 0] = False, False
                found += _stray("supply off the diagonal", row + run.start, rows, _flat(off))
                found += _stray("industry by industry", row + run.start, rows, _flat(odd))
        return found

    with files.open(name) as opened:
        require_cells(opened, 2 * m, 2 * m)
        use, supply = np.empty((m, m)), np.empty(m)
        blocks = each_block(opened, put, delimiter=COMMA, width=2 * m, rows=2 * m)
        found = [x for strays in blocks for x in strays]
        _require_none(found, opened.where, labels.line, labels.line)
    return sealed(use), sealed(supply)


def _final(files: Files, name: str, labels: _Labels) -> Array:
    """Final use of products."""
    n, s, c = len(labels.regions), len(labels.sectors), len(labels.finals)

    def put(row: int, _names: Names, block: Array) -> list[_Stray]:
        found: list[_Stray] = []
        for run, node, product, _ in _runs(row, len(block), s):
            rows = block[run]
            if product:
                final[node : node + len(rows)] = rows.reshape(len(rows), n, c)
            else:
                found += _stray("final use of an industry", row + run.start, rows, rows != 0)
        return found

    with files.open(name) as opened:
        require_cells(opened, 2 * n * s, n * c)
        final = np.empty((n * s, n, c))
        blocks = each_block(opened, put, delimiter=COMMA, width=n * c, rows=2 * n * s)
        found = [x for strays in blocks for x in strays]
        _require_none(found, opened.where, labels.line, labels.final)
    return sealed(final)


def _value_added(files: Files, name: str, labels: _Labels) -> Array:
    """Value added by category, of each region's industries in its own rows."""
    n, s, v = len(labels.regions), len(labels.sectors), len(labels.added)

    def put(row: int, _names: Names, block: Array) -> list[_Stray]:
        cells = block.reshape(len(block), n, 2, s)
        odd = cells != 0
        for i in range(len(block)):
            region, category = divmod(row + i, v)
            added[category, region * s : (region + 1) * s] = cells[i, region, 0]
            odd[i, region, 0] = False
        of_products = odd.copy()
        of_products[:, :, 0] = False
        odd[:, :, 1] = False
        return [
            *_stray("value added of another region", row, block, _flat(odd)),
            *_stray("value added of products", row, block, _flat(of_products)),
        ]

    with files.open(name) as opened:
        require_cells(opened, n * v, 2 * n * s)
        added = np.empty((v, n * s))
        blocks = each_block(opened, put, delimiter=COMMA, width=2 * n * s, rows=n * v)
        found = [x for strays in blocks for x in strays]
        _require_none(found, opened.where, labels.income, labels.line)
    return sealed(added)


def _flat(odd: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """By row and column of the file."""
    return odd.reshape(len(odd), -1)
