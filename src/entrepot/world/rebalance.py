"""A whole table brought to balance, or to targets: outputs, value added, final use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from entrepot.core.errors import WorldError
from entrepot.core.tables import Array, Margin, sealed
from entrepot.sources.raw import RawTable
from entrepot.world.balance import Balanced, gras, least_squares, ras

Method = Literal["gras", "ras", "least_squares"]
METHODS: dict[str, Callable[..., Balanced]] = {
    "gras": gras,
    "ras": ras,
    "least_squares": least_squares,
}


@dataclass(frozen=True, eq=False, slots=True)
class Rebalanced:
    """The balanced table, and the solution of the matrix behind it with what moved.

    `solution` covers sales and, where they follow, the closing rows: `row_names`
    and `col_names` name its lines.
    """

    table: RawTable
    solution: Balanced
    row_names: tuple[str, ...]
    col_names: tuple[str, ...]

    def largest(self) -> list[tuple[str, float, float]]:
        """The cells that moved most: where, before, after."""
        return [
            (f"{self.row_names[c.row]} to {self.col_names[c.col]}", c.before, c.after)
            for c in self.solution.moved.largest
        ]


def rebalance(
    raw: RawTable,
    *,
    output: ArrayLike | None = None,
    value_added: ArrayLike | None = None,
    final_use: ArrayLike | None = None,
    method: Method = "gras",
    tol: float = 1e-10,
) -> Rebalanced:
    """The nearest table in which every node sells what it costs, at the targets given.

    Parameters
    ----------
    output : (nodes,) target outputs, NaN where the node keeps what it costs now;
        None for all of them to.
    value_added : (nodes,) targets, NaN where open; a node's categories keep
        their proportions.
    final_use : (regions, categories) or (regions,) target totals at basic
        prices, NaN where open; a region's categories keep their proportions
        where only its total is given.
    method : `gras` (cells of both signs keep their sign), `ras` (no negative
        cell), `least_squares` (weighted by size; signs can turn).

    Without `output`, inputs in total, value added, taxes and margins of every
    node stay and its sales follow. With it, value added (unless targeted),
    taxes and margins follow the node's output. Final use without a target is
    open; taxes and margins on final use stay. All in the unit of the table. Look
    at `solution.moved`: targets far from the table move it far.

    Raises WorldError for blank cells or malformed targets, InfeasibleError with
    the rows and columns that prove targets contradictory, NotConvergedError.

    """
    n, s, c = len(raw.regions), len(raw.sectors), len(raw.final_categories)
    m = n * s
    costs = raw.costs
    if not np.isfinite(costs + raw.sales).all():
        raise WorldError(f"{raw.name} has blank cells: repair blank-to-zero before balancing.")
    target = _targets("output", output, (m,))
    X = np.where(np.isfinite(target), target, costs)
    V, hold = raw.V, output is None
    added = _targets("value_added", value_added, (m,))
    given = np.isfinite(added)
    old = V.sum(0)
    if (given & (old == 0) & (added != 0)).any():
        i = int(np.argmax(given & (old == 0) & (added != 0)))
        raise WorldError(
            f"value added of {raw.node_names[i]} is zero, so that nothing can be scaled."
        )
    V = np.where(given, V * np.divide(added, old, out=np.ones(m), where=old != 0), V)

    margins = list(raw.margins.items())
    below = [V, raw.T_inputs[None], *(x.inputs[None] for _, x in margins)]
    closing = np.concatenate(below)
    final = raw.F.reshape(m, n * c)
    names = raw.node_names
    buyers = (*names, *(f"{r} {k}" for r in raw.regions for k in raw.final_categories))
    use = _final_targets(final_use, raw.F.sum(0)).ravel()
    if hold:
        rows, matrix = names, np.concatenate([raw.Z, final], axis=1)
        columns = X - closing.sum(0)
        solution = _solve(method, matrix, X, np.concatenate([columns, use]), rows, buyers, tol)
        low = closing
    else:
        # What is targeted leaves the matrix; the rest of the closing rows follow their column.
        fixed = np.where(given, V, 0.0)
        free = np.concatenate([V - fixed, closing[len(V) :]])
        body = np.concatenate([raw.Z, final], axis=1)
        foot = np.concatenate([free, np.zeros((len(free), n * c))], axis=1)
        matrix = np.concatenate([body, foot])
        rows = (*names, *raw.value_added_categories, "net product taxes", *(k for k, _ in margins))
        row_targets = np.concatenate([X, np.full(len(free), np.nan)])
        columns = np.concatenate([X - fixed.sum(0), use])
        solution = _solve(method, matrix, row_targets, columns, rows, buyers, tol)
        low = solution.values[m:, :m].copy()
        low[: len(V)] += fixed
    values = solution.values
    table = replace(
        raw,
        Z=sealed(values[:m, :m]),
        F=sealed(values[:m, m:].reshape(m, n, c)),
        V=sealed(low[: len(V)]),
        T_inputs=low[len(V)],
        margins={key: Margin(low[len(V) + 1 + i], x.final) for i, (key, x) in enumerate(margins)},
        declared_output=None,
        declared_input=None,
        atol=max(raw.atol, tol * float(np.abs(X).sum())),
    )
    return Rebalanced(table, solution, rows, buyers)


def _solve(
    method: Method,
    matrix: Array,
    rows: Array,
    columns: Array,
    row_names: tuple[str, ...],
    col_names: tuple[str, ...],
    tol: float,
) -> Balanced:
    if method not in METHODS:
        raise WorldError(f"the method is {method!r}; {', '.join(METHODS)} were expected.")
    return METHODS[method](matrix, rows, columns, tol=tol, row_names=row_names, col_names=col_names)


def _targets(what: str, given: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    if given is None:
        return np.full(shape, np.nan)
    array = np.asarray(given, dtype=np.float64)
    if array.shape != shape:
        raise WorldError(f"{what} has shape {array.shape}; {shape} was expected.")
    if np.isinf(array).any():
        raise WorldError(f"{what} holds a target that is not finite; NaN leaves one open.")
    return array


def _final_targets(given: ArrayLike | None, old: Array) -> Array:
    if given is None:
        return np.full(old.shape, np.nan)
    array = np.asarray(given, dtype=np.float64)
    if array.shape != (len(old),):
        return _targets("final_use", given, old.shape)
    _targets("final_use", given, (len(old),))
    total = old.sum(1)
    if (np.isfinite(array) & (total == 0)).any():
        raise WorldError("a region without final use has a target for it.")
    return np.asarray(
        old * np.divide(array, total, out=np.ones_like(total), where=total != 0)[:, None]
    )
