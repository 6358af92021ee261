"""Damaged result files: each is read as far as it goes or refused in one sentence, and takes neither more memory nor more time.

TINYTICKET_FUZZ_TICKETS says how many cases are tried and TINYTICKET_FUZZ_FIRST from which on; case i is always the same.
"""

import os
import subprocess
import sys
from collections import Counter

from tests.cli.commands import ENVIRONMENT
from tests.fuzz.tickets import seeds

CASES = int(os.environ.get("TINYTICKET_FUZZ_TICKETS", 35))
FIRST = int(os.environ.get("TINYTICKET_FUZZ_FIRST", 0))


def test_damaged_files_are_read_or_refused(tmp_path):
    seeds(tmp_path)
    outcomes, bugs, died, case = Counter(), [], [], FIRST
    while case < FIRST + CASES:
        command = [sys.executable, "-m", "tests.fuzz.tickets", str(tmp_path), str(case), str(FIRST + CASES)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
            what = making = None
            for line in process.stdout:
                kind, _, rest = line.strip().partition(" ")
                if kind == "making":  # with HDF5 itself, which damage of one kind may crash before the other is done
                    making, case = rest, int(rest) + 1
                    continue
                if kind == "case":
                    what, making = rest, None
                    continue
                outcomes[kind] += 1
                if kind == "bug":
                    bugs.append(f"case {what}: " + rest.replace("\x1f", "\n"))
                what = None
        if process.returncode and making is not None:
            outcomes["not made"] += 1
        elif process.returncode:
            assert what is not None, f"the reading process ended with {process.returncode} before a case"
            died.append(f"case {what}: {process.returncode}")
    print(f"{dict(outcomes)}, {len(died)} took HDF5 and their process with them: {died}")
    assert not bugs, "\n".join([f"{len(bugs)} of {CASES}", *bugs[:20]])
    assert len(died) <= CASES / 100, died
