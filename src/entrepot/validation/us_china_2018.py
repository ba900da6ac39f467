"""The 2018 tariffs between the United States and China, 7 economies x 44 sectors, 2017.

Ready-made inputs of Caliendo & Parro's model; nothing is published for them. Figures are of solvers
written apart (tests/validation), and each variant of the model is one row of VARIANTS.

In 20 cells the final demand that trade and inputs imply is negative; the published final shares,
all positive, put something there, so the base misses its own equations by 4 %. The shares are kept
as published and the base is re-solved, deficits set to zero (`balanced_first`): it is an
equilibrium near the data, not the data. All variants start from that one base.

Scale effects are three quarters of the estimates that come with the data (theta times the scale
elasticity, goods only). At the whole of them the base is unstable (leading eigenvalue of entry
+0.08, against -0.19), and no answer from it would mean much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.equilibrium.economy import Economy, with_variant
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.variants import Variant
from entrepot.equilibrium.welfare import welfare
from entrepot.results.run import balanced, solve_closure
from entrepot.validation.cells import Cell
from entrepot.validation.files import frame

Array = NDArray[np.float64]

NEGATIVE_FINAL = 20
NESTED = Variant(value_added=0.5, inputs=0.5, demand=0.5)
SCALED = 0.75


def compute(folder: Path) -> list[Cell]:
    """Real income under each variant, per cent of the balanced base."""
    economy, after, scale = read(folder)
    implied = implied_final(economy)
    cells = [
        Cell("data", "all", "negative final demands", NEGATIVE_FINAL, int((implied < 0).sum()), 0.0)
    ]
    for variant, (solve, reference) in VARIANTS.items():
        change = solve(economy, after, scale)
        cells += [
            Cell(variant, code, "real income", value, float(change[i]), 0.5e-5 * 1.01)
            for i, (code, value) in enumerate(zip(economy.regions, reference, strict=True))
        ]
    return cells


def competitive(economy: Economy, after: Array, _: Array) -> Array:
    """Caliendo & Parro (2015): (n,) per cent."""
    return under(economy, after, Variant())


def under(economy: Economy, after: Array, variant: Variant) -> Array:
    """Real income (n,), per cent of the balanced base, under a variant of the model."""
    base = with_variant(balanced(economy, 1e-11), variant)
    shock = replace(no_shock(base), t=after)
    solved = solve_closure(base, shock, "world_share", 1e-11)
    return 100 * (welfare(solved.economy, solved.base, solved.state).real_income - 1)


def without_inputs(economy: Economy, after: Array, _: Array) -> Array:
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
    return under(bare, after, Variant())


def nested(economy: Economy, after: Array, _: Array) -> Array:
    """Elasticities of one half between value added and inputs, inputs, and sectors of final use."""
    return under(economy, after, NESTED)


def scaled(economy: Economy, after: Array, scale: Array) -> Array:
    """Scale effects at `SCALED` of what comes with the data (s,)."""
    return under(economy, after, Variant(scale=SCALED * scale))


# What solves it, and real income by BRA, CHN, EU, IND, JPN, ROW, USA of an independent solver.
VARIANTS: dict[str, tuple[Callable[[Economy, Array, Array], Array], tuple[float, ...]]] = {
    "competitive": (
        competitive,
        (-0.00366, -0.17251, 0.00558, 0.02612, 0.00428, 0.00564, -0.06846),
    ),
    "nested CES": (
        nested,
        (-0.00269, -0.17150, 0.00651, 0.02725, 0.00590, 0.00954, -0.07058),
    ),
    "scale effects": (
        scaled,
        (-0.103697, -1.166323, -0.015375, -0.000170, -0.011468, -0.066068, -0.100605),
    ),
    "without inputs": (
        without_inputs,
        (-0.00009, -0.07105, 0.00443, 0.01655, 0.00455, 0.01061, -0.04011),
    ),
}


def read(folder: Path) -> tuple[Economy, Array, Array]:
    """The economy of 2017, tariffs with the increases of 2018 (s, n, n), and scale effects (s,)."""
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
    elasticities = frame(folder / "cal_elasticities.csv").to_numpy(float)
    economy = economy_from_shares(
        regions,
        [f"{k:02d}" for k in range(1, s + 1)],
        trade=cube("TradeFlow2017.csv", "tradevalue", *between),
        tariffs=tariffs,
        inputs=inputs,
        value_added_shares=1 - inputs.sum(0),
        final_shares=final / final.sum(0),
        theta=elasticities[:, 1],
    )
    return economy, after, economy.theta * np.nan_to_num(elasticities[:, 2])


def implied_final(economy: Economy) -> Array:
    """Final demand (s, n) that expenditure and inputs leave."""
    return economy.X - np.einsum("rkd,kd->rd", economy.g, economy.Y)
