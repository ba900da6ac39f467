"""Reading in a process of its own, for parsers that a damaged file can make fail beyond repair.

Some libraries that read files are compiled. Given damaged bytes they may end
the process, or ask for more memory than there is. So they run in a child whose
memory is limited, and whose end, whatever it is, becomes one sentence here.
Nothing but text and numbers comes back.
"""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError

MAX_MEMORY = 6_000_000_000
"""Bytes of memory that a child may take."""
MAX_SECONDS = 900
REFUSED = 3

Answer = tuple[Any, Sequence[NDArray[Any]]]


def ask(module: str, order: Any, where: str, data: bytes = b"") -> Answer:
    """What a module's child makes of an order and the bytes of a file: plain data and arrays.

    Raises DataError with the child's own sentence, or because it did not live to
    say one.
    """
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, our module, no shell
            [sys.executable, "-m", f"entrepot.sources.{module}", json.dumps(order)],
            input=data,
            capture_output=True,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{where}: reading it takes more than {MAX_SECONDS} s; refused.") from None
    if done.returncode == REFUSED:
        raise DataError(f"{where}: {done.stdout.decode('utf-8', 'replace').strip()}")
    if done.returncode or len(done.stdout) < 8:
        raise DataError(f"{where}: cannot be read; damaged, or larger than the bounds?")
    (size,) = struct.unpack_from("<Q", done.stdout)
    about = json.loads(done.stdout[8 : 8 + size])
    arrays, at = [], 8 + size
    for kind, shape in about["arrays"]:
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(done.stdout, dtype=kind, count=count, offset=at).reshape(shape)
        arrays.append(array)
        at += array.nbytes
    return about["said"], arrays


def answer(work: Callable[[Any, bytes], Answer]) -> int:
    """The child's side: do the work, and send back what comes of it; the exit code."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    out = sys.stdout.buffer
    try:
        said, arrays = work(json.loads(sys.argv[1]), sys.stdin.buffer.read())
    except DataError as error:
        out.write(str(error).encode())
        return REFUSED
    shapes = [[array.dtype.str, list(array.shape)] for array in arrays]
    text = json.dumps({"said": said, "arrays": shapes}).encode()
    # Pad, so that the numbers after it are aligned.
    text += b" " * (-len(text) % 8)
    out.write(struct.pack("<Q", len(text)) + text)
    for array in arrays:
        out.write(np.ascontiguousarray(array).data)
    return 0
