"""What this machine can do at most: multiply-adds a second, and bytes a second from each level of memory.

Measured with the same vectors that the kernels use, on as many cores at once as the benchmark uses. A kernel that
moves b bytes for each operation can do no more than min(peak, bandwidth / b) operations a second.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, broadcast, load, muladd, pointer, store, zero

LEVELS = {"L1": 18 * 1024, "L2": 384 * 1024, "memory": 128 * 1024 * 1024}
"""Bytes that each thread reads again and again, to be read from that level."""

TOGETHER = 12
"""Vectors that are read in one go."""

_REPEATS = 5


@numba.njit(nogil=True, error_model="numpy")
def _multiply_add(out, times):
    # Eight sums that start differently, or the compiler would find that they are one.
    place = pointer(out, 0)
    factor = broadcast(out[0])
    a, b, c, d = load(place, 0), load(place, 1), load(place, 2), load(place, 3)
    e, f, g, h = load(place, 4), load(place, 5), load(place, 6), load(place, 7)
    for _ in range(times):
        a, b, c, d = muladd(a, factor, a), muladd(b, factor, b), muladd(c, factor, c), muladd(d, factor, d)
        e, f, g, h = muladd(e, factor, e), muladd(f, factor, f), muladd(g, factor, g), muladd(h, factor, h)
    store(place, 0, a + b + c + d + e + f + g + h)


@numba.njit(nogil=True, error_model="numpy")
def _read(data, out, times):
    # Twelve sums, since the next addition to one must wait for the last: fewer, and additions rather than loads are measured.
    place = pointer(data, 0)
    a, b, c, d, e, f = zero(), zero(), zero(), zero(), zero(), zero()
    g, h, i, j, k, m = zero(), zero(), zero(), zero(), zero(), zero()
    step, size = numba.uint64(TOGETHER * LANES), numba.uint64(data.size)
    for _ in range(times):
        at = numba.uint64(0)
        while at < size:
            here = advance(place, at)
            a, b, c = a + load(here, 0), b + load(here, LANES), c + load(here, 2 * LANES)
            d, e, f = d + load(here, 3 * LANES), e + load(here, 4 * LANES), f + load(here, 5 * LANES)
            g, h, i = g + load(here, 6 * LANES), h + load(here, 7 * LANES), i + load(here, 8 * LANES)
            j, k, m = j + load(here, 9 * LANES), k + load(here, 10 * LANES), m + load(here, 11 * LANES)
            at += step
    store(pointer(out, 0), 0, a + b + c + d + e + f + g + h + i + j + k + m)


def peaks(threads: int) -> dict[str, float]:
    """Measure operations a second ("flops") and bytes a second of each level, all threads together."""
    # Numbers that neither grow nor become denormal: x times a negligible factor, plus x.
    out = np.linspace(1e-9, 2e-9, threads * 2 * LANES, dtype=np.float32).reshape(threads, -1)
    times = 4_000_000
    found = {"flops": 8 * 2 * LANES * times * threads / _quickest(lambda i: _multiply_add(out[i], times), threads)}
    for level, size in LEVELS.items():
        whole = TOGETHER * LANES
        data = aligned(threads, size // 4 // whole * whole)
        goes = max(1, 256 * 1024 * 1024 // size)
        found[level] = (
            data[0].nbytes * goes * threads / _quickest(lambda i, d=data, n=goes: _read(d[i], out[i], n), threads)
        )
    return found


def aligned(threads: int, count: int) -> list[np.ndarray]:
    """Return an array of ones for each thread that begins with a cache line: a load that crosses one counts twice."""
    arrays = [empty(count) for _ in range(threads)]
    for array in arrays:
        array[:] = 1
    return arrays


def _quickest(work: Callable[[int], Any], threads: int) -> float:
    """Return the shortest time that all threads together took; a peak is a best case."""
    work(0)
    seconds = []
    for _ in range(_REPEATS):
        workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
