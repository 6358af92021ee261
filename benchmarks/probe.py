"""Whether the machine was free: a machine that is shared tells lies that no median mends.

A probe times the same fixed works before, between and after the measurements; where they vary, the run says so.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from benchmarks.timing import Clock


@dataclass
class Probe:
    """Fixed works on as many threads as the benchmark uses, timed now and then: if they vary, so did the machine.

    There are two, for they are disturbed by different neighbours: "computing" hashes, "memory" copies more than caches
    hold. A sparse step may take twice as long beside a copying neighbour that no computation ever feels.

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
    readings: dict[str, list[float]] = field(default_factory=lambda: {"computing": [], "memory": []})

    TOLERANCE: ClassVar = {"computing": 0.2, "memory": 0.75}  # an idle machine's copies vary by half
    _BLOCK, _TIMES, _REPEATS = bytes(256 * 1024), 20, 5  # some milliseconds of SHA-256, which lets other threads run
    _COPIED = 32 << 20

    def __post_init__(self) -> None:
        self._buffers = [np.ones((2, self._COPIED), np.uint8) for _ in range(self.threads)]

    def read(self) -> dict[str, float]:
        """Time the fixed works once more; the middle of five goes, the slowest thread of each."""
        time.sleep(self.rest)
        seconds = {"computing": self._time(self._compute), "memory": self._time(self._copy)}
        for work, taken in seconds.items():
            self.readings[work].append(taken)
        return seconds

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
        said = " and ".join(
            f"{work} took {min(read) * 1e3:.1f} to {max(read) * 1e3:.1f} ms" for work, read in self.readings.items()
        )
        if self.disturbed:
            limits = " and ".join(f"{work} by more than {self.TOLERANCE[work]:.0%}" for work in self.disturbed)
            return f"WARNING: this run was disturbed: of the probes {said}; {limits}"
        return f"undisturbed: of the probes {said}"
