"""An Advanced Guide to Trade Policy Analysis (Yotov, Piermartini, Monteiro & Larch 2016), chapter 2.

One-sector general-equilibrium gravity, 69 economies, sigma = 7, so theta = 6.
Trade costs T = t^(1 - sigma) are estimated by PPML; the base is the fitted
trade, and prices move until endowments sell. The Guide solves by re-estimating
exporter and importer effects in a loop (its box 2). Written out, with trade
a_i T_ij b_j and p_i^(1 - sigma) = a_i-hat, one turn of the loop is

    m_i = p_i Y_i / (sales of i),     a_i <- m_i a_i,     b_i <- m_i b_i,

and it stops when one turn moves prices like the turn before, to 0.01. Sellers'
markets clear in its limit, up to a common factor; buyers' budgets do not, for
nothing in the loop adds up what an importer spends. What it prints is an exact
equilibrium of our model all the same, of an economy with slightly other
endowments and transfers:

- endowments L_i = (sales of i) / (p_i Y_i);
- transfers D_j = (purchases of j) - (sales of j);
- its inward resistance is our price index times (phi_j p_j Y_j / purchases of j)^(1/(1 - sigma)),
  phi_j base spending over output.

`compute` runs the loop, hands these endowments and transfers to our solver, and
compares what comes back with the printed tables. `cleared` is the same shock
with endowments as they were and all markets clear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.outcome import State, certify, new_state, require_certified
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import solve
from entrepot.results.run import solve_closure
from entrepot.validation.cells import Cell
from entrepot.validation.files import sheet
from entrepot.validation.yotov_2016_base import Application, applications, effects

Array = NDArray[np.float64]

SIGMA = 7.0
STOP = 0.01
# Their spreadsheets print all of double precision, of estimates that stop near the fourth decimal.
THIRD_DECIMAL = 0.5e-3 * 1.01
COLUMNS = ("exports, conditional", "exports", "factory price", "inward resistance", "real GDP")
RESULTS = {
    "all borders removed": "Applications__1_TradeWithoutBorder__Results__1_TradeWithoutBorder_FULL",
    "CAN-USA border removed, average": "Exercises__1_RemovingSpecificBorder__Results__FULL_part_A",
    "CAN-USA border removed, own": "Exercises__1_RemovingSpecificBorder__Results__FULL_part_BC",
    "CAN-USA border removed, CAN's exports": (
        "Exercises__1_RemovingSpecificBorder__Results__FULL_part_D"
    ),
    "NAFTA, as any agreement": "Applications__2_RTAsEffects__Results__2_RTAsEffects_FULL",
    "NAFTA, its own effect": "Exercises__2_RTAImpacts__Results__FULL",
}
# Coefficients as in the log files of the published programs.
PRINTED = {
    "borders": {"distance": "-.7912879", "contiguity": ".6736456", "border": "-2.47445"},
    "borders, CAN-USA apart": {
        "distance": "-.7672372",
        "contiguity": ".6284654",
        "border": "-2.533003",
        "CAN-USA border": "-1.987681",
    },
    "agreements": {"agreement": ".5571853"},
    "agreements, NAFTA apart": {"agreement": ".4452111", "NAFTA": ".9475133"},
}


@dataclass(frozen=True, eq=False)
class Answer:
    """Hats (n,) and trade (n, n), million USD, with the reference importer's price index one."""

    price: Array
    index: Array
    trade: Array


def compute(folder: Path) -> list[Cell]:
    """Six tables of the Guide, 69 economies each, and the estimates behind them."""
    found, estimates = applications(folder)
    cells = [
        Cell("estimates", name, term, float(digits), estimates[name][term], _half(digits))
        for name, terms in PRINTED.items()
        for term, digits in terms.items()
    ]
    for table, app in found.items():
        path = folder / "expected_ge_results" / f"Chapter2__{RESULTS[table]}.xls"
        _, rows, printed = sheet(path)
        columns = np.stack(as_printed(app), axis=1)
        for code, values in zip(rows, printed, strict=True):
            ours = columns[app.codes.index(code)]
            cells += [
                Cell(table, code, column, float(value), float(our), THIRD_DECIMAL)
                for column, value, our in zip(COLUMNS, values, ours, strict=False)
            ]
    return cells


def as_printed(app: Application) -> tuple[Array, Array, Array, Array, Array]:
    """The published columns, per cent, each solved for with the endowments the loop implies."""
    held, loop, E = conditional(app), full(app), app.trade.sum(0)
    ours_held = through_our_solver(app, held, E)
    return (
        per_cent(app, ours_held)[0],
        *per_cent(app, through_our_solver(app, loop, loop.price * E)),
    )


