"""UN Comtrade bulk files: each reporter's own flows, all HS levels and totals in one table.

Two layouts: the current one (tab-separated, gzipped, `typeCode ... primaryValue`; "plus"
files break flows down by second partner, customs procedure and means of
transport, "classic" ones hold only the totals over these) and that of the former
site (`Trade Flow Code`, `Commodity Code`, ...). What is a total of other rows is left out
and counted: partner World, reporters that are groups, other HS levels, breakdowns.

Names of columns and codes: UN Comtrade, *List of References & Parameter Codes*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.sources.archive import Opened, choose, is_zip, open_file, require_file
from entrepot.sources.economy_codes import iso_codes
from entrepot.sources.flow_rows import Input, Kind, Release, flows, input_of, read_rows
from entrepot.sources.text import read_header

CURRENT = {
    "period": "refYear",
    "reporter": "reporterCode",
    "partner": "partnerCode",
    "flow": "flowCode",
    "product": "cmdCode",
    "hs": "classificationCode",
    "weight": "netWgt",
    "value": "primaryValue",
}
FORMER = {
    "period": "Year",
    "reporter": "Reporter Code",
    "partner": "Partner Code",
    "flow": "Trade Flow Code",
    "product": "Commodity Code",
    "hs": "Classification",
    "weight": "Netweight (kg)",
    "value": "Trade Value (US$)",
}
KINDS: dict[str, Kind] = {
    "period": "whole",
    "reporter": "whole",
    "partner": "whole",
    "flow": "code",
    "product": "code",
    "hs": "code",
    "weight": "amount?",
    "value": "amount",
}
# The code of "all of them" in each breakdown; the first layout only.
BREAKDOWNS = {"partner2Code": "0", "customsCode": "C00", "motCode": "0", "mosCode": "0"}
FLOW_NAMES = {"1": "M", "2": "X", "3": "RX", "4": "RM"}
REVISIONS = {"H0": "HS92", "H1": "HS96", "H2": "HS02", "H3": "HS07", "H4": "HS12", "H5": "HS17"}
REVISIONS |= {"H6": "HS22"}
LEVELS = {2: "^[0-9]{2}$", 4: "^[0-9]{4}$", 6: "^[0-9]{4}[0-9A-Z]{2}$"}  # 9999AA: by no kind
WORLD = 0
GROUPS = (97,)  # the European Union as a reporter: the sum of its members
REPORTS = {
    "importer": ("M", "cif mostly, reported by importers"),
    "exporter": ("X", "fob mostly, reported by exporters"),
}


@dataclass(eq=False)
class _Tally:
    left_out: Counter[str] = field(default_factory=Counter)
    value: dict[str, float] = field(default_factory=lambda: {"level": 0.0, "total": 0.0})
    revisions: set[str] = field(default_factory=set)


def is_comtrade(path: Path) -> bool:
    """Whether a table's first line has the columns of UN Comtrade."""
    with open_file(path, _member(path)) as opened:
        line = opened.stream.readline(1 << 16).decode("utf-8", "replace")
    return "cmdCode" in line or "Commodity Code" in line


def read_comtrade(paths: Sequence[Path], digits: int = 6, reports: str = "importer") -> Release:
    """Bulk files of annual data in one HS revision, at one level of it.

    Parameters
    ----------
    paths : bulk files (.gz, .csv, .txt, or a zip with one table).
    digits : 2, 4 or 6, the HS level whose rows are taken.
    reports : whose word is taken for a flow, `importer` (imports, M) or `exporter` (exports, X).
        Re-exports (RX) and the exports of those who report them are kept apart in any case.

    Raises DataError for other digits or reports, and, while the files are read,
    for monthly data, classifications other than HS or several at once, a file with nothing but
    breakdowns, and what `read_rows` refuses.

    """
    if digits not in (2, 4, 6):
        raise DataError(f"{digits} digits: UN Comtrade has HS at 2, 4 and 6.")
    if reports not in REPORTS:
        raise DataError(f"Reports of the {reports!r}: importer or exporter was expected.")
    if not paths:
        raise DataError("No UN Comtrade file is named.")
    tally = [_Tally()]
    inputs: tuple[Input, ...] = tuple(map(input_of, paths))
    members = [(path, _member(path)) for path in paths]

    def batches() -> Iterator[pa.RecordBatch]:
        tally[0] = _Tally()  # read again: counted anew
        for path, member in members:
            with open_file(path, member) as opened:
                yield from _read(opened, digits, REPORTS[reports][0], tally[0])

    return Release(
        source="UN Comtrade",
        version="as downloaded",
        hs=lambda: "".join(REVISIONS[code] for code in tally[0].revisions),
        digits=digits,
        valuation=REPORTS[reports][1],
        citation="United Nations, UN Comtrade Database",
        inputs=inputs,
        iso=iso_codes(),
        batches=batches,
        notes=lambda: _notes(tally[0], digits),
    )


def _member(path: Path) -> str | None:
    require_file(path)
    if not is_zip(path):
        return None
    return choose(path, lambda name: name.lower().endswith((".csv", ".txt", ".tsv")), "tables")


