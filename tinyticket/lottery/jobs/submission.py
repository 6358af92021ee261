"""Having jobs done: at once and in this process, or by workers, and done again where a worker has died."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tinyticket.errors import InputError, WorkerError
from tinyticket.interruption import deferred
from tinyticket.lottery.callbacks import Callback
from tinyticket.lottery.jobs import worker
from tinyticket.lottery.jobs.job import Job, Workshop, cpu
from tinyticket.store import Run, by_column

log = logging.getLogger(__name__)

LOOK = 0.1
"""Seconds between two looks at what workers have noted."""

TRIES = 3
"""After how many deaths of its worker a job is given up and named; and workers, after so many that began nothing."""


class UnshareableError(Exception):
    """The model or the data cannot be sent to another process; the message says why."""

    def __init__(self, reason: str):
        super().__init__(f"the model cannot be sent to another process ({reason})")


Submit = Callable[[Job], Future[Run]]


class Jobs:
    """What has jobs done, so many at a time."""

    workers: int

    def of(self, workshop: Workshop) -> Submit:
        """Return what has the jobs of an experiment done, now or in their turn."""
        raise NotImplementedError

    def tend(self) -> None:
        """Wait until something has happened, not for long, and do what is to be done then."""

    def wake(self) -> None:
        """End the waiting of `tend`."""

    def close(self) -> None:
        """Give up what nobody has done yet."""


class Here(Jobs):
    """Does jobs at once, in this process, on so many threads."""

    workers = 1

    def __init__(self, callback: Callback, threads: int):
        self._callback, self._threads = callback, threads

    def of(self, workshop: Workshop) -> Submit:
        return partial(self._do, workshop)

    def _do(self, workshop: Workshop, job: Job) -> Future[Run]:
        """Do a job; bad input and divergence are in the future, what else goes wrong is raised."""
        done: Future[Run] = Future()
        begin(self._callback, job)
        try:
            watch = partial(self._callback.evaluated, job.training) if job.start.trains else lambda row: None
            done.set_result(workshop.do(job, self._threads, watch))
        except InputError as error:
            done.set_exception(error)
        else:
            end(self._callback, job, done.result())
        return done


def begin(callback: Callback, job: Job) -> None:
    """Tell that a job has begun, if it is a training."""
    if job.start.trains:
        callback.training_begun(job.training)


def end(callback: Callback, job: Job, run: Run) -> None:
    """Tell what came of a job."""
    told = callback.training_ended if job.start.trains else callback.untrained
    told(job.training, run.scalars())


@dataclass
class _Sent:
    """An experiment as its workers have it."""

    workshop: Workshop
    parcel: Any


@dataclass
class _Asked:
    """A job that somebody waits for."""

    job: Job
    experiment: _Sent
    number: int
    outer: Future[Run]
    inner: Future[Run] | None = None  # None while it waits
    sent: int = 0  # how often
    deaths: int = 0  # of workers that did nothing else
    read: int = 0  # bytes of its notes
    begun: bool = False  # this time
    announced: bool = False
    told: int = -1  # the iteration of the last row that has been told


class Elsewhere(Jobs):
    """Has jobs done by workers, and done again where one has died.

    With one worker all may die. Jobs that were under way then are done again one by one, so that it is known which of them kills.
    """

    def __init__(
        self,
        pack: Callable[[Workshop], Any],  # -> what `worker.workshop` takes, or a future of it for the executor
        folder: Path,  # where workers note what they do, if they see it
        start: Callable[[], Executor],  # again after its workers have died
        callback: Callback,
        threads: int,  # all of them, which the workers share
        workers: int,
        address: str = "",  # of their cluster, which does all jobs or none
        killed: bool = False,  # with the jobs that they have, at the end: loky then complains of jobs that were cancelled
    ):
        self._pack, self._folder, self._start, self._callback = pack, folder, start, callback
        self._threads, self.workers, self._address, self._killed = threads, workers, address, killed
        self._numbers, self._asked = itertools.count(), dict[int, _Asked]()
        self._suspects: list[_Asked] = []  # the first of them is being done, alone
        self._lock, self._closed, self._happened = threading.Lock(), False, threading.Event()
        self._fruitless = 0  # deaths in a row of workers that had begun nothing
        self._executor = start()

    def of(self, workshop: Workshop) -> Submit:
        """Return what has the jobs of an experiment done, which is sent to the workers once.

        UnshareableError says that it cannot be sent, or that a worker cannot load it; InputError if that is a cluster's.
        """
        parcel = self._pack(workshop)
        with self._lock:
            executor = self._executor
        try:
            reason = executor.submit(worker.prepare, parcel).result()
        except ImportError as error:  # this package is not there
            reason = str(error)
        if reason and self._address:
            raise InputError(f"the workers of {self._address} cannot load the experiment: {reason}")
        if reason:
            raise UnshareableError(reason)
        return partial(self._submit, _Sent(workshop, parcel))

    def _submit(self, experiment: _Sent, job: Job) -> Future[Run]:
        """Have a job done by the next worker that has nothing to do."""
        job = replace(job, beside=None) if self._address else job  # other machines have folders of their own
        asked = _Asked(job, experiment, next(self._numbers), Future())
        with self._lock:
            if self._closed:
                _give_up(asked.outer)
                return asked.outer
            self._asked[asked.number] = asked
            self._send_waiting()
        return asked.outer

    def _send_waiting(self) -> None:
        """Give workers the jobs that wait, or the first one under suspicion."""
        for asked in self._suspects[:1] or list(self._asked.values()):
            if asked.inner is None:
                self._send(asked)

    def _send(self, asked: _Asked) -> None:
        threads = max(1, self._threads // min(self.workers, len(self._asked)))
        asked.sent, asked.read, asked.begun = asked.sent + 1, 0, False
        notes = self._notes(asked)
        try:
            asked.inner = self._executor.submit(worker.do, asked.experiment.parcel, str(notes), asked.job, threads)
        except BrokenExecutor as error:  # noticed in `tend`
            asked.inner = Future()
            asked.inner.set_exception(error)
        asked.inner.add_done_callback(lambda _: self.wake())

    def _notes(self, asked: _Asked) -> Path:
        return self._folder / f"notes-{asked.number}-{asked.sent}"

    def wake(self) -> None:
        self._happened.set()

    def tend(self) -> None:
        """Pass on what workers have noted, finish what is done, and begin again what has died."""
        self._happened.wait(LOOK)
        self._happened.clear()
        with self._lock:
            asked = list(self._asked.values())
        done = [(each, each.inner) for each in asked if each.inner is not None and each.inner.done()]
        for each in asked:
            self._tell(each)
        if cancelled := [each for each, inner in done if inner.cancelled()]:
            self._send_again(cancelled)
        done = [(each, inner) for each, inner in done if not inner.cancelled()]
        with deferred():  # whoever waits for a job that is forgotten hears of its end
            for each, inner in done:
                if not isinstance(inner.exception(), BrokenExecutor):
                    self._finish(each, inner)
            if any(isinstance(inner.exception(), BrokenExecutor) for _, inner in done):
                self._begin_again()

    def _tell(self, asked: _Asked) -> None:
        """Pass on the notes of a job that have not been read."""
        path = self._notes(asked)
        if not path.exists():
            return
        with open(path, "rb") as file:
            file.seek(asked.read)
            lines = file.read().rpartition(b"\n")[0]
        asked.read += len(lines) + bool(lines)
        for line in lines.splitlines():
            kind, *said = json.loads(line)  # as `worker.do` notes
            if kind == "begun":
                asked.begun = True
                self._begun(asked)
            elif kind == "evaluated":
                self._evaluated(asked, said[0])
            elif kind == "remark":
                name, level, text = said
                logging.getLogger(name).log(level, "%s", text)

    def _begun(self, asked: _Asked) -> None:
        """Tell that a job has begun, once: it may be begun again."""
        if not asked.announced:
            asked.announced = True
            begin(self._callback, asked.job)

    def _evaluated(self, asked: _Asked, row: dict[str, Any]) -> None:
        """Tell of a row, once."""
        if row["iteration"] > asked.told:
            asked.told = row["iteration"]
            self._callback.evaluated(asked.job.training, row)

    def _finish(self, asked: _Asked, inner: Future[Run]) -> None:
        with self._lock:
            self._forget(asked)
            self._send_waiting()
        error = inner.exception()
        if error is None:
            run = inner.result()
            run = replace(run, cpu="" if run.cpu == cpu() else run.cpu)
            try:
                self._ended(asked, run)
            except BaseException:  # Ctrl-C, or whoever watches: nobody may wait for ever
                _give_up(asked.outer)
                raise
            asked.outer.set_result(run)
        elif type(error).__name__ == "KilledWorker":  # Dask's, which has begun it again itself
            asked.outer.set_exception(WorkerError(f"{asked.job.training}: its process has died again and again"))
        else:
            asked.outer.set_exception(error)

    def _ended(self, asked: _Asked, run: Run) -> None:
        """Tell what came of a job, and of what its worker's notes did not say or could not be seen from here."""
        self._begun(asked)
        if asked.job.start.trains:
            for row in run.history.tolist():
                self._evaluated(asked, by_column(row))
        end(self._callback, asked.job, run)

    def _forget(self, asked: _Asked) -> None:
        del self._asked[asked.number]
        if asked in self._suspects:
            self._suspects.remove(asked)

    def _send_again(self, cancelled: list[_Asked]) -> None:
        """Send experiments and jobs again that a cluster has cancelled: the only worker that held an experiment has died."""
        for experiment in {id(each.experiment): each.experiment for each in cancelled}.values():
            experiment.parcel = self._pack(experiment.workshop)
        log.warning("a worker has died with what the others needed, which was sent again")
        with self._lock:
            for each in cancelled:
                each.inner, each.deaths = None, each.deaths + 1
            given_up = [each for each in cancelled if each.deaths >= TRIES]
            for each in given_up:
                self._forget(each)
            self._send_waiting()
        for each in given_up:
            each.outer.set_exception(WorkerError(f"{each.job.training}: the cluster has cancelled it again and again"))

    def _begin_again(self) -> None:
        """Start new workers and give them the jobs of the dead ones; a job whose worker dies three times is given up."""
        with self._lock:
            # All that the old workers were given, though some of it may not know yet: new ones are started once for a death.
            died = [each for each in self._asked.values() if each.inner is not None]
            lost = [each for each in died if each.begun]
            self._fruitless = 0 if lost else self._fruitless + 1
            if len(lost) == 1:
                lost[0].deaths += 1
            what = ", ".join(str(each.job.training) for each in lost) or "nothing yet"
            before, self._executor = self._executor, self._executor if self._closed else self._start()
            hopeless = self._executor is before or self._fruitless >= TRIES
            given_up = [each for each in died if hopeless or each.deaths >= TRIES]
            if not hopeless:
                log.warning("a worker has died, while training %s; what it did is begun again", what)
            self._suspects += [each for each in lost if each not in self._suspects]
            for each in died:
                each.inner = None
                if each in given_up:
                    self._forget(each)
            self._send_waiting()
        for each in given_up:
            often = f" {each.deaths} times" if each.deaths > 1 else ""
            reason = (
                f"its process has died{often}: killed, or out of memory" if each in lost else "the workers have died"
            )
            each.outer.set_exception(WorkerError(f"{each.job.training}: {reason}"))

    def close(self) -> None:
        with self._lock:
            self._closed, asked = True, list(self._asked.values())
            self._asked.clear()
        for each in asked:
            if each.inner is not None and not self._killed:
                each.inner.cancel()
            _give_up(each.outer)
        under_way = [each.inner for each in asked if each.inner is not None and not each.inner.cancelled()]
        if under_way and not self._address:
            worker.stop(self._folder, under_way)


def _give_up(training: Future[Run]) -> None:
    """Cancel a training, and wake whoever waits for it."""
    if training.cancel():
        training.set_running_or_notify_cancel()
