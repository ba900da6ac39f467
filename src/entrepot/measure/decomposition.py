"""Value added in gross exports: Borin & Mancini (2019, 2023), Koopman, Wang & Wei (2014).

Symbols: A = Z / x, B = (I - A)^-1, L_ss = (I - A_ss)^-1, v = primary inputs per unit of
output, e_sr what economy s sells to r across the border, final goods y_sr included.
Arrays (N, n) hold, row by row, what a node sells to each partner; home cells are zero.
An economy's own primary inputs in a unit of its output are v_s B_ss (`content`), of which
v_s L_ss (`first`) have not been abroad.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from entrepot.core.errors import MeasureError
from entrepot.core.tables import Array
from entrepot.measure.accounts import ACCURACY, FACTOR_UP_TO, MOST_STEPS, Accounts

TERMS = ("DVA", "DDC", "FVA", "FDC")


@dataclass(frozen=True, eq=False, slots=True)
class Terms:
    """A decomposition of exports, each (N, n) in million USD: the four terms sum to exports.

    `DVA` domestic value added and `DDC` domestic double counting; `FVA` foreign
    value added and `FDC` foreign double counting.
    """

    DVA: Array
    DDC: Array
    FVA: Array
    FDC: Array

    @property
    def total(self) -> Array:
        """The sum of the four."""
        return self.DVA + self.DDC + self.FVA + self.FDC


# --- building blocks ------------------------------------------------------------------------------


def content(a: Accounts) -> Array:
    """An economy's own primary inputs in a unit of its output, double counting included (N,)."""
    return a.own(a.origins.T)


def first(a: Accounts) -> Array:
    """Primary inputs in a unit of output that have not yet crossed a border, v_s L_ss (N,)."""
    return np.concatenate([a.v[a.at(s)] @ a.local[s] for s in range(a.n)])


def imported_once(a: Accounts) -> Array:
    """Foreign primary inputs in a unit of output that crossed one border, v_t L_tt A_ts L_ss (N,)."""
    new, out = first(a), np.empty(a.N)
    for s in range(a.n):
        b = a.at(s)
        sold = new.copy()
        sold[b] = 0.0
        out[b] = (sold @ a.Z[:, b] * a.per_unit[b]) @ a.local[s]
    return out


def at_home(a: Accounts, demand: Array) -> Array:
    """Output each economy needs of itself for a demand on it, L_ss f_s; (N,) or (N, k)."""
    return np.concatenate([a.local[s] @ demand[a.at(s)] for s in range(a.n)])


def inputs_abroad(a: Accounts, output: Array) -> Array:
    """Inputs each node sells abroad for outputs (N, k) there: A q less the home blocks."""
    scaled = output * a.per_unit[:, None]
    sold = a.Z @ scaled
    for s in range(a.n):
        b = a.at(s)
        sold[b] -= a.Z[b, b] @ scaled[b]
    return sold


def inputs_for(a: Accounts, output: Array) -> Array:
    """Inputs each node sells to each partner for what the partner makes of them (N, n).

    `output` (N,) is made by every partner whoever sells to it, or (N, n): its
    column s is what is made of the inputs that economy s sells.
    """
    out = np.empty((a.N, a.n))
    for s in range(a.n):
        b = a.at(s)
        made = (output if output.ndim == 1 else output[:, s]) * a.per_unit
        out[b] = np.add.reduceat(a.Z[b] * made, a.starts[:-1], axis=1)
        out[b, s] = 0.0
    return out


def absorbed(a: Accounts) -> Array:
    """Exports that the direct importer absorbs, y_sr + A_sr L_rr y_rr (N, n)."""
    own = at_home(a, a.own(a.y))
    return a.abroad(a.y) + inputs_for(a, own)


def _split(value: Array, own: Array, flow: Array, rest: Array) -> Terms:
    """Own and foreign content, of a part counted as value added and of the rest."""
    own, value = own[:, None], np.asarray(value)
    return Terms(own * flow, own * rest, value[:, None] * flow, value[:, None] * rest)


# --- the exporter's perspective -------------------------------------------------------------------


def exporter_source(a: Accounts) -> Terms:
    """Value added counted the first time it leaves the exporter (Borin & Mancini 2019).

    DVA = v_s L_ss e; DDC = v_s (B_ss - L_ss) e; FVA = sum_t v_t B^{/s}_ts e, with
    B^{/s} the inverse without the inputs that s sells abroad; FDC the rest of
    the foreign content. No new inversion: B^{/s}_.s = B_.s B_ss^-1 L_ss.
    """
    own, new = content(a), first(a)
    foreign = 1.0 - own
    once = foreign_first(a)
    e = a.exports
    return Terms(
        new[:, None] * e,
        (own - new)[:, None] * e,
        once[:, None] * e,
        (foreign - once)[:, None] * e,
    )


