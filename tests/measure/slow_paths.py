"""The same quantities by walking: no inverse of the whole table, only steps and border counts.

Value added starts at a node and takes one step for each use as an input. A walk follows it
until it is gone to final use, and counts what it passes on the way. Arguments as in `slow_exports`.
"""

import numpy as np
from slow_exports import TERMS, at, home_inverse, table, without

STEPS = 400


def world_by_routes(Z, Y, G, S, sink=False, tol=1e-10):
    """World perspective, exporter totals (G,): every route over borders, one after another.

    A route is the list of regions that value added of t leaves from. Each leaving is a crossing:
    by t it is domestic content, value added the first (source) or the last (sink) time; by
    others it is foreign content, value added the first or the last time that it is foreign.
    Routes that carry less than a share `tol` of world output are dropped.
    """
    t = table(Z, Y, G, S)
    least = tol * t.x.sum()
    L = [home_inverse(t.A, s, S) for s in range(G)]
    out = {k: np.zeros(G) for k in TERMS}

    def count(route, value):
        origin = route[0]
        home = [k for k, s in enumerate(route) if s == origin]
        abroad = [k for k, s in enumerate(route) if s != origin]
        for hops, once, again in ((home, "DVA", "DDC"), (abroad, "FVA", "FDC")):
            for k in hops:
                counts = k == (hops[-1] if sink else hops[0])
                out[once if counts else again][route[k]] += value

    def walk(route, carried):
        """`carried`: value added in a unit of each product of the last region on the route."""
        c = route[-1]
        if carried @ t.x[at(c, S)] < least:
            return
        for r in range(G):
            if r != c:
                count(route, carried @ Y[at(c, S), r])
                arrives = carried @ t.A[at(c, S), at(r, S)] @ L[r]
                count(route, arrives @ Y[at(r, S), r])
                walk([*route, r], arrives)

    for o in range(G):
        walk([o], t.v[at(o, S)] @ L[o])
    return out


def content_by_crossings(A, inside, v, most=2):
    """(most + 1, N, N): value added of row in a unit of column, by earlier passages of `inside`.

    `inside` are the coefficients whose passage is counted; the last layer is `most` or more.
    """
    n = len(A)
    outside = A - inside
    layer = [np.diag(v) if k == 0 else np.zeros((n, n)) for k in range(most + 1)]
    total = [x.copy() for x in layer]
    for _ in range(STEPS):
        new = [layer[k] @ outside + (layer[k - 1] @ inside if k else 0) for k in range(most + 1)]
        new[most] = new[most] + layer[most] @ inside
        layer = new
        total = [a + b for a, b in zip(total, layer, strict=True)]
    return np.array(total)


def across(A, G, S):
    """The coefficients that cross a border."""
    out = A.copy()
    for s in range(G):
        out[at(s, S), at(s, S)] = 0
    return out


def exporter_by_steps(Z, Y, G, S, world=False):
    """Miroudot & Ye's terms (G,) by counting passages of the perimeter before the export."""
    t = table(Z, Y, G, S)
    names = ("DVA", "DDC", "FVA", "FDC1", "FDC2")
    out = {k: np.zeros(G) for k in names}
    for s in range(G):
        inside = across(t.A, G, S) if world else t.A - without(t.A, s, S)
        layers = content_by_crossings(t.A, inside, t.v)
        e = t.e[at(s, S)].sum(1)
        for o in range(G):
            never, once, more = layers[:, at(o, S), at(s, S)].sum(1) @ e
            if o == s:
                out["DVA"][s] += never
                out["DDC"][s] += once + more
            else:
                out["FVA"][s] += never
                out["FDC1"][s] += once
                out["FDC2"][s] += more
    return out


def output_by_crossings(Z, Y, G, S):
    """Two tables for each product: (N, 4) where its value comes from, (N, 2, 3) where it goes.

    Comes from: own value added, domestic inputs, inputs that crossed one border, two or more.
    Goes to: [final use, inputs] x [no, one, two or more borders ahead]; sums to output.
    """
    t = table(Z, Y, G, S)
    M = across(t.A, G, S)
    layers = content_by_crossings(t.A, M, t.v).sum(1)
    comes = np.column_stack([t.v, layers[0] - t.v, layers[1], layers[2]])
    goes = np.zeros((G * S, 2, 3))
    for s in range(G):
        goes[at(s, S), 0, 0] = Y[at(s, S), s]
        goes[at(s, S), 0, 1] = Y[at(s, S)].sum(1) - Y[at(s, S), s]
    # Output bought as inputs: each step towards the buyer adds a border where it crosses one.
    wave = [goes[:, 0, k].copy() for k in range(3)]
    home = t.A - M
    for _ in range(STEPS):
        wave = [
            home @ wave[0],
            home @ wave[1] + M @ wave[0],
            home @ wave[2] + M @ (wave[1] + wave[2]),
        ]
        for k in range(3):
            goes[:, 1, k] += wave[k]
    return comes, goes


def lengths_by_steps(Z, Y, G, S):
    """(5, N, N) value of each pair, and steps times value: domestic, traded, GVC; and steps.

    A chain from the value added of i to the final product of j counts one for each product it
    is part of. Returned: value of chains that stay at home with home final use, with exported
    final goods, and that cross a border as inputs; then total steps of all, and of the last.
    """
    t = table(Z, Y, G, S)
    M = across(t.A, G, S)
    n = G * S
    home_use, trade_use = np.zeros(n), np.zeros(n)
    for s in range(G):
        home_use[at(s, S)] = Y[at(s, S), s]
        trade_use[at(s, S)] = Y[at(s, S)].sum(1) - Y[at(s, S), s]
    never, crossed = np.diag(t.v), np.zeros((n, n))
    out = np.zeros((5, n, n))
    for step in range(1, STEPS):
        out[0] += never * home_use
        out[1] += never * trade_use
        out[2] += crossed * (home_use + trade_use)
        out[3] += step * (never + crossed) * (home_use + trade_use)
        out[4] += step * crossed * (home_use + trade_use)
        never, crossed = never @ (t.A - M), crossed @ t.A + never @ M
    return out
