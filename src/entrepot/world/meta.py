"""The labels of a stored World as plain data, checked before a number is read."""

from __future__ import annotations

import json
from typing import Any

from entrepot.core.errors import DataError, OutputError
from entrepot.core.provenance import check_provenance
from entrepot.core.tables import Array, Margin, Satellite, Sector
from entrepot.world.world import World

MAX_META = 8_000_000
MAX_NODES = 20_000
# Files without margins are written as version 1, which earlier releases read.
FORMATS = ("entrepot-world-1", "entrepot-world-2")
TABLES = ("Z", "F", "V", "T_inputs", "T_final")


def world_meta(world: World) -> dict[str, Any]:
    """Everything of a World but its numbers."""
    satellites = {}
    for key, s in world.satellites.items():
        satellites[key] = {"dims": s.dims, "unit": s.unit, "source": s.source}
        if s.rule != "mean":
            satellites[key]["rule"] = s.rule
    meta = {
        "format": FORMATS[bool(world.margins)],
        "name": world.name,
        "year": world.year,
        "regions": world.regions,
        "sectors": [[s.code, s.name, s.slug, s.isic] for s in world.sectors],
        "final_categories": world.final_categories,
        "value_added_categories": world.value_added_categories,
        "taxes": world.taxes,
        "region_names": dict(world.region_names),
        "parent": dict(world.parent),
        "provenance": dict(world.provenance),
        "rtol": world.rtol,
        "atol": world.atol,
        "decimals": None,
        "satellites": satellites,
    }
    return meta | ({"margins": sorted(world.margins)} if world.margins else {})


def dump_meta(meta: dict[str, Any], where: object) -> bytes:
    """Labels as JSON; OutputError when they are not plain data or could not be read again."""
    try:
        check_provenance(meta["provenance"])
        text = json.dumps(meta, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise OutputError(f"{where}: labels or provenance are not plain data ({error}).") from None
    if len(text) > MAX_META:
        raise OutputError(f"{where}: labels and provenance take {len(text):,} bytes; too long.")
    return text


def load_meta(text: bytes, where: object) -> dict[str, Any]:
    """Labels from JSON, every one of the kind a World holds.

    Raises DataError or ValueError.
    """
    meta = json.loads(text, parse_constant=_no_constant)
    if not isinstance(meta, dict) or meta.get("format") not in FORMATS:
        raise DataError(f"{where}: not in the format {FORMATS[0]}.")
    _check_meta(meta)
    if len(meta["regions"]) * len(meta["sectors"]) > MAX_NODES:
        raise DataError(f"{where}: more than {MAX_NODES:,} region-sectors are declared; refused.")
    return meta


def array_names(world: World) -> dict[str, Array]:
    """Every array of a World by the name it is stored under."""
    arrays = {name: getattr(world, name) for name in TABLES}
    for i, key in enumerate(sorted(world.margins)):
        arrays[f"margin{i}_inputs"] = world.margins[key].inputs
        arrays[f"margin{i}_final"] = world.margins[key].final
    for i, key in enumerate(sorted(world.satellites)):
        arrays[f"satellite{i}"] = world.satellites[key].values
    return arrays


def array_dims(meta: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The axes of every stored array, by name."""
    dims: dict[str, tuple[str, ...]] = {
        "Z": ("seller", "buyer"),
        "F": ("seller", "destination", "category"),
        "V": ("kind", "buyer"),
        "T_inputs": ("buyer",),
        "T_final": ("destination", "category"),
    }
    for i in range(len(meta.get("margins", []))):
        dims[f"margin{i}_inputs"] = ("buyer",)
        dims[f"margin{i}_final"] = ("destination", "category")
    for i, key in enumerate(sorted(meta["satellites"])):
        dims[f"satellite{i}"] = tuple(meta["satellites"][key]["dims"])
    return dims


def array_shapes(meta: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape that the labels give every stored array."""
    n, s = len(meta["regions"]), len(meta["sectors"])
    size = {
        "seller": n * s,
        "buyer": n * s,
        "destination": n,
        "origin": n,
        "region": n,
        "sector": s,
        "category": len(meta["final_categories"]),
        "kind": len(meta["value_added_categories"]),
    }
    return {name: tuple(size[d] for d in dims) for name, dims in array_dims(meta).items()}


def assemble(meta: dict[str, Any], arrays: dict[str, Array]) -> World:
    """The World that labels and arrays are."""
    satellites = {
        key: Satellite(
            arrays[f"satellite{i}"],
            tuple(row["dims"]),
            row["unit"],
            row["source"],
            row.get("rule", "mean"),
        )
        for i, (key, row) in enumerate(sorted(meta["satellites"].items()))
    }
    margins = {
        key: Margin(arrays[f"margin{i}_inputs"], arrays[f"margin{i}_final"])
        for i, key in enumerate(sorted(meta.get("margins", [])))
    }
    return World(
        name=meta["name"],
        year=meta["year"],
        regions=tuple(meta["regions"]),
        sectors=tuple(Sector(a, b, c, tuple(d)) for a, b, c, d in meta["sectors"]),
        final_categories=tuple(meta["final_categories"]),
        value_added_categories=tuple(meta["value_added_categories"]),
        taxes=meta["taxes"],
        region_names=meta["region_names"],
        parent=meta["parent"],
        margins=margins,
        satellites=satellites,
        provenance=meta["provenance"],
        rtol=meta["rtol"],
        atol=meta["atol"],
        **{name: arrays[name] for name in TABLES},
    )


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} among its labels")


def _check_meta(meta: dict[str, Any]) -> None:
    """Raise ValueError unless every label is of the kind a World holds."""

    def texts(items: Any) -> bool:
        return isinstance(items, list) and all(isinstance(x, str) for x in items)

    def named(items: Any) -> bool:
        return isinstance(items, dict) and texts(list(items.values()))

    def whole(item: Any) -> bool:
        return isinstance(item, int) and not isinstance(item, bool)

    def sector(row: Any) -> bool:
        return (
            isinstance(row, list)
            and len(row) == 4
            and texts(row[:3])
            and isinstance(row[3], list)
            and all(whole(d) for d in row[3])
        )

    def satellite(row: Any) -> bool:
        good = isinstance(row, dict) and texts(row["dims"]) and texts([row["unit"], row["source"]])
        return good and row.get("rule", "mean") in ("sum", "mean")

    kinds = {
        "name": isinstance(meta["name"], str),
        "year": whole(meta["year"]),
        "regions": texts(meta["regions"]),
        "sectors": isinstance(meta["sectors"], list) and all(map(sector, meta["sectors"])),
        "final_categories": texts(meta["final_categories"]),
        "value_added_categories": texts(meta["value_added_categories"]),
        "taxes": isinstance(meta["taxes"], str),
        "region_names": named(meta["region_names"]),
        "parent": named(meta["parent"]),
        "provenance": isinstance(meta["provenance"], dict),
        "rtol": isinstance(meta["rtol"], int | float),
        "atol": isinstance(meta["atol"], int | float),
        "decimals": meta["decimals"] is None
        or (whole(meta["decimals"]) and -9 <= meta["decimals"] <= 15),
        "margins": texts(meta.get("margins", [])),
        "satellites": isinstance(meta["satellites"], dict)
        and all(map(satellite, meta["satellites"].values())),
    }
    for key, good in kinds.items():
        if not good:
            raise ValueError(f"its {key} are not what a world has")
    check_provenance(meta["provenance"])
