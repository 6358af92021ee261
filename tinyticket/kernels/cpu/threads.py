"""How many threads kernels may use, and what runs them.

Numba's OpenMP threads do not survive a fork: a child that entered a parallel region would be killed. In a forked process kernels
therefore run on one thread, with the same bits; processes that shall use more are to be spawned.
"""

from __future__ import annotations

import os

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


def available_threads() -> int:
    """Return how many threads a kernel may use in this process now."""
    return 1 if _forked else numba.get_num_threads()


def thread_count(threads: int | None) -> int:
    """Return how many chunks to cut outputs into: as many as asked for, but no more than may run at once."""
    available = available_threads()
    return available if threads is None else max(1, min(threads, available))


def threading_layer() -> str:
    """Return which of Numba's threading layers runs kernels: omp where there is one, else tbb or workqueue.

    An empty parallel region costs 2 microseconds with omp and 100 with workqueue, which also must not be entered by two threads at
    once. Where omp is missing (no libgomp), install it, or give kernels one thread.
    """
    from tinyticket.kernels.cpu.linear import linear_bias_gradient

    # Numba chooses when a parallel region is first opened.
    linear_bias_gradient(np.zeros((1, 32, LANES), np.float32), threads=2)
    return numba.threading_layer()
