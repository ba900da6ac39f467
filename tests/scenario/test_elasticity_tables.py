"""Elasticities from a CSV table of one's own."""

import math

import pytest

import entrepot as ep
from entrepot.catalogues.elasticities import trade_weights
from entrepot.core.errors import DataError, ScenarioError
from entrepot.scenario import elasticities as module
from entrepot.scenario.elasticities import read_elasticities
from entrepot.scenario.lower import theta_for
from entrepot.scenario.read import with_assumptions

BY_SECTION = "isic,theta\n" + "".join(
    f"{s},{k + 2}\n" for k, s in enumerate("ABCDEFGHIJKLMNOPQRST")
)
CHANGE = {
    "name": "a",
    "why": "b",
    "changes": [
        {"importers": "USA", "exporters": "CHN", "instrument": "tariff", "to": "25%", "why": "c"}
    ],
}


@pytest.fixture(scope="module")
def g20():
    return ep.load_world("world-2019-g20")


@pytest.fixture(scope="module")
def big():
    return ep.load_world("world-2022")


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to_file


def by_code(world, **other):
    return "".join(f"{c},{other.get(c, 4.5)}\n" for c in world.sector_codes)


def test_by_sector(write, g20):
    table = read_elasticities(write("sector,theta\n" + by_code(g20, C=7)), g20)
    assert list(table.theta) == list(g20.sector_codes)
    assert table.theta["C"] == 7
    assert table.theta["A"] == 4.5
    assert table.se == {}
    assert table.source == "mine.csv"


def test_standard_errors_where_given(write, g20):
    text = "sector,theta,se\n" + "".join(
        f"{c},5,{0.5 if c == 'C' else ''}\n" for c in g20.sector_codes
    )
    assert read_elasticities(write(text), g20).se == {"C": 0.5}


def test_by_isic_section(write, g20):
    theta = read_elasticities(write(BY_SECTION), g20).theta
    assert theta["A"] == pytest.approx(2)
    assert theta["C"] == pytest.approx(4)
    assert theta["T"] == pytest.approx(21)


def test_by_isic_a_coarse_sector_is_weighted_by_trade(write, big):
    head, rest = "isic,theta,se\n", "A,5,\nB,5,\nC10-C15,5,\n19-33,5,\nD-T,5,\n"
    rest = rest.replace("D-T,5,\n", "".join(f"{s},5,\n" for s in "DEFGHIJKLMNOPQRST"))
    table = read_elasticities(write(head + "16,2,0.3\n17-18,8,0.4\n" + rest), big)
    wood, paper = trade_weights()["C16"], trade_weights()["C17_18"]
    share = wood / (wood + paper)
    assert table.theta["C16T18"] == pytest.approx(2 * share + 8 * (1 - share))
    assert table.se == {"C16T18": pytest.approx(math.hypot(0.3 * share, 0.4 * (1 - share)))}
    assert table.theta["C19"] == pytest.approx(5)


def test_by_isic_a_sector_that_is_part_of_an_activity(write, g20):
    from dataclasses import replace

    first = replace(g20.sectors[0], isic=(1,))
    food = replace(g20.sectors[1], isic=(10,))
    rest = tuple(replace(s, isic=(35,)) for s in g20.sectors[2:])
    world = replace(g20, sectors=(first, food, *rest))
    theta = read_elasticities(write("isic,theta\n1,2\n10,3\n35,4\n"), world).theta
    assert list(theta.values()) == pytest.approx([2, 3] + [4] * 18)


def test_the_source_is_the_file_and_what_it_says(write, g20):
    head = "# source: my estimates\nsector,theta\n"
    assert read_elasticities(write(head + by_code(g20)), g20).source == "mine.csv: my estimates"
    rows = "".join(f"{c},5,{'paper A' if c < 'D' else 'paper B'}\n" for c in g20.sector_codes)
    table = read_elasticities(write("sector,theta,source\n" + rows), g20)
    assert table.source == "mine.csv: paper A; paper B"


