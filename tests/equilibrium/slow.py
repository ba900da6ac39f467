"""An independent slow solver, written from the papers; it shares no code with the package.

Caliendo & Parro (2015), equations 10-14, with export taxes, product taxes on
inputs, stocks drawn down at base quantities, and transfers by closure. Wages
are found by a root finder on the *factor markets*; at given wages prices are
iterated and expenditure is the solution of one dense linear system.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import root


@dataclass
class Base:
    """Base-year shares, in the letters of the paper."""

    theta: np.ndarray
    pi: np.ndarray  # r, o, d
    t: np.ndarray
    x: np.ndarray
    cost: np.ndarray  # input cost share r, k, d, taxes included
    use: np.ndarray  # input value per output r, k, d, before product taxes
    omega: np.ndarray  # k, d
    va: np.ndarray
    alpha: np.ndarray
    V: np.ndarray
    D: np.ndarray
    stock: np.ndarray  # r, o, d (<= 0)
    I: np.ndarray  # noqa: E741
    used: np.ndarray


def base_of_world(world, theta, taxes="fixed_rate_revenue"):
    """Calibrate by loops over the table."""
    n, s = len(world.regions), len(world.sectors)
    t = np.zeros((s, n, n))
    x = np.zeros((s, n, n))
    if "tariffs" in world.satellites:
        t = np.array(world.satellites["tariffs"].values)
    if "export_taxes" in world.satellites:
        x = np.array(world.satellites["export_taxes"].values)
    sold = np.zeros((s, n, n))
    stock = np.zeros((s, n, n))
    for o in range(n):
        for r in range(s):
            for d in range(n):
                for k in range(s):
                    sold[r, o, d] += world.Z[o * s + r, d * s + k]
                for c in range(world.F.shape[2]):
                    cell = world.F[o * s + r, d, c]
                    if cell > 0:
                        sold[r, o, d] += cell
                    else:
                        stock[r, o, d] += cell
    paid = sold * (1 + x) * (1 + t)
    pi = np.zeros_like(paid)
    used = np.zeros((s, n), bool)
    markup = np.ones((s, n))
    for r in range(s):
        for d in range(n):
            total = paid[r, :, d].sum()
            if total > 0:
                used[r, d] = True
                pi[r, :, d] = paid[r, :, d] / total
                markup[r, d] = total / sold[r, :, d].sum()
    cost = np.zeros((s, s, n))
    use = np.zeros((s, s, n))
    omega = np.zeros((s, n))
    va = np.ones((s, n))
    V = np.zeros(n)
    final = np.zeros((s, n))
    for d in range(n):
        for k in range(s):
            node = d * s + k
            output = world.Z[node].sum() + world.F[node].sum()
            inputs = np.zeros(s)
            for r in range(s):
                for o in range(n):
                    inputs[r] += world.Z[o * s + r, node]
            duty = sum(inputs[r] * (markup[r, d] - 1) for r in range(s))
            tax = world.T_inputs[node]
            added = output - inputs.sum() - tax
            if world.taxes == "separate":
                tax -= duty
            else:
                added -= duty
            if taxes == "in_value_added":
                added, tax = added + tax, 0.0
            V[d] += added
            if output > 0:
                worth = inputs * markup[:, d]
                use[:, k, d] = worth / output
                if worth.sum() > 0:
                    omega[k, d] = tax / worth.sum()
                cost[:, k, d] = use[:, k, d] * (1 + omega[k, d])
                va[k, d] = added / output
        for r in range(s):
            for o in range(n):
                for c in range(world.F.shape[2]):
                    final[r, d] += max(world.F[o * s + r, d, c], 0) * markup[r, d]
    I = final.sum(0)  # noqa: E741
    border = sold * (1 + x) + stock
    D = np.zeros(n)
    for d in range(n):
        for e in range(n):
            if e != d:
                D[d] += border[:, e, d].sum() - border[:, d, e].sum()
    return Base(theta, pi, t, x, cost, use, omega, va, final / I, V, D, stock, I, used)


def prices(b, w, A, kappa):
    """Unit costs and price indices at given wages, by iteration."""
    s, n = b.va.shape
    P = np.ones((s, n))
    more = 3  # rounds after the change has become rounding
    for _ in range(20_000):
        c = w[None] ** b.va / A * np.exp(np.einsum("rkd,rd->kd", b.cost, np.log(P)))
        terms = np.where(b.pi > 0, b.pi, 0) * (kappa * c[:, :, None]) ** -b.theta[:, None, None]
        total = terms.sum(1)
        new = np.where(b.used, np.where(b.used, total, 1) ** (-1 / b.theta[:, None]), 1.0)
        gap = np.abs(np.log(new / P)).max()
        P = new
        if not gap < np.inf:
            break
        more -= gap < 1e-13
        if more == 0:
            break
    c = w[None] ** b.va / A * np.exp(np.einsum("rkd,rd->kd", b.cost, np.log(P)))
    terms = b.pi * (kappa * c[:, :, None]) ** -b.theta[:, None, None]
    pi = terms / np.where(b.used, terms.sum(1), 1)[:, None, :]
    return c, P, pi


def transfers(b, closure, value):
    if closure == "none":
        return np.zeros_like(value)
    if closure == "world_share":
        return b.D * value.sum() / b.V.sum()
    whole = sum(b.D[j] * value[j] / b.V[j] for j in range(len(value)))
    return np.array(
        [b.D[d] * value[d] / b.V[d] - value[d] / value.sum() * whole for d in range(len(value))]
    )


def at_wages(b, w, shock, closure):
    """Everything at given wages, and the excess of factor income over what is earned."""
    s, n = b.va.shape
    value = w * shock.L * b.V
    scale = b.V.sum() / value.sum()
    w, value = w * scale, value * scale
    kappa = (1 + shock.t) / (1 + b.t) * (1 + shock.x) / (1 + b.x) * shock.tau
    kappa = np.where(shock.embargo, np.inf, kappa)
    c, P, pi = prices(b, w, shock.A, kappa)
    D = transfers(b, closure, value)
    made = pi / ((1 + shock.t) * (1 + shock.x))  # N over X
    m = s * n

    def at(r, d):
        return r * n + d

    sales = np.zeros((m, m))  # Y = sales X + fixed
    for r in range(s):
        for o in range(n):
            for d in range(n):
                sales[at(r, o), at(r, d)] += made[r, o, d]
    fixed = (b.stock.sum(2) * c).reshape(m)
    income = np.zeros((n, m))  # I = income X + more
    more = value + D
    for d in range(n):
        for r in range(s):
            for o in range(n):
                duty = shock.t[r, o, d] / (1 + shock.t[r, o, d]) * pi[r, o, d]
                income[d, at(r, d)] += duty
                income[d, at(r, o)] += shock.x[r, d, o] * made[r, d, o]
                more[d] -= b.stock[r, o, d] * c[r, o]
            rate = b.omega[r, d] * b.use[:, r, d].sum()
            income[d] += rate * sales[at(r, d)]
            more[d] += rate * fixed[at(r, d)]
    need = np.zeros((m, m))  # X = need Y + alpha I
    spend = np.zeros((m, n))
    for d in range(n):
        for r in range(s):
            for k in range(s):
                need[at(r, d), at(k, d)] = b.use[r, k, d]
            spend[at(r, d), d] = b.alpha[r, d]
    X = np.linalg.solve(np.eye(m) - need @ sales - spend @ income, need @ fixed + spend @ more)
    Y = (sales @ X + fixed).reshape(s, n)
    I = income @ X + more  # noqa: E741
    excess = (b.va * Y).sum(0) / value - 1
    price = np.exp((b.alpha * np.log(P)).sum(0))
    return {
        "w": w,
        "P": P,
        "c": c,
        "pi": pi,
        "X": X.reshape(s, n),
        "Y": Y,
        "I": I,
        "D": D,
        "real_income": I / b.I / price,
        "excess": excess,
    }


class _Part:
    """A share of a shock, in logs."""

    def __init__(self, b, shock, share):
        self.t = (1 + b.t) * ((1 + shock.t) / (1 + b.t)) ** share - 1
        self.x = (1 + b.x) * ((1 + shock.x) / (1 + b.x)) ** share - 1
        self.tau, self.A, self.L = shock.tau**share, shock.A**share, shock.L**share
        self.embargo = shock.embargo


def slow_solve(b, shock, closure="world_share", shares=(1.0,)):
    """The equilibrium; `shares` of the shock are solved one after another."""
    n = len(b.V)
    log_w = np.zeros(n)
    for share in shares:
        part = _Part(b, shock, share)

        def miss(free, part=part):
            return at_wages(b, np.exp(np.append(free, 0.0)), part, closure)["excess"][:-1]

        found = root(miss, log_w[:-1] - log_w[-1], method="hybr", options={"xtol": 1e-13})
        log_w = np.append(found.x, 0.0)
    out = at_wages(b, np.exp(log_w), shock, closure)
    if not np.abs(out["excess"]).max() <= 1e-8:
        raise ArithmeticError(f"the slow solver stalls at {np.abs(out['excess']).max():.1e}")
    return out
