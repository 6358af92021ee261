"""Whoever waits is told for what."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

PATIENCE = 1.0
"""Seconds after which a command that shows nothing says what it is doing."""


@contextlib.contextmanager
def waiting(quiet: bool, what: str) -> Iterator[None]:
    """Say on standard error what a block does, if it takes longer than a second; `what` is such as "reading ticket.h5"."""
    timer = threading.Timer(PATIENCE, _say, [what])
    timer.daemon = True
    if not quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(what: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody can read it
        print(f"tinyticket: {what} ...", file=sys.stderr, flush=True)
