"""Published files, read; one that is missing or damaged is a DataError."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.core.errors import DataError

Array = NDArray[np.float64]


def frame(path: Path) -> pd.DataFrame:
    """A CSV with a header, packed or not."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({str(error)[:100]}).") from None


def sheet(path: Path) -> tuple[list[str], list[str], Array]:
    """The first sheet of a workbook: its column names, row names, and numbers."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        rows: list[Any] = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
        numbers = np.array([row[1:] for row in rows[1:]], dtype=float)
    except (CalamineError, OSError, ValueError, IndexError) as error:
        raise DataError(f"{path}: cannot be read ({str(error)[:100]}).") from None
    return [str(c) for c in rows[0][1:]], [str(row[0]) for row in rows[1:]], numbers
