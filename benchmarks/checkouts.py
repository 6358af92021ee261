"""One checkout beside another, pruned networks beside dense ones, or one thread beside all while other processes keep cores busy.

    python -m benchmarks.checkouts ../old                 # steps and predictions of this checkout over those of ../old
    python -m benchmarks.checkouts --dense                # half of the weights over all of them
    python -m benchmarks.checkouts --busy 1               # with one core busy: all threads over one

Both sides are processes that take turns, with machine code of their own, since a checkout's lies in a folder named after its
sources: each line's ratio is the median over pairs of blocks, and so below 1 where this checkout, pruning, or taking all threads is
faster.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click

HERE = Path(__file__).resolve().parents[1]
CASES = (
    *(f"lenet-300-100:{density}:{threads}:60:step" for threads in (1, 2) for density in (1, 0.21, 0.05, 0.02)),
    *(f"lenet-300-100:0.05:1:60:predict-{count}" for count in (1, 16, 128)),
    "lenet-300-100:0.05:2:60:predict-128",
    *(f"lenet-5:{density}:{threads}:64:step" for threads in (1, 2) for density in (1, 0.2, 0.05)),
    *(f"{model}:1:{threads}:60:step" for model in ("conv-2", "resnet-20") for threads in (1, 2)),
)
BUSY = (
    *("lenet-300-100:0.05:2:60:step", "lenet-5:1:2:64:step", "lenet-5:0.05:2:64:step"),
    *("lenet-5:0.05:2:64:evaluate", "resnet-20:0.1:2:60:step"),
)
HALVES = tuple(f"{model}:0.5:2:60:step" for model in ("conv-2", "conv-4", "conv-6", "vgg-11"))
WARM, SETTLES = 20, 1.0
"""Calls before anything is timed, and seconds of calls, no more than all blocks take, in which a side chooses its threads."""


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("other", required=False)
@click.option("--cases", help="MODEL:DENSITY:THREADS:BATCH:step|evaluate|predict-N, several by commas.")
@click.option("--dense", is_flag=True, help="Compare each case with all weights kept.")
@click.option("--busy", default=0, help="Processes that compute all the time beside each measurement.")
@click.option("--blocks", default=15, show_default=True, help="Pairs of blocks.")
@click.option("--seconds", default=0.3, show_default=True, help="Of a block.")
def main(other: str | None, cases: str | None, dense: bool, busy: int, blocks: int, seconds: float) -> None:
    if other and dense:
        raise click.UsageError("--dense compares cases of this checkout alone: leave out the other")
    chosen = cases.split(",") if cases else HALVES if dense else BUSY if busy else CASES
    names = ("other", "this") if other else ("dense", "pruned") if dense else ("one thread", "all")
    for case in chosen:
        model, density, threads, *rest = case.split(":")
        against = case if other else ":".join([model, "1", threads, *rest] if dense else [model, density, "1", *rest])
        sides = (Path(other or HERE).resolve(), against), (HERE, case)
        first, second = _pairs([Side(*side) for side in sides], busy, blocks, seconds)
        ratios = sorted(b / a for a, b in zip(first, second, strict=True))
        print(
            f"{case:36} {names[0]} {statistics.median(first):9.1f} us, {names[1]} {statistics.median(second):9.1f} us, "
            f"ratio {statistics.median(ratios):.3f} [{ratios[0]:.3f}, {ratios[-1]:.3f}]",
            flush=True,
        )


def _pairs(sides: "list[Side]", busy: int, blocks: int, seconds: float) -> tuple[list[float], list[float]]:
    """Return the microseconds of a call in block after block, of both sides, which take turns in going first."""
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(busy)]
    times: list[tuple[float, float]] = []
    try:
        for side in sides:
            side.block(min(SETTLES, blocks * seconds))
        for i in range(blocks):
            order = sides if i % 2 else sides[::-1]
            found = {id(side): side.block(seconds) for side in order}
            times.append((found[id(sides[0])], found[id(sides[1])]))
    finally:
        for process in others:
            process.kill()
            process.wait()
        for side in sides:
            side.end()
    return tuple(zip(*times, strict=True))


class Side:
    """A process that repeats a case, of one of the checkouts."""

    def __init__(self, checkout: Path, case: str):
        environment = {**os.environ, "PYTHONPATH": f"{checkout}"}
        command = [sys.executable, __file__, "repeat", case]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env=environment, cwd=checkout, **pipes)
        if not self._process.stdout.readline():
            raise SystemExit(f"{checkout} cannot run {case}")

    def block(self, seconds: float) -> float:
        """Return the mean microseconds of a call over so many seconds."""
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def end(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def repeat(case: str) -> None:
    """Repeat a case for as many seconds as each line says; print the microseconds of a call."""
    import numpy as np

    import tinyticket as tt

    model, density, threads, batch, kind = case.split(":")
    rng, shape = np.random.default_rng(0), (1, 28, 28) if model.startswith(("lenet", "mlp")) else (3, 32, 32)
    x, y = rng.integers(0, 256, (1000, *shape)).astype(np.float32) / np.float32(255), rng.integers(0, 10, 1000)
    network = tt.models.create(model, shape, rng=0)
    for weight in network.prunable().values() if float(density) < 1 else ():
        weight.mask = rng.random(weight.shape) < float(density)
    # With so small a learning rate nothing is learned, and gradients keep their size.
    step = tt.compile(
        network,
        "cross_entropy",
        tt.optim.Adam(network.parameters(), 1e-9),
        int(batch),
        threads=int(threads),
        input_shape=shape,
    )
    batches = [rng.integers(0, len(x), int(batch)) for _ in range(64)]
    step((x, y), batches[0])
    kind, _, count = kind.partition("-")
    some = np.ascontiguousarray(x[: int(count or 1)].reshape(-1, *(shape if shape[0] == 3 else (784,))))
    call = {
        "step": lambda i: step((x, y), batches[i % 64]),
        "evaluate": lambda i: step.evaluate((x, y)),
        "predict": lambda i: step.predict(some),
    }[kind]
    for i in range(WARM):
        call(i)
    print("ready", flush=True)
    for line in sys.stdin:
        count, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < float(line):
            call(count)
            count += 1
        print(1e6 * spent / count, flush=True)


if __name__ == "__main__":
    repeat(sys.argv[2]) if sys.argv[1:2] == ["repeat"] else main()
