"""The number of threads that kernels may use, and the threading layer that runs them.

Numba's OpenMP threads do not survive a fork: a child that entered a parallel region would be killed. In a forked process kernels
therefore run on one thread, with the same bits; processes that shall use more are to be spawned.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np

from tinyticket.kernels.cpu.vector.machine import LANES

_forked = False


def _note_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def is_forked() -> bool:
    """Return whether this is a forked process, in which kernels must not open a parallel region."""
    return _forked


@functools.cache
def usable_cores() -> int:
    """Return how many cores this process may run on, no more than a container's quota of time amounts to."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        cores = os.cpu_count() or 1
    return max(1, min([cores, *_quotas()]))


def _quotas() -> Iterator[int]:
    """Yield the cores that control groups of Linux allow this process, by their files of version 2 or 1."""
    root = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        group = root / next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
        for folder in (group, *group.parents):
            if folder.is_relative_to(root) and (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
                if quota != "max":
                    yield math.ceil(int(quota) / int(period))
    with contextlib.suppress(OSError, ValueError):
        allowed, every = (int((root / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        if allowed > 0:
            yield math.ceil(allowed / every)


def available_threads() -> int:
    """Return how many threads a kernel may use in this process now, no more than there are cores for."""
    return 1 if _forked else min(numba.get_num_threads(), usable_cores())


class limited:  # noqa: N801 - read as a word of the with statement; a generator would take a microsecond longer
    """Let Numba wake up so many threads and no more; one is none to be woken."""

    def __init__(self, threads: int):
        self._threads = threads

    def __enter__(self) -> None:
        self._before = numba.get_num_threads() if self._threads > 1 else 0
        if self._before > self._threads:
            numba.set_num_threads(self._threads)

    def __exit__(self, *error: object) -> None:
        if self._before > self._threads:
            numba.set_num_threads(self._before)


def thread_count(threads: int | None) -> int:
    """Return how many chunks to cut outputs into: as many as asked for, but no more than may run at once."""
    available = available_threads()
    return available if threads is None else max(1, min(threads, available))


def threading_layer() -> str:
    """Return which of Numba's threading layers runs kernels: omp where there is one, else tbb or workqueue.

    An empty parallel region costs 2 microseconds with omp and 100 with workqueue, which also must not be entered by two threads at
    once. Where omp is missing (no libgomp), install it, or give kernels one thread.
    """
    from tinyticket.kernels.cpu.linear_weight import linear_bias_gradient

    # Numba chooses when a parallel region is first opened.
    linear_bias_gradient(np.zeros((1, 32, LANES), np.float32), threads=2)
    return numba.threading_layer()
