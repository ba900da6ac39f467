"""The portrait of one economy: measures of the catalogue taken once, ranked and selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from entrepot.catalogues import economy_names, groups
from entrepot.core.errors import MeasureError
from entrepot.core.labels import did_you_mean
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, Level, Together, accounts_of
from entrepot.measure.catalogue import named
from entrepot.measure.measurement import Measured, take
from entrepot.world.groups import group_use
from entrepot.world.world import World

VALUE_ADDED = "production_and_consumption:value_added"
SECTIONS = {
    "openness": "Openness",
    "position": "Position in value chains",
    "dependence": "What it depends on",
    "circuits": "Home and external circuit",
    "advantage": "Comparative advantage",
    "attached": "Attached data",
}
FIGURES: tuple[tuple[str, str, str, str], ...] = (
    ("openness", VALUE_ADDED, "production", "Value added"),
    ("openness", "gross_exports", "", ""),
    ("openness", "gross_imports", "", ""),
    ("openness", "trade_balance", "", ""),
    ("openness", "export_openness", "", "Exports over value added"),
    ("openness", "import_openness", "", "Imports over value added"),
    ("openness", "home_share", "", "Purchases made at home"),
    ("openness", "world_export_share", "", "Share in world exports"),
    ("openness", "services_export_share", "", "Services in exports"),
    ("openness", "trade_effective_number", "export_partners", "Equal-sized export partners"),
    ("openness", "trade_effective_number", "import_partners", "Equal-sized import partners"),
    ("openness", "trade_effective_number", "export_sectors", "Equal-sized export sectors"),
    ("position", "gvc_participation", "", "Exports crossing several borders"),
    ("position", "tripartite_participation", "PF", "Of which pure forward"),
    ("position", "tripartite_participation", "TS", "Of which two-sided"),
    ("position", "tripartite_participation", "PB", "Of which pure backward"),
    ("position", "domestic_value_added_share", "", "Domestic value added in exports"),
    ("position", "vax_ratio", "", "Of which absorbed abroad"),
    ("position", "gvc_position", "", "Supplier (+) or user (-) of inputs"),
    ("position", "economy_upstreamness", "", "Upstreamness of output"),
    ("position", "economy_downstreamness", "", "Downstreamness of output"),
    ("position", "export_upstreamness", "", "Upstreamness of exports"),
    ("position", "import_upstreamness", "", "Upstreamness of imports"),
    ("dependence", "foreign_input_reliance", "looked_through", "Foreign production behind output"),
    ("dependence", "foreign_input_reliance", "face_value", "Of which bought directly"),
    ("dependence", "foreign_input_reliance", "hidden", "Of which hidden exposure"),
    ("dependence", "effective_suppliers", "face_value", "Equal-sized suppliers, face value"),
    ("dependence", "effective_suppliers", "looked_through", "Equal-sized suppliers, all tiers"),
    ("dependence", "largest_supplier_share", "looked_through", "Largest foreign supplier's share"),
    ("circuits", "income_shares", "home", "Income paid by home demand"),
    ("circuits", "income_shares", "external", "Income paid by foreign demand"),
    ("circuits", "income_shares", "returning", "Income leaving and returning"),
    ("circuits", "demand_shares", "home", "Home value in final demand"),
    ("circuits", "demand_shares", "external", "Foreign value in final demand"),
    ("advantage", "diversity", "", "Sectors with an advantage"),
)  # fmt: skip
NEEDING = ("re_export_share", "hub_ratio", "harris_market_potential")
OTHERS = (
    "gross_exports_by_partner", "gross_imports_by_partner", "income_by_final_buyer",
    "market_reliance", "input_reliance", "input_reliance_face_value", "hidden_exposure",
    "extraction_loss", "exports_decomposition", "exports_decomposition_by_sector",
    "output_participation", "gross_exports_by_sector", "gross_imports_by_product",
    "gvc_participation_by_sector", "upstreamness", "downstreamness", "revealed_advantage",
    "revealed_advantage_value_added", "foreign_input_reliance_by_sector", "input_dependence",
    "input_dependence_face_value", "product_supplier_concentration", "income_circuits",
    "demand_circuits",
)  # fmt: skip
INPUTS, PEERS, HEAT = 20, 12, (12, 14)
"""Inputs listed; economies compared with; partners and products of the map of dependence."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the economy and its place among the world's economies.

    `rank` 1 is the highest of the `of` economies that have the number, equal
    ones sharing a rank; `median` is theirs. `value` is None where absent, and
    `absent` says why.
    """

    section: str
    label: str
    measure: str
    term: str
    unit: str
    value: float | None
    rank: int | None
    of: int
    median: float | None
    absent: str


@dataclass(frozen=True, slots=True)
class Partner:
    """Trade with one partner, and who depends on whom; None where absent.

    Million USD: gross `exports` and `imports`; `value_added_exports`, the
    economy's value added that the partner's final demand pays, and
    `value_added_imports`, the other way round. Shares: of the economy's income
    that the partner's final demand pays (`market`); of the production behind its
    output made by the partner (`inputs`, `inputs_face_value`, `inputs_hidden`); `its_market`,
    `its_inputs` and so on the same of the partner's income and output by
    this economy. `its_loss_as_market` and `its_loss_as_supplier`: income the
    partner would lose without this economy, if nothing replaced it.
    """

    code: str
    name: str
    exports: float | None
    imports: float | None
    value_added_exports: float | None
    value_added_imports: float | None
    market: float | None
    inputs: float | None
    inputs_face_value: float | None
    inputs_hidden: float | None
    its_market: float | None
    its_inputs: float | None
    its_inputs_face_value: float | None
    its_inputs_hidden: float | None
    its_loss_as_market: float | None
    its_loss_as_supplier: float | None


@dataclass(frozen=True, slots=True)
class Industry:
    """One sector of the economy: million USD, shares, stages and indices; None where absent.

    `foreign_inputs` is the foreign share of all production behind its output;
    `input_product` the part of the foreign production behind all the economy's
    output that is this sector's product, and `suppliers` how concentrated
    those who supply it are (looked through all tiers).
    """

    code: str
    name: str
    output: float | None
    exports: float | None
    imports: float | None
    DVA: float | None
    DDC: float | None
    FVA: float | None
    FDC: float | None
    participation: float | None
    upstreamness: float | None
    downstreamness: float | None
    foreign_inputs: float | None
    advantage: float | None
    advantage_value_added: float | None
    input_product: float | None
    suppliers: float | None
    suppliers_face_value: float | None


@dataclass(frozen=True, slots=True)
class Input:
    """One product of one partner: its share in all production behind the economy's output."""

    partner: str
    product: str
    looked_through: float | None
    face_value: float | None


