"""Dense convolutions on a device, linear layers too, against their specification: strides, borders, tails and both tiles."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import border_is_zero, device, images_of, layer, linear, same, value
from tinyticket.kernels import reference
from tinyticket.kernels.cuda import convolution, tiles

CASES = {
    "3x3": layer(5, 3, 5, (3, 2), (3, 3), padding=1),
    "stride 2": layer(33, 2, 3, (2, 3), (3, 3), stride=2, padding=1, roomy=1),
    "1x1 of stride 2": layer(3, 3, 2, (3, 3), (1, 1), stride=2),
    "2x3 without padding": layer(32, 1, 2, (3, 4), (2, 3)),
    "linear": linear(7, 37, 35),
    "linear in more lanes": linear(33, 5, 9, lanes=96),
}
LARGE = {"stride 2": CASES["stride 2"], "linear": linear(33, 19, 67, lanes=96)}
ALL = [pytest.param(case, tiles.SMALL, id=name) for name, case in CASES.items()]
ALL += [pytest.param(case, tiles.LARGE, id=f"{name}, large tile") for name, case in LARGE.items()]


@pytest.fixture
def tile(request, monkeypatch):
    """Have the tile chosen that a test asks for, whatever the sizes."""
    monkeypatch.setattr(convolution, "BUSY", 0 if request.param is tiles.LARGE else 10**9)
    return request.param


both = pytest.mark.parametrize(("case", "tile"), ALL, indirect=["tile"])


def numbers(case, seed=0):
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.standard_normal(case.x_shape), 0).astype(np.float32)
    dy = rng.standard_normal(case.y_shape).astype(np.float32)
    weight = rng.standard_normal(case.weight_shape).astype(np.float32)
    return x, dy, weight, rng.standard_normal(case.g.outputs).astype(np.float32)


def steps(case):
    return (case.g.stride,) * 2, (case.g.padding,) * 2


@both
def test_conv2d(case, tile):
    (x, dy, weight, bias), relu = numbers(case), case.g.stride == 1
    y = value(np.full_like(dy, np.nan), case.y, case.g.lanes)
    given = value(x, case.x, case.g.lanes), device(weight), device(bias) if relu else None
    launch = convolution.conv2d(*given, y, case.g, relu=int(relu))
    assert launch.kernel is tile.correlate
    launch.run()
    expected = reference.conv2d(x, weight, bias if relu else None, *steps(case))
    same(images_of(y, case.y, case.samples), np.maximum(expected, 0) if relu else expected)
    assert border_is_zero(y, case.y)


@both
@pytest.mark.parametrize("flags", [(0, 1), (1, 0)], ids=["x is a ReLU's output", "add"])
def test_conv2d_input_gradient(case, tile, flags):
    add, x_is_relu_output = flags
    x, dy, weight, _ = numbers(case)
    dx = value(np.full_like(x, 3.0 if add else np.nan), case.x, case.g.lanes)
    above = value(dy, case.y, case.g.lanes, rubbish=0)
    below = value(x, case.x, case.g.lanes) if x_is_relu_output else None
    convolution.conv2d_input_gradient(above, device(weight), below, dx, case.g, add, x_is_relu_output).run()
    expected = reference.conv2d_input_gradient(dy, weight, x.shape, *steps(case))
    expected = expected + 3 if add else np.where(x <= 0, 0, expected)
    same(images_of(dx, case.x, case.samples), expected)
    assert border_is_zero(dx, case.x)


@both
@pytest.mark.parametrize("splits", [1, 3])
def test_conv2d_weight_gradient(case, tile, splits):
    x, dy, weight, _ = numbers(case)
    partial = device(np.full((splits, weight.size), np.nan, np.float32))
    given = value(x, case.x, case.g.lanes), value(dy, case.y, case.g.lanes, rubbish=0)
    convolution.conv2d_weight_gradient(*given, partial, case.g).run()
    expected = reference.conv2d_weight_gradient(dy, x, weight.shape[2:], *steps(case))
    same(partial.copy_to_host().reshape(splits, *weight.shape).sum(axis=0), expected)


@pytest.mark.parametrize(
    "case", [linear(7, 1, 3), layer(33, 1, 2, (3, 4), (3, 3), padding=1, roomy=1), layer(2, 1, 1, (9, 10), (2, 2))]
)
def test_conv2d_bias_gradient(case):
    dy = np.random.default_rng(0).standard_normal(case.y_shape).astype(np.float32)
    above, gradient = value(dy, case.y, case.g.lanes, rubbish=0), device(np.zeros(case.g.outputs, np.float32))
    launch = convolution.conv2d_bias_gradient(above, gradient, case.g)
    launch.run()
    same(gradient.copy_to_host(), reference.conv2d_bias_gradient(dy))
    assert launch.block == ((convolution.MANY if case.g.height == 8 else convolution.FEW),)


def test_nan_is_not_lost():
    case = layer(2, 1, 2, (3, 3), (3, 3), padding=1)
    x, dy, weight, bias = numbers(case)
    x[0, 0, 0, 0] = dy[1, 0, 2, 2] = np.nan
    y = value(dy, case.y, 32)
    convolution.conv2d(value(x, case.x, 32), device(weight), device(bias), y, case.g, relu=1).run()
    assert np.isnan(images_of(y, case.y, 2)).sum() == 2 * 4
    dx = value(x, case.x, 32)
    given = value(dy, case.y, 32), device(weight), value(np.ones_like(x), case.x, 32)
    convolution.conv2d_input_gradient(*given, dx, case.g, x_is_relu_output=1).run()
    assert np.isnan(images_of(dx, case.x, 2)).sum() == 4


def test_large_layers_get_the_large_tile_and_long_sums_several_parts():
    small, wide = linear(64, 784, 300).g, linear(256, 4096, 4096).g
    image = layer(128, 64, 64, (32, 32), (3, 3), padding=1).g
    assert convolution.conv2d_splits(small) == 1
    assert convolution.conv2d_splits(wide) == 1
    assert convolution.conv2d_splits(image) == 2 * convolution.BUSY // 9
    table = np.zeros(1, np.float32)
    chosen = [convolution.conv2d(table, table, None, table, g).kernel for g in (small, wide, image)]
    assert chosen == [tiles.SMALL.correlate, tiles.SMALL.correlate, tiles.LARGE.correlate]
