"""Economic complexity of economies and of the table's sectors of goods.

Services are left out: with them the second eigenvector tells economies of
services from economies of goods, and its sign ranks nothing.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from entrepot.core.errors import MeasureError
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.advantage import balassa, revealed_advantage
from entrepot.measure.bilateral import STOCKS, exported
from entrepot.measure.row import Measure

CLOSE = 1e-9
"""Eigenvalues nearer than this are one: their vectors are not determined."""
LAST_GOODS = 33
"""Last division of ISIC Rev. 4 that makes goods (C, manufacturing)."""
FEWEST = 10
"""Sectors of goods with advantages below which no ranking is given: three sectors rank nothing."""


def diversity(a: Accounts) -> Array:
    """Sectors in which an economy has revealed advantage, Balassa's index 1 or more (n,).

    k_c,0 of Hidalgo & Hausmann (2009). NaN where an economy exports nothing.
    """
    found = revealed_advantage(a)
    return np.where(np.isnan(found).all(1), np.nan, (found >= 1).sum(1))


def ubiquity(a: Accounts) -> Array:
    """Economies with revealed advantage in a sector, Balassa's index 1 or more (s,).

    k_p,0 of Hidalgo & Hausmann (2009). NaN where nobody exports the sector's products.
    """
    found = revealed_advantage(a)
    return np.where(np.isnan(found).all(0), np.nan, (found >= 1).sum(0))


def economic_complexity(a: Accounts) -> Array:
    """Economic complexity index (n,), mean 0 and standard deviation 1 over economies.

    The eigenvector to the second largest eigenvalue of the economies' matrix
    D^-1 M U^-1 M', with M where Balassa's index in exports of goods is 1 or
    more, D diversity and U ubiquity (Hidalgo & Hausmann 2009; Hausmann et al.
    2014, technical box 2.2), its sign that of the correlation with diversity.
    NaN where it is not determined; see `_complexity`.
    """
    return _complexity(a)[0]


def sector_complexity(a: Accounts) -> Array:
    """Complexity of sectors (s,), on the scale of economies.

    The product complexity index of Hausmann et al. (2014): an economy's
    complexity is the mean of its sectors of advantage. See `economic_complexity`.
    """
    return _complexity(a)[1]


def _complexity(a: Accounts) -> tuple[Array, Array]:
    """Complexity of economies and sectors (n,), (s,), by the library `ecomplexity`.

    NaN for services, and economies and sectors without advantage in goods. All
    NaN where sectors do not say their ISIC divisions, fewer than `FEWEST` are
    goods with advantages, advantages fall into groups that share nothing, the
    eigenvector is not unique, or its sign is not told: complex economies must
    have both more advantages and less ubiquitous ones.

    Raises MeasureError where the library is not installed.
    """
    library = _library()
    eci, pci = np.full(a.n, np.nan), np.full(a.s, np.nan)
    said = [sector.isic for sector in a.world.sectors]
    goods = np.flatnonzero([bool(i) and max(i) <= LAST_GOODS for i in said])
    if not all(said) or goods.size < FEWEST:
        return eci, pci
    has = np.nan_to_num(balassa(exported(a)[:, goods].sum(2))) >= 1
    rows, columns = np.flatnonzero(has.any(1)), np.flatnonzero(has.any(0))
    has = has[np.ix_(rows, columns)]
    if not _determined(has):
        return eci, pci
    found, of_sectors = _by_library(library, has)
    if _correlation(found, has.sum(1)) > 0 > _correlation(found, has @ has.sum(0) / has.sum(1)):
        eci[rows], pci[goods[columns]] = found, of_sectors
    return eci, pci


def _correlation(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float(share(x @ y, np.sqrt((x @ x) * (y @ y))))


def _determined(has: NDArray[np.bool_]) -> bool:
    """Whether economies and sectors hang together, with one second eigenvector."""
    n, s = has.shape
    if n < 3 or s < FEWEST:
        return False
    graph = csr_array(np.block([[np.zeros((n, n)), has], [has.T, np.zeros((s, s))]]))
    if connected_components(graph, directed=False)[0] > 1:
        return False
    alike = has / np.sqrt(has.sum(1)[:, None] * has.sum(0)[None])
    values = np.linalg.svd(alike, compute_uv=False) ** 2
    return bool(values[1] > CLOSE and values[1] - values[2] > CLOSE)


def _library() -> Any:
    try:
        return import_module("ecomplexity")
    except ImportError:
        raise MeasureError(
            "Complexity is computed by the library ecomplexity, which is not installed: "
            "pip install 'entrepot[complexity]'."
        ) from None


def _by_library(library: Any, has: NDArray[np.bool_]) -> tuple[Array, Array]:
    import pandas as pd

    n, s = has.shape
    cells = pd.DataFrame(
        {
            "year": 0,
            "economy": np.repeat(np.arange(n), s),
            "sector": np.tile(np.arange(s), n),
            "value": has.ravel().astype(float),
        }
    )
    names = {"time": "year", "loc": "economy", "prod": "sector", "val": "value"}
    # The library prints and warns of measures that are not asked for here.
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        table = library.ecomplexity(
            cells, names, presence_test="manual", check_logsupermodularity=False, verbose=False
        )
    eci = table.groupby("economy")["eci"].first().reindex(range(n)).to_numpy(float)
    pci = table.groupby("sector")["pci"].first().reindex(range(s)).to_numpy(float)
    return eci, pci


FEW = (
    "Goods alone (ISIC Rev. 4 divisions 1 to 33), in the table's few and broad sectors: read it with "
    "care, and take complexity over customs products where it matters. "
)
NOT_DETERMINED = (
    "sectors are services, do not say their ISIC divisions or are fewer than ten of goods, an economy or "
    "sector has no advantage, or advantages do not rank all on one scale"
)
ROWS = (
    Measure(
        "diversity",
        "Diversity of exports",
        "advantage",
        "number",
        ("region",),
        "Hidalgo & Hausmann (2009), k_c,0",
        "In how many of the table's sectors an economy has revealed comparative advantage. "
        + STOCKS,
        diversity,
        absent="an economy exports nothing",
    ),
    Measure(
        "ubiquity",
        "Ubiquity of sectors",
        "advantage",
        "number",
        ("sector",),
        "Hidalgo & Hausmann (2009), k_p,0",
        "How many economies have revealed comparative advantage in a sector. " + STOCKS,
        ubiquity,
        absent="nobody exports the sector's products",
    ),
    Measure(
        "economic_complexity",
        "Economic complexity",
        "advantage",
        "standard deviations",
        ("region",),
        "Hidalgo & Hausmann (2009); Hausmann et al. (2014), technical box 2.2: second eigenvector",
        "Ranks economies by the company their advantages keep: high when few others share them and "
        "those are themselves diverse. " + FEW + STOCKS,
        economic_complexity,
        absent=NOT_DETERMINED,
    ),
    Measure(
        "sector_complexity",
        "Complexity of sectors",
        "advantage",
        "standard deviations",
        ("sector",),
        "Hausmann et al. (2014), technical box 2.2: product complexity, on the economies' scale",
        "Ranks sectors by the economies that have advantage in them: high when these are few and "
        "complex. " + FEW + STOCKS,
        sector_complexity,
        absent=NOT_DETERMINED,
    ),
)
