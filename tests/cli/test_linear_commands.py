"""`entrepot gradient` and `entrepot response`."""

import json

import pytest

G20 = ("--world", "world-2019-g20")


def test_gradient_in_words_and_as_json(call):
    code, said, _ = call("gradient", "tariff-war", "--of", "real_income:USA", *G20, "--most", "3")
    assert code == 0
    assert "per cent per percentage point" in said
    assert "Closure world_share" in said
    code, said, _ = call(
        "gradient", "tariff-war", "--of", "output:CHN:C", "--with-respect-to", "productivity", *G20,
        "--closure", "proportional", "--elasticities", "4", "--sourcing", "by_use", "--json",
    )  # fmt: skip
    answer = json.loads(said)
    assert code == 0
    assert answer["assumptions"]["closure"] == "proportional"
    assert answer["world"] == "world-2019-g20"
    assert answer["residual"] < 1e-8
    assert len(answer["rows"]) == 20


def test_gradient_with_a_table_of_tariffs(call, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("# source: a test\nimporter,exporter,sector,rate\nUSA,CHN,C,0.2\n")
    args = ("gradient", "opening-by-agreement", "--of", "tariff_revenue:USA", *G20, "--json")
    code, said, _ = call(*args, "--tariffs", table)
    assert code == 0
    assert json.loads(said)["rows"][0]["effect"] != json.loads(call(*args)[1])["rows"][0]["effect"]


def test_response(call):
    code, said, _ = call("response", "productivity", *G20, "--check", "0.01", "--sectors", "C")
    assert code == 0
    assert "Against the exact answer" in said
    assert "'C'" in said
    code, said, _ = call("response", "import_tariffs", *G20, "--of", "USA", "--json")
    answer = json.loads(said)
    assert code == 0
    assert len(answer["rows"]) == 400
    assert answer["largest_error"] is None


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("gradient", "tariff-war", "--of", "real_incom:USA"), "did you mean 'real_income'"),
        (
            ("gradient", "tariff-war", "--of", "real_income:USA", "--most", "0"),
            "greater than or equal to 1",
        ),
        (("gradient", "nowhere", "--of", "real_income:USA"), "nowhere"),
        (("response", "productivit"), "did you mean 'productivity'"),
        (("response", "labour", "--check", "0"), "0.0001"),
        (("response", "labour", "--closure", "zero"), "world_share or proportional"),
        (("response", "labour", "--sectors", "C"), "takes no sectors"),
        (("response", "labour", "--variant", "one-sector"), "the table as it is"),
        (("response", "labour", "--of", "usa"), "USA"),
        (("response", "labour", "--elasticities", "-3"), "positive"),
        (("response", "labour", "--sectors", "Z99"), "Z99"),
    ],
)
def test_faults_are_one_line_and_exit_2(call, args, says):
    code, said, err = call(*args, *G20)
    assert code == 2
    assert not said
    assert says in err
    assert err.count("\n") == 1
