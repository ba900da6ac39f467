"""Economic complexity of economies and of the table's sectors."""

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
from entrepot.measure.accounts import Accounts
from entrepot.measure.advantage import revealed_advantage
from entrepot.measure.bilateral import STOCKS
from entrepot.measure.row import Measure

CLOSE = 1e-9
"""Eigenvalues nearer than this are one: their vectors are not determined."""


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
    D^-1 M U^-1 M', with M where Balassa's index is 1 or more, D diversity and U
    ubiquity (Hidalgo & Hausmann 2009; Hausmann et al. 2014, technical box 2.2),
    its sign that of the correlation with diversity. NaN where it is not
    determined; see `_complexity`.
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

    NaN for economies and sectors without advantage. All NaN where advantage
    falls into groups that share nothing, or the eigenvector is not unique.

    Raises MeasureError where the library is not installed.
    """
    has = np.nan_to_num(revealed_advantage(a)) >= 1
    rows, columns = np.flatnonzero(has.any(1)), np.flatnonzero(has.any(0))
    eci, pci = np.full(a.n, np.nan), np.full(a.s, np.nan)
    library = _library()
    if _determined(has[np.ix_(rows, columns)]):
        found = _by_library(library, has[np.ix_(rows, columns)])
        eci[rows], pci[columns] = found
    return eci, pci


def _determined(has: NDArray[np.bool_]) -> bool:
    """Whether economies and sectors hang together, with one second eigenvector."""
    n, s = has.shape
    if min(n, s) < 3:
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
    "The table has few, broad sectors, services among them: read it with care, and take complexity over "
    "customs products where it matters. "
)
NOT_DETERMINED = (
    "an economy or sector has no advantage, or advantages are too few or too far apart to rank all on one "
    "scale"
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