@dataclass(frozen=True, slots=True)
class Peer:
    """Participation of an economy in value chains, shares of its gross exports."""

    code: str
    name: str
    PF: float | None
    TS: float | None
    PB: float | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a table says of one economy, as plain data: see `profile`.

    `figures` are ranked; `partners` and `industries` stand in the table's own
    order; `inputs` are the largest first, `heat` all pairs of the partners and
    products that the economy rests on most. Circuits and `decomposition` map
    terms to million USD. `absent` pairs what cannot be said with the reason,
    `measures` are the catalogue's rows used.
    """

    economy: str
    name: str
    parts: tuple[str, ...]
    world: str
    world_sha256: str
    year: int
    economies: int
    sectors: int
    figures: tuple[Figure, ...]
    partners: tuple[Partner, ...]
    industries: tuple[Industry, ...]
    inputs: tuple[Input, ...]
    heat: tuple[Input, ...]
    peers: tuple[Peer, ...]
    decomposition: Mapping[str, float | None]
    income_circuits: Mapping[str, float | None]
    demand_circuits: Mapping[str, float | None]
    estimated: tuple[str, ...]
    measured_error: str
    notes: tuple[str, ...]
    absent: tuple[tuple[str, str], ...]
    measures: tuple[Mapping[str, Any], ...]
    data: Mapping[str, str]

    def figure(self, measure: str, term: str = "") -> Figure:
        """One of the figures, by the name of its measure and its term."""
        return next(f for f in self.figures if (f.measure, f.term) == (measure, term))

    def partner_names(self) -> dict[str, str]:
        """Names of the partners by code."""
        return {p.code: p.name for p in self.partners}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`: no number is ever NaN."""
        return asdict(self)