def _read(opened: Opened, digits: int, wanted: str, tally: _Tally) -> Iterator[pa.RecordBatch]:
    first = opened.stream.readline(1 << 16)
    delimiter = "\t" if b"\t" in first else ","
    header = read_header(_Again(opened, first).opened(), delimiter)
    names = CURRENT if "cmdCode" in header else FORMER
    columns: dict[str, Kind] = {names[key]: kind for key, kind in KINDS.items()}
    extra = [c for c in (*BREAKDOWNS, "freqCode") if c in header]
    columns |= dict.fromkeys(extra, "code")
    kept = details = 0
    for block in read_rows(opened, delimiter, header, columns):
        rows = block.rename_columns([_own(name, names) for name in block.column_names])
        if "freqCode" in extra and pc.any(pc.not_equal(rows["freqCode"], "A")).as_py():
            raise DataError(f"{opened.where}: monthly data; annual data are read (freqCode A).")
        _one_revision(opened.where, rows, tally)
        total = pa.chunked_array([pa.repeat(True, len(rows))])
        for name in BREAKDOWNS:
            if name in extra:
                here = pc.utf8_trim_whitespace(rows[name])
                blank = pc.equal(here, "")
                total = pc.and_(total, pc.or_(blank, pc.equal(here, BREAKDOWNS[name])))
        details += len(rows) - pc.sum(total).as_py()
        rows = _only(rows, total, "breakdowns by second partner, customs or transport", tally)
        rows = _only(rows, pc.not_equal(rows["partner"], WORLD), "partner World", tally)
        group = pc.is_in(rows["reporter"], pa.array(GROUPS, pa.int32()))
        partner = pc.is_in(rows["partner"], pa.array(GROUPS, pa.int32()))
        rows = _only(rows, pc.invert(pc.or_(group, partner)), "groups of economies", tally)
        kept += len(rows)
        yield from _flows(rows, digits, wanted, tally)
    if details and not kept:
        raise DataError(
            f"{opened.where}: only breakdowns by second partner, customs or transport, without "
            "their totals; take the classic file, or one with both."
        )


class _Again:
    """A stream of which the first line was read already."""

    def __init__(self, opened: Opened, first: bytes) -> None:
        self._opened, self._first = opened, first

    def readline(self, _most: int = -1) -> bytes:
        return self._first

    def opened(self) -> Opened:
        return Opened(self, self._opened.where, self._opened.size)  # type: ignore[arg-type]


def _own(name: str, names: Mapping[str, str]) -> str:
    return next((key for key, theirs in names.items() if theirs == name), name)


def _only(rows: pa.Table, good: pa.ChunkedArray, what: str, tally: _Tally) -> pa.Table:
    kept = rows.filter(good)
    tally.left_out[what] += len(rows) - len(kept)
    return kept


def _one_revision(where: str, rows: pa.Table, tally: _Tally) -> None:
    tally.revisions |= set(rows["hs"].unique().to_pylist())
    if other := sorted(tally.revisions - set(REVISIONS)):
        raise DataError(f"{where}: classification {some(other)}; the HS (H0 to H6) is read.")
    if len(tally.revisions) > 1:
        said = ", ".join(f"{h} ({REVISIONS[h]})" for h in sorted(tally.revisions))
        raise DataError(f"{where}: HS revisions {said} at once; a store holds one. Convert first.")


def _flows(rows: pa.Table, digits: int, wanted: str, tally: _Tally) -> Iterator[pa.RecordBatch]:
    """The rows of the level and flows that are kept, in the schema of all sources."""
    for number, name in FLOW_NAMES.items():
        place = pc.equal(rows["flow"], number)
        rows = rows.set_column(
            rows.column_names.index("flow"), "flow", pc.if_else(place, name, rows["flow"])
        )
    product = rows["product"]
    level = pc.match_substring_regex(product, LEVELS[digits])
    sums = pc.match_substring_regex(product, "^TOTAL$")
    mine = pc.equal(rows["flow"], wanted)
    for key, chosen in (("level", level), ("total", sums)):
        tally.value[key] += pc.sum(rows["value"].filter(pc.and_(chosen, mine))).as_py() or 0.0
    rows = _only(rows, level, f"HS levels other than {digits} digits", tally)
    known = pc.is_in(rows["flow"], pa.array(["M", "X", "RX"]))
    rows = _only(rows, known, "re-imports and flows under special procedures", tally)
    for code, name in ((wanted, "trade"), ("X", "exports"), ("RX", "re-exports")):
        part = rows.filter(pc.equal(rows["flow"], code))
        if len(part):
            sides = (part["reporter"], part["partner"])
            exporter, importer = sides[::-1] if code == "M" else sides
            value = pc.divide(part["value"], 1e6)  # USD to million
            weight = part["weight"]
            # The source writes 0 where no weight was reported: absent, not zero.
            tons = pc.if_else(pc.greater(weight, 0.0), pc.divide(weight, 1e3), None)
            yield from flows(name, part["period"], exporter, importer, part["product"], value, tons)


def _notes(tally: _Tally, digits: int) -> list[str]:
    said = [f"{count:,} rows left out: {what}." for what, count in tally.left_out.items() if count]
    if tally.value["total"]:
        share = tally.value["level"] / tally.value["total"]
        said.append(f"Products at {digits} digits make up {share:.2%} of the totals reported.")
    return said
