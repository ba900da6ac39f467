"""Sweeps: what the designs mean, the same numbers whoever solves them, refusals as rows, resuming."""

import copy
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.core.errors import OutputError, ScenarioError, WorkersError
from entrepot.results import executors, sweep_tables
from entrepot.results import sweep as sweeps
from entrepot.results.blocks import BLOCK, block_solver
from entrepot.scenario.amounts import Amount
from entrepot.scenario.sweep import MAX_POINTS, scenario_with, values_at

SCENARIO = {
    "name": "two tariffs",
    "why": "for a test",
    "changes": [
        {
            "instrument": "tariff",
            "importers": a,
            "exporters": b,
            "sectors": "goods",
            "to": "10%",
            "why": "x",
        }
        for a, b in (("USA", "CHN"), ("CHN", "USA"))
    ],
}
DRAWS = {
    "name": "draws",
    "why": "for a test",
    "scenario": SCENARIO,
    "design": "draws",
    "draws": 3 * BLOCK + 2,
    "seed": 7,
    "parameters": {
        "usa": {"at": "changes[0].to", "uniform": ["0%", "50%"]},
        "chn": {"at": "changes[1].to", "normal": ["15%", "10%"], "within": ["1%", "40%"]},
    },
}


def sweep(**changes):
    return ep.read_sweep(copy.deepcopy(DRAWS) | changes)


def grid(parameters, scenario=SCENARIO, design="grid", **more):
    return ep.read_sweep(
        {
            "name": "grid",
            "why": "for a test",
            "scenario": scenario,
            "design": design,
            "parameters": parameters,
            **more,
        }
    )


def every(of):
    return [values_at(of, i) for i in range(of.points)]


def same(one, other):
    """Equal to the last bit, absent values in the same places."""
    assert np.array_equal(one.outcomes, other.outcomes, equal_nan=True)
    for a, b in zip(one.rows, other.rows, strict=True):
        assert (a.status, a.reason, a.steps, a.residual) == (
            b.status,
            b.reason,
            b.steps,
            b.residual,
        )
        assert a.world_welfare_pct == b.world_welfare_pct


@pytest.fixture(scope="module")
def world():
    return ep.load_world("world-2019-g20")


@pytest.fixture(scope="module")
def alone(world):
    """The draws solved by this process."""
    return ep.run_sweep(world, sweep())


# What the designs mean


def test_a_grid_has_every_combination_the_last_fastest():
    of = grid(
        {
            "rate": {"at": "changes[0].to", "from": "10%", "to": "30%", "steps": 3},
            "theta": {"at": "assumptions.elasticities", "values": [4, "caliendo-parro-2015"]},
        }
    )
    assert [(v["rate"], v["theta"]) for v in every(of)] == [
        (Amount(rate), theta) for rate in (0.1, 0.2, 0.3) for theta in (4, "caliendo-parro-2015")
    ]


def test_zip_goes_side_by_side_and_one_parameter_can_fill_several_places():
    of = grid(
        {
            "rate": {"at": ["changes[0].to", "changes[1].to"], "values": ["5%", "10%"]},
            "theta": {"at": "assumptions.elasticities", "from": 3, "to": 5, "steps": 2},
        },
        design="zip",
    )
    scenarios = [scenario_with(of, values) for values in every(of)]
    assert [[c.to for c in s.changes] for s in scenarios] == [[Amount(0.05)] * 2, [Amount(0.1)] * 2]
    assert [s.assumptions.elasticities for s in scenarios] == [3.0, 5.0]


def test_a_draw_depends_on_seed_and_index_alone():
    few, many, other = sweep(draws=3), sweep(draws=900), sweep(seed=8)
    turned = sweep(parameters=dict(reversed(DRAWS["parameters"].items())))
    for i in range(3):
        assert values_at(few, i) == values_at(many, i) == values_at(turned, i)
        assert values_at(few, i) != values_at(other, i)
    assert len({v["usa"] for v in every(many)}) == 900


