"""The experiment's side of its file: writing finished rounds, and recalling them where a run goes on."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from functools import cached_property
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from tinyticket.data import SparseInputs
from tinyticket.errors import DivergenceError, InputError
from tinyticket.interruption import deferred
from tinyticket.lottery import keeper
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.inputs import catalogued, check_connections
from tinyticket.lottery.jobs.job import CONTINUED, Training
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.trial import Memory, Runs
from tinyticket.nn import describe
from tinyticket.results.result import Result
from tinyticket.results.round import Round
from tinyticket.store import Archive, Checkpoint, Run, checkpoint, contents, digest, layout
from tinyticket.store.contents import Contents, ordered_group

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment


class Record(Memory):
    """What the file of an experiment holds, and how more comes to it; InputError if it holds another experiment.

    `added` are controls that the experiment has and the file does not know of yet.
    """

    def __init__(self, experiment: Experiment, added: tuple[str, ...] = ()):
        self._experiment, self._lock = experiment, threading.Lock()
        self._trials: dict[int, list[Round]] = {}
        self._complete: dict[int, int] = {}  # how many rounds of each trial have all their controls
        self._result: Result | None = None
        self._closed = False
        self._digests: dict[int, str] | None = None  # those that cover all that is in the file of a trial
        self._diverged: dict[str, int] = {}
        self._begun = experiment.archive.exists
        self._has_header = False  # of this run: another's may have other settings, versions and machine
        if self._begun:
            self._result = Result(experiment.archive)
            _check_continues(experiment, self._result, added)
            self._trials = {trial.number: trial.rounds for trial in self._result.trials}
            self._diverged = self._result.diverged
            wanted = {*experiment.settings.controls}
            for number, rounds in self._trials.items():
                lacking = (round.number for round in rounds if round.number and not wanted <= round.controls.keys())
                self._complete[number] = next(lacking, len(rounds))
        self._fills = any(len(self.rounds(trial)) < len(held) for trial, held in self._trials.items())

    def held(self, trial: int) -> list[Round]:
        """Return the rounds of a trial as they were when the run began; the last ones may lack controls that have come to it."""
        return self._trials.get(trial, [])

    def rounds(self, trial: int) -> list[Round]:
        """Return the finished rounds of a trial as they were when the run began."""
        return self.held(trial)[: self._complete.get(trial, 0)]

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
        assert self._result is not None
        return self._result.rewind(trial)

    def commit(self, trial: int, round: int, initial: State, runs: Runs) -> None:
        """Write a finished round, all of it or nothing."""

        def write(file: h5py.File, digests: dict[int, str]) -> None:
            before = None if self._fills else digests.get(trial, self._experiment_digest)
            digests[trial] = write_round(file, trial, round, initial, runs, before)

        archive = self._experiment.archive
        with self._lock, deferred():
            if self._closed:
                raise CancelledError
            self._diverged = {other: reached for other, reached in self._diverged.items() if other != str(trial)}
            self._commit(write)
            self._begun = True
            if archive.path is not None:
                networks = [Training(trial, round, control, 1.0).network for control in runs]
                keeper.forget(archive.path, trial, round, networks)
            self._experiment.callback.committed(trial, round)

    def note_diverged(self, errors: Iterable[DivergenceError]) -> None:
        """Write in which round trials ended early, so that nobody takes those that are missing for deleted; all others did not."""
        named = (re.match(r"trial (\d+), round (\d+)", str(error)) for error in errors)
        found = {match[1]: int(match[2]) for match in named if match}
        if not self._begun or found == self._diverged:
            return
        with self._lock, deferred():
            self._diverged = found
            self._commit(lambda file, digests: None)

    def close(self) -> None:
        """Let a round that is being written be written to its end, and none after it: stopped trials may go on in other threads."""
        with self._lock:
            self._closed = True

    def kept(self) -> str:
        """Return where the finished rounds are, as the end of a message."""
        path = self._experiment.archive.path
        return f"the finished rounds are in {path}." if path and self._begun else "no round was finished."

    def _commit(self, write: Callable[[h5py.File, dict[int, str]], None]) -> None:
        """Write what all trainings share and what `write` writes, which renews the digests of the trials."""
        digests = dict[int, str]()

        def write_all(file: h5py.File) -> None:
            if not self._has_header:
                layout.write_header(file, **self._header)
                if self._fills:  # of so many rounds that all digests are written anew at the end
                    digest.remove(file)
            if not self._fills:
                digests.update(self._sealed(file, self._header) if self._digests is None else self._digests)
            write(file, digests)
            there = {int(number) for number in (*file["trials"], *self._diverged)}
            trials = range(self._experiment.settings.first_trial, max(there, default=0))
            layout.write_incomplete(file, self._diverged, [trial for trial in trials if trial not in there])
            if not self._fills:
                whole = digest.of_file({**self._header, "diverged": self._diverged}, self._experiment_digest, digests)
                digest.record(file, whole)

        self._experiment.archive.commit(write_all)
        self._has_header, self._digests = True, digests  # not before: they are those of what is in the file

    @cached_property
    def _header(self) -> dict[str, Any]:
        experiment = self._experiment
        return {
            "config": experiment.settings.to_plain(),
            "model": describe(experiment.model),
            "data": data_record(experiment),
            "networks": dataclasses.asdict(experiment.method.networks(experiment.settings)),
            "seed": experiment.settings.seed,
        }

    @cached_property
    def _experiment_digest(self) -> str:
        return digest.of_experiment(self._header)

    def _sealed(self, file: h5py.File, header: dict[str, Any]) -> dict[int, str]:
        """Return the digests of the trials of a file that was begun before.

        They are written first if it has none, or says what all trainings share in other words than this version.
        """
        if self._result is None:
            return {}
        if digest.DIGEST in file.attrs and digest.of_experiment(self._result.header) == self._experiment_digest:
            with self._experiment.archive.read() as root:
                paths = {trial: layout.round_path(trial, len(rounds) - 1) for trial, rounds in self._trials.items()}
                return {trial: root.group(path).text(digest.DIGEST) for trial, path in paths.items()}
        with self._experiment.archive.read() as root:
            examined = digest.examine(root, header)
        digest.renew(file, examined)
        return dict(examined.last)

    def seal(self) -> None:
        """Write the digests of a file to whose rounds controls have come."""
        with self._lock, deferred():
            if self._fills and self._has_header:
                renew_digests(self._experiment.archive, {**self._header, "diverged": self._diverged})


def reached(rounds: list[Round]) -> int:
    """Return how many trainings these rounds are."""
    runs = [run for round in rounds for run in (round, *round.beside.values())]
    return sum(run.origin.get("training") != "none" for run in runs)


def renew_digests(archive: Archive, header: dict[str, Any]) -> None:
    """Write the digests of all that a file holds."""
    with archive.read() as root:
        examined = digest.examine(root, header)
    archive.commit(lambda file: digest.renew(file, examined))


def write_round(file: h5py.File, trial: int, round: int, initial: State, runs: Runs, before: str | None = None) -> str:
    """Write the trainings of a round that are not there yet, and in round 0 the trial's theta_0.

    They get digests if `before` is the digest that they follow from; that of the round is returned, else "".
    """

    def write(group: h5py.Group, held: Contents, covered: dict[str, str]) -> str:
        if before is not None:
            return digest.seal(group, held, covered)
        contents.write(group, held)
        return ""

    runs, after, path = dict(runs), before or "", layout.round_path(trial, round)
    ticket, continued = runs.pop(None), runs.pop(CONTINUED, None)
    is_new = path not in file
    if is_new and round == 0:
        theta_0 = ordered_group(file, f"{layout.trial_path(trial)}/init")
        after = write(theta_0, Contents(initial, {}), {"before": after})
        if ticket.checkpoint:
            rewind = ordered_group(file, layout.rewind_path(trial))
            after = write(rewind, checkpoint.contents_of(ticket.checkpoint, initial), {"before": after})
    group, covered = file.require_group(path), {"before": after}
    if is_new:
        ordered_group(group, "controls")
    beside = {f"controls/{name}": run for name, run in runs.items()} | ({CONTINUED: continued} if continued else {})
    for name, run in beside.items():
        if name not in group:
            covered[name] = write(group.create_group(name), layout.contents_of(run, initial), {"before": after})
    return write(group, layout.contents_of(ticket, initial), covered) if is_new else ""


def data_record(experiment: Experiment) -> dict[str, Any]:
    """Return what a file says of the data of an experiment."""
    examples, dataset = experiment.examples, experiment.dataset
    parts = {"train": examples.train, "validation": examples.validation, "test": examples.test}
    return {
        "name": dataset.name,
        "classes": dataset.classes,
        **({} if dataset.classes else {"outputs": dataset.outputs}),
        **({"weighted": True} if dataset.y_train.dtype.names else {}),
        **({"sparse": True} if isinstance(dataset.x_train, SparseInputs) else {}),
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
        if (called := catalogued(recorded)) != experiment.dataset.name:
            other += f" and is {called} now"
    else:
        check_connections(experiment.model, recorded.trials[0].structure, where)
        return
    raise InputError(f"{where} holds an experiment {other}; choose another file")
