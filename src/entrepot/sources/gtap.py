"""GTAP data bases, versions 7 and 6.2, from header array files or long CSV files.

Where a data base is looked for:

- a header array file (`basedata.har`, `gsdfdat.har`, `gsddat.har`, or any other);
- a folder or zip that holds one of these. A `sets.har` or `gsdset.har` beside it is
  compared with the names that the arrays carry, and names what they leave unnamed;
- a folder or zip of CSV files, one for each header and named by it (`VDFB.csv`). The first
  line names the columns: the dimensions of the header in the order of the table below, and
  the value last. One line a cell; a cell without a line is zero.

| version 7 | version 6.2 | dimensions | value of |
|---|---|---|---|
| VDFB, VMFB | VDFM, VIFM | COMM, ACTS, REG | domestic, imported goods used by firms, basic prices |
| VDFP, VMFP | VDFA, VIFA | COMM, ACTS, REG | the same as the user pays it |
| VDPB, VMPB, VDPP, VMPP | VDPM, VIPM, VDPA, VIPA | COMM, REG | the same of the household |
| VDGB, VMGB, VDGP, VMGP | VDGM, VIGM, VDGA, VIGA | COMM, REG | the same of the government |
| VDIB, VMIB, VDIP, VMIP | column of capital goods | COMM, REG | the same of investors |
| VXSB | VXMD | COMM, REG, REG | trade, from and to, at basic prices of the source |
| VFOB, VCIF, VMSB | VXWD, VIWS, VIMS | COMM, REG, REG | fob, cif, basic prices of the destination |
| VST | VST | MARG, REG | margins supplied to international transport |
| VTWR | VTWR | MARG, COMM, REG, REG | margins used on each flow |
| EVFB, EVFP | VFM, EVFA | ENDW, ACTS, REG | factors at basic prices (optional), as firms pay |
| MAKS, MAKB | none | COMM, ACTS, REG | output without and with output tax (optional) |

In version 6.2 firms (ACTS) are the commodities and one or more capital goods. Numbers are
millions of US dollars in single precision.

The structure and its identities are those of the GTAP model, version 7 (Corong, Hertel,
McDougall, Tsigas and van der Mensbrugghe, 2017, Journal of Global Economic Analysis 2(1),
doi 10.21642/JGEA.020101AF). The data base says what each user imports and where imports come
from, not both together; the multi-regional table rests on the same shares for every user, as
in Peters, Andrew and Lennox (2011), Economic Systems Research 23(2), doi
10.1080/09535314.2011.563234, with international transport left outside the flows.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import economy_names
from entrepot.core.errors import DataError
from entrepot.core.labels import require_unique, some
from entrepot.core.tables import Array, Margin, Sector, sealed
from entrepot.sources.archive import (
    MAX_MEMBERS,
    Opened,
    is_zip,
    members,
    open_file,
    require_file,
    sha256,
)
from entrepot.sources.har import Header, har_names, read_har
from entrepot.sources.long import Flat, read_flat
from entrepot.sources.raw import MAX_NODES, RawTable
from entrepot.sources.text import read_header

TRADE = ("COMM", "REG", "REG")
FIRMS = ("COMM", "ACTS", "REG")
USERS = ("COMM", "REG")
FACTORS = ("ENDW", "ACTS", "REG")
# Header of version 7, of version 6.2 (empty where it has none), and the dimensions in order.
TABLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("VDFB", "VDFM", FIRMS), ("VMFB", "VIFM", FIRMS), ("VDFP", "VDFA", FIRMS),
    ("VMFP", "VIFA", FIRMS), ("VDPB", "VDPM", USERS), ("VMPB", "VIPM", USERS),
    ("VDPP", "VDPA", USERS), ("VMPP", "VIPA", USERS), ("VDGB", "VDGM", USERS),
    ("VMGB", "VIGM", USERS), ("VDGP", "VDGA", USERS), ("VMGP", "VIGA", USERS),
    ("VDIB", "", USERS), ("VMIB", "", USERS), ("VDIP", "", USERS), ("VMIP", "", USERS),
    ("VXSB", "VXMD", TRADE), ("VFOB", "VXWD", TRADE), ("VCIF", "VIWS", TRADE),
    ("VMSB", "VIMS", TRADE), ("VST", "VST", ("MARG", "REG")),
    ("VTWR", "VTWR", ("MARG", "COMM", "REG", "REG")), ("EVFP", "EVFA", FACTORS),
    ("EVFB", "VFM", FACTORS), ("MAKS", "", FIRMS), ("MAKB", "", FIRMS),
)  # fmt: skip
OPTIONAL = ("EVFB", "MAKS", "MAKB")
# Set of the table above, and the headers that list its elements in a file of sets.
SETS = {
    "REG": ("REG", "H1"), "COMM": ("COMM", "H2"), "MARG": ("MARG",), "ACTS": ("ACTS",),
    "ENDW": ("ENDW", "H6"),
}  # fmt: skip
CAPITAL = "H9"
VERSION = "DVER"
DATA_FILES = ("basedata.har", "gsdfdat.har", "gsddat.har")
SET_FILES = ("sets.har", "gsdset.har")
FINAL = ("household consumption", "government consumption", "investment")
POOL = "sales to the international transport pool"
TRANSPORT = "international transport margins"
FACTOR_TAXES = "factor-use taxes"
OUTPUT_TAXES = "taxes on production"
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
MAX_CELLS = 200_000_000
# Single precision is good to 6e-8 of a value, and a total adds up hundreds of them.
RTOL, ATOL = 1e-5, 0.01
TERMS = "GTAP data bases are licensed; this one was read from the user's own copy."


@dataclass(frozen=True, slots=True)
class _File:
    """A file by itself or in a zip."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.member or self.path.name).name

    @property
    def where(self) -> str:
        return str(self.path) if self.member is None else f"{self.path} ({self.member})"


