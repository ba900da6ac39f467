"""Concordances and shares from CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entrepot.core.errors import DataError
from entrepot.core.labels import did_you_mean
from entrepot.core.tables import Array
from entrepot.sources.archive import read_bytes, require_file

MAX_BYTES = 20_000_000


def _rows(path: Path, needed: Sequence[str], allowed: Sequence[str]) -> list[dict[str, str]]:
    require_file(path)
    try:
        text = read_bytes(path, None, MAX_BYTES).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV table in UTF-8 ({error}).") from None
    heads = reader.fieldnames or ()
    if len(heads) == 1 and ";" in heads[0]:
        raise DataError(f"{path}: separated by semicolons; commas were expected.")
    for column in needed:
        if column not in heads:
            raise DataError(f"{path}: no column {column!r}; it has {', '.join(heads) or 'none'}.")
    for column in heads:
        if column not in (*needed, *allowed):
            hint = did_you_mean(column, [*needed, *allowed])
            raise DataError(f"{path}: the column {column!r} has no meaning here{hint or '.'}")
    for i, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise DataError(f"{path} line {i}: more or fewer cells than the header.")
    if not rows:
        raise DataError(f"{path}: a header and nothing below it.")
    return [{k: v.strip() for k, v in row.items()} for row in rows]


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise DataError(f"{where}: {text!r} is not a number.")
    return value


def read_concordance(path: Path, axis: str) -> dict[str, str | dict[str, float]]:
    """Old label to new, or to several with weights: columns AXIS, to and optionally weight.

    Raises DataError with the line for repeated or unweighted labels.
    """
    out: dict[str, str | dict[str, float]] = {}
    for i, row in enumerate(_rows(path, (axis, "to"), ("weight",)), 2):
        old, new, weight = row[axis], row["to"], row.get("weight", "")
        if not (old and new):
            raise DataError(f"{path} line {i}: a label is missing.")
        if not weight:
            if old in out:
                raise DataError(f"{path} line {i}: {old} goes to several labels; give weights.")
            out[old] = new
            continue
        targets = out.setdefault(old, {})
        if isinstance(targets, str) or new in targets:
            raise DataError(f"{path} line {i}: {old} to {new} is given already.")
        targets[new] = _number(weight, f"{path} line {i}")
    return out


def read_labels_map(path: Path, axis: str) -> dict[str, list[str]]:
    """A file's label to one or several labels of the world: columns AXIS and to."""
    out: dict[str, list[str]] = {}
    for i, row in enumerate(_rows(path, (axis, "to"), ()), 2):
        if not (row[axis] and row["to"]):
            raise DataError(f"{path} line {i}: a label is missing.")
        out.setdefault(row[axis], []).append(row["to"])
    return out


def read_region_shares(path: Path, sectors: Sequence[str]) -> dict[str, Any]:
    """Arguments of `split_region` from a CSV of part, output and what else is known.

    With a column `sector`, one line a part and sector; `final_use` and `name` are then
    the same on every line of a part.
    """
    rows = _rows(path, ("part", "output"), ("sector", "exports", "imports", "final_use", "name"))
    by_sector = "sector" in rows[0]
    place = {k: j for j, k in enumerate(sectors)}
    size = len(sectors) if by_sector else 1
    parts = list(dict.fromkeys(row["part"] for row in rows))
    given: dict[str, dict[str, Array]] = {
        key: {p: np.full(size, np.nan) for p in parts}
        for key in ("output", "exports", "imports")
        if key in rows[0]
    }
    single: dict[str, dict[str, str]] = {key: {} for key in ("final_use", "name") if key in rows[0]}
    for i, row in enumerate(rows, 2):
        where = f"{path} line {i}"
        j = 0
        if by_sector:
            j = _known(row["sector"], place, "sector", where)
        for key, column in given.items():
            if np.isfinite(column[row["part"]][j]):
                raise DataError(f"{where}: given already.")
            column[row["part"]][j] = _number(row[key], where)
        for key, values in single.items():
            if values.setdefault(row["part"], row[key]) != row[key]:
                raise DataError(f"{where}: {key} of {row['part']} differs between its lines.")
    for column in given.values():
        for part, shares in column.items():
            if np.isnan(shares).any():
                raise DataError(
                    f"{path}: {part} has no line for {sectors[int(np.isnan(shares).argmax())]}."
                )
    out: dict[str, Any] = dict(given)
    if "final_use" in single:
        out["final_use"] = {p: _number(x, str(path)) for p, x in single["final_use"].items()}
    if "name" in single:
        out["names"] = {p: x for p, x in single["name"].items() if x}
    return out


