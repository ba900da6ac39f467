"""A made-up release of BACI: three years, six economies, a few products, from a seed."""

from __future__ import annotations

import zipfile

import numpy as np

CODES = {"DEU": 276, "FRA": 251, "ITA": 380, "CHN": 156, "USA": 842, "S19": 490}
PRODUCTS = ("010121", "010129", "280461", "280490", "850110", "9999AA")
COUNTRIES = "country_code,country_name,country_iso2,country_iso3\n" + "".join(
    f'{n},"Name, {a}",{a[:2]},{a}\n' for a, n in CODES.items()
)
VERSION = "202601"


def flows(year, seed=7, keep=0.7, quantities=0.9):
    """Rows (exporter, importer, product, value in thousand USD, tons or None)."""
    rng = np.random.default_rng([seed, year])
    rows = []
    for i, a in enumerate(CODES):
        for b in CODES:
            for product in PRODUCTS:
                value, tons = rng.lognormal(3, 2), rng.lognormal(1, 2)
                here, known = rng.random() < keep, rng.random() < quantities
                if a != b and here and not (product == "280461" and i < 3):
                    rows.append((a, b, product, round(value, 3), round(tons, 3) if known else None))
    return rows


def text(year, rows):
    lines = [
        f"{year},{CODES[a]},{CODES[b]},{p},{v:12.3f},{'' if q is None else f'{q:.3f}'}"
        for a, b, p, v, q in rows
    ]
    return "\n".join(["t,i,j,k,v,q", *lines]) + "\n"


def name(year, hs="HS17"):
    return f"BACI_{hs}_Y{year}_V{VERSION}.csv"


def release(folder, years=(2020, 2021, 2022)):
    """The zip of a release."""
    path = folder / f"BACI_HS17_V{VERSION}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"country_codes_V{VERSION}.csv", COUNTRIES)
        archive.writestr(f"product_codes_HS17_V{VERSION}.csv", "code,description\n010121,Horses\n")
        archive.writestr("Readme.txt", "made up")
        for year in years:
            archive.writestr(name(year), text(year, flows(year)))
    return path
