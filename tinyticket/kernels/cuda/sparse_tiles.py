"""How a pruned layer is divided on a device: which tile each pass takes, and among how many blocks and warps its lines are dealt.

Whatever decides about the order of a sum depends on the layer's shape and density alone, never on the device. How many channels
find room in shared memory at a time, and how many warps share it, decides about nothing but speed.
"""

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cuda import driver, sparse_products, sparse_walk
from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.patches import Patch, forward_patch, gradient_patch, is_linear, span_of
from tinyticket.kernels.cuda.sparse_plan import Hands, Plan, Source, make_plan
from tinyticket.kernels.cuda.sparse_walk import POSITIONS

BUSY = 132
"""Blocks that keep a large device busy: the multiprocessors of an H100."""

FEWEST = 4
"""Warps below which a block is not worth its patch."""

FEW = 0.04
"""Density of a linear layer below which bringing in twice the activations costs more than reading each survivor half as often."""

ROOM = 227 * 1024
"""Bytes of shared memory that are assumed where a weight gradient is cut into parts."""


def forward_plan(lines: Lines, unit: int, g: Geometry) -> Plan:
    """Bring the rows of a pattern into the form that `sparse_conv2d` reads.

    Parameters
    ----------
    lines : Lines
        `rows` of the pattern.
    unit : int
        What the pattern counts a pixel as: `lanes` of a Pattern, 16 for a ConvPattern.
    g : Geometry

    Raises
    ------
    InputError
        If the pattern's lines are cut into blocks, or a patch of the layer's input does not find room.
    """
    tiles = _tiles(sparse_walk.IMAGE, g.height, g.width)
    among = _walkers(g, g.outputs, tiles, lines.offsets.size)
    patch, source = forward_patch(g, among.tile.rows, among.tile.columns), Source(g.inputs, g.x_row, g.x_plane)
    return make_plan(lines, unit, source, patch, _room(patch, _walk_bytes(among.tile)), among)


