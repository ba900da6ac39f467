"""Results as plain rows: what terminal, files, JSON and page all read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import economy_names
from entrepot.core.labels import some
from entrepot.core.version import __version__
from entrepot.equilibrium.entry import in_words
from entrepot.equilibrium.path import PATH_TERMS
from entrepot.scenario.variants import label, stated
from entrepot.world.build import steps_in_words

if TYPE_CHECKING:
    from entrepot.equilibrium.outcome import State
    from entrepot.equilibrium.welfare import Welfare
    from entrepot.results.run import Result
    from entrepot.world.world import World

Array = NDArray[np.float64]

UNITS = {
    "welfare_pct": "real income, per cent of base (equivalent variation)",
    "welfare_musd": "equivalent variation, million USD of the base year",
    "compensating_musd": "compensating variation, million USD relative to world value added",
    "welfare_without_transfer_pct": "real income without the trade-deficit transfer, per cent",
    "real_wage_pct": "real wage, per cent",
    "price_level_pct": "final-use price index relative to world value added, per cent",
    "output_pct": "volume of output at base prices, per cent",
    "exports_pct": "volume of exports, as delivered, at base border prices, per cent",
    "imports_pct": "volume of imports, as delivered, at base border prices, per cent",
    "terms_of_trade_pct": "welfare split: terms of trade, per cent of base income",
    "volume_of_trade_pct": "welfare split: volume of trade, per cent of base income",
    "trade_cost_pct": "welfare split: delivery costs saved, per cent of base income",
    "technology_pct": "welfare split: technology, per cent of base income",
    "endowment_pct": "welfare split: endowment, per cent of base income",
    "transfer_pct": "welfare split: change in the trade deficit, per cent of base income",
    "product_tax_pct": "welfare split: product taxes on inputs, per cent of base income",
    "scale_pct": "welfare split: scale, per cent of base income",
    "selection_pct": "welfare split: selection of firms, per cent of base income",
    "higher_order_pct": "welfare split: exact change less the linear terms, per cent",
    "deficit_part_pct": "of which from setting the trade deficit to zero, per cent",
    "trade_creation_musd": "trade creation, million USD at base border prices",
    "trade_diversion_musd": "trade diversion, million USD at base border prices",
    "tariff_revenue_musd": "tariff revenue, million USD relative to world value added",
    "income_musd": "base income (final use), million USD",
}
UNITS |= {
    f"path_{term}_pct": f"along the path of the shock: {meaning}, per cent of base income"
    for term, meaning in PATH_TERMS.items()
}
UNITS["path_left_over_pct"] = "what the path terms miss the exact change by, per cent"

OUTCOMES = (
    "welfare_pct",
    "welfare_musd",
    "welfare_without_transfer_pct",
    "real_wage_pct",
    "price_level_pct",
    "output_pct",
    "exports_pct",
    "imports_pct",
    "tariff_revenue_musd",
    "income_musd",
)
"""Columns of `UNITS` that need neither the scenario nor the split: a sweep can keep them."""

SECTOR_UNITS = {
    "output_musd": "world output, base, million USD",
    "output_pct": "volume of world output at base prices, per cent",
    "trade_musd": "cross-border trade at the border, base, million USD",
    "trade_pct": "volume of cross-border trade at base border prices, per cent",
    "price_pct": "producer prices weighed by base output, relative to world value added, per cent",
    "theta": "trade elasticity",
    "most_gained": "economy whose volume of output rises most (likewise most_lost)",
    "most_gained_musd": "its change at base prices, million USD (likewise most_lost_musd)",
    "most_gained_pct": "the same in per cent of its base output (likewise most_lost_pct)",
}

TRADE_UNITS = {
    "base_musd": "value at the border before duty, base, million USD",
    "new_musd": "value at the border before duty, new, million USD relative to world value added",
    "new_volume_musd": "new volume at base border prices, million USD",
}

FIRST_SERVICE = 35  # ISIC Rev.4 division
UNCHANGED = 5e-4
"""Per cent of real income below which an economy counts as unchanged: what tables print as zero."""

LIMITS = (
    "One kind of labour, fully employed and free to move between sectors: no unemployment, no "
    "adjustment cost, no distribution within an economy.",
    "A comparison of two equilibria: no path between them, no capital accumulation, no growth "
    "effects.",
)

SOURCING = {
    "by_sector": "sourcing by sector, the same mix for every user",
    "by_use": "sourcing by use: one mix for all inputs and one for final use of a product",
    "by_user": "sourcing by user: each using sector and final-use category keeps its own mix",
}


def pct(hat: Array) -> Array:
    """Hat to per cent change."""
    return 100 * (hat - 1)


def _ratio(new: Array, old: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(old > 0, new / old, np.nan)


class Answer(Protocol):
    """What outcome columns are read from: a Result, or one point of a sweep."""

    @property
    def base_world(self) -> World:
        """The world asked."""

    @property
    def base(self) -> State:
        """What results are reported against."""

    @property
    def state(self) -> State:
        """The new equilibrium."""

    @property
    def welfare(self) -> Welfare:
        """Real income and its parts."""


def volumes(result: Answer) -> dict[str, tuple[Array, Array]]:
    """Base and new volumes at base prices, million USD: output, exports, imports (s, n), flows.

    Sales between parts of one economy are no exports.
    """
    base, new = result.base, result.state
    price = new.c[:, :, None] / base.c[:, :, None] * (1 + new.x) / (1 + base.x)
    price = price * new.tau / base.tau
    before, after = base.border.copy(), new.border / price
    for flows in (before, after):
        flows[:, result.base_world.one_economy] = 0
    output = new.Y / (new.c / base.c)
    return {
        "output": (base.Y, output),
        "exports": (before.sum(2), after.sum(2)),
        "imports": (before.sum(1), after.sum(1)),
        "flows": (before, after),
    }


def _plain(value: Any) -> Any:
    """Floats as JSON can hold them: not-a-number becomes None (absent)."""
    value = float(value)
    return value if np.isfinite(value) else None


def outcome_columns(answer: Answer, wanted: Iterable[str]) -> dict[str, Array]:
    """The outcomes wanted, by region (n,), in the order of `OUTCOMES`."""
    wanted, w = set(wanted), answer.welfare
    columns: dict[str, Array] = {
        "welfare_pct": pct(w.real_income),
        "welfare_musd": w.equivalent,
        "compensating_musd": w.compensating,
        "welfare_without_transfer_pct": pct(w.without_transfer),
        "real_wage_pct": pct(w.real_wage),
        "price_level_pct": pct(w.price),
        "tariff_revenue_musd": answer.state.tariff_revenue,
        "income_musd": answer.base.I,
    }
    if wanted & {"output_pct", "exports_pct", "imports_pct"}:
        for key, (before, after) in volumes(answer).items():
            if key != "flows":
                columns[f"{key}_pct"] = pct(_ratio(after.sum(0), before.sum(0)))
    return {key: columns[key] for key in OUTCOMES if key in wanted}


def region_rows(result: Result) -> list[dict[str, Any]]:
    """One row a region; columns as in `UNITS`, absent values None."""
    world = result.base_world
    names = economy_names(world.regions) | dict(world.region_names)
    columns = outcome_columns(result, OUTCOMES)
    for term, values in result.split.items():
        columns[f"{term}_pct"] = 100 * values
    if result.deficit_part is not None:
        columns["deficit_part_pct"] = 100 * result.deficit_part
    if result.path is not None:
        for term, values in result.path.by_region.items():
            columns[f"path_{term}_pct"] = 100 * values
        columns["path_left_over_pct"] = 100 * result.path.left_over
    columns["trade_creation_musd"] = result.shift.creation
    columns["trade_diversion_musd"] = result.shift.diversion
    # Of the outcomes, these two stand last.
    columns |= {key: columns.pop(key) for key in ("tariff_revenue_musd", "income_musd")}
    return [
        {"region": code, "name": names[code]}
        | {key: _plain(values[i]) for key, values in columns.items()}
        for i, code in enumerate(world.regions)
    ]


PATH_UNITS = {
    "term": "a term of the path split",
    "region": "the economy whose real income it is part of",
    "by": "`partner` or `sector`: each of the two halves sums to the whole",
    "partner": "the other side of the border; the economy itself where no border is crossed",
    "sector": "the sector; `all` for terms that have none (endowment, transfer)",
    "value_pct": "per cent of the economy's base income",
}


def path_rows(result: Result) -> list[dict[str, Any]]:
    """The path split by partner, then by sector: tidy rows, zeros left out; columns `PATH_UNITS`."""
    if result.path is None:
        return []
    regions, sectors = result.base_world.regions, result.base_world.sector_codes
    path, out = result.path, []
    without = {k: v[None] for k, v in path.by_region.items() if k not in path.by_sector}
    for table, by, names in (
        (path.by_partner, "partner", regions),
        (path.by_sector, "sector", sectors),
        (without, "sector", ("all",)),
    ):
        for term, cells in table.items():
            for i, d in np.argwhere(cells != 0):
                place = {"by": by, "partner": "all", "sector": "all", by: names[i]}
                value = {"value_pct": 100 * float(cells[i, d])}
                out.append({"term": term, "region": regions[d], **place, **value})
    return out


def sector_rows(result: Result) -> list[dict[str, Any]]:
    """One row a sector: world output, trade and price, and who moves most."""
    world, vol = result.base_world, volumes(result)
    change = pct(_ratio(vol["output"][1], vol["output"][0]))
    shift = vol["output"][1] - vol["output"][0]
    weight = result.base.Y / np.maximum(result.base.Y.sum(1, keepdims=True), 1e-300)
    price = 100 * (weight * (result.state.c / result.base.c - 1)).sum(1)
    rows = []
    for k, sector in enumerate(world.sectors):
        up, down = int(np.argmax(shift[k])), int(np.argmin(shift[k]))
        before, after = (v[k].sum() for v in vol["exports"])
        rows.append(
            {
                "sector": sector.code,
                "name": sector.name,
                "output_musd": _plain(result.base.Y[k].sum()),
                "output_pct": _plain(
                    pct(_ratio(vol["output"][1][k].sum(), result.base.Y[k].sum()))
                ),
                "trade_musd": _plain(before),
                "trade_pct": _plain(pct(_ratio(after, before))),
                "price_pct": _plain(price[k]),
                "theta": float(result.economy.theta[k]),
                "most_gained": world.regions[up],
                "most_gained_musd": _plain(shift[k, up]),
                "most_gained_pct": _plain(change[k, up]),
                "most_lost": world.regions[down],
                "most_lost_musd": _plain(shift[k, down]),
                "most_lost_pct": _plain(change[k, down]),
            }
        )
    return rows


def group_rows(result: Result) -> list[dict[str, Any]]:
    """World, members, others, least-developed and the groups used, each summed.

    Real income weighs by base income (the sum of equivalent variations over
    the sum of incomes); volumes are sums at base prices. Trade among members
    counts. `absent` are members not separate in this world.
    """
    world = result.base_world
    every = np.ones(len(world.regions), bool)
    rows = [_group_row(result, "world", "World", every, ())]
    named = result.lowered.named
    if named.any() and not named.all():
        rows.append(_group_row(result, "members", "Economies named", named, ()))
        rows.append(_group_row(result, "others", "All others", ~named, ()))
    for name, group in result.groups.items():
        mask = np.zeros(len(world.regions), bool)
        mask[[i for code in group.present for i in world.part_of(code)]] = True
        label = f"{group.label}"
        if mask.any():
            rows.append(_group_row(result, name, label, mask, group.absent))
        else:
            rows.append(
                {"group": name, "label": label, "present": [], "absent": list(group.absent)}
            )
    return rows


def _group_row(
    result: Result, key: str, label: str, mask: NDArray[np.bool_], absent: Sequence[str]
) -> dict[str, Any]:
    vol = volumes(result)
    gain = ((result.welfare.real_income - 1) * result.base.I)[mask].sum()
    wage = (result.welfare.real_wage - 1)[mask] @ result.base.V[mask] / result.base.V[mask].sum()
    own = result.base.I - result.base.D
    row = {
        "group": key,
        "label": label,
        "present": [r for r, here in zip(result.base_world.regions, mask, strict=True) if here],
        "absent": list(absent),
        "welfare_pct": _plain(100 * gain / result.base.I[mask].sum()),
        "welfare_musd": _plain(gain),
        "welfare_without_transfer_pct": _plain(
            100 * ((result.welfare.without_transfer - 1) * own)[mask].sum() / own[mask].sum()
        ),
        "real_wage_pct": _plain(100 * wage),
        "gaining": int((pct(result.welfare.real_income[mask]) > UNCHANGED).sum()),
        "losing": int((pct(result.welfare.real_income[mask]) < -UNCHANGED).sum()),
    }
    if result.deficit_part is not None:
        part = (result.deficit_part * result.base.I)[mask].sum() / result.base.I[mask].sum()
        row["deficit_part_pct"] = _plain(100 * part)
    for name in ("output", "exports", "imports"):
        before, after = (v[:, mask].sum() for v in vol[name])
        row[f"{name}_pct"] = _plain(pct(_ratio(after, before)))
    return row


def limits(result: Result) -> list[str]:
    """What the answer leaves out, in sentences."""
    world = result.base_world
    lines = world_limits(world, structure(result))
    if result.lowered.tariff_source == "none":
        lines.append(
            "No tariffs are attached: the revenue that moves when trade moves under existing duties "
            "is left out."
        )
    for group in result.lowered.groups.values():
        if group.absent:
            total = len(group.present) + len(group.absent)
            lines.append(
                f"{group.label}: what concerns this group reaches {len(group.present)} of its {total} "
                f"members; the others are not separate in {world.name}."
            )
    if {change.instrument for change in result.scenario.changes} & {"tariff", "export_tax"}:
        lines.append(
            "Goods differ by origin here, so even a small economy gains from some tariff (up to about "
            "1/theta), at its partners' cost and while they do not answer: no advice to levy one."
        )
    if _moves_services(result):
        lines.append(
            "Neither standard elasticity set holds an estimate for services, so their agreement there "
            "says little."
        )
    lines += [
        note[0].upper() + note[1:] + "." for note in (*result.economy.notes, *result.lowered.notes)
    ]
    return lines


def world_limits(world: World, structure: Iterable[str] = ()) -> list[str]:
    """What any answer on a world leaves out: of the model, of its `structure`, and of the table."""
    said = world.provenance
    lines = [*LIMITS, *structure, *map(str, said.get("notes", [])), *steps_in_words(said)]
    return lines + [f"Estimated, not observed: {text}" for text in said.get("estimated", [])]


def structure(result: Result) -> list[str]:
    """Market structure, sourcing, nests and equilibria of the variant in force, in sentences."""
    given, e = result.scenario.assumptions, result.economy
    v, k = e.variant, stated(given.variant)
    sourcing = SOURCING[given.sourcing]
    if not v.has_scale:
        lines = [f"Perfect competition and constant returns; {sourcing}."]
    else:
        firms = (
            "free entry of firms" if k.scale == 1 else f"scale effects at {k.scale:g} of free entry"
        )
        select = ", firms differing and selecting into markets" if v.selects else ""
        where = ""
        if k.non_tradables == "competitive":
            kept = zip(e.sectors, np.broadcast_to(v.scale, len(e.sectors)) > 0, strict=True)
            left = some([code for code, has in kept if not has])
            where = f"; perfect competition in non-tradables ({left})" if left else ""
        lines = [
            f"Monopolistic competition: {firms}{select}{where}; {sourcing}. Volumes are of input "
            "bundles; what more varieties are worth is in prices and real income."
        ]
    if not v.is_cobb_douglas:
        lines.append(
            f"Elasticities of substitution, assumed: {v.value_added:g} between value added and inputs, "
            f"{v.inputs:g} between inputs, {v.demand:g} between sectors in final use."
        )
    if result.shut is not None:
        lines.append(f"Under free entry, producers shut for good: {some(e.cells(result.shut), 8)}.")
    if result.search is not None:
        said = in_words(e, result.search)
        lines += [line[0].upper() + line[1:] + "." for line in said] or [
            f"Several equilibria are possible under scale effects; {result.search.ended} of "
            f"{result.search.starts} other ways to solve came to this one, the rest to none."
        ]
    return lines


def _moves_services(result: Result) -> bool:
    """Whether the scenario changes barriers to trade in services."""
    shock, e = result.lowered.shock, result.economy
    changed = np.abs(shock.kappa(e) - 1).max((1, 2)) > 0
    touched = changed | shock.embargo.any((1, 2))
    return any(
        moved and bool(sector.isic) and min(sector.isic) >= FIRST_SERVICE
        for moved, sector in zip(touched, result.base_world.sectors, strict=True)
    )


def provenance(result: Result) -> dict[str, Any]:
    """Everything needed to get the same numbers again."""
    world = result.base_world
    text = json.dumps(result.scenario.model_dump(mode="json"), sort_keys=True)
    return {
        "entrepot": __version__,
        "numpy": np.__version__,
        "world": world.name,
        "world_sha256": world.content_hash,
        "world_data": dict(world.provenance),
        "scenario_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "tariffs": result.lowered.tariff_source,
        "elasticities": result.lowered.theta_name,
        "theta": dict(zip(world.sector_codes, result.economy.theta.tolist(), strict=True)),
        "variant": label(result.scenario.assumptions.variant),
        "sourcing": result.scenario.assumptions.sourcing,
        "scale": np.broadcast_to(result.economy.variant.scale, result.economy.theta.shape).tolist(),
        "selection": np.broadcast_to(
            result.economy.variant.selection, result.economy.theta.shape
        ).tolist(),
        "tolerance": result.tolerance,
        "groups": {
            name: {
                "as_of": g.as_of,
                "source": g.source,
                "present": list(g.present),
                "absent": list(g.absent),
            }
            for name, g in result.groups.items()
        },
    }


def assumption_rows(result: Result) -> dict[str, Any]:
    """The assumptions in force, as data."""
    given = result.scenario.assumptions
    return {
        "closure": given.closure,
        "elasticities": result.lowered.theta_name,
        "tariffs": result.lowered.tariff_source,
        "tariffs_assumed": result.lowered.tariffs_assumed,
        "variant": label(given.variant),
        "sourcing": given.sourcing,
        "taxes": given.taxes,
        "inventories": given.inventories,
        "notes": [*result.economy.notes, *result.lowered.notes],
    }


def _sign(welfare_pct: Array) -> Array:
    return np.sign(np.where(np.abs(welfare_pct) > UNCHANGED, welfare_pct, 0.0))


def headline_rows(result: Result) -> list[dict[str, Any]]:
    """Real income under each set of assumptions: world, economies named, others; agreeing signs."""
    named = result.lowered.named
    masks = {"world": np.ones_like(named)}
    if named.any() and not named.all():
        masks |= {"members": named, "others": ~named}
    rows = []
    first = result.headlines[0].welfare_pct
    for head in result.headlines:
        row: dict[str, Any] = {
            "elasticities": head.elasticities,
            "closure": head.closure,
            "reason": head.reason,
        }
        if head.welfare_pct is not None and first is not None:
            for key, mask in masks.items():
                income = result.base.I[mask]
                row[f"{key}_pct"] = _plain(head.welfare_pct[mask] @ income / income.sum())
            row["gaining"] = int((head.welfare_pct > UNCHANGED).sum())
            row["losing"] = int((head.welfare_pct < -UNCHANGED).sum())
            row["same_sign"] = int((_sign(head.welfare_pct) == _sign(first)).sum())
        rows.append(row)
    return rows


def result_dict(result: Result) -> dict[str, Any]:
    """The whole answer as one JSON object."""
    world = result.base_world
    return {
        "world": {
            "name": world.name,
            "year": world.year,
            "regions": len(world.regions),
            "sectors": len(world.sectors),
            "sha256": world.content_hash,
        },
        "scenario": result.scenario.model_dump(mode="json", exclude_none=True),
        "solve": {
            "status": result.solve.status,
            "residual": result.solve.residual,
            "steps": result.solve.steps,
            "seconds": result.solve.seconds,
            "route": result.solve.route,
            "certificate": [
                {"equation": c.equation, "miss": c.miss, "where": c.where}
                for c in result.certificate.checks
            ],
        },
        "groups": group_rows(result),
        "regions": region_rows(result),
        "sectors": sector_rows(result),
        "headlines": headline_rows(result),
        "units": UNITS,
        "sector_units": SECTOR_UNITS,
        "assumptions": assumption_rows(result),
        "limits": limits(result),
        "provenance": provenance(result),
    }
