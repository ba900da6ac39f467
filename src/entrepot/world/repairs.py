"""The repairs: named changes to a table, each of which says what it changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import WorldError
from entrepot.core.labels import did_you_mean
from entrepot.core.tables import Array, Margin, sealed
from entrepot.sources.raw import RawTable
from entrepot.world.facts import Facts

MAX_LOGGED = 10_000
DISCREPANCY = "statistical discrepancy"


@dataclass(frozen=True, slots=True)
class Changed:
    """Cells that a repair changed: where, from what, to what, in the unit of the table.

    `more` cells are not listed, and `more_absolute` is the sum of their changes.
    """

    where: tuple[str, ...]
    before: Array
    after: Array
    more: int = 0
    more_absolute: float = 0.0


@dataclass(frozen=True, slots=True)
class Repair:
    """One row of the catalogue of repairs."""

    name: str
    argument: str
    meaning: str
    apply: Callable[[RawTable, str], tuple[RawTable, list[Changed]]]


def _names(raw: RawTable, block: str, spots: NDArray[np.intp]) -> tuple[str, ...]:
    facts = Facts(raw)
    return tuple(facts.cell(block, spot) for spot in spots)


def _replace_cells(
    raw: RawTable, block: str, mask: NDArray[np.bool_], to: float
) -> tuple[Array, Changed]:
    array = getattr(raw, block)
    spots = np.argwhere(mask)
    log = Changed(_names(raw, block, spots), array[mask], np.full(len(spots), to))
    return sealed(np.where(mask, to, array)), log


def _blank_to_zero(raw: RawTable, _: str) -> tuple[RawTable, list[Changed]]:
    changed: list[Changed] = []
    new: dict[str, Any] = {}
    for block in ("Z", "F", "V", "T_inputs", "T_final"):
        mask = ~np.isfinite(getattr(raw, block))
        if mask.any():
            new[block], step = _replace_cells(raw, block, mask, 0.0)
            changed.append(step)
    margins = dict(raw.margins)
    for key, margin in raw.margins.items():
        for part, array in (("inputs", margin.inputs), ("final use", margin.final)):
            mask = ~np.isfinite(array)
            if mask.any():
                spots = np.argwhere(mask)
                names = _names(raw, f"margin {key} on {part}", spots)
                changed.append(Changed(names, array[mask], np.zeros(len(spots))))
        known = [np.where(np.isfinite(x), x, 0.0) for x in (margin.inputs, margin.final)]
        margins[key] = Margin(*known)
    return replace(raw, **new, margins=margins), changed


def _negative_flows_to_zero(raw: RawTable, _: str) -> tuple[RawTable, list[Changed]]:
    Z, changed = _replace_cells(raw, "Z", raw.Z < 0, 0.0)
    return replace(raw, Z=Z), [changed]


def _negative_flows_to_final(raw: RawTable, _: str) -> tuple[RawTable, list[Changed]]:
    n, s = len(raw.regions), len(raw.sectors)
    below = np.minimum(raw.Z, 0)
    Z, changed = _replace_cells(raw, "Z", raw.Z < 0, 0.0)
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
        [changed, Changed(names, np.zeros(len(spots)), extra[extra < 0])],
    )


def _wider(final: Array) -> Array:
    return np.concatenate([final, np.zeros((len(final), 1))], axis=1)


def _negative_final_to_zero(raw: RawTable, _: str) -> tuple[RawTable, list[Changed]]:
    F, changed = _replace_cells(raw, "F", raw.F < 0, 0.0)
    return replace(raw, F=F), [changed]


def _discrepancy_to_value_added(raw: RawTable, _: str) -> tuple[RawTable, list[Changed]]:
    gap = raw.sales - raw.costs
    _need_numbers(raw, gap, "discrepancy-to-value-added")
    at = np.flatnonzero(gap)
    names = tuple(f"{DISCREPANCY} of {raw.node_names[i]}" for i in at)
    if DISCREPANCY in raw.value_added_categories:
        k = raw.value_added_categories.index(DISCREPANCY)
        V = raw.V.copy()
        before = V[k, at]
        V[k] += gap
        return replace(raw, V=sealed(V)), [Changed(names, before, V[k, at])]
    return (
        replace(
            raw,
            V=sealed(np.concatenate([raw.V, gap[None]])),
            value_added_categories=(*raw.value_added_categories, DISCREPANCY),
        ),
        [Changed(names, np.zeros(len(at)), gap[at])],
    )


def _discrepancy_to_final_use(raw: RawTable, _: str) -> tuple[RawTable, list[Changed]]:
    gap = raw.costs - raw.sales
    _need_numbers(raw, gap, "discrepancy-to-final-use")
    if DISCREPANCY in raw.final_categories:
        raise WorldError(f"{raw.name} has a final-use category {DISCREPANCY!r} already.")
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
        [Changed(names, np.zeros(len(at)), gap[at])],
    )


def _rebalance(raw: RawTable, _: str) -> tuple[RawTable, list[Changed]]:
    """Sales brought to costs by GRAS."""
    from entrepot.world.rebalance import rebalance

    return _compared(raw, rebalance(raw).table)


def _compared(old: RawTable, new: RawTable) -> tuple[RawTable, list[Changed]]:
    """The new table and its largest changes: every cell of a balanced table moves a little."""
    out = []
    for block in ("Z", "F", "V", "T_inputs"):
        before, after = getattr(old, block), getattr(new, block)
        change = np.abs(after - before)
        count = min(int(np.count_nonzero(change)), MAX_LOGGED)
        if count:
            flat = np.argpartition(-change.ravel(), count - 1)[:count]
            spots = np.stack(np.unravel_index(flat, change.shape), 1)
            more = int(np.count_nonzero(change)) - count
            listed = change.ravel()[flat].sum()
            out.append(
                Changed(
                    _names(old, block, spots),
                    before.ravel()[flat],
                    after.ravel()[flat],
                    more,
                    float(change.sum() - listed),
                )
            )
    return new, out


def _drop_declared(raw: RawTable, _: str) -> tuple[RawTable, list[Changed]]:
    """The file's own totals set aside; logged where they differ from the cells."""
    out = []
    for what, said, got in (
        ("output", raw.declared_output, raw.sales),
        ("input", raw.declared_input, raw.costs),
    ):
        if said is not None:
            at = np.flatnonzero(~(np.abs(said - got) <= raw.atol + raw.rtol * np.abs(got)))
            names = tuple(f"declared {what} of {raw.node_names[i]}" for i in at)
            out.append(Changed(names, said[at], got[at]))
    return replace(raw, declared_output=None, declared_input=None), out


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


