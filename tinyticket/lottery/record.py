"""The experiment's side of its file: writing finished rounds, and recalling them where a run goes on."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from tinyticket.errors import InputError
from tinyticket.interruption import deferred
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.jobs.job import CONTINUED
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.trial import Runs
from tinyticket.nn import describe
from tinyticket.results.result import Result, Round
from tinyticket.store import Checkpoint, Run, layout, write_checkpoint

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment


class Record:
    """What the file of an experiment holds, and how more comes to it; InputError if it holds another experiment.

    `added` are controls that the experiment has and the file does not know of yet.
    """

    def __init__(self, experiment: Experiment, added: tuple[str, ...] = ()):
        self._experiment, self._lock = experiment, threading.Lock()
        self._trials: dict[int, list[Round]] = {}
        self._whole: dict[int, int] = {}  # how many rounds of each trial have all their controls
        self._result: Result | None = None
        self._closed = False
        self._begun = experiment.archive.exists
        if self._begun:
            self._result = Result(experiment.archive)
            _check_continues(experiment, self._result, added)
            self._trials = {trial.number: trial.rounds for trial in self._result.trials}
            wanted = {*experiment.settings.controls}
            for number, rounds in self._trials.items():
                lacking = (round.number for round in rounds if round.number and not wanted <= round.controls.keys())
                self._whole[number] = next(lacking, len(rounds))

    def held(self, trial: int) -> list[Round]:
        """Return the rounds of a trial as they were when the run began; the last ones may lack controls that have come to it."""
        return self._trials.get(trial, [])

    def rounds(self, trial: int) -> list[Round]:
        """Return the finished rounds of a trial as they were when the run began."""
        return self.held(trial)[: self._whole.get(trial, 0)]

    def trained(self, trial: int, round: int, control: str | None) -> Run | None:
        """Return a training of a round to which controls have come."""
        if round >= len(held := self.held(trial)):
            return None
        found = held[round] if control is None else held[round].beside.get(control)
        with self._lock:  # not while another trial's round takes the file's place
            return None if found is None else found.run()

    def recall(self, trial: int, round: int, masks: Masks, begun: bool = False) -> Round | None:
        """Return a finished round; raise InputError if its masks are not those that follow from the round before.

        With `begun` they are the masks that its training began with.
        """
        if round >= len(self.rounds(trial)):
            return None
        recorded = self.rounds(trial)[round]
        held = recorded.start_masks if begun else recorded.masks
        if any(not np.array_equal(held[name], mask) for name, mask in masks.items()):
            raise InputError(
                f"{self._experiment.archive.name}: the mask of trial {trial}, round {round} does not follow from the weights "
                "before it; the file has been changed"
            )
        return recorded

    def checkpoint(self, trial: int) -> Checkpoint:
        """Return what the tickets of a trial rewind to."""
        assert self._result is not None
        return self._result.rewind(trial)

    def commit(self, trial: int, round: int, initial: State, runs: Runs) -> None:
        """Write a finished round, all of it or nothing."""
        archive = self._experiment.archive
        with self._lock, deferred():
            if self._closed:
                raise CancelledError
            archive.commit(lambda file: self._write(file, trial, round, initial, runs))
            self._begun = True
            self._experiment.callback.committed(trial, round)

    def close(self) -> None:
        """Let a round that is being written be written to its end, and none after it: stopped trials may go on in other threads."""
        with self._lock:
            self._closed = True

    def kept(self) -> str:
        """Return where the finished rounds are, as the end of a message."""
        path = self._experiment.archive.path
        return f"the finished rounds are in {path}." if path and self._begun else "no round was finished."

    def _write(self, file: h5py.File, trial: int, round: int, initial: State, runs: Runs) -> None:
        experiment = self._experiment
        layout.write_header(
            file,
            config=experiment.settings.to_plain(),
            model=describe(experiment.model),
            data=_data_record(experiment),
            networks=dataclasses.asdict(experiment.method.networks(experiment.settings)),
            seed=experiment.settings.seed,
        )
        write_round(file, trial, round, initial, runs)


def write_round(file: h5py.File, trial: int, round: int, initial: State, runs: Runs) -> None:
    """Write the trainings of a round that are not there yet, and in round 0 the trial's theta_0."""
    runs = dict(runs)
    ticket, continued = runs.pop(None), runs.pop(CONTINUED, None)
    path = layout.round_path(trial, round)
    if path not in file:
        if round == 0:
            layout.write_state(layout.ordered_group(file, f"{layout.trial_path(trial)}/init"), initial)
            if ticket.checkpoint:
                write_checkpoint(layout.ordered_group(file, layout.rewind_path(trial)), ticket.checkpoint)
        group = file.create_group(path)
        layout.write_run(group, ticket)
        layout.ordered_group(group, "controls")
        if continued:
            layout.write_run(group.create_group(CONTINUED), continued)
    beside = file[f"{path}/controls"]
    for name, run in runs.items():
        if name not in beside:
            layout.write_run(beside.create_group(name), run)


def _data_record(experiment: Experiment) -> dict[str, Any]:
    examples, dataset = experiment.examples, experiment.dataset
    parts = {"train": examples.train, "validation": examples.validation, "test": examples.test}
    return {
        "name": dataset.name,
        "classes": dataset.classes,
        "input_shape": list(dataset.input_shape),
        "examples": {part: len(y) for part, (_, y) in parts.items()},
        "fingerprints": experiment.workshop.fingerprints,
    }


def _check_continues(experiment: Experiment, recorded: Result, added: tuple[str, ...]) -> None:
    where, settings, before = experiment.archive.name, experiment.settings, Settings.from_plain(recorded.config)
    settings.check_continues(dataclasses.replace(before, controls=(*before.controls, *added)), where)
    if recorded.model_description != describe(experiment.model):
        other = f"with another architecture of the model {settings.model!r}"
    elif recorded.data["fingerprints"] != experiment.workshop.fingerprints:
        other = f"on other data: {experiment.dataset.name} has changed since"
    else:
        return
    raise InputError(f"{where} holds an experiment {other}; choose another file")
