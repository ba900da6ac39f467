"""Amounts as people write them: 25%, -5%, +10pp, 0.25, eliminate."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

PATTERN = re.compile(r"^\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(%|pp)?\s*$")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and its kind: a `fraction`, percentage `points`, or `eliminate`."""

    value: float
    kind: Literal["fraction", "points", "eliminate"] = "fraction"
    bare: bool = False

    def __str__(self) -> str:
        if self.kind == "eliminate":
            return "eliminate"
        return f"{self.value * 100:.10g}{'pp' if self.kind == 'points' else '%'}"


def parse_amount(given: Any) -> Amount:
    """Read an amount; raises ValueError in one sentence for anything else."""
    if isinstance(given, Amount):
        return given
    if isinstance(given, bool):
        raise ValueError(f"{given!r} is not an amount")
    if isinstance(given, int | float):
        if not math.isfinite(given):
            raise ValueError(f"{given!r} is not a finite amount")
        return Amount(float(given), bare=True)
    if isinstance(given, str):
        if given.strip() == "eliminate":
            return Amount(0.0, "eliminate")
        if match := PATTERN.match(given.replace("\u2212", "-")):
            value, unit = float(match[1]), match[2]
            if not math.isfinite(value):
                raise ValueError(f"{given!r} is not a finite amount")
            return Amount(
                value / 100 if unit else value, "points" if unit == "pp" else "fraction", not unit
            )
    raise ValueError(f"{given!r} is not an amount; write 25%, -5%, +10pp, 0.25 or eliminate")