def profile(
    world: World | Accounts,
    economy: str,
    *,
    level: Level = "region",
    together: Together = None,
) -> Profile:
    """The portrait of one economy: every number is a measure of the catalogue.

    Parameters
    ----------
    world : a World, or its Accounts (then `level` and `together` are theirs).
    economy : a code of the table; with a World also a catalogue group
        (`eu27`), or a parent whose parts stand apart in the table: its members
        are then taken together as one.
    level, together : see `accounts_of`.

    Raises MeasureError, with a did-you-mean, where the economy is unknown, and
    whatever the measures raise.

    """
    if isinstance(world, Accounts):
        a = accounts_of(world, level, together)
    else:
        a = _accounts(world, economy, level, together)
    if economy not in a.economies:
        if any(economy in use.present for use in a.groups):
            a.position(economy)  # says which group holds it
        hint = did_you_mean(economy, [*a.economies, *groups()]) or "."
        raise MeasureError(
            f"There is no economy {economy!r} in {a.world.name}{hint} "
            "A code of the table or a catalogue group was expected."
        )
    i = a.position(economy)
    names = _names(a)
    basic = tuple(dict.fromkeys([*(f[1] for f in FIGURES), *OTHERS]))
    taken = take(a, basic)
    found = {item.name.removesuffix(":exporter/source"): item for item in taken.items}
    more, absent = _attached(a)
    figures = [_figure(a, found[m], i, s, t, label) for s, m, t, label in FIGURES]
    figures += [_figure(a, item, i, "attached", t, "") for item in more for t in _terms(item)]
    absent += [(f.label, f.absent) for f in figures if f.value is None]
    inputs, heat = _inputs(a, i, found)
    provenance = a.world.provenance
    return Profile(
        economy=economy,
        name=names[economy],
        parts=tuple(a.world.regions[r] for r in a.members[i]) if len(a.members[i]) > 1 else (),
        world=a.world.name,
        world_sha256=a.world.content_hash,
        year=a.world.year,
        economies=a.n,
        sectors=a.s,
        figures=tuple(figures),
        partners=_partners(a, i, found, names),
        industries=_industries(a, i, found),
        inputs=inputs,
        heat=heat,
        peers=_peers(a, i, found, names),
        decomposition=_by_term(found["exports_decomposition"], i),
        income_circuits=_by_term(found["income_circuits"], i),
        demand_circuits=_by_term(found["demand_circuits"], i),
        estimated=taken.estimated,
        measured_error=_error_words(provenance),
        notes=(*taken.notes, *map(str, provenance.get("notes", ()))),
        absent=tuple(absent),
        measures=_measures([*taken.items, *more]),
        data={
            key: str(provenance[key]) for key in ("data", "terms", "credit") if key in provenance
        },
    )


def _accounts(world: World, economy: str, level: Level, together: Together) -> Accounts:
    """Accounts in which a group, or the parts of a parent, that is asked for is one economy."""
    if isinstance(together, str):
        together = [together]
    if economy in world.regions or economy in (together or ()):
        return accounts_of(world, level, together)
    if world.part_of(economy):
        if level == "economy":
            return accounts_of(world, level, together)
        if not together:
            return accounts_of(world, level, {economy: [economy]})
    if economy in groups():
        if isinstance(together, Mapping):
            together = {**together, economy: group_use(world, economy).present}
        else:
            together = [*(together or ()), economy]
    return accounts_of(world, level, together)


