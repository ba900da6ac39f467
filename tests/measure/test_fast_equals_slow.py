"""The fast measures against those written a second time, slowly, from the definitions."""

import numpy as np
import pytest
import slow_chains
import slow_exports
from reference import reference_world

from entrepot.measure import decomposition as parts
from entrepot.measure import participation as p
from entrepot.measure.accounts import accounts_of
from entrepot.measure.chains import participation
from entrepot.measure.participation import output_split
from worlds import full_world, random_world

WORLDS = [
    reference_world(),
    random_world(11, 4, 3),
    random_world(12, 5, 2, density=0.5),
    full_world(13, 3, 4),
    full_world(14, 4, 3, density=0.7),
]


@pytest.fixture(params=WORLDS, ids=lambda w: w.name, scope="module")
def both(request):
    world = request.param
    a = accounts_of(world)
    slow = (world.Z, world.F.sum(2), len(world.regions), len(world.sectors))
    return a, slow


def same(fast, slow, a):
    np.testing.assert_allclose(fast, slow, rtol=0, atol=2e-11 * np.abs(a.x).max())


@pytest.mark.parametrize("approach", ["source", "sink"])
def test_exporter(both, approach):
    a, slow = both
    fast = getattr(parts, f"exporter_{approach}")(a)
    other = getattr(slow_exports, f"{approach}_based")(*slow)
    for term in parts.TERMS:
        same(a.by_sector(getattr(fast, term)), other[term], a)


@pytest.mark.parametrize("kind", ["bilateral", "sector", "sector_bilateral"])
def test_perimeters(both, kind):
    a, slow = both
    fast = getattr(parts, kind)(a)
    for s in range(a.n):
        for r in range(a.n) if "bilateral" in kind else [None]:
            if r == s:
                continue
            for i in range(a.s) if "sector" in kind else [None]:
                other = slow_exports.perimeter(*slow, s, r, i)
                for term in parts.TERMS:
                    cell = a.by_sector(getattr(fast, term))[s]
                    cell = cell if i is None else cell[i : i + 1]
                    total = cell.sum() if r is None else cell[:, r].sum()
                    same(total, other[term], a)


@pytest.mark.parametrize("sink", [False, True])
def test_world(both, sink):
    a, slow = both
    fast = parts.world_sink(a) if sink else parts.world_source(a)
    other = slow_exports.world_perspective(*slow, sink=sink)
    for term in parts.TERMS:
        same(a.by_economy(getattr(fast, term).sum(1)), other[term], a)


def test_miroudot_and_ye(both):
    a, slow = both
    other = slow_exports.miroudot_ye(*slow)
    for term in parts.TERMS:
        same(a.by_economy(getattr(parts.miroudot_ye(a), term).sum(1)), other[term], a)


def test_nine_terms(both):
    a, slow = both
    same(parts.koopman_wang_wei(a), slow_exports.kww(*slow), a)


def test_participation(both):
    a, slow = both
    other = slow_exports.participation(*slow)
    fast = participation(a) | {"REF": parts.returned(a), "E": a.exports}
    for name in ("E", "DAVAX", "GVC", "GVCB", "GVCF", "PF", "TS", "PB", "REF"):
        same(a.by_sector(fast[name]), other[name], a)


def test_output(both):
    a, slow = both
    other = slow_chains.output_participation(*slow)
    for k, term in enumerate(p.OUTPUT_TERMS):
        same(output_split(a)[:, k], np.asarray(other[term]).ravel(), a)


def test_positions_and_lengths(both):
    a, slow = both
    other = slow_chains.positions(*slow)
    chains = a.made > 0
    forward, backward = (f(a).ravel() for f in (p.forward_length, p.backward_length))
    for fast, name in ((forward, "PLv_GVC"), (backward, "PLy_GVC")):
        there = chains & np.isfinite(fast)
        assert there.any()
        np.testing.assert_allclose(fast[there], np.asarray(other[name])[there], rtol=1e-9)


def test_specialisation(both):
    a, slow = both
    other = slow_chains.specialisation(*slow)
    exports = a.by_economy(a.exports.sum(1))
    same(p.foreign_content(a) * exports, other["VS"], a)
    same(p.in_others_exports(a) * exports, other["VS1"], a)
