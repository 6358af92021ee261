"""How layers are divided: enough blocks for a large device, room on a small one, and the same sums on both."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import layer, linear
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cuda import driver, patches, sparse_products, sparse_tiles, sparse_walk
from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.sparse import Pattern

WIDE, SMALL = linear(256, 4096, 4096).g, linear(64, 784, 300).g
IMAGE, THIN = (layer(128, n, n, (32, 32), (3, 3), padding=1).g for n in (64, 16))


@pytest.mark.parametrize(
    ("g", "tiles", "density", "tile", "blocks", "warps"),
    [
        (WIDE, 1, 0.1, sparse_walk.LINEAR_WIDE, 33, 32),
        (WIDE, 1, 0.02, sparse_walk.LINEAR, 16, 32),
        (SMALL, 1, 0.1, sparse_walk.LINEAR_FEW, 38, 4),
        (IMAGE, 64, 0.1, sparse_walk.IMAGE, 1, 16),
        (THIN, 64, 0.1, sparse_walk.IMAGE, 1, 4),
        (layer(32, 3, 6, (8, 8), (3, 3), padding=1).g, 4, 0.1, sparse_walk.IMAGE_FEW, 2, 3),
    ],
    ids=["wide", "wide and very sparse", "small", "image", "image of few channels", "few images of few channels"],
)
def test_every_layer_keeps_a_device_busy(g, tiles, density, tile, blocks, warps):
    hands = sparse_tiles._walkers(g, g.outputs, tiles, round(density * g.outputs * g.taps))
    assert hands == (tile, blocks, warps)
    assert blocks * warps * tile.lines >= g.outputs


@pytest.mark.parametrize(("g", "parts"), [(WIDE, 2), (SMALL, 2), (IMAGE, 64), (THIN, 128)])
def test_parts_of_a_weight_gradient_all_have_something_to_sum(g, parts):
    tiles = g.height * g.width // 16 or 1
    assert sparse_tiles.sparse_conv2d_splits(g) == parts
    groups = tiles * g.lanes // (patches.span_of(g, sparse_tiles._products_tile(g).columns))
    assert -(-groups // -(-groups // parts)) == parts


@pytest.mark.parametrize(("shared", "largest"), [(48, 7), (227, 25)])
def test_kernels_fit_up_to_a_size(monkeypatch, shared, largest):
    monkeypatch.setattr(driver, "shared_memory", lambda: shared * 1024)
    assert sparse_tiles.fits(largest, largest, 1)
    assert not sparse_tiles.fits(largest + 4, largest + 4, 1)


@pytest.mark.parametrize("shared", [48 * 1024, 64 * 1024, 99 * 1024, 227 * 1024])
def test_what_a_block_keeps_finds_room_on_every_device(monkeypatch, shared):
    monkeypatch.setattr(driver, "shared_memory", lambda: shared)
    g = linear(256, 300, 100).g
    mask = np.random.default_rng(0).random((100, 300)) < 0.1
    pattern = Pattern.from_mask(mask, LANES, row_blocks=1, column_blocks=1)
    walk, products = (make(pattern.rows, LANES, g) for make in (sparse_tiles.forward_plan, sparse_tiles.weight_plan))
    assert walk.bytes + walk.tile.used <= shared
    sums = products.warps * sparse_products.SUMS * 4
    assert products.tile.used_by_warp * products.warps == sums
    assert products.bytes + sums + products.tile.used <= shared
    assert products.tile.columns * WARP == 128
