"""Small worlds of sales alone, by hand, and their measures."""

from __future__ import annotations

import numpy as np
import pytest

from entrepot.measure.measurement import take
from entrepot.world.world import Sector, World


def table(sales, isic=None, **more):
    """A world without inputs from sales [seller, sector, buyer]: all of it is final use."""
    sales = np.asarray(sales, float)
    n, s, _ = sales.shape
    F = sales.reshape(n * s, n, 1)
    return World(
        name="hand",
        year=2022,
        regions=tuple("ABCDEFGH"[:n]),
        sectors=tuple(
            Sector(f"S{k}", f"sector {k}", isic=() if isic is None else isic[k]) for k in range(s)
        ),
        Z=np.zeros((n * s, n * s)),
        F=F,
        V=F.sum((1, 2))[None],
        T_inputs=np.zeros(n * s),
        T_final=np.zeros((n, 1)),
        final_categories=("final",),
        **more,
    )


HAND = table(
    # to:   A   B   C
    [
        [[60, 30, 10], [20, 0, 0]],  # A sells 40 of S0
        [[5, 50, 5], [15, 70, 5]],  # B sells 10 of S0, 20 of S1
        [[0, 0, 40], [20, 10, 30]],  # C sells 30 of S1
    ],
    isic=[(10, 11), (64,)],
)


def get(world, *names, **options):
    taken = take(world, names, **options)
    values = [item.values for item in taken.items]
    return values[0] if len(values) == 1 else values


def values(row, accounts):
    """A row's values with its default argument; skips where its library is not installed."""
    if row.name in ("economic_complexity", "sector_complexity"):
        pytest.importorskip("ecomplexity")
    return row.values(accounts, row.default)
