"""RawTable: a multi-regional table as its file has it, before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entrepot.core.errors import DataError
from entrepot.core.tables import Array, Table

MAX_NODES = 20_000
"""More region-sectors than this are refused: their flows alone would take 3.2 GB."""


@dataclass(frozen=True, eq=False)
class RawTable(Table):
    """Labels and numbers of one table and year, in the unit of its source.

    Axes as in `World`: n regions, s sectors, nodes region-major (node =
    region * s + sector), c final-use and v value-added categories.

    - `Z` (n*s, n*s), `F` (n*s, n, c), `V` (v, n*s), `T_inputs` (n*s,),
      `T_final` (n, c), `margins`: as in `World`, but any number is admitted,
      NaN (a cell the file leaves blank) included;
    - `declared_output`, `declared_input` (n*s,): the row and column totals that
      the file itself states, None where it states none;
    - `unit`: what the numbers are in, and `to_million` the factor from it to
      millions of `currency` (1e-3 where the file is in thousands);
    - `rtol`, `atol`: the rounding that the source declares or is published to,
      in the unit of the file.

    Only shapes and labels are checked here. `entrepot.world.audit` judges the
    numbers, `entrepot.world.build` makes a World of them.

    Raises DataError when shapes and labels do not fit together.
    """

    declared_output: Array | None = None
    declared_input: Array | None = None
    currency: str = "USD"
    to_million: float = 1.0

    def __post_init__(self) -> None:
        self.settle(DataError)
        nodes = (len(self.regions) * len(self.sectors),)
        for name in ("declared_output", "declared_input"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, self.shaped(name, nodes, DataError))

    @property
    def unit(self) -> str:
        """The unit of the numbers, in words."""
        words = {1.0: "million ", 1e-3: "thousand ", 1e3: "billion ", 1e-6: ""}
        scale = words.get(self.to_million)
        return (
            f"{self.to_million:g} million {self.currency}"
            if scale is None
            else scale + self.currency
        )

    @property
    def sales(self) -> Array:
        """Row sums (n*s,): what each node sells."""
        return np.asarray(self.Z.sum(1) + self.F.sum((1, 2)))

    @property
    def costs(self) -> Array:
        """Column sums (n*s,): what each node pays, value added included."""
        total = self.Z.sum(0) + self.T_inputs + self.V.sum(0)
        for margin in self.margins.values():
            total = total + margin.inputs
        return np.asarray(total)
