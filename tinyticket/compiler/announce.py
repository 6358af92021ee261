"""Say that kernels are being compiled, where that takes a while. It imports Numba: who needs it imports it when compiling."""

from __future__ import annotations

import functools
import logging
import time

from numba.core import event

log = logging.getLogger(__name__)

COMPILING = "compiling kernels for this machine: this takes up to a minute, once"

PATIENCE = 1.0
"""Seconds of compiling that nobody needs to be told of."""

PAUSE = 5.0
"""Seconds without such a pass after which patience begins anew."""


class Announcement(event.Listener):
    """Logs once that compiling takes a while; what Numba finds in its cache is not compiled, and no event."""

    def __init__(self) -> None:
        self._since = self._last = -PAUSE
        self._made = False

    def on_start(self, event: event.Event) -> None:
        """Hear that a pass of a compilation begins."""
        self._hear(event)

    def on_end(self, event: event.Event) -> None:
        """Hear that one has ended."""
        self._hear(event)

    def _hear(self, event: event.Event) -> None:
        if not event.data["module"].startswith("tinyticket."):
            return
        before, self._last = self._last, time.monotonic()
        if self._last - before >= PAUSE:
            self._since = self._last
        if self._last - self._since >= PATIENCE and not self._made:
            self._made = True
            log.warning(COMPILING)


@functools.cache
def announce_compiling() -> None:
    """Announce the compilations of this process from now on."""
    event.register("numba:run_pass", Announcement())
