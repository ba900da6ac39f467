"""Rows on value chains: every exporter, sector and partner; what needs no inverse; a large table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import ROOT, Row

REGIONS, SECTORS = 80, 50
LARGE = (160, 125)

WORLD = """
import json, resource, sys, time
import numpy as np
from entrepot.measure.accounts import accounts_of
from entrepot.measure.chains import value_chains
from entrepot.measure.measurement import take
from entrepot.world.world import Sector, World

def made_up(n, s, seed=7):
    # Sizes as skewed as the world's, two thirds of inputs from home, a fifth of cells empty.
    rng = np.random.default_rng(seed)
    m = n * s
    size = np.repeat(np.exp(rng.normal(0, 1.5, n)), s) * np.exp(rng.normal(0, 1, m))
    x = 1e6 * size / size.sum() * m
    Z = np.empty((m, m))
    for i in range(n):
        home = slice(i * s, (i + 1) * s)
        block = rng.random((m, s))
        block *= (block < 0.8) * x[:, None]
        block[home] *= 2 * block.sum(0) / block[home].sum(0)
        Z[:, home] = block * (rng.uniform(0.3, 0.6, s) * x[home] / block.sum(0))
    sold = Z.sum(1)
    Z *= np.minimum(1, 0.8 * x / sold)[:, None]
    rest = x - Z.sum(1)
    F = rest[:, None] * rng.dirichlet(np.ones(n), m) * 0.3
    F[np.arange(m), np.repeat(np.arange(n), s)] += rest - F.sum(1)
    V = x - Z.sum(0)
    Z.flags.writeable = False
    return World(
        f"made-up {n} x {s}", 2020, tuple(f"R{i:03d}" for i in range(n)),
        tuple(Sector(f"S{k:03d}", f"sector {k}") for k in range(s)),
        Z, F[:, :, None], V[None], np.zeros(m), np.zeros((n, 1)), rtol=1e-9, atol=1e-3,
    )

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

out = []
def clock(name, work):
    began = time.perf_counter()
    found = work()
    out.append((name, 1e3 * (time.perf_counter() - began), peak()))
    print(out[-1], file=sys.stderr)
    return found

n, s = int(sys.argv[1]), int(sys.argv[2])
world = made_up(n, s)
out.append(("the world", 0.0, peak()))
"""
DECOMPOSE = """
found = clock("all", lambda: value_chains(world))
assert found.attrs["residual"] < 1e-9, found.attrs["residual"]
print(json.dumps(out))
"""
SINGLY = """
for name in ("upstreamness", "gvc_participation", "tripartite_participation_by_partner", "vax_ratio"):
    clock(name, lambda: take(accounts_of(world), name))
print(json.dumps(out))
"""
AT_ONCE = """
a = accounts_of(world)
for name in (
    "upstreamness", "downstreamness", "gvc_participation", "tripartite_participation",
    "output_participation", "vax_ratio", "exports_decomposition",
):
    found = clock(name, lambda: take(a, name))
total = float(found["exports_decomposition"].sum())
assert abs(total / a.exports.sum() - 1) < 1e-9
assert "factor" not in a.__dict__ and "B" not in a.__dict__
print(json.dumps(out))
"""


def _child(script: str, n: int, s: int) -> list[tuple[str, float, float]]:
    """What a process of its own measured: name, milliseconds, peak MiB; two BLAS threads."""
    env = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work.py"
        path.write_text(WORLD + script)
        done = subprocess.run(
            [sys.executable, str(path), str(n), str(s)],
            stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT, check=True,
        )  # fmt: skip
    return [tuple(row) for row in json.loads(done.stdout)]


def everything() -> list[Row]:
    """All exporters, sectors and partners, every term of the exporter's perspective."""
    (_, _, before), (_, ms, peak) = _child(DECOMPOSE, REGIONS, SECTORS)
    what = f"value_chains, {REGIONS} x {SECTORS} x {REGIONS}: four terms, VAX, participation"
    note = f"peak {peak:,.0f} MiB, of which the world {before:,.0f}"
    return [Row("chains", what, ours=ms, note=note)]


def singly() -> list[Row]:
    """One measure at a time, each from nothing."""
    rows = _child(SINGLY, REGIONS, SECTORS)[1:]
    return [
        Row("chains", f"{name}, {REGIONS} x {SECTORS}", ours=ms, note=f"peak {peak:,.0f} MiB")
        for name, ms, peak in rows
    ]


def large() -> list[Row]:
    """20,000 nodes by iterating, one set of accounts for all."""
    (_, _, before), *rows = _child(AT_ONCE, *LARGE)
    nodes = LARGE[0] * LARGE[1]
    return [
        Row(
            "large", f"{name}, {nodes:,} nodes", ours=ms,
            note=f"peak {peak:,.0f} MiB (making the world {before:,.0f})",
        )
        for name, ms, peak in rows
    ]  # fmt: skip


ROWS: dict[str, Callable[[], list[Row]]] = {
    "chains": lambda: everything() + singly(),
    "large": large,
}