@pytest.mark.parametrize(
    ("kind", "middle", "low", "high"),
    [
        ({"uniform": ["10%", "50%"]}, 0.3, 0.1, 0.5),
        ({"normal": ["20%", "5%"]}, 0.2, -1, 1),
        ({"lognormal": ["20%", 0.4]}, 0.2, 0, 9),
        ({"normal": ["20%", "50%"], "within": ["0%", "40%"]}, 0.2, 0.0, 0.4),
        ({"lognormal": ["20%", 0.4], "within": ["20%", "21%"]}, 0.205, 0.2, 0.21),
        ({"uniform": ["10%", "50%"], "within": ["40%", "60%"]}, 0.45, 0.4, 0.5),
        ({"values": ["20%", "40%"]}, 0.3, 0.2, 0.4),
    ],
)
def test_draws_have_the_distribution_asked_for(kind, middle, low, high):
    of = sweep(draws=2000, parameters={"p": {"at": "changes[0].to", **kind}})
    drawn = np.array([a if isinstance(a, float) else float(str(a)[:-1]) / 100 for a in
                      (v["p"] for v in every(of))])  # fmt: skip
    assert low <= drawn.min()
    assert drawn.max() <= high
    assert abs(np.mean(drawn < middle) - 0.5) < 0.05


def test_spreads_are_the_ones_asked_for():
    of = sweep(
        draws=4000,
        parameters={
            "a": {"at": "changes[0].to", "normal": ["20%", "5%"]},
            "b": {"at": "assumptions.elasticities", "lognormal": [5, 0.3]},
        },
    )
    drawn = every(of)
    a = np.array([v["a"].value for v in drawn])
    b = np.array([v["b"] for v in drawn])
    assert a.std() == pytest.approx(0.05, rel=0.05)
    assert np.log(b).std() == pytest.approx(0.3, rel=0.05)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05


def test_a_sweep_survives_being_written_down():
    of = sweep(
        parameters=DRAWS["parameters"]
        | {"theta": {"at": "assumptions.elasticities", "uniform": [3, 8]}}
    )
    again = ep.Sweep.model_validate_json(of.to_json())
    assert again == of
    assert every(again) == every(of)


# What is computed


@pytest.mark.parametrize(
    "assumptions",
    [
        {},
        {"closure": "balanced_first"},
        {"closure": "zero"},
        {"closure": "proportional", "elasticities": "caliendo-parro-2015"},
        {"taxes": "in_value_added", "inventories": "netted"},
        {
            "baseline": [
                {
                    "importers": "all",
                    "exporters": "CHN",
                    "rate": "3%",
                    "source": "assumed in a test",
                }
            ]
        },
    ],
    ids=lambda a: " ".join(a) or "as they stand",
)
def test_every_point_is_what_run_answers(world, assumptions):
    of = sweep(
        draws=5,
        scenario=SCENARIO | {"assumptions": assumptions},
        outcomes=["exports_pct", "welfare_pct", "real_wage_pct", "tariff_revenue_musd"],
    )
    result = ep.run_sweep(world, of, tolerance=1e-11)
    for i, values in enumerate(every(of)):
        whole = ep.run(world, scenario_with(of, values), headlines=False, tolerance=1e-11)
        for k, name in enumerate(of.outcomes):
            scale = result.outcomes[i, k].max() if name.endswith("musd") else 1.0
            assert np.abs(result.outcomes[i, k] - whole.regions[name]).max() < 1e-7 * scale, name
        row = next(g for g in whole.to_dict()["groups"] if g["group"] == "world")
        assert result.rows[i].world_welfare_pct == pytest.approx(row["welfare_pct"], abs=1e-7)


def test_assumptions_can_move_too(world):
    of = grid(
        {
            "deficits": {"at": "assumptions.closure", "values": ["world_share", "zero"]},
            "theta": {"at": "assumptions.elasticities", "values": [3, {"default": 8}]},
            "who": {"at": "changes[0].exporters", "values": ["CHN", ["MEX", "CAN"], "eu27"]},
        }
    )
    result = ep.run_sweep(world, of)
    assert result.answered.all()
    for i in (0, 5, 11):
        whole = ep.run(world, scenario_with(of, values_at(of, i)), headlines=False)
        assert np.abs(result.outcomes[i, 0] - whole.regions.welfare_pct).max() < 1e-7
    assert result.points.who.tolist()[:3] == ["CHN", '["MEX", "CAN"]', "eu27"]


