"""Scenario x World -> shock: the only translator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues.elasticities import elasticities, elasticity_sets
from entrepot.core.errors import ScenarioError
from entrepot.core.labels import some
from entrepot.equilibrium.calibrate import user_groups
from entrepot.equilibrium.shock import TradeShock
from entrepot.scenario import select
from entrepot.scenario.amounts import Amount
from entrepot.scenario.instruments import INSTRUMENTS, Instrument
from entrepot.scenario.model import BaselineTariff, Change, Scenario
from entrepot.world.aggregate import aggregate
from entrepot.world.groups import GroupUse
from entrepot.world.world import World, attach, trade_flows

Array = NDArray[np.float64]

# Where a sector finds a home supplier when merged: ISIC division -> division of the partner.
MERGE_WITH = {2: 1, 3: 1, 5: 19, 6: 19, 9: 19, 7: 24, 8: 24, 19: 35, 24: 25, 29: 30, 30: 29}


@dataclass(frozen=True, eq=False)
class Lowered:
    """A scenario on one world: the world it is asked of, the shock, and what was assumed.

    `named` marks the economies that the changes name (not through `all`).
    """

    world: World
    shock: TradeShock
    theta: Array
    theta_name: str
    tariff_source: str
    tariffs_assumed: bool
    groups: dict[str, GroupUse]
    named: NDArray[np.bool_]
    notes: tuple[str, ...]


def lower(scenario: Scenario, world: World) -> Lowered:
    """Translate a scenario for a world.

    Raises ScenarioError for unknown names, changes that meet without saying
    how they combine, relative tariff changes without tariffs, and changes
    that touch nothing.
    """
    notes: list[str] = []
    if scenario.assumptions.without_supplier == "merge":
        world, notes = _merge_until_supplied(scenario, world)
    world, source, assumed = with_baseline(world, scenario.assumptions.baseline)
    shock, groups, named = _shock(scenario, world)
    theta, name = theta_for(
        scenario.assumptions.elasticities, world, scenario.assumptions.elasticities_source
    )
    if assumed and "tariffs" in world.satellites:
        notes.append(f"baseline tariffs are an assumption, not data: {source}")
    elif scenario.assumptions.baseline:
        notes.append(
            "the scenario's assumed baseline is not used: tariffs are attached to the world"
        )
    if source == "none" and any(c.instrument == "tariff" for c in scenario.changes):
        notes.append("no tariffs are attached, so tariff changes start from zero")
    for change in scenario.changes:
        if change.ad_valorem_equivalent is not None and change.baseline_cost is None:
            notes.append(
                "ad-valorem equivalents are taken off a trade cost of zero (no level stated)"
            )
            break
    return Lowered(world, shock, theta, name, source, assumed, groups, named, tuple(notes))


def theta_for(
    given: str | float | dict[str, float], world: World, source: str | None = None
) -> tuple[Array, str]:
    """Trade elasticities (s,) of a world's sectors, and their name for the record.

    `source` is where a mapping is from.
    """
    if isinstance(given, dict):
        theta = np.full(len(world.sectors), np.nan)
        owner: dict[int, str] = {}
        for key, value in given.items():
            if key == "default":
                continue
            for k in select.sectors(world, [key], "assumptions.elasticities"):
                if k in owner:
                    raise ScenarioError(
                        f"assumptions.elasticities: {owner[k]!r} and {key!r} both set "
                        f"{world.sectors[k].code}; make them disjoint, or use `default` for "
                        "the rest."
                    )
                owner[k], theta[k] = key, value
        if "default" in given:
            theta[np.isnan(theta)] = given["default"]
        if missing := [c for c, v in zip(world.sector_codes, theta, strict=True) if np.isnan(v)]:
            raise ScenarioError(
                f"assumptions.elasticities: nothing for {some(missing)}; add them or a `default`."
            )
        name = f"given by sector ({source})" if source else "given by sector"
    elif isinstance(given, str):
        theta = elasticities(given, world.sector_codes, [s.isic for s in world.sectors])
        name = f"{given} ({elasticity_sets()[given]['label']})"
    else:
        theta, name = np.full(len(world.sectors), float(given)), f"{given:g} in every sector"
    if not (np.isfinite(theta).all() and (theta > 0).all()):
        raise ScenarioError("assumptions.elasticities: every theta must be positive and finite.")
    return theta, name


def with_baseline(world: World, rows: Sequence[BaselineTariff]) -> tuple[World, str, bool]:
    """The world with tariffs, assumed where it has none; their source; whether they are assumed."""
    if "tariffs" in world.satellites:
        return world, world.satellites["tariffs"].source, False
    if not rows:
        return world, "none", False
    n, s = len(world.regions), len(world.sectors)
    rates = np.zeros((s, n, n))
    owner = np.full((s, n, n), -1, dtype=np.int16)
    for i, row in enumerate(rows):
        where = f"assumptions.baseline[{i}]"
        cells = _cells(world, row.importers, row.exporters, row.sectors, where)[0]
        if (clash := cells & (owner >= 0)).any():
            raise ScenarioError(
                f"{where} and baseline[{owner[clash][0]}] both set {_cell_name(world, clash)}."
            )
        owner[cells] = i
        rates[cells] = row.rate.value
    source = "; ".join(dict.fromkeys(f"{row.rate} ({row.source})" for row in rows))
    world = attach(world, "tariffs", rates, ("sector", "origin", "destination"), "fraction", source)
    return world, source, True


def _cells(
    world: World,
    importers: Sequence[str],
    exporters: Sequence[str],
    names: Sequence[str],
    where: str,
) -> tuple[NDArray[np.bool_], dict[str, GroupUse]]:
    """Cross-border cells (s, n, n) between exporters and importers in sectors.

    Flows between parts of one parent are home flows, unless exporters and
    importers are all named as parts, and of one parent.
    """
    n, s = len(world.regions), len(world.sectors)
    sold, used = select.regions(world, exporters, f"{where}.exporters")
    bought, more = select.regions(world, importers, f"{where}.importers")
    picked = select.sectors(world, names, f"{where}.sectors")
    cells = np.zeros((s, n, n), bool)
    cells[np.ix_(picked, sold, bought)] = True
    np.einsum("sdd->sd", cells)[...] = False
    # No border runs between parts of one economy, unless a change names only such parts.
    parts = [name.removeprefix("!").strip() for name in (*importers, *exporters)]
    if not all(name in world.parent for name in parts) or (cells & ~world.one_economy).any():
        cells &= ~world.one_economy
    if not cells.any():
        raise ScenarioError(
            f"{where}: importers and exporters are the same single economy; there is no border between them."
        )
    return cells, used | more


def _cell_name(world: World, mask: NDArray[np.bool_]) -> str:
    if mask.ndim == 3:
        r, o, d = np.argwhere(mask)[0]
        to = world.regions[d % len(world.regions)]
        return f"{world.sectors[r].code} from {world.regions[o]} to {to}"
    if mask.ndim == 2:
        r, d = np.argwhere(mask)[0]
        return f"{world.sectors[r].code} in {world.regions[d]}"
    return world.regions[int(np.argmax(mask))]


def _shock(
    scenario: Scenario, world: World
) -> tuple[TradeShock, dict[str, GroupUse], NDArray[np.bool_]]:
    n, s = len(world.regions), len(world.sectors)
    has_tariffs = "tariffs" in world.satellites
    zero = np.zeros((s, n, n))
    base: dict[str, Array] = {
        "t": world.satellites["tariffs"].values if has_tariffs else zero,
        "x": world.satellites["export_taxes"].values
        if "export_taxes" in world.satellites
        else zero,
        "embargo": zero,
        "A": np.ones((s, n)),
        "L": np.ones(n),
    }
    one = np.ones((s, n, n))
    by_user = any(change.users is not None for change in scenario.changes)
    sourcing = scenario.assumptions.sourcing
    if by_user:
        groups_of_users = len(user_groups(world, sourcing)[0])
        base["t"] = np.repeat(base["t"][:, :, None, :], groups_of_users, 2).reshape(s, n, -1)
    per_instrument: dict[str, list[tuple[int, Change, NDArray[np.bool_]]]] = {}
    used: dict[str, GroupUse] = {}
    named = np.zeros(n, bool)
    for i, change in enumerate(scenario.changes):
        where = f"changes[{i}]"
        row = INSTRUMENTS[change.instrument]
        if row.border:
            assert change.importers is not None
            cells, groups = _cells(world, change.importers, change.exporters, change.sectors, where)
            if change.both_ways:
                cells = cells | cells.transpose(0, 2, 1)
            if by_user and row.target == "t":
                at = select.users(world, change.users, sourcing, f"{where}.users")
                cells = (cells[:, :, None, :] & at[:, None]).reshape(s, n, -1)
            used |= groups
            for names in (change.importers, change.exporters):
                if "all" not in names and not all(x.startswith("!") for x in names):
                    named[select.regions(world, names, where)[0]] = True
        else:
            makers, groups = select.regions(world, change.exporters, f"{where}.exporters")
            used |= groups
            names = change.exporters
            if "all" not in names and not all(x.startswith("!") for x in names):
                named[makers] = True
            if row.by_sector:
                cells = np.zeros((s, n), bool)
                cells[np.ix_(select.sectors(world, change.sectors, f"{where}.sectors"), makers)] = (
                    True
                )
            else:
                cells = np.zeros(n, bool)
                cells[makers] = True
        if row.name == "tariff" and not has_tariffs and _needs_level(change):
            raise ScenarioError(
                f"{where}: no tariffs are attached to {world.name}, so none can be removed or cut: "
                "attach a table (--tariffs FILE), or state `assumptions: baseline:`."
            )
        has_x = "export_taxes" in world.satellites
        if row.name == "export_tax" and not has_x and _needs_level(change):
            raise ScenarioError(
                f"{where}: no export taxes are attached to {world.name}, so none can be removed "
                "or cut."
            )
        per_instrument.setdefault(row.name, []).append((i, change, cells))

    new = dict(base)
    taxed = np.zeros((s, n, n), bool)  # cells that an export tax or subsidy sets
    tau = one
    for name, entries in per_instrument.items():
        row = INSTRUMENTS[name]
        if row.target == "tau":
            level = _combined(world, row, entries, one)
            with np.errstate(over="ignore"):  # the shock refuses what is not finite
                tau = tau * level
        else:
            touched = np.logical_or.reduce([cells for _, _, cells in entries])
            if row.target == "x":
                if (clash := touched & taxed).any():
                    raise ScenarioError(
                        f"an export tax and an export subsidy meet in {_cell_name(world, clash)}."
                    )
                taxed |= touched
            found = _combined(world, row, entries, base[row.target])
            if new[row.target] is not base[row.target]:  # an export tax beside a subsidy
                np.copyto(found, new[row.target], where=~touched)
            new[row.target] = found
            if row.target in ("t", "x") and (bad := touched & ~(new[row.target] > -1)).any():
                which = [f"changes[{i}]" for i, _, cells in entries if (cells & bad).any()]
                raise ScenarioError(
                    f"{' and '.join(which)}: {name} of {_cell_name(world, bad)} would be -100 % or "
                    "less, which leaves no positive price."
                )
    shock = TradeShock(
        t=new["t"], x=new["x"], tau=tau, embargo=new["embargo"] > 0, A=new["A"], L=new["L"]
    )
    return shock, used, named


def _needs_level(change: Change) -> bool:
    if change.to is not None:
        return change.to.kind == "eliminate" or change.to.value == 0
    return change.by is not None and change.by.kind == "fraction"


def _combined(
    world: World,
    row: Instrument,
    entries: list[tuple[int, Change, NDArray[np.bool_]]],
    base: Array,
) -> Array:
    """New values of one instrument's array; cells met twice follow their stated `combine`."""
    new = base.copy()
    values, before = new.ravel(), base.ravel()
    owner = np.full(base.size, -1, dtype=np.int32)
    for i, change, cells in entries:
        at = np.flatnonzero(cells)
        value = _value(row, change, before[at])
        again = owner[at] >= 0
        if again.any():
            met = at[again]
            for k, other, _ in entries:
                meets = met[owner[met] == k]
                if meets.size and (change.combine is None or other.combine != change.combine):
                    mask = np.zeros(base.shape, bool)
                    mask.ravel()[meets] = True
                    raise ScenarioError(
                        f"changes[{k}] and changes[{i}] both set {row.name} for "
                        f"{_cell_name(world, mask)}; give both the same `combine` "
                        "(multiply, add, max or min), or make them disjoint."
                    )
            how = change.combine or "max"
            value[again] = _meet(row, how, values[met], value[again], before[met])
        values[at] = value
        owner[at] = i
    return new


