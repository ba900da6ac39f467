"""Writing header array files: the counterpart of `har`, for tests and for handing data on."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError, OutputError
from entrepot.core.labels import require_unique
from entrepot.sources.har import BLANK, ELEMENT, KINDS, Header

# What a record is written to hold at most: some programs cannot read records beyond 32,000 bytes.
CHUNK, MATRIX_CHUNK, SPARSE_CHUNK, TEXT_CHUNK = 7996, 7991, 3996, 29_996


def write_har(path: Path, headers: Iterable[Header]) -> None:
    """Write headers to a file, reals rounded to single precision.

    Raises DataError for what the format cannot hold: names that are too long or
    not ASCII, a real beyond single precision, an array without cells, two
    headers of one name. Raises OutputError when the file cannot be written.
    """
    listed = list(headers)
    require_unique("headers", [h.name.upper() for h in listed], DataError)
    data = b"".join(_record(part) for header in listed for part in _parts(header))
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from None


def _record(data: bytes) -> bytes:
    n = struct.pack("<I", len(data))
    return n + data + n


def _ints(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}i", *numbers)


def _padded(text: str, width: int, what: str) -> bytes:
    if len(text) > width or not (text.isascii() and text.isprintable()):
        raise DataError(f"{what} {text!r} is not of up to {width} printable ASCII characters.")
    return text.encode().ljust(width)


def _parts(header: Header) -> Iterator[bytes]:
    """The records of a header, without their lengths."""
    name, kind = header.name, header.kind
    if not name.strip():
        raise DataError("a header needs a name.")
    yield _padded(name, 4, "the header name")
    values = header.values
    if not isinstance(values, np.ndarray):
        width = max(ELEMENT, *map(len, values), 0)
        yield _description(header, (len(values), width))
        yield from _strings(values, width, f"header {name}: the string")
        return
    sizes = values.shape + (1,) * (KINDS[kind] - values.ndim)
    if values.size < 1:
        raise DataError(f"header {name}: an array without cells (sizes {values.shape}).")
    with np.errstate(over="ignore", under="ignore"):
        stored = values.astype("<i4" if kind == "2IFULL" else "<f4")
    if not np.isfinite(stored).all():
        raise DataError(f"header {name}: a value is not finite in single precision.")
    yield _description(header, sizes)
    if kind.startswith("RE"):
        yield from _sets(header)
    if kind.endswith("SPSE"):
        yield from _sparse(stored)
        return
    blocks = list(_blocks(sizes, CHUNK if len(sizes) == 7 else MATRIX_CHUNK))
    stored = stored.reshape(sizes)
    if len(sizes) == 2:
        for left, ends in zip(range(len(blocks), 0, -1), blocks, strict=True):
            yield BLANK + _ints(left, *sizes, *ends) + _block(stored, ends)
        return
    left = 1 + 2 * len(blocks)
    yield BLANK + _ints(left, 7, *sizes)
    for ends in blocks:
        yield BLANK + _ints(left - 1, *ends)
        left -= 2
        yield BLANK + _ints(left) + _block(stored, ends)


def _description(header: Header, sizes: Sequence[int]) -> bytes:
    long_name = _padded(header.long_name, 70, f"header {header.name}: the long name")
    return BLANK + header.kind.encode() + long_name + _ints(len(sizes), *sizes)


def _strings(strings: Sequence[str], width: int, what: str) -> Iterator[bytes]:
    each = max(1, TEXT_CHUNK // width)
    parts = [strings[k : k + each] for k in range(0, len(strings), each)] or [()]
    for left, part in zip(range(len(parts), 0, -1), parts, strict=True):
        text = b"".join(_padded(word, width, what) for word in part)
        yield BLANK + _ints(left, len(strings), len(part)) + text


def _sets(header: Header) -> Iterator[bytes]:
    lists: dict[str, tuple[str, ...]] = {}
    for name, elements in zip(header.sets, header.elements, strict=True):
        if elements is None:
            continue
        if not name or lists.setdefault(name.upper(), elements) != elements:
            raise DataError(f"header {header.name}: the set {name!r} has no name or two contents.")
        require_unique(f"header {header.name}: elements of {name}", elements, DataError)
    rank = len(header.sets)
    what = f"header {header.name}: the set or coefficient"
    yield (
        BLANK
        + _ints(len(lists), 1, rank)
        + _padded(header.coefficient or header.name, ELEMENT, what)
        + _ints(1)
        + b"".join(_padded(name, ELEMENT, what) for name in header.sets)
        + b"".join(b"u" if e is None else b"k" for e in header.elements)
        + _ints(*(0,) * rank, 0)
    )
    for name, elements in lists.items():
        yield from _strings(elements, ELEMENT, f"header {header.name}: the element of {name}")


def _sparse(stored: NDArray[Any]) -> Iterator[bytes]:
    flat = stored.ravel(order="F")
    at = np.flatnonzero(flat)
    yield BLANK + _ints(len(at), 4, 4) + b" " * 80
    parts = [at[k : k + SPARSE_CHUNK] for k in range(0, len(at), SPARSE_CHUNK)] or [at]
    for left, part in zip(range(len(parts), 0, -1), parts, strict=True):
        places = (part + 1).astype("<i4").tobytes()
        yield BLANK + _ints(left, len(at), len(part)) + places + flat[part].tobytes()


def _blocks(sizes: Sequence[int], most: int) -> Iterator[list[int]]:
    """First and last positions of blocks of at most so many cells, the first dimension fastest.

    Leading dimensions are whole, the next is cut, those beyond are taken one by one.
    """
    whole, k = 1, 0
    while k < len(sizes) and whole * sizes[k] <= most:
        whole *= sizes[k]
        k += 1
    head = [end for size in sizes[:k] for end in (1, size)]
    if k == len(sizes):
        yield head
        return
    step = most // whole
    for outer in np.ndindex(*reversed(sizes[k + 1 :])):
        tail = [end for i in reversed(outer) for end in (i + 1, i + 1)]
        for first in range(1, sizes[k] + 1, step):
            yield [*head, first, min(first + step - 1, sizes[k]), *tail]


def _block(stored: NDArray[Any], ends: Sequence[int]) -> bytes:
    where = tuple(slice(a - 1, b) for a, b in zip(ends[::2], ends[1::2], strict=True))
    return stored[where].tobytes(order="F")