def _scale_rows(raw: RawTable, argument: str) -> tuple[RawTable, list[Changed]]:
    label, factor = _scale(raw, argument)
    at = _positions(raw, label)
    Z, F = raw.Z.copy(), raw.F.copy()
    Z[at] *= factor
    F[at] *= factor
    before = raw.sales[at]
    names = tuple(f"all sales of {raw.node_names[i]}" for i in at)
    return replace(raw, Z=sealed(Z), F=sealed(F)), [Changed(names, before, before * factor)]


def _scale_columns(raw: RawTable, argument: str) -> tuple[RawTable, list[Changed]]:
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
    return new, [Changed(names, before, before * factor)]


def _scale_cell(raw: RawTable, argument: str) -> tuple[RawTable, list[Changed]]:
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
    return replace(raw, Z=sealed(Z)), [Changed((label,), before, before * factor)]


REPAIRS: dict[str, Repair] = {
    row.name: row
    for row in (
        Repair("blank-to-zero", "", "Blank and non-finite cells become zero.", _blank_to_zero),
        Repair(
            "drop-declared-totals",
            "",
            "The file's own totals are set aside; the cells stand.",
            _drop_declared,
        ),
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
            "GRAS on sales: every seller's row is brought to its costs; every industry keeps its "
            "inputs in total and its value added, final use is open.",
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
