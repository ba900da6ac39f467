"""Openness: trade relative to value added, output, expenditure and the world's trade."""

from __future__ import annotations

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.bilateral import STOCKS, exported, sales
from entrepot.measure.gross_trade import (
    TABLE,
    gross_exports,
    gross_exports_by_sector,
    gross_imports,
)
from entrepot.measure.row import Measure

FIRST_SERVICE = 45
"""First division of ISIC Rev. 4 that is a service (G, trade); construction and utilities are not."""


def export_openness(a: Accounts) -> Array:
    """Gross exports over value added by economy (n,); NaN without value added."""
    return share(gross_exports(a), a.by_economy(a.value_added))


def import_openness(a: Accounts) -> Array:
    """Gross imports over value added by economy (n,); NaN without value added."""
    return share(gross_imports(a), a.by_economy(a.value_added))


def trade_openness(a: Accounts) -> Array:
    """Gross exports plus gross imports over value added by economy (n,)."""
    return export_openness(a) + import_openness(a)


def home_share_by_product(a: Accounts) -> Array:
    """Share of an economy's purchases of a product bought at home (n, s); see `bilateral.sales`."""
    bought = sales(a)
    return share(np.einsum("iki->ik", bought), bought.sum(0).T)


def import_penetration(a: Accounts) -> Array:
    """Imports over apparent consumption, output less exports plus imports (n, s).

    From market sales, so that it is 1 less `home_share_by_product`.
    """
    return 1.0 - home_share_by_product(a)


def home_share(a: Accounts) -> Array:
    """Share of all an economy's purchases, inputs and final use, bought at home (n,)."""
    bought = sales(a).sum(1)
    return share(np.diagonal(bought), bought.sum(0))


def export_share_of_output(a: Accounts) -> Array:
    """Gross exports over gross output by economy and sector (n, s); NaN without output."""
    return share(gross_exports_by_sector(a), a.by_sector(a.made))


def world_export_share(a: Accounts) -> Array:
    """Share of an economy in all exports of the world (n,); see `bilateral.sales`."""
    sold = exported(a).sum((1, 2))
    return share(sold, sold.sum())


def world_export_share_by_sector(a: Accounts) -> Array:
    """Share of an economy in the world's exports of each sector (n, s)."""
    sold = exported(a).sum(2)
    return share(sold, sold.sum(0))


def _services(a: Accounts) -> Array | None:
    """1 for sectors of services, 0 for others (s,); None where the table does not tell."""
    kinds = [{d >= FIRST_SERVICE for d in sector.isic} for sector in a.world.sectors]
    if any(len(kind) != 1 for kind in kinds):
        return None
    return np.array([float(kind == {True}) for kind in kinds])


def services_export_share(a: Accounts) -> Array:
    """Services in an economy's exports (n,): sectors all of ISIC Rev. 4 divisions 45 and above.

    All NaN where a sector does not say its divisions, or mixes goods and services.
    """
    services, sold = _services(a), exported(a).sum(2)
    return np.full(a.n, np.nan) if services is None else share(sold @ services, sold.sum(1))


def services_import_share(a: Accounts) -> Array:
    """Services in an economy's imports (n,); see `services_export_share`."""
    services, bought = _services(a), exported(a).sum(0).T
    return np.full(a.n, np.nan) if services is None else share(bought @ services, bought.sum(1))


NO_VALUE_ADDED = "an economy has no value added"
NOT_SAID = "an economy trades nothing, or the table's sectors do not tell goods from services"
VALUE_ADDED = (
    "Value added is the table's own: where the table nets out the rest of the world it is not GDP."
)


ROWS = (
    Measure(
        "export_openness",
        "Exports over value added",
        "trade",
        "share",
        ("region",),
        "Exports over value added; " + TABLE,
        "Gross exports relative to value added. It may exceed 1: exports hold imported inputs, value "
        "added does not. " + VALUE_ADDED,
        export_openness,
        absent=NO_VALUE_ADDED,
    ),
    Measure(
        "import_openness",
        "Imports over value added",
        "trade",
        "share",
        ("region",),
        "Imports over value added; " + TABLE,
        "Gross imports relative to value added. " + VALUE_ADDED,
        import_openness,
        absent=NO_VALUE_ADDED,
    ),
    Measure(
        "trade_openness",
        "Trade over value added",
        "trade",
        "share",
        ("region",),
        "Exports and imports over value added; " + TABLE,
        "Exports and imports together relative to value added, the usual openness ratio. "
        + VALUE_ADDED,
        trade_openness,
        absent=NO_VALUE_ADDED,
    ),
    Measure(
        "import_penetration",
        "Import penetration",
        "trade",
        "share",
        ("region", "product"),
        "Imports over apparent consumption, M / (x - E + M); " + TABLE,
        "The part of an economy's purchases of a sector's products, by industries and final users, "
        "that is imported. " + STOCKS,
        import_penetration,
        absent="an economy buys nothing of a product",
    ),
    Measure(
        "home_share_by_product",
        "Home share of purchases by product",
        "trade",
        "share",
        ("region", "product"),
        "Domestic absorption over expenditure, lambda_kk; " + TABLE,
        "The part of an economy's purchases of a sector's products that it makes itself. " + STOCKS,
        home_share_by_product,
        absent="an economy buys nothing of a product",
    ),
    Measure(
        "home_share",
        "Home share of expenditure",
        "trade",
        "share",
        ("region",),
        "Domestic absorption over expenditure, lambda_kk (Arkolakis, Costinot & Rodríguez-Clare 2012), "
        "inputs included",
        "The part of all that an economy's industries and final users buy that it makes itself. Sales "
        "to places outside the table count as home use where the table books them so. " + STOCKS,
        home_share,
        absent="an economy buys nothing",
    ),
    Measure(
        "export_share_of_output",
        "Export share of output",
        "trade",
        "share",
        ("region", "sector"),
        "Exports over gross output; " + TABLE,
        "The part of an industry's output sold abroad directly; above 1 where stocks are sold too.",
        export_share_of_output,
        absent="an industry makes nothing",
    ),
    Measure(
        "world_export_share",
        "Share in world exports",
        "trade",
        "share",
        ("region",),
        "Exports over the exports of all economies of the table; " + TABLE,
        "An economy's part in all exports between the table's economies. " + STOCKS,
        world_export_share,
        absent="nobody exports",
    ),
    Measure(
        "world_export_share_by_sector",
        "Share in world exports by sector",
        "trade",
        "share",
        ("region", "sector"),
        "Exports over the exports of all economies of the table; " + TABLE,
        "An economy's part in all exports of a sector between the table's economies. " + STOCKS,
        world_export_share_by_sector,
        absent="nobody exports the sector's products",
    ),
    Measure(
        "services_export_share",
        "Services in exports",
        "trade",
        "share",
        ("region",),
        "Sectors of ISIC Rev. 4 divisions 45 and above over all; " + TABLE,
        "The part of exports sold by service industries (trade, transport, finance, business, public "
        "and personal services; not construction or utilities). Trade and transport margins on goods "
        "count as services at basic prices. " + STOCKS,
        services_export_share,
        absent=NOT_SAID,
    ),
    Measure(
        "services_import_share",
        "Services in imports",
        "trade",
        "share",
        ("region",),
        "Sectors of ISIC Rev. 4 divisions 45 and above over all; " + TABLE,
        "The part of imports bought of service industries abroad, margins on goods included, "
        "construction and utilities not. " + STOCKS,
        services_import_share,
        absent=NOT_SAID,
    ),
)
