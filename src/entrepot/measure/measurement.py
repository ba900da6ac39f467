"""Taking measures of a world: labelled arrays, tidy rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from entrepot.catalogues import groups
from entrepot.core.errors import MeasureError
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, Level, Together, accounts_of
from entrepot.measure.catalogue import named
from entrepot.measure.row import SATELLITE_UNIT, Measure
from entrepot.world.groups import group_use
from entrepot.world.world import World

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Measured:
    """One measure taken of a world: its row, its argument, values on labels.

    A cell without a number is NaN and `why_absent` says why: absent, never zero.
    """

    measure: Measure
    argument: str
    unit: str
    values: Array
    labels: Mapping[str, tuple[str, ...]]
    world: str
    year: int

    @property
    def name(self) -> str:
        """Name, with its argument."""
        return f"{self.measure.name}:{self.argument}" if self.argument else self.measure.name

    @property
    def why_absent(self) -> str:
        """Why cells are absent; empty when none is."""
        if not np.isnan(self.values).any():
            return ""
        return f"absent where {self.measure.absent}"

    def to_xarray(self) -> xr.DataArray:
        """A labelled array with unit, source and meaning in its attributes."""
        import xarray as xr

        row = self.measure
        about: dict[str, Any] = {"unit": self.unit, "source": row.source, "meaning": row.meaning}
        about |= {"world": self.world, "year": self.year}
        if self.why_absent:
            about["absent"] = self.why_absent
        coords = {dim: list(self.labels[dim]) for dim in row.dims}
        return xr.DataArray(self.values, coords, row.dims, self.name, about)

    def only(self, dim: str, labels: Sequence[str]) -> Measured:
        """The same for some labels of one axis."""
        axis = self.measure.dims.index(dim)
        known = self.labels[dim]
        index = [known.index(label) for label in labels]
        return Measured(
            self.measure,
            self.argument,
            self.unit,
            np.take(self.values, index, axis),
            {**self.labels, dim: tuple(labels)},
            self.world,
            self.year,
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dictionary a cell: labels, the value (None where absent) and why."""
        dims, why = self.measure.dims, self.why_absent
        for index in np.ndindex(self.values.shape):
            value = float(self.values[index])
            absent = bool(np.isnan(value))
            yield {
                **{d: self.labels[d][i] for d, i in zip(dims, index, strict=True)},
                "value": None if absent else value,
                "absent": why if absent else "",
            }


