"""Leaky ReLU, hyperbolic tangent and sigmoid of packed images against their specifications, and their accuracy."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.images import (
    borders,
    channels,
    chunked,
    equal,
    finished,
    generators,
    gradients,
    ones_around,
    plain,
    quick,
    same,
    samples,
    sizes,
    values,
)
from tinyticket.errors import InputError
from tinyticket.kernels import cpu, reference
from tinyticket.kernels.cpu import Images

pytestmark = pytest.mark.usefixtures("_chunks")
BY_RESULT = (  # whose gradient is a function of their result
    (cpu.tanh, cpu.tanh_gradient, reference.tanh, reference.tanh_gradient),
    (cpu.sigmoid, cpu.sigmoid_gradient, reference.sigmoid, reference.sigmoid_gradient),
)


@st.composite
def layers(draw):
    """Yield an input with ones around it, an upstream gradient and the flags of an input gradient."""
    rng, count, shape = draw(generators), draw(samples), (draw(channels), *draw(sizes))
    border, y_border = draw(borders), draw(borders)
    x = values(rng, count, shape, border, ties=draw(st.booleans()))
    dy = gradients(rng, count, shape, y_border)
    add_to = gradients(rng, count, shape, border) if draw(st.booleans()) else None
    return ones_around(x), dy, {"add_to": add_to, "x_is_relu_output": draw(st.booleans())}


@quick
@given(layers(), st.sampled_from([0.01, 0.2, 0.0, 1.0, -0.5, 2]))
def test_leaky_relu(layer, slope):
    x, dy, flags = layer
    equal(chunked(cpu.leaky_relu, x, slope, border=dy.border), reference.leaky_relu(plain(x), np.float32(slope)))
    dx = chunked(cpu.leaky_relu_gradient, x, dy, slope, **flags)
    expected = reference.leaky_relu_gradient(plain(dy), plain(x), np.float32(slope))
    same(dx, finished(expected, x, **flags), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("ours", "our_gradient", "theirs", "their_gradient"), BY_RESULT)
@quick
@given(layers())
def test_functions_whose_gradient_follows_from_the_result(ours, our_gradient, theirs, their_gradient, layer):
    x, dy, flags = layer
    y = chunked(ours, x, border=dy.border)
    same(y, theirs(plain(x)), rtol=3e-7, atol=1e-30)
    dx = chunked(our_gradient, x, y, dy, **flags)
    same(dx, finished(their_gradient(plain(dy), plain(y)), x, **flags), rtol=1e-6, atol=1e-6)


def every(step, *more):
    """Return every so many-th float32, NaNs and infinities among them, and some more, as images."""
    found = np.concatenate([np.arange(0, 2**32, step, np.uint64).astype(np.uint32).view(np.float32), np.float32(more)])
    return Images(np.pad(found, (0, -found.size % 256)).reshape(1, 1, -1, 16, 16))


SPECIAL = (
    0.0,
    -0.0,
    np.inf,
    -np.inf,
    np.nan,
    1e-45,
    -1e-45,
    1.2e-38,
    1e-6,
    -1e-6,
    87.0,
    87.1,
    88.0,
    -87.0,
    -87.1,
    104.0,
)


@pytest.mark.parametrize(("ours", "_gradient", "theirs", "_their_gradient"), BY_RESULT)
@pytest.mark.parametrize(("low", "high"), [(-100, 100), (-1, 1), (-(2.0**-10), 2.0**-10), (0, 0)])
def test_tanh_and_sigmoid_are_accurate_everywhere(ours, _gradient, theirs, _their_gradient, low, high):
    rng = np.random.default_rng(0)
    x = Images(rng.uniform(low, high, (1, 4, 64, 64, 16))) if high else every(4099, *SPECIAL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = ours(x).array
    with np.errstate(invalid="ignore"):  # of signalling NaNs
        expected = theirs(x.array.astype(np.float64))
    # Where exp(-x) is no normal number, a sigmoid is zero.
    np.testing.assert_allclose(y, expected, rtol=3e-7, atol=2e-38 if ours is cpu.sigmoid else 0)
    finite = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y[finite]), np.signbit(expected[finite]))
    assert np.abs(y[finite]).max() <= 1


def test_extremes():
    x = Images(np.float32([np.inf, -np.inf, 0, -0.0, 1e-6, -1e-6, 1e-45, 1e30] * 2).reshape(1, 1, 1, 1, 16))
    small = np.float32([1e-6, 1e-45])
    expected = [1, -1, 0, -0.0, small[0], -small[0], small[1], 1]
    np.testing.assert_array_equal(cpu.tanh(x).array.reshape(-1)[:8], np.float32(expected))
    np.testing.assert_array_equal(cpu.sigmoid(x).array.reshape(-1)[:4], np.float32([1, 0, 0.5, 0.5]))
    np.testing.assert_array_equal(cpu.leaky_relu(x, 0.5).array.reshape(-1)[:3], np.float32([np.inf, -np.inf, 0]))


def test_no_number_stays_none():
    x, dy = (Images(np.full((1, 1, 2, 2, 16), number, np.float32)) for number in (1, np.nan))
    for result in (
        cpu.leaky_relu(dy),
        cpu.tanh(dy),
        cpu.sigmoid(dy),
        cpu.leaky_relu_gradient(x, dy),
        cpu.tanh_gradient(x, x, dy),
        cpu.sigmoid_gradient(x, x, dy),
    ):
        assert np.isnan(result.array).all()


def test_zero_has_the_gradient_of_the_slope():
    x, dy = Images(np.zeros((1, 1, 1, 1, 16))), Images(np.ones((1, 1, 1, 1, 16)))
    assert (cpu.leaky_relu_gradient(x, dy, 0.25).array == 0.25).all()


def test_gradients_leave_borders_alone():
    rng = np.random.default_rng(0)
    x, y, dy, add_to = (gradients(rng, 20, (2, 3, 4), border) for border in (2, 0, 0, 2))
    for dx in (
        cpu.leaky_relu_gradient(x, dy, add_to=ones_around(add_to), x_is_relu_output=True),
        cpu.tanh_gradient(x, y, dy, add_to=ones_around(add_to), x_is_relu_output=True),
        cpu.sigmoid_gradient(x, y, dy, add_to=ones_around(add_to), x_is_relu_output=True),
    ):
        np.testing.assert_array_equal(dx.array, ones_around(dx).array)


def test_they_are_those_of_tensors():
    import tinyticket as tt

    rng = np.random.default_rng(1)
    x, dy = values(rng, 16, (2, 3, 4), 0), gradients(rng, 16, (2, 3, 4), 0)
    for name, forward, gradient in (
        ("leaky_relu", cpu.leaky_relu, lambda y: cpu.leaky_relu_gradient(x, dy)),
        ("tanh", cpu.tanh, lambda y: cpu.tanh_gradient(x, y, dy)),
        ("sigmoid", cpu.sigmoid, lambda y: cpu.sigmoid_gradient(x, y, dy)),
    ):
        tensor = tt.Tensor(plain(x), requires_grad=True)
        result = getattr(tt.nn.functional, name)(tensor)
        (result * tt.Tensor(plain(dy))).sum().backward()
        y = forward(x)
        same(y, result.numpy())
        same(gradient(y), tensor.grad)


def test_images_that_do_not_fit_are_refused():
    x = Images(np.zeros((1, 2, 4, 4, 16)))
    other = Images(np.zeros((1, 2, 4, 5, 16)))
    with pytest.raises(InputError, match="dy is Image"):
        cpu.leaky_relu_gradient(x, other)
    with pytest.raises(InputError, match="y is Image"):
        cpu.tanh_gradient(x, other, x)
    with pytest.raises(InputError, match="add_to is Image"):
        cpu.sigmoid_gradient(x, x, x, add_to=other)
    with pytest.raises(InputError, match="border must be a whole number"):
        cpu.tanh(x, border=-1)