def per_cent(app: Application, answer: Answer) -> tuple[Array, Array, Array, Array]:
    """Exports, factory price, inward resistance and real GDP, by the Guide's formulas."""
    away = ~np.eye(len(app.codes), dtype=bool)
    exports = (answer.trade * away).sum(1) / (app.trade * away).sum(1)
    real = answer.price / answer.index
    if app.undone:  # the price alone keeps the base below the line
        exports, index, real = 1 / exports, 1 / answer.index, 1 / real
        return 100 * (exports - 1), 100 * (1 - answer.price), 100 * (index - 1), 100 * (real - 1)
    return (
        100 * (exports - 1),
        100 * (answer.price - 1),
        100 * (answer.index - 1),
        100 * (real - 1),
    )


def cleared(app: Application) -> Answer:
    """The equilibrium proper: endowments as they were, spending in proportion to output."""
    economy, shock = endowment_economy(app)
    state = solve_closure(economy, shock, "proportional", 1e-12).state
    return _answer(app, state, state.P[0])


def conditional(app: Application) -> Answer:
    """The Guide's conditional equilibrium: nominal outputs and expenditures stay."""
    a0, b0 = effects(app, app.before)
    a1, b1 = effects(app, app.after)
    exponent = 1 / (1 - SIGMA)
    return Answer((a1 / a0) ** exponent, (b0 / b1) ** exponent, a1[:, None] * app.after * b1)


def full(app: Application) -> Answer:
    """The Guide's loop for the full endowment equilibrium, stopped where it stops."""
    Y, home = app.trade.sum(1), app.home
    exponent = 1 / (1 - SIGMA)
    a0, b0 = effects(app, app.before)
    a, b = effects(app, app.after)
    price, step, moved = (a / a0) ** exponent, (a / a0) ** exponent, np.zeros_like(Y)
    while True:
        change, moved = step - moved, step  # of one turn's price changes on the one before
        turn = price * Y / (a[:, None] * app.after * b).sum(1)
        # Its normalization: the importer effect of the reference is one.
        a, b = a * turn * turn[home], b * turn / turn[home]
        sales = (a[:, None] * app.after * b).sum(1)
        size = sales[home] / Y[home]  # the reference importer's spending, over the base's
        new = (a / a0 / size) ** exponent
        price, step = new, new / price
        if change.std() <= STOP and abs(change.max()) <= STOP:
            break
    resistance = sales / Y * b0 / (b * size)
    turn = price * Y / sales
    return Answer(price, resistance**exponent, a[:, None] * app.after * b * turn)


def through_our_solver(app: Application, theirs: Answer, budget: Array) -> Answer:
    """Our equilibrium with the endowments and transfers that their answer implies.

    `budget` (n,) is the spending from which theirs computes inward resistance.
    """
    economy, shock = endowment_economy(app)
    sales, spent = theirs.trade.sum(1), theirs.trade.sum(0)
    scale = economy.V.sum() / sales.sum()  # our world value added stays
    shock = replace(shock, L=sales / (theirs.price * app.trade.sum(1)))
    solution = solve(economy, shock, deficit=(spent - sales) * scale, tol=1e-12)
    state = new_state(economy, shock, solution)
    require_certified(certify(economy, shock, state, 1e-10))
    wedge = (budget / spent) ** (1 / (1 - SIGMA))
    return _answer(app, state, state.P[0] * wedge)


def endowment_economy(app: Application) -> tuple[Economy, TradeShock]:
    """One sector, no inputs, theta = sigma - 1."""
    n = len(app.codes)
    economy = economy_from_shares(
        app.codes,
        ["manufactures"],
        trade=app.trade[None],
        tariffs=np.zeros((1, n, n)),
        inputs=np.zeros((1, 1, n)),
        value_added_shares=np.ones((1, n)),
        final_shares=np.ones((1, n)),
        theta=np.array([SIGMA - 1]),
    )
    tau = (app.after / app.before)[None] ** (1 / (1 - SIGMA))
    return economy, replace(no_shock(economy), tau=tau)


def _answer(app: Application, state: State, index: Array) -> Answer:
    unit = index[app.home]
    return Answer(state.w / unit, index / unit, state.N[0] / unit)


def _half(digits: str) -> float:
    """Half a unit of the last printed digit."""
    return 0.5 * 10.0 ** -len(digits.split(".")[1]) * 1.01
