"""Re-exports and hub trade, from customs records attached to a world."""

from __future__ import annotations

import numpy as np

from entrepot.core.errors import MeasureError
from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, accounts_of, share
from entrepot.measure.row import Measure

AXES = (
    {"region"},
    {"origin"},
    {"sector", "region"},
    {"sector", "origin"},
    {"origin", "destination"},
    {"sector", "origin", "destination"},
)


def re_export_share(a: Accounts) -> Array:
    """Re-exports over all exports (n,): re-exports and the table's own, of home-made goods.

    Takes the satellite `re_exports`; see `recorded` for its axes and absent cells.
    """
    again, made = recorded(a, "re_exports")
    return share(again, again + made)


def hub_ratio(a: Accounts) -> Array:
    """Gross exports that customs record over the table's exports of home-made goods (n,).

    Takes the satellite `gross_exports`; see `recorded` for its axes and absent
    cells. 1 without re-exports, were table and customs at one in all else.
    """
    gross, made = recorded(a, "gross_exports")
    return share(gross, made)


def recorded(a: Accounts, name: str) -> tuple[Array, Array]:
    """What a satellite records of economies' exports, and the table's exports of the same cells (n,).

    The satellite is in million USD, by `region` (or `origin`), with `sector`
    or not, and by `destination` or not. Its absent cells (services that no
    customs sees) are left out on both sides, and so is trade inside an
    economy. NaN for economies with no number at all, and for those of several
    regions where the satellite does not tell destinations.

    Raises MeasureError for other axes and other units.
    """
    satellite, world = a.world.satellites[name], a.world
    if set(satellite.dims) not in AXES:
        raise MeasureError(
            f"{world.name} carries {name} by {', '.join(satellite.dims)}; by region or origin, with "
            "sector and destination where they are known, was expected."
        )
    if satellite.unit != "million USD":
        raise MeasureError(
            f"{world.name} carries {name} in {satellite.unit!r}; attach it in 'million USD'."
        )
    n = len(world.regions)
    apart = a if a.whole and a.n == n else accounts_of(world)
    economy = np.empty(n, np.intp)
    for e, members in enumerate(a.members):
        economy[list(members)] = e
    abroad = economy[:, None] != economy[None]
    made = apart.by_sector(apart.flows).transpose(1, 0, 2) * abroad  # (sector, origin, destination)
    order = ("sector", "region" if "region" in satellite.dims else "origin", "destination")
    values = satellite.values.transpose(
        [satellite.dims.index(d) for d in order if d in satellite.dims]
    )
    if "destination" in satellite.dims:
        values = np.where(abroad, values, np.nan)
    else:
        made = made.sum(2)
        single = np.array([len(a.members[e]) == 1 for e in economy])
        values = np.where(single, values, np.nan)
    if "sector" not in satellite.dims:
        made = made.sum(0)
    known = ~np.isnan(values)
    axis = int("sector" in satellite.dims)
    others = tuple(i for i in range(values.ndim) if i != axis)
    sums = np.zeros((3, a.n))
    for row, cells in enumerate((np.where(known, values, 0.0), np.where(known, made, 0.0), known)):
        np.add.at(sums[row], economy, cells.sum(others))
    sums[:2, sums[2] == 0] = np.nan
    return sums[0], sums[1]


NO_RECORD = (
    "nothing is recorded or exported, or an economy has several regions and the record tells no "
    "destinations"
)
ROWS = (
    Measure(
        "re_export_share",
        "Re-exports in exports",
        "trade",
        "share",
        ("region",),
        "Re-exports over re-exports and domestic exports (UN, International Merchandise Trade "
        "Statistics 2010), from records attached",
        "The part of what leaves an economy that was made elsewhere and passes through. An input-output "
        "table holds home-made exports alone, so that re-exports must be attached. Where they are "
        "known for some sectors only, the share is of those.",
        re_export_share,
        absent=NO_RECORD,
        needs="re_exports",
    ),
    Measure(
        "hub_ratio",
        "Customs exports over home-made exports",
        "trade",
        "ratio",
        ("region",),
        "Gross exports of customs records attached over the table's exports",
        "How much larger the exports that customs record are than the exports an economy makes itself: "
        "well above 1 for hubs that pass goods on. Differences of valuation and coverage between the "
        "two sources are in it too.",
        hub_ratio,
        absent=NO_RECORD,
        needs="gross_exports",
    ),
)
