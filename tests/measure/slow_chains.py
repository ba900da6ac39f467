"""Output-based participation, exposure, lengths and positions, the slow way. As in `slow_exports`."""

import numpy as np
from slow_exports import at, content, home_inverse, inverse, table

OUTPUT_TERMS = ("DomX", "TradX", "PF", "TSDom", "TSImp", "PB")


def output_participation(Z, Y, G, S, v=None):
    """Six parts (G, S) of the gross output of each product; they sum to it.

    A part of the value of product i of s has crossed m borders when it arrives, and the product
    has n borders ahead. m + n = 0 is domestic (DomX), 1 traditional trade (TradX), 2 or more
    GVC. Own value added v_i that is sold on over two borders is pure forward (PF); that of
    domestic suppliers on the same way two-sided (TSDom); imported value in products sold as
    inputs two-sided (TSImp), in final products pure backward (PB). With q = L_ss sum of A_sr
    L_rr e_r (output with two or more borders ahead), f = 1 - v_s L_ss (imported), f1 = sum of
    v_j L_jj A_js L_ss (imported, one border), y = y_ss + y_s*:

        DomX  = (v_s L_ss) (L_ss y_ss)
        TradX = f1 (L_ss y_ss) + (v_s L_ss) L_ss (y_s* + sum of A_sr L_rr y_rr)
        PF    = v q              TSDom = v_s (L_ss - I) q
        TSImp = f (x - y) - f1 (L_ss - I) y_ss
        PB    = f y - f1 y_ss
    products by sector. Borin, Mancini & Taglioni (2021) and (2025), WBER, sec. 3.2.
    """
    t = table(Z, Y, G, S, v)
    out = {k: np.zeros((G, S)) for k in OUTPUT_TERMS}
    for s in range(G):
        vs, L = t.v[at(s, S)], home_inverse(t.A, s, S)
        y_home, y_all = Y[at(s, S), s], Y[at(s, S)].sum(1)
        one_ahead = y_all - y_home
        f1, q = np.zeros(S), np.zeros(S)
        for r in range(G):
            if r != s:
                L_rr = home_inverse(t.A, r, S)
                A_sr, A_rs = t.A[at(s, S), at(r, S)], t.A[at(r, S), at(s, S)]
                f1 += t.v[at(r, S)] @ L_rr @ A_rs @ L
                q += L @ A_sr @ L_rr @ t.e[at(r, S)].sum(1)
                one_ahead = one_ahead + A_sr @ L_rr @ Y[at(r, S), r]
        # What returned after it had left counts as imported; so it is 1 - v_s L_ss only if v is
        # the default, and in general all value added of B that has crossed a border.
        own, others = content(t.v, t.B, s, S)
        f = own + others - vs @ L
        inputs = t.x[at(s, S)] - y_all
        out["DomX"][s] = (vs @ L) * (L @ y_home)
        out["TradX"][s] = f1 * (L @ y_home) + (vs @ L) * (L @ one_ahead)
        out["PF"][s] = vs * q
        out["TSDom"][s] = (vs @ L - vs) * q
        out["TSImp"][s] = f * inputs - f1 * (L @ y_home - y_home)
        out["PB"][s] = f * y_all - f1 * y_home
    return out


def _by_region(M, G, S, axis):
    return np.add.reduceat(M, np.arange(0, G * S, S), axis=axis)


def _share(top, bottom):
    return np.divide(
        top,
        bottom,
        out=np.zeros(np.broadcast_shapes(top.shape, bottom.shape)),
        where=np.broadcast_to(bottom, top.shape) > 0,
    )


