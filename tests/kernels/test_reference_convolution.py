"""The reference kernels of the convolution against explicit loops."""

import itertools

import numpy as np
import pytest

from tinyticket.kernels import reference

RNG = np.random.default_rng(0)
STRIDE, PADDING = (2, 1), (1, 2)
X = RNG.standard_normal((2, 3, 5, 4))
WEIGHT = RNG.standard_normal((4, 3, 3, 2))
BIAS = RNG.standard_normal(4)
DY = RNG.standard_normal((2, 4, 3, 7))


def over_windows():
    """Yield (n, o, row, column) of an output, and (c, i, j) with the pixel (h, w) that each weight meets inside the image."""
    for n, o, row, column in itertools.product(*map(range, DY.shape)):
        for c, i, j in itertools.product(*map(range, WEIGHT.shape[1:])):
            h, w = STRIDE[0] * row + i - PADDING[0], STRIDE[1] * column + j - PADDING[1]
            if 0 <= h < X.shape[2] and 0 <= w < X.shape[3]:
                yield (n, o, row, column), (o, c, i, j), (n, c, h, w)


def test_conv2d():
    expected = np.zeros_like(DY)
    for output, weight, pixel in over_windows():
        expected[output] += WEIGHT[weight] * X[pixel]
    np.testing.assert_allclose(reference.conv2d(X, WEIGHT, None, STRIDE, PADDING), expected)
    with_bias = reference.conv2d(X, WEIGHT, BIAS, STRIDE, PADDING)
    np.testing.assert_allclose(with_bias, expected + BIAS[:, np.newaxis, np.newaxis])


def test_input_gradient():
    expected = np.zeros_like(X)
    for output, weight, pixel in over_windows():
        expected[pixel] += WEIGHT[weight] * DY[output]
    np.testing.assert_allclose(reference.conv2d_input_gradient(DY, WEIGHT, X.shape, STRIDE, PADDING), expected)


def test_weight_gradient():
    expected = np.zeros_like(WEIGHT)
    for output, weight, pixel in over_windows():
        expected[weight] += X[pixel] * DY[output]
    np.testing.assert_allclose(reference.conv2d_weight_gradient(DY, X, (3, 2), STRIDE, PADDING), expected)


def test_bias_gradient():
    np.testing.assert_allclose(reference.conv2d_bias_gradient(DY), [DY[:, o].sum() for o in range(4)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_contiguous_and_keep_their_dtype(dtype):
    x, weight, dy = X.astype(dtype), WEIGHT.astype(dtype), DY.astype(dtype)
    for result in (
        reference.conv2d(x, weight, BIAS.astype(dtype), STRIDE, PADDING),
        reference.conv2d_input_gradient(dy, weight, x.shape, STRIDE, PADDING),
        reference.conv2d_weight_gradient(dy, x, (3, 2), STRIDE, PADDING),
    ):
        assert result.dtype == dtype
        assert result.flags.c_contiguous


def test_rows_and_columns_that_no_window_reaches_get_no_gradient():
    x, weight = np.ones((1, 1, 5, 5)), np.ones((1, 1, 2, 2))
    assert reference.output_size((5, 5), (2, 2), (2, 2), (0, 0)) == (2, 2)
    dx = reference.conv2d_input_gradient(np.ones((1, 1, 2, 2)), weight, x.shape, (2, 2))
    assert dx[0, 0].tolist() == [[1, 1, 1, 1, 0]] * 4 + [[0] * 5]


def test_an_input_without_padding_is_not_written():
    x = X.copy()
    reference.conv2d(x, WEIGHT)
    reference.conv2d_weight_gradient(DY[:, :, :, :3], x, (3, 2))
    assert x.tobytes() == X.tobytes()


def test_images_taken_group_by_group_give_the_same(monkeypatch):
    def results():
        return (
            reference.conv2d(X, WEIGHT, BIAS, STRIDE, PADDING),
            reference.conv2d_input_gradient(DY, WEIGHT, X.shape, STRIDE, PADDING),
            reference.conv2d_weight_gradient(DY, X, (3, 2), STRIDE, PADDING),
        )

    together = results()
    monkeypatch.setattr("tinyticket.kernels.reference.convolution.AT_ONCE", 1)
    for one_by_one, expected in zip(results(), together, strict=True):
        np.testing.assert_allclose(one_by_one, expected, rtol=1e-12, atol=1e-12)
