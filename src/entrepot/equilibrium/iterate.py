"""Turning misses into steps: the base's linear response, and Anderson mixing."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.equations import WAGE_STEP, Point, Residual, loop, numeraire, residual
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

    `wages` (n, n): minus the inverse of how log trade balances move with wages
    once prices and expenditure have followed; `prices`, `spending` (n, s, s):
    inverses of each economy's own loop through its input-output table;
    `by_price`, `by_spending` (n, s * n): balances moved by them;
    `prices_by_wage`, `spending_by_wage` (s * n, n): them moved by wages, in
    logs. Single precision is enough to choose a step by.
    """

    wages: Array
    prices: Flows
    spending: Flows
    by_price: Flows
    by_spending: Flows
    prices_by_wage: Flows
    spending_by_wage: Flows

    def step(self, miss: Residual, X: Array) -> tuple[Array, Array, Array]:
        """Steps of log wages, log prices and log expenditure (before its bend) from misses."""
        price = loop(self.prices, miss.price.clip(-1e3, 1e3))
        money = loop(self.spending, miss.spending.clip(-1, 1e3) * X)
        spending = np.divide(money, X, out=np.zeros_like(X), where=X > 0)
        balance = (
            miss.balance
            + self.by_price @ price.ravel().astype(np.float32)
            + self.by_spending @ spending.ravel().astype(np.float32)
        )
        wage = np.clip(self.wages @ balance, -WAGE_STEP, WAGE_STEP)
        return wage, price, spending

    def follow(self, wage: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
        """What a wage step does to log prices and log expenditure."""
        by = wage.astype(np.float32)
        return (self.prices_by_wage @ by).reshape(shape), (self.spending_by_wage @ by).reshape(
            shape
        )


def precondition(e: Economy, pi: Array, X: Array) -> Preconditioner:
    """Linear responses at expenditure shares `pi` (s, n, n) and expenditure `X` (s, n).

    Misses of prices and expenditure are passed on through each economy's own
    input-output loop only (exact at home, ignored across borders); wages act
    on every economy's costs, prices, sales and incomes, and those on trade
    balances. Solved by eliminating prices and expenditure.
    """
    s, n = X.shape
    single = np.float32
    own = np.arange(n)
    theta = e.theta[:, None, None].astype(single)
    pi = pi.astype(single)
    to = np.ascontiguousarray(pi.transpose(0, 2, 1))  # (s, destination, origin)
    border = pi * X[:, None, :].astype(single)
    if e.t.any():
        border /= (1 + e.t).astype(single)
    sales = border / (1 + e.x).astype(single) if e.x.any() else border
    flows = border.copy()
    flows[:, own, own] = 0
    per_receipt = _inverse(flows.sum((0, 2)) + np.maximum(e.D, 0)).astype(single)
    per_payment = _inverse(flows.sum((0, 1)) + np.maximum(-e.D, 0)).astype(single)

    # Log balances by log cost of [sector, ., origin], and by log expenditure of [sector, ., destination].
    elastic = theta * flows
    by_cost = elastic @ to
    by_cost[:, own, own] -= elastic.sum(2)
    by_cost *= per_receipt[:, None]
    by_cost -= (to * elastic.sum(1)[:, :, None] - elastic.transpose(0, 2, 1)) * per_payment[:, None]
    by_spending = flows * per_receipt[:, None]
    by_spending[:, own, own] -= flows.sum(1) * per_payment

    home = pi[:, own, own].T.astype(float)
    eye = np.eye(s)
    prices = np.linalg.inv(eye - home[:, :, None] * e.pays).astype(single)
    spending = np.linalg.inv(eye - e.uses * home[:, None, :]).astype(single)
    pays, uses, va = e.pays.astype(single), e.uses.astype(single), e.va.astype(single)

    # What wages do to prices, costs, sales and expenditure.
    dP = _each(prices, to * va[:, None, :])
    dc = _each(pays, dP)
    dc[:, own, own] += va
    dY = theta * (sales @ (to @ dc) - sales.sum(2)[:, :, None] * dc)
    dX = _each(uses, dY)
    dX[:, own, own] += (e.alpha * e.V).astype(single)
    dX = _each(spending, dX)
    dX *= _inverse(X)[:, :, None].astype(single)

    jac = (by_cost @ dc + by_spending @ dX).sum(0).astype(float)
    jac += e.V / e.V.sum()  # the numeraire: the world's value added stays
    by_price = np.ascontiguousarray(by_cost.transpose(2, 1, 0)) @ pays  # (origin, ., sector)
    return Preconditioner(
        wages=-np.linalg.pinv(jac, rcond=1e-10),
        prices=prices,
        spending=spending,
        by_price=np.ascontiguousarray(by_price.transpose(1, 2, 0)).reshape(n, s * n),
        by_spending=np.ascontiguousarray(by_spending.transpose(1, 0, 2)).reshape(n, s * n),
        prices_by_wage=dP.reshape(s * n, n),
        spending_by_wage=dX.reshape(s * n, n),
    )


def _inverse(values: Array) -> Array:
    return np.divide(1, values, out=np.zeros_like(values), where=values > 0)


def _each(inputs: Flows, values: Flows) -> Flows:
    """Within each economy, for many columns: (n, s, s), (s, n, k) -> (s, n, k)."""
    return np.ascontiguousarray((inputs @ values.transpose(1, 0, 2)).transpose(1, 0, 2))


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
    plain = None if pre is not None else _plain_wage_step(e)
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
        miss, wage_step = residual(p if coarse is None else coarse, log_w, log_p, X, plain)
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
            wage_step, price, spending = pre.step(miss, X)
            wage_step = numeraire(p, log_w + wage_step) - log_w
            more_price, more_spending = pre.follow(wage_step, (s, n))
            price, spending = price + more_price, spending + more_spending
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
