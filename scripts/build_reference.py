"""Write docs/reference/generated/*.md from the catalogues, the command line and the docstrings.

Nothing here is written by hand twice: a page reads the rows that the code reads.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np
import typer
from pydantic import BaseModel

import entrepot
from entrepot.catalogues import economy_names, groups, sector_concordance
from entrepot.catalogues.addresses import addresses, spans
from entrepot.catalogues.elasticities import (
    STANDARD,
    absent_sets,
    elasticities,
    elasticity_sets,
    standard_errors,
)
from entrepot.cli.main import app
from entrepot.equilibrium.welfare import SPLIT_TERMS
from entrepot.measure import measures
from entrepot.measure.row import FAMILIES
from entrepot.products.catalogue import MEASURES
from entrepot.results.sweep_tables import POINT_UNITS
from entrepot.results.tables import LIMITS, PATH_UNITS, SECTOR_UNITS, TRADE_UNITS, UNITS
from entrepot.scenario.amounts import Amount
from entrepot.scenario.instruments import INSTRUMENTS
from entrepot.scenario.model import Assumptions, BaselineTariff, Change, Scenario
from entrepot.scenario.read import library, read_scenario
from entrepot.scenario.select import SECTOR_GROUPS
from entrepot.scenario.sweep import Parameter, Sweep
from entrepot.scenario.variants import NON_TRADABLE_BELOW, VARIANTS, ModelVariant
from entrepot.sources import plain
from entrepot.sources.formats import FORMATS
from entrepot.validation import VALIDATIONS
from entrepot.world.checks import CHECKS
from entrepot.world.repairs import REPAIRS
from entrepot.world.shelf import SHELF, load_world
from entrepot.world.world import World

TARGET = Path(__file__).parent.parent / "docs" / "reference" / "generated"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a Markdown table; cells are made safe."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in row) + " |" for row in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def code(text: object) -> str:
    """Set text as inline code, nothing when empty."""
    return f"`{text}`" if str(text) else ""


def worlds() -> str:
    """List every world on the shelf, and what is in the embedded ones."""
    shelf = [(code(w.name), "yes" if w.embedded else "no", w.summary) for w in SHELF.values()]
    parts = ["# Worlds", table(("name", "embedded", "what it is"), shelf)]
    for row in SHELF.values():
        if row.embedded:
            parts.append(_one_world(load_world(row.name)))
    return "\n\n".join(parts)


def _one_world(world: World) -> str:
    names = economy_names(world.regions) | dict(world.region_names)
    facts = [
        ("year", world.year),
        ("economies", len(world.regions)),
        ("sectors", len(world.sectors)),
        ("output", f"{world.x.sum() / 1e6:,.2f} tn USD"),
        ("value added", f"{world.V.sum() / 1e6:,.2f} tn USD"),
        ("final use", ", ".join(world.final_categories)),
        ("product taxes", world.taxes.replace("_", " ")),
        ("satellites", ", ".join(world.satellites) or "none"),
        ("SHA-256 of its content", code(world.content_hash)),
    ]
    parts = [f"## {world.name}", table(("", ""), facts), str(world.provenance.get("data", ""))]
    parts += [f"- {note}" for note in world.provenance.get("notes", [])]
    parts += [
        f"- Estimated, not observed: {text}" for text in world.provenance.get("estimated", [])
    ]
    if measured := world.provenance.get("measured_error", {}).get("summary"):
        parts.append(f"- Measured error of the estimate: {measured}.")
    parts.append(str(world.provenance.get("credit", "")))
    parts.append("Economies: " + ", ".join(f"{code(c)} {names[c]}" for c in world.regions) + ".")
    parts.append("Sectors: " + ", ".join(f"{code(s.code)} {s.name}" for s in world.sectors) + ".")
    return "\n\n".join(part for part in parts if part)


def scenarios() -> str:
    """Show the library of scenarios."""
    parts = [
        "# Scenario library",
        "Scenarios shipped with the package, by name: `entrepot run NAME`.",
    ]
    for name, entry in library().items():
        parts += [f"## {name}", read_scenario(name).why.strip()]
        parts.append(f"```yaml\n{entry.read_text(encoding='utf-8').strip()}\n```")
    return "\n\n".join(parts)


def instruments() -> str:
    """List the instruments, and the keys of a scenario."""
    rows = [
        (
            code(i.name),
            i.meaning,
            ", ".join(code(a) for a in i.amounts) or "none",
            "importers, exporters, sectors"
            if i.border
            else "exporters, sectors"
            if i.by_sector
            else "exporters",
            code(i.term),
        )
        for i in INSTRUMENTS.values()
    ]
    parts = [
        "# Instruments, scenario and sweep keys",
        table(("instrument", "what it changes", "amounts", "who and what", "welfare term"), rows),
    ]
    for model, title in (
        (Scenario, "a scenario"),
        (Change, "a change"),
        (Assumptions, "`assumptions`"),
        (BaselineTariff, "a `baseline` tariff"),
        (Sweep, "a sweep"),
        (Parameter, "a sweep's parameter"),
    ):
        parts += [f"## Keys of {title}", _docstring(model), _keys(model)]
    return "\n\n".join(parts)


def _keys(model: type[BaseModel]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else _default(field.default)
        rows.append((code(field.alias or name), _type(field.annotation), default))
    return table(("key", "values", "default"), rows)


def _default(value: object) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, tuple):
        return code(", ".join(map(str, value))) or "none"
    return "none" if value is None else code(str(value).lower())


WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Amount: "amount",
    Any: "anything a scenario can hold there",
    type(None): "",
}


def _type(annotation: Any) -> str:
    """Say a field's type in the words of somebody who writes a scenario."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inside[0])
    if origin is Literal:
        return " or ".join(code(choice) for choice in inside)
    if origin is tuple and inside == (inside[0],) * 2:
        return f"two of: {_type(inside[0])}"
    if origin is tuple:
        return "a name or a list of names" if inside[0] is str else f"list: {_type(inside[0])}"
    if origin is dict:
        return f"mapping of {_type(inside[0])} to {_type(inside[1])}"
    if inside:
        return " or ".join(filter(None, map(_type, inside)))
    if annotation in WORDS:
        return WORDS[annotation]
    return re.sub(r"(?<!^)([A-Z])", r" \1", annotation.__name__).lower()


