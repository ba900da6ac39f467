"""Audit: every flaw of a table, named, counted and sized, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from entrepot.sources.raw import RawTable
from entrepot.world.checks import CHECKS, Finding
from entrepot.world.facts import Facts
from entrepot.world.world import World


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
