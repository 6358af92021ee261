"""Poolings on a device against their specification: windows that overlap, miss pixels, hang over the edge, hold ties and NaN."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import border_is_zero, images_of, laid_out, same, value
from tinyticket.kernels import reference
from tinyticket.kernels.cuda import pooling
from tinyticket.kernels.cuda.geometry import lanes_for
from tinyticket.kernels.geometry import Image, make_window, plane, row


def pool(samples, channels, size, kernel, stride, padding=0, x_border=0, y_border=0):
    """Lay a pooling out; its padding needs no border."""
    height, width = ((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel, strict=True))
    x, y = Image(channels, *size, x_border), Image(channels, height, width, y_border)
    window = make_window(1, x._replace(border=max(padding, x_border)), y, kernel, stride, padding)
    return laid_out(window._replace(x_row=row(x), x_plane=plane(x)), lanes_for(samples), x, y, samples)


CASES = {
    "2x2": pool(5, 2, (5, 4), (2, 2), 2, x_border=1),
    "whole": pool(33, 2, (4, 6), (2, 2), 2, x_border=1),
    "overlapping": pool(3, 2, (5, 5), (3, 3), 2, padding=1, y_border=2),
    "apart": pool(33, 1, (5, 3), (1, 2), 2),
    "global": pool(3, 3, (3, 2), (3, 2), 1),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def numbers(case, seed=0):
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.integers(-2, 3, case.x_shape), 0).astype(np.float32)  # ties
    return x, rng.standard_normal(case.y_shape).astype(np.float32), rng.standard_normal(case.x_shape).astype(np.float32)


def window(case):
    g = case.g
    return (g.kernel_height, g.kernel_width), (g.stride,) * 2, (g.padding,) * 2


def finished(gradient, x, held, flags):
    add, x_is_relu_output = flags
    gradient = gradient + held if add else gradient
    return np.where(x <= 0, 0, gradient) if x_is_relu_output else gradient


@cases
@pytest.mark.parametrize("flags", [(0, 0), (1, 1)], ids=["plain", "add, x_is_relu_output"])
def test_max_pool2d_and_its_gradient(case, flags):
    (x, dy, held), lanes = numbers(case), case.g.lanes
    below, y = value(x, case.x, lanes), value(np.full_like(dy, np.nan), case.y, lanes)
    pooling.max_pool2d(below, y, case.g).run()
    expected, winner = reference.max_pool2d(x, *window(case))
    np.testing.assert_array_equal(images_of(y, case.y, case.samples), expected)
    assert border_is_zero(y, case.y)
    dx, above = value(held, case.x, lanes), value(dy, case.y, lanes)
    launch = pooling.max_pool2d_gradient(below, y, above, dx, case.g, *flags)
    assert (launch.kernel is pooling.give_to_first.compiled) == (case is CASES["whole"])
    launch.run()
    gradient = reference.max_pool2d_gradient(dy, winner, x.shape, *window(case))
    same(images_of(dx, case.x, case.samples), finished(gradient, x, held, flags))
    assert border_is_zero(dx, case.x)


@cases
@pytest.mark.parametrize("flags", [(0, 0), (1, 1)], ids=["plain", "add, x_is_relu_output"])
def test_avg_pool2d_and_its_gradient(case, flags):
    (x, dy, held), lanes = numbers(case), case.g.lanes
    below, y = value(x, case.x, lanes), value(np.full_like(dy, np.nan), case.y, lanes)
    pooling.avg_pool2d(below, y, case.g).run()
    same(images_of(y, case.y, case.samples), reference.avg_pool2d(x, *window(case)))
    assert border_is_zero(y, case.y)
    dx, above = value(held, case.x, lanes), value(dy, case.y, lanes)
    given = below if flags[1] else None
    pooling.avg_pool2d_gradient(above, given, dx, case.g, *flags).run()
    gradient = reference.avg_pool2d_gradient(dy, x.shape, *window(case))
    same(images_of(dx, case.x, case.samples), finished(gradient, x, held, flags))
    assert border_is_zero(dx, case.x)


def test_nan_is_a_maximum():
    case = CASES["2x2"]
    x, dy, _ = numbers(case)
    x[0, 0, 0, 1] = np.nan
    y = value(dy, case.y, 32)
    pooling.max_pool2d(value(x, case.x, 32), y, case.g).run()
    np.testing.assert_array_equal(images_of(y, case.y, 5), reference.max_pool2d(x, *window(case))[0])
