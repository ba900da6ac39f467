"""Published tables, recomputed: `entrepot validate` prints computed beside published."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.core.errors import DataError
from entrepot.core.labels import did_you_mean
from entrepot.validation import (
    caliendo_parro_2015,
    closed_forms,
    lashkaripour_2021,
    us_china_2018,
    us_china_2022,
    yotov_2016,
)
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
            "yotov-et-al-2016",
            "One-sector gravity in general equilibrium: borders and NAFTA, 69 economies",
            "Yotov, Piermartini, Monteiro & Larch (2016), An Advanced Guide to Trade Policy Analysis "
            "(UN and WTO), chapter 2, applications 1 and 2, exercises 1 and 2; spreadsheets of the "
            "published programs",
            "gravity_agtpa",
            yotov_2016.compute,
        ),
        Validation(
            "lashkaripour-2021",
            "A global tariff war by its formula, 44 economies x 16 sectors, applied tariffs of 2014",
            "Lashkaripour (2021), Journal of International Economics 131, equation 14; figures of an "
            "independent solver on the same data",
            "applied_tariffs_2022",
            lashkaripour_2021.compute,
        ),
        Validation(
            "applied-tariffs-2022",
            "No tariffs, and no trade, from applied tariffs: 44 x 16 (2014) and 81 x 28 (2022)",
            "Closed formula of Arkolakis, Costinot & Rodríguez-Clare (2012), American Economic Review "
            "102(1), with sectors and tariff revenue",
            "applied_tariffs_2022",
            closed_forms.applied_tariffs_2022,
        ),
        Validation(
            "arkolakis-costinot-rodriguez-clare-2012",
            "Gains from trade by home shares, in small made-up worlds",
            "Closed formulas of Arkolakis, Costinot & Rodríguez-Clare (2012), American Economic Review "
            "102(1), and Costinot & Rodríguez-Clare (2014), Handbook of International Economics 4",
            None,
            closed_forms.arkolakis_costinot_rodriguez_clare_2012,
        ),
        Validation(
            "gros-1987",
            "The best tariff of an economy of 50, 10, 1 and 0.1 % of the world",
            "Closed formula of Gros (1987), Journal of International Economics 23(3-4)",
            None,
            closed_forms.gros_1987,
        ),
        Validation(
            "us-china-2018",
            "The tariffs of 2018 between USA and CHN, 7 economies x 44 sectors, by variant of the model",
            "Figures of independent solvers; nothing is published for these data",
            "cp_7x44_2017_us_china",
            us_china_2018.compute,
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
