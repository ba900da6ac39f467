"""Worlds built from the OECD tables: the two embedded ones and the full 80 x 50."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from entrepot.catalogues import economy_names, sector_concordance
from entrepot.sources.oecd_packages import CREDIT, TERMS, RawSales, read_2019_g20, read_2022
from entrepot.sources.raw import RawTable
from entrepot.world.aggregate import aggregate
from entrepot.world.build import build
from entrepot.world.final_demand import Reference, estimate_final_use
from entrepot.world.world import Sector, World

FINAL_2022 = ("final use", "sold outside the table")
# Measured against the true 2022 trade totals, which are not part of the project: see
# docs/data.md and tests/validation/test_final_demand.py, which measures them again.
MEASURED_2022 = {
    "exports_pct": 3.7,
    "imports_pct": 4.9,
    "bilateral_pct": 8.0,
    "bilateral_correlation": 0.9975,
    "summary": "trade-weighted mean error of total exports 3.7 %, of total imports 4.9 %, of "
    "bilateral totals 8.0 %; correlation of bilateral totals 0.9975 (trade among the 80 economies, "
    "against the published 2022 totals; the rule was chosen with these totals in view)",
}


def full_2022(sales: RawSales, reference: RawTable) -> World:
    """80 economies x 50 activities, 2022, final use by destination estimated.

    Value added is output less inputs from the 80 economies: inputs bought from
    the rest of the world and net product taxes are inside it. Sales to the
    rest of the world stay with the seller's own economy, as the category
    `sold outside the table`.
    """
    n, s = len(sales.regions), len(sales.sectors)
    R, K = len(reference.regions), len(reference.sectors)
    x = sales.Z.sum((2, 3)) + sales.final_sales
    value_added = x - sales.Z.sum((0, 1))
    estimate = estimate_final_use(
        sales.Z,
        sales.final_sales,
        value_added,
        Reference(
            regions=reference.regions,
            sections=reference.sector_codes,
            Z=reference.Z.reshape(R, K, R, K),
            F=reference.F.sum(2).reshape(R, K, R),
            region_of=[r if r in reference.regions else "ROW" for r in sales.regions],
            section_of=[code[0] for code in sales.sectors],
            rest="ROW",
        ),
    )
    home = np.arange(n)
    F = np.zeros((n, s, n, 2))
    F[..., 0] = estimate.use
    F[home, :, home, 0] -= estimate.to_rest
    F[home, :, home, 1] = estimate.to_rest
    rows = {row["code"]: row for row in sector_concordance()}
    return World(
        name="oecd-2022-full",
        year=2022,
        regions=sales.regions,
        sectors=tuple(_sector(rows[code]) for code in sales.sectors),
        Z=sales.Z.reshape(n * s, n * s),
        F=np.maximum(F, 0).reshape(n * s, n, 2),
        V=value_added.reshape(1, n * s),
        T_inputs=np.zeros(n * s),
        T_final=np.zeros((n, 2)),
        final_categories=FINAL_2022,
        taxes="in_value_added",
        region_names=economy_names(sales.regions),
        provenance=_provenance_2022(sales, reference),
        atol=1e-3,
    )


def _sector(row: dict[str, str]) -> Sector:
    first, _, last = row["isic"].partition("-")
    return Sector(
        row["code"],
        row["name"],
        row["code"].lower(),
        tuple(range(int(first), int(last or first) + 1)),
    )


def world_2022(full: World) -> World:
    """80 economies x 29 sectors, before rounding to 0.01 million USD."""
    rows: dict[str, Sector] = {}
    to: dict[str, str] = {}
    for row in sector_concordance():
        to[row["code"]] = row["sector"]
        old = rows.get(row["sector"])
        isic = tuple(sorted({*(old.isic if old else ()), *_sector(row).isic}))
        rows[row["sector"]] = Sector(row["sector"], row["sector_name"], row["slug"], isic)
    world = aggregate(full, sectors=to, sector_rows=tuple(rows.values()), name="world-2022")
    # Stored in fixed point, it balances exactly; its making is told in its own provenance.
    return replace(world, atol=full.atol, provenance=full.provenance)


def world_2019_g20(table: RawTable) -> World:
    """19 economies and the rest of the world x 20 ISIC sections, 2019."""
    return build(table)


def _provenance_2022(sales: RawSales, reference: RawTable) -> dict[str, Any]:
    return {
        "data": sales.citation,
        "sha256": sales.sha256,
        "terms": TERMS,
        "credit": CREDIT,
        "notes": [
            "The rest of the world is netted out: inputs bought from it sit in value added, sales "
            "to it stay with the seller's economy (category 'sold outside the table').",
            "Value added is output less inputs from the 80 economies; net product taxes are inside "
            "it, so it is not GDP.",
        ],
        "estimated": [
            "Final use by destination: each seller's final sales are split by the geometric mean "
            "of the 2019 final-to-intermediate ratio and the buyer's own sourcing shares "
            f"({reference.provenance['data']}).",
        ],
        "measured_error": MEASURED_2022,
    }


def build_full() -> World:
    """Download (once) and build `oecd-2022-full`."""
    return full_2022(read_2022(), read_2019_g20())
