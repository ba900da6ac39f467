"""Who trades with whom, and in the same goods: intra-industry trade, intensity, complementarity."""

from __future__ import annotations

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, accounts_of, share
from entrepot.measure.bilateral import STOCKS, between, exported, to_others
from entrepot.measure.row import Measure

# --- intra-industry trade --------------------------------------------------------------------


def grubel_lloyd(a: Accounts) -> Array:
    """Intra-industry trade by economy and sector (n, s), with all partners together.

    GL = 1 - |X - M| / (X + M): 1 when exports and imports of a sector match, 0
    when trade goes one way (Grubel & Lloyd 1975). NaN without trade.
    """
    cells = exported(a)
    return _overlap(cells.sum(2), cells.sum(0).T)


def grubel_lloyd_overall(a: Accounts) -> Array:
    """Intra-industry trade of an economy (n,): the mean of its sectors' by trade, X + M.

    Not adjusted for the trade balance (Grubel & Lloyd 1975).
    """
    cells = exported(a)
    return _overlap(cells.sum(2), cells.sum(0).T, axis=1)


def grubel_lloyd_by_partner(a: Accounts) -> Array:
    """Intra-industry trade by economy and partner (n, n): the mean over sectors by trade."""
    cells = exported(a).transpose(0, 2, 1)
    return _overlap(cells, cells.transpose(1, 0, 2), axis=2)


def _overlap(exports: Array, imports: Array, axis: int | None = None) -> Array:
    total, gap = exports + imports, np.abs(exports - imports)
    if axis is not None:
        total, gap = total.sum(axis), gap.sum(axis)
    return share(total - gap, total)


# --- structure -------------------------------------------------------------------------------


def export_similarity(a: Accounts) -> Array:
    """Similarity of two economies' exports by sector (n, n): sum of the smaller of the shares.

    Finger & Kreinin (1979), with exports to all destinations; 1 for the
    same structure, 0 for none in common.
    """
    sold = exported(a).sum(2)
    part = share(sold, sold.sum(1, keepdims=True))
    return np.minimum(part[:, None], part[None]).sum(2)


def trade_complementarity(a: Accounts) -> Array:
    """How an economy's exports match a partner's imports by sector (n, n).

    1 - sum over sectors of |share in the partner's imports - share in the
    economy's exports| / 2 (Michaely 1996): 1 when they match, 0 when none is shared.
    """
    sold, bought = exported(a).sum(2), exported(a).sum(0).T
    x = share(sold, sold.sum(1, keepdims=True))
    m = share(bought, bought.sum(1, keepdims=True))
    return to_others(1.0 - 0.5 * np.abs(m[None] - x[:, None]).sum(2))


def trade_intensity(a: Accounts) -> Array:
    """Intensity of exports to a partner (n, n): (X_ij / X_i) / (M_j / (M_w - M_i)).

    The partner's part of the economy's exports over its part of the imports of
    all others than the economy, which cannot buy of itself (Kojima 1964;
    Drysdale & Garnaut 1982).
    """
    flows = between(a)
    part = share(flows, flows.sum(1, keepdims=True))
    return to_others(share(part, _import_shares(flows.sum(0)[None])[..., 0]))


def intensity_complementarity(a: Accounts) -> Array:
    """Intensity that the structure of exports and imports alone would give (n, n).

    C_ij = sum over sectors of an economy's export share times the partner's
    part in the imports of that sector by all others than the economy, over its
    part in all their imports (Drysdale & Garnaut 1982, after Drysdale 1967).
    """
    cells = exported(a)
    x = share(cells.sum(2), cells.sum((1, 2))[:, None])
    by_sector = np.nan_to_num(_import_shares(cells.sum(0)))  # (i, j, k): nobody else buys k
    in_all = _import_shares(cells.sum((0, 1))[None])[..., 0]
    return to_others(share(np.einsum("ik,ijk->ij", x, by_sector), in_all))


def trade_bias(a: Accounts) -> Array:
    """Intensity over complementarity (n, n): what structure does not explain.

    B_ij = I_ij / C_ij (Drysdale & Garnaut 1982): above 1 when an economy sells a
    partner more than the structures of both would give.
    """
    return share(trade_intensity(a), intensity_complementarity(a))


def _import_shares(imports: Array) -> Array:
    """Part of j in the imports (k, n) of all but i, as (i, j, k); NaN where they buy nothing."""
    others = ~np.eye(imports.shape[1], dtype=bool)
    return share(imports.T[None], (others @ imports.T)[:, None])


# --- preference ------------------------------------------------------------------------------


def revealed_trade_preference(a: Accounts) -> Array:
    """Preference for a partner in trade (n, n), exports and imports together, from -1 to 1.

    S the partner's part in the economy's trade, V its part in the trade of the
    rest of the world; HI = S / V, HE = (1 - S) / (1 - V), and the index is
    (HI - HE) / (HI + HE) (Iapadre & Tironi 2009): 0 when the economy trades
    with the partner as others do.
    """
    one_way = between(a)
    trade = one_way + one_way.T
    own = trade.sum(1)
    others = ~np.eye(a.n, dtype=bool)
    # Of the rest of the world, i's own trade is left out on both sides.
    rest = others @ trade
    return to_others(_preference(share(trade, own[:, None]), share(rest, (others @ own)[:, None])))