def test_the_result_names_the_file(write, g20):
    table = read_elasticities(write("sector,theta\n" + by_code(g20, C=7)), g20)
    question = with_assumptions(ep.read_scenario(CHANGE), None, table)
    result = ep.run(g20, question, headlines=False)
    assert result.lowered.theta_name == "given by sector (mine.csv)"
    assert result.economy.theta[g20.sector_codes.index("C")] == 7
    # A named set afterwards takes the file's name away again.
    again = with_assumptions(question, None, "uniform-5")
    assert again.assumptions.elasticities_source is None


def test_a_source_belongs_to_a_mapping(g20):
    asked = CHANGE | {"assumptions": {"elasticities": {"default": 5}, "elasticities_source": "me"}}
    given = ep.read_scenario(asked).assumptions
    assert (
        theta_for(given.elasticities, g20, given.elasticities_source)[1] == "given by sector (me)"
    )
    for wrong in ({"elasticities_source": "me"}, {"elasticities": 5, "elasticities_source": "me"}):
        with pytest.raises(ScenarioError, match="named sets have their own"):
            ep.read_scenario(CHANGE | {"assumptions": wrong})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sector,theta\nC,5\n", "nothing for 'A', 'B', 'D'.* of world-2019-g20"),
        ("sector,theta\nC,5\nC,6\n", "line 3: sector 'C' is given twice"),
        ("sector,theta\nc,5\n", "line 2: sector 'c' is not in .*did you mean 'C'"),
        ("sector,theta\nC\n", "line 2: theta '' is not a positive"),
        ("sector,theta\nC,0\n", "theta '0' is not a positive finite"),
        ("sector,theta\nC,-5\n", "not a positive finite"),
        ("sector,theta\nC,nan\n", "not a positive finite"),
        ("sector,theta\nC,inf\n", "not a positive finite"),
        ("sector,theta\nC,five\n", "theta 'five'"),
        ("sector,theta,se\nC,5,-1\n", "se '-1' is not a positive finite"),
        ("isic,theta\nC,5\n10,6\n", "line 3: ISIC division 10 is in 'C' too"),
        ("isic,theta\nC,5\n", "nothing for ISIC divisions '01', '02', '03'"),
        ("isic,theta\n4,5\n", "isic '4' is no division, range or section"),
        ("isic,theta\n12-10,5\n", "isic '12-10' is no division"),
        ("isic,theta\nX,5\n", "isic 'X' is no division"),
        ("sector,isic,theta\nC,C,5\n", "the columns are sector, isic, theta; give"),
        ("sector,value\nC,5\n", "the columns are sector, value; give"),
        ("", "the columns are ; give"),
        (b"\xff\xfe\x00", "not a CSV table in UTF-8"),
    ],
)
def test_faults(write, g20, text, message):
    with pytest.raises(DataError, match=message):
        read_elasticities(write(text), g20)


def test_files_that_are_none(tmp_path, g20):
    with pytest.raises(DataError, match="cannot be read"):
        read_elasticities(tmp_path / "none.csv", g20)
    with pytest.raises(DataError, match="not an ordinary file"):
        read_elasticities("/dev/zero", g20)


def test_size_is_bounded(write, g20, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 20)
    with pytest.raises(DataError, match="larger than a table"):
        read_elasticities(write("sector,theta\n" + by_code(g20)), g20)
    monkeypatch.undo()
    monkeypatch.setattr(module, "MAX_ROWS", 5)
    with pytest.raises(DataError, match="more than 5 rows"):
        read_elasticities(write("sector,theta\n" + by_code(g20)), g20)


def test_a_world_without_isic_takes_sectors_only(write, g20):
    from dataclasses import replace

    bare = replace(g20, sectors=tuple(replace(s, isic=()) for s in g20.sectors))
    with pytest.raises(DataError, match=r"carries no ISIC divisions.*may also be by `sector`"):
        read_elasticities(write(BY_SECTION), bare)
    assert read_elasticities(write("sector,theta\n" + by_code(bare)), bare).theta["C"] == 4.5
