"""Identities and the whole catalogue on the embedded worlds."""

import pytest
from identities import check_catalogue, check_identities

import entrepot as ep
from entrepot.measure.accounts import accounts_of


@pytest.fixture(params=["world-2019-g20", "world-2022"], scope="module")
def a(request):
    return accounts_of(ep.load_world(request.param))


def test_identities(a):
    check_identities(a)


def test_identities_of_a_group():
    check_identities(accounts_of(ep.load_world("world-2022"), together=["eu27", "asean"]))


def test_catalogue(a):
    check_catalogue(a)
