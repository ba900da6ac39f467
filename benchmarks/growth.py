"""Rows on size: by user, gradients, the path split, and how time grows with the problem."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.iterate import precondition
from entrepot.equilibrium.outcome import new_state
from entrepot.equilibrium.path import path_split
from entrepot.equilibrium.response import gradient, linearise, outcome, respond
from entrepot.equilibrium.shares import economy_from_shares
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.tangent import Given
from harness import TOLERANCE, Row, process, summary, timed
from own import tariffs

# What one process does for the by-user row: calibrate, solve, and say what it needed.
BY_USER = """
import json, resource, sys, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.iterate import precondition
from entrepot.equilibrium.outcome import base_state, certify, new_state
from entrepot.equilibrium.response import gradient, linearise, outcome
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import welfare
from entrepot.world.shelf import load_world
def clock(work, times=1):
    out = []
    for _ in range(times):
        began = time.perf_counter()
        found = work()
        out.append(1e3 * (time.perf_counter() - began))
    return found, out
world = load_world("oecd-2022-full")
e, setup = clock(lambda: calibrate(world, np.full(50, 5.0), sourcing="by_user"))
pre, more = clock(lambda: precondition(e, e.pi, e.X))
usa, chn = world.regions.index("USA"), world.regions.index("CHN")
t = e.t.copy()
t[:28, usa, chn] = t[:28, chn, usa] = 0.25
shock, base = replace(no_shock(e), t=t), base_state(e)
def counterfactual():
    found = solve(e, shock, pre=pre, tol=1e-9)
    state = new_state(e, shock, found)
    welfare(e, base, state)
    return found, state
(found, state), times = clock(counterfactual, 7)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
certificate, checking = clock(lambda: certify(e, shock, state))
def all_tariffs():
    linear = linearise(e, shock, state, pre=pre)
    return gradient(linear, outcome(state, "real_income", np.eye(80)[usa]))
slope, sloping = clock(all_tariffs, 3)
Path(sys.argv[1]).write_text(json.dumps({
    "times": times, "calibrate": setup[0], "pre": more[0], "peak": peak, "steps": found.steps,
    "miss": found.residual, "certify": checking[0], "worst": certificate.worst.miss,
    "gradient": sloping, "residual": slope.residual, "shares": e.pi.size,
}))
"""


def by_user() -> list[Row]:
    """80 x 50 with every using sector and final-use category on its own sourcing mix."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        process([sys.executable, "-c", BY_USER, str(out)])
        got = json.loads(out.read_text())
    return [
        Row(
            "by-user-80x50",
            f"{got['shares'] / 1e6:.0f} million shares: solve + state + welfare, warm",
            ours=median(got["times"]),
            note=(
                f"min {min(got['times']):.0f}; peak {got['peak']:,.0f} MiB, world included; apart: "
                f"calibration {got['calibrate']:,.0f}, linear response {got['pre']:.0f}, certificate "
                f"{got['certify']:.0f}; {got['steps']} steps, miss {got['miss']:.0e}; gradient by all "
                f"320,000 tariffs {min(got['gradient']):,.0f}"
            ),
            detail=got,
        )
    ]


def gradients() -> list[Row]:
    """The gradient of one real income by all tariffs, one response, and the path split."""
    rows = []
    for name in ("oecd-2022-full", "world-2022"):
        e, shock = tariffs(name)
        s, n = e.va.shape
        pre = precondition(e, e.pi, e.X)
        state = new_state(e, shock, solve(e, shock, pre=pre, tol=TOLERANCE))
        weights = np.zeros(n)
        weights[e.regions.index("USA")] = 1

        def by_all(e: Economy = e, shock: TradeShock = shock, state=state, pre=pre, at=weights):
            linear = linearise(e, shock, state, pre=pre)
            return gradient(linear, outcome(state, "real_income", at))

        def one(e: Economy = e, shock: TradeShock = shock, state=state, pre=pre):
            linear = linearise(e, shock, state, pre=pre)
            return respond(linear, Given(A=np.full(e.va.shape, 0.01)))

        solving = timed(
            lambda e=e, shock=shock, pre=pre: solve(e, shock, pre=pre, tol=TOLERANCE), 21
        )
        sloping, moving = timed(by_all, 21), timed(one, 11)
        path = timed(lambda e=e, s=shock, x=state, p=pre: path_split(e, s, x, pre=p), 3)
        found, split = by_all(), path_split(e, shock, state, pre=pre)
        rows.append(
            Row(
                f"gradient-{n}x{s}",
                f"one outcome by all {e.t.size:,} tariffs",
                ours=median(sloping),
                note=(
                    f"min {min(sloping):.0f}; {median(sloping) / median(solving):.1f} solves of "
                    f"{median(solving):.0f} (minima: {min(sloping) / min(solving):.1f}); residual "
                    f"{found.residual:.0e}; one forward response {median(moving):.0f}; path split "
                    f"{median(path):,.0f} ({split.nodes} points, left over "
                    f"{np.abs(split.left_over).max():.0e})"
                ),
                detail={"gradient": summary(sloping), "solve": summary(solving)},
            )
        )
    return rows


