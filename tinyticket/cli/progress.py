"""What a command that trains shows and writes down while it runs."""

from __future__ import annotations

from tinyticket.lottery.callbacks import Callback, CSVLog, ProgressBar, TensorBoard


def callbacks(quiet: bool, log: str | None = None, tensorboard: str | None = None) -> list[Callback]:
    """Return the callbacks of the options --quiet, --log and --tensorboard."""
    found: list[Callback] = []
    if log is not None:
        found.append(CSVLog(log))
    if tensorboard is not None:
        found.append(TensorBoard(tensorboard))
    if not quiet:
        found.append(ProgressBar())
    return found
