"""Access to markets: freeness of trade, market potential with and without distances."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import connected_components

from entrepot.core.errors import MeasureError
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.bilateral import STOCKS, sales
from entrepot.measure.row import Measure


def trade_freeness(a: Accounts) -> Array:
    """Freeness of trade between two economies (n, n), all sectors together, 1 with itself.

    phi_ij = sqrt(X_ij X_ji / (X_ii X_jj)), the inverse index of Head & Ries
    (2001) as in Head & Mayer (2004): 0 without trade both ways, 1 when a
    border does not matter. It takes costs of both directions to be equal, and
    none at home. NaN where either sells nothing at home.
    """
    return _freeness(sales(a).sum(1))


def nominal_market_potential(a: Accounts) -> Array:
    """Expenditure of all economies by the freeness of trade with them (n,), million USD.

    sum over j of phi_ij E_j, own market included (Head & Mayer 2004), E all
    purchases, by industries and final users.
    """
    flows = sales(a).sum(1)
    return _over_markets(_freeness(flows), flows.sum(0))


def real_market_potential(a: Accounts) -> Array:
    """Market capacities by the freeness of trade with them (n,), mean of economies 1.

    sum over j of phi_ij m_j, own market included, m_j = E_j / G_j expenditure
    net of the competition it is served by (Head & Mayer 2004;
    market access of Redding & Venables 2004). Capacities are those of gravity
    X_ij = s_i phi_ij m_j with symmetric phi and phi_ii = 1; see `_capacities`.
    """
    access, _ = _accesses(a)
    return _indexed(access)


def foreign_market_access(a: Accounts) -> Array:
    """`real_market_potential` less the own market (n,), on its scale.

    Foreign market access of Redding & Venables (2004).
    """
    access, own = _accesses(a)
    return (access - own) * share(_indexed(access), access)


def supplier_access(a: Accounts) -> Array:
    """Supply capacities by the freeness of trade with them (n,), mean of economies 1.

    sum over i of s_i phi_ij, own supply included: supplier access of Redding &
    Venables (2004), from the capacities of `real_market_potential`.
    """
    flows = sales(a).sum(1)
    supply, _ = _capacities(flows)
    return _indexed(_over_markets(_freeness(flows).T, supply))


def _accesses(a: Accounts) -> tuple[Array, Array]:
    flows = sales(a).sum(1)
    _, market = _capacities(flows)
    return _over_markets(_freeness(flows), market), market


def _freeness(flows: Array) -> Array:
    home = np.diagonal(flows)
    out = np.sqrt(share(flows * flows.T, home[:, None] * home[None]))
    np.fill_diagonal(out, np.where(home > 0, 1.0, np.nan))
    return out


def _capacities(flows: Array) -> tuple[Array, Array]:
    """Supply and market capacities s, m of gravity with symmetric freeness (n,), (n,).

    X_ij / X_ji = (s_i / m_i) / (s_j / m_j) gives the ratios r = s / m up to one
    scale, by least squares of logs over pairs that trade both ways; home sales
    X_ii = s_i m_i give the levels. The free scale is put at a geometric mean of
    r of 1. NaN where not all economies are linked by trade both ways.
    """
    n, home = len(flows), np.diagonal(flows)
    both = (flows > 0) & (flows.T > 0) & ~np.eye(n, dtype=bool)
    if connected_components(both, directed=False)[0] > 1 or (home <= 0).any():
        return np.full(n, np.nan), np.full(n, np.nan)
    logs = np.log(flows, out=np.zeros_like(flows), where=both)
    laplacian = np.diag(both.sum(1)) - both.astype(float)
    # Ones pick the solution whose logs sum to zero.
    ratio = np.exp(np.linalg.solve(laplacian + 1.0, (logs - logs.T).sum(1)))
    return np.sqrt(home * ratio), np.sqrt(home / ratio)


def _over_markets(freeness: Array, size: Array) -> Array:
    return np.where(size[None] == 0, 0.0, freeness * size[None]).sum(1)


def _indexed(values: Array) -> Array:
    return share(values, values.mean(keepdims=True))


def harris_market_potential(a: Accounts) -> Array:
    """Final use of all regions over the distance to them (n,), million USD per unit of distance.

    sum over r of Y_r / d_ir (Harris 1954), own market over the distance within.
    An economy of several regions has the mean of its regions' potentials by
    their final use. Takes the satellite `distances` (origin, destination).

    NaN where a distance to a market is missing or not positive, the one within
    a region included. Raises MeasureError when the satellite has other axes.
    """
    satellite = a.world.satellites["distances"]
    if satellite.dims != ("origin", "destination"):
        raise MeasureError(
            f"harris_market_potential takes distances by origin and destination; {a.world.name} "
            f"carries them by {', '.join(satellite.dims)}."
        )
    size = a.world.F.sum((0, 2))
    distance = np.where(satellite.values > 0, satellite.values, np.nan)
    potential = np.where(size[None] == 0, 0.0, size[None] / distance).sum(1)
    if a.whole and a.n == len(size):
        return potential
    groups = [list(members) for members in a.members]
    return np.array([share(potential[g] @ size[g], size[g].sum())[()] for g in groups])


NOT_LINKED = "economies are not all linked by trade both ways, or one sells nothing at home"
SCALE = (
    "Only ratios between economies mean something; the mean of economies is 1. It rests on trade "
    "costs that are equal in both directions, all sectors together. "
)
ROWS = (
    Measure(
        "trade_freeness",
        "Freeness of trade",
        "trade",
        "index",
        ("region", "partner"),
        "Head & Ries (2001); Head & Mayer (2004): sqrt(X_ij X_ji / (X_ii X_jj))",
        "How freely two economies trade, from what they sell each other relative to what each sells "
        "at home: 0 without trade, 1 when the border does not matter. All that hinders trade is in it: "
        "distance, tariffs, rules, tastes. " + STOCKS,
        trade_freeness,
        absent="an economy sells nothing at home",
    ),
    Measure(
        "nominal_market_potential",
        "Nominal market potential",
        "trade",
        "million USD",
        ("region",),
        "Head & Mayer (2004): sum of phi_ij E_j",
        "The purchases of all economies, each weighted by the freeness of trade with it, the own market "
        "in full: the market an economy reaches, whoever competes there. " + STOCKS,
        nominal_market_potential,
        absent="an economy sells nothing at home",
    ),
    Measure(
        "real_market_potential",
        "Real market potential",
        "trade",
        "index",
        ("region",),
        "Head & Mayer (2004); Redding & Venables (2004): sum of phi_ij E_j / G_j, "
        "capacities from symmetric gravity",
        "The markets an economy reaches, each weighted by freeness and discounted by the competition "
        "that serves it, the own market included. " + SCALE + STOCKS,
        real_market_potential,
        absent=NOT_LINKED,
    ),
    Measure(
        "foreign_market_access",
        "Foreign market access",
        "trade",
        "index",
        ("region",),
        "Redding & Venables (2004): real market potential less the own market",
        "The part of real market potential that lies abroad, on the same scale. " + STOCKS,
        foreign_market_access,
        absent=NOT_LINKED,
    ),
    Measure(
        "supplier_access",
        "Supplier access",
        "trade",
        "index",
        ("region",),
        "Redding & Venables (2004): sum of s_i phi_ij, capacities from symmetric gravity",
        "The suppliers an economy reaches, each by its capacity to supply and the freeness of trade "
        "with it, the own included: high where inputs are near and many. " + SCALE + STOCKS,
        supplier_access,
        absent=NOT_LINKED,
    ),
    Measure(
        "harris_market_potential",
        "Market potential by distance",
        "trade",
        "million USD per unit of distance",
        ("region",),
        "Harris (1954): sum of market over distance",
        "Final use of all economies, each divided by the distance to it, the own market by the distance "
        "within. Distances are those attached, in their unit.",
        harris_market_potential,
        absent="a distance to a market, or within the economy, is missing or zero",
        needs="distances",
    ),
)
