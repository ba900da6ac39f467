"""How alike the trade of two economies is, product by product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entrepot.products.columns import ratio

if TYPE_CHECKING:
    import ibis.expr.types as ir


def complementarity(trade: ir.Table, economies: Sequence[str] = ()) -> ir.Table:
    """How far what one economy exports is what another imports.

    C_ij = 1 - ½ Σ_p |x_ip / x_i - m_jp / m_j|, x all exports of i and m all
    imports of j by product; 0: nothing in common, 1: the same shares. Computed as
    Σ_p min of the two shares, which is equal. `economies`: only pairs of these.
    Columns: year, exporter, importer, complementarity.
    Michaely (1996), *Trade Preferential Agreements in Latin America*, World Bank WPS 1583.
    """
    left, right = _shares(trade, "exporter", economies), _shares(trade, "importer", economies)
    return _overlap(left, right, ("exporter", "importer"), "complementarity", ordered=False)


def export_similarity(
    trade: ir.Table, market: Sequence[str] = (), economies: Sequence[str] = ()
) -> ir.Table:
    """How alike two economies' exports are, to the world or to a market.

    S_ab = Σ_p min(x_ap / x_a, x_bp / x_b), exports to the importers in `market` (all when
    empty); 0: no product in common, 1: the same shares. Columns: year, first,
    second (first < second), similarity.
    Finger & Kreinin (1979), The Economic Journal 89, 905-912.
    """
    flows = trade.filter(trade.importer.isin(list(market))) if market else trade
    shares = _shares(flows, "exporter", economies)
    return _overlap(shares, shares.view(), ("first", "second"), "similarity", ordered=True)


def _shares(trade: ir.Table, side: str, economies: Sequence[str]) -> ir.Table:
    """Shares of products in an economy's exports or imports: year, economy, product, s."""
    kept = trade.filter((trade.exporter != trade.importer) & (trade.value > 0))
    if economies:
        kept = kept.filter(kept[side].isin(list(economies)))
    cells = kept.group_by(year=kept.year, economy=kept[side], product=kept.product).agg(
        v=kept.value.sum()
    )
    totals = cells.group_by("year", "economy").agg(total=cells.v.sum())
    both = cells.join(totals, ["year", "economy"])
    return both.select("year", "economy", "product", s=ratio(both.v, both.total))


def _overlap(
    left: ir.Table, right: ir.Table, names: tuple[str, str], out: str, *, ordered: bool
) -> ir.Table:
    """Σ_p min(s_ap, s_bp) of each pair; a pair without a product in common has 0."""
    import ibis

    a = left.rename(a="economy", s_a="s")
    b = right.rename(b="economy", s_b="s")

    def apart(t: ir.Table) -> ir.BooleanValue:
        return t.a < t.b if ordered else t.a != t.b

    common = a.join(b, ["year", "product"])
    common = common.filter(apart(common))
    found = common.group_by("year", "a", "b").agg(overlap=ibis.least(common.s_a, common.s_b).sum())
    pairs = a.select("year", "a").distinct().join(b.select("year", "b").distinct(), ["year"])
    pairs = pairs.filter(apart(pairs))
    all_ = pairs.left_join(found, ["year", "a", "b"])
    return all_.select(
        "year", **{names[0]: all_.a, names[1]: all_.b, out: all_.overlap.fill_null(0.0)}
    )
