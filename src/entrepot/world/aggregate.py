"""Summing regions and sectors of a World by a concordance; identities are kept exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import groups
from entrepot.core.errors import WorldError
from entrepot.core.labels import did_you_mean, some
from entrepot.core.provenance import with_step
from entrepot.core.tables import Array, Margin, Satellite, fold, sealed
from entrepot.world.world import Sector, World, trade_flows

Concordance = Mapping[str, str | Mapping[str, float]]
"""Old label to new label, or to several new labels with weights that sum to one."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """New labels of one axis; `index` where every old label has one of them, `weights` always."""

    labels: tuple[str, ...]
    index: NDArray[np.intp] | None
    weights: Array

    def onto(self, array: Array, axis: int) -> Array:
        """Sum (or split and sum) an axis of an array onto the new labels."""
        if self.index is not None:
            return fold(array, self.index, axis, len(self.labels))
        return np.moveaxis(np.tensordot(self.weights, array, axes=(0, axis)), 0, axis)


def aggregate(
    world: World,
    *,
    regions: Concordance | None = None,
    sectors: Concordance | None = None,
    sector_rows: Sequence[Sector] | None = None,
    name: str | None = None,
) -> World:
    """A World with regions and sectors summed by a concordance.

    Parameters
    ----------
    regions, sectors : old label to new label; or, many to many, to a mapping of
        new labels to weights that sum to one, by which every flow, tax and value
        added of the old label is divided. Labels not named keep themselves.
    sector_rows : the new sectors' rows and order; otherwise a merged sector is
        called by its new label and covers its parts' ISIC divisions.

    Satellites follow their rule: amounts are summed; rates and the like are
    averaged, over pairs of regions by flows before duty, else by output. A cell
    to which an absent one contributes is absent.

    Raises WorldError when a concordance names unknown labels or its weights do
    not sum to one.

    """
    on_region = _axis("regions", world.regions, regions)
    on_sector = _axis("sectors", world.sector_codes, sectors)
    if sector_rows is None:
        sector_rows = [_row(world, code, on_sector.weights[:, j]) for j, code in
                       enumerate(on_sector.labels)]  # fmt: skip
    else:
        order = [row.code for row in sector_rows]
        if sorted(order) != sorted(on_sector.labels):
            raise WorldError("sector_rows and the concordance name different sectors.")
        at = [on_sector.labels.index(code) for code in order]
        where = np.argsort(at)
        index = None if on_sector.index is None else where[on_sector.index]
        on_sector = _Axis(tuple(order), index, on_sector.weights[:, at])
    n, s = len(world.regions), len(world.sectors)
    n2, s2 = len(on_region.labels), len(sector_rows)
    c = len(world.final_categories)

    def nodes(array: Array, axis: int) -> Array:
        """Sum an axis of nodes."""
        axis %= array.ndim
        shape = array.shape
        if on_region.index is not None and on_sector.index is not None:
            node = (on_region.index[:, None] * s2 + on_sector.index[None, :]).ravel()
            return fold(array, node, axis, n2 * s2)
        apart = array.reshape(*shape[:axis], n, s, *shape[axis + 1 :])
        summed = on_region.onto(on_sector.onto(apart, axis + 1), axis)
        return summed.reshape(*shape[:axis], n2 * s2, *shape[axis + 1 :])

    # Slack adds up: a node made of k is good to k times what each of them is good to.
    most = float(on_region.weights.sum(0).max() * on_sector.weights.sum(0).max())
    step = {"step": "aggregate", "before": [n, s], "after": [n2, s2]}
    changed = on_region.labels != world.regions or tuple(sector_rows) != world.sectors
    return replace(
        world,
        name=name or world.name,
        regions=on_region.labels,
        sectors=tuple(sector_rows),
        Z=sealed(nodes(nodes(world.Z, 0), 1)),
        F=sealed(on_region.onto(nodes(world.F, 0), 1).reshape(n2 * s2, n2, c)),
        V=sealed(nodes(world.V, 1)),
        T_inputs=nodes(world.T_inputs, 0),
        T_final=on_region.onto(world.T_final, 0),
        margins={
            key: Margin(nodes(m.inputs, 0), on_region.onto(m.final, 0))
            for key, m in world.margins.items()
        },
        region_names={k: v for k, v in world.region_names.items() if k in on_region.labels},
        parent=_parents(world, on_region),
        satellites={
            key: _merge(world, key, satellite, on_region, on_sector)
            for key, satellite in world.satellites.items()
        },
        provenance=with_step(world.provenance, step) if changed else world.provenance,
        atol=max(world.atol * max(most, 1.0), 1e-12 * float(world.x.sum())),
    )


def group_concordance(
    world: World, names: Sequence[str], rest: str | None = None
) -> dict[str, str]:
    """A concordance of regions by dated groups of the catalogue: member to group's name, upper case.

    Regions in none of the groups keep themselves, or become `rest`.

    Raises WorldError for an unknown group, one without a member here, and
    groups that share a region.
    """
    known = groups()
    out: dict[str, str] = {}
    if rest is not None and rest.upper() in {name.upper() for name in names}:
        raise WorldError(f"{rest!r} cannot be a group and the rest; choose another label.")
    for name in names:
        if name not in known:
            raise WorldError(f"there is no group {name!r}{did_you_mean(name, known) or '.'}")
        at = {i for code in known[name]["members"] for i in world.part_of(code)}
        members = [r for i, r in enumerate(world.regions) if i in at]
        if not members:
            raise WorldError(f"the group {name} has no member in {world.name}.")
        shared = [r for r in members if r in out]
        if shared:
            raise WorldError(f"{some(shared)} belong(s) to {name} and to {out[shared[0]]}.")
        out |= dict.fromkeys(members, name.upper())
    if rest is not None:
        out |= {r: rest for r in world.regions if r not in out}
    return out


def _row(world: World, code: str, weights: Array) -> Sector:
    parts = [x for x, w in zip(world.sectors, weights, strict=True) if w]
    if len(parts) == 1 and parts[0].code == code:
        return parts[0]
    isic = tuple(sorted({i for p in parts for i in p.isic}))
    return Sector(code, " and ".join(p.name for p in parts), code.lower(), isic)


def _parents(world: World, axis: _Axis) -> dict[str, str]:
    """A new region has a parent where all its parts have that one (and it is not the parent)."""
    out = {}
    for j, label in enumerate(axis.labels):
        parts = [world.regions[i] for i in np.flatnonzero(axis.weights[:, j])]
        above = {world.parent.get(r) for r in parts}
        if len(above) == 1 and (only := above.pop()) is not None and only != label:
            out[label] = only
    return out


def _merge(world: World, key: str, old: Satellite, on_region: _Axis, on_sector: _Axis) -> Satellite:
    axes = [on_sector if d == "sector" else on_region for d in old.dims]

    def onto(array: Array) -> Array:
        for i, axis in enumerate(axes):
            array = axis.onto(array, i)
        return array

    absent = np.isnan(old.values)
    known = np.where(absent, 0.0, old.values)
    if old.rule == "sum":
        values = onto(known)
        gone = onto(absent.astype(float)) > 0 if absent.any() else None
    else:
        weights = _weights(world, old.dims)
        total = onto(weights)
        # Where nothing flows, a plain mean over the parts stands in.
        flat = onto(np.ones_like(weights))
        plain = np.divide(onto(known), flat, out=np.zeros_like(flat), where=flat > 0)
        values = np.divide(onto(weights * known), total, out=plain, where=total > 0)
        gone = (onto(absent * np.maximum(weights, 1e-300)) > 0) if absent.any() else None
        if key in ("tariffs", "export_taxes"):  # none at home
            np.einsum("sdd->sd", values)[...] = 0
    if gone is not None:
        values = np.where(gone, np.nan, values)
    return replace(old, values=values)


def _weights(world: World, dims: tuple[str, ...]) -> Array:
    """What a mean over the satellite's cells is weighted by, million USD."""
    n, s = len(world.regions), len(world.sectors)
    if "origin" in dims or "destination" in dims:
        flows, _ = trade_flows(world)
        letters = {"sector": "s", "origin": "o", "destination": "d", "region": "d"}
        return np.einsum(f"sod->{''.join(letters[d] for d in dims)}", flows)
    output = world.x.reshape(n, s)
    letters = {"region": "r", "sector": "s"}
    return np.einsum(f"rs->{''.join(letters[d] for d in dims)}", np.maximum(output, 0))


