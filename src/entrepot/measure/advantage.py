"""Revealed comparative advantage, from gross exports and from the value added in them."""

from __future__ import annotations

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.bilateral import STOCKS, exported
from entrepot.measure.row import Measure


def balassa(exports: Array) -> Array:
    """(E_is / E_i) / (E_s / E) of exports by economy and sector (n, s).

    Balassa (1965): a sector's part in an economy's exports over its part in
    the world's. NaN where an economy or a sector exports nothing.
    """
    own = share(exports, exports.sum(1, keepdims=True))
    return share(own, share(exports.sum(0), exports.sum()))


def revealed_advantage(a: Accounts) -> Array:
    """Balassa's index of gross exports by economy and sector (n, s); see `balassa`."""
    return balassa(exported(a).sum(2))


def revealed_advantage_symmetric(a: Accounts) -> Array:
    """(B - 1) / (B + 1) of Balassa's index B by economy and sector (n, s), from -1 to 1.

    Dalum, Laursen & Villumsen (1998).
    """
    found = revealed_advantage(a)
    return share(found - 1.0, found + 1.0)


def revealed_advantage_additive(a: Accounts) -> Array:
    """E_is / E_i - E_s / E by economy and sector (n, s); sums to 0 over sectors.

    Hoen & Oosterhaven (2006).
    """
    sold = exported(a).sum(2)
    return share(sold, sold.sum(1, keepdims=True)) - share(sold.sum(0), sold.sum())


def revealed_advantage_normalised(a: Accounts) -> Array:
    """E_is / E - E_i E_s / E^2 by economy and sector (n, s); sums to 0 over either.

    Yu, Cai & Leung (2009): the additive index times the economy's part of
    world exports.
    """
    sold = exported(a).sum(2)
    part = share(sold, sold.sum())
    return part - part.sum(1, keepdims=True) * part.sum(0)


def domestic_content_by_origin(a: Accounts) -> Array:
    """Domestic primary inputs in an economy's exports by the sector that adds them (n, s).

    v_s L_ss e in million USD, with L_ss the economy's own inverse and e its
    gross exports by sector: a sector's value added in all its economy's
    exports (Koopman, Wang & Wei 2014). Product taxes on inputs are with it.
    """
    sold = a.exports.sum(1)
    added = np.empty(a.N)
    for i in range(a.n):
        b = a.at(i)
        added[b] = a.v[b] * (a.local[i] @ sold[b])
    return a.by_sector(added)


def revealed_advantage_value_added(a: Accounts) -> Array:
    """Balassa's index of the domestic value added in exports by the sector that adds it (n, s).

    Koopman, Wang & Wei (2014); Wang, Wei & Zhu (2013). See
    `domestic_content_by_origin`; below zero only where value added is.
    """
    return balassa(domestic_content_by_origin(a))


NOTHING = "an economy exports nothing, or nobody exports the sector's products"
ROWS = (
    Measure(
        "revealed_advantage",
        "Revealed comparative advantage",
        "advantage",
        "index",
        ("region", "sector"),
        "Balassa (1965): (E_is / E_i) / (E_s / E)",
        "A sector's part in an economy's exports over its part in world exports: above 1 the economy "
        "is specialised in it. It describes trade as it is, protection and resources included. "
        + STOCKS,
        revealed_advantage,
        absent=NOTHING,
    ),
    Measure(
        "revealed_advantage_symmetric",
        "Symmetric revealed comparative advantage",
        "advantage",
        "index",
        ("region", "sector"),
        "Dalum, Laursen & Villumsen (1998): (B - 1) / (B + 1)",
        "Balassa's index put between -1 (exports nothing) and 1, with 0 for the world's part, so that "
        "advantage and disadvantage weigh alike. " + STOCKS,
        revealed_advantage_symmetric,
        absent=NOTHING,
    ),
    Measure(
        "revealed_advantage_additive",
        "Additive revealed comparative advantage",
        "advantage",
        "share",
        ("region", "sector"),
        "Hoen & Oosterhaven (2006): E_is / E_i - E_s / E",
        "A sector's part in an economy's exports less its part in world exports; the differences sum "
        "to zero over an economy's sectors. " + STOCKS,
        revealed_advantage_additive,
        absent="an economy exports nothing",
    ),
    Measure(
        "revealed_advantage_normalised",
        "Normalised revealed comparative advantage",
        "advantage",
        "share",
        ("region", "sector"),
        "Yu, Cai & Leung (2009): E_is / E - E_i E_s / E^2",
        "How far exports lie from what the economy's and the sector's sizes would give, as a part of "
        "world exports: comparable over economies and sectors, and summing to zero over both. "
        + STOCKS,
        revealed_advantage_normalised,
        absent="nobody exports",
    ),
    Measure(
        "revealed_advantage_value_added",
        "Revealed comparative advantage in value added",
        "advantage",
        "index",
        ("region", "sector"),
        "Koopman, Wang & Wei (2014); Wang, Wei & Zhu (2013): Balassa's index of v_s L_ss e",
        "Balassa's index of the value that each sector adds to its economy's exports, whichever sector "
        "ships them: foreign parts are left out and services inside exported goods counted.",
        revealed_advantage_value_added,
        absent=NOTHING,
    ),
)
