"""Economic and product complexity, through the library of those who proposed the indices.

Hidalgo & Hausmann (2009), PNAS 106; Hausmann, Hidalgo et al. (2014), *The Atlas
of Economic Complexity*. M_cp = 1 where economy c's revealed comparative
advantage in product p is at least 1. ECI is the eigenvector of the second largest eigenvalue of
Σ_p M_cp M_c'p / (k_c k_p), PCI its counterpart over products; both scaled by the mean
and standard deviation (over economies) of ECI, the sign such that ECI rises with diversity.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING

from entrepot.core.errors import DataError
from entrepot.products.execute import collect

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

MAX_PRODUCTS = 6_000


def complexity(trade: ir.Table, year: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ECI by economy and PCI by product in a year, two tables; dimensionless.

    Columns year, economy, eci, diversity; and year, product, pci, ubiquity. The
    matrix of economies and products comes into memory. Time grows with the cube of the number of
    products: at six digits minutes, at four (`at_digits`) seconds. Raises DataError
    without the library (the extra `complexity`), for a year without trade, and for fewer than three
    economies or products.
    """
    try:
        from ecomplexity import ecomplexity
    except ImportError:
        raise DataError(
            "Complexity needs the library ecomplexity: pip install 'entrepot[complexity]'."
        ) from None
    some = trade.filter((trade.year == year) & (trade.exporter != trade.importer))
    some = some.filter(some.value > 0)
    cells = some.group_by(economy=some.exporter, product=some.product).agg(value=some.value.sum())
    flows = collect(cells, ("economy", "product")).to_pandas()
    economies, products = flows["economy"].nunique(), flows["product"].nunique()
    if min(economies, products) < 3 or products > MAX_PRODUCTS:
        raise DataError(
            f"Complexity of {year}: {economies} economies export {products} products; 3 to "
            f"{MAX_PRODUCTS:,} are needed."
        )
    flows["year"] = year
    names = {"time": "year", "loc": "economy", "prod": "product", "val": "value"}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # notices of other versions of pandas
        found = ecomplexity(flows, names, check_logsupermodularity=False, verbose=False)
    by_economy = found.drop_duplicates("economy").sort_values("economy")
    by_product = found.drop_duplicates("product").sort_values("product")
    if by_economy["eci"].isna().any() or by_product["pci"].isna().any():
        raise DataError(f"Complexity of {year}: not determined (a degenerate matrix).")
    return (
        by_economy[["year", "economy", "eci", "diversity"]].reset_index(drop=True),
        by_product[["year", "product", "pci", "ubiquity"]].reset_index(drop=True),
    )
