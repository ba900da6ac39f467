"""The equations of the trade equilibrium, as misses at a point.

Everything in them is a matrix-vector product with a constant array: with
a = c^-theta and K = pi kappa^-theta,

    P^-theta_rd = sum_o K_rod a_ro,     N_rod = K_rod a_ro X_rd P^theta_rd / ((1+t)(1+x)),

so a step costs no powers over (sector, origin, destination).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.problem import Flows, Problem

Array = NDArray[np.float64]

WAGE_STEP = 0.3  # the largest log wage change of one step
TINY = 1e-250  # below this a price sum is taken again in logs


@dataclass(frozen=True, eq=False)
class Point:
    """A point of the iteration: log wages, log prices, expenditure."""

    log_w: Array
    log_p: Array
    X: Array


def start(e: Economy) -> Point:
    """The base itself: all hats one."""
    s, n = e.X.shape
    return Point(np.zeros(n), np.zeros((s, n)), e.X.copy())


def _into(a: Array, flows: Flows) -> Array:
    """Sum over origins: (s, o), (s, o, d) -> (s, d)."""
    product = np.matmul(a[:, None, :].astype(flows.dtype, copy=False), flows)[:, 0, :]
    return product.astype(np.float64, copy=False)


def _out_of(flows: Flows, q: Array) -> Array:
    """Sum over destinations: (s, o, d), (s, d) -> (s, o)."""
    product = np.matmul(flows, q[:, :, None].astype(flows.dtype, copy=False))[:, :, 0]
    return product.astype(np.float64, copy=False)


def loop(inputs: Flows, values: Array) -> Array:
    """Within each economy: (n, s, s), (s, n) -> (s, n)."""
    columns = values.T[:, :, None].astype(inputs.dtype, copy=False)
    return np.matmul(inputs, columns)[:, :, 0].T.astype(np.float64, order="C")


@dataclass(frozen=True, eq=False)
class Residual:
    """Misses of the three blocks of equations at a point, and the new wages' size."""

    balance: Array  # log of receipts over payments, (n,)
    price: Array  # log P implied less log P, (s, n)
    spending: Array  # X implied less X, relative, (s, n)
    finite: bool

    @property
    def size(self) -> float:
        """The largest miss."""
        if not self.finite:
            return np.inf
        return float(
            max(np.abs(self.balance).max(), np.abs(self.price).max(), np.abs(self.spending).max())
        )


def unit_costs(e: Economy, log_w: Array, log_p: Array, log_a: Array) -> Array:
    """Log c-hat (s, n): Cobb-Douglas over labour and duty-paid, tax-paid inputs."""
    return e.va * log_w + loop(e.pays, log_p) - log_a


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


