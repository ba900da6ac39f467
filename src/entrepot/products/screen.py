"""The European Commission's screen for strategic dependencies, on product-level trade.

European Commission (2021), *Strategic dependencies and capacities*, SWD(2021)
352; Arjona, Connell & Herghelegiu (2023), *An enhanced methodology to monitor
the EU's strategic dependencies and vulnerabilities*, Single Market Economics
Papers WP2023/14. Three core dependency indicators of a buyer b and product p:

    cdi1 = Σ_s (m_s / Σ m_s)²         concentration of imports from outside, over suppliers s
    cdi2 = Σ m_s / all imports        imports from outside in all imports, those inside included
    cdi3 = Σ m_s / all exports        imports from outside over exports, a proxy of capacity

each in value and in quantity; outside: suppliers that are not members of the buyer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.core.errors import DataError
from entrepot.products.columns import drop_right, either, ratio, with_covered

if TYPE_CHECKING:
    import ibis.expr.types as ir

SOURCE = "European Commission (2021), SWD(2021) 352"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as dependent: all three indicators above these; and where they are from.

    0.4 and 1 are as secondary sources quote the Commission; 0.5 for `outside` was
    not seen at its source.
    `least_covered` is ours: below this share of value with a quantity, an
    indicator in quantity is absent.
    """

    concentration: float = 0.4
    outside: float = 0.5
    substitution: float = 1.0
    least_covered: float = 0.8
    source: str = SOURCE

    def __post_init__(self) -> None:
        if not (0 <= self.concentration <= 1 and 0 <= self.outside <= 1 and self.substitution >= 0):
            raise DataError(
                f"Thresholds {self.concentration}, {self.outside}, {self.substitution}: shares "
                "from 0 to 1 and a ratio of 0 or more were expected."
            )
        if not 0 <= self.least_covered <= 1:
            raise DataError(f"least_covered is {self.least_covered}; a share was expected.")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Economies that are screened as one: trade among them is inside."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Friendly:
    """Suppliers outside that count with a weight only: 0 as if inside, 1 like any other."""

    suppliers: tuple[str, ...] = ()
    weight: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise DataError(f"Friendly suppliers with weight {self.weight}; 0 to 1 was expected.")


def screen(
    trade: ir.Table,
    buyer: Buyer | None = None,
    *,
    importers: Sequence[str] = (),
    thresholds: Thresholds = Thresholds(),
    friendly: Friendly = Friendly(),
    production: ir.Table | None = None,
    exports: str = "all",
) -> ir.Table:
    """One row for each year, buyer and product that the buyer imports.

    Parameters
    ----------
    trade : year, exporter, importer, product, value, quantity (and covered_value).
    buyer : economies as one; None: each importer by itself, all of them or `importers`.
    friendly : their flows enter the imports from outside in all three
        indicators, shares in cdi1 included, times the weight. Denominators of cdi2 and
        cdi3 do not change.
    production : domestic capacity by importer and product: value (million USD),
        optionally quantity (metric tons) and year. Where it has a row, cdi2 is imports from outside
        over these (unweighted) plus production, and cdi3 imports from outside over production;
        elsewhere as above, and `capacity` says which.
    exports : of a group, in cdi3: `all` of its members' exports, those to one
        another included (as the Commission's "total EU exports"), or `outside` alone.

    Columns: year, buyer, product, imports, outside (million USD, the latter
    weighted), cdi1_value, cdi2_value, cdi3_value, dependent_value, cdi1_quantity,
    cdi2_quantity, cdi3_quantity, dependent_quantity, dependent (both), capacity,
    quantity_covered (share of imports from outside by value), main_supplier, main_share,
    value_note, quantity_note. An indicator that cannot be computed is null and a note
    says why; without capacity (no exports, no production) cdi3 is null and counts as above its
    threshold. `dependent` is null where quantities leave it open. For an economy
    by itself without production cdi2 is 1 unless it reports imports from itself.

    """
    if exports not in ("all", "outside"):
        raise DataError(f"exports is {exports!r}; all or outside was expected.")
    rows, out = _buyers_rows(with_covered(trade), buyer, importers, exports)
    t = _sums(_weighted(rows, friendly), production is not None)
    t = drop_right(t.left_join(_exports(out), ["year", "buyer", "product"]))
    t = _with_production(t, production, buyer)
    t = _indicators(t, thresholds)
    return _flags(t, thresholds).select(*_columns())


