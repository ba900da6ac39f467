"""Rows on tables: reading, storing, auditing, summing, balancing."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from entrepot.sources.formats import read_table
from entrepot.sources.oecd_icio import FINAL
from entrepot.world.aggregate import aggregate
from entrepot.world.audit import audit, raw_of
from entrepot.world.balance import ras
from entrepot.world.build import build
from entrepot.world.world import World
from entrepot.world.zarr import open_zarr, read_zarr, write_zarr
from harness import HERE, PeerMissingError, Row, ask_peer, process, summary, timed

DATA = HERE / ".peers" / "tables"
REGIONS, SECTORS = 80, 50
# What one process does for the csv row: read, build, and say what it needed.
READ = """
import json, resource, sys, time
began = time.perf_counter()
import entrepot as ep
from entrepot.sources.formats import read_table
from entrepot.world.build import build
from pathlib import Path
loaded = time.perf_counter()
times = []
for _ in range(3):
    start = time.perf_counter()
    world = build(read_table(Path(sys.argv[1]), "oecd-icio"))
    times.append(time.perf_counter() - start)
    if len(times) == 1:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
Path(sys.argv[2]).write_text(json.dumps({"import": loaded - began, "times": times, "peak": peak}))
"""


def icio_file() -> Path:
    """A made-up table of OECD size in the published layout (4,003 rows x 4,482 columns), once."""
    path = DATA / "2022_SML.csv"
    if path.exists():
        return path
    print("writing a table of OECD size ...", file=sys.stderr)
    DATA.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(22)
    m, c = REGIONS * SECTORS, len(FINAL)
    Z = rng.lognormal(0, 3, (m, m)).round(4)
    F = rng.lognormal(2, 3, (m, REGIONS * c)).round(4)
    T = rng.normal(0, 1, m).round(4)
    x = Z.sum(1) + F.sum(1)
    V = x - Z.sum(0) - T
    regions = [f"{chr(65 + i // 26)}{chr(65 + i % 26)}R" for i in range(REGIONS)]
    nodes = [f"{r}_C{10 + k}" for r in regions for k in range(SECTORS)]
    finals = [f"{r}_{f}" for r in regions for f in FINAL]

    def line(label: str, *parts: Any) -> str:
        return ",".join([label, *(repr(v) for part in parts for v in np.ravel(part).tolist())])

    none = np.zeros(REGIONS * c)
    part = path.with_suffix(".part")
    with part.open("w") as file:
        file.write(",".join(["V1", *nodes, *finals, "OUT"]) + "\n")
        for i, node in enumerate(nodes):
            file.write(line(node, Z[i], F[i], x[i]) + "\n")
        for label, values in (("TLS", T), ("VA", V), ("OUT", x)):
            file.write(line(label, values, none, values.sum()) + "\n")
    part.rename(path)
    return path


def csv() -> list[Row]:
    """The same file read by us and by pymrio."""
    import json

    path = icio_file()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        runs = []
        for _ in range(3):
            process([sys.executable, "-c", READ, str(path), str(out)])
            runs.append(json.loads(out.read_text()))
    first = [1e3 * r["times"][0] for r in runs]
    times = [1e3 * t for r in runs for t in r["times"]]
    peak = max(r["peak"] for r in runs)
    detail: dict[str, Any] = {"all": summary(times), "first": summary(first), "peak_mib": peak}
    what = f"CSV of {REGIONS * SECTORS + 3:,} x {REGIONS * SECTORS + 481:,} cells to a World"
    note = (
        f"audit included; first read of a process {median(first):,.0f}; "
        f"{path.stat().st_size / 1e6:.0f} MB; peak {peak:,.0f} MiB"
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / "ICIO2023_2022.csv"  # the name the peer looks for
            link.symlink_to(path)
            problem = {"folder": np.array(folder), "year": np.array(2022)}
            timings, theirs = ask_peer("pymrio", problem, 0.0, 3)
    except PeerMissingError as error:
        return [Row("csv-oecd", what, ours=median(times), note=f"{note}; {error}", detail=detail)]
    table = read_table(path, "oecd-icio")
    same = max(
        float(np.abs(table.Z - theirs["Z"]).max()),
        float(np.abs(table.F.reshape(len(table.F), -1) - theirs["Y"]).max()),
    )
    note += f"; theirs parses without checks, peak {timings['peak_mib']:,.0f} MiB"
    detail["theirs"] = timings
    return [
        Row(
            "csv-oecd",
            what,
            median(times),
            1e3 * median(timings["seconds"]),
            same,
            "ms",
            note,
            detail,
        )
    ]


def _world() -> World:
    return build(read_table(icio_file(), "oecd-icio"))


def stores() -> list[Row]:
    """A 4,000-node world from its store, and a slice of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.zarr"
        world = _world()
        write = timed(lambda: write_zarr(path, world), 3)
        read = timed(lambda: read_zarr(path), 7)
        part = timed(lambda: open_zarr(path).arrays["Z"][100:110].sum(), 7)
    note = f"identities and SHA-256 checked; written in {median(write):.0f}"
    return [
        Row("zarr-4000", "World of 4,000 nodes from its store", median(read), note=note,
            detail={"read": summary(read), "write": summary(write)}),
        Row("zarr-slice", "ten rows of its flows, without the rest", median(part),
            detail={"slice": summary(part)}),
    ]  # fmt: skip


