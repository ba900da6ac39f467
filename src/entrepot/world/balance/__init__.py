"""Balancing: the nearest matrix with given row and column sums, or the proof that there is none.

Three measures of nearness: `ras` (information, non-negative cells), `gras` (information, cells
of both signs), `least_squares` (weighted squares). A target that is NaN is open: that row or
column is left to follow the others.

`task` holds the checked question, `result` the answer and what moved; `fit` iterates for `ras`
and `gras` on the `cells` that may move; `squares` solves for `least_squares`; `linear` solves
their linear systems; `infeasible` proves that there is no answer.
"""

from entrepot.world.balance.fit import gras, ras
from entrepot.world.balance.result import Balanced, Change, Moved
from entrepot.world.balance.squares import least_squares

__all__ = ["Balanced", "Change", "Moved", "gras", "least_squares", "ras"]
