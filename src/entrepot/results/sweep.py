"""`run_sweep(world, sweep)`: one scenario at many values of its parameters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import EntrepotError, ScenarioError
from entrepot.core.labels import did_you_mean, some
from entrepot.core.version import __version__
from entrepot.results.blocks import (
    ANSWERED,
    BLOCK,
    Block,
    PointRow,
    block_count,
    block_points,
)
from entrepot.results.executors import cores, solve_blocks
from entrepot.results.sweep_folder import (
    get_block,
    open_folder,
    put_block,
    put_csv,
    put_parquet,
)
from entrepot.results.sweep_tables import (
    POINT_UNITS,
    column_units,
    parameter_columns,
    point_rows,
    region_tables,
    summary,
)
from entrepot.results.tables import OUTCOMES, world_limits
from entrepot.scenario.lower import Lowered, lower
from entrepot.scenario.sweep import Sweep, scenario_with, values_at
from entrepot.world.world import World

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

FORMAT = "entrepot-sweep-1"
TRIED = 16  # points over the whole sweep, before it is refused as one that asks nothing
MAX_NUMBERS = 250_000_000  # points x regions x outcomes held in memory (2 GB)


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult:
    """Every point's answer, or why it has none.

    `rows` say how each point ended; `outcomes` (points, outcomes, n) holds the
    sweep's outcomes by region, NaN where a point has no answer; `parameters`
    every point's values by name; `about` is the provenance that `sweep.json`
    holds; `seconds` the time this run took.
    """

    world: World
    sweep: Sweep
    parameters: dict[str, list[Any]]
    rows: tuple[PointRow, ...]
    outcomes: Array
    about: dict[str, Any]
    seconds: float

    def __repr__(self) -> str:
        return (
            f"SweepResult({self.sweep.name!r} on {self.world.name}: {int(self.answered.sum()):,} of "
            f"{len(self.rows):,} points answered; see .points, .regions, .to_dict())"
        )

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which points have an answer."""
        return np.array([row.status == ANSWERED for row in self.rows])

    @property
    def points(self) -> Any:
        """One row a point, as a pandas DataFrame: parameters, how it ended, the world."""
        import pandas as pd

        return pd.DataFrame(point_rows(self)).set_index("point")

    @property
    def regions(self) -> Any:
        """One row a point and region, as a pandas DataFrame: parameters, status, outcomes."""
        import pyarrow as pa

        return pa.concat_tables(region_tables(self)).unify_dictionaries().to_pandas()

    def to_dict(self) -> dict[str, Any]:
        """The machine face: counts, reasons, percentiles and provenance as plain data."""
        return {**self.about, "summary": summary(self)}