def _meet(row: Instrument, how: str, new: Array, value: Array, base: Array) -> Array:
    """Two changes of one cell, combined; an embargo met twice is an embargo."""
    if how == "max" or row.target == "embargo":
        return np.maximum(new, value)
    if how == "min":
        return np.minimum(new, value)
    with np.errstate(over="ignore", invalid="ignore"):  # the shock refuses what is not finite
        if how == "add":
            return np.asarray(new + value - base)
        if row.target in ("t", "x"):
            return np.asarray((1 + new) * (1 + value) / (1 + base) - 1)
        return np.asarray(new * value / base)


def _value(row: Instrument, change: Change, base: Array) -> Array:
    """The new values one change alone would set, everywhere."""
    if row.target == "embargo":
        return np.ones_like(base)
    if change.to is not None:
        level = change.to.value
        return np.full_like(base, -level if row.name == "export_subsidy" else level)
    if change.by is not None:
        if row.target in ("t", "x"):
            return (
                base + change.by.value
                if change.by.kind == "points"
                else base * (1 + change.by.value)
            )
        return base * (1 + change.by.value)
    ave, cost = change.ad_valorem_equivalent or Amount(0.0), change.baseline_cost or Amount(0.0)
    if 1 + cost.value + ave.value <= 0:
        raise ScenarioError(f"{row.name}: taking {ave} off 1 plus {cost} leaves nothing positive.")
    return np.asarray(base * (1 + cost.value + ave.value) / (1 + cost.value))


