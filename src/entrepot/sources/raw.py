"""RawTable: a multi-regional table as its file has it, before anything is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from entrepot.core.errors import DataError
from entrepot.core.labels import require_unique
from entrepot.core.tables import Array, Margin, Satellite, Sector, TaxTreatment, frozen

MAX_NODES = 20_000
"""More region-sectors than this are refused: their flows alone would take 3.2 GB."""


@dataclass(frozen=True, eq=False)
class RawTable:
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

    name: str
    year: int
    regions: tuple[str, ...]
    sectors: tuple[Sector, ...]
    Z: Array
    F: Array
    V: Array
    T_inputs: Array
    T_final: Array
    final_categories: tuple[str, ...] = ("final use",)
    value_added_categories: tuple[str, ...] = ("value added",)
    margins: Mapping[str, Margin] = field(default_factory=dict)
    declared_output: Array | None = None
    declared_input: Array | None = None
    taxes: TaxTreatment = "separate"
    currency: str = "USD"
    to_million: float = 1.0
    region_names: Mapping[str, str] = field(default_factory=dict)
    parent: Mapping[str, str] = field(default_factory=dict)
    satellites: Mapping[str, Satellite] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    rtol: float = 1e-9
    atol: float = 1e-6

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in ("regions", "sectors", "final_categories", "value_added_categories"):
            put(self, name, tuple(getattr(self, name)))
        for name in ("margins", "region_names", "parent", "satellites", "provenance"):
            put(self, name, MappingProxyType(dict(getattr(self, name))))
        require_unique("regions", self.regions, DataError)
        require_unique("sectors", self.sector_codes, DataError)
        require_unique("final-use categories", self.final_categories, DataError)
        require_unique("value-added categories", self.value_added_categories, DataError)
        n, s = len(self.regions), len(self.sectors)
        c, v = len(self.final_categories), len(self.value_added_categories)
        if not (n and s and c and v):
            raise DataError(
                f"{self.name}: a table needs at least one region, sector and category of each kind."
            )
        if not (0 <= self.rtol < np.inf and 0 <= self.atol < np.inf):
            raise DataError(
                f"{self.name}: tolerances must be finite and not negative (relative {self.rtol}, "
                f"absolute {self.atol})."
            )
        shapes: dict[str, tuple[int, ...]] = {
            "Z": (n * s, n * s),
            "F": (n * s, n, c),
            "V": (v, n * s),
            "T_inputs": (n * s,),
            "T_final": (n, c),
            "declared_output": (n * s,),
            "declared_input": (n * s,),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is None:
                continue
            array = frozen(value)
            if array.shape != shape:
                raise DataError(f"{self.name}: {name} has shape {array.shape}, not {shape}.")
            put(self, name, array)
        for key, margin in self.margins.items():
            if margin.inputs.shape != (n * s,) or margin.final.shape != (n, c):
                raise DataError(f"{self.name}: margin {key!r} does not fit the table's labels.")

    @property
    def sector_codes(self) -> tuple[str, ...]:
        """Sector codes, in order."""
        return tuple(sector.code for sector in self.sectors)

    @property
    def node_names(self) -> tuple[str, ...]:
        """`region sector` for every node, region-major."""
        return tuple(f"{r} {s}" for r in self.regions for s in self.sector_codes)

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
