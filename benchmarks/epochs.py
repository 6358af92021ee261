"""Whether steps stay as quick as they were: `python -m benchmarks.epochs`, the time of a step, epoch after epoch.

    python -m benchmarks.epochs                       # lenet-300-100 at 0.1%, 50 epochs
    python -m benchmarks.epochs --density 0.02 --optimizer sgd --weight-decay 0.01

Three networks take turns on the same batches: in one subnormal numbers are zeros, as everywhere, in one they are kept
(`tt.compile(subnormals="kept")`), and one stands still, which shows how the machine's own speed changed. Then come networks
of which some numbers are forced to be near 1e-40, and trained with a learning rate that leaves them there.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click
import numpy as np

import tinyticket as tt
from benchmarks import environment, problems
from benchmarks.masks import masks_for
from benchmarks.problems import Problem
from tinyticket.compiler.eager import Step
from tinyticket.nn import Module, functional

TINY, STILL = np.float32(1e-40), 1e-30
WAYS = ("zero", "kept")
STEPS = 200
"""Steps that are timed at once, where numbers are forced."""


def _weights(model: Module) -> list[tt.nn.Parameter]:
    return list(model.prunable().values())


def _weights_of_first(model: Module) -> None:
    first = _weights(model)[0]
    first.data *= TINY / np.abs(first.data).max()


def _all_weights(model: Module) -> None:
    for weight in _weights(model):
        weight.data *= TINY / np.abs(weight.data).max()


def _activations(model: Module) -> None:
    next(parameter for parameter in model.parameters() if parameter.data.ndim == 1).data[:] = TINY


def _sure(gap: float) -> Callable[[Module], None]:
    def make(model: Module) -> None:
        """Let the last bias put one class before all others."""
        *_, last = (parameter for parameter in model.parameters() if parameter.data.ndim == 1)
        last.data[1:] = -gap

    return make


FORCED: dict[str, Callable[[Module], None]] = {
    "nothing": lambda model: None,
    "first weights": _weights_of_first,
    "all weights": _all_weights,
    "activations": _activations,
    "probabilities, gradients": _sure(92),
    "squares of gradients": _sure(46),
}
"""What is near 1e-40, and how a model comes to that."""


@dataclass(frozen=True)
class Training:
    """What is trained, and how."""

    problem: Problem
    density: float
    optimizer: str
    weight_decay: float

    def step(self, way: str, learning_rate: float, force: Callable[[Module], None] = FORCED["nothing"]) -> Step:
        """Return a step of a new network."""
        ((_, masks),) = masks_for(self.problem.model(), [self.density], "uniform")
        model = self.problem.model(masks if self.density < 1 else None)
        force(model)
        if self.optimizer == "adam":
            made = tt.optim.Adam(model.parameters(), learning_rate, weight_decay=self.weight_decay)
        else:
            made = tt.optim.SGD(model.parameters(), learning_rate, 0.9, self.weight_decay)
        return tt.compile(
            model, functional.cross_entropy, made, self.problem.batch_size, subnormals=way,
            input_shape=self.problem.data.input_shape,
        )  # fmt: skip


def epochs(training: Training, count: int, learning_rate: float) -> dict[str, np.ndarray]:
    """Return the seconds of a step in each epoch, by way and of the network that stands still."""
    data, batches = training.problem.data, np.array(list(training.problem.once()))
    steps = {way: training.step(way, learning_rate) for way in WAYS} | {"still": training.step("zero", STILL)}
    found = {name: np.zeros(count) for name in steps}
    for step in steps.values():
        step.run(data, batches[:STEPS])
    for epoch in range(count):
        for name, step in steps.items():
            began = time.perf_counter()
            step.run(data, batches)
            found[name][epoch] = (time.perf_counter() - began) / len(batches)
    return found


def forced(training: Training, times: int = 7) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what is forced, and the least seconds of a step by way."""
    data, batches = training.problem.data, np.array(list(training.problem.once()))[:STEPS]
    for name, force in FORCED.items():
        steps = {way: training.step(way, STILL, force) for way in WAYS}
        least = dict.fromkeys(WAYS, np.inf)
        for _ in range(times + 1):
            for way, step in steps.items():
                began = time.perf_counter()
                step.run(data, batches)
                least[way] = min(least[way], (time.perf_counter() - began) / len(batches))
        yield name, least


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the medians of the first and of the last ten."""
    return float(np.median(values[:10])), float(np.median(values[-10:]))


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--model", default="lenet-300-100", show_default=True)
@click.option("--density", type=click.FloatRange(0, 1, min_open=True), default=0.001, show_default=True)
@click.option("--epochs", "count", type=click.IntRange(10), default=50, show_default=True)
@click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam", show_default=True)
@click.option("--learning-rate", type=float, default=problems.LEARNING_RATE, show_default=True)
@click.option("--weight-decay", type=float, default=0.0, show_default=True)
@click.option("--threads", type=click.IntRange(1, environment.cores()), default=1, show_default=True)
def main(
    model: str, density: float, count: int, optimizer: str, learning_rate: float, weight_decay: float, threads: int
) -> None:
    training = Training(problems.make(model), density, optimizer, weight_decay)
    with environment.threads(threads):
        found = epochs(training, count, learning_rate)
        print(
            f"{model} at {density:.1%}, {optimizer}, {threads} thread(s): microseconds of a step, median of ten epochs"
        )
        print(f"{'subnormals':12}{'first':>9}{'last':>9}{'last / first':>14}{'over still':>12}")
        for name, seconds in found.items():
            (first, last), relative = _ends(seconds), _ends(seconds / found["still"])
            row = f"{name:12}{1e6 * first:9.1f}{1e6 * last:9.1f}{last / first:14.3f}{relative[1] / relative[0]:12.3f}"
            print(row, flush=True)
        print(f"\n{'near 1e-40':26}" + "".join(f"{way:>9}" for way in WAYS))
        for name, least in forced(training):
            print(f"{name:26}" + "".join(f"{1e6 * least[way]:9.1f}" for way in WAYS), flush=True)


if __name__ == "__main__":
    main()
