"""ADB multi-regional input-output tables: one workbook a year, 35 sectors, 62 to 74 economies.

Million USD, current or constant prices as the sheet says. Economies carry the
bank's own codes, translated here to ISO 3166.
"""

from __future__ import annotations

import re
from pathlib import Path

from entrepot.catalogues import economies, economy_names
from entrepot.core.errors import DataError
from entrepot.sources.raw import RawTable
from entrepot.sources.sheets import file_facts, lines, read_sheet, sheet_table, workbook
from entrepot.sources.workbook import Rule

# Codes that differ from ISO 3166 alpha-3.
ISO = {
    "SWI": "CHE", "PRC": "CHN", "GER": "DEU", "DEN": "DNK", "SPA": "ESP", "UKG": "GBR",
    "INO": "IDN", "IRE": "IRL", "NET": "NLD", "POR": "PRT", "ROM": "ROU", "TAP": "TWN",
    "BAN": "BGD", "MAL": "MYS", "PHI": "PHL", "VIE": "VNM", "MON": "MNG", "SRI": "LKA",
    "FIJ": "FJI", "BRU": "BRN", "BHU": "BTN", "CAM": "KHM", "MLD": "MDV", "NEP": "NPL",
    "SIN": "SGP", "KUW": "KWT", "UAE": "ARE", "TAJ": "TJK", "PAR": "PRY",
}  # fmt: skip
OWN = {"ROW": "ROW", "ROLAC": "ROLAC"}
NAMES = {"ROLAC": "Rest of Latin America and the Caribbean"}
DATA_SHEET = r"^ADB MRIO \d{4}$"
CONSTANT = r"constant[^,(]*prices?"
YEAR = re.compile(r"(?<!\d)(20\d\d)(?!\d)")
INDUSTRY = re.compile(r"^c([1-9]|[12]\d|3[0-5])$", re.IGNORECASE)
RTOL, ATOL = 1e-6, 0.01


def _region(code: str) -> str:
    upper = code.upper()
    found = OWN.get(upper) or ISO.get(upper) or (upper if upper in economies() else None)
    if found is None:
        raise DataError(f"the economy {code!r} is unknown among the bank's codes.")
    return found


def _item(_code: str, name: str, item: str) -> tuple[str, str] | None:
    if INDUSTRY.match(item):
        return "node", item.lower()
    # The order of F1 to F5 differs between descriptions of the tables: the sheet's words decide.
    return ("final", name or item) if re.fullmatch(r"F[1-9]", item) else None


def read(path: Path, *, year: int | None = None, member: str | None = None) -> RawTable:
    """One year of the tables, from its workbook or a zip of workbooks."""

    def fits(name: str) -> bool:
        return name.lower().endswith(".xlsx") and (year is None or str(year) in name)

    data, name = workbook(path, fits, member)
    where = str(path) if name == path.name else f"{path} ({name})"
    sheet = read_sheet(data, where, Rule(DATA_SHEET, ("Legend",)))
    rows, columns = lines(sheet, where, _region, _item)
    table = sheet_table(sheet, rows, columns, where)
    titles = re.sub(CONSTANT, "", sheet.titles, flags=re.IGNORECASE)
    said = [int(y) for y in YEAR.findall(f"{sheet.name} {titles}")][:1]
    said += [int(y) for y in YEAR.findall(name)][:1]  # the first; later ones are of editions
    when = year or (said[0] if said else None)
    if when is None:
        raise DataError(
            f"{where}: neither its sheet nor its title holds a year; say which (--year)."
        )
    if any(year != when for year in said):
        other = next(year for year in said if year != when)
        raise DataError(f"{where}: holds {other} by its name or sheet, not {when}.")
    constant = re.search(CONSTANT, sheet.titles, re.IGNORECASE)
    notes = [f"In {constant[0]}."] if constant else []
    return RawTable(
        name=f"adb-mrio-{when}",
        year=when,
        region_names=economy_names(table["regions"])
        | {k: v for k, v in NAMES.items() if k in table["regions"]},
        provenance={
            "data": f"Asian Development Bank, Multiregional Input-Output Tables, year {when}",
            **file_facts(path, name),
            "notes": notes,
        },
        rtol=RTOL,
        atol=ATOL,
        **table,
    )
