"""Published results, recomputed from data outside the project."""

import os
from pathlib import Path

import numpy as np
import pytest

import entrepot as ep
from entrepot.scenario.read import library
from entrepot.validation import VALIDATIONS, run_validations
from entrepot.world.world import attach, trade_flows

DATA = os.environ.get("ENTREPOT_VALIDATION_DATA")
pytestmark = [
    pytest.mark.validation,
    pytest.mark.skipif(DATA is None, reason="ENTREPOT_VALIDATION_DATA is not set"),
]


@pytest.mark.parametrize("name", [n for n, row in VALIDATIONS.items() if row.folder])
def test_every_published_cell_holds(name):
    (report,) = run_validations(name, Path(DATA))
    missed = [cell.to_dict() for cell in report.cells if not cell.passed]
    assert not missed
    tables = [c.table for c in report.cells]
    if name == "caliendo-parro-2015":
        assert (tables.count("Table 2"), tables.count("Table 5"), tables.count("Table 7")) == (
            12,
            6,
            93,
        )


@pytest.fixture(scope="module")
def totals():
    """Trade totals and applied tariffs of 2022: countries, flows and rates [sector, from, to]."""
    import h5py

    with h5py.File(Path(DATA) / "applied_tariffs_2022" / "ICIO2022.mat") as file:
        data = file["data"]

        def words(key):
            return ["".join(map(chr, file[ref][()].ravel())) for ref in data[key][()].ravel()]

        flows = data["Xjik_3D"][()].transpose(0, 2, 1)  # stored [sector, importer, exporter]
        rates = data["tjik_3D"][()].transpose(0, 2, 1)
        return words("countries"), words("sectors"), flows, rates


def weighted_error(estimate, truth):
    return 100 * np.abs(estimate - truth).sum() / truth.sum()


def test_final_demand_error_is_what_the_world_says(totals):
    countries, _, flows, _ = totals
    world = ep.load_world("world-2022")
    assert tuple(countries[:80]) == world.regions
    truth = flows[:, :80, :80].sum(0)
    ours = trade_flows(world)[0].sum(0)
    np.fill_diagonal(truth, 0)
    np.fill_diagonal(ours, 0)
    measured = world.provenance["measured_error"]
    assert weighted_error(ours.sum(1), truth.sum(1)) == pytest.approx(
        measured["exports_pct"], abs=0.05
    )
    assert weighted_error(ours.sum(0), truth.sum(0)) == pytest.approx(
        measured["imports_pct"], abs=0.05
    )
    assert weighted_error(ours, truth) == pytest.approx(measured["bilateral_pct"], abs=0.05)
    away = ~np.eye(80, dtype=bool)
    correlation = np.corrcoef(ours[away], truth[away])[0, 1]
    assert correlation == pytest.approx(measured["bilateral_correlation"], abs=5e-4)


@pytest.fixture(scope="module")
def world_with_tariffs(totals):
    """world-2022 with the applied tariffs of 2022, sectors averaged with the same source's flows."""
    _, codes, flows, rates = totals
    world = ep.load_world("world-2022")
    parts = {
        "A02_03": ["A02", "A03"],
        "B05_06_09": ["B05", "B06", "B09"],
        "B07_08": ["B07", "B08"],
        "C16T18": ["C16", "C17_18"],
        "C24": ["C24A", "C24B"],
        "C30": ["C301", "C302T309"],
    }
    attached = np.zeros((29, 80, 80))
    for k, code in enumerate(world.sector_codes[:20]):
        index = [codes.index(c) for c in parts.get(code, [code])]
        x, t = flows[index, :80, :80], rates[index, :80, :80]
        total = x.sum(0)
        mean = np.divide((x * t).sum(0), total, out=t.mean(0), where=total > 0)
        attached[k] = mean
    np.einsum("sdd->sd", attached)[...] = 0
    return attach(
        world,
        "tariffs",
        attached,
        ("sector", "origin", "destination"),
        "fraction",
        "applied bilateral tariffs 2022",
    )


REMOVES_TARIFFS = ("customs-union", "duty-free-least-developed", "global-free-trade")


@pytest.mark.parametrize("name", sorted(library()))
def test_library_runs_on_real_tariffs(name, world_with_tariffs):
    result = ep.run(world_with_tariffs, ep.read_scenario(name), headlines=False)
    assert result.certificate.passed
    assert result.lowered.tariff_source == "applied bilateral tariffs 2022"
    assert not result.lowered.tariffs_assumed
    if name in REMOVES_TARIFFS:
        assert any("baseline is not used" in note for note in result.lowered.notes)
    if name == "global-free-trade":
        assert not result.state.t.any()
        assert result.state.tariff_revenue.sum() == 0
        assert result.base.tariff_revenue.sum() > 0
        world_gain = ((result.welfare.real_income - 1) * result.base.I).sum()
        assert world_gain > 0


def test_world_average_tariff_is_near_the_assumed_one(world_with_tariffs):
    """The library assumes 2.5 % (WTO, 2021, preferences counted as used); these average 3.1 %."""
    sales, _ = trade_flows(world_with_tariffs)
    np.einsum("rdd->rd", sales)[...] = 0
    rates = world_with_tariffs.satellites["tariffs"].values
    goods = slice(0, 20)
    mean = (rates[goods] * sales[goods]).sum() / sales[goods].sum()
    assert mean == pytest.approx(0.0314, abs=0.001)
