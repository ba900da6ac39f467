"""Reading and writing a World as one file: labels as JSON, numbers as plain arrays.

The file is a NumPy zip archive without pickled objects, so reading it never
runs code. Declared shapes are checked against the labels before a single
number is read, and the size is bounded.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError, EntrepotError, OutputError
from entrepot.world.meta import (
    MAX_META,
    TABLES,
    array_names,
    array_shapes,
    assemble,
    dump_meta,
    load_meta,
    world_meta,
)
from entrepot.world.world import World

# Numbers may take this much memory, or this many times the file's own size if that is more.
MAX_NUMBERS = 256_000_000
MAX_RATIO = 200
MAX_HEADER = 10_000
Read = TypeVar("Read")


def write_world(path: Path, world: World, decimals: int | None = None) -> None:
    """Write a World; with `decimals`, as fixed-point integers of 10**-decimals million USD.

    In fixed point, value added (which must then be a single category) is taken
    by difference when reading, so that identities hold exactly.
    """
    if decimals is not None and (len(world.value_added_categories) != 1 or world.margins):
        raise OutputError(
            f"{path}: fixed point holds one value-added category and no margins; sum them first."
        )
    arrays: dict[str, NDArray[Any]] = dict(array_names(world))
    if decimals is not None:
        del arrays["V"]
        for name in TABLES:
            if name != "V":
                whole = np.rint(arrays[name] * 10.0**decimals)
                if np.abs(whole).max(initial=0) >= 2**53:
                    raise OutputError(f"{path}: {name} is too large for {decimals} decimals.")
                arrays[name] = _planes(whole.astype(np.int64))
    text = dump_meta(world_meta(world) | {"decimals": decimals}, path)
    part: Path | None = None
    try:
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        os.close(handle)
        part = Path(scratch)
        part.chmod(0o644)
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
        if part is not None:
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

    def whole(archive: zipfile.ZipFile, size: int) -> World:
        meta = _meta(archive, path)
        _check_numbers(archive, path, size)
        return _world(archive, meta, path)

    return _open(path, whole)


def read_labels(path: Path) -> dict[str, Any]:
    """The labels of a world file without its numbers; errors as in `read_world`."""
    return _open(path, lambda archive, _: _meta(archive, path))


def _open(path: Path, work: Callable[[zipfile.ZipFile, int], Read]) -> Read:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise IsADirectoryError
        if not path.is_file():  # a device or pipe may never end
            raise DataError(f"{path} is not an ordinary file.")
        with zipfile.ZipFile(path) as archive:
            return work(archive, size)
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
    return load_meta(text, path)


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
    shapes = array_shapes(meta)
    decimals = meta["decimals"]
    if decimals is None:
        arrays: dict[str, Any] = {
            name: _array(archive, name, shape, False) for name, shape in shapes.items()
        }
        return assemble(meta, arrays)
    if len(meta["value_added_categories"]) != 1:
        raise DataError(f"{path}: fixed point holds one value-added category.")
    whole = {
        name: _from_planes(_array(archive, name, shape, True))
        for name, shape in shapes.items()
        if name in TABLES and name != "V"
    }
    arrays = {
        name: _array(archive, name, shape, False)
        for name, shape in shapes.items()
        if name not in TABLES
    }
    output = whole["Z"].sum(1) + whole["F"].sum((1, 2))
    whole["V"] = (output - whole["Z"].sum(0) - whole["T_inputs"])[None]
    for name, array in whole.items():
        arrays[name] = array / 10.0**decimals
    return assemble(meta, arrays)
