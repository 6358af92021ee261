"""The overhead of the program around a training: milliseconds for each of 1,000 trainings of one iteration of a tiny network.

    python -m benchmarks.overhead                   # in one process, with a result file, and with two processes
    python -m benchmarks.overhead ../old            # another checkout first, then this one

The network has 344 weights; a trial is a dense network, a ticket and two controls. Starting Python and compiling kernels are
left out, starting processes is not.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

HERE = Path(__file__).resolve().parents[1]

SCRIPT = """
import sys, time
import numpy as np
import tinyticket as tt

trials, out, workers = int(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3])
rng = np.random.default_rng(0)
x, y = rng.normal(size=(120, 12)).astype(np.float32), rng.integers(0, 3, 120)
data = tt.data.from_arrays(x, y, x[:40], y[:40], name="noise")
options = {"rounds": 1, "iterations": 1, "batch_size": 20, "validation": 20, "evaluate_every": 1, "controls": "reinit,random"}
tt.lottery.find("mlp-12-16-8-3", data, trials=1, **options)
began, cpu = time.perf_counter(), time.process_time()
tt.lottery.find("mlp-12-16-8-3", data, trials=trials, out=out, workers=workers, threads=workers, **options)
jobs = 4 * trials
print(1e3 * (time.perf_counter() - began) / jobs, 1e3 * (time.process_time() - cpu) / jobs)
"""
WAYS = {"one process": ("", 1), "with a file": ("result.h5", 1), "two processes": ("", 2)}


@click.command(help=__doc__)
@click.argument("checkouts", nargs=-1, type=click.Path(exists=True, file_okay=False))
@click.option("--jobs", type=click.IntRange(4), default=1000, show_default=True)
def main(checkouts: tuple[str, ...], jobs: int) -> None:
    """Print a row for every way and checkout."""
    click.echo(f"{'checkout':30} {'':15} {'ms a job':>10} {'of the CPU':>12}")
    for way, (file, workers) in WAYS.items():
        for checkout in (*checkouts, str(HERE)):
            with tempfile.TemporaryDirectory() as folder:
                given = [str(jobs // 4), str(Path(folder) / file) if file else "", str(workers)]
                environment = {**os.environ, "PYTHONPATH": os.path.abspath(checkout)}
                run = [sys.executable, "-c", SCRIPT, *given]
                wall, cpu = subprocess.check_output(run, env=environment, cwd=checkout, text=True).split()
            click.echo(f"{Path(checkout).resolve().name:30} {way:15} {float(wall):10.2f} {float(cpu):12.2f}")


if __name__ == "__main__":
    main()