def _axis(axis: str, labels: Sequence[str], mapping: Concordance | None) -> _Axis:
    mapping = mapping or {}
    unknown = [k for k in mapping if k not in labels]
    if unknown:
        raise WorldError(
            f"the concordance names {axis} that are not in the world: {some(unknown)}."
        )
    targets: list[Mapping[str, float]] = []
    for label in labels:
        target = mapping.get(label, label)
        parts = {target: 1.0} if isinstance(target, str) else target
        targets.append({t: w for t, w in parts.items() if w != 0})
    new = list(dict.fromkeys(t for target in targets for t in target))
    place = {t: j for j, t in enumerate(new)}
    weights = np.zeros((len(labels), len(new)))
    for i, target in enumerate(targets):
        for t, w in target.items():
            weights[i, place[t]] = w
    total = weights.sum(1)
    if not np.isfinite(weights).all() or (weights < 0).any() or (np.abs(total - 1) > 1e-9).any():
        bad = [labels[int(i)] for i in np.flatnonzero(~(np.abs(total - 1) <= 1e-9))] or list(
            labels
        )[:1]
        raise WorldError(
            f"the concordance's weights of {some(bad)} must not be negative, and sum to one."
        )
    whole = bool((weights.max(1) == 1.0).all() and (np.count_nonzero(weights, axis=1) == 1).all())
    index = weights.argmax(1).astype(np.intp) if whole else None
    return _Axis(tuple(new), index, weights)
