"""A sweep's result as tidy tables and as a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from entrepot.catalogues import economy_names
from entrepot.results.tables import UNITS
from entrepot.scenario.sweep import Sweep, number, shown, values_at

if TYPE_CHECKING:
    from entrepot.results.sweep import SweepResult

PERCENTILES = (0, 5, 50, 95, 100)
CHUNK = 10_000  # points of one table
REASONS = 10  # named in a summary; the points table has them all
POINT_UNITS = {
    "point": "number of the point, from 0",
    "status": "converged, infeasible, unconverged or refused",
    "reason": "why there is no answer",
    "route": "the way the solver took",
    "steps": "steps of the solver",
    "residual": "largest miss of any equation, relative",
    "seconds": "time this point took",
    "world_welfare_pct": "real income of the world, per cent (sum of equivalent variations)",
}


def column_units(sweep: Sweep) -> dict[str, str]:
    """What every column of the tables is, by name."""
    units = dict.fromkeys(sweep.parameters, "words")
    for name in sweep.parameters:
        if is_numeric(sweep, name):
            units[name] = "number; a fraction where the sweep has per cent or points"
    return units | {name: UNITS[name] for name in sweep.outcomes} | POINT_UNITS


def point_rows(result: SweepResult) -> list[dict[str, Any]]:
    """One row a point: its parameters, how it ended, the world's real income; absent values None."""
    return [
        {"point": i} | {name: values[i] for name, values in result.parameters.items()} | asdict(row)
        for i, row in enumerate(result.rows)
    ]


def region_tables(result: SweepResult) -> Iterator[Any]:
    """One row a point and region: parameters, status, outcomes; null where there is no answer.

    As pyarrow Tables below each other, CHUNK points each, so that none is large.
    """
    import pyarrow as pa

    n = len(result.world.regions)

    def labels(codes: Any, names: list[str]) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names))

    def words(values: list[str]) -> Any:
        names = sorted(set(values))
        at = {name: i for i, name in enumerate(names)}
        return labels(np.repeat([at[v] for v in values], n), names)

    for first in range(0, len(result.rows), CHUNK):
        part = slice(first, first + CHUNK)
        rows = result.rows[part]
        points = np.arange(first, first + len(rows), dtype=np.int32)
        table: dict[str, Any] = {"point": np.repeat(points, n)}
        for name, values in result.parameters.items():
            numeric = is_numeric(result.sweep, name)
            table[name] = np.repeat(values[part], n) if numeric else words(values[part])
        table["status"] = words([row.status for row in rows])
        table["region"] = labels(np.tile(np.arange(n), len(rows)), list(result.world.regions))
        for k, name in enumerate(result.sweep.outcomes):
            table[name] = pa.array(result.outcomes[part, k].ravel(), from_pandas=True)
        yield pa.table(table)


def parameter_columns(sweep: Sweep) -> dict[str, list[Any]]:
    """Every point's parameters by name: numbers where all its values are, words otherwise."""
    numeric = {name: is_numeric(sweep, name) for name in sweep.parameters}
    columns: dict[str, list[Any]] = {name: [] for name in sweep.parameters}
    for i in range(sweep.points):
        for name, value in values_at(sweep, i).items():
            columns[name].append(number(value) if numeric[name] else shown(value))
    return columns


def is_numeric(sweep: Sweep, name: str) -> bool:
    """Whether all values of a parameter are numbers."""
    values = sweep.parameters[name].values
    return values is None or all(number(value) is not None for value in values)


def summary(result: SweepResult) -> dict[str, Any]:
    """Points answered and not, why not, and percentiles over points of the first outcome.

    `movers` are the regions whose first outcome goes farthest from zero at
    the 5th or 95th percentile; all regions, farthest first.
    """
    answered = result.answered
    reasons = Counter((r.status, r.reason) for r in result.rows if r.reason)
    seconds = [row.seconds for row in result.rows]
    first = result.sweep.outcomes[0]
    out: dict[str, Any] = {
        "points": len(result.rows),
        "answered": int(answered.sum()),
        "not_answered": dict(Counter(r.status for r in result.rows if r.reason)),
        "reasons": [
            {"status": status, "reason": reason, "points": count}
            for (status, reason), count in reasons.most_common(REASONS)
        ],
        "seconds": result.seconds,
        "seconds_per_point_median": float(np.median(seconds)),
        "percentiles": list(PERCENTILES),
        "outcome": first,
        "world_welfare_pct": None,
        "movers": [],
    }
    if answered.any():
        world = [r.world_welfare_pct for r in result.rows if r.world_welfare_pct is not None]
        out["world_welfare_pct"] = np.percentile(world, PERCENTILES).tolist()
        at = np.percentile(result.outcomes[answered, 0], PERCENTILES, axis=0)
        names = economy_names(result.world.regions) | dict(result.world.region_names)
        order = np.argsort(-np.maximum(np.abs(at[1]), np.abs(at[3])), kind="stable")
        out["movers"] = [
            {
                "region": (code := result.world.regions[i]),
                "name": names[code],
                first: at[:, i].tolist(),
            }
            for i in order
        ]
    return out
