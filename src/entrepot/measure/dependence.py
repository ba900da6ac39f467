"""Dependence on suppliers: foreign inputs at face value and through all tiers."""

from __future__ import annotations

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.row import Measure

VIEWS = ("face_value", "hidden", "looked_through")
ROUNDING = 1e-12
"""Shares below this are what rounding leaves of zero."""


# --- what stands behind a unit of output ------------------------------------------------------


def face_value_by_node(a: Accounts) -> Array:
    """Inputs a node buys of each economy per unit of its output (N, n): column sums of A."""
    return (a.by_economy(a.Z) * a.per_unit).T


def looked_through_by_node(a: Accounts) -> Array:
    """Gross production of each economy, at all tiers, behind a unit of a node's output (N, n).

    The column sums of B - I by economy: the unit itself is left out, its inputs,
    their inputs and so on are counted, each time at their full value. Chains that
    pass several producers are counted at each (Baldwin, Freeman & Theodorakopoulos
    2023, look-through measure). Shares are of this sum; where the papers' total holds the
    unit itself too, theirs are smaller.
    """
    behind = a.costs(a.home.astype(float)) - a.home
    return np.where((a.made > 0)[:, None] & (behind > ROUNDING), behind, 0.0)


def for_economies(a: Accounts, rates: Array) -> Array:
    """Amounts behind the gross output of each economy (n, n) of (N, n) rates."""
    return a.by_economy(rates * a.made[:, None])


def foreign(a: Accounts, amounts: Array) -> Array:
    """Amounts (n, ..., n) by user and supplier, home suppliers set to zero."""
    out = amounts.copy()
    for r in range(a.n):
        out[r, ..., r] = 0.0
    return out


# --- reliance ---------------------------------------------------------------------------------


def input_reliance(a: Accounts) -> Array:
    """Share of each economy in an economy's inputs at all tiers (n, n); rows sum to 1."""
    behind = for_economies(a, looked_through_by_node(a))
    return share(behind, behind.sum(1, keepdims=True))


def input_reliance_face_value(a: Accounts) -> Array:
    """Inputs bought of each economy, in an economy's inputs at all tiers (n, n)."""
    behind = for_economies(a, looked_through_by_node(a))
    direct = for_economies(a, face_value_by_node(a))
    return share(direct, behind.sum(1, keepdims=True))


def hidden_exposure(a: Accounts) -> Array:
    """Reliance looked through less its face value (n, n): what earlier tiers hold."""
    behind = for_economies(a, looked_through_by_node(a))
    direct = for_economies(a, face_value_by_node(a))
    return share(np.maximum(behind - direct, 0.0), behind.sum(1, keepdims=True))


def input_reliance_by_sector(a: Accounts) -> Array:
    """Share of each economy in an industry's inputs at all tiers (n, s, n)."""
    behind = a.by_sector(looked_through_by_node(a) * a.made[:, None])
    return share(behind, behind.sum(2, keepdims=True))


def hidden_exposure_by_sector(a: Accounts) -> Array:
    """Reliance of an industry looked through less its face value (n, s, n)."""
    behind = a.by_sector(looked_through_by_node(a) * a.made[:, None])
    direct = a.by_sector(face_value_by_node(a) * a.made[:, None])
    return share(np.maximum(behind - direct, 0.0), behind.sum(2, keepdims=True))


def foreign_input_reliance(a: Accounts) -> Array:
    """Foreign share of an economy's inputs: face value, hidden, looked through (n, 3)."""
    behind = for_economies(a, looked_through_by_node(a))
    return _views(a, for_economies(a, face_value_by_node(a)), behind, behind.sum(1))


def foreign_input_reliance_by_sector(a: Accounts) -> Array:
    """Foreign share of an industry's inputs: face value, hidden, looked through (n, s, 3)."""
    made = a.made[:, None]
    behind = a.by_sector(looked_through_by_node(a) * made)
    return _views(a, a.by_sector(face_value_by_node(a) * made), behind, behind.sum(2))


def foreign_inputs_per_output(a: Accounts) -> Array:
    """Foreign inputs per unit of an economy's output, by the same views (n, 3)."""
    direct = for_economies(a, face_value_by_node(a))
    behind = for_economies(a, looked_through_by_node(a))
    return _views(a, direct, behind, a.by_economy(a.made))


