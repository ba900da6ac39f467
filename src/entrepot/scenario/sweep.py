"""Sweep: one scenario at many values of its parameters; data that cannot hold a typo."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from entrepot.core.errors import ScenarioError
from entrepot.core.labels import did_you_mean, some
from entrepot.scenario.amounts import Amount, parse_amount
from entrepot.scenario.model import Scenario, Words, _Strict
from entrepot.scenario.read import (
    file_text,
    first_problem,
    library,
    plain_data,
    read_scenario,
    scenario_fields,
)

MAX_POINTS = 1_000_000
NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,59}$")
PATH = re.compile(r"^[^.\[\]\s]+(\.[^.\[\]\s]+|\[\d{1,4}\])*$")
LEAST_MASS = 1e-9  # of a distribution: less than this `within` its bounds is a slip

Level = Annotated[
    Amount,
    BeforeValidator(parse_amount),
    PlainSerializer(lambda amount: amount.value if amount.bare else str(amount)),
]
Pair = tuple[Level, Level]


def _value(given: Any) -> Any:
    """What a scenario can hold at one place: a word, a number, a list of words, a mapping."""
    whole = isinstance(given, list) and all(isinstance(x, str) for x in given)
    whole |= isinstance(given, dict) and all(isinstance(x, str) for x in given)
    if not (whole or isinstance(given, str | bool | int | float)):
        raise ValueError(f"{given!r} is not a value; put words in quotes")
    return given


Value = Annotated[Any, BeforeValidator(_value)]


def _paths(given: Any) -> Any:
    """One place or several."""
    paths = [given] if isinstance(given, str) else given
    if not isinstance(paths, list | tuple) or not paths:
        raise ValueError("name the place in the scenario, such as changes[0].to")
    for path in paths:
        if not isinstance(path, str) or not PATH.match(path):
            raise ValueError(f"{path!r} is no place in a scenario; write it as in changes[0].to")
    return paths


class Parameter(_Strict):
    """What moves: where in the scenario, and the values it takes.

    `at` one place or several that take the same value. The values are exactly
    one of a list `values`; a range `from`, `to` in `steps` (ends included);
    or, with `design: draws`, a distribution: `uniform` [low, high], `normal`
    [mean, standard deviation], `lognormal` [median, standard deviation of the
    log]. Drawing stays `within` [low, high] where that is given. Amounts carry
    units as in a scenario.
    """

    at: Annotated[tuple[str, ...], BeforeValidator(_paths)]
    values: tuple[Value, ...] | None = None
    start: Annotated[Level | None, Field(alias="from")] = None
    to: Level | None = None
    steps: Annotated[int, Field(ge=2, le=MAX_POINTS)] | None = None
    uniform: Pair | None = None
    normal: Pair | None = None
    lognormal: Pair | None = None
    within: Pair | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Parameter:
        kinds = {"values": self.values, "from": self.start, "uniform": self.uniform}
        kinds |= {"normal": self.normal, "lognormal": self.lognormal}
        given = [k for k, v in kinds.items() if v is not None]
        if len(given) != 1:
            raise ValueError(
                f"takes exactly one of {', '.join(kinds)}"
                + (f"; {' and '.join(given)} are given" if given else "; none is given")
            )
        if self.values == ():
            raise ValueError("`values` is empty; list at least one")
        ranged = [self.to is not None, self.steps is not None]
        if ranged != [self.start is not None] * 2:
            raise ValueError("a range has all of `from`, `to` and `steps`")
        if self.within is not None and self.distribution is None:
            raise ValueError("`within` bounds a distribution")
        amounts = [a for a in (self.start, self.to) if a] + list(self.within or ())
        if pair := self.uniform or self.normal or self.lognormal:
            amounts += pair[:1] if self.lognormal else pair
        if len({(a.kind, a.bare) for a in amounts}) > 1 or any(
            a.kind == "eliminate" for a in amounts
        ):
            raise ValueError(
                f"{', '.join('eliminate' if a.kind == 'eliminate' else _written(a) for a in amounts)}"
                " do not share one unit; write all as in 0%, 25%, or all as plain numbers"
            )
        self._check_spread()
        return self

    def _check_spread(self) -> None:
        for low, high in filter(None, (self.uniform, self.within)):
            if not low.value < high.value:
                raise ValueError(f"[{_written(low)}, {_written(high)}] is not a low and a high end")
        if self.normal and self.normal[1].value <= 0:
            raise ValueError("the standard deviation of `normal` must be positive")
        if self.lognormal:
            median, sd = self.lognormal
            if median.value <= 0:
                raise ValueError("the median of `lognormal` must be positive")
            if not sd.bare or not 0 < sd.value <= 10:
                raise ValueError(
                    "the standard deviation of `lognormal` is one of logs: a plain number above 0, "
                    "such as 0.2"
                )
        if self.within and self._mass()[1] - self._mass()[0] < LEAST_MASS:
            raise ValueError("`within` leaves nothing of the distribution")

    @property
    def distribution(self) -> str | None:
        """The kind of distribution it is drawn from; None for listed values and ranges."""
        names = ("uniform", "normal", "lognormal")
        return next((k for k in names if getattr(self, k) is not None), None)

    @property
    def count(self) -> int:
        """How many values are listed (0 for a distribution)."""
        return len(self.values) if self.values is not None else self.steps or 0

    def listed(self, i: int) -> Any:
        """The value at a position of the list or range."""
        if self.values is not None:
            return self.values[i]
        assert self.start is not None
        assert self.to is not None
        assert self.steps is not None
        last = self.steps - 1
        return _like(self.start, ((last - i) * self.start.value + i * self.to.value) / last)

    def drawn(self, u: float) -> Any:
        """The value at a quantile `u` in [0, 1): of the distribution, or of the list."""
        if self.distribution is None:
            return self.listed(int(u * self.count))
        low, high = self._mass()
        value = self._quantile(low + u * (high - low))
        if self.within:
            value = min(max(value, self.within[0].value), self.within[1].value)
        pair = self.uniform or self.normal or self.lognormal
        assert pair is not None
        return _like(pair[0], value)

    def _mass(self) -> tuple[float, float]:
        """The part of the distribution, in quantiles, that is drawn from."""
        if self.within is None:
            return 0.0, 1.0
        low, high = (self._below(bound.value) for bound in self.within)
        return low, high

    def _below(self, value: float) -> float:
        from scipy.special import ndtr

        if self.uniform:
            low, high = (a.value for a in self.uniform)
            return min(max((value - low) / (high - low), 0.0), 1.0)
        if self.normal:
            return float(ndtr((value - self.normal[0].value) / self.normal[1].value))
        assert self.lognormal is not None
        if value <= 0:
            return 0.0
        median, sd = (a.value for a in self.lognormal)
        return float(ndtr(math.log(value / median) / sd))

    def _quantile(self, u: float) -> float:
        from scipy.special import ndtri

        if self.uniform:
            low, high = (a.value for a in self.uniform)
            return low + (high - low) * u
        z = float(ndtri(min(max(u, 2.0**-54), 1 - 2.0**-53)))
        if self.normal:
            return self.normal[0].value + self.normal[1].value * z
        assert self.lognormal is not None
        return self.lognormal[0].value * math.exp(self.lognormal[1].value * z)

    def ends(self) -> list[Any]:
        """Values that show whether the place admits such values: all listed, or the ends."""
        if self.values is not None:
            return list(self.values)
        if self.start is not None:
            return [self.listed(0), self.listed(self.count - 1)]
        if self.uniform:
            return [self.drawn(0.0), self.drawn(1.0)]
        return [self.drawn(0.5)]


def _written(amount: Amount) -> str:
    return f"{amount.value:g}" if amount.bare else str(amount)


def _like(amount: Amount, value: float) -> Amount | float:
    """A value in an amount's unit; a plain number where it has none."""
    return value if amount.bare else Amount(value, amount.kind)


