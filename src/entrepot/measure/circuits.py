"""The home and the external circuit: what income and final demand rest on, term by term."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.content import embodied, intensities
from entrepot.measure.dependence import ROUNDING
from entrepot.measure.markets import ROUTES, absorbed, absorbed_directly
from entrepot.measure.row import SATELLITE_UNIT, Measure

INCOME = ("home_demand_home_chains", "home_demand_foreign_chains",
          "foreign_demand_final_goods", "foreign_demand_inputs")  # fmt: skip
DEMAND = ("home_value_home_chains", "home_value_returning", "foreign_value_imported_goods",
          "foreign_value_home_made_goods", "not_value_added")  # fmt: skip
SHARES = ("home", "external", "returning")
NESTED = ("own_region", "rest_of_country", "abroad")


# --- income -----------------------------------------------------------------------------------


def output_circuits(a: Accounts) -> Array:
    """Gross output of each node by what it serves (N, 4), the terms of `INCOME`; they sum to x.

    For economy g, with H = L_gg its own chains and B all chains:

    1. H y_gg: home final demand, chains that never leave g;
    2. (B y)_gg - H y_gg = (B_gg - H) y_gg + sum_k B_gk y_kg: home final demand,
       inputs sold abroad that return inside goods;
    3. H sum_k y_gk: foreign final demand for g's final goods, chains that never leave g;
    4. the rest, sum_k ((B y)_gk - H y_gk): foreign final demand, g's inputs used abroad.
    """
    out = np.zeros((a.N, len(INCOME)))
    rows = np.arange(a.N)
    at_home = a.y[rows, a.economy_of]
    abroad = a.abroad(a.y).sum(1)
    for g in range(a.n):
        b = a.at(g)
        served = a.local[g] @ np.stack([at_home[b], abroad[b]], 1)
        out[b, 0], out[b, 2] = served.T
    out[:, 1] = a.output_by_demand[rows, a.economy_of] - out[:, 0]
    out[:, 3] = a.abroad(a.output_by_demand).sum(1) - out[:, 2]
    return out


def employment_circuits(a: Accounts, name: str) -> Array:
    """Amounts of a satellite at an economy's industries by what they serve (n, 4)."""
    return a.by_economy(intensities(a, name)[:, None] * output_circuits(a))


def employment_circuits_by_sector(a: Accounts, name: str) -> Array:
    """The same by industry (n, s, 4)."""
    return a.by_sector(intensities(a, name)[:, None] * output_circuits(a))


def income_circuits(a: Accounts) -> Array:
    """Value added of an economy by what it serves (n, 4); the terms sum to it.

    Value added of industries without output serves nothing and is left out.
    """
    return employment_circuits(a, "value_added")


def income_circuits_by_sector(a: Accounts) -> Array:
    """Value added of an industry by what it serves (n, s, 4)."""
    return employment_circuits_by_sector(a, "value_added")


def employment_shares(a: Accounts, name: str) -> Array:
    """Shares of a satellite at home that the circuits carry (n, 3): see `SHARES`."""
    parts = employment_circuits(a, name)
    grouped = np.stack([parts[:, :2].sum(1), parts[:, 2:].sum(1), parts[:, 1]], -1)
    return share(grouped, parts.sum(1, keepdims=True))


def income_shares(a: Accounts) -> Array:
    """Shares of an economy's value added that the circuits carry (n, 3)."""
    return employment_shares(a, "value_added")


def income_by_final_buyer(a: Accounts) -> Array:
    """Value added by the economy whose final demand pays it, by route (n, n, 2)."""
    rates = intensities(a, "value_added")
    total, direct = absorbed(a, rates), absorbed_directly(a, rates)
    return np.stack([direct, total - direct], -1)


def external_circuit_by_partner(a: Accounts) -> Array:
    """Shares of each partner's final demand in an economy's external income (n, n)."""
    paid = absorbed(a, intensities(a, "value_added"))
    least = ROUNDING * np.abs(paid).sum(1, keepdims=True)
    np.fill_diagonal(paid, 0.0)
    external = paid.sum(1, keepdims=True)
    return share(paid, np.where(np.abs(external) > least, external, 0.0))


# --- final demand -----------------------------------------------------------------------------


