"""The 2018 tariffs between the United States and China, 7 economies x 44 sectors, 2017.

Ready-made inputs of Caliendo & Parro's model; nothing is published for them. Figures are of solvers
written apart (tests/validation), and each variant of the model is one row of VARIANTS.

In 20 cells the final demand that trade and inputs imply is negative; the published final shares,
all positive, put something there, so the base misses its own equations by 4 %. The shares are kept
as published and the base is re-solved, deficits set to zero (`balanced_first`): it is an
equilibrium near the data, not the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.welfare import welfare
from entrepot.results.run import solve_closure
from entrepot.validation.cells import Cell
from entrepot.validation.files import frame

Array = NDArray[np.float64]

NEGATIVE_FINAL = 20


def compute(folder: Path) -> list[Cell]:
    """Real income under each variant, per cent of the balanced base."""
    economy, after = read(folder)
    implied = implied_final(economy)
    cells = [
        Cell("data", "all", "negative final demands", NEGATIVE_FINAL, int((implied < 0).sum()), 0.0)
    ]
    for variant, (solve, reference) in VARIANTS.items():
        change = solve(economy, after)
        cells += [
            Cell(variant, code, "real income", value, float(change[i]), 0.5e-5 * 1.01)
            for i, (code, value) in enumerate(zip(economy.regions, reference, strict=True))
        ]
    return cells


def competitive(economy: Economy, after: Array) -> Array:
    """Caliendo & Parro (2015): (n,) per cent."""
    shock = replace(no_shock(economy), t=after)
    solved = solve_closure(economy, shock, "balanced_first", 1e-11)
    return 100 * (welfare(solved.economy, solved.base, solved.state).real_income - 1)


def without_inputs(economy: Economy, after: Array) -> Array:
    """The same trade, all of it final and made by labour alone: (n,) per cent."""
    bare = replace(
        economy,
        g=np.zeros_like(economy.g),
        va=np.ones_like(economy.va),
        alpha=economy.X / economy.X.sum(0),
        I=economy.X.sum(0),
        V=economy.Y.sum(0),
        base_gap=0.0,
    )
    return competitive(bare, after)


# What solves it, and real income by BRA, CHN, EU, IND, JPN, ROW, USA of an independent solver.
VARIANTS: dict[str, tuple[Callable[[Economy, Array], Array], tuple[float, ...]]] = {
    "competitive": (
        competitive,
        (-0.00366, -0.17251, 0.00558, 0.02612, 0.00428, 0.00564, -0.06846),
    ),
    "without inputs": (
        without_inputs,
        (-0.00009, -0.07105, 0.00443, 0.01655, 0.00455, 0.01061, -0.04011),
    ),
}


def read(folder: Path) -> tuple[Economy, Array]:
    """The economy of 2017, and tariffs with the increases of 2018 (s, n, n)."""
    flows = frame(folder / "TradeFlow2017.csv")
    regions = sorted(map(str, flows["iso_o"].unique()))
    s, n = int(flows["indcode"].max()), len(regions)

    def cube(name: str, value: str, *axes: str) -> Array:
        """One number a row, laid out by the codes of its axes."""
        rows = frame(folder / name)
        try:
            where = tuple(
                rows[a].map(regions.index) if a.startswith("iso") else rows[a] - 1 for a in axes
            )
            out = np.full([n if a.startswith("iso") else s for a in axes], np.nan)
            out[where] = rows[value]
        except (KeyError, ValueError, IndexError) as error:
            raise DataError(f"{folder / name}: {error}.") from None
        return out

    between = ("indcode", "iso_o", "iso_d")
    tariffs = cube("tariff_prewar2017.csv", "AHS_simple", *between)
    added = cube("vashare.csv", "vashare", "indcode", "iso_o")
    spend = cube("IOshare.csv", "valueshare", "input_ind", "output_ind", "iso_o")
    final = cube("finalshare.csv", "finalshare", "input_ind", "iso_o")
    inputs = (1 - added) * spend / spend.sum(0)
    after = tariffs.copy()
    usa, china = regions.index("USA"), regions.index("CHN")
    for name, column, o, d in (
        ("tariff_Trump.csv", "trump_tariff_wave5", china, usa),
        ("tariff_China.csv", "China_tariff_wave5", usa, china),
    ):
        after[:, o, d] += np.nan_to_num(cube(name, column, "indcode"))  # services have none
    economy = economy_from_shares(
        regions,
        [f"{k:02d}" for k in range(1, s + 1)],
        trade=cube("TradeFlow2017.csv", "tradevalue", *between),
        tariffs=tariffs,
        inputs=inputs,
        value_added_shares=1 - inputs.sum(0),
        final_shares=final / final.sum(0),
        theta=frame(folder / "cal_elasticities.csv").iloc[:, 1].to_numpy(float),
    )
    return economy, after


def implied_final(economy: Economy) -> Array:
    """Final demand (s, n) that expenditure and inputs leave."""
    return economy.X - np.einsum("rkd,kd->rd", economy.g, economy.Y)
