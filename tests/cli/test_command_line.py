"""The command line: exit codes, one clear line, strict JSON, and nothing half-done."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

import entrepot as ep
from entrepot.cli import main as cli
from entrepot.scenario.read import parse_scenario
from entrepot.world.store import write_world
from entrepot.world.world import Sector, World

TEXT = """\
name: small opening
why: a question for a test
changes:
  - instrument: trade_cost
    importers: [USA, eu27]
    exporters: CHN
    by: -5%
    why: a change for a test
"""
G20 = ("--world", "world-2019-g20")


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def page(monkeypatch):
    """A report page that costs nothing."""
    import entrepot.report.page

    monkeypatch.setattr(entrepot.report.page, "report_page", lambda result: "<html></html>")


@pytest.fixture(scope="module")
def result():
    question = parse_scenario(TEXT)
    return ep.run(ep.load_world("world-2019-g20"), question, headlines=False)


def write(folder, text, name="other.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def strict(text):
    def constant(name):
        raise AssertionError(name)

    def pairs(items):
        assert len({k for k, _ in items}) == len(items)
        return dict(items)

    return json.loads(text, parse_constant=constant, object_pairs_hook=pairs)


def commands(group=None, path=()):
    group = group or typer.main.get_command(cli.app)
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


class TestHelp:
    @pytest.mark.parametrize("path", list(commands()), ids=" ".join)
    def test_every_command(self, call, path):
        code, out, err = call(*path, "--help")
        assert code == 0
        assert out.startswith("Usage: entrepot")
        assert not err

    def test_all_are_there(self):
        assert {" ".join(p) for p in commands()} >= {
            "run", "compare", "validate", "scenarios", "version", "world", "world list", "world show",
            "world get",
        }  # fmt: skip

    def test_version(self, call):
        assert call("version") == (0, f"{ep.__version__}\n", "")


FAULTS = {
    "malformed": ("name: [", "not valid YAML"),
    "no mapping": ("- a", "is a mapping"),
    "economy": (TEXT.replace("CHN", "CHA"), "did you mean 'CHN'"),
    "group": (TEXT.replace("eu27", "eu72"), "no economy or group 'eu72'"),
    "absent": (TEXT.replace("CHN", "BEL"), "not a separate economy"),
    "tariff": (
        TEXT.replace("trade_cost", "tariff").replace("by: -5%", "to: -120%"),
        "no positive price",
    ),
    "eliminate": (
        TEXT.replace("trade_cost", "tariff").replace("by: -5%", "to: eliminate"),
        "no tariffs are attached",
    ),
    "unknown key": (TEXT + "    foo: 1\n", "unknown key"),
    "norway": (TEXT.replace("CHN", "NO"), "put codes in quotes"),
}


class TestFaults:
    """Exit 2, nothing on standard output, one line that says what and where."""

    def refused(self, call, *args, match, code=2, kind=None):
        got, out, err = call(*args)
        assert got == code, err
        assert not out
        assert "Traceback" not in err
        if "--json" in args:
            error = strict(err)
            assert set(error) == {"error"}
            assert set(error["error"]) == {"type", "message", "exit_code"}
            assert error["error"]["exit_code"] == code
            assert match in error["error"]["message"]
            assert kind is None or error["error"]["type"] == kind
        else:
            assert err.startswith("entrepot: ")
            assert err.count("\n") == 1
            assert match in err

    @pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
    @pytest.mark.parametrize("fault", sorted(FAULTS))
    def test_scenarios(self, call, tmp_path, fault, as_json):
        text, match = FAULTS[fault]
        path = write(tmp_path, text)
        self.refused(call, "run", path, *G20, *as_json, match=match, kind="ScenarioError")

    @pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
    def test_worlds(self, call, scenario, tmp_path, as_json):
        text = write(tmp_path, "no table")
        for command in (("run", scenario, "--world"), ("world", "show")):
            for world, match in (
                (text, "no world table"),
                (tmp_path, "is a folder"),
                ("world-2023", "did you mean 'world-2022'"),
                ("x" * 400, "neither a world nor a file"),
                ("/dev/zero", "not an ordinary file"),
                ("", "folder"),
            ):
                self.refused(call, *command, world, *as_json, match=match, kind="DataError")

    @pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
    def test_usage(self, call, scenario, as_json):
        for args, match in (
            (("run",), "Missing argument"),
            (("run", scenario, "--wrld", "x"), "No such option"),
            (("run", scenario, "extra"), "unexpected extra argument"),
            (("runn",), "No such command"),
            (("world", "shoe"), "No such command"),
        ):
            self.refused(call, *args, *as_json, match=match, kind="UsageError")
        self.refused(call, "run", scenario, "--world", match="requires an argument")

    def test_a_file_that_is_not_there(self, call, tmp_path):
        self.refused(call, "run", tmp_path / "no.yaml", match="no such file")
        self.refused(call, "run", "openin", match="nor a library scenario")

    @pytest.mark.parametrize(
        ("content", "match"),
        [
            ("", "no column"),
            ("importer,exporter,sector,rate\n", "no rates"),
            ("importer,exporter,sector,rate\nUSA,CHX,C,0.1\n", "line 2"),
            ("importer,exporter,sector,rate\nUSA,CHN,C,-1.5\n", "no positive price"),
            ("importer,exporter,sector,rate\nUSA,CHN,C,nan\n", "not a number"),
            ("importer,exporter,sector,rate\nUSA,USA,C,0.1\n", "home sales"),
        ],
    )
    def test_tariff_tables(self, call, scenario, tmp_path, content, match):
        path = write(tmp_path, content, "t.csv")
        self.refused(call, "run", scenario, *G20, "--tariffs", path, match=match)

    def test_tariff_tables_that_are_no_files(self, call, scenario, tmp_path):
        for path in (tmp_path, "/dev/zero", tmp_path / "none.csv", "x" * 400):
            self.refused(call, "run", scenario, *G20, "--tariffs", path, match=str(path))

    @pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
    def test_no_solution(self, call, tmp_path, as_json):
        text = TEXT.replace("trade_cost", "embargo").replace("    by: -5%\n", "")
        text = text.replace("CHN", "all").replace("[USA, eu27]", "all")
        path = write(tmp_path, text)
        out = tmp_path / "out"
        self.refused(call, "run", path, "--out", out, *as_json, match="supplier", code=3)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["other.yaml"]

    def test_a_check_that_fails(self, call, monkeypatch):
        import entrepot.validation

        class Report:
            passed = False

            def to_dict(self):
                return {"passed": False}

        monkeypatch.setattr(entrepot.validation, "run_validations", lambda *_: [Report()])
        code, out, err = call("validate", "--json")
        assert code == 1
        assert strict(out)
        assert not err

    def test_getting_worlds(self, call, monkeypatch, tmp_path):
        import entrepot.sources.packages
        from entrepot.core.errors import DataError

        def offline(*_):
            raise DataError("no network")

        monkeypatch.setattr(entrepot.sources.packages, "_download", offline)
        monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path / "cache"))
        self.refused(call, "world", "get", "world-2022", match="embedded")
        self.refused(call, "world", "get", "oecd-2022", match="did you mean 'oecd-2022-full'")
        self.refused(call, "world", "get", "oecd-2022-full", match="no network")
        self.refused(call, "world", "show", "oecd-2022-full", match="world get oecd-2022-full")
        monkeypatch.setenv("ENTREPOT_CACHE", str(write(tmp_path, "file", "file")))
        self.refused(call, "world", "get", "oecd-2022-full", match="cannot be made")

    def test_a_world_that_does_not_balance_lists_its_nodes(self, call, tmp_path, scenario):
        from dataclasses import replace

        world = replace(tiny(), atol=100.0, V=tiny().V + 1)
        write_world(tmp_path / "w.npz", world)
        import zipfile

        with zipfile.ZipFile(tmp_path / "w.npz") as archive:
            parts = {n: archive.read(n) for n in archive.namelist()}
        parts["world.json"] = parts["world.json"].replace(b'"atol": 100.0', b'"atol": 1e-6')
        with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        code, out, err = call("world", "show", tmp_path / "w.npz")
        assert code == 2
        assert not out
        assert err.startswith("entrepot: the table does not balance: ")
        assert err.count("\n") == 1


def tiny(regions=("AAA", "BBB"), sector="S", name="tiny"):
    Z = np.full((4, 4), 2.0)
    F = np.full((4, 2, 1), 5.0)
    V = Z.sum(1) + F.sum((1, 2)) - Z.sum(0)
    return World(
        name=name,
        year=2001,
        regions=regions,
        sectors=(Sector(sector, f"good {sector}", "s", (1,)), Sector("T", "t", "t", (40,))),
        Z=Z,
        F=F,
        V=V[None],
        T_inputs=np.zeros(4),
        T_final=np.zeros((2, 1)),
        region_names={regions[0]: f"land {regions[0]}"},
        provenance={
            "data": "[/x]",
            "notes": ["[/b] \\"],
            "estimated": ["[red]"],
            "credit": "[/dim]",
        },
    )


class TestOutputFolder:
    def files(self, folder):
        return {
            p.relative_to(folder).as_posix(): p.read_bytes()
            for p in folder.rglob("*")
            if p.is_file()
        }

    def refused(self, call, scenario, out, match, monkeypatch=None):
        code, said, err = call("run", scenario, *G20, "--out", out)
        assert code == 2, err
        assert not said  # refused before anything is computed
        assert err.count("\n") == 1
        assert match in err

    def test_places_that_cannot_be_written(self, call, scenario, tmp_path):
        file = write(tmp_path, "x", "file")
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        before = sorted(p.name for p in tmp_path.iterdir())
        for out, match in (
            (file, "is a file"),
            (file / "below", "cannot be written"),
            (file / "far" / "below", "cannot be written"),
            ("/proc/entrepot/x", "cannot be written"),
            ("/proc/x", "cannot be written"),
            (tmp_path / ("x" * 300), "cannot be written"),
            (tmp_path / "loop", "cannot be written"),
            ("/dev/null", "is a file"),
            ("/", ""),
            (tmp_path, ""),
        ):
            self.refused(call, scenario, out, match)
        assert sorted(p.name for p in tmp_path.iterdir()) == before
        assert file.read_text() == "x"

    def test_a_folder_that_holds_other_things(self, call, scenario, tmp_path):
        out = tmp_path / "out"
        out.mkdir()
        for name in ("thesis.tex", ".hidden"):
            other = write(out, "years of work", name)
            self.refused(call, scenario, out, "holds other files")
            assert other.read_text() == "years of work"
            other.unlink()
        (out / "sub").mkdir()
        self.refused(call, scenario, out, "holds other files")

    def test_the_folder_one_is_in(self, call, scenario, tmp_path, monkeypatch):
        here = tmp_path / "a" / "b"
        here.mkdir(parents=True)
        monkeypatch.chdir(here)
        for out in (".", "..", "", here):
            self.refused(call, scenario, out, "")
        assert here.is_dir()

    def test_a_folder(self, call, scenario, tmp_path):
        """The real report too."""
        import pandas as pd
        import pyarrow.parquet as pq
        import xarray as xr

        from entrepot.report.write import FILES

        out = tmp_path / "deep" / "er"
        code, said, err = call("run", scenario, *G20, "--out", out)
        assert code == 0
        assert not err
        assert (
            said.splitlines()[-1] == f"Written to {out}: open {out / 'report.html'} in a browser."
        )
        assert {p.name for p in out.iterdir()} == {*FILES} - {"welfare_path.csv"}
        assert [p.name for p in out.parent.iterdir()] == ["er"]
        assert out.stat().st_mode & 0o777 == 0o755
        answer = strict((out / "result.json").read_text(encoding="utf-8"))
        assert strict((out / "provenance.json").read_text(encoding="utf-8")) == answer["provenance"]
        regions = pd.read_csv(out / "regions.csv", keep_default_na=False)
        assert list(regions["region"]) == [r["region"] for r in answer["regions"]]
        np.testing.assert_allclose(
            regions["welfare_pct"], [r["welfare_pct"] for r in answer["regions"]], rtol=1e-12
        )
        assert len(pd.read_csv(out / "sectors.csv")) == 20
        with xr.open_dataset(out / "result.nc", engine="h5netcdf") as data:
            assert list(data.region.values) == list(regions["region"])
            np.testing.assert_allclose(data.welfare_pct, regions["welfare_pct"], rtol=1e-12)
            assert data.attrs["world_sha256"] == answer["world"]["sha256"]
        trade = pq.read_table(out / "trade.parquet").to_pandas()
        assert set(trade.columns) == {
            "sector", "exporter", "importer", "base_musd", "new_musd", "new_volume_musd",
        }  # fmt: skip
        assert (trade["exporter"].astype(str) != trade["importer"].astype(str)).all()
        html = (out / "report.html").read_text(encoding="utf-8")
        assert "small opening" in html

    def test_a_second_run_replaces_it_whole(self, call, scenario, tmp_path, page):
        out = tmp_path / "out"
        assert call("run", scenario, *G20, "--out", out)[0] == 0
        first = self.files(out)
        (out / "trade.parquet").unlink()
        scenario.write_text(TEXT.replace("-5%", "-7%"))
        assert call("run", scenario, *G20, "--out", out)[0] == 0
        second = self.files(out)
        assert set(second) == set(first)
        for name in ("result.json", "regions.csv", "trade.parquet", "result.nc"):
            assert first[name] != second[name]
        assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "s.yaml"]

    def test_an_empty_folder_and_a_link(self, call, scenario, tmp_path, page):
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        (tmp_path / "nowhere").symlink_to("later")
        for out in ("real", "link", "nowhere"):
            assert call("run", scenario, *G20, "--out", tmp_path / out)[0] == 0
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "nowhere").is_symlink()
        assert (tmp_path / "later" / "result.json").exists()
        assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]

    STAGES = ("dataset", "_csv", "_trade", "_json", "page", "put")

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()],
                             ids=["full", "interrupt"])  # fmt: skip
    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize("earlier", [False, True], ids=["new", "again"])
    def test_failing_midway(self, result, tmp_path, page, monkeypatch, stage, error, earlier):
        import entrepot.report.page
        import entrepot.report.write as module
        from entrepot.core.errors import OutputError

        out = tmp_path / "out"
        if earlier:
            module.write_result(result, out)
            before = self.files(out)

        def fail(*_, **__):
            raise error

        if stage == "page":
            monkeypatch.setattr(entrepot.report.page, "report_page", fail)
        elif stage == "put":
            replace = Path.replace

            def moves(self, target):
                if Path(target) == out and self.name != "old":
                    raise error
                return replace(self, target)

            monkeypatch.setattr(Path, "replace", moves)
        else:
            monkeypatch.setattr(module, stage, fail)
        with pytest.raises(OutputError if isinstance(error, OSError) else type(error)) as caught:
            module.write_result(result, out)
        if isinstance(error, OSError):
            assert str(caught.value) == f"{out}: cannot be written (No space left on device)."
        assert [p.name for p in tmp_path.iterdir()] == (["out"] if earlier else [])
        if earlier:
            assert self.files(out) == before

    @pytest.mark.parametrize(
        ("error", "code", "line"),
        [
            (
                OSError(28, "No space left on device"),
                2,
                "cannot be written (No space left on device)",
            ),
            (KeyboardInterrupt(), 130, ""),
        ],
        ids=["full", "interrupt"],
    )
    def test_failing_midway_from_the_command(
        self, call, scenario, tmp_path, monkeypatch, error, code, line
    ):
        import entrepot.report.page

        def fail(result):
            raise error

        monkeypatch.setattr(entrepot.report.page, "report_page", fail)
        got, _, err = call("run", scenario, *G20, "--out", tmp_path / "out")
        assert got == code
        assert err == (f"entrepot: {tmp_path / 'out'}: {line}.\n" if line else "")
        assert [p.name for p in tmp_path.iterdir()] == ["s.yaml"]

    def test_a_fault_of_ours_leaves_nothing_either(self, result, tmp_path, monkeypatch):
        import entrepot.report.page
        from entrepot.report.write import write_result

        def fail(result):
            raise RuntimeError("a bug")

        monkeypatch.setattr(entrepot.report.page, "report_page", fail)
        with pytest.raises(RuntimeError, match="a bug"):
            write_result(result, tmp_path / "out")
        assert not list(tmp_path.iterdir())


ROW = (
    "region", "welfare_pct", "welfare_musd", "real_wage_pct", "price_level_pct", "exports_pct",
    "imports_pct", "terms_of_trade_pct", "volume_of_trade_pct", "trade_cost_pct", "higher_order_pct",
)  # fmt: skip


class TestJson:
    def check(self, answer):
        assert {
            "world", "scenario", "solve", "regions", "sectors", "units", "assumptions", "limits",
            "provenance",
        } <= set(answer)  # fmt: skip
        assert answer["solve"]["status"] == "converged"
        assert 0 <= answer["solve"]["residual"] < 1e-8
        assert isinstance(answer["solve"]["steps"], int)
        assert answer["solve"]["seconds"] > 0
        for row in answer["regions"]:
            assert set(ROW) <= set(row)
            assert all(v is None or isinstance(v, str | int | float) for v in row.values())
            assert isinstance(row["welfare_pct"], float)
            terms = [k for k in row if k.endswith("_pct") and k in answer["units"]]
            assert {k for k in ROW if k.endswith("_pct")} <= set(terms)
        assert all(isinstance(line, str) and line for line in answer["limits"])

    def test_run(self, call, scenario):
        code, out, err = call("run", scenario, *G20, "--json")
        assert code == 0
        assert not err
        assert out.count("\n") == 1
        assert out.isascii()  # any terminal can take it
        answer = strict(out)
        self.check(answer)
        assert [r["region"] for r in answer["regions"]] == list(
            ep.load_world("world-2019-g20").regions
        )
        assert answer["scenario"]["changes"][0]["by"] == "-5%"
        assert answer["provenance"]["world_sha256"] == answer["world"]["sha256"]
        assert answer["assumptions"]["tariffs"] == "none"
        # The record can be asked again and gives the same numbers.
        again = ep.run(ep.load_world("world-2019-g20"), ep.read_scenario(answer["scenario"]))
        assert [r["welfare_pct"] for r in again.to_dict()["regions"]] == [
            r["welfare_pct"] for r in answer["regions"]
        ]

    def test_the_split_adds_up(self, call, scenario):
        from entrepot.equilibrium.welfare import SPLIT_TERMS

        for row in strict(call("run", scenario, *G20, "--json")[1])["regions"]:
            parts = sum(row.get(f"{term}_pct") or 0 for term in SPLIT_TERMS)
            assert parts == pytest.approx(row["welfare_pct"], abs=1e-9)

    def test_the_path_split_adds_up_by_partner_and_by_sector(self, call, scenario, tmp_path):
        import pandas as pd

        code, said, _ = call("run", scenario, *G20, "--path", "--json", "--out", tmp_path / "out")
        assert code == 0
        cells = pd.read_csv(tmp_path / "out" / "welfare_path.csv", keep_default_na=False)
        for row in strict(said)["regions"]:
            terms = {
                k.removeprefix("path_").removesuffix("_pct"): v
                for k, v in row.items()
                if k.startswith("path_") and k != "path_left_over_pct"
            }
            assert sum(terms.values()) == pytest.approx(row["welfare_pct"], abs=1e-6)
            assert abs(row["path_left_over_pct"]) < 1e-6
            for half in ("partner", "sector"):
                mine = cells[(cells["by"] == half) & (cells["region"] == row["region"])]
                sums = mine.groupby("term")["value_pct"].sum()
                for term, value in terms.items():
                    assert sums.get(term, 0.0) == pytest.approx(value, abs=1e-9)

    def test_with_tariffs_and_a_folder(self, call, tmp_path, page):
        table = write(
            tmp_path,
            "# source: a test\nimporter,exporter,sector,rate\nUSA,CHN,C,0.2\nCHN,USA,A,0.1\n",
            "t.csv",
        )
        path = write(
            tmp_path, TEXT.replace("trade_cost", "tariff").replace("by: -5%", "to: eliminate")
        )
        code, out, err = call(
            "run", path, *G20, "--tariffs", table, "--json", "--out", tmp_path / "o"
        )
        assert code == 0
        answer = strict(out)
        self.check(answer)
        assert answer["assumptions"]["tariffs"] == "a test"
        assert err.startswith("Written to ")
        assert strict((tmp_path / "o" / "result.json").read_text()) == answer

    def test_no_trade_has_no_numbers_that_are_none(self, call, tmp_path):
        """An economy cut off: ratios without a base are null, never NaN."""
        text = TEXT.replace("trade_cost", "embargo").replace(
            "    by: -5%\n", "    both_ways: true\n"
        )
        text = text.replace("CHN", "ARG").replace("[USA, eu27]", "all")
        text += "assumptions: {closure: zero}\n"
        code, out, err = call("run", write(tmp_path, text), *G20, "--json")
        assert code == 0, err
        row = next(r for r in strict(out)["regions"] if r["region"] == "ARG")
        assert row["exports_pct"] == pytest.approx(-100)

    def test_lists(self, call):
        code, out, _ = call("scenarios", "--json")
        assert code == 0
        assert all(set(row) == {"name", "why"} for row in strict(out))
        code, out, _ = call("world", "list", "--json")
        assert code == 0
        assert [row["state"] for row in strict(out)][:2] == ["embedded", "embedded"]
        code, out, _ = call("world", "show", "world-2019-g20", "--json")
        assert code == 0
        assert strict(out)["sha256"] == ep.load_world("world-2019-g20").content_hash

    def test_text(self, call, scenario):
        for args in (("scenarios",), ("world", "list"), ("world", "show", "world-2019-g20")):
            code, out, err = call(*args)
            assert code == 0
            assert out
            assert not err
        code, out, err = call("run", scenario, *G20)
        assert code == 0
        assert not err
        for word in ("world-2019-g20", "uniform-5", "Certificate", "leaves out", "OECD"):
            assert word.casefold() in out.casefold()

    def test_labels_are_text_not_markup(self, call, tmp_path):
        """Square brackets mean something to the terminal library; labels may hold them."""
        world = tiny(("[/x]", "[red]"), "[/b]", "[bold]")
        write_world(tmp_path / "w.npz", world)
        path = write(
            tmp_path,
            TEXT.replace("[USA, eu27]", "'[red]'")
            .replace("CHN", "'[/x]'")
            .replace("a test", "[/y] \\\\"),
        )
        code, out, err = call("run", path, "--world", tmp_path / "w.npz", "--out", tmp_path / "o")
        assert code == 0, err
        for word in ("[/x]", "[red]", "[/b]", "[bold]"):
            assert word in out
        code, out, err = call("world", "show", tmp_path / "w.npz")
        assert code == 0, err
        assert "[/x]" in out


class TestImport:
    def test_is_cheap(self):
        heavy = [
            "jax",
            "pandas",
            "xarray",
            "scipy",
            "pyarrow",
            "altair",
            "numpy",
            "rich",
            "yaml",
            "pydantic",
        ]
        code = f"import sys, entrepot; print([m for m in {heavy} if m in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout == "[]\n"

    def test_solving_loads_none_of_the_edges(self):
        heavy = ["jax", "pandas", "xarray", "scipy", "pyarrow", "altair"]
        code = (
            "import sys, entrepot as ep\n"
            "w = ep.load_world('world-2019-g20')\n"
            "ep.run(w, ep.read_scenario({'name': 'n', 'why': 'w', 'changes': []}))\n"
            f"print([m for m in {heavy} if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout == "[]\n"

    def test_every_public_name_loads(self):
        for name in ep.__all__:
            assert getattr(ep, name) is not None
        assert set(ep.__all__) <= set(dir(ep))
        with pytest.raises(AttributeError, match="nonsense"):
            _ = ep.nonsense


COMMAND = [sys.executable, "-m", "entrepot.cli.main"]


def heeds_interrupts():
    """A job in the background of a script has interrupts ignored, and hands that down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class TestProcesses:
    """Real processes: signals, pipes, full disks, odd terminals."""

    def test_the_command_is_installed(self):
        installed = shutil.which("entrepot", path=str(Path(sys.executable).parent))
        done = subprocess.run([installed, "version"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == ep.__version__

    @pytest.mark.parametrize(
        ("module", "name"),
        [("entrepot.results.run", "solve_closure"), ("entrepot.report.page", "report_page")],
        ids=["solving", "writing"],
    )
    def test_interrupted(self, tmp_path, scenario, module, name):
        code = (
            f"import sys, time, {module} as m\n"
            f"def slow(*args, **kwargs): print('NOW', file=sys.stderr, flush=True); time.sleep(60)\n"
            f"m.{name} = slow\n"
            f"sys.argv = ['entrepot', 'run', {str(scenario)!r}, '--world', 'world-2019-g20', "
            f"'--out', {str(tmp_path / 'out')!r}]\n"
            "from entrepot.cli.main import main\nmain()\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heeds_interrupts,
        )
        try:
            assert process.stderr.readline() == "NOW\n"
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)[1]
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 130
        assert "Traceback" not in said
        assert [p.name for p in tmp_path.iterdir()] == ["s.yaml"]

    @pytest.mark.parametrize(
        "args",
        [("world", "show", "world-2019-g20"), ("world", "show", "world-2019-g20", "--json")],
        ids=["text", "json"],
    )
    def test_a_reader_that_leaves(self, args):
        reader, writer = os.pipe()
        process = subprocess.Popen([*COMMAND, *args], stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        os.close(reader)  # nobody reads
        said = process.communicate(timeout=60)[1]
        assert said == b""
        assert process.returncode == 0

    def test_a_reader_that_leaves_does_not_cost_the_folder(self, tmp_path, scenario):
        reader, writer = os.pipe()
        process = subprocess.Popen(
            [*COMMAND, "run", scenario, *G20, "--out", tmp_path / "out"],
            stdout=writer,
            stderr=subprocess.PIPE,
        )
        os.close(writer)
        os.close(reader)
        said = process.communicate(timeout=120)[1]
        assert said == b""
        assert process.returncode == 0
        assert (tmp_path / "out" / "report.html").exists()

    @pytest.mark.parametrize("args", [("version",), ("world", "list", "--json")])
    def test_a_full_disk(self, args):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run([*COMMAND, *args], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1

    def test_a_terminal_without_unicode(self):
        env = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
        done = subprocess.run(
            [*COMMAND, "world", "show", "world-2019-g20"], capture_output=True, env=env, check=False
        )
        assert done.returncode == 0, done.stderr
        assert b"T?rkiye" in done.stdout

    def test_a_scenario_from_a_pipe(self, scenario):
        """`entrepot run <(make-scenario)`."""
        done = subprocess.run(
            [*COMMAND, "run", "/dev/stdin", *G20, "--json"],
            input=TEXT.encode(),
            capture_output=True,
            check=True,
        )
        assert strict(done.stdout)["scenario"]["name"] == "small opening"