def read_sector_shares(path: Path, regions: Sequence[str]) -> dict[str, Array | float]:
    """Output shares of new sectors, one number or one a region: part, output, optionally region."""
    rows = _rows(path, ("part", "output"), ("region",))
    if "region" not in rows[0]:
        shares: dict[str, Array | float] = {}
        for i, row in enumerate(rows, 2):
            if row["part"] in shares:
                raise DataError(f"{path} line {i}: {row['part']} is given already.")
            shares[row["part"]] = _number(row["output"], f"{path} line {i}")
        return shares
    place = {k: j for j, k in enumerate(regions)}
    out: dict[str, Array] = {}
    for i, row in enumerate(rows, 2):
        j = _known(row["region"], place, "region", f"{path} line {i}")
        values = out.setdefault(row["part"], np.full(len(regions), np.nan))
        if np.isfinite(values[j]):
            raise DataError(f"{path} line {i}: {row['part']} in {row['region']} is given already.")
        values[j] = _number(row["output"], f"{path} line {i}")
    for part, values in out.items():
        if np.isnan(values).any():
            raise DataError(
                f"{path}: {part} has no line for {regions[int(np.isnan(values).argmax())]}."
            )
    return dict(out)


def read_node_targets(
    path: Path, regions: Sequence[str], sectors: Sequence[str]
) -> dict[str, Array]:
    """Targets by node, NaN where blank or not listed: region, sector, output and value_added."""
    rows = _rows(path, ("region", "sector"), ("output", "value_added"))
    keys = [key for key in ("output", "value_added") if key in rows[0]]
    if not keys:
        raise DataError(f"{path}: neither a column 'output' nor a column 'value_added'.")
    place_r, place_s = ({k: j for j, k in enumerate(x)} for x in (regions, sectors))
    out: dict[str, Array] = {key: np.full(len(regions) * len(sectors), np.nan) for key in keys}
    seen: set[int] = set()
    for i, row in enumerate(rows, 2):
        where = f"{path} line {i}"
        r = _known(row["region"], place_r, "region", where)
        k = _known(row["sector"], place_s, "sector", where)
        at = r * len(sectors) + k
        if at in seen:
            raise DataError(f"{where}: {row['region']} {row['sector']} is given already.")
        seen.add(at)
        for key in keys:
            if row[key]:
                out[key][at] = _number(row[key], where)
    return out


def read_final_targets(path: Path, regions: Sequence[str], categories: Sequence[str]) -> Array:
    """Targets of final use: by region (n,), or by region and category (n, c); NaN where open."""
    rows = _rows(path, ("region", "final_use"), ("category",))
    place_r, place_c = ({k: j for j, k in enumerate(x)} for x in (regions, categories))
    by_kind = "category" in rows[0]
    out = np.full((len(regions), len(categories)) if by_kind else (len(regions),), np.nan)
    for i, row in enumerate(rows, 2):
        where = f"{path} line {i}"
        r = _known(row["region"], place_r, "region", where)
        at = (r, _known(row["category"], place_c, "category", where)) if by_kind else (r,)
        if np.isfinite(out[at]):
            raise DataError(f"{where}: given already.")
        if row["final_use"]:
            out[at] = _number(row["final_use"], where)
    return out


def _known(label: str, place: Mapping[str, int], what: str, where: str) -> int:
    if label not in place:
        hint = did_you_mean(label, place)
        raise DataError(f"{where}: there is no {what} {label!r}{hint or '.'}")
    return place[label]
