"""What a reader gets from a result file: trials, their rounds, and ready models."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.errors import InputError, about, printable
from tinyticket.nn import Connections, Module, build, described_weights, sparse_layers, structure_names
from tinyticket.nn.sources import CONSTANTS
from tinyticket.prune import apply_masks, scaled_to_fan_in
from tinyticket.results.frame import frame, rows
from tinyticket.results.naming import Metric, Networks, metric_of, networks_of
from tinyticket.results.round import Round, Trial, read_trial
from tinyticket.results.shown import Shown
from tinyticket.results.verdict import verdict
from tinyticket.store import Archive, Checkpoint, layout, read_checkpoint, read_header
from tinyticket.store.digest import FILE, Examined, examine


def load(path: str | os.PathLike) -> Result:
    """Open a result file; InputError if there is none, or it is something else.

    Examples
    --------
    >>> import tinyticket as tt
    >>> result = tt.load("ticket.h5")  # doctest: +SKIP
    >>> ticket = result.trials[0].rounds[-1]  # doctest: +SKIP
    >>> ticket.density, ticket.test_accuracy, ticket.early_stop_iteration  # doctest: +SKIP
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a result is the path of a file, not {path!r:.60}")
    return Result(Archive(path))


class Result(Shown):
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
    metric : Metric
        What `test_accuracy` and the columns of accuracies are: the accuracy, or R2 where targets are numbers.
    earlier : list of dict
        Runs of other versions or machines that trained the first rounds: `versions`, `machine` and, by trial, how many `rounds`.
    diverged : dict
        Trials that ended early because a training diverged, as text, and in which round.
    unfinished : list of int
        Trials that were under way when a run wrote last, none of whose rounds are in the file, while those of a later trial are.
    seed : int
    """

    def __init__(self, archive: Archive):
        self.archive = archive
        with archive.read() as root:
            header = read_header(root)
            groups = root.group("trials")
            self.trials = [read_trial(archive, root, t) for t in layout.read_numbers(groups)]
            if not self.trials:
                raise groups.damage("there is no trial")
        self.seed, self.model_description = header.pop("seed"), header.pop("model")
        words, self.diverged, self.earlier = header.pop("networks"), header.pop("diverged"), header.pop("earlier")
        self.unfinished = header.pop("unfinished")
        self.config, self.data, self.versions, self.machine = header.values()
        self.networks = Networks(**words) if words else networks_of(self.config)
        self.metric: Metric = metric_of(self.config)

    @property
    def path(self) -> str | None:
        """Where the file is; None for a result in memory."""
        return None if self.archive.path is None else str(self.archive.path)

    def network(self) -> Module:
        """Return a new network of the experiment's architecture, whose weights are none of the file's.

        InputError says that it has a class of its own, which is not in the file, or is not that of theta_0.
        """
        with self.archive.read() as root:
            shapes, masked, _ = layout.read_outline(root)
            try:
                if described_weights(self.model_description) > sum(map(math.prod, shapes.values())):
                    raise ValueError("it has more weights than theta_0")  # a few words can describe terabytes
                network = build(self.model_description, self.trials[0].structure)
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

    @property
    def header(self) -> dict[str, Any]:
        """What all trainings share, and which did not come to an end."""
        more = {"networks": asdict(self.networks), "seed": self.seed, "diverged": self.diverged}
        return {"config": self.config, "model": self.model_description, "data": self.data, **more}

    @cached_property
    def digests(self) -> Examined:
        """The digests of all that the file holds, computed and as recorded."""
        with self.archive.read() as root:
            return examine(root, self.header)

    @property
    def digest(self) -> str:
        """SHA-256 of all that was found, in hexadecimal digits: equal for equal results, however they came about."""
        return self.digests.found[FILE]

    @cached_property
    def verdict(self) -> dict[str, Any]:
        """What the trials say, in a sentence ("text") and in numbers."""
        return verdict(self)

    def round(self, trial: int, round: int, control: str | None = None) -> Round:
        """Return a round of a trial, or what runs beside its ticket, or raise InputError if there is none."""
        rounds = self._trial(trial).rounds
        if not 0 <= round < len(rounds):
            raise InputError(
                f"trial {trial} of {self.archive.name} has {len(rounds)} rounds, counted from 0; there is no round {round}"
            )
        found = rounds[round]
        if control is None:
            return found
        if control not in found.beside:
            raise InputError(
                f"trial {trial}, round {round} of {self.archive.name} has no control {control!r}; it has "
                f"{', '.join(found.beside) or 'none'}"
            )
        return found.beside[control]

    @cached_property
    def _sparse(self) -> dict[str, tuple[int, int]]:
        """Outputs and inputs of layers that have some connections alone, by weight."""
        with self.archive.read() as root:
            outline = layout.read_outline(root)
        a_number_each = any(len(outline.shapes[weight]) == 1 for weight in outline.masked)  # of the connections
        layers = sparse_layers(self.network()) if a_number_each else {}
        return {weight: layer.connections.shape for weight, layer in layers.items()}

    def connections(self, trial: int, round: int, control: str | None = None) -> dict[str, Connections]:
        """Return the connections of a network's sparse layers after its training, of which masks keep some, by weight.

        InputError says that the network cannot be made, or these are no connections.
        """
        run = self.round(trial, round, control)
        return self.connections_in(run.structure) if self._sparse else {}

    def connections_in(self, state: Mapping[str, np.ndarray]) -> dict[str, Connections]:
        """Return the connections of sparse layers in a state of the network, by weight; InputError if they are none."""
        found = {}
        for weight, shape in self._sparse.items():
            starts, columns = structure_names(weight)
            with about(f"{self.archive.name} is damaged: {weight.rpartition('.')[0]}"):
                found[weight] = Connections(shape, state[starts], state[columns])
        return found

    def trained_by(self, trial: int, round: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the versions and the machine of the run that trained a round's ticket, before another one may have gone on."""
        for run in self.earlier:
            if round < run["rounds"].get(str(trial), 0):
                return run["versions"], run["machine"]
        return self.versions, self.machine

    def init(self, trial: int) -> dict[str, np.ndarray]:
        """Return theta_0 of a trial: parameters and buffers before any training."""
        structure = self._trial(trial).structure
        with self.archive.read() as root:
            group = root.group(f"{layout.trial_path(trial)}/init")
            return layout.read_theta_0(group, layout.read_outline(root), structure)

    def has_rewind(self, trial: int) -> bool:
        """Whether the tickets of a trial go back to something else than theta_0, which `rewind` returns."""
        with self.archive.read() as root:
            return layout.rewind_path(trial) in root

    def rewind(self, trial: int) -> Checkpoint:
        """Return what the tickets of a trial rewind to: the dense training at iteration `rewind_to`, optimizer included.

        InputError says that the experiment rewinds to iteration 0, which is `init`, or rewinds no weights.
        """
        structure = self._trial(trial).structure
        with self.archive.read() as root:
            if layout.rewind_path(trial) not in root:
                raise InputError(f"{self.archive.name} has nothing to rewind to but theta_0, which is init({trial})")
            return read_checkpoint(root.group(layout.rewind_path(trial)), layout.read_outline(root).shapes, structure)

    def start(self, trial: int, round: int, control: str | None = None) -> dict[str, np.ndarray]:
        """Return the parameters and buffers that a network's training began with, under the mask that it began with.

        They are theta_0, perhaps scaled, its signed constants, what late rewinding went back to, or the trained weights of the
        round before.
        InputError says that a control drew or rearranged its weights, which are not in the file.
        """
        chosen = self.round(trial, round, control)
        where = chosen.origin["weights"]
        if control and (not isinstance(where, str) or where == "constant"):
            raise InputError(f"{self.archive.name} does not hold the weights that the control {control} began with")
        if where == "trained":
            state = self.round(trial, 0 if self.config["one_shot"] else round - 1).trained
        else:
            state = self.rewind(trial).state if where == "rewind" else self.init(trial)
        if where == "constant":
            constant = CONSTANTS.get(self.config.get("method", ""))
            if constant is None:
                raise InputError(f"{self.archive.name} is damaged: its method has no constant weights")
            state = {name: constant(value) if name in chosen.masks else value for name, value in state.items()}
        under_masks = scaled_to_fan_in if where == "scaled" else apply_masks
        return under_masks(state, chosen.start_masks)

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
        with about(f"{self.archive.name} is damaged: trial {trial}, round {round}"):
            fill(model, masks, state, chosen.frozen)
        return model.eval()

    def to_frame(self) -> Any:
        """Return a DataFrame of pandas or polars, whichever is installed, with a row for every training, as `show --csv` has them.

        InputError says that neither is.
        """
        return frame(rows(self))

    def save(self, path: str | os.PathLike, force: bool = False) -> None:
        """Write the experiment to a file (a result in memory), or a copy of its file to another.

        InputError says that there is a file already, which `force` replaces, but never another result or what is read-only.
        """
        self.archive.save(path, force)

    def _trial(self, trial: int) -> Trial:
        for found in self.trials:  # of an unfinished experiment one before it may be missing
            if found.number == trial:
                return found
        first = self.trials[0].number
        raise InputError(
            f"{self.archive.name} has {len(self.trials)} trials, counted from {first}; there is no trial {trial}"
        )

    def __repr__(self) -> str:
        about = f"{len(self.trials)} trials, {self.config['model']} on {self.config['data']}"
        return printable(f"Result({self.archive.name}: {about})")