def sums() -> list[Row]:
    """4,000 nodes to 500."""
    world = _world()
    to = {r: f"G{i // 8}" for i, r in enumerate(world.regions)}
    times = timed(lambda: aggregate(world, regions=to), 5)
    return [Row("aggregate", "80 x 50 nodes to 10 x 50", median(times), detail=summary(times))]


def audits() -> list[Row]:
    """The audit at 4,000, and beside ioaudit at 1,000."""
    world = _world()
    whole = timed(lambda: audit(world), 5)
    rows = [Row("audit-4000", "all checks on 4,000 nodes", median(whole), detail=summary(whole))]
    small = aggregate(world, regions={r: f"G{i // 4}" for i, r in enumerate(world.regions)})
    ours = timed(lambda: audit(small), 5)
    table = raw_of(small)
    problem = {
        "Z": table.Z,
        "Y": table.F.reshape(len(table.F), -1).sum(1, keepdims=True),
        "V": np.concatenate([table.V, table.T_inputs[None]]),
        "x": small.x,
    }
    what = "all checks on 1,000 nodes"
    try:
        timings, _ = ask_peer("ioaudit", problem, 0.0, 3)
    except PeerMissingError as error:
        return [*rows, Row("audit-1000", what, median(ours), note=str(error))]
    note = "not the same checks; both cover identities, signs, zero rows, copies and unit slips"
    theirs = 1e3 * median(timings["seconds"])
    return [*rows, Row("audit-1000", what, median(ours), theirs, None, "ms", note, timings)]


def balancing() -> list[Row]:
    """RAS of 2,000 x 2,000 to 1e-8, the summary of what moved included."""
    rng = np.random.default_rng(0)
    table = rng.lognormal(0, 2, (2000, 2000)) * (rng.random((2000, 2000)) < 0.5)
    rows, columns = table.sum(1), table.sum(0)
    rows = rows * rng.lognormal(0, 0.2, 2000)
    columns = columns * rng.lognormal(0, 0.2, 2000)
    columns *= rows.sum() / columns.sum()
    done = ras(table, rows, columns, tol=1e-8)
    times = timed(lambda: ras(table, rows, columns, tol=1e-8), 3)
    note = f"{done.steps} steps, miss {done.miss:.0e}"
    return [Row("ras-2000", "RAS of 2,000 x 2,000 to 1e-8", median(times), note=note,
                detail=summary(times))]  # fmt: skip


ROWS = {"csv": csv, "stores": stores, "sums": sums, "audits": audits, "balancing": balancing}
