"""Tickets of one experiment in another, to see whether they win on other data too.

Frankle and Carbin found masks and initial weights on the data on which they tested them; Morcos, Yu, Paganini and Tian (2019) took
them to other data sets. Trial t of the new experiment starts from theta_0 of the file's trial t, and its round r has the mask of
the file's round r; everything else, the dense training and the controls included, is done on the new data. The control `reinit` is
the file's mask with new weights. `foreign` does the same with the weights and masks of other programs.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tinyticket.data import Dataset
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.inputs import check_connections
from tinyticket.lottery.plan import Plan
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.settings.table import MASKING, SETTINGS
from tinyticket.nn import Module, describe
from tinyticket.results.result import Result, check_unmoved


class Tickets:
    """Masks, and weights to start them from, that an experiment is given."""

    def adopt(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options of `find` with those that the masks decide; raise InputError if they say otherwise."""
        raise NotImplementedError

    def decided(self, network: Callable[[], Module]) -> dict[str, Any]:
        """Return options that depend on the network which is trained."""
        return {}

    def check_data(self, dataset: Dataset) -> None:
        """Raise InputError unless the tickets take examples of a data set."""

    def check_model(self, model: Module, settings: Settings) -> None:
        """Raise InputError unless there are tickets of this network for all trials and rounds."""

    def planned(self, plan: Plan) -> Plan:
        """Return a plan with the counts of the tickets."""
        raise NotImplementedError

    def initial(self, trial: int, draw: Callable[[int], State]) -> State:
        """Return theta_0 of a trial, which without tickets would be drawn."""
        raise NotImplementedError

    def masks(self, trial: int, round: int) -> Masks:
        """Return the masks of a round."""
        raise NotImplementedError


class OfResult(Tickets):
    """The tickets of a result: those of a trial and round are of its trial and round of that number.

    Unless it `has_all`, last trials and rounds of the experiment may not have been trained.
    """

    def __init__(self, source: Result, has_all: bool = True):
        self._source, self._has_all = source, has_all

    def adopt(self, options):
        source, given = self._source, unmasked(self._source.archive.name, options)
        check_unmoved(source, "masks are taken with the connections of theta_0")
        config, adopted = source.config, {"trials": len(source.trials), "model": Network(source)}
        adopted["first_trial"] = source.trials[0].number
        if not config["one_shot"]:
            adopted |= {"prune": config["prune"], "rounds": min(len(trial.rounds) for trial in source.trials) - 1}
        decided = {"one_shot": config["one_shot"] or None, "scope": config["scope"], "masks_from": label(source)}
        return {**adopted, **given, **decided}

    def check_data(self, dataset):
        theirs, classes = tuple(self._source.data["input_shape"]), self._source.data["classes"]
        if (theirs, classes) != (dataset.input_shape, dataset.classes):
            raise InputError(
                f"the tickets of {self._source.archive.name} take examples of shape {theirs} of {classes} classes; "
                f"{dataset.name} has {dataset.input_shape} of {dataset.classes}"
            )

    def check_model(self, model, settings):
        if describe(model) != self._source.model_description:
            name = f"{self._source.archive.name}, {self._source.config['model']}"
            raise InputError(f"the model {settings.model} is not the network of {name}")
        for trial in settings.trial_numbers if self._has_all else ():
            self._source.round(trial, settings.rounds)  # says that there is none
        for found in self._source.trials:
            check_connections(model, found.structure, f"{self._source.archive.name}, trial {found.number}")

    def planned(self, plan):
        longest = max((trial.rounds for trial in self._source.trials), key=len)
        left = [round.weights_left for round in longest][: len(plan.weights_left)]
        return dataclasses.replace(plan, weights_left=[*left, *plan.weights_left[len(left) :]])

    def initial(self, trial, draw):
        return self._source.init(trial)

    def masks(self, trial, round):
        return {name: np.array(mask) for name, mask in self._source.round(trial, round).masks.items()}


def unmasked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are given; raise InputError if they ask for masks while those of the file `name` are taken."""
    for setting in MASKING:
        if options.get(setting) not in (None, SETTINGS[setting].absent):
            raise InputError(
                f"the masks are those of {name}, so nothing is pruned: leave {setting.replace('_', '-')} out"
            )
    return {setting: value for setting, value in options.items() if value is not None}


class Network:
    """A function from a generator to the network of a result, made of its description: its name is nothing to open or run."""

    def __init__(self, source: Result):
        self.__name__ = source.config["model"]
        self._network = source.network()

    def __call__(self, rng: Any) -> Module:
        network = copy.deepcopy(self._network)
        network.reset_parameters(rng)
        return network


def label(source: Result) -> str:
    """Return what identifies a file's tickets, wherever it lies and when it has grown: model, data, seed, a digest."""
    first, config = source.trials[0], source.config
    arrays = (*source.init(first.number).items(), *first.rounds[:2][-1].masks.items())
    return f"{config['model']} on {config['data']}, seed {config['seed']}, sha256:{digest(arrays)}"


def digest(arrays: Iterable[tuple[str, np.ndarray]]) -> str:
    """Return the first 16 digits of the SHA-256 of arrays and their names."""
    found = hashlib.sha256()
    for name, value in arrays:
        found.update(f"{name} {value.dtype.str} {value.shape}\n".encode() + value.tobytes())
    return found.hexdigest()[:16]
