"""What producers and households pay and choose: nested CES over calibrated shares.

Producers combine value added and a bundle of inputs, and inputs within the
bundle; households combine sectors within each final bundle. With unit
elasticities everything is Cobb-Douglas and no share moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Choices:
    """Costs and shares at given wages and prices.

    `log_cost` (s, n) hat of unit cost before productivity; `g` (s, s, n) input
    values and `va` (s, n) value added per unit of output value; `alpha` (s, f * n)
    final shares.
    """

    log_cost: Array
    g: Array
    va: Array
    alpha: Array


def choices(e: Economy, log_w: Array, log_P: Array) -> Choices:
    """Costs and shares at log hats of wages (n,) and of prices by market (s, m).

    Nested CES in calibrated share form (Rutherford 1999): hats of a nest are
    `sum(share * hat ** (1 - sigma)) ** (1 / (1 - sigma))`, and a share moves with
    `(hat / nest hat) ** (1 - sigma)`.
    """
    v = e.variant
    inputs = input_prices(e, log_P)
    if v.value_added == v.inputs == 1:
        weighed = inner(e.pays, inputs)
        log_cost = e.va * log_w + weighed
        g, va = e.g, e.va
    else:
        mu = e.pays.sum(2).T  # (s, n)
        share = np.divide(
            e.pays, mu.T[:, :, None], out=np.zeros_like(e.pays), where=mu.T[:, :, None] != 0
        )
        bundle = nest(share.transpose(2, 1, 0), inputs, v.inputs)
        both = np.stack(np.broadcast_arrays(log_w, bundle))
        log_cost = nest(np.stack([e.va, mu]), both, v.value_added)
        outer = (1 - v.value_added) * (bundle - log_cost)
        g = e.g * np.exp((1 - v.inputs) * (inputs - bundle) + outer)
        va = e.va * np.exp((1 - v.value_added) * (log_w - log_cost))
    alpha = e.alpha
    if v.demand != 1:
        final = e.by_bundle(e.final(log_P))
        moved = np.exp((1 - v.demand) * (final - final_prices(e, final)))
        alpha = (e.by_bundle(alpha) * moved).reshape(alpha.shape)
    return Choices(log_cost, g, va, alpha)


def final_prices(e: Economy, final: Array) -> Array:
    """Log hats of the final bundles' prices (f, n), from those of their sectors (s, f, n)."""
    share = e.by_bundle(e.alpha) / np.where(e.budget > 0, e.budget, 1)
    return nest(share, final, e.variant.demand)


def nest(shares: Array, log_prices: Array, sigma: float) -> Array:
    """Log price of a CES nest over the first axis (shares sum to one there, or to zero)."""
    if sigma == 1:
        return np.asarray((shares * log_prices).sum(0))
    power = (1 - sigma) * log_prices
    top = power.max(0)
    total = (shares * np.exp(power - top)).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, (np.log(total) + top) / (1 - sigma), 0.0)


def input_prices(e: Economy, values: Array) -> Array:
    """Values by market (s, m) as users of inputs meet them: (s, 1 or s, n)."""
    n = len(e.regions)
    if e.shared_inputs:
        return values[:, None, :n]
    return values.reshape(len(values), -1, n)[:, : len(values)]


def inner(pays: Array, values: Array) -> Array:
    """Inputs' values weighed by cost shares: (n, s, s), (s, 1 or s, n) -> (s, n)."""
    if values.shape[1] == 1:
        return within(pays, values[:, 0])
    return np.einsum("dkr,rkd->kd", pays, values)


def within(matrix: NDArray[np.floating], values: Array) -> Array:
    """Within each economy: (n, s, s), (s, n) -> (s, n)."""
    columns = values.T[:, :, None].astype(matrix.dtype, copy=False)
    return np.matmul(matrix, columns)[:, :, 0].T.astype(np.float64, order="C")


def real_price(e: Economy, log_P: Array) -> Array:
    """Log hat of each economy's final-use price index (n,)."""
    return np.asarray((e.budget * final_prices(e, e.by_bundle(e.final(log_P)))).sum(0))
