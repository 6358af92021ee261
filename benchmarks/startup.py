"""What using tinyticket costs before the first step is done: in an empty cache of machine code, and ever after.

Two processes one after the other, with a cache folder of their own. Compilation is in no other figure: everything
else is called once before the clock runs.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.arguments import Options
from benchmarks.peers import Peers
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline

DENSITY = 0.1

SCRIPT = """
import time; began = time.perf_counter()
import numba; numba.set_num_threads({threads})
from benchmarks.masks import masks_for
from benchmarks.own_step import OwnStep
from benchmarks.problems import make
problem = make("lenet-300-100", 60, {{"train": 600, "validation": 60, "test": 60}})
[(_, masks)] = masks_for(problem.model(), [{density}], "uniform")
step = OwnStep(problem, masks); step(); step.evaluate()
print(time.perf_counter() - began)
"""


def measure(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """Yield seconds from starting Python to the end of Lenet's first step and evaluation, for a first and a later use."""
    with tempfile.TemporaryDirectory() as folder:
        for case in ("startup-first-use", "startup-later-use"):
            seconds, note = _start(folder, options.threads)
            yield row("kernels", case, DENSITY, options.threads, seconds, **({"note": note} if note else {}))


def _start(folder: str, threads: int) -> tuple[float | None, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(threads=threads, density=DENSITY)],
        env={**os.environ, "TINYTICKET_CACHE": folder},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return None, f"failed: {done.stderr.strip().splitlines()[-1]}"
    return float(done.stdout.split()[-1]), ""
