"""What every test of a reader against damaged files does: read in little memory, spoil bytes."""

import tracemalloc

from hypothesis import strategies as st

from entrepot.core.errors import DataError

SMALL = 80_000_000  # bytes that reading a hostile file may take at its peak

ends = st.integers(0, 10**6)
turns = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=3)


def bounded(work, most=SMALL):
    """Do something in little memory; what it returns."""
    tracemalloc.start()
    try:
        result = work()
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    return result


def outcome(read, path):
    """The table, or None for a DataError; nothing else may happen, and in little memory."""

    def work():
        try:
            return read(path)
        except DataError:
            return None

    return bounded(work)


def cut(path, end):
    """Cut a file short."""
    data = path.read_bytes()
    path.write_bytes(data[: end % len(data)])


def turn(path, spots):
    """Turn some bytes of a file."""
    data = bytearray(path.read_bytes())
    for at, mask in spots:
        data[at % len(data)] ^= mask
    path.write_bytes(data)
