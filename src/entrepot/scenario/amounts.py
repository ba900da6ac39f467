"""Amounts as people write them: 25%, -5%, +10pp, 0.25, eliminate."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

PATTERN = re.compile(r"^\s*([+-]?\d+(?:\.\d+)?)(?:[eE]([+-]?\d{1,6}))?\s*(%|pp)?\s*$")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and its kind: a `fraction`, percentage `points`, or `eliminate`."""

    value: float
    kind: Literal["fraction", "points", "eliminate"] = "fraction"
    bare: bool = False

    def __str__(self) -> str:
        if self.kind == "eliminate":
            return "eliminate"
        unit = "pp" if self.kind == "points" else "%"
        # Every digit, in decimal, so that a record can be run again and give the same number.
        number = Decimal(repr(self.value or 0.0)).scaleb(2).normalize()
        return f"{number:f}{unit}" if abs(number.adjusted()) < 15 else f"{number}{unit}"


def parse_amount(given: Any) -> Amount:
    """Read an amount; raises ValueError in one sentence for anything else."""
    if isinstance(given, Amount):
        return given
    if isinstance(given, bool):
        raise ValueError(f"{given!r} is not an amount")
    if isinstance(given, int | float):
        try:
            value = float(given)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise ValueError(f"{value!r} is not a finite amount")
        return Amount(value, bare=True)
    if isinstance(given, str):
        if given.strip() == "eliminate":
            return Amount(0.0, "eliminate")
        if match := PATTERN.match(given.replace("\u2212", "-")):
            unit = match[3]
            # 25% is 25e-2: shifted in decimal, not divided, so no digit is lost.
            value = float(f"{match[1]}e{int(match[2] or 0) - (2 if unit else 0)}")
            if not math.isfinite(value):
                raise ValueError(f"{given!r} is not a finite amount")
            return Amount(value, "points" if unit == "pp" else "fraction", not unit)
    raise ValueError(f"{given!r} is not an amount; write 25%, -5%, +10pp, 0.25 or eliminate")
