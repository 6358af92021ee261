"""What a process beside the parent does: it is given trials, trains them, and sends their rounds."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks
from tinyticket.lottery.experiment import Experiment
from tinyticket.lottery.parallel.channel import Channel, unpack
from tinyticket.lottery.progress import Progress
from tinyticket.lottery.record import Record
from tinyticket.lottery.result import Round
from tinyticket.lottery.trial import Finished
from tinyticket.store import Checkpoint


def main() -> None:
    """Work until the parent has nothing more to do, or is gone."""
    channel = Channel(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # what a model of the user's own prints is no message
    logging.getLogger().addHandler(_Forward(channel))
    try:
        _work(channel)
    except (BrokenPipeError, EOFError):
        os._exit(0)  # the parent is gone, and with it whoever might read what is still in our buffers


def _work(channel: Channel) -> None:
    folder, out, threads = channel.receive()
    progress = _Tell(channel)
    try:
        model, dataset, settings, source = unpack(Path(folder))
    except Exception as error:
        channel.send(("unloadable", f"{type(error).__name__}: {error}"))
        return
    try:
        experiment = Experiment(
            model, dataset, settings=settings, masks_from=source, out=out, threads=threads, progress=progress
        )
        progress.trainer = experiment.trainer
        record = Record(experiment)
    except Exception as error:
        _fail(channel, error)
        return
    channel.send(("ready",))
    while (trial := channel.receive()) is not None:
        try:
            with threadpool_limits(1, user_api="blas"):
                experiment.run_trial(trial, _Memory(record, trial, channel))
        except (BrokenPipeError, EOFError):
            raise
        except Exception as error:
            _fail(channel, error)
        else:
            channel.send(("done",))


def _fail(channel: Channel, error: Exception) -> None:
    """Send what went wrong: bad input as it is, a bug as its traceback."""
    known = isinstance(error, InputError)
    channel.send(("failed", error if known else None, traceback.format_exc()))


class _Tell(Progress):
    """Sends what happens. Before every training it asks how many threads it may use."""

    def __init__(self, channel: Channel):
        self._channel = channel
        self.trainer: Any = None

    def training(self, trial, round, control, density):
        self._channel.send(("training", round, control, density))
        self.trainer.threads = self._channel.receive()

    def evaluated(self, row):
        self._channel.send(("evaluated", row))

    def trained(self, scalars):
        self._channel.send(("trained", scalars))

    def untrained(self, trial, round, control, density, scalars):
        self._channel.send(("untrained", round, control, density, scalars))


class _Memory:
    """The result file, seen from a trial that must not write it."""

    def __init__(self, record: Record, trial: int, channel: Channel):
        self._record, self._trial, self._channel = record.of(trial), trial, channel

    def recall(self, round: int, masks: Masks, begun: bool = False) -> Round | None:
        """Return a finished round, or None."""
        return self._record.recall(round, masks, begun)

    def checkpoint(self) -> Checkpoint:
        """Return what the tickets rewind to."""
        return self._record.checkpoint()

    def commit(self, round: int, finished: Finished) -> None:
        """Have a finished round written, and wait until it is."""
        self._channel.send(("finished", round, finished))
        self._channel.receive()


class _Forward(logging.Handler):
    """Leaves it to the parent what becomes of a remark."""

    def __init__(self, channel: Channel):
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send(("remark", record.name, record.levelno, record.getMessage()))
