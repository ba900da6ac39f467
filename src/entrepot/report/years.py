"""Tables through time in the terminal and in files."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from entrepot.measure.years import Rows
from entrepot.report.files import write_whole
from entrepot.report.measures import digits
from entrepot.report.table import number, plain_table, print_fitting


def print_rows(console: Console, rows: Rows, most: int) -> None:
    """One table: labels to the left, numbers to the right, absent as a dot."""
    frame = rows.frame
    console.rule(f"[bold]{escape(rows.title)}[/bold]")
    for sentence in rows.notes:
        console.print(escape(sentence), highlight=False)
    numbers = [str(c) for c in frame if frame[c].dtype.kind == "f"]
    heads = [str(c) for c in frame]
    table = plain_table(None, [(head, head in numbers) for head in heads])
    lines = rows.to_dict()["rows"]
    if rows.unit == "log change":
        lines.sort(key=lambda row: -abs(row["log_change"] or 0.0))
    for row in lines[:most]:
        places = digits(row.get("unit", rows.unit), frame[numbers].to_numpy())
        table.add_row(
            *(
                number(row[head], places, sign=False)
                if head in numbers
                else escape(str(row[head] or ""))
                for head in heads
            )
        )
    print_fitting(console, table, least=2)
    if len(frame) > most:
        console.print(f"{len(frame) - most:,} more rows: --most, --region, --json or --out.")
    for source in rows.sources:
        console.print(f"[dim]{escape(source)}[/dim]", highlight=False)


def write_rows(rows: Rows, path: Path) -> None:
    """Write the rows as .parquet, .csv or .json; whole or not at all. Raises OutputError."""

    def put(scratch: Path, suffix: str) -> None:
        if suffix == ".json":
            text = json.dumps(rows.to_dict(), ensure_ascii=False, allow_nan=False)
            scratch.write_text(text, encoding="utf-8")
        elif suffix == ".csv":
            rows.frame.to_csv(scratch, index=False, lineterminator="\n")
        else:
            rows.frame.to_parquet(scratch, index=False, compression="zstd")

    write_whole(path, put)
