"""What many solves of one economy share."""

from __future__ import annotations

import numpy as np

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.iterate import Preconditioner, precondition


def response_of(economy: Economy) -> Preconditioner | None:
    """The base's linear response, for many solves of one economy; None where there is none."""
    try:
        with np.errstate(all="ignore"):
            return precondition(economy, economy.pi, economy.X)
    except np.linalg.LinAlgError:
        return None