def screen_in_parts(
    trade: ir.Table, importers: Sequence[str], parts: int = 8, **asked: Any
) -> list[ir.Table]:
    """`screen` of each importer by itself, as expressions of a share of them each.

    Executed one after the other (`write_table`) they hold a share of the memory
    that all at once would. `asked` are the further arguments of `screen`.
    """
    codes = sorted(importers)
    size = max(1, -(-len(codes) // parts))
    slices = [codes[i : i + size] for i in range(0, len(codes), size)]
    return [screen(trade, importers=some, **asked) for some in slices]


def _columns() -> list[str]:
    kinds = ("value", "quantity")
    indicators = [c for k in kinds for c in (*(f"cdi{i}_{k}" for i in (1, 2, 3)), f"dependent_{k}")]
    return [
        *("year", "buyer", "product", "imports", "outside", *indicators, "dependent", "capacity"),
        *("quantity_covered", "main_supplier", "main_share", "value_note", "quantity_note"),
    ]


def _buyers_rows(
    trade: ir.Table, buyer: Buyer | None, importers: Sequence[str], exports: str
) -> tuple[ir.Table, ir.Table]:
    """Imports by buyer, product and supplier with `inside`; and exports by buyer."""
    import ibis

    trade = trade.filter(trade.value > 0)
    if buyer is None:
        into, out = trade, trade.filter(trade.exporter != trade.importer)
        if importers:
            into = into.filter(into.importer.isin(list(importers)))
            out = out.filter(out.exporter.isin(list(importers)))
        return (
            into.mutate(buyer=into.importer, inside=into.exporter == into.importer),
            out.mutate(buyer=out.exporter),
        )
    if not buyer.members:
        raise DataError(f"The buyer {buyer.name!r} has no members.")
    members = list(buyer.members)
    into = trade.filter(trade.importer.isin(members))
    into = into.group_by("year", "product", "exporter").agg(
        value=into.value.sum(), quantity=into.quantity.sum(), covered_value=into.covered_value.sum()
    )
    into = into.mutate(buyer=ibis.literal(buyer.name), inside=into.exporter.isin(members))
    out = trade.filter(trade.exporter.isin(members) & (trade.exporter != trade.importer))
    if exports == "outside":
        out = out.filter(~out.importer.isin(members))
    return into, out.mutate(buyer=ibis.literal(buyer.name))


def _weighted(rows: ir.Table, friendly: Friendly) -> ir.Table:
    import ibis

    one = ibis.literal(1.0)
    weight = one
    if friendly.suppliers:
        weight = ibis.cases(
            (rows.exporter.isin(list(friendly.suppliers)), ibis.literal(friendly.weight)), else_=one
        )
    rows = rows.mutate(w=ibis.cases((rows.inside, ibis.literal(0.0)), else_=weight))
    return rows.mutate(
        wv=rows.w * rows.value,
        wq=rows.w * rows.quantity,
        wc=rows.w * rows.covered_value,
        outer=ibis.cases((rows.inside, ibis.literal(0.0)), else_=rows.value),
        outer_q=ibis.cases((rows.inside, ibis.literal(0.0)), else_=rows.quantity),
    )


def _sums(rows: ir.Table, unweighted: bool) -> ir.Table:
    """What the indicators need, in one pass, with the largest supplier and its flow."""
    import ibis

    outer = {"outer": rows.outer.sum(), "outer_q": rows.outer_q.sum()} if unweighted else {}
    # Among equal flows the last code, so that the answer does not depend on the order of rows.
    largest = ibis.struct({"flow": rows.wv, "code": rows.exporter})
    return rows.group_by("year", "buyer", "product").agg(
        imports=rows.value.sum(),
        imports_q=rows.quantity.sum(),
        imports_c=rows.covered_value.sum(),
        outside=rows.wv.sum(),
        outside_q=rows.wq.sum(),
        outside_c=rows.wc.sum(),
        squares=(rows.wv * rows.wv).sum(),
        squares_q=(rows.wq * rows.wq).sum(),
        main_supplier=rows.exporter.argmax(largest, where=rows.wv > 0),
        main_flow=rows.wv.max(),
        **outer,
    )


def _exports(out: ir.Table) -> ir.Table:
    return out.group_by("year", "buyer", "product").agg(
        exports=out.value.sum(), exports_q=out.quantity.sum(), exports_c=out.covered_value.sum()
    )


def _with_production(t: ir.Table, production: ir.Table | None, buyer: Buyer | None) -> ir.Table:
    """The table with capacity in value and quantity, what stands for it, and production."""
    import ibis

    if production is None:
        null = ibis.null("float64")
        t = t.mutate(made=null, made_q=null, outer=null, outer_q=null)
    else:
        p = production
        if buyer is not None:
            p = p.filter(p.importer.isin(list(buyer.members))).mutate(
                importer=ibis.literal(buyer.name)
            )
        if "quantity" not in p.columns:
            p = p.mutate(quantity=ibis.null("float64"))
        keys = {"buyer": p.importer, "product": p.product}
        if "year" in p.columns:
            keys["year"] = p.year
        made = p.group_by(**keys).agg(
            made=p.value.sum(),
            # A part of the members without a quantity leaves the sum unknown.
            made_q=ibis.cases((p.quantity.count() == p.count(), p.quantity.sum()), else_=None),
        )
        t = drop_right(t.left_join(made, list(keys)))
    known = t.made.notnull()
    return t.mutate(
        capacity=ibis.cases((known, "production"), else_="exports"),
        able=ibis.cases((known, t.made), else_=t.exports),
        able_q=ibis.cases((known, t.made_q), else_=t.exports_q),
        supply=ibis.cases((known, t.made + t.outer), else_=t.imports),
        supply_q=ibis.cases((known, t.made_q + t.outer_q), else_=t.imports_q),
    )


def _indicators(t: ir.Table, thresholds: Thresholds) -> ir.Table:
    import ibis

    least = thresholds.least_covered
    able = t.able.fill_null(0.0)
    t = t.mutate(
        quantity_covered=ratio(t.outside_c, t.outside),
        main_share=ratio(t.main_flow, t.outside),
        unable=able <= 0,
        # What is made has a quantity or not; exports have one for a part of their value.
        able_c=ibis.cases((t.capacity == "production", 1.0), else_=ratio(t.exports_c, t.exports)),
        supply_c=ibis.cases((t.capacity == "production", 1.0), else_=t.imports_c / t.imports),
    )
    good = (t.quantity_covered >= least) & (t.outside_q > 0)
    good2 = good & (t.supply_c >= least) & (t.supply_q > 0)
    good3 = good & ~t.unable & (t.able_c >= least) & (t.able_q > 0)
    return t.mutate(
        cdi1_value=ratio(t.squares, t.outside * t.outside),
        cdi2_value=ratio(t.outside, t.supply),
        cdi3_value=ratio(t.outside, t.able),
        cdi1_quantity=ibis.cases((good, ratio(t.squares_q, t.outside_q * t.outside_q)), else_=None),
        cdi2_quantity=ibis.cases((good2, ratio(t.outside_q, t.supply_q)), else_=None),
        cdi3_quantity=ibis.cases((good3, ratio(t.outside_q, t.able_q)), else_=None),
        nothing=t.outside <= 0,
    )


def _flags(t: ir.Table, thresholds: Thresholds) -> ir.Table:
    import ibis

    def above(kind: str) -> Any:
        third = ibis.cases((t.unable, True), else_=t[f"cdi3_{kind}"] > thresholds.substitution)
        flag = (
            (t[f"cdi1_{kind}"] > thresholds.concentration)
            & (t[f"cdi2_{kind}"] > thresholds.outside)
            & third
        )
        return ibis.cases((t.nothing, False), else_=flag)

    t = t.mutate(dependent_value=above("value"), dependent_quantity=above("quantity"))
    no_capacity = "no exports or production: the third indicator is without bound"
    least = thresholds.least_covered
    return t.mutate(
        dependent=t.dependent_value & t.dependent_quantity,
        value_note=ibis.cases(
            (t.nothing, "nothing from outside"), (t.unable, no_capacity), else_=None
        ),
        quantity_note=ibis.cases(
            (t.nothing, "nothing from outside"),
            (either(t.quantity_covered < least), "quantities cover too little of the imports"),
            (either(t.outside_q <= 0), "quantities from outside are zero"),
            (t.unable, no_capacity),
            (
                (t.capacity == "production") & t.cdi3_quantity.isnull(),
                "production has no quantity",
            ),
            (t.cdi2_quantity.isnull(), "quantities cover too little of all imports"),
            (t.cdi3_quantity.isnull(), "quantities cover too little of the exports"),
            else_=None,
        ),
    )
