"""From labelled rows and columns to a RawTable: what every wide layout has in common.

A reader says of each row and each column of a file what it is; this module
finds the grid of regions and sectors in them, checks that it is complete, and
cuts the file's matrix into the blocks of a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.core.tables import Array, Margin, fold, sealed
from entrepot.sources.raw import MAX_NODES

RowKind = Literal["node", "added", "tax", "margin", "output", "skip"]
ColumnKind = Literal["node", "final", "output", "skip"]


@dataclass(frozen=True, slots=True)
class Line:
    """What one row or column is: a node (region, sector), or something else by name."""

    kind: str
    region: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Regions and sectors in order of appearance, and where each node stands."""

    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    at: NDArray[np.intp]


def grid(lines: Sequence[Line], where: str, what: str) -> Grid:
    """The complete grid that the node lines span.

    Raises DataError for a pair that stands twice or not at all, or a grid
    beyond the bounds.
    """
    place: dict[tuple[str, str], int] = {}
    for i, line in enumerate(lines):
        if line.kind == "node":
            key = (line.region, line.code)
            if key in place:
                raise DataError(f"{where}: {what} {line.region} {line.code} stands twice.")
            place[key] = i
    regions = tuple(dict.fromkeys(r for r, _ in place))
    sectors = tuple(dict.fromkeys(s for _, s in place))
    if not place:
        raise DataError(f"{where}: no {what} is a region and sector.")
    if len(place) > MAX_NODES:
        raise DataError(f"{where}: {len(place):,} {what}s; more than {MAX_NODES:,} are refused.")
    count = len(regions) * len(sectors) - len(place)
    if count:  # name a few: of hostile labels there may be hundreds of millions
        missing = (f"{r} {s}" for r in regions for s in sectors if (r, s) not in place)
        first = ", ".join(map(repr, islice(missing, 5)))
        more = f" and {count - 5:,} more" if count > 5 else ""
        raise DataError(f"{where}: {count:,} {what}s are missing: {first}{more}. Cut short?")
    at = np.array([place[r, s] for r in regions for s in sectors], dtype=np.intp)
    return Grid(regions, sectors, at)


def blocks(
    values: Array, rows: Sequence[Line], columns: Sequence[Line], where: str
) -> dict[str, Any]:
    """The blocks of a RawTable, by field name, from a matrix and what its lines are.

    Final users of a region that the columns do not show have no final use; each
    region shown must have every category. Value-added cells below final use are
    not part of a table and must be zero or blank; all other blanks stay blank.
    """
    if values.shape != (len(rows), len(columns)):
        raise DataError(f"{where}: {values.shape} cells for {len(rows)} x {len(columns)} labels.")
    sell = grid(rows, where, "row")
    buy = grid(columns, where, "column")
    if set(sell.regions) != set(buy.regions) or set(sell.sectors) != set(buy.sectors):
        odd = set(sell.regions) ^ set(buy.regions) | set(sell.sectors) ^ set(buy.sectors)
        raise DataError(f"{where}: rows and columns name different nodes: {some(sorted(odd))}.")
    place = {(c.region, c.code): j for j, c in enumerate(columns) if c.kind == "node"}
    buy_at = np.array([place[r, s] for r in sell.regions for s in sell.sectors], dtype=np.intp)
    n, m = len(sell.regions), len(sell.at)

    finals = [(j, c) for j, c in enumerate(columns) if c.kind == "final"]
    categories = tuple(dict.fromkeys(c.code for _, c in finals))
    if not finals:
        raise DataError(f"{where}: no column is final use.")
    found = {(c.region, c.code): j for j, c in finals}
    if len(found) < len(finals):
        raise DataError(f"{where}: a final-use column stands twice.")
    strangers = sorted({c.region for _, c in finals} - set(sell.regions))
    if strangers:
        raise DataError(f"{where}: final use of {some(strangers)}, which produce nothing here.")
    c = len(categories)
    final_at = np.full((n, c), -1, dtype=np.intp)
    for d, region in enumerate(sell.regions):
        there = [found.get((region, category), -1) for category in categories]
        if any(j < 0 for j in there) and any(j >= 0 for j in there):
            raise DataError(f"{where}: {region} lacks some categories of final use. Cut short?")
        final_at[d] = there
    shown = final_at >= 0

    def on_final(i: int) -> Array:
        """A row's cells under final use."""
        out = np.zeros((n, c))
        out[shown] = values[i, final_at[shown]]
        return out

    F = np.zeros((m, n, c))
    F[:, shown] = _take(values, sell.at, final_at[shown])
    table: dict[str, Any] = {
        "regions": sell.regions,
        "final_categories": categories,
        "Z": sealed(_take(values, sell.at, buy_at)),
        "F": sealed(F),
    }
    added: dict[str, Array] = {}
    T_inputs, T_final = np.zeros(m), np.zeros((n, c))
    margins: dict[str, tuple[Array, Array]] = {}
    _require_once([row for row in rows if row.kind not in ("node", "skip")], where, "row")
    _require_once([c for c in columns if c.kind == "output"], where, "column")
    for i, row in enumerate(rows):
        if row.kind == "added":
            below = on_final(i)
            if below[~np.isnan(below)].any():  # nothing has a place there; a blank is nothing
                raise DataError(f"{where}: value added ({row.code}) is not zero below final use.")
            added[row.code] = values[i, buy_at]
        elif row.kind == "tax":
            T_inputs, T_final = values[i, buy_at], on_final(i)
        elif row.kind == "margin":
            margins[row.code] = (values[i, buy_at], on_final(i))
        elif row.kind == "output":
            table["declared_input"] = values[i, buy_at]
    if not added:
        raise DataError(f"{where}: no row is value added.")
    for j, column in enumerate(columns):
        if column.kind == "output":
            table["declared_output"] = values[sell.at, j]
    return table | {
        "value_added_categories": tuple(added),
        "V": sealed(np.stack(list(added.values()))),
        "T_inputs": T_inputs,
        "T_final": T_final,
        "margins": {k: Margin(*pair) for k, pair in margins.items()},
        "sectors": sell.sectors,
    }