class Sweep(_Strict):
    """A scenario, its moving parameters, and how their values are put together.

    `design`: `grid` takes every combination (the last parameter fastest),
    `zip` the first value of each, then the second, and so on; `draws` takes
    `draws` independent draws from `seed`. `outcomes` are the columns kept for
    every region; the summary is of the first.
    """

    name: Annotated[Words, Field(max_length=120)]
    why: Words
    scenario: Scenario
    design: Literal["grid", "zip", "draws"]
    draws: Annotated[int, Field(ge=1, le=MAX_POINTS)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)] | None = None
    parameters: dict[str, Parameter]
    outcomes: tuple[str, ...] = ("welfare_pct", "real_wage_pct")

    @model_validator(mode="after")
    def _consistent(self) -> Sweep:
        if not self.outcomes or len(set(self.outcomes)) < len(self.outcomes):
            raise ValueError("`outcomes` names at least one column, and none twice")
        if not self.parameters:
            raise ValueError("`parameters` is empty; name at least one")
        for name in self.parameters:
            if not NAME.match(name):
                raise ValueError(f"parameters: {name!r} is no name: letters, digits and _")
        if self.design == "draws":
            if self.draws is None or self.seed is None:
                raise ValueError("`design: draws` needs `draws` (how many) and `seed` (any number)")
        elif self.draws is not None or self.seed is not None:
            raise ValueError(f"`draws` and `seed` belong to `design: draws`, not {self.design}")
        else:
            for name, p in self.parameters.items():
                if p.distribution:
                    raise ValueError(
                        f"parameters.{name}: {p.distribution} is drawn from; use `design: draws`"
                    )
        counts = {name: p.count for name, p in self.parameters.items()}
        if self.design == "zip" and len(set(counts.values())) > 1:
            shown = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise ValueError(f"`design: zip` needs as many values of each parameter; {shown}")
        if self.points > MAX_POINTS:
            raise ValueError(f"{self.points:,} points; no more than {MAX_POINTS:,} are taken")
        self._check_places()
        return self

    def _check_places(self) -> None:
        data = self.scenario.model_dump(mode="json")
        taken: dict[tuple[str | int, ...], str] = {}
        for name, parameter in self.parameters.items():
            for path in parameter.at:
                steps = _steps(path)
                _require_place(data, steps, f"parameters.{name}.at")
                for other, owner in taken.items():
                    if other[: len(steps)] == steps[: len(other)]:
                        raise ValueError(
                            f"parameters: {owner} and {name} both set {path}; one place takes one "
                            "parameter"
                        )
                taken[steps] = name

    @property
    def points(self) -> int:
        """How many points there are."""
        if self.design == "draws":
            return self.draws or 0
        counts = [p.count for p in self.parameters.values()]
        return counts[0] if self.design == "zip" else math.prod(counts)

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The scenario as plain data, for parameters to be put in."""
        return self.scenario.model_dump(mode="json", exclude_none=True)

    def to_json(self) -> str:
        """Everything, every digit, as JSON that reads back to an equal sweep."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def values_at(sweep: Sweep, index: int) -> dict[str, Any]:
    """The parameters' values at a point, by name; a draw's depend on seed and index alone."""
    parameters = sweep.parameters
    if sweep.design == "zip":
        return {name: p.listed(index) for name, p in parameters.items()}
    if sweep.design == "grid":
        where = np.unravel_index(index, [p.count for p in parameters.values()])
        return {
            name: p.listed(int(i)) for (name, p), i in zip(parameters.items(), where, strict=True)
        }
    seeds = np.random.SeedSequence(sweep.seed, spawn_key=(index,))
    quantiles = np.random.default_rng(seeds).random(len(parameters))
    # By name: the order in which parameters are written down does not matter.
    u = dict(zip(sorted(parameters), quantiles.tolist(), strict=True))
    return {name: p.drawn(u[name]) for name, p in parameters.items()}


