"""Turning misses into steps: the base's linear response, and Anderson mixing."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.equations import Point, loop, numeraire, residual
from entrepot.equilibrium.problem import Flows, Problem

Array = NDArray[np.float64]

COARSE = 1e-5  # the miss up to which single precision is used; nearer, its noise upsets the mixing


class Outcome(enum.Enum):
    """How a solve ended, in the user's words."""

    CONVERGED = "converged"
    MAX_STEPS = "stopped at max_steps before every equation held"
    NOT_FINITE = "left the positive numbers"


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """The base's linear response, used to turn misses into steps.

    `wages` (n, n): minus the inverse of the gravity Jacobian of log trade
    balances; `prices`, `spending` (n, s, s): inverses of each economy's own
    loop through its input-output table.
    """

    wages: Array
    prices: Flows
    spending: Flows
    own_cost: Array


def precondition(e: Economy, pi: Array, X: Array) -> Preconditioner:
    """Linear responses at expenditure shares `pi` (s, n, n) and expenditure `X` (s, n).

    Wages move delivered prices one for one here (the direct gravity response);
    the input loops are exact within each economy and ignored across borders.
    """
    s = len(X)
    flows = pi * X[:, None, :]
    np.einsum("rdd->rd", flows)[...] = 0
    exports = np.maximum(flows.sum((0, 2)), 1e-300)
    imports = np.maximum(flows.sum((0, 1)), 1e-300)
    elastic = flows * e.theta[:, None, None]
    across = np.matmul(elastic, pi.transpose(0, 2, 1)).sum(0)
    jac = (across + flows.sum(0)) / exports[:, None] - np.diag(elastic.sum((0, 2)) / exports)
    toward = (pi * elastic.sum(1)[:, None, :]).sum(0).T
    jac -= (toward - elastic.sum(0).T) / imports[:, None] + np.diag(
        (flows.sum((0, 1)) > 0).astype(float)
    )
    home = np.einsum("rdd->rd", pi).T
    eye = np.eye(s)
    return Preconditioner(
        wages=-np.linalg.pinv(jac, rcond=1e-10),
        # Single precision is enough to choose a step by, and half the memory to read.
        prices=np.linalg.inv(eye - home[:, :, None] * e.pays).astype(np.float32),
        spending=np.linalg.inv(eye - e.uses * home[:, None, :]).astype(np.float32),
        own_cost=np.ascontiguousarray((home * e.va.T).T),
    )


class History:
    """Anderson mixing: the last few moves and turns of a fixed-point iteration.

    Walker & Ni (2011), type II; near-singular histories are regularised, and
    wild combinations refused.
    """

    def __init__(self, memory: int, size: int) -> None:
        self.moves = np.zeros((memory, size))
        self.turns = np.zeros((memory, size))
        self.gram = np.zeros((memory, memory))
        self.count = 0
        self.last: tuple[Array, Array] | None = None

    def mix(self, u: Array, r: Array) -> Array:
        """The next point from this point and its step."""
        memory = len(self.moves)
        if self.last is not None:
            k = self.count % memory
            np.subtract(u, self.last[0], out=self.moves[k])
            np.subtract(r, self.last[1], out=self.turns[k])
            self.count += 1
            held = min(self.count, memory)
            self.gram[k, :held] = self.gram[:held, k] = self.turns[:held] @ self.turns[k]
        self.last = (u, r)
        held = min(self.count, memory)
        if held == 0:
            return u + r
        gram = self.gram[:held, :held]
        gram = gram + 1e-14 * np.trace(gram) * np.eye(held)
        against = self.turns[:held] @ r
        if not (np.isfinite(gram).all() and np.isfinite(against).all()):
            return u + r  # numbers beyond floats: the least squares would raise
        weights = np.linalg.lstsq(gram, against, rcond=None)[0]
        if not np.isfinite(weights).all() or np.abs(weights).max() > 1e4:
            return u + r
        return u + r - weights @ self.moves[:held] - weights @ self.turns[:held]


@np.errstate(over="ignore", invalid="ignore")  # a point that is not finite is caught as such
def iterate(
    p: Problem,
    begin: Point,
    tol: float,
    max_steps: int,
    pre: Preconditioner | None,
    memory: int = 8,
    coarse: Problem | None = None,
) -> tuple[Point, float, int, Outcome]:
    """Anderson-accelerated fixed point from a point; the best point seen is returned.

    With a preconditioner, its steps; without, the plain map with a wage step
    of balance / (1 + export- plus import-weighted elasticity), which is slower
    and harder to upset. `coarse` is the same problem in single precision, used
    until misses are below COARSE; the mixing history carries over.
    """
    e = p.e
    s, n = e.X.shape
    active = p.active
    step = pre.wages if pre is not None else _plain_wage_step(e)
    safe_x = np.where(active, begin.X, 1.0)
    # The numeraire is no equation: a labour shock common to all would leave it missed at `begin`.
    log_w = numeraire(p, begin.log_w)
    u = np.concatenate([log_w, begin.log_p.ravel(), np.log(safe_x).ravel()])
    history = History(memory, u.size)
    best, best_size, since_best = begin, np.inf, 0
    outcome = Outcome.MAX_STEPS
    used = 0
    for step_number in range(1, max_steps + 1):
        used = step_number
        if coarse is not None and (best_size < COARSE or since_best > 5):
            coarse, best_size = None, np.inf
        log_w, log_p = u[:n], u[n : n + s * n].reshape(s, n)
        X = np.where(active, np.exp(u[n + s * n :].reshape(s, n)), 0.0)
        miss, wage_step = residual(p if coarse is None else coarse, log_w, log_p, X, step)
        size = miss.size
        if size < best_size:
            best, best_size, since_best = Point(log_w, log_p, X), size, 0
        else:
            since_best += 1
        if size <= tol and coarse is None:
            outcome = Outcome.CONVERGED
            break
        if not miss.finite or since_best > 40 or size > 1e6 * best_size:
            if best_size == np.inf or since_best > 40:
                outcome = Outcome.NOT_FINITE if best_size == np.inf else Outcome.MAX_STEPS
                break
            u = np.concatenate(
                [best.log_w, best.log_p.ravel(), np.log(np.where(active, best.X, 1.0)).ravel()]
            )
            memory = max(2, memory // 2)
            history = History(memory, u.size)
            since_best += 10
            continue
        price, spending = miss.price, miss.spending
        if pre is not None:
            price = loop(pre.prices, price + pre.own_cost * wage_step)
            money = loop(pre.spending, spending * X)
            spending = np.where(active, money / np.where(active, X, 1.0), 0.0)
        bent = np.log1p(np.clip(spending, -0.8, 4.0))
        r = np.concatenate([wage_step, np.clip(price, -3, 3).ravel(), bent.ravel()])
        u = history.mix(u, r)
    return best, best_size, used, outcome


def _plain_wage_step(e: Economy) -> Array:
    flows = e.pi * e.X[:, None, :]
    np.einsum("rdd->rd", flows)[...] = 0
    out, into = flows.sum(2), flows.sum(1)
    weigh = e.theta[:, None]
    steep = (out * weigh).sum(0) / np.maximum(out.sum(0), 1e-300)
    steep += (into * weigh).sum(0) / np.maximum(into.sum(0), 1e-300)
    return np.asarray(1 / (1 + steep))
