"""Measures of the World Input-Output Database of 1995 and 2011: identities to 1e-9 of exports."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from entrepot.measure.accounts import accounts_of
from entrepot.measure.measurement import take
from entrepot.measure.structural import structural_decomposition
from entrepot.world.build import build

sys.path.insert(0, str(Path(__file__).parents[1] / "measure"))
from identities import check_catalogue, check_identities
from test_wiod import published as published
from test_wiod import raw

pytestmark = [
    pytest.mark.validation,
    pytest.mark.skipif(
        os.environ.get("ENTREPOT_VALIDATION_DATA") is None,
        reason="ENTREPOT_VALIDATION_DATA is not set",
    ),
]


@pytest.fixture(params=[1995, 2011], scope="module")
def a(request, published):
    return accounts_of(build(raw(published[request.param], request.param)))


def test_identities(a):
    check_identities(a)


def test_catalogue(a):
    check_catalogue(a)


def test_producers_without_output_are_named(published):
    """Luxembourg's c5 and c8 sell nothing in 2011 but stock: the accounts carry them and say so."""
    a = accounts_of(build(raw(published[2011], 2011)))
    assert {"LUX c5", "LUX c8"} <= {a.name(i) for i in a.idle}
    assert "LUX c5" in take(a, "gvc_participation").notes[0]


def test_what_moved_value_added_sums_to_the_change(published):
    before, after = (accounts_of(build(raw(published[y], y))) for y in (1995, 2011))
    found = structural_decomposition(before, after)
    change = [x.by_economy(np.where(x.x > 0, x.value_added, 0.0)) for x in (before, after)]
    np.testing.assert_allclose(found.sum("factor"), change[1] - change[0], rtol=1e-9, atol=1e-3)
