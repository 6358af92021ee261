"""What a reader gets from a result file: trials, their rounds, and ready models."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn import Module, build, described_weights
from tinyticket.nn.sources import CONSTANTS
from tinyticket.prune import apply_masks
from tinyticket.results.naming import Networks, networks_of
from tinyticket.results.verdict import verdict
from tinyticket.store import Archive, Checkpoint, Group, Run, layout, read_checkpoint, read_header


def load(path: str | os.PathLike) -> Result:
    """Open a result file; InputError if there is none, or it is something else."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a result is the path of a file, not {path!r:.60}")
    return Result(Archive(path))


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
        number: int,
        scalars: Mapping[str, Any],
        controls: Mapping[str, Round] | None = None,
        continued: Round | None = None,
    ):
        self._archive, self._path = archive, path
        self.number, self.controls, self.continued = number, dict(controls or {}), continued
        vars(self).update(scalars)

    def scalars(self) -> dict[str, Any]:
        """Return the numbers of this training by name."""
        return {name: getattr(self, name) for name in layout.SCALARS}

    @cached_property
    def history(self) -> np.ndarray:
        """The evaluations: a table with iteration, train_loss, validation_loss, validation_accuracy, test_loss, test_accuracy."""
        return self._read(layout.read_history)

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
        return self._read_arrays(layout.read_trained)

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
        return self._read(layout.read_origin)

    @cached_property
    def plan(self) -> dict[str, Any]:
        """How it was executed: eagerly, or with which kernel for each layer."""
        return self._read(layout.read_plan)

    @property
    def cpu(self) -> str:
        """The kind of CPU that trained it, if that is another than that of the machine that wrote the file."""
        return self._read(lambda group: group.text("cpu") if group.has("cpu") else "")

    @property
    def beside(self) -> dict[str, Round]:
        """The controls, and the network that the next round prunes, where there is one, as "continued"."""
        return {**self.controls, **({"continued": self.continued} if self.continued else {})}

    def run(self) -> Run:
        """Return the training as it was when it ended."""
        trained = self.masks, self.trained, self.history, self.origin, self.plan, float(self.seconds)
        return Run(*trained, start_masks=self.start_masks, frozen=self.frozen, scores=self.scores, cpu=self.cpu)

    def _read(self, reader):
        with self._archive.read() as root:
            return reader(root.group(self._path))

    def _read_arrays(self, reader, *which: str):
        with self._archive.read() as root:
            return reader(root.group(self._path), layout.read_outline(root), *which)

    def __repr__(self) -> str:
        return (
            f"Round({self.number}: density {self.density:.4f}, early stop {self.early_stop_iteration}, "
            f"test accuracy {self.test_accuracy:.4f})"
        )


class Trial:
    """One initialisation and everything trained from it."""

    def __init__(self, number: int, rounds: list[Round]):
        self.number, self.rounds = number, rounds  # the dense network first; those that are finished

    def __repr__(self) -> str:
        return f"Trial({self.number}: {len(self.rounds)} rounds)"


