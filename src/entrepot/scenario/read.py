"""Reading scenarios from YAML: plain data only, one clear line when something is off."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from entrepot.core.errors import ScenarioError
from entrepot.core.labels import did_you_mean
from entrepot.scenario.elasticities import ElasticityTable
from entrepot.scenario.model import Scenario

MAX_BYTES = 1_000_000
LIBRARY = files("entrepot.scenario") / "library"


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases (which can blow up memory) and without repeated keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML is partly typed
            raise yaml.constructor.ConstructorError(
                None, None, "aliases are not used in scenarios", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else repr(key))
        return super().construct_mapping(node, deep=deep)


def library() -> dict[str, Any]:
    """The scenarios shipped with the package, by file stem."""
    return {
        entry.name.removesuffix(".yaml"): entry
        for entry in sorted(LIBRARY.iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".yaml")
    }


def read_scenario(source: str | Path | dict[str, Any]) -> Scenario:
    """A Scenario from a YAML file, the name of a library scenario, or a dict.

    Raises ScenarioError with the place and the reason.
    """
    if isinstance(source, dict):
        return _validate(source, "scenario")
    path = Path(source)
    shelf = library()
    if str(source) in shelf and not path.exists():
        return parse_scenario(shelf[str(source)].read_text(encoding="utf-8"), str(source))
    try:
        text = file_text(path)
    except FileNotFoundError:
        hint = did_you_mean(path.stem, shelf)
        raise ScenarioError(f"{path}: no such file, nor a library scenario{hint or '.'}") from None
    return parse_scenario(text, str(path))


def file_text(path: Path) -> str:
    """The text of a file no larger than a scenario can be; a missing one is left to the caller."""
    try:
        with path.open("rb") as file:  # read no more than a scenario can be, even of a device
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ScenarioError(f"{path} is larger than a scenario can be ({MAX_BYTES:,} bytes).")
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise ScenarioError(f"{path} is a folder, not a scenario.") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path} is not a text file in UTF-8.") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})."
        ) from None


def with_assumptions(
    scenario: Scenario,
    closure: str | None = None,
    elasticities: str | ElasticityTable | None = None,
    variant: str | None = None,
    sourcing: str | None = None,
) -> Scenario:
    """A scenario with other assumptions, given as words or a table; None keeps its own."""
    words = {"closure": closure, "variant": variant, "sourcing": sourcing}
    words = {key: word for key, word in words.items() if word is not None}
    if not words and elasticities is None:
        return scenario
    data = scenario.model_dump(mode="json", exclude_none=True)
    data["assumptions"] |= words
    if elasticities is not None:
        data["assumptions"].pop("elasticities_source", None)
    if isinstance(elasticities, ElasticityTable):
        data["assumptions"] |= elasticities.assumptions
    elif elasticities is not None:
        try:
            data["assumptions"]["elasticities"] = float(elasticities)
        except ValueError:
            data["assumptions"]["elasticities"] = elasticities
    return _validate(data, "options")


def parse_scenario(text: str, where: str = "scenario") -> Scenario:
    """A Scenario from YAML text."""
    data = plain_data(text, where)
    if not isinstance(data, dict):
        raise ScenarioError(f"{where}: a scenario is a mapping with name, why and changes.")
    return _validate(data, where)


def plain_data(text: str, where: str) -> Any:
    """YAML text as plain data; ScenarioError with the line where it is none."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ScenarioError(f"{where}{place}: not valid YAML ({problem}).") from None
    except Exception as error:  # explicit tags (!!int "", !!bool maybe) trip PyYAML in many ways
        reason = str(error).splitlines() or [""]
        raise ScenarioError(
            f"{where}: not a scenario ({type(error).__name__}: {reason[0][:100]})."
        ) from None


def _validate(data: dict[str, Any], where: str) -> Scenario:
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(first_problem(error, where, scenario_fields)) from None


def first_problem(
    error: ValidationError, where: str, fields_at: Callable[[tuple[Any, ...]], list[str]]
) -> str:
    """One line: the first problem in full, and how many more there are.

    `fields_at` lists the keys that a place (a path of keys and positions) admits.
    """
    problems = error.errors()
    first = problems[0]
    place = ""
    for part in first["loc"]:
        name = part if str(part).isprintable() else repr(part)
        place += f"[{part}]" if isinstance(part, int) else f"{'.' if place else ''}{name}"
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        reason = f"unknown key{did_you_mean(key, fields_at(first['loc'])) or '.'}"
    elif first["type"] == "literal_error":
        known = [
            word.strip(" '") for word in first["ctx"]["expected"].replace(" or ", ", ").split(",")
        ]
        hint = did_you_mean(str(first["input"]), known) or "."
        reason = f"there is no {first['input']!r}{hint} Known: {', '.join(known)}."
    elif first["type"] == "missing":
        reason = "is missing"
    more = f" ({len(problems) - 1} more problem(s))" if len(problems) > 1 else ""
    return f"{where}: {place + ': ' if place else ''}{reason}{more}"


def scenario_fields(loc: tuple[Any, ...]) -> list[str]:
    """Keys that a place in a scenario admits."""
    from entrepot.scenario.model import Assumptions, BaselineTariff, Change

    if "baseline" in loc[:-1]:
        return list(BaselineTariff.model_fields)
    if loc[0] == "changes" and len(loc) > 1:
        return list(Change.model_fields)
    if loc[0] == "assumptions" and len(loc) > 1:
        return list(Assumptions.model_fields)
    return list(Scenario.model_fields)
