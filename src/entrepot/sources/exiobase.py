"""EXIOBASE 3, monetary: industry by industry (ixi) or product by product (pxp), zip or folder.

Tab-separated text in one folder a year: `Z.txt` (or `A.txt` and `x.txt`) and
`Y.txt`, and value added in `satellite/` (until 3.8: nine named rows among the
stressors) or `factor_inputs/` (from 3.9: a file of their own), each with `F.txt`
on producers and `F_Y.txt` on final users. Three header lines: regions, sectors or
categories, and the names of the label columns. Million euro at basic prices.

Only the files named above, `unit.txt` and the list of sectors are opened;
`file_parameters.json`, which may name files of any kind, is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from entrepot.catalogues import economies, economy_names
from entrepot.core.errors import DataError
from entrepot.core.labels import require_unique, some
from entrepot.core.tables import Array, Margin, Sector, sealed
from entrepot.sources.archive import Opened, is_zip
from entrepot.sources.files import Files
from entrepot.sources.raw import MAX_NODES, RawTable
from entrepot.sources.text import Names, each_block, read_header, require_cells, words_of

TAX = "Taxes less subsidies on products purchased: Total"
ADDED = (
    "Other net taxes on production",
    "Compensation of employees; wages, salaries, & employers' social contributions: Low-skilled",
    "Compensation of employees; wages, salaries, & employers' social contributions: Medium-skilled",
    "Compensation of employees; wages, salaries, & employers' social contributions: High-skilled",
    "Operating surplus: Consumption of fixed capital",
    "Operating surplus: Rents on land",
    "Operating surplus: Royalties on resources",
    "Operating surplus: Remaining net operating surplus",
)
REST = {
    "WA": "Rest of Asia and Pacific",
    "WL": "Rest of America",
    "WE": "Rest of Europe",
    "WF": "Rest of Africa",
    "WM": "Rest of Middle East",
}
UNITS = ("M.EUR", "MEUR", "M EUR", "Million EUR")
# Where value added is, in the order in which it is looked for.
FACTORS = ("factor_inputs", "satellite")
# Until 3.8.1 the factors on final users have the second name.
ON_FINAL = ("F_Y.txt", "F_hh.txt")
LISTS = {"ixi": "industries.txt", "pxp": "products.txt"}
WORDS = {"ixi": ", industry by industry", "pxp": ", product by product", "": ""}
NAME = re.compile(r"IOT_((?:19|20)\d\d)_(ixi|pxp)", re.IGNORECASE)
ZIP = re.compile(r"^IOT_(?P<year>(?:19|20)\d\d)_(ixi|pxp).*\.zip$", re.IGNORECASE)
TAB = "\t"
# The published cells are unrounded.
RTOL, ATOL = 1e-6, 0.01


@dataclass(frozen=True, eq=False, slots=True)
class _Axis:
    """Pairs of a region and a sector or category, region by region, all regions alike."""

    regions: tuple[str, ...]
    inner: tuple[str, ...]
    pairs: Names


class _Folder:
    """One year's files, by their names in its folder; remembers which were used."""

    def __init__(self, files: Files, root: str) -> None:
        self.files, self.root = files, root
        self.used: list[str] = []
        self._names = {n.removeprefix(root) for n in files.names if n.startswith(root)}

    def first(self, *names: str) -> str | None:
        """The first of some names that is there."""
        return next((name for name in names if name in self._names), None)

    def need(self, *names: str) -> str:
        """The same; DataError when none is there."""
        name = self.first(*names)
        if name is None:
            wanted = " and no ".join(self.root + name for name in names)
            raise DataError(f"{self.files.path} holds no {wanted}; the table needs it.")
        return name

    def use(self, name: str) -> str:
        """The whole name of a file that is read."""
        self.used.append(self.root + name)
        return self.root + name


def matches(path: Path) -> bool:
    """Whether a folder or zip is EXIOBASE 3, by its name and those of its files."""
    try:
        if not path.is_dir() and not (path.is_file() and is_zip(path)):
            return False
        files = Files(path)
    except (DataError, OSError):
        return False
    if files.is_folder and any(map(ZIP.match, files.names)):
        return True
    named = not files.is_folder and bool(ZIP.match(path.name))
    return any(named or _whole(files, root) for root in _roots(files))