def input_plan(lines: Lines, unit: int, g: Geometry) -> Plan:
    """Bring the columns of a pattern into the form that `sparse_conv2d_input_gradient` reads; otherwise as `forward_plan`."""
    tiles = _tiles(sparse_walk.IMAGE, -(-g.x_height // g.stride), -(-g.x_width // g.stride)) * g.stride**2
    among = _walkers(g, g.inputs, tiles, lines.offsets.size)
    patch, source = gradient_patch(g, among.tile.rows, among.tile.columns), Source(g.outputs, g.y_row, g.y_plane)
    return make_plan(lines, unit, source, patch, _room(patch, _walk_bytes(among.tile)), among, g.stride**2)


def weight_plan(lines: Lines, unit: int, g: Geometry) -> Plan:
    """Bring the rows of a pattern into the form that `sparse_conv2d_weight_gradient` reads; otherwise as `forward_plan`."""
    tile = _products_tile(g)
    blocks = max(1, min(BUSY // (_nominal_chunks(g) * sparse_conv2d_splits(g)), -(-g.outputs // tile.warps)))
    each, used = sparse_products.SUMS * 4, _products_bytes(tile)
    warps = min(tile.warps, -(-g.outputs // blocks), max(1, (driver.shared_memory() - used) // 2 // each))
    patch, source = forward_patch(g, tile.rows, tile.columns), Source(g.inputs, g.x_row, g.x_plane)
    return make_plan(lines, unit, source, patch, _room(patch, used + warps * each), Hands(tile, blocks, warps))


def sparse_conv2d_splits(g: Geometry) -> int:
    """Return into how many parts a weight gradient is cut, from the shapes alone: until a device is busy."""
    tile = _products_tile(g)
    groups = g.lanes // span_of(g, tile.columns)
    tiles = 1 if is_linear(g) else _tiles(tile, g.height, g.width)
    each = -(-tiles * groups // max(1, min(tiles * groups, BUSY // _nominal_chunks(g))))
    return -(-tiles * groups // each)  # each part has something to sum


def _nominal_chunks(g: Geometry) -> int:
    """Return how often the channels of a weight gradient would change where shared memory is `ROOM`."""
    tile = _products_tile(g)
    each = forward_patch(g, tile.rows, tile.columns).size * WARP * 4
    used = _products_bytes(tile) + tile.warps * sparse_products.SUMS * 4
    return -(-g.inputs // max(1, (ROOM - used) // each))


def _products_tile(g: Geometry) -> sparse_products.Tile:
    if not is_linear(g):
        return sparse_products.IMAGE
    large = sparse_products.LINEAR
    return large if g.lanes % (large.columns * WARP) == 0 else sparse_products.LINEAR_FEW


def _tiles(tile: sparse_walk.Tile | sparse_products.Tile, height: int, width: int) -> int:
    """Return how many tiles an image has."""
    return -(-height // tile.rows) * -(-width // tile.columns)


def _walkers(g: Geometry, lines: int, tiles: int, survivors: int) -> Hands:
    """Choose the tile, and in how many blocks of how many warps lines are taken; an image has so many tiles."""
    tile = _walk_tile(g, lines, tiles, survivors / (g.outputs * g.taps))
    across = g.lanes // span_of(g, tile.columns) * (1 if is_linear(g) else tiles)
    least, most = -(-lines // (tile.lines * tile.warps)), -(-lines // (tile.lines * FEWEST))
    blocks = max(least, min(BUSY // across, most))
    return Hands(tile, blocks, -(-lines // (blocks * tile.lines)))


def _walk_tile(g: Geometry, lines: int, tiles: int, density: float) -> sparse_walk.Tile:
    """Choose the largest tile that leaves enough blocks, and whose warps have enough lines."""
    groups = g.lanes // WARP
    if is_linear(g):
        wide = [sparse_walk.LINEAR_WIDE] if density >= FEW and groups % 2 == 0 else []
        for tile in (*wide, sparse_walk.LINEAR):
            if groups // tile.columns * -(-lines // (tile.lines * tile.warps)) >= BUSY // 2:
                return tile
        return sparse_walk.LINEAR_FEW
    large = sparse_walk.IMAGE
    enough = groups * tiles * -(-lines // (large.lines * large.warps)) >= BUSY // 2 and lines >= large.lines * FEWEST
    return large if enough else sparse_walk.IMAGE_FEW


def _walk_bytes(tile: sparse_walk.Tile) -> int:
    """Return what a block of `sparse_walk` has in shared memory besides its patch."""
    return POSITIONS * 4 + tile.warps * 8 * (WARP + tile.lines + 1)


def _products_bytes(tile: sparse_products.Tile) -> int:
    """Return the same for `sparse_products`, without the sums of its warps."""
    return POSITIONS * 4 + tile.warps * 4 * (sparse_products.TURN + 3 * WARP)


def fits(kernel_height: int, kernel_width: int, stride: int) -> bool:
    """Say whether the patches of a convolution find room in shared memory, for each of its passes."""
    walk, products = sparse_walk.IMAGE, sparse_products.IMAGE
    used = max(_walk_bytes(walk), _products_bytes(products) + sparse_products.SUMS * 4)
    size = Patch(walk.rows, walk.columns, stride, kernel_height, kernel_width).size
    return size <= POSITIONS and size * WARP * 4 <= (driver.shared_memory() - used) // 2


def _room(patch: Patch, used: int) -> int:
    """Return the bytes that a patch may take beside what a kernel uses.

    Raises
    ------
    InputError
        If a single channel does not find room there.
    """
    room = driver.shared_memory() - used
    if patch.size > POSITIONS or patch.size * WARP * 4 > room:
        raise InputError(
            f"kernels of {patch.down} by {patch.across} weights at stride {patch.step} need patches of "
            f"{patch.height} by {patch.pitch} pixels, which sparse kernels have no room for on a device: let the layer run dense"
        )
    return room
