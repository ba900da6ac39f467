"""Rows on product-level trade: a made-up BACI year of 11 million flows, read and screened."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from harness import HERE, Row, process

DATA = HERE / ".peers" / "products"
FLOWS, ECONOMIES, PRODUCTS = 11_000_000, 220, 5_000
YEAR, VERSION = 2022, "202601"
READ = """
import sys
from pathlib import Path
from entrepot.products.build import build_store
from entrepot.sources.baci import read_baci
build_store(read_baci([Path(sys.argv[1])]), sys.argv[2], memory=sys.argv[3])
"""
ASK = """
import sys
from entrepot.products.connect import connect
from entrepot.products.execute import write_table
from entrepot.products.measures import all_concentrations, revealed_advantage
from entrepot.products.columns import importers_of
from entrepot.products.screen import screen, screen_in_parts
from entrepot.products.similarity import complementarity, export_similarity
work = {
    "screen": lambda t: screen_in_parts(t, importers_of(t)),
    "at-once": screen,
    "concentration": all_concentrations,
    "rca": revealed_advantage,
    "complementarity": complementarity,
    "similarity": export_similarity,
}[sys.argv[2]]
with connect(sys.argv[1], memory=sys.argv[4]) as tables:
    write_table(work(tables.trade), sys.argv[3])
"""
MEMORY = "500MB"


def baci_file() -> Path:
    """The year as a CSV in the published layout, once; numbers from a seed."""
    path = DATA / f"BACI_HS17_Y{YEAR}_V{VERSION}.csv"
    if path.exists():
        return path
    import pyarrow as pa
    import pyarrow.csv

    print(f"writing a year of {FLOWS:,} flows ...", file=sys.stderr)
    DATA.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    codes = np.sort(rng.choice(np.arange(4, 895), ECONOMIES, replace=False))
    products = np.sort(rng.choice(np.arange(10_110, 970_600), PRODUCTS, replace=False))
    labels = np.array([f"{p:06d}" for p in products])
    # Large economies and common products trade more, as they do.
    size, common = rng.lognormal(0, 1.5, ECONOMIES), rng.lognormal(0, 1, PRODUCTS)
    pairs = np.outer(size, size)
    np.fill_diagonal(pairs, 0)
    wanted = rng.random(0)
    odds = np.outer(pairs.ravel(), common).ravel()
    scale = 1.0
    for _ in range(40):  # so that the sum of min(1, scale * odds) is what is wanted
        scale *= FLOWS / np.minimum(1, scale * odds).sum()
    wanted = np.flatnonzero(rng.random(odds.size) < np.minimum(1, scale * odds))
    del odds
    pair, product = np.divmod(wanted, PRODUCTS)
    i, j = np.divmod(pair, ECONOMIES)
    value = rng.lognormal(3, 2.5, len(wanted)).round(3) + 0.001
    tons = (value * rng.lognormal(-1, 1, len(wanted))).round(3)
    table = pa.table(
        {
            "t": np.full(len(wanted), YEAR, np.int32),
            "i": codes[i],
            "j": codes[j],
            "k": labels[product],
            "v": value,
            "q": pa.array(tons, mask=rng.random(len(wanted)) < 0.02),
        }
    )
    options = pyarrow.csv.WriteOptions(quoting_style="none")
    pyarrow.csv.write_csv(table, path, options)
    return path


def reading() -> list[Row]:
    """CSV to store, and what is asked of it; each in a process of its own, once."""
    import shutil
    import tempfile

    import pyarrow.parquet as pq

    path = baci_file()
    rows = []
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        store = Path(folder) / "store"
        python = [sys.executable, "-c"]
        wall, peak = process([*python, READ, str(path), str(store), MEMORY])
        size = path.stat().st_size / 2**20
        kept = sum(f.stat().st_size for f in store.rglob("*.parquet")) / 2**20
        flows = pq.read_metadata(next(store.rglob("*.parquet"))).num_rows
        in_memory = flows * (4 + 3 + 3 + 6 + 8 + 8 + 3 * 4) / 2**20
        rows.append(
            Row(
                "products-read",
                f"{flows:,} flows: CSV to store, process",
                wall,
                note=f"peak {peak:,.0f} MiB, limit of the engine {MEMORY}; CSV {size:,.0f} MiB, store "
                f"{kept:,.0f} MiB, as columns in memory about {in_memory:,.0f} MiB",
            )
        )
        for name, what in (
            ("screen", "all importers screened, in value and quantity, to Parquet"),
            ("at-once", "the same, not in parts"),
            ("concentration", "Herfindahl and Theil, both flows, partners and products"),
            ("rca", "revealed advantage of all exporters"),
            ("complementarity", "all pairs of economies"),
            ("similarity", "all pairs of exporters"),
        ):
            out = Path(folder) / f"{name}.parquet"
            wall, peak = process([*python, ASK, str(store), name, str(out), MEMORY])
            count = pq.read_metadata(out).num_rows
            note = f"peak {peak:,.0f} MiB; {count:,} rows of answer"
            rows.append(Row(f"products-{name}", f"{what}, process", wall, note=note))
        shutil.rmtree(store)
    return rows


ROWS = {"products": reading}
