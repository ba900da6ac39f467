"""The World Input-Output Database of 1995 and 2011, cell by cell, through every door."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from entrepot.core.tables import Sector
from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.counterfactual import counterfactual_world
from entrepot.equilibrium.outcome import base_state, certify, new_state
from entrepot.equilibrium.shock import no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import welfare
from entrepot.sources import plain, wiod
from entrepot.sources.raw import RawTable
from entrepot.world.aggregate import aggregate
from entrepot.world.audit import audit, raw_of
from entrepot.world.build import build
from entrepot.world.series import Series
from entrepot.world.zarr import read_zarr, write_zarr

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))
from official import MARGINS, Content, wiod_2013_cells, write_xlsx

DATA = os.environ.get("ENTREPOT_VALIDATION_DATA")
pytestmark = [
    pytest.mark.validation,
    pytest.mark.skipif(DATA is None, reason="ENTREPOT_VALIDATION_DATA is not set"),
]
FINALS = ("households", "non-profit", "government", "capital formation", "inventories")
# Cells are rounded to whole million USD: a sum of k of them is good to k halves at worst, and the
# source's own totals differ from its cells by up to 113.
ROUNDING = 115.0


@pytest.fixture(scope="module")
def published():
    folder = Path(DATA) / "wiod2013"
    out = {}
    for year in (1995, 2011):
        with np.load(folder / f"wiot_{year}.npz", allow_pickle=False) as data:
            out[year] = {key: data[key] for key in data.files}
    with np.load(folder / "wiot_regional_2011.npz", allow_pickle=False) as data:
        out["regional"] = {key: data[key] for key in data.files}
    return out


def raw(data, year):
    """The published integers; value added is what output leaves, as the source's note says."""
    Z, x = data["Z"].astype(float), data["x"].astype(float)
    return RawTable(
        name=f"wiod-{year}",
        year=year,
        regions=tuple(map(str, data["countries"])),
        sectors=tuple(Sector(str(k), str(k)) for k in data["industries"]),
        Z=Z,
        F=data["F"].astype(float).reshape(len(x), 41, 5),
        V=(x - Z.sum(0))[None],
        T_inputs=np.zeros(len(x)),
        T_final=np.zeros((41, 5)),
        final_categories=FINALS,
        declared_output=x,
        taxes="in_value_added",
        atol=ROUNDING,
    )


@pytest.mark.parametrize(("year", "negative", "empty"), [(1995, 186, 18), (2011, 352, 22)])
def test_audit_says_what_the_source_says(published, year, negative, empty):
    done = audit(raw(published[year], year))
    found = {f.check: f for f in done.findings}
    assert done.passed
    drawn = [f.count for f in done.findings if f.check == "negative-final-use"]
    assert sum(drawn) == negative
    # Zero output in whole millions; a handful still has inputs, which is value added below zero.
    assert (published[year]["x"] == 0).sum() == empty
    assert found["zero-output"].count <= empty
    assert 94 <= done.totals["largest_discrepancy"] <= 113


def test_rounding_is_kept_as_slack(published):
    world = build(raw(published[2011], 2011))
    Z, F = published[2011]["Z"], published[2011]["F"]
    np.testing.assert_array_equal(world.Z, Z)
    np.testing.assert_array_equal(world.F.reshape(1435, 205), F)
    np.testing.assert_array_equal(world.x, Z.sum(1) + F.sum(1))
    np.testing.assert_array_equal(world.slack, world.x - published[2011]["x"])
    assert "steps" not in world.provenance


def test_through_every_store(published, tmp_path):
    world = build(raw(published[2011], 2011))
    write_zarr(tmp_path / "w.zarr", world)
    assert read_zarr(tmp_path / "w.zarr").content_hash == world.content_hash
    plain.write(tmp_path / "w", raw_of(world))
    assert build(plain.read(tmp_path / "w")).content_hash == world.content_hash


def test_the_published_regional_table_is_our_aggregate(published):
    """Seven regions by the source, against ours, within the rounding of the cells summed."""
    euro = [
        "AUT",
        "BEL",
        "CYP",
        "DEU",
        "ESP",
        "EST",
        "FIN",
        "FRA",
        "GRC",
        "IRL",
        "ITA",
        "LUX",
        "MLT",
    ]
    euro += ["NLD", "PRT", "SVK", "SVN"]
    others = {
        "NonEuroEU": ["BGR", "CZE", "DNK", "GBR", "HUN", "LTU", "LVA", "POL", "ROM", "SWE"],
        "NAFTA": ["CAN", "MEX", "USA"],
        "China": ["CHN"],
        "EastAsia": ["JPN", "KOR", "TWN"],
        "BRIIAT": ["AUS", "BRA", "IDN", "IND", "RUS", "TUR"],
    }
    to = dict.fromkeys(euro, "EuroZone")
    for name, codes in others.items():
        to |= dict.fromkeys(codes, name)
    world = build(raw(published[2011], 2011))
    rest = [r for r in world.regions if r not in to]
    assert len(rest) == 1
    small = aggregate(world, regions=to | {rest[0]: "RoW"})
    there = published["regional"]
    order = [small.regions.index(str(r)) for r in ("EuroZone", *others, "RoW")]
    count = np.array([17, 10, 3, 1, 3, 6, 1])
    Z = small.Z.reshape(7, 35, 7, 35)[order][:, :, order]
    room = count[:, None, None, None] * count[None, None, :, None] * 0.5 + 0.5
    assert (np.abs(Z - there["Z"].reshape(7, 35, 7, 35)) <= room).all()
    F = small.F.reshape(7, 35, 7, 5)[order][:, :, order]
    assert (np.abs(F - there["F"].reshape(7, 35, 7, 5)) <= room).all()


