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
from tinyticket.lottery.controls import starts_anew
from tinyticket.lottery.jobs.executors import processes
from tinyticket.lottery.mask_training import MaskTrainer
from tinyticket.lottery.methods.learned import LearnedMask
from tinyticket.lottery.rewinding import kept_iteration

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment

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
    experiment.trainer.threads = max(1, experiment.threads // workers)
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
    count = settings.trials * trainings
    per_ticket = 1 + len(settings.controls) + (settings.strategy == "continue")
    whole = settings.trials * (1 + settings.rounds * sum(starts_anew(name) for name in settings.controls))
    late = (count - whole) * settings.rewind_to  # iterations that networks rewound to a later one are spared
    evaluations = 1 + -(-settings.iterations // settings.evaluate_every)
    arrays = [x for part in (examples.train, examples.validation, examples.test) for x in part]
    dataset = experiment.dataset
    state = sum(parameter.data.nbytes for parameter in model.parameters())
    copies = workers + 1 if workers > 1 else 1  # all of which have the parts of the data; the whole they share
    memory = copies * (sum(a.nbytes for a in arrays) + 8 * state) + dataset.x_train.nbytes + dataset.y_train.nbytes
    itemsize, weights = 4, experiment.plan.weights_left[0]
    stored = [itemsize * left + weights // 8 + 48 * evaluations for left in experiment.plan.weights_left]
    file = settings.trials * (state + stored[0] + per_ticket * sum(stored[1:]))
    if kept_iteration(settings):
        file += settings.trials * 3 * state  # weights and what an optimizer remembers of each
    if not experiment.method.trains_weights:
        file += settings.trials * settings.rounds * itemsize * weights  # scores
    steps = settings.iterations * (pruned * per_pruned_step + (trainings - pruned) * per_step)
    untrained = 1 + settings.rounds * per_ticket - trainings  # which are evaluated once
    evaluated = evaluations * trainings + untrained
    spared = late * (per_step + per_evaluation / settings.evaluate_every)
    of_trial = steps + evaluated * per_evaluation
    everything = settings.trials * of_trial - spared
    seconds = max(everything / workers, of_trial * chain / trainings if workers > 1 else 0)
    return Estimate(count, seconds, memory, file)


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
    eager = EagerStep(experiment.model, trainer.optimizer) if settings.mask_0 != "zero" else None
    return eager, method.trainings(settings) - 1
