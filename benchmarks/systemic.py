"""Rows on systemic risk: every node of a table of 80 economies x 50 sectors removed in turn."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from harness import Row, process

# What one process does: draw a table, remove every node in turn, say what it needed.
EVERY_NODE = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from entrepot.measure.systemic_risk import essential_inputs, systemic_risk
out, n, s, tol, stop, dtype, rule, replaceable = sys.argv[1:9]
n, s, tol = int(n), int(s), float(tol)
rng = np.random.default_rng(2022)
def table():
    economy, industry = np.exp(rng.normal(0, 1.6, n)), np.exp(rng.normal(0, 1.0, (n, s)))
    mix = rng.gamma(0.4, 1, (s, s))                     # who uses what, at home and abroad
    near = rng.gamma(0.5, 1, (n, n)) * economy[:, None] / economy.sum()
    near[np.arange(n), np.arange(n)] = 4 * near.sum(0)  # four fifths at home
    A = np.einsum("od,ok,kl->okdl", near, industry, mix).reshape(n * s, n * s)
    A *= rng.random(A.shape) < 0.85
    A *= rng.uniform(0.3, 0.7, n * s) / A.sum(0)
    final = (economy[:, None] * industry * rng.uniform(0.2, 1, (n, s))).ravel()
    x = np.linalg.solve(np.eye(n * s) - A, final)
    return A * x, x
Z, x = table()
sector = np.tile(np.arange(s), n)
isic = [(1 + k,) if k < s * 0.55 else (45 + k,) for k in range(s)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
began = time.perf_counter()
risk = systemic_risk(
    Z, sector, essential_inputs(rule, isic), size=x, replaceable=replaceable == "yes",
    tol=tol, stop=stop, dtype=np.dtype(dtype).type,
)
wall = 1e3 * (time.perf_counter() - began)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
np.save(out + ".npy", risk.esri)
Path(out).write_text(json.dumps({
    "wall": wall, "before": before, "peak": peak, "steps": risk.steps.mean(),
    "most_steps": int(risk.steps.max()), "error": risk.error.max(), "esri": risk.esri.max(),
    "median": float(np.median(risk.esri)), "over_direct": float(np.median(risk.esri / risk.direct)),
}))
"""
CASES = (("1e-8", "bound", "float64"), ("1e-2", "change", "float64"), ("1e-2", "change", "float32"))


def every_node() -> list[Row]:
    """80 x 50 with goods essential: to a checked 1e-8, and by the paper's stopping rule."""
    rows = []
    found = []
    for tol, stop, dtype in CASES:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.json"
            command = [sys.executable, "-c", EVERY_NODE, str(out), "80", "50"]
            process([*command, tol, stop, dtype, "goods", "yes"])
            got = json.loads(out.read_text())
            found.append(np.load(f"{out}.npy"))
        note = (
            f"{got['steps']:.0f} steps a node (most {got['most_steps']}), peak "
            f"{got['peak']:,.0f} MiB; "
        )
        if stop == "bound":
            note += f"error below {got['error']:.0e}"
        else:
            note += "difference from the row above"
        what = f"4,000 nodes of a drawn table removed in turn, {stop} {tol}, {dtype}"
        apart = float(np.abs(found[-1] - found[-2]).max()) if len(found) > 1 else None
        rows.append(Row("systemic", what, got["wall"], None, apart, note=note, detail=got))
    return rows


ROWS = {"systemic": every_node}
