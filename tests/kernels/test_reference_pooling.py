"""The reference kernels of pooling against explicit loops."""

import itertools

import numpy as np
import pytest

from tinyticket.kernels import reference

RNG = np.random.default_rng(0)
KERNEL, STRIDE, PADDING = (3, 2), (2, 1), (1, 1)
X = RNG.standard_normal((2, 3, 6, 4))
DY = RNG.standard_normal((2, 3, 3, 5))


def over_windows():
    """Yield the index of each output and its window: {position in the window: index of the pixel}."""
    for n, c, row, column in itertools.product(*map(range, DY.shape)):
        window = {}
        for i, j in itertools.product(*map(range, KERNEL)):
            h, w = STRIDE[0] * row + i - PADDING[0], STRIDE[1] * column + j - PADDING[1]
            if 0 <= h < X.shape[2] and 0 <= w < X.shape[3]:
                window[i * KERNEL[1] + j] = (n, c, h, w)
        yield (n, c, row, column), window


def test_max_pool2d_and_its_gradient():
    maximum, winner = reference.max_pool2d(X, KERNEL, STRIDE, PADDING)
    expected = np.zeros_like(X)
    for output, window in over_windows():
        assert maximum[output] == max(X[pixel] for pixel in window.values())
        assert maximum[output] == X[window[winner[output]]]
        expected[window[winner[output]]] += DY[output]
    dx = reference.max_pool2d_gradient(DY, winner, X.shape, KERNEL, STRIDE, PADDING)
    np.testing.assert_allclose(dx, expected)


def test_the_first_of_equal_pixels_wins():
    _, winner = reference.max_pool2d(np.ones((1, 1, 4, 4)), (2, 2), (2, 2))
    assert not winner.any()


def test_avg_pool2d_and_its_gradient():
    means, expected = np.zeros_like(DY), np.zeros_like(X)
    for output, window in over_windows():
        means[output] = sum(X[pixel] for pixel in window.values()) / 6  # zeros of the padding count
        for pixel in window.values():
            expected[pixel] += DY[output] / 6
    np.testing.assert_allclose(reference.avg_pool2d(X, KERNEL, STRIDE, PADDING), means)
    np.testing.assert_allclose(reference.avg_pool2d_gradient(DY, X.shape, KERNEL, STRIDE, PADDING), expected)


def test_global_avg_pool2d_is_the_average_over_one_window_as_large_as_the_image():
    means = reference.avg_pool2d(X, (6, 4), (1, 1))
    np.testing.assert_allclose(reference.global_avg_pool2d(X), means[:, :, 0, 0])
    dy = DY[:, :, :1, :1]
    expected = reference.avg_pool2d_gradient(dy, X.shape, (6, 4), (1, 1))
    np.testing.assert_allclose(reference.global_avg_pool2d_gradient(dy[:, :, 0, 0], X.shape), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    x, dy = X.astype(dtype), DY.astype(dtype)
    maximum, winner = reference.max_pool2d(x, KERNEL, STRIDE, PADDING)
    for result in (
        maximum,
        reference.max_pool2d_gradient(dy, winner, x.shape, KERNEL, STRIDE, PADDING),
        reference.avg_pool2d(x, KERNEL, STRIDE, PADDING),
        reference.avg_pool2d_gradient(dy, x.shape, KERNEL, STRIDE, PADDING),
        reference.global_avg_pool2d(x),
    ):
        assert result.dtype == dtype
