"""The slow measures against the reference tables, against walks, and against identities."""

import numpy as np
import pytest
from reference import Y, Z
from slow_chains import (
    OUTPUT_TERMS,
    input_exposure,
    market_exposure,
    output_participation,
    positions,
    region_exposure,
    specialisation,
)
from slow_exports import (
    TERMS,
    absorption,
    extraction,
    kww,
    miroudot_ye,
    participation,
    perimeter,
    sink_based,
    source_based,
    table,
    value_added_by_use,
    world_perspective,
)
from slow_paths import exporter_by_steps, lengths_by_steps, output_by_crossings, world_by_routes

from worlds import random_world

THREE = (Z, Y, 3, 2)

# The three economies and three sectors of the example data of R's decompr, with the world
# perspective (sink) as documented for R's icio and decompr: exports, DVA, DDC, FVA, FDC.
LEATHER_Z = np.array(
    [
        [16.1, 5.1, 1.8, 3.2, 4.3, 0.4, 3.1, 2.8, 4.9],
        [2.4, 8.0, 3.2, 0.1, 3.2, 1.6, 1.2, 3.9, 11.5],
        [0.9, 0.5, 4.0, 0.0, 0.1, 0.3, 0.0, 0.4, 0.5],
        [1.1, 1.9, 0.2, 18.0, 13.2, 6.1, 9.0, 3.1, 8.9],
        [0.3, 2.8, 0.1, 6.1, 28.1, 6.3, 2.1, 2.5, 25.6],
        [0.0, 0.1, 0.3, 4.1, 3.2, 8.9, 0.2, 0.0, 1.8],
        [1.2, 4.2, 0.3, 4.1, 1.2, 0.6, 29.0, 19.5, 17.9],
        [1.3, 1.1, 0.0, 3.2, 4.8, 2.6, 5.1, 29.1, 24.1],
        [2.1, 1.4, 3.0, 4.1, 3.1, 3.9, 11.3, 8.1, 51.3],
    ]
)
LEATHER_Y = np.array(
    [
        [21.5, 6.1, 8.4],
        [16.2, 1.9, 5.1],
        [11.0, 0.5, 0.8],
        [7.5, 29.5, 14.2],
        [8.9, 24.9, 16.9],
        [1.2, 18.5, 4.9],
        [9.2, 17.9, 51.2],
        [7.9, 10.1, 38.5],
        [25.1, 35.2, 68.4],
    ]
)
LEATHER = (LEATHER_Z, LEATHER_Y, 3, 3)


def printed(digits=6):
    return {"rel": 0, "abs": 0.5000001 * 10**-digits}


def worlds():
    """Balanced tables of several shapes: dense, sparse, with empty producers, open, two regions."""
    drawn = [
        random_world(1, 3, 2),
        random_world(2, 4, 3, density=0.5, spread=0.5),
        random_world(3, 4, 2, empty=2, home=2.0),
        random_world(4, 2, 4, home=1.0, inputs=0.8),
        random_world(5, 5, 1, home=4.0, inputs=0.7),
    ]
    return [(w.Z, w.F.sum(2), len(w.regions), len(w.sectors)) for w in drawn]


TABLES = [THREE, LEATHER, *worlds()]
every_table = pytest.mark.parametrize("t", TABLES, ids=lambda t: f"{t[2]}x{t[3]}")


def same(a, b, rtol=1e-9):
    scale = max(np.abs(a).max(), np.abs(b).max(), 1e-300)
    np.testing.assert_allclose(a, b, rtol=0, atol=rtol * scale)


EXPORTERS = """
44 34.378863 .570165 8.903923 .147049 29.191392 32.370333 2.008530 14.808608 9.621137 5.187472
53 44.605898 .874035 7.374999 .145068 35.933606 40.277941 4.327956 17.066394 8.394102 8.672292
47 38.972676 .693496 7.206021 .127807 31.429505 35.282036 3.690640 15.570495 8.027324 7.543171
"""
EXPORTER_COLUMNS = ("E", *TERMS, "DAVAX", "VAX", "REF", "GVC", "GVCB", "GVCF")
PAIRS = {
    (0, 1): (17.229312, 17.192793, 17.353851, 2.771310, 0.773985, 3.996703),
    (0, 2): (17.149551, 17.186070, 17.310549, 2.416162, 0.669580, 4.180869),
    (1, 0): (20.069974, 20.076914, 20.286904, 4.510675, 0.865197, 3.064829),
    (1, 2): (24.535924, 24.528984, 24.745633, 4.161616, 0.779966, 3.684110),
    (2, 0): (15.730214, 15.733089, 15.897551, 3.515383, 0.729881, 2.539905),
    (2, 1): (23.242462, 23.239587, 23.406358, 4.027788, 0.821019, 3.936519),
}
KWW = """
18.252296 12.653891 1.464147 1.094998 .913532 .570165 4.747704 2.945060 1.358207
19.765730 18.311551 2.200661 2.490865 1.837092 .874035 3.234270 2.812169 1.473627
17.716127 15.688060 1.877849 2.137328 1.553312 .693496 3.283873 2.633004 1.416951
"""
UPSTREAM = (1.728319, 1.696523, 1.667587, 1.686453, 1.652651, 1.660508)
DOWNSTREAM = (1.676920, 1.834325, 1.569290, 1.700567, 1.650580, 1.658849)


