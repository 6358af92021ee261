"""Trials side by side, whose jobs are done by processes of this machine, by an executor of the user's, or by a cluster.

Workers are those of `concurrent.futures` executors. The parent alone writes the file.
"""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, Executor, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tinyticket.errors import DivergenceError, InputError, WorkerError
from tinyticket.interruption import deferred, kept_from_children
from tinyticket.lottery.callbacks import Callback
from tinyticket.lottery.jobs import worker
from tinyticket.lottery.jobs.folder import full, remove_abandoned, shared_folder
from tinyticket.lottery.jobs.job import Workshop
from tinyticket.lottery.jobs.parcel import pack
from tinyticket.lottery.jobs.submission import Elsewhere, Here, Jobs, Submit, UnshareableError
from tinyticket.lottery.methods.tickets import Tickets

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment
    from tinyticket.lottery.record import Record

log = logging.getLogger(__name__)

WORTH = 1e11
"""Examples times weights of all steps together from which processes are worth starting if nobody says how many: some seconds."""

CONNECTS = 10
"""Seconds to wait for a cluster's scheduler."""


def run_trials(
    experiment: Experiment, record: Record, trials: list[int], jobs: Jobs | None = None
) -> list[DivergenceError]:
    """Run trials, and return the errors of those that diverged, which do not keep the others from their end.

    `jobs` are given where several experiments share the workers, and whoever opened them tends them.
    """
    if jobs is not None:
        return _run_all(experiment, record, trials, jobs, jobs.of(experiment.workshop), ALL_COMPLETED)
    side_by_side = processes(experiment, len(trials)) if experiment.executor is None else experiment.workers
    with open_jobs(experiment.executor, experiment.callback, experiment.threads, side_by_side) as opened:
        try:
            submit = opened.of(experiment.workshop)
        except UnshareableError as reason:
            log.warning("trainings run one after another: %s", reason)
            opened = Here(experiment.callback, experiment.threads)
            submit = opened.of(experiment.workshop)
        return tended(opened, lambda: _run_all(experiment, record, trials, opened, submit))


def tended(jobs: Jobs, work: Callable[[], Any]) -> Any:
    """Do work that waits for jobs, in a thread of its own while this one tends them."""
    if isinstance(jobs, Here):
        return work()
    thread = ThreadPoolExecutor(1)
    done = thread.submit(work)
    done.add_done_callback(lambda _: jobs.wake())
    try:
        while not done.done():
            jobs.tend()
        return done.result()
    finally:
        thread.shutdown(wait=False)
        jobs.close()


def _run_all(
    experiment: Experiment, record: Record, trials: list[int], jobs: Jobs, submit: Submit, until: str = FIRST_EXCEPTION
) -> list[DivergenceError]:
    if jobs.workers == 1:
        return [error for trial in trials if (error := _run(experiment, trial, record, submit))]
    # A thread for each trial under way: it waits for its trainings and writes its rounds.
    threads = ThreadPoolExecutor(jobs.workers)
    running = [threads.submit(_run, experiment, trial, record, submit) for trial in trials]
    try:
        done, _ = wait(running, return_when=until)
        for trial in done:
            trial.result()
        return [error for trial in running if (error := trial.result())]
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def processes(experiment: Experiment, trials: int) -> int:
    """Return how many processes have something to do at a time."""
    settings, method = experiment.settings, experiment.method
    beside = sum(method.trains(name) for name in settings.controls) if settings.rounds else 0
    if not isinstance(method, Tickets):  # its rounds need no other's outcome
        beside = max(beside, settings.rounds)
    if not experiment.workers_given and work(experiment, trials) < WORTH:
        return 1
    return min(experiment.workers, trials * (1 + beside))


def work(experiment: Experiment, trials: int) -> float:
    """Return how much there is to do in some trials: examples times weights of all steps."""
    settings = experiment.settings
    steps = trials * experiment.method.trainings(settings) * settings.iterations
    return steps * settings.batch_size * experiment.plan.weights_left[0]


def _run(experiment: Experiment, trial: int, record: Record, submit: Submit) -> DivergenceError | None:
    path = experiment.archive.path
    beside = None if path is None else os.path.realpath(path)  # whatever folder a worker is in
    try:
        experiment.trial(trial, record, lambda job: submit(replace(job, beside=beside))).run()
    except DivergenceError as error:
        return error
    return None


@contextmanager
def open_jobs(executor: Executor | str | None, callback: Callback, threads: int, workers: int) -> Iterator[Jobs]:
    """Yield what does jobs: an executor of the user's, the cluster of an address, or so many processes of its own."""
    remove_abandoned()
    with ExitStack() as stack:
        jobs: Jobs
        if isinstance(executor, str):
            jobs = stack.enter_context(cluster(executor, callback))
        elif executor is not None:  # whoever gave it ends it; each of its workers has one thread
            folder = stack.enter_context(shared_folder())
            jobs = Elsewhere(partial(_packed, folder), folder, lambda: executor, callback, workers, workers)
        elif workers > 1:
            jobs = stack.enter_context(local_workers(callback, threads, workers))
        else:
            jobs = Here(callback, threads)
        stack.callback(jobs.close)
        yield jobs


@contextmanager
def local_workers(callback: Callback, threads: int, workers: int) -> Iterator[Elsewhere]:
    """Have so many processes on this machine, which end with this block."""
    from loky import ProcessPoolExecutor

    executors: list[Any] = []

    def start() -> Executor:
        stop()
        # Where psutil is there, loky takes the pages of mapped data for a leak, and starts workers anew with a warning.
        env = {"NUMBA_NUM_THREADS": str(threads), "LOKY_MAX_MEMORY_LEAK_SIZE": "1e15"}
        own = {"initializer": worker.begin, "initargs": (os.getpid(),), "env": env}
        with deferred(), kept_from_children():  # an executor that is half started cannot be ended
            executor = ProcessPoolExecutor(workers, **own)
            executor.submit(int)  # starts all of them
            executors.append(executor)
        return executor

    def stop() -> None:
        while executors:
            executors.pop().shutdown(wait=True, kill_workers=True)

    with shared_folder() as folder:
        try:
            yield Elsewhere(partial(_packed, folder), folder, start, callback, threads, workers, killed=True)
        finally:
            stop()


@contextmanager
def cluster(address: str, callback: Callback) -> Iterator[Elsewhere]:
    """Use the workers of a Dask scheduler, to which model and data are sent once; it does jobs again whose workers die.

    Classes and functions of the user's own are sent with them: whoever names a cluster trusts it with code.
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
        numbers, executor = itertools.count(), client.get_executor(pure=False)

        def send(workshop: Workshop) -> Any:
            contents = cloudpickle.dumps(workshop.contents)
            try:
                return client.scatter([(f"{folder.name}-{next(numbers)}", contents)], broadcast=True, hash=False)[0]
            except OSError as error:  # Dask's own of lost connections, and of waiting in vain
                raise WorkerError(f"the scheduler at {address}, or all of its workers, are gone: {error}") from None

        yield Elsewhere(send, folder, lambda: executor, callback, workers, workers, address)


def _packed(folder: Path, workshop: Workshop) -> str:
    """Write a workshop where processes of this machine find it, and return where that is."""
    try:
        place = tempfile.mkdtemp(prefix="experiment-", dir=folder)
        pack(workshop.contents, Path(place))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UnshareableError(str(error).splitlines()[0]) from error
    except OSError as error:
        raise full(error) from None
    return place
