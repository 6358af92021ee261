"""Pruned layers on a device against their specification, over strides, borders, tails, empty lines and every tile."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import border_is_zero, device, images_of, layer, linear, same, value
from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cuda import sparse_convolution, sparse_tiles, sparse_walk
from tinyticket.kernels.cuda.patches import is_linear
from tinyticket.kernels.geometry import make_window
from tinyticket.sparse import ConvPattern, Pattern

CASES = {
    "3x3": layer(5, 2, 3, (3, 2), (3, 3), padding=1),
    "stride 2": layer(33, 2, 3, (2, 3), (3, 3), stride=2, padding=1),
    "1x1 of stride 2": layer(3, 3, 2, (3, 3), (1, 1), stride=2),
    "2x3 without padding": layer(32, 1, 2, (3, 4), (2, 3)),
    "several tiles": layer(3, 2, 5, (6, 5), (3, 3), padding=1, roomy=1),
    "an image of one pixel": layer(3, 2, 3, (1, 1), (3, 3), stride=2, padding=1),
    "linear": linear(7, 41, 5),
    "linear in more lanes": linear(33, 5, 3, lanes=96),
    "linear in many lanes": linear(100, 9, 5, lanes=128),
}
TILES = {
    "few": (sparse_walk.LINEAR_FEW, sparse_walk.IMAGE_FEW),
    "many": (sparse_walk.LINEAR, sparse_walk.IMAGE),
    "wide": (sparse_walk.LINEAR_WIDE, sparse_walk.IMAGE),
}
ALL = [pytest.param(case, "few", id=name) for name, case in CASES.items()]
ALL += [pytest.param(CASES[name], "many", id=f"{name}, large tile") for name in ("several tiles", "linear")]
ALL += [pytest.param(CASES["linear in many lanes"], "wide", id="linear, wide tile")]
both = pytest.mark.parametrize(("case", "tile"), ALL, indirect=["tile"])


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Have blocks of a few warps and shared memory of two channels or so: a simulated thread is one of the machine."""
    monkeypatch.setattr(sparse_tiles, "BUSY", 2)
    monkeypatch.setattr(sparse_tiles, "FEWEST", 1)


@pytest.fixture
def tile(request, monkeypatch):
    """Have one tile chosen whatever the sizes."""
    linear, image = TILES[request.param]
    monkeypatch.setattr(sparse_tiles, "_walk_tile", lambda g, *sizes: linear if is_linear(g) else image)
    return request.param


class Pruned:
    """A pruned weight and random numbers for a layer."""

    def __init__(self, case, density=0.4):
        rng = np.random.default_rng(case.g.taps)
        self.x = np.maximum(rng.standard_normal(case.x_shape), 0).astype(np.float32)
        self.dy = rng.standard_normal(case.y_shape).astype(np.float32)
        self.bias = rng.standard_normal(case.g.outputs).astype(np.float32)
        mask = rng.random(case.weight_shape) < density
        mask[0], mask[-1] = True, False  # a full and an empty row
        mask &= density > 0
        self.weight = np.where(mask, rng.standard_normal(mask.shape), 0).astype(np.float32)
        window = make_window(1, case.x, case.y, case.weight_shape[2:], case.g.stride, case.g.padding)
        if is_linear(case.g):
            self.pattern, unit = Pattern.from_mask(mask[:, :, 0, 0], 16, row_blocks=1, column_blocks=1), 16
        else:
            self.pattern, unit = ConvPattern.from_mask(mask, window, row_blocks=1, column_blocks=1), LANES
        self.values = self.pattern.values(self.weight)
        self.rows = sparse_tiles.forward_plan(self.pattern.rows, unit, case.g)
        self.products = sparse_tiles.weight_plan(self.pattern.rows, unit, case.g)
        self.columns = sparse_tiles.input_plan(self.pattern.columns, unit, case.g)


def steps(case):
    return (case.g.stride,) * 2, (case.g.padding,) * 2


@both
def test_sparse_conv2d(case, tile):
    pruned, relu = Pruned(case), case.g.stride == 1
    y = value(np.full_like(pruned.dy, np.nan), case.y, case.g.lanes)
    bias = device(pruned.bias) if relu else None
    given = value(pruned.x, case.x, case.g.lanes), device(pruned.values), pruned.rows, bias
    launch = sparse_convolution.sparse_conv2d(*given, y, case.g, int(relu))
    assert launch.kernel in [each.kernel for each in TILES[tile]]
    launch.run()
    expected = reference.conv2d(pruned.x, pruned.weight, pruned.bias if relu else None, *steps(case))
    same(images_of(y, case.y, case.samples), np.maximum(expected, 0) if relu else expected)
    assert border_is_zero(y, case.y)


