"""Participation in value chains: of exports, of output, and its length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure import decomposition as parts
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.chains import participation
from entrepot.measure.row import Measure

SIDES = ("PF", "TS", "PB")
OUTPUT_TERMS = ("DomX", "TradX", "PF", "TSDom", "TSImp", "PB")
Sum = Callable[[Accounts, Array], Array]


def _economies(a: Accounts, flows: Array) -> Array:
    return a.by_economy(flows.sum(1))


def _sectors(a: Accounts, flows: Array) -> Array:
    return a.by_sector(flows.sum(1))


def _partners(a: Accounts, flows: Array) -> Array:
    return a.by_economy(flows)


def _of_exports(name: str, by: Sum) -> Callable[[Accounts], Array]:
    def measure(a: Accounts) -> Array:
        return share(by(a, participation(a)[name]), by(a, a.exports))

    return measure


def _sides(by: Sum) -> Callable[[Accounts], Array]:
    def measure(a: Accounts) -> Array:
        found, of = participation(a), by(a, a.exports)
        return np.stack([share(by(a, found[side]), of) for side in SIDES], axis=-1)

    return measure


def vax(a: Accounts, by: Sum = _economies) -> Array:
    """Domestic value added absorbed abroad over gross exports; see `decomposition.returned`."""
    new = parts.first(a)[:, None] * a.exports
    return share(by(a, new - parts.returned(a)), by(a, a.exports))


def vax_by_partner(a: Accounts) -> Array:
    """The same by partner (n, n): value added that the pair's flow carries to be absorbed abroad."""
    return vax(a, _partners)


def domestic_share(a: Accounts) -> Array:
    """Domestic value added, counted once, over gross exports (n,)."""
    return share(_economies(a, parts.first(a)[:, None] * a.exports), _economies(a, a.exports))


def domestic_share_by_sector(a: Accounts) -> Array:
    """The same by exporting sector (n, s)."""
    return share(_sectors(a, parts.first(a)[:, None] * a.exports), _sectors(a, a.exports))


def returned_share(a: Accounts) -> Array:
    """Domestic value added that comes home, over gross exports (n,)."""
    return share(_economies(a, parts.returned(a)), _economies(a, a.exports))


def foreign_content(a: Accounts) -> Array:
    """Foreign primary inputs in exports, double counting included, over exports (n,): VS."""
    return share(
        _economies(a, (1 - parts.content(a))[:, None] * a.exports), _economies(a, a.exports)
    )


def in_others_exports(a: Accounts) -> Array:
    """Own primary inputs in other economies' exports, over own exports (n,): VS1, v_s B_sr e_r."""
    of = _economies(a, a.exports)
    held = a.origins * a.exports.sum(1)
    return share(held.sum(1) - np.add.reduceat(held, a.starts[:-1], axis=1).diagonal(), of)


def koopman_position(a: Accounts) -> Array:
    """ln(1 + VS1) - ln(1 + VS), both as shares of exports (n,)."""
    return np.log1p(in_others_exports(a)) - np.log1p(foreign_content(a))


# --- of output -----------------------------------------------------------------------------------


def output_split(a: Accounts) -> Array:
    """Gross output of each node by the borders its content crosses (N, 6), in `OUTPUT_TERMS`.

    What is in a unit of output of s (own v, other home inputs d = v_s (L_ss - I),
    from abroad f = 1 - v_s L_ss, of which f1 crossed one border) times where
    the output goes (final at home y_ss or abroad; as input, absorbed after no
    border n0, one n1, more q). Two borders or more are value chains (Borin,
    Mancini & Taglioni 2021). The six sum to output.
    """
    new = parts.first(a)
    beyond = 1.0 - new
    once = parts.imported_once(a)
    home = a.own(a.y)
    final = a.abroad(a.y).sum(1)
    leaves = parts.absorbed(a).sum(1)
    none = parts.at_home(a, home) - home
    one = parts.at_home(a, leaves) - final
    more = parts.at_home(a, a.exports.sum(1) - leaves)
    return np.stack(
        [
            new * (home + none),
            once * (home + none) + new * (final + one),
            a.v * more,
            (new - a.v) * more,
            beyond * (none + one + more) - once * none,
            beyond * (home + final) - once * home,
        ],
        axis=1,
    )


def output_participation(a: Accounts) -> Array:
    """Output by borders crossed (n, s, 6), million USD; see `output_split`."""
    return a.by_sector(output_split(a))


def output_participation_shares(a: Accounts) -> Array:
    """The same as shares of each economy's output (n, 6)."""
    found = a.by_economy(output_split(a))
    return share(found, a.by_economy(a.x)[:, None])