def input_exposure(Z, Y, G, S, v=None):
    """Where the production of a product takes place, by region p of the supplier: each (G, N).

    FIR_face: share of p in direct inputs, A. FIR_through: in inputs at all tiers, B - I.
    FIR_value: value added of p in a unit, sum of v_i B_ij (sums to one with the default v).
    FPEM: share of p in gross production at all tiers, B, the product itself in it. FPEM_face:
    (I + A) over the same total. FPEM_hidden: their difference. Gross measures count production
    as often as it is sold on. After Baldwin & Freeman (2022) and Baldwin, Freeman &
    Theodorakopoulos (2022, 2023); which of the denominators is theirs was not read at source.
    """
    t = table(Z, Y, G, S, v)
    one = np.eye(G * S)
    total = t.B.sum(0)
    through = _share(_by_region(t.B, G, S, 0), total)
    face = _share(_by_region(one + t.A, G, S, 0), total)
    return {
        "FIR_face": _share(_by_region(t.A, G, S, 0), t.A.sum(0)),
        "FIR_through": _share(_by_region(t.B - one, G, S, 0), (t.B - one).sum(0)),
        "FIR_value": _by_region(t.v[:, None] * t.B, G, S, 0),
        "FPEM": through,
        "FPEM_face": face,
        "FPEM_hidden": through - face,
    }


def region_exposure(Z, Y, G, S, v=None):
    """FPEM and the like (G supplier, G user) of all final products made in a region.

    T = B F and (I + A) F with F the final sales of each producer on the diagonal; region sums of
    both over the region's columns, divided by the region's column sums of T. FPEX: the same
    table by rows, share of p in where the output of a region is built into final products.
    VALUE: value added of the supplier in the final products made by the user.
    """
    t = table(Z, Y, G, S, v)
    F = np.diag(Y.sum(1))
    T, T0 = t.B @ F, (np.eye(G * S) + t.A) @ F
    out = {k: np.zeros((G, G)) for k in ("FPEM", "FPEM_face", "FPEX", "FPEX_face", "VALUE")}
    for p in range(G):
        for c in range(G):
            gross, face = T[at(p, S), at(c, S)].sum(), T0[at(p, S), at(c, S)].sum()
            out["FPEM"][p, c] = gross / T[:, at(c, S)].sum()
            out["FPEM_face"][p, c] = face / T[:, at(c, S)].sum()
            out["FPEX"][p, c] = gross / T[at(p, S)].sum()
            out["FPEX_face"][p, c] = face / T[at(p, S)].sum()
            value = (t.v[at(p, S)] @ T[at(p, S), at(c, S)]).sum()
            out["VALUE"][p, c] = value / Y[at(c, S)].sum()
    return out


def market_exposure(Z, Y, G, S, v=None):
    """Where a product is sold, by region p of the buyer: each (N, G).

    FMR_face: share of p in direct sales, inputs and final. FMR_inputs: share of p in the sales
    of inputs at all tiers, H - I with H the inverse of I - Z_ij / x_i (sales coefficients).
    FMR_value: share of output, so also of value added, absorbed by final use of p at the end
    of all chains, (B y_p)_i / x_i. FPEX: share of output built into final products made in p,
    sum over j in p of B_ij y_j / x_i. FMR_value, FPEX and FMR_face sum to one.
    """
    t = table(Z, Y, G, S, v)
    x = t.x[:, None]
    sales = _share(Z, x)
    H = inverse(sales)
    more = H - np.eye(G * S)
    made = t.B * Y.sum(1)
    return {
        "FMR_face": _share(_by_region(Z, G, S, 1) + Y, x),
        "FMR_inputs": _share(_by_region(more, G, S, 1), more.sum(1, keepdims=True)),
        "FMR_value": _share(t.B @ Y, x),
        "FPEX": _share(_by_region(made, G, S, 1), x),
    }


