"""Published tables, recomputed: `entrepot validate` prints computed beside published."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.core.errors import DataError
from entrepot.core.labels import did_you_mean
from entrepot.validation import caliendo_parro_2015, us_china_2022
from entrepot.validation.cells import Cell


@dataclass(frozen=True, slots=True)
class Validation:
    """One published (or reference) result: where it is from, what it needs, how to recompute it."""

    name: str
    summary: str
    source: str
    folder: str | None
    compute: Callable[[Path], list[Cell]]


@dataclass(frozen=True, slots=True)
class Report:
    """A validation's cells, computed beside published."""

    validation: Validation
    cells: tuple[Cell, ...]

    @property
    def passed(self) -> bool:
        """Whether every cell is within its tolerance (and there is one)."""
        return bool(self.cells) and all(cell.passed for cell in self.cells)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.validation.name,
            "source": self.validation.source,
            "passed": self.passed,
            "cells": [cell.to_dict() for cell in self.cells],
        }


VALIDATIONS = {
    row.name: row
    for row in (
        Validation(
            "caliendo-parro-2015",
            "Effects of NAFTA's and the world's tariff changes, 31 economies x 40 sectors",
            "Caliendo & Parro (2015), Review of Economic Studies 82(1), Tables 2, 5 and 7",
            "caliendo_parro_2015",
            caliendo_parro_2015.compute,
        ),
        Validation(
            "us-china-2022",
            "25 % on goods between USA and CHN, 80 economies x 50 activities",
            "Reference figures of three independent solvers on the full 2022 table",
            None,
            us_china_2022.compute,
        ),
    )
}


def run_validations(name: str | None, data: Path | None) -> list[Report]:
    """Recompute one validation, or all whose data are in `data`.

    `data` is the folder that holds the validation's own folder, or that folder
    itself; without it, the environment variable ENTREPOT_VALIDATION_DATA.

    Raises DataError for an unknown name or missing data.
    """
    if name is not None and name not in VALIDATIONS:
        raise DataError(
            f"there is no validation {name!r}{did_you_mean(name, VALIDATIONS) or '.'} "
            f"Known: {', '.join(VALIDATIONS)}."
        )
    if data is None and (given := os.environ.get("ENTREPOT_VALIDATION_DATA")):
        data = Path(given)
    chosen = [VALIDATIONS[name]] if name else list(VALIDATIONS.values())
    return [Report(row, tuple(row.compute(_folder(row, data)))) for row in chosen]


def _folder(row: Validation, data: Path | None) -> Path:
    if row.folder is None:
        return data or Path()
    if data is None:
        raise DataError(f"{row.name} needs its published data: give --data DIR.")
    inside = data / row.folder
    folder = inside if inside.is_dir() else data
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder.")
    return folder
