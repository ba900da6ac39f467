"""The plain format: a folder (or a zip of it) of tables that any program can write.

| file | columns or keys |
|---|---|
| `world.json` | format, name, year; at will currency, to_million, taxes, rtol, atol, provenance, satellites |
| `regions.csv` | code; optional: name, parent |
| `sectors.csv` | code; optional: name, slug, isic (`10-12`, or `10 11 12`) |
| `categories.csv` | kind (`final`, `value_added`, `tax`, `margin`), name |
| `flows.csv` or `flows.parquet` | seller_region, seller, buyer_region, buyer, value |
| `satellites/NAME.csv` or `.parquet` | the satellite's axes, value |

A flow's seller is a region and one of its sectors, or `-` and the name of a
value-added, tax or margin category; its buyer is a region and one of its sectors
or a final category. Cells that are not listed are zero; cells of a satellite
that are not listed are absent.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from entrepot.core.errors import DataError, OutputError
from entrepot.core.labels import did_you_mean, some
from entrepot.core.provenance import check_provenance
from entrepot.core.tables import SATELLITE_NAME, Array, Margin, Satellite, Sector, sealed
from entrepot.sources.archive import Opened, members, sha256
from entrepot.sources.files import Files
from entrepot.sources.long import MAX_LABEL, Flat, read_flat, read_flat_parquet
from entrepot.sources.raw import MAX_NODES, RawTable

FORMAT = "entrepot-table-1"
FLOW_LABELS = ("seller_region", "seller", "buyer_region", "buyer")
NO_REGION = "-"
KINDS = ("final", "value_added", "tax", "margin")
MAX_TEXT = 8_000_000
MAX_CATEGORIES = 1000
MAX_CELLS = 600_000_000
"""Cells of the dense table, 8 bytes each, held twice while it is built."""


class _Folder(Files):
    """The files of a plain table, whatever folder of a zip it lies in."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        heads = [n for n in self.names if n.rpartition("/")[2] == "world.json"]
        if len(heads) != 1:
            raise DataError(f"{path}: holds {len(heads)} files world.json; one was expected.")
        self.prefix = heads[0].removesuffix("world.json")
        inside = [n for n in self.names if n.startswith(self.prefix)]
        self.names = [n.removeprefix(self.prefix) for n in inside]

    def where(self, name: str) -> str:
        """A file in words."""
        return super().where(self.prefix + name)

    def require(self, name: str) -> str:
        """The name itself, with the folder it lies in."""
        if name.removeprefix(self.prefix) not in self.names:
            raise DataError(f"{self.path}: no file {name}; a plain table has one.")
        return name

    def open(self, name: str) -> AbstractContextManager[Opened]:
        """One of the files, for reading."""
        return super().open(self.prefix + name)

    def text(self, name: str) -> str:
        self.require(name)
        with self.open(name) as opened:
            data = opened.stream.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise DataError(f"{self.where(name)}: longer than {MAX_TEXT:,} bytes.")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.where(name)}: not text in UTF-8 ({error.reason}).") from None

    def rows(self, name: str, needed: tuple[str, ...]) -> list[dict[str, str]]:
        reader = csv.DictReader(io.StringIO(self.text(name)), strict=True)
        try:
            rows = list(reader)
        except csv.Error as error:
            raise DataError(f"{self.where(name)}: not a CSV table ({error}).") from None
        missing = [c for c in needed if c not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{self.where(name)}: no column {missing[0]!r}.")
        for i, row in enumerate(rows, 2):
            if None in row or None in row.values() or not all(row[c].strip() for c in needed):
                raise DataError(f"{self.where(name)} line {i}: a cell is missing, or one too many.")
        return [{k: v.strip() for k, v in row.items()} for row in rows]

    def flat(self, stem: str, labels: tuple[str, ...], empty: bool = False) -> Flat:
        """A long table, as CSV or Parquet."""
        found = [n for n in self.names if n in (f"{stem}.csv", f"{stem}.parquet")]
        if len(found) != 1:
            raise DataError(
                f"{self.path}: {'both' if found else 'neither'} {stem}.csv and {stem}.parquet "
                f"{'are' if found else 'is'} there; one was expected."
            )
        name = found[0]
        if name.endswith(".csv"):
            with self.open(name) as opened:
                return read_flat(opened, labels, "value", empty)
        if self.is_folder:
            if (self.path / name).is_symlink():
                raise DataError(f"{self.where(name)} is a link; refused.")
            return read_flat_parquet(self.path / self.prefix / name, labels, "value", empty)
        raise DataError(f"{self.where(name)}: Parquet is read from a folder; unpack the zip first.")


def is_plain(path: Path) -> bool:
    """Whether a folder or zip is a table in the plain format."""
    if path.is_dir():
        return (path / "world.json").is_file()
    return any(n.rpartition("/")[2] == "world.json" for n in members(path)) and not any(
        n.endswith(".npy") for n in members(path)
    )


def read(path: Path) -> RawTable:
    """A table in the plain format.

    Raises DataError naming the file and line for unknown labels, labels that
    stand twice, cells given twice, and anything that is no number.
    """
    folder = _Folder(path)
    about = _about(folder)
    regions = folder.rows("regions.csv", ("code",))
    sectors = folder.rows("sectors.csv", ("code",))
    categories = folder.rows("categories.csv", ("kind", "name"))
    odd = [row["kind"] for row in categories if row["kind"] not in KINDS]
    if odd:
        raise DataError(f"{folder.where('categories.csv')}: kind {odd[0]!r} is none of {KINDS}.")
    named = {kind: [r["name"] for r in categories if r["kind"] == kind] for kind in KINDS}
    region_codes, sector_codes = [r["code"] for r in regions], [s["code"] for s in sectors]
    if len(region_codes) * len(sector_codes) > MAX_NODES:
        raise DataError(f"{path}: more than {MAX_NODES:,} region-sectors; refused.")
    nodes, rows_below = len(region_codes) * len(sector_codes), sum(map(len, named.values()))
    wide = nodes + len(region_codes) * len(named["final"])
    if rows_below > MAX_CATEGORIES or (nodes + rows_below) * wide > MAX_CELLS:
        raise DataError(
            f"{path}: more than {MAX_CATEGORIES:,} categories or {MAX_CELLS:,} cells; refused."
        )
    blocks = _blocks(folder, region_codes, sector_codes, named)
    satellites = _satellites(folder, about.get("satellites", {}), region_codes, sector_codes)
    provenance = dict(about.get("provenance", {}))
    if path.is_file():
        provenance.setdefault("sha256", sha256(path))
    return RawTable(
        name=about["name"],
        year=about["year"],
        regions=tuple(region_codes),
        sectors=tuple(
            Sector(
                row["code"],
                row.get("name") or row["code"],
                row.get("slug", row["code"].lower()),
                _isic(row.get("isic", ""), folder.where("sectors.csv")),
            )
            for row in sectors
        ),
        final_categories=tuple(named["final"]),
        value_added_categories=tuple(named["value_added"]),
        taxes=about.get("taxes", "separate"),
        currency=about.get("currency", "USD"),
        to_million=float(about.get("to_million", 1.0)),
        region_names={r["code"]: r["name"] for r in regions if r.get("name")},
        parent={r["code"]: r["parent"] for r in regions if r.get("parent")},
        provenance=provenance,
        rtol=float(about.get("rtol", 1e-9)),
        atol=float(about.get("atol", 1e-6)),
        satellites=satellites,
        **blocks,
    )


def _about(folder: _Folder) -> dict[str, Any]:
    where = folder.where("world.json")
    try:
        about = json.loads(folder.text("world.json"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({str(error)[:80]}).") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"{where}: the key 'format' is not {FORMAT!r}.")
    number = (int, float)
    kinds: dict[str, tuple[Any, bool]] = {
        "format": (str, True),
        "name": (str, True),
        "year": (int, True),
        "currency": (str, False),
        "to_million": (number, False),
        "taxes": (str, False),
        "rtol": (number, False),
        "atol": (number, False),
        "provenance": (dict, False),
        "satellites": (dict, False),
    }
    for key, value in about.items():
        if key not in kinds:
            raise DataError(f"{where}: unknown key {key!r}{did_you_mean(key, kinds) or '.'}")
        if not isinstance(value, kinds[key][0]) or isinstance(value, bool):
            raise DataError(f"{where}: {key} is {str(value)[:80]!r}.")
    for key, (_, needed) in kinds.items():
        if needed and key not in about:
            raise DataError(f"{where}: no key {key!r}.")
    for key in ("to_million", "rtol", "atol"):
        try:
            finite = math.isfinite(float(about.get(key, 0)))
        except OverflowError:
            finite = False
        if not finite:
            raise DataError(f"{where}: {key} is no finite number.")
    try:
        check_provenance(about.get("provenance", {}))
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from None
    if not 0 < float(about.get("to_million", 1)) < 1e12:
        raise DataError(f"{where}: to_million is {about['to_million']}.")
    if about.get("taxes", "separate") not in ("separate", "in_value_added"):
        raise DataError(f"{where}: taxes is {about['taxes']!r}.")
    return about


def _isic(text: str, where: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.replace(",", " ").split():
        match = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part)
        if not match:
            raise DataError(f"{where}: isic {text!r} is not a list of divisions.")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(found))


def _blocks(
    folder: _Folder, regions: list[str], sectors: list[str], named: Mapping[str, list[str]]
) -> dict[str, Any]:
    n, s, c = len(regions), len(sectors), len(named["final"])
    m = n * s
    closing = [(kind, name) for kind in KINDS[1:] for name in named[kind]]
    row_names = [name for _, name in closing]
    for what, names, others in (
        ("buyers", named["final"], sectors),
        ("closing rows", row_names, []),
    ):
        twice = [x for x in names if names.count(x) > 1 or x in others]
        if twice:
            raise DataError(f"{folder.path}: {some(twice)} among the {what} mean two things.")
    flat = folder.flat("flows", FLOW_LABELS)
    where = folder.where("flows")
    place_r = {r: i for i, r in enumerate(regions)}
    place_s = {k: i for i, k in enumerate(sectors)}
    place_f = {k: i for i, k in enumerate(named["final"])}
    place_c = {k: i for i, k in enumerate(row_names)}

    def positions(axis: int, known: Mapping[str, int], missing: int = -1) -> Array:
        return np.array([known.get(x, missing) for x in flat.labels[axis]], dtype=np.int64)

    region_of = positions(0, place_r)[flat.codes[0]]
    no_region = np.array([x == NO_REGION for x in flat.labels[0]])[flat.codes[0]]
    sector_of = positions(1, place_s)[flat.codes[1]]
    closing_of = positions(1, place_c)[flat.codes[1]]
    to_region = positions(2, place_r)[flat.codes[2]]
    to_sector = positions(3, place_s)[flat.codes[3]]
    to_final = positions(3, place_f)[flat.codes[3]]
    for bad, axis, what in (
        ((region_of < 0) & ~no_region, 0, "region"),
        (~no_region & (sector_of < 0), 1, "sector"),
        (no_region & (closing_of < 0), 1, "value-added, tax or margin category"),
        (to_region < 0, 2, "region"),
        ((to_sector < 0) & (to_final < 0), 3, "sector or final category"),
    ):
        if bad.any():
            label = flat.labels[axis][flat.codes[axis][np.argmax(bad)]]
            known = {0: place_r, 1: {**place_s, **place_c}, 2: place_r, 3: {**place_s, **place_f}}
            hint = did_you_mean(label, known[axis])
            raise DataError(f"{where}: {label!r} is no {what} of this table{hint or '.'}")
    rows = np.where(no_region, m + closing_of, region_of * s + sector_of)
    columns = np.where(to_sector >= 0, to_region * s + to_sector, m + to_region * c + to_final)
    values = np.zeros((m + len(closing), m + n * c))
    names = [f"{r} {k}" for r in regions for k in sectors]
    finals = [f"{r} {k}" for r in regions for k in named["final"]]
    Flat(
        (tuple(names + row_names), tuple(names + finals)),
        (rows.astype(np.int32), columns.astype(np.int32)),
        flat.values,
    ).scatter(values, where)
    low = values[m:]
    below = np.abs(low[: len(named["value_added"]), m:]).sum()
    if below > 0:
        raise DataError(f"{where}: value added has no place below final use.")
    kinds = [kind for kind, _ in closing]
    tax = [i for i, kind in enumerate(kinds) if kind == "tax"]
    return {
        "Z": sealed(values[:m, :m]),
        "F": sealed(values[:m, m:].reshape(m, n, c)),
        "V": sealed(low[: len(named["value_added"]), :m]),
        "T_inputs": low[tax, :m].sum(0),
        "T_final": low[tax, m:].sum(0).reshape(n, c),
        "margins": {
            name: Margin(low[i, :m], low[i, m:].reshape(n, c))
            for i, (kind, name) in enumerate(closing)
            if kind == "margin"
        },
    }


def _satellites(
    folder: _Folder, rows: Mapping[str, Any], regions: list[str], sectors: list[str]
) -> dict[str, Satellite]:
    labels = {"sector": sectors, "origin": regions, "destination": regions, "region": regions}
    out = {}
    for name, row in rows.items():
        good = (
            SATELLITE_NAME.match(name)
            and isinstance(row, dict)
            and isinstance(row.get("dims"), list)
            and all(isinstance(d, str) and d in labels for d in row["dims"])
            and isinstance(row.get("unit"), str)
            and isinstance(row.get("source"), str)
            and row["dims"]
            and row.get("rule", "mean") in ("sum", "mean")
        )
        if not good:
            raise DataError(f"{folder.where('world.json')}: satellite {name!r} is not described.")
        dims = tuple(row["dims"])
        flat = folder.flat(f"satellites/{name}", dims, empty=True)
        values = place(flat, [labels[d] for d in dims], name)
        out[name] = Satellite(values, dims, row["unit"], row["source"], row.get("rule", "mean"))
        if fault := out[name].fault:
            raise DataError(f"{folder.where('world.json')}: satellite {name!r}: {fault}.")
    return out


def place(flat: Flat, labels: list[list[str]], where: str) -> Array:
    """An array over exact labels from a long table; NaN where nothing is listed."""
    codes = []
    for axis, known in enumerate(labels):
        at = {x: i for i, x in enumerate(known)}
        unknown = [x for x in flat.labels[axis] if x not in at]
        if unknown:
            raise DataError(
                f"{where}: {some(unknown)} {'is' if len(unknown) == 1 else 'are'} not in the table"
                f"{did_you_mean(unknown[0], known) or '.'}"
            )
        codes.append(np.array([at[x] for x in flat.labels[axis]], np.int32)[flat.codes[axis]])
    out = np.full(tuple(map(len, labels)), np.nan)
    Flat(tuple(map(tuple, labels)), tuple(codes), flat.values).scatter(out, where)
    return out


def write(path: Path, table: RawTable, parquet: bool = True) -> None:
    """Write a table as a folder in the plain format; zero flows are left out.

    Raises OutputError when the folder exists or cannot be written.
    """
    if path.exists():
        raise OutputError(f"{path} exists; it is not overwritten.")
    _require_writable(path, table)
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
        _write_labels(part, table)
        put: Callable[[Path, Any], None] = _put_parquet if parquet else _put_csv
        put(part / "flows", _flows(table))
        for name, satellite in table.satellites.items():
            (part / "satellites").mkdir(exist_ok=True)
            put(part / "satellites" / name, _satellite_rows(table, satellite))
        part.chmod(0o755)
        part.rename(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _require_writable(path: Path, table: RawTable) -> None:
    """Refuse labels that this format could not give back."""
    closing = [*table.value_added_categories, _tax_name(table), *table.margins]
    buyers = [*table.sector_codes, *table.final_categories]
    labels = [*table.regions, *buyers, *closing]
    odd = [x for x in labels if not x or x != x.strip() or len(x) > MAX_LABEL]
    odd += [x for x in table.regions if x == NO_REGION]
    odd += [x for group in (closing, buyers) for x in group if group.count(x) > 1]
    odd += [x for x in table.satellites if not SATELLITE_NAME.match(x)]
    if odd:
        raise OutputError(
            f"{path}: the plain format cannot hold the label {odd[0]!r} (blank, surrounded by "
            "blanks, too long, or with two meanings); write NAME.zarr or NAME.npz."
        )
    try:
        check_provenance(table.provenance)
    except ValueError as error:
        raise OutputError(f"{path}: {error}.") from None


def _tax_name(table: RawTable) -> str:
    """A name for the row of product taxes that no other closing row has."""
    name = "net product taxes"
    taken = {*table.value_added_categories, *table.margins}
    return name if name not in taken else f"{name} (row)"


def _write_labels(part: Path, table: RawTable) -> None:
    about: dict[str, Any] = {
        "format": FORMAT,
        "name": table.name,
        "year": table.year,
        "currency": table.currency,
        "to_million": table.to_million,
        "taxes": table.taxes,
        "rtol": table.rtol,
        "atol": table.atol,
        "provenance": dict(table.provenance),
    }
    if table.satellites:
        about["satellites"] = {
            k: {"dims": list(x.dims), "unit": x.unit, "source": x.source, "rule": x.rule}
            for k, x in table.satellites.items()
        }
    try:
        text = json.dumps(about, ensure_ascii=False, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise OutputError(f"{part}: labels or provenance are not plain data ({error}).") from None
    (part / "world.json").write_text(text + "\n", encoding="utf-8")
    tables: dict[str, list[tuple[str, ...]]] = {
        "regions.csv": [
            ("code", "name", "parent"),
            *((r, table.region_names.get(r, ""), table.parent.get(r, "")) for r in table.regions),
        ],
        "sectors.csv": [
            ("code", "name", "slug", "isic"),
            *((s.code, s.name, s.slug, " ".join(map(str, s.isic))) for s in table.sectors),
        ],
        "categories.csv": [
            ("kind", "name"),
            *(("final", x) for x in table.final_categories),
            *(("value_added", x) for x in table.value_added_categories),
            ("tax", _tax_name(table)),
            *(("margin", x) for x in table.margins),
        ],
    }
    for name, rows in tables.items():
        with (part / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def _flows(table: RawTable) -> Any:
    n, s, c = len(table.regions), len(table.sectors), len(table.final_categories)
    m = n * s
    on_final = np.zeros((len(table.value_added_categories), n * c))
    top = np.concatenate([table.Z, table.F.reshape(m, n * c)], axis=1)
    low = [np.concatenate([table.V, on_final], axis=1)]
    low.append(np.concatenate([table.T_inputs, table.T_final.ravel()])[None])
    low += [np.concatenate([x.inputs, x.final.ravel()])[None] for x in table.margins.values()]
    values = np.concatenate([top, *low])
    closing = [*table.value_added_categories, _tax_name(table), *table.margins]
    at_row, at_column = np.nonzero(values)
    seller_region = np.array([i for i in range(n) for _ in range(s)] + [n] * len(closing), np.int32)
    seller = np.array([*list(range(s)) * n, *range(s, s + len(closing))], np.int32)
    buyer_region = np.array(
        [i for i in range(n) for _ in range(s)] + [i for i in range(n) for _ in range(c)], np.int32
    )
    buyer = np.array([*list(range(s)) * n, *list(range(s, s + c)) * n], np.int32)
    words = (
        (seller_region[at_row], [*table.regions, NO_REGION]),
        (seller[at_row], [*table.sector_codes, *closing]),
        (buyer_region[at_column], list(table.regions)),
        (buyer[at_column], [*table.sector_codes, *table.final_categories]),
    )
    columns = [pa.DictionaryArray.from_arrays(pa.array(i), pa.array(w)) for i, w in words]
    return pa.table([*columns, values[at_row, at_column]], names=[*FLOW_LABELS, "value"])


def _satellite_rows(table: RawTable, satellite: Satellite) -> Any:
    labels = {
        "sector": table.sector_codes,
        "origin": table.regions,
        "destination": table.regions,
        "region": table.regions,
    }
    at = np.nonzero(np.isfinite(satellite.values))
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(i.astype(np.int32)), pa.array(list(labels[d])))
        for i, d in zip(at, satellite.dims, strict=True)
    ]
    return pa.table([*columns, satellite.values[at]], names=[*satellite.dims, "value"])


def _put_parquet(stem: Path, rows: Any) -> None:
    pyarrow.parquet.write_table(rows, stem.with_name(stem.name + ".parquet"), compression="zstd")


def _put_csv(stem: Path, rows: Any) -> None:
    plain = pa.table(
        [c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in rows.columns],
        names=rows.column_names,
    )
    pyarrow.csv.write_csv(plain, stem.with_name(stem.name + ".csv"))
