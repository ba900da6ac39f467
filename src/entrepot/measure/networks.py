"""Measures of the network of input flows, each with the meaning it has in an economy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, gmres

from entrepot.core.errors import NotConvergedError
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.row import Measure

DAMPING = 0.85
"""Probability that the surfer of PageRank follows a link (Brin & Page 1998)."""
TOLERANCE = 1e-13

# --- industries -------------------------------------------------------------------------------


def per_inputs(a: Accounts) -> Array:
    """1 over the inputs each node buys (N,), zero where none: W = Z times this, by column."""
    bought = np.where(a.x > 0, a.bought, 0.0)
    return np.divide(1.0, bought, out=np.zeros(a.N), where=bought > 0)


def strength(a: Accounts) -> Array:
    """Inputs sold to and bought of other industries and economies (n, s, 2), million USD."""
    own = np.diagonal(a.Z)
    sold = a.by_sector(a.Z.sum(1) - own)
    return np.stack([sold, a.by_sector(a.bought - own)], -1)


def weighted_outdegree(a: Accounts) -> Array:
    """Sum of an industry's shares in the inputs of all industries (n, s): row sums of W."""
    return a.by_sector(a.Z @ per_inputs(a))


def domar_weight(a: Accounts) -> Array:
    """Gross output over the world's final demand (n, s)."""
    return share(a.by_sector(a.made), np.full((a.n, a.s), a.y.sum()))


def influence(a: Accounts) -> Array:
    """Influence vector with equal final shares (n, s): (α/N) (I - (1 - α) W)^-1 1.

    α is the world's share of primary inputs in output, N the nodes that produce.
    It sums to 1 where every node that produces buys inputs.
    """
    alpha = float((a.v * a.made).sum() / a.made.sum())
    return a.by_sector(_walk(a, 1.0 - alpha, alpha * _anywhere(a)))


def pagerank(a: Accounts) -> Array:
    """Stationary share of visits of a surfer who goes from buyers to suppliers (n, s).

    With probability DAMPING to a supplier in proportion to the inputs bought of it,
    else, and where nothing is bought, to any producing node alike.
    """
    found = _walk(a, DAMPING, _anywhere(a))
    return a.by_sector(found / found.sum())


def _anywhere(a: Accounts) -> Array:
    return np.where(a.made > 0, 1.0 / np.count_nonzero(a.made > 0), 0.0)


def _walk(a: Accounts, kept: float, start: Array) -> Array:
    """Solve z = kept W z + start.

    Nodes that buy nothing pass nothing on; scaling the sum to 1 is the same as
    spreading what they hold over `start` (Langville & Meyer 2006).
    """
    scale = kept * per_inputs(a)
    system = LinearOperator((a.N, a.N), matvec=lambda z: z - a.Z @ (scale * z), dtype=float)
    z, failed = gmres(system, start, rtol=TOLERANCE, restart=60, maxiter=20)
    if failed or not np.isfinite(z).all():
        raise NotConvergedError(f"The walk on the inputs of {a.world.name} did not settle.")
    return np.asarray(z, float)


# --- economies --------------------------------------------------------------------------------


def between_economies(a: Accounts) -> Array:
    """Inputs sold by each economy to industries of each economy (n, n), home included."""
    return a.by_economy(a.inputs_by_buyer)


def eigenvector_centrality(a: Accounts) -> Array:
    """Leading eigenvector of input trade (n,), summing to 1; NaN where it is not unique.

    c ∝ M c with M_rp the inputs that p buys of r abroad: central is who supplies
    the central. M must be irreducible (Perron–Frobenius).
    """
    M = between_economies(a)
    np.fill_diagonal(M, 0.0)
    if a.n < 2 or not _connected(M):
        return np.full(a.n, np.nan)
    values, vectors = np.linalg.eig(M / M.max())
    lead = np.abs(vectors[:, np.argmax(values.real)].real)
    return np.asarray(lead / lead.sum(), float)


def random_walk_centrality(a: Accounts) -> Array:
    """Economies over the sum of mean first passage times to an economy (n,).

    Blöchl, Theis, Vega-Redondo & Fisher (2011): H(., t) = (I - M_-t)^-1 1 with
    M the flows of inputs over each seller's total, home flows included.
    """
    return _over_targets(a, lambda T, M: T.sum(1))[1]


def counting_betweenness(a: Accounts) -> Array:
    """Mean number of passes through an economy on walks between all pairs (n,).

    Blöchl et al. (2011): N_ij = m_ij ((I - M_-t)^-1)_si counts steps from i to j,
    N_i = sum_{j≠t} (N_ij + N_ji) / 2, averaged over the n (n - 1) pairs s ≠ t.
    """
    return _over_targets(a, _passes)[0]


