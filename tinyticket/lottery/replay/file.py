"""A result file under examination: its trainings one by one, and its network, data and draws as far as they can be had."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.data import Dataset
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import State
from tinyticket.lottery.controls import KINDS
from tinyticket.lottery.inputs import connections_of
from tinyticket.lottery.losses import BINARY
from tinyticket.lottery.methods import Method, method_of
from tinyticket.lottery.plan import Plan
from tinyticket.lottery.replay.again import Again, data_of, other_bits
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.streams import stream
from tinyticket.nn import Module, models
from tinyticket.results.naming import kind_of
from tinyticket.results.result import Result
from tinyticket.results.round import Round

DAMAGE = (KeyError, ValueError, TypeError, OSError, RuntimeError, IndexError, AssertionError)
"""What reading a file that was changed, and doing its experiment again, may raise."""

Wrong = dict[tuple[int, str | None], str | None]
"""What is wrong with the trainings of a trial, by round and control; None if nothing is."""


def unless_damaged(look: Callable[..., str | None], *at: Any) -> str | None:
    """Return what looking at a file finds to be wrong; that is damage where it cannot be looked at."""
    try:
        return look(*at)
    except DAMAGE as error:
        return f"damaged: {in_a_line(error)}"


def in_a_line(error: Exception) -> str:
    """Return what an error says, in a line."""
    return (str(error) or type(error).__name__).splitlines()[0]


@dataclass(frozen=True)
class Training:
    """One training of the file, and the ticket beside which it ran if it is a control."""

    trial: int
    run: Round
    control: str | None = None
    ticket: Round | None = None

    def __str__(self) -> str:
        return f"trial {self.trial}, round {self.run.number}{f', {self.control}' if self.control else ''}"


class File:
    """A result and what belongs to it; `options` are those of `Again`.

    The attributes `method`, `model`, `named`, `plan`, `data`, `again` and `draw` raise InputError where that cannot be had.
    `starts` keeps what is wrong with starts, by trial, for one look at each.
    """

    def __init__(self, result: Result, options: dict[str, Any]):
        self.result, self._options, self.settings = result, options, Settings.from_plain(result.config)
        self.trainings = list(_trainings(result))
        self.dense = [found for found in self.trainings if found.ticket is None and not found.run.number]
        self.tickets = [found for found in self.trainings if found.ticket is None and found.run.number]
        self.controls = [found for found in self.trainings if found.ticket and kind_of(found.control or "") in KINDS]
        self.starts: dict[int, Wrong] = {}

    @cached_property
    def method(self) -> Method:
        """How the networks after the dense one were made."""
        return method_of(self.settings)

    @cached_property
    def model(self) -> Module:
        """The network, with whatever weights."""
        found = self._options.get("model") or self.result.network()
        if isinstance(found, str):
            found = self._create(found)
        return found if isinstance(found, Module) else found(np.random.default_rng(0))

    @property
    def by_name(self) -> bool:
        """Whether the network is one that the library makes by its name."""
        return any(re.fullmatch(pattern, self.settings.model) for pattern, _ in models.FAMILIES.values())

    @property
    def named(self) -> Module:
        """The network that the library makes by the name in the settings."""
        if not self.by_name:
            raise InputError(f"{self.settings.model} is no name of a network of the library")
        return self._create(self.settings.model)

    def _create(self, name: str) -> Module:
        data = self.result.data
        outputs = 1 if self.settings.loss == BINARY else data["classes"] or data.get("outputs", 1)
        return models.create(name, tuple(data["input_shape"]), outputs, connections_of(self.settings.seed))

    @cached_property
    def plan(self) -> Plan:
        """The rounds of the experiment."""
        return self.method.plan(self.model, self.settings)

    @cached_property
    def data(self) -> Dataset:
        """The data that the file is about; OtherDataError if those at hand are others."""
        return data_of(self.result, self._options.get("data"), self._options.get("data_folder"))

    @cached_property
    def again(self) -> Again:
        """The experiment made again."""
        return Again(self.result, **self._options)

    @cached_property
    def draw(self) -> Callable[[np.random.Generator], State]:
        """What draws theta_0 from a generator: the described layers, or a function of the user's own that is given."""
        given, name = self._options.get("model"), self.result.config["model"]
        if self.settings.masks_from != "none":
            raise InputError("it is that of the file from which the masks are")
        if given is None and not self.by_name and name != self.result.model_description["layer"]:
            raise InputError(f"{name} is of the user's own making: give the model (--model FILE.py:FUNCTION)")

        def drawn(rng: np.random.Generator) -> State:
            if callable(given) and not isinstance(given, Module):
                return given(rng).state_dict()
            network = copy.deepcopy(self.model)
            network.reset_parameters(rng)
            return network.state_dict()

        return drawn

    def drawn_otherwise(self, trial: int) -> list[str]:
        """Return the parts of a trial's theta_0 that are not what its stream draws."""
        return other_bits(self.draw(stream(self.settings.seed, trial, "init")), self.result.init(trial))


def _trainings(result: Result) -> Iterator[Training]:
    for trial in result.trials:
        for round in trial.rounds:
            yield Training(trial.number, round)
            yield from (Training(trial.number, run, name, round) for name, run in round.beside.items())
