"""Having jobs done: at once and in this process, or by workers, and done again where a worker has died."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tinyticket.errors import InputError, WorkerError
from tinyticket.lottery import worker
from tinyticket.lottery.job import Job, Workshop
from tinyticket.lottery.progress import Progress
from tinyticket.store import Run

log = logging.getLogger(__name__)

LOOK = 0.1
"""Seconds between two looks at what workers have noted."""

TRIES = 3
"""How often a job is begun whose worker dies, before it is named."""


class UnshareableError(Exception):
    """Something in the experiment cannot be sent to another process; the message says what."""


class Jobs(Protocol):
    """What has jobs done, so many at a time."""

    workers: int

    def submit(self, job: Job) -> Future[Run]:
        """Have a job done, now or in its turn."""

    def tend(self) -> None:
        """Wait until something has happened, not for long, and do what is to be done then."""

    def wake(self) -> None:
        """End the waiting of `tend`."""

    def close(self) -> None:
        """Give up what nobody has done yet."""


class Here:
    """Does jobs at once, in this process, on so many threads."""

    workers = 1

    def __init__(self, workshop: Workshop, progress: Progress, threads: int):
        self._workshop, self._progress, self._threads = workshop, progress, threads

    def submit(self, job: Job) -> Future[Run]:
        """Do a job; bad input and divergence are in the future, what else goes wrong is raised."""
        done: Future[Run] = Future()
        begin(self._progress, job)
        try:
            watch = self._watch(job) if job.start.trains else lambda row: None
            done.set_result(self._workshop.do(job, self._threads, watch))
        except InputError as error:
            done.set_exception(error)
        else:
            end(self._progress, job, done.result())
        return done

    def _watch(self, job: Job) -> Callable[[dict[str, Any]], None]:
        return lambda row: self._progress.evaluated(job.training, row)

    def tend(self) -> None:
        """Do nothing: a job is done when it has been submitted."""

    wake = close = tend


def begin(progress: Progress, job: Job) -> None:
    """Tell that a job has begun, if it is a training."""
    if job.start.trains:
        progress.training_begun(job.training)


def end(progress: Progress, job: Job, run: Run) -> None:
    """Tell what came of a job."""
    told = progress.training_ended if job.start.trains else progress.untrained
    told(job.training, run.scalars())


@dataclass
class _Asked:
    """A job that somebody waits for."""

    job: Job
    number: int
    outer: Future[Run]
    inner: Future[Run] | None = None
    tries: int = 0
    read: int = 0  # bytes of its notes
    begun: bool = False  # this time
    announced: bool = False
    told: int = -1  # the iteration of the last row that has been told


class Elsewhere:
    """Has jobs done by workers, and done again where one has died.

    Parameters
    ----------
    parcel : str or Future
        What `worker.workshop` takes, or what the executor makes of it.
    folder : Path
        Where workers note what they do, if they see it.
    start : callable
        () -> an executor, again after its workers have died.
    progress : Progress
    threads, workers : int
        All threads, which the workers share.
    """

    def __init__(
        self,
        parcel: Any,
        folder: Path,
        start: Callable[[], Executor],
        progress: Progress,
        threads: int,
        workers: int,
    ):
        self._parcel, self._folder, self._start, self._progress = parcel, folder, start, progress
        self._threads, self.workers = threads, workers
        self._numbers, self._asked = itertools.count(), dict[int, _Asked]()
        self._lock, self._closed, self._happened = threading.Lock(), False, threading.Event()
        self._executor = start()
        if reason := self._executor.submit(worker.prepare, parcel).result():
            raise UnshareableError(reason)

    def submit(self, job: Job) -> Future[Run]:
        """Have a job done by the next worker that has nothing to do."""
        asked = _Asked(job, next(self._numbers), Future())
        with self._lock:
            if self._closed:
                _give_up(asked.outer)
                return asked.outer
            self._asked[asked.number] = asked
            self._send(asked)
        return asked.outer

    def _send(self, asked: _Asked) -> None:
        threads = max(1, self._threads // min(self.workers, len(self._asked)))
        notes = self._folder / f"notes-{asked.number}-{asked.tries}"
        asked.tries, asked.read, asked.begun = asked.tries + 1, 0, False
        try:
            asked.inner = self._executor.submit(worker.do, self._parcel, str(notes), asked.job, threads)
        except BrokenExecutor as error:  # noticed in `tend`
            asked.inner = Future()
            asked.inner.set_exception(error)
        asked.inner.add_done_callback(lambda _: self.wake())

    def wake(self) -> None:
        """End the waiting of `tend`."""
        self._happened.set()

    def tend(self) -> None:
        """Pass on what workers have noted, finish what is done, and begin again what has died."""
        self._happened.wait(LOOK)
        self._happened.clear()
        with self._lock:
            asked = list(self._asked.values())
        done = [each for each in asked if each.inner is not None and each.inner.done()]
        for each in asked:
            self._tell(each)
        died = [each for each in done if isinstance(each.inner.exception(), BrokenExecutor)]  # type: ignore[union-attr]
        for each in done:
            if each not in died:
                self._finish(each)
        if died:
            self._begin_again(died)

    def _tell(self, asked: _Asked) -> None:
        """Pass on the notes of a job that have not been read."""
        path = self._folder / f"notes-{asked.number}-{asked.tries - 1}"
        if not path.exists():
            return
        with open(path, "rb") as file:
            file.seek(asked.read)
            lines = file.read().rpartition(b"\n")[0]
        asked.read += len(lines) + bool(lines)
        for line in lines.splitlines():
            kind, *said = worker.read_note(line)
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
            begin(self._progress, asked.job)

    def _evaluated(self, asked: _Asked, row: dict[str, Any]) -> None:
        """Tell of a row, once."""
        if row["iteration"] > asked.told:
            asked.told = row["iteration"]
            self._progress.evaluated(asked.job.training, row)

    def _finish(self, asked: _Asked) -> None:
        with self._lock:
            del self._asked[asked.number]
        assert asked.inner is not None
        error = asked.inner.exception()
        if error is None:
            run = asked.inner.result()
            self._begun(asked)  # where its worker's notes are not to be seen from here
            if asked.job.start.trains:
                for row in run.history:
                    self._evaluated(asked, dict(zip(run.history.dtype.names or (), row.tolist(), strict=True)))
            end(self._progress, asked.job, run)
            asked.outer.set_result(run)
        else:
            asked.outer.set_exception(error)

    def _begin_again(self, died: list[_Asked]) -> None:
        """Start new workers and give them the jobs of the dead ones; a job that was under way three times is given up."""
        lost = [each for each in died if each.begun]
        log.warning(
            "a worker has died, while %s; what it did is begun again",
            ", ".join(str(each.job.training) for each in lost),
        )
        given_up = [each for each in lost if each.tries >= TRIES]
        for each in given_up:
            with self._lock:
                del self._asked[each.number]
            each.outer.set_exception(
                WorkerError(f"{each.job.training}: its process has died {TRIES} times: killed, or out of memory")
            )
        with self._lock:
            if self._closed:
                return
            self._executor = self._start()
            for each in died:
                if each not in given_up:
                    each.tries -= not each.begun
                    self._send(each)

    def close(self) -> None:
        """Give up what nobody has done yet."""
        with self._lock:
            self._closed, asked = True, list(self._asked.values())
            self._asked.clear()
        for each in asked:
            if each.inner is not None:
                each.inner.cancel()
            _give_up(each.outer)


def _give_up(training: Future[Run]) -> None:
    """Cancel a training, and wake whoever waits for it."""
    if training.cancel():
        training.set_running_or_notify_cancel()
