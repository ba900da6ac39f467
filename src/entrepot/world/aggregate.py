"""Summing regions and sectors of a World; identities are kept exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import WorldError
from entrepot.core.labels import some
from entrepot.world.world import Sector, World, trade_flows

Array = NDArray[np.float64]


def aggregate(
    world: World,
    *,
    regions: Mapping[str, str] | None = None,
    sectors: Mapping[str, str] | None = None,
    sector_rows: Sequence[Sector] | None = None,
    name: str | None = None,
) -> World:
    """A World with regions and sectors summed by a concordance old -> new.

    Labels not named keep themselves. `sector_rows` gives the new sectors'
    rows and order; otherwise a merged sector is called by its new label and
    covers its parts' ISIC divisions. Only the satellites `tariffs` and
    `export_taxes` are carried, weighted by pre-duty flows.

    Raises WorldError when a concordance names unknown labels.
    """
    new_regions, to_region = _concord("regions", world.regions, regions)
    codes, to_sector = _concord("sectors", world.sector_codes, sectors)
    if sector_rows is None:
        rows = []
        for j, code in enumerate(codes):
            parts = [x for x, k in zip(world.sectors, to_sector, strict=True) if k == j]
            if len(parts) == 1 and parts[0].code == code:
                rows.append(parts[0])
            else:
                isic = tuple(sorted({i for p in parts for i in p.isic}))
                rows.append(Sector(code, " and ".join(p.name for p in parts), code.lower(), isic))
        sector_rows = rows
    else:
        order = [row.code for row in sector_rows]
        if sorted(order) != sorted(codes):
            raise WorldError("sector_rows and the concordance name different sectors.")
        to_sector = np.array([order.index(codes[k]) for k in to_sector])
    n, s = len(new_regions), len(sector_rows)
    node = (to_region[:, None] * s + to_sector[None, :]).ravel()

    Z = fold(fold(world.Z, node, 0, n * s), node, 1, n * s)
    F = fold(fold(world.F, node, 0, n * s), to_region, 1, n)
    satellites = {}
    for key in ("tariffs", "export_taxes"):
        if key in world.satellites:
            old = world.satellites[key]
            weights, _ = trade_flows(world)
            flows, paid = weights, weights * old.values
            for axis, (index, size) in enumerate(((to_sector, s), (to_region, n), (to_region, n))):
                flows, paid = fold(flows, index, axis, size), fold(paid, index, axis, size)
            rate = np.divide(paid, flows, out=np.zeros_like(paid), where=flows > 0)
            np.einsum("sdd->sd", rate)[...] = 0
            satellites[key] = replace(old, values=rate)
    merged = len(new_regions) < len(world.regions)
    return replace(
        world,
        name=name or world.name,
        regions=tuple(new_regions),
        sectors=tuple(sector_rows),
        Z=Z,
        F=F,
        V=fold(world.V, node, 1, n * s),
        T_inputs=fold(world.T_inputs, node, 0, n * s),
        T_final=fold(world.T_final, to_region, 0, n),
        region_names={k: v for k, v in world.region_names.items() if k in new_regions},
        parent={} if merged else world.parent,
        satellites=satellites,
        atol=max(world.atol, 1e-12 * float(world.x.sum())),
    )


def fold(array: Array, index: NDArray[np.intp], axis: int, size: int) -> Array:
    """Sum an axis by group; every group from 0 to size - 1 has a member."""
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(size))
    return np.add.reduceat(np.take(array, order, axis=axis), starts, axis=axis)


def _concord(
    axis: str, labels: Sequence[str], mapping: Mapping[str, str] | None
) -> tuple[list[str], NDArray[np.intp]]:
    mapping = mapping or {}
    unknown = [k for k in mapping if k not in labels]
    if unknown:
        raise WorldError(
            f"the concordance names {axis} that are not in the world: {some(unknown)}."
        )
    targets = [mapping.get(label, label) for label in labels]
    new = list(dict.fromkeys(targets))
    return new, np.array([new.index(t) for t in targets])
