"""A line of comma-separated values for every evaluation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tinyticket.errors import InputError
from tinyticket.lottery.callbacks.callback import Callback, writing
from tinyticket.store import HISTORY

if TYPE_CHECKING:
    from tinyticket.lottery.jobs.job import Training

COLUMNS = ("experiment", "trial", "round", "control", "density", *(HISTORY.names or ()))
HEADER = ",".join(COLUMNS)


class CSVLog(Callback):
    """Appends a line to a CSV file for every evaluation, at once; the file is begun, or continued if it is there.

    Columns are experiment (of a sweep), trial, round, control (empty for the dense network and for tickets), density, and those of
    a training's history: iteration, train_loss (the mean since the last evaluation), losses and accuracies. A network that is
    evaluated without training has one line. A training that was interrupted and is done again has equal lines, which are not
    repeated.

    Raises
    ------
    InputError
        When a run begins, if the file cannot be written or holds something else; in its course, if the disk is full.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._lines: set[str] = set()
        self._file: IO[str] | None = None

    def run_begun(self, trainings: int, iterations: int, done: int) -> None:
        with writing(self.path):
            self._lines = self._held()
            self._file = open(self.path, "a", buffering=1, encoding="utf-8", newline="")  # noqa: SIM115 - closed at the run's end
        self._append(HEADER)

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        values = {**training._asdict(), "control": training.control or "", **row}
        texts = (str(values.get(name, "")) for name in COLUMNS)
        self._append(",".join("" if text == "nan" else text for text in texts))

    def untrained(self, training: Training, scalars: dict[str, Any]) -> None:
        row = {name: scalars[name] for name in ("validation_loss", "test_accuracy")}
        self.evaluated(training, {"iteration": scalars["early_stop_iteration"], **row})

    def run_ended(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with writing(self.path):
                file.close()

    def _append(self, line: str) -> None:
        if line not in self._lines:
            self._lines.add(line)
            assert self._file is not None
            with writing(self.path):
                self._file.write(line + "\n")

    def _held(self) -> set[str]:
        """Return the lines of the file, from which half a line is cut off that a killed run, or a full disk, has left."""
        if not self.path.is_file():
            return set()
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        lines = whole.decode("utf-8", "replace").splitlines()
        if text and lines[:1] != [HEADER] and not HEADER.encode().startswith(text):
            raise InputError(f"{self.path} is no log of evaluations to go on with: its first line is not {HEADER}")
        if whole != text:
            os.truncate(self.path, len(whole))
        return set(lines)
