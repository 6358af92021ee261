"""A training written down at one iteration, and a model and its optimizer brought back to it."""

from __future__ import annotations

from collections.abc import Iterator

from tinyticket.errors import InputError
from tinyticket.nn import Module, Parameter
from tinyticket.optim import Optimizer
from tinyticket.store import Checkpoint


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


def _places(model: Module, optimizer: Optimizer) -> Iterator[tuple[int, str, Parameter]]:
    """Yield each parameter's place in the optimizer, its name, and itself."""
    places = {id(parameter): i for i, parameter in enumerate(optimizer.params)}
    for name, parameter in model.named_parameters():
        yield places[id(parameter)], name, parameter
