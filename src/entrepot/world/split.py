"""Splitting a region or a sector of a World: provinces, zones, processing trade, finer industries.

The parts add up to the whole, cell by cell: summing them again gives the world
one started from. Without further data the split is proportional. What is known
to differ between the parts (who exports, who imports, who trades with whom) is
stated as shares, and the rest of the table is fitted to them by iterative
proportional fitting, in which every domestic cell, every part's output and
every part's inputs keep their totals (Deming & Stephan 1940).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from entrepot.core.errors import InfeasibleError, NotConvergedError, WorldError
from entrepot.core.labels import position, some
from entrepot.core.provenance import with_step
from entrepot.core.tables import Array, Margin, Satellite, sealed
from entrepot.world.world import Sector, World

TOLERANCE = 1e-12  # of the region's home sales
MAX_STEPS = 5000


def split_region(
    world: World,
    region: str,
    output: Mapping[str, ArrayLike],
    *,
    final_use: Mapping[str, float] | None = None,
    exports: Mapping[str, ArrayLike] | None = None,
    imports: Mapping[str, ArrayLike] | None = None,
    affinity: ArrayLike | None = None,
    names: Mapping[str, str] | None = None,
    source: str = "",
) -> World:
    """A World in which one region is several, each with the old one (or its parent) as parent.

    Parameters
    ----------
    region : the region to split; its parts take its place.
    output : part to its share of the region's output, one number or one a
        sector (s,); the shares of all parts sum to one.
    final_use : part to its share of the region's final use; value-added shares
        when None.
    exports : part to its share of the region's exports, by sector; output
        shares when None.
    imports : part to its share of the region's imported inputs, by using sector;
        output shares when None. Final users import as they spend.
    affinity : (parts, parts) how much more than proportionally a part sells to
        another; ones when None. Only ratios matter.
    source : where the shares are from, for the provenance.

    Every part has the region's input, tax and value-added structure per unit of
    output; which part supplies an input is fitted. Satellites whose rule is
    `sum` are divided by output shares (final-use shares where they have no sector
    axis), others are copied.

    Raises WorldError for shares that do not sum to one or are negative,
    InfeasibleError naming the sector for shares that cannot hold together
    (exports beyond output), and NotConvergedError when the fit stalls.

    """
    at = position("region", world.regions, region)
    parts = list(output)
    _new_labels(parts, world.regions, region)
    n, s, c = len(world.regions), len(world.sectors), len(world.final_categories)
    w = _shares("output", output, parts, s)
    added = w @ world.V.sum(0).reshape(n, s)[at]
    if final_use is not None:
        f = _shares("final_use", final_use, parts, 1)[:, 0]
    elif added.sum() > 0 and (added >= 0).all():
        f = added / added.sum()
    else:
        raise WorldError(f"{region} has no value added to divide final use by; state final_use.")
    e = w if exports is None else _shares("exports", exports, parts, s)
    m = w if imports is None else _shares("imports", imports, parts, s)
    k = len(parts)
    kin = np.ones((k, k)) if affinity is None else np.asarray(affinity, float)
    if kin.shape != (k, k) or not (np.isfinite(kin) & (kin > 0)).all():
        raise WorldError(f"affinity must be {k} x {k} positive numbers.")

    Z = world.Z.reshape(n, s, n, s)
    F = world.F.reshape(n, s, n, c)
    others = [i for i in range(n) if i != at]
    # Buyers of the region's home sales: its industries, then its final users.
    home = np.concatenate([Z[at, :, at], F[at, :, at]], axis=1)  # (s, s + c)
    bought = np.concatenate(
        [Z[others, :, at].sum((0, 1)), F[others, :, at].sum((0, 1))]
    )  # imports (s + c,)
    sold = Z[at][:, others].sum((1, 2)) + F[at][:, others].sum((1, 2))  # exports (s,)
    use = np.concatenate([w, np.repeat(f[:, None], c, axis=1)], axis=1)  # (k, s + c)
    use_imports = np.concatenate([m, np.repeat(f[:, None], c, axis=1)], axis=1)
    if exports is None and imports is None and affinity is None:
        inner = w[:, :, None, None] * home[None, :, None, :] * use[None, None]
    else:
        inner = _fit(
            world, region, parts, home,
            rows=w * (home.sum(1) + sold) - e * sold,
            columns=use * (home.sum(0) + bought) - use_imports * bought,
            plain=w[:, :, None, None] * use[None, None], affinity=kin[:, None, :, None],
        )  # fmt: skip

    where_old = np.array([i if i < at else i + k - 1 for i in others], dtype=np.intp)
    where_new = np.arange(at, at + k)
    every, kinds = np.arange(s), np.arange(c)
    n2 = n - 1 + k
    Z2, F2 = np.zeros((n2, s, n2, s)), np.zeros((n2, s, n2, c))
    Z2[np.ix_(where_old, every, where_old, every)] = Z[others][:, :, others]
    F2[np.ix_(where_old, every, where_old, kinds)] = F[others][:, :, others]
    for p, i in enumerate(where_new):
        Z2[i][:, where_old] = e[p][:, None, None] * Z[at][:, others]
        F2[i][:, where_old] = e[p][:, None, None] * F[at][:, others]
        Z2[where_old, :, i] = Z[others, :, at] * m[p]
        F2[where_old, :, i] = F[others, :, at] * f[p]
        for q, j in enumerate(where_new):
            Z2[i, :, j] = inner[p, :, q, :s]
            F2[i, :, j] = inner[p, :, q, s:]

    def regional(array: Array, axis: int, shares: Array) -> Array:
        """An array with a region axis, the region's slice divided by shares (k, ...)."""
        moved = np.moveaxis(array, axis, 0)
        out = np.zeros((n2, *moved.shape[1:]))
        out[where_old] = moved[others]
        out[where_new] = shares * moved[at][None]
        return np.moveaxis(out, 0, axis)

    V = regional(world.V.reshape(-1, n, s), 1, w[:, None, :])
    margins = {
        key: Margin(
            regional(x.inputs.reshape(n, s), 0, w).ravel(), regional(x.final, 0, f[:, None])
        )
        for key, x in world.margins.items()
    }
    regions = [*world.regions[:at], *parts, *world.regions[at + 1 :]]
    step: dict[str, Any] = {
        "step": "split region",
        "region": region,
        "parts": parts,
        "source": source or "stated by the user",
        "stated": [x for x, y in (("exports", exports), ("imports", imports), ("affinity", affinity),
                                  ("final use", final_use)) if y is not None],
    }  # fmt: skip
    return replace(
        world,
        regions=tuple(regions),
        Z=sealed(Z2.reshape(n2 * s, n2 * s)),
        F=sealed(F2.reshape(n2 * s, n2, c)),
        V=sealed(V.reshape(-1, n2 * s)),
        T_inputs=regional(world.T_inputs.reshape(n, s), 0, w).ravel(),
        T_final=regional(world.T_final, 0, f[:, None]),
        margins=margins,
        region_names={r: x for r, x in world.region_names.items() if r != region}
        | {p: x for p, x in (names or {}).items() if p in parts},
        parent={r: x for r, x in world.parent.items() if r != region}
        | dict.fromkeys(parts, world.parent.get(region, region)),
        satellites={
            key: _split_satellite(x, world.regions, at, k, w, f, where_old, where_new, others)
            for key, x in world.satellites.items()
        },
        provenance=with_step(world.provenance, step),
        atol=max(world.atol, 10 * TOLERANCE * float(home.sum())),
    )


