"""What an economy loses when another withdraws from trade: hypothetical extraction by economy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import NotConvergedError
from entrepot.core.tables import Array
from entrepot.measure.accounts import ACCURACY, MOST_STEPS, Accounts, share
from entrepot.measure.row import Measure

ROLES = ("as_market", "as_supplier")
SLOW = 0.5
"""A correction that shrinks less than this at each step is left for the blocks of B."""


def without(a: Accounts, right: Array, transposed: bool = False) -> Array:
    """Solve the system with one economy taken out, each column another (N, n).

    Column p is (I - A_ff)^-1 right_f, f all nodes outside p (or its transpose, for
    costs), zero at p. With z = B right, the answer is z - B u, u at p alone and
    B_pp u = z_p: by corrections with I - A_pp, which is almost B_pp^-1 where
    little production returns, else with the blocks of B itself.
    """
    right = np.where(a.home, 0.0, right)
    solve = a.costs if transposed else a.sales
    whole = solve(right)
    target = np.where(a.home, whole, 0.0)
    answer = _corrected(a, solve, target, transposed)
    if answer is None:
        u = np.zeros_like(right)
        for p in range(a.n):
            block = a.B[a.at(p), a.at(p)]
            u[a.at(p), p] = np.linalg.solve(block.T if transposed else block, target[a.at(p), p])
        answer = solve(u)
    return np.where(a.home, 0.0, whole - answer)


def _corrected(
    a: Accounts, solve: Callable[[Array], Array], target: Array, transposed: bool
) -> Array | None:
    """B u with (B u)_p = target_p, by corrections; None where they shrink too slowly."""
    if "B" in a.__dict__:
        return None
    size = np.maximum(np.abs(target).max(0), np.finfo(float).tiny)
    left, found, before = target, np.zeros_like(target), np.inf
    while True:
        u = np.zeros_like(target)
        for p in range(a.n):
            b = a.at(p)
            own = a.A(b, b)
            u[b, p] = left[b, p] - (own.T if transposed else own) @ left[b, p]
        found = found + solve(u)
        left = np.where(a.home, target - found, 0.0)
        worst = float((np.abs(left).max(0) / size).max())
        if worst <= 10 * ACCURACY:
            return found
        if not worst <= SLOW * before:
            return None
        before = worst


def value_outside(a: Accounts) -> Array:
    """Share of a node's output value in chains that never touch each economy (N, n).

    v_f (I - A_ff)^-1; the rest of a unit is bought, at some tier, of the economy
    taken out. Zero at that economy's own nodes.
    """
    return without(a, np.broadcast_to(a.v[:, None], (a.N, a.n)), transposed=True)


def extraction_loss(a: Accounts) -> Array:
    """Share of an economy's primary income lost when a partner withdraws (n, n, 2).

    As market: 1 - v_r x_r' / v_r x_r with x' = (I - A_ff)^-1 y_f, the partner's
    purchases of inputs and of final goods gone and not replaced (Dietzenbacher, van
    der Linden & Steenge 1993, backward). As supplier: the share of output value that
    comes from or through the partner, 1 - v_f (I - A_ff)^-1, by industries' primary
    income; the forward extraction of the same paper, since allocation and input
    coefficients are similar matrices.
    """
    income = a.v * a.made
    before = a.by_economy(income)[:, None]
    demand = a.y.sum(1)[:, None] - a.y
    kept = a.by_economy(np.where((a.made > 0)[:, None], a.v[:, None] * without(a, demand), 0.0))
    resting = a.by_economy(income[:, None] * (1.0 - value_outside(a)))
    out = np.stack([share(before - kept, before), share(resting, before)], -1)
    out[np.arange(a.n), np.arange(a.n)] = np.nan
    return out


def extraction_with_replacement(a: Accounts, partner: str) -> Array:
    """Change of primary income (n,), million USD, when others replace all a partner makes.

    The partner's industries stop. What it sold to another economy is bought of third
    economies that sell the buyer the product already, in proportion; what it sold at
    home, of all that sell it there. Where there is none, the sale is lost. Final
    demand stays (Dietzenbacher, van Burken & Kondo 2019, the extracted part being an
    economy: lost imports are replaced by imports).
    """
    p = a.position(partner)
    Z = _replaced(a, a.Z, p, a.economy_of)
    Z[:, a.at(p)] = 0.0
    y = _replaced(a, a.y, p, np.arange(a.n))
    f = y.sum(1)
    x = _outputs(a, Z, f)
    gone = a.v * np.where(a.made > 0, x, a.x)
    gone[a.at(p)] = 0.0
    return np.asarray(a.by_economy(gone) - a.by_economy(a.v * a.x), float)


def _replaced(a: Accounts, flows: Array, gone: int, buyer: NDArray[np.intp]) -> Array:
    """Flows by node and column with one economy's sales moved to third economies."""

    def products(rows: slice, columns: NDArray[np.bool_]) -> Array:
        taken = flows[rows][:, columns]  # nodes stand region by region, s to each
        return np.asarray(taken.reshape(-1, a.s, taken.shape[1]).sum(0), float)

    moved = flows.copy()
    moved[a.at(gone)] = 0.0
    for j in range(a.n):
        columns = buyer == j
        lost = products(a.at(gone), columns)
        third = products(slice(None), columns) - lost
        if j != gone:
            third = third - products(a.at(j), columns)
        grown = np.divide(lost, third, out=np.zeros_like(lost), where=(third > 0) & (lost > 0))
        more = moved[:, columns] * np.tile(grown, (a.N // a.s, 1))
        if j != gone:
            more[a.at(j)] = 0.0
        moved[:, columns] += more
    return moved


def _outputs(a: Accounts, Z: Array, f: Array) -> Array:
    """Output x = A x + f, A of changed flows Z per unit of the old outputs, tier by tier."""
    x, left = np.zeros(a.N), f
    size = float(np.abs(f).max(initial=0.0)) or 1.0
    for _ in range(MOST_STEPS):
        x = x + left
        left = f + Z @ (x * a.per_unit) - x
        if float(np.abs(left).max(initial=0.0)) <= ACCURACY * size:
            return x
    raise NotConvergedError(
        f"Without one of its economies, the chains of {a.world.name} have no sum: aggregate its "
        "industries, or look at those whose inputs are nearly all of their output."
    )


HEM = "Dietzenbacher, van der Linden & Steenge (1993), regional extraction"
ROWS = (
    Measure(
        "extraction_loss",
        "Loss when a partner withdraws",
        "dependence",
        "share",
        ("region", "partner", "term"),
        f"{HEM}, backward and forward, without replacement",
        "The share of an economy's income that would go with the partner if nothing replaced it. As "
        "market: the partner buys neither inputs nor final goods. As supplier: the income of industries "
        "in proportion to the value of their output that comes from or through the partner at any tier. "
        "Upper bounds: nobody finds other buyers or suppliers.",
        extraction_loss,
        absent="an economy is its own partner, or makes nothing",
        terms=ROLES,
    ),
    Measure(
        "extraction_with_replacement",
        "Change of income when a partner is replaced",
        "dependence",
        "million USD",
        ("region",),
        "Dietzenbacher, van Burken & Kondo (2019), global extraction, for an economy",
        "The partner's industries stop, and who bought of it buys the same products of third economies "
        "in proportion to what they sell it already; final demand stays, the partner's own included. "
        "The change of income (value added and taxes on inputs) of who gains the partner's sales, and of "
        "who loses it as a buyer of inputs; the partner's own is lost. A sale without another "
        "supplier is lost.",
        extraction_with_replacement,
        takes="economy",
        additive=True,
    ),
)
