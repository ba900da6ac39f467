"""Caliendo & Parro (2015): NAFTA, from their published data.

The base is built from the raw files as the paper describes: home sales are
output less exports, final-use shares the remainder of absorption; the few
negative remainders are set to zero, as in the authors' files (alphas agree to
1e-15). Deficits are then set to zero and the base re-solved
(`balanced_first`).
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.outcome import State, rebase
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.welfare import welfare, welfare_split
from entrepot.results.run import Solved, balanced, solve_closure
from entrepot.validation.cells import Cell

Array = NDArray[np.float64]

NAFTA = ("MEX", "CAN", "USA")
SERVICES_THETA = 8.22  # non-tradables, in the authors' solution file
PRINTED = 0.005 + 1e-9  # half a unit of the second decimal

# Five-digit values of an independent solution, and exact real income (per cent).
EXACT = {
    "MEX": (1.31211, -0.41177, 1.72388, 1.71532, 0.007),
    "CAN": (-0.06382, -0.10810, 0.04429, 0.32283, -0.110),
    "USA": (0.08475, 0.04353, 0.04122, 0.11244, 0.074),
}
# NAFTA in K equal steps of the rates, each from the equilibrium before it: MEX's linear total,
# per cent (the sum falls towards the exact log change as steps shrink).
STEPS = {1: 1.312, 2: 0.636, 4: 0.318, 16: 0.084, 128: 0.017}
COLUMNS = ("total (linear)", "terms of trade", "volume of trade", "real wage", "exact real income")


def compute(folder: Path) -> list[Cell]:
    """Tables 2, 5 and 7, and the five-digit values, from the folder of raw files."""
    published = _json(folder / "published_tables.json")
    economy, tariffs_2005 = read_base(folder)
    base = balanced(economy, 1e-11)
    codes = list(economy.regions)

    inside = [codes.index(c) for c in NAFTA]
    nafta = base.t.copy()
    for o in inside:
        for d in inside:
            nafta[:, o, d] = tariffs_2005[:, o, d]
    after = _solve(base, nafta)
    world = _solve(base, tariffs_2005)

    cells = []
    split = _table(after)
    for code in NAFTA:
        i = codes.index(code)
        printed = published["Table2_NAFTA_only_no_deficit_pct"][code]
        for k, value in enumerate(printed):
            cells.append(Cell("Table 2", code, COLUMNS[k], value, split[i, k], PRINTED))
    for pair, value in published["Table5_import_growth_pct"].items():
        buyer, seller = pair.split("_from_")
        growth = _import_growth(after.base, after.state, codes.index(seller), codes.index(buyer))
        cells.append(Cell("Table 5", buyer, f"imports from {seller}", value, growth, PRINTED))
    split_world = _table(world)
    for code, printed in published["Table7_world_tariffs_pct"].items():
        if code == "cols":
            continue
        i = codes.index(code)
        for k, value in enumerate(printed):
            cells.append(Cell("Table 7", code, COLUMNS[k], value, split_world[i, k], 0.012))
    for code, values in EXACT.items():
        i = codes.index(code)
        for k, value in enumerate(values):
            near = 0.5e-5 if k < 4 else 0.5e-3
            cells.append(Cell("five digits", code, COLUMNS[k], value, split[i, k], near * 1.01))
    for count, value in STEPS.items():
        total = _linear_in_steps(base, nafta, count)[codes.index("MEX")]
        cells.append(
            Cell("equal steps", "MEX", f"linear total, K = {count}", value, total, 0.505e-3)
        )
    return cells


def _linear_in_steps(base: Economy, tariffs: Array, count: int) -> Array:
    """Sum of the linear totals (n,), per cent, when the tariffs move in equal steps."""
    total, economy = np.zeros(len(base.regions)), base
    for k in range(1, count + 1):
        solved = _solve(economy, base.t + (tariffs - base.t) * (k / count))
        total += _table(solved)[:, 0]
        economy = rebase(economy, solved.state)
    return total


def read_base(folder: Path) -> tuple[Economy, Array]:
    """The 1993 economy (its deficits included), and the tariffs of 2005 (s, n, n)."""
    codes = [row["iso3"] for row in _csv(folder / "countries.csv")]
    names = [row["sector"] for row in _csv(folder / "sectors.csv")]
    tradable = [row["sector"] for row in _csv(folder / "sectors.csv") if row["tradable"] == "1"]
    n, s, m = len(codes), len(names), len(tradable)

    def cube(name: str) -> Array:
        """Stacked (importer, exporter) blocks as [sector, origin, destination]."""
        out = np.zeros((s, n, n))
        out[:m] = _numbers(folder / "raw" / name, (m * n, n)).reshape(m, n, n).transpose(0, 2, 1)
        return out

    border = cube("xbilat1993.txt") * 1000
    tariffs, later = cube("tariffs1993.txt") / 100, cube("tariffs2005.txt") / 100
    output = _numbers(folder / "raw" / "GO.txt", (s, n))
    added = _numbers(folder / "raw" / "B.txt", (s, n))
    spend = _numbers(folder / "raw" / "IO.txt", (n * s, s)).reshape(n, s, s).transpose(1, 2, 0)
    theta = np.full(s, SERVICES_THETA)
    theta[:m] = _numbers(folder / "raw" / "T.txt", (m,))

    home = np.maximum(output - border.sum(2), 0)
    np.einsum("rdd->rd", border)[...] = home
    inputs = spend * (1 - added)
    trade = border * (1 + tariffs)
    value_added = (added * border.sum(2)).sum(0)
    deficit = border.sum((0, 1)) - border.sum((0, 2))
    income = value_added + (trade - border).sum((0, 1)) + deficit
    final = trade.sum(1) - np.einsum("rkd,kd->rd", inputs, border.sum(2))
    shares = np.maximum(final / income, 0)
    economy = economy_from_shares(
        codes,
        names,
        trade=trade / 1e6,
        tariffs=tariffs,
        inputs=inputs,
        value_added_shares=1 - inputs.sum(0),
        final_shares=shares / shares.sum(0),
        theta=theta,
        negative_inputs=True,
    )
    return economy, later


def _solve(base: Economy, tariffs: Array) -> Solved:
    shock = replace(no_shock(base), t=tariffs)
    # The base is balanced already; `zero` would solve it once more for nothing.
    return solve_closure(base, shock, "world_share", 1e-11)


def _table(solved: Solved) -> Array:
    """Per cent by region: linear total, its two terms, real wage, exact real income."""
    shock = replace(no_shock(solved.economy), t=solved.state.t)
    split = welfare_split(solved.economy, shock, solved.base, solved.state)
    hats = welfare(solved.economy, solved.base, solved.state)
    tot, vot = split["terms_of_trade"], split["volume_of_trade"]
    return 100 * np.stack([tot + vot, tot, vot, hats.real_wage - 1, hats.real_income - 1], axis=1)


def _import_growth(base: State, new: State, o: int, d: int) -> float:
    """Growth of border value, relative to world value added, per cent."""
    return float(100 * (new.border[:, o, d].sum() / base.border[:, o, d].sum() - 1))


def _numbers(path: Path, shape: tuple[int, ...]) -> Array:
    try:
        values = np.loadtxt(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({str(error)[:100]}).") from None
    if values.shape != shape:
        raise DataError(f"{path} has shape {values.shape}; {shape} was expected.")
    return np.asarray(values, dtype=float)


def _csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({str(error)[:100]}).") from None
