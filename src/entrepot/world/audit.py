"""Audit: every flaw of a table, named, counted and sized, before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.tables import Array
from entrepot.sources.raw import RawTable
from entrepot.world.world import World

Level = Literal["fail", "warn", "note"]
WORST = 10
SLIPS = (1e3, 1e6)


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


@dataclass(frozen=True, slots=True)
class Audit:
    """All findings about one table, the gravest first."""

    name: str
    year: int
    unit: str
    regions: int
    sectors: int
    totals: dict[str, float]
    tolerance: tuple[float, float]
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed; warnings and notes do not count."""
        return not any(f.level == "fail" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "year": self.year,
            "unit": self.unit,
            "regions": self.regions,
            "sectors": self.sectors,
            "passed": self.passed,
            "totals": self.totals,
            "tolerance": {"absolute": self.tolerance[0], "relative": self.tolerance[1]},
            "checks": list(self.checks),
            "findings": [
                {
                    "check": f.check,
                    "level": f.level,
                    "text": f.text,
                    "count": f.count,
                    "size": _plain(f.size),
                    "worst": [{"where": s.where, "value": _plain(s.value)} for s in f.worst],
                }
                for f in self.findings
            ],
        }


def _plain(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)


def raw_of(world: World) -> RawTable:
    """A World as the table it was made of: the same arrays, nothing judged."""
    return RawTable(
        name=world.name,
        year=world.year,
        regions=world.regions,
        sectors=world.sectors,
        Z=world.Z,
        F=world.F,
        V=world.V,
        T_inputs=world.T_inputs,
        T_final=world.T_final,
        final_categories=world.final_categories,
        value_added_categories=world.value_added_categories,
        margins=world.margins,
        taxes=world.taxes,
        region_names=world.region_names,
        parent=world.parent,
        satellites=world.satellites,
        provenance=world.provenance,
        rtol=world.rtol,
        atol=world.atol,
    )


def audit(table: RawTable | World) -> Audit:
    """Run every check of the catalogue on a table.

    Nothing is changed. Where cells are blank, the sums of the other checks
    treat them as zero, and the blanks are a failure of their own.
    """
    raw = raw_of(table) if isinstance(table, World) else table
    facts = Facts(raw)
    order = {"fail": 0, "warn": 1, "note": 2}
    findings = sorted(
        (f for check in CHECKS for f in check.find(facts)),
        key=lambda f: order[f.level],
    )
    added = float(facts.V.sum())
    return Audit(
        name=raw.name,
        year=raw.year,
        unit=raw.unit,
        regions=len(raw.regions),
        sectors=len(raw.sectors),
        totals={
            "output": float(facts.sales.sum()),
            "costs": float(facts.costs.sum()),
            "value_added": added,
            "final_use": float(facts.F.sum()),
            "product_taxes": float(facts.T.sum() + np.nansum(raw.T_final)),
            "margins": float(
                sum(np.nansum(m.inputs) + np.nansum(m.final) for m in raw.margins.values())
            ),
            "largest_discrepancy": float(np.abs(facts.gap).max()),
        },
        tolerance=(raw.atol, raw.rtol),
        findings=tuple(findings),
        checks=tuple(check.name for check in CHECKS),
    )


