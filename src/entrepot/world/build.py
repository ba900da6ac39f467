"""From a RawTable to a World: named repairs, chosen by the caller, every one of them logged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import WorldError
from entrepot.core.labels import did_you_mean, some
from entrepot.core.tables import Array, Margin, sealed
from entrepot.sources.raw import RawTable
from entrepot.world.audit import audit
from entrepot.world.facts import Facts
from entrepot.world.world import World

MAX_LOGGED = 10_000
DISCREPANCY = "statistical discrepancy"


@dataclass(frozen=True, slots=True)
class Moved:
    """Cells that a repair changed: where, from what, to what, in the unit of the table."""

    where: tuple[str, ...]
    before: Array
    after: Array


@dataclass(frozen=True, slots=True)
class Repair:
    """One row of the catalogue of repairs."""

    name: str
    argument: str
    meaning: str
    apply: Callable[[RawTable, str], tuple[RawTable, list[Moved]]]


def build(
    raw: RawTable,
    repairs: Sequence[str] = (),
    *,
    rate: float | None = None,
    rate_source: str = "",
    name: str | None = None,
    atol: float | None = None,
    rtol: float | None = None,
) -> World:
    """A World from a table, after the named repairs in the order given.

    Parameters
    ----------
    repairs : names of `REPAIRS`, each with its argument after a colon where it
        takes one (`scale-rows:DEU C10=0.001`).
    rate : million USD per million of the table's currency; needed, and only
        admitted, where the table is not in US dollars. `rate_source` says where
        it is from.
    atol, rtol : the tolerance to declare for the identities, in the unit of the
        table, for the one its source declares.

    Raises WorldError, naming what is wrong and the repairs that apply, when the
    table does not pass its audit.

    """
    table, log = repair(raw, repairs)
    if rate is None and table.currency != "USD":
        raise WorldError(
            f"{raw.name} is in {raw.unit}, and a world is in million USD: state the rate, "
            f"USD per {raw.currency} (--rate)."
        )
    if rate is not None and table.currency == "USD":
        raise WorldError(f"{raw.name} is in {raw.unit} already; no rate applies.")
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise WorldError(f"a rate of {rate} USD per {table.currency} is no price.")
    if atol is not None or rtol is not None:
        table = replace(
            table,
            atol=table.atol if atol is None else atol,
            rtol=table.rtol if rtol is None else rtol,
        )
        log.append({"step": "tolerance", "atol": table.atol, "rtol": table.rtol})
    factor = table.to_million * (1.0 if rate is None else rate)
    provenance: dict[str, Any] = dict(table.provenance)
    if rate is not None:
        log.append(
            {
                "step": "convert",
                "from": table.currency,
                "rate": rate,
                "source": rate_source or "stated by the user",
            }
        )
    if log:
        provenance["steps"] = [*provenance.get("steps", []), *log]
    scaled = {k: getattr(table, k) for k in ("Z", "F", "V", "T_inputs", "T_final")}
    margins = dict(table.margins)
    if factor != 1.0:
        scaled = {k: sealed(a * factor) for k, a in scaled.items()}
        margins = {k: Margin(m.inputs * factor, m.final * factor) for k, m in margins.items()}
    try:
        return World(
            name=name or table.name,
            year=table.year,
            regions=table.regions,
            sectors=table.sectors,
            final_categories=table.final_categories,
            value_added_categories=table.value_added_categories,
            margins=margins,
            taxes=table.taxes,
            region_names=table.region_names,
            parent=table.parent,
            satellites=table.satellites,
            provenance=provenance,
            rtol=table.rtol,
            atol=table.atol * factor,
            **scaled,
        )
    except WorldError as error:
        failed = [f for f in audit(table).findings if f.level == "fail"]
        if not failed:
            raise
        found = "; ".join(
            f"{f.text} ({f.count:,} place{'s' if f.count > 1 else ''}, worst {f.worst[0].where})"
            for f in failed[:3]
        )
        hints = [REMEDIES[f.check] for f in failed if f.check in REMEDIES]
        raise WorldError(
            f"{raw.name} is not a table that can be used as it is: {found}. See all of it with "
            f"`entrepot world check`; {'; '.join(dict.fromkeys(hints)) or error}."
        ) from None


def steps_in_words(provenance: Mapping[str, Any]) -> list[str]:
    """One sentence a step that made a world of its table: what, how many cells, how much."""
    out = []
    for step in provenance.get("steps", []):
        name, argument = step["step"], step.get("argument", "")
        if "cells" in step:
            out.append(
                f"Repair {name}{' ' + argument if argument else ''}: {step['cells']:,} cells, "
                f"{step['sum_absolute']:,.6g} {step['unit']} in absolute value."
            )
        elif name == "convert":
            out.append(f"Converted from {step['from']} at {step['rate']:g} USD ({step['source']}).")
        elif name == "tolerance":
            out.append(f"Tolerance declared: {step['atol']:g} and {step['rtol']:g} of a total.")
        else:
            what = step.get("region") or step.get("sector") or ""
            parts = ", ".join(step.get("parts", []))
            out.append(f"{name.capitalize()}: {what} into {parts} ({step.get('source', '')}).")
    return out


def repair(raw: RawTable, repairs: Sequence[str]) -> tuple[RawTable, list[dict[str, Any]]]:
    """The table after the named repairs, and the log: one entry each, with cells and sizes."""
    log = []
    for text in repairs:
        name, _, argument = text.partition(":")
        if name not in REPAIRS:
            hint = did_you_mean(name, REPAIRS)
            raise WorldError(
                f"there is no repair {name!r}{hint or '.'} Known: {', '.join(REPAIRS)}."
            )
        row = REPAIRS[name]
        if bool(argument) != bool(row.argument):
            need = (
                f"needs an argument: {name}:{row.argument}" if row.argument else "takes no argument"
            )
            raise WorldError(f"the repair {name} {need}.")
        raw, moved = row.apply(raw, argument)
        log.append(_logged(name, argument, moved, raw.unit))
    return raw, log


def _logged(name: str, argument: str, moved: list[Moved], unit: str) -> dict[str, Any]:
    where = [w for m in moved for w in m.where]
    before = np.concatenate([m.before for m in moved]) if moved else np.empty(0)
    after = np.concatenate([m.after for m in moved]) if moved else np.empty(0)
    change = after - np.where(np.isfinite(before), before, 0)
    order = np.argsort(-np.abs(change), kind="stable")[:MAX_LOGGED]
    entry: dict[str, Any] = {
        "step": name,
        "cells": len(where),
        "sum": float(change.sum()),
        "sum_absolute": float(np.abs(change).sum()),
        "unit": unit,
        "changed": [
            [where[i], float(before[i]) if np.isfinite(before[i]) else None, float(after[i])]
            for i in order
        ],
    }
    if argument:
        entry["argument"] = argument
    if len(where) > MAX_LOGGED:
        entry["not_listed"] = len(where) - MAX_LOGGED
    return entry


def _names(raw: RawTable, block: str, spots: NDArray[np.intp]) -> tuple[str, ...]:
    facts = Facts(raw)
    return tuple(facts.cell(block, spot) for spot in spots)


def _replace_cells(
    raw: RawTable, block: str, mask: NDArray[np.bool_], to: float
) -> tuple[Array, Moved]:
    array = getattr(raw, block)
    spots = np.argwhere(mask)
    changed = np.where(mask, to, array)
    moved = Moved(_names(raw, block, spots), array[mask], np.full(len(spots), to))
    return sealed(changed), moved


def _blank_to_zero(raw: RawTable, _: str) -> tuple[RawTable, list[Moved]]:
    moved: list[Moved] = []
    new: dict[str, Any] = {}
    for block in ("Z", "F", "V", "T_inputs", "T_final"):
        mask = ~np.isfinite(getattr(raw, block))
        if mask.any():
            new[block], step = _replace_cells(raw, block, mask, 0.0)
            moved.append(step)
    margins = dict(raw.margins)
    for key, margin in raw.margins.items():
        for part, array in (("inputs", margin.inputs), ("final use", margin.final)):
            mask = ~np.isfinite(array)
            if mask.any():
                spots = np.argwhere(mask)
                names = _names(raw, f"margin {key} on {part}", spots)
                moved.append(Moved(names, array[mask], np.zeros(len(spots))))
        margins[key] = Margin(np.nan_to_num(margin.inputs), np.nan_to_num(margin.final))
    return replace(raw, **new, margins=margins), moved


def _negative_flows_to_zero(raw: RawTable, _: str) -> tuple[RawTable, list[Moved]]:
    Z, moved = _replace_cells(raw, "Z", raw.Z < 0, 0.0)
    return replace(raw, Z=Z), [moved]


def _negative_flows_to_final(raw: RawTable, _: str) -> tuple[RawTable, list[Moved]]:
    n, s = len(raw.regions), len(raw.sectors)
    below = np.minimum(raw.Z, 0)
    Z, moved = _replace_cells(raw, "Z", raw.Z < 0, 0.0)
    extra = below.reshape(n * s, n, s).sum(2)
    F = np.concatenate([raw.F, extra[:, :, None]], axis=2)
    spots = np.argwhere(extra < 0)
    category = "negative intermediate sales"
    names = tuple(f"{raw.node_names[i]} to {raw.regions[d]} {category}" for i, d in spots)
    return (
        replace(
            raw,
            Z=Z,
            F=sealed(F),
            T_final=_wider(raw.T_final),
            margins={k: Margin(m.inputs, _wider(m.final)) for k, m in raw.margins.items()},
            final_categories=(*raw.final_categories, category),
        ),
        [moved, Moved(names, np.zeros(len(spots)), extra[extra < 0])],
    )


def _wider(final: Array) -> Array:
    return np.concatenate([final, np.zeros((len(final), 1))], axis=1)


def _negative_final_to_zero(raw: RawTable, _: str) -> tuple[RawTable, list[Moved]]:
    F, moved = _replace_cells(raw, "F", raw.F < 0, 0.0)
    return replace(raw, F=F), [moved]


def _discrepancy_to_value_added(raw: RawTable, _: str) -> tuple[RawTable, list[Moved]]:
    gap = raw.sales - raw.costs
    _need_numbers(raw, gap, "discrepancy-to-value-added")
    at = np.flatnonzero(gap)
    names = tuple(f"{DISCREPANCY} of {raw.node_names[i]}" for i in at)
    return (
        replace(
            raw,
            V=sealed(np.concatenate([raw.V, gap[None]])),
            value_added_categories=(*raw.value_added_categories, DISCREPANCY),
        ),
        [Moved(names, np.zeros(len(at)), gap[at])],
    )


def _discrepancy_to_final_use(raw: RawTable, _: str) -> tuple[RawTable, list[Moved]]:
    gap = raw.costs - raw.sales
    _need_numbers(raw, gap, "discrepancy-to-final-use")
    n, s = len(raw.regions), len(raw.sectors)
    extra = np.zeros((n, s, n, 1))
    home = np.arange(n)
    extra[home, :, home, 0] = gap.reshape(n, s)
    at = np.flatnonzero(gap)
    names = tuple(
        f"{raw.node_names[i]} to {raw.regions[i // s]} {DISCREPANCY}" for i in at.tolist()
    )
    return (
        replace(
            raw,
            F=sealed(np.concatenate([raw.F, extra.reshape(n * s, n, 1)], axis=2)),
            T_final=_wider(raw.T_final),
            margins={k: Margin(m.inputs, _wider(m.final)) for k, m in raw.margins.items()},
            final_categories=(*raw.final_categories, DISCREPANCY),
        ),
        [Moved(names, np.zeros(len(at)), gap[at])],
    )


def _rebalance(raw: RawTable, _: str) -> tuple[RawTable, list[Moved]]:
    """Scale rows of sales and columns of inputs (GRAS) until every node sells what it costs."""
    from entrepot.world.balance import gras

    n, s, c = len(raw.regions), len(raw.sectors), len(raw.final_categories)
    costs = raw.costs
    _need_numbers(raw, costs - raw.sales, "rebalance")
    stacked = np.concatenate([raw.Z, raw.F.reshape(n * s, n * c)], axis=1)
    columns = stacked.sum(0)
    inputs = columns[: n * s].sum()
    final = columns[n * s :]
    # Industries keep their inputs and value added; final use absorbs what the world total lacks.
    columns[n * s :] = final * ((costs.sum() - inputs) / final.sum())
    names = tuple(f"{r} {k}" for r in raw.regions for k in raw.final_categories)
    done = gras(
        stacked, costs, columns, row_names=raw.node_names, col_names=(*raw.node_names, *names)
    )
    Z = done.values[:, : n * s]
    F = done.values[:, n * s :].reshape(n * s, n, c)
    moved = []
    for block, new in (("Z", Z), ("F", F)):
        old = getattr(raw, block)
        change = np.abs(new - old)
        # Every cell moves a little: list the largest, the sums below cover all.
        count = min(change.size, MAX_LOGGED)
        flat = np.argpartition(-change.ravel(), count - 1)[:count]
        spots = np.stack(np.unravel_index(flat, change.shape), 1)
        moved.append(Moved(_names(raw, block, spots), old.ravel()[flat], new.ravel()[flat]))
    return replace(raw, Z=sealed(Z), F=sealed(F), declared_output=None, declared_input=None), moved


def _need_numbers(raw: RawTable, values: Array, name: str) -> None:
    if not np.isfinite(values).all():
        raise WorldError(f"{raw.name} has blank cells: repair blank-to-zero before {name}.")


def _scale(raw: RawTable, argument: str) -> tuple[str, float]:
    label, _, text = argument.rpartition("=")
    try:
        factor = float(text)
    except ValueError:
        factor = np.nan
    if not label or not np.isfinite(factor) or factor <= 0:
        raise WorldError(f"{argument!r} is not of the form LABEL=FACTOR, with a positive factor.")
    return label.strip(), factor


def _positions(raw: RawTable, label: str) -> NDArray[np.intp]:
    """Nodes named by a region, or by `REGION SECTOR`."""
    s = len(raw.sectors)
    if label in raw.regions:
        return np.arange(s) + raw.regions.index(label) * s
    names = {name: i for i, name in enumerate(raw.node_names)}
    if label in names:
        return np.array([names[label]])
    known = [*raw.regions, *names]
    raise WorldError(
        f"there is no region or region-sector {label!r}{did_you_mean(label, known) or '.'}"
    )


def _scale_rows(raw: RawTable, argument: str) -> tuple[RawTable, list[Moved]]:
    label, factor = _scale(raw, argument)
    at = _positions(raw, label)
    Z, F = raw.Z.copy(), raw.F.copy()
    Z[at] *= factor
    F[at] *= factor
    before = raw.sales[at]
    names = tuple(f"all sales of {raw.node_names[i]}" for i in at)
    return replace(raw, Z=sealed(Z), F=sealed(F)), [Moved(names, before, before * factor)]


def _scale_columns(raw: RawTable, argument: str) -> tuple[RawTable, list[Moved]]:
    label, factor = _scale(raw, argument)
    at = _positions(raw, label)
    Z, V, T = raw.Z.copy(), raw.V.copy(), raw.T_inputs.copy()
    Z[:, at] *= factor
    V[:, at] *= factor
    T[at] *= factor
    margins = {}
    for key, margin in raw.margins.items():
        inputs = margin.inputs.copy()
        inputs[at] *= factor
        margins[key] = Margin(inputs, margin.final)
    before = raw.costs[at]
    names = tuple(f"all costs of {raw.node_names[i]}" for i in at)
    new = replace(raw, Z=sealed(Z), V=sealed(V), T_inputs=sealed(T), margins=margins)
    return new, [Moved(names, before, before * factor)]


def _scale_cell(raw: RawTable, argument: str) -> tuple[RawTable, list[Moved]]:
    label, factor = _scale(raw, argument)
    seller, to, buyer = label.partition(" to ")
    if not to:
        raise WorldError(f"{argument!r} is not of the form 'SELLER to BUYER=FACTOR'.")
    i, j = _positions(raw, seller.strip()), _positions(raw, buyer.strip())
    if len(i) != 1 or len(j) != 1:
        raise WorldError(f"{label!r} names more than one cell; give region and sector of both.")
    Z = raw.Z.copy()
    before = Z[i, j]
    Z[i, j] = before * factor
    return replace(raw, Z=sealed(Z)), [Moved((label,), before, before * factor)]


REPAIRS: dict[str, Repair] = {
    row.name: row
    for row in (
        Repair("blank-to-zero", "", "Blank and non-finite cells become zero.", _blank_to_zero),
        Repair(
            "negative-flows-to-zero",
            "",
            "Negative intermediate sales become zero; totals move by as much.",
            _negative_flows_to_zero,
        ),
        Repair(
            "negative-flows-to-final-use",
            "",
            "Negative intermediate sales move to a final-use category of the buying region; "
            "the seller's total stays.",
            _negative_flows_to_final,
        ),
        Repair(
            "negative-final-use-to-zero",
            "",
            "Negative final use (stocks drawn down) becomes zero; totals move by as much.",
            _negative_final_to_zero,
        ),
        Repair(
            "discrepancy-to-value-added",
            "",
            f"Sales less costs become a value-added category, {DISCREPANCY!r}; sales stay.",
            _discrepancy_to_value_added,
        ),
        Repair(
            "discrepancy-to-final-use",
            "",
            f"Costs less sales become a final-use category at home, {DISCREPANCY!r}; costs stay.",
            _discrepancy_to_final_use,
        ),
        Repair(
            "rebalance",
            "",
            "GRAS on sales: every seller's row is brought to its costs, every industry keeps its "
            "inputs and value added, final use absorbs the world's difference.",
            _rebalance,
        ),
        Repair(
            "scale-rows",
            "LABEL=FACTOR",
            "All sales of a region or region-sector times a factor.",
            _scale_rows,
        ),
        Repair(
            "scale-columns",
            "LABEL=FACTOR",
            "All costs of a region or region-sector times a factor.",
            _scale_columns,
        ),
        Repair(
            "scale-cell",
            "SELLER to BUYER=FACTOR",
            "One intermediate cell times a factor.",
            _scale_cell,
        ),
    )
}

REMEDIES = {
    "missing-cells": "repair blank-to-zero takes blanks for zero",
    "negative-flows": "repairs negative-flows-to-zero and negative-flows-to-final-use move them",
    "balance": "repairs discrepancy-to-value-added, discrepancy-to-final-use and rebalance close "
    "the gap, or --atol declares what it is good to",
}


def require_known(repairs: Sequence[str]) -> None:
    """Raise WorldError for a repair that does not exist, before anything is read."""
    unknown = [r for r in repairs if r.partition(":")[0] not in REPAIRS]
    if unknown:
        raise WorldError(f"unknown repairs {some(unknown)}; known: {', '.join(REPAIRS)}.")
