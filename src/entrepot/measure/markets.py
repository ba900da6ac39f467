"""Dependence on markets: who absorbs what an economy makes; who depends more on whom."""

from __future__ import annotations

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.dependence import input_reliance
from entrepot.measure.row import Measure

ROUTES = ("direct", "through_others")


def absorbed(a: Accounts, rates: Array) -> Array:
    """Amounts of each economy taken by each economy's final demand (n, n): rates x B y."""
    return a.by_economy(rates[:, None] * a.output_by_demand)


def absorbed_directly(a: Accounts, rates: Array) -> Array:
    """The part of `absorbed` that touches no third economy and crosses one border (n, n).

    rates_r L_rr (y_rp + A_rp L_pp y_pp): final goods sold to p, and inputs that p
    alone turns into final goods for itself. At home, rates_r L_rr y_rr.
    """
    made_at_home = np.zeros(a.N)  # L_pp y_pp, node by node
    for p in range(a.n):
        made_at_home[a.at(p)] = a.local[p] @ a.y[a.at(p), p]
    used = made_at_home * a.per_unit
    sold = np.stack([a.Z[:, a.at(p)] @ used[a.at(p)] for p in range(a.n)], 1)
    taken = a.y + a.abroad(sold)
    return np.stack([(rates[a.at(r)] @ a.local[r]) @ taken[a.at(r)] for r in range(a.n)])


def market_reliance(a: Accounts) -> Array:
    """Share of an economy's primary income that each economy's final demand pays (n, n)."""
    amounts = absorbed(a, a.v)
    return share(amounts, amounts.sum(1, keepdims=True))


def market_reliance_by_route(a: Accounts) -> Array:
    """The same, directly and through third economies (n, n, 2)."""
    total, direct = absorbed(a, a.v), absorbed_directly(a, a.v)
    routes = np.stack([direct, total - direct], -1)
    return share(routes, total.sum(1)[:, None, None])


def foreign_market_reliance(a: Accounts) -> Array:
    """Share of an economy's primary income that foreign final demand pays (n,)."""
    return _off_diagonal_sum(market_reliance(a))


def _off_diagonal_sum(shares: Array) -> Array:
    return np.asarray(np.where(np.eye(len(shares), dtype=bool), 0.0, shares).sum(1), float)


def output_reliance_by_sector(a: Accounts) -> Array:
    """Share of an industry's gross output that each economy's final demand takes (n, s, n)."""
    output = np.maximum(a.by_sector(a.x), 0.0)
    return share(a.by_sector(a.output_by_demand), output[:, :, None])


def finishing_reliance(a: Accounts) -> Array:
    """Share of an economy's gross output by the economy that finishes it (n, n).

    Row sums of B diag(f), f all final sales of a node: each unit of output is
    assigned once, to the maker of the final good it ends up in.
    """
    finished = np.where(a.home, a.y.sum(1)[:, None], 0.0)
    amounts = a.by_economy(a.sales(finished))
    return share(amounts, a.by_economy(a.x)[:, None])


def market_asymmetry(a: Accounts) -> Array:
    """Reliance of an economy on a partner's market less the partner's on its own (n, n)."""
    return _asymmetry(market_reliance(a))


def input_asymmetry(a: Accounts) -> Array:
    """Reliance of an economy on a partner's inputs less the partner's on its own (n, n)."""
    return _asymmetry(input_reliance(a))


def _asymmetry(shares: Array) -> Array:
    out = shares - shares.T
    np.fill_diagonal(out, np.nan)
    return out


JN = "Johnson & Noguera (2012): v B y"
BF = "after Baldwin & Freeman (2022), foreign market reliance"
NO_OUTPUT = "an economy makes nothing"
ROWS = (
    Measure(
        "market_reliance",
        "Reliance on each economy's final demand",
        "dependence",
        "share",
        ("region", "partner"),
        f"{JN}; {BF}",
        "The share of an economy's income (value added and taxes on inputs) that is paid, in the end, "
        "by the final demand of each economy, its own included, through whatever chain. Drawing down "
        "stocks counts negative.",
        market_reliance,
        absent=NO_OUTPUT,
    ),
    Measure(
        "market_reliance_by_route",
        "Reliance on final demand, direct and through third economies",
        "dependence",
        "share",
        ("region", "partner", "term"),
        f"{JN}, v_r L_rr (y_rp + A_rp L_pp y_pp) and the rest",
        "Reliance on a partner's final demand, split: direct is what is sold to it as final goods, or "
        "as inputs that it alone finishes for itself; the rest reaches it through third economies or "
        "crosses borders again.",
        market_reliance_by_route,
        absent=NO_OUTPUT,
        terms=ROUTES,
    ),
    Measure(
        "foreign_market_reliance",
        "Foreign market reliance",
        "dependence",
        "share",
        ("region",),
        f"{JN}; {BF}",
        "The share of an economy's income that foreign final demand pays, directly or through chains.",
        foreign_market_reliance,
        absent=NO_OUTPUT,
    ),
    Measure(
        "output_reliance_by_sector",
        "Industries' output by final market",
        "dependence",
        "share",
        ("region", "sector", "partner"),
        "Miller & Blair (2009): B y over x",
        "The share of an industry's output that ends up in each economy's final demand, in any form.",
        output_reliance_by_sector,
        absent="an industry makes nothing",
    ),
    Measure(
        "finishing_reliance",
        "Output by the economy that finishes it",
        "dependence",
        "share",
        ("region", "partner"),
        "Baldwin, Freeman & Theodorakopoulos (2022), exposure of sales: rows of L F",
        "The share of an economy's output that becomes part of final goods made in each economy, its "
        "own included: whose assembly lines its industries feed.",
        finishing_reliance,
        absent=NO_OUTPUT,
    ),
    Measure(
        "market_asymmetry",
        "Asymmetry of reliance on markets",
        "dependence",
        "share",
        ("region", "partner"),
        "Hirschman (1945): unequal dependence; " + JN,
        "How much more of an economy's income rests on the partner's final demand than the partner's "
        "on its own: positive where it depends more.",
        market_asymmetry,
        absent="an economy is its own partner, or one of the two makes nothing",
    ),
    Measure(
        "input_asymmetry",
        "Asymmetry of reliance on inputs",
        "dependence",
        "share",
        ("region", "partner"),
        "Hirschman (1945): unequal dependence; inputs as in Baldwin & Freeman (2022)",
        "How much more of the production behind an economy's output is the partner's than the other way "
        "round: positive where it depends more.",
        input_asymmetry,
        absent="an economy is its own partner, or one of the two uses no inputs",
    ),
)
