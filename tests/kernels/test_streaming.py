"""Large results that lie on lines are streamed past the caches, others stored as usual: the same bits."""

import numpy as np
import pytest
from numba import njit

from tests.kernels.test_sparse_convolution import layer
from tinyticket.kernels.cpu.job import run
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.sparse_convolution import SparseConv2d, SparseConv2dGradient
from tinyticket.kernels.cpu.vector.simd import pointer
from tinyticket.kernels.cpu.vector.streaming import LARGE, streams
from tinyticket.kernels.geometry import origin

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
    start = origin(x.geometry)
    values, window = pattern.values(weight), pattern.window
    results = []
    for shift in (0, 3):  # floats by which results miss the lines
        y, dx = (empty(images.array.size + 16)[shift : shift + images.array.size] for images in (dy, x))
        gradient = empty(pattern.count)
        y[:], dx[:] = 0, 0
        assert _would_stream(y, start, y.size) == _would_stream(dx, start, dx.size) == (shift == 0)
        arrays = values, bias, x.interior, y[start:]
        run(SparseConv2d(pattern.rows, *arrays, True, window), pattern.row_bounds(2))
        arrays = pattern.by_column(values), x.interior, dy.interior, dx[start:], gradient
        run(SparseConv2dGradient(pattern.columns, *arrays, False, True, window), pattern.column_bounds(2))
        results.append((y.copy(), dx.copy(), gradient))
    for streamed, stored in zip(*results, strict=True):
        np.testing.assert_array_equal(streamed, stored)
