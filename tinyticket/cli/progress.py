"""Progress of an experiment: a bar on a terminal, a quiet line for every finished training elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from tinyticket.lottery import Progress


def watcher(quiet: bool) -> Progress:
    """Return what suits where standard error goes."""
    if quiet:
        return Progress()
    return TerminalProgress() if sys.stderr.isatty() else LineProgress()


def title(trial: int, round: int, control: str | None, density: float) -> str:
    """Return how a training is called."""
    which = control or ("dense" if round == 0 else "ticket")
    return f"trial {trial}, round {round} ({density:.1%}), {which}"


class LineProgress(Progress):
    """A line for every finished training, on standard error."""

    def begin(self, trainings, iterations, done):
        self._done, self._trainings = done, trainings
        if done:
            click.echo(f"{done} of {trainings} trainings are in the file already", err=True)

    def training(self, trial, round, control, density):
        self._title, self._start = title(trial, round, control, density), time.perf_counter()

    def trained(self, scalars):
        self._done += 1
        click.echo(
            f"[{self._done}/{self._trainings}] {self._title}: early stop at {scalars['early_stop_iteration']}, test accuracy "
            f"{scalars['test_accuracy']:.2%}, {time.perf_counter() - self._start:.1f} s",
            err=True,
        )


class TerminalProgress(Progress):
    """Two bars: all trainings, and the iterations of the one under way with its loss and accuracy."""

    def begin(self, trainings, iterations, done):
        self._iterations = iterations
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        # One unit is an iteration, so that the time left is known from the first training on.
        self._all = self._bars.add_task("all iterations", total=trainings * iterations, completed=done * iterations)
        self._one = self._bars.add_task("", total=iterations)
        self._bars.start()

    def training(self, trial, round, control, density):
        self._title, self._reached = title(trial, round, control, density), 0
        self._bars.reset(self._one, total=self._iterations, description=self._title)

    def evaluated(self, row: dict[str, Any]):
        advanced, self._reached = row["iteration"] - self._reached, row["iteration"]
        loss = f", loss {row['validation_loss']:.3f}, accuracy {row['validation_accuracy']:.1%}"
        self._bars.update(self._one, completed=row["iteration"], description=self._title + loss)
        self._bars.advance(self._all, advanced)

    def end(self):
        self._bars.stop()