# --- length --------------------------------------------------------------------------------------


def forward_length(a: Accounts) -> Array:
    """Length of the cross-border chains that a sector's value added enters (n, s).

    (Xd + E + Xf) / V_GVC: steps at home V L L M x, borders V B M x and steps
    abroad V L M B D x, per V L M x, with D the home blocks of A and M the rest
    (Wang, Wei, Yu & Zhu 2017).
    """
    x = a.made[:, None]
    abroad = parts.inputs_abroad(a, x)
    enters = parts.at_home(a, abroad)
    home = a.Z @ (x * a.per_unit[:, None]) - abroad
    both = a.sales(np.hstack([abroad, home]))
    beyond = parts.at_home(a, parts.inputs_abroad(a, both[:, 1:]))
    steps = parts.at_home(a, enters) + both[:, :1] + beyond
    v = a.v[:, None] * (x > 0)
    return share(a.by_sector(v * steps)[..., 0], _positive(a.by_sector(v * enters)[..., 0]))


def backward_length(a: Accounts) -> Array:
    """Length of the cross-border chains in a sector's final output (n, s).

    The mirror of `forward_length`, by columns: (v L L M + 1 M + ...) B per v L M B,
    weighed by final output (Wang, Wei, Yu & Zhu 2017).
    """
    new = parts.first(a)
    twice = np.concatenate([new[a.at(s)] @ a.local[s] for s in range(a.n)])
    crossing = _crossing(a, np.stack([new, twice, np.ones(a.N)], axis=1))
    enters, home_steps, borders = a.costs(crossing).T
    within = (enters @ a.Z) * a.per_unit - _crossing(a, enters[:, None])[:, 0]
    steps = home_steps + borders + a.costs(within)
    weight = np.maximum(a.y.sum(1), 0) * (a.x > 0)
    return share(a.by_sector(steps * weight), _positive(a.by_sector(enters * weight)))


def _crossing(a: Accounts, rates: Array) -> Array:
    """Rates (N, k) carried by inputs bought abroad: c M."""
    out = a.Z.T @ rates
    for s in range(a.n):
        b = a.at(s)
        out[b] -= a.Z[b, b].T @ rates[b]
    return out * a.per_unit[:, None]


def _positive(amounts: Array) -> Array:
    """Amounts above rounding, else zero: a length of nothing is absent."""
    return np.where(amounts > 1e-9 * np.abs(amounts).max(initial=0.0), amounts, 0.0)


# --- rows ----------------------------------------------------------------------------------------

