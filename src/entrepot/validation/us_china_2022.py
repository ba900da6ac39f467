"""25 % tariffs between USA and CHN on the full 2022 table: figures of three independent solvers.

To be comparable, final use here follows the simplest rule: each seller's final
sales are split over destinations like its own intermediate sales, all to home
where it has none. It is *not* the rule of the embedded worlds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.welfare import welfare
from entrepot.results.run import solve_closure
from entrepot.sources.oecd_packages import RawSales, read_2022
from entrepot.validation.cells import Cell
from entrepot.world.final_demand import split_rows
from entrepot.world.world import Sector, World

REFERENCE = {"USA": -0.0651, "CHN": -0.0939, "MEX": 0.0314, "VNM": 0.0157, "DEU": 0.0107}
LAST_GOOD = 28  # A01 to D
RATE, THETA = 0.25, 5.0


def compute(folder: Path) -> list[Cell]:
    """Exact welfare in per cent; fetches the pinned package when it is not cached."""
    del folder
    world = own_rows_world(read_2022())
    economy = calibrate(world, np.full(len(world.sectors), THETA))
    usa, chn = world.regions.index("USA"), world.regions.index("CHN")
    tariffs = economy.t.copy()
    tariffs[:LAST_GOOD, chn, usa] = RATE
    tariffs[:LAST_GOOD, usa, chn] = RATE
    solved = solve_closure(economy, replace(no_shock(economy), t=tariffs), "world_share", 1e-11)
    change = 100 * (welfare(economy, solved.base, solved.state).real_income - 1)
    return [
        Cell("25 % both ways, goods", code, "real income", value,
             float(change[world.regions.index(code)]), 0.5e-4 * 1.01)
        for code, value in REFERENCE.items()
    ]  # fmt: skip


def own_rows_world(sales: RawSales) -> World:
    """The 80 x 50 world with final sales split like each seller's intermediate sales."""
    n, s = len(sales.regions), len(sales.sectors)
    use = split_rows(sales.Z.sum(3), sales.final_sales)
    output = sales.Z.sum((2, 3)) + sales.final_sales
    return World(
        name="oecd-2022-own-rows",
        year=2022,
        regions=sales.regions,
        sectors=tuple(Sector(code, code) for code in sales.sectors),
        Z=sales.Z.reshape(n * s, n * s),
        F=use.reshape(n * s, n, 1),
        V=(output - sales.Z.sum((0, 1))).reshape(1, n * s),
        T_inputs=np.zeros(n * s),
        T_final=np.zeros((n, 1)),
        taxes="in_value_added",
        provenance={"data": sales.citation},
        atol=1e-3,
    )