def _require_once(lines: Sequence[Line], where: str, what: str) -> None:
    """Closing rows and totals stand once each."""
    seen: set[tuple[str, str]] = set()
    for line in lines:
        key = (line.kind, line.code if line.kind in ("added", "margin") else "")
        if key in seen:
            name = line.code or {"tax": "product taxes", "output": "output"}[line.kind]
            raise DataError(f"{where}: the closing {what} of {name} stands twice.")
        seen.add(key)


def _take(values: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
    """A block by positions; a plain slice where they are consecutive."""
    if _run(rows) and _run(columns):
        return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return values[np.ix_(rows, columns)]


def _run(at: NDArray[np.intp]) -> bool:
    return bool(len(at) and (np.diff(at) == 1).all())


def fold_regions(table: dict[str, Any], into: dict[str, str], where: str) -> dict[str, Any]:
    """Blocks with some regions added into others (both in the table), order kept."""
    regions: tuple[str, ...] = table["regions"]
    missing = [r for pair in into.items() for r in pair if r not in regions]
    if missing:
        raise DataError(f"{where}: {some(missing)} to be folded, but not in the table.")
    keep = [r for r in regions if r not in into]
    target = np.array([keep.index(into.get(r, r)) for r in regions])
    s = len(table["sectors"])
    node = (target[:, None] * s + np.arange(s)[None]).ravel()
    n, m = len(keep), len(keep) * s

    new = dict(table)
    new["regions"] = tuple(keep)
    new["Z"] = sealed(fold(fold(table["Z"], node, 0, m), node, 1, m))
    new["F"] = sealed(fold(fold(table["F"], node, 0, m), target, 1, n))
    new["V"] = sealed(fold(table["V"], node, 1, m))
    new["T_inputs"] = fold(table["T_inputs"], node, 0, m)
    new["T_final"] = fold(table["T_final"], target, 0, n)
    new["margins"] = {
        k: Margin(fold(x.inputs, node, 0, m), fold(x.final, target, 0, n))
        for k, x in table["margins"].items()
    }
    for key in ("declared_output", "declared_input"):
        if table.get(key) is not None:
            new[key] = fold(table[key], node, 0, m)
    return new
