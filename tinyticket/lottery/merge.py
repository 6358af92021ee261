"""The trials of one experiment that several machines have run, put together in one file.

Trials are independent of each other and drawn by their numbers, so that machines need nothing but the settings: one runs trials
0 to 4, another one is told that its first trial is 5. Merging trains nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from tinyticket import filesystem
from tinyticket.errors import InputError
from tinyticket.lottery.jobs.job import CONTINUED
from tinyticket.lottery.record import renew_digests, write_round
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.trial import Runs
from tinyticket.results.result import Result, load
from tinyticket.results.round import Round, Trial
from tinyticket.store import Archive, Run, layout
from tinyticket.store.contents import write_json
from tinyticket.store.replacing import system_errors

APART = ("trials", "first_trial")
"""Settings in which the files of one experiment differ."""

AT_ONCE = 16 << 20
"""Bytes of weights that are committed together."""


def merge(files: Sequence[str | os.PathLike], out: str | os.PathLike) -> Result:
    """Put the trials of several files of one experiment into a new one, and return its result.

    Parameters
    ----------
    files
        Two or more, with the same settings but for `trials` and `first_trial`, and all rounds of their trials, as far as these have
        not diverged.
    out : path-like
        The new file.

    Raises
    ------
    InputError
        If they are of different experiments, or of other versions, have a trial twice, or one between them is missing; if a trial
        is unfinished, or the new file is there already.

    Notes
    -----
    Trainings of another machine than the first file's say so (`cpu`), for replaying one repeats its bits on such a machine alone.
    What analyses have kept in the files stays there.
    """
    if len(files) < 2:
        raise InputError("merging needs at least two files")
    if Path(out).exists():
        raise InputError(f"{out} is there already; trials are merged into a new file")
    results = [load(file) for file in files]
    first = results[0]
    settings = Settings.from_plain(first.config)
    for other in results[1:]:
        _check_same(first, other)
    trials = {trial.number: (result, trial) for result in results for trial in result.trials}
    numbers = _check_trials(results)
    settings = dataclasses.replace(settings, trials=len(numbers), first_trial=numbers[0])
    diverged = {trial: round for result in results for trial, round in result.diverged.items()}
    shared = {name: value for name, value in first.header.items() if name != "diverged"}
    header = {**shared, "config": settings.to_plain()}

    def write_header(file: h5py.File) -> None:
        layout.write_header(file, **header)
        write_json(file, "versions", first.versions)
        write_json(file, "machine", first.machine)
        if earlier := [run for result in results for run in result.earlier]:
            write_json(file, layout.EARLIER, {"runs": earlier})
        layout.write_incomplete(file, diverged)

    with Archive(out).locked(), _written_beside(Path(os.path.realpath(out))) as archive:
        archive.commit(write_header)
        for batch in _batches([trials[number] for number in sorted(trials)]):
            archive.commit(functools.partial(_write, batch=batch, machine=first.machine))
        renew_digests(archive, {**header, "diverged": diverged})
    return Result(Archive(out))


@contextlib.contextmanager
def _written_beside(out: Path) -> Iterator[Archive]:
    """Yield a file that takes a name when it has been written to its end, and is removed if it is not."""
    folder = out.with_name(f".{out.name}.merging")
    with system_errors(folder, "written"):
        if folder.exists():  # of a program that was killed
            shutil.rmtree(folder)
        folder.mkdir()
    try:
        archive = Archive(folder / out.name)
        with archive.locked():
            yield archive
        with system_errors(out, "written"):
            os.replace(folder / out.name, out)
            filesystem.sync_folder(out.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _batches(trials: Iterable[tuple[Result, Trial]]) -> Iterator[list[tuple[Result, Trial, Round]]]:
    """Yield all rounds in lists of which each takes about so much memory: a commit has what it writes in memory."""
    batch, size = [], 0
    for result, trial in trials:
        for round in trial.rounds:
            batch.append((result, trial, round))
            size += 4 * sum(run.weights_left for run in (round, *round.beside.values()))
            if size >= AT_ONCE:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _write(file: h5py.File, batch: list[tuple[Result, Trial, Round]], machine: Mapping[str, Any]) -> None:
    for result, trial, round in batch:
        cpu = "" if result.machine == machine else _kind(result.machine)
        runs: Runs = {None: _run(round, cpu), **{name: _run(run, cpu) for name, run in round.controls.items()}}
        if round.continued:
            runs[CONTINUED] = _run(round.continued, cpu)
        if not round.number and result.has_rewind(trial.number):
            runs[None] = dataclasses.replace(runs[None], checkpoint=result.rewind(trial.number))
        # Of theta_0 later rounds need to know what they have in common with it.
        initial = trial.structure if round.number else result.init(trial.number)
        write_round(file, trial.number, round.number, initial, runs)


def _run(round: Round, cpu: str) -> Run:
    run = round.run()
    return run if run.cpu else dataclasses.replace(run, cpu=cpu)


def _kind(machine: Mapping[str, Any]) -> str:
    """Return what stands for the kind of a CPU of which only its machine is known."""
    return f"{machine.get('processor')} of {machine.get('system')}"[:200].encode("ascii", "replace").decode()


def _check_same(first: Result, other: Result) -> None:
    """Raise InputError unless two files are of one experiment."""
    name, where = other.archive.name, first.archive.name
    mine, theirs = ({**result.config, **dict.fromkeys(APART)} for result in (first, other))
    if differing := [key for key in (*mine, *theirs) if mine.get(key) != theirs.get(key)]:
        raise InputError(
            f"{name} is not of the experiment of {where}: {', '.join(dict.fromkeys(differing)).replace('_', '-')} differ; another "
            "machine runs other trials of the same seed with --first-trial"
        )
    for what, one, two in (
        ("another network", first.model_description, other.model_description),
        ("other data", first.data["fingerprints"], other.data["fingerprints"]),
        ("other versions", first.versions, other.versions),
    ):
        if one != two:
            raise InputError(f"{name} is of {what} than {where}, so that one file cannot say what both hold")


def _check_trials(results: Sequence[Result]) -> range:
    """Return the numbers of all trials; raise InputError unless they are different, and whole but for those that diverged."""
    owners: dict[int, str] = {}
    for result in results:
        diverged, rounds = {*map(int, result.diverged)}, {trial.number: len(trial.rounds) for trial in result.trials}
        for number in sorted(rounds.keys() | diverged):
            if number in owners:
                raise InputError(f"{owners[number]} and {result.archive.name} both have a trial {number}")
            if number not in diverged and rounds[number] <= result.config["rounds"]:
                raise InputError(f"trial {number} of {result.archive.name} is unfinished: resume it first")
            owners[number] = result.archive.name
    start = min(Settings.from_plain(result.config).first_trial for result in results)
    numbers = range(start, start + len(owners))
    if missing := {*numbers} - owners.keys():
        raise InputError(f"trial {min(missing)} is missing between those of the files")
    return numbers
