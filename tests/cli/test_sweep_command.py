"""`entrepot sweep`: one clear summary, one clear line, and nothing lost by an interrupt."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SCENARIO = {
    "name": "one tariff",
    "why": "for a test",
    "changes": [
        {"instrument": "tariff", "importers": "USA", "exporters": "CHN", "to": "10%", "why": "x"}
    ],
}
SWEEP = {
    "name": "draws",
    "why": "for a test",
    "scenario": SCENARIO,
    "design": "draws",
    "draws": 4,
    "seed": 7,
    "parameters": {"usa": {"at": "changes[0].to", "uniform": ["0%", "50%"]}},
}
G20 = ("--world", "world-2019-g20")


def written(tmp_path, **changes):
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps(SWEEP | changes))
    return path


def test_the_command_sums_up_and_writes(call, tmp_path):
    path = written(tmp_path)
    code, out, err = call("sweep", path, *G20, "--out", tmp_path / "o")
    assert code == 0
    for part in ("4 draws from seed 7", "4 of 4 points", "World", "What these answers leave out"):
        assert part in out
    assert "points.csv" in out
    assert not err
    code, out, err = call("sweep", path, *G20, "--out", tmp_path / "o", "--resume", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["summary"]["answered"] == 4
    assert len(answer["summary"]["movers"]) == 20
    assert answer["sweep"]["seed"] == 7


def test_the_command_says_what_is_wrong(call, tmp_path):
    path = written(tmp_path)
    for args, said in (
        (("--workers", "none"), "--workers"),
        (("--workers", "0"), "--workers"),
        (("--resume",), "--out"),
        (("--world", "world-2023"), "world-2022"),
    ):
        code, out, err = call("sweep", path, *G20, *args)
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1


def test_a_sweep_without_any_answer_exits_with_3(call, tmp_path):
    embargo = {"instrument": "embargo", "importers": "USA", "exporters": "all", "why": "x"}
    path = written(
        tmp_path,
        scenario=SCENARIO | {"changes": [embargo]},
        parameters={"who": {"at": "changes[0].sectors", "values": ["all"]}},
        design="grid",
        draws=None,
        seed=None,
    )
    code, out, err = call("sweep", path, *G20)
    assert code == 3
    assert "0 of 1 points" in out
    assert "1 infeasible: " in out
    assert not err


def test_an_interrupt_keeps_what_is_finished(tmp_path):
    path = written(tmp_path, draws=3000)
    out = tmp_path / "o"
    command = [sys.executable, "-m", "entrepot.cli.main", "sweep", path, *G20]
    command += ["--workers", "2", "--out", out]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A job in the background of a script has interrupts ignored, and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        deadline = time.monotonic() + 100
        while not list(Path(out).glob("blocks/*.npz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: every process of the group
        said = running.communicate(timeout=100)
    assert running.returncode == 130, said
    assert said == (b"", b"")
    assert sorted(p.name for p in out.iterdir()) == ["blocks", "sweep.json"]
    assert all(p.suffix == ".npz" and p.name[0] != "." for p in (out / "blocks").iterdir())
