"""What late rewinding goes back to: everything that a training is made of at one iteration, and its place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyticket.store.contents import Contents, with_structure, without_structure
from tinyticket.store.reading import Group, Shapes


@dataclass(frozen=True)
class Checkpoint:
    """A training after some iterations, complete enough to go on from.

    Attributes
    ----------
    iteration : int
        How many iterations had been trained.
    state : dict of arrays
        Parameters and buffers.
    slots : dict of dict of arrays
        What the optimizer remembers, by parameter and by slot: {"fc1.weight": {"mean": ..., "square": ...}}.
    steps : dict of int
        How many updates each parameter had had.
    """

    iteration: int
    state: dict[str, np.ndarray]
    slots: dict[str, dict[str, np.ndarray]]
    steps: dict[str, int]


def contents_of(checkpoint: Checkpoint, initial: Mapping[str, np.ndarray] | None = None) -> Contents:
    """Return what stands in the file: parameters and buffers under their names, the optimizer's slots as <parameter>:<slot>.

    No name of a state has a colon, so that the two cannot meet. The structure that a state shares with `initial` is left out.
    """
    slots = {f"{name}:{slot}": value for name, held in checkpoint.slots.items() for slot, value in held.items()}
    steps = {name: {"steps": count} for name, count in checkpoint.steps.items()}
    state = without_structure(checkpoint.state, initial or {})
    return Contents({**state, **slots}, {"": {"iteration": checkpoint.iteration}, **steps})


def read_checkpoint(group: Group, shapes: Shapes, structure: Mapping[str, np.ndarray]) -> Checkpoint:
    """Return a checkpoint from its contents in the file, given the shapes of parameters and buffers by name.

    `structure` has the arrays of whole numbers that are not there, as they are shared. InputError says what is missing.
    """
    state: dict[str, np.ndarray] = {}
    slots: dict[str, dict[str, np.ndarray]] = {}
    steps: dict[str, int] = {}
    for key in group.names():
        name, _, slot = key.partition(":")
        if name not in shapes:
            raise group.damage("theta_0 has no such array", key)
        value = group.array(key, shapes[name])
        if slot:
            slots.setdefault(name, {})[slot] = value
            continue
        state[name] = value
        if group.has("steps", key):
            steps[name] = group.number("steps", int, key)
            slots.setdefault(name, {})
    if missing := shapes.keys() - state.keys() - structure.keys():
        raise group.damage("it is missing", min(missing))
    if slots.keys() != steps.keys():
        raise group.damage("what the optimizer remembers is not there for all parameters")
    return Checkpoint(group.number("iteration", int), with_structure(state, shapes, structure), slots, steps)
