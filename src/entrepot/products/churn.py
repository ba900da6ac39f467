"""Which products enter and leave a list of dependencies from one year to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.core.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

FLAGS = ("dependent_value", "dependent_quantity", "dependent")


def churn(screened: ir.Table, before: int, after: int, flag: str = "dependent_value") -> ir.Table:
    """Products on the list in either year: who entered, left or stayed.

    `screened` is what `screen` gives, of both years. `status` is entered, left,
    stayed, or undetermined where the flag is absent in one of the years and set
    in the other. A product that is not imported in a year is not on that year's list.
    Columns: buyer, product, before, after (the years), status, supplier_before,
    supplier_after (the main ones; null where nothing came from outside), supplier_changed (null
    unless both are known).
    """
    import ibis

    if flag not in FLAGS:
        raise DataError(f"Churn of {flag!r}: {', '.join(FLAGS)} were expected.")

    def year(of: int, suffix: str) -> ir.Table:
        t = screened.filter(screened.year == of)
        return t.select(
            **{
                f"buyer_{suffix}": t.buyer,
                f"product_{suffix}": t.product,
                f"on_{suffix}": t[flag],
                f"supplier_{suffix}": t.main_supplier,
            }
        )

    a, b = year(before, "a"), year(after, "b")
    t = a.outer_join(b, [a.buyer_a == b.buyer_b, a.product_a == b.product_b])
    t = t.mutate(
        buyer=ibis.coalesce(t.buyer_a, t.buyer_b),
        product=ibis.coalesce(t.product_a, t.product_b),
        # Not imported: not on the list. Imported with the flag absent: unknown.
        was=ibis.cases((t.buyer_a.isnull(), False), else_=t.on_a),
        is_=ibis.cases((t.buyer_b.isnull(), False), else_=t.on_b),
    )
    t = t.filter(t.was.fill_null(False) | t.is_.fill_null(False))
    status = ibis.cases(
        (t.was.isnull() | t.is_.isnull(), "undetermined"),
        (t.was & t.is_, "stayed"),
        (t.is_, "entered"),
        else_="left",
    )
    return t.select(
        "buyer",
        "product",
        before=ibis.literal(before),
        after=ibis.literal(after),
        status=status,
        supplier_before=t.supplier_a,
        supplier_after=t.supplier_b,
        supplier_changed=t.supplier_a != t.supplier_b,
    )


def churn_summary(changes: ir.Table) -> ir.Table:
    """How much of a list each buyer keeps.

    `persistence` = stayed / (stayed + left), null for an empty list;
    `supplier_changes` counts the products that stayed with another main
    supplier. Columns: buyer, before, after, stayed, entered, left, undetermined, persistence,
    supplier_changes.
    """
    import ibis

    c = changes
    counts = {n: (c.status == n).cast("int64").sum() for n in _STATUS}
    moved = ibis.cases(
        ((c.status == "stayed") & c.supplier_changed.fill_null(False), 1), else_=0
    ).cast("int64")
    t = c.group_by("buyer", "before", "after").agg(**counts, supplier_changes=moved.sum())
    listed = (t.stayed + t.left).cast("float64").nullif(0.0)
    return t.select(
        *("buyer", "before", "after", *_STATUS),
        persistence=t.stayed.cast("float64") / listed,
        supplier_changes=t.supplier_changes,
    )


_STATUS = ("stayed", "entered", "left", "undetermined")
