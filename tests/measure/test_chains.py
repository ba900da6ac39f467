"""Value chains on random worlds: identities, levels, groups, what is absent."""

from dataclasses import replace

import numpy as np
import pytest
from reference import reference_world

import entrepot as ep
from entrepot.core.errors import MeasureError, NotConvergedError
from entrepot.measure import decomposition as parts
from entrepot.measure.accounts import accounts_of
from entrepot.measure.catalogue import measures
from entrepot.measure.chains import EXACT, decomposed, participation, residual
from entrepot.measure.decomposition import PERSPECTIVES
from entrepot.measure.measurement import take
from entrepot.measure.participation import output_split
from entrepot.measure.position import downstreamness_by_node, upstreamness_by_node
from entrepot.world.world import Sector
from worlds import full_world, random_world

WORLDS = {
    "plain": lambda seed: random_world(seed, 4, 3),
    "full": lambda seed: full_world(seed, 4, 3),
    "sparse": lambda seed: full_world(seed, 5, 3, density=0.5),
    "empty": lambda seed: full_world(seed, 4, 3, empty=3, dead_sector=True),
}
CASES = [(kind, seed) for kind in WORLDS for seed in range(5)]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}", scope="module")
def a(request):
    kind, seed = request.param
    return accounts_of(WORLDS[kind](seed))


def close(left, right, a):
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-10 * np.abs(a.exports).max())


@pytest.mark.parametrize("asked", PERSPECTIVES, ids="/".join)
def test_terms_sum_to_exports(a, asked):
    terms = decomposed(a, *asked)
    assert residual(a, terms) <= EXACT
    close(terms.total, a.exports, a)


def test_extracting_exports_loses_the_domestic_value_added(a):
    """Los, Timmer & de Vries (2016): value added of s less that in a table where s sells nothing."""
    DVA = a.by_economy(parts.exporter_source(a).DVA.sum(1))
    A = a.Z * a.per_unit
    for s in range(a.n):
        b = a.at(s)
        extracted, demand = A.copy(), a.y.copy()
        extracted[b] = 0
        extracted[b, b] = A[b, b]
        demand[b] = 0
        demand[b, s] = a.y[b, s]
        left = np.linalg.solve(np.eye(a.N) - extracted, demand.sum(1))
        lost = a.v[b] @ (a.x[b] - left[b])
        assert DVA[s] == pytest.approx(lost, abs=1e-10 * a.x.max())


def test_source_and_sink_agree_on_the_exporter(a):
    source, sink = parts.exporter_source(a), parts.exporter_sink(a)
    for term in parts.TERMS:
        close(
            a.by_economy(getattr(source, term).sum(1)), a.by_economy(getattr(sink, term).sum(1)), a
        )
    close(a.by_economy(parts.returned(a).sum(1)), a.by_economy(parts.returned_sink(a).sum(1)), a)


def test_narrower_perimeters_count_less_twice(a):
    """What is double counted in one flow is so in all of them: DVA grows as the perimeter narrows."""
    if (a.exports < 0).any() or (a.v < 0).any():
        pytest.skip("stocks drawn abroad or subsidised inputs: no order")
    order = [parts.sector_bilateral, parts.sector, parts.exporter_source]
    values = [f(a).DVA for f in order]
    bilateral = parts.bilateral(a).DVA
    scale = 1e-12 * a.exports.max()
    assert (values[0] >= values[1] - scale).all()
    assert (values[1] >= values[2] - scale).all()
    assert (bilateral >= values[2] - scale).all()
    assert (values[0] >= bilateral - scale).all()


def test_backward_is_two_sided_and_pure(a):
    found = participation(a)
    close(found["PB"] + found["TS"], found["GVCB"], a)
    close(found["GVCB"] + found["GVCF"], found["GVC"], a)
    close(found["GVC"] + found["DAVAX"], a.exports, a)


def test_value_added_exported_is_absorbed_abroad(a):
    """VAX = value added in others' final demand (Johnson & Noguera 2012); all of it is world demand."""
    VAX = parts.exporter_source(a).DVA - parts.returned(a)
    by_demand = a.by_economy(a.v[:, None] * a.output_by_demand)
    close(a.by_economy(VAX.sum(1)), by_demand.sum(1) - by_demand.diagonal(), a)
    assert by_demand.sum() == pytest.approx(a.y.sum(), rel=1e-11)
    assert (a.v * a.x).sum() == pytest.approx(a.y.sum(), rel=1e-11)


def test_nine_terms(a):
    nine = parts.koopman_wang_wei(a)
    source = parts.exporter_source(a)
    total = {t: a.by_economy(getattr(source, t).sum(1)) for t in parts.TERMS}
    close(nine.sum(1), a.by_economy(a.exports.sum(1)), a)
    close(nine[:, :5].sum(1), total["DVA"], a)
    close(nine[:, 5], total["DDC"], a)
    close(nine[:, 3] + nine[:, 4], a.by_economy(parts.returned(a).sum(1)), a)