def test_merged_sectors_are_merged_at_every_point():
    from worlds import random_world

    table = random_world(3, 4, 3, density=0.6)
    change = {"instrument": "embargo", "importers": "R00", "exporters": "R01", "why": "x"}
    of = grid(
        {"who": {"at": "changes[0].exporters", "values": ["R01", "R02"]}},
        {
            "name": "x",
            "why": "x",
            "changes": [change],
            "assumptions": {"without_supplier": "merge", "closure": "balanced_first"},
        },
    )
    result = ep.run_sweep(table, of)
    for i, values in enumerate(every(of)):
        whole = ep.run(table, scenario_with(of, values), headlines=False)
        assert np.abs(result.outcomes[i, 0] - whole.regions.welfare_pct).max() < 1e-7


# The same numbers


def test_two_processes_give_the_same_numbers(world, alone):
    same(ep.run_sweep(world, sweep(), workers=2), alone)


def test_a_dask_cluster_gives_the_same_numbers(world, alone):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        same(ep.run_sweep(world, sweep(), scheduler=cluster.scheduler_address), alone)


def test_a_block_does_not_depend_on_others(world, alone):
    last = block_solver(world, sweep(), 1e-9)(3)
    assert np.array_equal(last.outcomes, alone.outcomes[3 * BLOCK :])


def test_a_missing_cluster_is_one_clear_line(world, monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 1)
    with pytest.raises(WorkersError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        ep.run_sweep(world, sweep(), scheduler="tcp://127.0.0.1:9")
    with pytest.raises(WorkersError, match="no scheduler answers"):
        ep.run_sweep(world, sweep(), scheduler="nonsense://x")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkersError, match=r"pip install 'entrepot\[dask\]'"):
        ep.run_sweep(world, sweep(), scheduler="tcp://127.0.0.1:9")


