"""Concentration of the economies that supply inputs, at face value and looked through."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.dependence import (
    BFT,
    behind_by_product,
    face_value_by_node,
    for_economies,
    foreign,
    looked_through_by_node,
)
from entrepot.measure.row import Measure

SUPPLIERS = ("face_value", "looked_through", "looked_through_with_home")


def concentration(amounts: Array) -> Array:
    """Herfindahl–Hirschman index over the last axis; NaN where there is no amount."""
    return np.asarray((share(amounts, amounts.sum(-1, keepdims=True)) ** 2).sum(-1), float)


def _supplies(a: Accounts, direct: Array, behind: Array) -> Iterator[Array]:
    """Amounts by supplier in the three views of `SUPPLIERS`."""
    yield foreign(a, direct)
    yield foreign(a, behind)
    yield behind


def _by_economy(a: Accounts) -> Iterator[Array]:
    direct = for_economies(a, face_value_by_node(a))
    return _supplies(a, direct, for_economies(a, looked_through_by_node(a)))


def supplier_concentration(a: Accounts) -> Array:
    """Concentration of an economy's suppliers of inputs (n, 3), by the views of `SUPPLIERS`."""
    return np.stack([concentration(x) for x in _by_economy(a)], -1)


def supplier_concentration_by_sector(a: Accounts) -> Array:
    """Concentration of an industry's suppliers of inputs (n, s, 3)."""
    made = a.made[:, None]
    direct = a.by_sector(face_value_by_node(a) * made)
    behind = a.by_sector(looked_through_by_node(a) * made)
    return np.stack([concentration(x) for x in _supplies(a, direct, behind)], -1)


def effective_suppliers(a: Accounts) -> Array:
    """Number of equal suppliers with the same concentration (n, 3): its inverse."""
    return np.asarray(1.0 / supplier_concentration(a), float)


def largest_supplier_share(a: Accounts) -> Array:
    """Share of the largest supplying economy (n, 3), by the views of `SUPPLIERS`."""
    found = [share(x.max(-1), x.sum(-1)) for x in _by_economy(a)]
    return np.stack(found, -1)


def product_supplier_concentration(a: Accounts) -> Array:
    """Concentration of the foreign suppliers of each product to an economy (n, s, 2)."""
    views = (a.inputs_by_buyer, behind_by_product(a))
    found = [concentration(foreign(a, a.by_sector(v).transpose(2, 1, 0))) for v in views]
    return np.stack(found, -1)


HHI = "Herfindahl–Hirschman index over economies; inputs as in " + BFT
NO_IMPORTS = "no inputs come from abroad"
NONE = "no such inputs are used"
ROWS = (
    Measure(
        "product_supplier_concentration",
        "Concentration of foreign suppliers by product",
        "dependence",
        "index",
        ("region", "product", "term"),
        HHI,
        "For each product used as an input, how concentrated the foreign economies that supply it "
        "are: 1 with a single one, 1/n with n equal ones; at face value and looked through.",
        product_supplier_concentration,
        absent=NO_IMPORTS,
        terms=SUPPLIERS[:2],
    ),
    Measure(
        "supplier_concentration",
        "Concentration of suppliers",
        "dependence",
        "index",
        ("region", "term"),
        HHI,
        "How concentrated the economies are that supply an economy's inputs: 1 with a single one, 1/n "
        "with n equal ones. Foreign suppliers at face value and looked through, and all suppliers, home "
        "included, looked through.",
        supplier_concentration,
        absent=NONE,
        terms=SUPPLIERS,
    ),
    Measure(
        "supplier_concentration_by_sector",
        "Concentration of suppliers of industries",
        "dependence",
        "index",
        ("region", "sector", "term"),
        HHI,
        "How concentrated the economies are that supply an industry's inputs, in the same three views.",
        supplier_concentration_by_sector,
        absent=NONE,
        terms=SUPPLIERS,
    ),
    Measure(
        "effective_suppliers",
        "Effective number of suppliers",
        "dependence",
        "economies",
        ("region", "term"),
        "Adelman (1969): inverse of the Herfindahl–Hirschman index",
        "How many suppliers of equal size would be as concentrated as an economy's suppliers are.",
        effective_suppliers,
        absent=NONE,
        terms=SUPPLIERS,
    ),
    Measure(
        "largest_supplier_share",
        "Share of the largest supplier",
        "dependence",
        "share",
        ("region", "term"),
        "Concentration ratio CR1; inputs as in " + BFT,
        "The share of the one economy that supplies most of an economy's inputs: among foreign "
        "suppliers at face value and looked through, and among all, looked through.",
        largest_supplier_share,
        absent=NONE,
        terms=SUPPLIERS,
    ),
)
