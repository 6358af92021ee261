"""What goes wrong where a log is written, in one sentence."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from tinyticket.errors import InputError


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Raise an InputError that names a path where the system refuses to open, write or close it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"the log {os.fspath(path)} cannot be written: {error.strerror or error}") from None
