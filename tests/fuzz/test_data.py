"""Strange data files end as a data set or in one sentence: no other error, no waiting, nothing else read, written or run.

TINYTICKET_FUZZ_CASES is the number of cases of each format, of which the default takes some seconds; TINYTICKET_FUZZ_FIRST
the first one's number. A case is made again from its format and number, which the failure names.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.formats import FORMATS

CASES = int(os.environ.get("TINYTICKET_FUZZ_CASES", "150"))
FIRST = int(os.environ.get("TINYTICKET_FUZZ_FIRST", "0"))
ROOT = Path(__file__).parents[2]


def work(form, first, count):
    command = [sys.executable, "-m", "tests.fuzz.data_worker", form, str(first), str(count)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60 + count)


@pytest.mark.parametrize("form", FORMATS)
def test_strange_files_end_as_data_or_in_a_sentence(form):
    done = work(form, FIRST, CASES)
    assert done.returncode == 0, f"the last case was {done.stdout[-3000:]} {done.stderr[-3000:]}"
    assert f"{form}: {CASES} cases from {FIRST}" in done.stdout
    assert "'data'" in done.stdout  # some are sound: the others are refused for their own faults
    assert "'refused'" in done.stdout
    assert done.stderr == ""
