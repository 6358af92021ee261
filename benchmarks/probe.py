"""Whether the machine was free, and whether it stayed the same: a machine that is shared tells lies that no median mends.

A probe times the same fixed works before, between and after the measurements; where they vary, the run says so. There are
three, for different things disturb them. "computing" hashes. "memory" copies more than caches hold. "meeting" lets two threads
wait for each other: on a virtual machine the two cores may share a cache in one minute and lie in different parts of the
processor in the next, where they are six times as far apart. Then whatever one thread leaves to the other takes twice as long,
and nothing that either does alone is slower.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numba
import numpy as np
from numba import prange

from benchmarks import rows
from benchmarks.timing import Clock
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.barrier import SIZE, meet, together
from tinyticket.kernels.cpu.vector.simd import pointer


@numba.njit(parallel=True)
def _meet_often(meeting, times):
    for _thread in prange(2):
        if together(pointer(meeting, 0), 2):
            round_ = np.int64(1)
            for _time in range(times):
                round_ = meet(pointer(meeting, 0), 2, round_)


@dataclass
class Probe:
    """Fixed works on as many threads as the benchmark uses, timed now and then: if they vary, so did the machine.

    Parameters
    ----------
    threads : int
    rest : float
        Seconds to be quiet first.
    clock
        Seconds, for tests.
    """

    threads: int
    rest: float = 0.15
    clock: Clock = time.perf_counter
    readings: dict[str, list[float]] = field(default_factory=dict)

    TOLERANCE: ClassVar = {"computing": 0.2, "memory": 0.75, "meeting": 1.0}  # an idle machine's copies vary by half
    _BLOCK, _TIMES, _REPEATS = bytes(256 * 1024), 20, 5  # some milliseconds of SHA-256, which lets other threads run
    _COPIED, _MEETINGS = 32 << 20, 5_000

    def __post_init__(self) -> None:
        self._buffers = [np.ones((2, self._COPIED), np.uint8) for _ in range(self.threads)]
        self._meeting = empty(SIZE, dtype=np.int64)
        if self.threads > 1:
            self._meet()  # compiles

    def read(self) -> dict[str, float]:
        """Time the fixed works once more; the middle of five goes, the slowest thread of each."""
        time.sleep(self.rest)
        seconds = {"computing": self._time(self._compute), "memory": self._time(self._copy)}
        if self.threads > 1:
            seconds["meeting"] = float(np.median([self._meet() for _ in range(self._REPEATS)]))
        for work, taken in seconds.items():
            self.readings.setdefault(work, []).append(taken)
        return seconds

    @property
    def latest(self) -> dict[str, float]:
        """The newest reading of each work, in seconds; of "meeting", of one meeting."""
        return {work: read[-1] for work, read in self.readings.items()}

    def _time(self, work: Callable[[int], None]) -> float:
        goes = []
        for _ in range(self._REPEATS):
            seconds: list[float] = []
            workers = [threading.Thread(target=self._go, args=(work, i, seconds)) for i in range(self.threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            goes.append(max(seconds))
        return float(np.median(goes))

    def _go(self, work: Callable[[int], None], thread: int, seconds: list[float]) -> None:
        began = self.clock()
        work(thread)
        seconds.append(self.clock() - began)

    def _compute(self, thread: int) -> None:
        digest = hashlib.sha256()
        for _ in range(self._TIMES):
            digest.update(self._BLOCK)

    def _copy(self, thread: int) -> None:
        source, target = self._buffers[thread]
        np.copyto(target, source)

    def _meet(self) -> float:
        self._meeting[:] = 0
        began = self.clock()
        _meet_often(self._meeting, self._MEETINGS)
        return (self.clock() - began) / self._MEETINGS

    @property
    def variation(self) -> dict[str, float]:
        """By how much the slowest reading of each work exceeds the quickest, as a fraction."""
        return {work: max(read) / min(read) - 1 if read else 0.0 for work, read in self.readings.items()}

    @property
    def disturbed(self) -> list[str]:
        """The works whose readings vary by more than their tolerance."""
        return [work for work, varied in self.variation.items() if varied > self.TOLERANCE[work]]

    def report(self) -> str:
        """Say in one sentence whether the machine was free."""
        read = " and ".join(
            f"{work} took {rows.duration(min(seconds))} to {rows.duration(max(seconds))}"
            for work, seconds in self.readings.items()
        )
        if self.disturbed:
            limits = " and ".join(f"{work} by more than {self.TOLERANCE[work]:.0%}" for work in self.disturbed)
            return f"WARNING: this run was disturbed: of the probes {read}; {limits}"
        return f"undisturbed: of the probes {read}"
