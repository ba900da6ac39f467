"""What tables are made of: arrays that cannot change, sectors, satellites, margins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entrepot.core.errors import EntrepotError
from entrepot.core.labels import require_unique

Array = NDArray[np.float64]
TaxTreatment = Literal["separate", "in_value_added"]
SatelliteRule = Literal["sum", "mean"]
SATELLITE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")
AXES = ("sector", "region", "origin", "destination")


def frozen(values: ArrayLike) -> Array:
    """A read-only float64 array in C order.

    Copied, unless it and everything it is a view of is read-only already (an
    array that nobody can write to need not be held twice).
    """
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and _immutable(values):
        return values
    array = np.array(values, dtype=np.float64, order="C", copy=True)
    array += 0.0  # a negative zero is zero: equal tables have equal bytes
    array.flags.writeable = False
    return array


def sealed(array: Array) -> Array:
    """The array itself in C order, made read-only: for arrays that their maker gives away."""
    array = np.ascontiguousarray(array, dtype=np.float64)
    if array.flags.writeable:
        array += 0.0  # as above
    array.flags.writeable = False
    return array


def _immutable(array: NDArray[np.float64]) -> bool:
    if not array.flags.c_contiguous:
        return False
    base: object = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return True


def fold(array: Array, index: NDArray[np.intp], axis: int, size: int) -> Array:
    """Sum an axis by group; every group from 0 to size - 1 has a member."""
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(size))
    return np.add.reduceat(np.take(array, order, axis=axis), starts, axis=axis)


@dataclass(frozen=True, slots=True)
class Sector:
    """One industry: its code in the table, a name, and the ISIC Rev.4 divisions it covers."""

    code: str
    name: str
    slug: str = ""
    isic: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Satellite:
    """Numbers on a world's own labels: tariffs, jobs, emissions, distances.

    `dims` names the axes, among `sector`, `origin`, `destination`, `region`.
    A cell without a number is NaN: absent, never zero. `rule` says what
    happens when cells are merged: `sum` for amounts (jobs, tonnes), `mean` for
    rates and the like (tariffs, prices, distances), weighted by flows before duty
    or by output.
    """

    values: Array
    dims: tuple[str, ...]
    unit: str
    source: str
    rule: SatelliteRule = "mean"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values))

    @property
    def fault(self) -> str:
        """What is wrong with its axes or rule; empty when nothing is."""
        dims = self.dims
        if not dims or len(set(dims)) < len(dims) or not set(dims) <= set(AXES):
            return f"its axes {dims} are not some of {', '.join(AXES)}, each once"
        if "region" in dims and {"origin", "destination"} & set(dims):
            return "its axes have a region beside an origin or destination"
        return "" if self.rule in ("sum", "mean") else f"its rule is {self.rule!r}, not sum or mean"

    @property
    def coverage(self) -> float:
        """Share of cells that hold a number."""
        return float(np.isfinite(self.values).mean()) if self.values.size else 1.0


@dataclass(frozen=True, eq=False, slots=True)
class Margin:
    """A row of a table that is neither goods, product taxes nor value added.

    International transport margins, cif/fob adjustments, purchases abroad by
    residents and purchases by non-residents. `inputs` (nodes,) what industries
    pay, `final` (regions, categories) what final users pay, million USD.
    """

    inputs: Array
    final: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", frozen(self.inputs))
        object.__setattr__(self, "final", frozen(self.final))


@dataclass(frozen=True, eq=False)
class Table:
    """What a table as its file has it and a World share: labels, numbers, and their shapes."""

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
    taxes: TaxTreatment = "separate"
    region_names: Mapping[str, str] = field(default_factory=dict)
    parent: Mapping[str, str] = field(default_factory=dict)
    satellites: Mapping[str, Satellite] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    rtol: float = 1e-9
    atol: float = 1e-6

    def settle(self, error: type[EntrepotError]) -> None:
        """Make labels and numbers immutable; raise `error` where they do not fit together."""
        put = object.__setattr__
        for name in ("regions", "sectors", "final_categories", "value_added_categories"):
            put(self, name, tuple(getattr(self, name)))
        for name in ("margins", "region_names", "parent", "satellites", "provenance"):
            put(self, name, MappingProxyType(dict(getattr(self, name))))
        require_unique("regions", self.regions, error)
        require_unique("sectors", self.sector_codes, error)
        require_unique("final-use categories", self.final_categories, error)
        require_unique("value-added categories", self.value_added_categories, error)
        n, s = len(self.regions), len(self.sectors)
        c, v = len(self.final_categories), len(self.value_added_categories)
        if not (n and s and c and v):
            raise error(
                f"{self.name}: a table needs at least one region, sector and category of each kind."
            )
        if not (0 <= self.rtol < np.inf and 0 <= self.atol < np.inf):
            raise error(
                f"{self.name}: tolerances must be finite and not negative (relative {self.rtol}, "
                f"absolute {self.atol})."
            )
        shapes: dict[str, tuple[int, ...]] = {
            "Z": (n * s, n * s),
            "F": (n * s, n, c),
            "V": (v, n * s),
            "T_inputs": (n * s,),
            "T_final": (n, c),
        }
        for name, shape in shapes.items():
            put(self, name, self.shaped(name, shape, error))
        for key, margin in self.margins.items():
            if margin.inputs.shape != (n * s,) or margin.final.shape != (n, c):
                raise error(f"{self.name}: margin {key!r} does not fit the table's labels.")

    def shaped(self, name: str, shape: tuple[int, ...], error: type[EntrepotError]) -> Array:
        """One of its arrays, read-only, of that shape."""
        array = frozen(getattr(self, name))
        if array.shape != shape:
            raise error(f"{self.name}: {name} has shape {array.shape}; {shape} was expected.")
        return array

    @property
    def sector_codes(self) -> tuple[str, ...]:
        """Sector codes, in order."""
        return tuple(sector.code for sector in self.sectors)

    @cached_property
    def node_names(self) -> tuple[str, ...]:
        """`region sector` for every node, region-major."""
        return tuple(f"{r} {s}" for r in self.regions for s in self.sector_codes)
