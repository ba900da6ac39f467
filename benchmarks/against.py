"""Rows with a peer: the same problem, the same answer, both times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.iterate import precondition
from entrepot.equilibrium.outcome import State, base_state, certify, new_state, require_certified
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import Welfare, welfare
from entrepot.scenario.lower import theta_for
from harness import TOLERANCE, PeerMissingError, Row, ask_peer, summary, timed
from own import goods, world

Array = NDArray[np.float64]
SIGMA = 5.0
LIMIT = 1e6  # the elasticity that stands for infinity in `fixed_income`
CUT = 0.10  # trade costs between the five members fall by this


def answer(economy: Economy, shock: TradeShock) -> tuple[State, Welfare, list[float], float]:
    """State, welfare, times of solve + state + welfare + certificate, and time of the set-up."""
    base = base_state(economy)
    pre = precondition(economy, economy.pi, economy.X)
    setup = timed(lambda: precondition(economy, economy.pi, economy.X), 3)

    def once() -> tuple[State, Welfare]:
        solution = solve(economy, shock, pre=pre, tol=TOLERANCE)
        state = new_state(economy, shock, solution)
        found = welfare(economy, base, state)
        require_certified(certify(economy, shock, state))
        return state, found

    times = timed(once, 21)
    return *once(), times, median(setup)


def gravity_problem(n: int) -> dict[str, Any]:
    """n economies on a plane, with outputs, expenditures (unequal) and costs; seeded by n.

    Trade is structural gravity fitted to both margins, so that the data are
    what gegravity calls modelled baseline trade.
    """
    rng = np.random.default_rng(n)
    Y = np.exp(rng.normal(12, 1.2, n))
    E = Y * (1 + rng.uniform(-0.08, 0.08, n))
    E *= Y.sum() / E.sum()
    place = rng.uniform(0, 1, (n, 2))
    far = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) + 0.05
    log_cost = -0.9 * np.log(far / 0.05) - 1.5 * (1 - np.eye(n))
    cost = np.exp(log_cost)
    a, b = np.ones(n), np.ones(n)
    for _ in range(20_000):
        a = Y / (cost @ b)
        b = E / (cost.T @ a)
        if np.abs(a * (cost @ b) / Y - 1).max() < 1e-15:
            break
    new = log_cost.copy()
    new[:5, :5] -= (SIGMA - 1) * np.log(1 - CUT) * (1 - np.eye(5))
    trade = a[:, None] * cost * b
    return {
        "names": np.array([f"C{i:03d}" for i in range(n)]),
        "Y": trade.sum(1),
        "E": trade.sum(0),
        "trade": trade,
        "log_cost": log_cost,
        "log_cost_new": new,
        "sigma": SIGMA,
    }


def endowment(problem: dict[str, Any], theta: float) -> tuple[Economy, TradeShock]:
    """One sector, no inputs; the cost change is in t^(1 - sigma), whatever our elasticity."""
    n = len(problem["names"])
    economy = economy_from_shares(
        list(problem["names"]),
        ["all"],
        trade=problem["trade"][None],
        tariffs=np.zeros((1, n, n)),
        inputs=np.zeros((1, 1, n)),
        value_added_shares=np.ones((1, n)),
        final_shares=np.ones((1, n)),
        theta=np.array([theta]),
    )
    tau = np.exp(-(problem["log_cost_new"] - problem["log_cost"]) / theta)[None]
    return economy, replace(no_shock(economy), tau=tau)


def gegravity(n: int, repeats: int) -> list[Row]:
    """gegravity's OneSectorGE; `docs/performance.md` derives the mapping used here."""
    problem = gravity_problem(n)
    theirs, arrays = ask_peer("gegravity", problem, 1e-8, repeats)
    theta = SIGMA - 1

    # Its equations keep nominal output and expenditure at the base: our limit of a large elasticity.
    economy, shock = endowment(problem, LIMIT)
    state, _, times, setup = answer(economy, shock)
    price = state.w ** (LIMIT / theta)
    index = state.P[0] ** (LIMIT / theta)
    price, index = price / index[0], index / index[0]  # its reference importer's index is one
    flows = state.N[0] * np.outer(price, price) * problem["Y"].sum() / (price @ problem["Y"])
    gap = max(
        np.abs(price / index - (1 + arrays["gdp"] / 100)).max(),
        np.abs(price / arrays["price"] - 1).max(),
        np.abs(flows / arrays["trade"] - 1).max(),
    )

    # The endowment economy proper: incomes move with prices, markets clear.
    economy, shock = endowment(problem, theta)
    state, found, own_times, _ = answer(economy, shock)
    apart = np.abs(100 * (found.real_wage - 1) - arrays["gdp"]).max()
    uncleared = np.abs(arrays["trade"].sum(1) / (arrays["price"] * problem["Y"]) - 1).max()
    # Endowments that keep incomes fixed at its prices must give back its prices.
    again, _, _, _ = answer(economy, replace(shock, L=1 / arrays["price"]))
    identity = max(
        np.ptp(np.log(again.w / arrays["price"])),
        np.abs(again.w / again.P[0] / (1 + arrays["gdp"] / 100) - 1).max(),
    )
    seconds = [1e3 * x for x in theirs["seconds"]]
    return [
        Row(
            f"gegravity-{n}",
            f"{n} economies, one sector, its equations",
            ours=median(times),
            theirs=median(seconds),
            difference=float(gap),
            note=(
                f"real GDP, prices, trade; fastest: ours {min(times):.1f}, theirs "
                f"{min(seconds):,.0f}; set-up apart: ours {setup:.1f}, "
                f"theirs {1e3 * median(theirs['setup']):,.0f}"
            ),
            detail={"ours": summary(times), "theirs": summary(seconds), "peer": theirs},
        ),
        Row(
            f"gegravity-{n}-cleared",
            "the same shock, markets cleared (ours only)",
            ours=median(own_times),
            note=(
                f"not the same equations: real GDP up to {apart:.2f} points apart; in its answer "
                f"sales miss output by up to {uncleared:.2%}; with its implied endowments ours "
                f"returns its answer to {identity:.0e}"
            ),
            detail={
                "ours": summary(own_times),
                "points": float(apart),
                "identity": float(identity),
            },
        ),
    ]