def test_the_world_counts_once(a):
    source, sink = parts.world_source(a), parts.world_sink(a)
    assert source.FVA.sum() == pytest.approx(sink.FVA.sum(), rel=1e-10)
    assert source.FVA.sum() == pytest.approx(participation(a)["GVCF"].sum(), rel=1e-10)


def test_chain_by_chain_equals_source_based(a):
    for term in parts.TERMS:
        close(getattr(parts.miroudot_ye(a), term), getattr(parts.exporter_source(a), term), a)


def test_output_in_six_parts(a):
    np.testing.assert_allclose(output_split(a).sum(1), a.x, rtol=0, atol=1e-11 * a.x.max())


def test_mean_upstreamness_is_mean_downstreamness(a):
    """Weighed by output and by primary inputs' output: 1'Bx (Miller & Temurshoev 2017)."""
    up, down = np.nan_to_num(upstreamness_by_node(a)), np.nan_to_num(downstreamness_by_node(a))
    assert (up * a.made).sum() == pytest.approx((down * a.made).sum(), rel=1e-11)
    assert np.nanmin(upstreamness_by_node(a)) >= 1 - 1e-12


def test_iterated_foreign_value_added_needs_no_inverse(a):
    np.testing.assert_allclose(
        parts._foreign_first_iterated(a), parts.foreign_first(a), rtol=0, atol=1e-11
    )


def test_every_measure_says_why_cells_are_absent(a):
    for name in measures():
        if measures()[name].needs or measures()[name].takes not in ("", "perspective/approach"):
            continue
        item = take(a, name).items[0]
        assert not np.isinf(item.values).any(), name
        if np.isnan(item.values).any():
            assert item.why_absent, name


# --- what is absent, levels, groups ---------------------------------------------------------------


def closed_world():
    """C neither sells nor buys abroad; A and B trade."""
    world = reference_world()
    Z, F = world.Z.copy(), world.F.copy()
    Z[4:, :4] = 0
    Z[:4, 4:] = 0
    F[4:, :2] = 0
    F[:4, 2] = 0
    x = Z.sum(1) + F.sum((1, 2))
    return replace(world, Z=Z, F=F, V=(x - Z.sum(0))[None])


def test_an_economy_that_exports_nothing():
    found = take(closed_world(), ["gvc_participation", "vax_ratio", "exports_decomposition"])
    assert np.isnan(found["gvc_participation"].sel(region="C"))
    assert found["gvc_participation"].attrs["absent"] == "absent where an economy exports nothing"
    assert (found["exports_decomposition"].sel(region="C") == 0).all()
    rows = [r for r in found.items[0].rows() if r["region"] == "C"]
    assert rows == [
        {"region": "C", "value": None, "absent": "absent where an economy exports nothing"}
    ]


def test_a_producer_without_output_that_buys():
    """What it buys counts as final use; every identity holds, and the accounts say so."""
    world = reference_world()
    Z, F, V = world.Z.copy(), world.F.copy(), world.V.copy()
    F[0] = 0
    F[0, 0, 0] = -Z[0].sum()  # stocks are drawn for all it sells: output is zero
    V = (Z.sum(1) + F.sum((1, 2)) - Z.sum(0))[None]
    a = accounts_of(replace(world, Z=Z, F=F, V=V))
    assert a.x[0] == 0
    assert a.idle.tolist() == [0]
    assert (a.v * a.x).sum() == pytest.approx(a.y.sum(), rel=1e-12)
    for asked in PERSPECTIVES:
        assert residual(a, decomposed(a, *asked)) < 1e-12
    np.testing.assert_allclose(a.sales(a.y.sum(1)), a.x, atol=1e-11)
    assert "A 1 produce nothing" in take(a, "upstreamness").notes[0]
    assert np.isnan(take(a, "upstreamness")["upstreamness"].sel(region="A", sector="1"))


def provinces():
    """The reference table with A and B as provinces of P."""
    return reference_world(parent={"A": "P", "B": "P"})


def test_provinces_together_are_one_exporter():
    regions, economy = accounts_of(provinces()), accounts_of(provinces(), "economy")
    assert regions.economies == ("A", "B", "C")
    assert economy.economies == ("P", "C")
    total = ep.measure.value_chains(economy, "P").sum(["sector", "partner"])
    by_hand = accounts_of(provinces(), together={"P2": ["A", "B"]})
    same = ep.measure.value_chains(by_hand, "P2").sum(["sector", "partner"])
    assert total["exports"] == float(accounts_of(provinces()).exports[:4, 2].sum())
    for name in total:
        assert total[name] == pytest.approx(float(same[name]), rel=1e-12)


