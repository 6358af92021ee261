"""Progress as whoever watches can see it best: as bars (`bars`), or as a line for every finished training."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from tinyticket.lottery.callbacks.callback import Callback, Callbacks

if TYPE_CHECKING:
    from tinyticket.lottery.jobs.job import Training


class ProgressBar(Callbacks):
    """Shows how far an experiment is: bars in a terminal or a notebook, elsewhere a line for every finished training.

    Both go to standard error. Bars need rich (the extra `app`); without it, and in a terminal that cannot move its cursor
    (TERM=dumb), there are lines.
    """

    def __init__(self) -> None:
        super().__init__([_view()])


def _view() -> Callback:
    """Return a callback for what standard error is."""
    try:
        from rich.console import Console

        from tinyticket.lottery.callbacks.bars import Bars, NotebookBars
    except ImportError:
        return Lines()
    console = Console(stderr=True)
    if console.is_jupyter:
        return NotebookBars(console)
    if console.is_interactive and sys.stderr.isatty():
        return Bars(console)
    return Lines()


class Lines(Callback):
    """Prints what is to be done, and a line for every finished training, on standard error."""

    def run_begun(self, trainings: int, iterations: int, done: int) -> None:
        self.done, self.trainings = done, trainings
        self._began: dict[Training, float] = {}
        if done:
            _print(f"{done} of {trainings} trainings are in the file already")
        elif trainings:
            _print(
                f"[0/{trainings}] training{'s' * (trainings > 1)} of {iterations:,} iterations begin{'s' * (trainings == 1)}"
            )

    def training_begun(self, training: Training) -> None:
        self._began[training] = time.perf_counter()

    def training_ended(self, training: Training, scalars: dict[str, Any]) -> None:
        self.done += 1
        _print(
            f"[{self.done}/{self.trainings}] {_title(training)}: early stop at {scalars['early_stop_iteration']}, "
            f"test {training.metric} {scalars['test_accuracy']:.2%}, {time.perf_counter() - self._began.pop(training):.1f} s"
        )

    def untrained(self, training: Training, scalars: dict[str, Any]) -> None:
        _print(f"{_title(training)}: not trained, test {training.metric} {scalars['test_accuracy']:.2%}")


def _title(training: Training) -> str:
    return f"{training.of}trial {training.trial}, round {training.round} ({training.density:.1%}), {training.network}"


def _print(line: str) -> None:
    if sys.stderr is not None:  # `print` would take standard output instead
        with contextlib.suppress(OSError, ValueError):  # an experiment goes on when nobody can see its progress
            print(line, file=sys.stderr, flush=True)