def scenario_with(sweep: Sweep, values: dict[str, Any]) -> Scenario:
    """The scenario at given values; raises ScenarioError where it does not admit them."""
    data = json.loads(json.dumps(sweep.plain))
    for name, value in values.items():
        for path in sweep.parameters[name].at:
            *way, last = _steps(path)
            here = data
            for step in way:
                here = here[step]
            here[last] = value
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(first_problem(error, "the scenario", scenario_fields)) from None


def number(value: Any) -> float | None:
    """A parameter's value as a number (a fraction for 25%), None for words and `eliminate`."""
    try:
        amount = parse_amount(value)
    except ValueError:
        return None
    return None if amount.kind == "eliminate" else amount.value


def read_sweep(source: str | Path | dict[str, Any]) -> Sweep:
    """A Sweep from a YAML file or a dict.

    `scenario` is a library name, a path inside the file's folder (a dict's: the
    folder you are in), or the scenario itself. Raises ScenarioError with the
    place and the reason.
    """
    if isinstance(source, dict):
        return _validate(source, "sweep", Path())
    path = Path(source)
    try:
        text = file_text(path)
    except FileNotFoundError:
        raise ScenarioError(f"{path}: no such file; a sweep is a YAML file.") from None
    return _validate(plain_data(text, str(path)), str(path), path.parent)


