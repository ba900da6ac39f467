"""Starting a solve from another's solution: the one place that knows the solver's own types."""

from __future__ import annotations

import numpy as np

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.equations import Point
from entrepot.equilibrium.iterate import Preconditioner, precondition
from entrepot.equilibrium.solve import Solution


def point_of(solution: Solution) -> Point:
    """A solution as a point to begin from."""
    return Point(np.log(solution.w), np.log(solution.P), solution.X)


def response_of(economy: Economy) -> Preconditioner | None:
    """The base's linear response, for many solves of one economy; None where there is none."""
    try:
        with np.errstate(all="ignore"):
            return precondition(economy, economy.pi, economy.X)
    except np.linalg.LinAlgError:
        return None
