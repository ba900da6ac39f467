"""Validations that need no data, and the tools of those that do."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from entrepot.core.errors import DataError
from entrepot.equilibrium.outcome import rebase
from entrepot.equilibrium.shock import no_shock
from entrepot.report.validation import print_validation
from entrepot.results.run import solve_closure
from entrepot.validation import VALIDATIONS, Report, run_validations
from entrepot.validation.cells import Cell
from entrepot.validation.closed_forms import best_tariff
from entrepot.validation.files import frame, sheet
from entrepot.validation.lashkaripour_2021 import nash_formula, tariff_war
from entrepot.validation.ppml import ppml
from worlds import frictionless


@pytest.mark.parametrize("name", ["arkolakis-costinot-rodriguez-clare-2012", "gros-1987"])
def test_closed_forms_hold(name):
    (report,) = run_validations(name, None)
    assert report.passed


def test_closed_forms_are_of_something():
    """No cell compares nothing with nothing."""
    (report,) = run_validations("arkolakis-costinot-rodriguez-clare-2012", None)
    assert len(report.cells) == 19
    assert min(abs(c.published) for c in report.cells) > 0.1


def test_the_nash_formula_leaves_out_the_partners_revenue():
    """Two economies, one sector: best is (1 - r) / (theta pi_FF), r the partner's revenue share.

    Of the partner's income: its duties, given back, are spent on imports too. Lashkaripour's
    equation 14 is the case r = 0, as if the partner charged nothing.
    """
    world, theta = frictionless([0.3, 0.7], 4.0), 4.0
    rates, state = tariff_war(world)
    np.testing.assert_allclose(rates, 1 / (theta * state.pi[0, [1, 0], [1, 0]]), rtol=1e-8)
    given = world.t.copy()
    given[0, 0, 1] = rates[1]
    base = solve_closure(world, replace(no_shock(world), t=given), "world_share", 1e-13)
    against = rebase(world, base.state)
    reply, partner = best_tariff(against)
    answer = replace(no_shock(against), t=given + np.array([[[0, 0], [reply, 0]]]))
    under = solve_closure(against, answer, "world_share", 1e-13).state
    revenue = under.tariff_revenue[1] / under.I[1]
    assert revenue > 0.03
    assert reply == pytest.approx((1 - revenue) / (theta * partner), abs=1e-5)
    assert nash_formula(against, under)[0] == pytest.approx(1 / (theta * partner), rel=1e-8)


def gravity(seed, n=7, noise=0.0):
    rng = np.random.default_rng(seed)
    o, d = np.indices((n, n)).reshape(2, -1)
    z = rng.normal(size=(n * n, 2))
    mean = np.exp(rng.normal(size=n)[o] + np.append(rng.normal(size=n - 1), 0)[d] + z @ [0.8, -1.5])
    y = mean * (np.exp(noise * rng.normal(size=n * n)) if noise else 1)
    return y, [o, np.where(d == n - 1, -1, d)], z, mean


def test_ppml_finds_what_made_exact_data():
    y, labels, z, mean = gravity(1)
    fit = ppml(y, labels, z)
    np.testing.assert_allclose(fit.slopes, [0.8, -1.5], rtol=1e-8)
    np.testing.assert_allclose(fit.mean, mean, rtol=1e-7)


def test_ppml_solves_its_score():
    """Residuals add up to nothing under every label, and are orthogonal to the columns."""
    y, labels, z, _ = gravity(2, noise=1.0)
    y[::9] = 0
    fit = ppml(y, labels, z)
    left = y - fit.mean
    for each in labels:
        sums = np.bincount(each[each >= 0], left[each >= 0])
        assert np.abs(sums).max() < 1e-7 * y.sum()
    assert np.abs(left @ z).max() < 1e-7 * y.sum()


def test_ppml_refuses_what_cannot_be_told_apart():
    y, (o, d), z, _ = gravity(3)
    with pytest.raises(DataError, match=r"collinear|converge"):
        ppml(y, [o, d], np.column_stack([z, z[:, 0]]))


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv"):
        frame(tmp_path / "none.csv")
    (tmp_path / "bad.xls").write_bytes(b"not a workbook")
    with pytest.raises(DataError, match=r"bad\.xls"):
        sheet(tmp_path / "bad.xls")
    for name, row in VALIDATIONS.items():
        if row.folder:
            with pytest.raises(DataError):
                run_validations(name, tmp_path)


def test_long_tables_show_a_hundred_cells_and_all_that_miss():
    cells = [Cell("t", str(k), "c", 1.0, 1.0, 0.1) for k in range(250)]
    cells[200] = replace(cells[200], computed=2.0)
    console = Console(width=120, force_terminal=False)
    with console.capture() as text:
        print_validation(console, Report(VALIDATIONS["gros-1987"], tuple(cells)))
    out = text.get()
    assert out.count("MISSED") == 1
    assert "149 more cells hold" in out
    assert "249 of 250 cells hold" in out
