"""A training written down at an iteration or under way, and a network, its optimizer and its streams brought back to there."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np

from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.errors import InputError
from tinyticket.lottery.revision import Revision
from tinyticket.nn import Module, Parameter
from tinyticket.optim import Optimizer
from tinyticket.store import Checkpoint, Course, Progress


def take(model: Module, optimizer: Optimizer, iteration: int) -> Checkpoint:
    """Copy parameters, buffers and what the optimizer remembers, after `iteration` iterations."""
    state = model.state_dict()  # brings the newest values, slots included, back from a compiled step
    slots = {
        name: {slot: value.copy() for slot, value in zip(optimizer.SLOTS, optimizer.slots(i), strict=False)}
        for i, name, _ in _places(model, optimizer)
    }
    return Checkpoint(iteration, state, slots, {name: optimizer.steps[i] for i, name, _ in _places(model, optimizer)})


def check_optimizer(model: Module, optimizer: Optimizer, checkpoint: Checkpoint) -> None:
    """Raise InputError unless a checkpoint holds what the optimizer remembers."""
    for i, name, _ in _places(model, optimizer):
        if name not in checkpoint.steps or len(optimizer.slots(i)) > len(
            checkpoint.slots[name].keys() & {*optimizer.SLOTS}
        ):
            raise InputError(f"what is rewound to is damaged: it lacks what the optimizer remembers of {name}")


def restore_optimizer(model: Module, optimizer: Optimizer, checkpoint: Checkpoint) -> None:
    """Bring the optimizer back to a checkpoint; what belongs to pruned weights becomes +0.0."""
    check_optimizer(model, optimizer, checkpoint)
    optimizer.reset()
    for i, name, parameter in _places(model, optimizer):
        for slot, value in zip(optimizer.SLOTS, optimizer.slots(i), strict=False):
            value[...] = checkpoint.slots[name][slot]
        parameter.apply_mask(*optimizer.slots(i))
        optimizer.steps[i] = checkpoint.steps[name]


def take_progress(
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
    network = take(model, optimizer, course.iteration)
    step.hold(newest)  # for new masks this makes the program whose plan is asked for
    return Progress(course, network, newest, step.plan(), dict(dropout.bit_generator.state), *state)


def restore_progress(
    progress: Progress, model: Module, optimizer: Optimizer, revision: Revision, dropout: np.random.Generator
) -> None:
    """Bring a training back; raise InputError if something of it is missing, and nothing has changed then."""
    network, begun = progress.network, (copy.deepcopy(revision.state()), dropout.bit_generator.state)
    check_optimizer(model, optimizer, network)
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
    restore_optimizer(model, optimizer, network)


def _places(model: Module, optimizer: Optimizer) -> Iterator[tuple[int, str, Parameter]]:
    """Yield each parameter's place in the optimizer, its name, and itself."""
    places = {id(parameter): i for i, parameter in enumerate(optimizer.params)}
    for name, parameter in model.named_parameters():
        yield places[id(parameter)], name, parameter
