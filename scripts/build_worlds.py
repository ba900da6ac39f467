"""Build the embedded worlds from the pinned packages, byte for byte.

`python scripts/build_worlds.py` writes src/entrepot/world/data and
src/entrepot/catalogues/data/trade_weights.csv; with `--check` it only compares
with what is there and exits 1 when a byte differs.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np

from entrepot.sources.oecd_packages import read_2019_g20, read_2022
from entrepot.world.oecd import full_2022, world_2019_g20, world_2022
from entrepot.world.store import read_world, write_world
from entrepot.world.world import World, trade_flows

PACKAGE = Path(__file__).parents[1] / "src" / "entrepot"
WORLDS = PACKAGE / "world" / "data"
WEIGHTS = PACKAGE / "catalogues" / "data" / "trade_weights.csv"
LIMIT = 8_000_000


def trade_weights(full: World) -> str:
    """World cross-border sales by activity, as CSV text."""
    sales, _ = trade_flows(full)
    np.einsum("rdd->rd", sales)[...] = 0
    lines = [
        "# World cross-border sales by activity among the 80 economies, 2022, rounded to million "
        "USD; derived from oecd-2022-full (final use estimated).",
        "# Source: OECD ICIO 2025 release, adapted; written by scripts/build_worlds.py.",
        "code,trade_musd",
    ]
    totals = zip(full.sector_codes, sales.sum((1, 2)), strict=True)
    lines += [f"{code},{total:.0f}" for code, total in totals]
    return "\n".join(lines) + "\n"


def build(into: Path) -> dict[Path, Path]:
    """Write everything into a folder; returns built file -> its place in the package."""
    table, sales = read_2019_g20(), read_2022()
    full = full_2022(sales, table)
    exact = world_2022(full)
    write_world(into / "world-2022.npz", exact, decimals=2)
    write_world(into / "world-2019-g20.npz", world_2019_g20(table))
    (into / "trade_weights.csv").write_text(trade_weights(full), encoding="utf-8")
    kept = read_world(into / "world-2022.npz")
    worst = np.abs(kept.V - exact.V).max()
    print(f"rounding to 0.01 million USD moves value added by at most {worst:.2f} million USD")
    return {
        into / "world-2022.npz": WORLDS / "world-2022.npz",
        into / "world-2019-g20.npz": WORLDS / "world-2019-g20.npz",
        into / "trade_weights.csv": WEIGHTS,
    }


def main() -> int:
    """Build, then put in place or compare."""
    check = "--check" in sys.argv
    differ = 0
    with tempfile.TemporaryDirectory() as scratch:
        for built, place in build(Path(scratch)).items():
            data = built.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            same = place.exists() and place.read_bytes() == data
            differ += not same
            if not check:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
            print(
                f"{place.name}: {len(data):,} bytes, sha256 {digest[:16]}..., {'same' if same else 'differs'}"
            )
            if len(data) > LIMIT:
                print(f"{place.name} is larger than {LIMIT:,} bytes")
                return 1
    return 1 if check and differ else 0


if __name__ == "__main__":
    sys.exit(main())