def test_order_of_regions_does_not_matter():
    """A group whose members do not stand together gives what it does when they do."""
    world = full_world(3, 4, 3)
    moved = [0, 2, 1, 3]
    nodes = (np.array(moved)[:, None] * 3 + np.arange(3)).ravel()
    other = replace(
        world,
        regions=tuple(world.regions[i] for i in moved),
        Z=world.Z[np.ix_(nodes, nodes)],
        F=world.F[nodes][:, moved],
        V=world.V[:, nodes],
        T_inputs=world.T_inputs[nodes],
        T_final=world.T_final[moved],
        satellites={},
    )
    group = {"G": ("R00", "R02")}
    for perspective, approach in PERSPECTIVES:
        left = ep.measure.value_chains(
            world, "G", perspective=perspective, approach=approach, together=group
        )
        right = ep.measure.value_chains(
            other, "G", perspective=perspective, approach=approach, together=group
        )
        for name in ("DVA", "FVA", "DDC"):
            np.testing.assert_allclose(
                left[name].sel(partner=["G", "R01", "R03"]),
                right[name].sel(partner=["G", "R01", "R03"]),
                atol=1e-9,
            )


def test_scale_does_not_matter():
    world = full_world(5, 4, 3)
    small = replace(
        world,
        Z=world.Z * 1e-6,
        F=world.F * 1e-6,
        V=world.V * 1e-6,
        T_inputs=world.T_inputs * 1e-6,
        T_final=world.T_final * 1e-6,
    )
    for name in ("gvc_participation", "vax_ratio", "upstreamness", "gvc_length_forward"):
        np.testing.assert_allclose(take(world, name)[name], take(small, name)[name], rtol=1e-9)


def test_chains_without_a_sum():
    """A table whose industries use more than they make through their chains is refused."""
    world = reference_world()
    Z = world.Z.copy()
    Z[0, 0] = 500
    F = world.F.copy()
    F[0, 0, 0] += 70 - (Z[0].sum() + F[0].sum())
    bad = replace(world, Z=Z, F=F, V=(Z.sum(1) + F.sum((1, 2)) - Z.sum(0))[None])
    with pytest.raises(NotConvergedError, match="A 1"):
        take(bad, "upstreamness")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"exporter": "D"}, "no economy 'D'"),
        ({"perspective": "exporters"}, "did you mean 'exporter'"),
        ({"approach": "sunk"}, "source or sink"),
        ({"perspective": "bilateral", "approach": "sink"}, "takes the approach source"),
        ({"level": "province"}, "region or economy"),
        ({"together": {"G": ["A", "Q"]}}, "no economy 'Q'"),
        ({"together": {"G": ["A"], "H": ["A"]}}, "both G and H"),
        ({"together": {"A": ["B", "C"]}}, "rename the group"),
        ({"together": ["eu28"]}, "did you mean 'eu27'"),
        ({"together": ["asean"]}, "No member"),
    ],
)
def test_bad_questions(question, words):
    with pytest.raises(MeasureError, match=words):
        ep.measure.value_chains(reference_world(), **question)


def test_groups_say_who_is_here():
    world = replace(
        full_world(1, 3, 2), regions=("DEU", "FRA", "CHN"), satellites={}, region_names={}
    )
    found = take(world, "gvc_participation", together="eu27")
    assert list(found["gvc_participation"].region.values) == ["eu27", "CHN"]
    assert "2 of 27 members are separate" in found.notes[0]


def test_one_sector_and_one_region():
    alone = random_world(2, 1, 3)
    assert np.isnan(take(alone, "gvc_participation")["gvc_participation"]).all()
    single = random_world(2, 3, 1)
    for asked in PERSPECTIVES:
        assert residual(accounts_of(single), decomposed(accounts_of(single), *asked)) < 1e-12


def test_names_and_units_are_told():
    found = ep.measure.value_chains(reference_world(), "A")
    assert found.attrs["residual"] < 1e-12
    assert found["DVA"].attrs["unit"] == "million USD"
    assert dict(found.sizes) == {"sector": 2, "partner": 3}
    assert Sector("1", "one").code in found.sector.values


def test_accounts_are_not_regrouped_in_silence():
    a = accounts_of(reference_world())
    assert accounts_of(a) is a
    for ask in (
        lambda: ep.measure.value_chains(a, "A", together={"G": ["A", "B"]}),
        lambda: take(a, "gross_exports", together={"G": ["A", "B"]}),
        lambda: take(a, "gross_exports", level="economy"),
        lambda: ep.profile(a, "A", together={"G": ["A", "B"]}),
    ):
        with pytest.raises(MeasureError, match="already"):
            ask()
    with pytest.raises(MeasureError, match="name one economy"):
        ep.measure.value_chains(a, ["A"])
    with pytest.raises(MeasureError, match="at least one measure"):
        take(a, [])
    assert take(a, ["gross_exports", "gross_exports"]).names == ("gross_exports",)


def test_a_group_of_regions_says_who_is_here():
    world = replace(full_world(1, 3, 2), regions=("DEU", "FRA", "CHN"), satellites={})
    assert "2 of 27 members" in take(world, "gross_exports", regions=["eu27"]).notes[0]
