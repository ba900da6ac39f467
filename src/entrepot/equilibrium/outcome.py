"""The new equilibrium written out, and its independent certificate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import NotConvergedError
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.equations import unit_costs
from entrepot.equilibrium.shock import TradeShock
from entrepot.equilibrium.solve import Solution

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class State:
    """An equilibrium in levels, million USD relative to world value added.

    `c`, `P`, `w` are hats on the base; `pi` (s, n, n) shares, `X` (s, n)
    expenditure, `N` (s, n, n) producer value of market sales, `border`
    (s, n, n) value at the border before duty, `Y` (s, n) output, `I`, `V`,
    `D` (n,) income, value added and deficit; `t`, `x`, `tau` what is in force.
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
    t: Array
    x: Array
    tau: Array
    tariff_revenue: Array


def base_state(e: Economy) -> State:
    """The base year as a State, hats one."""
    s, n = e.X.shape
    one = np.ones((s, n))
    N = e.N
    border = N * (1 + e.x)
    return State(
        w=np.ones(n),
        P=one,
        c=one,
        pi=e.pi,
        X=e.X,
        N=N,
        border=border,
        Y=e.Y,
        I=e.I,
        V=e.V,
        D=e.D,
        t=e.t,
        x=e.x,
        tau=np.ones((s, n, n)),
        tariff_revenue=(e.t * border).sum((0, 1)),
    )


def new_state(e: Economy, shock: TradeShock, solution: Solution) -> State:
    """Everything that follows from the solved wages, prices and expenditure."""
    w, P, X = solution.w, solution.P, solution.X
    log_c = unit_costs(e, np.log(w), np.log(P), np.log(shock.A))
    c = np.exp(log_c)
    pi = solution.pi
    spent = pi * X[:, None, :]
    border = spent / (1 + shock.t) if shock.t.any() else spent
    N = border / (1 + shock.x) if shock.x.any() else border
    Y = N.sum(2) + e.inventories.sum(2) * c
    V = w * shock.L * e.V
    tariffs = (spent - border).sum((0, 1))
    income = (
        V
        + tariffs
        + (border - N).sum((0, 2))
        + (e.product_tax * Y).sum(0)
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
        t=shock.t,
        x=shock.x,
        tau=shock.tau,
        tariff_revenue=tariffs,
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
    n = len(e.regions)
    theta = e.theta[:, None, None]
    checks: list[Check] = []

    def note(equation: str, miss: Array, cells: bool) -> None:
        flat = np.abs(np.where(np.isfinite(miss), miss, np.inf)).ravel()
        i = int(flat.argmax())
        if cells:
            r, d = divmod(i, n)
            where = f"{e.regions[d]} {e.sectors[r]}"
        else:
            where = e.regions[i]
        checks.append(Check(equation, float(flat[i]), where))

    # Zero profits: the cost of a unit, input by input.
    log_c = np.einsum("kd,d->kd", e.va, np.log(state.w)) - np.log(shock.A)
    log_c += (1 + e.omega) * np.einsum("rkd,rd->kd", e.g, np.log(state.P))
    note("zero profits", np.log(state.c) - log_c, True)

    # Price indices and shares, by log-sum-exp over suppliers.
    kappa = (1 + shock.t) * (1 + shock.x) * shock.tau / ((1 + e.t) * (1 + e.x))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(e.pi) - theta * (np.log(kappa) + log_c[:, :, None])
    logs[shock.embargo] = -np.inf
    top = logs.max(1, keepdims=True)
    live = e.X > 0
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.exp(logs - top).sum(1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_p = -(np.log(total[:, 0]) + top[:, 0]) / e.theta[:, None]
    note("price index", np.where(live, log_p - np.log(state.P), 0.0), True)
    implied = np.exp(logs - top) / np.where(total > 0, total, 1.0)
    note("trade shares", np.where(live, np.abs(implied - state.pi).sum(1), 0.0), True)

    # Goods markets: output sold, and spending implied by it.
    spent = implied * state.X[:, None, :]
    border = spent / (1 + shock.t)
    sold = border / (1 + shock.x)
    Y = sold.sum(2) + (e.inventories * state.c[:, :, None]).sum(2)
    tiny = 1e-13 * np.maximum(state.X.sum(0), 1e-300)
    demand = np.einsum("rkd,kd->rd", e.g, Y) + e.alpha * state.I
    note("goods markets", (demand - state.X) / np.maximum(state.X, tiny), True)
    note("output", (Y - state.Y) / np.maximum(np.abs(state.Y), 1e-13 * Y.sum(0)), True)
    # Fixed sales out of stock can exceed what is sold at all: no equilibrium then.
    short = np.minimum(Y, 0) / np.maximum(sold.sum(2), tiny)
    note("output above zero (stocks drawn exceed sales)", short, True)

    # Factor markets and budgets.
    V = state.w * shock.L * e.V
    note("factor markets", (e.va * Y).sum(0) / V - 1, False)
    income = (
        V
        + (spent - border).sum((0, 1))
        + (border - sold).sum((0, 2))
        + (e.omega * e.g.sum(0) * Y).sum(0)
        - np.einsum("rod,ro->d", e.inventories, state.c)
        + state.D
    )
    note("budgets", income / state.I - 1, False)
    note(SPENT_UP, np.where(state.I > 0, 0.0, np.inf), False)

    # Trade balances, each relative to that economy's own trade (deficit included).
    flows = border + e.inventories * state.c[:, :, None]
    abroad = flows.copy()
    np.einsum("rdd->rd", abroad)[...] = 0
    exports, imports = abroad.sum((0, 2)), abroad.sum((0, 1))
    gross = np.abs(abroad).sum((0, 2)) + np.abs(abroad).sum((0, 1)) + np.abs(state.D)
    gap = imports - exports - state.D
    note("trade balance", np.divide(gap, gross, out=np.abs(gap), where=gross > 0), False)

    world = e.V.sum()
    walras = (state.I.sum() - demand.sum() + (e.g.sum(0) * Y).sum()) / world
    checks.append(Check("Walras' law", float(abs(walras)), "world"))
    checks.append(Check("deficits sum to zero", float(abs(state.D.sum()) / world), "world"))
    checks.append(Check("numeraire", float(abs(V.sum() / world - 1)), "world"))
    finite = all(
        bool(np.isfinite(getattr(state, k)).all()) for k in ("w", "P", "c", "X", "Y", "I", "V")
    ) and bool((state.w > 0).all())
    checks.append(Check("finite and positive", 0.0 if finite else np.inf, "world"))
    return Certificate(tuple(checks), tolerance)


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
