"""The dense convolution's passes against their specification, over shapes, strides, borders, flags and numbers of shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.convolutions import any_shares, inside, plain, same
from tinyticket import kernels
from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.kernels.cpu.convolution import PooledBiasGradient
from tinyticket.kernels.cpu.job import run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.geometry import gradient_border, make_window

quick = settings(max_examples=40, deadline=None)


@st.composite
def layers(draw):
    """Yield a weight, a bias, images, dy and the geometry, with sizes on both sides of every register tile."""
    stride, padding = draw(st.sampled_from([1, 2])), draw(st.integers(0, 2))
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (5, 5), (2, 2), (3, 1), (1, 4)]))
    least = [max(1, span - 2 * padding) for span in kernel]
    height, width = (size + draw(st.integers(0, 8)) for size in least)
    inputs, outputs = draw(st.sampled_from([1, 2, 3, 5, 7, 8, 13])), draw(st.sampled_from([1, 3, 4, 6, 9, 33]))
    samples = 16 * draw(st.integers(1, 5)) - draw(st.sampled_from([0, 0, 5, 15]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    sizes = zip((height, width), kernel, strict=True)
    rows, columns = ((size + 2 * padding - span) // stride + 1 for size, span in sizes)
    border = padding + draw(st.integers(0, 1))
    spans = zip((height, width), kernel, strict=True)
    y_border = max(gradient_border(size, span, stride, padding) for size, span in spans) + draw(st.integers(0, 1))
    x = np.maximum(rng.standard_normal((samples, inputs, height, width)), 0).astype(np.float32)
    dy = rng.standard_normal((samples, outputs, rows, columns)).astype(np.float32)
    weight = rng.standard_normal((outputs, inputs, *kernel)).astype(np.float32)
    bias = rng.standard_normal(outputs).astype(np.float32)
    geometry = {"stride": stride, "padding": padding}
    return weight, bias, kernels.pack_images(x, border), kernels.pack_images(dy, y_border), geometry


def pairs(geometry):
    """Return the geometry as the references take it, for rows and columns."""
    return {name: (value, value) for name, value in geometry.items()}


def convolved(weight, bias, x, geometry):
    return reference.conv2d(plain(x), weight.astype(np.float64), bias, **pairs(geometry))


def input_gradient(weight, x, dy, geometry):
    return reference.conv2d_input_gradient(plain(dy), weight.astype(np.float64), plain(x).shape, **pairs(geometry))


def weight_gradient(x, dy, kernel, geometry):
    return reference.conv2d_weight_gradient(plain(dy), plain(x), kernel, **pairs(geometry))


@quick
@given(layers(), st.booleans())
def test_forward(layer, relu):
    weight, bias, x, dy, geometry = layer
    y = any_shares(kernels.conv2d, weight, bias, x, relu=relu, border=dy.border, **geometry)
    expected = convolved(weight, bias, x, geometry)
    same(y, np.maximum(expected, 0) if relu else expected)


@quick
@given(layers(), st.booleans(), st.booleans())
def test_input_gradient(layer, x_is_relu_output, add):
    weight, _, x, dy, geometry = layer
    start = np.random.default_rng(1).standard_normal(x.array.shape, np.float32)
    held = Images(start, x.border) if add else None
    options = dict(geometry, x_is_relu_output=x_is_relu_output)
    dx = any_shares(kernels.conv2d_input_gradient, weight, x, dy, add_to=held, **options)
    expected = input_gradient(weight, x, dy, geometry) + (plain(held) if add else 0)
    expected = np.where(plain(x) <= 0, 0, expected) if x_is_relu_output else expected
    if add:  # it is changed in place, and its border left alone
        before, here = start.copy(), inside(x)
        assert kernels.conv2d_input_gradient(weight, x, dy, add_to=held, **options) is held
        np.testing.assert_array_equal(held.array, dx.array)
        np.testing.assert_array_equal(held.array[~here], before[~here])
        dx = Images(np.where(here, dx.array, 0), x.border)
    same(dx, expected)


@quick
@given(layers())
def test_weight_gradient(layer):
    weight, _, x, dy, geometry = layer
    kernel = weight.shape[2:]
    gradient = any_shares(kernels.conv2d_weight_gradient, x, dy, kernel, **geometry)
    same(gradient, weight_gradient(x, dy, kernel, geometry))


@quick
@given(layers())
def test_bias_gradient(layer):
    dy = layer[3]
    expected = reference.conv2d_bias_gradient(plain(dy))
    dy.array[~inside(dy)] = 1  # which is not read
    gradient = any_shares(kernels.conv2d_bias_gradient, dy)
    np.testing.assert_allclose(gradient, expected, rtol=2e-5, atol=2e-5)


@quick
@given(layers(), st.sampled_from([(1, 1), (2, 2), (3, 2)]), st.booleans())
def test_a_bias_gradient_is_found_behind_a_maximum_pooling_too(layer, pooling, x_is_relu_output):
    x, (size, stride) = layer[2], pooling
    padding = {"stride": stride, "padding": size - 1}
    y = kernels.max_pool2d(x, size, border=1, **padding)
    samples, shape = 16 * y.tiles - 3, y.geometry[:3]
    dy = kernels.pack_images(np.random.default_rng(2).standard_normal((samples, *shape), np.float32), 1)
    dx = kernels.max_pool2d_gradient(x, y, dy, size, x_is_relu_output=x_is_relu_output, **padding)
    window, channels = make_window(y.tiles, y.geometry, y.geometry, (1, 1)), shape[0]
    gradient = np.empty(channels, np.float32)
    job = PooledBiasGradient(y.interior, dy.interior, gradient, x_is_relu_output, window)
    run(job, np.array([0, channels // 2, channels]))
    same(gradient, plain(dx).sum(axis=(0, 2, 3)))


def test_long_sums_go_block_by_block():
    rng = np.random.default_rng(0)
    x = kernels.pack_images(rng.standard_normal((20, 70, 13, 21), np.float32), 1)
    dy = kernels.pack_images(rng.standard_normal((20, 70, 13, 21), np.float32), 1)
    weight, bias = rng.standard_normal((70, 70, 3, 3), np.float32), np.zeros(70, np.float32)
    geometry = {"stride": 1, "padding": 1}
    same(kernels.conv2d(weight, bias, x, border=1, **geometry), convolved(weight, bias, x, geometry))
    dx = kernels.conv2d_input_gradient(weight, x, dy, **geometry)
    same(dx, input_gradient(weight, x, dy, geometry))
    gradient = kernels.conv2d_weight_gradient(x, dy, (3, 3), **geometry)
    same(gradient, weight_gradient(x, dy, (3, 3), geometry))


def test_nan_is_not_lost():
    x, weight, bias = np.ones((1, 2, 6, 6), np.float32), np.ones((3, 2, 3, 3), np.float32), np.zeros(3, np.float32)
    x[0, 0, 2, 2] = np.nan
    packed = kernels.pack_images(x, 1)
    y = kernels.unpack_images(kernels.conv2d(weight, bias, packed, padding=1, relu=True), 1)
    assert np.isnan(y[:, :, 1:4, 1:4]).all()
    assert np.isnan(y).sum() == 3 * 9
    dy = kernels.pack_images(np.ones((1, 3, 6, 6), np.float32), 1)
    gradient = kernels.conv2d_weight_gradient(packed, dy, (3, 3), padding=1)
    assert np.isnan(gradient[:, 0]).all()
    assert not np.isnan(gradient[:, 1]).any()
    dy.array[0, 1, 3, 3, 0] = np.nan
    dx = kernels.conv2d_input_gradient(weight, packed, dy, padding=1, x_is_relu_output=True).array
    assert np.isnan(dx[0, :, 2:5, 2:5, 0]).all()
    assert np.isnan(dx).sum() == 2 * 9
    assert np.isnan(kernels.conv2d_bias_gradient(dy)).tolist() == [False, True, False]


def test_inputs_may_be_read_only():
    rng = np.random.default_rng(3)
    weight, bias = rng.standard_normal((3, 2, 3, 3), np.float32), rng.standard_normal(3, np.float32)
    x = kernels.pack_images(rng.standard_normal((4, 2, 6, 6), np.float32), 1)
    y = kernels.conv2d(weight, bias, x, padding=1)
    for array in (weight, bias, x.array):
        array.flags.writeable = False
    np.testing.assert_array_equal(kernels.conv2d(weight, bias, x, padding=1).array, y.array)


def test_bad_arguments_are_named():
    weight, bias = np.zeros((3, 2, 3, 3), np.float32), np.zeros(3)
    x, dy = Images(np.zeros((1, 2, 6, 6, 16))), Images(np.zeros((1, 3, 8, 8, 16)), 2)
    with pytest.raises(InputError, match="weight has shape"):
        kernels.conv2d(weight[:, :1], bias, x)
    with pytest.raises(InputError, match="weight has shape"):
        kernels.conv2d(weight[0], bias, x)
    with pytest.raises(InputError, match="stride 0"):
        kernels.conv2d(weight, bias, x, stride=0)
    with pytest.raises(InputError, match="bias has shape"):
        kernels.conv2d(weight, bias[:2], x)
    with pytest.raises(InputError, match="padding 2 is wider than the border"):
        kernels.conv2d(weight, bias, Images(x.array, 1), padding=2)
    with pytest.raises(InputError, match=r"kernel \(10, 10\).* does not exist"):
        kernels.conv2d(np.zeros((3, 2, 10, 10)), bias, x)
    with pytest.raises(InputError, match="needs a border of 2 zeros"):
        kernels.conv2d_input_gradient(weight, x, Images(dy.array[:, :, 2:6, 2:6]))
    with pytest.raises(InputError, match="dy is Image"):
        kernels.conv2d_input_gradient(weight, x, Images(dy.array[:, :, 1:], 2))
    with pytest.raises(InputError, match="add_to is Image"):
        kernels.conv2d_input_gradient(weight, x, dy, add_to=Images(x.array.copy(), 1))
    held = Images(x.array.copy())
    held.array.flags.writeable = False
    with pytest.raises(InputError, match="add_to must be writeable"):
        kernels.conv2d_input_gradient(weight, x, dy, add_to=held)
    with pytest.raises(InputError, match="dy is Image"):
        kernels.conv2d_weight_gradient(x, Images(dy.array[:, :, 1:], 2), (3, 3))
    with pytest.raises(InputError, match="in 2 tiles, but"):
        kernels.conv2d_weight_gradient(x, Images(np.repeat(dy.array, 2, 0), 2), (3, 3))
