"""`entrepot elasticities`, and a table of one's own in `entrepot run`."""

import json

import pytest

import entrepot as ep
from entrepot.catalogues.elasticities import absent_sets, elasticity_sets
from entrepot.cli import main as cli


@pytest.fixture
def say(monkeypatch, capsys):
    def run(*words, code=0):
        monkeypatch.setattr("sys.argv", ["entrepot", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == code
        out, err = capsys.readouterr()
        return out if code == 0 else err

    return run


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "mine.csv"
    codes = ep.load_world("world-2019-g20").sector_codes
    rows = "".join(f"{c},{7 if c == 'C' else 4}\n" for c in codes)
    path.write_text("# source: a guess\nsector,theta\n" + rows)
    return path


def test_every_set_and_what_is_not_entered(say):
    text = say("elasticities")
    for name in (*elasticity_sets(), *absent_sets()):
        assert name in text
    assert "18 of 20" in text  # of Caliendo and Parro's 20 estimates, two are not used
    assert "Table 8, TiVA sectors, p. 18" in text
    facts = json.loads(say("elasticities", "--json"))
    assert [s["name"] for s in facts["sets"]] == list(elasticity_sets())
    assert [s["name"] for s in facts["sets"] if s["with_every_result"]] == [
        "uniform-5",
        "caliendo-parro-2015",
    ]
    assert all(a["reason"] for a in facts["absent"])


def test_one_set_on_a_world(say):
    text = say("elasticities", "caliendo-parro-2015")
    assert "15.61" in text
    assert "Office, Communication, Medical" in text
    facts = json.loads(say("elasticities", "caliendo-parro-2015", "--json"))
    by_code = {s["code"]: s for s in facts["sectors"]}
    assert by_code["C19"] == {
        "code": "C19",
        "name": "Coke and refined petroleum",
        "theta": 64.85,
        "se": 15.61,
        "from": ["Petroleum"],
    }
    assert by_code["C29"]["se"] is None
    assert facts["published"]["Auto"]["theta"] == 1.84
    words = ("elasticities", "uniform-5", "--world", "world-2019-g20", "--json")
    assert [s["theta"] for s in json.loads(say(*words))["sectors"]] == [5.0] * 20


def test_a_table_of_ones_own(say, table):
    words = ("elasticities", table, "--world", "world-2019-g20")
    assert "Source: mine.csv: a guess." in say(*words)
    sectors = json.loads(say(*words, "--json"))["sectors"]
    assert {s["code"]: s["theta"] for s in sectors}["C"] == 7


def test_run_with_a_table(say, table):
    words = ("run", "tariff-war", "--world", "world-2019-g20", "--elasticities", table, "--json")
    result = json.loads(say(*words))
    assert result["assumptions"]["elasticities"] == "given by sector (mine.csv: a guess)"
    assert result["provenance"]["theta"]["C"] == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("uniform-6", "did you mean 'uniform-5'"),
        ("shapiro-2016", "shapiro-2016 is not entered. Its table was not at hand"),
        ("none.csv", "none.csv: cannot be read"),
    ],
)
def test_faults(say, name, message):
    assert message in say("elasticities", name, code=2)
    assert message in say(
        "run", "tariff-war", "--world", "world-2019-g20", "--elasticities", name, code=2
    )
