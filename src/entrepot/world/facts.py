"""What several checks and repairs need of a table, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from entrepot.core.tables import Array
from entrepot.sources.raw import RawTable


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
        """Intermediate sales, blanks as zero."""
        return self._filled("Z")

    @cached_property
    def F(self) -> Array:
        """Final use, blanks as zero."""
        return self._filled("F")

    @cached_property
    def V(self) -> Array:
        """Value added, blanks as zero."""
        return self._filled("V")

    @cached_property
    def T(self) -> Array:
        """Net product taxes on inputs, blanks as zero."""
        return self._filled("T_inputs")

    @cached_property
    def sales(self) -> Array:
        """Row sums: what each node sells."""
        return np.asarray(self.Z.sum(1) + self.F.sum((1, 2)))

    @cached_property
    def inputs(self) -> Array:
        """What each node pays for inputs."""
        return np.asarray(self.Z.sum(0))

    @cached_property
    def costs(self) -> Array:
        """Column sums: what each node pays in all."""
        total = self.inputs + self.T + self.V.sum(0)
        for margin in self.raw.margins.values():
            total = total + np.where(np.isfinite(margin.inputs), margin.inputs, 0)
        return np.asarray(total)

    @cached_property
    def gap(self) -> Array:
        """Sales less costs."""
        return self.sales - self.costs

    @cached_property
    def allowed(self) -> Array:
        """The tolerance of every node's total."""
        scale = np.maximum(np.abs(self.sales), np.abs(self.costs))
        return np.asarray(self.raw.atol + self.raw.rtol * scale)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes."""
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
