"""Every cell of the reference table."""

import numpy as np
import pytest
from reference import DOWNSTREAMNESS, NINE, OUTPUT, PAIRS, TOTALS, UPSTREAMNESS, reference_world

import entrepot as ep
from entrepot.measure.accounts import accounts_of
from entrepot.measure.measurement import take

DIGITS = 5.1e-7


@pytest.fixture(scope="module")
def world():
    return reference_world()


def test_output(world):
    assert world.x.tolist() == OUTPUT


@pytest.mark.parametrize("approach", ["source", "sink"])
def test_totals_of_exporters(world, approach):
    found = ep.measure.value_chains(world, approach=approach).sum(["sector", "partner"])
    names = [name for name in TOTALS if name in found]
    assert {"exports", "DVA", "DDC", "FVA", "FDC", "REF", "VAX"} <= set(names)
    for name in names:
        np.testing.assert_allclose(found[name], TOTALS[name], rtol=0, atol=DIGITS)
    assert set(names) == set(TOTALS) or approach == "sink"


@pytest.mark.parametrize(("pair", "row"), PAIRS.items())
def test_pairs(world, pair, row):
    asked = [("exporter", "source"), ("exporter", "sink"), ("bilateral", "source")]
    for (perspective, approach), value in zip(asked, row, strict=False):
        found = ep.measure.value_chains(
            world, pair[0], perspective=perspective, approach=approach
        ).sel(partner=pair[1])
        assert found["DVA"].sum() == pytest.approx(value, abs=DIGITS)
    found = ep.measure.value_chains(world, pair[0]).sel(partner=pair[1]).sum("sector")
    for name, value in zip(("PF", "TS", "PB"), row[3:], strict=True):
        assert found[name] == pytest.approx(value, abs=DIGITS)


def test_koopman_wang_wei(world):
    found = take(world, "koopman_wang_wei")["koopman_wang_wei"]
    np.testing.assert_allclose(found, list(NINE.values()), rtol=0, atol=DIGITS)
    np.testing.assert_allclose(found.sum("term"), TOTALS["exports"], rtol=1e-12)


def test_position(world):
    found = take(world, ["upstreamness", "downstreamness"])
    np.testing.assert_allclose(found["upstreamness"], UPSTREAMNESS, rtol=0, atol=DIGITS)
    np.testing.assert_allclose(found["downstreamness"], DOWNSTREAMNESS, rtol=0, atol=DIGITS)


def test_miroudot_and_ye_equal_the_source_based_terms(world):
    found = take(world, "miroudot_ye")["miroudot_ye"]
    for term in ("DVA", "DDC", "FVA", "FDC"):
        np.testing.assert_allclose(found.sel(term=term), TOTALS[term], rtol=0, atol=DIGITS)


def test_the_worlds_perspective(world):
    """By a second derivation (slow_exports.py); its sum is the value added in others' exports."""
    source = ep.measure.value_chains(world, perspective="world").sum(["sector", "partner"])
    sink = ep.measure.value_chains(world, perspective="world", approach="sink").sum(
        ["sector", "partner"]
    )
    np.testing.assert_allclose(source["FVA"], [8.026058, 6.799098, 6.577778], rtol=0, atol=DIGITS)
    np.testing.assert_allclose(sink["FVA"], [8.244466, 6.650555, 6.507913], rtol=0, atol=DIGITS)
    forward = float(ep.measure.value_chains(world)["GVCF"].sum())
    assert float(source["FVA"].sum()) == pytest.approx(float(sink["FVA"].sum()), rel=1e-12)
    assert float(source["FVA"].sum()) == pytest.approx(forward, rel=1e-12)
    np.testing.assert_allclose(source["DVA"], TOTALS["DVA"], rtol=0, atol=DIGITS)


def test_iterating_and_factorising_agree(world):
    iterated, factorised = accounts_of(world), accounts_of(world)
    assert factorised.B.shape == (6, 6)
    for right in (iterated.y[:, 0], iterated.v):
        np.testing.assert_allclose(iterated.sales(right), factorised.sales(right), rtol=1e-12)
        np.testing.assert_allclose(iterated.costs(right), factorised.costs(right), rtol=1e-12)
    assert "B" not in iterated.__dict__
