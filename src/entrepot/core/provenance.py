"""What the provenance of a table may hold where other code reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_TEXT = ("step", "argument", "unit", "source", "from", "region", "sector")
_NUMBERS = ("cells", "sum", "sum_absolute", "rate", "atol", "rtol", "share")
_LISTS = ("parts", "notes", "estimated", "targets")


def with_step(said: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance with one more step."""
    return {**said, "steps": [*said.get("steps", []), dict(step)]}


def check_provenance(said: Mapping[str, Any]) -> None:
    """Raise ValueError unless notes, estimates, steps and errors are of the kind that is printed."""
    for key in ("notes", "estimated"):
        if not _texts(said.get(key, [])):
            raise ValueError(f"its provenance has {key} that are not a list of sentences")
    measured = said.get("measured_error", {"summary": ""})
    if not isinstance(measured, dict) or not isinstance(measured.get("summary"), str):
        raise ValueError("its provenance has a measured error without a summary")
    steps = said.get("steps", [])
    if not isinstance(steps, list | tuple) or not all(map(_is_step, steps)):
        raise ValueError("its provenance has steps that are not what a step is")


def _texts(items: Any) -> bool:
    return isinstance(items, list | tuple) and all(isinstance(x, str) for x in items)


def _number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


def _is_step(step: Any) -> bool:
    if not isinstance(step, dict) or not isinstance(step.get("step"), str):
        return False
    good = all(isinstance(step[k], str) for k in _TEXT if k in step)
    good &= all(_number(step[k]) for k in _NUMBERS if k in step)
    good &= all(_texts(step[k]) for k in _LISTS if k in step)
    if "cells" in step:
        good &= {"sum_absolute", "unit"} <= set(step)
    if step["step"] == "convert":
        good &= {"from", "rate", "source"} <= set(step)
    if step["step"] == "tolerance":
        good &= {"atol", "rtol"} <= set(step)
    if step["step"] == "aggregate":
        sizes = [step.get("before"), step.get("after")]
        good &= all(
            isinstance(x, list | tuple) and len(x) == 2 and all(map(_number, x)) for x in sizes
        )
    if "largest" in step:
        good &= "share" in step
    return bool(good)
