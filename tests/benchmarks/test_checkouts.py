"""Two checkouts, and one thread and all of them, timed in turns."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("arguments", "sides"), [((ROOT,), "other .* this"), (("--busy", 1), "one thread .* all")])
def test_a_line_for_every_case(arguments, sides):
    quick = [
        "--cases",
        "mlp-784-8-10:0.5:2:20:step,mlp-784-8-10:0.5:1:20:predict-3",
        "--blocks",
        "2",
        "--seconds",
        "0.02",
    ]
    command = [sys.executable, "-m", "benchmarks.checkouts", *map(str, arguments), *quick]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    for line, case in ((first, "mlp-784-8-10:0.5:2:20:step"), (second, "mlp-784-8-10:0.5:1:20:predict-3")):
        assert re.match(rf"{case} +{sides} .*ratio \d+\.\d+ \[\d+\.\d+, \d+\.\d+\]$", line), line


def test_a_folder_that_is_no_checkout_is_named(tmp_path):
    command = [sys.executable, "-m", "benchmarks.checkouts", str(tmp_path), "--cases", "nothing:1:1:20:step"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert f"{tmp_path} cannot run nothing" in done.stderr
