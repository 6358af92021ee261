"""Progress as bars, drawn by rich: in a terminal, or under the cell of a notebook.

A table of bars has the columns that its width has room for, from the name and the time left in 40 columns to everything in 120.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich import progress
from rich.console import Console
from rich.progress import Task, TaskID
from rich.table import Column, Table
from rich.text import Text

from tinyticket.lottery.callbacks.callback import Callback

if TYPE_CHECKING:
    from tinyticket.lottery.jobs.job import Training

PAUSE = 0.25
"""Seconds between two pictures of the bars in a notebook."""


class Bars(Callback):
    """Draws a bar of all trainings, and one for each training under way: its iterations with loss and accuracy."""

    def __init__(self, console: Console):
        self.console = console

    def run_begun(self, trainings: int, iterations: int, done: int) -> None:
        self.iterations = iterations
        self.table = _Table(self.console)
        # One unit is an iteration, so that the time left is known from the first training on.
        self.all = self._row("all iterations", total=trainings * iterations, completed=done * iterations)
        self._free: list[TaskID] = []  # rows of trainings that have ended, which stay until others take their place
        self._rows: dict[Training, TaskID] = {}
        self._reached: dict[Training, int] = {}
        self._screen = contextlib.ExitStack()
        self._screen.enter_context(self._shown())

    def training_begun(self, training: Training) -> None:
        row = self._rows[training] = self._free.pop(0) if self._free else self._row("")
        self._reached[training] = 0
        name = f"trial {training.trial}, round {training.round}, {training.network}"
        name += f" of {training.experiment}" if training.experiment else ""  # last: it is long, and may be cut
        density = f"density {training.density:.1%}"
        self.table.reset(row, total=self.iterations, description=name, density=density, loss="", accuracy="")

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        advanced, self._reached[training] = row["iteration"] - self._reached[training], row["iteration"]
        self.table.update(
            self._rows[training],
            completed=row["iteration"],
            loss=f"loss {row['validation_loss']:.3f}",
            accuracy=f"{training.metric} {row['validation_accuracy']:.1%}",
        )
        self.table.advance(self.all, advanced)

    def training_ended(self, training: Training, scalars: dict[str, Any]) -> None:
        self._free.append(self._rows.pop(training))
        del self._reached[training]

    def run_ended(self) -> None:
        self._screen.close()

    def _row(self, name: str, **counts: Any) -> TaskID:
        return self.table.add_task(name, density="", loss="", accuracy="", **counts)

    @contextlib.contextmanager
    def _shown(self) -> Iterator[None]:
        """Show the table at the lower end of a terminal, and what is logged there above it."""
        terminal = sys.stderr
        with contextlib.suppress(OSError):  # a terminal that is gone ends no experiment
            self.table.start()
        # The table stands in for standard error, which handlers of log records have looked up before.
        found = logging.getLogger().handlers + logging.getLogger("tinyticket").handlers
        handlers = [handler for handler in found if getattr(handler, "stream", None) is terminal]
        for handler in handlers:
            handler.setStream(sys.stderr)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            for handler in handlers:
                handler.setStream(terminal)  # type: ignore[attr-defined]
            with contextlib.suppress(OSError):
                self.table.stop()


class NotebookBars(Bars):
    """Draws the same bars under the cell of a notebook, as an output that is replaced; IPython alone is needed for that."""

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        super().evaluated(training, row)
        if time.monotonic() >= self._next:
            self._update()

    def _update(self) -> None:
        self._output.update(self.table)
        self._next = time.monotonic() + PAUSE

    @contextlib.contextmanager
    def _shown(self) -> Iterator[None]:
        from IPython.display import display

        self._output = display(self.table, display_id=True)
        self._next = 0.0
        try:
            yield
        finally:
            self._update()


class _Table(progress.Progress):
    """A table of bars that has the columns for which its console is wide enough."""

    def __init__(self, console: Console):
        self._screen, self._width = console, 0  # first: a table is drawn once while it is made
        to_screen = sys.stdout is not None and sys.stdout.isatty()  # what is printed to a file stays there
        super().__init__(console=console, transient=True, redirect_stdout=to_screen)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        if self._screen.width != self._width:
            self._width = self._screen.width
            self.columns = tuple(_columns(self._width))
        return super().make_tasks_table(tasks)


def _columns(width: int) -> Iterator[progress.ProgressColumn]:
    """Yield the columns of a table of bars; where even they are too wide, names are cut."""
    whole = Column(no_wrap=True)
    yield _Name()
    if width >= 120:
        yield progress.TextColumn("{task.fields[density]}", table_column=whole)
        yield progress.TextColumn("{task.fields[loss]}", table_column=whole)
    if width >= 80:
        yield progress.TextColumn("{task.fields[accuracy]}", table_column=whole)
    if width >= 60:
        yield progress.BarColumn(bar_width=16, table_column=whole)
    if width >= 100:
        yield progress.MofNCompleteColumn(table_column=whole)
        yield progress.TimeElapsedColumn(table_column=whole)
    else:
        yield progress.TaskProgressColumn(table_column=whole)
    if width >= 80:
        yield progress.TextColumn("left", table_column=whole)
    yield progress.TimeRemainingColumn(table_column=whole)


class _Name(progress.ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.description, no_wrap=True, overflow="ellipsis")