class Result:
    """An experiment as far as it has got.

    Attributes
    ----------
    trials : list of Trial
    archive : Archive
        The file, or what stands for it in memory.
    config, data, versions, machine : dict
    model_description : dict
        The architecture, as `tt.nn.describe` gives it.
    networks : Networks
        The words for those after the dense one.
    seed : int
    """

    def __init__(self, archive: Archive):
        self.archive = archive
        with archive.read() as root:
            header = read_header(root)
            groups = root.group("trials")
            self.trials = [Trial(t, _rounds(archive, root, t)) for t in layout.read_numbers(groups)]
            if not self.trials:
                raise groups.damage("there is no trial")
        self.seed, self.model_description = header.pop("seed"), header.pop("model")
        words = header.pop("networks")
        self.config, self.data, self.versions, self.machine = header.values()
        self.networks = Networks(**words) if words else networks_of(self.config)

    @property
    def path(self) -> str | None:
        """Where the file is; None for a result in memory."""
        return None if self.archive.path is None else str(self.archive.path)

    def network(self) -> Module:
        """Return a new network of the experiment's architecture, whose weights are none of the file's.

        InputError says that it has a class of its own, which is not in the file, or is not that of theta_0.
        """
        with self.archive.read() as root:
            shapes, masked = layout.read_outline(root)
            try:
                if described_weights(self.model_description) > sum(map(math.prod, shapes.values())):
                    raise ValueError("it has more weights than theta_0")  # a few words can describe terabytes
                network = build(self.model_description)
                if {name: value.shape for name, value in network.state_dict().items()} != shapes:
                    raise ValueError("theta_0 has other shapes")
                if network.prunable().keys() != {*masked}:
                    raise ValueError("masks are of other weights than those of its layers")
            except InputError as error:
                name = f"the network of {self.archive.name}, {self.config['model']},"
                raise InputError(f"{name} cannot be made: {error}; give the model (--model FILE.py:FUNCTION)") from None
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                raise root.damage(f"the model: {str(error).splitlines()[0]}") from error
        return network

    @cached_property
    def verdict(self) -> dict[str, Any]:
        """What the trials say, in a sentence ("text") and in numbers."""
        return verdict(self)

    def round(self, trial: int, round: int) -> Round:
        """Return a round of a trial, or raise InputError if there is none."""
        rounds = self._trial(trial).rounds
        if not 0 <= round < len(rounds):
            raise InputError(
                f"trial {trial} of {self.archive.name} has {len(rounds)} rounds, counted from 0; there is no round {round}"
            )
        return rounds[round]

    def init(self, trial: int) -> dict[str, np.ndarray]:
        """Return theta_0 of a trial: parameters and buffers before any training."""
        self._trial(trial)
        with self.archive.read() as root:
            return layout.read_state(root.group(f"{layout.trial_path(trial)}/init"), layout.read_outline(root))

    def rewind(self, trial: int) -> Checkpoint:
        """Return what the tickets of a trial rewind to: the dense training at iteration `rewind_to`, optimizer included.

        InputError says that the experiment rewinds to iteration 0, which is `init`, or rewinds no weights.
        """
        self._trial(trial)
        with self.archive.read() as root:
            if layout.rewind_path(trial) not in root:
                raise InputError(f"{self.archive.name} has nothing to rewind to but theta_0, which is init({trial})")
            return read_checkpoint(root.group(layout.rewind_path(trial)), layout.read_outline(root).shapes)

    def start(self, trial: int, round: int) -> dict[str, np.ndarray]:
        """Return the parameters and buffers that a network's training began with, under the mask that it began with.

        They are theta_0, its signed constants, what late rewinding went back to, or the trained weights of the round before.
        """
        chosen = self.round(trial, round)
        where = chosen.origin["weights"]
        if where == "trained":
            state = self.round(trial, 0 if self.config["one_shot"] else round - 1).trained
        else:
            state = self.rewind(trial).state if where == "rewind" else self.init(trial)
        if where == "constant":
            constant = CONSTANTS.get(self.config.get("method", ""))
            if constant is None:
                raise InputError(f"{self.archive.name} is damaged: its method has no constant weights")
            state = {name: constant(value) if name in chosen.masks else value for name, value in state.items()}
        return apply_masks(state, chosen.start_masks)

    def model(self, trial: int, round: int, weights: str = "trained", into: Module | None = None) -> Module:
        """Return a network of the experiment, masks set, in evaluation mode.

        Parameters
        ----------
        trial, round
            Which, counted from 0; round 0 is the dense network.
        weights : {"trained", "init", "start"}
            After training; theta_0 under the mask; or as `start` gives them, which is the same unless something else than theta_0
            was rewound to.
        into
            A module of the same architecture to fill; needed where the experiment's model was of a class of your own.

        Where pruned weights are frozen at a value other than zero, they are there, and their layers have no masks.
        """
        if weights not in ("trained", "init", "start"):
            raise InputError(f"weights are 'trained', 'init' or 'start', not {weights!r}")
        chosen = self.round(trial, round)
        model = self.network() if into is None else into
        if into is not None and not _fits(into, chosen):
            raise InputError(f"the module to fill has other weights than the networks of {self.archive.name}")
        masks, state = chosen.masks, chosen.trained if weights == "trained" else self.init(trial)
        if weights == "start":
            masks, state = chosen.start_masks, self.start(trial, round)
        fill(model, masks, state, chosen.frozen)
        return model.eval()

    def save(self, path: str | os.PathLike, force: bool = False) -> None:
        """Write the experiment to a file (a result in memory), or a copy of its file to another.

        InputError says that there is a file already, which `force` replaces, but never another result or what is read-only.
        """
        self.archive.save(path, force)

    def _trial(self, trial: int) -> Trial:
        for found in self.trials:  # of an unfinished experiment one before it may be missing
            if found.number == trial:
                return found
        raise InputError(
            f"{self.archive.name} has {len(self.trials)} trials, counted from 0; there is no trial {trial}"
        )

    def __repr__(self) -> str:
        return (
            f"Result({self.archive.name}: {len(self.trials)} trials, {self.config['model']} on {self.config['data']})"
        )


def runs_of(result: Result, network: str = "ticket") -> dict[int, dict[int, Round]]:
    """Return the tickets ("ticket", the dense networks among them) or the networks of a control, by round and then by trial."""
    found: dict[int, dict[int, Round]] = {}
    for trial in result.trials:
        for round in trial.rounds:
            run = round if network == "ticket" else round.controls.get(network)
            if run is not None:
                found.setdefault(round.number, {})[trial.number] = run
    return dict(sorted(found.items()))


def _fits(model: Any, round: Round) -> bool:
    """Whether a module's prunable weights are those of a training, which hence may be filled in."""
    shapes = {name: mask.shape for name, mask in round.masks.items()}
    return isinstance(model, Module) and {name: weight.shape for name, weight in model.prunable().items()} == shapes


def fill(model: Module, masks: Mapping, state: Mapping, frozen: Mapping) -> None:
    """Give a model masks and weights, the frozen values of pruned ones included, whose layers then have no masks."""
    for name, parameter in model.named_parameters():
        parameter.mask = None if name in frozen else masks.get(name)
    held = {name: np.where(masks[name], state[name], value) for name, value in frozen.items()}
    model.load_state_dict({**state, **held})


def _rounds(archive: Archive, root: Group, trial: int) -> list[Round]:
    groups, rounds = root.group(f"{layout.trial_path(trial)}/rounds"), []

    def read(path: str, number: int, *beside: Any) -> Round:
        return Round(archive, path, number, layout.read_scalars(root.group(path)), *beside)

    for number in layout.read_numbers(groups, digits=2):
        path = layout.round_path(trial, number)
        group = root.group(path)
        names = group.group("controls").names() if "controls" in group else []
        controls = {name: read(f"{path}/controls/{name}", number) for name in names}
        continued = read(f"{path}/continued", number) if "continued" in group else None
        rounds.append(read(path, number, controls, continued))
    if missing := {*range(max(len(rounds), 1))} - {round.number for round in rounds}:
        raise groups.damage(f"round {min(missing)} is missing")
    return rounds
