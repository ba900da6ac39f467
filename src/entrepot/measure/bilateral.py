"""Trade between economies as the indexes of trade read it: who sold how much of what to whom."""

from __future__ import annotations

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts

STOCKS = "Flows that stocks drawn down make negative count as none."


def sales(a: Accounts) -> Array:
    """Market sales (n, s, n): seller, sector, buyer; home sales included, million USD.

    A flow that stocks drawn down make negative is no sale and counts as none:
    shares need parts that are not negative.
    """
    return np.maximum(a.by_sector(a.flows), 0.0)


def exported(a: Accounts) -> Array:
    """Market sales (n, s, n) to others, zero at home, million USD; see `sales`."""
    return np.maximum(a.by_sector(a.exports), 0.0)


def between(a: Accounts) -> Array:
    """Exports of each economy to each other, all sectors (n, n), zero at home; see `sales`."""
    return np.asarray(exported(a).sum(1))


def to_others(values: Array) -> Array:
    """A copy of values by economy and partner (n, n), absent where both are the same."""
    out = np.array(values, float)
    np.fill_diagonal(out, np.nan)
    return out
