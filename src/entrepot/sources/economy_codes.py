"""Numeric country codes of trade statistics (UN M49 and its trade variants) to ISO alpha-3.

A code that no ISO economy has is never dropped: it is kept as its three digits.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping

from entrepot.catalogues import economies
from entrepot.core.errors import DataError

# Areas of UN Comtrade that report under another number than their M49 code, because
# customs territory and country differ (UN Comtrade, List of References: reporters).
TRADE_CODES = {251: "FRA", 381: "ITA", 579: "NOR", 699: "IND", 757: "CHE", 842: "USA"}


def iso_codes() -> dict[int, str]:
    """ISO alpha-3 by numeric code: the standard's, and those of trade statistics."""
    standard = {int(row["numeric"]): code for code, row in economies().items() if row["numeric"]}
    return standard | TRADE_CODES


def codes_of_source(text: str, where: str) -> dict[int, str]:
    """ISO alpha-3 by numeric code, a source's own list taken in (country_code, country_iso3).

    A code of the list that is no ISO code (`S19`, `R20`) is not taken. One that
    names an economy that another number of the list already stands for (a
    former territory) is not taken either, so that the two are never summed.
    Raises DataError for a list without these columns or one that contradicts the standard.
    """
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or not {"country_code", "country_iso3"} <= set(rows[0]):
        raise DataError(f"{where}: no list of countries (country_code, country_iso3).")
    known, out = iso_codes(), iso_codes()
    named: dict[int, str] = {}
    for number, row in enumerate(rows, 2):
        code, alpha = (row["country_code"] or "").strip(), (row["country_iso3"] or "").strip()
        if not code.isdigit() or len(code) > 4:
            raise DataError(f"{where} line {number}: {code[:20]!r} is no numeric country code.")
        if alpha in economies():
            if int(code) in named:
                raise DataError(f"{where} line {number}: {code} stands there twice.")
            named[int(code)] = alpha
    for code_, alpha in named.items():
        if known.get(code_, alpha) != alpha:
            raise DataError(f"{where}: {code_} is {alpha} there, {known[code_]} in the standard.")
    taken = {alpha for code_, alpha in named.items() if code_ in known}
    for code_, alpha in sorted(named.items(), reverse=True):  # the newest number first
        if code_ not in known and alpha not in taken:
            out[code_] = alpha
            taken.add(alpha)
    return out


def label(code: int, iso: Mapping[int, str]) -> str:
    """The ISO alpha-3 code, or three digits where there is none."""
    return iso.get(code) or f"{code:03d}"
