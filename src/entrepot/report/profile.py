"""A profile in the terminal: sentences and small tables, readable at 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.markup import escape

from entrepot.measure.profile import SECTIONS, Partner, Profile
from entrepot.report import profile_words as words
from entrepot.report.profile_words import amount, millions, percent, place
from entrepot.report.table import number, plain_table

WIDTH = 88
PARTNERS, DEPENDENTS, LINES = 10, 8, 6
NAME = 28


def print_profile(console: Console, p: Profile) -> None:
    """The whole portrait, as wide as the terminal and not wider than reads well."""
    narrow = console if console.width <= WIDTH else _narrow(console)
    narrow.rule(f"[bold]{escape(p.name)}[/bold] ({escape(p.economy)})")
    _say(narrow, words.opening(p))
    for line in words.estimated(p):
        _say(narrow, line)
    _section(narrow, "openness", words.openness(p), p)
    _section(narrow, "position", words.position(p), p)
    _shared(narrow, "What its exports hold", "of exports", p.decomposition, words.DECOMPOSITION)
    _partners(narrow, p)
    _section(narrow, "dependence", words.dependence(p), p)
    _inputs(narrow, p)
    _dependents(narrow, p)
    _section(narrow, "circuits", words.circuits(p), p)
    for title, terms in (
        ("Its value added, by what it serves", p.income_circuits),
        ("What its final demand buys", p.demand_circuits),
    ):
        _shared(narrow, title, "share", terms, words.CIRCUITS)
    _section(narrow, "advantage", words.advantage(p), p)
    _advantage(narrow, p)
    if any(f.section == "attached" for f in p.figures):
        _section(narrow, "attached", "", p)
    _end(narrow, p)


def _narrow(console: Console) -> Console:
    return Console(file=console.file, highlight=False, width=WIDTH, no_color=console.no_color)


def _say(console: Console, text: str) -> None:
    console.print(escape(text), highlight=False)


def _head(console: Console, title: str, text: str) -> None:
    console.print(f"\n[bold]{escape(title)}[/bold]")
    if text:
        _say(console, text)


def _table(
    console: Console, title: str, heads: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]
) -> None:
    """Rows of finished text under a title of its own line; nothing where there are none."""
    table = plain_table(None, heads)
    for row in rows:
        table.add_row(*map(escape, row))
    if table.row_count:
        if title:
            console.print(f"\n{title}", style="italic", highlight=False)
        console.print(table)


def _figures(*names: str) -> list[tuple[str, bool]]:
    return [(name, True) for name in names]


def _section(console: Console, section: str, text: str, p: Profile) -> None:
    _head(console, SECTIONS[section], text)
    heads = [("", False), ("value", True), ("", False), *_figures("place", "median")]
    rows = [
        (
            _indented(f.label),
            amount(f.value, f.unit),
            "" if f.value is None else words.unit_words(f.unit),
            place(f),
            amount(f.median, f.unit),
        )
        for f in p.figures
        if f.section == section
    ]
    _table(console, "", heads, rows)


def _indented(label: str) -> str:
    return f"  {label[0].lower()}{label[1:]}" if label.startswith("Of which") else label


def _shared(
    console: Console,
    title: str,
    head: str,
    terms: Mapping[str, float | None],
    labels: Mapping[str, str],
) -> None:
    """Terms that sum to a whole, with their shares in it."""
    whole = sum(v or 0.0 for v in terms.values())
    if whole:
        rows = [
            (labels[term], millions(value), percent((value or 0.0) / whole))
            for term, value in terms.items()
        ]
        _table(console, title, [("", False), *_figures("million USD", head)], rows)


def _partners(console: Console, p: Profile) -> None:
    _head(console, "Partners", words.partners(p))
    for title, gross, value in (
        ("Who buys: gross exports, and value added finally paid", "exports", "value_added_exports"),
        ("Who supplies: gross imports, and value added earned", "imports", "value_added_imports"),
    ):
        rows = [
            (_name(row), millions(getattr(row, gross)), millions(getattr(row, value)))
            for row in words.largest(p.partners, value, PARTNERS)
        ]
        heads = [("million USD", False), *_figures(gross, "value added")]
        _table(console, title, heads, rows)


def _inputs(console: Console, p: Profile) -> None:
    names, sectors = p.partner_names(), words.sector_names(p)
    _table(
        console,
        "Suppliers: their part in all production behind its output",
        [("", False), *_figures("all tiers", "face value", "hidden")],
        [
            (_name(row), *_shares(row.inputs, row.inputs_face_value, row.inputs_hidden))
            for row in words.largest(p.partners, "inputs", PARTNERS)
        ],
    )
    _table(
        console,
        "Foreign inputs it rests on most",
        [("of", False), ("product", False), *_figures("all tiers", "face value")],
        [
            (
                _cut(names[cell.partner], 22),
                _cut(sectors[cell.product], 30),
                *_shares(cell.looked_through, cell.face_value),
            )
            for cell in p.inputs[:PARTNERS]
        ],
    )
    _table(
        console,
        "How concentrated its largest inputs' foreign suppliers are (1: a single one)",
        [("product", False), *_figures("all tiers", "face value")],
        [
            (_cut(sectors[row.code]), _index(row.suppliers), _index(row.suppliers_face_value))
            for row in words.largest(p.industries, "input_product", LINES)
        ],
    )


def _dependents(console: Console, p: Profile) -> None:
    _head(console, "Who depends on it", words.dependents(p))
    _table(
        console,
        "Income that its demand pays; income lost if it bought nothing, unreplaced",
        [("", False), *_figures("paid", "lost")],
        [
            (_name(row), *_shares(row.its_market, row.its_loss_as_market))
            for row in words.largest(p.partners, "its_market", DEPENDENTS)
        ],
    )
    _table(
        console,
        "Inputs: its part in all production behind their output",
        [("", False), *_figures("all tiers", "face value", "hidden")],
        [
            (_name(row), *_shares(row.its_inputs, row.its_inputs_face_value, row.its_inputs_hidden))
            for row in words.largest(p.partners, "its_inputs", DEPENDENTS)
        ],
    )


def _advantage(console: Console, p: Profile) -> None:
    high, low = words.extremes(p, LINES)
    for title, group in (("Strongest sectors", high), ("Weakest sectors", low)):
        rows = [
            (
                _cut(row.name, 34),
                _index(row.advantage),
                _index(row.advantage_value_added),
                millions(row.exports),
            )
            for row in group
        ]
        title += ": index of advantage by exports, by value added (1: the world's part)"
        heads = [("", False), *_figures("exports", "value added", "million USD")]
        _table(console, title, heads, rows)


def _end(console: Console, p: Profile) -> None:
    if p.absent:
        _head(console, "Absent, which is not zero", "")
        for what, why in p.absent:
            _say(console, f"  - {what}: {why}")
    _head(console, "Notes", "")
    if p.parts:
        _say(console, f"  - Taken together: {', '.join(p.parts)}.")
    for note in p.notes:
        _say(console, f"  - {note}")
    for word in ("data", "credit"):
        if word in p.data:
            console.print(f"[dim]{escape(p.data[word])}[/dim]", highlight=False)
    _say(console, "Names as in the data source; no position is taken.")


def _index(value: float | None) -> str:
    return number(value, 2, sign=False)


def _shares(*values: float | None) -> list[str]:
    return [percent(value, 2) for value in values]


def _name(row: Partner) -> str:
    return f"{row.code} {_cut(row.name)}"


def _cut(text: str, most: int = NAME) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
