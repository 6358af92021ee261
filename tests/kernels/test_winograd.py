"""Winograd's convolution against the direct one in float64, over drawn shapes, paddings, flags and numbers of shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.convolutions import any_shares, inside, plain, same
from tinyticket import kernels
from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.kernels.cpu.packing import Images

quick = settings(max_examples=25, deadline=None)


@st.composite
def layers(draw):
    """Yield a weight, a bias, images, dy and the padding, with sizes on both sides of every tile, strip and patch."""
    padding = draw(st.integers(0, 2))
    height, width = (draw(st.integers(max(4, 6 - 2 * padding), 11)) for _ in "hw")
    inputs, outputs = draw(st.sampled_from([1, 2, 3, 7, 8, 17, 33])), draw(st.sampled_from([1, 3, 4, 8, 9, 16, 35]))
    samples = 16 * draw(st.integers(1, 4)) - draw(st.sampled_from([0, 0, 5, 15]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    rows, columns = (size + 2 * padding - 2 for size in (height, width))
    x = np.maximum(rng.standard_normal((samples, inputs, height, width)), 0).astype(np.float32)
    dy = rng.standard_normal((samples, outputs, rows, columns)).astype(np.float32)
    weight = rng.standard_normal((outputs, inputs, 3, 3)).astype(np.float32)
    bias = rng.standard_normal(outputs).astype(np.float32)
    border = padding + draw(st.integers(0, 1))
    y_border = max(0, 2 - padding) + draw(st.integers(0, 1))
    return weight, bias, kernels.pack_images(x, border), kernels.pack_images(dy, y_border), padding


def direct(weight, bias, x, padding):
    return reference.conv2d(plain(x), weight.astype(np.float64), bias, padding=(padding, padding))


@quick
@given(layers(), st.booleans())
def test_forward(layer, relu):
    weight, bias, x, dy, padding = layer
    y = any_shares(kernels.winograd_conv2d, weight, bias, x, relu=relu, border=dy.border, padding=padding)
    expected = direct(weight, bias, x, padding)
    same(y, np.maximum(expected, 0) if relu else expected)


@quick
@given(layers(), st.booleans(), st.booleans())
def test_input_gradient(layer, x_is_relu_output, add):
    weight, _, x, dy, padding = layer
    start = np.random.default_rng(1).standard_normal(x.array.shape, np.float32)
    held = Images(start, x.border) if add else None
    options = {"padding": padding, "x_is_relu_output": x_is_relu_output}
    dx = any_shares(kernels.winograd_conv2d_input_gradient, weight, x, dy, add_to=held, **options)
    sizes = plain(x).shape
    expected = reference.conv2d_input_gradient(plain(dy), weight.astype(np.float64), sizes, padding=(padding, padding))
    expected += plain(held) if add else 0
    expected = np.where(plain(x) <= 0, 0, expected) if x_is_relu_output else expected
    if add:  # its border is left alone
        here = inside(x)
        np.testing.assert_array_equal(dx.array[~here], start[~here])
        dx = Images(np.where(here, dx.array, 0), x.border)
    same(dx, expected)


@quick
@given(layers())
def test_weight_gradient(layer):
    _, _, x, dy, padding = layer
    gradient = any_shares(kernels.winograd_conv2d_weight_gradient, x, dy, padding=padding)
    expected = reference.conv2d_weight_gradient(plain(dy), plain(x), (3, 3), padding=(padding, padding))
    same(gradient, expected)


@pytest.mark.parametrize("channels", [1, 8, 64])
def test_errors_stay_below_the_bound_and_near_those_of_the_direct_sum(channels):
    rng = np.random.default_rng(0)
    x, weight = (
        rng.standard_normal((16, channels, 7, 6), np.float32),
        rng.standard_normal((8, channels, 3, 3), np.float32),
    )
    bias, packed = rng.standard_normal(8).astype(np.float32), kernels.pack_images(x, 1)
    exact = direct(weight, bias, packed, 1)
    errors = [
        np.abs(kernels.unpack_images(convolve(weight, bias, packed, padding=1), 16) - exact)
        for convolve in (kernels.winograd_conv2d, kernels.conv2d)
    ]
    assert (errors[0] <= reference.winograd_error_bound(x, weight, (1, 1), bias)).all()
    assert errors[0].mean() <= 16 * errors[1].mean()
    assert errors[0].max() <= 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize(("channels", "samples", "size"), [(2, 16, (7, 6)), (9, 80, (16, 12))])
def test_errors_of_the_weight_gradient_do_so_too(channels, samples, size):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, channels, *size), np.float32)
    dy = rng.standard_normal((samples, 8, *size), np.float32)
    images, gradients = kernels.pack_images(x, 1), kernels.pack_images(dy, 1)
    exact = reference.conv2d_weight_gradient(dy.astype(np.float64), x.astype(np.float64), (3, 3), padding=(1, 1))
    found = kernels.winograd_conv2d_weight_gradient(images, gradients, padding=1)
    error = np.abs(found - exact)
    assert (error <= reference.winograd_weight_gradient_error_bound(dy, x, (1, 1))).all()
    direct_error = np.abs(kernels.conv2d_weight_gradient(images, gradients, (3, 3), padding=1) - exact)
    assert error.mean() <= 16 * direct_error.mean()
    assert error.max() <= 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize("size", [(4, 4), (5, 7)])
def test_the_plain_one_is_the_convolution(size):
    rng = np.random.default_rng(0)
    x, weight, bias = rng.standard_normal((2, 3, *size)), rng.standard_normal((5, 3, 3, 3)), rng.standard_normal(5)
    for padding in ((0, 0), (1, 1), (0, 2)):
        expected = reference.conv2d(x, weight, bias, padding=padding)
        np.testing.assert_allclose(
            reference.winograd_conv2d(x, weight, bias, padding), expected, rtol=1e-10, atol=1e-12
        )
        dy = rng.standard_normal(expected.shape)
        gradient = reference.conv2d_weight_gradient(dy, x, (3, 3), padding=padding)
        found = reference.winograd_conv2d_weight_gradient(dy, x, padding)
        np.testing.assert_allclose(found, gradient, rtol=1e-10, atol=1e-12)


def test_other_convolutions_are_refused():
    x = kernels.pack_images(np.zeros((3, 2, 8, 8), np.float32), 1)
    bias = np.zeros(3, np.float32)
    with pytest.raises(InputError, match="kernel of 3 by 3"):
        kernels.winograd_conv2d(np.zeros((3, 2, 5, 5), np.float32), bias, x)
    with pytest.raises(InputError, match="images of 4 by 4 pixels"):
        kernels.winograd_conv2d(np.zeros((3, 2, 3, 3), np.float32), bias, Images(x.array[:, :, :5, :5]))
    dy = kernels.pack_images(np.zeros((3, 3, 8, 8), np.float32))
    with pytest.raises(InputError, match="border of 1 zeros"):
        kernels.winograd_conv2d_input_gradient(np.zeros((3, 2, 3, 3), np.float32), x, dy, padding=1)
