"""Copies, additions and dropout on a device: between borders, with tails, through ReLUs, padded and flattened."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import border_is_zero, device, images_of, laid_out, value
from tinyticket.kernels.cuda import elementwise, geometry
from tinyticket.kernels.cuda.elementwise import Spots
from tinyticket.kernels.cuda.geometry import lanes_for
from tinyticket.kernels.geometry import Image, make_window


def elements(samples, channels, size, x_border, y_border):
    """Lay an operation out that takes every number by itself."""
    x, y = Image(channels, *size, x_border), Image(channels, *size, y_border)
    return laid_out(make_window(1, x, y, (1, 1)), lanes_for(samples), x, y, samples)


CASES = {
    "border grows": elements(5, 3, (3, 2), 0, 1),
    "border shrinks": elements(33, 2, (2, 5), 2, 1),
    "features": elements(70, 9, (1, 1), 0, 0),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
flags = pytest.mark.parametrize("flags", [(0, 0, 0), (1, 1, 0), (1, 1, 1)], ids=["plain", "relu, add", "all"])


def draw(case, *seeds):
    return (np.random.default_rng(seed).standard_normal(case.x_shape).astype(np.float32) for seed in seeds)


@cases
@pytest.mark.parametrize("relu", [0, 1])
def test_copy(case, relu):
    (x,) = draw(case, 0)
    x[0, 0, 0, 0] = np.nan
    y = value(np.full_like(x, 9), case.y, case.g.lanes)
    elementwise.copy(value(x, case.x, case.g.lanes), y, case.g, relu).run()
    np.testing.assert_array_equal(images_of(y, case.y, case.samples), np.maximum(x, 0) if relu else x)
    assert border_is_zero(y, case.y)


@cases
@flags
def test_copy_gradient(case, flags):
    (relu, add, x_is_relu_output), lanes = flags, case.g.lanes
    x, y, dy, held = draw(case, 0, 1, 2, 3)
    dx = value(held, case.x, lanes)
    given = value(x, case.x, lanes) if x_is_relu_output else None, value(y, case.y, lanes) if relu else None
    elementwise.copy_gradient(*given, value(dy, case.y, lanes), dx, case.g, *flags).run()
    expected = np.where(y <= 0, 0, dy) if relu else dy
    expected = expected + held if add else expected
    expected = np.where(x <= 0, 0, expected) if x_is_relu_output else expected
    np.testing.assert_array_equal(images_of(dx, case.x, case.samples), expected)
    assert border_is_zero(dx, case.x)


@cases
@pytest.mark.parametrize("relu", [0, 1])
def test_add(case, relu):
    (x, addend), lanes = draw(case, 0, 1), case.g.lanes
    other, y = Image(*case.x[:3], 3), value(np.full_like(x, 9), case.y, lanes)
    spots = Spots(geometry.origin(other), geometry.row(other), geometry.plane(other))
    elementwise.add(value(x, case.x, lanes), value(addend, other, lanes), spots, y, case.g, relu).run()
    expected = np.maximum(x + addend, 0) if relu else x + addend
    np.testing.assert_array_equal(images_of(y, case.y, case.samples), expected)
    assert border_is_zero(y, case.y)


@cases
def test_dropout_and_its_gradient(case):
    (x, dy, held), g = draw(case, 0, 1, 2), case.g
    kept = np.random.default_rng(3).random((2, *case.x_shape)) < 0.6
    drawn, place = np.zeros((2, *case.x[:3], g.lanes), np.uint8), 7
    drawn[..., : case.samples] = kept.transpose(0, 2, 3, 4, 1)
    turns = np.pad(drawn.reshape(2, -1), ((0, 0), (place, 3)))  # other dropouts have masks beside it
    masks, state = (device(turns), turns.shape[1], place), device(np.array([1, case.samples], np.int32))
    scale, below, y = 1 / 0.6, value(x, case.x, g.lanes), value(x, case.y, g.lanes)
    elementwise.dropout(below, *masks, y, scale, g, state).run()
    np.testing.assert_array_equal(images_of(y, case.y, case.samples), np.where(kept[1], x * np.float32(scale), 0))
    dx, above = value(held, case.x, g.lanes), value(dy, case.y, g.lanes)
    elementwise.dropout_gradient(below, above, *masks, dx, scale, g, state, 1, 1).run()
    expected = np.where(x <= 0, 0, held + np.where(kept[1], dy * np.float32(scale), 0))
    np.testing.assert_allclose(images_of(dx, case.x, case.samples), expected, rtol=1e-6, atol=1e-6)
    elementwise.dropout_gradient(None, above, *masks, dx, scale, g, state).run()
    expected = np.where(kept[1], dy * np.float32(scale), 0)
    np.testing.assert_array_equal(images_of(dx, case.x, case.samples), expected)


def test_padding_and_flattening_are_copies():
    case = elements(3, 2, (2, 3), 1, 0)
    (x,), lanes = draw(case, 0), case.g.lanes
    below, padded = value(x, case.x, lanes), Image(4, 4, 6, 1)
    y = device(np.zeros(4 * geometry.plane(padded) * lanes, np.float32))
    shift = geometry.origin(padded) + geometry.plane(padded) + 2 * geometry.row(padded) + 1
    g = case.g._replace(y_row=geometry.row(padded), y_plane=geometry.plane(padded), y_origin=shift)
    elementwise.copy(below, y, g).run()
    expected = np.pad(x, ((0, 0), (1, 1), (2, 0), (1, 2)))
    np.testing.assert_array_equal(images_of(y, padded, 3), expected)
    flat = device(np.zeros(x[0].size * lanes, np.float32))
    elementwise.copy(below, flat, case.g).run()
    np.testing.assert_array_equal(images_of(flat, Image(12, 1, 1), 3)[:, :, 0, 0], x.reshape(3, -1))
