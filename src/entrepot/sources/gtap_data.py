"""Where a GTAP data base lies, and its arrays: from header array files or long CSV files.

The layout is described in `gtap`, which makes the table of them.
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

from entrepot.core.errors import DataError
from entrepot.core.labels import require_unique, some
from entrepot.core.tables import Array
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
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
MAX_CELLS = 200_000_000
# Single precision is good to 6e-8 of a value, and a total adds up hundreds of them.
RTOL, ATOL = 1e-5, 0.01


@dataclass(frozen=True, slots=True)
class File:
    """A file by itself or in a zip."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """Its name without any folder."""
        return PurePosixPath(self.member or self.path.name).name

    @property
    def where(self) -> str:
        """It in words."""
        return str(self.path) if self.member is None else f"{self.path} ({self.member})"


@dataclass(frozen=True, slots=True)
class Found:
    """What a path holds: one header array file or several CSV files, and maybe one of sets."""

    har: File | None
    csv: tuple[File, ...] = ()
    sets: File | None = None


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """One header as its file has it; None for a dimension whose elements are not known."""

    where: str
    values: Array
    labels: tuple[tuple[str, ...] | None, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Base:
    """A data base: arrays by their names in version 7, on common axes."""

    where: str
    version: str
    axes: dict[str, tuple[str, ...]]
    arrays: dict[str, Array]
    release: float | None = None
    notes: tuple[str, ...] = ()


def find(path: Path, year: int | None, member: str | None) -> Found:
    """The data base that a file, folder or zip holds; DataError for none or several."""
    if path.is_dir():
        try:
            names = sorted(p.name for p in path.iterdir() if p.is_file())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
        if len(names) > MAX_MEMBERS:
            raise DataError(f"{path}: {len(names):,} files; more than {MAX_MEMBERS:,} are refused.")
        files = [File(path / name) for name in names]
    else:
        require_file(path)
        if not is_zip(path):
            if member is not None:
                raise DataError(
                    f"{path} is neither a folder nor a zip; it has no member {member!r}."
                )
            return Found(File(path))
        files = [File(path, name) for name in members(path) if "__MACOSX" not in name]
    if member is not None:
        chosen = [f for f in files if member in (f.member, f.name)]
        if len(chosen) != 1:
            raise DataError(
                f"{path} holds {len(chosen)} files {member!r}; it holds {some([f.name for f in files])}."
            )
        return Found(chosen[0], sets=_sets_beside(path, files, chosen[0]))
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
        return Found(hars[0], sets=_sets_beside(path, files, hars[0]))
    known = {name for row in TABLE for name in row[:2] if name}
    csv = [f for f in files if f.name.lower().endswith(".csv") and _stem(f) in known]
    if not csv:
        raise DataError(
            f"{path} holds no GTAP data base: no {' or '.join(DATA_FILES)}, and no CSV files named by "
            f"headers (VDFB.csv); it holds {some([f.name for f in files])}."
        )
    require_unique(f"{path}: CSV files", [_stem(f) for f in csv], DataError)
    return Found(None, tuple(csv), _sets_beside(path, files, csv[0]))


def _stem(file: File) -> str:
    return PurePosixPath(file.name).stem.upper()


def _sets_beside(path: Path, files: Sequence[File], data: File) -> File | None:
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


def year_of(path: Path, found: Found, year: int | None) -> int:
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


def read_sets(file: File | None) -> tuple[dict[str, tuple[str, ...]], float | None]:
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


def _elements(header: Header, file: File) -> tuple[str, ...]:
    if isinstance(header.values, np.ndarray):
        raise DataError(f"{file.where}, header {header.name}: numbers, where a set was expected.")
    return header.values


def _release(header: Header | None) -> float | None:
    """The data version, where the file has it as a single number."""
    known = header is not None and isinstance(header.values, np.ndarray) and header.values.size == 1
    return float(header.numbers.item()) if known and header is not None else None


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


def from_har(file: File, listed: dict[str, tuple[str, ...]]) -> Base:
    """The arrays of a header array file; `listed` names what they leave unnamed."""
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
    return _common(Base(file.where, version, axes, arrays, release))


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


def folded(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels without regard to case."""
    return tuple(label.strip().casefold() for label in labels)


def _require_alike(
    axis: str, left: Sequence[str], here: str, right: Sequence[str], there: str
) -> None:
    a, b = folded(left), folded(right)
    if a != b:
        odd = sorted(set(a) ^ set(b))
        why = f"only on one side: {some(odd)}" if odd else "the same in another order"
        raise DataError(f"{here}: its elements of {axis} are not those of {there} ({why}).")


def from_csv(path: Path, files: Sequence[File], listed: dict[str, tuple[str, ...]]) -> Base:
    """The arrays of long CSV files, one a header."""
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
    goods, makers = folded(axes.get("COMM", ())), "PROD" if version == "6.2" else "ACTS"
    made = axes.get(makers, ())
    notes: tuple[str, ...] = ()
    if makers not in listed and (version == "6.2" or set(folded(made)) <= set(goods)):
        # A commodity without a line is made by nobody; in version 6.2 capital goods are made too.
        more = tuple(label for label in made if label.casefold() not in goods)
        axes[makers] = axes.get("COMM", ()) + more
        idle = [label for label in axes.get("COMM", ()) if label.casefold() not in folded(made)]
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
    return _common(Base(str(path), version, axes, arrays, notes=notes))


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
        place = {label: i for i, label in enumerate(folded(elements))}
        strange = [label for label in labels if label.strip().casefold() not in place]
        if strange:
            raise DataError(f"{where}: {some(strange)} of {axis} not in the file of sets.")
        at = [place[label] for label in folded(labels)]
        require_unique(f"{where}: {axis}", folded(labels), DataError)
        index.append(np.array(at, dtype=np.intp))
    own = np.zeros([len(labels) for labels in flat.labels])
    if len(flat.values):
        flat.scatter(own, where)
    out = np.zeros([len(elements) for elements in axes])
    out[np.ix_(*index)] = own
    return out


def _common(base: Base) -> Base:
    """The data base in the terms of version 7, its activities in the order of commodities."""
    axes, arrays = dict(base.axes), dict(base.arrays)
    for axis in ("REG", "COMM", "ENDW", "MARG", "PROD" if base.version == "6.2" else "ACTS"):
        if not axes.get(axis):
            raise DataError(f"{base.where}: there are no elements of {axis}.")
        require_unique(f"{base.where}: {axis}", folded(axes[axis]), DataError)
    goods = folded(axes["COMM"])
    if base.version == "6.2":
        made = folded(axes.pop("PROD"))
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
        made = folded(axes.pop("ACTS"))
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


def digest(path: Path, files: Sequence[File]) -> str:
    """The checksum of a zip, or of the checksums of a folder's files in the order of names."""
    if not path.is_dir():
        return sha256(path)
    lines = "".join(f"{sha256(f.path)}  {f.name}\n" for f in files)
    return hashlib.sha256(lines.encode()).hexdigest()
