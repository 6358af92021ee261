"""Trials side by side, whose jobs are done by processes of this machine, by an executor of the user's, or by a cluster.

Workers are those of `concurrent.futures` executors. The parent alone writes the file.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import socket
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tinyticket.errors import DivergenceError, InputError
from tinyticket.lottery.callbacks import Callback
from tinyticket.lottery.jobs import worker
from tinyticket.lottery.jobs.folder import shared_folder
from tinyticket.lottery.jobs.job import Workshop
from tinyticket.lottery.jobs.parcel import pack
from tinyticket.lottery.jobs.submission import Elsewhere, Here, Jobs, UnshareableError
from tinyticket.lottery.plan import trainings, trains

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment
    from tinyticket.lottery.record import Record

log = logging.getLogger(__name__)

WORTH = 1e11
"""Examples times weights of all steps together from which processes are worth starting if nobody says how many: some seconds."""

CONNECTS = 10
"""Seconds to wait for a cluster's scheduler."""


def run_trials(experiment: Experiment, record: Record, trials: list[int]) -> list[DivergenceError]:
    """Run trials, and return the errors of those that diverged, which do not keep the others from their end."""
    with contextlib.ExitStack() as stack:
        try:
            jobs: Jobs = stack.enter_context(_jobs(experiment, len(trials)))
        except UnshareableError as reason:
            log.warning("trainings run one after another: the model cannot be sent to another process (%s)", reason)
            jobs = _here(experiment)
        if isinstance(jobs, Here):
            return [error for trial in trials if (error := _run(experiment, trial, record, jobs))]
        # A thread for each trial under way: it waits for its trainings and writes its rounds.
        threads = stack.enter_context(ThreadPoolExecutor(jobs.workers))
        running = [threads.submit(_run, experiment, trial, record, jobs) for trial in trials]
        for trial in running:
            trial.add_done_callback(lambda _: jobs.wake())
        try:
            while not all(trial.done() for trial in running):
                jobs.tend()
                for trial in running:
                    if trial.done():
                        trial.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            jobs.close()
        return [error for trial in running if (error := trial.result())]


def processes(experiment: Experiment, trials: int) -> int:
    """Return how many processes have something to do at a time."""
    settings = experiment.settings
    beside = sum(trains(settings, name) for name in settings.controls) if settings.rounds else 0
    if not experiment.workers_given:
        steps = trials * trainings(settings) * settings.iterations
        if steps * settings.batch_size * experiment.plan.weights_left[0] < WORTH:
            return 1
    return min(experiment.workers, trials * (1 + beside))


def _run(experiment: Experiment, trial: int, record: Record, jobs: Jobs) -> DivergenceError | None:
    try:
        experiment.trial(trial, record.of(trial), jobs.submit).run()
    except DivergenceError as error:
        return error
    return None


def _here(experiment: Experiment) -> Here:
    return Here(experiment.workshop, experiment.callback, experiment.threads)


@contextmanager
def _jobs(experiment: Experiment, trials: int) -> Iterator[Jobs]:
    """Yield what does the jobs of some trials."""
    executor, workshop, callback = experiment.executor, experiment.workshop, experiment.callback
    workers = processes(experiment, trials)
    if isinstance(executor, str):
        with cluster(executor, workshop, callback) as jobs:
            yield jobs
    elif executor is not None:
        with given_workers(executor, workshop, callback, experiment.workers) as jobs:
            yield jobs
    elif workers > 1:
        with local_workers(workshop, callback, experiment.threads, workers) as jobs:
            yield jobs
    else:
        yield _here(experiment)


@contextmanager
def local_workers(workshop: Workshop, callback: Callback, threads: int, workers: int) -> Iterator[Elsewhere]:
    """Have so many processes on this machine, which end with this block."""
    from loky import ProcessPoolExecutor

    executors: list[Any] = []

    def start() -> Executor:
        stop()
        executors[:] = [ProcessPoolExecutor(workers, initializer=worker.begin, env={"NUMBA_NUM_THREADS": str(threads)})]
        return executors[0]

    def stop() -> None:
        for executor in executors:
            executor.shutdown(wait=True, kill_workers=True)

    with shared_folder() as folder:
        _pack(workshop, folder)
        try:
            with _closing(Elsewhere(str(folder), folder, start, callback, threads, workers)) as jobs:
                yield jobs
        finally:
            stop()


@contextmanager
def given_workers(executor: Executor, workshop: Workshop, callback: Callback, workers: int) -> Iterator[Elsewhere]:
    """Use an executor of the user's, who ends it; each of its workers has one thread."""
    with shared_folder() as folder:
        _pack(workshop, folder)
        with _closing(Elsewhere(str(folder), folder, lambda: executor, callback, workers, workers)) as jobs:
            yield jobs


@contextmanager
def cluster(address: str, workshop: Workshop, callback: Callback) -> Iterator[Elsewhere]:
    """Use the workers of a Dask scheduler, to which model and data are sent once; it does jobs again whose workers die.

    Classes and functions of the user's own are sent with them: whoever names a cluster trusts it with code.

    Raises
    ------
    InputError
        If there is no such scheduler, or it has no workers.
    """
    try:
        import cloudpickle
        from distributed import Client
    except ImportError:
        raise InputError("a cluster needs Dask: pip install 'tinyticket[cluster]'") from None
    try:  # a client that has not found its scheduler complains at the end of the process
        place = urlsplit(address)
        socket.create_connection((place.hostname or "", place.port or 0), CONNECTS).close()
    except (OSError, ValueError) as error:
        raise InputError(f"no scheduler answers at {address} (expected tcp://HOST:PORT): {error}") from None
    with Client(address, timeout=CONNECTS, set_as_default=False) as client, shared_folder() as folder:
        workers = sum(client.nthreads().values())
        if not workers:
            raise InputError(f"the scheduler at {address} has no workers; start some with `dask worker {address}`")
        contents = cloudpickle.dumps((workshop.factory, workshop.dataset, workshop.settings))
        parcel = client.scatter([(folder.name, contents)], broadcast=True, hash=False)[0]
        executor = client.get_executor(pure=False)
        try:
            elsewhere = Elsewhere(parcel, folder, lambda: executor, callback, workers, workers)
        except (UnshareableError, ImportError) as error:
            raise InputError(f"the workers of {address} cannot load the experiment: {error}") from None
        with _closing(elsewhere) as jobs:
            yield jobs


def _pack(workshop: Workshop, folder: Path) -> None:
    try:
        pack((workshop.factory, workshop.dataset, workshop.settings), folder)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UnshareableError(str(error).splitlines()[0]) from error


@contextmanager
def _closing(jobs: Elsewhere) -> Iterator[Elsewhere]:
    try:
        yield jobs
    finally:
        jobs.close()