def rows(text):
    return np.array([[float(x) for x in line.split()] for line in text.strip().splitlines()])


def test_exporter_totals_are_the_reference_table():
    found = participation(*THREE) | source_based(*THREE)
    got = np.array([found[k].sum((1, 2)) for k in EXPORTER_COLUMNS]).T
    assert got == pytest.approx(rows(EXPORTERS), **printed())
    sink = sink_based(*THREE)
    got = np.array([sink[k].sum((1, 2)) for k in TERMS]).T
    assert got == pytest.approx(rows(EXPORTERS)[:, 1:5], **printed())


@pytest.mark.parametrize("pair", PAIRS)
def test_pairs_are_the_reference_table(pair):
    s, r = pair
    split = participation(*THREE)
    got = (
        source_based(*THREE)["DVA"][s, :, r].sum(),
        sink_based(*THREE)["DVA"][s, :, r].sum(),
        perimeter(*THREE, s, r)["DVA"],
        *(split[k][s, :, r].sum() for k in ("PF", "TS", "PB")),
    )
    assert got == pytest.approx(PAIRS[pair], **printed())


def test_kww_terms_are_the_reference_table():
    assert kww(*THREE) == pytest.approx(rows(KWW), **printed())


def test_positions_are_the_reference_table():
    found = positions(*THREE)
    assert found["U"] == pytest.approx(UPSTREAM, **printed())
    assert found["D"] == pytest.approx(DOWNSTREAM, **printed())


def test_world_perspective_is_the_documented_example():
    found = world_perspective(*LEATHER, sink=True)
    documented = {
        "DVA": (52.81756, 89.82482, 106.84240),
        "DDC": (0.8723949, 2.636936, 4.448180),
        "FVA": (8.471827, 18.265189, 33.128506),
        "FDC": (2.138217, 2.873058, 3.180911),
    }
    for k, x in documented.items():
        assert found[k] == pytest.approx(x, **printed(5)), k


def test_source_and_sink_are_the_documented_example():
    found = participation(*LEATHER) | source_based(*LEATHER)
    documented = {
        "DAVAX": (34.79877, 65.50360, 89.31689),
        "REF": (6.085473, 12.483373, 10.123261),
        "FVA": (10.43484, 20.55564, 35.06489),
        "FDC": (0.1752063, 0.5826050, 1.2445289),
    }
    for k, x in documented.items():
        assert found[k].sum((1, 2)) == pytest.approx(x, **printed(5)), k
    sink = sink_based(*LEATHER)
    assert sink["DVA"][0, :, 1] == pytest.approx((12.357451, 5.172419, 0.631643), **printed())
    assert sink["FVA"][2, :, 0] == pytest.approx((2.0294794, 1.6917808, 10.0870532), **printed())
    own = perimeter(*LEATHER, 0, 1, 0)
    assert own["DVA"] == pytest.approx(12.5408413, **printed())
    assert own["FVA"] == pytest.approx(1.4330439, **printed())


@every_table
def test_terms_sum_to_exports(t):
    e = table(*t).e.reshape(t[2], t[3], t[2])
    for split in (source_based(*t), sink_based(*t)):
        same(sum(split.values()), e)
        assert all(x.min() > -1e-9 * e.max() for x in split.values())
    for split in (miroudot_ye(*t), world_perspective(*t), world_perspective(*t, sink=True)):
        same(sum(split[k] for k in TERMS), e.sum((1, 2)))
    same(kww(*t).sum(1), e.sum((1, 2)))
    split = participation(*t)
    same(sum(split[k] for k in ("DAVAX", "PF", "TS", "PB")), e)
    same(split["PB"] + split["TS"], split["GVCB"])
    same(split["PF"], split["GVCF"])
    same(split["VAX"] + split["REF"], split["DVA"])