def _fit(
    world: World, region: str, parts: Sequence[str], home: Array, *,
    rows: Array, columns: Array, plain: Array, affinity: Array,
) -> Array:  # fmt: skip
    """Home flows (part, sector, part, user) with given cells, part-row and part-column sums."""
    negative = home < 0
    fixed = np.zeros_like(plain)
    if negative.any():
        # Stocks drawn down stay proportional; what is fitted is the positive part.
        fixed = plain * np.where(negative, home, 0)[None, :, None]
        rows = rows - fixed.sum((2, 3))
        columns = columns - fixed.sum((0, 1))
        home = np.where(negative, 0, home)
    scale = max(float(home.sum()), 1e-300)
    for what, target, labels in (("exports", rows, world.sector_codes), ("imports", columns, None)):
        low = np.argwhere(target < -1e-9 * scale)
        if len(low):
            p, j = low[0]
            codes = labels or (*world.sector_codes, *world.final_categories)
            raise InfeasibleError(
                f"{region}: the shares of {what} leave {parts[p]} {codes[j]} with negative home "
                f"{'sales' if what == 'exports' else 'purchases'} ({target[p, j]:,.1f} million USD); "
                f"lower its share of {what}, or raise its share of output."
            )
    rows, columns = np.maximum(rows, 0), np.maximum(columns, 0)
    flows = plain * affinity * home[None, :, None, :]

    def ratio(target: Array, got: Array) -> Array:
        return np.divide(target, got, out=np.zeros_like(got), where=got > 0)

    miss = np.inf
    for _ in range(MAX_STEPS):
        flows *= ratio(rows, flows.sum((2, 3)))[:, :, None, None]
        flows *= ratio(columns, flows.sum((0, 1)))[None, None]
        flows *= ratio(home, flows.sum((0, 2)))[None, :, None, :]
        gaps = (flows.sum((2, 3)) - rows, flows.sum((0, 1)) - columns, flows.sum((0, 2)) - home)
        miss = max(float(np.abs(g).max()) for g in gaps) / scale
        if miss < TOLERANCE:
            return flows + fixed
    p, j = np.unravel_index(np.abs(gaps[0]).argmax(), rows.shape)
    raise NotConvergedError(
        f"{region}: the stated shares could not be fitted; worst is {parts[p]} "
        f"{world.sector_codes[j]}, {gaps[0][p, j]:,.3g} million USD off after {MAX_STEPS:,} steps. "
        "The shares probably contradict each other: soften the most extreme ones."
    )