def foreign_first(a: Accounts) -> Array:
    """Foreign primary inputs in a unit of output that s has not exported before (N,)."""
    if a.large:
        return _foreign_first_iterated(a)
    foreign = 1.0 - content(a)
    out = np.empty(a.N)
    for s in range(a.n):
        b = a.at(s)
        out[b] = np.linalg.solve(a.B[b, b].T, foreign[b]) @ a.local[s]
    return out


def _foreign_first_iterated(a: Accounts) -> Array:
    """The same without the inverse: w_s = v outside s + w_s A^{/s}, all s at once."""
    right = np.where(a.home, 0.0, a.v[:, None])
    w, left = np.zeros_like(right), right
    for _ in range(MOST_STEPS):
        for s in range(a.n):
            b = a.at(s)
            w[b] += a.local[s].T @ left[b]
        left = right - w + (a.Z.T @ w) * a.per_unit[:, None]
        for s in range(a.n):  # s sells no inputs abroad
            b = a.at(s)
            sold = (w[b, s] @ a.Z[b]) * a.per_unit
            sold[b] = 0.0
            left[:, s] -= sold
        if np.abs(left).max() <= ACCURACY * 10:
            return a.own(w)
    raise MeasureError(f"The chains of {a.world.name} could not be summed without the inverse.")


def exporter_sink(a: Accounts) -> Terms:
    """Value added counted the last time it leaves the exporter (Borin & Mancini 2019).

    e_sr = u + w: w = A_sr B^{/s}_rs e_s comes back to be exported by s once more.
    DVA = v_s B_ss u, DDC = v_s B_ss w, foreign alike.
    """
    again = exported_again(a)
    own = content(a)
    return _split(1.0 - own, own, a.exports - again, again)


def exported_again(a: Accounts) -> Array:
    """The part of each export flow that s will export once more, A_sr B^{/s}_rs e_s (N, n)."""
    needs_inverse(a, "The sink-based decomposition")
    made = np.empty((a.N, a.n))
    for s in range(a.n):
        b = a.at(s)
        sold = a.local[s] @ a.exports[b].sum(1)
        made[:, s] = a.B[:, b] @ np.linalg.solve(a.B[b, b], sold)
    return inputs_for(a, made)


def returned(a: Accounts) -> Array:
    """Domestic value added that comes home to be absorbed, REF, counted at the source (N, n).

    v_s L_ss A_sr (B y)_rs: what r makes of the inputs for the final use of s.
    VAX = DVA - REF (Johnson & Noguera 2012; Borin & Mancini 2019).
    """
    return first(a)[:, None] * inputs_for(a, a.output_by_demand)


def returned_sink(a: Accounts) -> Array:
    """REF counted at the sink (N, n); its sum over partners and sectors is that at the source."""
    needs_inverse(a, "The sink-based decomposition")
    made = np.empty((a.N, a.n))
    for s in range(a.n):
        b = a.at(s)
        beyond = a.output_by_demand[b, s] - a.local[s] @ a.y[b, s]
        made[:, s] = a.output_by_demand[:, s] - a.B[:, b] @ np.linalg.solve(a.B[b, b], beyond)
    return content(a)[:, None] * inputs_for(a, made)


# --- narrower and wider perimeters ---------------------------------------------------------------


def bilateral(a: Accounts) -> Terms:
    """Double counting only where value crosses the same bilateral border again.

    With the inputs s sells to r taken out, B^{/sr}_.s = B_.s (I + A_sr B_rs)^-1
    (Borin & Mancini 2019). Terms of different pairs do not add up to
    the exporter's.
    """
    needs_inverse(a, "The bilateral perspective")
    own = content(a)
    value = np.zeros((2, a.N, a.n))
    for s in range(a.n):
        b = a.at(s)
        rows = np.stack([own[b], 1.0 - own[b]])
        for r in range(a.n):
            if r == s:
                continue
            c = a.at(r)
            around = a.A(b, c) @ a.B[c, b]
            around.flat[:: len(around) + 1] += 1.0
            value[:, b, r] = np.linalg.solve(around.T, rows.T).T
    return _perimeter(a, own, value[0], value[1])


def sector(a: Accounts) -> Terms:
    """Double counting only where the same industry of the same economy exports again.

    Taking one row of inputs out of A divides column i of B by
    1 + sum_{j not in s} A_ij B_ji (Sherman & Morrison 1950).
    """
    again = _around(a).sum(1)[:, None]
    own = content(a)[:, None]
    return _perimeter(a, content(a), own / (1 + again), (1 - own) / (1 + again))


def sector_bilateral(a: Accounts) -> Terms:
    """Double counting only where the same industry sells to the same partner again."""
    again = _around(a)
    own = content(a)[:, None]
    return _perimeter(a, content(a), own / (1 + again), (1 - own) / (1 + again))