class Facts:
    """What several checks need of a table, computed once; blanks count as zero."""

    def __init__(self, raw: RawTable) -> None:
        self.raw = raw

    @cached_property
    def blank(self) -> dict[str, NDArray[np.bool_]]:
        """Blocks with cells that are not finite."""
        parts = {"Z": self.raw.Z, "F": self.raw.F, "V": self.raw.V}
        parts |= {"T_inputs": self.raw.T_inputs, "T_final": self.raw.T_final}
        for key, margin in self.raw.margins.items():
            parts[f"margin {key} on inputs"] = margin.inputs
            parts[f"margin {key} on final use"] = margin.final
        # A finite sum proves a block finite (cheaply); otherwise look cell by cell.
        with np.errstate(invalid="ignore", over="ignore"):
            odd = {k: a for k, a in parts.items() if not np.isfinite(a.sum())}
        masks = {k: ~np.isfinite(a) for k, a in odd.items()}
        return {k: m for k, m in masks.items() if m.any()}

    def _filled(self, name: str) -> Array:
        array = getattr(self.raw, name)
        return np.where(self.blank[name], 0.0, array) if name in self.blank else array

    @cached_property
    def Z(self) -> Array:
        return self._filled("Z")

    @cached_property
    def F(self) -> Array:
        return self._filled("F")

    @cached_property
    def V(self) -> Array:
        return self._filled("V")

    @cached_property
    def T(self) -> Array:
        return self._filled("T_inputs")

    @cached_property
    def sales(self) -> Array:
        return np.asarray(self.Z.sum(1) + self.F.sum((1, 2)))

    @cached_property
    def inputs(self) -> Array:
        return np.asarray(self.Z.sum(0))

    @cached_property
    def costs(self) -> Array:
        total = self.inputs + self.T + self.V.sum(0)
        for margin in self.raw.margins.values():
            total = total + np.where(np.isfinite(margin.inputs), margin.inputs, 0)
        return np.asarray(total)

    @cached_property
    def gap(self) -> Array:
        return self.sales - self.costs

    @cached_property
    def allowed(self) -> Array:
        """The tolerance of every node's total."""
        scale = np.maximum(np.abs(self.sales), np.abs(self.costs))
        return np.asarray(self.raw.atol + self.raw.rtol * scale)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return self.raw.node_names

    def cell(self, block: str, index: Sequence[int]) -> str:
        """A cell in words."""
        raw = self.raw
        if block == "Z":
            return f"{self.names[index[0]]} to {self.names[index[1]]}"
        if block == "F":
            final = f"{raw.regions[index[1]]} {raw.final_categories[index[2]]}"
            return f"{self.names[index[0]]} to {final}"
        if block == "V":
            return f"{raw.value_added_categories[index[0]]} of {self.names[index[1]]}"
        if len(index) == 2:
            return f"{block} {raw.regions[index[0]]} {raw.final_categories[index[1]]}"
        return f"{block} {self.names[index[0]]}"


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
    text = "value added is negative"
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
    text = "more is drawn from stock than is sold"
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
    """Totals or single cells that are a thousand or a million times too large or too small.

    A slip of a whole row or column shows in the ratio of sales to costs. A slip
    of one cell unbalances its seller and its buyer by the same amount, and only
    that cell explains both.
    """
    off = np.abs(facts.gap) > facts.allowed
    both = off & (facts.sales > 0) & (facts.costs > 0)
    ratio = np.divide(facts.sales, facts.costs, out=np.ones_like(facts.sales), where=both)
    near = np.zeros(len(ratio), bool)
    for slip in SLIPS:
        for factor in (slip, 1 / slip):
            near |= both & (np.abs(np.log(ratio / factor)) < np.log(1.5))
    text = "sales are about a thousand or a million times costs, or the reverse: a unit slip?"
    yield from _nodes(facts, "unit-slip", "warn", text, near, ratio)
    spots, factors = [], []
    high = np.flatnonzero(off)
    if 0 < len(high) <= 2000:
        gap = facts.gap
        # A cell too large: gap > 0 for its seller, < 0 for its buyer; too small: the reverse.
        for sign in (1, -1):
            sellers = high[sign * gap[high] > 0]
            buyers = high[sign * gap[high] < 0]
            if not (len(sellers) and len(buyers)):
                continue
            cells = facts.Z[np.ix_(sellers, buyers)]
            excess = np.abs(gap[sellers])[:, None]
            alike = np.abs(excess - np.abs(gap[buyers])[None]) <= 1e-3 * excess + (
                2 * facts.allowed[sellers][:, None]
            )
            for slip in SLIPS:
                true = excess / (slip - 1) if sign > 0 else excess * slip / (slip - 1)
                shown = true * slip if sign > 0 else true / slip
                hit = alike & (cells > 0) & (np.abs(cells / shown - 1) < 0.05)
                for i, j in np.argwhere(hit):
                    spots.append((sellers[i], buyers[j]))
                    factors.append(slip if sign > 0 else 1 / slip)
    where = np.array(spots, np.intp).reshape(-1, 2)
    yield from _finding(
        "unit-slip-cell",
        "warn",
        "this cell alone unbalances its seller and its buyer: it looks this many times its size",
        where,
        np.array(factors, float),
        lambda at: facts.cell("Z", at),
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
    for side, keys, same in (
        ("sales", facts.Z @ probe, lambda i, j: np.array_equal(facts.Z[i], facts.Z[j])),
        ("inputs", probe @ facts.Z, lambda i, j: np.array_equal(facts.Z[:, i], facts.Z[:, j])),
    ):
        order = np.argsort(keys, kind="stable")
        twins = [
            (int(i), int(j))
            for i, j in zip(order[:-1], order[1:], strict=True)
            if keys[i] > 0 and np.isclose(keys[i], keys[j], rtol=1e-12, atol=0) and same(i, j)
        ]
        spots = np.array(twins, np.intp).reshape(-1, 2)
        sizes = facts.Z.sum(1) if side == "sales" else facts.inputs
        yield from _finding(
            "identical-nodes",
            "warn",
            f"two region-sectors have the same intermediate {side}, cell by cell",
            spots,
            sizes[spots[:, 0]] if len(spots) else np.empty(0),
            lambda at: f"{facts.names[at[0]]} and {facts.names[at[1]]}",
        )


CHECKS: tuple[Check, ...] = (
    Check("missing-cells", "fail", "Cells are blank or not finite.", _missing),
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
    Check("unit-slip", "warn", "No total or cell is a thousandfold off.", _unit_slips),
    Check("identical-nodes", "warn", "No two region-sectors are copies.", _repeated),
    Check("empty-region", "warn", "Every region produces, earns and spends.", _empty_regions),
    Check("negative-final-use", "note", "Where stocks are drawn, by category.", _negative_final),
    Check("zero-output", "note", "Region-sectors without output.", _zero_output),
    Check("missing-pairs", "note", "Pairs of regions without any trade.", _pairs),
)
