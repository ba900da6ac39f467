"""GTAP data bases, versions 7 and 6.2, from header array files or long CSV files.

Where a data base is looked for:

- a header array file (`basedata.har`, `gsdfdat.har`, `gsddat.har`, or any other);
- a folder or zip that holds one of these. A `sets.har` or `gsdset.har` beside it is
  compared with the names that the arrays carry, and names what they leave unnamed;
- a folder or zip of CSV files, one for each header and named by it (`VDFB.csv`). The first
  line names the columns: the dimensions of the header in the order of the table below, and
  the value last. One line a cell; a cell without a line is zero.

| version 7 | version 6.2 | dimensions | value of |
|---|---|---|---|
| VDFB, VMFB | VDFM, VIFM | COMM, ACTS, REG | domestic, imported goods used by firms, basic prices |
| VDFP, VMFP | VDFA, VIFA | COMM, ACTS, REG | the same as the user pays it |
| VDPB, VMPB, VDPP, VMPP | VDPM, VIPM, VDPA, VIPA | COMM, REG | the same of the household |
| VDGB, VMGB, VDGP, VMGP | VDGM, VIGM, VDGA, VIGA | COMM, REG | the same of the government |
| VDIB, VMIB, VDIP, VMIP | column of capital goods | COMM, REG | the same of investors |
| VXSB | VXMD | COMM, REG, REG | trade, from and to, at basic prices of the source |
| VFOB, VCIF, VMSB | VXWD, VIWS, VIMS | COMM, REG, REG | fob, cif, basic prices of the destination |
| VST | VST | MARG, REG | margins supplied to international transport |
| VTWR | VTWR | MARG, COMM, REG, REG | margins used on each flow |
| EVFB, EVFP | VFM, EVFA | ENDW, ACTS, REG | factors at basic prices (optional), as firms pay |
| MAKS, MAKB | none | COMM, ACTS, REG | output without and with output tax (optional) |

In version 6.2 firms (ACTS) are the commodities and one or more capital goods. Numbers are
millions of US dollars in single precision.

The structure and its identities are those of the GTAP model, version 7 (Corong, Hertel,
McDougall, Tsigas and van der Mensbrugghe, 2017, Journal of Global Economic Analysis 2(1),
doi 10.21642/JGEA.020101AF). The data base says what each user imports and where imports come
from, not both together; the multi-regional table rests on the same shares for every user, as
in Peters, Andrew and Lennox (2011), Economic Systems Research 23(2), doi
10.1080/09535314.2011.563234, with international transport left outside the flows.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import economy_names
from entrepot.core.errors import DataError
from entrepot.core.labels import some
from entrepot.core.tables import Array, Margin, Sector, sealed
from entrepot.sources.archive import (
    sha256,
)
from entrepot.sources.gtap_data import (
    ATOL,
    RTOL,
    Base,
    File,
    Found,
    digest,
    find,
    folded,
    from_csv,
    from_har,
    read_sets,
    year_of,
)
from entrepot.sources.raw import MAX_NODES, RawTable

FINAL = ("household consumption", "government consumption", "investment")
POOL = "sales to the international transport pool"
TRANSPORT = "international transport margins"
FACTOR_TAXES = "factor-use taxes"
OUTPUT_TAXES = "taxes on production"
TERMS = "GTAP data bases are licensed; this one was read from the user's own copy."


def read(
    path: Path, *, year: int | None = None, member: str | None = None, sets: Path | None = None
) -> RawTable:
    """The multi-regional table at basic prices of the source that a data base implies.

    Each import of a commodity by a region is split over its users in proportion
    to what each of them imports of it, whatever the origin. Flows within a
    region are kept (a region may be several economies). Product taxes are those
    on commodities by user, export taxes and tariffs; transport between regions
    is a margin, and what regions supply of it a category of final use.

    Parameters
    ----------
    path : a header array file, or a folder or zip with one, or with CSV files.
    year : the reference year; by default the one in the file's name.
    member : the file in the folder or zip, where several would do.
    sets : a header array file of the sets, for arrays that do not name their
        elements and for the order of those in CSV files.

    Raises DataError for a data base that is not complete, whose arrays disagree
    on their sets, or whose activities make more than one commodity. Sums that do
    not agree are left to the audit of the table.

    """
    found = find(path, year, member)
    when = year_of(path, found, year)
    listed, release = read_sets(File(sets) if sets is not None else found.sets)
    har = found.har
    with np.errstate(over="ignore", invalid="ignore"):  # a number out of all bounds is the audit's
        base = from_csv(path, found.csv, listed) if har is None else from_har(har, listed)
        if base.release is None:
            base = replace(base, release=release)
        return _table(base, when, path, found)


def _table(base: Base, year: int, path: Path, found: Found) -> RawTable:
    a = base.arrays
    goods, places = base.axes["COMM"], base.axes["REG"]
    s, n = len(goods), len(places)
    m = n * s
    if m > MAX_NODES:
        raise DataError(
            f"{base.where}: {m:,} region-sectors; more than {MAX_NODES:,} are refused. Aggregate first."
        )
    notes = [
        "Product taxes are, less subsidies and by user: taxes on the use of domestic and of imported "
        "goods, and, on imported goods, the export taxes of the source and the tariffs of the "
        "destination.",
        f"{OUTPUT_TAXES.capitalize()} in value added are output taxes less subsidies"
        + _output_tax_note(base),
        f"Value added by endowment is as firms pay it less {FACTOR_TAXES}, which are a category of "
        "their own; income taxes are inside."
        if "EVFB" in a
        else "Value added by endowment is as firms pay it, factor-use taxes and income taxes inside.",
        f"Transport between regions is the margin {TRANSPORT!r} of those who use the goods, and the "
        f"final use {POOL!r} of the regions that supply it.",
        "Imports of a region from itself (a region of several economies) are among its sales at home.",
        *base.notes,
    ]
    sold = a["VMSB"].sum(1)  # imports of a commodity by a region
    uses = {"firms": a["VMFB"], "final": np.stack([a["VMPB"], a["VMGB"], a["VMIB"]], axis=1)}
    share = {}
    lost = 0.0
    for key, use in uses.items():
        whole = np.broadcast_to(sold[:, None], use.shape)
        share[key] = np.divide(use, whole, out=np.zeros(use.shape), where=whole != 0)
        lost += float(np.abs(use[whole == 0]).sum())
    if lost:
        notes.append(
            f"Imports used of which no trade flow says the origin ({lost:,.6g} million USD) are left out."
        )

    # (commodity, origin, destination) times (commodity, user, destination), node = region * s + sector.
    Z, F = np.empty((m, m)), np.zeros((m, n, 4))
    sales, final = Z.reshape(n, s, n, s), F.reshape(n, s, n, 4)
    domestic = np.stack([a["VDPB"], a["VDGB"], a["VDIB"]], axis=2)  # (commodity, region, user)
    for d in range(n):
        flows = a["VXSB"][:, :, d].T[:, :, None]
        np.multiply(flows, share["firms"][None, :, :, d], out=sales[:, :, d])
        np.multiply(flows, share["final"][None, :, :, d], out=final[:, :, d, :3])
        sales[d, :, d] += a["VDFB"][:, :, d]
        final[d, :, d, :3] += domestic[:, d]
    margin_goods = _positions(base)
    final[np.arange(n)[:, None], margin_goods[None], np.arange(n)[:, None], 3] += a["VST"].T

    # Taxes and margins on imports (commodity, destination), borne by users in the same shares.
    taxes = (a["VFOB"] - a["VXSB"] + a["VMSB"] - a["VCIF"]).sum(1)
    transport = a["VTWR"].sum((0, 2))
    on_firms = a["VDFP"] - a["VDFB"] + a["VMFP"] - a["VMFB"] + share["firms"] * taxes[:, None]
    on_final = share["final"] * taxes[:, None]
    for k, user in enumerate("PGI"):
        on_final[:, k] += a[f"VD{user}P"] - a[f"VD{user}B"] + a[f"VM{user}P"] - a[f"VM{user}B"]
    T_final, carried = np.zeros((n, 4)), np.zeros((n, 4))
    T_final[:, :3] = on_final.sum(0).T
    carried[:, :3] = np.einsum("cud,cd->du", share["final"], transport)

    added, categories = _value_added(base)
    regions = tuple(label.upper() for label in places)
    one = found.har
    return RawTable(
        name=f"gtap-{year}",
        year=year,
        regions=regions,
        sectors=tuple(Sector(code, code, code.lower()) for code in goods),
        Z=sealed(Z),
        F=sealed(F),
        V=sealed(added.transpose(0, 2, 1).reshape(len(categories), m)),
        T_inputs=on_firms.sum(0).T.ravel(),
        T_final=T_final,
        final_categories=(*FINAL, POOL),
        value_added_categories=categories,
        margins={
            TRANSPORT: Margin(np.einsum("cad,cd->da", share["firms"], transport).ravel(), carried)
        },
        declared_output=a["MAKB"].sum(1).T.ravel() if "MAKB" in a else None,
        region_names=economy_names(regions),
        provenance={
            "data": f"GTAP Data Base in the format of version {base.version}, reference year {year}"
            + (f", data version {base.release:.6g}" if base.release is not None else ""),
            "file": one.name if one is not None else path.resolve().name,
            "sha256": sha256(one.path) if one is not None else digest(path, found.csv),
            "terms": TERMS,
            "notes": notes,
            "estimated": [
                "Who uses what from where: every import of a commodity by a region is split over its "
                "users in proportion to what each imports of it, in the same shares for every origin. "
                "GTAP states imports by user and imports by origin, not both together."
            ],
        },
        rtol=RTOL,
        atol=ATOL,
    )


def _positions(base: Base) -> NDArray[np.intp]:
    """Where the margin commodities stand among the commodities."""
    goods, margins = folded(base.axes["COMM"]), folded(base.axes["MARG"])
    strange = [label for label in margins if label not in goods]
    if strange:
        raise DataError(f"{base.where}: {some(strange)} of MARG are no commodities.")
    return np.array([goods.index(label) for label in margins], dtype=np.intp)


def _value_added(base: Base) -> tuple[Array, tuple[str, ...]]:
    """Value added (category, sector, region): endowments, taxes on them, taxes on output."""
    a = base.arrays
    made = a["VDFP"].sum(0) + a["VMFP"].sum(0) + a["EVFP"].sum(0)  # what an activity costs
    if "MAKB" in a:
        _require_diagonal(base, "MAKB")
        output = a["MAKB"].sum(1)
    else:
        output = a["VDFB"].sum(1) + a["VDPB"] + a["VDGB"] + a["VDIB"] + a["VXSB"].sum(2)
        output[_positions(base)] += a["VST"]
    if "MAKB" in a and "MAKS" in a:
        _require_diagonal(base, "MAKS")
        made = a["MAKS"].sum(1)
    parts = [a["EVFB"], (a["EVFP"] - a["EVFB"]).sum(0)[None]] if "EVFB" in a else [a["EVFP"]]
    names = (FACTOR_TAXES,) if "EVFB" in a else ()
    return (
        np.concatenate([*parts, (output - made)[None]]),
        (*base.axes["ENDW"], *names, OUTPUT_TAXES),
    )


def _output_tax_note(base: Base) -> str:
    if "MAKB" in base.arrays and "MAKS" in base.arrays:
        return "."
    output = "MAKB" if "MAKB" in base.arrays else "what is sold"
    return f": {output} less what inputs and factors cost, so an error in either is in them."


def _require_diagonal(base: Base, name: str) -> None:
    off = np.array(base.arrays[name])
    k = np.arange(off.shape[0])
    off[k, k] = 0
    if off.any():
        c, j, r = np.unravel_index(int(np.abs(off).argmax()), off.shape)
        goods, places = base.axes["COMM"], base.axes["REG"]
        raise DataError(
            f"{base.where}: activities make several commodities ({name}: {goods[j]} makes "
            f"{goods[c]} in {places[r]}, {off[c, j, r]:,.6g} million USD). A table of industries needs "
            "one commodity for each: aggregate commodities and activities alike."
        )