def test_a_worker_that_dies_is_one_clear_line(world, tmp_path):
    # A script without the guard starts itself over in every worker, which multiprocessing refuses.
    script = tmp_path / "script.py"
    script.write_text(
        "import json, sys\nimport entrepot as ep\n"
        f"of = ep.read_sweep(json.loads({json.dumps(json.dumps(DRAWS))}))\n"
        "world = ep.load_world('world-2019-g20')\n"
        "try:\n    ep.run_sweep(world, of, workers=2)\n"
        "except ep.EntrepotError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert "__name__ == '__main__'" in done.stdout


# Refusals are rows


def test_a_point_without_an_answer_is_a_row_that_says_why(world):
    scenario = copy.deepcopy(SCENARIO)
    scenario["changes"].append(
        {"instrument": "embargo", "importers": "USA", "exporters": "CHN", "why": "x"}
    )
    of = grid(
        {
            "rate": {"at": "changes[1].to", "values": ["0%", "20%"]},
            "who": {"at": "changes[2].exporters", "values": ["MEX", "all", "nobody"]},
        },
        scenario,
    )
    result = ep.run_sweep(world, of)
    assert [row.status for row in result.rows] == [
        "refused", "refused", "refused", "converged", "infeasible", "refused",
    ]  # fmt: skip
    assert "no tariffs are attached" in result.rows[0].reason
    assert "USA" in result.rows[4].reason
    assert "no economy or group 'nobody'" in result.rows[5].reason
    assert np.isnan(result.outcomes[[0, 1, 2, 4, 5]]).all()
    assert np.isfinite(result.outcomes[3]).all()
    found = result.to_dict()["summary"]
    assert found["answered"] == 1
    assert found["not_answered"] == {"refused": 4, "infeasible": 1}
    regions = result.regions
    assert len(regions) == 6 * len(world.regions)
    assert regions.welfare_pct.notna().sum() == len(world.regions)
    assert set(regions.status[regions.welfare_pct.notna()]) == {"converged"}
    whole = ep.run(world, scenario_with(of, values_at(of, 3)), headlines=False)
    assert np.abs(result.outcomes[3, 0] - whole.regions.welfare_pct).max() < 1e-7


def test_an_unconverged_point_has_no_numbers(world):
    result = ep.run_sweep(world, sweep(draws=2), tolerance=1e-19)
    assert [row.status for row in result.rows] == ["unconverged"] * 2
    assert np.isnan(result.outcomes).all()
    assert result.to_dict()["summary"]["world_welfare_pct"] is None


def test_a_sweep_that_asks_nothing_of_this_world_is_an_error(world):
    scenario = copy.deepcopy(SCENARIO)
    scenario["changes"][0]["exporters"] = "CHM"
    with pytest.raises(ScenarioError, match="did you mean 'CHN'"):
        ep.run_sweep(world, sweep(scenario=scenario))


# Folders


def test_a_folder_holds_tidy_tables_and_what_it_takes_to_repeat_them(
    world, alone, tmp_path, monkeypatch
):
    monkeypatch.setattr(sweep_tables, "CHUNK", 20)  # in several pieces, as a large one
    out = tmp_path / "new" / "sweep"
    same(ep.run_sweep(world, sweep(), out=out), alone)
    assert sorted(p.name for p in out.iterdir()) == [
        "blocks",
        "points.csv",
        "regions.parquet",
        "sweep.json",
    ]
    points = pd.read_csv(out / "points.csv", index_col="point")
    assert points.usa.tolist() == [v["usa"].value for v in every(sweep())]
    assert points.world_welfare_pct.tolist() == [r.world_welfare_pct for r in alone.rows]
    regions = pd.read_parquet(out / "regions.parquet")
    assert np.array_equal(
        regions.welfare_pct.to_numpy().reshape(len(points), -1), alone.outcomes[:, 0]
    )
    assert regions.region[: len(world.regions)].tolist() == list(world.regions)
    about = json.loads((out / "sweep.json").read_text())
    assert about["world_sha256"] == world.content_hash
    assert every(ep.Sweep.model_validate(about["sweep"])) == every(sweep())
    assert set(regions.columns) | set(points.columns) - {"region"} <= {*about["columns"], "region"}


class StopError(Exception):
    pass


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_sweep_is_continued_where_it_was(world, alone, tmp_path, workers):
    def stop(done, total):
        if done > BLOCK:
            raise StopError

    with pytest.raises(StopError):
        ep.run_sweep(world, sweep(), out=tmp_path, workers=workers, progress=stop)
    kept = {p.name: p.read_bytes() for p in (tmp_path / "blocks").iterdir()}
    assert 1 <= len(kept) < 4
    assert not (tmp_path / "points.csv").exists()
    told = []
    result = ep.run_sweep(
        world, sweep(), out=tmp_path, resume=True, progress=lambda *x: told.append(x)
    )
    same(result, alone)
    assert told[0][0] >= BLOCK
    assert told[-1] == (result.sweep.points,) * 2
    for name, data in kept.items():
        assert (tmp_path / "blocks" / name).read_bytes() == data
    # Nothing is left to solve, so no scheduler is called.
    again = ep.run_sweep(world, sweep(), out=tmp_path, resume=True, scheduler="tcp://127.0.0.1:9")
    assert [r.seconds for r in again.rows] == [r.seconds for r in result.rows]


def test_lost_and_damaged_blocks_are_solved_again(world, alone, tmp_path):
    ep.run_sweep(world, sweep(), out=tmp_path)
    blocks = sorted((tmp_path / "blocks").iterdir())
    blocks[0].unlink()
    blocks[1].write_bytes(blocks[1].read_bytes()[:300])
    blocks[2].write_bytes(b"nonsense")
    np.savez(blocks[3], outcomes=np.zeros((1, 1, 1)), rows=np.frombuffer(b"[]", np.uint8))
    same(ep.run_sweep(world, sweep(), out=tmp_path, resume=True), alone)


def test_another_question_is_not_continued(world, tmp_path):
    few = sweep(draws=2)
    ep.run_sweep(world, few, out=tmp_path, resume=True)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(OutputError, match=r"sweep differs \(seed\)"):
        ep.run_sweep(world, sweep(draws=2, seed=9), out=tmp_path, resume=True)
    small = ep.aggregate(world, regions={"CAN": "NAM", "MEX": "NAM"}, name="small")
    with pytest.raises(OutputError, match="world_sha256 differs"):
        ep.run_sweep(small, few, out=tmp_path, resume=True)
    with pytest.raises(OutputError, match="tolerance differs"):
        ep.run_sweep(world, few, out=tmp_path, resume=True, tolerance=1e-8)
    with pytest.raises(OutputError, match=r"holds a sweep already.*--resume"):
        ep.run_sweep(world, few, out=tmp_path)
    about = json.loads((tmp_path / "sweep.json").read_text())
    (tmp_path / "sweep.json").write_text(json.dumps(about | {"entrepot": "0.0.1"}))
    with pytest.raises(OutputError, match=r"entrepot differs \(0\.0\.1, now"):
        ep.run_sweep(world, few, out=tmp_path, resume=True)
    (tmp_path / "sweep.json").write_text("[]")
    with pytest.raises(OutputError, match="damaged"):
        ep.run_sweep(world, few, out=tmp_path, resume=True)
    (tmp_path / "sweep.json").write_text(before.pop(tmp_path / "sweep.json").decode())
    assert all(p.read_bytes() == data for p, data in before.items())


def test_other_files_are_left_alone(world, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        ep.run_sweep(world, sweep(draws=2), out=tmp_path)
    with pytest.raises(OutputError, match="is a file"):
        ep.run_sweep(world, sweep(draws=2), out=tmp_path / "thesis.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


# Bad input: one clear line


def bad(path, value, **more):
    data = copy.deepcopy(DRAWS) | more
    here = data
    *way, last = path
    for step in way:
        here = here[step]
    here[last] = value
    return data


USA = ("parameters", "usa")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            bad((*USA, "unifrom"), 1),
            r"parameters\.usa\.unifrom: unknown key; did you mean 'uniform'",
        ),
        (bad(("parameter",), {}), "parameter: unknown key; did you mean 'parameters'"),
        (bad(("design",), "gird"), "there is no 'gird'; did you mean 'grid'"),
        (bad((*USA, "at"), "changes[0].two"), r"changes\[0\] has no 'two'; did you mean 'to'"),
        (bad((*USA, "at"), "changes[4].to"), r"changes has 2 item\(s\), counted from \[0\]"),
        (bad((*USA, "at"), "changes.to"), "changes holds a list; 'to' does not lead into it"),
        (bad((*USA, "at"), "changes[0].to.value"), "holds one value"),
        (bad((*USA, "at"), "assumption.closure"), "no 'assumption'; did you mean 'assumptions'"),
        (bad((*USA, "at"), "changes[0]..to"), "is no place in a scenario"),
        (bad((*USA, "at"), []), "name the place"),
        (bad((*USA, "at"), "changes[1].to"), "usa and chn both set"),
        (bad((*USA, "at"), "changes[1]"), "usa and chn both set"),
        (bad((*USA, "values"), ["5%"]), "values and uniform are given"),
        (bad((*USA,), {"at": "changes[0].to"}), "none is given"),
        (bad((*USA,), {"at": "changes[0].to", "values": []}), "`values` is empty"),
        (bad((*USA,), {"at": "changes[0].to", "values": [None]}), "None is not a value"),
        (bad((*USA,), {"at": "changes[0].to", "values": ["5%", "x"]}), "'x' is not an amount"),
        (bad((*USA,), {"at": "changes[0].to", "from": "5%", "to": "9%"}), "all of `from`, `to`"),
        (bad((*USA, "uniform"), ["50%", "0%"]), "not a low and a high end"),
        (bad((*USA, "uniform"), [0, "50%"]), "do not share one unit"),
        (bad((*USA, "uniform"), ["0%"]), "uniform"),
        (bad((*USA, "uniform"), ["-200%", "50%"]), "leaves no positive price"),
        (bad((*USA, "uniform"), [0, 25]), "write 25%"),
        (bad((*USA, "within"), ["60%", "70%"]), "leaves nothing of the distribution"),
        (bad((*USA,), {"at": "changes[0].to", "normal": ["5%", "0%"]}), "must be positive"),
        (bad((*USA,), {"at": "changes[0].to", "lognormal": ["5%", "50%"]}), "one of logs"),
        (bad((*USA, "at"), "changes[0].by"), "takes exactly one of to, by"),
        (bad(("outcomes",), []), "at least one column"),
        (bad(("outcomes",), ["welfare_pct"] * 2), "none twice"),
        (bad(("parameters",), {}), "`parameters` is empty"),
        (bad(("parameters", "a b"), DRAWS["parameters"]["usa"]), "'a b' is no name"),
        (bad(("draws",), None), "needs `draws`"),
        (bad(("seed",), -1), "seed"),
        (bad(("draws",), MAX_POINTS + 1), "less than or equal to 1000000"),
        (bad(("design",), "grid"), "belong to `design: draws`"),
        (bad(("design",), "grid", draws=None, seed=None), "is drawn from; use `design: draws`"),
        (bad(("scenario", "changes", 0, "too"), 1), r"scenario\.changes\[0\]\.too: unknown key"),
        (bad(("scenario",), "decoupling-electronic"), "did you mean 'decoupling-electronics'"),
        (bad(("scenario",), "/etc/passwd"), "outside the sweep's folder"),
        (bad(("scenario",), "../x.yaml"), "outside the sweep's folder"),
        (bad(("scenario",), "a\0b"), "outside the sweep's folder"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_bad_sweeps_say_what_and_where(data, said):
    with pytest.raises(ScenarioError, match=said) as error:
        ep.read_sweep(data)
    assert "\n" not in str(error.value)


def test_what_does_not_fit_together_is_refused():
    ten = {"at": "changes[0].to", "values": ["5%"] * 10}
    with pytest.raises(ScenarioError, match="a has 10, b has 3"):
        grid({"a": ten, "b": {"at": "changes[1].to", "values": ["5%"] * 3}}, design="zip")
    big = {"from": "1%", "to": "9%", "steps": 2000}
    with pytest.raises(ScenarioError, match="4,000,000 points; no more than 1,000,000"):
        grid({"a": {"at": "changes[0].to", **big}, "b": {"at": "changes[1].to", **big}})


def test_bad_calls_say_what_to_do(world, monkeypatch):
    monkeypatch.setattr(sweeps, "MAX_NUMBERS", 5000)
    for data, said in (
        ({"outcomes": ["welfare"]}, "there is no 'welfare'; did you mean 'welfare_pct'"),
        ({"parameters": {"status": DRAWS["parameters"]["usa"]}}, "is a column of the result"),
        ({"draws": 126}, "take fewer points"),
    ):
        with pytest.raises(ScenarioError, match=said):
            ep.run_sweep(world, sweep(**data))
    with pytest.raises(ScenarioError, match="workers: 0"):
        ep.run_sweep(world, sweep(), workers=0)
    with pytest.raises(ScenarioError, match="--out"):
        ep.run_sweep(world, sweep(), resume=True)


def test_scenarios_are_found_beside_the_sweep_and_nowhere_else(tmp_path):
    inside = tmp_path / "study"
    (inside / "parts").mkdir(parents=True)
    (inside / "parts" / "s.yaml").write_text(json.dumps(SCENARIO))
    (tmp_path / "secret.yaml").write_text(json.dumps(SCENARIO))
    (inside / "link.yaml").symlink_to(tmp_path / "secret.yaml")

    def read(scenario):
        (inside / "sweep.yaml").write_text(json.dumps(DRAWS | {"scenario": scenario}))
        return ep.read_sweep(inside / "sweep.yaml")

    assert read("parts/s.yaml") == sweep()
    for name in ("link.yaml", "../secret.yaml", str(tmp_path / "secret.yaml")):
        with pytest.raises(ScenarioError, match="outside the sweep's folder"):
            read(name)
    with pytest.raises(ScenarioError, match=r"no file 'parts/t\.yaml'"):
        read("parts/t.yaml")
    with pytest.raises(ScenarioError, match="no such file"):
        ep.read_sweep(inside / "swep.yaml")
    (inside / "sweep.yaml").write_text("a: &x 1\nb: *x\n")
    with pytest.raises(ScenarioError, match="aliases"):
        ep.read_sweep(inside / "sweep.yaml")
