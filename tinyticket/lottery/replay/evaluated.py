"""Networks of a result file made again and evaluated: as they started, and as they ended."""

from __future__ import annotations

import numpy as np

from tinyticket.errors import InputError
from tinyticket.lottery.controls import starts_anew
from tinyticket.lottery.jobs.job import Job
from tinyticket.lottery.replay.file import DAMAGE, File, Training, Wrong, in_a_line
from tinyticket.results.result import fill
from tinyticket.results.round import Round

ROUNDING = 1e-3
"""Of accuracies, and in proportion of losses, that other kernels or another machine recompute."""

UNSAID = {"statistics": "init", "iteration": 0, "optimizer": "new", "learning_rate": "schedule"}
"""What files mean that do not say it."""


def start(file: File, found: Training) -> str | None:
    """Say in what a training's start is not what the settings and the rounds before make of theta_0."""
    if found.trial not in file.starts:
        file.starts[found.trial] = _starts(file, found.trial)
    return file.starts[found.trial].get((found.run.number, found.control), "the settings have no such training")


def _starts(file: File, trial: int) -> Wrong:
    """Go through a trial once, and return what is wrong with the start of each of its trainings."""
    wrong: Wrong = {}

    def see(job: Job) -> None:
        wrong[job.training.round, job.training.control] = _other_start(file, job)

    try:
        file.again.go_through(trial, see)
    except DAMAGE as error:
        reason = f"its trial cannot be gone through: {in_a_line(error)}"
        for found in file.trainings:
            if found.trial == trial:
                wrong.setdefault((found.run.number, found.control), reason)
    return wrong


def end(file: File, found: Training) -> str | None:
    """Say in what the last row of a history is not what the trained network does."""
    run = found.run
    fill(file.again.workshop.model, run.masks, run.trained, run.frozen)
    return _other_row(file, run, -1)


def rewound(file: File, found: Training) -> str | None:
    """Say in what the network that tickets rewind to is not the dense one at that iteration, if that was evaluated there."""
    checkpoint = file.again.result.rewind(found.trial)
    places = np.flatnonzero(found.run.history["iteration"] == checkpoint.iteration)
    fill(file.again.workshop.model, found.run.masks, checkpoint.state, {})
    return _other_row(file, found.run, places[0]) if len(places) else None


def _other_start(file: File, job: Job) -> str | None:
    trial, round, control, *_ = job.training
    begun, recorded = job.start, file.result.round(trial, round, control)
    moving = begun.revision.record() if begun.revision else {}  # what only training tells
    for name, value in begun.record().items():
        if name not in moving and (said := recorded.origin.get(name, UNSAID.get(name, value))) != value:
            return f"{name} is {said}, by the settings {value}"
    if unknown := recorded.origin.keys() - begun.record().keys():
        return f"its start has {', '.join(sorted(unknown))}, by the settings it has none"
    first = recorded.start_masks if begun.revision or begun.untrained else recorded.masks
    places = sum(int(np.count_nonzero(mask != first[name])) for name, mask in begun.masks.items())
    if places:
        return f"the mask chosen again differs in {places} places"
    moves_at_once = begun.revision and begun.iteration in begun.revision.iterations
    if begun.untrained or moves_at_once or (control and starts_anew(control) and not _can_draw(file, trial)):
        return None  # the first row is of another network, or of weights that cannot be had
    fill(file.again.workshop.model, begun.masks, begun.weights, begun.frozen)
    return _other_row(file, recorded, 0)


def _can_draw(file: File, trial: int) -> bool:
    try:
        return not file.drawn_otherwise(trial)
    except InputError:
        return False


def _other_row(file: File, run: Round, place: int) -> str | None:
    """Compare a row of a history with what the network, which stands filled in the workshop, does now."""
    workshop, row, other = file.again.workshop, run.history[place], []
    step = workshop.trainer(run.plan).step
    for part in ("validation", "test"):
        loss, accuracy = step.evaluate(getattr(workshop.examples, part))
        wrong, close = row[f"{part}_loss"], ROUNDING * max(abs(loss), ROUNDING)
        if np.isnan(wrong) and file.settings.test_at != "all":
            continue  # the test set was not read there, nor should it have been (`claims.history`)
        if not (abs(loss - wrong) <= close and abs(accuracy - row[f"{part}_accuracy"]) <= ROUNDING):
            other.append(
                f"{part} accuracy {accuracy:.4f}, loss {loss:.5f}; recorded {row[f'{part}_accuracy']:.4f}, {wrong:.5f}"
            )
    return "; ".join(other) or None
