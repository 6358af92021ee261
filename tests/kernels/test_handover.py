"""What is handed over to compiled code as one array comes out on the other side as it was."""

from typing import NamedTuple

import numba
import numpy as np
import pytest

from tinyticket.kernels.cpu.handover import handed_over, received, types
from tinyticket.kernels.cpu.vector.simd import at, pointer


class Inner(NamedTuple):
    values: np.ndarray
    turned: bool


class Outer(NamedTuple):
    first: int
    inner: Inner
    last: np.ndarray


_INNER = types.NamedTuple((types.CPointer(types.float32), types.boolean), Inner)
receive = received(types.NamedTuple((types.int64, _INNER, types.CPointer(types.int64)), Outer))


@numba.njit
def read(told, index):
    outer = receive(pointer(told, 0))
    return outer.first, at(outer.inner.values, index), outer.inner.turned, at(outer.last, index)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("first", [-(2**63), 0, 2**63 - 1])
def test_numbers_truth_values_and_addresses_arrive(first, turned):
    values, last = np.arange(5, dtype=np.float32) / 3, np.arange(10, 15)
    told = handed_over(Outer(first, Inner(values, turned), last))
    assert told.dtype == np.int64
    for index in range(5):
        assert read(told, index) == (first, values[index], turned, last[index])


def test_arrays_are_shared_not_copied():
    values, last = np.zeros(3, np.float32), np.zeros(3, np.int64)
    told = handed_over(Outer(0, Inner(values, False), last))
    values[1], last[1] = 0.5, 7
    assert read(told, 1) == (0, 0.5, False, 7)