def _around(a: Accounts) -> Array:
    """What a unit of a node's output holds of its own earlier sales to each partner (N, n)."""
    needs_inverse(a, "The sector perspective")
    out = np.empty((a.N, a.n))
    for s in range(a.n):
        b = a.at(s)
        out[b] = np.add.reduceat(a.Z[b] * a.per_unit * a.B[:, b].T, a.starts[:-1], axis=1)
        out[b, s] = 0.0
    return out


def _perimeter(a: Accounts, own: Array, domestic: Array, foreign: Array) -> Terms:
    e, own = a.exports, own[:, None]
    return Terms(domestic * e, (own - domestic) * e, foreign * e, (1 - own - foreign) * e)


def world_source(a: Accounts) -> Terms:
    """The world's perspective at the source (Borin & Mancini 2019, eq. 52).

    Value added is domestic value added of one flow, the first that leaves its
    economy, and foreign value added of one flow, the first re-export:
    FVA = sum_{t != s} v_t L_tt A_ts L_ss e_s. All else is double counted.
    """
    own, new, e = content(a), first(a), a.exports
    once = imported_once(a)
    foreign = 1.0 - own - once
    return Terms(
        new[:, None] * e, (own - new)[:, None] * e, once[:, None] * e, foreign[:, None] * e
    )


def world_sink(a: Accounts) -> Terms:
    """The world's perspective at the sink (Borin & Mancini 2019, eq. 54).

    Foreign value added is counted the last time it is foreign content of any
    export: FVA = sum_{t != s} v_t B_ts (f_s + A_st L_tt f_t), f what direct
    importers absorb; the second part goes home to t, which exports it as its
    own. Sums over exporters are those at the source.
    """
    own, last = content(a), absorbed(a)
    domestic = exporter_sink(a)
    home_again = inputs_for(a, at_home(a, last.sum(1)))
    foreign = (1.0 - own)[:, None] * last + a.origins.T * home_again
    rest = (1.0 - own)[:, None] * a.exports - foreign
    return Terms(domestic.DVA, domestic.DDC, foreign, rest)


def miroudot_ye(a: Accounts) -> Terms:
    """The terms of Miroudot & Ye (2021), perimeter of the exporter: B = B0 + B0 A1 B.

    A1 holds the inputs that s sells abroad, B0 is the inverse without them.
    DVA = v_s B0_ss e and DDC = v_s (B0 A1 B)_ss e; FVA and FDC alike for the
    others' primary inputs. Equal to Borin & Mancini's source-based terms by
    other algebra: the chain is followed, nothing is taken as a remainder.
    """
    e = a.exports
    values = (first(a), foreign_first(a))
    again = []
    for value in values:
        sold = np.zeros((a.N, a.n))
        for s in range(a.n):
            b = a.at(s)
            sold[:, s] = value[b] @ a.Z[b] * a.per_unit
            sold[b, s] = 0.0
        again.append(a.own(a.costs(sold)))
    return Terms(*(c[:, None] * e for c in (values[0], again[0], values[1], again[1])))


PERSPECTIVES: dict[tuple[str, str], Callable[[Accounts], Terms]] = {
    ("exporter", "source"): exporter_source,
    ("exporter", "sink"): exporter_sink,
    ("bilateral", "source"): bilateral,
    ("sector", "source"): sector,
    ("sector_bilateral", "source"): sector_bilateral,
    ("world", "source"): world_source,
    ("world", "sink"): world_sink,
}


# --- Koopman, Wang & Wei -------------------------------------------------------------------------


def koopman_wang_wei(a: Accounts) -> Array:
    """The nine terms of an exporter's gross exports (n, 9), Koopman, Wang & Wei (2014), eq. 36."""
    own = content(a)
    foreign = 1.0 - own
    final, e = a.abroad(a.y).sum(1), a.exports.sum(1)
    home = a.own(a.y)
    by_home = inputs_for(a, at_home(a, home)).sum(1)
    by_exports = inputs_for(a, at_home(a, e)).sum(1)
    out = np.empty((a.n, 9))
    for s in range(a.n):
        b = a.at(s)
        w = a.origins[s].copy()
        w[b] = 0.0
        bought = w @ a.Z[:, b] * a.per_unit[b]
        out[s] = (
            own[b] @ final[b],
            w @ home,
            w @ (final - a.y[:, s]),
            w @ a.y[:, s],
            bought @ (a.local[s] @ home[b]),
            bought @ (a.local[s] @ e[b]),
            foreign[b] @ final[b],
            foreign[b] @ by_home[b],
            foreign[b] @ by_exports[b],
        )
    return out


def needs_inverse(a: Accounts, what: str) -> None:
    """Raise MeasureError where the world is too large for its inverse."""
    if a.large:
        raise MeasureError(
            f"{what} needs the whole inverse, which {a.N:,} nodes are too many for (at most "
            f"{FACTOR_UP_TO:,}): aggregate the world, or ask for the source-based one."
        )
