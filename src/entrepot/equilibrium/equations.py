"""The equations of the trade equilibrium, as misses at a point.

The unknowns are wages, unit costs, market sales and incomes. Everything that
is large is a matrix-vector product with a constant array: with effective cost
e = c (S/c)^(-scale/theta), a = e^-theta and K = pi kappa^-theta,

    P^-theta_rm = sum_o K_rom a_ro,     N_rom = K_rom a_ro X_rm P^theta_rm / ((1+t)(1+x)),

so a step costs no powers over (sector, origin, market).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy, at_home, set_at_home, spending
from entrepot.equilibrium.nests import Choices, choices, within
from entrepot.equilibrium.problem import Flows, Problem

Array = NDArray[np.float64]

WAGE_STEP = 0.3  # the largest log wage change of one step
TINY = 1e-250  # below this a price sum is taken again in logs


@dataclass(frozen=True, eq=False)
class Point:
    """A point of the iteration, all in logs of hats: wages (n,), costs (s, n), sales, incomes (n,)."""

    w: Array
    c: Array
    S: Array
    I: Array  # noqa: E741

    @property
    def flat(self) -> Array:
        """One vector of all unknowns."""
        return np.concatenate([self.w, self.c.ravel(), self.S.ravel(), self.I])

    @staticmethod
    def of(flat: Array, s: int, n: int) -> Point:
        """From `flat`."""
        cells = s * n
        return Point(
            flat[:n],
            flat[n : n + cells].reshape(s, n),
            flat[n + cells : n + 2 * cells].reshape(s, n),
            flat[n + 2 * cells :],
        )


def start(e: Economy) -> Point:
    """The base itself: all hats one."""
    s, n = e.va.shape
    return Point(np.zeros(n), np.zeros((s, n)), np.zeros((s, n)), np.zeros(n))


def into(a: Array, flows: Flows) -> Array:
    """Sum over origins: (s, o), (s, o, m) -> (s, m)."""
    product = np.matmul(a[:, None, :].astype(flows.dtype, copy=False), flows)[:, 0, :]
    return product.astype(np.float64, copy=False)


def out_of(flows: Flows, q: Array) -> Array:
    """Sum over markets: (s, o, m), (s, m) -> (s, o)."""
    product = np.matmul(flows, q[:, :, None].astype(flows.dtype, copy=False))[:, :, 0]
    return product.astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class Residual:
    """Misses of the four blocks of equations at a point."""

    balance: Array  # log of receipts over payments, (n,)
    cost: Array  # log c implied less log c, (s, n)
    sales: Array  # S implied less S, relative, (s, n)
    income: Array  # I implied less I, relative, (n,)
    finite: bool

    @property
    def size(self) -> float:
        """The largest miss."""
        if not self.finite:
            return np.inf
        return float(
            max(np.abs(v).max() for v in (self.balance, self.cost, self.sales, self.income))
        )


def deficits(p: Problem, value_added: Array) -> Array:
    """New deficits (n,) under the closure, summing to zero (docs/explanation/model.md)."""
    if p.closure == "none":
        return np.zeros_like(p.deficit)
    world = value_added.sum()
    if p.closure == "world_share":
        return p.deficit * (world / p.e.V.sum())
    own = p.deficit * value_added / p.e.V
    return own - value_added / world * own.sum()


def numeraire(p: Problem, log_w: Array) -> Array:
    """Wages scaled so that each trading bloc keeps its share of world value added.

    With one bloc, this is: world value added stays at its base. An economy cut
    off from all others has no exchange rate; its value added is kept at the
    base's by convention, and only ratios within it have meaning.
    """
    if not p.blocs.any():  # one bloc
        return log_w - np.log((np.exp(log_w) * p.labour).sum() / p.e.V.sum())
    shift = np.zeros_like(log_w)
    value = np.exp(log_w) * p.labour
    for bloc in np.unique(p.blocs):
        inside = p.blocs == bloc
        shift[inside] = np.log(value[inside].sum() / p.e.V[inside].sum())
    return log_w - shift


def effective(p: Problem, log_c: Array, log_S: Array) -> Array:
    """Log hat of the cost that buyers see: lower where more varieties are made."""
    if not p.e.variant.has_scale and not p.e.variant.selects:
        return log_c
    return np.asarray((1 + p.psi + p.chi) * log_c - p.psi * log_S)


@dataclass(frozen=True, eq=False)
class Market:
    """Prices and sums over origins at given effective costs; (s, m) unless said."""

    log_P: Array
    phi: Array  # sum of K a, relative to the lowest cost
    foreign: Array
    low: Array  # (s, 1)
    a: Array  # (s, n)
    weak: NDArray[np.intp]  # sectors to be taken in logs


def markets(p: Problem, log_e: Array) -> Market:
    """Price indices at effective costs (s, n)."""
    theta = p.e.theta[:, None]
    low = log_e.min(1, keepdims=True)
    a = np.exp(-theta * (log_e - low))
    foreign = into(a, p.K)
    phi = foreign + p.e.on_users(a) * p.home
    with np.errstate(all="ignore"):
        log_P = -(np.log(phi) + p.scale) / theta + low
    weak = np.flatnonzero((p.active & ~(phi > TINY)).any(1))
    log_P[~p.active] = 0
    for r in weak:
        log_P[r] = _log_price(p, int(r), log_e[r])
    return Market(log_P, phi, foreign, low, a, weak)


def residual(p: Problem, at: Point, step: Array | None) -> tuple[Residual, Array]:
    """Misses at a point; `step` (n,) maps balance misses to a wage step.

    Returns the residual and the wage step, numeraire imposed.
    """
    e, n = p.e, len(p.e.regions)
    log_e = effective(p, at.c, at.S)
    market = markets(p, log_e)
    value = np.exp(at.w) * p.labour
    cost, income = np.exp(at.c), np.exp(at.I) * e.I
    sales = np.where(p.sells, np.exp(at.S) * p.sales, 0.0)
    Y = sales if p.stock is None else sales + p.stock.by_seller * cost
    chosen, X = _chosen(p, at.w, market.log_P, Y, income)

    with np.errstate(all="ignore"):
        q = X / market.phi
    q[~p.active] = 0
    a = market.a
    imported = q * (market.foreign if p.border is p.K else into(a, p.border))
    exported = a * out_of(p.made, q)
    home = p.e.on_users(a) * q * p.home
    tax = np.zeros_like(exported)
    if p.export_tax is not None:
        tax = a * out_of(p.export_tax, q)
    for r in market.weak:  # shares beyond the range of plain numbers
        imported[r], exported[r], home[r], tax[r] = _in_logs(p, int(r), log_e[r], X[r])

    imports = e.over_users(imported).sum(0)
    exports = (exported + tax).sum(0)
    receipts, payments = exports, imports
    stock_income: Array | float = 0.0
    if p.stock is not None:
        taken = p.stock.by_buyer @ cost.ravel()
        home_taken = (p.stock.home * cost).sum(0)
        receipts = receipts - (taken - home_taken)
        payments = payments - (p.stock.by_seller * cost).sum(0) + home_taken
        stock_income = -taken
    D = deficits(p, value)
    receipts, payments = receipts + np.maximum(D, 0), payments + np.maximum(-D, 0)
    with np.errstate(all="ignore"):
        balance = np.where(
            (receipts > 0) | (payments > 0), np.log(receipts) - np.log(payments), 0.0
        )
    wage_step = np.zeros(n)
    if step is not None:
        # A change common to everybody is the numeraire's business.
        wage_step = np.clip(step * balance, -WAGE_STEP, WAGE_STEP)
    new_w = numeraire(p, at.w + wage_step)
    product = p.product_tax if chosen.g is e.g else e.omega * chosen.g.sum(0)
    earned = (
        np.exp(new_w) * p.labour
        + e.over_users(X - imported - home).sum(0)
        + tax.sum(0)
        + (product * Y).sum(0)
        + stock_income
        + D
    )
    with np.errstate(all="ignore"):
        sold = np.where(p.sells, (exported + e.over_users(home)) / sales - 1, 0.0)
        spent = earned / income - 1
    miss = chosen.log_cost - p.logA - at.c
    finite = all(bool(np.isfinite(v).all()) for v in (balance, miss, sold, spent))
    return Residual(balance, miss, sold, spent, finite), new_w - at.w


def _spending(p: Problem, chosen: Choices, Y: Array, income: Array) -> Array:
    if len(p.e.users) == 1 and chosen.g is p.e.g:
        return within(p.uses, Y) + chosen.alpha * income
    return spending(p.e, chosen.g, Y, chosen.alpha, income)


def _chosen(
    p: Problem, log_w: Array, log_P: Array, Y: Array, income: Array
) -> tuple[Choices, Array]:
    """Choices at prices and the expenditure they make; where firms select, prices fall with it."""
    if not p.e.variant.selects:
        chosen = choices(p.e, log_w, log_P)
        return chosen, _spending(p, chosen, Y, income)
    X = within(p.uses, Y) + p.e.alpha * income  # shares are constant there
    return choices(p.e, log_w, log_P - p.chi * market_size(p.e, X)), X


def market_size(e: Economy, X: Array) -> Array:
    """Log hat of expenditure by market (s, m)."""
    return np.log(np.divide(X, e.X, out=np.ones_like(X), where=e.X > 0))


def _shares_in_logs(p: Problem, r: int, log_e: Array) -> tuple[Array, Array]:
    """Shares (n, m) of one sector and its log prices, by log-sum-exp."""
    kernel = p.K[r].astype(np.float64)
    set_at_home(kernel, p.home[r])
    with np.errstate(all="ignore"):
        logs = np.log(kernel) - p.e.theta[r] * log_e[:, None]
        top = logs.max(0)
        top = np.where(np.isfinite(top), top, 0.0)
        parts = np.exp(logs - top)
        total = parts.sum(0)
        log_P = np.where(total > 0, -(np.log(total) + top + p.scale[r]) / p.e.theta[r], 0.0)
        return np.where(total > 0, parts / total, 0.0), log_P


def _log_price(p: Problem, r: int, log_e: Array) -> Array:
    return _shares_in_logs(p, r, log_e)[1]


def _in_logs(p: Problem, r: int, log_e: Array, X: Array) -> tuple[Array, Array, Array, Array]:
    """Imports, exports, home sales and export taxes of one sector by log-sum-exp."""
    spent = _shares_in_logs(p, r, log_e)[0] * X

    def part(of: Flows) -> Array:
        with np.errstate(all="ignore"):
            return np.where(p.K[r] > 0, spent * (of[r] / p.K[r]), 0.0)

    imported, exported = part(p.border), part(p.made)
    tax = part(p.export_tax) if p.export_tax is not None else np.zeros_like(spent)
    return imported.sum(0), exported.sum(1), at_home(spent), tax.sum(1)


def shares(p: Problem, log_e: Array, log_P: Array) -> Array:
    """Expenditure shares (s, n, m) at effective costs and prices."""
    cost = -p.e.theta[:, None] * log_e
    price = p.e.theta[:, None] * log_P + p.scale
    if max(np.abs(cost).max(), np.abs(price).max()) < 300:
        pi = p.K * np.exp(cost)[:, :, None]
        pi *= np.exp(price)[:, None, :]
        home = p.home * np.exp(p.e.on_users(cost)) * np.exp(price)
    else:
        # What is not finite here is refused by the caller's check.
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            pi = np.exp(np.log(p.K) + cost[:, :, None] + price[:, None, :])
            home = np.exp(np.log(p.home) + p.e.on_users(cost) + price)
    set_at_home(pi, home)
    return np.asarray(pi)


def written_out(p: Problem, at: Point) -> tuple[Array, Array, Array]:
    """Log prices (s, m), expenditure (s, m) and shares (s, n, m) at a point."""
    log_e = effective(p, at.c, at.S)
    log_phi = markets(p, log_e).log_P
    Y = np.where(p.sells, np.exp(at.S) * p.sales, 0.0)
    if p.stock is not None:
        Y = Y + p.stock.by_seller * np.exp(at.c)
    X = _chosen(p, at.w, log_phi, Y, np.exp(at.I) * p.e.I)[1]
    log_P = log_phi
    if p.e.variant.selects:
        log_P = log_phi - p.chi * market_size(p.e, X)
    return log_P, X, shares(p, log_e, log_phi)
