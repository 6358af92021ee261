"""What commits cost while a file grows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs /proc")
def test_a_line_for_every_round_and_one_for_all(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.commits",
        "--rounds",
        "3",
        "--megabytes",
        "1",
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    name, *rounds, end = done.stdout.splitlines()
    assert name == f"{ROOT.name}:"
    assert all(re.fullmatch(rf"round  {i}: +\d+\.\d\d s, +-?\d+ MB", line) for i, line in enumerate(rounds))
    assert re.fullmatch(r"end: .* s; all: .* s, \d+ MB at most, .* GB written for a file of 0\.00 GB \(.* times\)", end)
    assert list(tmp_path.iterdir()) == []
