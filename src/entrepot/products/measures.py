"""Measures of product-level trade, each one expression for every engine.

Each function takes tables with the columns of a store (year, exporter,
importer, product, value in million USD, quantity in metric tons) and returns an
expression; nothing is read before it is executed. x_cp are the exports of
product p by economy c, m_cp its imports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entrepot.core.errors import DataError
from entrepot.products.columns import drop_right, ratio, with_covered

if TYPE_CHECKING:
    import ibis.expr.types as ir

DIGITS = (2, 4, 6)


def at_digits(trade: ir.Table, digits: int) -> ir.Table:
    """Flows summed to the first `digits` digits of the HS (2, 4 or 6).

    Quantities are summed where there are any; `covered_value` (million USD) is
    the value of the flows that have one, so covered_value / value is the share
    that the sum stands for. All else that reads trade takes this table as well.
    """
    if digits not in DIGITS:
        raise DataError(f"{digits} digits: 2, 4 or 6 were expected.")
    flows = with_covered(trade).mutate(product=trade.product.left(digits))
    return flows.group_by("year", "exporter", "importer", "product").agg(
        value=flows.value.sum(),
        quantity=flows.quantity.sum(),
        covered_value=flows.covered_value.sum(),
    )


def concentration(trade: ir.Table, flow: str = "imports", over: str = "partners") -> ir.Table:
    """How concentrated an economy's exports or imports are over partners or products.

    For shares s_i of the n partners or products with trade: `herfindahl` H = Σ s²
    (from 1/n to 1), `effective_number` 1/H (of equal size that would give the same H), and
    `theil` T = Σ s ln(n s) (0 when all are equal, at most ln n), over those with trade.
    Columns: year, economy, flow, over, value, n, herfindahl, effective_number, theil.

    Theil (1967); Cadot, Carrère & Strauss-Kahn (2011), Review of Economics and Statistics 93.
    """
    sides = {"exports": ("exporter", "importer"), "imports": ("importer", "exporter")}
    if flow not in sides or over not in ("partners", "products"):
        raise DataError(
            f"Concentration of {flow!r} over {over!r}: exports or imports, over partners or "
            "products, were expected."
        )
    import ibis

    economy, partner = sides[flow]
    some = trade.filter(trade.value > 0)
    cells = some.group_by(
        year=some.year,
        economy=some[economy],
        cell=some[partner if over == "partners" else "product"],
    ).agg(v=some.value.sum())
    totals = cells.group_by("year", "economy").agg(total=cells.v.sum(), n=cells.count())
    both = cells.join(totals, ["year", "economy"])
    shares = both.mutate(s=both.v / both.total)
    found = shares.group_by("year", "economy").agg(
        value=shares.total.max(),
        n=shares.n.max(),
        herfindahl=(shares.s * shares.s).sum(),
        theil=(shares.s * (shares.s * shares.n.cast("float64")).ln()).sum(),
    )
    return found.select(
        "year",
        "economy",
        flow=ibis.literal(flow),
        over=ibis.literal(over),
        value=found.value,
        n=found.n,
        herfindahl=found.herfindahl,
        effective_number=1.0 / found.herfindahl,
        theil=found.theil,
    )


def all_concentrations(trade: ir.Table) -> ir.Table:
    """`concentration` of exports and imports, over partners and products."""
    first, *rest = (
        concentration(trade, flow, over)
        for flow in ("exports", "imports")
        for over in ("partners", "products")
    )
    return first.union(*rest)


def revealed_advantage(trade: ir.Table) -> ir.Table:
    """Revealed comparative advantage of each economy in each product that it exports.

    `rca` = (x_cp / x_c) / (x_p / x), above 1 where the product weighs more in
    the economy's exports than in the world's (Balassa 1965, The Manchester
    School 33); `rsca` = (rca - 1) / (rca + 1), from -1 to 1 (Dalum, Laursen &
    Villumsen 1998). A product that is not exported has rca 0 and no row.
    Columns: year, economy, product, value, rca, rsca.
    """
    x = _by_product(trade, "exporter")
    of_economy = x.group_by("year", "economy").agg(x_c=x.value.sum())
    of_product = x.group_by("year", "product").agg(x_p=x.value.sum())
    of_all = x.group_by("year").agg(x_all=x.value.sum())
    all_ = x.join(of_economy, ["year", "economy"]).join(of_product, ["year", "product"])
    all_ = all_.join(of_all, ["year"])
    r = all_.mutate(rca=(all_.value / all_.x_c) / (all_.x_p / all_.x_all))
    return r.select(
        "year", "economy", "product", "value", "rca", rsca=(r.rca - 1.0) / (r.rca + 1.0)
    )


def grubel_lloyd(
    trade: ir.Table, by: Sequence[str] = ("product",), partners: bool = False
) -> ir.Table:
    """Intra-industry trade: how far exports and imports of the same product match.

    GL = 1 - Σ |x - m| / Σ (x + m), the sums over the products of an economy:
    of one product each with `by=("product",)`, of all of them with `by=()`. With
    `partners`, also by partner. 0: one way only; 1: as much both ways. Trade of an economy
    with itself is left out. Columns: year, economy, [partner], [product], exports,
    imports, grubel_lloyd. Grubel & Lloyd (1975), *Intra-Industry Trade*, ch. 2.
    """
    abroad = trade.filter((trade.exporter != trade.importer) & (trade.value > 0))

    def side(economy: str, partner: str, sign: str) -> ir.Table:
        other = 0.0 * abroad.value
        return abroad.select(
            year=abroad.year,
            economy=abroad[economy],
            partner=abroad[partner],
            product=abroad.product,
            x=abroad.value if sign == "x" else other,
            m=abroad.value if sign == "m" else other,
        )

    both = side("exporter", "importer", "x").union(side("importer", "exporter", "m"))
    keys = ["year", "economy", *(["partner"] if partners else [])]
    cells = both.group_by(*keys, "product").agg(x=both.x.sum(), m=both.m.sum())
    cells = cells.mutate(apart=(cells.x - cells.m).abs())
    found = cells.group_by(*keys, *by).agg(
        exports=cells.x.sum(), imports=cells.m.sum(), apart=cells.apart.sum()
    )
    found = found.mutate(grubel_lloyd=1.0 - found.apart / (found.exports + found.imports))
    return found.drop("apart")


def trade_intensity(trade: ir.Table) -> ir.Table:
    """How much more two economies trade than the partner's weight in the world explains.

    T_ij = (x_ij / x_i) / (m_j / m), x_i all exports of i, m_j all imports of j, m
    all trade; 1 when i sends j what the world does. World: all economies of the table.
    Columns: year, exporter, importer, value, intensity. Brown (1949); Kojima
    (1964), Hitotsubashi Journal of Economics 5 (who leaves i out of the world; not done here).
    """
    some = trade.filter((trade.exporter != trade.importer) & (trade.value > 0))
    pairs = some.group_by("year", "exporter", "importer").agg(value=some.value.sum())
    out = pairs.group_by("year", "exporter").agg(x_i=pairs.value.sum())
    into = pairs.group_by("year", "importer").agg(m_j=pairs.value.sum())
    all_ = pairs.group_by("year").agg(m=pairs.value.sum())
    t = pairs.join(out, ["year", "exporter"]).join(into, ["year", "importer"]).join(all_, ["year"])
    return t.select(
        "year", "exporter", "importer", "value", intensity=(t.value / t.x_i) / (t.m_j / t.m)
    )


def re_exports(trade: ir.Table, reexports: ir.Table | None, by_product: bool = False) -> ir.Table:
    """The share of re-exports in what an economy exports, by its own reports.

    `share` = re-exports / exports, the latter including re-exports as UN
    Comtrade counts them. Absent, with the reason, where an economy reports no re-exports, or no
    exports to set them against. Columns: year, economy, [product], exports,
    reexports (million USD), share, reason.
    """
    import ibis

    keys = ["year", "economy", *(["product"] if by_product else [])]
    listed = trade.select(*_named(trade, keys)).distinct()
    nothing = "no re-exports in this source" if reexports is None else "reports no re-exports"
    if reexports is None:
        null = ibis.null("float64")
        return listed.mutate(exports=null, reexports=null, share=null, reason=ibis.literal(nothing))
    r = reexports
    sums = r.group_by(**{k: r["exporter" if k == "economy" else k] for k in keys}).agg(
        exports=r.exports.sum(), reexports=r.reexports.sum()
    )
    reporters = r.select(year=r.year, economy=r.exporter).distinct().mutate(reports=True)
    listed = listed.union(sums.select(*keys), distinct=True)
    t = drop_right(listed.left_join(sums, keys))
    t = drop_right(t.left_join(reporters, ["year", "economy"]))
    # In a year that an economy reports re-exports, a product without any has none.
    again = ibis.cases((t.reports.notnull(), t.reexports.fill_null(0.0)), else_=None)
    t = t.mutate(again=again)
    share = ibis.cases((t.reports.notnull(), ratio(t.again, t.exports)), else_=None)
    reason = ibis.cases(
        (t.reports.isnull(), nothing),
        (t.exports.isnull() | (t.exports <= 0), "reports no exports of it"),
        else_=None,
    )
    return t.select(*keys, exports=t.exports, reexports=t.again, share=share, reason=reason)


def _named(trade: ir.Table, keys: Sequence[str]) -> list[ir.Value]:
    return [trade["exporter"].name("economy") if k == "economy" else trade[k] for k in keys]


def _by_product(trade: ir.Table, side: str) -> ir.Table:
    """Value by year, economy and product, an economy's trade with itself left out."""
    some = trade.filter((trade.exporter != trade.importer) & (trade.value > 0))
    return some.group_by(year=some.year, economy=some[side], product=some.product).agg(
        value=some.value.sum()
    )
