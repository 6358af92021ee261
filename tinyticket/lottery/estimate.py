"""How long an experiment will take and how much it needs, from a few real steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.compiler.eager import Pair
from tinyticket.data import batches
from tinyticket.lottery import size
from tinyticket.lottery.controls import starts_anew
from tinyticket.lottery.jobs.executors import processes
from tinyticket.lottery.mask_training import MaskTrainer
from tinyticket.lottery.methods.learned import LearnedMask
from tinyticket.lottery.rewinding import kept_iteration
from tinyticket.nn import sparse_layers

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment
    from tinyticket.lottery.settings import Settings

STEPS = 20


@dataclass(frozen=True)
class Estimate:
    """What a run will cost: trainings, wall time in seconds, bytes of memory at the least, bytes of the finished file."""

    trainings: int
    seconds: float
    memory_bytes: int
    file_bytes: int


def estimate(experiment: Experiment) -> Estimate:
    """Measure training steps and one evaluation of the dense network and multiply.

    Trainings that run side by side are taken to share the threads without getting into each other's way.
    """
    settings, examples, model = experiment.settings, experiment.examples, experiment.model
    chain = 1 + settings.rounds  # trainings of a trial that follow one another
    workers = processes(experiment, settings.trials)
    experiment.trainer.step.threads = max(1, experiment.threads // workers)
    for parameter in model.prunable().values():
        parameter.mask = np.ones(parameter.shape, bool)  # as in the run, where every round has a mask
    step, train = experiment.trainer.step, examples.train
    feed = batches(len(train[0]), settings.batch_size, np.random.default_rng(0))
    with threadpool_limits(1, user_api="blas"):
        per_step = _seconds_a_step(step, train, feed)
        pruned_step, pruned = _of_pruned(experiment)
        per_pruned_step = _seconds_a_step(pruned_step, train, feed) if pruned_step else per_step
        start = time.perf_counter()
        step.evaluate(examples.validation)
        step.evaluate(examples.test)
        per_evaluation = time.perf_counter() - start

    trainings = experiment.method.trainings(settings)  # of a trial
    networks = 1 + settings.rounds * _per_ticket(settings)
    evaluations = trainings * _evaluations(settings) + (networks - trainings)  # untrained ones are evaluated once
    steps = settings.iterations * (pruned * per_pruned_step + (trainings - pruned) * per_step)
    from_0 = 1 + settings.rounds * sum(starts_anew(name) for name in settings.controls)
    late = (trainings - from_0) * settings.rewind_to  # iterations that networks rewound to a later one are spared
    of_trial = steps + evaluations * per_evaluation
    everything = settings.trials * (of_trial - late * (per_step + per_evaluation / settings.evaluate_every))
    seconds = max(everything / workers, of_trial * chain / trainings if workers > 1 else 0)
    return Estimate(settings.trials * trainings, seconds, _memory(experiment, workers), _file(experiment))


def _per_ticket(settings: Settings) -> int:
    return 1 + len(settings.controls) + (settings.strategy == "continue")


def _evaluations(settings: Settings) -> int:
    return 1 + -(-settings.iterations // settings.evaluate_every)


def _state(experiment: Experiment) -> int:
    return sum(parameter.data.nbytes for parameter in experiment.model.parameters())


def _memory(experiment: Experiment, workers: int) -> int:
    """Return bytes of memory at the least: all processes have the parts of the data; the whole they share."""
    examples, dataset, copies = experiment.examples, experiment.dataset, workers + 1 if workers > 1 else 1
    parts = sum(x.nbytes for part in (examples.train, examples.validation, examples.test) for x in part)
    each = size.bytes_each(experiment.settings.controls, experiment.settings.method)
    connections = sum(layer.connections.count for layer in sparse_layers(experiment.model).values())
    own = parts + 8 * _state(experiment) + each * connections
    return copies * own + dataset.x_train.nbytes + dataset.y_train.nbytes


def _file(experiment: Experiment) -> int:
    """Return bytes of the finished file."""
    settings, left, state = experiment.settings, experiment.plan.weights_left, _state(experiment)
    dense, *tickets = (4 * weights + left[0] // 8 + 48 * _evaluations(settings) for weights in left)
    rewound = 3 * state if kept_iteration(settings) else 0  # weights and what an optimizer remembers of each
    scores = 0 if experiment.method.trains_weights else settings.rounds * 4 * left[0]
    structure = sum(array.nbytes for array in experiment.model.structure().values())
    return settings.trials * (state + structure + dense + _per_ticket(settings) * sum(tickets) + rewound + scores)


def _seconds_a_step(step: CompiledStep | EagerStep, train: Pair, feed: Iterator[np.ndarray]) -> float:
    for _ in range(3):
        step(train, next(feed))  # the first steps are slower
    start = time.perf_counter()
    for _ in range(STEPS):
        step(train, next(feed))
    return (time.perf_counter() - start) / STEPS


def _of_pruned(experiment: Experiment) -> tuple[CompiledStep | EagerStep | None, int]:
    """Return the step of pruned networks, None if it is that of the dense one, and how many of them a trial trains with it."""
    settings, trainer, method = experiment.settings, experiment.trainer, experiment.method
    if isinstance(method, LearnedMask):  # what a control trains, if it does, are weights
        start = method.untrained_start(settings, experiment.plan, 0, 1, experiment.model.state_dict())
        assert start.untrained is not None
        return MaskTrainer(trainer, start.untrained, start.weights).step, settings.rounds
    eager = (
        EagerStep(experiment.model, trainer.optimizer, loss=trainer.step.loss) if settings.mask_0 != "zero" else None
    )
    return eager, method.trainings(settings) - 1
