"""Amounts and elasticities at the edge of floats: a certified answer or a deliberate error.

Warnings are errors in this suite, so nothing may overflow in passing either.
"""

import json

import numpy as np
import pytest

import entrepot as ep
from entrepot.core.errors import EntrepotError, InfeasibleError, NotConvergedError

EVERY = {"importers": "all", "exporters": "all", "why": "w"}
MADE = {"exporters": "CHN", "why": "w"}
AMOUNTS = ("1e302%", "1e32%", "1e8%", "-99.999999%", "-99.9999999999999%", "1e-300")


@pytest.fixture(scope="module")
def g20():
    return ep.load_world("world-2019-g20")


def ask(world, *changes, **assumptions):
    question = {"name": "n", "why": "w", "changes": list(changes), "assumptions": assumptions}
    try:
        answer = ep.run(world, ep.read_scenario(question), headlines=False)
    except EntrepotError as error:
        assert isinstance(error, InfeasibleError | NotConvergedError)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return None
    assert answer.certificate.passed
    json.dumps(answer.to_dict(), allow_nan=False)
    assert np.abs(answer.world.slack).max() <= answer.world.atol + 1e-6 * answer.world.x.max()
    return answer


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("instrument", ["trade_cost", "productivity", "labour"])
def test_factors(g20, instrument, amount):
    who = EVERY if instrument == "trade_cost" else MADE
    answer = ask(g20, who | {"instrument": instrument, "by": amount})
    if amount == "1e-300":
        assert np.abs(answer.welfare.real_income - 1).max() < 1e-9


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("instrument", ["tariff", "export_tax"])
def test_rates(g20, instrument, amount):
    ask(g20, EVERY | {"instrument": instrument, "to": amount})


@pytest.mark.parametrize("theta", [1e-300, 1e-9, 0.01, 1e3, 1e9, 1e300])
def test_elasticities(g20, theta):
    ask(g20, EVERY | {"instrument": "trade_cost", "by": "-5%"}, elasticities=theta)


def test_a_subsidy_of_nearly_everything(g20):
    ask(g20, EVERY | {"instrument": "export_subsidy", "to": "99.99999%"})


@pytest.mark.parametrize("closure", ["world_share", "proportional", "balanced_first", "zero"])
def test_no_change_under_any_closure(g20, closure):
    answer = ask(g20, closure=closure)
    moved = np.abs(answer.welfare.real_income - 1).max()
    if closure == "zero":
        np.testing.assert_allclose(answer.deficit_part, answer.welfare.real_income - 1, atol=1e-9)
    else:
        assert moved < 1e-8
