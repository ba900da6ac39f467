"""The trade economy from shares, as papers publish them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import WorldError
from entrepot.core.labels import require_unique
from entrepot.equilibrium.economy import Economy, as_elasticities, base_gap, ratio
from entrepot.equilibrium.variants import Variant

Array = NDArray[np.float64]


def economy_from_shares(
    regions: Sequence[str],
    sectors: Sequence[str],
    *,
    trade: Array,
    tariffs: Array,
    inputs: Array,
    value_added_shares: Array,
    final_shares: Array,
    theta: Array,
    deficits: Array | None = None,
    negative_inputs: bool = False,
    variant: Variant | None = None,
) -> Economy:
    """The trade economy from Caliendo & Parro's inputs.

    Parameters
    ----------
    trade : (s, n, n) expenditure of destination on origin, duty paid, home
        sales included; any money unit.
    tariffs : (s, n, n) ad-valorem fractions.
    inputs : (s, s, n) [input, using, region] value of inputs per unit of
        output value; with `value_added_shares` (s, n) they sum to one.
    final_shares : (s, n) shares of income spent on each sector.
    theta : (s,) trade elasticities.
    deficits : (n,) trade deficits; the trade's own when None.
    negative_inputs : admit negative input coefficients (published tables hold
        a few small ones); refused otherwise.

    variant : how nests substitute and whether scale matters.

    A published base is an equilibrium only to its own digits: `base_gap` says
    how far it is; closures other than `balanced_first` refuse a base that
    misses by more than 1e-6.

    Raises WorldError for shapes, signs or shares that do not add up.

    """
    n, s = len(regions), len(sectors)
    trade, tariffs = np.asarray(trade, float), np.asarray(tariffs, float)
    inputs, va = np.asarray(inputs, float), np.asarray(value_added_shares, float)
    alpha = np.asarray(final_shares, float)
    for name, array, shape in (
        ("trade", trade, (s, n, n)),
        ("tariffs", tariffs, (s, n, n)),
        ("inputs", inputs, (s, s, n)),
        ("value_added_shares", va, (s, n)),
        ("final_shares", alpha, (s, n)),
    ):
        if array.shape != shape:
            raise WorldError(f"{name} has shape {array.shape}; {shape} was expected.")
        if not np.isfinite(array).all():
            raise WorldError(f"{name} holds values that are not finite.")
        signed = name == "tariffs" or (name == "inputs" and negative_inputs)
        if not signed and (array < 0).any():
            raise WorldError(f"{name} holds negative values.")
    if (tariffs <= -1).any():
        raise WorldError("tariffs hold a rate of -100 % or less.")
    if np.einsum("rdd->rd", tariffs).any():
        raise WorldError("tariffs hold a rate on home sales.")
    if np.abs(va + inputs.sum(0) - 1).max() > 1e-6:
        raise WorldError("value-added and input shares do not sum to one.")
    if np.abs(alpha.sum(0) - 1).max() > 1e-6:
        raise WorldError("final-use shares do not sum to one.")
    require_unique("regions", regions)
    require_unique("sectors", sectors)
    alpha = alpha / alpha.sum(0)
    va = 1 - inputs.sum(0)
    X = trade.sum(1)
    border = trade / (1 + tariffs)
    V = (va * border.sum(2)).sum(0)
    if not ((V > 0) & (X.sum(0) > 0)).all():
        raise WorldError("a region sells or buys nothing: it cannot be solved for.")
    if deficits is not None:
        deficits = np.asarray(deficits, float)
        if deficits.shape != (n,) or not np.isfinite(deficits).all():
            raise WorldError(f"deficits must be {n} finite numbers, one a region.")
        if abs(deficits.sum()) > 1e-6 * V.sum():
            raise WorldError("deficits do not sum to zero over the world.")
    D = border.sum((0, 1)) - border.sum((0, 2)) if deficits is None else deficits
    zero = np.zeros((s, n, n))
    economy = Economy(
        regions=tuple(regions),
        sectors=tuple(sectors),
        theta=as_elasticities(theta, s),
        pi=ratio(trade, np.broadcast_to(X[:, None, :], trade.shape), 0.0),
        X=X,
        t=tariffs,
        x=zero,
        g=np.ascontiguousarray(inputs),
        omega=np.zeros((s, n)),
        va=va,
        alpha=alpha,
        I=V + (trade - border).sum((0, 1)) + D,
        V=V,
        D=D,
        inventories=zero,
        variant=Variant() if variant is None else variant,
    )
    economy.variant.require_fits(s, 1)
    object.__setattr__(economy, "base_gap", base_gap(economy))
    return economy
