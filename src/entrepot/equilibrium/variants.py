"""Variants of the model: how nests substitute, and whether scale matters."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import WorldError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Variant:
    """One member of the family of Costinot & Rodríguez-Clare (2014).

    - `value_added` elasticity of substitution between value added and the
      bundle of inputs, `inputs` between inputs, `demand` between sectors within
      final use; one is Cobb-Douglas, zero fixed proportions;
    - `scale` (s,) or one number, from 0 to 1: how far the number of varieties a
      sector offers follows its output. 0 is perfect competition, 1 free entry
      of firms with fixed costs in the sector's own input bundle (Krugman 1980);
      effective unit cost then falls by `scale / theta` per cent per cent of
      output, as with external economies of that elasticity;
    - `selection` (s,) or one number, zero or more: `theta / (sigma - 1) - 1`, where
      firms differ in productivity (Pareto with shape theta) and pay to enter a
      market in the input bundle of the origin (Melitz 2003, Chaney 2008). Taxes
      then fall on prices with mark-up, with the exponent `theta + selection`, and
      larger markets have more varieties. Zero is Krugman.

    Productivity changes apply to entry and market access as to production.
    """

    name: str = "competitive"
    value_added: float = 1.0
    inputs: float = 1.0
    demand: float = 1.0
    scale: Array = field(default_factory=lambda: np.zeros(()))
    selection: Array = field(default_factory=lambda: np.zeros(()))

    def __post_init__(self) -> None:
        for key in ("value_added", "inputs", "demand"):
            value = getattr(self, key)
            if not (np.isfinite(value) and value >= 0):
                raise WorldError(
                    f"the elasticity of substitution {key} is {value}; zero or more was expected."
                )
        object.__setattr__(self, "scale", np.asarray(self.scale, float))
        if not ((self.scale >= 0) & (self.scale <= 1)).all():
            raise WorldError("scale is a share from 0 (no scale effects) to 1 (free entry).")
        object.__setattr__(self, "selection", np.asarray(self.selection, float))
        if not ((self.selection >= 0) & np.isfinite(self.selection)).all():
            raise WorldError(
                "selection is theta / (sigma - 1) - 1 and must be zero or more: sigma between 1 and "
                "1 + theta was expected."
            )
        if self.selects and not self.is_cobb_douglas:
            raise WorldError(
                "selection of firms goes with unit elasticities between sectors and inputs only."
            )

    def require_fits(self, sectors: int, users: int) -> None:
        """Raise WorldError where the arrays do not fit an economy."""
        for key in ("scale", "selection"):
            if (shape := getattr(self, key).shape) not in ((), (sectors,)):
                raise WorldError(
                    f"{key} has shape {shape}; one number, or one per sector ({sectors}), was expected."
                )
        if self.selects and users > 1:
            raise WorldError(
                "selection of firms needs one market per product and destination (sourcing: by_sector)."
            )

    @property
    def has_scale(self) -> bool:
        """Whether any sector has scale effects."""
        return bool(self.scale.any())

    @property
    def selects(self) -> bool:
        """Whether firms select into markets in any sector."""
        return bool(self.selection.any())

    @property
    def is_cobb_douglas(self) -> bool:
        """Whether all nests have unit elasticity."""
        return self.value_added == self.inputs == self.demand == 1.0

    def by_cost(self, theta: Array) -> tuple[Array, Array]:
        """`scale / theta` and `selection / theta` (s, 1): elasticities of effective cost."""
        psi, chi = (np.broadcast_to(v, theta.shape) / theta for v in (self.scale, self.selection))
        return psi[:, None], chi[:, None]
