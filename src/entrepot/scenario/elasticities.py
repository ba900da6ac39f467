"""Trade elasticities from a CSV table of one's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.catalogues import sector_concordance
from entrepot.catalogues.elasticities import activities, divisions_of
from entrepot.catalogues.isic import SECTIONS, divisions
from entrepot.core.errors import DataError, ScenarioError
from entrepot.core.labels import did_you_mean, some
from entrepot.sources.small_csv import small_csv
from entrepot.world.world import World

MAX_ROWS = 100_000
MAX_BYTES = 10_000_000
COLUMNS = "`sector` or `isic`, `theta`, and perhaps `se` and `source`"


@dataclass(frozen=True, slots=True)
class ElasticityTable:
    """`theta` by sector of a world, `se` where the table gives it, and where they are from."""

    theta: dict[str, float]
    se: dict[str, float]
    source: str

    @property
    def assumptions(self) -> dict[str, Any]:
        """As `Assumptions` takes it."""
        return {"elasticities": self.theta, "elasticities_source": self.source}


@dataclass(frozen=True, slots=True)
class _Row:
    theta: float
    se: float  # NaN where none is given
    where: str


def read_elasticities(path: str | Path, world: World) -> ElasticityTable:
    """Elasticities of a world's sectors from CSV in UTF-8.

    Columns: `sector` (the world's codes) or `isic` (ISIC Rev.4: `C10-C12`,
    `10-12`, `24` or a section), `theta`, optionally `se` and `source`. By
    `isic`, a sector takes the mean over its divisions within an activity and,
    over activities, weighted by world trade, as a named set does.

    Raises DataError with the line or the sectors for what is unknown, missing,
    given twice, not a positive finite number, or too large.
    """
    path = Path(path)
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} is larger than a table of elasticities can be (10 MB).")
    given: dict[str, _Row] = {}
    sources: dict[str, None] = {}
    with small_csv(path, MAX_ROWS) as table:
        keys = [c for c in ("sector", "isic") if c in table.columns]
        if len(keys) != 1 or "theta" not in table.columns:
            raise DataError(f"{path}: the columns are {', '.join(table.columns)}; give {COLUMNS}.")
        for where, row in table.rows:
            label = (row[keys[0]] or "").strip()
            if label in given:
                raise DataError(f"{where}: {keys[0]} {label!r} is given twice.")
            given[label] = _Row(_number(row, "theta", where), _number(row, "se", where), where)
            if name := (row.get("source") or "").strip():
                sources[name] = None
    theta, se = (_by_code if keys == ["sector"] else _by_isic)(given, world, path)
    said = _said(table.source, sources)
    return ElasticityTable(theta, se, f"{path.name}: {said}" if said else path.name)


def _said(first: str | None, column: Mapping[str, None]) -> str:
    named = [*([first] if first else []), *column]
    return "; ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def _number(row: Mapping[str, str | None], key: str, where: str) -> float:
    """A positive finite number; NaN for a standard error that is not given."""
    text = (row.get(key) or "").strip()
    if key == "se" and not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise DataError(f"{where}: {key} {text!r} is not a positive finite number.")
    return value


def _by_code(
    given: Mapping[str, _Row], world: World, path: Path
) -> tuple[dict[str, float], dict[str, float]]:
    codes = world.sector_codes
    for label, row in given.items():
        if label not in codes:
            raise DataError(
                f"{row.where}: sector {label!r} is not in {world.name}"
                f"{did_you_mean(label, codes) or '.'}"
            )
    if missing := [code for code in codes if code not in given]:
        raise DataError(f"{path}: nothing for {some(missing)} of {world.name}.")
    return (
        {code: given[code].theta for code in codes},
        {code: given[code].se for code in codes if not math.isnan(given[code].se)},
    )


def _by_isic(
    given: Mapping[str, _Row], world: World, path: Path
) -> tuple[dict[str, float], dict[str, float]]:
    owner: dict[int, str] = {}
    for label, row in given.items():
        for division in _divisions(label, row.where):
            if division in owner:
                raise DataError(
                    f"{row.where}: ISIC division {division:02d} is in {owner[division]!r} too."
                )
            owner[division] = label
    covers = {row["code"]: sorted(divisions_of(row["isic"])) for row in sector_concordance()}
    theta, se = {}, {}
    missing: dict[int, None] = {}
    for sector in world.sectors:
        try:
            parts, weights = activities(sector.code, sector.isic)
        except ScenarioError as error:
            raise DataError(f"{path}: {error} The table may also be by `sector`.") from None
        shares: dict[str, float] = {}
        for part, weight in zip(parts, weights / weights.sum(), strict=True):
            here = [d for d in covers[part] if d in sector.isic]
            missing.update(dict.fromkeys(d for d in here if d not in owner))
            for label in (owner[d] for d in here if d in owner):
                shares[label] = shares.get(label, 0.0) + weight / len(here)
        theta[sector.code] = sum(share * given[label].theta for label, share in shares.items())
        spread = sum((share * given[label].se) ** 2 for label, share in shares.items()) ** 0.5
        if not math.isnan(spread):
            se[sector.code] = spread
    if missing:
        raise DataError(
            f"{path}: nothing for ISIC divisions {some([f'{d:02d}' for d in missing])}, which "
            f"{world.name} has."
        )
    return theta, se


def _divisions(label: str, where: str) -> tuple[int, ...]:
    known = {d for low, high in SECTIONS.values() for d in range(low, high + 1)}
    first, _, last = label.partition("-")
    if first.isdecimal() and (last or first).isdecimal() and len(label) < 6:
        found = tuple(d for d in range(int(first), int(last or first) + 1) if d in known)
        if {int(first), int(last or first)} <= set(found):
            return found
    elif found := divisions(label):
        return found
    raise DataError(f"{where}: isic {label!r} is no division, range or section of ISIC Rev.4.")