def trade_introversion(a: Accounts) -> Array:
    """Preference of the parts of an economy for one another in trade (n,), from -1 to 1.

    The symmetric trade introversion index of Iapadre (2006): as
    `revealed_trade_preference`, of a group for itself. The parts are the
    world's regions; trade between regions, whatever they belong to, is trade.
    NaN for economies of one region.
    """
    apart = a if a.whole and a.n == len(a.world.regions) else accounts_of(a.world)
    one_way = between(apart)
    group = np.zeros((len(apart.economies), a.n))
    for g, members in enumerate(a.members):
        group[list(members), g] = 1.0
    trade = group.T @ (one_way + one_way.T) @ group
    inside, own = np.diagonal(trade), trade.sum(1)
    others = ~np.eye(a.n, dtype=bool)
    outside = (trade * others).sum(1)
    found = _preference(share(inside, own), share(outside, others @ own))
    return np.where([len(members) > 1 for members in a.members], found, np.nan)


def _preference(s: Array, v: Array) -> Array:
    """(HI - HE) / (HI + HE), multiplied out so that shares of 0 and 1 have a value."""
    inward, outward = s * (1.0 - v), v * (1.0 - s)
    return share(inward - outward, inward + outward)


NO_TRADE = "an economy does not trade, or the partner is itself"
ROWS = (
    Measure(
        "grubel_lloyd",
        "Intra-industry trade",
        "trade",
        "index",
        ("region", "sector"),
        "Grubel & Lloyd (1975): 1 - |X - M| / (X + M)",
        "Whether an economy both exports and imports a sector's products: 1 when the two match, 0 when "
        "trade goes one way. The coarser the sectors, the higher it reads. " + STOCKS,
        grubel_lloyd,
        absent="an economy does not trade the sector's products",
    ),
    Measure(
        "grubel_lloyd_by_partner",
        "Intra-industry trade by partner",
        "trade",
        "index",
        ("region", "partner"),
        "Grubel & Lloyd (1975): mean over sectors by trade, not adjusted for the balance",
        "Whether two economies sell each other the products of the same sectors, weighted by their "
        "trade. Unbalanced trade lowers it. " + STOCKS,
        grubel_lloyd_by_partner,
        absent="two economies do not trade, or the partner is itself",
    ),
    Measure(
        "grubel_lloyd_overall",
        "Intra-industry trade of an economy",
        "trade",
        "index",
        ("region",),
        "Grubel & Lloyd (1975): mean over sectors by trade, not adjusted for the balance",
        "The mean over an economy's sectors of intra-industry trade, weighted by their trade with all "
        "partners together. A trade imbalance lowers it. " + STOCKS,
        grubel_lloyd_overall,
        absent="an economy does not trade",
    ),
    Measure(
        "export_similarity",
        "Export similarity",
        "trade",
        "index",
        ("region", "partner"),
        "Finger & Kreinin (1979): sum of the smaller of two export shares",
        "How alike the sectors of two economies' exports are, 0 to 1: competitors in the same markets "
        "score high. It depends on how fine the sectors are. " + STOCKS,
        export_similarity,
        absent="one of two economies exports nothing",
    ),
    Measure(
        "trade_complementarity",
        "Trade complementarity",
        "trade",
        "index",
        ("region", "partner"),
        "Michaely (1996): 1 - sum of |m_kj - x_ik| / 2",
        "How well the sectors of an economy's exports match those of a partner's imports, 0 to 1: a "
        "high value speaks of room for trade between them. " + STOCKS,
        trade_complementarity,
        absent="the economy exports or the partner imports nothing, or the partner is itself",
    ),
    Measure(
        "trade_intensity",
        "Trade intensity",
        "trade",
        "index",
        ("region", "partner"),
        "Kojima (1964): (X_ij / X_i) / (M_j / (M_w - M_i))",
        "The partner's part of an economy's exports relative to its part of the imports of the rest of "
        "the world: above 1 when they trade more than size alone would give. " + STOCKS,
        trade_intensity,
        absent=NO_TRADE,
    ),
    Measure(
        "intensity_complementarity",
        "Complementarity in trade intensity",
        "trade",
        "index",
        ("region", "partner"),
        "Drysdale & Garnaut (1982), after Drysdale (1967)",
        "The trade intensity that would hold if in each sector an economy sold to a partner in "
        "proportion to the partner's imports: what the structure of both explains. " + STOCKS,
        intensity_complementarity,
        absent=NO_TRADE,
    ),
    Measure(
        "trade_bias",
        "Bias in trade intensity",
        "trade",
        "index",
        ("region", "partner"),
        "Drysdale & Garnaut (1982): intensity over complementarity",
        "Trade intensity that structure does not explain: above 1 where nearness, agreements, language "
        "or history bring trade, below 1 where something hinders it. " + STOCKS,
        trade_bias,
        absent="an economy does not trade, structures share no sector, or the partner is itself",
    ),
    Measure(
        "revealed_trade_preference",
        "Revealed trade preference",
        "trade",
        "index",
        ("region", "partner"),
        "Iapadre & Tironi (2009): (HI - HE) / (HI + HE)",
        "Whether an economy trades with a partner more (up to 1) or less (down to -1) than the rest of "
        "the world does; exports and imports together, not distorted by size. " + STOCKS,
        revealed_trade_preference,
        absent=NO_TRADE,
    ),
    Measure(
        "trade_introversion",
        "Trade introversion of a group",
        "trade",
        "index",
        ("region",),
        "Iapadre (2006), symmetric trade introversion index",
        "Whether the regions of a bloc (or the provinces of an economy) trade with one another more "
        "(up to 1) or less (down to -1) than with the rest of the world, size taken into account. "
        + STOCKS,
        trade_introversion,
        absent="an economy is one region of the table, or trades nothing",
    ),
)
