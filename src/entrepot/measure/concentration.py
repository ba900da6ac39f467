"""Concentration of trade over partners and over the table's sectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.bilateral import STOCKS, between, exported
from entrepot.measure.row import Measure

BASES = ("export_partners", "import_partners", "export_sectors", "import_products")


def _shares(a: Accounts) -> tuple[list[Array], Array]:
    """Shares of each base by economy, in the order of `BASES`, and how many there could be (4,)."""
    cells, pairs = exported(a), between(a)
    amounts = (pairs, pairs.T, cells.sum(2), cells.sum(0).T)
    shares = [share(amount, amount.sum(1, keepdims=True)) for amount in amounts]
    return shares, np.array([a.n - 1, a.n - 1, a.s, a.s], float)


def herfindahl(a: Accounts) -> Array:
    """Sum of squared shares by economy and base (n, 4): 1 / number when even, 1 when one holds all.

    Hirschman (1964). Bases are `BASES`; NaN where nothing is traded.
    """
    return np.stack([(part**2).sum(1) for part in _shares(a)[0]], axis=1)


def herfindahl_normalised(a: Accounts) -> Array:
    """(H - 1/N) / (1 - 1/N) by economy and base (n, 4): 0 when even over all N, 1 when one holds all.

    N is the number of other economies, or of the table's sectors; NaN where N is 1.
    """
    number = _shares(a)[1]
    even = share(np.ones(4), number)
    return share(herfindahl(a) - even, 1.0 - even)


def effective_number(a: Accounts) -> Array:
    """1 / H by economy and base (n, 4): as many equal partners or sectors would concentrate alike.

    Adelman (1969), the numbers equivalent of the Herfindahl index.
    """
    found = herfindahl(a)
    return share(np.ones_like(found), found)


def theil(a: Accounts) -> Array:
    """Theil's index by economy and base (n, 4): ln N less the entropy of the shares, 0 to ln N.

    Theil (1967), (1/N) sum of (x/mean) ln(x/mean), which is ln N + sum of p ln p.
    """
    shares, number = _shares(a)
    return np.stack([_theil(p, n) for p, n in zip(shares, number, strict=True)], axis=1)


def export_theil_by_partner(a: Accounts) -> Array:
    """Theil's index over partners and sectors at once (n, 3): total, between and within partners.

    Groups are partners, each with the s sectors: T = T_between + sum of p_j T_j
    (Theil 1967; Cadot, Carrère & Strauss-Kahn 2011).
    """
    cells = exported(a)
    total = share(cells, cells.sum((1, 2), keepdims=True))
    whole = _theil(total.reshape(a.n, -1), (a.n - 1.0) * a.s)
    partners = _theil(total.sum(1), a.n - 1.0)
    return np.stack([whole, partners, np.maximum(whole - partners, 0.0)], axis=1)


def _theil(shares: Array, number: float) -> Array:
    """Ln N + sum of p ln p along rows; NaN rows stay NaN."""
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.maximum(np.log(max(number, 1.0)) + (shares * logs).sum(1), 0.0)


NOTHING = "an economy exports or imports nothing"
SECTORS = (
    "Sectors and products are the table's industries, far coarser than customs products: "
    "concentration over products proper is measured elsewhere. "
)


def _row(
    name: str,
    title: str,
    unit: str,
    source: str,
    meaning: str,
    function: Callable[[Accounts], Array],
) -> Measure:
    return Measure(
        name,
        title,
        "trade",
        unit,
        ("region", "term"),
        source,
        meaning + SECTORS + STOCKS,
        function,
        absent=NOTHING,
        terms=BASES,
    )


ROWS = (
    _row(
        "trade_herfindahl",
        "Herfindahl concentration of trade",
        "index",
        "Hirschman (1964): sum of squared shares",
        "How concentrated exports and imports are over partners and over sectors: near 0 when spread "
        "widely, 1 when one partner or sector takes all. ",
        herfindahl,
    ),
    Measure(
        "trade_herfindahl_normalised",
        "Normalised Herfindahl concentration of trade",
        "trade",
        "index",
        ("region", "term"),
        "Sum of squared shares, (H - 1/N) / (1 - 1/N), as in UNCTAD's Handbook of Statistics without "
        "its square root",
        "The Herfindahl index put between 0 (spread evenly over all possible partners or sectors) and "
        "1, so that tables with different numbers of economies compare. " + SECTORS + STOCKS,
        herfindahl_normalised,
        absent=NOTHING + ", or there is only one partner or sector",
        terms=BASES,
    ),
    _row(
        "trade_effective_number",
        "Effective number of partners and sectors",
        "number",
        "Adelman (1969): 1 / Herfindahl index",
        "How many equally large partners or sectors would make trade as concentrated as it is. ",
        effective_number,
    ),
    _row(
        "trade_theil",
        "Theil concentration of trade",
        "index",
        "Theil (1967): (1/N) sum of (x/mean) ln(x/mean)",
        "Concentration by entropy: 0 when trade is spread evenly over all possible partners or "
        "sectors, the logarithm of their number when one takes all. ",
        theil,
    ),
    Measure(
        "export_theil_by_partner",
        "Theil concentration of exports, between and within partners",
        "trade",
        "index",
        ("region", "term"),
        "Theil (1967); Cadot, Carrère & Strauss-Kahn (2011), groups being partners",
        "Concentration of exports over partners and sectors at once, and its two parts: between "
        "partners (some buy much more than others) and within them (each buys few sectors' products). "
        "The parts add up. " + STOCKS,
        export_theil_by_partner,
        absent="an economy exports nothing",
        terms=("total", "between", "within"),
    ),
)
