"""Tariff tables from CSV."""

import numpy as np
import pytest

from entrepot.core.errors import DataError
from entrepot.sources.tariffs import read_tariffs

REGIONS, SECTORS = ("AAA", "BBB", "CCC"), ("A", "B")
HEAD = "importer,exporter,sector,rate\n"


def write(tmp_path, text):
    path = tmp_path / "tariffs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rates_land_on_origin_and_destination(tmp_path):
    path = write(tmp_path, "# source: made up\n" + HEAD + "AAA,BBB,A,0.1\nCCC,AAA,B,-0.05\n")
    rates, source = read_tariffs(path, REGIONS, SECTORS)
    expect = np.zeros((2, 3, 3))
    expect[0, 1, 0] = 0.1  # sector A, from BBB, to AAA
    expect[1, 0, 2] = -0.05
    assert np.array_equal(rates, expect)
    assert source == "made up"


def test_the_file_is_the_source_when_it_names_none(tmp_path):
    path = write(tmp_path, HEAD + "AAA,BBB,A,0.1\n")
    assert read_tariffs(path, REGIONS, SECTORS)[1] == str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "holds no rates"),
        ("importer,exporter,rate\nAAA,BBB,1\n", "no column 'sector'"),
        (HEAD + "AAA,BBC,A,0.1\n", "line 2: exporter 'BBC' .*did you mean 'BBB'"),
        (HEAD + "AAA,BBB,A,ten\n", "line 2: rate 'ten' is not a number"),
        (HEAD + "AAA,BBB,A,nan\n", "not a number"),
        (HEAD + "AAA,BBB,A,-1\n", "leaves no positive price"),
        (HEAD + "AAA,BBB,A,10.5\n", "would be 1050%; rates are fractions"),
        (HEAD + "AAA,AAA,A,0.1\n", "home sales"),
        (HEAD + "AAA,BBB,A,0.1\nAAA,BBB,A,0.2\n", "line 3: this flow has a rate already"),
        ("# source: x\n" + HEAD + "AAA,BBB,A,\n", "line 3: rate '' is not a number"),
        (HEAD + "AAA,BBB\n", "sector ''"),
    ],
)
def test_faults_name_the_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_tariffs(write(tmp_path, text), REGIONS, SECTORS)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_tariffs(tmp_path / "none.csv", REGIONS, SECTORS)
    path = tmp_path / "b.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 10)
    with pytest.raises(DataError, match="not a CSV"):
        read_tariffs(path, REGIONS, SECTORS)
