"""Reading and writing a World as one file: labels as JSON, numbers as plain arrays.

The file is a NumPy zip archive without pickled objects, so reading it never
runs code. Declared shapes are checked against the labels before a single
number is read, and the size is bounded.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError, EntrepotError, OutputError
from entrepot.world.world import Satellite, Sector, World

FORMAT = "entrepot-world-1"
MAX_NODES = 20_000
MAX_META = 8_000_000
# Numbers may take this much memory, or this many times the file's own size if that is more.
MAX_NUMBERS = 256_000_000
MAX_RATIO = 200
MAX_HEADER = 10_000
TABLES = ("Z", "F", "V", "T_inputs", "T_final")


def write_world(path: Path, world: World, decimals: int | None = None) -> None:
    """Write a World; with `decimals`, as fixed-point integers of 10**-decimals million USD.

    In fixed point, value added (which must then be a single category) is taken
    by difference when reading, so that identities hold exactly.
    """
    arrays: dict[str, NDArray[Any]] = {}
    if decimals is not None and len(world.value_added_categories) != 1:
        raise OutputError(f"{path}: fixed point holds one value-added category; sum them first.")
    for name in TABLES:
        values = getattr(world, name)
        if decimals is None:
            arrays[name] = values
        elif name != "V":
            whole = np.rint(values * 10.0**decimals)
            if np.abs(whole).max(initial=0) >= 2**53:
                raise OutputError(f"{path}: {name} is too large for {decimals} decimals.")
            arrays[name] = _planes(whole.astype(np.int64))
    meta = {
        "format": FORMAT,
        "name": world.name,
        "year": world.year,
        "regions": world.regions,
        "sectors": [[s.code, s.name, s.slug, s.isic] for s in world.sectors],
        "final_categories": world.final_categories,
        "value_added_categories": world.value_added_categories,
        "taxes": world.taxes,
        "region_names": dict(world.region_names),
        "parent": dict(world.parent),
        "provenance": dict(world.provenance),
        "rtol": world.rtol,
        "atol": world.atol,
        "decimals": decimals,
        "satellites": {
            key: {"dims": s.dims, "unit": s.unit, "source": s.source}
            for key, s in world.satellites.items()
        },
    }
    for i, key in enumerate(sorted(world.satellites)):  # in the order of the labels, sorted below
        arrays[f"satellite{i}"] = world.satellites[key].values
    try:
        text = json.dumps(meta, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise OutputError(f"{path}: labels or provenance are not plain data ({error}).") from None
    part = path.with_name(path.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            # A fixed date keeps the file the same byte for byte.
            archive.writestr(_entry("world.json"), text)
            for name in sorted(arrays):
                buffer = io.BytesIO()
                np.save(buffer, arrays[name], allow_pickle=False)
                archive.writestr(_entry(f"{name}.npy"), buffer.getvalue())
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _planes(whole: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Integers as byte planes, least significant first: they compress far better so.

    Negatives are folded in (zigzag); planes that are zero throughout are left out.
    """
    folded = np.where(whole < 0, -2 * whole - 1, 2 * whole).astype("<u8")
    planes = np.moveaxis(folded[..., None].view(np.uint8), -1, 0)
    keep = max(1, int(np.max(np.nonzero(planes.reshape(8, -1).any(1))[0], initial=0)) + 1)
    return np.ascontiguousarray(planes[:keep])


def _from_planes(planes: NDArray[np.uint8]) -> NDArray[np.int64]:
    width = 4 if len(planes) <= 4 else 8
    bytes_ = np.zeros((*planes.shape[1:], width), dtype=np.uint8)
    for i, plane in enumerate(planes):
        bytes_[..., i] = plane
    folded = bytes_.view(f"<u{width}")[..., 0].astype(np.int64)
    return np.where(folded & 1, -((folded + 1) >> 1), folded >> 1)


