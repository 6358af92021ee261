"""Pooling of packed images against its specification and PyTorch: overlapping windows, padding, ties, borders, odd batches."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.kernels.images import (
    Case,
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

KERNELS = [
    (2, 2, 0),
    (2, 2, 1),
    (2, 1, 0),
    (3, 2, 1),
    (3, 3, 0),
    (3, 1, 1),
    ((2, 3), 2, 1),
    (1, 1, 0),
    (1, 2, 0),
    (5, 3, 2),
]

pytestmark = pytest.mark.usefixtures("_chunks")


def pair(number):
    return (number, number) if isinstance(number, int) else number


@st.composite
def poolings(draw):
    """Yield an input with ones around it, an upstream gradient, a kernel, its stride and padding, y's border, and flags."""
    kernel, stride, padding = draw(st.sampled_from(KERNELS))
    size, rng, count = draw(sizes), draw(generators), draw(samples)
    height, width = pair(kernel)
    assume(size[0] + 2 * padding >= height and size[1] + 2 * padding >= width)
    shape = draw(channels), *size
    border, y_border = draw(borders), draw(borders)
    x = ones_around(
        values(rng, count, shape, border, ties=draw(st.booleans()))
    )  # padding is never read from the border
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in zip(size, (height, width), strict=True))
    dy = gradients(rng, count, (shape[0], rows, columns), y_border)
    add_to = gradients(rng, count, shape, border) if draw(st.booleans()) else None
    flags = {"add_to": add_to, "x_is_relu_output": draw(st.booleans())}
    return Case((x, dy, kernel, {"stride": stride, "padding": padding}, y_border, flags))


def windows(kernel, stride, padding):
    """Return kernel, stride and padding as the specification takes them."""
    return pair(kernel), pair(stride), pair(padding)


@quick
@given(poolings())
def test_max_pool2d(pooling):
    x, dy, kernel, options, y_border, flags = pooling
    y = chunked(cpu.max_pool2d, x, kernel, border=y_border, **options)
    maximum, winner = reference.max_pool2d(plain(x), *windows(kernel, **options))
    equal(y, maximum)
    dx = reference.max_pool2d_gradient(plain(dy), winner, plain(x).shape, *windows(kernel, **options))
    same(chunked(cpu.max_pool2d_gradient, x, y, dy, kernel, **options, **flags), finished(dx, x, **flags))


@quick
@given(poolings())
def test_avg_pool2d(pooling):
    x, dy, kernel, options, y_border, flags = pooling
    y = chunked(cpu.avg_pool2d, x, kernel, border=y_border, **options)
    same(y, reference.avg_pool2d(plain(x), *windows(kernel, **options)), rtol=1e-6, atol=1e-5)
    dx = reference.avg_pool2d_gradient(plain(dy), plain(x).shape, *windows(kernel, **options))
    same(chunked(cpu.avg_pool2d_gradient, x, dy, kernel, **options, **flags), finished(dx, x, **flags))


@pytest.mark.parametrize("kernel", [2, 3])
def test_gradients_leave_borders_alone(kernel):
    rng = np.random.default_rng(0)
    x, add_to = values(rng, 20, (3, 7, 5), 2), gradients(rng, 20, (3, 7, 5), 2)
    y = cpu.max_pool2d(x, kernel)
    dy = Images(np.ones_like(y.array))
    for dx in (
        cpu.max_pool2d_gradient(x, y, dy, kernel, add_to=ones_around(add_to), x_is_relu_output=True),
        cpu.avg_pool2d_gradient(x, dy, kernel, add_to=ones_around(add_to), x_is_relu_output=True),
    ):
        np.testing.assert_array_equal(dx.array, ones_around(dx).array)


@pytest.mark.parametrize("kernel", [2, 3])
def test_a_maximum_of_what_is_no_number_is_none(kernel):
    for place in range(kernel * kernel):
        x = values(np.random.default_rng(1), 16, (1, kernel, kernel), 0)
        x.array[0, 0, place // kernel, place % kernel] = np.nan
        assert np.isnan(cpu.max_pool2d(x, kernel).array).all()


def test_the_whole_image_is_global_average_pooling():
    x = values(np.random.default_rng(2), 33, (5, 8, 8), 1)
    same(cpu.avg_pool2d(x, 8), reference.global_avg_pool2d(plain(x))[:, :, None, None])


@quick
@given(poolings())
def test_pooling_is_pytorchs(torch, pooling):
    x, dy, kernel, options, y_border, _ = pooling
    assume(2 * options["padding"] <= min(pair(kernel)))
    arguments = kernel, options["stride"], options["padding"]
    for ours, gradient, theirs in (
        (cpu.max_pool2d, cpu.max_pool2d_gradient, torch.nn.functional.max_pool2d),
        (cpu.avg_pool2d, cpu.avg_pool2d_gradient, torch.nn.functional.avg_pool2d),
    ):
        images = torch.tensor(plain(x).astype(np.float32), requires_grad=True)
        expected = theirs(images, *arguments)
        expected.backward(torch.tensor(plain(dy).astype(np.float32)))
        y = ours(x, kernel, border=y_border, **options)
        same(y, expected.detach().numpy(), rtol=1e-5, atol=1e-5)
        same(gradient(x, *((y,) if ours is cpu.max_pool2d else ()), dy, kernel, **options), images.grad.numpy())


def test_images_that_do_not_fit_are_refused():
    x = Images(np.zeros((1, 2, 4, 4, 16), np.float32))
    with pytest.raises(InputError, match="padding smaller than its kernel"):
        cpu.max_pool2d(x, 2, padding=2)
    with pytest.raises(InputError, match="5 by 5 does not fit into images of 4 by 4"):
        cpu.avg_pool2d(x, 5)
    with pytest.raises(InputError, match="dy is Image"):
        cpu.avg_pool2d_gradient(x, x, 2)
    with pytest.raises(InputError, match="y is Image"):
        cpu.max_pool2d_gradient(x, x, x, 2)
    with pytest.raises(InputError, match="add_to is Image"):
        cpu.avg_pool2d_gradient(x, cpu.avg_pool2d(x, 2), 2, add_to=cpu.avg_pool2d(x, 2))
    held = Images(x.array.copy())
    held.array.flags.writeable = False
    with pytest.raises(InputError, match="add_to must be writeable"):
        cpu.avg_pool2d_gradient(x, cpu.avg_pool2d(x, 2), 2, add_to=held)
