"""A World as a Zarr (version 3) group: every array one uncompressed chunk, mapped instead of read.

The folder is an ordinary Zarr store that other tools open. Its chunks are the
arrays' own bytes, so a table is mapped into memory and a slice of it costs
only the pages it touches. Labels, units and provenance are attributes of the
group, and so is the content hash, which is compared when a World is made of
the whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from entrepot.core.errors import DataError, EntrepotError, OutputError
from entrepot.core.tables import Array
from entrepot.world.meta import (
    FORMATS,
    MAX_META,
    array_dims,
    array_names,
    array_shapes,
    assemble,
    dump_meta,
    load_meta,
    world_meta,
)
from entrepot.world.world import World

KEY = "entrepot"
UNIT = "million USD at basic prices"


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """A stored World whose numbers are still on disk.

    `arrays` maps names (`Z`, `F`, `V`, ...) to read-only memory maps; slicing one
    reads that slice. `meta` holds the labels. `world()` makes the checked World.
    """

    path: Path
    meta: Mapping[str, Any]
    arrays: Mapping[str, Array]
    content_hash: str

    @property
    def node_names(self) -> tuple[str, ...]:
        """`region sector` for every node, region-major."""
        codes = [row[0] for row in self.meta["sectors"]]
        return tuple(f"{r} {s}" for r in self.meta["regions"] for s in codes)

    def world(self) -> World:
        """The World, its numbers mapped, its identities and content hash checked."""
        world = assemble(dict(self.meta), dict(self.arrays))
        if world.content_hash != self.content_hash:
            raise DataError(
                f"{self.path}: its numbers are not the ones that were stored (content hash differs)."
            )
        return world


def write_zarr(path: Path, world: World) -> None:
    """Write a World as a Zarr folder; it appears whole or not at all.

    Raises OutputError when the folder is there already and is no such store, or
    cannot be written.
    """
    if path.exists() and not holds_only_a_world(path):
        raise OutputError(
            f"{path} exists and is no stored world, or holds other files too; it is not overwritten."
        )
    meta = world_meta(world)
    labels = dump_meta(meta, path)
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {
            "title": world.name,
            "unit": UNIT,
            "content_hash": world.content_hash,
            "labels_hash": hashlib.sha256(labels).hexdigest(),
            KEY: meta,
        },
    }
    dims = array_dims(meta)
    scratch = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
        for name, array in array_names(world).items():
            _write_array(scratch / name, array, dims[name])
        (scratch / "zarr.json").write_text(json.dumps(group, ensure_ascii=False), encoding="utf-8")
        if path.exists():
            aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-old-"))
            path.rename(aside / "old")
            scratch.rename(path)
            shutil.rmtree(aside)
        else:
            scratch.rename(path)
        path.chmod(0o755)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def _write_array(folder: Path, array: Array, dims: tuple[str, ...]) -> None:
    chunk = folder.joinpath("c", *["0"] * array.ndim)
    chunk.parent.mkdir(parents=True)
    about = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(array.shape),
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(array.shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "dimension_names": list(dims),
        "attributes": {},
    }
    (folder / "zarr.json").write_text(json.dumps(about), encoding="utf-8")
    with chunk.open("wb") as file:
        file.write(np.ascontiguousarray(array, dtype="<f8").data)


def is_zarr(path: Path) -> bool:
    """Whether a folder is a stored World, by the labels it declares."""
    try:
        about = json.loads(_text(path / "zarr.json", path))
        return about["attributes"][KEY]["format"] in FORMATS
    except (OSError, ValueError, KeyError, TypeError, RecursionError, DataError):
        return False


def holds_only_a_world(path: Path) -> bool:
    """Whether a folder is a stored World and nothing else, so that it may be replaced."""
    if path.is_symlink() or not is_zarr(path):
        return False
    arrays = re.compile(r"^(Z|F|V|T_inputs|T_final|margin\d+_(inputs|final)|satellite\d+)$")
    return all(p.name == "zarr.json" or arrays.match(p.name) for p in path.iterdir())


def open_zarr(path: Path | str) -> Stored:
    """Open a stored World without reading its numbers.

    Raises DataError when the folder is no such store, is damaged, holds links,
    or its arrays are not of the shapes that the labels give.
    """
    path = Path(path)
    try:
        group = json.loads(_text(path / "zarr.json", path))
        attributes = group["attributes"]
        meta = load_meta(json.dumps(attributes[KEY]).encode(), path)
        content_hash = str(attributes["content_hash"])
        if hashlib.sha256(dump_meta(meta, path)).hexdigest() != attributes["labels_hash"]:
            raise DataError(f"{path}: its labels are not the ones that were stored (hash differs).")
        arrays = {name: _map(path, name, shape) for name, shape in array_shapes(meta).items()}
    except EntrepotError:
        raise
    except FileNotFoundError as error:
        name = Path(error.filename).relative_to(path)
        raise DataError(f"{path}: no stored world, or part of it is missing ({name}).") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise DataError(f"{path}: no stored world, or damaged ({text}).") from None
    return Stored(path, MappingProxyType(meta), MappingProxyType(arrays), content_hash)


def read_zarr(path: Path) -> World:
    """The World in a Zarr folder written by `write_zarr`."""
    return open_zarr(path).world()


def _text(file: Path, path: Path) -> bytes:
    _no_link(file, path)
    with file.open("rb") as stream:
        data = stream.read(4 * MAX_META + 1)
    if len(data) > 4 * MAX_META:
        raise DataError(f"{path}: its labels are too long; no stored world.")
    return data


def _no_link(file: Path, path: Path) -> None:
    """Refuse anything below the folder that is a link, or no ordinary file."""
    step = file
    while step != path:
        if step.is_symlink():
            raise DataError(f"{path}: {step.relative_to(path)} is a link; refused.")
        step = step.parent
    if file.exists() and not file.is_file():
        raise DataError(f"{path}: {file.relative_to(path)} is not an ordinary file.")


def _map(path: Path, name: str, shape: tuple[int, ...]) -> Array:
    about = json.loads(_text(path / name / "zarr.json", path))
    codecs = about["codecs"]
    plain = (
        about["data_type"] == "float64"
        and tuple(about["shape"]) == shape
        and tuple(about["chunk_grid"]["configuration"]["chunk_shape"]) == shape
        and [c["name"] for c in codecs] == ["bytes"]
        and codecs[0]["configuration"]["endian"] == "little"
    )
    if not plain:
        raise DataError(f"{path}: {name} is not stored as {shape} plain numbers.")
    chunk = (path / name).joinpath("c", *["0"] * len(shape))
    _no_link(chunk, path)
    size = math.prod(shape) * 8
    if chunk.stat().st_size != size:
        raise DataError(f"{path}: {name} takes {chunk.stat().st_size:,} bytes; {size:,} expected.")
    if not size:
        return np.zeros(shape)
    mapped = np.memmap(chunk, dtype="<f8", mode="r", shape=shape)
    return mapped.view(np.ndarray)
