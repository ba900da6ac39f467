"""The profile of an economy: figures are the measures', words are safe, absence is said."""

import json
from dataclasses import replace

import numpy as np
import pytest

import entrepot as ep
from entrepot.cli import main as cli
from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import accounts_of
from entrepot.measure.measurement import take
from entrepot.report.profile_page import profile_page
from worlds import full_world


@pytest.fixture(scope="module")
def world():
    return ep.load_world("world-2019-g20")


@pytest.fixture(scope="module")
def portrait(world):
    return ep.profile(world, "DEU")


def test_figures_are_the_measures(world, portrait):
    a = accounts_of(world)
    for name, term in (
        ("gvc_participation", ""),
        ("tripartite_participation", "PB"),
        ("economy_upstreamness", ""),
        ("foreign_input_reliance", "looked_through"),
        ("income_shares", "home"),
    ):
        values = take(a, name)[name].sel(region="DEU")
        expected = values.sel(term=term) if term else values
        figure = portrait.figure(name, term)
        assert figure.value == pytest.approx(float(expected), rel=1e-12)
    exports = take(a, "gross_exports")["gross_exports"]
    rank = int((exports > exports.sel(region="DEU")).sum()) + 1
    assert portrait.figure("gross_exports", "").rank == rank
    by_partner = take(a, "gross_exports_by_partner")["gross_exports_by_partner"].sel(region="DEU")
    for partner in portrait.partners:
        expected = float(by_partner.sel(partner=partner.code))
        assert partner.exports == pytest.approx(expected, rel=1e-12)


def test_the_page_shows_them_and_repeats_itself(portrait):
    page = profile_page(portrait)
    assert page == profile_page(portrait)
    assert f"{portrait.figure('gvc_participation', '').value:.1%}".rstrip("%") in page
    assert "default-src &#39;none&#39;" in page
    assert "re_exports" in page  # absent, with its reason


def test_json_is_strict(portrait):
    text = json.dumps(portrait.to_dict(), allow_nan=False)
    assert json.loads(text)["economy"] == "DEU"


def test_what_is_estimated_is_said():
    portrait = ep.profile(ep.load_world("world-2022"), "MLT")
    assert "Partly estimated" in profile_page(portrait)
    assert "Measured error" in profile_page(portrait)


def test_hostile_names_are_text():
    bad = "<script>alert(1)</script>"
    world = replace(full_world(1, 3, 3), region_names={"R00": bad, "R01": "</script>"})
    page = profile_page(ep.profile(world, "R00"))
    assert bad not in page
    assert page.count("</script>") == page.count("<script")


def test_provinces_alone_and_together():
    world = replace(full_world(2, 3, 3), parent={"R00": "P", "R01": "P"})
    province = ep.profile(world, "R00")
    country = ep.profile(world, "P", level="economy")
    exports = accounts_of(world, "economy").exports
    assert country.figure("gross_exports", "").value == pytest.approx(exports[:6].sum())
    assert province.figure("gross_exports", "").value == pytest.approx(
        accounts_of(world).exports[:3].sum()
    )
    group = ep.profile(world, "G", together={"G": ["R00", "R02"]})
    assert profile_page(group) != profile_page(country)


def test_an_economy_that_trades_with_nobody():
    world = full_world(3, 3, 3)
    Z, F = world.Z.copy(), world.F.copy()
    Z[:3, 3:] = Z[3:, :3] = 0
    F[:3, 1:] = 0
    F[3:, 0] = 0
    V = Z.sum(1) + F.sum((1, 2)) - Z.sum(0) - world.T_inputs
    closed = replace(world, Z=Z, F=F, V=V[None], satellites={})
    portrait = ep.profile(closed, "R00")
    assert portrait.figure("gvc_participation", "").value is None
    page = profile_page(portrait)
    assert "NaN" not in json.dumps(portrait.to_dict())
    assert "exports nothing" in page


def test_unknown_economies(world):
    with pytest.raises(MeasureError, match="did you mean 'DEU'"):
        ep.profile(world, "DEV")


@pytest.mark.parametrize(
    ("args", "code"),
    [(("DEU",), 0), (("DEU", "--json"), 0), (("XXX",), 2), (("DEU", "--out", "page.pdf"), 2)],
)
def test_command(args, code, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["entrepot", "profile", *args, "--world", "world-2019-g20"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capsys.readouterr()
    assert stop.value.code == code, err
    assert list(tmp_path.iterdir()) == []
    if "--json" in args:
        assert json.loads(out)["economy"] == "DEU"


def test_the_page_is_written_whole(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(
        "sys.argv",
        ["entrepot", "profile", "USA", "--world", "world-2019-g20", "--out", f"{tmp_path}/u.html"],
    )
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["u.html"]
    assert np.all([c in (tmp_path / "u.html").read_text() for c in ("United States", "vega")])