@dataclass(frozen=True, slots=True)
class _Found:
    """What a path holds: one header array file or several CSV files, and maybe one of sets."""

    har: _File | None
    csv: tuple[_File, ...] = ()
    sets: _File | None = None


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """One header as its file has it; None for a dimension whose elements are not known."""

    where: str
    values: Array
    labels: tuple[tuple[str, ...] | None, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Base:
    """A data base: arrays by their names in version 7, on common axes."""

    where: str
    version: str
    axes: dict[str, tuple[str, ...]]
    arrays: dict[str, Array]
    release: float | None = None
    notes: tuple[str, ...] = ()


def read(
    path: Path, *, year: int | None = None, member: str | None = None, sets: Path | None = None
) -> RawTable:
    """The multi-regional table at basic prices of the source that a data base implies.

    Each import of a commodity by a region is split over its users in proportion
    to what each of them imports of it, whatever the origin. Flows within a
    region are kept (a region may be several economies). Product taxes are those
    on commodities by user, export taxes and tariffs; transport between regions
    is a margin, and what regions supply of it a category of final use.

    Parameters
    ----------
    path : a header array file, or a folder or zip with one, or with CSV files.
    year : the reference year; by default the one in the file's name.
    member : the file in the folder or zip, where several would do.
    sets : a header array file of the sets, for arrays that do not name their
        elements and for the order of those in CSV files.

    Raises DataError for a data base that is not complete, whose arrays disagree
    on their sets, or whose activities make more than one commodity. Sums that do
    not agree are left to the audit of the table.

    """
    found = _find(path, year, member)
    when = _year(path, found, year)
    listed, release = _read_sets(_File(sets) if sets is not None else found.sets)
    har = found.har
    with np.errstate(over="ignore", invalid="ignore"):  # a number out of all bounds is the audit's
        base = _from_csv(path, found.csv, listed) if har is None else _from_har(har, listed)
        if base.release is None:
            base = replace(base, release=release)
        return _table(base, when, path, found)


# --- where the data are ----------------------------------------------------------------------


def _find(path: Path, year: int | None, member: str | None) -> _Found:
    if path.is_dir():
        try:
            names = sorted(p.name for p in path.iterdir() if p.is_file())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
        if len(names) > MAX_MEMBERS:
            raise DataError(f"{path}: {len(names):,} files; more than {MAX_MEMBERS:,} are refused.")
        files = [_File(path / name) for name in names]
    else:
        require_file(path)
        if not is_zip(path):
            if member is not None:
                raise DataError(
                    f"{path} is neither a folder nor a zip; it has no member {member!r}."
                )
            return _Found(_File(path))
        files = [_File(path, name) for name in members(path) if "__MACOSX" not in name]
    if member is not None:
        chosen = [f for f in files if member in (f.member, f.name)]
        if len(chosen) != 1:
            raise DataError(
                f"{path} holds {len(chosen)} files {member!r}; it holds {some([f.name for f in files])}."
            )
        return _Found(chosen[0], sets=_sets_beside(path, files, chosen[0]))
    hars = [f for f in files if f.name.lower() in DATA_FILES]
    if len(hars) > 1 and year is not None:
        hars = [f for f in hars if str(year) in (f.member or f.name)] or hars
    if not hars:
        hars = [f for f in files if f.name.lower().endswith(".har")]
        hars = [f for f in hars if f.name.lower() not in SET_FILES]
    if len(hars) > 1:
        raise DataError(
            f"{path} holds {len(hars)} header array files: {some([f.member or f.name for f in hars])}; "
            "say with --member which one is the data base."
        )
    if hars:
        return _Found(hars[0], sets=_sets_beside(path, files, hars[0]))
    known = {name for row in TABLE for name in row[:2] if name}
    csv = [f for f in files if f.name.lower().endswith(".csv") and _stem(f) in known]
    if not csv:
        raise DataError(
            f"{path} holds no GTAP data base: no {' or '.join(DATA_FILES)}, and no CSV files named by "
            f"headers (VDFB.csv); it holds {some([f.name for f in files])}."
        )
    require_unique(f"{path}: CSV files", [_stem(f) for f in csv], DataError)
    return _Found(None, tuple(csv), _sets_beside(path, files, csv[0]))


def _stem(file: _File) -> str:
    return PurePosixPath(file.name).stem.upper()


def _sets_beside(path: Path, files: Sequence[_File], data: _File) -> _File | None:
    """The file of sets in the same folder as the data."""
    folder = PurePosixPath(data.member or "").parent
    good = [
        f
        for f in files
        if f.name.lower() in SET_FILES and PurePosixPath(f.member or "").parent == folder
    ]
    if len(good) > 1:
        raise DataError(f"{path} holds {len(good)} files of sets: {some([f.name for f in good])}.")
    return good[0] if good and good[0] != data else None


def _year(path: Path, found: _Found, year: int | None) -> int:
    """The year asked for, or the one in the name of the file, or of the folder or zip."""
    names = [found.har.member or found.har.name] if found.har is not None else []
    for name in (*names, path.name or path.resolve().name):
        years = sorted({int(text) for text in YEAR.findall(name)})
        if year is not None and years and year not in years:
            raise DataError(f"{path}: named {years[-1]}, but {year} was asked for.")
        if year is None and len(years) > 1:
            raise DataError(f"{path}: its name holds the years {years}; say which with --year.")
        if year is None and years:
            return years[0]
        if years:
            break
    if year is None:
        raise DataError(f"{path}: its name holds no year; say which with --year.")
    return year


def _read_sets(file: _File | None) -> tuple[dict[str, tuple[str, ...]], float | None]:
    """Elements by set, and the data version where it is stated."""
    if file is None:
        return {}, None
    names = [name for row in SETS.values() for name in row] + [CAPITAL, VERSION]
    headers = read_har(file.path, names, member=file.member)
    listed = {}
    for axis, row in SETS.items():
        for name in row:
            if name in headers and axis not in listed:
                listed[axis] = _elements(headers[name], file)
    if "COMM" in listed and CAPITAL in headers:
        listed["PROD"] = listed["COMM"] + _elements(headers[CAPITAL], file)
    if not listed:
        raise DataError(f"{file.where} lists none of the sets {', '.join(SETS)} (nor H1, H2, H6).")
    return listed, _release(headers.get(VERSION))


def _elements(header: Header, file: _File) -> tuple[str, ...]:
    if isinstance(header.values, np.ndarray):
        raise DataError(f"{file.where}, header {header.name}: numbers, where a set was expected.")
    return header.values


def _release(header: Header | None) -> float | None:
    """The data version, where the file has it as a single number."""
    known = header is not None and isinstance(header.values, np.ndarray) and header.values.size == 1
    return float(header.numbers.item()) if known and header is not None else None


# --- the arrays -------------------------------------------------------------------------------


def _rows(names: Iterable[str], where: str) -> tuple[str, list[tuple[str, str, tuple[str, ...]]]]:
    """Which version the headers are of: their names in version 7, in the file, and dimensions."""
    have = set(names)
    modern, classic = "VDFB" in have, "VDFM" in have
    if modern == classic:
        which = "both" if modern else "neither"
        raise DataError(
            f"{where} holds {which} of VDFB (version 7) and VDFM (version 6.2): not a GTAP data base "
            f"that is read here. It holds {some(sorted(have))}."
        )
    rows = []
    for new, old, dims in TABLE:
        name = new if modern else old
        if name in have:
            rows.append((new, name, dims if modern else _classic(dims)))
        elif name and new not in OPTIONAL:
            raise DataError(
                f"{where}: no {name}; a data base of version {'7' if modern else '6.2'} is complete "
                f"with {', '.join(r[0] if modern else r[1] for r in TABLE if r[1] or modern)}."
            )
    return ("7" if modern else "6.2"), rows


def _classic(dims: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("PROD" if dim == "ACTS" else dim for dim in dims)


def _from_har(file: _File, listed: dict[str, tuple[str, ...]]) -> _Base:
    names = [name.upper() for name in har_names(file.path, member=file.member)]
    version, rows = _rows(names, file.where)
    wanted = [name for _, name, _ in rows]
    headers = read_har(file.path, [*wanted, VERSION], member=file.member)
    parts = {}
    for new, name, dims in rows:
        where = f"{file.where}, header {name}"
        header = headers[name]
        if not isinstance(header.values, np.ndarray):
            raise DataError(f"{where}: strings, where numbers were expected.")
        values, labels = header.numbers, header.elements
        if header.kind.startswith("RL") and values.ndim < len(dims):
            # Trailing sizes of one are not told from padding there.
            values = values.reshape(values.shape + (1,) * (len(dims) - values.ndim), order="F")
            labels = (None,) * len(dims)
        if values.ndim != len(dims):
            raise DataError(
                f"{where}: {values.ndim} dimensions; {len(dims)} were expected ({', '.join(dims)})."
            )
        parts[new] = _Part(where, values, labels)
    axes = _axes(parts, {new: dims for new, _, dims in rows}, listed)
    arrays = {new: part.values for new, part in parts.items()}
    release = _release(headers.get(VERSION))
    return _common(_Base(file.where, version, axes, arrays, release))


def _axes(
    parts: dict[str, _Part], dims: dict[str, tuple[str, ...]], listed: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The elements of each set, on which all arrays and the file of sets agree."""
    axes: dict[str, tuple[str, ...]] = {}
    first: dict[str, str] = {}
    for new, part in parts.items():
        for axis, size, own in zip(dims[new], part.values.shape, part.labels, strict=True):
            labels = own if own is not None else listed.get(axis)
            if labels is None:
                continue
            known = axes.setdefault(axis, labels)
            at = first.setdefault(axis, part.where)
            if len(labels) != size:
                raise DataError(f"{part.where}: {size} cells for {len(labels)} elements of {axis}.")
            _require_alike(axis, labels, part.where, known, at)
            if axis in listed:
                _require_alike(axis, labels, part.where, listed[axis], "the file of sets")
    for new, part in parts.items():
        for axis, size in zip(dims[new], part.values.shape, strict=True):
            if axis not in axes:
                raise DataError(
                    f"{part.where}: the elements of {axis} are not named; give the file of sets "
                    "(sets=, or sets.har beside it)."
                )
            if len(axes[axis]) != size:
                raise DataError(
                    f"{part.where}: {size} cells for {len(axes[axis])} elements of {axis}."
                )
    return axes


def _folded(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(label.strip().casefold() for label in labels)


def _require_alike(
    axis: str, left: Sequence[str], here: str, right: Sequence[str], there: str
) -> None:
    a, b = _folded(left), _folded(right)
    if a != b:
        odd = sorted(set(a) ^ set(b))
        why = f"only on one side: {some(odd)}" if odd else "the same in another order"
        raise DataError(f"{here}: its elements of {axis} are not those of {there} ({why}).")


def _from_csv(path: Path, files: Sequence[_File], listed: dict[str, tuple[str, ...]]) -> _Base:
    by_name = {_stem(f): f for f in files}
    version, rows = _rows(by_name, str(path))
    flats: dict[str, Flat] = {}
    for new, name, dims in rows:
        with open_file(by_name[name].path, by_name[name].member) as opened:
            flats[new] = _long(opened, dims)
    seen: dict[str, dict[str, str]] = {}
    for new, _, dims in rows:
        for axis, labels in zip(dims, flats[new].labels, strict=True):
            for label in labels:
                seen.setdefault(axis, {}).setdefault(label.strip().casefold(), label.strip())
    axes = {axis: tuple(known.values()) for axis, known in seen.items()} | listed
    goods, makers = _folded(axes.get("COMM", ())), "PROD" if version == "6.2" else "ACTS"
    made = axes.get(makers, ())
    notes: tuple[str, ...] = ()
    if makers not in listed and (version == "6.2" or set(_folded(made)) <= set(goods)):
        # A commodity without a line is made by nobody; in version 6.2 capital goods are made too.
        more = tuple(label for label in made if label.casefold() not in goods)
        axes[makers] = axes.get("COMM", ()) + more
        idle = [label for label in axes.get("COMM", ()) if label.casefold() not in _folded(made)]
        if idle:
            notes = (f"Taken to be made by nobody, for want of a line that says so: {some(idle)}.",)
    arrays = {}
    for new, name, dims in rows:
        where = by_name[name].where
        shape = tuple(len(axes.get(axis, ())) for axis in dims)
        if math.prod(shape) > MAX_CELLS:
            raise DataError(
                f"{where}: {math.prod(shape):,} cells; more than {MAX_CELLS:,} are refused."
            )
        arrays[new] = _scattered(flats[new], [axes.get(axis, ()) for axis in dims], dims, where)
    return _common(_Base(str(path), version, axes, arrays, notes=notes))


def _long(opened: Opened, dims: Sequence[str]) -> Flat:
    """A CSV file with one column for each dimension, whatever their names, and the value last."""
    header = read_header(opened, ",")
    if len(header) != len(dims) + 1:
        raise DataError(
            f"{opened.where}: {len(header)} columns; {len(dims) + 1} were expected: "
            f"{', '.join(dims)} and the value."
        )
    try:
        float(header[-1])
    except ValueError:
        pass
    else:
        raise DataError(f"{opened.where}: its first line is no line of column names.")
    start = opened.stream.read(1 << 16)
    if not start.strip():
        none: tuple[str, ...] = ()
        return Flat(
            (none,) * len(dims), (np.empty(0, np.int32),) * len(dims), np.empty(0, np.float64)
        )
    # The file's own names need not differ (REG,REG).
    names = [f"column {k} ({dim})" for k, dim in enumerate(dims, 1)]
    value = f"column {len(dims) + 1} (value)"
    stream: IO[bytes] = _After(f"{','.join([*names, value])}\n".encode() + start, opened.stream)  # type: ignore[assignment]
    flat = read_flat(Opened(stream, opened.where, opened.size), names, value)
    bad = np.flatnonzero(~np.isfinite(flat.values))
    if len(bad):
        at = [labels[codes[bad[0]]] for labels, codes in zip(flat.labels, flat.codes, strict=True)]
        raise DataError(f"{opened.where}: the value of {' / '.join(at)} is blank or not finite.")
    return flat


class _After(io.RawIOBase):
    """Some bytes, and then a stream."""

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start, self._stream = start, stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._start:
            data, self._start = self._start, b""
            if 0 <= size < len(data):
                data, self._start = data[:size], data[size:]
            return data
        return self._stream.read(size)


def _scattered(flat: Flat, axes: Sequence[Sequence[str]], dims: Sequence[str], where: str) -> Array:
    """The array of a CSV file on the common axes; cells without a line are zero."""
    index = []
    for axis, elements, labels in zip(dims, axes, flat.labels, strict=True):
        place = {label: i for i, label in enumerate(_folded(elements))}
        strange = [label for label in labels if label.strip().casefold() not in place]
        if strange:
            raise DataError(f"{where}: {some(strange)} of {axis} not in the file of sets.")
        at = [place[label] for label in _folded(labels)]
        require_unique(f"{where}: {axis}", _folded(labels), DataError)
        index.append(np.array(at, dtype=np.intp))
    own = np.zeros([len(labels) for labels in flat.labels])
    if len(flat.values):
        flat.scatter(own, where)
    out = np.zeros([len(elements) for elements in axes])
    out[np.ix_(*index)] = own
    return out


def _common(base: _Base) -> _Base:
    """The data base in the terms of version 7, its activities in the order of commodities."""
    axes, arrays = dict(base.axes), dict(base.arrays)
    for axis in ("REG", "COMM", "ENDW", "MARG", "PROD" if base.version == "6.2" else "ACTS"):
        if not axes.get(axis):
            raise DataError(f"{base.where}: there are no elements of {axis}.")
        require_unique(f"{base.where}: {axis}", _folded(axes[axis]), DataError)
    goods = _folded(axes["COMM"])
    if base.version == "6.2":
        made = _folded(axes.pop("PROD"))
        capital = [i for i, label in enumerate(made) if label not in goods]
        if not capital:
            raise DataError(f"{base.where}: no producer is of capital goods (CGDS): no investment.")
        for new, source in (("VDIB", "VDFB"), ("VMIB", "VMFB"), ("VDIP", "VDFP"), ("VMIP", "VMFP")):
            arrays[new] = arrays[source][:, capital].sum(1)
        factors = np.abs(arrays["EVFP"][:, capital]).sum()
        if factors > ATOL:
            raise DataError(
                f"{base.where}: capital goods use factors (EVFA, {factors:,.6g} million USD), and final "
                "use has no value added; move them to an industry."
            )
        makers = "producers"
    else:
        made = _folded(axes.pop("ACTS"))
        makers = "activities"
    strange = [label for label in made if label not in goods] if base.version == "7" else []
    idle = [label for label in goods if label not in made]
    if strange or idle:
        raise DataError(
            f"{base.where}: {makers} and commodities differ ({some([*strange, *idle])}). A table of "
            "industries needs one commodity for each, of the same name: aggregate commodities and "
            "activities alike."
        )
    order = [made.index(label) for label in goods]
    for new, _, dims in TABLE:
        if "ACTS" in dims and new in arrays:
            arrays[new] = arrays[new][:, order]
    axes["ACTS"] = axes["COMM"]
    return replace(base, axes=axes, arrays=arrays)


# --- the table --------------------------------------------------------------------------------


def _table(base: _Base, year: int, path: Path, found: _Found) -> RawTable:
    a = base.arrays
    goods, places = base.axes["COMM"], base.axes["REG"]
    s, n = len(goods), len(places)
    m = n * s
    if m > MAX_NODES:
        raise DataError(
            f"{base.where}: {m:,} region-sectors; more than {MAX_NODES:,} are refused. Aggregate first."
        )
    notes = [
        "Product taxes are, less subsidies and by user: taxes on the use of domestic and of imported "
        "goods, and, on imported goods, the export taxes of the source and the tariffs of the "
        "destination.",
        f"{OUTPUT_TAXES.capitalize()} in value added are output taxes less subsidies"
        + _output_tax_note(base),
        f"Value added by endowment is as firms pay it less {FACTOR_TAXES}, which are a category of "
        "their own; income taxes are inside."
        if "EVFB" in a
        else "Value added by endowment is as firms pay it, factor-use taxes and income taxes inside.",
        f"Transport between regions is the margin {TRANSPORT!r} of those who use the goods, and the "
        f"final use {POOL!r} of the regions that supply it.",
        "Imports of a region from itself (a region of several economies) are among its sales at home.",
        *base.notes,
    ]
    sold = a["VMSB"].sum(1)  # imports of a commodity by a region
    uses = {"firms": a["VMFB"], "final": np.stack([a["VMPB"], a["VMGB"], a["VMIB"]], axis=1)}
    share = {}
    lost = 0.0
    for key, use in uses.items():
        whole = np.broadcast_to(sold[:, None], use.shape)
        share[key] = np.divide(use, whole, out=np.zeros(use.shape), where=whole != 0)
        lost += float(np.abs(use[whole == 0]).sum())
    if lost:
        notes.append(
            f"Imports used of which no trade flow says the origin ({lost:,.6g} million USD) are left out."
        )

    # (commodity, origin, destination) times (commodity, user, destination), node = region * s + sector.
    Z, F = np.empty((m, m)), np.zeros((m, n, 4))
    sales, final = Z.reshape(n, s, n, s), F.reshape(n, s, n, 4)
    domestic = np.stack([a["VDPB"], a["VDGB"], a["VDIB"]], axis=2)  # (commodity, region, user)
    for d in range(n):
        flows = a["VXSB"][:, :, d].T[:, :, None]
        np.multiply(flows, share["firms"][None, :, :, d], out=sales[:, :, d])
        np.multiply(flows, share["final"][None, :, :, d], out=final[:, :, d, :3])
        sales[d, :, d] += a["VDFB"][:, :, d]
        final[d, :, d, :3] += domestic[:, d]
    margin_goods = _positions(base)
    final[np.arange(n)[:, None], margin_goods[None], np.arange(n)[:, None], 3] += a["VST"].T

    # Taxes and margins on imports (commodity, destination), borne by users in the same shares.
    taxes = (a["VFOB"] - a["VXSB"] + a["VMSB"] - a["VCIF"]).sum(1)
    transport = a["VTWR"].sum((0, 2))
    on_firms = a["VDFP"] - a["VDFB"] + a["VMFP"] - a["VMFB"] + share["firms"] * taxes[:, None]
    on_final = share["final"] * taxes[:, None]
    for k, user in enumerate("PGI"):
        on_final[:, k] += a[f"VD{user}P"] - a[f"VD{user}B"] + a[f"VM{user}P"] - a[f"VM{user}B"]
    T_final, carried = np.zeros((n, 4)), np.zeros((n, 4))
    T_final[:, :3] = on_final.sum(0).T
    carried[:, :3] = np.einsum("cud,cd->du", share["final"], transport)

    added, categories = _value_added(base)
    regions = tuple(label.upper() for label in places)
    one = found.har
    return RawTable(
        name=f"gtap-{year}",
        year=year,
        regions=regions,
        sectors=tuple(Sector(code, code, code.lower()) for code in goods),
        Z=sealed(Z),
        F=sealed(F),
        V=sealed(added.transpose(0, 2, 1).reshape(len(categories), m)),
        T_inputs=on_firms.sum(0).T.ravel(),
        T_final=T_final,
        final_categories=(*FINAL, POOL),
        value_added_categories=categories,
        margins={
            TRANSPORT: Margin(np.einsum("cad,cd->da", share["firms"], transport).ravel(), carried)
        },
        declared_output=a["MAKB"].sum(1).T.ravel() if "MAKB" in a else None,
        region_names=economy_names(regions),
        provenance={
            "data": f"GTAP Data Base in the format of version {base.version}, reference year {year}"
            + (f", data version {base.release:.6g}" if base.release is not None else ""),
            "file": one.name if one is not None else path.resolve().name,
            "sha256": sha256(one.path) if one is not None else _digest(path, found.csv),
            "terms": TERMS,
            "notes": notes,
            "estimated": [
                "Who uses what from where: every import of a commodity by a region is split over its "
                "users in proportion to what each imports of it, in the same shares for every origin. "
                "GTAP states imports by user and imports by origin, not both together."
            ],
        },
        rtol=RTOL,
        atol=ATOL,
    )


def _positions(base: _Base) -> NDArray[np.intp]:
    """Where the margin commodities stand among the commodities."""
    goods, margins = _folded(base.axes["COMM"]), _folded(base.axes["MARG"])
    strange = [label for label in margins if label not in goods]
    if strange:
        raise DataError(f"{base.where}: {some(strange)} of MARG are no commodities.")
    return np.array([goods.index(label) for label in margins], dtype=np.intp)


def _value_added(base: _Base) -> tuple[Array, tuple[str, ...]]:
    """Value added (category, sector, region): endowments, taxes on them, taxes on output."""
    a = base.arrays
    made = a["VDFP"].sum(0) + a["VMFP"].sum(0) + a["EVFP"].sum(0)  # what an activity costs
    if "MAKB" in a:
        _require_diagonal(base, "MAKB")
        output = a["MAKB"].sum(1)
    else:
        output = a["VDFB"].sum(1) + a["VDPB"] + a["VDGB"] + a["VDIB"] + a["VXSB"].sum(2)
        output[_positions(base)] += a["VST"]
    if "MAKB" in a and "MAKS" in a:
        _require_diagonal(base, "MAKS")
        made = a["MAKS"].sum(1)
    parts = [a["EVFB"], (a["EVFP"] - a["EVFB"]).sum(0)[None]] if "EVFB" in a else [a["EVFP"]]
    names = (FACTOR_TAXES,) if "EVFB" in a else ()
    return (
        np.concatenate([*parts, (output - made)[None]]),
        (*base.axes["ENDW"], *names, OUTPUT_TAXES),
    )


def _output_tax_note(base: _Base) -> str:
    if "MAKB" in base.arrays and "MAKS" in base.arrays:
        return "."
    output = "MAKB" if "MAKB" in base.arrays else "what is sold"
    return f": {output} less what inputs and factors cost, so an error in either is in them."


def _require_diagonal(base: _Base, name: str) -> None:
    off = np.array(base.arrays[name])
    k = np.arange(off.shape[0])
    off[k, k] = 0
    if off.any():
        c, j, r = np.unravel_index(int(np.abs(off).argmax()), off.shape)
        goods, places = base.axes["COMM"], base.axes["REG"]
        raise DataError(
            f"{base.where}: activities make several commodities ({name}: {goods[j]} makes "
            f"{goods[c]} in {places[r]}, {off[c, j, r]:,.6g} million USD). A table of industries needs "
            "one commodity for each: aggregate commodities and activities alike."
        )


def _digest(path: Path, files: Sequence[_File]) -> str:
    """The checksum of a zip, or of the checksums of a folder's files in the order of names."""
    if not path.is_dir():
        return sha256(path)
    lines = "".join(f"{sha256(f.path)}  {f.name}\n" for f in files)
    return hashlib.sha256(lines.encode()).hexdigest()
