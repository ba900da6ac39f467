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
      output, as with external economies of that elasticity.
    """

    name: str = "competitive"
    value_added: float = 1.0
    inputs: float = 1.0
    demand: float = 1.0
    scale: Array = field(default_factory=lambda: np.zeros(()))

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

    def require_fits(self, sectors: int, users: int) -> None:
        """Raise WorldError where the arrays do not fit an economy."""
        del users
        if self.scale.shape not in ((), (sectors,)):
            raise WorldError(
                f"scale has shape {self.scale.shape}; one number, or one per sector ({sectors}), "
                "was expected."
            )

    @property
    def has_scale(self) -> bool:
        """Whether any sector has scale effects."""
        return bool(self.scale.any())

    @property
    def is_cobb_douglas(self) -> bool:
        """Whether all nests have unit elasticity."""
        return self.value_added == self.inputs == self.demand == 1.0