def _views(a: Accounts, direct: Array, behind: Array, of: Array) -> Array:
    face, through = foreign(a, direct).sum(-1), foreign(a, behind).sum(-1)
    hidden = np.maximum(through - face, 0.0)
    return share(np.stack([face, hidden, through], -1), of[..., None])


def direct_input_share(a: Accounts) -> Array:
    """Share of each economy in the inputs an economy buys, first tier alone (n, n)."""
    direct = for_economies(a, face_value_by_node(a))
    return share(direct, direct.sum(1, keepdims=True))


def input_origin(a: Accounts) -> Array:
    """Whose primary inputs an economy's purchased inputs are made of (n, n); rows sum to 1.

    `origins` of output less the buyer's own primary inputs, per value of inputs
    bought: nothing is counted twice.
    """
    amounts = _origin_amounts(a)
    return share(a.by_economy(amounts), a.by_economy(amounts).sum(1, keepdims=True))


def input_origin_by_sector(a: Accounts) -> Array:
    """Whose primary inputs an industry's purchased inputs are made of (n, s, n)."""
    amounts = a.by_sector(_origin_amounts(a))
    return share(amounts, amounts.sum(2, keepdims=True))


def foreign_input_origin_by_sector(a: Accounts) -> Array:
    """Foreign share of the value in an industry's purchased inputs (n, s)."""
    amounts = a.by_sector(_origin_amounts(a))
    return share(foreign(a, amounts).sum(2), amounts.sum(2))


def _origin_amounts(a: Accounts) -> Array:
    """Primary inputs of each economy in the inputs that nodes buy (N, n), million USD."""
    own = np.where(a.home, a.v[:, None], 0.0)
    buys = (a.made > 0) & (a.bought > 0)
    return np.where(buys[:, None], (a.origins.T - own) * a.made[:, None], 0.0)


# --- inputs by product ------------------------------------------------------------------------


def input_dependence(a: Accounts) -> Array:
    """Share of product k of economy p in an economy's inputs at all tiers (n, n, s).

    Production of node (p, k) behind the gross output of economy r, (B - I) x_r,
    over its sum: what is behind r's own inputs for r's own use counts again, as
    in every gross measure.
    """
    return _product_shares(a, behind_by_product(a), behind_by_product(a))


def input_dependence_face_value(a: Accounts) -> Array:
    """Purchases of product k of economy p, in an economy's inputs at all tiers (n, n, s)."""
    return _product_shares(a, a.inputs_by_buyer, behind_by_product(a))


def behind_by_product(a: Accounts) -> Array:
    """Production of each node behind the gross output of each economy (N, n), million USD."""
    output = np.where(a.home, a.made[:, None], 0.0)
    behind = a.sales(output) - output
    return np.where(behind > ROUNDING * output.sum(0), behind, 0.0)


def _product_shares(a: Accounts, amounts: Array, of: Array) -> Array:
    return share(np.moveaxis(a.by_sector(amounts), 2, 0), of.sum(0)[:, None, None])


# --- rows -------------------------------------------------------------------------------------

