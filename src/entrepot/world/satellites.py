"""Attaching tables to a World: jobs, emissions, distances, tariffs, anything by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from entrepot.core.errors import DataError, WorldError
from entrepot.core.labels import did_you_mean, some
from entrepot.core.tables import Array, SatelliteRule
from entrepot.sources.archive import open_file
from entrepot.sources.long import Flat, read_flat, read_flat_parquet
from entrepot.sources.tariffs import MAX_RATE
from entrepot.world.world import World, attach

Labels = Mapping[str, str | Sequence[str]]


def attach_table(
    world: World,
    path: Path | str,
    name: str,
    dims: Sequence[str],
    *,
    unit: str,
    source: str,
    rule: SatelliteRule = "mean",
    columns: Mapping[str, str] | None = None,
    value: str = "value",
    concordance: Mapping[str, Labels] | None = None,
    need_all: bool = False,
) -> World:
    """A World with a long table (CSV or Parquet) as one more satellite.

    Parameters
    ----------
    dims : the axes, among `sector`, `region`, `origin`, `destination`.
    columns : axis to the column that holds its labels; the axis's own name
        where not given. `value` is the column of numbers.
    concordance : axis to a mapping from the file's labels to the world's. A
        label that maps to several gives each of them its number, which only
        rates and the like (`rule="mean"`) admit; several labels that map to one
        are summed, which only amounts (`rule="sum"`) admit. Without one, labels
        must be the world's own, to the letter.
    need_all : refuse a table that leaves cells absent, instead of carrying them
        as absent (NaN), as `coverage` and `uncovered` show.

    Tariffs and export taxes need every cell; list what is not zero, and cells
    left out are zero for them alone, as in every tariff schedule.

    Raises DataError for unreadable files, unknown labels and repeated cells;
    WorldError where the rule does not admit the concordance.

    """
    path = Path(path)
    size = {
        "sector": world.sector_codes,
        "region": world.regions,
        "origin": world.regions,
        "destination": world.regions,
    }
    strangers = sorted({*(columns or {}), *(concordance or {})} - set(dims))
    if strangers:
        raise WorldError(f"{name}: {some(strangers)} is none of its axes {', '.join(dims)}.")
    unknown = [d for d in dims if d not in size]
    if unknown or not dims or len(set(dims)) < len(dims):
        raise WorldError(f"{name}: unknown axes {some(unknown)}; known: {', '.join(size)}.")
    heads = [(columns or {}).get(d, d) for d in dims]
    if path.suffix.lower() == ".parquet":
        flat = read_flat_parquet(path, heads, value)
    else:
        with open_file(path) as opened:
            flat = read_flat(opened, heads, value)
    if not np.isfinite(flat.values).all():
        i = int(np.argmin(np.isfinite(flat.values)))
        at = [labels[code[i]] for labels, code in zip(flat.labels, flat.codes, strict=True)]
        raise DataError(f"{path}: {' / '.join(at)} has no number; leave the row out instead.")
    values = _aligned(
        flat, [size[d] for d in dims], [(concordance or {}).get(d) for d in dims], dims, rule, path
    )
    if name in ("tariffs", "export_taxes"):
        if unit != "fraction":
            raise WorldError(
                f"{name} are fractions of the value before duty; the unit is {unit!r}."
            )
        if np.nanmax(values, initial=0.0) > MAX_RATE:
            raise DataError(
                f"{path}: a rate of {np.nanmax(values):g} would be {np.nanmax(values):.0%}; rates are "
                "fractions, 0.105 for 10.5 %."
            )
        values = np.where(np.isnan(values), 0.0, values)
    absent = int(np.isnan(values).sum())
    if need_all and absent:
        raise WorldError(
            f"{path}: {absent:,} of {values.size:,} cells have no number; complete the table, or "
            "carry them as absent."
        )
    return attach(world, name, values, dims, unit, source, rule)


def _aligned(
    flat: Flat,
    labels: Sequence[Sequence[str]],
    maps: Sequence[Labels | None],
    dims: Sequence[str],
    rule: SatelliteRule,
    path: Path,
) -> Array:
    """The numbers on the world's labels, NaN where none is given."""
    targets: list[list[list[int]]] = []
    for axis, (known, mapping, dim) in enumerate(zip(labels, maps, dims, strict=True)):
        place = {x: i for i, x in enumerate(known)}
        rows = []
        for label in flat.labels[axis]:
            if mapping is not None and label not in mapping:
                raise DataError(f"{path}: the concordance of {dim} says nothing of {label!r}.")
            to = label if mapping is None else mapping[label]
            to = [to] if isinstance(to, str) else list(to)
            bad = [x for x in to if x not in place]
            if bad:
                hint = did_you_mean(bad[0], known)
                raise DataError(f"{path}: {dim} {bad[0]!r} is not in the world{hint or '.'}")
            if len(to) > 1 and rule == "sum":
                raise WorldError(
                    f"{path}: {dim} {label!r} maps to {len(to)} labels, and an amount cannot be "
                    "given to each of them; split the table first."
                )
            rows.append([place[x] for x in to])
        targets.append(rows)
    shape = tuple(len(x) for x in labels)
    out, seen = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    if all(len(to) == 1 for rows in targets for to in rows):
        at = tuple(
            np.array([to[0] for to in rows], np.intp)[code]
            for rows, code in zip(targets, flat.codes, strict=True)
        )
        np.add.at(out, at, flat.values)
        np.add.at(seen, at, 1)
    else:
        for i, number in enumerate(flat.values):
            where = np.ix_(*(rows[code[i]] for rows, code in zip(targets, flat.codes, strict=True)))
            out[where] += number
            seen[where] += 1
    # A cell of the file given twice is an error; several cells that map to one are a sum.
    flat.scatter(np.zeros(tuple(len(x) for x in flat.labels)), str(path))
    if rule == "mean" and (seen > 1).any():
        cell = [labels[axis][i] for axis, i in enumerate(np.argwhere(seen > 1)[0])]
        raise WorldError(
            f"{path}: several rows map to {' / '.join(cell)}, and a rate is not a sum; average them "
            "with the weights you mean, or attach them by their own labels before aggregating."
        )
    return np.where(seen > 0, out, np.nan)


def uncovered(world: World, name: str) -> dict[str, tuple[str, ...]]:
    """Labels of each axis of a satellite that have no number at all, and the share present.

    Returns axis to labels; empty tuples where every label has some number.
    """
    if name not in world.satellites:
        raise WorldError(
            f"{world.name} carries no {name!r}{did_you_mean(name, world.satellites) or '.'}"
        )
    satellite = world.satellites[name]
    out = {}
    for axis, dim in enumerate(satellite.dims):
        others = tuple(i for i in range(len(satellite.dims)) if i != axis)
        none = np.asarray(np.isnan(satellite.values).all(axis=others))
        known = world.sector_codes if dim == "sector" else world.regions
        out[dim] = tuple(x for x, gone in zip(known, none, strict=True) if gone)
    return out
