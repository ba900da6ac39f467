"""The cost of a global tariff war (Lashkaripour 2021), by its formula for Nash tariffs.

Each economy charges one tariff on all imports; without inputs its best one is taken to be
(equation 14)

    t_i = 1 / sum_k theta_k sum_(d != i) (1 - pi_k,i,d) N_k,i,d / (exports of i),

shares and flows those of the tariff war itself, so tariffs and equilibrium are found together: the
formula is put in turn with our equilibrium until tariffs stand still. Nothing is maximized: the
formula leaves out that partners spend their own tariff revenue on imports too, so it is a little
above the best reply (exactly by their revenue share with two economies and one sector; see the
tests). Deficits are set to zero first.

The figures compared are of an independent solver on the same file (its default elasticities, `IS`).
The paper's own Table 2 has another source of applied tariffs: an average of 40.5 % and -2.42 %.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.outcome import State, base_state
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.welfare import welfare
from entrepot.results.run import balanced, solve_closure
from entrepot.validation.applied_tariffs import read
from entrepot.validation.cells import Cell

Array = NDArray[np.float64]

# Nash tariff and change in real GDP, per cent; the average is over economies, unweighted.
REFERENCE = {"average": (38.6, -2.43), "USA": (41.1, -0.62)}
MOST, CLOSE = 200, 1e-9


def compute(folder: Path) -> list[Cell]:
    """Nash tariffs and what they cost, 44 economies x 16 sectors."""
    base = balanced(read(folder / "WIOD2014.mat", "IS"), 1e-11)
    tariffs, state = tariff_war(base)
    loss = 100 * (welfare(base, base_state(base), state).real_income - 1)
    cells = []
    for row, (rate, change) in REFERENCE.items():
        one = slice(None) if row == "average" else [base.regions.index(row)]
        ours = float(100 * tariffs[one].mean()), float(loss[one].mean())
        cells.append(Cell("tariff war", row, "Nash tariff", rate, ours[0], 0.0505))
        cells.append(Cell("tariff war", row, "real GDP", change, ours[1], 0.00505))
    return cells


def tariff_war(base: Economy) -> tuple[Array, State]:
    """Nash tariffs (n,) and the equilibrium under them; raises DataError when they do not settle."""
    n = len(base.regions)
    abroad = ~np.eye(n, dtype=bool)
    rates = np.full(n, 0.3)
    for _ in range(MOST):
        t = np.where(abroad, rates, 0.0)
        shock = replace(no_shock(base), t=np.repeat(t[None], len(base.sectors), axis=0))
        state = solve_closure(base, shock, "world_share", 1e-11).state
        new = nash_formula(base, state)
        if np.abs(new - rates).max() < CLOSE:
            return rates, state
        rates = new
    raise DataError("the Nash tariffs do not settle.")


def nash_formula(base: Economy, state: State) -> Array:
    """Equation 14 at an equilibrium (n,)."""
    exports = state.N * ~np.eye(len(base.regions), dtype=bool)
    supply = np.einsum("k,kid->i", base.theta, exports * (1 - state.pi))
    return exports.sum((0, 2)) / supply
