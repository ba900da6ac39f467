"""`entrepot world ...`: exit codes, one line of complaint, nothing half-written."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import entrepot as ep
from entrepot.sources import plain
from entrepot.world.audit import raw_of

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))
from official import FIGARO_FINALS, ICIO_FINALS, content, figaro_matrix_rows, icio_rows, write_csv


@pytest.fixture
def call(call):
    """The same for the commands of `entrepot world`."""
    return lambda *args: call("world", *args)


@pytest.fixture
def icio(tmp_path):
    c = content(["AUS", "CHN", "USA"], ["A01", "C24A"], ICIO_FINALS, seed=1)
    return write_csv(tmp_path / "2019_SML.csv", icio_rows(c))


@pytest.fixture
def broken(tmp_path):
    rows = [
        list(r) for r in icio_rows(content(["AUS", "CHN", "USA"], ["A01", "C24A"], ICIO_FINALS))
    ]
    rows[3][2] = "-7.5"
    return write_csv(tmp_path / "2018_SML.csv", rows)


class TestCheck:
    def test_exit_codes(self, call, icio, broken, tmp_path):
        assert call("check", icio)[0] == 0
        code, out, _ = call("check", broken)
        assert code == 1
        assert "negative-flows" in out
        assert "CHN A01 to AUS C24A: -7.5" in out
        for nothing in (tmp_path / "none.csv", tmp_path):
            code, out, err = call("check", nothing)
            assert (code, out) == (2, "")
            assert err.count("\n") == 1

    def test_json(self, call, broken):
        code, out, _ = call("check", broken, "--json")
        data = json.loads(out)
        assert code == 1
        assert data["passed"] is False
        finding = next(f for f in data["findings"] if f["check"] == "negative-flows")
        assert finding["worst"] == [{"where": "CHN A01 to AUS C24A", "value": -7.5}]

    def test_worlds_by_name(self, call):
        assert call("check", "world-2022")[0] == 0

    def test_a_tolerance_may_be_declared(self, call, tmp_path):
        rows = [list(r) for r in icio_rows(content(["AUS", "CHN"], ["A01", "C24A"], ICIO_FINALS))]
        rows[-2][1] = repr(float(rows[-2][1]) + 3)
        path = write_csv(tmp_path / "2018_SML.csv", rows)
        assert call("check", path)[0] == 1
        assert call("check", path, "--atol", "3.5")[0] == 0


class TestConvert:
    @pytest.mark.parametrize("target", ["w.zarr", "w.npz", "w"])
    def test_any_store(self, call, icio, tmp_path, target):
        code, out, _ = call("convert", icio, tmp_path / target)
        assert code == 0
        assert "written to" in out
        got = ep.load_world(tmp_path / target)
        assert got.content_hash == ep.load_world(icio).content_hash
        assert call("show", tmp_path / target)[0] == 0

    def test_repairs_are_chosen_and_told(self, call, broken, tmp_path):
        target = tmp_path / "w.zarr"
        code, out, err = call("convert", broken, target)
        assert code == 2
        assert "negative-flows-to-zero" in err
        assert not target.exists()
        arguments = ("--repair", "negative-flows-to-zero", "--repair", "discrepancy-to-value-added")
        code, out, _ = call("convert", broken, target, *arguments)
        assert code == 0
        assert "Repair negative-flows-to-zero: 1 cells, 7.5 million USD" in out
        code, out, _ = call("convert", broken, target, *arguments, "--json")
        assert [s["step"] for s in json.loads(out)["steps"]] == [
            "negative-flows-to-zero",
            "discrepancy-to-value-added",
        ]
        code, out, _ = call("show", target)
        assert "negative-flows-to-zero" in out

    def test_currency(self, call, tmp_path):
        c = content(
            ["AT", "FIGW1"], ["A01", "F"], FIGARO_FINALS, added=3, margins=("OP_RES", "OP_NRES")
        )
        path = write_csv(
            tmp_path / "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv", figaro_matrix_rows(c)
        )
        code, _, err = call("convert", path, tmp_path / "w.zarr")
        assert code == 2
        assert "--rate" in err
        assert call("convert", path, tmp_path / "w.zarr", "--rate", "1.05")[0] == 0
        np.testing.assert_allclose(ep.load_world(tmp_path / "w.zarr").Z, 1.05 * c.Z, rtol=1e-14)

    def test_nothing_is_overwritten(self, call, icio, tmp_path):
        (tmp_path / "mine").mkdir()
        code, _, err = call("convert", icio, tmp_path / "mine")
        assert code == 2
        assert "not overwritten" in err
        assert call("convert", icio, tmp_path / "w.docx")[0] == 2
        assert call("convert", icio, tmp_path / "w.zarr", "--repair", "magic")[0] == 2

    def test_plain_csv(self, call, icio, tmp_path):
        assert call("convert", icio, tmp_path / "w", "--csv", "--name", "mine")[0] == 0
        assert (tmp_path / "w" / "flows.csv").exists()
        assert ep.load_world(tmp_path / "w").name == "mine"


class TestSums:
    def test_aggregate_by_file(self, call, tmp_path):
        to = tmp_path / "to.csv"
        to.write_text("region,to,weight\nUSA,NAM,\nCAN,NAM,\nMEX,NAM,0.5\nMEX,SUR,0.5\n")
        code, _, _ = call("aggregate", "world-2019-g20", tmp_path / "w.zarr", "--regions", to)
        assert code == 0
        assert {"NAM", "SUR"} < set(ep.load_world(tmp_path / "w.zarr").regions)

    def test_aggregate_by_group(self, call, tmp_path):
        code, _, _ = call(
            "aggregate", "world-2022", tmp_path / "w.zarr", "--group", "eu27", "--rest", "X"
        )
        assert code == 0
        assert ep.load_world(tmp_path / "w.zarr").regions.count("EU27") == 1

    def test_split_and_back(self, call, tmp_path):
        shares = tmp_path / "s.csv"
        shares.write_text("part,output,exports,name\nCHN-C,0.6,0.8,Coast\nCHN-I,0.4,0.2,Inland\n")
        world = ep.load_world("world-2019-g20")
        arguments = ("--region", "CHN", "--shares", shares)
        assert call("split", "world-2019-g20", tmp_path / "w.zarr", *arguments)[0] == 0
        parts = ep.load_world(tmp_path / "w.zarr")
        assert parts.parent == {"CHN-C": "CHN", "CHN-I": "CHN"}
        assert parts.region_names["CHN-C"] == "Coast"
        assert call("aggregate", tmp_path / "w.zarr", tmp_path / "b.zarr", "--to-parents")[0] == 0
        np.testing.assert_allclose(
            ep.load_world(tmp_path / "b.zarr").Z, world.Z, rtol=1e-7, atol=1e-4
        )

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("part,output\nA,0.5\n", "two parts"),
            ("part,output\nA,0.5\nB,x\n", "'x' is not a number"),
            ("part,outputs\nA,0.5\n", "no column 'output'"),
            ("part,output,colour\nA,0.5,1\n", "'colour' has no meaning"),
            ("part,output,sector\nA,0.5,Z9\n", "no sector 'Z9'"),
            ("part,output\nA,0.5\nA,0.5\n", "given already"),
        ],
    )
    def test_bad_shares(self, call, tmp_path, text, match):
        (tmp_path / "s.csv").write_text(text)
        code, _, err = call("split", "world-2019-g20", tmp_path / "w.zarr", "--region", "CHN",
                            "--shares", tmp_path / "s.csv")  # fmt: skip
        assert code == 2
        assert match in err
        assert not (tmp_path / "w.zarr").exists()

    def test_attach(self, call, tmp_path):
        (tmp_path / "jobs.csv").write_text("sector,region,value\nA,CHN,10\nA,USA,2\n")
        arguments = ("--table", tmp_path / "jobs.csv", "--name", "employment", "--dims",
                     "sector,region", "--unit", "persons", "--data-source", "a test",
                     "--rule", "sum")  # fmt: skip
        code, out, _ = call("attach", "world-2019-g20", tmp_path / "w.zarr", *arguments)
        assert code == 0
        assert "0.5% of its cells have a number" in out
        assert "No number for region ARG" in out
        assert ep.load_world(tmp_path / "w.zarr").satellites["employment"].rule == "sum"
        code, out, _ = call("show", tmp_path / "w.zarr")
        assert "employment" in out


class TestGet:
    def test_the_whole_way_from_a_server(self, call, icio, tmp_path, monkeypatch):
        """A table in the official layout, served locally, becomes a world by name."""
        import threading
        import zipfile
        from functools import partial
        from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

        import entrepot.catalogues.addresses as catalogue

        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        served = tmp_path / "served"
        served.mkdir()
        with zipfile.ZipFile(served / "2016-2022_SML.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(icio, "2019_SML.csv")
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            file = catalogue.FileAddress(
                name="oecd-test-2016-2022_SML.zip", url=f"{address}/2016-2022_SML.zip",
                years=tuple(range(2016, 2023)), landing=address, member="{year}_SML.csv",
            )  # fmt: skip
            row = catalogue.Address(
                name="oecd-icio-2025", title="a test", reader="oecd-icio", landing=address,
                seen="here", files=(file,),
            )  # fmt: skip
            monkeypatch.setattr("entrepot.world.shelf.addresses", lambda: {row.name: row})
            monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path / "cache"))
            for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.delenv(proxy, raising=False)
            code, _, err = call("get", "oecd-icio-2025")
            assert code == 2
            assert "--year" in err
            code, _, err = call("check", "oecd-icio-2025-2019")
            assert code == 2
            assert "entrepot world get oecd-icio-2025 --year 2019" in err
            code, out, err = call("get", "oecd-icio-2025", "--year", "2019")
            assert (code, err) == (0, "")
            assert "oecd-icio-2025-2019 is built" in out
            world = ep.load_world("oecd-icio-2025-2019")
            assert world.content_hash == ep.load_world(icio).content_hash
            assert call("get", "oecd-icio-2025", "--year", "1890")[0] == 2
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def test_unknown_and_embedded(self, call):
        code, _, err = call("get", "oecd-icio-2052")
        assert code == 2
        assert "did you mean 'oecd-icio-2025'" in err
        assert call("get", "world-2022")[0] == 2

    def test_by_hand(self, call):
        code, _, err = call("get", "gloria")
        assert code == 2
        assert err.count("\n") == 1


def test_lists(call):
    code, out, _ = call("list", "--json")
    names = [row["name"] for row in json.loads(out)]
    assert code == 0
    assert {"world-2022", "oecd-icio-2025", "figaro-2024"} <= set(names)
    code, out, _ = call("repairs", "--json")
    assert {"rebalance", "blank-to-zero"} <= {r["name"] for r in json.loads(out)["repairs"]}
    assert call("list")[0] == call("repairs")[0] == 0


def test_a_plain_folder_is_a_world_for_every_command(call, tmp_path):
    plain.write(tmp_path / "w", raw_of(ep.load_world("world-2019-g20")))
    assert call("check", tmp_path / "w")[0] == 0
    assert call("show", tmp_path / "w", "--json")[0] == 0


class TestBalance:
    def test_to_targets(self, call, tmp_path):
        world = ep.load_world("world-2019-g20")
        x = world.x.reshape(20, 20)[world.regions.index("DEU"), 2]
        (tmp_path / "t.csv").write_text(f"region,sector,output,value_added\nDEU,C,{1.05 * x},\n")
        (tmp_path / "f.csv").write_text("region,final_use\nUSA,22000000\n")
        arguments = ("--targets", tmp_path / "t.csv", "--final-use", tmp_path / "f.csv")
        code, out, _ = call("balance", "world-2019-g20", tmp_path / "w.zarr", *arguments)
        assert code == 0
        assert "every target met" in out
        got = ep.load_world(tmp_path / "w.zarr")
        assert got.x.reshape(20, 20)[got.regions.index("DEU"), 2] == pytest.approx(1.05 * x)
        assert got.F[:, got.regions.index("USA")].sum() == pytest.approx(22e6)
        code, out, _ = call("show", tmp_path / "w.zarr")
        assert "Balance (gras): cells moved by" in out

    def test_contradictions_are_exit_3_and_write_nothing(self, call, tmp_path):
        (tmp_path / "t.csv").write_text("region,sector,output,value_added\nDEU,C,1000,5000\n")
        code, _, err = call("balance", "world-2019-g20", tmp_path / "w.zarr", "--targets",
                            tmp_path / "t.csv")  # fmt: skip
        assert code == 3
        assert "DEU C" in err
        assert err.count("\n") == 1
        assert not (tmp_path / "w.zarr").exists()

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("region,sector,output\nDEV,C,1\n", "no region 'DEV'"),
            ("region,sector,output\nDEU,CC,1\n", "no sector 'CC'"),
            ("region,sector\nDEU,C\n", "neither a column"),
            ("region,sector,output\nDEU,C,1\nDEU,C,2\n", "given already"),
        ],
    )
    def test_bad_targets(self, call, tmp_path, text, match):
        (tmp_path / "t.csv").write_text(text)
        code, _, err = call("balance", "world-2019-g20", tmp_path / "w.zarr", "--targets",
                            tmp_path / "t.csv")  # fmt: skip
        assert code == 2
        assert match in err
