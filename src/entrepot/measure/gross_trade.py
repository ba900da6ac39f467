"""Gross trade: exports, imports and balances, by sector, partner and use, read off the table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts
from entrepot.measure.row import Measure


def gross_exports_by_sector(a: Accounts) -> Array:
    """Gross exports by economy and sector (n, s), million USD before duty, stocks drawn counted."""
    return a.by_sector(a.exports.sum(1))


def gross_imports_by_product(a: Accounts) -> Array:
    """Gross imports by economy and product (n, s), million USD before duty, stocks drawn counted."""
    return np.ascontiguousarray(a.by_sector(a.exports).sum(0).T)


def gross_exports_by_partner(a: Accounts) -> Array:
    """Gross exports by economy and buying partner (n, n), million USD before duty, zero at home."""
    return a.by_economy(a.exports)


def gross_imports_by_partner(a: Accounts) -> Array:
    """Gross imports by economy and selling partner (n, n), million USD before duty, zero at home."""
    return np.ascontiguousarray(gross_exports_by_partner(a).T)


def gross_exports_by_use(a: Accounts) -> Array:
    """Gross exports by economy, sector and use (n, s, 2): as input, by final users; million USD."""
    uses = (a.abroad(a.inputs_by_buyer), a.abroad(a.y))
    return np.stack([a.by_sector(use.sum(1)) for use in uses], axis=2)


def gross_imports_by_use(a: Accounts) -> Array:
    """Gross imports by economy, product and use (n, s, 2): as input, by final users; million USD."""
    uses = (a.abroad(a.inputs_by_buyer), a.abroad(a.y))
    return np.stack([a.by_sector(use).sum(0).T for use in uses], axis=2)


def gross_exports(a: Accounts) -> Array:
    """Gross exports by economy (n,), million USD before duty."""
    return gross_exports_by_partner(a).sum(1)


def gross_imports(a: Accounts) -> Array:
    """Gross imports by economy (n,), million USD before duty."""
    return gross_exports_by_partner(a).sum(0)


def trade_balance(a: Accounts) -> Array:
    """Gross exports less gross imports by economy (n,), million USD."""
    return gross_exports(a) - gross_imports(a)


def trade_balance_by_partner(a: Accounts) -> Array:
    """Gross exports less gross imports by economy and partner (n, n), million USD."""
    return gross_exports_by_partner(a) - gross_imports_by_partner(a)


def trade_balance_by_product(a: Accounts) -> Array:
    """Gross exports less gross imports by economy and product (n, s), million USD."""
    return gross_exports_by_sector(a) - gross_imports_by_product(a)


USES = ("intermediate", "final")
TABLE = "read off the table"


def _amount(
    name: str,
    title: str,
    dims: tuple[str, ...],
    meaning: str,
    function: Callable[[Accounts], Array],
) -> Measure:
    terms = USES if "term" in dims else ()
    return Measure(
        name,
        title,
        "trade",
        "million USD",
        dims,
        TABLE,
        meaning,
        function,
        additive=True,
        terms=terms,
    )


ROWS = (
    _amount(
        "gross_exports",
        "Gross exports",
        ("region",),
        "All that an economy sells to others, goods and services, at basic prices before duty.",
        gross_exports,
    ),
    _amount(
        "gross_imports",
        "Gross imports",
        ("region",),
        "All that an economy buys of others, goods and services, at basic prices before duty.",
        gross_imports,
    ),
    _amount(
        "gross_exports_by_sector",
        "Gross exports by sector",
        ("region", "sector"),
        "What each industry of an economy sells to other economies.",
        gross_exports_by_sector,
    ),
    _amount(
        "gross_imports_by_product",
        "Gross imports by product",
        ("region", "product"),
        "What an economy buys abroad of each sector's products, whoever in it uses them.",
        gross_imports_by_product,
    ),
    _amount(
        "gross_exports_by_partner",
        "Gross exports by partner",
        ("region", "partner"),
        "What an economy sells to each partner.",
        gross_exports_by_partner,
    ),
    _amount(
        "gross_imports_by_partner",
        "Gross imports by partner",
        ("region", "partner"),
        "What an economy buys of each partner.",
        gross_imports_by_partner,
    ),
    _amount(
        "gross_exports_by_use",
        "Gross exports by use",
        ("region", "sector", "term"),
        "Exports apart by what buyers do with them: inputs of their industries, or final use "
        "(consumption, investment, stocks).",
        gross_exports_by_use,
    ),
    _amount(
        "gross_imports_by_use",
        "Gross imports by use",
        ("region", "product", "term"),
        "Imports apart by what the economy does with them: inputs of its industries, or final use.",
        gross_imports_by_use,
    ),
    _amount(
        "trade_balance",
        "Trade balance",
        ("region",),
        "Exports less imports; it says nothing by itself of gains or losses from trade.",
        trade_balance,
    ),
    _amount(
        "trade_balance_by_partner",
        "Trade balance by partner",
        ("region", "partner"),
        "Exports to a partner less imports from it.",
        trade_balance_by_partner,
    ),
    _amount(
        "trade_balance_by_product",
        "Trade balance by product",
        ("region", "product"),
        "Exports of a sector's products less imports of the same.",
        trade_balance_by_product,
    ),
)