def demand_circuits(a: Accounts) -> Array:
    """Final demand of an economy by the value it is made of (n, 5); terms sum to it.

    At basic prices: product taxes and margins on final use lie outside. For economy g
    with u its value added per unit and e = u B content by economy:

    1. u_g L_gg y_gg: home value added, chains that never leave g;
    2. (e_g y)_g less that: home value added in imports and through foreign chains;
    3. (e_k, k ≠ g) in final goods bought abroad; 4. the same in home-made ones;
    5. the rest: net product taxes, margins and differences on inputs anywhere, and
       sales of producers without output.
    """
    inside = embodied(a, "value_added")  # (N, n)
    everyone = inside.sum(1)
    out = np.zeros((a.n, len(DEMAND)))
    own_rates = intensities(a, "value_added")
    for g in range(a.n):
        b, bought = a.at(g), a.y[:, g]
        out[g, 0] = own_rates[b] @ a.local[g] @ bought[b]
        out[g, 1] = inside[:, g] @ bought - out[g, 0]
        foreign = (everyone - inside[:, g]) * bought
        out[g, 3] = foreign[b].sum()
        out[g, 2] = foreign.sum() - out[g, 3]
        out[g, 4] = (1.0 - everyone) @ bought
    return out


def demand_shares(a: Accounts) -> Array:
    """Shares of the circuits in the value added an economy's final demand buys (n, 3)."""
    parts = demand_circuits(a)
    grouped = np.stack([parts[:, :2].sum(1), parts[:, 2:4].sum(1), parts[:, 1]], -1)
    return share(grouped, parts[:, :4].sum(1, keepdims=True))


def demand_multipliers(a: Accounts) -> Array:
    """Per USD of an economy's final demand: income at home and abroad, output at home (n, 3)."""
    own = np.arange(a.n)
    paid = absorbed(a, intensities(a, "value_added"))
    output = a.by_economy(a.output_by_demand)
    spent = a.y.sum(0)
    found = [paid[own, own], paid.sum(0) - paid[own, own], output[own, own]]
    return share(np.stack(found, -1), spent[:, None])


# --- provinces --------------------------------------------------------------------------------


def country_of(a: Accounts) -> list[str]:
    """Parent of each economy; empty where it has none or is the whole of it."""
    world, out = a.world, []
    for group in a.members:
        parents = {world.parent.get(world.regions[i], "") for i in group}
        parent = parents.pop() if len(parents) == 1 else ""
        whole = parent and len(group) == sum(p == parent for p in world.parent.values())
        out.append("" if whole and len(group) > 1 else parent)
    return out


def nested_circuits(a: Accounts) -> Array:
    """Value added of a province by where the final demand for it is (n, 3); terms sum to it."""
    return _nested(a, absorbed(a, intensities(a, "value_added")))


def nested_demand(a: Accounts) -> Array:
    """Value added in a province's final demand by where it arises (n, 3)."""
    return _nested(a, absorbed(a, intensities(a, "value_added")).T)


def _nested(a: Accounts, amounts: Array) -> Array:
    parents = np.array(country_of(a))
    out = np.full((a.n, len(NESTED)), np.nan)
    for g in np.flatnonzero(parents != ""):
        inside = parents == parents[g]
        inside[g] = False
        rest = float(amounts[g, inside].sum())
        out[g] = amounts[g, g], rest, amounts[g].sum() - amounts[g, g] - rest
    return out


# --- rows -------------------------------------------------------------------------------------

SOURCE = (
    "Wang, Wei, Yu & Zhu (2017): V L Y^D, V L Y^F and what inputs sold abroad carry, by final demand; "
    "Miller & Blair (2009): feedback B_gg - L_gg"
)
DUAL = "Chen, Xu, Xia & Ji (2022): value added by home and by foreign final demand, v B y"
PROVINCES = "Lu (2022): own, domestic and international circulation of provinces; v B y"
JOBS = "satellite"
NOTHING = "there is nothing to share"
MEANING = (
    "by what it serves: home final demand through chains that never leave the economy; home "
    "final demand through inputs that are worked up abroad and return; foreign final demand for "
    "its final goods; foreign final demand for goods that others make with its inputs. "
)


def _row(name: str, title: str, unit: str, dims: tuple[str, ...], meaning: str,
         function: Callable[..., Array], terms: tuple[str, ...], absent: str = "",
         jobs: bool = False, source: str = SOURCE) -> Measure:  # fmt: skip
    return Measure(
        name, title, "circuits", unit, dims, source, meaning, function, absent=absent,
        takes=JOBS if jobs else "", default="jobs" if jobs else "",
        additive=unit in ("million USD", SATELLITE_UNIT), terms=terms,
    )  # fmt: skip


