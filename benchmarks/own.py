"""Our own rows: one counterfactual, a sweep, the import, and the command line."""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.iterate import precondition
from entrepot.equilibrium.outcome import base_state, certify, new_state, require_certified
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import welfare
from entrepot.scenario import select
from entrepot.scenario.lower import lower, theta_for
from entrepot.scenario.read import read_scenario
from entrepot.world.shelf import get_world, load_world
from entrepot.world.world import World, attach, trade_flows
from harness import ROOT, TOLERANCE, Row, process, summary, timed

OPENING = ROOT / "examples" / "opening.yaml"
DRAWS = ROOT / "examples" / "tariff-draws.yaml"
REPEATS = 21
Case = tuple[Economy, TradeShock]


@cache
def world(name: str) -> World:
    try:
        return load_world(name)
    except DataError:
        get_world(name)
        return load_world(name)


def goods(table: World) -> NDArray[np.intp]:
    return np.asarray(select.sectors(table, ["goods"], "benchmark"))


def tariffs(name: str) -> Case:
    """25 % between the United States and China, both ways, on all goods."""
    table = world(name)
    economy = calibrate(table, theta_for("uniform-5", table)[0])
    t = economy.t.copy()
    usa, chn = table.regions.index("USA"), table.regions.index("CHN")
    for r in goods(table):
        t[r, usa, chn] = t[r, chn, usa] = 0.25
    return economy, replace(no_shock(economy), t=t)


def opening(name: str) -> Case:
    """Trade costs 5 % lower for goods and 3 % for services among CPTPP and China."""
    found = lower(read_scenario(str(OPENING)), world(name))
    return calibrate(found.world, found.theta), found.shock


def dense(name: str) -> Case:
    """The opening from a base full of tariffs: random, 0-20 % on every goods flow (assumed).

    Importers whose sectors cannot pay such duties out of the table's value
    added are left without: calibration refuses negative value added.
    """
    table = world(name)
    s, n = len(table.sectors), len(table.regions)
    t = np.zeros((s, n, n))
    picked = goods(table)
    t[picked] = np.random.default_rng(0).uniform(0, 0.2, (len(picked), n, n))
    t[:, range(n), range(n)] = 0
    sales, _ = trade_flows(table)
    inputs = table.Z.reshape(n, s, n, s).sum(0).transpose(0, 2, 1)
    X = sales.sum(1)
    markup = np.divide((sales * (1 + t)).sum(1), X, out=np.ones_like(X), where=X > 0)
    left = (table.V.sum(0) + table.slack).reshape(n, s).T
    left = left - np.einsum("rkd,rd->kd", inputs, markup - 1)
    t[:, :, ((left < 0) & (sales.sum(2) > 0)).any(0)] = 0
    dims = ("sector", "origin", "destination")
    found = lower(
        read_scenario(str(OPENING)),
        attach(table, "tariffs", t, dims, "ad-valorem fraction", "random, for speed only"),
    )
    return calibrate(found.world, found.theta), found.shock


def counterfactual(case: Callable[[str], Case], name: str, label: str) -> list[Row]:
    economy, shock = case(name)
    s, n = economy.X.shape
    base = base_state(economy)
    pre = precondition(economy, economy.pi, economy.X)
    setup = timed(lambda: precondition(economy, economy.pi, economy.X), 5)
    solution = solve(economy, shock, pre=pre, tol=TOLERANCE)
    state = new_state(economy, shock, solution)
    certificate = certify(economy, shock, state)
    require_certified(certificate)
    solving = timed(lambda: solve(economy, shock, pre=pre, tol=TOLERANCE), REPEATS)
    writing = timed(lambda: welfare(economy, base, new_state(economy, shock, solution)), REPEATS)
    checking = timed(lambda: certify(economy, shock, state), REPEATS)
    whole = [a + b for a, b in zip(solving, writing, strict=True)]
    parts = {"solve": solving, "state+welfare": writing, "certificate": checking, "setup": setup}
    flat = {k: summary(v) for k, v in parts.items()}
    return [
        Row(
            f"{label}-{n}x{s}",
            "solve + state + welfare, warm",
            ours=median(whole),
            note=(
                f"min {min(whole):.0f}; solve {flat['solve']['median']:.0f}, state+welfare "
                f"{flat['state+welfare']['median']:.1f}; apart: certificate "
                f"{flat['certificate']['median']:.0f}, set-up {flat['setup']['median']:.0f}; "
                f"{solution.steps} steps, miss {solution.residual:.0e}"
            ),
            detail={
                **flat,
                "steps": solution.steps,
                "route": solution.route,
                "residual": solution.residual,
                "certificate_worst": certificate.worst.miss,
            },
        )
    ]


