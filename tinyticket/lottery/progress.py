"""A training under way taken down between two steps, and a network, its optimizer and its streams brought back to there."""

from __future__ import annotations

import copy

import numpy as np

from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.errors import InputError
from tinyticket.lottery import checkpoints
from tinyticket.lottery.revision import Revision
from tinyticket.nn import Module
from tinyticket.optim import Optimizer
from tinyticket.store import Course, Progress


def take(
    model: Module,
    optimizer: Optimizer,
    step: CompiledStep | EagerStep,
    course: Course,
    revision: Revision,
    dropout: np.random.Generator,
) -> Progress:
    """Return a training as it is now; the step goes on as if nothing had been read."""
    newest, state = step.is_newest, revision.state()
    assert state is not None
    network = checkpoints.take(model, optimizer, course.iteration)
    step.hold(newest)  # for new masks this makes the program whose plan is asked for
    return Progress(course, network, newest, step.plan(), dict(dropout.bit_generator.state), *state)


def restore(
    progress: Progress, model: Module, optimizer: Optimizer, revision: Revision, dropout: np.random.Generator
) -> None:
    """Bring a training back; raise InputError if something of it is missing, and nothing has changed then."""
    network, begun = progress.network, (copy.deepcopy(revision.state()), dropout.bit_generator.state)
    checkpoints.check_optimizer(model, optimizer, network)
    try:
        revision.restore(progress.revision, progress.arrays)
        dropout.bit_generator.state = progress.dropout
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        revision.restore(*(begun[0] or ({}, {})))
        dropout.bit_generator.state = begun[1]
        raise InputError(f"what is kept of a training under way lacks something: {error}") from None
    for name, parameter in model.named_parameters():
        parameter.mask = progress.course.masks.get(name)
    model.load_state_dict(network.state)
    checkpoints.restore_optimizer(model, optimizer, network)
