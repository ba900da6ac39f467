"""The checks of an audit: one row each, from its name to the function that finds its flaws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.tables import Array
from entrepot.world.facts import Facts

Level = Literal["fail", "warn", "note"]
WORST = 10
SLIPS = (1e3, 1e6)
# A part explains the imbalance when rescaling it leaves less than this share of it.
CLOSES = 0.01
MAX_SLIPS = 2000


@dataclass(frozen=True, slots=True)
class Spot:
    """One place of a finding, and the number found there, in the unit of the table."""

    where: str
    value: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: how many places, how much in sum, and the worst of them."""

    check: str
    level: Level
    text: str
    count: int
    size: float
    worst: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the catalogue of checks."""

    name: str
    level: Level
    meaning: str
    find: Callable[[Facts], Iterator[Finding]]


def _finding(
    check: str,
    level: Level,
    text: str,
    spots: NDArray[np.intp],
    values: Array,
    name: Callable[[Any], str],
) -> Iterator[Finding]:
    """A finding from the places found; nothing when there are none."""
    if not len(spots):
        return
    size = float(np.abs(values[np.isfinite(values)]).sum())
    weight = np.where(np.isfinite(values), np.abs(values), np.inf)
    worst = np.argsort(-weight, kind="stable")[:WORST]
    yield Finding(
        check,
        level,
        text,
        len(spots),
        size,
        tuple(Spot(name(spots[i]), float(values[i])) for i in worst),
    )


def _nodes(
    facts: Facts, check: str, level: Level, text: str, mask: NDArray[np.bool_], values: Array
) -> Iterator[Finding]:
    at = np.flatnonzero(mask)
    yield from _finding(check, level, text, at, values[at], lambda i: facts.names[i])


def _missing(facts: Facts) -> Iterator[Finding]:
    for block, mask in facts.blank.items():
        spots = np.argwhere(mask)
        yield from _finding(
            "missing-cells",
            "fail",
            f"{block} has cells that are blank or not finite",
            spots,
            np.full(len(spots), np.nan),
            lambda at, block=block: facts.cell(block, at),  # type: ignore[misc]
        )


def _balance(facts: Facts) -> Iterator[Finding]:
    text = "sales differ from costs by more than the declared tolerance"
    off = np.abs(facts.gap) > facts.allowed
    yield from _nodes(facts, "balance", "fail", text, off, facts.gap)


def _declared(facts: Facts) -> Iterator[Finding]:
    for label, declared, computed in (
        ("output", facts.raw.declared_output, facts.sales),
        ("input", facts.raw.declared_input, facts.costs),
    ):
        if declared is None:
            continue
        known = np.where(np.isfinite(declared), declared, 0.0)
        gap = computed - known
        off = np.abs(gap) > facts.raw.atol + facts.raw.rtol * np.maximum(
            np.abs(computed), np.abs(known)
        )
        text = f"the sum over cells differs from the total {label} that the table declares"
        yield from _nodes(facts, f"declared-{label}", "fail", text, off, gap)


def _negative_output(facts: Facts) -> Iterator[Finding]:
    low = np.minimum(facts.sales, facts.costs)
    text = "output is negative"
    yield from _nodes(facts, "negative-output", "fail", text, low < -facts.allowed, low)


def _zero_output(facts: Facts) -> Iterator[Finding]:
    text = "no output: nothing is sold and nothing is used"
    yield from _nodes(
        facts, "zero-output", "note", text, (facts.sales == 0) & (facts.costs == 0), facts.sales
    )


def _negative_flows(facts: Facts) -> Iterator[Finding]:
    if facts.Z.min(initial=0.0) >= 0:
        return
    spots = np.argwhere(facts.Z < 0)
    yield from _finding(
        "negative-flows",
        "fail",
        "intermediate sales are negative",
        spots,
        facts.Z[facts.Z < 0],
        lambda at: facts.cell("Z", at),
    )


def _negative_value_added(facts: Facts) -> Iterator[Finding]:
    total = facts.V.sum(0)
    text = "value added is negative (the trade equilibrium refuses such a sector)"
    yield from _nodes(facts, "negative-value-added", "warn", text, total < -facts.allowed, total)


def _negative_final(facts: Facts) -> Iterator[Finding]:
    if facts.F.min(initial=0.0) >= 0:
        return
    for c, category in enumerate(facts.raw.final_categories):
        block = facts.F[:, :, c]
        spots = np.argwhere(block < 0)
        yield from _finding(
            "negative-final-use",
            "note",
            f"final use is negative in category {category!r} (stocks drawn down, or a correction)",
            spots,
            block[block < 0],
            lambda at, c=c: facts.cell("F", (*at, c)),  # type: ignore[misc]
        )
    drawn = np.minimum(facts.F, 0).sum((1, 2))
    sold = facts.sales - drawn
    over = (drawn < 0) & (-drawn > np.maximum(sold, 0))
    text = "more is drawn from stock than is sold (the trade equilibrium refuses such a sector)"
    yield from _nodes(facts, "stock-exceeds-sales", "warn", text, over, drawn)


def _coefficients(facts: Facts) -> Iterator[Finding]:
    x = facts.sales
    share = np.divide(facts.inputs, x, out=np.zeros_like(x), where=x > 0)
    over = (x > 0) & (facts.inputs > x + facts.allowed)
    yield from _nodes(
        facts,
        "inputs-exceed-output",
        "warn",
        "inputs cost more than output is worth (the value is inputs over output)",
        over,
        share,
    )
    worst = facts.Z.max(0)
    above = np.flatnonzero((x > 0) & (worst > x + facts.allowed))
    sellers = facts.Z[:, above].argmax(0)
    spots = np.stack([sellers, above], 1) if len(above) else np.empty((0, 2), np.intp)
    yield from _finding(
        "coefficient-above-one",
        "warn",
        "a single input costs more than the whole output (the value is the coefficient)",
        spots,
        worst[above] / x[above],
        lambda at: facts.cell("Z", at),
    )
    added = facts.V.sum(0)
    above_one = (x > 0) & (added > x + facts.allowed)
    text = "value added exceeds output (the value is their ratio)"
    ratio = np.divide(added, x, out=np.zeros_like(x), where=x > 0)
    yield from _nodes(facts, "value-added-exceeds-output", "warn", text, above_one, ratio)


def _unit_slips(facts: Facts) -> Iterator[Finding]:
    """Parts of the table whose rescaling by a thousand or a million explains the imbalance.

    Every region's and node's sales (row), costs (column), both with its value
    added, and final use are tried; one is named when rescaling it alone closes
    nearly all of the imbalance. A single cell unbalances its seller and its
    buyer by one amount, and is looked for among those two.
    """
    off = np.abs(facts.gap) > facts.allowed
    if not off.any():
        return
    whole = float(np.abs(facts.gap[off]).sum())
    found: list[tuple[float, str, float]] = []
    for what, rows, costs, own in _parts(facts, np.flatnonzero(off)):
        for slip in SLIPS:
            for factor in (slip, 1 / slip):
                # The part is `factor` times its true size: take the excess out of both sides.
                gap = facts.gap - (1 - 1 / factor) * (rows - costs - own)
                left = float(np.abs(gap).sum())
                if left < CLOSES * whole:
                    found.append((left, what, factor))
    if found:
        found.sort()
        least = found[0][0]
        best = [x for x in found if x[0] <= 10 * least + 1e-9 * whole][:WORST]
        yield Finding(
            "unit-slip",
            "warn",
            "rescaling this part alone closes the imbalance: it looks this many times its size",
            len(best),
            whole,
            tuple(Spot(what, factor) for _, what, factor in best),
        )
    yield from _slipped_cells(facts, off)


def _parts(
    facts: Facts, off: NDArray[np.intp]
) -> Iterator[tuple[str, Array, Array, Array | float]]:
    """Parts of a table: name, what they add to sales, to costs, and to value added, by node."""
    raw = facts.raw
    n, s = len(raw.regions), len(raw.sectors)
    m = n * s
    final = facts.F.sum((1, 2))
    added = facts.V.sum(0)
    by_seller = facts.Z.reshape(n, s, m).sum(1)  # what each node buys of each region
    by_buyer = facts.Z.reshape(m, n, s).sum(2)  # what each node sells to each region
    zero = np.zeros(m)
    for r in range(n):
        own = slice(r * s, (r + 1) * s)
        rows, inputs, value = zero.copy(), zero.copy(), zero.copy()
        rows[own] = facts.Z.sum(1)[own] + final[own]
        inputs[own] = facts.inputs[own]
        value[own] = added[own]
        name = raw.regions[r]
        yield f"sales of {name}", rows, by_seller[r], 0.0
        yield f"sales and value added of {name}", rows, by_seller[r], value
        yield f"inputs of {name}", by_buyer[:, r], inputs, 0.0
        yield f"inputs and value added of {name}", by_buyer[:, r], inputs, value
        yield f"value added of {name}", zero, zero, value
        yield f"final use of {name}", facts.F[:, r].sum(1), zero, 0.0
    yield "all final use", final, zero, 0.0
    yield "all value added", zero, zero, added
    yield "all intermediate sales", facts.Z.sum(1), facts.inputs, 0.0
    for i in off[:MAX_SLIPS]:
        rows, inputs, value = zero.copy(), zero.copy(), zero.copy()
        rows[i] = facts.sales[i]
        inputs[i] = facts.inputs[i]
        value[i] = added[i]
        yield f"sales of {facts.names[i]}", rows, facts.Z[i], 0.0
        yield f"inputs of {facts.names[i]}", facts.Z[:, i], inputs, 0.0
        yield f"inputs and value added of {facts.names[i]}", facts.Z[:, i], inputs, value
        yield f"value added of {facts.names[i]}", zero, zero, value


def _slipped_cells(facts: Facts, off: NDArray[np.bool_]) -> Iterator[Finding]:
    high = np.flatnonzero(off)
    if len(high) > MAX_SLIPS:
        return
    spots: list[tuple[int, int]] = []
    factors: list[float] = []
    gap = facts.gap
    # A cell too large: gap > 0 for its seller, < 0 for its buyer; too small: the reverse.
    for sign in (1, -1):
        sellers = high[sign * gap[high] > 0]
        buyers = high[sign * gap[high] < 0]
        if not (len(sellers) and len(buyers)):
            continue
        cells = facts.Z[np.ix_(sellers, buyers)]
        excess = np.abs(gap[sellers])[:, None]
        # Only rounding may stand between the excess and the cell: coincidences are many.
        slack = 2 * np.maximum(facts.allowed[sellers][:, None], facts.allowed[buyers][None])
        alike = np.abs(excess - np.abs(gap[buyers])[None]) <= slack
        best = np.full(cells.shape, np.inf)
        factor = np.zeros(cells.shape)
        for slip in SLIPS:
            # excess = shown - shown / slip, or shown * slip - shown
            shown = excess / (1 - 1 / slip) if sign > 0 else excess / (slip - 1)
            miss = np.where(alike & (cells > 0), np.abs(cells - shown), np.inf)
            better = (miss <= slack + 1e-9 * shown) & (miss < best)
            best[better] = miss[better]
            factor[better] = slip if sign > 0 else 1 / slip
        for i, j in np.argwhere(factor > 0):
            spots.append((int(sellers[i]), int(buyers[j])))
            factors.append(float(factor[i, j]))
    where = np.array(spots, np.intp).reshape(-1, 2)
    yield from _finding(
        "unit-slip-cell",
        "warn",
        "this cell alone unbalances its seller and its buyer: it looks this many times its size",
        where,
        np.array(factors, float),
        lambda at: facts.cell("Z", at),
    )


def _transposed(facts: Facts) -> Iterator[Finding]:
    off = np.abs(facts.gap) > facts.allowed
    if not off.any():
        return
    final, closing = facts.F.sum((1, 2)), facts.costs - facts.inputs
    turned = facts.inputs + final - facts.Z.sum(1) - closing
    if np.abs(turned).sum() < CLOSES * np.abs(facts.gap).sum():
        spot = Spot("all intermediate sales", float(np.abs(turned).sum()))
        text = (
            "the table balances when sellers and buyers change places (the value is what is left)"
        )
        yield Finding("transposed", "fail", text, 1, float(np.abs(facts.gap).sum()), (spot,))


def _totals_among_labels(facts: Facts) -> Iterator[Finding]:
    """A sector or region whose sales are the sum of all others': a total read as a part."""
    n, s = len(facts.raw.regions), len(facts.raw.sectors)
    x = facts.sales.reshape(n, s)
    for labels, totals in (
        (facts.raw.sector_codes, x.sum(0)),
        (facts.raw.regions, x.sum(1)),
    ):
        if len(labels) < 3:
            continue
        whole = totals.sum()
        at = np.flatnonzero((totals > 0) & (np.abs(2 * totals - whole) <= 1e-9 * whole))
        yield from _finding(
            "total-among-labels",
            "warn",
            "its output is exactly the sum of all others': a total, not a part",
            at,
            totals[at],
            lambda i, labels=labels: labels[i],  # type: ignore[misc]
        )