def test_through_the_official_workbook(published, tmp_path):
    """1995 written in the published layout (1,449 rows by 1,645 columns) and read back."""
    data = published[1995]
    regions = [str(r) for r in data["countries"]]
    Z, F = data["Z"].astype(float), data["F"].astype(float).reshape(1435, 41, 5)
    x = Z.sum(1) + F.sum((1, 2))
    none = (np.zeros(1435), np.zeros((41, 5)))
    content = Content(
        regions, [f"c{k}" for k in range(1, 36)], list(FINALS), Z, F,
        (x - Z.sum(0))[None], np.zeros(1435), np.zeros((41, 5)), dict.fromkeys(MARGINS, none), 1995,
    )  # fmt: skip
    names = [f"industry {k}" for k in range(1, 36)]
    path = write_xlsx(
        tmp_path / "wiot95_row_apr12.xlsx", {"WIOT_1995": wiod_2013_cells(content, names)}
    )
    got = wiod.read_2013(path)
    assert got.sector_codes == tuple(content.sectors)
    # The source spells the rest of the world RoW, and Romania, in this year, ROM.
    assert [{"ROM": "ROU"}.get(r, r.upper()) for r in regions] == list(got.regions)
    np.testing.assert_array_equal(got.Z, Z)
    np.testing.assert_array_equal(got.F, F)
    np.testing.assert_array_equal(got.V[0], x - Z.sum(0))
    # Rounded to whole millions, the stocks drawn in one cell exceed what it sells; nothing else fails.
    (failed,) = [f for f in audit(got).findings if f.level == "fail"]
    assert (failed.check, [s.where for s in failed.worst]) == ("negative-output", ["LUX c5"])


def test_two_years_are_a_series(published):
    series = Series({y: lambda y=y: build(raw(published[y], y)) for y in (1995, 2011)})
    grown = series[2011].x.sum() / series[1995].x.sum()
    assert grown == pytest.approx(published[2011]["x"].sum() / published[1995]["x"].sum(), rel=1e-3)


def test_by_user_the_2011_table_is_reproduced_cell_by_cell(published):
    """352 cells out of stock, industries without output, rounding as slack: all but two cells."""
    world = build(raw(published[2011], 2011))
    assert (world.F < 0).sum() == 352
    e = calibrate(world, np.full(35, 5.0), sourcing="by_user")
    assert "'LUX c5', 'LUX c8' are left out" in " ".join(e.notes)
    assert "4.0 million USD by which value added falls short" in " ".join(e.notes)
    shock = no_shock(e)
    state = new_state(e, shock, solve(e, shock, tol=1e-12))
    assert certify(e, shock, state, tolerance=1e-9).passed
    after = counterfactual_world(world, e, state, {})
    np.testing.assert_allclose(after.Z, world.Z, rtol=1e-9, atol=1e-7)
    off = np.abs(after.F - world.F) > 1e-7 + 1e-9 * np.abs(world.F)
    # The two cells drawn from industries that sell nothing: stock that was never there.
    assert off.sum() == 2
    assert {world.node_names[i] for i in np.argwhere(off)[:, 0]} == {"LUX c5", "LUX c8"}
    assert (world.F[off] == -1).all()
    np.testing.assert_allclose(after.x[world.x > 0], world.x[world.x > 0], rtol=1e-9)


def test_by_user_a_shock_to_2011_is_answered(published):
    world = build(raw(published[2011], 2011))
    e = calibrate(world, np.full(35, 5.0), sourcing="by_user")
    usa, chn = world.regions.index("USA"), world.regions.index("CHN")
    t = np.zeros((35, 41, 41))
    t[:16, chn, usa] = t[:16, usa, chn] = 0.25
    shock = replace(no_shock(e), t=t)
    state = new_state(e, shock, solve(e, shock, tol=1e-10))
    assert certify(e, shock, state, tolerance=1e-8).passed
    lost = welfare(e, base_state(e), state).real_income
    assert lost[usa] < 1
    assert lost[chn] < 1
