"""Timing, the table, the machine, and peers' own environments."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TOLERANCE = 1e-9  # ours, in every row


@dataclass(frozen=True)
class Row:
    """One line of the table; times in milliseconds, medians unless `what` says otherwise."""

    name: str
    what: str
    ours: float | None = None
    theirs: float | None = None
    difference: float | None = None
    unit: str = "ms"
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.theirs / self.ours if self.ours and self.theirs else None


class PeerMissingError(Exception):
    """A peer's environment could not be made."""


def timed(work: Callable[[], Any], repeats: int) -> list[float]:
    """Milliseconds of each repeat, one warm-up before them."""
    work()
    out = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        out.append(1e3 * (time.perf_counter() - began))
    return out


def summary(times: list[float]) -> dict[str, float]:
    return {"median": median(times), "min": min(times), "max": max(times), "n": len(times)}


CHILD = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
wall = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, 1e3 * wall, peak / 1024, done.stderr.decode()[-300:]]))
"""


def process(command: list[str], env: dict[str, str] | None = None) -> tuple[float, float]:
    """Wall milliseconds and peak resident MiB of a command; raises when it fails.

    A small interpreter stands between: a child's peak counts what its parent
    held when it was started.
    """
    between = [sys.executable, "-S", "-c", CHILD, *command]
    done = subprocess.run(between, capture_output=True, text=True, env=env, cwd=ROOT, check=True)
    code, wall, peak, error = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"{' '.join(command)}: {error.strip().splitlines()[-1:] or code}")
    return float(wall), float(peak)


def peer_python(name: str) -> Path:
    """The interpreter of a peer's environment, made on first use with the pinned versions."""
    folder, pins = HERE / ".peers" / name, HERE / "peers" / f"{name}.txt"
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == pins.read_text():
        return python
    print(f"installing {name} into {folder.relative_to(ROOT)} ...", file=sys.stderr)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, "--requirement", str(pins)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeerMissingError(f"{name} could not be installed: {done.stderr.strip()[-200:]}")
    stamp.write_text(pins.read_text())
    return python


def ask_peer(
    name: str, problem: dict[str, Any], tolerance: float, repeats: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Timings and arrays from a peer's worker, run in its own environment."""
    python = peer_python(name)
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "problem.npz", Path(folder) / "answer.npz"
        np.savez(given, **problem)
        worker = HERE / "peers" / f"{name}_worker.py"
        command = [str(python), str(worker), str(given), str(answer), str(tolerance), str(repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeerMissingError(f"{name} failed: {done.stderr.strip()[-200:]}")
        with np.load(answer) as arrays:
            return json.loads(done.stdout.splitlines()[-1]), dict(arrays)


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""

    def first(path: str, key: str) -> str:
        try:
            lines = Path(path).read_text().splitlines()
        except OSError:
            return "unknown"
        return next((x.split(":", 1)[1].strip() for x in lines if x.startswith(key)), "unknown")

    memory = first("/proc/meminfo", "MemTotal").split()[0]
    return {
        "cpu": first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "ram_gib": round(int(memory) / 2**20, 1) if memory.isdigit() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS", "default"),
        "load": [round(x, 2) for x in os.getloadavg()],
    }


def show(rows: list[Row]) -> str:
    """The table as text (and as Markdown: the same thing)."""
    head = ("row", "what", "ours", "theirs", "factor ahead", "max difference", "note")
    lines = [head, tuple("---" for _ in head)]
    for row in rows:
        lines.append(
            (
                row.name,
                row.what,
                _number(row.ours, row.unit),
                _number(row.theirs, row.unit),
                f"{row.ratio:,.0f} x" if row.ratio else "",
                f"{row.difference:.1e}" if row.difference is not None else "",
                row.note,
            )
        )
    wide = [max(len(line[i]) for line in lines) for i in range(len(head) - 1)]
    return "\n".join(
        "| "
        + " | ".join([*(c.ljust(w) for c, w in zip(line, wide, strict=False)), line[-1]])
        + " |"
        for line in lines
    )


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def dump(path: Path, about: dict[str, Any], rows: list[Row]) -> None:
    data = {"machine": about, "rows": [{**asdict(r), "ratio": r.ratio} for r in rows]}
    path.write_text(json.dumps(data, indent=1) + "\n")
