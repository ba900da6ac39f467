"""Poisson pseudo-maximum likelihood with fixed effects (Santos Silva & Tenreyro 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from entrepot.core.errors import DataError

Array = NDArray[np.float64]
MOST = 100
CLOSE = 1e-9


@dataclass(frozen=True, eq=False)
class Fit:
    """`mean` fitted values, as given; `effects` one array a set of labels; `slopes` of the columns."""

    mean: Array
    effects: tuple[Array, ...]
    slopes: Array


def ppml(y: Array, labels: Sequence[NDArray[np.intp]], columns: Array) -> Fit:
    """Fit log E[y] = sum of one effect a set of labels + columns @ slopes.

    Parameters
    ----------
    y : (m,) not negative, not all zero under any label.
    labels : sets of (m,) labels 0, 1, ...; -1 is the reference, whose effect is
        zero. The first set is eliminated exactly, so give the largest first;
        together they must be free of collinearity.
    columns : (m, k), k may be zero.

    Iterated weighted least squares, to a last step below 1e-9 in every log
    mean. Raises DataError when that is not reached.

    """
    y = np.asarray(y, float)
    first, *others = (_indicators(each) for each in labels)
    rest = sparse.hstack([*others, sparse.csr_matrix(columns)], format="csr")
    mean = (y + y.mean()) / 2
    log_mean = np.log(mean)
    for _ in range(MOST):
        target = mean * (log_mean - 1) + y  # weights times the working variable
        weighted = rest.multiply(mean[:, None]).tocsr()
        own = first.T @ mean
        cross = (first.T @ weighted).toarray()
        inside = (rest.T @ weighted).toarray() - cross.T @ (cross / own[:, None])
        aim = first.T @ target
        try:
            slopes = np.linalg.solve(inside, rest.T @ target - cross.T @ (aim / own))
        except np.linalg.LinAlgError:
            raise DataError("the effects to be estimated are collinear.") from None
        effects = (aim - cross @ slopes) / own
        new = first @ effects + rest @ slopes
        step = np.abs(new - log_mean).max()
        log_mean, mean = new, np.exp(new)
        if not np.isfinite(step):
            break
        if step < CLOSE:
            parts = np.split(slopes, np.cumsum([each.shape[1] for each in others]))
            return Fit(mean, (effects, *parts[:-1]), parts[-1])
    raise DataError("the Poisson estimates do not converge: do they exist for these data?")


def _indicators(labels: NDArray[np.intp]) -> sparse.csr_matrix:
    rows = np.flatnonzero(labels >= 0)
    shape = (len(labels), int(labels.max()) + 1)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, labels[rows])), shape=shape)
