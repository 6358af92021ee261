"""The dense training of one experiment in another that differs from it only in what comes after.

Ways to rewind, densities, controls and methods are compared in files of their own, which all begin with the same dense training: it
depends on nothing of that, so that the same machine would make the same bits again. Copying it saves the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinyticket.errors import InputError
from tinyticket.lottery.inputs import check_connections
from tinyticket.lottery.record import Record
from tinyticket.lottery.rewinding import kept_iteration
from tinyticket.lottery.settings import Settings
from tinyticket.nn import describe
from tinyticket.results.result import Result
from tinyticket.store import Checkpoint, layout

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment

DECIDES = (
    *("data", "model", "iterations", "batch_size", "lr", "optimizer", "weight_decay", "schedule", "augment"),
    *("seed", "validation", "evaluate_every", "test_at", "eager", "device", "masks_from"),
    *("loss", "label_smoothing", "class_weights", "target", "exact_convolutions", "label_noise", "interpolate_norms"),
)
"""The settings on which a dense training depends; `masks_from` stands for initial weights that were not drawn."""


def decides(settings: Settings, architecture: Mapping[str, Any], fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Return what decides every bit of a dense training on one machine, by its name in sentences."""
    chosen = {name.replace("_", "-"): getattr(settings, name) for name in DECIDES}
    return {**chosen, "architecture": architecture, "contents of the data": fingerprints}


def made_here(source: Result) -> bool:
    """Whether this program on this machine did the dense trainings of a file, and would come to the same bits."""
    ours = {**layout.versions(), "commit": ""}, layout.machine()
    trained = [source.trained_by(trial.number, 0) for trial in source.trials]
    elsewhere = any(trial.rounds[0].cpu for trial in source.trials if trial.rounds)
    return all(({**versions, "commit": ""}, machine) == ours for versions, machine in trained) and not elsewhere


def copy(source: Result, experiment: Experiment, record: Record) -> bool:
    """Write the dense trainings of a result into an experiment's file, for its trials that have not begun; say if there were any.

    InputError says that the experiment would train them otherwise, or this machine would come to other bits.
    """
    waiting = [
        trial.number for trial in source.trials if trial.rounds and trial.number in experiment.settings.trial_numbers
    ]
    waiting = [trial for trial in waiting if not record.rounds(trial)]
    if waiting:
        _check(source, experiment)
    for trial in waiting:
        checkpoint = _checkpoint(source, trial, experiment.settings)
        run = replace(source.round(trial, 0).run(), checkpoint=checkpoint)
        record.commit(trial, 0, source.init(trial), {None: run})
    return bool(waiting)


def _check(source: Result, experiment: Experiment) -> None:
    name, settings, theirs = source.archive.name, experiment.settings, Settings.from_plain(source.config)
    if experiment.archive.path is None:
        raise InputError("a dense training is copied into a file: say which (out)")
    mine = decides(settings, describe(experiment.model), experiment.workshop.fingerprints)
    other = decides(theirs, source.model_description, source.data["fingerprints"])
    if others := [what for what, value in mine.items() if value != other[what]]:
        raise InputError(f"the dense training of {name} is another than this experiment's: {', '.join(others)} differ")
    check_connections(experiment.model, source.trials[0].structure, name)
    if not made_here(source):
        raise InputError(
            f"the dense training of {name} was done on another machine or with other versions, so that this one would come to "
            "other bits: leave dense-from out"
        )


def _checkpoint(source: Result, trial: int, settings: Settings) -> Checkpoint | None:
    """Return what the tickets go back to where that is a later iteration than 0."""
    if not kept_iteration(settings):
        return None
    if kept_iteration(Settings.from_plain(source.config)) != settings.rewind_to:
        raise InputError(
            f"{source.archive.name} has kept nothing of iteration {settings.rewind_to} of its dense training; copy from a "
            "file whose tickets go back to it too"
        )
    return source.rewind(trial)
