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
        self.done, self.trainings = done, trainings
        if done:
            click.echo(f"{done} of {trainings} trainings are in the file already", err=True)

    def of_trial(self, trial):
        return _TrialLines(self)


class _TrialLines(Progress):
    """The lines of one trial, others of which may come in between."""

    def __init__(self, whole: LineProgress):
        self._whole = whole

    def training(self, trial, round, control, density):
        self._title, self._start = title(trial, round, control, density), time.perf_counter()

    def trained(self, scalars):
        self._whole.done += 1
        click.echo(
            f"[{self._whole.done}/{self._whole.trainings}] {self._title}: early stop at {scalars['early_stop_iteration']}, "
            f"test accuracy {scalars['test_accuracy']:.2%}, {time.perf_counter() - self._start:.1f} s",
            err=True,
        )

    def untrained(self, trial, round, control, density, scalars):
        which = title(trial, round, control, density)
        click.echo(f"{which}: not trained, test accuracy {scalars['test_accuracy']:.2%}", err=True)


class TerminalProgress(Progress):
    """Bars: one of all trainings, and one for each trial under way, its training's iterations with loss and accuracy."""

    def begin(self, trainings, iterations, done):
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
        self._trials: dict[int, _TrialBar] = {}
        self.bars.start()

    def of_trial(self, trial):
        if trial not in self._trials:
            for other in self._trials.values():
                other.leave_if_done()
            self._trials[trial] = _TrialBar(self)
        return self._trials[trial]

    def end(self):
        self.bars.stop()


class _TrialBar(Progress):
    """The bar of one trial."""

    def __init__(self, whole: TerminalProgress):
        self._whole, self._reached = whole, 0
        self._bar = whole.bars.add_task("", total=whole.iterations)

    def leave_if_done(self) -> None:
        """Make room for the next trial."""
        self._whole.bars.update(self._bar, visible=self._reached < self._whole.iterations)

    def training(self, trial, round, control, density):
        self._title, self._reached = title(trial, round, control, density), 0
        self._whole.bars.reset(self._bar, total=self._whole.iterations, description=self._title, visible=True)

    def evaluated(self, row: dict[str, Any]):
        advanced, self._reached = row["iteration"] - self._reached, row["iteration"]
        loss = f", loss {row['validation_loss']:.3f}, accuracy {row['validation_accuracy']:.1%}"
        self._whole.bars.update(self._bar, completed=row["iteration"], description=self._title + loss)
        self._whole.bars.advance(self._whole.all, advanced)
