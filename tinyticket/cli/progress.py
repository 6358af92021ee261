"""Progress of an experiment: a bar on a terminal, a quiet line for every finished training elsewhere."""

from __future__ import annotations

import sys
import time

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from tinyticket.lottery import Progress, Training


def watcher(quiet: bool) -> Progress:
    """Return what suits where standard error goes."""
    if quiet:
        return Progress()
    return TerminalProgress() if sys.stderr.isatty() else LineProgress()


def title(training: Training) -> str:
    """Return how a training is called."""
    which = training.control or ("dense" if training.round == 0 else "ticket")
    return f"trial {training.trial}, round {training.round} ({training.density:.1%}), {which}"


class LineProgress(Progress):
    """A line for every finished training, on standard error."""

    def run_begun(self, trainings, iterations, done):
        self.done, self.trainings = done, trainings
        self._began: dict[Training, float] = {}
        if done:
            click.echo(f"{done} of {trainings} trainings are in the file already", err=True)

    def training_begun(self, training):
        self._began[training] = time.perf_counter()

    def training_ended(self, training, scalars):
        self.done += 1
        click.echo(
            f"[{self.done}/{self.trainings}] {title(training)}: early stop at {scalars['early_stop_iteration']}, "
            f"test accuracy {scalars['test_accuracy']:.2%}, {time.perf_counter() - self._began.pop(training):.1f} s",
            err=True,
        )

    def untrained(self, training, scalars):
        click.echo(f"{title(training)}: not trained, test accuracy {scalars['test_accuracy']:.2%}", err=True)


class TerminalProgress(Progress):
    """Bars: one of all trainings, and one for each training under way, its iterations with loss and accuracy."""

    def run_begun(self, trainings, iterations, done):
        self.iterations = iterations
        self.bars = Bars(
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
        self.all = self.bars.add_task("all iterations", total=trainings * iterations, completed=done * iterations)
        self._free: list[TaskID] = []  # bars of trainings that have ended, which stay until others take their place
        self._bars: dict[Training, TaskID] = {}
        self._reached: dict[Training, int] = {}
        self.bars.start()

    def training_begun(self, training):
        self._bars[training] = self._free.pop(0) if self._free else self.bars.add_task("", total=self.iterations)
        self._reached[training] = 0
        self.bars.reset(self._bars[training], total=self.iterations, description=title(training), visible=True)

    def evaluated(self, training, row):
        advanced, self._reached[training] = row["iteration"] - self._reached[training], row["iteration"]
        loss = f", loss {row['validation_loss']:.3f}, accuracy {row['validation_accuracy']:.1%}"
        self.bars.update(self._bars[training], completed=row["iteration"], description=title(training) + loss)
        self.bars.advance(self.all, advanced)

    def training_ended(self, training, scalars):
        self._free.append(self._bars.pop(training))
        del self._reached[training]

    def run_ended(self):
        self.bars.stop()
