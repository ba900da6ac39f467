"""`value_chains`: the decomposition of exports on labels, and its rows of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from entrepot.core.errors import MeasureError, NotConvergedError
from entrepot.core.labels import did_you_mean
from entrepot.core.tables import Array
from entrepot.measure import decomposition as parts
from entrepot.measure.accounts import Accounts, Level, Together, accounts_of
from entrepot.measure.decomposition import PERSPECTIVES, TERMS, Terms
from entrepot.measure.row import Measure
from entrepot.world.world import World

if TYPE_CHECKING:
    import xarray as xr

Function = Callable[[Accounts, str], Array]
Perspective = Literal["exporter", "bilateral", "sector", "sector_bilateral", "world"]
Approach = Literal["source", "sink"]
EXACT = 1e-9
"""Largest residual of a decomposition that is answered, relative to the exporter's exports."""

MEANINGS = {
    "exports": "gross exports",
    "DVA": "domestic value added, counted once",
    "DDC": "domestic value added counted again",
    "FVA": "foreign value added, counted once",
    "FDC": "foreign value added counted again",
    "residual": "exports less the four terms",
    "REF": "domestic value added that returns home and is absorbed there",
    "VAX": "domestic value added absorbed abroad",
    "DAVAX": "domestic value added absorbed by the direct importer",
    "GVC": "exports that cross more than one border",
    "GVCB": "backward: foreign inputs in exports, and domestic value added returning in them",
    "GVCF": "forward: domestic value added that the importer exports further",
    "PF": "pure forward participation",
    "TS": "two-sided participation",
    "PB": "pure backward participation",
}


def decomposed(a: Accounts, perspective: str, approach: str) -> Terms:
    """The four terms of exports (N, n); raises where they are unknown or do not sum to exports."""
    if (perspective, approach) not in PERSPECTIVES:
        if perspective not in get_args(Perspective):
            hint = did_you_mean(perspective, get_args(Perspective)) or "."
            raise MeasureError(
                f"There is no perspective {perspective!r}{hint} Known: "
                f"{', '.join(get_args(Perspective))}."
            )
        if approach not in get_args(Approach):
            raise MeasureError(f"the approach is {approach!r}; source or sink was expected.")
        raise MeasureError(
            f"The {perspective} perspective takes the approach source: what crosses a single flow's "
            "border again is the same from either end."
        )
    terms = PERSPECTIVES[perspective, approach](a)
    worst = residual(a, terms)
    if worst > EXACT:
        raise NotConvergedError(
            f"The terms miss exports by {worst:.1e} of them, more than {EXACT:.0e}: the table's "
            "chains are too close to having no sum."
        )
    return terms


def residual(a: Accounts, terms: Terms) -> float:
    """Largest gap between exports and their terms, relative to the exporter's total."""
    gap = np.abs(a.exports - terms.total).max(1)
    total = np.abs(a.by_economy(np.abs(a.exports).sum(1)))[a.economy_of]
    return float((gap[total > 0] / total[total > 0]).max(initial=0.0))


def value_chains(
    world: World | Accounts,
    exporter: str | None = None,
    *,
    perspective: Perspective = "exporter",
    approach: Approach = "source",
    level: Level = "region",
    together: Together = None,
) -> xr.Dataset:
    """Gross exports by sector and partner, split into value added and double counting.

    Variables in million USD over (exporter,) sector and partner: `exports`, the
    four terms `DVA`, `DDC`, `FVA`, `FDC` that sum to them, and `residual`; in
    the exporter's perspective also `REF` and `VAX` = DVA - REF, and, counted at
    the source, participation: `DAVAX`, `GVC` = exports - DAVAX, `GVCB`, `GVCF`,
    `PF`, `TS`, `PB`. The largest residual, relative to the exporter's exports,
    is the attribute `residual`; above 1e-9 nothing is returned.

    Parameters
    ----------
    exporter : one economy, or all when None.
    perspective : where double counting begins: `exporter` (anything the
        economy exports again; additive over sectors and partners), `bilateral`,
        `sector`, `sector_bilateral` (the same flow again), `world` (any border).
    approach : `source` counts value added the first time, `sink` the last.
    level, together : see `accounts_of`: a group such as EU27 is one exporter.

    Raises MeasureError for unknown economies, perspectives and approaches, and
    where the world is too large for the inverse that all but the source-based
    exporter and world perspectives need; NotConvergedError where the terms miss
    exports. Borin & Mancini (2019; 2023); Borin, Mancini & Taglioni (2021).

    """
    import xarray as xr

    a = accounts_of(world, level, together)
    place = None if exporter is None else a.position(exporter)
    terms = decomposed(a, perspective, approach)
    arrays = {"exports": a.exports} | {name: getattr(terms, name) for name in TERMS}
    arrays["residual"] = a.exports - terms.total
    if perspective == "exporter":
        back = parts.returned(a) if approach == "source" else parts.returned_sink(a)
        arrays |= {"REF": back, "VAX": terms.DVA - back}
        if approach == "source":
            arrays |= participation(a)
    dims = ("exporter", "sector", "partner")
    coords = {
        "exporter": list(a.economies),
        "sector": list(a.world.sector_codes),
        "partner": list(a.economies),
    }
    found = xr.Dataset(
        {
            name: (dims, a.by_sector(array), {"unit": "million USD", "meaning": MEANINGS[name]})
            for name, array in arrays.items()
        },
        coords,
        {
            "world": a.world.name,
            "year": a.world.year,
            "perspective": perspective,
            "approach": approach,
            "residual": residual(a, terms),
            "source": "Borin & Mancini (2019, 2023)",
            "estimated": "; ".join(map(str, a.world.provenance.get("estimated", ()))),
        },
    )
    return found if place is None else found.isel(exporter=place)