def _merge_until_supplied(scenario: Scenario, world: World) -> tuple[World, list[str]]:
    """Merge sectors, in every economy, until no buyer is left without a supplier."""
    merged: list[str] = []
    while len(world.sectors) > 1:
        try:
            with_base, _, _ = with_baseline(world, scenario.assumptions.baseline)
            shock, _, _ = _shock(scenario, with_base)
        except ScenarioError as error:
            if not merged:
                raise
            raise ScenarioError(f"{error} (without_supplier: merge: {'; '.join(merged)})") from None
        sales, _ = trade_flows(world)
        lost = (sales.sum(1) > 0) & ~((sales > 0) & ~shock.embargo).any(1)
        if not lost.any():
            break
        r = int(np.flatnonzero(lost.any(1))[0])
        here = [f"{world.regions[d]} {world.sectors[r].code}" for d in np.flatnonzero(lost[r])]
        partner = _partner(world, r)
        a, b = world.sectors[min(r, partner)].code, world.sectors[max(r, partner)].code
        merged.append(
            f"{a} and {b} are merged in every economy ({some(here)} without home supplier)"
        )
        world = aggregate(world, sectors={a: f"{a}+{b}", b: f"{a}+{b}"})
    return world, merged


def _partner(world: World, r: int) -> int:
    wanted = {MERGE_WITH[d] for d in world.sectors[r].isic if d in MERGE_WITH}
    for i, sector in enumerate(world.sectors):
        if i != r and wanted & set(sector.isic):
            return i
    return r + 1 if r + 1 < len(world.sectors) else r - 1