def group_page() -> str:
    """List dated groups with their sources."""
    parts = [
        "# Groups of economies",
        "Dated lists of codes. `as_of` is the date for which the source shows the list. A result "
        "says which members are separate economies in the world asked and which are not. "
        "No position is taken on the status of any territory.",
        table(
            ("name", "label", "as of", "members"),
            [
                (code(g["name"]), g["label"], g["as_of"], len(g["members"]))
                for g in groups().values()
            ],
        ),
    ]
    for group in groups().values():
        parts += [f"## {group['label']}", f"{code(group['name'])}, as of {group['as_of']}."]
        parts.append(" ".join(group["members"]))
        parts.append(f"Source: {group['source']}.")
        if group.get("note"):
            parts.append(f"Note: {group['note']}")
    return "\n\n".join(parts)


def sectors() -> str:
    """Show the concordance of activities, ISIC divisions and sectors."""
    rows = [
        (
            code(r["code"]),
            r["name"],
            r["isic"],
            r["isic3"],
            code(r["sector"]),
            r["sector_name"],
            code(r["slug"]),
        )
        for r in sector_concordance()
    ]
    named = [(code(k), f"{low}-{high}") for k, (low, high) in SECTOR_GROUPS.items()]
    return "\n\n".join(
        [
            "# Sectors",
            "The 50 activities of `oecd-2022-full`, their ISIC Rev. 4 divisions, the ISIC Rev. 3 divisions "
            "that hold most of each (how older estimates reach it), and the sector of "
            "`world-2022` that each belongs to. `world-2019-g20` has the ISIC sections A to T.",
            table(
                ("activity", "name", "ISIC", "ISIC Rev. 3", "sector", "sector name", "short name"),
                rows,
            ),
            "## Groups of sectors",
            table(("name", "ISIC divisions"), named),
        ]
    )


