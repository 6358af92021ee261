"""What late rewinding goes back to: everything that a training is made of at one iteration, and its place in the file."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np

from tinyticket.errors import InputError


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


def write_checkpoint(group: h5py.Group, checkpoint: Checkpoint) -> None:
    """Write parameters and buffers under their names, and the optimizer's slots beside them as <parameter>:<slot>.

    No name of a state has a colon, so that the two cannot meet.
    """
    group.attrs["iteration"] = checkpoint.iteration
    for name, value in checkpoint.state.items():
        dataset = group.create_dataset(name, data=value)
        if name in checkpoint.steps:
            dataset.attrs["steps"] = checkpoint.steps[name]
    for name, slots in checkpoint.slots.items():
        for slot, value in slots.items():
            group.create_dataset(f"{name}:{slot}", data=value)


def read_checkpoint(group: h5py.Group) -> Checkpoint:
    """Read back what `write_checkpoint` wrote.

    Raises
    ------
    InputError
        If it is not all there.
    """
    state: dict[str, np.ndarray] = {}
    slots: dict[str, dict[str, np.ndarray]] = {}
    steps: dict[str, int] = {}
    try:
        for key, dataset in group.items():
            name, _, slot = key.partition(":")
            if slot:
                slots.setdefault(name, {})[slot] = dataset[()]
                continue
            state[name] = dataset[()]
            if "steps" in dataset.attrs:
                steps[name] = int(dataset.attrs["steps"])
                slots.setdefault(name, {})
        return Checkpoint(int(group.attrs["iteration"]), state, slots, steps)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(f"{group.name} of the file is damaged: {str(error).splitlines()[0]}") from error