NO_EXPORTS = "an economy exports nothing"
BMT = "Borin, Mancini & Taglioni (2021)"
BM = "Borin & Mancini (2019)"
_BY: dict[str, tuple[str, Sum, tuple[str, ...], str]] = {
    "": ("", _economies, ("region",), NO_EXPORTS),
    "_by_sector": (", by sector", _sectors, ("region", "sector"), "a sector exports nothing"),
    "_by_partner": (
        ", by partner",
        _partners,
        ("region", "partner"),
        "an economy sells nothing to a partner, or is the partner itself",
    ),
}
_SHARES = {
    "gvc_participation": (
        "GVC",
        "Participation in value chains",
        BM,
        "The share of gross exports whose content crosses more than one border: foreign inputs in "
        "exports, and domestic value added that the importer exports further.",
    ),
    "backward_participation": (
        "GVCB",
        "Backward participation",
        BM,
        "The share of gross exports made of imported inputs (and of domestic value added returned in "
        "them): how far exports rest on what comes from abroad.",
    ),
    "forward_participation": (
        "GVCF",
        "Forward participation",
        BM,
        "The share of gross exports that is domestic value added which the direct importer exports "
        "further: how far exports feed the exports of others.",
    ),
}
ROWS = (
    *(
        Measure(
            name + tail,
            title + more,
            "chains",
            "share",
            dims,
            source,
            meaning,
            _of_exports(term, by),
            absent=absent,
        )
        for name, (term, title, source, meaning) in _SHARES.items()
        for tail, (more, by, dims, absent) in _BY.items()
    ),
    *(
        Measure(
            "tripartite_participation" + tail,
            "Participation, pure forward, two-sided and pure backward" + more,
            "chains",
            "share",
            (*dims, "term"),
            BMT,
            "Participation in value chains as shares of gross exports, in three parts: pure forward "
            "(PF: domestic value added the importer exports further), two-sided (TS: foreign inputs in "
            "exports that the importer exports further) and pure backward (PB: foreign inputs in "
            "exports that the importer absorbs).",
            _sides(by),
            absent=absent,
            terms=SIDES,
        )
        for tail, (more, by, dims, absent) in _BY.items()
    ),
    Measure(
        "domestic_value_added_share",
        "Domestic value added in exports",
        "chains",
        "share",
        ("region",),
        "Koopman, Wang & Wei (2014); Los, Timmer & de Vries (2016)",
        "Domestic value added in gross exports, counted once: what would be lost if the economy's "
        "exports were taken out of the table.",
        domestic_share,
        absent=NO_EXPORTS,
    ),
    Measure(
        "domestic_value_added_share_by_sector",
        "Domestic value added in exports, by sector",
        "chains",
        "share",
        ("region", "sector"),
        "Borin & Mancini (2019)",
        "Domestic value added in a sector's gross exports, counted once, whichever home sector earns it.",
        domestic_share_by_sector,
        absent="a sector exports nothing",
    ),
    Measure(
        "vax_ratio",
        "Value added exported",
        "chains",
        "share",
        ("region",),
        "Johnson & Noguera (2012)",
        "Domestic value added that foreigners finally absorb, over gross exports.",
        vax,
        absent=NO_EXPORTS,
    ),
    Measure(
        "vax_ratio_by_partner",
        "Value added exported, by partner",
        "chains",
        "share",
        ("region", "partner"),
        "Borin & Mancini (2019)",
        "Domestic value added in exports to a partner that foreigners, the partner or others behind "
        "it, finally absorb, over those exports.",
        vax_by_partner,
        absent=_BY["_by_partner"][3],
    ),
    Measure(
        "returned_value_added_share",
        "Value added returned home",
        "chains",
        "share",
        ("region",),
        "Koopman, Wang & Wei (2014), terms 4 and 5; Borin & Mancini (2019)",
        "Domestic value added in exports that comes back in imports and is absorbed at home, over gross "
        "exports.",
        returned_share,
        absent=NO_EXPORTS,
    ),
    Measure(
        "vertical_specialisation",
        "Foreign content of exports (VS)",
        "chains",
        "share",
        ("region",),
        "Hummels, Ishii & Yi (2001), as extended by Koopman, Wang & Wei (2014)",
        "Foreign primary inputs in gross exports, double counting included, over gross exports.",
        foreign_content,
        absent=NO_EXPORTS,
    ),
    Measure(
        "vs1",
        "Own content of others' exports (VS1)",
        "chains",
        "share",
        ("region",),
        "Hummels, Ishii & Yi (2001); Koopman, Wang & Wei (2014)",
        "An economy's primary inputs in the gross exports of all others, over its own gross exports.",
        in_others_exports,
        absent=NO_EXPORTS,
    ),
    Measure(
        "gvc_position",
        "Position index",
        "position",
        "index",
        ("region",),
        "Koopman, Powers, Wang & Wei (2010)",
        "Above zero where an economy supplies inputs to others' exports more than it uses foreign inputs "
        "in its own: ln(1 + VS1) - ln(1 + VS).",
        koopman_position,
        absent=NO_EXPORTS,
    ),
    Measure(
        "output_participation",
        "Output by the borders its content crosses",
        "chains",
        "million USD",
        ("region", "sector", "term"),
        "Borin, Mancini & Taglioni (2021); (2025)",
        "Gross output in six parts that sum to it: made and absorbed at home (DomX), crossing one border "
        "(TradX), and crossing more: pure forward (PF), two-sided through domestic (TSDom) and through "
        "imported inputs (TSImp), pure backward (PB). It sees industries that serve exporters without "
        "exporting.",
        output_participation,
        additive=True,
        terms=OUTPUT_TERMS,
    ),
    Measure(
        "output_participation_shares",
        "Output by the borders its content crosses, shares",
        "chains",
        "share",
        ("region", "term"),
        "Borin, Mancini & Taglioni (2021); (2025)",
        "The six parts of `output_participation` over an economy's gross output.",
        output_participation_shares,
        absent="an economy makes nothing",
        terms=OUTPUT_TERMS,
    ),
    Measure(
        "gvc_length_forward",
        "Length of cross-border chains, forward",
        "position",
        "stages",
        ("region", "sector"),
        "Wang, Wei, Yu & Zhu (2017)",
        "How many stages, borders included, a sector's value added passes in the chains that use it "
        "abroad as an input.",
        forward_length,
        absent="a sector's value added enters no cross-border chain",
    ),
    Measure(
        "gvc_length_backward",
        "Length of cross-border chains, backward",
        "position",
        "stages",
        ("region", "sector"),
        "Wang, Wei, Yu & Zhu (2017)",
        "How many stages, borders included, lie behind the imported inputs in a sector's final output.",
        backward_length,
        absent="a sector's final output holds no imported inputs",
    ),
)
