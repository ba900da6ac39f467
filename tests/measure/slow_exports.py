"""Value-chain measures the slow way: one extraction matrix and one inverse for every flow.

A second derivation to test fast code against. Nothing here uses an updating formula: each
perimeter has its own matrix A^{/s} (the input coefficients without the flows it holds) and
its own inverse. Every function takes

    Z (N, N)  inputs, seller x buyer, nodes region by region (node = region * S + sector)
    Y (N, G)  final use, seller x buying region
    G, S      numbers of regions and sectors, N = G * S
    v (N,)    value added a unit of output; 1 - column sums of A where it is left out

in one unit of money. With the default v every decomposition sums to the flow it splits.

Sources: Borin & Mancini (2019), World Bank WPS 8804, and (2023), Economic Systems Research
35(4); Borin, Mancini & Taglioni (2021), WPS 9785; Miroudot & Ye (2021), Economic Systems
Research; Koopman, Wang & Wei (2014), AER 104(2); Johnson & Noguera (2012); Los, Timmer &
de Vries (2016), AER 106(7).
"""

from typing import NamedTuple

import numpy as np

TERMS = ("DVA", "DDC", "FVA", "FDC")


class Table(NamedTuple):
    """What every measure starts from."""

    A: np.ndarray  # input coefficients
    B: np.ndarray  # inverse of I - A
    v: np.ndarray  # value added a unit of output
    x: np.ndarray  # output
    e: np.ndarray  # (N, G) exports, inputs and final goods, zero at home


def inverse(A):
    return np.linalg.inv(np.eye(len(A)) - A)


def at(s, S):
    """The nodes of region s."""
    return slice(s * S, (s + 1) * S)


def table(Z, Y, G, S, v=None):
    x = Z.sum(1) + Y.sum(1)
    A = np.zeros_like(Z, dtype=float)
    for j in range(G * S):
        if x[j] > 0:
            A[:, j] = Z[:, j] / x[j]
    if v is None:
        v = np.where(x > 0, 1 - A.sum(0), 0.0)
    e = np.zeros((G * S, G))
    for s in range(G):
        for r in range(G):
            if r != s:
                e[at(s, S), r] = Z[at(s, S), at(r, S)].sum(1) + Y[at(s, S), r]
    return Table(A, inverse(A), np.asarray(v, float), x, e)


def home_inverse(A, s, S):
    """L_ss: the inverse of one region's own block."""
    return inverse(A[at(s, S), at(s, S)])


