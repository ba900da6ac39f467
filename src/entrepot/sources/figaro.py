"""FIGARO, the EU inter-country input-output tables: matrix CSV and flat CSV, by industry or product.

Labels are `AREA_CODE`; rows of area `W2` close the table: net product taxes
(`D21X31`), purchases abroad by residents and at home by non-residents
(`OP_RES`, `OP_NRES`), and three kinds of value added. Million euro at basic
prices, printed to 0.001; the files hold no totals.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from entrepot.catalogues import economies, economy_names
from entrepot.catalogues.isic import divisions
from entrepot.core.errors import DataError
from entrepot.core.tables import Sector
from entrepot.sources.archive import choose, is_zip, open_file, require_file, sha256
from entrepot.sources.layout import Line, blocks
from entrepot.sources.long import Flat, read_flat
from entrepot.sources.raw import RawTable
from entrepot.sources.text import read_header, read_matrix

FINAL = {
    "P3_S13": "government consumption",
    "P3_S14": "household consumption",
    "P3_S15": "consumption of non-profit institutions",
    "P51G": "gross fixed capital formation",
    "P5M": "changes in inventories and valuables",
}
ADDED = {
    "D1": "compensation of employees",
    "D29X39": "other net taxes on production",
    "B2A3G": "gross operating surplus",
}
MARGINS = {
    "OP_RES": "direct purchases abroad by residents",
    "OP_NRES": "purchases at home by non-residents",
}
TAX = "D21X31"
REST = "FIGW1"
# Rounded to 0.001: the sum of k cells is good to k half units at worst.
HALF_UNIT = 0.0005
FLAT_HEADER = re.compile(r"^icioiRow,icioiCol,refArea,row[IP]i,counterpartArea,col[IP]i,obsValue$")
YEAR = re.compile(r"_((?:19|20)\d\d)(?:_v\d+)?\.csv$", re.IGNORECASE)


def matches(path: Path) -> bool:
    """Whether a CSV file is a FIGARO table, matrix or flat."""
    with open_file(path) as opened:
        header = read_header(opened, ",")
    return _is_flat(header) or _is_matrix(header)


def _is_flat(header: list[str]) -> bool:
    return bool(FLAT_HEADER.match(",".join(header)))


def _is_matrix(header: list[str]) -> bool:
    return header[:1] == ["rowLabels"] and any(label.endswith("_P3_S14") for label in header)


def read(path: Path, *, year: int | None = None, member: str | None = None) -> RawTable:
    """One year of FIGARO, from a matrix or flat CSV, or a zip that holds one."""
    require_file(path)
    if is_zip(path):
        member = choose(
            path,
            lambda name: name.lower().endswith(".csv") and (year is None or str(year) in name),
            "CSV table",
            member,
        )
    with open_file(path, member) as opened:
        header = read_header(opened, ",")
    with open_file(path, member) as opened:
        if _is_flat(header):
            flat = read_flat(opened, header[:2], header[-1])
            rows = [_line(label, opened.where, True) for label in flat.labels[0]]
            columns = [_line(label, opened.where, False) for label in flat.labels[1]]
            table = _from_flat(flat, rows, columns, opened.where)
        elif _is_matrix(header):
            matrix = read_matrix(opened)
            rows = [_line(label[0], opened.where, True) for label in matrix.rows]
            columns = [_line(label, opened.where, False) for label in matrix.columns]
            table = blocks(matrix.values, rows, columns, opened.where)
        else:
            raise DataError(f"{opened.where}: neither a FIGARO matrix nor a FIGARO flat file.")
    lines = [row.code for row in rows if row.kind != "node"]
    missing = (len(ADDED) + len(MARGINS) + 1) - len(set(lines))
    if missing:
        raise DataError(f"{opened.where}: {missing} of its closing rows are missing. Cut short?")
    named = YEAR.search(member or path.name)
    when = year or (int(named[1]) if named else None)
    if named and when != int(named[1]):
        raise DataError(f"{opened.where}: named {named[1]}, but {when} was asked for.")
    if when is None:
        raise DataError(f"{opened.where}: its name holds no year; say which with --year.")
    alpha3 = {row["alpha2"]: code for code, row in economies().items()} | {REST: "ROW"}
    unknown = [r for r in table["regions"] if r not in alpha3]
    if unknown:
        raise DataError(f"{opened.where}: unknown areas {unknown}.")
    regions = tuple(alpha3[r] for r in table["regions"])
    codes = table["sectors"]
    by_product = any(code.startswith("CPA_") for code in codes)
    cells = 2 * len(regions) * (len(codes) + len(FINAL)) + 6
    table |= {
        "regions": regions,
        "sectors": tuple(Sector(c, c, c.lower(), divisions(c.removeprefix("CPA_"))) for c in codes),
        "final_categories": tuple(FINAL[c] for c in table["final_categories"]),
    }
    return RawTable(
        name=f"figaro-{'product' if by_product else 'industry'}-{when}",
        year=when,
        currency="EUR",
        region_names=economy_names(regions),
        provenance={
            "data": f"Eurostat, FIGARO EU inter-country input-output tables, year {when}, "
            f"{'product by product' if by_product else 'industry by industry'}",
            "file": Path(member or path.name).name,
            "sha256": sha256(path),
            "notes": [],
            "estimated": [],
        },
        atol=HALF_UNIT * cells,
        **table,
    )


def _from_flat(flat: Flat, rows: list[Line], columns: list[Line], where: str) -> dict[str, Any]:
    values = np.zeros((len(rows), len(columns)))
    flat.scatter(values, where)
    return blocks(values, rows, columns, where)


def _line(label: str, where: str, is_row: bool) -> Line:
    area, _, code = label.partition("_")
    if not (area and code):
        raise DataError(f"{where}: the label {label!r} is not of the form AREA_CODE.")
    if area == "W2" and is_row:
        if code == TAX:
            return Line("tax", code=TAX)
        if code in ADDED:
            return Line("added", code=ADDED[code])
        if code in MARGINS:
            return Line("margin", code=MARGINS[code])
        raise DataError(f"{where}: unknown row {label!r}.")
    return Line("final" if code in FINAL and not is_row else "node", area, code)