def read(path: Path, *, year: int | None = None, member: str | None = None) -> RawTable:
    """One year of EXIOBASE 3, from the zip as published or the folder unpacked from it.

    Parameters
    ----------
    year, member : which of several; `member` is the folder inside, or a file in it.

    Raises DataError naming file and place for a file that is missing or cut
    short, a cell that is no number, and labels that are unknown, stand twice or
    differ between the files, in themselves or in their order.

    """
    files = Files(path)
    if not _roots(files) and (inside := files.packed(ZIP, year, member)):
        return read(inside[0], year=year, member=inside[1])
    folder = _Folder(files, _root(files, year, member))
    kind, when = _named(files, folder.root, year)
    notes: list[str] = []
    estimated: list[str] = []

    given = folder.need("Z.txt", "A.txt")
    axis, Z = _flows(files, folder.use(given))
    x = None
    if given == "A.txt":
        x = _output(files, folder.use(folder.need("x.txt")), axis)
        with np.errstate(invalid="ignore", over="ignore"):  # the audit names what is not finite
            Z *= x[None, :]
        estimated.append(
            "Intermediate sales are the coefficients of A.txt times the output of x.txt: "
            "there is no Z.txt."
        )
    elif folder.first("x.txt"):
        x = _output(files, folder.use("x.txt"), axis)
    F, finals = _final(files, folder.use(folder.need("Y.txt")), axis)
    if folder.first("unit.txt"):
        _require_unit(files, folder.use("unit.txt"), axis)
    else:
        notes.append("There is no unit.txt; the unit is M.EUR, as documented.")

    where = PurePosixPath(folder.need(*(f"{f}/F.txt" for f in FACTORS))).parent.name
    units: dict[str, str] | None = None
    if folder.first(f"{where}/unit.txt"):
        units = _units(files, folder.use(f"{where}/unit.txt"))
    else:
        notes.append(f"There is no {where}/unit.txt; value added is in M.EUR, as documented.")
    alone = where == "factor_inputs"
    on_inputs = _factors(files, folder.use(f"{where}/F.txt"), axis.pairs, units, alone)
    direct = folder.need(*(f"{where}/{name}" for name in ON_FINAL))
    on_final = _factors(files, folder.use(direct), finals.pairs, units, alone)
    n, c = len(axis.regions), len(finals.inner)
    margins = {
        f"{name} on final use": Margin(np.zeros(len(axis.pairs)), on_final[name].reshape(n, c))
        for name in ADDED
        if on_final[name].any()
    }
    if margins:
        notes.append(f"Kept as margins, not as value added: {'; '.join(margins)}.")

    kind, codes = _codes(folder, kind, axis.inner)
    alpha3 = _alpha3()
    regions = tuple(alpha3[r] for r in axis.regions)
    return RawTable(
        name="-".join(word for word in ("exiobase", kind, str(when)) if word),
        year=when,
        regions=regions,
        sectors=tuple(
            Sector(code, name, code.lower()) for code, name in zip(codes, axis.inner, strict=True)
        ),
        Z=sealed(Z),
        F=sealed(F),
        V=sealed(np.stack([on_inputs[name] for name in ADDED])),
        T_inputs=on_inputs[TAX],
        T_final=on_final[TAX].reshape(n, c),
        final_categories=finals.inner,
        value_added_categories=ADDED,
        margins=margins,
        declared_output=x,
        currency="EUR",
        region_names=economy_names(regions) | {r: REST[r] for r in regions if r in REST},
        provenance={
            "data": f"EXIOBASE 3, monetary{WORDS[kind]}, year {when} (Stadler and others 2018)",
            "file": path.absolute().name,
            "sha256": files.digest(folder.used),
            "terms": "by release: CC BY-SA 4.0 for 3.8.2, others from 3.9.4 on",
            "notes": notes,
            "estimated": estimated,
        },
        rtol=RTOL,
        atol=ATOL,
    )


# --- which files -----------------------------------------------------------------------------


def _roots(files: Files) -> list[str]:
    """The folders, each with its closing slash, in which flows or coefficients are."""
    flows = [name for name in files.names if name.rpartition("/")[2] in ("Z.txt", "A.txt")]
    return list(dict.fromkeys(name[: -len("Z.txt")] for name in flows))


def _whole(files: Files, root: str) -> bool:
    return f"{root}Y.txt" in files.names and any(f"{root}{f}/F.txt" in files.names for f in FACTORS)


def _root(files: Files, year: int | None, member: str | None) -> str:
    roots = _roots(files)
    if not roots:
        raise DataError(
            f"{files.path} holds no EXIOBASE table: no Z.txt or A.txt; it holds {some(files.names)}."
        )
    good = roots
    if member is not None:
        # A folder, or a file in it or in its folders: the innermost folder that fits.
        named = member in files.names
        fit = [r for r in roots if r == f"{member.strip('/')}/" or (named and member.startswith(r))]
        good = sorted(fit, key=len)[-1:]
        if not good:
            raise DataError(
                f"{files.path} holds no table in {member!r}; it holds some in {some(roots)}."
            )
    elif len(roots) > 1 and year is not None:
        good = [r for r in roots if (m := NAME.search(r)) and int(m[1]) == year]
    if len(good) != 1:
        raise DataError(
            f"{files.path} holds {len(good)} tables that fit, in {some(good or roots)}; say which "
            "with --member (or --year)."
        )
    return good[0]