@every_table
def test_perimeters_nest(t):
    """A narrower perimeter counts less double; exporter's, bilateral's and sector's flows agree."""
    G, S = t[2], t[3]
    source = source_based(*t)
    e = table(*t).e
    for s in range(G):
        whole = perimeter(*t, s)
        for k in TERMS:
            assert whole[k] == pytest.approx(source[k][s].sum(), rel=1e-9, abs=1e-9)
        for r in range(G):
            if r == s:
                continue
            pair = perimeter(*t, s, r)
            assert sum(pair.values()) == pytest.approx(e[s * S : (s + 1) * S, r].sum(), rel=1e-9)
            assert pair["DVA"] >= source["DVA"][s, :, r].sum() * (1 - 1e-12)
            for i in range(S):
                both = perimeter(*t, s, r, i)
                assert sum(both.values()) == pytest.approx(e[s * S + i, r], rel=1e-9, abs=1e-9)
                assert both["DVA"] >= source["DVA"][s, i, r] * (1 - 1e-12)
        for i in range(S):
            sector = perimeter(*t, s, i=i)
            assert sum(sector.values()) == pytest.approx(e[s * S + i].sum(), rel=1e-9, abs=1e-9)
            assert sector["DVA"] >= source["DVA"][s, i].sum() * (1 - 1e-12)


@every_table
def test_extraction_is_domestic_value_added(t):
    same(extraction(*t), source_based(*t)["DVA"].sum((1, 2)))
    same(extraction(*t), sink_based(*t)["DVA"].sum((1, 2)))


@every_table
def test_value_added_is_counted_once_in_the_world(t):
    Z, Y = t[:2]
    by_use = value_added_by_use(*t)
    assert by_use.sum() == pytest.approx(Y.sum(), rel=1e-9)
    value_added = (table(*t).x - Z.sum(0)).reshape(t[2], t[3]).sum(1)
    same(by_use.sum(1), value_added)
    same(participation(*t)["VAX"].sum((1, 2)), by_use.sum(1) - np.diag(by_use))
    by_final = absorption(*t).sum((1, 2))
    same(by_final - np.diag(np.diag(by_final)), by_use - np.diag(np.diag(by_use)))


@every_table
@pytest.mark.parametrize("sink", [False, True])
def test_world_perspective_is_what_routes_count(t, sink):
    found, walked = world_perspective(*t, sink=sink), world_by_routes(*t, sink=sink)
    for k in TERMS:
        assert walked[k] == pytest.approx(found[k], rel=0, abs=1e-5 * found["DVA"].max()), k


@every_table
def test_world_foreign_value_added_is_forward_participation(t):
    forward = participation(*t)["GVCF"].sum()
    assert world_perspective(*t)["FVA"].sum() == pytest.approx(forward, rel=1e-9)
    assert world_perspective(*t, sink=True)["FVA"].sum() == pytest.approx(forward, rel=1e-9)


@every_table
def test_miroudot_ye_is_what_steps_count(t):
    for world in (False, True):
        found, walked = miroudot_ye(*t, world=world), exporter_by_steps(*t, world=world)
        for k in ("DVA", "DDC", "FVA"):
            same(found[k], walked[k])
        same(found["FDC"], walked["FDC1"] + walked["FDC2"])
        if world:
            assert np.all(found["FVA"] == 0)
            same(found["FDC1"], walked["FDC1"])
            same(found["FDC2"], walked["FDC2"])
    source = source_based(*t)
    for k in TERMS:
        same(miroudot_ye(*t)[k], source[k].sum((1, 2)))
    # Two names for one thing: the world's view of the two papers.
    same(miroudot_ye(*t, world=True)["FDC1"], world_perspective(*t)["FVA"])


