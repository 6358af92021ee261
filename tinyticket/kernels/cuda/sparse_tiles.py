"""How a pruned layer is divided on a device: which tile each pass takes, and among how many blocks and warps its lines are dealt.

Whatever decides about the order of a sum depends on the layer's shape and density alone, never on the device. How many channels
find room in shared memory at a time, and how many warps share it, decides about nothing but speed.
"""

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cuda import driver, patches, sparse_products, sparse_walk
from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.sparse_plan import Hands, Plan, make_plan
from tinyticket.kernels.cuda.staging import POSITIONS, Tile

BUSY = 132
"""Blocks that keep a large device busy: the multiprocessors of an H100."""

FEWEST = 4
"""Warps below which a block is not worth its patch."""

FEW = 0.04
"""Density of a linear layer below which bringing in twice the activations costs more than reading each survivor half as often."""

ROOM = 227 * 1024
"""Bytes of shared memory that are assumed where a weight gradient is cut into parts."""


def forward_plan(lines: Lines, unit: int, g: Geometry) -> Plan:
    """Bring the rows of a pattern, which counts a pixel as `unit`, into the form that `sparse_conv2d` reads.

    Raises
    ------
    InputError
        If the pattern's lines are cut into blocks, or a patch of the layer's input does not find room.
    """
    among = _walkers(g, g.outputs, _tiles(sparse_walk.IMAGE, g.height, g.width), lines.offsets.size)
    patch = patches.forward_patch(g, among.tile.rows, among.tile.columns)
    return make_plan(lines, unit, g, g.inputs, [patches.forward_view(g)], patch, _room(patch, among), among)


def input_plan(lines: Lines, unit: int, g: Geometry) -> Plan:
    """Bring the columns of a pattern into the form that `sparse_conv2d_input_gradient` reads; otherwise as `forward_plan`."""
    tiles = _tiles(sparse_walk.IMAGE, -(-g.x_height // g.stride), -(-g.x_width // g.stride)) * g.stride**2
    among = _walkers(g, g.inputs, tiles, lines.offsets.size)
    patch = patches.gradient_patch(g, among.tile.rows, among.tile.columns)
    return make_plan(lines, unit, g, g.outputs, patches.gradient_views(g), patch, _room(patch, among), among)


def weight_plan(lines: Lines, unit: int, g: Geometry) -> Plan:
    """Bring the rows of a pattern into the form that `sparse_conv2d_weight_gradient` reads; otherwise as `forward_plan`."""
    tile = _products_tile(g)
    blocks = max(1, min(BUSY // (_nominal_chunks(g) * sparse_conv2d_splits(g)), -(-g.outputs // tile.warps)))
    most = (driver.shared_memory() - tile.used) // 2 // tile.used_by_warp
    among = Hands(tile, blocks, min(tile.warps, -(-g.outputs // blocks), max(1, most)))
    patch = patches.forward_patch(g, tile.rows, tile.columns)
    return make_plan(lines, unit, g, g.inputs, [patches.forward_view(g)], patch, _room(patch, among), among)


def sparse_conv2d_splits(g: Geometry) -> int:
    """Return into how many parts a weight gradient is cut, from the shapes alone: until a device is busy."""
    tile = _products_tile(g)
    units = g.lanes // patches.span_of(g, tile.columns) * _tiles(tile, g.height, g.width)
    each = -(-units // max(1, min(units, BUSY // _nominal_chunks(g))))
    return -(-units // each)  # each part has something to sum


def _nominal_chunks(g: Geometry) -> int:
    """Return how often the channels of a weight gradient would change where shared memory is `ROOM`."""
    tile = _products_tile(g)
    used = tile.used + tile.warps * tile.used_by_warp
    return -(-g.inputs // max(1, (ROOM - used) // patches.forward_patch(g, tile.rows, tile.columns).bytes))


def _products_tile(g: Geometry) -> Tile:
    if not patches.is_linear(g):
        return sparse_products.IMAGE
    large = sparse_products.LINEAR
    return large if g.lanes % (large.columns * WARP) == 0 else sparse_products.LINEAR_FEW


def _tiles(tile: Tile, height: int, width: int) -> int:
    """Return how many tiles an image has: one if it is a single pixel."""
    return -(-height // tile.rows) * -(-width // tile.columns)


def _walkers(g: Geometry, lines: int, tiles: int, survivors: int) -> Hands:
    """Choose the tile, and in how many blocks of how many warps lines are taken; an image has so many tiles."""
    tile = _walk_tile(g, lines, tiles, survivors / (g.outputs * g.taps))
    across = g.lanes // patches.span_of(g, tile.columns) * tiles
    least, most = -(-lines // (tile.lines * tile.warps)), -(-lines // (tile.lines * FEWEST))
    blocks = max(least, min(BUSY // across, most))
    return Hands(tile, blocks, -(-lines // (blocks * tile.lines)))


def _walk_tile(g: Geometry, lines: int, tiles: int, density: float) -> Tile:
    """Choose the largest tile that leaves enough blocks, and whose warps have enough lines."""
    groups = g.lanes // WARP
    if patches.is_linear(g):
        wide = [sparse_walk.LINEAR_WIDE] if density >= FEW and groups % 2 == 0 else []
        for tile in (*wide, sparse_walk.LINEAR):
            if groups // tile.columns * -(-lines // (tile.lines * tile.warps)) >= BUSY // 2:
                return tile
        return sparse_walk.LINEAR_FEW
    large = sparse_walk.IMAGE
    enough = groups * tiles * -(-lines // (large.lines * large.warps)) >= BUSY // 2 and lines >= large.lines * FEWEST
    return large if enough else sparse_walk.IMAGE_FEW


def fits(kernel_height: int, kernel_width: int, stride: int) -> bool:
    """Say whether the patches of a convolution find room in shared memory, for each of its passes."""
    walk, products = sparse_walk.IMAGE, sparse_products.IMAGE
    used = max(walk.used, products.used + products.used_by_warp)
    patch = patches.Patch(walk.rows, walk.columns, stride, kernel_height, kernel_width)
    return patch.size <= POSITIONS and patch.bytes <= (driver.shared_memory() - used) // 2


def _room(patch: patches.Patch, among: Hands) -> int:
    """Return the bytes that a patch may take beside what a block's warps use; InputError if a channel has no room there."""
    room = driver.shared_memory() - among.tile.used - among.warps * among.tile.used_by_warp
    if patch.size > POSITIONS or patch.bytes > room:
        raise InputError(
            f"kernels of {patch.down} by {patch.across} weights at stride {patch.step} need patches of "
            f"{patch.height} by {patch.pitch} pixels, which sparse kernels have no room for on a device: let the layer run dense"
        )
    return room
