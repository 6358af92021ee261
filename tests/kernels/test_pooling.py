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
    generators,
    gradients,
    ones_around,
    quick,
    same,
    samples,
    sizes,
    values,
)
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.reference import packed_layers as reference
from tinyticket.kernels.reference.packed_images import images_of, packed_images

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


@st.composite
def poolings(draw):
    """Yield an input, an upstream gradient, what x's gradient is added to, and the settings of a pooling."""
    kernel, stride, padding = draw(st.sampled_from(KERNELS))
    size, rng, count = draw(sizes), draw(generators), draw(samples)
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    assume(size[0] + 2 * padding >= height and size[1] + 2 * padding >= width)
    shape = draw(channels), *size
    border, y_border = draw(borders), draw(borders)
    x = values(rng, count, shape, border, ties=draw(st.booleans()))
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in zip(size, (height, width), strict=True))
    dy = gradients(rng, count, (shape[0], rows, columns), y_border)
    add_to = gradients(rng, count, shape, border) if draw(st.booleans()) else None
    options = {"stride": stride, "padding": padding, "border": border, "y_border": y_border}
    return Case((x, dy, kernel, options, {"add_to": add_to, "x_relu": draw(st.booleans())}))


@quick
@given(poolings())
def test_max_pool(pooling):
    x, dy, kernel, options, flags = pooling
    x = ones_around(x, options["border"])  # padding is never read from the border
    y = chunked(cpu.max_pool, x, kernel, **options)
    np.testing.assert_array_equal(y, reference.max_pool(x, kernel, **options))
    same(
        chunked(cpu.max_pool_gradient, x, y, dy, kernel, **options, **flags),
        reference.max_pool_gradient(x, y, dy, kernel, **options, **flags),
    )


@quick
@given(poolings())
def test_avg_pool(pooling):
    x, dy, kernel, options, flags = pooling
    x = ones_around(x, options["border"])
    y = chunked(cpu.avg_pool, x, kernel, **options)
    np.testing.assert_allclose(y, reference.avg_pool(x, kernel, **options), rtol=1e-6, atol=1e-5)
    same(
        chunked(cpu.avg_pool_gradient, x, dy, kernel, **options, **flags),
        reference.avg_pool_gradient(x, dy, kernel, **options, **flags),
    )


@pytest.mark.parametrize("kernel", [2, 3])
def test_gradients_leave_borders_alone(kernel):
    rng = np.random.default_rng(0)
    x, add_to = values(rng, 20, (3, 7, 5), 2), ones_around(gradients(rng, 20, (3, 7, 5), 2), 2)
    y = cpu.max_pool(x, kernel, border=2)
    dy = np.ones_like(y)
    for dx in (
        cpu.max_pool_gradient(x, y, dy, kernel, border=2, add_to=add_to.copy(), x_relu=True),
        cpu.avg_pool_gradient(x, dy, kernel, border=2, add_to=add_to.copy(), x_relu=True),
    ):
        np.testing.assert_array_equal(dx, ones_around(dx.copy(), 2))


@pytest.mark.parametrize("kernel", [2, 3])
def test_a_maximum_of_what_is_no_number_is_none(kernel):
    for place in range(kernel * kernel):
        x = values(np.random.default_rng(1), 16, (1, kernel, kernel), 0)
        x[0, 0, place // kernel, place % kernel] = np.nan
        assert np.isnan(cpu.max_pool(x, kernel)).all()


def test_the_whole_image_is_global_average_pooling():
    x = values(np.random.default_rng(2), 33, (5, 8, 8), 1)
    expected = images_of(x, 1).mean(axis=(2, 3), keepdims=True)
    same(cpu.avg_pool(x, 8, border=1), packed_images(expected, 0))


@quick
@given(poolings())
def test_pooling_is_pytorchs(torch, pooling):
    x, dy, kernel, options, _ = pooling
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    assume(2 * options["padding"] <= min(height, width))
    arguments = kernel, options["stride"], options["padding"]
    for ours, gradient, theirs in (
        (cpu.max_pool, cpu.max_pool_gradient, torch.nn.functional.max_pool2d),
        (cpu.avg_pool, cpu.avg_pool_gradient, torch.nn.functional.avg_pool2d),
    ):
        images = torch.tensor(images_of(x, options["border"]).astype(np.float32), requires_grad=True)
        expected = theirs(images, *arguments)
        expected.backward(torch.tensor(images_of(dy, options["y_border"]).astype(np.float32)))
        y = ours(x, kernel, **options)
        np.testing.assert_allclose(
            y, packed_images(expected.detach().numpy(), options["y_border"]), rtol=1e-5, atol=1e-5
        )
        dx = gradient(x, *((y,) if ours is cpu.max_pool else ()), dy, kernel, **options)
        same(dx, packed_images(images.grad.numpy(), options["border"]))


def test_what_does_not_fit_is_refused():
    x = np.zeros((1, 2, 4, 4, 16), np.float32)
    with pytest.raises(InputError, match=r"packed as \(tiles, channels, rows, columns, 16\)"):
        cpu.max_pool(x[0], 2)
    with pytest.raises(InputError, match="no room for a border of 2"):
        cpu.max_pool(x, 2, border=2)
    with pytest.raises(InputError, match="padding smaller than its kernel"):
        cpu.max_pool(x, 2, padding=2)
    with pytest.raises(InputError, match="5 by 5 does not fit into images of 4 by 4"):
        cpu.avg_pool(x, 5)
    with pytest.raises(InputError, match="dy has shape"):
        cpu.avg_pool_gradient(x, x, 2)