@every_table
def test_output_is_what_crossings_count(t):
    found = output_participation(*t)
    comes, goes = output_by_crossings(*t)
    x = table(*t).x
    same(sum(found.values()), x.reshape(t[2], t[3]))
    same(goes.sum((1, 2)), x)
    made = x > 0
    same(comes.sum(1)[made], np.ones(made.sum()))
    assert all(part.min() > -1e-9 * x.max() for part in found.values())
    walked = dict.fromkeys(OUTPUT_TERMS, 0.0)
    for m, origin in enumerate((0, 0, 1, 2)):  # own, domestic inputs, one border, more
        for kind in (0, 1):  # final, inputs
            for n in (0, 1, 2):
                part = comes[:, m] * goes[:, kind, n]
                if origin + n == 0:
                    name = "DomX"
                elif origin + n == 1:
                    name = "TradX"
                elif origin == 0:
                    name = "PF" if m == 0 else "TSDom"
                else:
                    name = "PB" if kind == 0 else "TSImp"
                walked[name] = walked[name] + part
    for k in OUTPUT_TERMS:
        same(found[k], walked[k].reshape(t[2], t[3]))


@every_table
def test_positions_average_alike_and_lengths_add_up(t):
    x, Y = table(*t).x, t[1]
    found = positions(*t)
    assert x @ found["U"] == pytest.approx(x @ found["D"], rel=1e-9)
    made = x > 0
    same(found["PLv"][made], found["U"][made])
    final = Y.sum(1) > 0
    same(found["PLy"][final], found["D"][final])
    home, trade, gvc, all_steps, gvc_steps = lengths_by_steps(*t)
    value = home + trade + gvc
    same(found["PLv_GVC"] * gvc.sum(1), gvc_steps.sum(1))
    same(found["PLy_GVC"] * gvc.sum(0), gvc_steps.sum(0))
    same(found["PLv"] * value.sum(1), all_steps.sum(1))
    parts = sum(found["PLv" + k] * v.sum(1) for k, v in (("_D", home), ("_RT", trade)))
    same(parts, (all_steps - gvc_steps).sum(1))


@every_table
def test_exposure_sums_to_one_and_hidden_is_not_negative(t):
    G, S = t[2], t[3]
    x = table(*t).x
    bought, sold = input_exposure(*t), market_exposure(*t)
    uses = t[0].sum(0) > 0
    for k in ("FIR_face", "FIR_through"):
        same(bought[k].sum(0)[uses], np.ones(uses.sum()))
    same(bought["FIR_value"].sum(0)[x > 0], np.ones((x > 0).sum()))
    same(bought["FPEM"].sum(0), np.ones(G * S))
    assert bought["FPEM_hidden"].min() > -1e-12
    for k in ("FMR_face", "FMR_value", "FPEX"):
        same(sold[k].sum(1)[x > 0], np.ones((x > 0).sum()))
    region = region_exposure(*t)
    same(region["FPEM"].sum(0), np.ones(G))
    same(region["FPEX"].sum(1), np.ones(G))
    same(region["VALUE"].sum(0), np.ones(G))
    assert (region["FPEM"] - region["FPEM_face"]).min() > -1e-12


@every_table
def test_vertical_specialisation_is_backward_content(t):
    found, split, source = specialisation(*t), participation(*t), source_based(*t)
    same(found["VS_HIY"], split["GVCB"].sum((1, 2)))
    same(found["VS"], (source["FVA"] + source["FDC"]).sum((1, 2)))
    same(found["VS1"].sum(), found["VS"].sum())


@every_table
def test_measures_are_linear_in_value_added(t):
    """With half the value added (as where taxes on products take the rest) half of it is found."""
    half = table(*t).v / 2
    for f in (source_based, sink_based, world_perspective, miroudot_ye):
        whole, part = f(*t), f(*t, v=half)
        for k in TERMS:
            same(part[k], whole[k] / 2)
    same(kww(*t, v=half), kww(*t) / 2)
    same(extraction(*t, v=half), extraction(*t) / 2)
    same(absorption(*t, v=half), absorption(*t) / 2)
    whole, part = output_participation(*t), output_participation(*t, v=half)
    for k in OUTPUT_TERMS:
        same(part[k], whole[k] / 2)


def test_closed_regions_have_no_chains():
    """Two regions that trade nothing: no exports, all output domestic, no foreign exposure."""
    one = np.array([[2.0, 1.0], [3.0, 4.0]])
    none = np.zeros((2, 2))
    Z0 = np.block([[one, none], [none, one]])
    Y0 = np.kron(np.eye(2), np.array([[5.0], [6.0]]))
    t = (Z0, Y0, 2, 2)
    assert all(np.all(x == 0) for x in source_based(*t).values())
    found = output_participation(*t)
    same(found["DomX"].ravel(), table(*t).x)
    assert np.all(positions(*t)["position"] == 0)
    assert np.all(specialisation(*t)["position"] == 0)
    assert np.all(np.diag(region_exposure(*t)["FPEM"]) == 1)