def _totals_in_other_units(facts: Facts) -> Iterator[Finding]:
    declared = facts.raw.declared_output
    if declared is None:
        return
    whole, said = float(facts.sales.sum()), float(np.nansum(declared))
    if whole > 0 and said > 0:
        power = round(np.log10(whole / said) / 3)
        if power and abs(np.log(whole / said / 1e3**power)) < 0.5:
            spot = Spot("world", whole / said)
            text = "cells and declared totals are in different units (the value is their ratio)"
            yield Finding("unit-slip-table", "fail", text, 1, abs(whole - said), (spot,))


def _pairs(facts: Facts) -> Iterator[Finding]:
    n, s = len(facts.raw.regions), len(facts.raw.sectors)
    flows = np.abs(facts.Z.reshape(n, s, n, s).sum((1, 3)))
    flows += np.abs(facts.F).sum(2).reshape(n, s, n).sum(1)
    makes = np.abs(facts.sales).reshape(n, s).sum(1) > 0
    none = (flows == 0) & makes[:, None] & makes[None, :]
    spots = np.argwhere(none)
    yield from _finding(
        "missing-pairs",
        "note",
        "two regions that both produce show no sale from the first to the second",
        spots,
        np.zeros(len(spots)),
        lambda at: f"{facts.raw.regions[at[0]]} to {facts.raw.regions[at[1]]}",
    )