def made_up(n: int, s: int) -> Economy:
    """A dense random economy of any size, by gravity; for speed only."""
    rng = np.random.default_rng([n, s])
    size = rng.lognormal(0, 1, n)
    near = np.exp(rng.normal(0, 1, (s, n, n))) * size[:, None]
    near[:, range(n), range(n)] *= 4 * n
    pi = near / near.sum(1, keepdims=True)
    g = rng.gamma(2, 1, (s, s, n))
    g *= rng.uniform(0.3, 0.6, (s, n)) / g.sum(0)
    alpha = rng.gamma(2, 1, (s, n))
    alpha /= alpha.sum(0)
    X = alpha * size
    for _ in range(300):  # incomes that trade balances support
        Y = np.einsum("rod,rd->ro", pi, X)
        X = np.einsum("rkd,kd->rd", g, Y) + alpha * ((1 - g.sum(0)) * Y).sum(0)
    return economy_from_shares(
        [f"R{i}" for i in range(n)],
        [f"S{k}" for k in range(s)],
        trade=pi * X[:, None],
        tariffs=np.zeros((s, n, n)),
        inputs=g,
        value_added_shares=1 - g.sum(0),
        final_shares=alpha,
        theta=rng.uniform(3, 8, s),
    )


def growth() -> list[Row]:
    """Time against regions, sectors and tolerance; the exponents fitted in logs."""
    rows = [
        _law("regions", [(n, 30) for n in (20, 40, 80, 160)]),
        _law("sectors", [(60, s) for s in (12, 25, 50, 100)]),
    ]
    e = made_up(80, 50)
    shock, pre = _opening(e), precondition(e, e.pi, e.X)
    parts = []
    for tol in (1e-6, 1e-8, 1e-10, 1e-12):
        found = solve(e, shock, pre=pre, tol=tol)
        times = timed(lambda tol=tol: solve(e, shock, pre=pre, tol=tol), 7)
        parts.append((f"{tol:.0e}", found.steps, median(times)))
    text = "; ".join(f"{name}: {steps} steps, {ms:.0f}" for name, steps, ms in parts)
    rows.append(Row("growth-tolerance", "80 x 50 by tolerance", ours=parts[-1][2], note=text))
    return rows


def _opening(e: Economy) -> TradeShock:
    tau = np.full(e.t.shape, 0.95)
    tau[:, range(len(e.regions)), range(len(e.regions))] = 1
    return replace(no_shock(e), tau=tau)


def _law(axis: str, sizes: Sequence[tuple[int, int]]) -> Row:
    at, times, text = [], [], []
    for n, s in sizes:
        e = made_up(n, s)
        shock, pre = _opening(e), precondition(e, e.pi, e.X)
        found = solve(e, shock, pre=pre, tol=TOLERANCE)
        ms = timed(lambda e=e, h=shock, p=pre: solve(e, h, pre=p, tol=TOLERANCE), 7)
        setup = timed(lambda e=e: precondition(e, e.pi, e.X), 3)
        at.append(n if axis == "regions" else s)
        times.append(min(ms))
        text.append(f"{n} x {s}: {min(ms):.1f} ({found.steps} steps; set-up {min(setup):.0f})")
    power = np.polyfit(np.log(at), np.log(times), 1)[0]
    last = np.log(times[-1] / times[-2]) / np.log(at[-1] / at[-2])
    note = f"about {axis}^{power:.1f}, ^{last:.1f} at the end; minima: " + "; ".join(text)
    return Row(f"growth-{axis}", f"one solve, warm, by {axis}", ours=times[-1], note=note)


ROWS = {"by-user": by_user, "gradient": gradients, "growth": growth}
