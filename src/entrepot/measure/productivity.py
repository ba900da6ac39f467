"""Productivity that trade reveals, from fixed effects of bilateral exports."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, hstack

from entrepot.core.errors import MeasureError, NotConvergedError
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.bilateral import STOCKS, exported, sales
from entrepot.measure.row import Measure

THETA = "6.53"
"""Elasticity of Costinot, Donaldson & Komunjer (2012), Table 3, their preferred estimate."""
ACCURACY = 1e-12
"""Slope of the squares at which they are least, relative to the first."""
STEPS = 5000
Index = NDArray[np.intp]


def revealed_productivity(a: Accounts, theta: str = THETA) -> Array:
    """Fundamental productivity that exports reveal, by economy and sector (n, s), relative.

    ln x_ijk = d_ij + d_jk + d_ik + e by least squares over all exports that
    are positive, d_ij of exporter and importer, d_jk of importer and industry,
    d_ik of exporter and industry; z_ik = exp(d_ik / theta) (Costinot, Donaldson
    & Komunjer 2012, section 5.1, eq. 19, and Table 6). Exports are as they are:
    a home share is not divided out, for its effect is in z of the goods still
    made (`revealed_productivity_observed`).

    z means something relative over economies and over sectors at once. It is
    given with geometric mean 1 over each economy's sectors and over each
    sector's economies (those that have a number; the paper sets one economy
    and one industry to 1 instead; double ratios are the same).

    NaN where trade does not identify it; see `_exporter_industry`. Raises
    MeasureError unless theta is a positive number.
    """
    return np.exp(_effects(exported(a)) / _positive(theta))


def revealed_productivity_observed(a: Accounts, theta: str = THETA) -> Array:
    """Productivity of the goods an industry still makes, by economy and sector (n, s), relative.

    As `revealed_productivity`, of exports over the home share of expenditure,
    x_ijk / pi_iik: trade leaves the more productive goods, so that observed
    productivity is z_ik pi_iik^(-1/theta) (Costinot, Donaldson & Komunjer 2012,
    Table 3, corrected exports). NaN also where an economy buys nothing at home.
    """
    bought = sales(a)
    home = share(np.einsum("iki->ik", bought), bought.sum(0).T)
    cells = exported(a)
    corrected = share(cells, np.where(home > 0, home, np.nan)[:, :, None])
    return np.exp(_effects(np.nan_to_num(corrected)) / _positive(theta))


def _positive(theta: str) -> float:
    try:
        number = float(theta)
    except ValueError:
        number = np.nan
    if not (np.isfinite(number) and number > 0):
        raise MeasureError(f"theta is {theta!r}; a positive number was expected, as {THETA}.")
    return number


def _effects(cells: Array) -> Array:
    """Effects d_ik (n, s) of exports (n, s, n) with means 0 both ways, NaN where not identified.

    A flow that alone holds its pair of economies, or its importer's purchases of
    an industry, is fitted by that effect and tells nothing: such flows go, one
    after another. What the rest identifies is found by trial: made-up effects
    must come back from the flows they make, up to one number for each economy
    and one for each sector. Effects that do not are NaN, and their flows go too.
    """
    n, s, _ = cells.shape
    i, k, j = np.nonzero(cells > 0)
    ij, jk, ik = i * n + j, j * s + k, i * s + k
    keep = _told(np.arange(i.size), ij, jk)
    out = np.full(n * s, np.nan)
    while keep.size:
        at, effect = np.unique(ik[keep], return_inverse=True)
        groups = [np.unique(group[keep], return_inverse=True)[1] for group in (ij, jk)]
        design = _dummies([*groups, effect])
        made_up = np.random.default_rng(0).normal(size=at.size)
        change = _exporter_industry(design, made_up[effect], at.size) - made_up
        lost = np.abs(_polished(change, at // s, at % s)) > 1e-6
        if not lost.any():
            logs = np.log(cells[i, k, j][keep])
            out[at] = _doubly_centred(_exporter_industry(design, logs, at.size), at // s, at % s)
            break
        keep = _told(keep[~lost[effect]], ij, jk)
    return out.reshape(n, s)


def _told(keep: Index, *groups: Index) -> Index:
    """Flows that share each of their groups with another, once those that do not are gone."""
    while keep.size:
        alone = np.zeros(keep.size, bool)
        for group in groups:
            alone |= np.bincount(group[keep])[group[keep]] == 1
        if not alone.any():
            break
        keep = keep[~alone]
    return keep


def _polished(change: Array, row: Index, column: Index) -> Array:
    """What is left of effects' changes less medians of economies and sectors, in turn.

    Where most effects changed by one number an economy and one a sector, as they
    may, medians take these out exactly and leave the others.
    """
    rows, row = np.unique(row, return_inverse=True)
    columns, column = np.unique(column, return_inverse=True)
    table = np.full((rows.size, columns.size), np.nan)
    table[row, column] = change
    for _ in range(20):
        before = table.copy()
        table -= np.nanmedian(table, axis=1, keepdims=True)
        table -= np.nanmedian(table, axis=0, keepdims=True)
        if np.nanmax(np.abs(table - before)) < 1e-9:
            break
    return np.asarray(table[row, column])


def _dummies(groups: list[Index]) -> csr_array:
    rows = np.arange(groups[0].size)
    return hstack(
        [csr_array((np.ones(rows.size), (rows, g)), (rows.size, g.max() + 1)) for g in groups],
        format="csr",
    )


def _exporter_industry(design: csr_array, logs: Array, effects: int) -> Array:
    """Least squares of the dummies; the last block's coefficients, of least norm.

    Conjugate gradients for least squares (Björck 1996, section 7.4) on scaled
    columns. Sums are not left to threaded products, which wait for one another
    on a busy machine.
    """
    scale = 1.0 / np.sqrt(design.sum(0))
    columns = (design @ diags_array(scale)).tocsr()
    rows = columns.T.tocsr()
    found = np.zeros(scale.size)
    left = logs.copy()
    slope = rows @ left
    way, size = slope, (slope**2).sum()
    enough = ACCURACY**2 * size
    for _ in range(STEPS):
        if size <= enough:
            return np.asarray(found * scale)[-effects:]
        along = columns @ way
        step = size / (along**2).sum()
        found = found + step * way
        left = left - step * along
        slope = rows @ left
        before, size = size, (slope**2).sum()
        way = slope + (size / before) * way
    raise NotConvergedError(
        f"The fixed effects of exports were not found in {STEPS:,} steps. Aggregate the world's "
        "smallest economies or sectors."
    )


def _doubly_centred(effects: Array, row: Index, column: Index) -> Array:
    """Effects less what economies and sectors explain: residuals of both sets of dummies."""
    both = _dummies([row, column])
    explained = np.linalg.lstsq((both.T @ both).toarray(), both.T @ effects, rcond=None)[0]
    return np.asarray(effects - both @ explained)


NOT_TOLD = (
    "an industry exports nothing, or to too few markets to tell it from its economy's and markets'"
)
MEANING = (
    "Only comparisons of comparisons mean something (one sector against another, in one economy against "
    "another): means over an economy's sectors and over a sector's economies are 1. Exports that are "
    "zero are left out. The higher theta, the closer to 1. "
)
ROWS = (
    Measure(
        "revealed_productivity",
        "Productivity revealed by exports",
        "advantage",
        "index",
        ("region", "sector"),
        "Costinot, Donaldson & Komunjer (2012), section 5.1, eq. 19, and Table 6; theta 6.53",
        "How productive an industry is relative to its economy's others and to its rivals abroad, told "
        "by who exports what to whom once nearness of two economies and demand of each market are taken "
        "out: Ricardo's advantage rather than Balassa's shares. " + MEANING + STOCKS,
        revealed_productivity,
        absent=NOT_TOLD,
        takes="theta",
        default=THETA,
    ),
    Measure(
        "revealed_productivity_observed",
        "Observed productivity revealed by exports",
        "advantage",
        "index",
        ("region", "sector"),
        "Costinot, Donaldson & Komunjer (2012), Table 3, corrected exports: exports over the home share",
        "Revealed productivity of the goods an industry still makes, what statistics of producers would "
        "show: where imports took the less productive goods, it reads higher. " + MEANING + STOCKS,
        revealed_productivity_observed,
        absent=NOT_TOLD + ", or an economy buys none of a sector's products at home",
        takes="theta",
        default=THETA,
    ),
)