def _empty_regions(facts: Facts) -> Iterator[Finding]:
    n, s = len(facts.raw.regions), len(facts.raw.sectors)
    for text, total in (
        ("a region without output", facts.sales.reshape(n, s).sum(1)),
        ("a region without value added", facts.V.sum(0).reshape(n, s).sum(1)),
        ("a region without final use", facts.F.sum((0, 2))),
    ):
        at = np.flatnonzero(total <= 0)
        yield from _finding(
            "empty-region", "warn", text, at, total[at], lambda i: facts.raw.regions[i]
        )


def _repeated(facts: Facts) -> Iterator[Finding]:
    """Rows or columns that stand twice: a copy where another region's data should be."""
    rng = np.random.default_rng(0)
    probe = rng.uniform(0.5, 1.5, len(facts.names))
    for side, table in (("sales", facts.Z), ("inputs", facts.Z.T)):
        keys = table @ probe
        order = np.argsort(keys, kind="stable")
        twins = [
            (int(i), int(j))
            for i, j in pairwise(order)
            if keys[i] > 0
            and keys[j] - keys[i] <= 1e-12 * keys[j]
            and np.array_equal(table[i], table[j])
        ]
        spots = np.array(twins, np.intp).reshape(-1, 2)
        sizes = table.sum(1)
        yield from _finding(
            "identical-nodes",
            "warn",
            f"two region-sectors have the same intermediate {side}, cell by cell",
            spots,
            sizes[spots[:, 0]] if len(spots) else np.empty(0),
            lambda at: f"{facts.names[at[0]]} and {facts.names[at[1]]}",
        )


