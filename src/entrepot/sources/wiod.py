"""World Input-Output Database: the 2013 release (41 x 35) and the 2016 release (44 x 56).

Workbooks as published (`.xlsx`, `.xlsb`), from themselves or from the zips that
hold them, and the 2016 release's Stata files. Million USD at current basic
prices.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from entrepot.catalogues import economy_names
from entrepot.catalogues.isic import divisions
from entrepot.core.errors import DataError
from entrepot.core.tables import Sector
from entrepot.sources.archive import choose, is_zip, read_bytes, require_file
from entrepot.sources.layout import Line, blocks
from entrepot.sources.raw import RawTable
from entrepot.sources.sheets import (
    CLOSING,
    file_facts,
    lines,
    read_sheet,
    sheet_table,
    workbook,
)
from entrepot.sources.workbook import Rule

FINAL_2013 = {
    "c37": "household consumption",
    "c38": "consumption of non-profit institutions",
    "c39": "government consumption",
    "c41": "gross fixed capital formation",
    "c42": "changes in inventories and valuables",
}
FINAL_2016 = {
    "CONS_h": "household consumption",
    "CONS_np": "consumption of non-profit institutions",
    "CONS_g": "government consumption",
    "GFCF": "gross fixed capital formation",
    "INVEN": "changes in inventories and valuables",
}
NAME_2013 = re.compile(r"^wiot(\d\d)_row_\w+\.xlsx$", re.IGNORECASE)
NAME_2016 = re.compile(r"^wiot(\d{4})_(?:pyp_)?\w+\.(xlsb|xlsx|dta)$", re.IGNORECASE)
TITLE_YEAR = re.compile(r"(?:19|20)\d\d")
# The published cells are unrounded; columns add up to their totals to 2e-7.
RTOL, ATOL = 1e-6, 0.01
MAX_STATA = 200_000_000


def _region(code: str) -> str:
    return {"ROM": "ROU"}.get(code.upper(), code.upper())


def _item_2013(_code: str, _name: str, item: str) -> tuple[str, str] | None:
    low = item.lower()
    if low in FINAL_2013:
        return "final", FINAL_2013[low]
    if re.fullmatch(r"c([1-9]|[12]\d|3[0-5])", low):
        return "node", low
    return None


def _item_2016(code: str, _name: str, _item: str) -> tuple[str, str] | None:
    if code in FINAL_2016:
        return "final", FINAL_2016[code]
    return ("node", code) if divisions(code) else None


def read_2013(path: Path, *, year: int | None = None, member: str | None = None) -> RawTable:
    """One year of the 2013 release from `wiotYY_row_*.xlsx`, or the zip of them."""

    def fits(name: str) -> bool:
        match = NAME_2013.match(name)
        return match is not None and (year is None or _full(match[1]) == year)

    data, name = workbook(path, fits, member)
    where = str(path) if name == path.name else f"{path} ({name})"
    sheet = read_sheet(data, where, Rule(first=True))
    rows, columns = lines(sheet, where, _region, _item_2013)
    table = sheet_table(sheet, rows, columns, where)
    match = NAME_2013.match(name)
    titled = [int(x) for x in TITLE_YEAR.findall(sheet.titles)][:1]
    titled += [_full(match[1])] if match else []
    when = year or (_full(match[1]) if match else titled[0] if titled else None)
    return _finish(path, name, where, table, when, titled, "2013")


def _full(two: str) -> int:
    return int(two) + (1900 if int(two) > 50 else 2000)


def read_2016(path: Path, *, year: int | None = None, member: str | None = None) -> RawTable:
    """One year of the 2016 release from its workbook or Stata file, or the zip of them."""

    def fits(name: str) -> bool:
        match = NAME_2016.match(name)
        return match is not None and (year is None or int(match[1]) == year)

    require_file(path)
    inner = path.name
    if is_zip(path) and path.suffix.lower() == ".zip":
        inner = choose(path, fits, "table", member)
    if inner.lower().endswith(".dta"):
        return _read_stata(path, None if inner == path.name else inner, year)
    data, name = workbook(path, fits, member)
    where = str(path) if name == path.name else f"{path} ({name})"
    match = NAME_2016.match(name)
    when = year or (int(match[1]) if match else None)
    sheet = read_sheet(data, where, Rule(prefer=rf"^{when}$", first=True))
    rows, columns = lines(sheet, where, _region, _item_2016)
    table = sheet_table(sheet, rows, columns, where)
    if "previous" in sheet.titles.lower():
        raise DataError(
            f"{where}: in previous year's prices; a table in current prices was expected."
        )
    named = [int(match[1])] if match else []
    if re.fullmatch(r"(?:19|20)\d\d", sheet.name):  # the sheet is called by its year
        named.insert(0, int(sheet.name))
        when = when or named[0]
    return _finish(path, name, where, table, when, named, "2016")


def _read_stata(path: Path, member: str | None, year: int | None) -> RawTable:
    import pandas as pd

    where = str(path) if member is None else f"{path} ({member})"
    data = read_bytes(path, member, MAX_STATA)
    try:
        frame = pd.read_stata(io.BytesIO(data), convert_categoricals=False)
    except Exception as error:
        text = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise DataError(f"{where}: the Stata file cannot be read ({text}).") from None
    missing = [c for c in ("IndustryCode", "Country", "RNr", "TOT") if c not in frame.columns]
    if missing:
        raise DataError(f"{where}: no column {missing[0]!r}; not a WIOD table.")
    years = {int(y) for y in frame["Year"]} if "Year" in frame.columns else set()
    when = year or (next(iter(years)) if len(years) == 1 else None)
    if years and when not in years:
        raise DataError(f"{where}: holds {sorted(years)}, not {when}.")
    codes: dict[int, tuple[str, str]] = {}
    rows: list[Line] = []
    for code, country, number, name in zip(
        frame["IndustryCode"],
        frame["Country"],
        frame["RNr"],
        frame.get("IndustryDescription", frame["IndustryCode"]),
        strict=True,
    ):
        if country != "TOT":
            said = (str(code).strip(), str(name).strip())
            if codes.setdefault(int(number), said)[0] != said[0]:
                raise DataError(f"{where}: {country} {number} is {said[0]!r} here, elsewhere not.")
            rows.append(Line("node", _region(country), codes[int(number)][0]))
            continue
        low = str(name).strip().lower()
        kind = next(((k, c) for pattern, k, c in CLOSING if pattern.match(low)), None)
        if kind is None:
            raise DataError(f"{where}: the closing row {code!r} ({name}) is unknown.")
        rows.append(Line(kind[0], code=kind[1]))
    numbers = [c for c in frame.columns if re.fullmatch(r"v?[A-Za-z]{3}\d+", str(c)) or c == "TOT"]
    finals = list(FINAL_2016.values())
    columns: list[Line] = []
    for label in numbers:
        if label == "TOT":
            columns.append(Line("output"))
            continue
        text = str(label).removeprefix("v") if len(str(label)) > 4 else str(label)
        country, number = _region(text[:3]), int(text[3:])
        if number in codes:
            columns.append(Line("node", country, codes[number][0]))
        elif 0 <= number - len(codes) - 1 < len(finals):
            columns.append(Line("final", country, finals[number - len(codes) - 1]))
        else:
            raise DataError(f"{where}: the column {label!r} is unknown.")
    values = frame[numbers].to_numpy(dtype=np.float64)
    table = blocks(values, rows, columns, where)
    names = dict(codes.values())
    table["sectors"] = tuple(Sector(c, names[c], c.lower()) for c in table["sectors"])
    match = NAME_2016.match(Path(member or path.name).name)
    named = [int(match[1])] if match else []
    return _finish(path, member or path.name, where, table, when, named, "2016")


def _finish(
    path: Path,
    name: str,
    where: str,
    table: dict[str, Any],
    when: int | None,
    titled: list[int],
    release: str,
) -> RawTable:
    if when is None:
        raise DataError(
            f"{where}: neither its name nor its title holds a year; say which with --year."
        )
    if any(year != when for year in titled):
        other = next(year for year in titled if year != when)
        raise DataError(f"{where}: of {other} by its name or title, but taken for {when}.")
    table["sectors"] = tuple(
        Sector(x.code, x.name, x.slug, divisions(x.code)) for x in table["sectors"]
    )
    return RawTable(
        name=f"wiod-{release}-{when}",
        year=when,
        region_names=economy_names(table["regions"]),
        provenance={
            "data": f"World Input-Output Database, {release} release, year {when} (Timmer, "
            "Dietzenbacher, Los, Stehrer and de Vries 2015)",
            "terms": "CC BY 4.0",
            **file_facts(path, name),
        },
        rtol=RTOL,
        atol=ATOL,
        **table,
    )
