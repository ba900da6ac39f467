"""An independent slow solver of the whole family; it shares no code with the package.

Nested CES, entry with scale effects and selection, written from the papers
(Krugman 1980, Chaney 2008, Costinot & Rodriguez-Clare 2014) with taxes on the
price with mark-up and entry and market access paid in the origin's bundle of
inputs. All equations at once, by Newton with a numerical derivative; where
`scale` is one, sectors may shut (complementarity).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from slow import Base, transfers


@dataclass(frozen=True)
class Family:
    """Elasticities of substitution, and exponents of entry and selection by sector."""

    value_added: float = 1.0
    inputs: float = 1.0
    demand: float = 1.0
    scale: object = 0.0
    selection: object = 0.0


def ces(shares, prices, sigma):
    """Unit cost over the first axis, cell by cell."""
    out = np.empty(prices.shape[1:])
    for i in np.ndindex(*out.shape):
        a, p = shares[(slice(None), *i)], prices[(slice(None), *i)]
        if a.sum() == 0:
            out[i] = 1.0
        elif sigma == 1:
            out[i] = np.exp((a * np.log(p)).sum())
        else:
            out[i] = (a * p ** (1 - sigma)).sum() ** (1 / (1 - sigma))
    return out


class Slow:
    """The equations at one shock; unknowns are logs of (w, P, M or S, X)."""

    def __init__(self, b: Base, shock, closure: str, f: Family):
        self.b, self.shock, self.closure, self.f = b, shock, closure, f
        s, n = b.va.shape
        self.s, self.n = s, n
        self.scale = np.broadcast_to(np.asarray(f.scale, float), (s,))
        self.select = np.broadcast_to(np.asarray(f.selection, float), (s,))
        T = (1 + b.t) * (1 + b.x)
        spent = b.I[None] * b.alpha
        # Base expenditure from the goods markets: X = use Y + alpha I, Y from X.
        X = spent.copy()
        for _ in range(20_000):
            Y = (b.pi * X[:, None, :] / T).sum(2) + b.stock.sum(2)
            new = np.einsum("rkd,kd->rd", b.use, Y) + spent
            gap = np.abs(new - X).max()
            X = new
            if gap < 1e-15 * X.max():
                break
        self.X0 = X
        self.S0 = (b.pi * X[:, None, :] / T).sum(2)

    def split(self, v):
        s, n = self.s, self.n
        return (
            v[:n],
            v[n : n + s * n].reshape(s, n),
            v[n + s * n : n + 2 * s * n].reshape(s, n),
            v[n + 2 * s * n :].reshape(s, n),
        )

    def evaluate(self, w, P, M, Xh):
        """Everything at wages, prices, entrants and expenditure (hats)."""
        b, f, k = self.b, self.f, self.shock
        s, n = self.s, self.n
        T = (1 + k.t) * (1 + k.x)
        bundle_share = b.cost.sum(0)
        within = b.cost / np.where(bundle_share > 0, bundle_share, 1)
        met = np.broadcast_to(P[:, None, :], (s, s, n))
        Pm = ces(within, met, f.inputs)
        wages = np.broadcast_to(w, (s, n))
        cost = ces(np.stack([b.va, bundle_share]), np.stack([wages, Pm]), f.value_added)
        va = b.va * (wages / cost) ** (1 - f.value_added)
        use = b.use * (met / Pm) ** (1 - f.inputs) * (Pm / cost) ** (1 - f.value_added)
        c = cost / k.A
        PC = ces(b.alpha, P, f.demand)
        alpha = b.alpha * (P / PC) ** (1 - f.demand)
        theta, eta = b.theta[:, None, None], self.select[:, None, None]
        ratio = T / ((1 + b.t) * (1 + b.x))
        num = (
            b.pi
            * (M ** self.scale[:, None])[:, :, None]
            * (k.tau * c[:, :, None]) ** -theta
            * ratio ** -(theta + eta)
            * (Xh[:, None, :] / c[:, :, None]) ** eta
        )
        num = np.where(k.embargo, 0.0, num)
        total = num.sum(1)
        pi = num / total[:, None, :]
        X = Xh * self.X0
        N = pi * X[:, None, :] / T
        S = N.sum(2)
        Y = S + b.stock.sum(2) * c
        value = w * k.L * b.V
        D = transfers(b, self.closure, value)
        I = (  # noqa: E741
            value
            + (k.t / (1 + k.t) * pi * X[:, None, :]).sum((0, 1))
            + (k.x * N).sum((0, 2))
            + (b.omega * use.sum(0) * Y).sum(0)
            - (b.stock * c[:, :, None]).sum((0, 1))
            + D
        )
        need = np.einsum("rkd,kd->rd", use, Y) + alpha * I
        return {
            "w": w,
            "P": P,
            "c": c,
            "pi": pi,
            "X": X,
            "Y": Y,
            "I": I,
            "D": D,
            "M": M,
            "S": S,
            "profit": S / self.S0 / c / M,
            "P_new": total ** (-1 / b.theta[:, None]),
            "need": need,
            "factor": (va * Y).sum(0) / value,
            "value": value,
            "real_income": I / b.I / PC,
        }

    def residual(self, v, shuts):
        w, P, M, X = self.split(v)
        w, P, X = np.exp(w), np.exp(P), np.exp(X)
        corner = np.broadcast_to((self.scale == 1)[:, None], M.shape) & shuts
        e = self.evaluate(
            w, P, np.where(corner, np.maximum(M, 1e-13), np.exp(np.where(corner, 0, M))), X
        )
        market = e["factor"] - 1
        market[-1] = e["value"].sum() / self.b.V.sum() - 1
        slack = 1 - e["profit"]
        with np.errstate(all="ignore"):
            entry = np.where(corner, M + slack - np.hypot(M, slack), np.log(e["profit"]))
        return np.concatenate(
            [
                market,
                np.log(e["P_new"] / P).ravel(),
                entry.ravel(),
                np.log(e["need"] / e["X"]).ravel(),
            ]
        ), e


def variant_solve(b, shock, family, closure="world_share", shares=(1.0,), shuts=False, start=None):
    """The equilibrium; `shares` of the shock are solved one after another."""
    from slow import _Part

    s, n = b.va.shape
    v = np.zeros(n + 3 * s * n)
    if shuts:
        v[n + s * n : n + 2 * s * n] = 1.0
    if start is not None:
        v = start
    for share in shares:
        equations = Slow(b, _Part(b, shock, share), closure, family)
        v = newton(lambda u, q=equations: q.residual(u, shuts)[0], v)
    miss, e = equations.residual(v, shuts)
    assert np.abs(miss).max() < 1e-9, np.abs(miss).max()
    assert np.abs(e["factor"] - 1).max() < 1e-8  # Walras' law: the market left out clears too
    return e


def newton(f, v, rounds=60):
    r = f(v)
    size = np.abs(r).max()
    for _ in range(rounds):
        if size < 1e-12:
            break
        J = np.empty((len(r), len(v)))
        for j in range(len(v)):
            d = np.zeros(len(v))
            d[j] = 1e-6
            J[:, j] = (f(v + d) - f(v - d)) / 2e-6
        step = np.linalg.lstsq(J, -r, rcond=None)[0]
        a = min(1.0, 1.0 / np.abs(step).max())
        for _ in range(10):
            with np.errstate(all="ignore"):
                trial = f(v + a * step)
            if np.isfinite(trial).all() and np.abs(trial).max() < size:
                break
            a /= 2
        else:
            break
        v, r = v + a * step, trial
        size = np.abs(r).max()
    return v


def gains_from_trade(b, X, S, f: Family):
    """Real income in autarky over the base's (n,): Cobb-Douglas, balanced trade, no product tax.

    p_k = ln(P_k / w) solves p = (I - diag(1 + (scale + selection) / theta) G')^-1 h with
    h_k = (-ln pi_kk - scale ln(beta_k / S_k) - selection ln(beta_k / X_k)) / theta_k, and
    beta = (I - G)^-1 alpha V is output in autarky.
    """
    s, n = b.va.shape
    scale = np.broadcast_to(np.asarray(f.scale, float), (s,))
    select = np.broadcast_to(np.asarray(f.selection, float), (s,))
    out = np.empty(n)
    for d in range(n):
        G = b.use[:, :, d]
        beta = np.linalg.solve(np.eye(s) - G, b.alpha[:, d]) * b.V[d]
        home = np.array([b.pi[k, d, d] for k in range(s)])
        h = -np.log(home) - scale * np.log(beta / S[:, d]) - select * np.log(beta / X[:, d])
        passed = np.eye(s) - np.diag(1 + (scale + select) / b.theta) @ G.T
        out[d] = b.V[d] / b.I[d] * np.exp(-b.alpha[:, d] @ np.linalg.solve(passed, h / b.theta))
    return out
