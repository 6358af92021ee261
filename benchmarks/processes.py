"""The middle of several processes.

Now and then a process runs everything slowly from its beginning to its end, peers included: where its memory came to
lie, or what else the machine did. No block within that process shows it. So published figures come from several
processes, one after the other, and of each row the one with the middle ratio is kept whole.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import rows
from benchmarks.arguments import Options
from benchmarks.check import WrongResultError
from benchmarks.rows import Row
from tinyticket.errors import InputError

OWN_OPTIONS = ("--processes", "--json", "--plot")


def middle_of_many(options: Options, given: Sequence[str]) -> list[Row]:
    """Run the same command in several processes and keep the middle one of each row."""
    rest = without(given, OWN_OPTIONS)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.processes):
            path = Path(folder) / f"{number}.json"
            print(f"process {number + 1} of {options.processes}", flush=True)
            done = subprocess.run([sys.executable, "-m", "benchmarks", *rest, "--json", str(path)], check=False)
            if done.returncode == 2:
                raise InputError("the process refused its arguments, see above")
            if done.returncode or not path.exists():
                raise WrongResultError(f"process {number + 1} ended with exit code {done.returncode}")
            runs.append(rows.read(str(path)))
    print(f"\nthe middle of {options.processes} processes:")
    return middle(runs)


def middle(runs: Sequence[Sequence[Row]]) -> list[Row]:
    """Return of each row the one with the middle ratio (or time, without a peer), and how far the processes lay apart."""
    kept = []
    for same in zip(*runs, strict=True):
        ratios = [r["ratio"] for r in same if r["ratio"] is not None]
        key = "ratio" if len(ratios) == len(same) else "seconds"
        ordered = sorted(same, key=lambda r: (r[key] is None, r[key]))
        chosen = dict(ordered[len(ordered) // 2])
        chosen["processes"] = len(same)
        if len(ratios) == len(same):
            chosen["ratios"] = sorted(ratios)
        kept.append(chosen)
    return kept


def without(given: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the command line without some options and their values, in both spellings."""
    kept, skip = [], False
    for word in given:
        if skip:
            skip = False
        elif word in options:
            skip = True
        elif not any(word.startswith(f"{option}=") for option in options):
            kept.append(word)
    return kept