@dataclass(frozen=True, eq=False)
class Measurement:
    """Several measures taken of one world, and what is estimated in it."""

    items: tuple[Measured, ...]
    source: World
    notes: tuple[str, ...] = ()

    @property
    def world(self) -> str:
        """Name of the world."""
        return self.source.name

    @property
    def year(self) -> int:
        """Year of the world."""
        return self.source.year

    @property
    def estimated(self) -> tuple[str, ...]:
        """What in the world is estimated, not observed."""
        return tuple(map(str, self.source.provenance.get("estimated", ())))

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.item(name).to_xarray()

    def item(self, name: str) -> Measured:
        """One of the measures taken, by its name with or without the argument."""
        for item in self.items:
            if name in (item.name, item.measure.name):
                return item
        raise MeasureError(f"{name!r} was not taken; these were: {', '.join(self.names)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the measures taken."""
        return tuple(item.name for item in self.items)

    def tidy(self) -> pd.DataFrame:
        """One row a cell: measure, unit, labels of every axis that occurs, value, absent."""
        import pandas as pd

        dims = list(dict.fromkeys(d for item in self.items for d in item.measure.dims))
        frames = []
        for item in self.items:
            shape, names = item.values.shape, item.measure.dims
            index = np.indices(shape).reshape(len(shape), -1)
            frame: dict[str, Any] = {"measure": item.name, "unit": item.unit}
            for d in dims:
                if d in names:
                    labels = np.array(item.labels[d], object)
                    frame[d] = labels[index[names.index(d)]]
                else:
                    frame[d] = None
            frame["value"] = item.values.ravel()
            frame["absent"] = np.where(np.isnan(item.values.ravel()), item.why_absent, "")
            frames.append(pd.DataFrame(frame, index=range(item.values.size)))
        return pd.concat(frames, ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "world": self.world,
            "world_sha256": self.source.content_hash,
            "year": self.year,
            "estimated": list(self.estimated),
            "notes": list(self.notes),
            "measures": [
                {
                    "name": item.name,
                    "title": item.measure.title,
                    "unit": item.unit,
                    "dims": list(item.measure.dims),
                    "source": item.measure.source,
                    "rows": list(item.rows()),
                }
                for item in self.items
            ],
        }


def take(
    world: World | Accounts,
    what: str | Sequence[str],
    *,
    regions: Sequence[str] | None = None,
    level: Level = "region",
    together: Together = None,
) -> Measurement:
    """Measures of a world, by their names in the catalogue (`measures()`).

    Parameters
    ----------
    world : a World, or its Accounts (then `level` and `together` are theirs):
        measures taken of the same Accounts share what they solve.
    what : names, or `name:argument` for those that take one (`footprint:jobs`).
    regions : keep these economies on the `region` axis, by code or by catalogue
        group; all when None.
    level, together : see `accounts_of`.

    Raises MeasureError for unknown measures and economies, and where the world
    does not carry a satellite that a measure needs.

    """
    a = accounts_of(world, level, together)
    asked = [named(name) for name in dict.fromkeys([what] if isinstance(what, str) else what)]
    if not asked:
        raise MeasureError("name at least one measure; `entrepot measure list` lists them.")
    for row, _ in asked:
        if row.needs and row.needs not in a.world.satellites:
            raise MeasureError(
                f"{row.name} needs {row.needs!r}, which {a.world.name} does not carry: attach it "
                "(`entrepot world attach`)."
            )
    kept = None if regions is None else chosen(a, regions)
    items = []
    for row, argument in asked:
        item = _measured(a, row, argument)
        if kept is not None and "region" in row.dims:
            item = item.only("region", kept)
        items.append(item)
    uses = [
        group_use(a.world, name)
        for name in regions or ()
        if name in groups() and name not in a.economies
    ]
    return Measurement(tuple(items), a.world, (*map(a.told, uses), *notes(a)))


def chosen(a: Accounts, names: Sequence[str]) -> tuple[str, ...]:
    """Economies by code or by catalogue group, each once.

    Raises MeasureError where a name is neither, or none of a group is here.
    """
    found: list[str] = []
    for name in names:
        if name not in a.economies and name in groups():
            members = [m for m in groups()[name]["members"] if m in a.economies]
            if not members:
                raise MeasureError(f"No member of {name} is an economy apart in {a.world.name}.")
            found += members
        else:
            found.append(a.economies[a.position(name)])
    return tuple(dict.fromkeys(found))


def _measured(a: Accounts, row: Measure, argument: str) -> Measured:
    codes = a.world.sector_codes
    known = {
        "region": a.economies,
        "partner": a.economies,
        "sector": codes,
        "product": codes,
        "term": row.terms,
    }
    labels = {dim: known[dim] for dim in row.dims}
    values = np.asarray(row.values(a, argument), float)
    shape = tuple(len(x) for x in labels.values())
    if values.shape != shape:
        raise AssertionError(f"{row.name} has shape {values.shape}, not {shape}")
    if np.isnan(values).any() and not row.absent:
        raise AssertionError(f"{row.name} is absent somewhere and does not say why")
    unit = row.unit.replace(SATELLITE_UNIT, _satellite_unit(a, argument))
    return Measured(row, argument, unit, values, labels, a.world.name, a.world.year)


def _satellite_unit(a: Accounts, name: str) -> str:
    satellite = a.world.satellites.get(name)
    return "million USD" if satellite is None else satellite.unit


def notes(a: Accounts) -> tuple[str, ...]:
    """What a reader must know of these accounts, in sentences."""
    out = [a.told(use) for use in a.groups]
    if a.idle.size:
        names = ", ".join(a.name(i) for i in a.idle[:5])
        more = f" and {a.idle.size - 5} more" if a.idle.size > 5 else ""
        out.append(
            f"{names}{more} produce nothing: what they buy counts as final use of their economy."
        )
    return tuple(out)
