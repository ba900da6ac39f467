"""Trade elasticities by source, mapped to a world's sectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import _rows, _yaml, sector_concordance
from entrepot.core.errors import ScenarioError
from entrepot.core.labels import did_you_mean

Array = NDArray[np.float64]

STANDARD = ("uniform-5", "caliendo-parro-2015")


@cache
def elasticity_sets() -> dict[str, dict[str, Any]]:
    """Every set by name: label, source, note, and `uniform` or `rows` by activity."""
    return {row["name"]: row for row in _yaml("elasticities.yaml")}


@cache
def trade_weights() -> dict[str, float]:
    """World cross-border trade by activity, million USD: weights for coarser sectors."""
    return {row["code"]: float(row["trade_musd"]) for row in _rows("trade_weights.csv")}


def elasticities(name: str, codes: Sequence[str], isic: Sequence[tuple[int, ...]]) -> Array:
    """One theta per sector of a world, from a named set.

    A sector that is an activity of the set takes its value; any other takes
    the mean over the activities whose ISIC divisions it covers, weighted by
    world cross-border trade in 2022 (`trade_weights.csv`).

    Raises ScenarioError for an unknown set or a sector the set cannot reach.
    """
    sets = elasticity_sets()
    if name not in sets:
        raise ScenarioError(
            f"elasticities: there is no set {name!r}{did_you_mean(name, sets) or '.'} "
            f"Known: {', '.join(sets)}."
        )
    chosen = sets[name]
    if "uniform" in chosen:
        return np.full(len(codes), float(chosen["uniform"]))
    by_code = {row["code"]: float(row["theta"]) for row in chosen["rows"]}
    return np.array(
        [
            by_code[c] if c in by_code and _is_activity(c, d) else _mean(c, d, by_code, name)
            for c, d in zip(codes, isic, strict=True)
        ]
    )


def _divisions(text: str) -> set[int]:
    first, _, last = text.partition("-")
    return set(range(int(first), int(last or first) + 1))


def _is_activity(code: str, isic: tuple[int, ...]) -> bool:
    return any(
        r["code"] == code and _divisions(r["isic"]) == set(isic) for r in sector_concordance()
    )


def _mean(code: str, isic: tuple[int, ...], by_code: Mapping[str, float], name: str) -> float:
    parts = [r["code"] for r in sector_concordance() if _divisions(r["isic"]) & set(isic)]
    if not parts:
        raise ScenarioError(
            f"elasticities: sector {code!r} carries no ISIC divisions, so the set {name!r} cannot be "
            "mapped to it; give `elasticities` as a mapping sector: theta."
        )
    weights = np.array([trade_weights()[p] for p in parts])
    if weights.sum() == 0:
        weights = np.ones(len(parts))
    return float(weights @ [by_code[p] for p in parts] / weights.sum())
