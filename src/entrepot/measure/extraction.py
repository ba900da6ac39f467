"""Hypothetical extraction: output and value added lost when producers drop out of a table.

With A = Z / x, B = (I - A)^-1 and a group g of nodes, R the rest, one identity
gives every case without a new inverse:

    (I - A_RR)^-1 = B_RR - B_Rg B_gg^-1 B_gR ,   (I - A_RR)^-1 A_Rg = B_Rg B_gg^-1

so that what the rest loses is B_Rg B_gg^-1 (x_g - y_g), y_g being the output for which
the group goes on buying from the rest: none, unless its sales alone are cut.

Sources: Dietzenbacher & Lahr (2013), "Expanding extractions", Economic Systems
Research 25; Miller & Blair (2009), Input-Output Analysis, chapter 12 and
appendix A (inverse of a partitioned matrix); Dietzenbacher, van der Linden & Steenge (1993) for
groups of nodes as whole economies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entrepot.core.errors import WorldError
from entrepot.core.tables import Array

Variant = Literal["whole", "both", "purchases", "sales"]
VARIANTS = ("whole", "both", "purchases", "sales")
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Extraction:
    """Losses of m extractions, positive, in the units of x.

    `output_rest` and `value_added_rest` (m,) are lost outside what is extracted,
    `output_own` and `value_added_own` (m,) by it.
    """

    output_rest: Array
    output_own: Array
    value_added_rest: Array
    value_added_own: Array


def extract_nodes(
    A: ArrayLike, B: ArrayLike, x: ArrayLike, v: ArrayLike, variant: Variant = "whole"
) -> Extraction:
    """Every node extracted in turn, by the Sherman-Morrison formula: O(N^2) for all.

    Parameters
    ----------
    A, B : (N, N) input coefficients and their Leontief inverse.
    x, v : (N,) gross output, and value added per unit of it.
    variant : what is cut. Final demand for the rest and all coefficients of
        producers who stay are unchanged; what is not bought from the extracted
        comes from outside the table.

        - `purchases` (backward): what it buys from the rest;
        - `sales` (forward): what it sells to the rest as inputs;
        - `both`: both; it goes on serving final demand with inputs of its own;
        - `whole`: both, and its final sales: it is gone.

    Raises WorldError where arrays do not fit or an unknown variant is asked for.

    """
    A, B, x, v = _checked(A, B, x, v, variant)
    b, a = np.diag(B), np.diag(A)
    final = x - A @ x
    kept = _kept(variant, x / b, final) / (1 - a)
    lost = (x - kept if variant == "sales" else x) / b
    return Extraction(
        output_rest=(B.sum(0) - b) * lost,
        output_own=x - kept,
        value_added_rest=(v @ B - v * b) * lost,
        value_added_own=v * (x - kept),
    )


def extract_groups(
    A: ArrayLike,
    B: ArrayLike,
    x: ArrayLike,
    v: ArrayLike,
    groups: Sequence[ArrayLike],
    variant: Variant = "whole",
) -> Extraction:
    """Each group of nodes (an economy, a sector everywhere) extracted as one.

    `groups` lists the nodes of each; trade inside a group goes on, except in `whole`.
    Other arguments, units and errors as for `extract_nodes`.
    """
    A, B, x, v = _checked(A, B, x, v, variant)
    rows = []
    for k, group in enumerate(groups):
        g = _nodes(group, len(x), f"group {k}")
        loss, own = _loss(A, B, x, g, variant)
        rest_out, rest_va = loss.sum() - own.sum(), v @ loss - v[g] @ own
        rows.append((rest_out, own.sum(), rest_va, v[g] @ own))
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    return Extraction(*columns)


def extraction_loss(
    A: ArrayLike, B: ArrayLike, x: ArrayLike, nodes: ArrayLike, variant: Variant = "whole"
) -> Array:
    """Gross output that each node (N,) loses when `nodes` are extracted as one.

    Arguments, units and errors as for `extract_nodes`.
    """
    A, B, x, _ = _checked(A, B, x, np.zeros(np.shape(x)), variant)
    return _loss(A, B, x, _nodes(nodes, len(x), "nodes"), variant)[0]


def _loss(A: Array, B: Array, x: Array, g: Index, variant: Variant) -> tuple[Array, Array]:
    """Output lost by node (N,), and by the group alone."""
    block = B[np.ix_(g, g)]
    pulled = np.asarray(
        np.linalg.solve(block, x[g]), np.float64
    )  # B_gg^-1 x_g: the group's output but for the rest's use
    final = x[g] - A[g] @ x
    alone = np.asarray(np.eye(g.size) - A[np.ix_(g, g)], np.float64)
    kept = np.asarray(np.linalg.solve(alone, _kept(variant, pulled, final)), np.float64)
    own = x[g] - kept
    loss = B[:, g] @ (np.linalg.solve(block, own) if variant == "sales" else pulled)
    loss[g] = own
    return loss, own


def _kept(variant: Variant, pulled: Array, final: Array) -> Array:
    """What is still asked of the extracted by anyone but itself."""
    if variant == "whole":
        return np.zeros_like(final)
    return pulled if variant == "purchases" else final


def _nodes(group: ArrayLike, n: int, what: str) -> Index:
    g = np.asarray(group)
    fits = g.ndim == 1 and g.size > 0 and np.issubdtype(g.dtype, np.integer)
    if not fits or g.min() < 0 or g.max() >= n or np.unique(g).size < g.size:
        raise WorldError(f"{what}: distinct whole numbers in 0..{n - 1} were expected.")
    return g.astype(np.intp)


def _checked(
    A: ArrayLike, B: ArrayLike, x: ArrayLike, v: ArrayLike, variant: str
) -> tuple[Array, Array, Array, Array]:
    """Arrays that fit together, or a WorldError."""
    A, B, x, v = (np.asarray(y, np.float64) for y in (A, B, x, v))
    n = x.size
    if x.shape != (n,) or v.shape != (n,) or A.shape != (n, n) or B.shape != (n, n):
        raise WorldError(
            f"A {A.shape}, B {B.shape}, x {x.shape} and v {v.shape} do not fit together."
        )
    if not all(np.isfinite(y).all() for y in (A, B, x, v)):
        raise WorldError("A, B, x or v holds numbers that are not finite.")
    if variant not in VARIANTS:
        raise WorldError(f"no variant {variant!r} of extraction; there are {', '.join(VARIANTS)}.")
    return A, B, x, v
