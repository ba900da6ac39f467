"""One scenario through every variant: the command and what it tabulates."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import entrepot as ep
from entrepot.cli.main import app
from entrepot.core.errors import ScenarioError
from entrepot.results.robustness import robustness
from entrepot.scenario.variants import VARIANTS
from worlds import random_world

CHANGE = {
    "instrument": "trade_cost",
    "importers": "R00",
    "exporters": "R01",
    "by": "-5%",
    "why": "w",
}
SCENARIO = {"name": "n", "why": "w", "changes": [CHANGE]}


@pytest.fixture(scope="module")
def found():
    world = random_world(5, 3, 3, inputs=0.3, home=12.0, categories=2)
    return world, robustness(world, ep.read_scenario(SCENARIO), elasticities=("uniform-5",))


def test_every_variant_and_sourcing_has_a_row(found):
    _, answer = found
    names = [row.variant for row in answer.rows if row.sourcing == "by_sector"]
    assert sorted(names) == sorted(VARIANTS)
    assert [r.sourcing for r in answer.rows[-2:]] == ["by_use", "by_user"]
    assert answer.rows[0].variant == "competitive"


def test_rows_are_what_run_says(found):
    world, answer = found
    for row in answer.rows:
        scenario = ep.read_scenario(
            SCENARIO | {"assumptions": {"variant": row.variant, "sourcing": row.sourcing}}
        )
        alone = ep.run(world, scenario, headlines=False)
        np.testing.assert_allclose(
            row.welfare_pct, 100 * (alone.welfare.real_income - 1), atol=1e-7
        )


def test_the_table_is_plain_and_whole(found):
    _, answer = found
    data = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert set(data["variants"]) == set(VARIANTS)
    first = data["rows"][0]
    assert first["same_sign"] == 3
    assert first["members_pct"] > 0
    assert set(first["regions_pct"]) == {"R00", "R01", "R02"}


def test_refused_rows_say_why():
    change = {
        "instrument": "embargo",
        "importers": "R00",
        "exporters": "R01",
        "sectors": "S1",
        "why": "w",
    }
    scenario = ep.read_scenario(SCENARIO | {"changes": [change]})
    answer = robustness(
        random_world(5, 3, 3, home=12.0), scenario,
        variants=("one-sector", "half-scale"), elasticities=(), sourcings=(),
    )  # fmt: skip
    rows = {row["variant"]: row for row in answer.table()}
    assert rows["one-sector"]["status"] == "refused"
    assert "embargo of some sectors" in rows["one-sector"]["reason"]
    assert rows["half-scale"]["status"] == "solved"


def test_unknown_variants_are_refused():
    with pytest.raises(ScenarioError, match="did you mean 'krugman'"):
        robustness(random_world(5), ep.read_scenario(SCENARIO), variants=("krugmann",))


def test_the_command_prints_and_writes(tmp_path):
    out = tmp_path / "rows.json"
    words = ["robustness", "opening-by-agreement", "--world", "world-2019-g20", "--variant", "ces"]
    done = CliRunner().invoke(
        app, [*words, "--variant", "half-scale", "--starts", "0", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    for part in ("competitive", "ces", "half-scale", "by_user", "same sign"):
        assert part in done.output
    stored = json.loads(out.read_text(encoding="utf-8"))
    done = CliRunner().invoke(app, [*words, "--variant", "half-scale", "--starts", "0", "--json"])
    assert json.loads(done.output)["rows"] == stored["rows"]


def test_run_takes_variant_and_sourcing():
    words = ["run", "opening-by-agreement", "--world", "world-2019-g20", "--json"]
    done = CliRunner().invoke(app, [*words, "--variant", "leontief", "--sourcing", "by_use"])
    assert done.exit_code == 0, done.output
    given = json.loads(done.output)["assumptions"]
    assert (given["variant"], given["sourcing"]) == ("leontief", "by_use")
