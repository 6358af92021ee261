"""An experiment made again from its file: the same settings, data and network, to repeat a part of it or to go further."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from tinyticket.data import Dataset, catalogue
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import State
from tinyticket.lottery.callbacks import Callback
from tinyticket.lottery.controls import starts_anew
from tinyticket.lottery.experiment import Experiment
from tinyticket.lottery.inputs import Factory, catalogued, check_connections, load_dataset
from tinyticket.lottery.jobs.job import Job
from tinyticket.lottery.jobs.submission import Here
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.settings.table import SETTINGS
from tinyticket.lottery.streams import stream
from tinyticket.lottery.transfer import OfResult
from tinyticket.lottery.trial import Memory
from tinyticket.nn import Module, describe
from tinyticket.results.result import Result
from tinyticket.results.round import Round, Trial
from tinyticket.store import Run


class OtherDataError(InputError):
    """The data at hand are not those that a file is about."""


class Again:
    """The experiment of a result, or InputError if something of it cannot be had any more.

    Parameters
    ----------
    result
    data, data_folder
        The data set, if its name does not say where it is.
    model
        A Module or a function, needed if the network has a class of your own.
    threads, callbacks
        As in `find`.
    """

    def __init__(
        self,
        result: Result,
        *,
        data: str | Dataset | tuple | None = None,
        data_folder: str | os.PathLike | None = None,
        model: str | Module | Factory | None = None,
        threads: int | None = None,
        callbacks: Callback | Iterable[Callback] = (),
    ):
        settings = Settings.from_plain(result.config)
        dataset = data_of(result, data, data_folder)
        made = model if model is not None else result.network()
        in_file = settings.masks_from != "none"  # the masks that it was given are in this file too
        given = OfResult(result, has_all=False) if in_file else None
        self.experiment = Experiment(
            made, dataset, settings=settings, masks_from=given, threads=threads, callbacks=callbacks
        )
        self.result, self.settings, self.workshop = result, settings, self.experiment.workshop
        self.callback = self.experiment.callback
        if describe(self.workshop.model) != result.model_description:
            raise InputError(f"the model is not of the architecture that {result.archive.name} describes")
        check_connections(self.workshop.model, result.trials[0].structure, result.archive.name)

    def job(self, trial: int, round: int, control: str | None = None) -> Job:
        """Return a training of the file as a job, executed as it was then.

        It is come to as it was when the file was written: the trial is gone through up to this round, where other trainings are
        recalled from the file.
        """
        recorded, found = self.result.round(trial, round, control), list[Job]()

        def see(job: Job) -> None:
            if job.training.control == control:
                found.append(replace(job, plan=recorded.plan))

        self.go_through(trial, see, round)
        (job,) = found
        if control and starts_anew(control) and "stream" in str(job.start.origin["weights"]):
            drawn = self.workshop.draw(stream(self.settings.seed, trial, "init"))
            if other_bits(drawn, self.result.init(trial)):
                raise InputError(
                    f"the control {control} started from weights that a function of its own drew, which is not in the file: "
                    "give the model that the experiment was given"
                )
        return job

    def go_through(self, trial: int, see: Callable[[Job], None], round: int | None = None) -> None:
        """Go through a trial as it was run, and call `see` with its trainings, or with those of one round.

        Whatever comes of a training is recalled from the file.
        """
        held = next(each.rounds for each in self.result.trials if each.number == trial)
        last = len(held) - 1 if round is None else round

        def submit(job: Job) -> Future[Run]:
            done, control = Future[Run](), job.training.control
            if control and control not in (ticket := self.result.round(trial, job.training.round)).beside:
                done.set_result(ticket.run())  # which nothing follows from: the control came later, and not so far
                return done
            see(job)
            run = self.result.round(*job.training[:3]).run()
            done.set_result(replace(run, checkpoint=self.result.rewind(trial)) if job.keep_at else run)
            return done

        with threadpool_limits(1, user_api="blas"):  # as the masks were chosen
            memory = _Recalled(self.result, round)
            self.experiment.trial(trial, memory, submit, self.result.init(trial), rounds=last).run()

    def do(self, job: Job) -> Run:
        """Do a job in this process, and tell of it."""
        return Here(self.callback, self.experiment.threads).of(self.workshop)(job).result()


class _Recalled(Memory):
    """The memory of a trial in which one round is not finished, whatever the file holds, or no round is."""

    def __init__(self, result: Result, missing: int | None):
        self._result, self._missing = result, missing

    def checkpoint(self, trial):
        return self._result.rewind(trial)

    def recall(self, trial, round, masks, begun=False):
        return None if self._missing in (round, None) else self._result.round(trial, round)


def data_of(
    result: Result, data: str | Dataset | tuple | None = None, folder: str | os.PathLike | None = None
) -> Dataset:
    """Return the data set that a result was trained on: of the catalogue by its name, unless it is given.

    A name in a file is no path: whoever made the file does not say what is opened.
    """
    name = catalogued(result)
    if data is None and name not in catalogue.names():
        raise InputError(
            f"{result.archive.name} is about {name!r}, which is not in the catalogue: say where the data are (--data)"
        )
    loss, target = (result.config.get(name, SETTINGS[name].absent) for name in ("loss", "target"))
    dataset = data if isinstance(data, Dataset) else load_dataset(name if data is None else data, folder, loss, target)
    now, before = dataset.fingerprints(), result.data["fingerprints"]
    if different := [part for part in before if now.get(part) != before[part]]:
        raise OtherDataError(
            f"{dataset.name} is not what {result.archive.name} was trained on: by their fingerprints "
            f"{', '.join(different)} of {name} are others"
        )
    return dataset


def chosen_rounds(result: Result, rounds: Iterable[int] | None) -> list[tuple[Trial, Round]]:
    """Return the rounds of some numbers, or all, with their trials; raise InputError if there is no such round."""
    chosen = None if rounds is None else {*rounds}
    for number in chosen or ():
        result.round(result.trials[0].number, number)  # says that there is none
    every = [(trial, round) for trial in result.trials for round in trial.rounds]
    return [(trial, round) for trial, round in every if chosen is None or round.number in chosen]


def other_bits(found: State, expected: State) -> list[str]:
    """Return the names of arrays that are missing, or not the same to the bit."""
    return [name for name, value in expected.items() if name not in found or not same_bits(found[name], value)]


def same_bits(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two arrays are equal in dtype, shape and every bit."""
    return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()