def puremacro(repeats: int) -> list[Row]:
    """puremacro's CaliendoParroModel on the OECD 2019 G20 table it ships (our world-2019-g20)."""
    table = world("world-2019-g20")
    base = calibrate(
        table, theta_for("uniform-5", table)[0], taxes="in_value_added", inventories="netted"
    )
    # World value added is one: its stopping rule has an absolute part in units of money.
    economy = economy_from_shares(
        base.regions,
        base.sectors,
        trade=base.pi * base.X[:, None, :] / base.V.sum(),
        tariffs=base.t,
        inputs=base.g,
        value_added_shares=base.va,
        final_shares=base.alpha,
        theta=base.theta,
    )
    t = economy.t.copy()
    usa, chn = table.regions.index("USA"), table.regions.index("CHN")
    for r in goods(table):
        t[r, usa, chn] = t[r, chn, usa] = 0.25
    shock = replace(no_shock(economy), t=t)
    names = ("pi", "va", "g", "alpha", "theta", "V", "D", "t")
    problem = {k: getattr(economy, k) for k in names} | {"t_new": t}
    theirs, arrays = ask_peer("puremacro", problem, TOLERANCE, repeats)
    state, found, times, setup = answer(economy, shock)
    gap = max(
        np.abs(found.real_income - arrays["welfare"]).max(),
        np.abs(state.w / arrays["wage"] - 1).max(),
        np.abs(state.X / arrays["X"] - 1).max(),
    )
    seconds = [1e3 * x for x in theirs["seconds"]]
    return [
        Row(
            "puremacro-20x20",
            "20 economies, 20 sectors, USA-CHN 25 % on goods",
            ours=median(times),
            theirs=median(seconds),
            difference=float(gap),
            note=(
                f"welfare, wages, expenditure; fastest: ours {min(times):.1f}, theirs "
                f"{min(seconds):,.0f}; {theirs['iterations']} of its iterations; set-up apart: "
                f"ours {setup:.1f}, theirs {1e3 * median(theirs['setup']):,.0f}"
            ),
            detail={"ours": summary(times), "theirs": summary(seconds), "peer": theirs},
        )
    ]


def _row(name: str, work: Callable[[], list[Row]]) -> Callable[[], list[Row]]:
    def guarded() -> list[Row]:
        try:
            return work()
        except PeerMissingError as error:
            return [Row(name, "not measured", note=str(error).replace("\n", " "))]

    return guarded


ROWS = {
    "gegravity-30": _row("gegravity-30", partial(gegravity, 30, 5)),
    "gegravity-100": _row("gegravity-100", partial(gegravity, 100, 1)),
    "puremacro": _row("puremacro", partial(puremacro, 3)),
}