def _passes(T: Array, M: Array) -> Array:
    visits = T.sum(0)  # over all sources
    return np.asarray(0.5 * (visits * M.sum(1) + visits @ M), float)


def _over_targets(a: Accounts, of: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
    """For every target t, `of((I - M_-t)^-1, M_-t)`: its mean over pairs, and n over its sum."""
    flows = between_economies(a)
    nan = np.full(a.n, np.nan)
    if a.n < 2 or not _connected(flows):
        return nan, nan
    M = flows / flows.sum(1, keepdims=True)
    total, nearness = np.zeros(a.n), np.zeros(a.n)
    for t in range(a.n):
        rest = np.delete(np.arange(a.n), t)
        kept = M[np.ix_(rest, rest)]
        found = of(np.linalg.inv(np.eye(a.n - 1) - kept), kept)
        total[rest] += found
        nearness[t] = a.n / found.sum()
    return total / (a.n * (a.n - 1)), nearness


def _connected(flows: Array) -> bool:
    return int(connected_components(flows > 0, connection="strong")[0]) == 1


APART = "input trade does not lead from every economy to every other"
ROWS = (
    Measure(
        "strength",
        "Inputs sold and bought",
        "dependence",
        "million USD",
        ("region", "sector", "term"),
        "Barrat, Barthélemy, Pastor-Satorras & Vespignani (2004): out- and in-strength",
        "The inputs that an industry sells to, and buys of, all other industries at home and abroad; "
        "what it uses of its own is left out.",
        strength,
        additive=True,
        terms=("sold", "bought"),
    ),
    Measure(
        "weighted_outdegree",
        "Weighted outdegree",
        "dependence",
        "index",
        ("region", "sector"),
        "Acemoglu, Carvalho, Ozdaglar & Tahbaz-Salehi (2012): degree d_i = sum_j w_ij",
        "The sum of an industry's shares in the inputs of every industry of the world: how many "
        "industries' worth of input purchases it supplies, large and small buyers alike.",
        weighted_outdegree,
        additive=True,
    ),
    Measure(
        "domar_weight",
        "Domar weight",
        "dependence",
        "share",
        ("region", "sector"),
        "Hulten (1978), theorem; Acemoglu et al. (2012): B f / sum f",
        "An industry's output over the world's final demand: to first order, by how many per cent "
        "the world's product falls when the industry's productivity falls by one. The influence vector "
        "with final demand as it is.",
        domar_weight,
        absent="the world has no final demand",
        additive=True,
    ),
    Measure(
        "influence",
        "Influence (Katz–Bonacich)",
        "dependence",
        "share",
        ("region", "sector"),
        "Acemoglu et al. (2012), eq. for v = (α/n) [I - (1 - α) W']^-1 1; Bonacich (1987)",
        "How much of the world's product moves with an industry when all industries sold equal amounts "
        "to final users: its place in the network of inputs alone, size set aside. The weight of inputs "
        "is their share in the world's output.",
        influence,
        additive=True,
    ),
    Measure(
        "pagerank",
        "PageRank of suppliers",
        "dependence",
        "share",
        ("region", "sector"),
        "Brin & Page (1998), damping 0.85",
        "Where one ends up going from industry to supplier again and again, each supplier in proportion "
        "to the inputs bought of it, starting anew anywhere 15 times in 100. Sums to 1 over the world.",
        pagerank,
        additive=True,
    ),
    Measure(
        "eigenvector_centrality",
        "Eigenvector centrality in input trade",
        "dependence",
        "share",
        ("region",),
        "Bonacich (1972); Perron–Frobenius for uniqueness",
        "An economy is central when it sells inputs to economies that are central. Cross-border flows "
        "in value, so that size counts. Sums to 1.",
        eigenvector_centrality,
        absent=APART,
    ),
    Measure(
        "random_walk_centrality",
        "Random walk centrality",
        "dependence",
        "index",
        ("region",),
        "Blöchl, Theis, Vega-Redondo & Fisher (2011): n over the sum of first passage times",
        "How soon a disturbance that wanders from seller to buyer with the inputs sold reaches an "
        "economy, from anywhere: high is soon.",
        random_walk_centrality,
        absent=APART,
    ),
    Measure(
        "counting_betweenness",
        "Counting betweenness",
        "dependence",
        "passes",
        ("region",),
        "Blöchl, Theis, Vega-Redondo & Fisher (2011): visits between all pairs",
        "How often a disturbance that wanders from seller to buyer with the inputs sold passes an "
        "economy on its way between two others: high is where it lingers.",
        counting_betweenness,
        absent=APART,
    ),
)
