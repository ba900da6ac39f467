"""World: one frozen, labelled, balanced table of the world economy in one year."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entrepot.core.errors import WorldError
from entrepot.core.labels import some
from entrepot.core.tables import (
    SATELLITE_NAME,
    Array,
    Margin,
    Satellite,
    SatelliteRule,
    Sector,
    Table,
    TaxTreatment,
    frozen,
)

__all__ = [
    "Array",
    "Margin",
    "Satellite",
    "Sector",
    "TaxTreatment",
    "World",
    "attach",
    "identity_gaps",
    "trade_flows",
]


@dataclass(frozen=True, eq=False)
class World(Table):
    """The world economy in one year, in million USD at basic prices.

    With n regions, s sectors, c final-use and v value-added categories, and
    region-major nodes (node = region * s + sector):

    - `Z` (n*s, n*s): intermediate sales, row node to column node;
    - `F` (n*s, n, c): final sales of a node, by buying region and category
      (negative cells are inventories drawn down);
    - `V` (v, n*s): value added by category;
    - `T_inputs` (n*s,) and `T_final` (n, c): net product taxes (taxes less
      subsidies) paid on inputs and on final use. `taxes` says whether the
      table shows them apart (`separate`) or carries them inside value added
      (`in_value_added`, both arrays zero);
    - `margins`: rows that are none of these, by name (international transport,
      cif/fob adjustments, purchases abroad).

    Identity, per node: `Z.sum(0) + T_inputs + margins + V.sum(0) = x = Z.sum(1) + F.sum((1, 2))`
    within `atol + rtol * x`, the tolerance the source declares. What is left
    is `slack`, kept and visible.

    A satellite's absent cells are NaN; `tariffs` and `export_taxes` (dims sector,
    origin, destination; ad-valorem fractions) must exceed -1 and vanish at home.

    Raises WorldError when shapes, labels, signs or identities do not hold.
    """

    def __post_init__(self) -> None:
        self.settle(WorldError)
        if self.taxes not in ("separate", "in_value_added"):
            raise WorldError(
                f"taxes are {self.taxes!r}; 'separate' or 'in_value_added' was expected."
            )
        for name in ("Z", "F", "V", "T_inputs", "T_final"):
            odd = ~np.isfinite(getattr(self, name))
            if odd.any():
                raise WorldError(f"{name} holds {self._where(name, odd)}: not finite.")
        if (self.Z < 0).any():
            raise WorldError(
                f"Z holds negative flows at {self._where('Z', self.Z < 0)}; "
                "intermediate sales cannot be negative."
            )
        if self.taxes == "in_value_added" and (self.T_inputs.any() or self.T_final.any()):
            raise WorldError(
                "taxes are declared to lie inside value added, yet T_inputs or T_final is not zero."
            )
        for key, margin in self.margins.items():
            if not (np.isfinite(margin.inputs).all() and np.isfinite(margin.final).all()):
                raise WorldError(f"margin {key!r} holds values that are not finite.")
        unknown = [r for r in (*self.parent, *self.region_names) if r not in self.regions]
        if unknown:
            raise WorldError(f"parent or region_names speak of {some(unknown)}: no such region.")
        for key, satellite in self.satellites.items():
            self._check_satellite(key, satellite)
        if gaps := identity_gaps(self):
            more = f"; and {len(gaps) - 3} more" if len(gaps) > 3 else ""
            raise WorldError(
                f"the table does not balance: {'; '.join(gaps[:3])}{more}. Repair or rebalance it at "
                "its source, or declare the tolerance it is good to (rtol, atol)."
            )

    def _check_satellite(self, key: str, satellite: Satellite) -> None:
        n, s = len(self.regions), len(self.sectors)
        size = {"sector": s, "origin": n, "destination": n, "region": n}
        if not SATELLITE_NAME.match(key):
            raise WorldError(
                f"{key!r} is no name of a satellite: letters, digits, - and _, up to 80 of them."
            )
        if unknown := [dim for dim in satellite.dims if dim not in size]:
            raise WorldError(f"satellite {key}: unknown axis {unknown[0]!r}.")
        if fault := satellite.fault:
            raise WorldError(f"satellite {key}: {fault}.")
        shape = tuple(size[dim] for dim in satellite.dims)
        if satellite.values.shape != shape:
            raise WorldError(
                f"satellite {key} has shape {satellite.values.shape}; {shape} was expected."
            )
        if np.isinf(satellite.values).any():
            raise WorldError(f"satellite {key} holds values that are not finite.")
        if key in ("tariffs", "export_taxes"):
            if satellite.dims != ("sector", "origin", "destination"):
                raise WorldError(f"{key} must have dims (sector, origin, destination).")
            if satellite.rule != "mean":
                raise WorldError(f"{key} are rates: their rule is mean.")
            if not np.isfinite(satellite.values).all():
                raise WorldError(
                    f"{key} holds rates that are not finite; every flow needs one, 0 for none."
                )
            if (satellite.values <= -1).any():
                raise WorldError(
                    f"{key} holds a rate of -100 % or less: prices would not be positive."
                )
            if np.einsum("sdd->sd", satellite.values).any():
                raise WorldError(
                    f"{key} holds a rate on home sales; only cross-border ones are taxed."
                )

    def _where(self, name: str, mask: NDArray[np.bool_]) -> str:
        """The first offending cells of a table, by name."""
        names = self.node_names
        cells = []
        for index in np.argwhere(mask)[:3]:
            if name == "T_final":
                cells.append(f"{self.regions[index[0]]} {self.final_categories[index[1]]}")
            elif name == "V":
                cells.append(names[index[1]])
            elif name == "F":
                cells.append(f"{names[index[0]]} to {self.regions[index[1]]}")
            elif name == "Z":
                cells.append(f"{names[index[0]]} to {names[index[1]]}")
            else:
                cells.append(names[index[0]])
        more = int(mask.sum()) - len(cells)
        return "; ".join(cells) + (f" and {more} more" if more > 0 else "")

    @cached_property
    def one_economy(self) -> NDArray[np.bool_]:
        """Pairs of regions (n, n) that are one economy: each with itself, parts with their like.

        Between provinces and zones of one parent there is no border.
        """
        roots = np.array([self.parent.get(r, r) for r in self.regions])
        same = roots[:, None] == roots[None, :]
        same.flags.writeable = False
        return same

    def part_of(self, code: str) -> list[int]:
        """Positions of a region, or of the parts of an economy; empty where it is not here."""
        if code in self.regions:
            return [self.regions.index(code)]
        return [i for i, r in enumerate(self.regions) if self.parent.get(r) == code]

    @cached_property
    def x(self) -> Array:
        """Gross output by node (n*s,), million USD: the row sum of the table."""
        return frozen(self.Z.sum(1) + self.F.sum((1, 2)))

    @cached_property
    def slack(self) -> Array:
        """Row sum less column sum by node (n*s,), million USD."""
        paid = self.Z.sum(0) + self.T_inputs + self.V.sum(0) + self.margin_inputs
        return frozen(self.x - paid)

    @cached_property
    def margin_inputs(self) -> Array:
        """Margins paid by industries, all kinds (n*s,), million USD."""
        total = np.zeros(len(self.regions) * len(self.sectors))
        for margin in self.margins.values():
            total = total + margin.inputs
        return frozen(total)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over labels and numbers: equal exactly when two worlds hold the same table."""
        digest = hashlib.sha256()
        labels = {
            "regions": self.regions,
            "sectors": [[x.code, x.isic] for x in self.sectors],
            "final": self.final_categories,
            "value_added": self.value_added_categories,
            "taxes": self.taxes,
            "parent": dict(self.parent),
        }
        digest.update(json.dumps(labels, sort_keys=True).encode())
        for array in (self.Z, self.F, self.V, self.T_inputs, self.T_final):
            digest.update(array.data.cast("B") if array.size else b"")
        for key in sorted(self.margins):
            digest.update(json.dumps(["margin", key]).encode())
            digest.update(self.margins[key].inputs.tobytes())
            digest.update(self.margins[key].final.tobytes())
        for key in sorted(self.satellites):
            satellite = self.satellites[key]
            about = [key, satellite.dims, satellite.unit, satellite.rule]
            digest.update(json.dumps(about).encode())
            digest.update(satellite.values.tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        added = float(self.V.sum())
        size = f"{added / 1e6:,.1f} tn" if abs(added) >= 1e5 else f"{added:,.1f} million"
        return (
            f"World({self.name!r}, {self.year}, {len(self.regions)} regions, "
            f"{len(self.sectors)} sectors, value added {size} USD)"
        )


def identity_gaps(world: World) -> list[str]:
    """One line per node whose sales differ from its costs beyond the declared tolerance.

    Largest first; an empty list means the table balances.
    """
    slack, x = world.slack, world.x
    bad = np.flatnonzero(np.abs(slack) > world.atol + world.rtol * np.abs(x))
    worst = bad[np.argsort(-np.abs(slack[bad]))]
    return [
        f"{world.node_names[i]} sells {x[i]:.8g} and costs {x[i] - slack[i]:.8g}, "
        f"a difference of {slack[i]:.3g} million USD"
        for i in worst
    ]


def trade_flows(world: World) -> tuple[Array, Array]:
    """Market sales and fixed inventory flows by sector, origin and destination.

    Returns `(sales, inventories)`, both (s, n, n) in million USD before duty:
    intermediate plus positive final sales, and the negative final-use cells
    (inventories drawn down), summed over users and categories.
    """
    n, s = len(world.regions), len(world.sectors)
    intermediate = world.Z.reshape(n, s, n, s).sum(3)
    final = np.maximum(world.F, 0).sum(2).reshape(n, s, n)
    drawn = np.minimum(world.F, 0).sum(2).reshape(n, s, n)
    return (
        np.ascontiguousarray((intermediate + final).transpose(1, 0, 2)),
        np.ascontiguousarray(drawn.transpose(1, 0, 2)),
    )


def attach(
    world: World,
    name: str,
    values: ArrayLike,
    dims: Sequence[str],
    unit: str,
    source: str,
    rule: SatelliteRule = "mean",
) -> World:
    """A new World with one more satellite on its own labels; NaN where a cell has no number.

    Raises WorldError when the satellite is there already, or is one that a
    World does not admit.
    """
    if name in world.satellites:
        raise WorldError(f"{world.name} already carries {name!r}; it is not overwritten.")
    satellite = Satellite(frozen(values), tuple(dims), unit, source, rule)
    return replace(world, satellites={**world.satellites, name: satellite})
