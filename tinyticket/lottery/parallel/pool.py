"""The parent's side: it hands out trials and threads, passes on what it is told, and writes every finished round."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tinyticket.errors import DivergenceError, WorkerError
from tinyticket.lottery.parallel.channel import Channel, pack
from tinyticket.lottery.parallel.folder import shared_folder
from tinyticket.lottery.progress import Progress

if TYPE_CHECKING:
    from tinyticket.lottery.experiment import Experiment
    from tinyticket.lottery.record import Record

log = logging.getLogger(__name__)

PROGRAM = "from tinyticket.lottery.parallel.worker import main; main()"


class UnshareableError(Exception):
    """Something in the experiment cannot be sent to another process; the message says what."""


def run_trials(experiment: Experiment, record: Record, trials: Iterable[int], workers: int) -> list[DivergenceError]:
    """Run trials in so many processes, and return the errors of those that diverged, in the order of their trials.

    Raises
    ------
    UnshareableError
        If the model or the data cannot be sent; nothing has been trained then.
    InputError, WorkerError
        If a trial cannot go on, or its process died; the others are stopped, and their finished rounds are in the file.
    """
    with shared_folder() as folder:
        try:
            pack((experiment.factory, experiment.dataset, experiment.settings, experiment.source), folder)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise UnshareableError(str(error).splitlines()[0]) from error
        pool = _Pool(experiment, record, list(trials), workers, str(folder))
        try:
            return pool.run()
        finally:
            pool.stop()


class _Worker:
    """One process, and the trial that it is at."""

    def __init__(self, told: queue.SimpleQueue, greeting: tuple):
        paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,  # Ctrl-C is for the parent alone, which then stops its workers
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.channel = Channel(self.process.stdout, self.process.stdin)
        self.trial: int | None = None
        self.progress = Progress()
        self.send(greeting)
        threading.Thread(target=self._listen, args=(told,), daemon=True).start()

    def send(self, message: Any) -> None:
        """Send it something; that it is gone is noticed where it is listened to."""
        try:
            self.channel.send(message)
        except BrokenPipeError:
            log.debug("a worker is gone")

    def _listen(self, told: queue.SimpleQueue) -> None:
        try:
            while True:
                told.put((self, self.channel.receive()))
        except (EOFError, OSError, ValueError):
            told.put((self, ("gone",)))

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]


class _Pool:
    def __init__(self, experiment: Experiment, record: Record, trials: list[int], workers: int, folder: str):
        self._experiment, self._record = experiment, record
        self._waiting, self._count = trials, workers
        self._told: queue.SimpleQueue = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._diverged: dict[int, DivergenceError] = {}
        archive = experiment.archive
        out = str(archive.path) if archive.path is not None else None
        self._greeting = (folder, out, self._threads())

    def run(self) -> list[DivergenceError]:
        """Serve the workers until all trials are done."""
        for _ in range(self._count):
            self._workers.append(_Worker(self._told, self._greeting))
        while self._workers:
            worker, message = self._told.get()
            if worker in self._workers:  # not one that has been sent home
                getattr(self, f"_{message[0]}")(worker, *message[1:])
        return [self._diverged[trial] for trial in sorted(self._diverged)]

    def stop(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.stop()

    def _threads(self) -> int:
        """Return how many threads each worker may use: all of them in equal parts."""
        return max(1, self._experiment.threads // max(1, len(self._workers) or self._count))

    def _next(self, worker: _Worker) -> None:
        """Give a worker its next trial, or send it home, whose threads the others have from their next training on."""
        if self._waiting:
            worker.trial = self._waiting.pop(0)
            worker.progress = self._experiment.progress.of_trial(worker.trial)
            worker.send(worker.trial)
        else:
            worker.send(None)
            self._workers.remove(worker)
            worker.stop()

    # -- what workers say

    def _ready(self, worker: _Worker) -> None:
        self._next(worker)

    def _training(self, worker: _Worker, round: int, control: str | None, density: float) -> None:
        worker.progress.training(worker.trial, round, control, density)  # type: ignore[arg-type]
        worker.send(self._threads())

    def _evaluated(self, worker: _Worker, row: dict[str, Any]) -> None:
        worker.progress.evaluated(row)

    def _trained(self, worker: _Worker, scalars: dict[str, Any]) -> None:
        worker.progress.trained(scalars)

    def _untrained(self, worker: _Worker, *told: Any) -> None:
        worker.progress.untrained(worker.trial, *told)  # type: ignore[arg-type]

    def _finished(self, worker: _Worker, round: int, finished: Any) -> None:
        assert worker.trial is not None
        self._record.commit(worker.trial, round, finished)
        worker.send("kept")

    def _done(self, worker: _Worker) -> None:
        self._next(worker)

    def _failed(self, worker: _Worker, error: Exception | None, trace: str) -> None:
        if isinstance(error, DivergenceError) and worker.trial is not None:
            self._diverged[worker.trial] = error
            self._next(worker)
        elif error is not None:
            raise error
        else:
            raise RuntimeError(f"trial {worker.trial} failed in its own process:\n\n{trace}")

    def _unloadable(self, worker: _Worker, reason: str) -> None:
        raise UnshareableError(reason)

    def _remark(self, worker: _Worker, name: str, level: int, text: str) -> None:
        logging.getLogger(name).log(level, "%s", text)

    def _gone(self, worker: _Worker) -> None:
        code = worker.process.wait()
        how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
        which = "a worker" if worker.trial is None else f"the process of trial {worker.trial}"
        raise WorkerError(
            f"{which} {how}; {self._record.kept()} Run the same again to go on, with fewer workers if memory was short"
        )
