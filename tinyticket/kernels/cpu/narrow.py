"""Narrow activations, features by 2, 4, 8 or 16 samples: how they are made of packed ones, and kernels by their lanes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cpu.job import Floats, kernel, specialised
from tinyticket.kernels.cpu.vector.jit import variant
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.narrow import WIDTHS, narrow_fill, narrow_load, narrow_store, narrow_sum
from tinyticket.kernels.cpu.vector.transpose import put

_two: Any = None
_four = _eight = _sixteen = _two  # stand for the loops of so many lanes


def _by_lanes(job, first, last):
    if job.lanes == 2:
        _two(job, first, last)
    elif job.lanes == 4:
        _four(job, first, last)
    elif job.lanes == 8:
        _eight(job, first, last)
    else:
        _sixteen(job, first, last)


def by_lanes(job: type, name: str, loops: Callable[[int], Any]) -> None:
    """Declare the kernel of a job with the field `lanes`, of the loops that a function returns for each number of lanes."""
    made = zip(("_two", "_four", "_eight", "_sixteen"), map(loops, WIDTHS), strict=True)
    kernel(job)(specialised(_by_lanes, name, **dict(made)))


class LinearNarrowBiasGradient(NamedTuple):
    """The job of `linear_narrow_bias_gradient`, whose share are outputs."""

    dy: Floats
    gradient: Floats
    lanes: int


class Narrow(NamedTuple):
    """The job of `narrow`, which takes the first lanes of packed activations of one tile; the share are features."""

    packed: Floats  # of sixteen lanes
    narrow: Floats
    lanes: int


class Widen(NamedTuple):
    """The job of `widen`, which brings them back, with zeros in the other lanes; the share are features."""

    narrow: Floats
    packed: Floats
    lanes: int


def _bias(lanes):
    @variant(f"narrow_bias_{lanes}")
    def outputs(job, first, last):
        for row in range(first, last):
            put(job.gradient, row, narrow_sum(narrow_load(job.dy, row, lanes)))

    return outputs


_STEP = LANES  # floats from a feature of packed activations to the next


def _narrowed(lanes):
    @variant(f"narrowed_{lanes}")
    def features(job, first, last):
        for feature in range(first, last):
            value = narrow_load(job.packed, feature * (_STEP // lanes), lanes)
            narrow_store(job.narrow, feature, value)

    return features


def _widened(lanes):
    @variant(f"widened_{lanes}")
    def features(job, first, last):
        nothing = narrow_fill(np.float32(0), lanes)
        for feature in range(first, last):
            place = feature * (_STEP // lanes)
            narrow_store(job.packed, place, narrow_load(job.narrow, feature, lanes))
            for rest in range(1, _STEP // lanes):
                narrow_store(job.packed, place + rest, nothing)

    return features


by_lanes(LinearNarrowBiasGradient, "_linear_narrow_bias_gradient", _bias)
by_lanes(Narrow, "_narrow", _narrowed)
by_lanes(Widen, "_widen", _widened)
