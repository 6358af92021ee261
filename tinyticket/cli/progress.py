"""What a command that trains shows and writes down while it runs."""

from __future__ import annotations

import os
from pathlib import Path

from tinyticket.errors import InputError
from tinyticket.lottery.callbacks import Callback, CSVLog, ProgressBar, TensorBoard


def callbacks(quiet: bool, log: str | None = None, tensorboard: str | None = None, out: str = "") -> list[Callback]:
    """Return the callbacks of the options --quiet, --log and --tensorboard.

    Raises
    ------
    InputError
        If one of them names a result file: `out`, or one of a sweep in the folder `out`.
    """
    for option, path in (("--log", log), ("--tensorboard", tensorboard)):
        if path is not None and _is_result(path, out):
            raise InputError(f"{option} names the result file {path}; give it a name of its own")
    found: list[Callback] = []
    if log is not None:
        found.append(CSVLog(log))
    if tensorboard is not None:
        found.append(TensorBoard(tensorboard))
    if not quiet:
        found.append(ProgressBar())
    return found


def _is_result(path: str, out: str) -> bool:
    named, result = (Path(os.path.realpath(each)) for each in (path, out))
    return named == result or (named.parent == result and named.suffix == ".h5")
