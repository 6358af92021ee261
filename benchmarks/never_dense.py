"""Time and memory of training steps of networks that were never dense: `python -m benchmarks.never_dense`.

    python -m benchmarks.never_dense                                      # NETWORKS, each in a process of its own
    python -m benchmarks.never_dense --connections 1e5,1e6,1e7,1e8 --plot steps.png
    python -m benchmarks.never_dense --models sparse-mlp-784-1000-10@0.01 --batch-size 60
    python -m benchmarks.never_dense --models sparse-mlp-100000-1000-1000-10@e20 --batch-size 60 --nonzero 0.01  # sparse examples

Seconds are medians of single steps by SGD with momentum, on examples that were bound before. Memory is the process's high-water
mark, everything in it: the interpreter, libraries, the network and its optimizer in Python, and what the step holds. At the end 30%
of all connections move three times (`prune.set_move`): median seconds to choose them, and until the next step is done beyond what a
step takes, and the sum of both for the first move, for which the system finds new memory. Times that others published are of other
machines, and named as such.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import scipy.sparse

import tinyticket as tt
from benchmarks import environment
from tinyticket.compiler import CompiledStep

SET, NERVA = "sparse-mlp-100000-600000-600000-600000-10@e21.3", "sparse-mlp-3072-32768-32768-32768-10@0.01"
NETWORKS = {SET: 2, NERVA: 100}
"""By the name of a network, the size of its batches."""

PUBLISHED = {
    SET: "SET's authors' code: 100 s (Mocanu et al. 2018)",
    NERVA: "Nerva: 8.9 s on four threads (its authors' log)",
}
FAN = 10
"""Connections of an input or output of a layer, where networks are made of a number of connections."""

MOVED, MOVES = 0.3, 3
"""Share of the connections that move, and how often."""

SECONDS, STEPS = 5.0, 50
"""Steps are timed so long, or so many."""


def one(name: str, batch_size: int, threads: int, nonzero: float | None = None) -> dict[str, Any]:
    """Return what a network takes in this process, which does nothing else; examples are sparse if a share of them is told."""
    sizes = [int(size) for size in name.removeprefix("sparse-mlp-").split("@")[0].split("-")]
    began = time.perf_counter()
    model = tt.models.create(name, (sizes[0],), sizes[-1], rng=0)
    made = time.perf_counter()
    optimizer = tt.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    step = tt.compile(model, optimizer=optimizer, batch_size=batch_size, threads=threads)
    rng = np.random.default_rng(1)  # not the network's, or a move would draw the positions again that it drew
    shape = (4 * batch_size, sizes[0])
    x = (
        rng.standard_normal(shape, np.float32)
        if nonzero is None
        else scipy.sparse.random(*shape, nonzero, "csr", np.float32, rng=rng)
    )
    data = x, rng.integers(0, sizes[-1], 4 * batch_size)
    batches = rng.permutation(4 * batch_size).reshape(4, batch_size)
    step(data, batches[0])
    ready, seconds = time.perf_counter(), list[float]()
    while len(seconds) < 3 or (sum(seconds) < SECONDS and len(seconds) < STEPS):
        start = time.perf_counter()
        step(data, batches[len(seconds) % 4])
        seconds.append(time.perf_counter() - start)
    connections = sum(weight.size for weight in model.prunable().values())
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    usual = statistics.median(seconds)
    chosen, moved = zip(*(move(step, data, batches[0], rng) for _ in range(MOVES)), strict=True)
    return {
        "network": name,
        "batch_size": batch_size,
        "connections": connections,
        "seconds": usual,
        "drawn_seconds": made - began,
        "first_step_seconds": ready - made,
        "chosen_seconds": statistics.median(chosen),
        "moved_seconds": statistics.median(moved) - usual,
        "first_move_seconds": chosen[0] + moved[0] - usual,
        "peak_bytes": 1024 * int(peak.split()[1]),
        "bytes_a_connection": step._program.nbytes / connections,
    }


def move(step: CompiledStep, data: Any, batch: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Move connections; return the seconds to choose them, and from then until a step is done."""
    weights, layers = step.weights(), tt.nn.sparse_layers(step.model)
    asked = time.perf_counter()
    moves = {name: tt.prune.set_move(each.connections, weights[name], MOVED, rng) for name, each in layers.items()}
    chosen = time.perf_counter()
    step.change_connections(moves)
    step(data, batch)
    return chosen - asked, time.perf_counter() - chosen


