"""Reading and writing a World as one file: labels as JSON, numbers as plain arrays.

The file is a NumPy zip archive without pickled objects, so reading it never
runs code. Declared shapes are checked against the labels before a single
number is read, and the size is bounded.
"""

from __future__ import annotations

import io
import json
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
TABLES = ("Z", "F", "V", "T_inputs", "T_final")


def write_world(path: Path, world: World, decimals: int | None = None) -> None:
    """Write a World; with `decimals`, as fixed-point integers of 10**-decimals million USD.

    In fixed point, value added (which must then be a single category) is taken
    by difference when reading, so that identities hold exactly.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name in TABLES:
        values = getattr(world, name)
        if decimals is None:
            arrays[name] = values
        elif name != "V":
            whole = np.rint(values * 10**decimals)
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
    for i, satellite in enumerate(world.satellites.values()):
        arrays[f"satellite{i}"] = satellite.values
    text = json.dumps(meta, ensure_ascii=False, sort_keys=True).encode()
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
        part.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error


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
    folded = np.zeros(planes.shape[1:], dtype=np.int64)
    for i, plane in enumerate(planes):
        folded += plane.astype(np.int64) << (8 * i)
    return np.where(folded & 1, -((folded + 1) >> 1), folded >> 1)


def read_world(path: Path) -> World:
    """Read a World written by `write_world`.

    Raises DataError when the file is missing, is no such file, is damaged, or
    declares more nodes than the limit; WorldError when the table in it does
    not balance.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            meta = _meta(archive, path)
            return _world(archive, meta, path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file.") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a world file.") from None
    except EntrepotError:
        raise
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(f"{path} is no world table, or is damaged ({_short(error)}).") from None
    except Exception as error:  # zlib.error and friends on damaged members
        if type(error).__module__ in ("zlib", "lzma", "struct", "_struct"):
            raise DataError(f"{path} is damaged ({_short(error)}).") from None
        raise


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _meta(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    entry = archive.getinfo("world.json")
    if entry.file_size > MAX_META:
        raise DataError(f"{path}: its labels take {entry.file_size:,} bytes; that is no world file.")
    meta = json.loads(archive.read(entry))
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DataError(f"{path}: not in the format {FORMAT}.")
    if len(meta["regions"]) * len(meta["sectors"]) > MAX_NODES:
        raise DataError(f"{path}: more than {MAX_NODES:,} region-sectors are declared; refused.")
    return meta


def _array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], planes: bool
) -> NDArray[Any]:
    """One array, its header checked against the labels before the numbers are read."""
    with archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        reader = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        declared, fortran, dtype = reader(member)
        good = (
            dtype == np.uint8 and declared[1:] == shape and 1 <= declared[0] <= 7
            if planes
            else dtype == np.float64 and declared == shape
        )
        if fortran or not good:
            raise DataError(f"{name} is {dtype} {declared}, which the labels do not admit.")
        size = int(np.prod(declared)) * dtype.itemsize
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
