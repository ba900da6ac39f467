"""OECD inter-country input-output tables as published: one CSV a year, in zips of several years.

Editions 2023 (77 regions x 45 activities) and 2025 (81 x 50), and the
"extended" variants, in which China and Mexico are each split into two
producers (`CN1`, `CN2`, `MX1`, `MX2`) while final use stays with `CHN` and
`MEX`. First column and header are labels `REGION_ACTIVITY`; rows `TLS` (net
product taxes), `VA` and `OUT` close the table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from entrepot.catalogues import economy_names, sector_concordance
from entrepot.catalogues.isic import divisions
from entrepot.core.errors import DataError
from entrepot.core.tables import Sector
from entrepot.sources.archive import choose, is_zip, open_file, require_file, sha256
from entrepot.sources.layout import Line, blocks, fold_regions
from entrepot.sources.oecd_packages import CREDIT, TERMS
from entrepot.sources.raw import RawTable
from entrepot.sources.text import read_header, read_matrix

FINAL = {
    "HFCE": "household consumption",
    "NPISH": "consumption of non-profit institutions",
    "GGFC": "government consumption",
    "GFCF": "gross fixed capital formation",
    "INVNT": "changes in inventories and valuables",
    "DPABR": "direct purchases abroad by residents",
}
PARTS = {"CN1": "CHN", "CN2": "CHN", "MX1": "MEX", "MX2": "MEX"}
PART_NAMES = {
    "CN1": "China, excluding processing",
    "CN2": "China, processing",
    "MX1": "Mexico, excluding global manufacturing",
    "MX2": "Mexico, global manufacturing",
}
# Totals in the files differ from the sum of their cells by up to 0.8 million USD (2023 edition,
# 2019: 0.47 for sales, 0.81 for costs), so this is what the tables are taken to be good to.
ATOL = 1.0
NODE = re.compile(r"^([A-Z][A-Z0-9]{2})_([A-Z][A-Z0-9_]*)$")
YEAR = re.compile(r"(?<!\d)(19|20)\d\d(?!\d)")


def matches(path: Path) -> bool:
    """Whether a CSV file's header is that of an OECD table."""
    with open_file(path) as opened:
        header = read_header(opened, ",")
    codes = {m[2] for m in map(NODE.match, header[1:]) if m}
    return set(FINAL) <= codes and header[-1:] == ["OUT"]


def read(
    path: Path,
    *,
    year: int | None = None,
    member: str | None = None,
    split: Literal["fold", "keep"] = "fold",
) -> RawTable:
    """One year of the OECD tables, from its CSV file or a zip that holds it.

    Parameters
    ----------
    year, member : which file of a zip; not needed where there is only one.
    split : `fold` sums CN1 and CN2 into CHN, MX1 and MX2 into MEX; `keep`
        leaves them as producers of their own, with CHN and MEX as parents.

    """
    require_file(path)
    if is_zip(path):
        member = choose(
            path,
            lambda name: name.lower().endswith(".csv") and (year is None or str(year) in name),
            f"CSV table of {year}" if year else "CSV table",
            member,
        )
    with open_file(path, member) as opened:
        matrix = read_matrix(opened)
    where = opened.where
    rows = [_row(label[0], where) for label in matrix.rows]
    columns = [_column(label, where) for label in matrix.columns]
    closing = {row.kind for row in rows} | {column.kind for column in columns[-1:]}
    if not closing >= {"tax", "added", "output"} or matrix.columns[-1] != "OUT":
        raise DataError(f"{where}: the rows TLS, VA, OUT or the column OUT are missing. Cut short?")
    table = blocks(matrix.values, rows, columns, where)
    notes = []
    parts = {p: whole for p, whole in PARTS.items() if p in table["regions"]}
    parent: dict[str, str] = {}
    if parts and split == "fold":
        table = fold_regions(table, parts, where)
        notes.append(
            f"{', '.join(parts)} are summed into {', '.join(sorted(set(parts.values())))}."
        )
    elif parts:
        parent = parts
        notes.append(
            f"{', '.join(parts)} are producers of their own; final use stays with "
            f"{', '.join(sorted(set(parts.values())))}, which produce nothing."
        )
    codes: Sequence[str] = table.pop("sectors")
    table["final_categories"] = tuple(FINAL[c] for c in table["final_categories"])
    edition = "2025" if "C24A" in codes else "2023" if "A01_02" in codes else "unknown"
    found = [int(m[0]) for m in YEAR.finditer(Path(member or path.name).name)]
    when = year or (found[-1] if found else None)
    if when is None:
        raise DataError(f"{where}: its name holds no year; say which with --year.")
    if found and when != found[-1]:
        raise DataError(f"{where}: named {found[-1]}, but {when} was asked for.")
    known = {row["code"]: row["name"] for row in sector_concordance()}
    return RawTable(
        name=f"oecd-icio-{when}",
        year=when,
        sectors=tuple(Sector(c, known.get(c, c), c.lower(), divisions(c)) for c in codes),
        region_names=economy_names(table["regions"]) | {k: PART_NAMES[k] for k in parent},
        parent=parent,
        provenance={
            "data": f"OECD, OECD Inter-Country Input-Output Tables, {edition} edition, year {when}, "
            "http://oe.cd/icio",
            "file": Path(member or path.name).name,
            "sha256": sha256(path),
            "terms": TERMS,
            "credit": CREDIT,
            "notes": notes,
            "estimated": [],
        },
        atol=ATOL,
        **table,
    )


def _row(label: str, where: str) -> Line:
    special = {"TLS": "tax", "VA": "added", "OUT": "output"}
    if label in special:
        return Line(special[label], code="value added")
    return _node(label, where)


def _column(label: str, where: str) -> Line:
    if label == "OUT":
        return Line("output")
    line = _node(label, where)
    return Line("final", line.region, line.code) if line.code in FINAL else line


def _node(label: str, where: str) -> Line:
    match = NODE.match(label)
    if not match:
        raise DataError(f"{where}: the label {label!r} is not of the form REGION_ACTIVITY.")
    return Line("node", match[1], match[2])
