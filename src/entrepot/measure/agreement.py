"""How far several scores of the same things agree, and one ranking from all of them.

Sources: Kendall & Gibbons (1990), Rank Correlation Methods, chapters 3 and 6 (tau-b;
the coefficient of concordance W with ties); Emerson (2013) on Borda's rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import kendalltau, rankdata

from entrepot.core.errors import WorldError
from entrepot.core.tables import Array


@dataclass(frozen=True, eq=False)
class Agreement:
    """m scores of n things, ranked and compared.

    - `ranks` (m, n): 1 for the highest score, ties sharing the mean of their places;
    - `mean_rank` (n,): over the scores; `joint` (n,): the rank of it, lowest first,
      ties shared again. Ordering by mean rank is Borda's rule: points n - rank, summed;
    - `concordance`: Kendall's W corrected for ties, 1 where all rankings are the same,
      0 where mean ranks do not differ at all;
    - `spearman`, `kendall` (m, m): rank correlations by pair, tau-b for the latter. Where
      a score is the same for all things there is none: its pairs are 0, its own cell 1,
      and `constant` (m,) says so;
    - `overlap`: k to (m, m), the share of the k highest that two scores have in common.
      Things tied across place k share the places left equally.
    """

    ranks: Array
    mean_rank: Array
    joint: Array
    concordance: float
    spearman: Array
    kendall: Array
    overlap: dict[int, Array]
    constant: np.ndarray[tuple[int], np.dtype[np.bool_]]


def agreement(scores: ArrayLike, top: Sequence[int] = (10, 50, 100)) -> Agreement:
    """Joint ranking of n things by m scores (m, n), higher meaning more, and its agreement.

    `top` lists the k of the overlaps; those above n are left out.

    Raises WorldError for fewer than two scores or things, numbers that are not finite
    (rank only things that every score covers), scores that are all constant, or k below 1.
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise WorldError(f"scores have shape {values.shape}; at least two of two things each.")
    if not np.isfinite(values).all():
        m, i = np.argwhere(~np.isfinite(values))[0]
        raise WorldError(
            f"score {m} of thing {i} is {values[m, i]}: rank what every score covers only."
        )
    if any(k < 1 for k in top):
        raise WorldError(f"top holds {min(top)}: whole numbers from 1 were expected.")
    m, n = values.shape
    ranks = np.asarray(rankdata(-values, axis=1), np.float64)
    constant = np.ptp(values, axis=1) == 0
    if constant.all():
        raise WorldError("every score is the same for all things: there is nothing to rank.")
    mean_rank = ranks.mean(0)
    return Agreement(
        ranks=ranks,
        mean_rank=mean_rank,
        joint=np.asarray(rankdata(np.round(mean_rank, 9)), np.float64),
        concordance=concordance(ranks),
        spearman=_spearman(ranks, constant),
        kendall=_kendall(values, constant),
        overlap={k: _overlap(ranks, k) for k in top if k <= n},
        constant=constant,
    )


def concordance(ranks: Array) -> float:
    """Kendall's W of ranks (m, n), ties at their mean rank.

    W = 12 S / (m^2 (n^3 - n) - m sum_j T_j), S the squared deviations of the rank sums,
    T_j the sum of t^3 - t over the ties of ranking j. Kendall & Gibbons (1990), ch. 6.
    """
    m, n = ranks.shape
    sums = ranks.sum(0)
    ties = 0.0
    for row in ranks:
        t = np.unique(row, return_counts=True)[1].astype(float)
        ties += float((t**3 - t).sum())
    most = m**2 * (float(n) ** 3 - n) - m * ties
    return float(12 * ((sums - sums.mean()) ** 2).sum() / most)


def _spearman(ranks: Array, constant: Array) -> Array:
    """Correlations of ranks; 0 with a constant score."""
    away = ranks - ranks.mean(1, keepdims=True)
    length = np.where(constant, 1, np.sqrt((away**2).sum(1)))
    out: Array = np.clip((away @ away.T) / np.outer(length, length), -1, 1)
    np.fill_diagonal(out, 1)
    return out


def _kendall(values: Array, constant: Array) -> Array:
    """Kendall's tau-b by pair; 0 with a constant score."""
    out = np.eye(len(values))
    for a in range(len(values)):
        for b in range(a):
            if not (constant[a] or constant[b]):
                out[a, b] = out[b, a] = kendalltau(values[a], values[b]).statistic
    return out


def _overlap(ranks: Array, k: int) -> Array:
    """Share in common of the k highest, by pair."""
    held = np.zeros_like(ranks)
    for row, inside in zip(ranks, held, strict=True):
        edge = np.sort(row)[k - 1]
        tied = row == edge
        inside[row < edge] = 1
        inside[tied] = (k - (row < edge).sum()) / tied.sum()
    both = np.minimum(held[:, None], held[None, :]).sum(2)
    return np.asarray(both / k, np.float64)