def _rows(case: Callable[[str], Case], label: str) -> list[Row]:
    out = []
    for name in ("oecd-2022-full", "world-2022"):
        try:
            out += counterfactual(case, name, label)
        except DataError as error:
            out.append(Row(f"{label} ({name})", "not measured", note=str(error)))
    return out


def counterfactual_tariffs() -> list[Row]:
    return _rows(tariffs, "tariffs")


def counterfactual_opening() -> list[Row]:
    return _rows(opening, "opening")


def counterfactual_dense() -> list[Row]:
    return _rows(dense, "dense")


def sweeping() -> list[Row]:
    """A thousand tariff draws on world-2022 by two workers: the command, from start to tables."""
    command = [*_entry(), "sweep", str(DRAWS), "--workers", "2", "--out"]
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for i in range(3):
            wall, _ = process([*command, f"{folder}/{i}"], _plain())
            text = Path(folder, str(i), "points.csv").read_text(encoding="utf-8")
            rows = list(csv.DictReader(text.splitlines()))
            assert all(row["status"] == "converged" for row in rows)
            runs.append(wall / 1e3)
    each = [1e3 * float(row["seconds"]) for row in rows]
    return [
        Row(
            "sweep-1000",
            "1,000 tariff draws on world-2022, two workers, process",
            ours=median(runs),
            unit="s",
            note=f"min {min(runs):.1f}; each point certified; median of a point {median(each):.0f} ms",
            detail={"wall_s": summary(runs), "point_ms": summary(each)},
        )
    ]


def importing() -> list[Row]:
    env = _plain()
    bare = [process([sys.executable, "-c", "pass"], env)[0] for _ in range(7)]
    ours = [process([sys.executable, "-c", "import entrepot"], env)[0] for _ in range(7)]
    run = [
        process([sys.executable, "-c", "import entrepot; entrepot.run"], env)[0] for _ in range(7)
    ]
    return [
        Row(
            "import",
            "python -c 'import entrepot', process",
            ours=median(ours),
            note=f"the interpreter alone {median(bare):.0f}; with entrepot.run loaded {median(run):.0f}",
            detail={"bare": summary(bare), "import": summary(ours), "run": summary(run)},
        )
    ]


def command_line() -> list[Row]:
    entry = _entry()
    plain = [process([*entry, "run", str(OPENING)], _plain()) for _ in range(5)]
    rows = [_process_row("cli", "entrepot run examples/opening.yaml, process", plain)]
    with tempfile.TemporaryDirectory() as folder:
        command = [*entry, "run", str(OPENING), "--out"]
        try:
            written = [process([*command, f"{folder}/{i}"], _plain()) for i in range(5)]
        except RuntimeError as error:
            return [*rows, Row("cli-out", "the same with --out", note=str(error))]
    return [*rows, _process_row("cli-out", "the same with --out", written)]


def _entry() -> list[str]:
    found = Path(sys.executable).parent / "entrepot"
    return [str(found)] if found.exists() else [sys.executable, "-m", "entrepot.cli.main"]


def _process_row(name: str, what: str, runs: list[tuple[float, float]]) -> Row:
    wall, peak = [w for w, _ in runs], [m for _, m in runs]
    return Row(
        name,
        what,
        ours=median(wall),
        note=f"min {min(wall):,.0f}; peak memory {max(peak):,.0f} MiB",
        detail={"wall": summary(wall), "peak_mib": max(peak)},
    )


def _plain() -> dict[str, str]:
    """The environment without our thread setting: the command chooses its own."""
    return {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
