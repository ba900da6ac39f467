"""Single points of failure: three lenses on every industry, one ranking, and how far they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.agreement import Agreement, agreement
from entrepot.measure.decomposition import needs_inverse
from entrepot.measure.extraction import extract_nodes
from entrepot.measure.row import Measure
from entrepot.measure.systemic_risk import Rule, essential_inputs, world_systemic_risk

LENSES = ("systemic_risk", "extraction", "reliance")
"""The three, in the order of `three_lenses`."""


def systemic_risk_by_node(a: Accounts, rule: str) -> Array:
    """Economic Systemic Risk Index of each node (N,), NaN without output.

    The share of the world's output at risk when the node stops (Diem et al.
    2022). On a table of economies suppliers of one sector replace one another
    as far as their shares go, and final sales are unaffected: without these
    leaks nearly every node's index is 1. `rule` says which inputs are essential
    (`essential_inputs`).
    """
    essential = essential_inputs(cast(Rule, rule), [sector.isic for sector in a.world.sectors])
    size = np.maximum(a.made, a.Z.sum(1))  # stocks drawn may make sales exceed output
    found = world_systemic_risk(a.Z, a.sector_of, essential, size)
    return np.where(a.made > 0, found.esri, np.nan)


def extraction_by_node(a: Accounts) -> Array:
    """Primary inputs that the rest loses when a node is extracted, over the world's (N,).

    Complete extraction (Dietzenbacher & Lahr 2013), all nodes from one inverse.
    NaN without output.
    """
    needs_inverse(a, "Hypothetical extraction of every industry")
    found = extract_nodes(a.Z * a.per_unit, a.B, a.x, a.v)
    return np.where(a.made > 0, found.value_added_rest / float(a.v @ a.x), np.nan)


def reliance_by_node(a: Accounts) -> Array:
    """How much of the production behind others' output a node makes (N,), NaN without output.

    Sum over j outside the node's economy of (B - I)_ij x_j, over that sum for all
    i: looked-through reliance (after Baldwin, Freeman & Theodorakopoulos 2023),
    on one node instead of one economy.
    """
    output = np.where(a.home, a.made[:, None], 0.0)
    behind = a.sales(output) - output
    others = behind.sum(1) - a.own(behind)
    return np.where(a.made > 0, share(others, others.sum()), np.nan)


@dataclass(frozen=True, eq=False, slots=True)
class Lenses:
    """The three scores of every industry with output, the joint ranking and the agreement."""

    nodes: NDArray[np.intp]
    names: tuple[str, ...]
    scores: Array
    agreement: Agreement


def three_lenses(a: Accounts, rule: str = "goods") -> Lenses:
    """Every industry by systemic risk, extraction and looked-through reliance; see `agreement`."""
    scores = np.stack([systemic_risk_by_node(a, rule), extraction_by_node(a), reliance_by_node(a)])
    nodes = np.flatnonzero(np.isfinite(scores).all(0))
    names = tuple(a.name(int(i)) for i in nodes)
    return Lenses(nodes, names, scores[:, nodes], agreement(scores[:, nodes]))


def _by_sector(a: Accounts, values: Array) -> Array:
    """Scores summed over the regions of an economy; NaN where none has output."""
    out = a.by_sector(np.nan_to_num(values))
    return np.where(a.by_sector(a.made) > 0, out, np.nan)


def systemic_risk(a: Accounts, rule: str) -> Array:
    """`systemic_risk_by_node` (n, s)."""
    return _by_sector(a, systemic_risk_by_node(a, rule))


def extraction(a: Accounts) -> Array:
    """`extraction_by_node` (n, s)."""
    return _by_sector(a, extraction_by_node(a))


def reliance(a: Accounts) -> Array:
    """`reliance_by_node` (n, s)."""
    return _by_sector(a, reliance_by_node(a))


def single_points(a: Accounts, rule: str) -> Array:
    """Ranks by the three lenses and the joint rank (n, s, 4), 1 the most critical."""
    found = three_lenses(a, rule)
    ranks = np.full((a.N, 4), np.nan)
    ranks[found.nodes] = np.column_stack([found.agreement.ranks.T, found.agreement.joint])
    shape = (a.n, a.s, 4)
    if a.n * a.s == a.N:
        return ranks.reshape(shape)
    best = np.full(shape, np.inf)  # of the regions of one economy, the most critical
    np.fmin.at(best, (a.economy_of, a.sector_of), ranks)
    return np.where(np.isfinite(best), best, np.nan)


NO_OUTPUT = "an industry makes nothing"
ROWS = (
    Measure(
        "systemic_risk",
        "Economic systemic risk index",
        "dependence",
        "share",
        ("region", "sector"),
        "Diem, Borsos, Reisch, Kertész & Thurner (2022), on a table of economies",
        "The share of the world's output at risk when an industry of an economy stops: its buyers lack "
        "inputs, its suppliers lack orders, and so on. Suppliers of the same sector elsewhere replace "
        "it as far as their market shares go. Which inputs nothing works without is an assumption: "
        "goods (the default), all or none; none is not always the least.",
        systemic_risk,
        absent=NO_OUTPUT,
        takes="rule",
        default="goods",
    ),
    Measure(
        "extraction_loss_by_sector",
        "Loss when an industry is extracted",
        "dependence",
        "share",
        ("region", "sector"),
        "Dietzenbacher & Lahr (2013): complete hypothetical extraction",
        "The income (value added and taxes on inputs) that all others would lose, over the world's income, "
        "were an industry of an economy taken out of the table and nothing put in its place.",
        extraction,
        absent=NO_OUTPUT,
    ),
    Measure(
        "reliance_of_others",
        "Others' reliance on an industry",
        "dependence",
        "share",
        ("region", "sector"),
        "after Baldwin, Freeman & Theodorakopoulos (2023), for one industry",
        "The share of all production behind other economies' output, through every tier of suppliers, "
        "that is made by an industry of an economy.",
        reliance,
        absent=f"{NO_OUTPUT}, or no economy uses another's inputs",
    ),
    Measure(
        "single_points_of_failure",
        "Single points of failure",
        "dependence",
        "rank",
        ("region", "sector", "term"),
        "Mean rank (Borda) of systemic_risk, extraction_loss_by_sector and reliance_of_others",
        "Industries ranked by three lenses, 1 the most critical, and by the mean of the three ranks. Where "
        "the lenses disagree the ranking rests on the question asked.",
        single_points,
        absent=NO_OUTPUT,
        takes="rule",
        default="goods",
        terms=(*LENSES, "joint"),
    ),
)