def participation(a: Accounts) -> dict[str, Array]:
    """Participation in value chains, each (N, n) in million USD, counted at the source.

    With D = y_sr + A_sr L_rr y_rr what the importer absorbs (Borin & Mancini
    2019; Borin, Mancini & Taglioni 2021): DAVAX = v_s L_ss D,
    GVC = E - DAVAX; backward GVCB = (1 - v_s L_ss) E = TS + PB with
    PB = (1 - v_s L_ss) D; forward GVCF = PF = v_s L_ss (E - D).
    """
    new, e, absorbed = parts.first(a)[:, None], a.exports, parts.absorbed(a)
    further = e - absorbed
    out = {"DAVAX": new * absorbed, "PB": (1 - new) * absorbed}
    out |= {"PF": new * further, "TS": (1 - new) * further}
    out["GVC"] = e - out["DAVAX"]
    out["GVCB"] = (1 - new) * e
    out["GVCF"] = out["PF"]
    return out


# --- rows ----------------------------------------------------------------------------------------


def _asked(a: Accounts, argument: str) -> Array:
    """Terms (4, N, n) of `perspective/approach`."""
    perspective, _, approach = argument.partition("/")
    terms = decomposed(a, perspective, approach or "source")
    return np.stack([getattr(terms, name) for name in TERMS])


def by_economy(a: Accounts, argument: str) -> Array:
    """Terms of each economy's exports (n, 4)."""
    return a.by_economy(_asked(a, argument).sum(2), axis=1).T


def by_sector(a: Accounts, argument: str) -> Array:
    """Terms of exports by exporting sector (n, s, 4)."""
    return a.by_sector(np.moveaxis(_asked(a, argument).sum(2), 0, -1))


def by_partner(a: Accounts, argument: str) -> Array:
    """Terms of exports by partner (n, n, 4); zero with oneself."""
    return np.moveaxis(a.by_economy(_asked(a, argument), axis=1), 0, -1)


def kww(a: Accounts) -> Array:
    """Koopman, Wang & Wei's nine terms (n, 9)."""
    return parts.koopman_wang_wei(a)


def my(a: Accounts) -> Array:
    """Miroudot & Ye's terms of each economy's exports (n, 4)."""
    terms = parts.miroudot_ye(a)
    return np.stack([a.by_economy(getattr(terms, n).sum(1)) for n in TERMS], axis=1)


def _row(name: str, title: str, dims: tuple[str, ...], function: Function, tail: str) -> Measure:
    return Measure(
        name,
        title,
        "chains",
        "million USD",
        dims,
        "Borin & Mancini (2019); (2023)",
        "Gross exports split into domestic value added (DVA), domestic value added counted again "
        "because it had left before (DDC), foreign value added (FVA) and foreign value added counted "
        f"again (FDC). The four sum to gross exports{tail}. The argument is the perspective and the "
        "approach, such as exporter/sink, bilateral or world/source.",
        function,
        takes="perspective/approach",
        default="exporter/source",
        additive=True,
        terms=TERMS,
    )


ROWS = (
    _row("exports_decomposition", "Value added in exports", ("region", "term"), by_economy, ""),
    _row(
        "exports_decomposition_by_sector",
        "Value added in exports, by exporting sector",
        ("region", "sector", "term"),
        by_sector,
        " of each sector",
    ),
    _row(
        "exports_decomposition_by_partner",
        "Value added in exports, by partner",
        ("region", "partner", "term"),
        by_partner,
        " to each partner",
    ),
    Measure(
        "koopman_wang_wei",
        "Nine terms of gross exports",
        "chains",
        "million USD",
        ("region", "term"),
        "Koopman, Wang & Wei (2014), eq. 36",
        "Gross exports in nine terms: domestic value added absorbed abroad in final goods (1), in "
        "inputs absorbed by the importer (2) and by third economies (3); returned home in final goods "
        "(4) and in inputs (5); double counted (6); foreign value added in final goods (7) and in "
        "inputs (8); double counted (9).",
        kww,
        additive=True,
        terms=tuple("123456789"),
    ),
    Measure(
        "miroudot_ye",
        "Value added in exports, chain by chain",
        "chains",
        "million USD",
        ("region", "term"),
        "Miroudot & Ye (2021), perimeter of the exporter",
        "Gross exports split by taking the exporter's own sales of inputs abroad out of the world's "
        "chains and putting them back: value added that does not use them (DVA, FVA) and what goes "
        "through them again (DDC, FDC). By other algebra the same as the source-based terms.",
        my,
        additive=True,
        terms=TERMS,
    ),
)
