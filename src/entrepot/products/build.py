"""From a release to a store: read once in blocks, checked, sorted, put in place whole."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.core.errors import DataError, OutputError
from entrepot.core.labels import some
from entrepot.products.duck import MEMORY, in_words, settings
from entrepot.products.store import (
    MANIFEST,
    Manifest,
    Store,
    input_files,
    manifest_text,
    open_store,
    part_of,
)

if TYPE_CHECKING:
    from entrepot.sources.flow_rows import Release

PATTERNS = {2: "[0-9]{2}", 4: "[0-9]{4}", 6: "[0-9]{4}[0-9A-Z]{2}"}
KEYS = "importer, product, exporter"


def build_store(
    release: Release, target: str | Path, *, memory: str = MEMORY, threads: int | None = None
) -> Store:
    """Write a release into a new folder and open it; nothing is left when it fails.

    Rows are sorted by importer, product and exporter. Raises OutputError for a
    folder that is there or cannot be written, and DataError for what the reader refuses, a
    product code that is not one of the level, a year out of range, or a flow given twice.
    """
    folder = Path(target)
    place = _new(folder)
    scratch = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=place.parent, prefix=".entrepot-"))
        scratch.chmod(0o755)
        whole = scratch / "store"
        whole.mkdir()
        with settings(memory, threads, scratch) as chosen, in_words(str(folder)):
            manifest = _fill(release, scratch / "raw.parquet", whole, chosen)
        (whole / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
        whole.replace(place)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}).") from None
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
    return open_store(folder)


def _new(folder: Path) -> Path:
    try:
        place = folder.resolve()
        if place.exists():
            raise OutputError(f"{folder} is there already; name a new folder for the store.")
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"{folder}: cannot be written ({error}).") from None
    return place


def _fill(release: Release, raw: Path, whole: Path, chosen: dict[str, Any]) -> Manifest:
    import duckdb
    import pyarrow.parquet as pq

    from entrepot.sources.economy_codes import label
    from entrepot.sources.flow_rows import FLOWS

    with pq.ParquetWriter(raw, FLOWS, compression="zstd", compression_level=1) as writer:
        for batch in release.batches():
            writer.write_batch(batch)
    with duckdb.connect(config=chosen) as con:
        con.execute("SET enable_progress_bar = false")
        con.execute("CREATE VIEW raw AS SELECT * FROM read_parquet(?)".replace("?", _quoted(raw)))
        _check(con, release)
        numbers = con.execute(
            "SELECT exporter FROM raw UNION SELECT importer FROM raw ORDER BY 1"
        ).fetchall()
        codes = [(number, label(number, release.iso)) for (number,) in numbers]
        con.execute("CREATE TABLE codes (number INTEGER, code VARCHAR)")
        if codes:
            con.executemany("INSERT INTO codes VALUES (?, ?)", codes)
        years = [y for (y,) in con.execute("SELECT DISTINCT year FROM raw ORDER BY 1").fetchall()]
        rows: dict[int, int] = {}
        again: list[int] = []
        for year in years:
            if count := _write(con, _trade(year), part_of(whole, "trade", year)):
                rows[year] = count
            if _write(con, _reexports(year), part_of(whole, "reexports", year)):
                again.append(year)
    if not rows:
        raise DataError(
            f"{release.source}: no flow is left of {some([i.name for i in release.inputs])} at "
            f"{release.digits} digits. " + " ".join(release.notes())
        )
    return Manifest(
        source=release.source,
        release=release.version,
        citation=release.citation,
        hs=release.hs(),
        digits=release.digits,
        valuation=release.valuation,
        rows=rows,
        reexport_years=tuple(again),
        numeric_codes=tuple(code for _, code in codes if code.isdigit()),
        inputs=input_files(release.inputs),
        notes=tuple(release.notes()),
    )


def _check(con: Any, release: Release) -> None:
    odd = con.execute(
        "SELECT product FROM raw WHERE NOT regexp_full_match(product, ?) LIMIT 1",
        [PATTERNS[release.digits]],
    ).fetchone()
    if odd:
        raise DataError(
            f"{release.source}: product {odd[0]!r} is no HS code of {release.digits} digits; were "
            "leading zeros lost?"
        )
    odd = con.execute(
        "SELECT year FROM raw WHERE year NOT BETWEEN 1950 AND 2100 LIMIT 1"
    ).fetchone()
    if odd:
        raise DataError(f"{release.source}: {odd[0]} is no year of trade.")


def _side(table: str, flow: str, year: int) -> str:
    """Flows of a year under their economies' codes."""
    return (
        f"SELECT e.code AS exporter, i.code AS importer, product, value, quantity FROM {table} r "  # noqa: S608
        f"JOIN codes e ON e.number = r.exporter JOIN codes i ON i.number = r.importer "
        f"WHERE flow = '{flow}' AND year = {year}"
    )


def _trade(year: int) -> str:
    return _side("raw", "trade", year)


def _reexports(year: int) -> str:
    """Exports and re-exports of the economies that report any of the latter."""
    again, out = _side("raw", "re-exports", year), _side("raw", "exports", year)
    return (
        f"WITH again AS ({again}), out AS (SELECT * FROM ({out}) "  # noqa: S608
        "WHERE exporter IN (SELECT exporter FROM again)) "
        "SELECT exporter, importer, product, out.value AS exports, again.value AS reexports "
        "FROM out FULL JOIN again USING (exporter, importer, product)"
    )


def _write(con: Any, query: str, path: Path) -> int:
    """Write a query's rows in the order of their keys; how many, and no file for none."""
    path.parent.mkdir(parents=True)
    file = _quoted(path)
    con.execute(f"COPY ({query} ORDER BY {KEYS}) TO {file} (FORMAT parquet, COMPRESSION zstd)")
    twice = con.execute(
        f"SELECT exporter, importer, product FROM (SELECT {KEYS}, lag(exporter) OVER () AS e, "  # noqa: S608
        f"lag(importer) OVER () AS i, lag(product) OVER () AS p FROM read_parquet({file})) "
        "WHERE e = exporter AND i = importer AND p = product LIMIT 1"
    ).fetchone()
    if twice:
        e, i, p = twice
        raise DataError(f"{path.parent.name}: the flow of {p} from {e} to {i} is given twice.")
    (count,) = con.execute(f"SELECT count(*) FROM read_parquet({file})").fetchone()  # noqa: S608
    if not count:
        shutil.rmtree(path.parent)
        if not any(path.parent.parent.iterdir()):
            path.parent.parent.rmdir()
    return int(count)


def _quoted(path: Path) -> str:
    """A path as a literal of the query language."""
    return "'" + str(path).replace("'", "''") + "'"
