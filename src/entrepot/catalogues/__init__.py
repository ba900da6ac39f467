"""Data only, each row with its source: economies, groups, sectors, elasticities."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

REST = {"ROW": "Rest of the world"}
FOLDER = files("entrepot.catalogues") / "data"


def _rows(name: str) -> list[dict[str, str]]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def _yaml(name: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader=loader)  # noqa: S506


@cache
def economies() -> dict[str, dict[str, str]]:
    """Every economy by ISO alpha-3 code: name, numeric code, a point on the map."""
    return {row["code"]: row for row in _rows("economies.csv")}


def economy_names(codes: Iterable[str]) -> dict[str, str]:
    """Display names of codes, as the data source has them; unknown codes keep themselves."""
    known = {code: row["name"] for code, row in economies().items()} | REST
    return {code: known.get(code, code) for code in codes}


@cache
def sector_concordance() -> tuple[dict[str, str], ...]:
    """The 50 activities of the OECD tables, their ISIC divisions and sector of world-2022."""
    return tuple(_rows("sectors.csv"))


@cache
def groups() -> dict[str, dict[str, Any]]:
    """Dated groups of economies by name: label, as_of, source, members, note."""
    return {row["name"]: row for row in _yaml("groups.yaml")}
