"""Progress as whoever watches can see it best."""

from __future__ import annotations

import sys

from tinyticket.lottery.callbacks.callback import Callback, Callbacks
from tinyticket.lottery.callbacks.lines import Lines


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
