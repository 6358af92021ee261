"""Tickets of one experiment in another, to see whether they win on other data too.

Frankle and Carbin found masks and initial weights on the data on which they tested them; Morcos, Yu, Paganini and Tian (2019) took
them to other data sets. Trial t of the new experiment starts from theta_0 of the file's trial t, and its round r has the mask of
the file's round r; everything else, the dense training and the controls included, is done on the new data. The control `reinit` is
the file's mask with new weights.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyticket.data import Dataset
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.plan import Plan
from tinyticket.lottery.pruning import Pruner
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.settings.table import MASKING, SETTINGS
from tinyticket.nn import Module, describe
from tinyticket.results.result import Result


def adopt(source: Result, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of `find` with those that the masks of a file decide; raise InputError if they say otherwise."""
    for name in MASKING:
        if options.get(name) not in (None, SETTINGS[name].absent):
            raise InputError(
                f"the masks are those of {source.archive.name}, so nothing is pruned: leave {name.replace('_', '-')} out"
            )
    if "inverted" in str(options.get("controls")):
        raise InputError(
            "the control inverted needs the scores that chose a mask; with masks from a file there are none"
        )
    config, adopted = source.config, {"trials": len(source.trials), "model": Network(source)}
    if not config["one_shot"]:
        adopted |= {"prune": config["prune"], "rounds": min(len(trial.rounds) for trial in source.trials) - 1}
    given = {name: value for name, value in options.items() if value is not None}
    decided = {"one_shot": config["one_shot"] or None, "scope": config["scope"], "masks_from": label(source)}
    return {**adopted, **given, **decided}


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
    digest = hashlib.sha256()
    first = source.trials[0]
    for state in (source.init(first.number), first.rounds[:2][-1].masks):
        for name, value in state.items():
            digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode() + value.tobytes())
    config = source.config
    return f"{config['model']} on {config['data']}, seed {config['seed']}, sha256:{digest.hexdigest()[:16]}"


def check_data(source: Result, dataset: Dataset) -> None:
    """Raise InputError unless a file's tickets take examples of a data set."""
    theirs, classes = tuple(source.data["input_shape"]), source.data["classes"]
    if (theirs, classes) != (dataset.input_shape, dataset.classes):
        raise InputError(
            f"the tickets of {source.archive.name} take examples of shape {theirs} of {classes} classes; {dataset.name} has "
            f"{dataset.input_shape} of {dataset.classes}"
        )


def check_model(source: Result, model: Module, settings: Settings) -> None:
    """Raise InputError unless a file has tickets of this network for all trials and rounds."""
    if describe(model) != source.model_description:
        raise InputError(
            f"the model {settings.model} is not the network of {source.archive.name}, {source.config['model']}"
        )
    for trial in range(settings.trials):
        source.round(trial, settings.rounds)  # says that there is none


def planned(source: Result, plan: Plan) -> Plan:
    """Return a plan with the counts of a file's tickets."""
    rounds = source.trials[0].rounds[: len(plan.weights_left)]
    return dataclasses.replace(plan, weights_left=[round.weights_left for round in rounds])


class Given(Pruner):
    """Does not prune: the masks of every round are those of a file's trial."""

    def __init__(self, source: Result, trial: int):
        self._source, self._number = source, trial

    def prune(self, round: int, trained: State, masks: Masks) -> Masks:
        """Return the masks of a round."""
        return {name: np.array(mask) for name, mask in self._source.round(self._number, round).masks.items()}
