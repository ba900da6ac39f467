"""The measures by name: what each is, its unit and source, and its expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.products import measures, similarity

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from entrepot.products.connect import Tables

Compute = Callable[["Tables", "ir.Table"], "ir.Table"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of product-level trade: one row here, one page in the reference.

    `compute` takes a store's tables and its trade, perhaps restricted or summed
    to fewer digits; `order` are the columns that its rows are sorted by.
    """

    summary: str
    unit: str
    source: str
    order: tuple[str, ...]
    compute: Compute


MEASURES: dict[str, Measure] = {
    "concentration": Measure(
        "Herfindahl, effective number and Theil of exports and imports, over partners and products",
        "1; Theil in nats",
        "Theil (1967); Cadot, Carrère & Strauss-Kahn (2011)",
        ("year", "economy", "flow", "over"),
        lambda _, trade: measures.all_concentrations(trade),
    ),
    "rca": Measure(
        "Revealed comparative advantage, and its symmetric form",
        "1",
        "Balassa (1965); Dalum, Laursen & Villumsen (1998)",
        ("year", "economy", "product"),
        lambda _, trade: measures.revealed_advantage(trade),
    ),
    "grubel-lloyd": Measure(
        "Intra-industry trade by product",
        "1",
        "Grubel & Lloyd (1975)",
        ("year", "economy", "product"),
        lambda _, trade: measures.grubel_lloyd(trade),
    ),
    "grubel-lloyd-total": Measure(
        "Intra-industry trade of an economy, weighted by trade",
        "1",
        "Grubel & Lloyd (1975)",
        ("year", "economy"),
        lambda _, trade: measures.grubel_lloyd(trade, ()),
    ),
    "complementarity": Measure(
        "Exports of one economy beside the imports of another",
        "1",
        "Michaely (1996)",
        ("year", "exporter", "importer"),
        lambda _, trade: similarity.complementarity(trade),
    ),
    "intensity": Measure(
        "Bilateral trade beside the partner's weight in the world",
        "1",
        "Brown (1949); Kojima (1964)",
        ("year", "exporter", "importer"),
        lambda _, trade: measures.trade_intensity(trade),
    ),
    "similarity": Measure(
        "How alike two economies' exports are",
        "1",
        "Finger & Kreinin (1979)",
        ("year", "first", "second"),
        lambda _, trade: similarity.export_similarity(trade),
    ),
    "re-exports": Measure(
        "Share of re-exports in exports, where reported",
        "1",
        "UN Comtrade, flow RX",
        ("year", "economy"),
        lambda tables, trade: measures.re_exports(trade, tables.reexports),
    ),
}
