"""Rows on measures: dependence, circuits and footprints at 4,000 nodes, footprints beside pymrio."""

from __future__ import annotations

from statistics import median

import numpy as np

from entrepot.measure.accounts import accounts_of
from entrepot.measure.measurement import take
from entrepot.world.world import Sector, World, attach
from harness import PeerMissingError, Row, ask_peer, summary, timed

REGIONS, SECTORS = 80, 50
ACCOUNTS = ("footprint_by_origin:co2", "production_and_consumption:co2")
DEPENDENCE = ("input_reliance", "hidden_exposure", "input_dependence", "supplier_concentration",
              "market_reliance_by_route")  # fmt: skip
CIRCUITS = (
    "income_circuits",
    "demand_circuits",
    "income_by_final_buyer",
    "employment_circuits:co2",
)


def world(n: int = REGIONS, s: int = SECTORS) -> World:
    """A made-up world with dense trade and a satellite of amounts, seeded."""
    rng = np.random.default_rng(22)
    m = n * s
    near = np.full((n, n), 0.3 / n) + 2 * np.eye(n)
    A = (rng.random((n, s, n, s)) ** 6 * near[:, None, :, None]).reshape(m, m)
    A *= rng.uniform(0.3, 0.65, m) / A.sum(0)
    F = rng.random((m, n, 1)) * np.repeat(near, s, 0)[:, :, None] * 100
    x = np.linalg.solve(np.eye(m) - A, F.sum((1, 2)))
    Z = A * x
    made = World(
        name=f"made-{n}x{s}",
        year=2022,
        regions=tuple(f"R{i:02d}" for i in range(n)),
        sectors=tuple(Sector(f"S{k:02d}", f"sector {k}") for k in range(s)),
        Z=Z,
        F=F,
        V=(Z.sum(1) + F.sum((1, 2)) - Z.sum(0))[None],
        T_inputs=np.zeros(m),
        T_final=np.zeros((n, 1)),
        final_categories=("final",),
        taxes="separate",
    )
    gas = rng.uniform(0, 1, (n, s))
    return attach(made, "co2", gas, ("region", "sector"), "Mt", "made up", "sum")


def footprints() -> list[Row]:
    """The footprint of one satellite, and its production and consumption accounts, from the table."""
    table = world()
    alone = timed(lambda: take(table, "footprint:co2"), 5)
    times = timed(lambda: take(table, ACCOUNTS), 5)
    footprint = take(table, "footprint:co2").items[0].values
    accounts = take(table, ACCOUNTS).items[1].values[:, :4].T
    one = "footprint of final demand, 4,000 nodes, from the flows"
    all_ = "production and consumption accounts, by origin, 4,000 nodes"
    problem = {
        "Z": table.Z,
        "Y": table.F[:, :, 0],
        "F": table.satellites["co2"].values.reshape(1, -1),
        "regions": np.array(table.regions),
        "sectors": np.array(table.sector_codes),
    }
    try:
        timings, theirs = ask_peer("pymrio", problem, 0.0, 3)
    except PeerMissingError as error:
        return [
            Row("footprint-4000", one, median(alone), note=str(error)),
            Row("accounts-4000", all_, median(times), note=str(error)),
        ]
    inverse = f"{1e3 * median(timings['inverse']):,.0f} of theirs is the inverse; ours forms none"
    return [
        Row(
            "footprint-4000",
            one,
            median(alone),
            1e3 * median(timings["alone"]),
            float(np.abs(footprint / theirs["footprint"] - 1).max()),
            note=f"calc_x, A, L, S, M and M Y; {inverse}",
            detail={"ours": summary(alone), "theirs": timings},
        ),
        Row(
            "accounts-4000",
            all_,
            median(times),
            1e3 * median(timings["seconds"]),
            float(np.abs(accounts / theirs["accounts"] - 1).max()),
            note=f"calc_all with one extension; {inverse}",
            detail={"ours": summary(times), "theirs": timings},
        ),
    ]


def families() -> list[Row]:
    """Each family alone from the table, and one withdrawal of every economy by turns."""
    table = world()
    rows = []
    for name, what, names in (
        ("dependence-4000", "reliance, concentration, routes", DEPENDENCE),
        ("circuits-4000", "income, demand and jobs by circuit", CIRCUITS),
        ("extraction-4000", "every economy taken out once, as market and supplier",
         ("extraction_loss",)),
    ):  # fmt: skip
        times = timed(lambda names=names: take(accounts_of(table), names), 3)
        rows.append(Row(name, f"{what}, 4,000 nodes", median(times), detail=summary(times)))
    return rows


ROWS = {"footprints": footprints, "measures": families}