def content(v, B, s, S):
    """(of the region itself, of all others): value added in a unit of each product of region s."""
    own = v[at(s, S)] @ B[at(s, S), at(s, S)]
    others = np.zeros(S)
    for t in range(len(v) // S):
        if t != s:
            others = others + v[at(t, S)] @ B[at(t, S), at(s, S)]
    return own, others


def without(A, s, S, r=None, i=None):
    """A^{/s}: region s (one sector i of it) sells no inputs abroad (to region r).

    Los, Timmer & de Vries (2016); Borin & Mancini (2019).
    """
    out = A.copy()
    rows = range(s * S, (s + 1) * S) if i is None else [s * S + i]
    for row in rows:
        for partner in range(len(A) // S):
            if partner != s and (r is None or partner == r):
                out[row, at(partner, S)] = 0
    return out


def four_terms(t, Bx, s, S, flow):
    """DVA, DDC, FVA, FDC (S,) of a flow (S,) of region s: what Bx holds is value added,
    the rest of B is counted double."""
    own, others = content(t.v, Bx, s, S)
    own_all, others_all = content(t.v, t.B, s, S)
    return {
        "DVA": own * flow,
        "DDC": (own_all - own) * flow,
        "FVA": others * flow,
        "FDC": (others_all - others) * flow,
    }


def source_based(Z, Y, G, S, v=None):
    """Source-based decomposition, exporter's perspective: (G, S, G) for each term.

    Value added counts where it leaves the exporter for the first time. With B^{/s} the inverse
    of I - A^{/s}: DVA = v_s B^{/s}_ss e, DDC = v_s (B_ss - B^{/s}_ss) e, and alike with the
    value added of all t other than s. Borin & Mancini (2019), source-based.
    """
    t = table(Z, Y, G, S, v)
    out = {k: np.zeros((G, S, G)) for k in TERMS}
    for s in range(G):
        Bx = inverse(without(t.A, s, S))
        for r in range(G):
            for k, terms in four_terms(t, Bx, s, S, t.e[at(s, S), r]).items():
                out[k][s, :, r] = terms
    return out


def sink_based(Z, Y, G, S, v=None):
    """Sink-based decomposition, exporter's perspective: (G, S, G) for each term.

    Value added counts where it leaves the exporter for the last time. Output is used up by
    final sales or by exports of s: x = B^{/s} (y + inputs that s sells abroad), so that of
    e_sr = y_sr + A_sr x_r the part w = A_sr B^{/s}_rs e_s will leave s once more, and the
    part u = y_sr + A_sr (sum over k of B^{/s}_rk y_k, with y_ss alone for k = s) will not.
    DVA = v_s B_ss u, DDC = v_s B_ss w, foreign alike. Borin & Mancini (2019), eqs. 33-39.
    """
    t = table(Z, Y, G, S, v)
    out = {k: np.zeros((G, S, G)) for k in TERMS}
    for s in range(G):
        Bx = inverse(without(t.A, s, S))
        kept = Y.sum(1)
        kept[at(s, S)] = Y[at(s, S), s]
        leaves = np.zeros(G * S)
        leaves[at(s, S)] = t.e[at(s, S)].sum(1)
        own, others = content(t.v, t.B, s, S)
        for r in range(G):
            if r == s:
                continue
            A_sr = t.A[at(s, S), at(r, S)]
            u = Y[at(s, S), r] + A_sr @ (Bx @ kept)[at(r, S)]
            w = A_sr @ (Bx @ leaves)[at(r, S)]
            out["DVA"][s, :, r] = own * u
            out["DDC"][s, :, r] = own * w
            out["FVA"][s, :, r] = others * u
            out["FDC"][s, :, r] = others * w
    return out


def perimeter(Z, Y, G, S, s, r=None, i=None, v=None):
    """The four terms (sums) of one perimeter: exports of s, of its sector i, to r, or both.

    Value added is counted double only where it crosses this perimeter more than once.
    r alone: pure bilateral; i alone: sector; both: sector and partner; none: exporter.
    Borin & Mancini (2019), eqs. 47-49, and (2023).
    """
    t = table(Z, Y, G, S, v)
    flow = t.e[at(s, S)].sum(1) if r is None else t.e[at(s, S), r].copy()
    if i is not None:
        flow[np.arange(S) != i] = 0
    Bx = inverse(without(t.A, s, S, r, i))
    return {k: x.sum() for k, x in four_terms(t, Bx, s, S, flow).items()}


def miroudot_ye(Z, Y, G, S, world=False, v=None):
    """Exporter totals of DVA, DDC and FVA, FDC (G,), and FDC1, FDC2 for the world perimeter.

    A = A° + A^I, A^I the flows of the perimeter, so B = B° + B° A^I B: what B° holds has not
    crossed the perimeter before it is exported, what B° A^I B holds has. One exporter's
    perimeter gives the source-based terms. The world's perimeter, all flows across borders,
    leaves B° block diagonal: all foreign content has crossed a border, FVA is zero, and FDC is
    FDC1 = v_t (B° A^I B°)_ts e_s (one border before) plus FDC2 = v_t (B° A^I (B - B°))_ts e_s.
    Miroudot & Ye (2021).
    """
    t = table(Z, Y, G, S, v)
    names = TERMS + (("FDC1", "FDC2") if world else ())
    out = {k: np.zeros(G) for k in names}
    for s in range(G):
        A0 = t.A.copy()
        for row in range(G) if world else [s]:
            A0 = without(A0, row, S)
        AI = t.A - A0
        B0 = inverse(A0)
        again = B0 @ AI @ t.B
        e = t.e[at(s, S)].sum(1)
        for first, second, B in (("DVA", "FVA", B0), ("DDC", "FDC", again)):
            own, others = content(t.v, B, s, S)
            out[first][s], out[second][s] = own @ e, others @ e
        if world:
            out["FDC1"][s] = content(t.v, B0 @ AI @ B0, s, S)[1] @ e
            out["FDC2"][s] = content(t.v, B0 @ AI @ (t.B - B0), s, S)[1] @ e
    return out


def world_perspective(Z, Y, G, S, sink=False, v=None):
    """Exporter totals (G,) of DVA, DDC, FVA, FDC with the world as perimeter.

    Value added of t crosses borders as exports of t (domestic content) and of others (foreign
    content). From the world's point of view it may be value added only once in each role:
    DVA and DDC are the exporter's; FVA is the first (source) or the last (sink) flow in which
    it is foreign content of anyone's exports; all its other foreign crossings are FDC. So FVA
    sums over exporters to the value added that is in some other region's exports, which is
    the sum of DVA - DAVAX, forward participation.

    Source: FVA_s = sum over t of v_t L_tt A_ts L_ss e_s (t's exports are the first crossing, so
    s's are the second). Sink: with f_s = sum over r of (y_sr + A_sr L_rr y_rr), exports absorbed
    by the importer, FVA_s = sum over t of v_t B_ts (f_s + A_st L_tt f_t): after s the value is
    absorbed, or returns to t and is shipped by t itself, which is not foreign content.
    Borin & Mancini (2019), eqs. 52 and 54; Miroudot & Ye (2021) call the source FVA FDC1.
    """
    t = table(Z, Y, G, S, v)
    L = [home_inverse(t.A, s, S) for s in range(G)]
    out = {k: np.zeros(G) for k in TERMS}

    def absorbed_next(s):
        f = np.zeros(S)
        for r in range(G):
            if r != s:
                f += Y[at(s, S), r] + t.A[at(s, S), at(r, S)] @ L[r] @ Y[at(r, S), r]
        return f

    for s in range(G):
        e = t.e[at(s, S)].sum(1)
        own, others = content(t.v, t.B, s, S)
        out["DVA"][s] = t.v[at(s, S)] @ L[s] @ e
        out["DDC"][s] = own @ e - out["DVA"][s]
        for o in range(G):
            if o == s:
                continue
            if sink:
                back = t.A[at(s, S), at(o, S)] @ L[o] @ absorbed_next(o)
                out["FVA"][s] += t.v[at(o, S)] @ t.B[at(o, S), at(s, S)] @ (absorbed_next(s) + back)
            else:
                out["FVA"][s] += t.v[at(o, S)] @ L[o] @ t.A[at(o, S), at(s, S)] @ L[s] @ e
        out["FDC"][s] = others @ e - out["FVA"][s]
    return out


def kww(Z, Y, G, S, v=None):
    """The nine terms (G, 9) of Koopman, Wang & Wei (2014), eq. 36, in their order."""
    t = table(Z, Y, G, S, v)
    out = np.zeros((G, 9))
    for s in range(G):
        vs, L_ss, e_s = t.v[at(s, S)], home_inverse(t.A, s, S), t.e[at(s, S)].sum(1)
        for r in range(G):
            if r == s:
                continue
            B_sr, A_rs = t.B[at(s, S), at(r, S)], t.A[at(r, S), at(s, S)]
            out[s, 0] += vs @ t.B[at(s, S), at(s, S)] @ Y[at(s, S), r]
            out[s, 1] += vs @ B_sr @ Y[at(r, S), r]
            for k in range(G):
                if k not in (s, r):
                    out[s, 2] += vs @ B_sr @ Y[at(r, S), k]
            out[s, 3] += vs @ B_sr @ Y[at(r, S), s]
            out[s, 4] += vs @ B_sr @ A_rs @ L_ss @ Y[at(s, S), s]
            out[s, 5] += vs @ B_sr @ A_rs @ L_ss @ e_s
            A_sr, L_rr = t.A[at(s, S), at(r, S)], home_inverse(t.A, r, S)
            for o in range(G):
                if o != s:
                    foreign = t.v[at(o, S)] @ t.B[at(o, S), at(s, S)]
                    out[s, 6] += foreign @ Y[at(s, S), r]
                    out[s, 7] += foreign @ A_sr @ L_rr @ Y[at(r, S), r]
                    out[s, 8] += foreign @ A_sr @ L_rr @ t.e[at(r, S)].sum(1)
    return out


def extraction(Z, Y, G, S, v=None):
    """(G,): value added of s lost when s exports nothing (Los, Timmer & de Vries 2016)."""
    t = table(Z, Y, G, S, v)
    out = np.zeros(G)
    for s in range(G):
        y = Y.sum(1)
        y[at(s, S)] = Y[at(s, S), s]
        x = np.linalg.solve(np.eye(G * S) - without(t.A, s, S), y)
        out[s] = t.v[at(s, S)] @ (t.x - x)[at(s, S)]
    return out


def absorption(Z, Y, G, S, v=None):
    """(G, S, G, G): source-based DVA of sector i of s, exported to r, absorbed by region l.

    e_sr = y_sr + A_sr x_r, and x_r serves the final use of l by sum over k of B_rk y_kl. Over
    l = s it is reflection (REF), over the others value-added exports (VAX): Johnson & Noguera
    (2012), Borin & Mancini (2019).
    """
    t = table(Z, Y, G, S, v)
    out = np.zeros((G, S, G, G))
    for s in range(G):
        leaves = t.v[at(s, S)] @ home_inverse(t.A, s, S)
        for r in range(G):
            for final in range(G):
                if r != s:
                    use = t.A[at(s, S), at(r, S)] @ (t.B @ Y[:, final])[at(r, S)]
                    if final == r:
                        use = use + Y[at(s, S), r]
                    out[s, :, r, final] = leaves * use
    return out


def participation(Z, Y, G, S, v=None):
    """Source-based measures by exporter, sector and partner, each (G, S, G).

    E exports; DVA; DAVAX absorbed by the importer after one border, v_s L_ss (y_sr + A_sr L_rr
    y_rr); REF and VAX by `absorption`; GVC = E - DAVAX; GVCB = E - DVA (backward); GVCF =
    DVA - DAVAX (forward); and the tripartite split by the side of the chain: PF pure forward
    v_s L_ss A_sr L_rr e_r, PB pure backward (1 - v_s L_ss)(y_sr + A_sr L_rr y_rr), TS two-sided
    (1 - v_s L_ss) A_sr L_rr e_r. Borin & Mancini (2019); Borin, Mancini & Taglioni (2021).
    """
    t = table(Z, Y, G, S, v)
    names = ("E", "DVA", "DAVAX", "REF", "VAX", "GVC", "GVCB", "GVCF", "PF", "TS", "PB")
    out = {k: np.zeros((G, S, G)) for k in names}
    by_final = absorption(Z, Y, G, S, v)
    for s in range(G):
        home = t.v[at(s, S)] @ home_inverse(t.A, s, S)
        for r in range(G):
            if r == s:
                continue
            e = t.e[at(s, S), r]
            reach = t.A[at(s, S), at(r, S)] @ home_inverse(t.A, r, S)
            here = Y[at(s, S), r] + reach @ Y[at(r, S), r]
            on = reach @ t.e[at(r, S)].sum(1)
            out["E"][s, :, r] = e
            out["DVA"][s, :, r] = home * e
            out["DAVAX"][s, :, r] = home * here
            out["REF"][s, :, r] = by_final[s, :, r, s]
            out["VAX"][s, :, r] = sum(by_final[s, :, r, k] for k in range(G) if k != s)
            out["GVC"][s, :, r] = e - home * here
            out["GVCB"][s, :, r] = e - home * e
            out["GVCF"][s, :, r] = home * e - home * here
            out["PF"][s, :, r] = home * on
            out["TS"][s, :, r] = (1 - home) * on
            out["PB"][s, :, r] = (1 - home) * here
    return out


def value_added_by_use(Z, Y, G, S, v=None):
    """(G, G): value added of s in the final use of r, v_s (B y_r)_s (Johnson & Noguera 2012)."""
    t = table(Z, Y, G, S, v)
    out = np.zeros((G, G))
    for s in range(G):
        for r in range(G):
            out[s, r] = t.v[at(s, S)] @ (t.B @ Y[:, r])[at(s, S)]
    return out
