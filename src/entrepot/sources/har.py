"""Header array files (HAR): the binary files of GEMPACK, in which GTAP data bases are kept.

A file is a sequence of Fortran records, `int32 n | n bytes | int32 n`, little-endian. A record of
four bytes that are not blank starts a header and is its name; every other record starts with four
blanks. A header's second record describes it: type, storage, long name, sizes. Then follow, by
type:

| kind | content |
|---|---|
| `1CFULL` | strings, among them the elements of a set |
| `2IFULL`, `2RFULL` | a matrix of integers or reals, without names |
| `REFULL`, `RESPSE` | reals of up to seven dimensions with their sets; all cells, or those not zero |
| `RLFULL`, `RLSPSE` | the same without sets |

Reals are stored in single precision and read exactly as stored. The file has no index, so its
records are scanned by their lengths; only the headers asked for are loaded.

Memory: four times the bytes of the numbers asked for, forty times those of the strings. A sparse
array takes 8 bytes a cell, `MAX_SPARSE` cells at most in all. Every declared size is compared with
the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.core.labels import require_unique
from entrepot.core.tables import Array
from entrepot.sources.archive import MAX_EXPANDED, open_file, read_bytes

# Dimensions that the second record of each kind declares.
KINDS = {
    "1CFULL": 2, "2IFULL": 2, "2RFULL": 2, "REFULL": 7, "RESPSE": 7, "RLFULL": 7, "RLSPSE": 7,
}  # fmt: skip
BLANK = b"    "
ELEMENT = 12  # characters of a set's name and of an element
MAX_HEADERS = 20_000
MAX_STRINGS = 1_000_000
# Cells of a sparse array: so many in any case, or so many for each one stored; in all, so many.
SPARSE_FLOOR, SPARSE_RATIO, MAX_SPARSE = 32_000_000, 1000, 200_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Header:
    """One header of a file.

    - `name`: up to four characters, in the case they are stored in;
    - `long_name`: up to 70 characters of description;
    - `kind`: one of `KINDS`;
    - `values`: a tuple of strings (`1CFULL`), else a read-only array, int32
      (`2IFULL`) or float64; a single real has shape (). The sizes of an `RL`
      array are those stored less trailing ones, which nothing tells from padding;
    - `sets`: the set of each dimension, empty where the file names none;
    - `elements`: the elements of each dimension, None where the file has none;
    - `coefficient`: the name that programs know the array by, often the header's.

    Raises DataError when these do not fit together.
    """

    name: str
    long_name: str
    kind: str
    values: NDArray[Any] | tuple[str, ...]
    sets: tuple[str, ...] = ()
    elements: tuple[tuple[str, ...] | None, ...] = ()
    coefficient: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        if self.kind not in KINDS:
            raise DataError(f"header {self.name}: {self.kind!r} is none of {', '.join(KINDS)}.")
        if self.kind == "1CFULL":
            put(self, "values", tuple(self.values))
            if self.sets or self.elements or not all(isinstance(x, str) for x in self.values):
                raise DataError(f"header {self.name}: {self.kind} holds strings, and no sets.")
            return
        want = np.dtype(np.int32 if self.kind == "2IFULL" else np.float64)
        values = np.asarray(self.values)
        if values.dtype.kind not in "iuf":
            raise DataError(f"header {self.name}: {self.kind} holds numbers.")
        if values.dtype != want or values.flags.writeable:
            new = values.astype(want)
            if want.kind == "i" and (new != values).any():
                raise DataError(f"header {self.name}: a value is no integer of 32 bits.")
            new.flags.writeable = False
            values = new
        rank = values.ndim
        sets = tuple(self.sets) or ("",) * rank
        elements = tuple(None if e is None else tuple(e) for e in self.elements) or (None,) * rank
        if rank > 7 or (KINDS[self.kind] == 2 and rank != 2):
            raise DataError(f"header {self.name}: {self.kind} does not hold {rank} dimensions.")
        if len(sets) != rank or len(elements) != rank:
            raise DataError(
                f"header {self.name}: {len(sets)} sets and {len(elements)} lists of elements for "
                f"{rank} dimensions."
            )
        if not self.kind.startswith("RE") and (any(sets) or any(e is not None for e in elements)):
            raise DataError(f"header {self.name}: {self.kind} holds no sets.")
        for word, axis, size in zip(sets, elements, values.shape, strict=True):
            if axis is not None and len(axis) != size:
                raise DataError(
                    f"header {self.name}: {len(axis)} elements of {word} for a size of {size}."
                )
        put(self, "values", values)
        put(self, "sets", sets)
        put(self, "elements", elements)

    @property
    def numbers(self) -> Array:
        """The values as float64; DataError where they are strings."""
        if not isinstance(self.values, np.ndarray):
            raise DataError(f"header {self.name} holds strings, not numbers.")
        return np.asarray(self.values, np.float64)

    @property
    def strings(self) -> tuple[str, ...]:
        """The values as strings; DataError where they are numbers."""
        if isinstance(self.values, np.ndarray):
            raise DataError(f"header {self.name} holds numbers, not strings.")
        return self.values


def read_har(
    path: Path, headers: Collection[str] | None = None, *, member: str | None = None
) -> dict[str, Header]:
    """Headers of a file (or of a zip's member), by name in upper case.

    Parameters
    ----------
    headers : names, in any case; those that the file does not have are left
        out. By default all but the internal ones, whose names start with XX.
    member : a file in a zip.

    Raises DataError, naming file, header and what is wrong, for a file that is
    damaged, not a header array file, or of a variety that is not read here. The
    records of headers that are not asked for are only counted.

    """
    wanted = None if headers is None else {name.strip().upper() for name in headers}
    found: dict[str, Header] = {}
    spread = MAX_SPARSE
    with _opened(path, member) as (stream, where, size):
        for entry in _scan(stream, where, size):
            key = entry.name.upper()
            if key in wanted if wanted is not None else not key.startswith("XX"):
                header = found[key] = _Section(stream, where, entry, spread).header()
                if header.kind.endswith("SPSE") and isinstance(header.values, np.ndarray):
                    spread -= header.values.size
    return found


def har_names(path: Path, *, member: str | None = None) -> tuple[str, ...]:
    """Names of the headers of a file, as they stand; nothing is loaded."""
    with _opened(path, member) as (stream, where, size):
        return tuple(entry.name for entry in _scan(stream, where, size))


@contextmanager
def _opened(path: Path, member: str | None) -> Iterator[tuple[IO[bytes], str, int]]:
    """The file as a stream that can be searched, its name in words, its size."""
    if member is None and path.suffix.lower() == ".gz":
        data = read_bytes(path, None, MAX_EXPANDED)
        yield io.BytesIO(data), str(path), len(data)
    else:
        with open_file(path, member) as opened:
            yield opened.stream, opened.where, opened.size


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a header's records lie, its name record left out."""

    name: str
    start: int
    end: int
    records: int


def _scan(stream: IO[bytes], where: str, size: int) -> list[_Entry]:
    """The headers of a file by the lengths of its records."""
    _require_har(stream.read(4), where)
    stream.seek(0)
    entries: list[_Entry] = []
    name, start, records, at = "", 0, 0, 0
    while head := stream.read(8):
        n = int.from_bytes(head[:4], "little")
        if len(head) < 8 or at + 8 + n > size:
            raise DataError(
                f"{where}: cut short in the record at byte {at:,} of {size:,}{_in(name)}."
            )
        if n < 4:
            raise DataError(
                f"{where}: the record at byte {at:,} has {n} bytes; damaged{_in(name)}."
            )
        stream.seek(at + 4 + n)
        if stream.read(4) != head[:4]:
            raise DataError(
                f"{where}: the record at byte {at:,} does not end where its length says; "
                f"damaged{_in(name)}."
            )
        if n == 4 and head[4:] != BLANK:
            if name:
                entries.append(_Entry(name, start, at, records))
            if len(entries) >= MAX_HEADERS:
                raise DataError(f"{where}: more than {MAX_HEADERS:,} headers; refused.")
            name, start, records = _name(head[4:], where, at), at + 12, 0
        elif head[4:] != BLANK:
            raise DataError(f"{where}: the record at byte {at:,} is no header array's{_in(name)}.")
        else:
            records += 1
        at += 8 + n
    entries.append(_Entry(name, start, at, records))
    require_unique(f"{where}: headers", [e.name.upper() for e in entries], DataError)
    return entries


def _in(name: str) -> str:
    return f" (header {name})" if name else ""


def _require_har(first: bytes, where: str) -> None:
    if first == b"\x04\0\0\0":
        return
    if not first:
        raise DataError(f"{where} is empty.")
    if first[:1] == b"\xfd":
        raise DataError(
            f"{where}: a header array file with records of another compiler (first byte FD), which "
            "are not read here; write it anew with a current version of GEMPACK or ViewHAR."
        )
    if first == b"\0\0\0\x04":
        raise DataError(
            f"{where}: a header array file in big-endian order, which is not read here; write it "
            "anew on a little-endian machine."
        )
    raise DataError(f"{where} is not a header array file: it does not start with a header's name.")


def _name(data: bytes, where: str, at: int) -> str:
    text = data.decode("latin-1").rstrip(" ")
    if not (text.isascii() and text.isprintable()):
        raise DataError(f"{where}: the record at byte {at:,} is no header's name; damaged.")
    return text


def _text(data: bytes) -> str:
    """Text as the file has it: one byte a character, padded with blanks or zeros."""
    return data.replace(b"\0", b" ").decode("latin-1").rstrip(" ")


class _Section:
    """The records of one header, taken one after the other."""

    def __init__(self, stream: IO[bytes], where: str, entry: _Entry, spread: int) -> None:
        self.stream, self.where, self.entry = stream, where, entry
        self.spread = spread  # cells that a sparse array may still have
        self.left = entry.records
        self.bytes = entry.end - entry.start
        stream.seek(entry.start)

    def fail(self, text: str) -> NoReturn:
        raise DataError(f"{self.where}, header {self.entry.name}: {text}")

    def take(self, what: str, least: int, exact: bool = True) -> bytes:
        """The next record, which has `least` bytes, or at least as many."""
        if not self.left:
            self.fail(f"ends before its {what}. Cut short?")
        self.left -= 1
        n = int.from_bytes(self.stream.read(4), "little")
        data = self.stream.read(min(n, self.bytes))
        if len(data) != n or self.stream.read(4) != n.to_bytes(4, "little"):
            self.fail(f"its {what} cannot be read whole.")
        if n < least or (exact and n != least):
            self.fail(f"its {what} has {n:,} bytes; {least:,} were expected.")
        return data

    def ints(self, data: bytes, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}i", data, at)

    def header(self) -> Header:
        """All of the header, checked to its last record."""
        data = self.take("description", 84, exact=False)
        kind, long_name = data[4:10].decode("latin-1"), _text(data[10:80])
        if kind not in KINDS:
            self.fail(
                f"the type {kind!r} is not one that is read here ({', '.join(KINDS)}); newer "
                "versions of the format are not."
            )
        (rank,) = self.ints(data, 80, 1)
        if rank != KINDS[kind] or len(data) != 84 + 4 * rank:
            self.fail(f"its description declares {rank} dimensions of {kind} in {len(data)} bytes.")
        sizes = self.ints(data, 84, rank)
        name = self.entry.name
        if kind == "1CFULL":
            strings = self.strings(sizes[0], sizes[1], "strings")
            self.done()
            return Header(name, long_name, kind, strings)
        if min(sizes) < 1:
            self.fail(f"a size of {min(sizes)} (sizes {sizes}).")
        sets: tuple[str, ...] = ()
        elements: tuple[tuple[str, ...] | None, ...] = ()
        coefficient = ""
        if kind.startswith("RE"):
            coefficient, sets, elements = self.sets(sizes)
            used = len(sets)
        else:
            used = max((i + 1 for i, size in enumerate(sizes) if size > 1), default=0)
        if rank == 2:
            array = self.matrix(sizes, "<i4" if kind == "2IFULL" else "<f4")
        else:
            array = self.sparse(sizes) if kind.endswith("SPSE") else self.full(sizes)
            array = array.reshape(sizes[:used], order="F")
        self.done()
        values: NDArray[Any] = array.astype(np.int32) if kind == "2IFULL" else array
        values.flags.writeable = False
        return Header(name, long_name, kind, values, sets, elements, coefficient)

    def done(self) -> None:
        if self.left:
            self.fail(f"{self.left:,} records more than it declares.")

    def countdown(self, data: bytes, expected: int | None) -> int:
        """The number of records left that a record states of itself."""
        (left,) = self.ints(data, 4, 1)
        if left != expected and (expected is not None or not 1 <= left <= self.left + 1):
            self.fail(
                f"a record says that {left:,} are left, itself included; there are "
                f"{self.left + 1 if expected is None else expected:,}. Cut short?"
            )
        return left

    def strings(self, size: int, width: int, what: str) -> tuple[str, ...]:
        """Strings of a width, over as many records as they take."""
        if not 0 <= size <= MAX_STRINGS or width < 0 or (size and not width):
            self.fail(f"{size:,} {what} of {width:,} characters.")
        if size * width > self.bytes:
            self.fail(f"{size:,} {what} of {width:,} characters are more than its records hold.")
        out: list[str] = []
        left: int | None = None
        while left != 1:
            data = self.take(what, 16, exact=False)
            left = self.countdown(data, None if left is None else left - 1)
            total, count = self.ints(data, 8, 2)
            if total != size or not 0 <= count <= size - len(out):
                self.fail(f"{count:,} of {total:,} {what} in a record; there are {size:,}.")
            if len(data) != 16 + count * width:
                self.fail(f"{count:,} {what} of {width:,} characters in {len(data):,} bytes.")
            out.extend(_text(data[k : k + width]) for k in range(16, len(data), width or 1))
        if len(out) != size:
            self.fail(f"{len(out):,} {what} of {size:,}.")
        return tuple(out)

    def sets(
        self, sizes: Sequence[int]
    ) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...] | None, ...]]:
        """The coefficient's name, and the set and elements of each dimension."""
        data = self.take("list of sets", 36, exact=False)
        listed, _, used = self.ints(data, 4, 3)
        if not 0 <= used <= 7 or len(data) < 36 + 17 * used:
            self.fail(f"its list of sets is for {used} dimensions, in {len(data)} bytes.")
        (explicit,) = self.ints(data, 32 + 17 * used, 1)
        if explicit < 0 or len(data) != 36 + 17 * used + ELEMENT * explicit:
            self.fail(f"its list of sets names {explicit} elements, in {len(data)} bytes.")
        if max(sizes[used:], default=1) != 1:
            self.fail(f"{used} sets for sizes {tuple(sizes)}.")
        names = [_text(data[32 + ELEMENT * k : 44 + ELEMENT * k]) for k in range(used)]
        states = data[32 + ELEMENT * used : 32 + 13 * used].decode("latin-1")
        place: dict[str, int] = {}
        for name, state, size in zip(names, states, sizes, strict=False):
            if state not in "kue" or (state == "e" and size != 1):
                self.fail(f"a dimension of size {size} ({name}) in state {state!r}.")
            if state == "k" and place.setdefault(name.upper(), size) != size:
                self.fail(f"the set {name} is of two sizes, {place[name.upper()]:,} and {size:,}.")
        if listed != len(place):
            self.fail(f"{listed} lists of elements are declared for {len(place)} different sets.")
        lists: dict[str, tuple[str, ...]] = {}
        for key, size in place.items():
            lists[key] = self.strings(size, ELEMENT, f"elements of {key}")
            if not all(lists[key]):
                self.fail(f"an element of {key} has no name.")
            require_unique(
                f"{self.where}, header {self.entry.name}: elements of {key}", lists[key], DataError
            )
        elements = tuple(
            lists[name.upper()] if state == "k" else None
            for name, state in zip(names, states, strict=True)
        )
        return _text(data[16:28]), tuple(names), elements

    def empty(self, sizes: Sequence[int]) -> Array:
        """An array of NaN, after a look at whether the records can hold its values."""
        cells = math.prod(sizes)
        if 4 * cells > self.bytes:
            self.fail(
                f"{cells:,} values are declared (sizes {tuple(sizes)}), and there are {self.bytes:,} "
                "bytes. Cut short?"
            )
        return np.full(sizes, np.nan, order="F")

    def place(self, out: Array, ends: Sequence[int], values: NDArray[Any]) -> None:
        """Write one block, its first and last position in each dimension given from 1."""
        pairs = list(zip(ends[::2], ends[1::2], strict=True))
        if not all(1 <= a <= b <= size for (a, b), size in zip(pairs, out.shape, strict=True)):
            self.fail(f"a block at {tuple(pairs)} of an array of sizes {out.shape}.")
        block = out[tuple(slice(a - 1, b) for a, b in pairs)]
        if values.size != block.size:
            self.fail(f"a block of {block.size:,} cells holds {values.size:,} values.")
        self.finite(values)
        if not np.isnan(block).all():
            self.fail(f"the block at {tuple(pairs)} is given more than once.")
        block[...] = values.reshape(block.shape, order="F")

    def finite(self, values: NDArray[Any]) -> None:
        if not np.isfinite(values).all():
            self.fail("a value is not a finite number.")

    def complete(self, out: Array) -> Array:
        if missing := int(np.isnan(out).sum()):
            self.fail(f"{missing:,} of {out.size:,} values are not there. Cut short?")
        return out

    def values(self, data: bytes, at: int, kind: str) -> NDArray[Any]:
        """The numbers that fill the rest of a record."""
        if (len(data) - at) % 4:
            self.fail(f"a record of {len(data):,} bytes ends within a value.")
        return np.frombuffer(data, kind, offset=at)

    def matrix(self, sizes: Sequence[int], kind: str) -> Array:
        """A `2I` or `2R` array: blocks that say themselves where they belong."""
        out = self.empty(sizes)
        left: int | None = None
        while left != 1:
            data = self.take("values", 32, exact=False)
            left = self.countdown(data, None if left is None else left - 1)
            if self.ints(data, 8, 2) != tuple(sizes):
                self.fail(f"a record of a matrix of sizes {self.ints(data, 8, 2)}, not {sizes}.")
            self.place(out, self.ints(data, 16, 4), self.values(data, 32, kind))
        return self.complete(out)

    def full(self, sizes: Sequence[int]) -> Array:
        """All cells of a real array: pairs of a record that says where, and one of values."""
        out = self.empty(sizes)
        data = self.take("sizes", 40)
        left = self.countdown(data, self.left + 1)
        if self.ints(data, 8, 8) != (7, *sizes):
            self.fail(f"sizes {self.ints(data, 12, 7)}, but its description says {tuple(sizes)}.")
        if left % 2 == 0:
            self.fail("the ranges and values of its blocks do not pair up. Cut short?")
        while left > 1:
            ranges = self.take("ranges", 64)
            self.countdown(ranges, left - 1)
            data = self.take("values", 8, exact=False)
            left = self.countdown(data, left - 2)
            self.place(out, self.ints(ranges, 8, 14), self.values(data, 8, "<f4"))
        return self.complete(out)

    def sparse(self, sizes: Sequence[int]) -> Array:
        """The cells of a real array that are not zero, by their positions from 1."""
        cells = math.prod(sizes)
        stored, index, real = self.ints(self.take("count of values", 96), 4, 3)
        if (index, real) != (4, 4):
            self.fail(f"positions of {index} bytes and values of {real}; 4 and 4 are read here.")
        if not 0 <= stored <= cells or 8 * stored > self.bytes:
            self.fail(f"{stored:,} values for {cells:,} cells in {self.bytes:,} bytes.")
        if cells > min(self.spread, max(SPARSE_FLOOR, SPARSE_RATIO * stored)):
            self.fail(f"{stored:,} values spread over {cells:,} cells; refused.")
        at = np.empty(stored, np.int32)
        values = np.empty(stored, np.float32)
        left: int | None = None
        done = 0
        while left != 1:
            data = self.take("values", 16, exact=False)
            left = self.countdown(data, self.left + 1 if left is None else left - 1)
            total, count = self.ints(data, 8, 2)
            if total != stored or not 0 <= count <= stored - done or len(data) != 16 + 8 * count:
                self.fail(f"{count:,} of {total:,} values in {len(data):,} bytes; not as declared.")
            at[done : done + count] = np.frombuffer(data, "<i4", count, 16)
            values[done : done + count] = np.frombuffer(data, "<f4", count, 16 + 4 * count)
            done += count
        if done != stored:
            self.fail(f"{done:,} values of {stored:,}. Cut short?")
        self.finite(values)
        if stored and not (at.min() >= 1 and at.max() <= cells):
            self.fail(f"a position outside 1 to {cells:,}.")
        if len(np.unique(at)) < stored:
            self.fail("a position is given more than once.")
        out = np.zeros(cells)
        out[at - 1] = values
        return out.reshape(sizes, order="F")
