"""One number, published and computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a published table: what is printed, what we get, and how close it must be."""

    table: str
    row: str
    column: str
    published: float
    computed: float
    tolerance: float

    @property
    def difference(self) -> float:
        """Computed less published."""
        return self.computed - self.published

    @property
    def passed(self) -> bool:
        """Within tolerance (not a number is not)."""
        return abs(self.difference) <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "table": self.table,
            "row": self.row,
            "column": self.column,
            "published": self.published,
            "computed": self.computed,
            "difference": self.difference,
            "tolerance": self.tolerance,
            "passed": self.passed,
        }