BFT = "Baldwin, Freeman & Theodorakopoulos (2023), box on face value and look-through, section II"
BF = "after Baldwin & Freeman (2022), foreign input reliance; " + BFT
NO_INPUTS = "there are no inputs"
ROWS = (
    Measure(
        "input_reliance",
        "Reliance on inputs of each economy, looked through",
        "dependence",
        "share",
        ("region", "partner"),
        BF,
        "Of all production that stands behind an economy's output, its suppliers' and their suppliers' "
        "through every tier, the share made in each economy, itself included. Gross: a part that is "
        "worked on three times counts three times.",
        input_reliance,
        absent=NO_INPUTS,
    ),
    Measure(
        "input_reliance_face_value",
        "Reliance on inputs of each economy, face value",
        "dependence",
        "share",
        ("region", "partner"),
        BFT,
        "The inputs an economy buys directly of each economy, as a share of all production that stands "
        "behind its output: what trade statistics show, on the scale of the looked-through measure.",
        input_reliance_face_value,
        absent=NO_INPUTS,
    ),
    Measure(
        "hidden_exposure",
        "Hidden exposure",
        "dependence",
        "share",
        ("region", "partner"),
        BFT,
        "Reliance looked through less its face value: the production of an economy that reaches the "
        "user inside other suppliers' goods. Never negative.",
        hidden_exposure,
        absent=NO_INPUTS,
    ),
    Measure(
        "input_reliance_by_sector",
        "Reliance of industries on inputs of each economy, looked through",
        "dependence",
        "share",
        ("region", "sector", "partner"),
        BF,
        "Of all production that stands behind an industry's output through every tier, the share made "
        "in each economy, home included.",
        input_reliance_by_sector,
        absent=NO_INPUTS,
    ),
    Measure(
        "hidden_exposure_by_sector",
        "Hidden exposure of industries",
        "dependence",
        "share",
        ("region", "sector", "partner"),
        BFT,
        "Reliance of an industry on an economy's inputs, looked through less its face value: what "
        "reaches it inside other suppliers' goods. Never negative.",
        hidden_exposure_by_sector,
        absent=NO_INPUTS,
    ),
    Measure(
        "foreign_input_reliance",
        "Foreign input reliance",
        "dependence",
        "share",
        ("region", "term"),
        BF,
        "The foreign share of all production behind an economy's output: at face value (bought abroad "
        "directly), hidden (earlier tiers), and looked through (their sum).",
        foreign_input_reliance,
        absent=NO_INPUTS,
        terms=VIEWS,
    ),
    Measure(
        "foreign_input_reliance_by_sector",
        "Foreign input reliance of industries",
        "dependence",
        "share",
        ("region", "sector", "term"),
        BF,
        "The foreign share of all production behind an industry's output: at face value, hidden, and "
        "looked through.",
        foreign_input_reliance_by_sector,
        absent=NO_INPUTS,
        terms=VIEWS,
    ),
    Measure(
        "foreign_inputs_per_output",
        "Foreign inputs per unit of output",
        "dependence",
        "USD per USD of output",
        ("region", "term"),
        BF,
        "Foreign production used up, at face value and through all tiers, for each dollar that an "
        "economy's industries produce. Gross, so it may exceed what the dollar is worth.",
        foreign_inputs_per_output,
        absent="an economy makes nothing",
        terms=VIEWS,
    ),
    Measure(
        "direct_input_share",
        "Suppliers of directly bought inputs",
        "dependence",
        "share",
        ("region", "partner"),
        "Miller & Blair (2009): intermediate sales by origin",
        "The share of each economy, home included, in the inputs that an economy's industries buy, "
        "first tier alone.",
        direct_input_share,
        absent=NO_INPUTS,
    ),
    Measure(
        "input_origin",
        "Origin of the value in inputs",
        "dependence",
        "share",
        ("region", "partner"),
        "Johnson & Noguera (2012): v B, for purchased inputs",
        "Whose labour, capital and taxes the inputs that an economy's industries buy are made of. "
        "Nothing is counted twice: the shares sum to 1.",
        input_origin,
        absent=NO_INPUTS,
    ),
    Measure(
        "input_origin_by_sector",
        "Origin of the value in the inputs of industries",
        "dependence",
        "share",
        ("region", "sector", "partner"),
        "Johnson & Noguera (2012): v B, for purchased inputs",
        "Whose labour, capital and taxes the inputs that an industry buys are made of. Nothing is "
        "counted twice: the shares sum to 1.",
        input_origin_by_sector,
        absent=NO_INPUTS,
    ),
    Measure(
        "foreign_input_origin_by_sector",
        "Foreign value in the inputs of industries",
        "dependence",
        "share",
        ("region", "sector"),
        "Johnson & Noguera (2012): v B, for purchased inputs",
        "The share of foreign labour, capital and taxes in the inputs that an industry buys, nothing "
        "counted twice.",
        foreign_input_origin_by_sector,
        absent=NO_INPUTS,
    ),
    Measure(
        "input_dependence",
        "Inputs by product and supplier, looked through",
        "dependence",
        "share",
        ("region", "partner", "product"),
        BF + ", by product",
        "Of all production that stands behind an economy's output through every tier, the share that "
        "is one product of one economy. Sorted, it is the list of inputs an economy rests on most. "
        "Gross: production is counted at every tier it passes.",
        input_dependence,
        absent=NO_INPUTS,
    ),
    Measure(
        "input_dependence_face_value",
        "Inputs by product and supplier, face value",
        "dependence",
        "share",
        ("region", "partner", "product"),
        BFT + ", by product",
        "What an economy buys directly of one product of one economy, as a share of all production "
        "that stands behind its output.",
        input_dependence_face_value,
        absent=NO_INPUTS,
    ),
)
