"""The discipline that every figure here is measured by.

Two libraries in one process disturb each other: each keeps a pool of threads that goes on spinning on both cores for
some milliseconds (OpenBLAS: up to a tenth of a second) after its last call. So contestants run in alternating blocks,
A B C A B C, and the beginning of each block is thrown away, by calls AND by time, because five calls of a quick
contestant are over before the other's threads have gone to sleep. Alternating also spreads a slow minute of the
machine over all sides. What is kept are single calls: their median is the figure, their quartiles the spread.

A machine that is shared tells lies that no median mends; probe.py asks it whether it was free.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Clock = Callable[[], float]


@dataclass(frozen=True)
class Discipline:
    """How long everything is measured.

    Attributes
    ----------
    blocks : int
        Blocks of each contestant.
    calls, seconds : int, float
        A block keeps at least so many calls and at least so much time ...
    longest : float
        ... but stops when it has kept this many seconds and seven calls: calls of 0.3 s outlast whatever spins beside
        them, and fifty steps of a wide dense network take half a minute. Infinite in `run`.
    settle_calls, settle_seconds : int, float
        What is thrown away first is at least so many calls and at least so much time (of slow calls, one).
    rest : float
        Seconds of quiet before the probe, for spinning threads to fall asleep.
    """

    blocks: int = 5
    calls: int = 50
    seconds: float = 0.05
    longest: float = 0.6
    settle_calls: int = 5
    settle_seconds: float = 0.1
    rest: float = 0.15


QUICK = Discipline(blocks=2, seconds=0.0, longest=0.2, settle_seconds=0.0, rest=0.0)
"""For seeing that everything runs: its figures mean nothing."""


@dataclass(frozen=True)
class Timing:
    """Seconds a call: median, quartiles, and how many calls they come from."""

    median: float
    lower: float
    upper: float
    calls: int

    @classmethod
    def of(cls, samples: list[float]) -> "Timing":
        """Sum up the calls that were kept."""
        lower, median, upper = (float(q) for q in np.quantile(samples, (0.25, 0.5, 0.75)))
        return cls(median, lower, upper, len(samples))

    def divided(self, parts: int) -> "Timing":
        """Return the seconds of one of the equal parts that a call was made of."""
        return Timing(self.median / parts, self.lower / parts, self.upper / parts, self.calls)


def interleave(
    contestants: Mapping[str, Callable[[], Any]], discipline: Discipline, clock: Clock = time.perf_counter
) -> dict[str, Timing]:
    """Time contestants against each other in alternating blocks.

    Parameters
    ----------
    contestants
        What to call, by name; a call is one step and may change state of its own. Each must have been called before, so
        that nothing is compiled while the clock runs.
    discipline
        How long.
    clock
        Seconds, for tests.
    """
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    collected = gc.isenabled()
    gc.collect()
    gc.disable()  # a collection belongs to no side in particular
    try:
        for _ in range(discipline.blocks):
            for name, call in contestants.items():
                _settle(call, discipline, clock)
                samples[name] += _block(call, discipline, clock)
    finally:
        if collected:
            gc.enable()
    return {name: Timing.of(kept) for name, kept in samples.items()}


def first_call(call: Callable[[], Any], clock: Clock = time.perf_counter) -> tuple[Any, float]:
    """Return what a first call returns and its seconds: compiling, or loading what was compiled, is reported apart."""
    began = clock()
    result = call()
    return result, clock() - began


def _settle(call: Callable[[], Any], discipline: Discipline, clock: Clock) -> None:
    began, calls = clock(), 0
    while calls < discipline.settle_calls or clock() - began < discipline.settle_seconds:
        call()
        calls += 1
        if clock() - began > max(discipline.settle_seconds, discipline.longest / 5):
            return  # such slow calls outlast whatever spins beside them


def _block(call: Callable[[], Any], discipline: Discipline, clock: Clock) -> list[float]:
    kept: list[float] = []
    total = 0.0
    while len(kept) < discipline.calls or total < discipline.seconds:
        began = clock()
        call()
        kept.append(clock() - began)
        total += kept[-1]
        if total >= discipline.longest and len(kept) >= min(7, discipline.calls):
            break
    return kept
