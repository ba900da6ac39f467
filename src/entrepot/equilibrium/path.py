"""Welfare that adds up: the split by instrument, integrated along the path of the shock.

At every point of the path the change in real income is exactly the sum of its
terms, all measured at the flows of that point. Integrated, they sum to the
whole change; nothing of higher order is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.equations import Point
from entrepot.equilibrium.iterate import Preconditioner, precondition
from entrepot.equilibrium.nests import input_prices, real_price
from entrepot.equilibrium.outcome import State, duties, new_state
from entrepot.equilibrium.problem import Closure, require_closure
from entrepot.equilibrium.response import Response, linearise, respond
from entrepot.equilibrium.shock import TradeShock, fraction, same_width
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.tangent import Given
from entrepot.equilibrium.welfare import require_common

Array = NDArray[np.float64]

NODES = (4, 8, 16, 32, 64)  # Gauss-Legendre nodes, until the terms sum
ADDS_UP = 1e-9  # what they may miss the exact change by
SOLVED = 1e-11  # the miss of every equation at the points of the path

PATH_TERMS = {
    "terms_of_trade": "export less import prices at the border",
    "volume_of_trade": "tariffs and export taxes times the change in the volumes they fall on",
    "trade_cost": "resources saved (or lost) in delivering imports",
    "embargo": "what forbidden imports were worth beyond their price",
    "technology": "productivity changes at output",
    "endowment": "labour endowment changes at wages",
    "transfer": "the change in the trade deficit",
    "product_tax": "product taxes on inputs times the change in the volumes they fall on",
    "scale": "more varieties, or external economies, from own output",
    "selection": "more varieties bought where the market grows",
}
"""The terms of the path split; `PathSplit.left_over` is what they miss the exact change by."""


@dataclass(frozen=True, eq=False)
class PathSplit:
    """The exact change in real income by cause, a share of base income.

    `by_region` each (n,); `by_partner` [partner, region] and `by_sector`
    [sector, region] the same with the other dimension summed, the region itself
    being the partner of what crosses no border; `endowment` and `transfer` have
    no sector. `exact` (n,) real-income hats less one; `left_over` their difference
    from the sum of terms; `nodes` how many points of the path were solved.
    """

    by_region: dict[str, Array]
    by_partner: dict[str, Array]
    by_sector: dict[str, Array]
    exact: Array
    left_over: Array
    nodes: int


def path_split(
    e: Economy,
    shock: TradeShock,
    new: State,
    *,
    closure: Closure = "world_share",
    tolerance: float = ADDS_UP,
    pre: Preconditioner | None = None,
) -> PathSplit:
    """Split the change in real income between the base of `e` and `new`, its answer to `shock`.

    The path changes taxes, trade costs, productivity and labour evenly in logs;
    embargoed flows lose their weight evenly, and under closure `none` deficits
    go evenly to zero. Single terms depend on the path and on the numeraire
    (world value added); their sum does not.

    Nodes of Gauss-Legendre quadrature are doubled until the terms sum to the exact
    change within `tolerance`, up to 64, or doubling no longer helps; `left_over` also
    holds what `new` misses of the path's end, which is solved more exactly. Raises
    ScenarioError where export taxes or trade costs differ by user.
    """
    n = len(e.regions)
    require_common(shock)
    require_closure(closure)
    pre = precondition(e, e.pi, e.X) if pre is None else pre
    exact = _real_income(e, new) - 1
    nodes, least = 0, np.inf
    cells: dict[str, Array] = {}
    for count in NODES:
        cells, last = {}, None
        for weight, part, point in _along(e, shock, closure, count, pre):
            for name, value in part.items():
                cells[name] = cells.get(name, 0.0) + weight * value
            last = point
        nodes += count
        # The end of the same path, to the path's own accuracy, which `new` need not have.
        end = solve(e, shock, closure=closure, begin=last, pre=pre, tol=SOLVED)
        whole = _real_income(e, new_state(e, shock, end)) - 1
        miss = float(np.abs(whole - sum(_region(value) for value in cells.values())).max())
        if miss <= tolerance or (miss < 1e-6 and miss > least / 2):
            break
        least = miss
    left = exact - sum(_region(value) for value in cells.values())
    own = np.eye(n)
    return PathSplit(
        by_region={k: _region(v) for k, v in cells.items()},
        by_partner={k: v.sum(0) if v.ndim == 3 else own * _region(v) for k, v in cells.items()},
        by_sector={k: v.sum(1) if v.ndim == 3 else v for k, v in cells.items() if v.ndim > 1},
        exact=exact,
        left_over=left,
        nodes=nodes,
    )


def _real_income(e: Economy, state: State) -> Array:
    return state.I / e.I / np.exp(real_price(e, np.log(state.P)))


def _region(cells: Array) -> Array:
    return np.asarray(cells.reshape(-1, cells.shape[-1]).sum(0))


def _along(
    e: Economy, shock: TradeShock, closure: Closure, count: int, pre: Preconditioner
) -> Iterator[tuple[float, dict[str, Array], Point]]:
    """Quadrature weights, the terms at the nodes as shares of base income, and their points."""
    points, weights = np.polynomial.legendre.leggauss(count)
    theta = e.theta[:, None, None]
    speed = Given(
        t=_log_change(shock.t, e.t),
        x=_log_change(shock.x, e.x),
        A=np.log(shock.A),
        L=np.log(shock.L),
        D=-e.D if closure == "none" else None,
    )
    mode: Closure = "world_share" if closure == "none" else closure
    open_ = replace(shock, embargo=np.zeros_like(shock.embargo))
    begin = None
    for share, weight in zip((1 + points) / 2, weights / 2, strict=True):
        part = fraction(e, open_, float(share))
        tau = np.log(shock.tau)
        if shock.embargo.any():
            fading = np.where(shock.embargo, (1 - share) ** (-1 / theta), 1.0)
            part = replace(part, tau=part.tau * fading)
            tau = tau + np.where(shock.embargo, 1 / (theta * (1 - share)), 0.0)
        deficit = (1 - share) * e.D if closure == "none" else e.D
        found = solve(e, part, closure=mode, deficit=deficit, begin=begin, pre=pre, tol=SOLVED)
        begin = found.point
        at = new_state(e, part, found)
        linear = linearise(e, part, at, closure=mode, deficit=deficit, pre=pre)
        given = replace(speed, tau=tau if tau.any() else None)
        hat = _real_income(e, at)
        terms = _terms(e, shock, at, given, respond(linear, given))
        yield float(weight), {k: v * (hat / at.I) for k, v in terms.items()}, begin


def _log_change(new: Array, old: Array) -> Array | None:
    """Change of the log of one plus a rate, None where nothing changes."""
    if new is old:
        return None
    return np.subtract(*same_width(np.log1p(new), np.log1p(old)))


def _terms(
    e: Economy, shock: TradeShock, at: State, given: Given, response: Response
) -> dict[str, Array]:
    """What each cause adds to real income at one point, million USD per unit of path.

    Cells are (s, partner, n), (s, n) or (n,); docs/explanation/model.md derives them.
    """
    s, n = e.va.shape
    moves = response.moves
    away = ~np.eye(n, dtype=bool)
    zero = np.zeros((s, n, n))
    psi, chi = e.variant.by_cost(e.theta)
    cost = np.asarray(moves.c)
    seen = (1 + psi) * cost - psi * response.unknowns.S
    x = zero if given.x is None else given.x
    tau = zero if given.tau is None else given.tau
    stock = e.inventories * at.c[:, :, None]
    prices = at.border * (seen[:, :, None] + x) + stock * cost[:, :, None]
    prices = prices * away
    paid, export_paid = duties(e, at, at.t, at.x)
    volume_in = np.asarray(moves.duty) - paid * (seen[:, :, None] + x + tau)
    volume_out = np.asarray(moves.export_duty) - export_paid * seen[:, :, None]
    delivery = -at.border * tau
    out = {
        "terms_of_trade": prices.transpose(0, 2, 1) - prices,
        "volume_of_trade": volume_in + volume_out.transpose(0, 2, 1),
        "trade_cost": np.where(shock.embargo, 0.0, delivery),
        "technology": at.Y * np.asarray(given.A),
        "endowment": at.V * np.asarray(given.L),
        "transfer": np.asarray(moves.D),
    }
    if shock.embargo.any():
        out["embargo"] = np.where(shock.embargo, delivery, 0.0)
    if e.omega.any():
        bought = at.g * at.Y
        grown = np.asarray(moves.inputs) - bought * input_prices(e, np.asarray(moves.P))
        out["product_tax"] = np.asarray((e.omega * grown).sum(1))
    if e.variant.has_scale:
        out["scale"] = at.N.sum(2) * (cost - seen)
    if e.variant.selects:
        spent = at.pi * at.X[:, None, :]
        grown = np.asarray(moves.X) / np.where(at.X > 0, at.X, 1)
        taxes = x if given.t is None else x + given.t
        out["selection"] = chi[:, :, None] * spent * (grown[:, None, :] - cost[:, :, None] - taxes)
    return out