def _split_satellite(
    old: Satellite, regions: Sequence[str], at: int, k: int, w: Array, f: Array,
    where_old: Any, where_new: Any, others: list[int],
) -> Satellite:  # fmt: skip
    n2 = len(where_old) + k
    values = old.values
    for axis, dim in enumerate(old.dims):
        if dim == "sector":
            continue
        moved = np.moveaxis(values, axis, 0)
        out = np.zeros((n2, *moved.shape[1:]))
        out[where_old] = moved[others]
        piece = np.repeat(moved[at][None], k, axis=0)
        if old.rule == "sum":
            rest = [d for d in old.dims if d != dim]
            if "sector" in rest:
                shape = [k, *[1] * len(rest)]
                shape[1 + rest.index("sector")] = -1
                piece = piece * w.reshape(shape)
            else:
                piece = piece * f.reshape([k, *[1] * len(rest)])
        out[where_new] = piece
        values = np.moveaxis(out, 0, axis)
    return replace(old, values=values)


def split_sector(
    world: World,
    sector: str,
    output: Mapping[str, ArrayLike],
    *,
    rows: Sequence[Sector] | None = None,
    source: str = "",
) -> World:
    """A World in which one sector is several, proportionally.

    `output` gives, by new sector, its share of the old one's output: one number,
    or one a region (n,). Every part has the old sector's buyers and inputs.
    `rows` describes the new sectors.

    Raises WorldError for shares that are negative or do not sum to one.
    """
    at = position("sector", world.sector_codes, sector)
    parts = list(output)
    _new_labels(parts, world.sector_codes, sector)
    n = len(world.regions)
    w = _shares("output", output, parts, n)
    about = {row.code: row for row in rows or ()}
    old = world.sectors[at]
    new = [about.get(p, Sector(p, f"{old.name}: {p}", p.lower(), old.isic)) for p in parts]
    order = [*world.sectors[:at], *new, *world.sectors[at + 1 :]]
    done = _by_region(world, at, w, order)
    step = {
        "step": "split sector",
        "sector": sector,
        "parts": parts,
        "source": source or "stated by the user",
    }
    return replace(done, provenance=with_step(world.provenance, step))


def _by_region(world: World, at: int, w: Array, order: Sequence[Sector]) -> World:
    n, s, c = len(world.regions), len(world.sectors), len(world.final_categories)
    k = len(w)
    s2 = s - 1 + k
    # share[region, old sector, new sector]
    share = np.zeros((n, s, s2))
    for j in range(s):
        if j == at:
            share[:, j, at : at + k] = w.T
        else:
            share[:, j, j if j < at else j + k - 1] = 1.0

    def sellers(array: Array) -> Array:
        shaped = array.reshape(n, s, -1)
        return np.einsum("rst,rsx->rtx", share, shaped).reshape(n * s2, *array.shape[1:])

    Z = sellers(sellers(world.Z).T).T
    satellites = {}
    for key, old in world.satellites.items():
        if "sector" not in old.dims:
            satellites[key] = old
            continue
        axis = old.dims.index("sector")
        index = np.repeat(np.arange(s), [k if j == at else 1 for j in range(s)])
        values = np.take(old.values, index, axis=axis)
        if old.rule == "sum":
            if old.dims not in (("sector", "region"), ("region", "sector")):
                raise WorldError(
                    f"the amounts of {key} cannot be divided over its axes {old.dims}."
                )
            wide = np.take(share.max(1), range(s2), axis=1)
            values = values * (wide.T if axis == 0 else wide)
        satellites[key] = replace(old, values=values)
    return replace(
        world,
        sectors=tuple(order),
        Z=sealed(Z),
        F=sealed(sellers(world.F).reshape(n * s2, n, c)),
        V=sealed(sellers(world.V.T).T),
        T_inputs=sellers(world.T_inputs[:, None])[:, 0],
        margins={
            key: Margin(sellers(x.inputs[:, None])[:, 0], x.final)
            for key, x in world.margins.items()
        },
        satellites=satellites,
        atol=max(world.atol, 1e-12 * float(world.x.max())),
    )


def _new_labels(parts: Sequence[str], labels: Sequence[str], whole: str) -> None:
    clash = [p for p in parts if (p in labels and p != whole) or not p.strip()]
    if len(parts) < 2 or clash:
        raise WorldError(
            f"{whole} is split into two parts or more with labels of their own; "
            f"{some(clash) if clash else len(parts)} given."
        )


def _shares(what: str, given: Mapping[str, ArrayLike], parts: Sequence[str], size: int) -> Array:
    if set(given) != set(parts):
        odd = sorted(set(given) ^ set(parts))
        raise WorldError(f"{what}: shares are needed of {some(list(parts))}; odd: {some(odd)}.")
    try:
        out = np.stack([np.broadcast_to(np.asarray(given[p], float), (size,)) for p in parts])
    except ValueError:
        raise WorldError(f"{what}: one share, or {size} of them, for each part.") from None
    if not (np.isfinite(out).all() and (out >= 0).all()):
        raise WorldError(f"{what}: shares must not be negative.")
    if np.abs(out.sum(0) - 1).max() > 1e-9:
        raise WorldError(
            f"{what}: the shares sum to {out.sum(0)[np.abs(out.sum(0) - 1).argmax()]:.9g}."
        )
    return out / out.sum(0)
