"""How much the order of the batches matters: instability and linear mode connectivity.

Frankle, Dziugaite, Roy and Carbin (2020, section 2): train two copies of a network with different data orders, and look along the
straight line between the two for how far the error rises. Where it rises by less than two points, the network is stable: both
copies lie in one valley. Sparse networks turn out to match the dense one exactly where they are stable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
from threadpoolctl import threadpool_limits

from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.jobs.job import Job, Workshop
from tinyticket.lottery.replay.again import Again, chosen_rounds
from tinyticket.lottery.rewinding import Rewinding, kept_iteration
from tinyticket.lottery.start import Start
from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.result import Result, fill
from tinyticket.results.round import Round
from tinyticket.store import Archive, layout

COPIES = ("instability-1", "instability-2")
ALPHAS = 30
STABLE = 0.02
CURVE = np.dtype([("alpha", np.float64), ("test_loss", np.float64), ("test_accuracy", np.float64)])


def instability(result: Result, rounds: Iterable[int] | None = None, **options: Any) -> Analysis:
    """Return the error barrier between two copies of a network, for the dense one and for tickets, trial by trial.

    With late rewinding to K all of them start at iteration K, the dense network included. What is found is kept in the file, and
    trained only once.

    Parameters
    ----------
    result
    rounds
        Which; all that are finished if not given.
    **options
        Those of `Again`.

    Returns
    -------
    Analysis
        A row for each trial and round: final test errors of the copies, the largest error on the line between them, the barrier
        (that minus the mean of the two), and whether it is below 0.02. Its picture is the test error along the line.

    Raises
    ------
    InputError
        If there is no such round, its mask is found in the course of its training, or data or network cannot be had any more.
    """
    wanted = [(trial.number, round) for trial, round in chosen_rounds(result, rounds)]
    missing = [(trial, round) for trial, round in wanted if _recorded(result, trial, round.number) is None]
    if missing:
        _train(Again(result, **options), missing)
    rows: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for trial, round in wanted:
        curve = _recorded(result, trial, round.number)
        assert curve is not None
        rows.append({"trial": trial, "round": round.number, "density": round.density, **barrier(curve)})
        label = f"trial {trial}, {round.density:.1%}"
        points += [{"network": label, "alpha": float(a), "test_error": 1 - float(e)} for a, _, e in curve.tolist()]
    title, metric = "Test error on the line between two copies", result.metric
    picture = Analysis(title, points, "alpha", ("test_error",), "network", log_x=False, metric=metric)
    title = "Error barrier between two copies of a network"
    return Analysis(title, rows, "density", ("barrier",), picture=picture, metric=metric)


def barrier(curve: np.ndarray) -> dict[str, Any]:
    """Return the barrier of a curve from one copy to the other, and what it is made of; errors are fractions."""
    errors = 1 - curve["test_accuracy"]
    ends = (errors[0] + errors[-1]) / 2
    return {
        "error_1": float(errors[-1]),
        "error_2": float(errors[0]),
        "largest": float(errors.max()),
        "barrier": float(errors.max() - ends),
        "stable": "yes" if errors.max() - ends < STABLE else "no",
    }


def interpolate(first: State, second: State, alpha: float) -> State:
    """Return alpha * first + (1 - alpha) * second, parameters and running statistics alike, in their own dtype."""
    return {
        name: value.astype(value.dtype, copy=True)
        if alpha == 1 or not np.issubdtype(value.dtype, np.floating)
        else (value.dtype.type(alpha) * value + value.dtype.type(1 - alpha) * second[name])
        for name, value in first.items()
    }


def _train(again: Again, missing: list[tuple[int, Round]]) -> None:
    """Train two copies of each network and write the curve between them."""
    archive, callback = again.result.archive, again.callback
    jobs = {(trial, round.number): _job(again, trial, round) for trial, round in missing}
    callback.run_begun(2 * len(missing), again.settings.iterations, 0)
    try:
        with archive.locked():
            for (trial, number), job in jobs.items():
                copies = [again.do(_copy(job, purpose)) for purpose in COPIES]
                first, second = (copy.trained for copy in copies)
                curve = curve_between(again.workshop, job.plan, job.start.masks, first, second, job.start.frozen)
                _write(archive, trial, number, curve, job.start)
    finally:
        callback.run_ended()


def _job(again: Again, trial: int, round: Round) -> Job:
    settings, job = again.settings, again.job(trial, round.number)
    start = job.start
    if start.revision is not None or start.untrained is not None:
        raise InputError(
            f"trial {trial}, round {round.number}: its mask is found in the course of its training, so two copies have two masks; "
            "instability is a question to networks of one mask"
        )
    if round.number == 0 and kept_iteration(settings):
        rewinding = Rewinding("weights", settings.rewind_to, start.weights, settings.rewind_optimizer)
        start = rewinding.start(again.result.rewind(trial), start.weights, start.masks, {"mask": "ticket"})
    return replace(job, start=start, keep_at=0)


def _copy(job: Job, purpose: str) -> Job:
    """Return a job of the same start in another order."""
    streams = (purpose, f"{purpose}-dropout", f"{purpose}-augment")
    return replace(job, training=job.training._replace(control=purpose), streams=streams)


def curve_between(
    workshop: Workshop,
    plan: Mapping[str, Any] | None,
    masks: Masks,
    first: State,
    second: State,
    frozen: State,
    points: int = ALPHAS,
) -> np.ndarray:
    """Evaluate so many networks on the line between two, on the test set: alpha 1 is the first, 0 the second."""
    step, rows = workshop.trainer(plan).step, []
    with threadpool_limits(1, user_api="blas"):
        for alpha in np.linspace(0, 1, points):
            fill(workshop.model, masks, interpolate(first, second, float(alpha)), frozen)
            rows.append((alpha, *step.evaluate(workshop.examples.test)))
    return np.array(rows, CURVE)


def _write(archive: Archive, trial: int, round: int, curve: np.ndarray, start: Start) -> None:
    def write(file: h5py.File) -> None:
        group = file.require_group(layout.instability_path(trial, round))
        group.create_dataset("curve", data=curve)
        layout.write_json(group, "start", start.record())
        layout.write_json(group, "streams", list(COPIES))
        group.attrs.update({name: value for name, value in barrier(curve).items() if name == "barrier"})

    archive.commit(write)


def _recorded(result: Result, trial: int, round: int) -> np.ndarray | None:
    with result.archive.read() as root:
        path = layout.instability_path(trial, round)
        return root.group(path).array("curve", table=CURVE) if path in root else None