def _names(a: Accounts) -> dict[str, str]:
    """Names of the economies as in the data source, groups by their labels."""
    known = economy_names(a.economies) | dict(a.world.region_names)
    labels = {
        use.name: use.label
        if not use.absent
        else f"{use.label}, {len(use.present)} of {len(use.present) + len(use.absent)} members"
        for use in a.groups
    }
    labels |= {e: groups()[e]["label"] for e in a.economies if e in groups() and e not in known}
    return {code: labels.get(code, known.get(code, code)) for code in a.economies}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _terms(item: Measured) -> Sequence[str]:
    return item.labels.get("term", ("",))


def _along(item: Measured, term: str) -> Array:
    """Values of one term, or all where a measure has none."""
    if not term:
        return item.values
    return np.asarray(item.values[..., item.labels["term"].index(term)])


def _by_term(item: Measured, i: int) -> dict[str, float | None]:
    return {term: _number(v) for term, v in zip(item.labels["term"], item.values[i], strict=True)}


def _figure(a: Accounts, item: Measured, i: int, section: str, term: str, label: str) -> Figure:
    values = _along(item, term)
    there = values[np.isfinite(values)]
    value = _number(values[i])
    unit = item.measure.unit
    if unit == "unit of the satellite":
        carried = a.world.satellites
        unit = carried[item.argument].unit if item.argument in carried else "million USD"
    if not label:
        label = item.measure.title + (f", {item.argument}" if item.argument else "")
        label += f": {term.replace('_', ' ')}" if term else ""
    return Figure(
        section,
        label,
        item.name,
        term,
        unit,
        value,
        None if value is None else int((there > value).sum()) + 1,
        int(there.size),
        float(np.median(there)) if there.size else None,
        "" if value is not None else item.why_absent,
    )


def _attached(a: Accounts) -> tuple[list[Measured], list[tuple[str, str]]]:
    """Measures of the satellites that the world carries, and why others cannot be taken."""
    asked, absent = [], []
    for name in NEEDING:
        row, _ = named(name)
        if row.needs in a.world.satellites:
            asked.append(name)
        else:
            absent.append((row.title, f"no {row.needs!r} attached to {a.world.name}"))
    amounts = [k for k, s in a.world.satellites.items() if set(s.dims) == {"region", "sector"}]
    for name in amounts:
        asked += [f"production_and_consumption:{name}", f"employment_shares:{name}"]
    if not amounts:
        absent.append(
            ("Jobs, emissions and the like", f"no amounts by sector attached to {a.world.name}")
        )
    items: list[Measured] = []
    for name in asked:
        try:
            items += take(a, name).items
        except MeasureError as error:  # what is attached does not answer: said, not dropped
            absent.append((name, str(error)))
    return items, absent


def _partners(
    a: Accounts, i: int, found: Mapping[str, Measured], names: Mapping[str, str]
) -> tuple[Partner, ...]:
    paid = found["income_by_final_buyer"].values.sum(2)
    both = {
        key: found[name].values
        for key, name in (
            ("market", "market_reliance"),
            ("inputs", "input_reliance"),
            ("inputs_face_value", "input_reliance_face_value"),
            ("inputs_hidden", "hidden_exposure"),
        )
    }
    loss = found["extraction_loss"]
    columns: dict[str, Array] = {
        "exports": found["gross_exports_by_partner"].values[i],
        "imports": found["gross_imports_by_partner"].values[i],
        "value_added_exports": paid[i],
        "value_added_imports": paid[:, i],
        **{key: values[i] for key, values in both.items()},
        **{f"its_{key}": values[:, i] for key, values in both.items()},
        "its_loss_as_market": _along(loss, "as_market")[:, i],
        "its_loss_as_supplier": _along(loss, "as_supplier")[:, i],
    }
    return tuple(
        Partner(code, names[code], **{key: _number(values[j]) for key, values in columns.items()})
        for j, code in enumerate(a.economies)
        if j != i
    )