def _validate(data: Any, where: str, folder: Path) -> Sweep:
    if not isinstance(data, dict):
        raise ScenarioError(
            f"{where}: a sweep is a mapping with name, why, scenario and parameters."
        )
    if isinstance(given := data.get("scenario"), str):
        data = data | {"scenario": _named(given, where, folder)}
    try:
        sweep = Sweep.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(first_problem(error, where, _fields_at)) from None
    for place, values in _corners(sweep):
        try:
            scenario_with(sweep, values)
        except ScenarioError as error:
            raise ScenarioError(f"{where}: {place}: {error}") from None
    return sweep


def _named(given: str, where: str, folder: Path) -> Scenario:
    """A scenario by its library name or its path inside the sweep's folder."""
    if given in library():
        return read_scenario(given)
    try:
        path = (folder / given).resolve()
        inside = path.is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        raise ScenarioError(
            f"{where}: scenario: {given!r} lies outside the sweep's folder; refused."
        )
    if not path.exists():
        hint = did_you_mean(Path(given).stem, library())
        raise ScenarioError(
            f"{where}: scenario: no file {given!r} beside the sweep, nor a library scenario"
            f"{hint or '.'}"
        )
    return read_scenario(path)


def _corners(sweep: Sweep) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each value is written, and a point that has it: what is checked before any is solved."""
    parameters = sweep.parameters
    if sweep.design == "zip":
        whole = all(p.values is not None for p in parameters.values())
        for i in range(sweep.points) if whole else (0, sweep.points - 1):
            yield f"value {i + 1} of each parameter", values_at(sweep, i)
        return
    ends = {name: p.ends() for name, p in parameters.items()}
    first = {name: values[0] for name, values in ends.items()}
    for name, values in ends.items():
        for value in values:
            yield f"parameters.{name} = {shown(value)}", first | {name: value}


def shown(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, Amount | str):
        return str(value)
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _steps(path: str) -> tuple[str | int, ...]:
    """`changes[0].to` as its keys and positions."""
    found = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    return tuple(int(i) if i else key for i, key in found)


def _require_place(data: Any, steps: tuple[str | int, ...], where: str) -> None:
    so_far = "the scenario"
    for step in steps:
        if isinstance(data, dict) and isinstance(step, str):
            if step not in data:
                hint = did_you_mean(step, data) or f"; it has {some(list(data), 8)}."
                raise ValueError(f"{where}: {so_far} has no {step!r}{hint}")
            so_far = step if so_far == "the scenario" else f"{so_far}.{step}"
        elif isinstance(data, list) and isinstance(step, int):
            if step >= len(data):
                raise ValueError(f"{where}: {so_far} has {len(data)} item(s), counted from [0]")
            so_far += f"[{step}]"
        else:
            kind = (
                "a list"
                if isinstance(data, list)
                else "keys"
                if isinstance(data, dict)
                else "one value"
            )
            raise ValueError(f"{where}: {so_far} holds {kind}; {step!r} does not lead into it")
        data = data[step]


def _fields_at(loc: tuple[Any, ...]) -> list[str]:
    if loc[0] == "scenario" and len(loc) > 1:
        return scenario_fields(loc[1:])
    if loc[0] == "parameters" and len(loc) > 2:
        return [field.alias or key for key, field in Parameter.model_fields.items()]
    return list(Sweep.model_fields)