def elasticity_page() -> str:
    """List elasticity sets: sources, and the values they give the sectors of world-2022."""
    parts = ["# Elasticity sets"]
    for name, row in elasticity_sets().items():
        standard = " Shown with every result." if name in STANDARD else ""
        parts += [f"## {name}", f"{row['label']}.{standard}", f"Source: {row['source']}."]
        for key in ("table", "page", "read_in", "year", "method", "unit"):
            if key in row:
                parts.append(f"{key.replace('_', ' ').capitalize()}: {str(row[key]).rstrip('.')}.")
        parts.append(str(row.get("note", "")))
        if "rows" in row:
            parts += [
                f"Services: {row['services']['note']}",
                table(
                    ("sector of the source", "ISIC Rev.3", "theta", "s.e.", "observations"),
                    [
                        (key, p["isic3"], f"{p['theta']:.2f}", p.get("se", ""), p.get("n", ""))
                        for key, p in row["published"].items()
                    ],
                ),
                table(
                    ("activity", "theta", "s.e.", "from", "note"),
                    [
                        (
                            code(r["code"]),
                            r["theta"],
                            r.get("se", ""),
                            ", ".join(r["from"]),
                            r.get("note", ""),
                        )
                        for r in row["rows"]
                    ],
                ),
            ]
    world = load_world("world-2022")
    isic = [s.isic for s in world.sectors]
    values = {name: elasticities(name, world.sector_codes, isic) for name in elasticity_sets()}
    errors = {name: standard_errors(name, world.sector_codes, isic) for name in elasticity_sets()}
    parts += [
        "## Not entered",
        "A set is entered only where its table was read.",
        table(
            ("set", "source", "why"),
            [(name, row["source"], row["absent"]) for name, row in absent_sets().items()],
        ),
        "## As used on world-2022",
        "A sector that covers several activities takes their mean, weighted by world cross-border "
        "trade in 2022; in brackets its standard error, where one is published.",
        table(
            ("sector", "name", *values),
            [
                (
                    code(s.code),
                    s.name,
                    *(
                        f"{v[k]:.4g}" + ("" if np.isnan(se := errors[n][k]) else f" ({se:.2f})")
                        for n, v in values.items()
                    ),
                )
                for k, s in enumerate(world.sectors)
            ],
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def variant_page() -> str:
    """List the named variants of the model, and the keys of a mapping."""
    rows = [
        (
            code(name),
            row.meaning,
            ", ".join(
                f"{k}: {v}" for k, v in row.variant.model_dump(exclude_defaults=True).items()
            ),
            f"{code(row.neighbour)} ({row.limit})" if row.neighbour else "",
        )
        for name, row in VARIANTS.items()
    ]
    return "\n\n".join(
        [
            "# Variants of the model",
            "`entrepot run NAME --variant V`, or `variant:` among a scenario's assumptions; "
            "`entrepot robustness` runs them all. "
            "[Equations](../../explanation/model.md#variants).",
            table(("variant", "meaning", "stated", "collapses to"), rows),
            f"Non-tradable sectors: less than {NON_TRADABLE_BELOW:.0%} of world sales cross a border.",
            "## Keys of a variant given as a mapping",
            _docstring(ModelVariant),
            _keys(ModelVariant),
        ]
    )


def results() -> str:
    """List result columns, welfare terms and standing limits."""
    return "\n\n".join(
        [
            "# Result columns and welfare terms",
            "## Columns by economy",
            table(("column", "meaning and unit"), [(code(k), v) for k, v in UNITS.items()]),
            "A term of the welfare split appears where the question has it.",
            "## Columns by sector",
            table(("column", "meaning and unit"), [(code(k), v) for k, v in SECTOR_UNITS.items()]),
            "## Columns of `trade.parquet`",
            table(("column", "meaning and unit"), [(code(k), v) for k, v in TRADE_UNITS.items()]),
            "## Columns of `welfare_path.csv`",
            table(("column", "meaning and unit"), [(code(k), v) for k, v in PATH_UNITS.items()]),
            "## Columns of a sweep's tables",
            table(("column", "meaning and unit"), [(code(k), v) for k, v in POINT_UNITS.items()]),
            "And a column a parameter; by economy also those of the outcomes chosen.",
            "## Terms of the welfare split",
            table(("term", "what it measures"), [(code(k), v) for k, v in SPLIT_TERMS.items()]),
            "[Formulas](../../explanation/model.md#welfare-and-its-parts).",
            "## Limits printed with every result",
            "\n".join(f"- {line}" for line in LIMITS)
            + "\n- Competition, scale and sourcing, as the variant in force has them.",
        ]
    )


def tables() -> str:
    """List formats, datasets that can be got, the checks of an audit and the repairs."""
    got = [
        (
            code(name),
            row.title,
            spans(row.years) or "by hand",
            f"[page]({row.landing})",
            row.seen,
        )
        for name, row in addresses().items()
    ]
    checks = [(code(c.name), c.level, c.meaning) for c in CHECKS]
    repairs = [
        (code(f"{r.name}:{r.argument}" if r.argument else r.name), r.meaning)
        for r in REPAIRS.values()
    ]
    formats = [(code(f.name), f.summary) for f in FORMATS.values()]
    return "\n\n".join(
        [
            "# Tables",
            "How to use them: [read and check a table](../../howto/tables.md).",
            "## Formats",
            table(("name", "what is read"), formats),
            "## Datasets that can be got",
            "`entrepot world get NAME --year YEAR`. No address was tried when this was written: "
            "each was seen where its row says.",
            table(("name", "what", "years", "provider", "address seen in"), got),
            "## Checks",
            "A finding of level `fail` makes `entrepot world check` exit with 1.",
            table(("check", "level", "what must hold"), checks),
            "## Repairs",
            "Applied in the order given, and logged in the world's provenance with cell and size.",
            table(("repair", "what it does"), repairs),
            "## The plain format",
            _plain_format(),
        ]
    )


def _plain_format() -> str:
    """Show the plain format as its module describes it."""
    text = inspect.getdoc(plain) or ""
    return text.split("\n\n", 1)[1]


def validations() -> str:
    """List the published results that `entrepot validate` recomputes."""
    rows = [
        (code(v.name), v.summary, v.source, code(v.folder or "") or "one pinned package")
        for v in VALIDATIONS.values()
    ]
    return "\n\n".join(
        [
            "# Validations",
            "`entrepot validate NAME --data DIR` recomputes one; `DIR` holds the folder named here. "
            "[Results](../../validation.md).",
            table(("name", "what", "source", "needs"), rows),
        ]
    )


def products() -> str:
    """List the measures of product-level trade."""
    rows = [(code(n), m.summary, m.unit, m.source) for n, m in MEASURES.items()]
    return "\n\n".join(
        [
            "# Measures of trade by product",
            "`entrepot products measure STORE --what NAME` computes one. "
            "[How to](../../howto/products.md).",
            table(("name", "what", "unit", "source"), rows),
        ]
    )


def command_line() -> str:
    """Show the help text of every command, as the command prints it."""
    parts = [
        "# Command line",
        "Exit codes: 0 answered, 1 a check failed, 2 bad input, 3 no certified solution, "
        "130 interrupted.",
    ]
    for path, text in commands(typer.main.get_command(app), "entrepot"):
        parts += [f"## {path}", f"```text\n{text}\n```"]
    return "\n\n".join(parts)


def commands(command: Any, path: str, parent: Any = None) -> Iterator[tuple[str, str]]:
    """Yield a command's path and help, then its subcommands'."""
    context = command.context_class(
        command, info_name=path.split()[-1], parent=parent, terminal_width=90, max_content_width=90
    )
    with context.scope(cleanup=False):
        yield path, command.get_help(context).strip()
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}", context)


def measure_page() -> str:
    """List the measures by family: unit, axes, meaning, source."""
    parts = [
        "# Measures",
        "`entrepot measure WORLD --what NAME,NAME`; in Python `ep.measure.take`.",
    ]
    for family, title in FAMILIES.items():
        rows = [
            (code(m.name), m.unit, ", ".join(m.dims), m.meaning, m.source)
            for m in measures().values()
            if m.family == family
        ]
        parts += [f"## {title}", table(("name", "unit", "of", "meaning", "source"), rows)]
    return "\n\n".join(parts)


def python() -> str:
    """Show signatures and docstrings of the public names."""
    parts = [
        "# Python",
        "`import entrepot as ep` is cheap: each name is loaded when first used.",
    ]
    for name in entrepot.__all__:
        thing = getattr(entrepot, name)
        if isinstance(thing, str):
            continue
        parts += [f"## {name}", _signature(name, thing), _docstring(thing)]
        if inspect.isclass(thing):
            parts += list(_members(thing))
    return "\n\n".join(part for part in parts if part)


def _signature(name: str, thing: Any) -> str:
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return ""
    signature = inspect.signature(thing)
    items = [str(p) for p in signature.parameters.values()]
    kinds = [p.kind for p in signature.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds and not inspect.isclass(thing):
        items.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    items = [re.sub(r""": (["'])(.+?)\1(?= = |$)""", r": \2", item) for item in items]
    if issubclass_of_model(thing):
        items = [f"{key}=..." for key in thing.model_fields]
    inside = ", ".join(items)
    if len(inside) > 70:
        inside = "\n    " + ",\n    ".join(items) + ",\n"
    returns = ""
    if not inspect.isclass(thing) and signature.return_annotation is not inspect.Signature.empty:
        returns = f" -> {signature.return_annotation}"
    return f"```text\nep.{name}({inside}){returns}\n```"


def issubclass_of_model(thing: Any) -> bool:
    """Say whether it is one of the scenario models, whose keys have a page of their own."""
    return inspect.isclass(thing) and issubclass(thing, BaseModel)


def _members(cls: type) -> Iterator[str]:
    fields = {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    for name, member in vars(cls).items():
        if name.startswith("_") or name in fields or name.startswith("model_"):
            continue
        target = getattr(member, "func", getattr(member, "fget", member))
        if callable(target) and getattr(target, "__doc__", None) and not inspect.isclass(target):
            mark = "" if inspect.isfunction(member) else " (property)"
            yield f"**`.{name}`**{mark}: {_docstring(target)}"


def _docstring(thing: Any) -> str:
    """Turn a docstring into Markdown: `Parameters` and the like become lists."""
    text = inspect.getdoc(thing) or ""
    out: list[str] = []
    listing = False
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if i + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[i + 1].strip()):
            out += [f"*{line.strip()}*", ""]
            listing = True
        elif re.fullmatch(r"-{3,}", line.strip()):
            continue
        elif listing and (match := re.match(r"^(\w[\w, ]*) : (.*)$", line)):
            out += [f"- `{match[1]}`: {match[2]}"]
        elif listing and not line.strip():
            listing = listing and _still_listing(lines[i + 1 :])
            out.append("")
        else:
            out.append(line if not listing else "  " + line.strip())
    return "\n".join(out).strip()


def _still_listing(rest: Sequence[str]) -> bool:
    return bool(rest) and (rest[0].startswith(" ") or bool(re.match(r"^(\w[\w, ]*) : ", rest[0])))


PAGES: dict[str, Callable[[], str]] = {
    "worlds": worlds,
    "scenarios": scenarios,
    "instruments": instruments,
    "groups": group_page,
    "sectors": sectors,
    "elasticities": elasticity_page,
    "variants": variant_page,
    "results": results,
    "tables": tables,
    "validations": validations,
    "products": products,
    "cli": command_line,
    "measures": measure_page,
    "python": python,
}


def build(target: Path) -> list[Path]:
    """Write every page into a folder, which is emptied first; returns the files."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    note = (
        "<!-- Written by scripts/build_reference.py; change the catalogue, not this page. -->\n\n"
    )
    files = []
    for name, page in PAGES.items():
        path = target / f"{name}.md"
        path.write_text(note + page().rstrip() + "\n", encoding="utf-8")
        files.append(path)
    return files


def main() -> None:
    """Build into docs/reference/generated, or a folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=TARGET, help="folder to write to")
    build(parser.parse_args().to)


if __name__ == "__main__":
    main()
