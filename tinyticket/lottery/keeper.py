"""Whether and when a training that is under way is written down, so that one that is interrupted goes on from there.

It is written beside the result file every now and then, when a signal ends the program, and at the end of a training that waits
for others of its round; the commit of the round removes it. Work of some seconds is not worth a file, and writing takes 1% of the
time at most.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tinyticket.errors import InputError
from tinyticket.interruption import Gate, deferred, gate
from tinyticket.lottery.algorithm import State
from tinyticket.lottery.start import Start
from tinyticket.store import Progress, read_progress, write_progress
from tinyticket.store.layout import Outline
from tinyticket.store.replacing import remove_matching

log = logging.getLogger(__name__)

EVERY = 120.0
"""Seconds between two times that a training is written down."""

WORTH = 10.0
"""Seconds of training that are worth a file when it has ended, or is interrupted and takes less time to write."""

SHARE, RATE = 0.01, 1e8
"""The share of the time that writing takes at most, and bytes a second with which the first one is reckoned."""

VARIABLE = "TINYTICKET_CHECKPOINT_SECONDS"
"""The environment variable that says how many seconds lie between two writings, whatever they cost."""


class Stopped(KeyboardInterrupt):
    """The process that asked for a training ends."""


class Keeper:
    """Keeps nothing of a training, and ends it when that is asked for."""

    def __init__(self, is_stopped: Callable[[], bool] = lambda: False):
        self._is_stopped = is_stopped

    def found(self, start: Start, last: int) -> Progress | None:
        """Return the kept progress of a training from `start` to the iteration `last`; None if there is none, or none that fits."""
        return None

    def ignore(self, reason: InputError) -> None:
        """Remark that what was kept cannot be used."""

    @contextlib.contextmanager
    def keeping(self, take: Callable[[], Progress] | None) -> Iterator[None]:
        """Keep a training, as `take` returns it, in a block that is the rest of it; None is a training that cannot be kept."""
        yield

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let some steps end, after which the training is whole and may be interrupted."""
        yield
        if self._is_stopped():
            raise Stopped

    def look(self) -> None:
        """Write the training down if it is time to."""


class FileKeeper(Keeper):
    """Keeps a training in a file."""

    def __init__(
        self,
        path: Path,  # where the training is written
        name: str,  # what remarks call it
        key: Callable[[], str],  # -> what tells it from all others
        is_stopped: Callable[[], bool] = lambda: False,  # whether it shall end early
    ):
        super().__init__(is_stopped)
        self._path, self._name, self._make_key, self._key = path, name, key, ""
        given = os.environ.get(VARIABLE, "")
        self._every = _seconds(given) if given else EVERY
        self._worth, self._share = min(WORTH, self._every), math.inf if given else SHARE
        self._since, self._cost = time.monotonic(), 0.0  # of the last writing, or the beginning; seconds that it took
        self._is_whole = self._has_failed = False
        self._take: Callable[[], Progress] | None = None
        self._structure: State = {}  # with which the training begins
        self._gate = Gate()

    def found(self, start: Start, last: int) -> Progress | None:
        outline = Outline({name: value.shape for name, value in start.weights.items()}, [*start.masks])
        self._structure = {name: value for name, value in start.weights.items() if value.dtype.kind in "iu"}
        sizes = (value.size for name, value in start.weights.items() if name not in self._structure)
        self._cost = 12 * sum(sizes) / RATE  # float32 values with two slots each
        if not os.path.lexists(self._path):
            return None
        try:
            return read_progress(self._path, self._identity(), outline, last, self._structure)
        except InputError as error:
            self.ignore(error)
            return None

    def ignore(self, reason: InputError) -> None:
        self._has_failed = True  # of what cannot be read here is said once that it cannot be written either
        log.warning("%s begins anew, for what was kept of it cannot be used: %s", self._name, reason)

    @contextlib.contextmanager
    def keeping(self, take: Callable[[], Progress] | None) -> Iterator[None]:
        self._take, self._since = take, time.monotonic()
        with gate() as self._gate:
            try:
                yield
            except KeyboardInterrupt:
                if self._is_whole and self._is_worth(self._worth, 1.0):
                    self._write()
                raise
            if self._is_worth(self._worth, self._share):
                self._write()

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        worth, self._is_whole = self._is_worth(self._worth, 1.0), False
        self._gate.is_closed = worth
        yield
        self._is_whole = worth
        self._gate.open()
        if self._is_stopped():
            raise Stopped

    def look(self) -> None:
        if self._is_worth(self._every, self._share):
            self._write()

    def _is_worth(self, seconds: float, share: float) -> bool:
        """Whether so many seconds have passed since the last writing, and so many that another one takes that share of them."""
        return self._take is not None and time.monotonic() - self._since >= max(seconds, self._cost / share)

    def _write(self) -> None:
        began = time.monotonic()
        with deferred():
            try:
                assert self._take is not None
                write_progress(self._path, self._identity(), self._take(), self._structure)
            except (InputError, MemoryError) as error:
                if not self._has_failed:
                    log.warning("%s goes on without being kept: %s", self._name, error or "there is no memory for it")
                self._has_failed = True
            self._since = time.monotonic()
            self._cost = self._since - began

    def _identity(self) -> str:
        """Return the key, which takes as long as many a step to compute."""
        self._key = self._key or self._make_key()
        return self._key


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise InputError(f"{VARIABLE} is a number of seconds from 0 on, not {text!r}")
    return seconds


# -- the files


def place(result: str | os.PathLike, trial: int, round: int, network: str) -> Path:
    """Return where a training of an experiment is kept, beside the result file."""
    file = Path(os.path.realpath(result))  # however it was named: through a link it is the same file
    return file.with_name(f".{file.name}.training-{trial}-{round}-{re.sub('[^A-Za-z0-9_-]', '-', network)}")


def forget(result: str | os.PathLike, trial: int, round: int, networks: list[str]) -> None:
    """Remove what was kept of the trainings of a round."""
    for network in networks:
        with contextlib.suppress(OSError):
            place(result, trial, round, network).unlink(missing_ok=True)


def remove(result: str | os.PathLike, unfinished: bool = False) -> None:
    """Remove what was kept of all trainings of an experiment, or only what killed runs have not written to its end."""
    file = Path(os.path.realpath(result))
    kept = rf"\.{re.escape(file.name)}\.training-\d+-\d+-[A-Za-z0-9_-]+"
    with contextlib.suppress(OSError):
        remove_matching(file.parent, rf"\.{kept}\.[0-9a-f]{{16}}\.partial" + ("" if unfinished else f"|{kept}"))


@contextlib.contextmanager
def tidied(result: str | os.PathLike | None) -> Iterator[None]:
    """Remove what killed runs have not written to its end, and after a block that ends well all that was kept."""
    if result is not None:
        remove(result, unfinished=True)
    yield
    if result is not None:
        remove(result)
