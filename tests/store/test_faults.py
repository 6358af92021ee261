"""A fault at every call of the system in a run of commits: nothing is lost (`tests.store.faults` says what that means).

$TINYTICKET_FAULTS is the step from call to call, 1 for all of them; $TINYTICKET_SMALL_DISK is a folder on a disk of some megabytes.
"""

import os
import re
import subprocess
import sys

import pytest

from tests.cli.commands import ENVIRONMENT

STEP = int(os.environ.get("TINYTICKET_FAULTS", 0))


@pytest.mark.parametrize(
    ("kind", "step"), [("error", 13), ("full", 17), ("before", 13), ("after", 17), ("read", 199), ("room", 4096)]
)
def test_nothing_is_lost(kind, step):
    if kind == "room" and "TINYTICKET_SMALL_DISK" not in os.environ:
        pytest.skip("needs a small disk: set TINYTICKET_SMALL_DISK to a folder on it")
    command = [sys.executable, "-m", "tests.store.faults", kind, "3", str(STEP or step)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    assert int(re.fullmatch(r"(\d+) faults of the kind \w+\n", done.stdout)[1]) > 5