ROWS = (
    _row(
        "income_circuits",
        "Income by circuit",
        "million USD",
        ("region", "term"),
        f"An economy's value added, {MEANING}The terms sum to its value added.",
        income_circuits,
        INCOME,
    ),
    _row(
        "income_circuits_by_sector",
        "Income of industries by circuit",
        "million USD",
        ("region", "sector", "term"),
        f"An industry's value added, {MEANING}The terms sum to its value added.",
        income_circuits_by_sector,
        INCOME,
    ),
    _row(
        "employment_circuits",
        "Jobs by circuit",
        SATELLITE_UNIT,
        ("region", "term"),
        f"An economy's jobs (or another amount its industries carry), {MEANING}",
        employment_circuits,
        INCOME,
        jobs=True,
    ),
    _row(
        "employment_circuits_by_sector",
        "Jobs of industries by circuit",
        SATELLITE_UNIT,
        ("region", "sector", "term"),
        f"An industry's jobs (or another amount it carries), {MEANING}",
        employment_circuits_by_sector,
        INCOME,
        jobs=True,
    ),
    _row(
        "income_shares",
        "Income through the home and the external circuit",
        "share",
        ("region", "term"),
        "The share of an economy's value added that home final demand pays, that foreign final demand "
        "pays, and, within the first, the part that goes abroad and returns.",
        income_shares,
        SHARES,
        NOTHING,
        source=DUAL,
    ),
    _row(
        "employment_shares",
        "Jobs through the home and the external circuit",
        "share",
        ("region", "term"),
        "The share of an economy's jobs (or another amount) that home final demand keeps, that foreign "
        "final demand keeps, and, within the first, the part that goes abroad and returns.",
        employment_shares,
        SHARES,
        NOTHING,
        source=DUAL,
        jobs=True,
    ),
    _row(
        "income_by_final_buyer",
        "Income by final buyer and route",
        "million USD",
        ("region", "partner", "term"),
        "An economy's value added by the economy whose final demand pays it. Direct is what is sold to "
        "it as final goods, or as inputs that it alone finishes for itself; the rest passes third "
        "economies or crosses borders again. The external circuit rests on a partner by their sum.",
        income_by_final_buyer,
        ROUTES,
        source="Johnson & Noguera (2012): v B y; v_r L_rr (y_rp + A_rp L_pp y_pp)",
    ),
    _row(
        "external_circuit_by_partner",
        "External circuit by partner",
        "share",
        ("region", "partner"),
        "Whose final demand an economy's external circuit rests on: each partner's share in the income "
        "that foreign final demand pays.",
        external_circuit_by_partner,
        (),
        "foreign final demand pays nothing",
        source="Johnson & Noguera (2012): v B y",
    ),
    _row(
        "demand_circuits",
        "Final demand by circuit",
        "million USD",
        ("region", "term"),
        "What an economy's final demand buys: home value added through home chains; home value added "
        "that returns from abroad; foreign value added in imported final goods; foreign value added in "
        "home-made ones; and net product taxes and margins on inputs. The terms sum to final demand at "
        "basic prices: product taxes and margins on final use lie outside.",
        demand_circuits,
        DEMAND,
    ),
    _row(
        "demand_shares",
        "Final demand through the home and the external circuit",
        "share",
        ("region", "term"),
        "Of the value added that an economy's final demand buys, the share made at home, the share made "
        "abroad, and, within the first, the part that returns from abroad.",
        demand_shares,
        SHARES,
        NOTHING,
        source=DUAL,
    ),
    _row(
        "demand_multipliers",
        "Income and output per dollar of final demand",
        "USD per USD",
        ("region", "term"),
        "What a dollar of an economy's final demand pays in value added at home and abroad, and how "
        "much gross output it takes at home, all returns included.",
        demand_multipliers,
        ("income_at_home", "income_abroad", "output_at_home"),
        "an economy has no final demand",
        source="Miller & Blair (2009): multipliers, with B of all economies",
    ),
    _row(
        "nested_circuits",
        "Income of a province: own, country, abroad",
        "million USD",
        ("region", "term"),
        "A province's value added by whose final demand pays it: its own, that of the rest of its "
        "country, and that of other economies. The terms sum to its value added.",
        nested_circuits,
        NESTED,
        "a region is not part of a country here",
        source=PROVINCES,
    ),
    _row(
        "nested_demand",
        "Final demand of a province: own, country, abroad",
        "million USD",
        ("region", "term"),
        "The value added that a province's final demand pays: its own, that of the rest of its country, "
        "and that of other economies.",
        nested_demand,
        NESTED,
        "a region is not part of a country here",
        source=PROVINCES,
    ),
)
