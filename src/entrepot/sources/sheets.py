"""Workbooks as the WIOD and ADB publish them: one sheet, four header rows, four label columns.

The header rows above the data hold, from top to bottom, industry codes (WIOD
only), names, economies and item codes (`c1`, `c2`, ...); the label columns hold
code, name, economy and item. What a closing row is, is read from its name;
nothing is placed by counting.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.core.tables import Array, Sector
from entrepot.sources.archive import (
    MAX_EXPANDED,
    choose,
    is_zip,
    members,
    read_bytes,
    require_file,
    sha256,
)
from entrepot.sources.layout import Line, blocks
from entrepot.sources.workbook import Rule, read_cells

MAX_WORKBOOK = 400_000_000
MAX_UNPACKED = 2_000_000_000
# Closing rows by the beginning of their name, in lower case; the two releases and the ADB differ
# in codes, not in words.
CLOSING = (
    (re.compile(r"total intermediate|intermediate input"), "skip", ""),
    (re.compile(r"taxes less subsidies"), "tax", ""),
    (re.compile(r"cif\s*/\s*fob"), "margin", "cif/fob adjustments on exports"),
    (re.compile(r"direct purchases abroad"), "margin", "direct purchases abroad by residents"),
    (re.compile(r"purchases on the domestic"), "margin", "purchases at home by non-residents"),
    (re.compile(r"international transport margins?"), "margin", "international transport margins"),
    (re.compile(r"value added"), "added", "value added at basic prices"),
    (re.compile(r"(gross )?output|total( output)?$"), "output", ""),
)


@dataclass(frozen=True, eq=False, slots=True)
class Sheet:
    """A sheet cut into titles, header and label cells (text), and numbers."""

    name: str
    titles: str
    codes: list[str]
    names: list[str]
    economies: list[str]
    items: list[str]
    row_codes: list[str]
    row_names: list[str]
    row_economies: list[str]
    row_items: list[str]
    values: Array


def workbook(path: Path, fits: Callable[[str], bool], member: str | None) -> tuple[bytes, str]:
    """The bytes of a workbook, from itself or from a zip of workbooks, and its file name."""
    require_file(path)
    inner = None
    if is_zip(path) and not _is_workbook(path):
        inner = choose(path, fits, "workbook", member)
    data = read_bytes(path, inner, MAX_WORKBOOK)
    _check_workbook(data, inner or str(path))
    return data, Path(inner or path.name).name


def _is_workbook(path: Path) -> bool:
    return "[Content_Types].xml" in members(path)


def _check_workbook(data: bytes, where: str) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError):
        raise DataError(f"{where}: not a workbook (.xlsx or .xlsb), or damaged.") from None
    if size > max(MAX_EXPANDED, min(MAX_UNPACKED, 60 * len(data))):
        raise DataError(f"{where}: a workbook that unpacks to {size:,} bytes is refused.")


def read_sheet(data: bytes, where: str, rule: Rule) -> Sheet:
    """Cut the one data sheet of a workbook.

    Raises DataError when the sheet is missing, its header is not of this
    layout, or a cell is neither a number nor blank.
    """
    cells = read_cells(data, where, rule)
    blank = [""] * len(cells.head[0])
    above = [blank] * (4 - len(cells.head)) + cells.head
    codes, names, economies, items = (row[4:] for row in above[-4:])
    return Sheet(
        cells.sheet,
        " ".join(row[0] for row in cells.head),
        codes,
        names,
        economies,
        items,
        cells.labels[0],
        cells.labels[1],
        cells.labels[2],
        cells.labels[3],
        cells.values,
    )


Item = Callable[[str, str, str], tuple[str, str] | None]


def lines(
    sheet: Sheet, where: str, region: Callable[[str], str], item_of: Item
) -> tuple[list[Line], list[Line]]:
    """What each row and column of a sheet is.

    `region` translates an economy's code. `item_of` says of (industry code,
    name, item code) whether it is a `node` or `final`, and its label; None
    where it is neither.
    """
    columns = []
    for code, name, item, economy in zip(
        sheet.codes, sheet.names, sheet.items, sheet.economies, strict=True
    ):
        if economy.lower() in ("tot", "total"):
            columns.append(Line("output"))
            continue
        known = item_of(code, name, item)
        if known is None:
            raise DataError(f"{where}: the column {economy} {item!r} ({name}) is unknown.")
        columns.append(Line(known[0], region(economy), known[1]))
    rows = []
    for code, name, item, economy in zip(
        sheet.row_codes, sheet.row_names, sheet.row_items, sheet.row_economies, strict=True
    ):
        known = item_of(code, name, item) if economy and economy.lower() != "tot" else None
        if known is not None and known[0] == "node":
            rows.append(Line("node", region(economy), known[1]))
            continue
        low = name.lower()
        kind = next(((k, c) for pattern, k, c in CLOSING if pattern.match(low)), None)
        if kind is None:
            raise DataError(f"{where}: the row {economy} {item!r} ({name}) is unknown.")
        rows.append(Line(kind[0], code=kind[1]))
    return rows, columns


def sheet_table(sheet: Sheet, rows: list[Line], columns: list[Line], where: str) -> dict[str, Any]:
    """Blocks of a sheet, with its sectors named from the first economy's rows."""
    table = blocks(sheet.values, rows, columns, where)
    first = table["regions"][0]
    named = {
        row.code: (code, name)
        for row, code, name in zip(rows, sheet.row_codes, sheet.row_names, strict=True)
        if row.kind == "node" and row.region == first
    }
    missing = [c for c in table["sectors"] if c not in named]
    if missing:
        raise DataError(f"{where}: no names for {some(missing)}.")
    table["sectors"] = tuple(
        Sector(code, named[code][1], named[code][0].lower() or code) for code in table["sectors"]
    )
    return table


def file_facts(path: Path, name: str) -> dict[str, Any]:
    """Provenance every workbook has."""
    return {"file": name, "sha256": sha256(path), "notes": [], "estimated": []}