def run_sweep(
    world: World,
    sweep: Sweep,
    *,
    workers: int | Literal["all"] = 1,
    scheduler: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    tolerance: float = 1e-9,
) -> SweepResult:
    """Ask a scenario of a world at every point of a sweep.

    Parameters
    ----------
    workers : processes on this machine, or `all` cores.
    scheduler : address of a Dask scheduler, whose workers then solve instead.
    out : folder for `points.csv`, `regions.parquet` and `sweep.json`; blocks of
        points are kept there as they finish.
    resume : continue in a folder that holds a part of the same sweep.
    progress : told after every block how many points are done, and of how many.
    tolerance : largest miss of any equation, relative.

    A point without an answer (refused, infeasible, unconverged) is a row that
    says why, and never stops the sweep. Numbers do not depend on workers.

    Raises ScenarioError when no point can be asked of this world at all,
    OutputError for a folder that cannot be used, WorkersError for workers
    that cannot.

    """
    began = time.perf_counter()
    if workers != "all" and not (isinstance(workers, int) and workers >= 1):
        raise ScenarioError(f"workers: {workers!r} is neither a number from 1 nor 'all'.")
    if resume and out is None:
        raise ScenarioError("a sweep is continued in a folder; name it (--out).")
    _check_columns(world, sweep)
    about = _about(world, sweep, tolerance)
    folder = None if out is None else Path(out)
    found: dict[int, Block] = {}
    if folder is not None:
        open_folder(folder, about, resume)
        for i in range(block_count(sweep)):
            if (block := get_block(folder, i, _shape(world, sweep, i))) is not None:
                found[i] = block
    done = sum(len(block.rows) for block in found.values())
    left = [i for i in range(block_count(sweep)) if i not in found]
    if progress is not None:
        progress(done, sweep.points)
    count = cores() if workers == "all" else workers
    with closing(solve_blocks(world, sweep, tolerance, left, count, scheduler)) as blocks:
        for block in blocks:
            if folder is not None:
                put_block(folder, block)
            found[block.number] = block
            done += len(block.rows)
            if progress is not None:
                progress(done, sweep.points)
    ordered = [found[i] for i in range(block_count(sweep))]
    result = SweepResult(
        world=world,
        sweep=sweep,
        parameters=parameter_columns(sweep),
        rows=tuple(row for block in ordered for row in block.rows),
        outcomes=np.concatenate([block.outcomes for block in ordered]),
        about=about,
        seconds=time.perf_counter() - began,
    )
    if folder is not None:
        put_parquet(folder / "regions.parquet", region_tables(result))
        put_csv(folder / "points.csv", point_rows(result))
    return result


def _shape(world: World, sweep: Sweep, block: int) -> tuple[int, int, int]:
    return len(block_points(sweep, block)), len(sweep.outcomes), len(world.regions)


def _check_columns(world: World, sweep: Sweep) -> None:
    """Raise ScenarioError for outcomes there are not, names taken twice, and sizes beyond memory."""
    for name in sweep.outcomes:
        if name not in OUTCOMES:
            hint = did_you_mean(name, OUTCOMES) or f"; there are {', '.join(OUTCOMES)}."
            raise ScenarioError(f"outcomes: there is no {name!r}{hint}")
    taken = {*OUTCOMES, *POINT_UNITS, "region"}
    if clash := [name for name in sweep.parameters if name in taken]:
        raise ScenarioError(
            f"parameters: {some(clash)} is a column of the result; name it otherwise."
        )
    numbers = sweep.points * len(world.regions) * len(sweep.outcomes)
    if numbers > MAX_NUMBERS:
        raise ScenarioError(
            f"{sweep.points:,} points of {len(world.regions)} economies hold {numbers:,} numbers; no "
            f"more than {MAX_NUMBERS:,} are kept: take fewer points or outcomes, or several sweeps."
        )


def _any_lowered(world: World, sweep: Sweep) -> Lowered:
    """A point as asked of this world; raises the first one's error when none of several can be."""
    first: EntrepotError | None = None
    for point in sorted({round(x) for x in np.linspace(0, sweep.points - 1, TRIED)}):
        try:
            return lower(scenario_with(sweep, values_at(sweep, point)), world)
        except EntrepotError as error:
            first = first or error
    assert first is not None
    raise first


def _about(world: World, sweep: Sweep, tolerance: float) -> dict[str, Any]:
    """Everything needed to get the same numbers again, and what the columns are."""
    lowered = _any_lowered(world, sweep)
    return {
        "format": FORMAT,
        "entrepot": __version__,
        "numpy": np.__version__,
        "world": world.name,
        "world_sha256": world.content_hash,
        "sweep": json.loads(sweep.to_json()),
        "points": sweep.points,
        "tolerance": tolerance,
        "block": BLOCK,
        "tariffs": lowered.tariff_source,
        "columns": column_units(sweep),
        "groups": {
            name: {"as_of": g.as_of, "source": g.source, "absent": list(g.absent)}
            for name, g in lowered.groups.items()
        },
        "limits": world_limits(world),
        "world_data": dict(world.provenance),
    }
