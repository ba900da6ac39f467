"""A stack of years: one object, each World loaded when it is asked for; constant prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError, WorldError
from entrepot.core.labels import require_same
from entrepot.core.tables import Array, Margin, sealed
from entrepot.world.shelf import load_world
from entrepot.world.world import World

KEPT = 3
"""Years held in memory at once."""
REAL_VALUE_ADDED = "value added at constant prices (double deflation)"


@dataclass(frozen=True, eq=False)
class Series:
    """Worlds by year with the same regions and sectors; `series[2011]` loads one.

    Iterating gives the years, in order. Labels are compared with the first
    year's when a year is loaded: a year that differs is a WorldError, not a gap.
    """

    loaders: Mapping[int, Callable[[], World]]
    _load: Callable[[int], World] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.loaders:
            raise DataError("a series needs at least one year.")
        put = object.__setattr__
        put(self, "loaders", MappingProxyType(dict(sorted(self.loaders.items()))))

        @lru_cache(maxsize=KEPT)
        def load(year: int) -> World:
            world = self.loaders[year]()
            if world.year != year:
                raise WorldError(f"{world.name} is of {world.year}; {year} was expected.")
            return world

        put(self, "_load", load)

    @property
    def years(self) -> tuple[int, ...]:
        """The years, in order."""
        return tuple(self.loaders)

    def __getitem__(self, year: int) -> World:
        if year not in self.loaders:
            years = ", ".join(map(str, self.years))
            raise DataError(f"the series has no year {year}; it has {years}.")
        world = self._load(year)
        first = self._load(self.years[0])
        require_same("regions", world.regions, first.regions)
        require_same("sectors", world.sector_codes, first.sector_codes)
        return world

    def __iter__(self) -> Iterator[int]:
        return iter(self.years)

    def __len__(self) -> int:
        return len(self.loaders)

    def values(self) -> Iterator[World]:
        """Each year's World in turn."""
        return (self[year] for year in self.years)

    def map(self, change: Callable[[World], World]) -> Series:
        """The series with a function applied to each year when it is loaded."""

        def through(year: int) -> Callable[[], World]:
            return lambda: change(self[year])

        return Series({year: through(year) for year in self.years})


def open_series(source: Path | str | Mapping[int, Path | str]) -> Series:
    """A series from a folder of stored worlds, or from a year-to-path mapping.

    In a folder every `.zarr` and `.npz` world counts; its labels say its year.
    No numbers are read yet.

    Raises DataError for a folder without worlds or with two of one year.
    """
    if isinstance(source, Mapping):
        paths = {int(year): str(path) for year, path in source.items()}
    else:
        folder = Path(source)
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder.")
        paths = {}
        for path in sorted([*folder.glob("*.zarr"), *folder.glob("*.npz")]):
            year = _year(path)
            if year in paths:
                raise DataError(
                    f"{folder}: {Path(paths[year]).name} and {path.name} are both of {year}."
                )
            paths[year] = str(path)
        if not paths:
            raise DataError(f"{folder}: holds no stored worlds (.zarr, .npz).")

    def loader(path: str) -> Callable[[], World]:
        return lambda: load_world(path)

    return Series({year: loader(path) for year, path in paths.items()})


def _year(path: Path) -> int:
    if path.suffix == ".zarr":
        from entrepot.world.zarr import open_zarr

        return int(open_zarr(path).meta["year"])
    from entrepot.world.store import read_labels

    return int(read_labels(path)["year"])


def deflate(series: Series, base: int, prices: str = "price_index") -> Series:
    """The series at constant prices of a year, by double deflation.

    Every year carries the satellite `prices`, dims (sector, region): an index
    of each producer's basic price, in any base. Flows are divided by their
    seller's index relative to the base year, wherever they go. Net product
    taxes and margins follow the volume of the purchases they are paid on. Real
    value added is output less inputs, taxes and margins, all at constant
    prices, in one category: it can be negative, and its split has no volume.

    Source: Office for National Statistics (2022), Double deflation and the supply
    and use framework in the UK National Accounts, section 2.

    Raises WorldError for a year without the index, or with a cell absent or not
    positive where there is output.
    """
    first = series[base]
    base_index = _index(first, prices, first.x != 0)

    def constant(world: World) -> World:
        if "prices" in world.provenance:
            raise WorldError(f"{world.name} is at prices {world.provenance['prices']} already.")
        sells = world.x != 0
        p = _index(world, prices, sells) / base_index
        new = sells & ~np.isfinite(p)
        if new.any():
            raise WorldError(
                f"{world.node_names[int(np.argmax(new))]} sells in {world.year} and has no price in "
                f"{base}: no volume at the prices of that year. Choose another base, or give "
                f"{prices} a value there."
            )
        return at_prices(world, np.where(sells, p, 1.0), base)

    return series.map(constant)


def at_prices(world: World, p: Array, base: int) -> World:
    """A World with every flow divided by its seller's relative price p (nodes,)."""
    n, s = len(world.regions), len(world.sectors)
    Z = world.Z / p[:, None]
    F = world.F / p[:, None, None]

    def follow(amount: Array, new: Array, old: Array) -> Array:
        """An amount times the volume index of what it is paid on."""
        return amount * np.divide(new, old, out=np.ones_like(new), where=old != 0)

    on_inputs = (Z.sum(0), world.Z.sum(0))
    on_final = (F.sum(0), world.F.sum(0))
    T_inputs = follow(world.T_inputs, *on_inputs)
    margins = {
        k: Margin(follow(m.inputs, *on_inputs), follow(m.final, *on_final))
        for k, m in world.margins.items()
    }
    output = Z.sum(1) + F.sum((1, 2))
    rest = output - Z.sum(0) - T_inputs - sum(m.inputs for m in margins.values())
    notes = [*world.provenance.get("notes", []), f"At constant prices of {base}, double deflation."]
    return replace(
        world,
        Z=sealed(Z),
        F=sealed(F),
        V=sealed(np.asarray(rest).reshape(1, n * s)),
        value_added_categories=(REAL_VALUE_ADDED,),
        T_inputs=T_inputs,
        T_final=follow(world.T_final, *on_final),
        margins=margins,
        provenance={**world.provenance, "notes": notes, "prices": f"constant, {base}"},
        atol=max(world.atol, 1e-12 * float(np.abs(output).sum())),
    )


def _index(world: World, prices: str, needed: NDArray[np.bool_]) -> Array:
    """The index by node, NaN where it is absent; it must be there where `needed`."""
    if prices not in world.satellites:
        raise WorldError(
            f"{world.name} carries no {prices!r}; attach a price index (sector, region)."
        )
    satellite = world.satellites[prices]
    if satellite.dims not in (("sector", "region"), ("region", "sector")):
        raise WorldError(f"{prices} has dims {satellite.dims}; (sector, region) was expected.")
    values = satellite.values.T if satellite.dims[0] == "sector" else satellite.values
    index = np.array(values, dtype=np.float64).ravel()
    bad = ~(index > 0) & needed
    if bad.any():
        raise WorldError(
            f"{prices} of {world.name} is absent or not positive at "
            f"{world.node_names[int(np.argmax(bad))]} and {int(bad.sum()) - 1} more."
        )
    return np.where(index > 0, index, np.nan)
