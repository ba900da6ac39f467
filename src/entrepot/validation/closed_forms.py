"""Closed formulas beside the solver: made-up worlds, and applied tariffs of 2014 and 2022.

One function an entry. "Published" is the value of the formula, "computed" the solver's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.outcome import State
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.welfare import welfare
from entrepot.results.run import Solved, balanced, solve_closure
from entrepot.validation.applied_tariffs import read
from entrepot.validation.cells import Cell

Array = NDArray[np.float64]

SOLVED = 1e-12  # largest miss of an equation
EXACT = 1e-7  # per cent; a formula has no printed digits
FOUND = 1e-4  # per cent: a maximum is flat, a search finds it to half the digits of its value
# Spending of destination (column) on origin (row); three economies, one or two sectors.
ONE = [[[80.0, 9.0, 5.0], [12.0, 60.0, 7.0], [2.0, 10.0, 40.0]]]
TWO = [*ONE, [[50.0, 20.0, 8.0], [30.0, 45.0, 3.0], [4.0, 6.0, 70.0]]]
INPUTS = [[[0.2, 0.3, 0.1], [0.25, 0.1, 0.2]], [[0.1, 0.15, 0.3], [0.3, 0.2, 0.1]]]


def arkolakis_costinot_rodriguez_clare_2012(folder: Path) -> list[Cell]:
    """Real income by home shares alone, in worlds small enough to print.

    One sector: pi_dd-hat^(-1/theta); with tariffs times (1 - s)/(1 - s'), s revenue over income;
    with sectors and inputs, prod_r prod_k pi_kk-hat^(-alpha_r a_rk / theta_k), a the inverse of
    price pass-through (Costinot & Rodríguez-Clare 2014, equation 28).
    """
    del folder
    cells = []
    abroad = ~np.eye(3, dtype=bool)
    one = balanced(_made_up(ONE, [5.0]), SOLVED)
    cheaper = replace(no_shock(one), tau=np.where(abroad, 0.9, 1.0)[None])
    productive = replace(no_shock(one), A=np.array([[1.0, 1.5, 0.7]]))
    alone = replace(no_shock(one), embargo=abroad[None])
    for name, shock, first_only in (
        ("trade costs -10 %", cheaper, False),
        ("foreign productivity", productive, True),
        ("autarky", alone, False),
    ):
        cells += _beside(f"one sector, {name}", one, shock, first_only)
    taxed = balanced(_made_up(ONE, [5.0], tariff=0.1), SOLVED)
    for rate in (0.0, 0.5):
        shock = replace(no_shock(taxed), t=np.where(abroad, rate, 0.0)[None])
        cells += _beside(f"one sector, tariffs 10 % to {100 * rate:.0f} %", taxed, shock)
    two = balanced(_made_up(TWO, [3.0, 7.0], inputs=INPUTS), SOLVED)
    for name, shock in (
        ("trade costs -10 %", replace(no_shock(two), tau=np.where(abroad, 0.9, [[[1.0]]] * 2))),
        ("autarky", replace(no_shock(two), embargo=np.stack([abroad, abroad]))),
    ):
        cells += _beside(f"two sectors, inputs, {name}", two, shock)
    return cells


def gros_1987(folder: Path) -> list[Cell]:
    """The best tariff of one economy against another, found by trying.

    It is 1/(theta pi_FF), pi_FF the partner's home share under it, and for a small economy 1/theta.
    theta = 5; the economy imports a fifth of what it buys.
    """
    del folder
    theta = 5.0
    cells = []
    for size, reference, half in ((0.5, 22.9, 0.05), (0.1, 20.29, 5e-3), (0.01, 20.03, 5e-3),
                                  (0.001, 20.00, 5e-3)):  # fmt: skip
        m = size / 5
        world = _made_up([[[size - m, m], [m, 1 - size - m]]], [theta])
        rate, partner = best_tariff(world)
        row = f"{100 * size:g} % of the world"
        formula = 100 / (theta * partner)
        cells.append(Cell("best tariff", row, "reference", reference, 100 * rate, half * 1.01))
        cells.append(Cell("best tariff", row, "formula at it", formula, 100 * rate, FOUND))
    return cells


def applied_tariffs_2022(folder: Path) -> list[Cell]:
    """Real income by home and revenue shares, with the tariffs in force.

    prod_k pi_kk-hat^(-alpha_k / theta_k) (1 - s)/(1 - s'): all tariffs removed, shares the
    solver's own; and one economy cut off from all trade, where shares are known beforehand.
    Economies that make nothing in some sector have no home share to go by, and are left out.
    """
    cells = []
    for name, elasticities in (("WIOD2014", "IS"), ("WIOD2014", "U4"), ("ICIO2022", "U4")):
        base = balanced(read(folder / f"{name}.mat", elasticities), 1e-11)
        free = replace(no_shock(base), t=np.zeros_like(base.t))
        solved = solve_closure(base, free, "world_share", 1e-11)
        cells += _cells(f"{name} {elasticities}, no tariffs", solved)
        for code in ("USA", "CHN", "BRA"):
            i = base.regions.index(code)
            embargo = np.zeros_like(base.pi, dtype=bool)
            embargo[:, i, :] = embargo[:, :, i] = True
            embargo[:, i, i] = False
            cut = solve_closure(
                base, replace(no_shock(base), embargo=embargo), "world_share", 1e-11
            )
            home = base.pi[:, i, i] ** (base.alpha[:, i] / base.theta)
            gains = home.prod() * (1 - solved.base.tariff_revenue[i] / base.I[i])
            ours = welfare(base, cut.base, cut.state).real_income[i]
            cells.append(
                Cell(f"{name} {elasticities}, cut off", code, "real income",
                     100 * (float(gains) - 1), 100 * (float(ours) - 1), EXACT)
            )  # fmt: skip
    return cells


def by_shares(e: Economy, base: State, new: State) -> Array:
    """Real income (n,) by home shares, pass-through and revenue shares; nan without home sales."""
    before, after = np.einsum("rdd->rd", base.pi), np.einsum("rdd->rd", new.pi)
    home = np.divide(after, before, out=np.full_like(before, np.nan), where=before > 0)
    hat = np.log(home) / e.theta[:, None]
    prices = np.linalg.solve(np.eye(len(e.theta)) - e.pays, hat.T[:, :, None])[:, :, 0].T
    revenue = (1 - base.tariff_revenue / base.I) / (1 - new.tariff_revenue / new.I)
    return np.asarray(np.exp(-(e.alpha * prices).sum(0)) * revenue)


def best_tariff(world: Economy) -> tuple[float, float]:
    """The first economy's best tariff on the second, and the second's home share under it."""

    def under(rate: float) -> Solved:
        t = world.t.copy()
        t[:, 1, 0] = rate
        return solve_closure(world, replace(no_shock(world), t=t), "world_share", 1e-13)

    def cost(rate: float) -> float:
        solved = under(rate)
        hat = welfare(world, solved.base, solved.state).real_income[0]
        # Over the share traded: a small economy gains little, and little is hard to maximize.
        return float(-np.log(hat) / world.X[0, 1] * world.X.sum())

    found = minimize_scalar(cost, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-7})
    return float(found.x), float(under(found.x).state.pi[0, 1, 1])


def _beside(table: str, base: Economy, shock: TradeShock, first_only: bool = False) -> list[Cell]:
    solved = solve_closure(base, shock, "world_share", SOLVED)
    cells = _cells(table, solved)
    return cells[:1] if first_only else cells


def _cells(table: str, solved: Solved) -> list[Cell]:
    e = solved.economy
    formula = by_shares(e, solved.base, solved.state)
    ours = welfare(e, solved.base, solved.state).real_income
    return [
        Cell(table, code, "real income", float(100 * (a - 1)), float(100 * (b - 1)), EXACT)
        for code, a, b in zip(e.regions, formula, ours, strict=True)
        if not np.isnan(a)
    ]


def _made_up(
    trade: list[list[list[float]]],
    theta: list[float],
    tariff: float = 0.0,
    inputs: list[list[list[float]]] | None = None,
) -> Economy:
    flows = np.array(trade)
    s, n = flows.shape[:2]
    spend = np.zeros((s, s, n)) if inputs is None else np.array(inputs)
    return economy_from_shares(
        ["A", "B", "C"][:n],
        ["one", "two"][:s],
        trade=flows,
        tariffs=np.repeat(np.where(np.eye(n), 0.0, tariff)[None], s, axis=0),
        inputs=spend,
        value_added_shares=1 - spend.sum(0),
        final_shares=flows.sum(1) / flows.sum((0, 1)),
        theta=np.array(theta),
    )
