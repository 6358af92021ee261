"""The walk through a program's tables in plain Python, whose threads come in any order between two meetings."""

import contextlib
import ctypes
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tinyticket.compiler.cpu import program, step
from tinyticket.compiler.cpu.pace import Pace
from tinyticket.compiler.cpu.table import FIRST, HEAD, KERNEL, LAST, MEET, SIZE
from tinyticket.compiler.cpu.walk import Walk
from tinyticket.kernels.cpu.job import places

_KERNEL = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_WORD = 8

Order = Callable[[int], list[int]]
"""From a number of threads to the order in which they come this time."""


def forward(threads: int) -> list[int]:
    return list(range(threads))


def backward(threads: int) -> list[int]:
    return forward(threads)[::-1]


def shuffled(seed: int) -> Order:
    """Return an order that is another one each time."""
    rng = np.random.default_rng(seed)
    return lambda threads: rng.permutation(threads).tolist()


def plain_walk(order: Order) -> Callable[[np.ndarray], bool]:
    """Return a stand-in for `compiler.cpu.walk.walk`: each thread does all that it may before the next one does anything."""

    def walk(told: np.ndarray) -> bool:
        job = {name: int(told[place]) for name, place in places(Walk).items()}
        chosen = _words(job["indices"], job["checked"])
        if ((chosen < 0) | (chosen >= job["size"])).any():
            return False
        if job["updates"]:
            turns, meeting = itertools.count(job["begin"] * job["tiles"]), [0]
            threads = [_steps(job, thread, turns, meeting) for thread in range(job["threads"])]
        else:
            left = iter(range(job["begin"], job["turns"])) if job["apart"] else None
            threads = [_pauses(job, thread, left) for thread in range(job["threads"])]
        while sum(next(threads[thread], False) for thread in order(len(threads))):
            pass
        return True

    return walk


def _pauses(job: dict[str, int], thread: int, turns: Iterator[int] | None) -> Iterator[bool]:
    """Do a thread's part and pause for others: where all meet, or anywhere, if each takes turns that are left by itself."""
    if turns is not None:
        for turn in turns:
            yield from (True for _ in _turn(job, turn, thread))
    else:
        for turn in range(job["begin"], job["turns"]):
            yield from filter(None, _turn(job, turn, thread))


def _steps(job: dict[str, int], thread: int, turns: Iterator[int], meeting: list[int]) -> Iterator[bool]:
    """Do a thread's part of steps whose tiles are turns; pause after each operation, and until all threads meet."""

    def meet() -> Iterator[bool]:
        round_ = -(-(meeting[0] + 1) // job["threads"])
        meeting[0] += 1
        while meeting[0] < round_ * job["threads"]:
            yield True

    turn = next(turns)
    for taken in range(job["begin"], job["turns"]):
        while turn < (taken + 1) * job["tiles"]:
            yield from (True for _ in _turn(job, turn, thread))
            turn = next(turns)
        yield from meet()
        _feed(job, taken * job["tiles"], thread)
        for meets in _rows(job, "updating", "updates", thread):
            if meets:
                yield from meet()
        yield from meet()


def _turn(job: dict[str, int], turn: int, thread: int) -> Iterator[bool]:
    """Take a turn; say before each operation whether all threads meet there."""
    _feed(job, turn, thread)
    yield from _rows(job, "tables", "rows", thread)


def _feed(job: dict[str, int], turn: int, thread: int) -> None:
    words, feed = job["words"], _words(_words(job["feeds"], job["threads"])[thread], job["words"])
    step, turn = divmod(turn, job["tiles"])
    feed[:] = _words(job["base"], words) + step * _words(job["steps"], words) + turn * _words(job["strides"], words)
    feed[0] = min(job["samples"], job["total"] - turn * job["samples"])


def _rows(job: dict[str, int], tables: str, rows: str, thread: int) -> Iterator[bool]:
    row = int(_words(job[tables], job["threads"])[thread])
    for _ in range(job[rows]):
        head = _words(row, HEAD)
        yield bool(head[MEET])
        if head[FIRST] < head[LAST]:
            _KERNEL(int(head[KERNEL]))(row + HEAD * _WORD, int(head[FIRST]), int(head[LAST]))
        row += int(head[SIZE]) * _WORD


def _words(address: int, count: int) -> np.ndarray:
    """Return the int64 numbers at an address."""
    return (
        np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(int(address))) if count else np.zeros(0, np.int64)
    )


class Steady(Pace):
    """All threads for all turns of a call."""

    def turns(self, most: int) -> int:
        return most

    def note(self, seconds: float, turns: int = 1, calls: int = 1) -> None:
        """Change nothing."""


@contextlib.contextmanager
def walking(order: Order | None, threads: int) -> Iterator[None]:
    """Let steps that are made and taken here have so many threads, which come in an order, or as they do if there is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "thread_count", lambda most: threads)
        patch.setattr(program, "available_threads", lambda: threads)
        patch.setattr(program, "Pace", Steady)
        if order is not None:
            patch.setattr(program, "walk", plain_walk(order))
            patch.setattr(program, "limited", contextlib.nullcontext)
        yield