def read_world(path: Path) -> World:
    """Read a World written by `write_world`.

    Raises DataError when the file is missing, is no such file, is damaged, or
    declares more nodes than the limit; WorldError when the table in it does
    not balance.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise IsADirectoryError
        if not path.is_file():  # a device or pipe may never end
            raise DataError(f"{path} is not an ordinary file.")
        with zipfile.ZipFile(path) as archive:
            meta = _meta(archive, path)
            _check_numbers(archive, path, size)
            return _world(archive, meta, path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file.") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a world file.") from None
    except EntrepotError:
        raise
    except Exception as error:  # a damaged file trips zipfile, zlib, json and numpy in many ways
        raise DataError(f"{path} is no world table, or is damaged ({_short(error)}).") from None


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _meta(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    for entry in archive.infolist():
        # Other methods unpack without a bound on what comes out at once.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{path}: {entry.filename!r} is packed in a way that is not read here.")
    entry = archive.getinfo("world.json")
    if entry.file_size > MAX_META:
        raise DataError(
            f"{path}: its labels take {entry.file_size:,} bytes; that is no world file."
        )
    with archive.open(entry) as member:
        text = member.read(entry.file_size)
        if member.read(1):
            raise DataError(f"{path}: its labels are longer than declared.")
    meta = json.loads(text, parse_constant=_no_constant)
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DataError(f"{path}: not in the format {FORMAT}.")
    _check_meta(meta)
    if len(meta["regions"]) * len(meta["sectors"]) > MAX_NODES:
        raise DataError(f"{path}: more than {MAX_NODES:,} region-sectors are declared; refused.")
    return meta


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} among its labels")


def _check_meta(meta: dict[str, Any]) -> None:
    """Raise ValueError unless every label is of the kind a World holds."""

    def texts(items: Any) -> bool:
        return isinstance(items, list) and all(isinstance(x, str) for x in items)

    def named(items: Any) -> bool:
        return isinstance(items, dict) and texts(list(items.values()))

    def whole(item: Any) -> bool:
        return isinstance(item, int) and not isinstance(item, bool)

    def sector(row: Any) -> bool:
        return (
            isinstance(row, list)
            and len(row) == 4
            and texts(row[:3])
            and isinstance(row[3], list)
            and all(whole(d) for d in row[3])
        )

    def satellite(row: Any) -> bool:
        return isinstance(row, dict) and texts(row["dims"]) and texts([row["unit"], row["source"]])

    kinds = {
        "name": isinstance(meta["name"], str),
        "year": whole(meta["year"]),
        "regions": texts(meta["regions"]),
        "sectors": isinstance(meta["sectors"], list) and all(map(sector, meta["sectors"])),
        "final_categories": texts(meta["final_categories"]),
        "value_added_categories": texts(meta["value_added_categories"]),
        "taxes": isinstance(meta["taxes"], str),
        "region_names": named(meta["region_names"]),
        "parent": named(meta["parent"]),
        "provenance": isinstance(meta["provenance"], dict),
        "rtol": isinstance(meta["rtol"], int | float),
        "atol": isinstance(meta["atol"], int | float),
        "decimals": meta["decimals"] is None
        or (whole(meta["decimals"]) and -9 <= meta["decimals"] <= 15),
        "satellites": isinstance(meta["satellites"], dict)
        and all(map(satellite, meta["satellites"].values())),
    }
    for key, good in kinds.items():
        if not good:
            raise ValueError(f"its {key} are not what a world has")
    said = meta["provenance"]
    lists = all(texts(said.get(key, [])) for key in ("notes", "estimated"))
    measured = said.get("measured_error", {"summary": ""})
    if not lists or not isinstance(measured, dict) or not isinstance(measured.get("summary"), str):
        raise ValueError("its provenance is not what a world has")


def _check_numbers(archive: zipfile.ZipFile, path: Path, size: int) -> None:
    """Refuse, before unpacking, more numbers than a file of this size can be meant to hold."""
    declared = sum(entry.file_size for entry in archive.infolist())
    if declared > max(MAX_NUMBERS, MAX_RATIO * size):
        raise DataError(f"{path}: {declared:,} bytes are declared in a file of {size:,}; refused.")


def _array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], planes: bool
) -> NDArray[Any]:
    """One array, its header checked against the labels before the numbers are read."""
    with archive.open(f"{name}.npy") as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise DataError(f"{name} has a header of a kind that is not written here.")
        declared, fortran, dtype = np.lib.format.read_array_header_1_0(
            member, max_header_size=MAX_HEADER
        )
        good = (
            dtype == np.uint8 and declared[1:] == shape and 1 <= declared[0] <= 7
            if planes
            else dtype == np.float64 and declared == shape
        )
        if fortran or not good:
            raise DataError(f"{name} is {dtype} {declared}, which the labels do not admit.")
        size = math.prod(declared) * dtype.itemsize
        if size > archive.getinfo(f"{name}.npy").file_size:
            raise DataError(f"{name} is shorter or longer than it declares.")
        data = member.read(size)
        if len(data) != size or member.read(1):
            raise DataError(f"{name} is shorter or longer than it declares.")
    return np.frombuffer(data, dtype=dtype).reshape(declared)


def _world(archive: zipfile.ZipFile, meta: dict[str, Any], path: Path) -> World:
    n, s = len(meta["regions"]), len(meta["sectors"])
    c, v = len(meta["final_categories"]), len(meta["value_added_categories"])
    shapes: dict[str, tuple[int, ...]] = {
        "Z": (n * s, n * s),
        "F": (n * s, n, c),
        "V": (v, n * s),
        "T_inputs": (n * s,),
        "T_final": (n, c),
    }
    tables: dict[str, Any] = {}
    decimals = meta["decimals"]
    if decimals is None:
        tables = {k: _array(archive, k, shape, False) for k, shape in shapes.items()}
    else:
        whole = {
            k: _from_planes(_array(archive, k, shape, True))
            for k, shape in shapes.items()
            if k != "V"
        }
        if v != 1:
            raise DataError(f"{path}: fixed point holds one value-added category.")
        output = whole["Z"].sum(1) + whole["F"].sum((1, 2))
        whole["V"] = (output - whole["Z"].sum(0) - whole["T_inputs"])[None]
        tables = {k: array / 10.0**decimals for k, array in whole.items()}
    size = {"sector": s, "origin": n, "destination": n, "region": n}
    satellites = {}
    for i, (key, row) in enumerate(meta["satellites"].items()):
        shape = tuple(size[d] for d in row["dims"])
        values = _array(archive, f"satellite{i}", shape, False)
        satellites[key] = Satellite(values, tuple(row["dims"]), row["unit"], row["source"])
    return World(
        name=meta["name"],
        year=meta["year"],
        regions=tuple(meta["regions"]),
        sectors=tuple(Sector(a, b, c_, tuple(d)) for a, b, c_, d in meta["sectors"]),
        final_categories=tuple(meta["final_categories"]),
        value_added_categories=tuple(meta["value_added_categories"]),
        taxes=meta["taxes"],
        region_names=meta["region_names"],
        parent=meta["parent"],
        satellites=satellites,
        provenance=meta["provenance"],
        rtol=meta["rtol"],
        atol=meta["atol"],
        **tables,
    )