def runs_of(result: Result, network: str = "ticket") -> dict[int, dict[int, Round]]:
    """Return the tickets ("ticket", the dense networks among them) or the networks of a control, by round and then by trial."""
    found: dict[int, dict[int, Round]] = {}
    for trial in result.trials:
        for round in trial.rounds:
            run = round if network == "ticket" else round.controls.get(network)
            if run is not None:
                found.setdefault(round.number, {})[trial.number] = run
    return dict(sorted(found.items()))


def check_unmoved(result: Result, why: str) -> None:
    """Raise InputError if connections of a ticket moved, whose weights and masks belong to no others; `why` begins the sentence."""
    for trial in result.trials:
        for round in trial.rounds:
            if moved := round.moved:
                raise InputError(
                    f"{why}, and those of {result.archive.name}, trial {trial.number}, round "
                    f"{round.number}, are of other connections ({moved[0]}) than theta_0's"
                )


def _fits(model: Any, round: Round) -> bool:
    """Whether a module's prunable weights are those of a training, which hence may be filled in."""
    shapes = {name: mask.shape for name, mask in round.masks.items()}
    return isinstance(model, Module) and {name: weight.shape for name, weight in model.prunable().items()} == shapes


def with_frozen(state: Mapping, masks: Mapping, frozen: Mapping) -> dict[str, np.ndarray]:
    """Return a state in which pruned weights have the values at which they are frozen."""
    return {**state, **{name: np.where(masks[name], state[name], value) for name, value in frozen.items()}}


def fill(model: Module, masks: Mapping, state: Mapping, frozen: Mapping) -> None:
    """Give a model masks and weights, the frozen values of pruned ones included, whose layers then have no masks."""
    for name, parameter in model.named_parameters():
        parameter.mask = None if name in frozen else masks.get(name)
    model.load_state_dict(with_frozen(state, masks, frozen))
    for name, layer in model.named_modules():
        with about(name):
            getattr(layer, "connections", None)  # those of the state are looked at
