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
    TRADE_UNITS,
    UNITS,
    path_rows,
    provenance,
    region_rows,
    result_dict,
    sector_rows,
    volumes,
)

if TYPE_CHECKING:
    from entrepot.results.run import Result

FILES = (
    "result.nc",
    "result.json",
    "regions.csv",
    "sectors.csv",
    "trade.parquet",
    "welfare_path.csv",
    "provenance.json",
    "report.html",
)


def check_folder(folder: Path) -> None:
    """Raise OutputError, before anything is computed, when a result could not be put there.

    Leaves nothing behind, not even parent folders that are still to be made.
    """
    try:
        target = folder.resolve()
        if target.exists() and not target.is_dir():
            raise OutputError(f"{folder} is a file; name a folder for the results.")
        if Path.cwd().is_relative_to(target):
            raise OutputError(
                f"{folder} is the folder you are in, or holds it; results replace a folder whole, "
                "so name another."
            )
        if target.is_dir():
            strangers = [p.name for p in target.iterdir() if p.name not in FILES]
            if strangers:
                raise OutputError(
                    f"{folder} holds other files ({strangers[0]}); results replace a folder whole, "
                    "so name a new or an earlier result folder."
                )
        nearest = next(p for p in target.parents if p.exists())
        with tempfile.TemporaryDirectory(dir=nearest, prefix=".entrepot-"):
            pass
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{folder}: cannot be written ({reason}).") from None


def write_result(result: Result, folder: str | Path) -> Path:
    """Write `result.nc`, tables, provenance and the report; nothing is left when it fails.

    Everything goes to a temporary folder beside the target, which then takes
    its place. Raises OutputError.
    """
    from entrepot.report.page import report_page

    folder = Path(folder)
    check_folder(folder)
    target = folder.resolve()
    scratch = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".entrepot-"))
        scratch.chmod(0o755)
        dataset(result).to_netcdf(scratch / "result.nc", engine="h5netcdf")
        _csv(scratch / "regions.csv", region_rows(result))
        _csv(scratch / "sectors.csv", sector_rows(result))
        _trade(result, scratch / "trade.parquet")
        if result.path is not None:
            _csv(scratch / "welfare_path.csv", path_rows(result))
        _json(scratch / "provenance.json", provenance(result))
        _json(scratch / "result.json", result_dict(result))
        (scratch / "report.html").write_text(report_page(result), encoding="utf-8")
        _put(scratch, target)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}).") from None
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _put(scratch: Path, target: Path) -> None:
    """Move a finished folder into place; an earlier one is moved back when that fails."""
    if not target.exists():
        scratch.replace(target)
        return
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=".entrepot-"))
    try:
        target.replace(aside / "old")
        scratch.replace(target)
    except BaseException:
        if (aside / "old").exists() and not target.exists():
            (aside / "old").replace(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)


def _json(path: Path, data: Any) -> None:
    path.write_text(
        json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8"
    )


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
    fields = [f.with_metadata({"unit": TRADE_UNITS.get(f.name, "")}) for f in table.schema]
    pq.write_table(table.cast(pa.schema(fields)), path, compression="zstd")


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
    }
    for key, values in by_cell.items():
        data[key] = (("sector", "region"), values)
    users = result.economy.users
    prices = (result.state.P / result.base.P).reshape(len(sectors), len(users), -1)
    if len(users) == 1:
        data["price_hat"] = (("sector", "region"), prices[:, 0])
    else:
        data["price_hat"] = (("sector", "user", "region"), prices)
    data["base_trade_musd"] = (("sector", "origin", "destination"), vol["flows"][0])
    data["new_trade_volume_musd"] = (("sector", "origin", "destination"), vol["flows"][1])
    return xr.Dataset(
        data,
        coords={
            "region": regions,
            "sector": sectors,
            "origin": regions,
            "destination": regions,
        }
        | ({} if len(users) == 1 else {"user": list(users)}),
        attrs={
            "title": result.scenario.name,
            "world": world.name,
            "world_sha256": world.content_hash,
            "scenario": json.dumps(result.scenario.model_dump(mode="json", exclude_none=True)),
            "provenance": json.dumps(provenance(result)),
        },
    )
