"""What the documentation shows is true: its examples run, its excerpts are what is printed."""

from __future__ import annotations

import importlib.util
import io
import re
import shlex
import sys
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from types import ModuleType

import pytest
import typer
import yaml

import entrepot as ep
from entrepot.catalogues import groups
from entrepot.catalogues.elasticities import elasticity_sets
from entrepot.cli.main import app
from entrepot.products.catalogue import MEASURES
from entrepot.report.terminal import print_result
from entrepot.results.tables import UNITS
from entrepot.scenario.instruments import INSTRUMENTS
from entrepot.scenario.lower import lower
from entrepot.scenario.sweep import scenario_with, values_at
from entrepot.scenario.variants import VARIANTS
from entrepot.validation import VALIDATIONS
from entrepot.world.shelf import SHELF

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if "generated" not in path.parts and "_build" not in path.parts
    ),
]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
FENCE = re.compile(
    r"(?:<!-- excerpt: (?P<of>.+?) -->\s*\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
HEADINGS = ["Context", "Decision", "Alternatives", "Consequences"]


@dataclass(frozen=True)
class Block:
    """A fenced block: what kind, its text, and the command it is an excerpt of."""

    kind: str
    text: str
    of: str | None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(m["kind"], m["text"], m["of"]) for m in FENCE.finditer(text)]


def pages_with(kind: str) -> list[pytest.ParameterSet]:
    return [
        pytest.param(page, id=page.relative_to(ROOT).as_posix())
        for page in PAGES
        if any(block.kind == kind for block in blocks(page))
    ]


@pytest.fixture(scope="module")
def world() -> ep.World:
    return ep.load_world("world-2022")


@pytest.fixture(scope="module")
def opening_printed(world: ep.World) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=200, highlight=False)
    print_result(console, ep.run(world, ep.read_scenario(ROOT / "examples" / "opening.yaml")))
    return out.getvalue()


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.kind == "python":
            exec(compile(block.text, str(page), "exec"), names)


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_scenarios_shown_can_be_asked(page: Path, world: ep.World) -> None:
    for block in blocks(page):
        if block.kind == "yaml":
            shown = yaml.safe_load(block.text)
            if "design" in shown:
                sweep = ep.read_sweep(shown)
                lower(scenario_with(sweep, values_at(sweep, sweep.points - 1)), world)
                continue
            change = {
                "importers": "USA",
                "exporters": "CHN",
                "instrument": "tariff",
                "to": "25%",
                "why": "a part of a scenario is shown; this is the rest",
            }
            whole = {"name": "shown", "why": "in the documentation", "changes": [change], **shown}
            lower(ep.read_scenario(whole), world)


def shell_lines() -> list[pytest.ParameterSet]:
    return [
        pytest.param(line, id=f"{page.stem}: {line}")
        for page in PAGES
        for block in blocks(page)
        if block.kind == "sh"
        for line in block.text.splitlines()
        if line.startswith(("make ", "entrepot "))
    ]


@pytest.mark.parametrize("line", shell_lines())
def test_commands_shown_exist(line: str) -> None:
    words = shlex.split(line.split(">")[0], comments=True)
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.M)
        return
    command = typer.main.get_command(app)
    words = words[1:]
    while hasattr(command, "commands"):
        assert words[0] in command.commands, line
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    options = {word for word in words if word.startswith("--")}
    assert options <= known | {"--help"}, line
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    with_value = {opt for p in command.params if not getattr(p, "is_flag", True) for opt in p.opts}
    given = len([w for w in words if not w.startswith("--")]) - sum(w in with_value for w in words)
    assert sum(p.required for p in arguments) <= given <= len(arguments), line


def excerpts() -> list[pytest.ParameterSet]:
    return [
        pytest.param(block, id=f"{page.stem} {i}")
        for page in PAGES
        for i, block in enumerate(blocks(page))
        if block.of
    ]


@pytest.mark.parametrize("block", excerpts())
def test_excerpts_are_what_is_printed(block: Block, opening_printed: str) -> None:
    assert block.of == "entrepot run examples/opening.yaml"
    printed = [" ".join(line.split()) for line in opening_printed.splitlines()]
    for line in filter(None, (" ".join(x.split()) for x in block.text.splitlines())):
        assert any(p.startswith(line) for p in printed), line


