"""TensorBoard's event files: a run for every training, a scalar for every column of its history."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tinyticket.errors import InputError
from tinyticket.lottery.callbacks.callback import Callback, writing

if TYPE_CHECKING:
    from tinyticket.lottery.jobs.job import Training

TAGS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "test_loss": "loss/test",
    "validation_accuracy": "{}/validation",
    "test_accuracy": "{}/test",
}
"""The scalars of a row, where {} is the metric; TensorBoard groups them by what stands before the slash."""


class TensorBoard(Callback):
    """Writes TensorBoard's event files: `tensorboard --logdir FOLDER` draws the curves of a run, also while it goes on.

    Every training is a run of TensorBoard's, such as trial-0/round-03/reinit, with the scalars loss/train, loss/validation,
    loss/test, accuracy/validation and accuracy/test by iteration, with R2 for accuracy where targets are numbers. A training that
    was interrupted and is done again replaces its curves.

    Raises
    ------
    InputError
        If the package tensorboard is not installed; when a run begins, if the folder cannot be made; in its course, if the disk
        is full.
    """

    def __init__(self, folder: str | os.PathLike):
        try:
            import tensorboard.summary.writer.record_writer  # noqa: F401
        except ImportError:
            raise InputError("TensorBoard's files need its package: pip install 'tinyticket[tensorboard]'") from None
        self.folder = Path(folder)
        self._runs: dict[Training, _EventFile] = {}

    def run_begun(self, trainings: int, iterations: int, done: int) -> None:
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def training_begun(self, training: Training) -> None:
        run = f"trial-{training.trial}/round-{training.round:02}/{training.network}"
        folder = self.folder / training.experiment / run
        with writing(folder):
            self._runs[training] = _EventFile(folder)

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        known = {name: value for name, value in row.items() if name in TAGS and value == value}  # but NaN
        scalars = {TAGS[name].format(training.metric): value for name, value in known.items()}
        with writing(self.folder):
            self._runs[training].add(row["iteration"], scalars)

    def training_ended(self, training: Training, scalars: dict[str, Any]) -> None:
        with writing(self.folder):
            self._runs.pop(training).close()

    def untrained(self, training: Training, scalars: dict[str, Any]) -> None:
        self.training_begun(training)
        self.evaluated(training, {"iteration": scalars["early_stop_iteration"], **scalars})
        self.training_ended(training, scalars)

    def run_ended(self) -> None:
        with writing(self.folder), contextlib.ExitStack() as files:
            for file in self._runs.values():
                files.callback(file.close)
            self._runs.clear()


class _EventFile:
    """A new event file in a folder, written record by record.

    TensorBoard's own writer, `EventFileWriter`, does so in a thread, where nobody hears of a full disk.
    """

    def __init__(self, folder: Path):
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._start, self._summary = Event, SessionLog(status=SessionLog.START), Summary
        folder.mkdir(parents=True, exist_ok=True)
        # Sorted by name, files are read in the order in which they were begun.
        name = f"events.out.tfevents.{time.time_ns():020}.{socket.gethostname()}"
        self._file: IO[bytes] = open(folder / name, "xb")  # noqa: SIM115 - `close` does
        self._records = RecordWriter(self._file)
        self._empty = True
        self._write(file_version="brain.Event:2")

    def add(self, step: int, scalars: dict[str, float]) -> None:
        """Append scalars; what earlier files of the folder say of this step and later ones holds no more."""
        if self._empty:
            self._write(step=step, session_log=self._start)
            self._empty = False
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self._write(step=step, summary=self._summary(value=values))

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _write(self, **fields: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), **fields).SerializeToString())
        self._file.flush()