def positions(Z, Y, G, S, v=None):
    """Upstreamness and downstreamness (N,), and lengths of chains forward (v) and backward (y).

    U = sum of the row of the inverse of I - Z_ij / x_i: Antras, Chor, Fally & Hillberry (2012),
    Antras & Chor (2018). D = column sum of B: Miller & Temurshoev (2017). Lengths of Wang, Wei,
    Yu & Zhu (2017, NBER 23261): with D_A the domestic and M the traded coefficients, L = (I -
    D_A)^-1, value V L Yd (domestic), V L Yf (traded final goods), V L M B Y (GVC); output
    V L L Yd, V L L Yf, and for GVC V L L M B Y at home, V B M B Y at borders, V L M B D_A B Y
    abroad. PL = output / value over rows (PLv) or columns (PLy); position = PLv_GVC / PLy_GVC.
    """
    t = table(Z, Y, G, S, v)
    n = G * S
    D = np.zeros((n, n))
    home_use = np.zeros(n)
    for s in range(G):
        D[at(s, S), at(s, S)] = t.A[at(s, S), at(s, S)]
        home_use[at(s, S)] = Y[at(s, S), s]
    M, L, V = t.A - D, inverse(D), np.diag(t.v)
    y, yd = np.diag(Y.sum(1)), np.diag(home_use)
    value = {
        "": V @ t.B @ y,
        "_D": V @ L @ yd,
        "_RT": V @ L @ (y - yd),
        "_GVC": V @ L @ M @ t.B @ y,
    }
    domestic = V @ L @ L @ M @ t.B @ y
    borders = V @ t.B @ M @ t.B @ y
    abroad = V @ L @ M @ t.B @ D @ t.B @ y
    output = {
        "": V @ t.B @ t.B @ y,
        "_D": V @ L @ L @ yd,
        "_RT": V @ L @ L @ (y - yd),
        "_GVC": domestic + borders + abroad,
    }
    out = {"U": inverse(_share(Z, t.x[:, None])).sum(1), "D": t.B.sum(0)}
    for k in value:
        out["PLv" + k] = _share(output[k].sum(1), value[k].sum(1))
        out["PLy" + k] = _share(output[k].sum(0), value[k].sum(0))
    out["position"] = _share(out["PLv_GVC"], out["PLy_GVC"])
    return out


def specialisation(Z, Y, G, S, v=None):
    """Exporter totals (G,): VS, VS1, participation and position.

    VS_HIY: imported inputs in exports, sum over t of 1 A_ts L_ss e_s (Hummels, Ishii & Yi 2001).
    VS: foreign value added in exports, sum over t of v_t B_ts e_s; VS1: own value added in the
    exports of others, v_s sum over r of B_sr e_r (Koopman, Wang & Wei 2014). IV: own value added
    in inputs that the importer works up for third regions, v_s B_ss sum over r of A_sr sum over
    l not s, r of x_rl, x_rl the output of r that final use of l takes (Koopman, Powers, Wang &
    Wei 2010). participation = (VS1 + VS) / E; position = ln(1 + VS1/E) - ln(1 + VS/E), and
    position_IV with IV in place of VS1.
    """
    t = table(Z, Y, G, S, v)
    out = {k: np.zeros(G) for k in ("E", "VS_HIY", "VS", "VS1", "IV")}
    for s in range(G):
        e = t.e[at(s, S)].sum(1)
        L_ss = home_inverse(t.A, s, S)
        out["E"][s] = e.sum()
        out["VS"][s] = content(t.v, t.B, s, S)[1] @ e
        for r in range(G):
            if r == s:
                continue
            out["VS_HIY"][s] += (t.A[at(r, S), at(s, S)] @ L_ss @ e).sum()
            vs = t.v[at(s, S)]
            out["VS1"][s] += vs @ t.B[at(s, S), at(r, S)] @ t.e[at(r, S)].sum(1)
            for k in range(G):
                if k not in (s, r):
                    x_rk = (t.B @ Y[:, k])[at(r, S)]
                    out["IV"][s] += vs @ t.B[at(s, S), at(s, S)] @ t.A[at(s, S), at(r, S)] @ x_rk
    E = out["E"]
    back = np.log1p(_share(out["VS"], E))
    out["participation"] = _share(out["VS"] + out["VS1"], E)
    out["position"] = np.log1p(_share(out["VS1"], E)) - back
    out["position_IV"] = np.log1p(_share(out["IV"], E)) - back
    return out
