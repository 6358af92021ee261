"""Two checkouts, pruned and dense, and one thread and all of them, timed in turns."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.checkouts import main

ROOT = Path(__file__).resolve().parents[2]


STEP, PREDICT = "mlp-784-8-10:0.5:2:20:step", "mlp-784-8-10:0.5:1:20:predict-3"


@pytest.mark.parametrize(
    ("arguments", "sides", "cases"),
    [
        ((ROOT,), "other .* this", (STEP, PREDICT)),
        (("--busy", 1), "one thread .* all", (STEP,)),
        (("--dense",), "dense .* pruned", (STEP,)),
    ],
)
def test_a_line_for_every_case(arguments, sides, cases):
    quick = ["--cases", ",".join(cases), "--blocks", "2", "--seconds", "0.02"]
    command = [sys.executable, "-m", "benchmarks.checkouts", *map(str, arguments), *quick]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for line, case in zip(done.stdout.splitlines(), cases, strict=True):
        assert re.match(rf"{case} +{sides} .*ratio \d+\.\d+ \[\d+\.\d+, \d+\.\d+\]$", line), line


def test_dense_networks_of_another_checkout_are_refused():
    refused = CliRunner().invoke(main, [str(ROOT), "--dense"])
    assert refused.exit_code == 2
    assert "--dense compares cases of this checkout alone" in refused.output


def test_a_folder_that_is_no_checkout_is_named(tmp_path):
    command = [sys.executable, "-m", "benchmarks.checkouts", str(tmp_path), "--cases", "nothing:1:1:20:step"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert f"{tmp_path} cannot run nothing" in done.stderr