def in_a_process(name: str, batch_size: int, threads: int, nonzero: float | None) -> dict[str, Any]:
    """Run `one` in a process of its own, and return its row."""
    call = f"never_dense.one({name!r}, {batch_size}, {threads}, {nonzero})"
    script = f"import json; from benchmarks import never_dense; print(json.dumps({call}))"
    settings = {**os.environ, "NUMBA_NUM_THREADS": str(max(threads, environment.cores()))}
    done = subprocess.run([sys.executable, "-c", script], env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def of_connections(count: float) -> str:
    """Return the name of a network with two hidden layers that has so many connections, its output layer's among them."""
    side = max(10, round(count / (5 * FAN)))
    return f"sparse-mlp-{side}-{side}-{side}-10@e{FAN}"


def plot(rows: Sequence[dict[str, Any]], path: str) -> None:
    """Draw the time of a step against the number of connections."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    counts, seconds = ([row[name] for row in rows] for name in ("connections", "seconds"))
    axes.loglog(counts, seconds, "o-", label="a training step")
    middle = len(rows) // 2
    axes.loglog(
        counts, [seconds[middle] * n / counts[middle] for n in counts], ":", color="gray", label="in proportion"
    )
    each = [1e9 * row["seconds"] / row["connections"] for row in rows]
    axes.set(
        xlabel="connections of the network",
        ylabel="seconds",
        title=f"A step takes {min(each):.2g} to {max(each):.2g} ns a connection, in batches of {rows[0]['batch_size']}",
    )
    axes.legend()
    figure.savefig(path, dpi=150)


@click.command()
@click.option("--models", default="", help="Names of networks, comma-separated.")
@click.option("--connections", default="", help="Networks of so many connections, comma-separated.")
@click.option("--batch-size", type=click.IntRange(1), help="Examples in a batch.  [that of the network, or 2]")
@click.option("--threads", type=click.IntRange(1), default=environment.cores, help="Threads of a step.")
@click.option(
    "--nonzero",
    type=click.FloatRange(0, 1, min_open=True),
    help="Examples in scipy.sparse, of which this share is not 0.",
)
@click.option("--plot", "picture", metavar="PNG", help="Draw seconds against connections.")
@click.option("--json", "file", metavar="FILE", help="Write the rows.")
def main(
    models: str,
    connections: str,
    batch_size: int | None,
    threads: int,
    nonzero: float | None,
    picture: str | None,
    file: str | None,
):
    """Time steps of networks that were never dense."""
    names = [*filter(None, models.split(",")), *(of_connections(float(n)) for n in connections.split(",") if n)]
    rows = []
    print(
        f"{'network':52} {'connections':>12} {'batch':>5} {'step':>9} {'drawn':>7} {'first':>7} {'memory':>8} {'step holds':>12} "
        f"{'chosen':>7} {'moved':>7} {'at first':>8}"
    )
    for name in names or NETWORKS:
        row = in_a_process(name, batch_size or NETWORKS.get(name, 2), threads, nonzero)
        rows.append(row)
        print(
            f"{name:52} {row['connections']:12,} {row['batch_size']:5} {_time(row['seconds']):>9} {row['drawn_seconds']:5.1f} s "
            f"{row['first_step_seconds']:5.1f} s {row['peak_bytes'] / 1e9:5.2f} GB {row['bytes_a_connection']:5.1f} B each "
            f"{row['chosen_seconds']:5.2f} s {row['moved_seconds']:5.2f} s "
            f"{row['first_move_seconds']:6.2f} s",
            flush=True,
        )
        if name in PUBLISHED:
            print(f"    {PUBLISHED[name]}")
    if picture:
        plot(rows, picture)
    if file:
        Path(file).write_text(json.dumps(rows, indent=1))


def _time(seconds: float) -> str:
    """Say a time with three digits."""
    unit, factor = next(
        pair for pair in (("s", 1), ("ms", 1e3), ("µs", 1e6)) if seconds * pair[1] >= 1 or pair[0] == "µs"
    )
    value = seconds * factor
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f} {unit}"


if __name__ == "__main__":
    main()
