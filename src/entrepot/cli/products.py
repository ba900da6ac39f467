"""`entrepot products`: trade by product, read into a store, screened and measured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.cli.output import JsonFlag, print_json
from entrepot.cli.store import Asked, answer, ask, show_rows, tell
from entrepot.core.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from entrepot.products.screen import Buyer

app = typer.Typer(
    help="Trade by product: stores, the strategic-dependency screen, measures.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

StoreArgument = Annotated[Path, typer.Argument(help="A product-trade store (a folder).")]
EngineOption = Annotated[str, typer.Option(help="duckdb, or spark.")]
MemoryOption = Annotated[str, typer.Option(help="What DuckDB may hold in memory.")]
OutOption = Annotated[
    Path | None, typer.Option(help="A .parquet or .csv file for all rows, replaced whole.")
]
MostOption = Annotated[int, typer.Option(min=1, help="How many rows to show.")]
ImporterOption = Annotated[
    str, typer.Option(help="all, codes joined by +, or a group (`eu27`) or NAME=CODE+CODE as one.")
]
FriendlyOption = Annotated[
    str | None, typer.Option(help="Suppliers that count less: codes or groups, joined by +.")
]
WeightOption = Annotated[
    float, typer.Option(min=0, max=1, help="Their weight: 0 as if inside, 1 like any other.")
]
ProductionOption = Annotated[
    Path | None, typer.Option(help="CSV of importer, product, value (million USD): own capacity.")
]
DigitsOption = Annotated[
    int | None, typer.Option(help="Sum to 2 or 4 digits first; as stored when absent.")
]

# What a terminal has room for; --json and --out have every column.
BRIEF = (
    *(
        "buyer",
        "product",
        "imports",
        "cdi1_value",
        "cdi2_value",
        "cdi3_value",
        "dependent",
        "quantity_note",
    ),
    *("capacity", "main_supplier", "main_share", "value_note"),
)


@app.command("read")
def read_command(
    files: Annotated[list[Path], typer.Argument(help="Files, a zip or a folder of one source.")],
    to: Annotated[Path, typer.Option(help="The new folder of the store.")],
    format_: Annotated[
        str | None, typer.Option("--format", help="baci or comtrade, where it cannot be told.")
    ] = None,
    digits: Annotated[int, typer.Option(help="The HS level: 6; 2 or 4 of UN Comtrade.")] = 6,
    year: Annotated[
        list[int] | None, typer.Option(help="Only this year of BACI; may be given again.")
    ] = None,
    reports: Annotated[
        str, typer.Option(help="UN Comtrade: whose word is taken, importer or exporter.")
    ] = "importer",
    memory: MemoryOption = "2GB",
    as_json: JsonFlag = False,
) -> None:
    """Read CEPII BACI or UN Comtrade bulk files into a store."""
    from entrepot.products.build import build_store
    from entrepot.sources.baci import is_baci, read_baci
    from entrepot.sources.comtrade import is_comtrade, read_comtrade

    if format_ is None:
        format_ = "baci" if is_baci(files[0]) else "comtrade" if is_comtrade(files[0]) else None
    if format_ == "baci":
        if digits != 6:
            raise DataError("BACI is stored at 6 digits; sum with --digits when asking.")
        release = read_baci(files, year or ())
    elif format_ == "comtrade":
        if year:
            raise DataError("--year is for BACI; UN Comtrade's files are of one year each.")
        release = read_comtrade(files, digits, reports)
    else:
        said = "no BACI name, no columns of UN Comtrade" if format_ is None else repr(format_)
        raise DataError(f"{files[0]}: {said}; --format is baci or comtrade.")
    tell(build_store(release, to, memory=memory).to_dict(), to, as_json)


@app.command("show")
def show_command(store: StoreArgument, as_json: JsonFlag = False) -> None:
    """What a store holds, and what it was made of."""
    from entrepot.products.store import open_store

    tell(open_store(store).to_dict(), store, as_json)


@app.command("screen")
def screen_command(
    store: StoreArgument,
    importer: ImporterOption = "all",
    year: Annotated[int | None, typer.Option(help="The year; the last one when absent.")] = None,
    friendly: FriendlyOption = None,
    friendly_weight: WeightOption = 0.0,
    production: ProductionOption = None,
    digits: DigitsOption = None,
    engine: EngineOption = "duckdb",
    memory: MemoryOption = "2GB",
    out: OutOption = None,
    most: MostOption = 20,
    as_json: JsonFlag = False,
) -> None:
    """Strategic dependencies: the European Commission's three indicators by buyer and product.

    Shows the products that are dependent in value, by imports; --out holds all.
    """
    from entrepot.products.columns import importers_of
    from entrepot.products.screen import Thresholds, screen, screen_in_parts

    with ask(store, engine, memory, (year,), digits, out) as asked:
        given = _given(asked, importer, friendly, friendly_weight, production)
        if importer == "all":
            found = screen_in_parts(asked.trade, importers_of(asked.trade), **given)
        else:
            found = [screen(asked.trade, **given)]
        about: dict[str, Any] = {
            "store": str(store),
            "year": asked.years[0],
            "thresholds": asdict(Thresholds()),
        }
        order = ("year", "buyer", "product")

        def listed(t: ir.Table) -> ir.Table:
            return t.filter(t.dependent_value)

        answer(asked, found, order, listed, "outside", out, most, as_json, about, BRIEF)


@app.command("churn")
def churn_command(
    store: StoreArgument,
    importer: ImporterOption = "all",
    before: Annotated[int | None, typer.Option(help="The first year; the store's first.")] = None,
    after: Annotated[int | None, typer.Option(help="The second; the store's last.")] = None,
    flag: Annotated[
        str, typer.Option(help="dependent_value, dependent_quantity or dependent (both).")
    ] = "dependent_value",
    friendly: FriendlyOption = None,
    friendly_weight: WeightOption = 0.0,
    production: ProductionOption = None,
    digits: DigitsOption = None,
    engine: EngineOption = "duckdb",
    memory: MemoryOption = "2GB",
    out: OutOption = None,
    most: MostOption = 20,
    as_json: JsonFlag = False,
) -> None:
    """Which dependencies enter, leave and stay between two years, and with which supplier.

    Shows how much of its list each buyer keeps; --out holds every product that is on a list.
    """
    from entrepot.products.churn import churn, churn_summary
    from entrepot.products.screen import screen
    from entrepot.products.store import open_store

    opened = open_store(store).years
    pair = (opened[0] if before is None else before, opened[-1] if after is None else after)
    if pair[0] >= pair[1]:
        raise DataError(f"Churn from {pair[0]} to {pair[1]}: two years in order are needed.")
    with ask(store, engine, memory, pair, digits, out) as asked:
        found = screen(
            asked.trade, **_given(asked, importer, friendly, friendly_weight, production)
        )
        about = {"store": str(store), "before": pair[0], "after": pair[1], "flag": flag}
        order = ("buyer", "product")
        changes = churn(found, *pair, flag)
        answer(asked, changes, order, churn_summary, "stayed", out, most, as_json, about)


@app.command("measure")
def measure_command(
    store: StoreArgument,
    what: Annotated[str, typer.Option(help="One measure; `products measures` lists them.")],
    year: Annotated[int | None, typer.Option(help="The year; all of them when absent.")] = None,
    digits: DigitsOption = None,
    engine: EngineOption = "duckdb",
    memory: MemoryOption = "2GB",
    out: OutOption = None,
    most: MostOption = 20,
    as_json: JsonFlag = False,
) -> None:
    """Concentration, comparative advantage, intra-industry trade and more, of all economies."""
    from entrepot.core.labels import did_you_mean
    from entrepot.products.catalogue import MEASURES
    from entrepot.products.store import open_store

    if what not in MEASURES:
        raise DataError(
            f"There is no measure {what!r}{did_you_mean(what, MEASURES)}; "
            "`entrepot products measures` lists them."
        )
    row = MEASURES[what]
    years = open_store(store).years if year is None else (year,)
    with ask(store, engine, memory, years, digits, out) as asked:
        found = row.compute(asked.tables, asked.trade)
        found = found.filter(found.year.isin(asked.years))
        about = {"store": str(store), "measure": what, "unit": row.unit, "source": row.source}
        answer(asked, found, row.order, lambda t: t, None, out, most, as_json, about)


@app.command("complexity")
def complexity_command(
    store: StoreArgument,
    year: Annotated[int | None, typer.Option(help="The year; the last one when absent.")] = None,
    digits: Annotated[int, typer.Option(help="HS digits: 4 takes seconds, 6 minutes.")] = 4,
    memory: MemoryOption = "2GB",
    most: MostOption = 20,
    as_json: JsonFlag = False,
) -> None:
    """Economic and product complexity (needs the extra `complexity`)."""
    from entrepot.products.complexity import complexity

    with ask(store, "duckdb", memory, (year,), digits, None) as asked:
        economies, products = complexity(asked.trade, asked.years[0])
    by_economy: list[Any] = economies.sort_values("eci", ascending=False).to_dict("records")
    by_product: list[Any] = products.sort_values("pci", ascending=False).to_dict("records")
    if as_json:
        print_json({"year": asked.years[0], "economies": by_economy, "products": by_product})
        return
    show_rows(by_economy[:most])
    show_rows(by_product[:most])


@app.command("measures")
def measures_command(as_json: JsonFlag = False) -> None:
    """List the measures, with unit and source."""
    from entrepot.products.catalogue import MEASURES

    rows = [
        {"name": n, "what": m.summary, "unit": m.unit, "source": m.source}
        for n, m in MEASURES.items()
    ]
    if as_json:
        print_json(rows)
    else:
        show_rows(rows)


def _given(
    asked: Asked, importer: str, friendly: str | None, weight: float, production: Path | None
) -> dict[str, Any]:
    """The arguments of a screen that a command's options mean; without importers for all."""
    from entrepot.products.execute import read_production
    from entrepot.products.screen import Friendly

    buyer, importers = _buyer(importer)
    friends = Friendly(tuple(_codes(friendly)), weight) if friendly else Friendly()
    made = None
    if production is not None:
        made = read_production(production, asked.tables.connection, asked.scratch)
    given: dict[str, Any] = {"friendly": friends, "production": made}
    given |= {"importers": importers} if importers else {}
    return given | ({} if buyer is None else {"buyer": buyer})


def _buyer(words: str) -> tuple[Buyer | None, tuple[str, ...]]:
    """What an importer option means: a group as one buyer, or economies each by itself."""
    from entrepot.catalogues import groups
    from entrepot.products.screen import Buyer

    if words == "all":
        return None, ()
    name, is_own, members = words.partition("=")
    if is_own:
        return Buyer(name, tuple(_codes(members))), ()
    if words in groups():
        return Buyer(words, tuple(groups()[words]["members"])), ()
    return None, tuple(_codes(words))


def _codes(words: str) -> list[str]:
    from entrepot.catalogues import economies, groups
    from entrepot.core.labels import did_you_mean

    out: list[str] = []
    for word in words.split("+"):
        if word in groups():
            out += groups()[word]["members"]
        elif word in economies() or (len(word) == 3 and word.isdigit()):
            out.append(word)
        else:
            hint = did_you_mean(word, [*economies(), *groups()])
            raise DataError(f"{word!r} is no economy's code and no group{hint}.")
    return out
