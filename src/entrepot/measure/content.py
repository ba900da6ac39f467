"""What final demand and trade embody: footprints of value added, jobs, emissions, any amount."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from entrepot.core.errors import MeasureError
from entrepot.core.labels import did_you_mean, some
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.row import SATELLITE_UNIT, Measure

ACCOUNTS = ("production", "consumption", "embodied_exports", "embodied_imports", "balance")
ORIGINS = ("home", "abroad")


# --- amounts and intensities ------------------------------------------------------------------


def amounts(a: Accounts, name: str) -> Array:
    """Amounts of a satellite by node (N,), in its own unit.

    `value_added` (all categories) and `primary_inputs` (value added, net product
    taxes and margins on inputs; they sum to final demand) are built in. Others
    are the world's satellites of amounts (rule `sum`) by region and sector; a cell
    without a number is taken as none only where nothing is produced.

    Raises MeasureError where there is no such satellite, where it is not by region
    and sector or not an amount, and where it leaves out industries that produce:
    a footprint of the rest would be a lower bound only.
    """
    if name == "value_added":
        return a.value_added
    if name == "primary_inputs":
        return np.asarray(a.v * a.x, float)
    carried = a.world.satellites
    if name not in carried:
        hint = did_you_mean(name, [*carried, "value_added", "primary_inputs"]) or "."
        raise MeasureError(
            f"{a.world.name} carries no {name!r}{hint} Attach it (`entrepot world attach`)."
        )
    satellite = carried[name]
    if set(satellite.dims) != {"region", "sector"}:
        raise MeasureError(
            f"{name} has axes {', '.join(satellite.dims)}; what an industry's output embodies needs "
            "region and sector."
        )
    if satellite.rule != "sum":
        raise MeasureError(
            f"{name} is a rate (rule {satellite.rule}); only amounts (rule sum) can be embodied."
        )
    values = satellite.values if satellite.dims[0] == "region" else satellite.values.T
    found = values.ravel()[a.order]
    gone = np.flatnonzero(np.isnan(found) & (a.made > 0))
    if gone.size:
        raise MeasureError(
            f"{name} has no number for {gone.size:,} of {np.count_nonzero(a.made > 0):,} producing "
            f"industries ({some([a.name(int(i)) for i in gone[:4]])}): complete the table before "
            "attaching it, with 0 where there is none."
        )
    return np.nan_to_num(found)


def intensities(a: Accounts, name: str) -> Array:
    """Amounts per million USD of output (N,), zero where nothing is produced."""
    if name == "primary_inputs":
        return a.v
    return np.asarray(amounts(a, name) * a.per_unit, float)


def unassigned(a: Accounts, name: str) -> Array:
    """Amounts at industries without output (n,): no demand takes them."""
    return a.by_economy(amounts(a, name) - intensities(a, name) * a.x)


def embodied(a: Accounts, name: str) -> Array:
    """Amounts of each economy in a million USD of each node's output, e_t B (N, n)."""
    if name == "primary_inputs":
        return a.origins.T
    return a.costs(np.where(a.home, intensities(a, name)[:, None], 0.0))


# --- final demand -----------------------------------------------------------------------------


def footprint_by_origin(a: Accounts, name: str) -> Array:
    """Amounts of each partner that each economy's final demand takes (n, n), e_t B y."""
    return a.by_economy(intensities(a, name)[:, None] * a.output_by_demand).T


def footprint(a: Accounts, name: str) -> Array:
    """Amounts that each economy's final demand takes, wherever they arise (n,), e B y."""
    return np.asarray(multipliers_by_node(a, name) @ a.y, float)


def footprint_by_product(a: Accounts, name: str) -> Array:
    """The footprint by final product bought, home-made or not (n, s)."""
    taken = multipliers_by_node(a, name)[:, None] * a.y
    return np.asarray(a.by_sector(taken).sum(0).T, float)


def production_and_consumption(a: Accounts, name: str) -> Array:
    """Production, consumption, embodied in exports and imports of demand, balance (n, 5).

    Production is what the economy's industries carry and demand takes; consumption is
    its footprint. Exports are taken by others' final demand, imports arise abroad
    for its own; balance = production - consumption = exports - imports.
    """
    taken = footprint_by_origin(a, name)
    own = np.diagonal(taken)
    made, used = taken.sum(0), taken.sum(1)
    return np.stack([made, used, made - own, used - own, made - used], -1)


# --- gross trade ------------------------------------------------------------------------------


def content_of_exports(a: Accounts, name: str) -> Array:
    """Amounts in an economy's gross exports: its own, and those of others (n, 2)."""
    sold = a.exports.sum(1)
    inside = a.by_economy(embodied(a, name) * sold[:, None])
    own = np.diagonal(inside)
    return np.stack([own, inside.sum(1) - own], -1)