def _industries(a: Accounts, i: int, found: Mapping[str, Measured]) -> tuple[Industry, ...]:
    split, suppliers = found["exports_decomposition_by_sector"], "product_supplier_concentration"
    columns: dict[str, Array] = {
        "output": found["output_participation"].values[i].sum(1),
        "exports": found["gross_exports_by_sector"].values[i],
        "imports": found["gross_imports_by_product"].values[i],
        **{term: _along(split, term)[i] for term in split.labels["term"]},
        "participation": found["gvc_participation_by_sector"].values[i],
        "upstreamness": found["upstreamness"].values[i],
        "downstreamness": found["downstreamness"].values[i],
        "foreign_inputs": _along(found["foreign_input_reliance_by_sector"], "looked_through")[i],
        "advantage": found["revealed_advantage"].values[i],
        "advantage_value_added": found["revealed_advantage_value_added"].values[i],
        "input_product": _foreign(found["input_dependence"], i).sum(0),
        "suppliers": _along(found[suppliers], "looked_through")[i],
        "suppliers_face_value": _along(found[suppliers], "face_value")[i],
    }
    return tuple(
        Industry(s.code, s.name, **{key: _number(values[k]) for key, values in columns.items()})
        for k, s in enumerate(a.world.sectors)
    )


def _foreign(item: Measured, i: int) -> Array:
    """Values of an economy by partner and product, none at home; NaN stays."""
    return np.where((np.arange(len(item.values)) == i)[:, None], 0.0, item.values[i])


def _inputs(
    a: Accounts, i: int, found: Mapping[str, Measured]
) -> tuple[tuple[Input, ...], tuple[Input, ...]]:
    """The largest foreign inputs, and all pairs of the largest partners and products."""
    through = _foreign(found["input_dependence"], i)
    face = _foreign(found["input_dependence_face_value"], i)
    codes = a.world.sector_codes

    def cell(p: int, k: int) -> Input:
        return Input(a.economies[p], codes[k], _number(through[p, k]), _number(face[p, k]))

    size = np.nan_to_num(through)
    largest = np.argsort(-size, axis=None, kind="stable")[:INPUTS]
    pairs = [np.unravel_index(place, size.shape) for place in largest]
    listed = tuple(cell(int(p), int(k)) for p, k in pairs if size[p, k] > 0)
    rows, columns = (
        [int(j) for j in np.argsort(-sums, kind="stable")[:most] if sums[j] > 0]
        for sums, most in zip((size.sum(1), size.sum(0)), HEAT, strict=True)
    )
    return listed, tuple(cell(p, k) for p in rows for k in columns)


def _peers(
    a: Accounts, i: int, found: Mapping[str, Measured], names: Mapping[str, str]
) -> tuple[Peer, ...]:
    """The economy and the world's largest exporters."""
    order = np.argsort(-found["gross_exports"].values, kind="stable")
    shown = [i, *(int(j) for j in order if j != i)][: PEERS + 1]
    item = found["tripartite_participation"]
    return tuple(Peer(a.economies[j], names[a.economies[j]], **_by_term(item, j)) for j in shown)


def _error_words(provenance: Mapping[str, Any]) -> str:
    error = provenance.get("measured_error", "")
    return str(error.get("summary", "")) if isinstance(error, Mapping) else str(error)


def _measures(items: Sequence[Measured]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "name": item.name,
            "title": item.measure.title,
            "unit": item.measure.unit,
            "source": item.measure.source,
            "meaning": item.measure.meaning,
        }
        for item in items
    )
