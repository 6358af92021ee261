"""The trainings of a result file: rounds with their controls, and trials."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.nn import structure_names
from tinyticket.store import Archive, Group, Run, facts, layout
from tinyticket.store.contents import without_structure


class Structure:
    """Theta_0's arrays of whole numbers, such as connections: all networks of a trial share them unless connections move."""

    def __init__(self, archive: Archive, trial: int):
        self._archive, self._path = archive, f"{layout.trial_path(trial)}/init"

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name, read when they are first asked for, and once; read-only."""
        with self._archive.read() as root:
            return layout.read_theta_0_structure(root.group(self._path), layout.read_outline(root))


class Round:
    """One training: a ticket, the dense network (round 0), or a control; accuracies are fractions."""

    number: int  # of the round
    density: float  # share of the weights that survive
    weights_left: int
    early_stop_iteration: int  # where the validation loss is smallest
    validation_loss: float  # at the early-stopping iteration
    test_accuracy: float  # at the early-stopping iteration
    final_test_accuracy: float  # after the last iteration
    seconds: float
    controls: dict[str, Round]  # by name; empty for the dense network and for controls themselves
    continued: Round | None  # the network that the next round prunes, where training continues between prunings

    def __init__(
        self,
        archive: Archive,
        path: str,
        structure: Structure,
        number: int,
        scalars: Mapping[str, Any],
        controls: Mapping[str, Round] | None = None,
        continued: Round | None = None,
    ):
        self._archive, self._path, self._structure = archive, path, structure
        self.number, self.controls, self.continued = number, dict(controls or {}), continued
        vars(self).update(scalars)

    def scalars(self) -> dict[str, Any]:
        """Return the numbers of this training by name."""
        return {name: getattr(self, name) for name in facts.SCALARS}

    @cached_property
    def history(self) -> np.ndarray:
        """The evaluations: a table with iteration, train_loss, validation_loss, validation_accuracy, test_loss, test_accuracy."""
        return self._read(facts.read_history)

    @cached_property
    def masks(self) -> dict[str, np.ndarray]:
        """What survived, True for survivors, by weight."""
        return self._read_arrays(layout.read_masks)

    @cached_property
    def start_masks(self) -> dict[str, np.ndarray]:
        """What the training began with: other masks than `masks` if they changed on the way."""
        return self._read_arrays(layout.read_start_masks)

    @property
    def trained(self) -> dict[str, np.ndarray]:
        """All parameters and buffers after the last iteration, pruned weights zero."""
        return self._read_arrays(layout.read_trained, self._structure.arrays)

    @property
    def structure(self) -> dict[str, np.ndarray]:
        """The arrays of whole numbers, such as connections, after the last iteration, by name."""
        return self._read_arrays(layout.read_structure, self._structure.arrays)

    @property
    def moved(self) -> list[str]:
        """The arrays of connections that are others after the last iteration than in theta_0, by name."""
        places = {name for weight in self.masks for name in structure_names(weight)}
        own = {name: value for name, value in self.structure.items() if name in places}
        return [*without_structure(own, self._structure.arrays)]

    @property
    def frozen(self) -> dict[str, np.ndarray]:
        """What pruned weights are where they are not zero, by weight, 0 under survivors; empty where all are zero."""
        return self._read_arrays(layout.read_beside, "frozen")

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """The scores of weights whose mask was learned; empty elsewhere."""
        return self._read_arrays(layout.read_beside, "scores")

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Where the training started, and where its weights, mask and statistics came from."""
        return self._read(facts.read_origin)

    @cached_property
    def plan(self) -> dict[str, Any]:
        """How it was executed: eagerly, or with which kernel for each layer."""
        return self._read(facts.read_plan)

    @property
    def cpu(self) -> str:
        """The kind of CPU that trained it, if that is another than that of the machine that wrote the file."""
        return self._read(facts.read_cpu)

    @property
    def beside(self) -> dict[str, Round]:
        """The controls, and the network that the next round prunes, where there is one, as "continued"."""
        return {**self.controls, **({"continued": self.continued} if self.continued else {})}

    def run(self) -> Run:
        """Return the training as it was when it ended, as files hold it."""
        with self._archive.read() as root:
            group, outline = root.group(self._path), layout.read_outline(root)
            return Run(
                layout.read_masks(group, outline),
                layout.read_trained(group, outline, self._structure.arrays),
                facts.read_history(group),
                facts.read_origin(group),
                facts.read_plan(group),
                float(self.seconds),
                start_masks=layout.read_masks(group, outline, "start_mask") if "start_mask" in group else None,
                frozen=layout.read_beside(group, outline, "frozen"),
                scores=layout.read_beside(group, outline, "scores"),
                cpu=facts.read_cpu(group),
                metric=facts.read_metric(group),
            )

    def _read(self, reader):
        with self._archive.read() as root:
            return reader(root.group(self._path))

    def _read_arrays(self, reader, *which: Any):
        with self._archive.read() as root:
            return reader(root.group(self._path), layout.read_outline(root), *which)

    def __repr__(self) -> str:
        return (
            f"Round({self.number}: density {self.density:.4f}, early stop {self.early_stop_iteration}, "
            f"test accuracy {self.test_accuracy:.4f})"
        )


class Trial:
    """One initialisation and everything trained from it."""

    def __init__(self, number: int, rounds: list[Round], structure: Structure):
        self.number, self.rounds = number, rounds  # the dense network first; those that are finished
        self._structure = structure

    @property
    def structure(self) -> dict[str, np.ndarray]:
        """Theta_0's arrays of whole numbers, such as connections, by name, in a dict of the caller's own."""
        return dict(self._structure.arrays)

    def __repr__(self) -> str:
        return f"Trial({self.number}: {len(self.rounds)} rounds)"


def read_trial(archive: Archive, root: Group, trial: int) -> Trial:
    """Return a trial with its rounds, in their order; InputError if one is missing."""
    structure = Structure(archive, trial)
    groups, rounds = root.group(f"{layout.trial_path(trial)}/rounds"), []

    def read(group: Group, path: str, number: int, *beside: Any) -> Round:
        return Round(archive, path, structure, number, facts.read_scalars(group), *beside)

    for number in layout.read_numbers(groups, digits=2):
        path, group = layout.round_path(trial, number), groups.group(f"{number:02d}")
        beside = group.group("controls") if "controls" in group else None
        controls = {}
        if beside is not None:
            controls = {n: read(beside.group(n), f"{path}/controls/{n}", number) for n in beside.names()}
        continued = read(group.group("continued"), f"{path}/continued", number) if "continued" in group else None
        rounds.append(read(group, path, number, controls, continued))
    if missing := {*range(max(len(rounds), 1))} - {round.number for round in rounds}:
        raise groups.damage(f"round {min(missing)} is missing")
    return Trial(trial, rounds, structure)