def _named(files: Files, root: str, year: int | None) -> tuple[str, int]:
    """Kind and year by the names of the folder and the file; the kind may be unknown."""
    found: list[tuple[int, str]] = []
    for text in (root, files.path.absolute().name):
        found += [(int(m[1]), m[2].lower()) for m in NAME.finditer(text)]
    if len(set(found)) > 1:
        told = some([f"{y} {k}" for y, k in dict.fromkeys(found)])
        raise DataError(f"{files.path}: the names of file and folder ({root}) differ: {told}.")
    kind = found[0][1] if found else ""
    when = year if year is not None else (found[0][0] if found else None)
    if when is None:
        raise DataError(f"{files.path}: its name holds no year; say which with --year.")
    if found and when != found[0][0]:
        raise DataError(f"{files.path}: named {found[0][0]}, but {when} was asked for.")
    return kind, when


# --- the files -------------------------------------------------------------------------------


def _alpha3() -> dict[str, str]:
    """Codes by those of the file; the rest regions (WF is no country here) keep their own."""
    return {row["alpha2"]: code for code, row in economies().items()} | {r: r for r in REST}


def _axis(opened: Opened, labels: int) -> _Axis:
    """The columns by the three header lines of a file with that many label columns."""
    where = opened.where
    top, sub, names = (read_header(opened, TAB, k) for k in (1, 2, 3))
    if len(top) <= labels or len(sub) != len(top):
        raise DataError(f"{where}: {len(top):,} and {len(sub):,} cells in its first two lines.")
    if any(top[1:labels]) or any(sub[1:labels]) or any(names[labels:]):
        raise DataError(
            f"{where}: three header lines were expected (regions, then sectors or categories, then "
            f"the names of {labels} label columns)."
        )
    pairs = list(zip(top[labels:], sub[labels:], strict=True))
    for j, pair in enumerate(pairs, labels + 1):
        if not all(pair):
            raise DataError(f"{where}: column {j} has a blank label.")
    require_unique(f"{where}: columns", [" / ".join(pair) for pair in pairs], DataError)
    regions = tuple(dict.fromkeys(r for r, _ in pairs))
    inner = tuple(x for _, x in pairs[: len(pairs) // len(regions)])
    _require_alike(pairs, [(r, x) for r in regions for x in inner], where, "column", labels)
    return _Axis(regions, inner, list(pairs))


def _require_alike(
    labels: Sequence[tuple[str, ...]],
    expected: Sequence[tuple[str, ...]],
    where: str,
    what: str,
    before: int,
) -> None:
    """Raise at the first label that is not the one expected; numbered after `before` others."""
    if list(labels) == list(expected):
        return
    for k, (label, want) in enumerate(zip(labels, expected, strict=False), before + 1):
        if label != want:
            raise DataError(
                f"{where}: {what} {k} is {' / '.join(label)!r}; {' / '.join(want)!r} was expected, "
                "as every file has the same regions and sectors in one order."
            )
    raise DataError(
        f"{where}: {len(labels):,} {what}s; {len(expected):,} were expected. Cut short?"
    )


def _fill(opened: Opened, values: Array, rows: Names, line: int) -> None:
    """Read the rows below the header into `values`; their labels must be `rows`."""

    def put(row: int, names: Names, block: Array) -> None:
        _require_alike(names, rows[row : row + len(names)], opened.where, "line", row + line - 1)
        values[row : row + len(names)] = block

    width = values.shape[1]
    for _ in each_block(
        opened, put, delimiter=TAB, width=width, rows=len(rows), labels=2, line=line
    ):
        pass


def _flows(files: Files, name: str) -> tuple[_Axis, Array]:
    with files.open(name) as opened:
        axis = _axis(opened, 2)
        m = len(axis.pairs)
        if m > MAX_NODES:
            raise DataError(f"{opened.where}: {m:,} columns; more than {MAX_NODES:,} are refused.")
        known = _alpha3()
        unknown = [r for r in axis.regions if r not in known]
        if unknown:
            raise DataError(f"{opened.where}: unknown regions {some(unknown)}.")
        require_cells(opened, m, m)
        values = np.empty((m, m))
        _fill(opened, values, axis.pairs, 4)
    return axis, values


def _output(files: Files, name: str, axis: _Axis) -> Array:
    with files.open(name) as opened:
        header = read_header(opened, TAB)
        if len(header) != 3:
            raise DataError(
                f"{opened.where}: {len(header)} columns; region, sector and output were expected."
            )
        values = np.empty((len(axis.pairs), 1))
        _fill(opened, values, axis.pairs, 2)
    return values[:, 0]


def _final(files: Files, name: str, axis: _Axis) -> tuple[Array, _Axis]:
    with files.open(name) as opened:
        finals = _axis(opened, 2)
        _require_alike(
            [(r,) for r in finals.regions],
            [(r,) for r in axis.regions],
            opened.where,
            "region of columns",
            0,
        )
        m = len(axis.pairs)
        require_cells(opened, m, len(finals.pairs))
        values = np.empty((m, len(finals.pairs)))
        _fill(opened, values, axis.pairs, 4)
    return values.reshape(m, len(axis.regions), len(finals.inner)), finals


def _factors(
    files: Files, name: str, columns: Names, units: dict[str, str] | None, alone: bool
) -> dict[str, Array]:
    """The nine rows of a file of factors.

    With `alone` the file holds nothing else: another row in money would be
    value added that is not known here.
    """
    wanted = (TAX, *ADDED)

    def pick(_row: int, names: Names, block: Array) -> tuple[list[tuple[str, Array]], list[str]]:
        rows = [
            (label[0], values.copy())
            for label, values in zip(names, block, strict=True)
            if label[0] in wanted
        ]
        return rows, [label[0] for label in names if label[0] not in wanted]

    found: dict[str, Array] = {}
    with files.open(name) as opened:
        where = opened.where
        _require_alike(_axis(opened, 1).pairs, columns, where, "column", 1)
        for rows, others in each_block(
            opened, pick, delimiter=TAB, width=len(columns), rows=None, labels=1, line=4
        ):
            for label, values in rows:
                if label in found:
                    raise DataError(f"{where}: the row {label!r} stands twice.")
                found[label] = values
            odd = [x for x in others if units is None or units.get(x, UNITS[0]) in UNITS]
            if alone and odd:
                raise DataError(f"{where}: rows of value added that are not known: {some(odd)}.")
    missing = [label for label in wanted if label not in found]
    if missing:
        raise DataError(f"{where}: {len(missing)} rows are missing: {some(missing)}. Cut short?")
    if units is not None:
        for label in wanted:
            if units.get(label) not in UNITS:
                raise DataError(
                    f"{where}: the unit of {label!r} is {units.get(label)!r}, not {UNITS[0]}."
                )
    return found


def _units(files: Files, name: str) -> dict[str, str]:
    """Units by row."""
    rows = words_of(files, name, TAB)[1:]
    where = files.where(name)
    units: dict[str, str] = {}
    for row in rows:
        if len(row) != 2:
            raise DataError(f"{where}: {len(row)} cells in the row {some(row)}; 2 were expected.")
        if row[0] in units and row[0] in (TAX, *ADDED):
            raise DataError(f"{where}: the row {row[0]!r} stands twice.")
        units[row[0]] = row[1]
    return units


def _require_unit(files: Files, name: str, axis: _Axis) -> None:
    rows = words_of(files, name, TAB)[1:]
    where = files.where(name)
    _require_alike([tuple(row[:2]) for row in rows], axis.pairs, where, "line", 1)
    for k, row in enumerate(rows, 2):
        if len(row) != 3 or row[2] not in UNITS:
            raise DataError(f"{where} line {k}: the unit is {' '.join(row[2:])!r}, not {UNITS[0]}.")


def _codes(folder: _Folder, kind: str, sectors: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The kind of table, and short codes of its sectors from the list that has as many.

    Both lists are in every archive, so that one alone does not tell the kind;
    where the name does not, the list that names the sectors does.
    """
    for own, name in LISTS.items():
        if (kind and own != kind) or folder.first(name) is None:
            continue
        head, *rows = words_of(folder.files, folder.root + name, TAB) or [[]]
        if len(rows) != len(sectors) or any(len(row) != len(head) for row in rows):
            continue
        column = {word: [row[j] for row in rows] for j, word in enumerate(head)}
        names = [text.strip('"') for text in column.get("Name", [])]
        if not kind and names != list(sectors):
            continue
        if names != list(sectors) and sorted(names) == sorted(sectors):
            where = folder.files.where(folder.root + name)
            raise DataError(f"{where}: the sectors of the table, but in another order.")
        for key in ("CodeTxt", "CodeNr"):
            codes = column.get(key, [])
            if all(codes) and len(set(codes)) == len(sectors):
                folder.use(name)
                return own, tuple(codes)
        return own, sectors
    return kind, sectors
