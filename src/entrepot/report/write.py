"""A result folder: written aside, then moved into place whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from entrepot.core.errors import OutputError
from entrepot.results.tables import (
    UNITS,
    provenance,
    region_rows,
    result_dict,
    sector_rows,
    volumes,
)

if TYPE_CHECKING:
    from entrepot.results.run import Result

FILES = ("result.nc", "result.json", "regions.csv", "sectors.csv", "trade.parquet", "provenance.json", "report.html")


def check_folder(folder: Path) -> None:
    """Raise OutputError, before anything is computed, when a result could not be put there."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder for the results.")
    if folder.is_dir():
        strangers = [p.name for p in folder.iterdir() if p.name not in FILES]
        if strangers:
            raise OutputError(
                f"{folder} holds other files ({strangers[0]}); results replace a folder whole, so "
                "name a new or an earlier result folder."
            )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".entrepot-"):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}).") from None


def write_result(result: Result, folder: str | Path) -> Path:
    """Write `result.nc`, tables, provenance and the report; nothing is left when it fails.

    Everything goes to a temporary folder beside the target, which then takes
    its place. Raises OutputError.
    """
    from entrepot.report.page import report_page

    folder = Path(folder)
    check_folder(folder)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".entrepot-"))
    try:
        scratch.chmod(0o755)
        dataset(result).to_netcdf(scratch / "result.nc", engine="h5netcdf")
        _csv(scratch / "regions.csv", region_rows(result))
        _csv(scratch / "sectors.csv", sector_rows(result))
        _trade(result, scratch / "trade.parquet")
        _json(scratch / "provenance.json", provenance(result))
        _json(scratch / "result.json", result_dict(result))
        (scratch / "report.html").write_text(report_page(result), encoding="utf-8")
        if folder.exists():
            old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".entrepot-"))
            folder.replace(old / "old")
            scratch.replace(folder)
            shutil.rmtree(old)
        else:
            scratch.replace(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}).") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _trade(result: Result, path: Path) -> None:
    """Cross-border flows before and after: value and volume, one row a flow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    world = result.base_world
    before, after = volumes(result)["flows"]
    value = result.state.border
    r, o, d = np.nonzero((before > 0) | (after > 0))

    def labels(index: Any, names: tuple[str, ...]) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(index.astype("int32")), pa.array(names))

    table = pa.table(
        {
            "sector": labels(r, world.sector_codes),
            "exporter": labels(o, world.regions),
            "importer": labels(d, world.regions),
            "base_musd": before[r, o, d],
            "new_musd": value[r, o, d],
            "new_volume_musd": after[r, o, d],
        }
    )
    pq.write_table(table, path, compression="zstd")


def dataset(result: Result) -> Any:
    """The result as an xarray Dataset with labels and units."""
    import xarray as xr

    world = result.base_world
    rows = region_rows(result)
    regions, sectors = list(world.regions), list(world.sector_codes)
    data: dict[str, Any] = {}
    for key, unit in UNITS.items():
        if key in rows[0]:
            values = np.array([np.nan if r[key] is None else r[key] for r in rows])
            data[key] = ("region", values, {"units": unit})
    vol = volumes(result)
    by_cell = {
        "base_output_musd": result.base.Y,
        "new_output_volume_musd": vol["output"][1],
        "unit_cost_hat": result.state.c / result.base.c,
        "price_hat": result.state.P / result.base.P,
    }
    for key, values in by_cell.items():
        data[key] = (("sector", "region"), values)
    data["base_trade_musd"] = (("sector", "origin", "destination"), vol["flows"][0])
    data["new_trade_volume_musd"] = (("sector", "origin", "destination"), vol["flows"][1])
    return xr.Dataset(
        data,
        coords={
            "region": regions,
            "sector": sectors,
            "origin": regions,
            "destination": regions,
        },
        attrs={
            "title": result.scenario.name,
            "world": world.name,
            "world_sha256": world.content_hash,
            "scenario": json.dumps(result.scenario.model_dump(mode="json", exclude_none=True)),
            "provenance": json.dumps(provenance(result)),
        },
    )
