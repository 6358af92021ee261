"""Large results that lie on lines are streamed past the caches, others stored as usual: the same bits."""

import numpy as np
import pytest
from numba import njit

from tests.kernels.test_sparse_convolution import layer
from tinyticket.kernels.geometry import Image, origin
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.simd import pointer
from tinyticket.kernels.cpu.sparse_convolution_passes import sparse_convolve, sparse_convolve_backward
from tinyticket.kernels.cpu.vector.streaming import LARGE, streams

SIZE = LARGE // 4


@njit
def _would_stream(array, start, size):
    return streams(pointer(array, start), size)


def test_only_large_results_on_lines_are_streamed():
    array = empty(64)
    assert _would_stream(array, 16, SIZE + 1)
    assert not _would_stream(array, 16, SIZE)
    assert not _would_stream(array, 4, SIZE + 1)


@pytest.mark.parametrize("side", [33, 40])  # on both sides of a patch
def test_streamed_and_stored_results_have_the_same_bits(side):
    pattern, weight, bias, x, dy = layer((6, 7), (side, side), (3, 3), 1, 1, 5, blocks=1, density=0.4)
    x, dy = x.reshape(-1), dy.reshape(-1)
    start = origin(Image(6, side, side, 1))
    values = pattern.values(weight)
    results = []
    for shift in (0, 3):  # floats by which results miss the lines
        y, dx = (empty(size + 16)[shift : shift + size] for size in (dy.size, x.size))
        gradient = empty(pattern.count)
        y[:], dx[:] = 0, 0
        assert _would_stream(y, start, y.size) == _would_stream(dx, start, dx.size) == (shift == 0)
        sparse_convolve(pattern.row_bounds(2), pattern.rows, values, bias, x, y, start, start, pattern.window, True)
        arguments = pattern.columns, pattern.by_column(values), x, dy, dx, gradient, start, start, pattern.window
        sparse_convolve_backward(pattern.column_bounds(2), *arguments, False, True)
        results.append((y.copy(), dx.copy(), gradient))
    for streamed, stored in zip(*results, strict=True):
        np.testing.assert_array_equal(streamed, stored)