def residual(
    p: Problem, log_w: Array, log_p: Array, X: Array, step: Array | None
) -> tuple[Residual, Array]:
    """Misses at a point; `step` maps balance misses to a wage step (n, n) or (n,).

    Returns the residual and the wage step, numeraire imposed.
    """
    e, theta = p.e, p.e.theta[:, None]
    log_c = e.va * log_w + loop(p.pays, log_p) - p.logA
    low = log_c.min(1, keepdims=True)
    a = np.exp(-theta * (log_c - low))
    foreign = _into(a, p.K)
    phi = foreign + a * p.home
    with np.errstate(all="ignore"):
        new_p = -(np.log(phi) + p.scale) / theta + low
        q = X / phi
    weak = np.flatnonzero((p.active & ~(phi > TINY)).any(1))
    q[~p.active] = 0
    new_p[~p.active] = 0
    imported = q * (foreign if p.border is p.K else _into(a, p.border))
    exported = a * _out_of(p.made, q)
    home = a * q * p.home
    tax = np.zeros_like(exported)
    if p.export_tax is not None:
        tax = a * _out_of(p.export_tax, q)
    for r in weak:  # shares beyond the range of plain numbers
        new_p[r], imported[r], exported[r], home[r], tax[r] = _in_logs(p, int(r), log_c[r], X[r])

    cost = np.exp(log_c)
    Y = exported + home
    imports = imported.sum(0)
    exports = (exported + tax).sum(0)
    receipts, payments = exports, imports
    stock_income: Array | float = 0.0
    sold = Y
    if p.stock is not None:
        taken = p.stock.by_buyer @ cost.ravel()
        home_taken = (p.stock.home * cost).sum(0)
        receipts = receipts - (taken - home_taken)
        payments = payments - (p.stock.by_seller * cost).sum(0) + home_taken
        sold = Y + p.stock.by_seller * cost
        stock_income = -taken
    value = np.exp(log_w) * p.labour
    D = deficits(p, value)
    receipts, payments = receipts + np.maximum(D, 0), payments + np.maximum(-D, 0)
    with np.errstate(all="ignore"):
        balance = np.where(
            (receipts > 0) | (payments > 0), np.log(receipts) - np.log(payments), 0.0
        )
    wage_step = np.zeros_like(balance)
    if step is not None:
        wage_step = step @ balance if step.ndim == 2 else step * balance
        # A change common to everybody is the numeraire's business.
        wage_step = np.clip(wage_step, -WAGE_STEP, WAGE_STEP)
    new_w = numeraire(p, log_w + wage_step)
    value = np.exp(new_w) * p.labour
    income = (
        value
        + (X - imported - home).sum(0)
        + tax.sum(0)
        + (p.product_tax * sold).sum(0)
        + stock_income
        + D
    )
    spent = loop(p.uses, sold) + e.alpha * income
    with np.errstate(all="ignore"):
        spending = np.where(p.active, spent / X - 1, 0.0)
    price = new_p - log_p
    finite = bool(
        np.isfinite(balance).all() and np.isfinite(price).all() and np.isfinite(spending).all()
    )
    return Residual(balance, price, spending, finite), new_w - log_w


def _in_logs(
    p: Problem, r: int, log_c: Array, X: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Prices, imports, exports, home sales and export taxes of one sector by log-sum-exp."""
    kernel = p.K[r].astype(np.float64)
    np.fill_diagonal(kernel, p.home[r])
    with np.errstate(all="ignore"):
        logs = np.log(kernel) - p.e.theta[r] * log_c[:, None]
        top = logs.max(0)
        top = np.where(np.isfinite(top), top, 0.0)
        shares = np.exp(logs - top)
        total = shares.sum(0)
        log_p = np.where(total > 0, -(np.log(total) + top + p.scale[r]) / p.e.theta[r], 0.0)
        spent = np.where(total > 0, shares / total, 0.0) * X

        def part(of: Flows) -> Array:
            return np.where(p.K[r] > 0, spent * (of[r] / p.K[r]), 0.0)

        home = np.diag(spent).copy()
        imported, exported = part(p.border), part(p.made)
        tax = part(p.export_tax) if p.export_tax is not None else np.zeros_like(spent)
    return log_p, imported.sum(0), exported.sum(1), home, tax.sum(1)


def shares(p: Problem, point: Point) -> Array:
    """Expenditure shares (s, n, n) at a point."""
    log_c = unit_costs(p.e, point.log_w, point.log_p, p.logA)
    cost = -p.e.theta[:, None] * log_c
    price = p.e.theta[:, None] * point.log_p + p.scale
    if max(np.abs(cost).max(), np.abs(price).max()) < 300:
        pi = p.K * np.exp(cost)[:, :, None]
        pi *= np.exp(price)[:, None, :]
        home = p.home * np.exp(cost) * np.exp(price)
    else:
        # What is not finite here is refused by the caller's check.
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            pi = np.exp(np.log(p.K) + cost[:, :, None] + price[:, None, :])
            home = np.exp(np.log(p.home) + cost + price)
    np.einsum("rdd->rd", pi)[...] = home
    return np.asarray(pi)
