"""A training as a job, and the workshop where jobs are done: what of an experiment is loaded once in every process that trains.

A job and the workshop of its experiment decide every bit of what comes of it, in whichever process that is.
"""

from __future__ import annotations

import copy
import functools
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from tinyticket.data import Dataset
from tinyticket.errors import DivergenceError
from tinyticket.lottery.algorithm import State
from tinyticket.lottery.inputs import Factory, model_factory, split
from tinyticket.lottery.keeper import FileKeeper, Keeper, place
from tinyticket.lottery.losses import make_loss, outputs_for
from tinyticket.lottery.mask_training import MaskTrainer
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.settings.table import EXTENDABLE
from tinyticket.lottery.start import Start
from tinyticket.lottery.streams import stream
from tinyticket.lottery.training import Trainer
from tinyticket.nn import Module, describe
from tinyticket.results.naming import ACCURACY
from tinyticket.store import Run, fingerprint
from tinyticket.store.layout import versions

CONTINUED = "continued"
"""What stands for a control's name where training goes on between prunings: the network that the next round prunes."""


class Training(NamedTuple):
    """Which training: `control` is None for the dense network of round 0 and for the tickets of the rounds after it."""

    trial: int
    round: int
    control: str | None
    density: float
    experiment: str = ""  # of a sweep
    metric: str = ACCURACY.title  # what its accuracies are: "accuracy", or "R2" of targets that are numbers

    @property
    def network(self) -> str:
        """What is trained: "dense", "ticket", or a control's name."""
        return self.control or ("ticket" if self.round else "dense")

    @property
    def of(self) -> str:
        """The experiment of a sweep, to stand before a training's name."""
        return f"{self.experiment}, " if self.experiment else ""

    def __str__(self) -> str:
        """Say it as errors do: "trial 0, round 1 (control reinit)"."""
        control = self.control if self.control in (None, CONTINUED) else f"control {self.control}"
        return f"trial {self.trial}, round {self.round}{f' ({control})' if control else ''}"


@dataclass(frozen=True)
class Job:
    """A training, or an evaluation of a network as it starts."""

    training: Training
    start: Start
    keep_at: int = 0  # the iteration after which to keep a checkpoint to rewind to; 0 for none
    streams: tuple[str, str, str] = ("batches", "dropout", "augment")  # purposes, those of a ticket and its controls
    plan: Mapping[str, Any] | None = None  # how a training of before was executed, to execute this one in the same way
    beside: str | None = None  # the result file beside which the training is kept while it is under way


@functools.cache  # asking takes half a millisecond
def cpu() -> str:
    """Return the kind of this CPU, on which the last bits of results depend, as the compiler of the kernels calls it."""
    try:
        from tinyticket.kernels.cpu.vector.machine import target
    except ImportError:  # without Numba nothing is compiled for it
        return platform.machine()
    return target()[0]


class Workshop:
    """The data and the network of an experiment, which is trained over and over, and what trains it.

    `factory` is the model as `find` takes it.
    """

    def __init__(self, factory: str | Module | Factory, dataset: Dataset, settings: Settings):
        self.factory, self.dataset, self.settings = factory, dataset, settings
        self.examples = split(dataset, settings)
        _, self._make = model_factory(factory, dataset, outputs_for(settings.loss, dataset), settings.seed)
        self._loss = make_loss(settings, dataset, self.examples.train[1])
        # A copy: training leaves masks in it, and a function may hand out one and the same object again and again.
        self.model = copy.deepcopy(self._make(stream(settings.seed, 0, "init")))
        self._trainer: Trainer | None = None
        self._plan: Mapping[str, Any] | None = None

    @functools.cached_property
    def fingerprints(self) -> dict[str, str]:
        """What identifies the data: digests of all of them, which take longer than many a commit that records them."""
        return self.dataset.fingerprints()

    @functools.cached_property
    def _libraries(self) -> ThreadpoolController:
        """The libraries of this process that have threads, which take a millisecond to find: a training uses no others."""
        return ThreadpoolController()

    @property
    def contents(self) -> tuple[Any, ...]:
        """What another process needs to make the same."""
        return self.factory, self.dataset, self.settings

    def draw(self, rng: np.random.Generator) -> State:
        """Return freshly drawn parameters and buffers."""
        return self._make(rng).state_dict()

    def trainer(self, plan: Mapping[str, Any] | None = None) -> Trainer:
        """Return what trains the network, executed as a training of before was, if its plan is given."""
        if self._trainer is None or plan != self._plan:
            self._plan = plan
            self._trainer = Trainer(self.model, self.settings, self.examples, plan=plan, loss=self._loss)
        return self._trainer

    def do(
        self,
        job: Job,
        threads: int,
        watch: Callable[[dict[str, Any]], None] = lambda row: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Run:
        """Do a job on so many threads, which do not change what comes of it.

        `watch` is called with each row of the history, and `is_stopped` says now and then whether to end early.
        """
        start, trainer, (trial, round, *_) = job.start, self.trainer(job.plan), job.training
        trainer.step.threads = threads
        if start.revision:  # it learns while it works: a job can be done again
            start = replace(start, revision=copy.deepcopy(start.revision))
            start.revision.draw = self.draw  # type: ignore[union-attr]
        if start.untrained:
            trainer = MaskTrainer(trainer, start.untrained, start.weights)
        order, dropout, augment = (stream(self.settings.seed, trial, purpose, round) for purpose in job.streams)
        try:
            with self._libraries.limit(limits=1, user_api="blas"):  # BLAS may round otherwise with more threads
                return trainer.train(start, order, dropout, watch, job.keep_at, augment, self._keeper(job, is_stopped))
        except DivergenceError as error:
            raise DivergenceError(f"{job.training}: {error}") from None

    def _keeper(self, job: Job, is_stopped: Callable[[], bool]) -> Keeper:
        """Return what keeps a training while it is under way, where it can be kept."""
        where, (trial, round, *_) = job.beside, job.training
        weights = job.start.trains and not job.start.untrained and self.settings.device == "cpu"
        if not where or not weights or not os.path.isdir(os.path.dirname(where)):
            return Keeper(is_stopped)
        path = place(where, trial, round, job.training.network)
        return FileKeeper(path, str(job.training), lambda: self._identity(job), is_stopped)

    def _identity(self, job: Job) -> str:
        """Return a digest of all that decides the bits of a training: one that was kept is another's, or this one's.

        How many rounds and trials there are to be decides none of them.
        """
        settings = {name: value for name, value in self.settings.to_plain().items() if name not in EXTENDABLE}
        machine = {"cpu": cpu(), **versions()}
        start, revision = vars(job.start), job.start.revision
        begun = {**start, "revision": revision and (type(revision).__name__, revision.iterations, revision.record())}
        what = {**vars(job), "training": job.training[:3], "start": begun, "beside": None}
        return fingerprint([settings, describe(self.model), self.fingerprints, machine, what])