CHECKS: tuple[Check, ...] = (
    Check("missing-cells", "fail", "No cell is blank or not finite.", _missing),
    Check("balance", "fail", "Every region-sector's sales equal its costs.", _balance),
    Check("declared-output", "fail", "Cells add up to the totals the table declares.", _declared),
    Check("unit-slip-table", "fail", "Cells and totals are in one unit.", _totals_in_other_units),
    Check("negative-output", "fail", "No output is negative.", _negative_output),
    Check("negative-flows", "fail", "No intermediate sale is negative.", _negative_flows),
    Check("negative-value-added", "warn", "Value added is not negative.", _negative_value_added),
    Check(
        "inputs-exceed-output",
        "warn",
        "Inputs, single inputs and value added are no larger than output.",
        _coefficients,
    ),
    Check("transposed", "fail", "Sellers are rows and buyers are columns.", _transposed),
    Check("unit-slip", "warn", "No part or cell is a thousandfold off.", _unit_slips),
    Check(
        "total-among-labels", "warn", "No label is the total of the others.", _totals_among_labels
    ),
    Check("identical-nodes", "warn", "No two region-sectors are copies.", _repeated),
    Check("empty-region", "warn", "Every region produces, earns and spends.", _empty_regions),
    Check(
        "negative-final-use", "note", "Final use below zero: stocks drawn down.", _negative_final
    ),
    Check("zero-output", "note", "Region-sectors without output.", _zero_output),
    Check("missing-pairs", "note", "Pairs of regions without any trade.", _pairs),
)
