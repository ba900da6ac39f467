"""Identities that hold on every table, to 1e-9 of exports."""

import numpy as np

from entrepot.measure import decomposition as parts
from entrepot.measure.catalogue import measures
from entrepot.measure.chains import decomposed, participation, residual
from entrepot.measure.decomposition import PERSPECTIVES
from entrepot.measure.measurement import take
from entrepot.measure.participation import output_split
from entrepot.measure.position import downstreamness_by_node, upstreamness_by_node

SMALL = 1e-9


def check_identities(a):
    """Every identity of value chains on these accounts; raises AssertionError."""
    exports = a.by_economy(np.abs(a.exports).sum(1))

    def same(left, right):
        gap = np.abs(np.asarray(left) - np.asarray(right))
        scale = exports.reshape(-1, *[1] * (gap.ndim - 1))
        assert (gap <= SMALL * scale).all(), (gap / np.where(scale > 0, scale, 1)).max()

    def total(flows):
        return a.by_economy(flows.sum(1))

    for asked in PERSPECTIVES:
        assert residual(a, decomposed(a, *asked)) <= SMALL, asked
    source, sink = parts.exporter_source(a), parts.exporter_sink(a)
    for term in parts.TERMS:
        same(total(getattr(source, term)), total(getattr(sink, term)))
        same(total(getattr(parts.miroudot_ye(a), term)), total(getattr(source, term)))
    back = parts.returned(a)
    same(total(back), total(parts.returned_sink(a)))
    by_demand = a.by_economy(a.v[:, None] * a.output_by_demand)
    same(total(source.DVA - back), by_demand.sum(1) - by_demand.diagonal())
    same(by_demand.sum(1), a.by_economy(a.v * a.x))
    assert abs(by_demand.sum() / a.y.sum() - 1) < SMALL
    nine = parts.koopman_wang_wei(a)
    same(nine.sum(1), total(a.exports))
    same(nine[:, 3] + nine[:, 4], total(back))
    same(nine[:, 5], total(source.DDC))
    same(nine[:, 6:].sum(1), total(source.FVA + source.FDC))
    found = participation(a)
    same(total(found["PB"] + found["TS"]), total(found["GVCB"]))
    same(total(found["GVCB"] + found["GVCF"] + found["DAVAX"]), total(a.exports))
    world = [total(f(a).FVA).sum() for f in (parts.world_source, parts.world_sink)]
    for value in world:
        assert abs(value / found["GVCF"].sum() - 1) < SMALL
    same(a.by_economy(output_split(a).sum(1)), a.by_economy(a.x))
    up, down = np.nan_to_num(upstreamness_by_node(a)), np.nan_to_num(downstreamness_by_node(a))
    assert abs((up * a.made).sum() / (down * a.made).sum() - 1) < SMALL
    circuits = take(a, ["income_circuits", "demand_circuits"])
    earned = a.by_economy(np.where(a.x > 0, a.value_added, 0.0))
    same(circuits["income_circuits"].sum("term"), earned)
    own = parts.first(a)  # hypothetical extraction of an economy's exports, by another solve
    for s in (0, a.n // 2, a.n - 1):
        b = a.at(s)
        left = np.linalg.solve(np.eye(b.stop - b.start) - a.A(b, b), a.y[b, s])
        lost = a.v[b] @ (a.x[b] - left)
        assert abs(own[b] @ a.exports[b].sum(1) - lost) <= SMALL * max(exports[s], 1e-300)


def check_catalogue(a):
    """Every measure that needs nothing more runs, without warnings, and says why cells are absent."""
    for row in measures().values():
        if row.needs or row.default == "jobs" or (row.takes and not row.default):
            continue
        # Not every table says which of its sectors make goods.
        item = take(a, f"{row.name}:none" if row.takes == "rule" else row.name).items[0]
        assert not np.isinf(item.values).any(), row.name
        assert bool(item.why_absent) == bool(np.isnan(item.values).any()), row.name
        if row.unit == "share" and row.family == "chains":
            there = item.values[np.isfinite(item.values)]
            assert (np.abs(there) < 50).all(), row.name
