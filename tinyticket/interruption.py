"""Signals that end a program: Ctrl-C, SIGTERM and SIGHUP are one exception, and none of them comes in the middle of a commit."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals that end a program, as far as this system has them."""

PATIENCE = 3.0
"""Seconds after a signal in which others do not disturb the program's end: a closed terminal sends several, people press twice."""


class Interrupted(KeyboardInterrupt):
    """A signal has asked the program to end."""

    def __init__(self, number: int):
        super().__init__()
        self.signal = signal.Signals(number)


def listen() -> None:
    """Raise Interrupted in the main thread for every signal that ends a program, but for those that `nohup` or a shell ignores."""
    heard = -PATIENCE

    def hear(number: int, _: FrameType | None) -> None:
        nonlocal heard
        if time.monotonic() - heard >= PATIENCE:
            heard = time.monotonic()
            raise Interrupted(number)

    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, hear)


def let_go(code: int) -> None:
    """Let signals change nothing while the interpreter ends with an exit code; after some seconds they end it at once."""
    begun = time.monotonic()

    def end(number: int, _: FrameType | None) -> None:
        if time.monotonic() - begun >= PATIENCE:
            os._exit(code)

    for number in ENDING:
        if callable(signal.getsignal(number)):
            signal.signal(number, end)


class Gate:
    """Holds signals back while it is closed, and hears the first of them when it is opened."""

    def __init__(self) -> None:
        self.is_closed = False
        self._came: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def open(self) -> None:
        """Let signals through."""
        self.is_closed = False
        if self._came:
            first, self._came = self._came[0], []
            signal.raise_signal(first)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.is_closed:
            self._came.append(number)
        else:
            self._handlers[number](number, frame)

    def _enter(self) -> None:
        self._handlers = {number: handler for number in ENDING if callable(handler := signal.getsignal(number))}
        for number in self._handlers:
            signal.signal(number, self._hear)

    def _leave(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.open()


@contextlib.contextmanager
def gate() -> Iterator[Gate]:
    """Put a gate before signals for as long as a block lasts; closing it then costs nothing. Only the main thread hears any."""
    gate = Gate()
    if threading.current_thread() is not threading.main_thread():
        yield gate
        return
    gate._enter()
    try:
        yield gate
    finally:
        gate._leave()


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let a block end before a signal is heard that came meanwhile."""
    with gate() as closed:
        closed.is_closed = True
        yield


@contextlib.contextmanager
def kept_from_children() -> Iterator[None]:
    """Block the signals of a terminal, and with them in processes that are started meanwhile: those belong to this one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # where it starts later, it unblocks these signals in the midst
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def report(stop: BaseException) -> int:
    """Say on standard error that the program was stopped and how to go on; return the exit code that shells expect.

    Notes of the exception say what is kept.
    """
    number = getattr(stop, "signal", signal.SIGINT)
    by = "" if number == signal.SIGINT else f" by {number.name}"
    notes = getattr(stop, "__notes__", [])
    more = f"{notes[0]}. Run the same command again to go on." if notes else "run the same command again"
    with contextlib.suppress(OSError):  # nobody may be there any more
        start = "\n" if sys.stderr.isatty() else ""  # below the terminal's ^C
        print(f"{start}tinyticket: stopped{by}; {more}", file=sys.stderr, flush=True)
    return 128 + number
