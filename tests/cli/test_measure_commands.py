"""`entrepot measure` and `entrepot years`."""

import json
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest

import entrepot as ep

G20 = "world-2019-g20"


def test_measures_in_words_in_a_file_and_as_json(call, tmp_path):
    asked = ("measure", G20, "--what", "gvc_participation,upstreamness", "--region", "CHN,DEU")
    code, said, _ = call(*asked, "--out", tmp_path / "f.parquet")
    assert code == 0
    assert "gvc_participation" in said
    table = pq.read_table(tmp_path / "f.parquet")
    assert json.loads(table.schema.metadata[b"entrepot"])["world"] == G20
    assert len(table) == 2 + 2 * 20
    code, said, _ = call(*asked, "--json")
    rows = json.loads(said)["measures"][0]["rows"]
    assert [r["region"] for r in rows] == ["CHN", "DEU"]
    assert rows[0]["value"] == pytest.approx(table.to_pandas()["value"][0])
    call(*asked, "--out", tmp_path / "f.csv")
    assert len(pd.read_csv(tmp_path / "f.csv")) == 42


def test_the_first_ranks_come_first(call):
    _, said, _ = call("measure", G20, "--what", "single_points_of_failure", "--most", "2")
    assert "The 2 first of 400" in said
    assert "ROW" in said
    assert "CHN" in said


def test_the_list(call):
    code, said, _ = call("measure", "list", "--json")
    rows = json.loads(said)
    assert code == 0
    assert len(rows) >= 40
    assert all(r["name"] and r["unit"] and r["dims"] and r["source"] and r["meaning"] for r in rows)
    assert call("measure", "list")[0] == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((G20,), "Say what to measure"),
        ((G20, "--what", ""), "at least one measure"),
        ((G20, "--what", "gvc_participatoin"), "did you mean 'gvc_participation'"),
        ((G20, "--what", "vax_ratio:x"), "takes no argument"),
        ((G20, "--what", "footprint:jobs"), "carries no 'jobs'"),
        ((G20, "--what", "vax_ratio", "--region", "XXX"), "no economy 'XXX'"),
        ((G20, "--what", "vax_ratio", "--together", "A=DEU", "--together", "eu27"), "not by both"),
        ((G20, "--what", "vax_ratio", "--out", "x.pdf"), "ends in"),
        ((G20, "--what", "re_export_share"), "attach it"),
    ],
)
def test_bad_questions(call, args, words):
    code, _, said = call("measure", *args)
    assert code == 2
    assert words in said
    assert len(said.strip().splitlines()) == 1


@pytest.fixture
def folder(tmp_path):
    world = ep.load_world(G20)
    for year, level in ((2019, 1.0), (2020, 1.1)):
        grown = replace(
            world, year=year, Z=world.Z * level, F=world.F * level, V=world.V * level,
            T_inputs=world.T_inputs * level, T_final=world.T_final * level,
        )  # fmt: skip
        ep.save_world(grown, tmp_path / f"{year}.zarr")
    return tmp_path


def test_years(call, folder):
    code, said, _ = call("years", folder, "--what", "gross_exports", "--region", "CHN", "--json")
    row = json.loads(said)["rows"][0]
    assert code == 0
    assert row["2020"] / row["2019"] == pytest.approx(1.1)
    _, said, _ = call("years", folder, "--what", "gross_exports", "--from", "2020", "--json")
    assert "2019" not in json.loads(said)["rows"][0]
    _, said, _ = call("years", folder, "--structural", "value_added", "--json")
    row = json.loads(said)["rows"][0]
    assert row["final_level"] == pytest.approx(row["change"])
    code, said, _ = call(
        "years", folder, "--change", "--what", "gross_exports_by_partner", "--region", "CHN"
    )
    assert code == 0
    assert "log_change" in said


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "Say what to measure"),
        (("--what", "vax_ratio", "--change"), "not an amount that adds up"),
        (("--structural", "value_added", "--change"), "goes with --what"),
        (("--structural", "value_added", "--from", "2020"), "two years"),
        (("--what", "vax_ratio", "--from", "2021"), "no year from 2021"),
    ],
)
def test_bad_years(call, folder, args, words):
    code, _, said = call("years", folder, *args)
    assert code == 2
    assert words in said