def content_of_imports(a: Accounts, name: str) -> Array:
    """Amounts, of whatever origin, in an economy's gross imports from each partner (n, n)."""
    return a.by_economy(multipliers_by_node(a, name)[:, None] * a.exports).T


# --- intensities ------------------------------------------------------------------------------


def multipliers_by_node(a: Accounts, name: str) -> Array:
    """Amounts through all tiers per million USD of a node's output (N,), e B."""
    return a.costs(intensities(a, name))


def intensity_multiplier(a: Accounts, name: str) -> Array:
    """Amounts through all tiers per million USD of output (n, s)."""
    return a.over_sectors(multipliers_by_node(a, name))


def direct_intensity(a: Accounts, name: str) -> Array:
    """Amounts at the industry itself per million USD of output (n, s)."""
    return share(a.by_sector(intensities(a, name) * a.made), a.by_sector(a.made))


# --- rows -------------------------------------------------------------------------------------

TAKES = "satellite"
EEIO = "Miller & Blair (2009): e (I - A)^-1 y; Peters (2008), multi-regional"
PEW = "Peters (2008), production- and consumption-based accounts, multi-regional"
NO_OUTPUT = "an industry makes nothing"


def _row(name: str, title: str, dims: tuple[str, ...], source: str, meaning: str,
         function: Callable[..., Array], unit: str = SATELLITE_UNIT, absent: str = "", additive: bool = True,
         terms: tuple[str, ...] = ()) -> Measure:  # fmt: skip
    return Measure(
        name, title, "content", unit, dims, source, meaning, function, absent=absent,
        takes=TAKES, default="value_added", additive=additive, terms=terms,
    )  # fmt: skip


ROWS = (
    _row(
        "footprint",
        "Footprint of final demand",
        ("region",),
        EEIO,
        "The value added, jobs, emissions or other amounts that arise anywhere in the world, through "
        "all tiers, to serve an economy's final demand. Stocks drawn down count negative; what final "
        "users cause themselves (heating, driving) is not in the table.",
        footprint,
    ),
    _row(
        "footprint_by_origin",
        "Footprint by origin",
        ("region", "partner"),
        EEIO,
        "The footprint of an economy's final demand by the economy where the amounts arise.",
        footprint_by_origin,
    ),
    _row(
        "footprint_by_product",
        "Footprint by final product",
        ("region", "product"),
        EEIO,
        "The footprint of an economy's final demand by the product bought, with all that stands "
        "behind it.",
        footprint_by_product,
    ),
    _row(
        "production_and_consumption",
        "Production and consumption accounts",
        ("region", "term"),
        PEW,
        "What an economy's industries carry against what its final demand causes: the difference is "
        "what its exports embody for others' final demand less what its imports embody for its own.",
        production_and_consumption,
        additive=False,
        terms=ACCOUNTS,
    ),
    _row(
        "content_of_exports",
        "Content of gross exports",
        ("region", "term"),
        "Miller & Blair (2009): e_t (I - A)^-1 times exports, by origin t",
        "The amounts that stand behind an economy's gross exports, at home and abroad. What crosses "
        "several borders is in the exports of each: not to be summed over economies.",
        content_of_exports,
        additive=False,
        terms=ORIGINS,
    ),
    _row(
        "content_of_imports",
        "Content of gross imports",
        ("region", "partner"),
        "Miller & Blair (2009): e B m",
        "The amounts, wherever they arise, that stand behind what an economy buys of each partner, "
        "inputs included. What crosses several borders is in the imports of each.",
        content_of_imports,
        additive=False,
    ),
    _row(
        "intensity_multiplier",
        "Intensity through all tiers",
        ("region", "sector"),
        "Miller & Blair (2009): e (I - A)^-1",
        "The amounts that arise at all tiers, anywhere, for a million dollars of an industry's output.",
        intensity_multiplier,
        unit=f"{SATELLITE_UNIT} per million USD",
        absent=NO_OUTPUT,
        additive=False,
    ),
    _row(
        "direct_intensity",
        "Direct intensity",
        ("region", "sector"),
        "Miller & Blair (2009): e",
        "The amounts at an industry itself for a million dollars of its output.",
        direct_intensity,
        unit=f"{SATELLITE_UNIT} per million USD",
        absent=NO_OUTPUT,
        additive=False,
    ),
    _row(
        "unassigned_content",
        "Amounts that no demand takes",
        ("region",),
        "By accounting: amounts less intensity times output",
        "Amounts at industries without output: no demand can take them, so that footprints and these "
        "add up to the world's total.",
        unassigned,
    ),
)
