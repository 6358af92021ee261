"""Leaky ReLU, tanh and sigmoid on a device and their gradients against the reference: between borders, with tails, in place."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import border_is_zero, images_of, value
from tests.kernels.cuda.test_elementwise import CASES, draw
from tinyticket.kernels import reference
from tinyticket.kernels.cuda import activations

SLOPE = 0.1
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
names = pytest.mark.parametrize("name", ["leaky_relu", "tanh", "sigmoid"])
EXTREMES = np.array([0, -0.0, 200, -200, np.nan], np.float32)


def settings(name):
    return (SLOPE,) if name == "leaky_relu" else ()


@cases
@names
def test_values(case, name):
    (x,), lanes = draw(case, 0), case.g.lanes
    x.reshape(-1)[: EXTREMES.size] = EXTREMES
    y = value(np.full_like(x, 9), case.y, lanes)
    getattr(activations, name)(value(x, case.x, lanes), y, case.g, *settings(name)).run()
    expected = getattr(reference, name)(x, *settings(name))
    np.testing.assert_allclose(images_of(y, case.y, case.samples), expected, rtol=1e-6, atol=1e-7)
    assert border_is_zero(y, case.y)


@cases
@names
@pytest.mark.parametrize("flags", [(0, 0), (1, 1)], ids=["alone", "added to, behind a ReLU"])
def test_gradients(case, name, flags):
    (x, dy, held), lanes = draw(case, 0, 1, 2), case.g.lanes
    y = getattr(reference, name)(x, *settings(name))
    expected = getattr(reference, f"{name}_gradient")(dy, x if name == "leaky_relu" else y, *settings(name))
    dx, below = value(held, case.x, lanes), value(x, case.x, lanes)
    read = below, None if name == "leaky_relu" else value(y, case.y, lanes)
    setting = settings(name) or (0,)
    gradient = getattr(activations, f"{name}_gradient")
    gradient(*read, value(dy, case.y, lanes), dx, case.g, *setting, *flags).run()
    expected = np.where(x <= 0, 0, expected + held) if flags == (1, 1) else expected
    np.testing.assert_allclose(images_of(dx, case.x, case.samples), expected, rtol=1e-5, atol=1e-6)
    assert border_is_zero(dx, case.x)


@names
def test_a_result_may_lie_where_its_input_does(name):
    case = CASES["features"]
    (x,) = draw(case, 0)
    y = value(x, case.x, case.g.lanes)
    getattr(activations, name)(y, y, case.g, *settings(name)).run()
    expected = getattr(reference, name)(x, *settings(name))
    np.testing.assert_allclose(images_of(y, case.y, case.samples), expected, rtol=1e-6, atol=1e-7)
