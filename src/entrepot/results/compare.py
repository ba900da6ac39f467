"""Two answers side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.core.errors import DataError
from entrepot.core.labels import require_same

if TYPE_CHECKING:
    from entrepot.results.run import Result

MAX_BYTES = 200_000_000
COLUMNS = ("welfare_pct", "welfare_musd", "real_wage_pct", "exports_pct", "imports_pct")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers in plain data (as `Result.to_dict`), on the same economies."""

    first: dict[str, Any]
    second: dict[str, Any]

    @property
    def names(self) -> tuple[str, str]:
        """The two scenarios' names."""
        return self.first["scenario"]["name"], self.second["scenario"]["name"]

    @property
    def differing(self) -> list[str]:
        """World and assumptions in which the two differ besides the scenario's changes."""
        lines = []
        for key in ("name", "sha256"):
            a, b = self.first["world"][key], self.second["world"][key]
            if a != b:
                lines.append(f"world {key}: {a} | {b}")
        for key, a in self.first["assumptions"].items():
            b = self.second["assumptions"].get(key)
            if key != "notes" and a != b:
                lines.append(f"{key}: {a} | {b}")
        return lines

    def rows(self) -> list[dict[str, Any]]:
        """One row a region: each column under both, and second less first."""
        out = []
        for a, b in zip(self.first["regions"], self.second["regions"], strict=True):
            row: dict[str, Any] = {"region": a["region"], "name": a["name"]}
            for column in COLUMNS:
                x, y = a[column], b[column]
                row[f"{column}_first"], row[f"{column}_second"] = x, y
                row[f"{column}_difference"] = None if x is None or y is None else y - x
            out.append(row)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "first": self.names[0],
            "second": self.names[1],
            "differing": self.differing,
            "groups": {
                side: [g for g in answer["groups"] if g["group"] in ("world", "least_developed")]
                for side, answer in (("first", self.first), ("second", self.second))
            },
            "regions": self.rows(),
            "units": self.first["units"],
        }


def compare(first: Result | dict[str, Any], second: Result | dict[str, Any]) -> Comparison:
    """Compare two Results (or their `to_dict`); raises DataError on different economies."""
    a, b = (x if isinstance(x, dict) else x.to_dict() for x in (first, second))
    labels = [[row["region"] for row in x["regions"]] for x in (a, b)]
    require_same("economies of the two answers", labels[0], labels[1], DataError)
    return Comparison(a, b)


def compare_inputs(first: str, second: str, world: str) -> Comparison:
    """Compare two result folders, scenario files or library names; scenarios are run on `world`."""
    return compare(_answer(first, world), _answer(second, world))


def _answer(given: str, world: str) -> dict[str, Any]:
    path = Path(given)
    if path.is_dir():
        return _stored(path / "result.json")
    from entrepot.results.run import run
    from entrepot.scenario.read import read_scenario
    from entrepot.world.shelf import load_world

    return run(load_world(world), read_scenario(given)).to_dict()


def _stored(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is too large to be a result.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); is this a result folder?"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a result ({str(error)[:80]}).") from None
    needed = ("scenario", "world", "assumptions", "regions", "groups", "units")
    if not isinstance(data, dict) or any(key not in data for key in needed):
        raise DataError(f"{path}: not a result of `entrepot run`.")
    rows = data["regions"]
    if not isinstance(rows, list) or not all(
        isinstance(r, dict) and {"region", "name", *COLUMNS} <= set(r) for r in rows
    ):
        raise DataError(f"{path}: its region table is not one of `entrepot run`.")
    return data
