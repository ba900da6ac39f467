"""Tariff tables from CSV: importer, exporter, sector, rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.core.labels import did_you_mean
from entrepot.sources.small_csv import small_csv

COLUMNS = ("importer", "exporter", "sector", "rate")
MAX_ROWS = 10_000_000
Found = TypeVar("Found", int, list[int])
MAX_RATE = 5.0  # a larger one is taken for a slip: per cent where a fraction is meant


def read_tariffs(
    path: Path,
    regions: Sequence[str],
    sectors: Sequence[str],
    parent: Mapping[str, str] | None = None,
) -> tuple[NDArray[np.float64], str]:
    """Rates (s, n, n) [sector, origin, destination], ad-valorem fractions, and their source.

    The file is CSV in UTF-8 with the columns importer, exporter, sector and
    rate (a fraction of the pre-duty value). A first line `# source: ...` names
    the source. Flows not listed bear no tariff. With `parent` (region to the
    economy it is part of), a rate of an economy is that of all its parts.

    Raises DataError with the line for unknown labels, rates that are no
    number or at or below -100 %, tariffs on home sales, and repeated cells.
    """
    place = {code: [i] for i, code in enumerate(regions)}
    for code, whole in (parent or {}).items():
        if whole not in regions:
            place.setdefault(whole, []).append(regions.index(code))
    shelf = {code: i for i, code in enumerate(sectors)}
    rates = np.zeros((len(sectors), len(regions), len(regions)))
    seen = np.zeros(rates.shape, bool)
    with small_csv(path, MAX_ROWS) as table:
        source = table.source or str(path)
        missing = [c for c in COLUMNS if c not in table.columns]
        if missing:
            raise DataError(
                f"{path}: no column {missing[0]!r}; a tariff table has {', '.join(COLUMNS)}."
            )
        for where, row in table.rows:
            r, sellers, buyers = _cell(row, place, shelf, where)
            cells = np.ix_([r], sellers, buyers)
            if seen[cells].any():
                raise DataError(f"{where}: this flow has a rate already.")
            seen[cells] = True
            rates[cells] = _rate(row["rate"], where)
    if not seen.any():
        raise DataError(f"{path}: holds no rates.")
    return rates, source


def _cell(
    row: dict[str, str], place: dict[str, list[int]], shelf: dict[str, int], where: str
) -> tuple[int, list[int], list[int]]:
    def find(key: str, known: Mapping[str, Found]) -> Found:
        label = (row[key] or "").strip()
        if label not in known:
            raise DataError(
                f"{where}: {key} {label!r} is not in the world{did_you_mean(label, known) or '.'}"
            )
        return known[label]

    r, o, d = find("sector", shelf), find("exporter", place), find("importer", place)
    if set(o) & set(d):
        raise DataError(f"{where}: a tariff on home sales.")
    return r, o, d


def _rate(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: rate {text!r} is not a number.")
    if value > MAX_RATE:
        raise DataError(
            f"{where}: a rate of {value:g} would be {value:.0%}; rates are fractions, 0.105 for 10.5 %."
        )
    if value <= -1:
        raise DataError(f"{where}: a rate of {value:.0%} leaves no positive price.")
    return value
