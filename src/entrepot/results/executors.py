"""Who solves a sweep's blocks: this process, others on this machine, or a Dask cluster."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from entrepot.core.errors import WorkersError
from entrepot.core.tables import Array
from entrepot.core.version import __version__
from entrepot.results.blocks import Block, block_solver
from entrepot.scenario.sweep import Sweep
from entrepot.world.meta import array_names, assemble, dump_meta, load_meta, world_meta
from entrepot.world.world import World
from entrepot.world.zarr import read_zarr, write_zarr

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
PATIENCE = 20  # seconds to wait for a scheduler and its first worker


@dataclass(frozen=True, eq=False)
class Parts:
    """A World as it is sent to machines that share no disk."""

    meta: Mapping[str, Any]
    arrays: Mapping[str, Array]


def solve_blocks(
    world: World,
    sweep: Sweep,
    tolerance: float,
    blocks: Sequence[int],
    workers: int,
    scheduler: str | None,
) -> Generator[Block, None, None]:
    """Blocks as they are finished, in any order; the same numbers whoever solves them."""
    if not blocks:
        return
    if scheduler is not None:
        yield from _by_scheduler(world, sweep, tolerance, blocks, scheduler)
    elif min(workers, len(blocks)) > 1:
        yield from _by_processes(world, sweep, tolerance, blocks, min(workers, len(blocks)))
    else:
        yield from map(block_solver(world, sweep, tolerance), blocks)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _by_processes(
    world: World, sweep: Sweep, tolerance: float, blocks: Sequence[int], workers: int
) -> Generator[Block, None, None]:
    with tempfile.TemporaryDirectory(prefix="entrepot-") as folder, _one_thread():
        path = Path(folder) / "world.zarr"
        write_zarr(path, world)  # mapped by every worker, held once
        # Started afresh: a fork would copy this process's threads and locks.
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _ignore_interrupts)
        try:
            text = sweep.to_json()
            futures = [pool.submit(_solve, b, str(path), text, tolerance) for b in blocks]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise WorkersError(
                "a worker ended unexpectedly. Was memory short? Use fewer workers. In a script, "
                "sweeps on several workers stand below `if __name__ == '__main__':`."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _by_scheduler(
    world: World, sweep: Sweep, tolerance: float, blocks: Sequence[int], scheduler: str
) -> Generator[Block, None, None]:
    try:
        from distributed import Client, KilledWorker
        from distributed import as_completed as finished
    except ImportError:
        raise WorkersError(
            "a scheduler's address needs dask.distributed: pip install 'entrepot[dask]'."
        ) from None
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkersError(f"no scheduler answers at {scheduler} ({_short(error)}).") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise WorkersError(f"the scheduler at {scheduler} has no workers.") from None
        meta = load_meta(dump_meta(world_meta(world), world.name), world.name)
        parts = client.scatter(Parts(meta, array_names(world)), broadcast=True, hash=False)
        futures = client.map(
            _solve, blocks, source=parts, text=sweep.to_json(), tolerance=tolerance, pure=False
        )
        try:
            for future in finished(futures, loop=client.loop):
                block = future.result()
                if block.version != __version__:
                    raise WorkersError(
                        f"a worker of {scheduler} has entrepot {block.version}; this is {__version__}."
                    )
                yield block
        except (KilledWorker, ImportError, OSError) as error:
            raise WorkersError(f"a worker of {scheduler} failed: {_short(error)}.") from None
        finally:
            client.cancel(futures)


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]


def _solve(block: int, source: str | Parts, text: str, tolerance: float) -> Block:
    return _solver(source, text, tolerance)(block)


@lru_cache(1)
def _solver(source: str | Parts, text: str, tolerance: float) -> Any:
    """The block solver of one sweep, made once in each worker."""
    if isinstance(source, Parts):
        world = assemble(dict(source.meta), dict(source.arrays))
    else:
        world = read_zarr(Path(source))
    return block_solver(world, Sweep.model_validate_json(text), tolerance)


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; the first one decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One BLAS thread for each process started meanwhile: cores are shared out already."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
