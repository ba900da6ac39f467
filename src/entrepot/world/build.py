"""From a RawTable to a World: named repairs, chosen by the caller, every one of them logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from entrepot.core.errors import WorldError
from entrepot.core.labels import did_you_mean
from entrepot.core.tables import Margin, sealed
from entrepot.sources.raw import RawTable
from entrepot.world.audit import audit
from entrepot.world.repairs import MAX_LOGGED, REPAIRS, Changed
from entrepot.world.world import World


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
    failed = [f for f in audit(table).findings if f.level == "fail"]
    if failed:
        found = "; ".join(
            f"{f.text} ({f.count:,} place{'s' if f.count > 1 else ''}, worst {f.worst[0].where})"
            for f in failed[:3]
        )
        hints = "; ".join(dict.fromkeys(REMEDIES[f.check] for f in failed if f.check in REMEDIES))
        raise WorldError(
            f"{raw.name} is not a table that can be used as it is: {found}. See all of it with "
            f"`entrepot world check`{'; ' if hints else ''}{hints}."
        )
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
        elif name == "aggregate":
            (n, s), (n2, s2) = step["before"], step["after"]
            out.append(f"Aggregated from {n} x {s} to {n2} x {s2} regions and sectors.")
        elif "largest" in step:
            out.append(
                f"{name.capitalize()}: cells moved by {step['share']:.2%} of the table in all."
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
    require_known(repairs)
    log = []
    for text in repairs:
        name, _, argument = text.partition(":")
        row = REPAIRS[name]
        if bool(argument) != bool(row.argument):
            need = (
                f"needs an argument: {name}:{row.argument}" if row.argument else "takes no argument"
            )
            raise WorldError(f"the repair {name} {need}.")
        raw, changed = row.apply(raw, argument)
        log.append(_logged(name, argument, changed, raw.unit))
    return raw, log


def _logged(name: str, argument: str, changed: list[Changed], unit: str) -> dict[str, Any]:
    where = [w for m in changed for w in m.where]
    before = np.concatenate([m.before for m in changed]) if changed else np.empty(0)
    after = np.concatenate([m.after for m in changed]) if changed else np.empty(0)
    change = after - np.where(np.isfinite(before), before, 0)
    order = np.argsort(-np.abs(change), kind="stable")[:MAX_LOGGED]
    entry: dict[str, Any] = {
        "step": name,
        "cells": len(where) + sum(m.more for m in changed),
        "sum": float(change.sum()),
        "sum_absolute": float(np.abs(change).sum() + sum(m.more_absolute for m in changed)),
        "unit": unit,
        "changed": [
            [where[i], float(before[i]) if np.isfinite(before[i]) else None, float(after[i])]
            for i in order
        ],
    }
    if argument:
        entry["argument"] = argument
    if entry["cells"] > len(order):
        entry["not_listed"] = entry["cells"] - len(order)
    return entry


REMEDIES = {
    "missing-cells": "repair blank-to-zero takes blanks for zero",
    "negative-flows": "repairs negative-flows-to-zero and negative-flows-to-final-use move them",
    "declared-output": "repair drop-declared-totals sets the file's own totals aside",
    "declared-input": "repair drop-declared-totals sets the file's own totals aside",
    "negative-output": "repair negative-final-use-to-zero may be the cure",
    "balance": "repairs discrepancy-to-value-added, discrepancy-to-final-use and rebalance close "
    "the gap, or --atol declares what it is good to",
}


def require_known(repairs: Sequence[str]) -> None:
    """Raise WorldError for a repair that does not exist, before anything is read."""
    for name in (text.partition(":")[0] for text in repairs):
        if name not in REPAIRS:
            hint = did_you_mean(name, REPAIRS)
            raise WorldError(
                f"there is no repair {name!r}{hint or '.'} Known: {', '.join(REPAIRS)}."
            )
