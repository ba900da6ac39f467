"""Write the golden result beside each library scenario (run it only when a change is meant).

A golden holds real income and trade by region on world-2022, to be matched to 1e-6 points.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import entrepot as ep
from entrepot.scenario.read import library

KEYS = ("welfare_pct", "real_wage_pct", "exports_pct", "imports_pct", "higher_order_pct")
FOLDER = Path(__file__).parents[1] / "src" / "entrepot" / "scenario" / "library"


def golden(answer: dict[str, Any]) -> dict[str, Any]:
    """The part of an answer that a golden records."""
    return {
        "world": answer["world"]["name"],
        "world_sha256": answer["world"]["sha256"],
        "regions": {row["region"]: {k: row[k] for k in KEYS} for row in answer["regions"]},
        "headlines": [
            {k: row.get(k) for k in ("elasticities", "world_pct")} for row in answer["headlines"]
        ],
    }


def main() -> None:
    """Run every library scenario and write its golden."""
    world = ep.load_world("world-2022")
    for name in library():
        answer = ep.run(world, ep.read_scenario(name)).to_dict()
        text = json.dumps(golden(answer), indent=0, ensure_ascii=False) + "\n"
        (FOLDER / f"{name}.expect.json").write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
