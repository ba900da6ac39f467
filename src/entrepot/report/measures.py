"""Measures in the terminal and in files."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

from entrepot.measure.measurement import Measured, Measurement
from entrepot.measure.row import FAMILIES, Measure
from entrepot.report.files import write_whole
from entrepot.report.table import number, plain_table, print_fitting


def digits(unit: str, values: Any) -> int:
    """Decimals for values of a unit."""
    if unit == "million USD":
        largest = np.nanmax(np.abs(values), initial=0.0)
        return 0 if largest >= 1000 else 3
    return {"share": 4, "log change": 5, "rank": 1}.get(unit, 3)


def print_catalogue(console: Console, rows: list[Measure]) -> None:
    """Every measure: name, unit, dimensions, meaning, source."""
    for family, members in groupby(rows, key=lambda row: row.family):
        table = plain_table(
            FAMILIES[family],
            [("name", False), ("unit", False), ("of", False), ("meaning", False)],
        )
        for row in members:
            name = f"{row.name}:{row.takes.upper()}" if row.takes else row.name
            what = f"{row.meaning} [dim]{escape(row.source)}.[/dim]"
            if row.needs:
                what += f" [dim]Needs the satellite {row.needs}.[/dim]"
            table.add_row(name, row.unit, " × ".join(row.dims), what, end_section=True)
        console.print(table)


def print_measurement(console: Console, found: Measurement, most: int) -> None:
    """Each measure in a table: measures of the economies side by side, others by size."""
    console.rule(f"[bold]{escape(found.world)}[/bold], {found.year}")
    for sentence in found.notes:
        console.print(escape(sentence), highlight=False)
    for text in found.estimated:
        console.print(f"Estimated, not observed: {escape(text)}", highlight=False)
    plain = [item for item in found.items if item.measure.dims == ("region",)]
    if plain:
        _print_side_by_side(console, plain, most)
    for item in found.items:
        if item.measure.dims != ("region",):
            _print_one(console, item, most)


def _print_side_by_side(console: Console, items: list[Measured], most: int) -> None:
    table = plain_table(None, [("region", False), *((item.name, True) for item in items)])
    labels = items[0].labels["region"]
    for i, label in enumerate(labels[:most]):
        table.add_row(label, *(_figure(item, item.values[i]) for item in items))
    print_fitting(console, table, least=2)
    if len(labels) > most:
        console.print(f"{len(labels) - most} more economies: --most, --region, --json or --out.")
    for item in items:
        console.print(f"[dim]{item.name}: {escape(_about(item))}[/dim]", highlight=False)


def _print_one(console: Console, item: Measured, most: int) -> None:
    """One row a cell, or one row a line of terms, largest first."""
    dims = item.measure.dims
    across = "term" in dims
    lines = item.values if across else item.values[..., None]
    heads = item.labels["term"] if across else ("value",)
    keys = [d for d in dims if d != "term"]
    flat = lines.reshape(-1, lines.shape[-1])
    size = np.abs(np.nan_to_num(flat)).sum(1)
    ranked = item.unit == "rank"  # 1 comes first
    order = np.where(np.isnan(flat[:, -1]), np.inf, flat[:, -1]) if ranked else -size
    shown = np.argsort(order, kind="stable")[:most]
    table = plain_table(
        f"{item.measure.title} ({item.name})",
        [*((k, False) for k in keys), *((h, True) for h in heads)],
    )
    shape = tuple(len(item.labels[k]) for k in keys)
    for place in shown:
        index = np.unravel_index(place, shape)
        words = [item.labels[k][i] for k, i in zip(keys, index, strict=True)]
        table.add_row(*map(escape, words), *(_figure(item, v) for v in flat[place]))
    print_fitting(console, table, least=len(keys) + 1)
    if len(flat) > most:
        which = "first" if ranked else "largest"
        console.print(f"The {most} {which} of {len(flat):,}: --most, --region, --json or --out.")
    console.print(f"[dim]{escape(_about(item))}[/dim]", highlight=False)


def _figure(item: Measured, value: float) -> str:
    if np.isnan(value):
        return "."
    return number(float(value), digits(item.unit, item.values), sign=False)


def _about(item: Measured) -> str:
    words = f"{item.unit}; {item.measure.source}"
    return f"{words}; {item.why_absent}." if item.why_absent else f"{words}."


def write_measurement(found: Measurement, path: Path) -> None:
    """Write measures as tidy rows (.parquet, .csv) or as JSON; whole or not at all.

    Parquet carries the world, its hash, sources and meanings in its metadata.
    Raises OutputError.
    """
    write_whole(path, lambda scratch, suffix: _write(found, scratch, suffix))


def _write(found: Measurement, path: Path, suffix: str) -> None:
    if suffix == ".json":
        text = json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False)
        path.write_text(text, encoding="utf-8")
        return
    rows = found.tidy()
    if suffix == ".csv":
        rows.to_csv(path, index=False, lineterminator="\n")
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(rows, preserve_index=False)
    about = {key: value for key, value in found.to_dict().items() if key != "measures"}
    about["measures"] = {
        item.name: {
            "title": item.measure.title,
            "unit": item.unit,
            "source": item.measure.source,
            "meaning": item.measure.meaning,
        }
        for item in found.items
    }
    table = table.replace_schema_metadata({b"entrepot": json.dumps(about).encode()})
    pq.write_table(table, path, compression="zstd")