def test_excerpts_are_checked() -> None:
    assert len(excerpts()) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path = target.partition("#")[0]
        if path and "://" not in path and "generated/" not in path:
            assert (page.parent / path).exists(), target


def test_files_to_imitate_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:src|scripts|docs|tests)/[^`]+)`", text)
    assert len(paths) > 12
    for path in paths:
        assert list(ROOT.glob(path)), path


@pytest.mark.parametrize("page", DECISIONS, ids=lambda p: p.stem)
def test_decisions_have_their_four_parts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.M) == HEADINGS
    assert text.startswith(f"# {int(page.name[:4])}. ")


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


def script(name: str) -> ModuleType:
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reference") / "generated"
    files = script("build_reference").build(folder)
    return {path.stem: path.read_text(encoding="utf-8") for path in files}


def test_every_row_of_every_catalogue_is_in_the_reference(reference: dict[str, str]) -> None:
    for page, names in {
        "groups": groups(),
        "elasticities": elasticity_sets(),
        "variants": VARIANTS,
        "instruments": INSTRUMENTS,
        "results": UNITS,
        "worlds": SHELF,
        "validations": VALIDATIONS,
        "products": MEASURES,
    }.items():
        for name in names:
            assert name in reference[page], f"{page}: {name}"
    for name in ep.__all__:
        assert name.startswith("_") or f"## {name}\n" in reference["python"]


def test_every_command_has_help_in_the_reference(reference: dict[str, str]) -> None:
    walk = script("build_reference").commands(typer.main.get_command(app), "entrepot")
    for path, text in walk:
        assert f"## {path}\n" in reference["cli"]
        assert len(text.splitlines()) > 3, f"{path} has no help"


def test_every_generated_page_is_in_the_contents(reference: dict[str, str]) -> None:
    contents = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^generated/(\w+)$", contents, re.M)) == set(reference)


class Fake:
    """A distribution as far as the licence check looks at one."""

    def __init__(self, requires: list[str], **about: str) -> None:
        self.requires = requires
        self.metadata = Message()
        for key, value in about.items():
            self.metadata[key.replace("_", "-")] = value


def test_licences_are_in_order() -> None:
    check = script("check_licences")
    assert not list(
        check.problems(check.read_table(), check.needed("entrepot"), check.data_files())
    )
    assert len(check.data_files()) >= 8


def test_the_licence_check_finds_what_is_wrong() -> None:
    check = script("check_licences")
    shelf = {
        "top": Fake(
            [
                "Good_One>=1",
                "copyleft (>2)",
                "gone",
                "other; sys_platform == 'win32'",
                "spare; extra == 'more'",
                "absent; extra == 'more'",
            ]
        ),
        "spare": Fake([], License="MIT"),
        "good-one": Fake(["deep[x]; python_version > '3'", "tests; extra == 'dev'"], License="MIT"),
        "deep": Fake([], Classifier="License :: OSI Approved :: BSD License"),
        "copyleft": Fake([], License_Expression="GPL-3.0-or-later"),
    }
    found = check.needed("top", shelf.get)
    assert set(found) == {"good-one", "deep", "copyleft", "gone", "spare"}
    row = {"licence": "MIT", "source": "direct"}
    table = {("package", "good-one"): row, ("package", "copyleft"): row, ("data", "a"): row}
    lines = list(check.problems(table, found, ["b"]))
    for part in (
        "gone is required",
        "deep is installed",
        "spare is installed",
        "copyleft: 'GPL",
        "file a",
        "b is embedded",
    ):
        assert sum(part in line for line in lines) == 1, part
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("expression", "good"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("MIT AND GPL-2.0-only", False),
        ("(MIT OR GPL-2.0-only) AND BSD-3-Clause", False),
        ("LGPL-3.0-or-later", False),
        ("", False),
    ],
)
def test_permissive_is_read_from_expressions(expression: str, good: bool) -> None:
    assert script("check_licences").permissive(expression) is good
