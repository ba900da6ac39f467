"""Trade elasticities by source, with standard errors, mapped to a world's sectors."""

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
Divisions = Sequence[tuple[int, ...]]

STANDARD = ("uniform-5", "caliendo-parro-2015")


@cache
def elasticity_sets() -> dict[str, dict[str, Any]]:
    """Every set by name: label, source, where it was read, and `uniform` or `rows` by activity.

    A row has `code`, `theta` and the sectors of the source it comes `from`;
    `se` where all of these have a standard error, `n` (observations) where it
    is one sector, `note` where there is something to say.
    """
    return {
        row["name"]: row | {"rows": [_filled(row, r) for r in row["rows"]]}
        if "rows" in row
        else row
        for row in _yaml("elasticities.yaml")
        if "absent" not in row
    }


@cache
def absent_sets() -> dict[str, dict[str, str]]:
    """Sets that are not entered, by name: label, source, and why (`absent`)."""
    return {row["name"]: row for row in _yaml("elasticities.yaml") if "absent" in row}


@cache
def trade_weights() -> dict[str, float]:
    """World cross-border trade by activity, million USD: weights for coarser sectors."""
    return {row["code"]: float(row["trade_musd"]) for row in _rows("trade_weights.csv")}


def find_set(name: str) -> dict[str, Any]:
    """A set by name; raises ScenarioError with a did-you-mean, or with why it is not entered."""
    sets = elasticity_sets()
    if name in sets:
        return sets[name]
    if name in absent_sets():
        raise ScenarioError(f"elasticities: {name} is not entered. {absent_sets()[name]['absent']}")
    raise ScenarioError(
        f"elasticities: there is no set {name!r}{did_you_mean(name, sets) or '.'} "
        f"Known: {', '.join(sets)}."
    )


def elasticities(name: str, codes: Sequence[str], isic: Divisions) -> Array:
    """One theta per sector of a world, from a named set.

    A sector that is an activity of the set takes its value; any other takes
    the mean over the activities whose ISIC divisions it covers, weighted by
    world cross-border trade in 2022 (`trade_weights.csv`).

    Raises ScenarioError for an unknown set or a sector the set cannot reach.
    """
    chosen = find_set(name)
    if "uniform" in chosen:
        return np.full(len(codes), float(chosen["uniform"]))
    by_code = {row["code"]: row["theta"] for row in chosen["rows"]}
    out = []
    for code, divisions in zip(codes, isic, strict=True):
        parts, weights = activities(code, divisions)
        out.append(float(weights @ [by_code[p] for p in parts] / weights.sum()))
    return np.array(out)


def standard_errors(name: str, codes: Sequence[str], isic: Divisions) -> Array:
    """The standard error of each theta of `elasticities`; NaN where none is published.

    Estimates of different sectors of a source are taken as independent. What
    one estimate gives to several sectors moves together: `loadings`.
    """
    names, shares = loadings(name, codes, isic)
    chosen = find_set(name)
    se = np.array([_estimate(chosen, n).get("se", np.nan) for n in names])
    return np.sqrt([float((s[s > 0] ** 2) @ se[s > 0] ** 2) if s.any() else np.nan for s in shares])


def loadings(name: str, codes: Sequence[str], isic: Divisions) -> tuple[list[str], Array]:
    """Sectors of a set's source, and their shares (sectors of the world, of the source).

    Rows sum to one; a uniform set has no sectors and no columns. A draw of the
    source's estimates times the shares is a draw of theta (to four digits).
    """
    chosen = find_set(name)
    names = list(dict.fromkeys(n for row in chosen.get("rows", ()) for n in row["from"]))
    origin = {row["code"]: row["from"] for row in chosen.get("rows", ())}
    shares = np.zeros((len(codes), len(names)))
    for k, (code, divisions) in enumerate(zip(codes, isic, strict=True) if names else ()):
        parts, weights = activities(code, divisions)
        for part, weight in zip(parts, weights / weights.sum(), strict=True):
            for n in origin[part]:
                shares[k, names.index(n)] += weight / len(origin[part])
    return names, shares


def activities(code: str, isic: tuple[int, ...]) -> tuple[list[str], Array]:
    """The activities a sector covers, and their weights: world cross-border trade in 2022.

    Raises ScenarioError for a sector without ISIC divisions.
    """
    parts = []
    for row in sector_concordance():
        here = divisions_of(row["isic"])
        if row["code"] == code and here == set(isic):
            return [code], np.ones(1)
        if here & set(isic):
            parts.append(row["code"])
    if not parts:
        raise ScenarioError(
            f"elasticities: sector {code!r} carries no ISIC divisions, so no set by ISIC can be "
            "mapped to it; give `elasticities` as a mapping sector: theta."
        )
    weights = np.array([trade_weights()[p] for p in parts])
    return parts, weights if weights.any() else np.ones(len(parts))


def divisions_of(text: str) -> set[int]:
    """Divisions of ISIC written as `10`, `10-12` or `30 32-33`."""
    found: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def _estimate(chosen: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a set uses for a sector of its source: stated, published, or the rule for services."""
    if name == chosen["services"]["name"]:
        return dict(chosen["services"])
    return dict(chosen.get("stated", {}).get(name) or chosen["published"][name])


def _filled(chosen: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    used = [_estimate(chosen, name) for name in row["from"]]
    theta = sum(u["theta"] for u in used) / len(used)
    filled = {"code": row["code"], "theta": round(theta, 4), "from": row["from"]}
    if all("se" in u for u in used):
        filled["se"] = round(sum(u["se"] ** 2 for u in used) ** 0.5 / len(used), 4)
    if len(used) == 1 and "n" in used[0]:
        filled["n"] = used[0]["n"]
    stated = chosen.get("stated", {})
    notes = [row.get("note"), *(stated[n]["note"] for n in row["from"] if n in stated)]
    if any(notes):
        filled["note"] = "; ".join(n for n in notes if n)
    return filled
