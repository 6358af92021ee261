"""How long an experiment will take and how much it needs, from a few real steps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from tinyticket.data import batches

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
    """Measure training steps and one evaluation of the dense network and multiply."""
    settings, examples, model = experiment.settings, experiment.examples, experiment.model
    for parameter in model.prunable().values():
        parameter.mask = np.ones(parameter.shape, bool)  # as in the run, where every round has a mask
    step, train = experiment.trainer.step, examples.train
    feed = batches(len(train[0]), settings.batch_size, np.random.default_rng(0))
    with threadpool_limits(1, user_api="blas"):
        for _ in range(3):
            step(train, next(feed))  # the first steps are slower
        start = time.perf_counter()
        for _ in range(STEPS):
            step(train, next(feed))
        per_step = (time.perf_counter() - start) / STEPS
        start = time.perf_counter()
        step.evaluate(examples.validation)
        step.evaluate(examples.test)
        per_evaluation = time.perf_counter() - start

    per_ticket = 1 + len(settings.controls) + (settings.strategy == "continue")
    trainings = settings.trials * (1 + settings.rounds * per_ticket)
    evaluations = 1 + -(-settings.iterations // settings.evaluate_every)
    arrays = [x for part in (examples.train, examples.validation, examples.test) for x in part]
    dataset = experiment.dataset
    state = sum(parameter.data.nbytes for parameter in model.parameters())
    memory = sum(a.nbytes for a in arrays) + dataset.x_train.nbytes + dataset.y_train.nbytes + 8 * state
    itemsize, weights = 4, experiment.plan.weights_left[0]
    stored = [itemsize * left + weights // 8 + 48 * evaluations for left in experiment.plan.weights_left]
    file = settings.trials * (state + stored[0] + per_ticket * sum(stored[1:]))
    return Estimate(
        trainings, trainings * (settings.iterations * per_step + evaluations * per_evaluation), memory, file
    )
