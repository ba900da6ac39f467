"""The new equilibrium written out, and its independent certificate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import NotConvergedError
from entrepot.equilibrium.economy import Economy, spending
from entrepot.equilibrium.nests import choices
from entrepot.equilibrium.shock import TradeShock
from entrepot.equilibrium.solve import Solution

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class State:
    """An equilibrium in levels, million USD relative to world value added.

    `w` (n,), `c` (s, n), `P` (s, m) are hats on the base; `pi` (s, n, m) shares,
    `X` (s, m) expenditure, `N` (s, n, n) producer value of market sales, `border`
    (s, n, n) value at the border before duty, `Y` (s, n) output, `I`, `V`, `D`
    (n,) income, value added and deficit; `g` (s, s, n), `va` (s, n), `alpha` the
    shares of `Economy` as they are now; `t`, `x`, `tau` what is in force.
    """

    w: Array
    P: Array
    c: Array
    pi: Array
    X: Array
    N: Array
    border: Array
    Y: Array
    I: Array  # noqa: E741 - the paper's symbol
    V: Array
    D: Array
    g: Array
    va: Array
    alpha: Array
    t: Array
    x: Array
    tau: Array
    tariff_revenue: Array
    export_revenue: Array


def flows_at(
    e: Economy, pi: Array, X: Array, t: Array, x: Array
) -> tuple[Array, Array, Array, Array]:
    """Sales and border values (s, n, n), tariff and export revenue (n,), sector by sector."""
    s, n = e.va.shape
    N, border = np.empty((s, n, n)), np.empty((s, n, n))
    tariff, export = np.zeros(n), np.zeros(n)
    t, x = e.wide(t), e.wide(x)
    taxed, subsidised = bool(t.any()), bool(x.any())
    for r in range(s):
        spent = (pi[r] * X[r]).reshape(n, -1, n)
        at_border = spent / (1 + t[r]) if taxed else spent
        border[r] = at_border.sum(1)
        if taxed:
            tariff += (spent - at_border).sum((0, 1))
        if subsidised:
            made = at_border / (1 + x[r])
            export += (at_border - made).sum((1, 2))
            N[r] = made.sum(1)
        else:
            N[r] = border[r]
    return N, border, tariff, export


def duties(e: Economy, at: State, t: Array, x: Array) -> tuple[Array, Array]:
    """What tariff rates `t` and export-tax rates `x` take of each flow of a state (s, n, n)."""
    n = len(e.regions)
    if t.shape[2] == n == x.shape[2] == at.t.shape[2] == at.x.shape[2]:
        return t * at.border, x * at.N
    border = e.wide(at.pi * at.X[:, None, :]) / (1 + e.wide(at.t))
    sold = border / (1 + e.wide(at.x))
    return (e.wide(t) * border).sum(2), (e.wide(x) * sold).sum(2)


def base_state(e: Economy) -> State:
    """The base year as a State, hats one."""
    s, n = e.va.shape
    N, border, tariff, export = flows_at(e, e.pi, e.X, e.t, e.x)
    return State(
        w=np.ones(n),
        P=np.ones(e.X.shape),
        c=np.ones((s, n)),
        pi=e.pi,
        X=e.X,
        N=N,
        border=border,
        Y=e.Y,
        I=e.I,
        V=e.V,
        D=e.D,
        g=e.g,
        va=e.va,
        alpha=e.alpha,
        t=e.t,
        x=e.x,
        tau=np.ones((s, n, n)),
        tariff_revenue=tariff,
        export_revenue=export,
    )


def new_state(e: Economy, shock: TradeShock, solution: Solution) -> State:
    """Everything that follows from the solved wages, costs and expenditure."""
    w, P, X, pi = solution.w, solution.P, solution.X, solution.pi
    chosen = choices(e, np.log(w), np.log(P))
    c = np.exp(chosen.log_cost - np.log(shock.A))
    N, border, tariffs, exports = flows_at(e, pi, X, shock.t, shock.x)
    Y = N.sum(2) + e.inventories.sum(2) * c
    V = w * shock.L * e.V
    income = (
        V
        + tariffs
        + exports
        + (e.omega * chosen.g.sum(0) * Y).sum(0)
        - np.einsum("rod,ro->d", e.inventories, c)
        + solution.deficits
    )
    return State(
        w=w,
        P=P,
        c=c,
        pi=pi,
        X=X,
        N=N,
        border=border,
        Y=Y,
        I=income,
        V=V,
        D=solution.deficits,
        g=chosen.g,
        va=chosen.va,
        alpha=chosen.alpha,
        t=shock.t,
        x=shock.x,
        tau=shock.tau,
        tariff_revenue=tariffs,
        export_revenue=exports,
    )


def rebase(e: Economy, state: State) -> Economy:
    """The economy whose base is a solved state of `e`: the next shock starts from there."""
    return replace(
        e,
        pi=state.pi,
        X=state.X,
        t=state.t,
        x=state.x,
        I=state.I,
        V=state.V,
        D=state.D,
        g=state.g,
        va=state.va,
        alpha=state.alpha,
        inventories=e.inventories * state.c[:, :, None],
        base_gap=0.0,
    )


SPENT_UP = "income above zero"


@dataclass(frozen=True, slots=True)
class Check:
    """One equation, its largest relative miss, and where that is."""

    equation: str
    miss: float
    where: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """Misses of every equation of an equilibrium, each relative to its own size."""

    checks: tuple[Check, ...]
    tolerance: float

    @property
    def worst(self) -> Check:
        """The equation that misses most."""
        return max(self.checks, key=lambda c: c.miss)

    @property
    def passed(self) -> bool:
        """Whether every miss is within the tolerance (NaN is not)."""
        return all(c.miss <= self.tolerance for c in self.checks)


def certify(e: Economy, shock: TradeShock, state: State, tolerance: float = 1e-7) -> Certificate:
    """Check an equilibrium against the model's equations, written out anew.

    Uses only the claimed wages, prices, shares and expenditures, no part of
    the solver: zero profits, price indices and shares, goods markets, factor
    markets, budgets, trade balances, Walras' law and the numeraire. Every miss
    is a residual of an equation relative to the size of its own cell or
    economy, never the length of a step.

    Source: Caliendo & Parro (2015), equations 10-14, extended as docs/explanation/model.md says.
    """
    s, n = e.va.shape
    checks: list[Check] = []

    def note(equation: str, miss: Array) -> None:
        flat = np.abs(np.where(np.isfinite(miss), miss, np.inf)).ravel()
        i = int(flat.argmax())
        if miss.ndim == 2:
            here = np.zeros(miss.shape, bool)
            here.flat[i] = True
            where = e.cells(here)[0]
        else:
            where = e.regions[i]
        checks.append(Check(equation, float(flat[i]), where))

    # Zero profits: the cost of a unit, nest by nest.
    c, va, g, alpha = _claimed_shares(e, shock, state)
    note("zero profits", np.log(state.c / c))
    note("cost shares", np.maximum(np.abs(state.va - va), np.abs(state.g - g).max(0)))
    note("final shares", (state.alpha - alpha).reshape(s, -1))
    psi, chi = (
        np.broadcast_to(part, s)[:, None] / e.theta[:, None]
        for part in (e.variant.scale, e.variant.selection)
    )
    seen = np.log(c)
    if e.variant.has_scale:
        firms = state.N.sum(2) / np.where(e.sold > 0, e.sold, 1) / c
        # Who has shut sells nothing: its embargo stands in the shock.
        seen = seen - psi * np.log(np.where(firms > 0, firms, 1))
    # Where firms select, duties count once more and larger markets have more varieties.
    seen = seen + chi * np.log(c)
    size = np.where(e.X > 0, state.X, 1) / np.where(e.X > 0, e.X, 1)

    # Price indices and shares, by log-sum-exp over suppliers; then what is sold.
    live = e.X > 0
    log_P, off = np.zeros(e.X.shape), np.zeros(e.X.shape)
    N, border = np.zeros((s, n, n)), np.zeros((s, n, n))
    spent, t, x = np.zeros((s, n)), e.wide(shock.t), e.wide(shock.x)
    for r in range(s):
        kappa = (1 + t[r]) * (1 + x[r]) / ((1 + e.wide(e.t)[r]) * (1 + e.wide(e.x)[r]))
        kappa = kappa ** (1 + chi[r]) * e.wide(shock.tau)[r]
        shares = e.pi[r].reshape(n, -1, n)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(shares) - e.theta[r] * (np.log(kappa) + seen[r][:, None, None])
        logs = np.where(e.wide(shock.embargo)[r], -np.inf, logs).reshape(n, -1)
        top = logs.max(0)
        top = np.where(np.isfinite(top), top, 0.0)
        parts = np.exp(logs - top)
        total = parts.sum(0)
        with np.errstate(divide="ignore"):
            log_P[r] = -(np.log(total) + top) / e.theta[r] - chi[r] * np.log(size[r])
        implied = parts / np.where(total > 0, total, 1.0)
        off[r] = np.abs(implied - state.pi[r]).sum(0)
        paid = (implied * state.X[r]).reshape(n, -1, n)
        before = paid / (1 + t[r])
        border[r], N[r] = before.sum(1), (before / (1 + x[r])).sum(1)
        spent[r] = paid.sum((0, 1))
    note("price index", np.where(live, log_P - np.log(state.P), 0.0))
    note("trade shares", np.where(live, off, 0.0))

    # Goods markets: output sold, and spending implied by it.
    Y = N.sum(2) + (e.inventories * state.c[:, :, None]).sum(2)
    size = e.over_users(state.X)
    tiny = 1e-13 * np.maximum(size.sum(0), 1e-300)
    demand = spending(e, g, Y, alpha, state.I)
    per_market = np.maximum(state.X, e.on_users(tiny))
    note("goods markets", (demand - state.X) / per_market)
    note("output", (Y - state.Y) / np.maximum(np.abs(state.Y), 1e-13 * Y.sum(0)))
    # Fixed sales out of stock can exceed what is sold at all: no equilibrium then.
    short = np.minimum(Y, 0) / np.maximum(N.sum(2), tiny)
    note("output above zero (stocks drawn exceed sales)", short)

    # Factor markets and budgets.
    V = state.w * shock.L * e.V
    note("factor markets", (va * Y).sum(0) / V - 1)
    income = (
        V
        + (spent - border.sum(1)).sum(0)
        + (border - N).sum((0, 2))
        + (e.omega * g.sum(0) * Y).sum(0)
        - np.einsum("rod,ro->d", e.inventories, state.c)
        + state.D
    )
    note("budgets", income / state.I - 1)
    note(SPENT_UP, np.where(state.I > 0, 0.0, np.inf))

    # Trade balances, each relative to that economy's own trade (deficit included).
    abroad = border + e.inventories * state.c[:, :, None]
    np.einsum("rdd->rd", abroad)[...] = 0
    exports, imports = abroad.sum((0, 2)), abroad.sum((0, 1))
    gross = np.abs(abroad).sum((0, 2)) + np.abs(abroad).sum((0, 1)) + np.abs(state.D)
    gap = imports - exports - state.D
    note("trade balance", np.divide(gap, gross, out=np.abs(gap), where=gross > 0))

    world = e.V.sum()
    walras = (state.I.sum() - demand.sum() + (g.sum(0) * Y).sum()) / world
    checks.append(Check("Walras' law", float(abs(walras)), "world"))
    checks.append(Check("deficits sum to zero", float(abs(state.D.sum()) / world), "world"))
    checks.append(Check("numeraire", float(abs(V.sum() / world - 1)), "world"))
    finite = all(
        bool(np.isfinite(getattr(state, k)).all()) for k in ("w", "P", "c", "X", "Y", "I", "V")
    ) and bool((state.w > 0).all())
    checks.append(Check("finite and positive", 0.0 if finite else np.inf, "world"))
    return Certificate(tuple(checks), tolerance)


def _claimed_shares(
    e: Economy, shock: TradeShock, state: State
) -> tuple[Array, Array, Array, Array]:
    """Unit costs, value-added, input and final shares that wages and prices imply, in levels."""
    s, n = e.va.shape
    v = e.variant
    by_group = state.P.reshape(s, -1, n)
    met = by_group[:, [0] * s] if e.shared_inputs else by_group[:, :s]  # [input, using, region]
    paid = (1 + e.omega) * e.g
    bundle = paid.sum(0)
    within = paid / np.where(bundle != 0, bundle, 1)

    def combine(shares: Array, prices: Array, sigma: float) -> Array:
        if sigma == 1:
            return np.exp((shares * np.log(prices)).sum(0))
        power = (shares * prices ** (1 - sigma)).sum(0)
        return np.where(shares.sum(0) > 0, power, 1.0) ** (1 / (1 - sigma))

    inputs = combine(within, met, v.inputs)
    wage = np.broadcast_to(state.w, (s, n))
    cost = combine(np.stack([e.va, bundle]), np.stack([wage, inputs]), v.value_added)
    va = e.va * (wage / cost) ** (1 - v.value_added)
    g = e.g * (met / inputs) ** (1 - v.inputs) * (inputs / cost) ** (1 - v.value_added)
    final = by_group[:, list(e.final_users)]
    whole = e.alpha.reshape(s, -1, n)
    budget = whole.sum(0)
    share = whole / np.where(budget > 0, budget, 1)
    index = combine(share, final, v.demand)
    alpha = whole * (final / index) ** (1 - v.demand)
    return cost / shock.A, va, g, alpha.reshape(s, -1)


def require_certified(certificate: Certificate) -> None:
    """Raise NotConvergedError naming the worst equation when a certificate fails."""
    if not certificate.passed:
        worst = certificate.worst
        if worst.equation == SPENT_UP:
            raise NotConvergedError(
                f"The income of {worst.where} would fall below zero: the trade surplus it is held "
                "to exceeds what it earns. No numbers are returned; use `closure: zero`."
            )
        raise NotConvergedError(
            f"The solution failed its certificate: {worst.equation} misses by {worst.miss:.1e} at "
            f"{worst.where} (tolerance {certificate.tolerance:.0e}); no numbers are returned. "
            "Tighten the solver tolerance or make the shock smaller."
        )
