"""Pooling as functions: what happens at ties, and what they refuse."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.nn import functional as F


def test_of_equal_pixels_the_first_in_row_order_gets_the_gradient():
    x = tt.Tensor(np.array([[[[1.0, 2, 2], [2, 2, 2], [0, 0, 0]]]]), requires_grad=True)
    F.max_pool2d(x, 2, 1).sum().backward()
    assert x.grad.tolist() == [[[[0, 2, 0], [1, 1, 0], [0, 0, 0]]]]


def test_padding_never_wins():
    x = tt.Tensor(np.full((1, 1, 2, 2), -5.0), requires_grad=True)
    result = F.max_pool2d(x, 3, 1, 1)
    assert (result.data == -5).all()
    result.sum().backward()
    assert x.grad.tolist() == [[[[4, 0], [0, 0]]]]


def test_a_pixel_that_is_no_number_shows():
    x = np.zeros((1, 1, 2, 4))
    x[0, 0, 1, 0] = np.nan
    assert np.isnan(F.max_pool2d(x, 2).data).tolist() == [[[[True, False]]]]


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize(
    ("shape", "arguments", "words"),
    [
        ((4, 4), (2,), r"2d wants images \(N, C, H, W\); got shape \(4, 4\)"),
        ((1, 1, 1, 4), (2,), "images of 1 x 4.*no room for windows of 2 x 2"),
        ((1, 1, 4, 4), (0,), "kernel_size is at least 1, not 0"),
        ((1, 1, 4, 4), (2, 0), "stride is at least 1, not 0"),
        ((1, 1, 4, 4), (3, 1, 2), r"padding is at most half of the window \(3, 3\), not \(2, 2\)"),
    ],
)
def test_windows_that_do_not_fit_are_refused(pool, shape, arguments, words):
    with pytest.raises(ValueError, match=words):
        pool(np.zeros(shape), *arguments)


def test_global_avg_pool2d_refuses_what_is_no_image():
    with pytest.raises(ValueError, match=r"global_avg_pool2d wants images.*\(2, 3\)"):
        F.global_avg_pool2d(np.zeros((2, 3)))


def test_indices_say_which_pixel_of_its_channel_each_maximum_is():
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 6))
    maxima, indices = F.max_pool2d(x, (3, 2), 2, (1, 1), (2, 1), ceil_mode=True, return_indices=True)
    assert indices.dtype.kind == "i"
    pixels = np.take_along_axis(x.reshape(2, 3, -1), indices.reshape(2, 3, -1), axis=2)
    np.testing.assert_array_equal(maxima.data, pixels.reshape(maxima.shape))


def test_with_ceil_mode_the_last_window_begins_before_the_padding_ends():
    assert F.max_pool2d(np.ones((1, 1, 5, 5)), 2, 2, ceil_mode=True).shape == (1, 1, 3, 3)
    assert F.max_pool2d(np.ones((1, 1, 4, 4)), 2, 3, (1, 1), ceil_mode=True).shape == (1, 1, 2, 2)
    with pytest.raises(ValueError, match=r"no room for windows of 3 x 3 with dilation \(3, 3\)"):
        F.max_pool2d(np.ones((1, 1, 5, 5)), 3, dilation=3)
