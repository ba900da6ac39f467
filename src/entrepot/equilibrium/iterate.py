"""Turning misses into steps: the base's linear response, and Anderson mixing."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy, at_home, set_at_home
from entrepot.equilibrium.equations import WAGE_STEP, Point, Residual, numeraire, residual
from entrepot.equilibrium.nests import input_prices, within
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
    """A point's linear response, used to turn misses into steps; all in logs.

    `wages` (n, n): minus the inverse of how log trade balances move with wages
    once costs, sales and incomes have followed; `costs`, `sales` (n, s, s):
    inverses of each economy's own loop through its input-output table;
    `by_cost`, `by_sales` (n, s * n), `by_income` (n, n): balances moved by them;
    `costs_by_wage`, `sales_by_wage` (s * n, n): them moved by wages. Single
    precision is enough to choose a step by.
    """

    wages: Array
    costs: Flows
    sales: Flows
    level: Flows  # sales at the point (s, n)
    substitution: Flows  # sales moved by costs, (s, n, n)
    by_cost: Flows
    by_sales: Flows
    by_income: Flows
    costs_by_wage: Flows
    sales_by_wage: Flows

    def step(self, p: Problem, miss: Residual, at: Point) -> Point:
        """The step that answers misses at a point, numeraire imposed."""
        shape = miss.cost.shape
        cost = within(self.costs, miss.cost.clip(-1e3, 1e3))
        money = miss.sales.clip(-1, 1e3) * self.level
        money = within(self.sales, money + np.matmul(self.substitution, cost[:, :, None])[:, :, 0])
        sold = np.divide(money, self.level, out=np.zeros(shape), where=self.level > 0)
        balance = (
            miss.balance
            + self.by_cost @ cost.ravel().astype(np.float32)
            + self.by_sales @ sold.ravel().astype(np.float32)
            + self.by_income @ miss.income.clip(-1, 1e3).astype(np.float32)
        )
        wage = np.clip(self.wages @ balance, -WAGE_STEP, WAGE_STEP)
        wage = numeraire(p, at.w + wage) - at.w
        by = wage.astype(np.float32)
        cost = cost + (self.costs_by_wage @ by).reshape(shape)
        sold = sold + (self.sales_by_wage @ by).reshape(shape)
        return Point(wage, cost, sold, miss.income + wage)

    def answer(self, misses: Array) -> Array:
        """The unclipped step for misses, both laid out as `Point.flat`: about minus the inverse."""
        s, n = self.level.shape
        miss = Point.of(misses.astype(np.float32), s, n)
        cost = self._by_region(self.costs, miss.c)
        money = miss.S * self.level + np.matmul(self.substitution, cost[:, :, None])[:, :, 0]
        sold = self._by_region(self.sales, money) * self._per_level
        balance = miss.w + self.by_cost @ cost.ravel() + self.by_sales @ sold.ravel()
        wage = self.wages.astype(np.float32) @ (balance + self.by_income @ miss.I)
        cost = cost + (self.costs_by_wage @ wage).reshape(s, n)
        sold = sold + (self.sales_by_wage @ wage).reshape(s, n)
        return Point(wage, cost, sold, miss.I + wage).flat.astype(float)

    def answer_transposed(self, weights: Array) -> Array:
        """The transpose of `answer`."""
        s, n = self.level.shape
        at = Point.of(weights.astype(np.float32), s, n)
        wage = at.w + at.I + at.c.ravel() @ self.costs_by_wage + at.S.ravel() @ self.sales_by_wage
        balance = self.wages.astype(np.float32).T @ wage
        cost = np.asarray(at.c + (balance @ self.by_cost).reshape(s, n))
        sold = at.S + (balance @ self.by_sales).reshape(s, n)
        money = self._by_region(self.sales.transpose(0, 2, 1), sold * self._per_level)
        cost += np.matmul(money[:, None, :], self.substitution)[:, 0]
        through = self._by_region(self.costs.transpose(0, 2, 1), cost)
        income = at.I + balance @ self.by_income
        return Point(balance, through, money * self.level, income).flat.astype(float)

    @cached_property
    def _per_level(self) -> Flows:
        return _inverse(self.level).astype(np.float32)

    @staticmethod
    def _by_region(matrix: Flows, values: Flows) -> Any:
        return np.ascontiguousarray(np.matmul(matrix, values.T[:, :, None])[:, :, 0].T)


def precondition(e: Economy, pi: Array, X: Array) -> Preconditioner:
    """Linear responses at expenditure shares `pi` (s, n, m) and expenditure `X` (s, m).

    Misses of costs and sales are passed on through each economy's own
    input-output loop only (exact at home, ignored across borders); wages act
    on every economy's costs, sales and incomes, and those on trade balances.
    Solved by eliminating costs and sales.
    """
    s, n = e.va.shape
    own = np.arange(n)
    single = np.float32
    pi = pi.astype(single)
    border = pi * X[:, None, :].astype(single)
    taxed, subsidised = bool(e.t.any()), bool(e.x.any())
    if taxed:
        wide = e.wide(border)
        wide /= (1 + e.wide(e.t)).astype(single)
    made = border
    if subsidised:
        made = border.copy()
        wide = e.wide(made)
        wide /= (1 + e.wide(e.x)).astype(single)
    home_sales, home_pi = at_home(made), at_home(pi)  # (s, m)
    level = made.sum(2, dtype=float)
    to = pi.transpose(0, 2, 1)
    same = made @ to  # (s, o, o'): sales of o that meet o'
    spent = _inverse(X).astype(single)
    used = (e.g * level).astype(single)  # (s, s, n)
    final = e.by_bundle(e.alpha * np.tile(e.I, len(e.final_users))).astype(single)
    finally_sold = _by_final(e, made, final * e.by_bundle(e.final(spent)))
    flows = border
    set_at_home(flows, 0)
    local = e.over_users(home_sales[:, None, :] * pi)  # (s, o', d)
    # Without taxes, sales abroad that meet o' are all sales that do, less those at home.
    abroad = flows @ to if taxed or subsidised else same - local.transpose(0, 2, 1)
    theta = e.theta[:, None, None].astype(single)
    into = flows.sum(1)
    per_receipt = _inverse(flows.sum((0, 2)) + np.maximum(e.D, 0)).astype(single)
    payments = e.over_users(into).sum(0)
    per_payment = _inverse(payments + np.maximum(-e.D, 0)).astype(single)

    # Log balances by log cost of [sector, ., origin].
    received = theta * abroad
    received[:, own, own] -= theta[:, :, 0] * flows.sum(2)
    paid = theta * e.over_users(into[:, None, :] * pi - flows).transpose(0, 2, 1)
    by_cost = received * per_receipt[:, None] - paid * per_payment[:, None]

    # Log balances by log output and income, through spending; and final sales by income.
    flows *= spent[:, None, :]
    by_sales = _by_inputs(e, flows, used) * per_receipt[:, None, None]  # (n, s, n)
    by_sales[own, :, own] -= ((input_prices(e, into * spent) * used).sum(0) * per_payment).T
    by_income = _by_final(e, flows, final).sum(0) * per_receipt[:, None]
    by_income[own, own] -= (e.by_bundle(e.final(into * spent)) * final).sum((0, 1)) * per_payment

    costs = _loop_inverse(e.pays * input_prices(e, home_pi).transpose(2, 1, 0))
    sales = _loop_inverse(e.uses * input_prices(e, home_sales * spent).transpose(2, 0, 1))

    # What wages do to costs and sales.
    va = e.va.astype(single)
    dc = _by_shares(e, pi, va)
    dc[:, own, own] += va
    dc = _each(costs, dc)
    substitution = theta * same
    substitution[:, own, own] -= theta[:, :, 0] * level.astype(single)
    dS: Flows = substitution @ dc + finally_sold
    dS = _each(sales, dS) * _inverse(level).astype(single)[:, :, None]

    flat_cost = np.ascontiguousarray(by_cost.transpose(1, 0, 2)).reshape(n, s * n)
    flat_sales = by_sales.reshape(n, s * n)
    jac = (flat_cost @ dc.reshape(s * n, n) + flat_sales @ dS.reshape(s * n, n)).astype(float)
    jac += by_income
    jac += e.V / e.V.sum()  # the numeraire: the world's value added stays
    return Preconditioner(
        wages=-np.linalg.pinv(jac, rcond=1e-10),
        costs=costs,
        sales=sales,
        level=level.astype(single),
        substitution=substitution,
        by_cost=flat_cost,
        by_sales=flat_sales,
        by_income=by_income,
        costs_by_wage=dc.reshape(s * n, n),
        sales_by_wage=dS.reshape(s * n, n),
    )


def _inverse(values: Flows) -> Array:
    return np.divide(1, values, out=np.zeros(values.shape), where=values > 0)


def _loop_inverse(loop: Array) -> Flows:
    return np.linalg.inv(np.eye(loop.shape[1]) - loop).astype(np.float32)


def _each(inputs: Flows, values: Flows) -> Flows:
    """Within each economy, for many columns: (n, s, s), (s, n, k) -> (s, n, k)."""
    return np.ascontiguousarray((inputs @ values.transpose(1, 0, 2)).transpose(1, 0, 2))


def _by_inputs(e: Economy, flows: Flows, used: Flows) -> Flows:
    """Flows per unit spent (s, n, m), as inputs (s, s, n) of each user: (origin, user, region)."""
    s, n = e.va.shape
    if e.shared_inputs:
        product = flows[:, :, :n].transpose(2, 1, 0) @ used.transpose(2, 0, 1)  # (d, o, k)
        return np.ascontiguousarray(product.transpose(1, 2, 0))
    out = np.zeros((n, s, n), np.float32)
    for r in range(s):
        out += flows[r].reshape(n, -1, n)[:, :s] * used[r]
    return out


def _by_final(e: Economy, flows: Flows, final: Flows) -> Flows:
    """Flows (s, n, m) weighed by final bundles (s, f, n), summed over bundles: (s, n, n)."""
    out = np.zeros((*flows.shape[:2], final.shape[2]), np.float32)
    for f, u in enumerate(e.final_users):
        out += e.wide(flows)[:, :, u] * final[:, None, f]
    return out


def _by_shares(e: Economy, pi: Flows, va: Flows) -> Flows:
    """What a wage abroad adds to each unit cost through direct inputs: (user, region, origin)."""
    s, n = e.va.shape
    if e.shared_inputs:
        direct = (pi[:, :, :n] * va[:, :, None]).transpose(2, 0, 1)  # (d, r, o)
        product = e.pays.astype(np.float32) @ direct
        return np.ascontiguousarray(product.transpose(1, 0, 2))
    out = np.zeros((n, s, n), np.float32)  # (o, k, d)
    for r in range(s):
        weighed = pi[r].reshape(n, -1, n)[:, :s] * e.pays[:, :, r].T.astype(np.float32)
        out += weighed * va[r][:, None, None]
    return np.ascontiguousarray(out.transpose(1, 2, 0))


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
    s, n = p.e.va.shape
    plain = None if pre is not None else _plain_wage_step(p.e)
    # The numeraire is no equation: a labour shock common to all would leave it missed at `begin`.
    begin = replace(begin, w=numeraire(p, begin.w))
    u = begin.flat
    history = History(memory, u.size)
    best, best_size, since_best = begin, np.inf, 0
    outcome = Outcome.MAX_STEPS
    used = 0
    for step_number in range(1, max_steps + 1):
        used = step_number
        if coarse is not None and (best_size < COARSE or since_best > 5):
            coarse, best_size = None, np.inf
        at = Point.of(u, s, n)
        miss, wage_step = residual(p if coarse is None else coarse, at, plain)
        size = miss.size
        if size < best_size:
            best, best_size, since_best = at, size, 0
        else:
            since_best += 1
        if size <= tol and coarse is None:
            outcome = Outcome.CONVERGED
            break
        if not miss.finite or since_best > 40 or size > 1e6 * best_size:
            if best_size == np.inf or since_best > 40:
                outcome = Outcome.NOT_FINITE if best_size == np.inf else Outcome.MAX_STEPS
                break
            u = best.flat
            memory = max(2, memory // 2)
            history = History(memory, u.size)
            since_best += 10
            continue
        move = Point(wage_step, miss.cost, miss.sales, miss.income)
        if pre is not None:
            move = pre.step(p, miss, at)
        bent = (np.log1p(np.clip(v, -0.8, 4.0)) for v in (move.S, move.I))
        u = history.mix(u, Point(move.w, np.clip(move.c, -3, 3), *bent).flat)
    return best, best_size, used, outcome


def _plain_wage_step(e: Economy) -> Array:
    flows = e.over_users(e.pi * e.X[:, None, :])
    np.einsum("rdd->rd", flows)[...] = 0
    out, into = flows.sum(2), flows.sum(1)
    weigh = e.theta[:, None]
    steep = (out * weigh).sum(0) / np.maximum(out.sum(0), 1e-300)
    steep += (into * weigh).sum(0) / np.maximum(into.sum(0), 1e-300)
    return np.asarray(1 / (1 + steep))