@both
def test_sparse_conv2d_input_gradient(case, tile):
    pruned, x_is_relu_output = Pruned(case), int(case.g.stride == 1)
    add = 1 - x_is_relu_output
    by_column = device(np.full(pruned.pattern.count, np.nan, np.float32))
    sparse_convolution.reorder_survivors(
        device(pruned.values),
        device(pruned.pattern.by_column(np.arange(pruned.pattern.count, dtype=np.int32))),
        by_column,
    ).run()
    dx = value(np.full_like(pruned.x, 3.0 if add else np.nan), case.x, case.g.lanes)
    below = value(pruned.x, case.x, case.g.lanes) if x_is_relu_output else None
    given = value(pruned.dy, case.y, case.g.lanes), by_column, pruned.columns, below, dx
    sparse_convolution.sparse_conv2d_input_gradient(*given, case.g, add, x_is_relu_output).run()
    expected = reference.conv2d_input_gradient(pruned.dy, pruned.weight, pruned.x.shape, *steps(case))
    expected = expected + 3 if add else np.where(pruned.x <= 0, 0, expected)
    same(images_of(dx, case.x, case.samples), expected)
    assert border_is_zero(dx, case.x)


@pytest.mark.parametrize(
    ("case", "splits"),
    [*((case, 1) for case in CASES.values()), (CASES["several tiles"], 4), (linear(33, 13, 67, lanes=96), 2)],
    ids=[*CASES, "four parts", "two parts of a linear layer"],
)
def test_sparse_conv2d_weight_gradient(case, splits):
    pruned = Pruned(case)
    partial = device(np.full(splits * pruned.pattern.count, np.nan, np.float32))
    given = value(pruned.x, case.x, case.g.lanes), value(pruned.dy, case.y, case.g.lanes, rubbish=0)
    sparse_convolution.sparse_conv2d_weight_gradient(*given, pruned.products, partial, case.g).run()
    expected = reference.conv2d_weight_gradient(pruned.dy, pruned.x, case.weight_shape[2:], *steps(case))
    parts = partial.copy_to_host().reshape(splits, -1)
    same(parts.sum(axis=0), pruned.pattern.values(expected))


@pytest.fixture
def narrow(monkeypatch):
    """Let a block's shared memory hold two channels of any patch of the case "several tiles"."""
    monkeypatch.setattr(sparse_tiles, "_room", lambda patch, used: 2 * patch.size * 128)
    assert Pruned(CASES["several tiles"]).columns.work.chunks == 3


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("tile", ["few", "many"], indirect=True)
def test_channels_without_room_for_all_come_one_chunk_after_the_other(tile):
    test_sparse_conv2d(CASES["several tiles"], tile)
    test_sparse_conv2d_input_gradient(CASES["several tiles"], tile)
    test_sparse_conv2d_weight_gradient(CASES["several tiles"], 4)


def test_a_kernel_too_large_for_shared_memory_is_refused():
    case = layer(1, 1, 1, (40, 40), (36, 36))
    mask = np.ones(case.weight_shape, np.bool_)
    window = make_window(1, case.x, case.y, case.weight_shape[2:])
    rows = ConvPattern.from_mask(mask, window, row_blocks=1, column_blocks=1).rows
    with pytest.raises(InputError, match="kernels of 36 by 36 weights at stride 1 need patches of 39 by 39 pixels"):
        sparse_tiles.forward_plan(rows, LANES, case.g)


def test_nothing_survives():
    case = CASES["linear"]
    pruned = Pruned(case, density=0)
    x, y = value(pruned.x, case.x, case.g.lanes), value(pruned.dy, case.y, case.g.lanes)
    given = device(np.zeros(1, np.float32)), pruned.rows, device(pruned.bias)
    sparse_convolution.sparse_conv2d(x, *given, y, case.g).run()
    np.testing.assert_array_equal(images_of(y, case.y, 1)[0, :, 0, 0], pruned.bias)


def test_lines_in_blocks_are_refused():
    mask = np.ones((2, 4), np.bool_)
    with pytest.raises(InputError, match="not lines in 2 blocks"):
        sparse_tiles.forward_plan(Pattern.from_mask(mask, 16, row_blocks=2).rows, 16, linear(3, 4, 2).g)
