"""Pruned layers on a device, whose cost is that of their survivors: convolutions, and linear layers as convolutions of one pixel.

>>> starts, offsets, order = map(cuda.to_device, sparse.lines(pattern.rows, LANES))                       # doctest: +SKIP
>>> sparse.forward(x, x_origin, values, starts, offsets, order, bias, y, y_origin, g, relu=1).run()       # doctest: +SKIP

Patterns are those of the CPU, `sparse.Pattern` and `sparse.ConvPattern`, in one block: offsets stretched over images beforehand,
with distances in pixels, survivors row by row for the forward pass and the weight gradient, column by column for the input
gradient.
"""

from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.sparse_products import SLOTS, SPOTS, THREADS, TURN, multiply_survivors
from tinyticket.kernels.cuda.sparse_tiles import DEEP, NARROW, WIDE, Sweep, Tile
from tinyticket.kernels.cuda.toolkit import cuda

BUSY = 96
"""Blocks below which a large tile leaves too much of a large device idle. A constant, not asked for: results must not depend on
the device."""

CACHE = 32 * 1024
"""Bytes of activations that the lines of a block should be at, at any time: a part of a first-level cache, since lines drift."""

FEW = 0.25
"""Density below which reading activations costs more than multiplying, so that more lines should share them."""

WORTHWHILE = 8
"""Turns of spots below which a part of a weight gradient is not worth a block of its own."""


def lines(lines: Lines, unit: int, phases: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring rows or columns of a pattern into the form that the kernels read.

    Parameters
    ----------
    lines : Lines
        `rows` or `columns` of a `sparse.Pattern` or `sparse.ConvPattern`, not cut into blocks.
    unit : int
        What the pattern counts a pixel as: `lanes` of a Pattern, 16 for a ConvPattern.
    phases : int
        Lines of a channel: 1 for rows, the stride's square for the columns of a convolution.

    Returns
    -------
    starts, offsets, order : int32 arrays
        Where each line begins; offsets in pixels; for each phase the lines by falling number of survivors, so that the lines of a
        block are about as long, and the first to start the longest.
    """
    if lines.blocks != 1:
        raise InputError(f"a device reads whole lines, not lines in {lines.blocks} blocks: build the pattern with one")
    if lines.offsets.size and int(lines.offsets.max()) // unit >= 2**31:
        raise InputError("offsets of a pattern are beyond 31 bits in pixels")
    starts = lines.starts.astype(np.int32)
    counts = np.diff(starts).reshape(-1, phases)
    order = np.argsort(-counts, axis=0, kind="stable") * phases + np.arange(phases)
    return starts, (lines.offsets // np.uint32(unit)).astype(np.int32), order.T.reshape(-1).astype(np.int32)


def forward(
    x: Any,
    x_origin: int,
    values: Any,
    starts: Any,
    offsets: Any,
    order: Any,
    bias: Any,
    y: Any,
    y_origin: int,
    g: Geometry,
    relu: int = 0,
) -> Launch:
    """Compute y = W * x + b, perhaps through a ReLU.

    Parameters
    ----------
    x, y : float32 device arrays
        Blocks of values; the interior of y is written.
    x_origin, y_origin : int
        Pixels before the first one inside the border.
    values : float32 device array of (survivors,)
        Row by row.
    starts, offsets, order : int32 device arrays
        `lines` of the pattern's rows.
    bias : float32 device array of (outputs,), or None
    g : Geometry
    relu : int
        1 to set what is negative to zero.
    """
    sweep = Sweep(
        lanes=g.lanes,
        turn=WARP,
        channels=g.outputs,
        phases=1,
        height=g.height,
        width=g.width,
        source_row=g.stride * g.x_row,
        source_column=g.stride,
        row=g.y_row,
        plane=g.y_plane,
        biased=int(bias is not None),
        relu=int(relu),
        add=0,
        rectified=0,
    )
    start = x_origin - g.padding * (g.x_row + 1)
    return _walk(x, start, values, (starts, offsets, order), bias, None, y, y_origin, g, sweep)


def input_gradient(
    dy: Any,
    dy_origin: int,
    by_column: Any,
    starts: Any,
    offsets: Any,
    order: Any,
    x: Any,
    dx: Any,
    dx_origin: int,
    g: Geometry,
    add: int = 0,
    rectified: int = 0,
) -> Launch:
    """Compute dx, each pixel's gradient from the survivors that it met.

    Parameters
    ----------
    dy, dx : float32 device arrays
        Blocks of gradients; the border of dy is as wide as `kernels.cpu.image.gradient_border` says.
    dy_origin, dx_origin : int
    by_column : float32 device array of (survivors,)
        Column by column: `reorder` brings them there.
    starts, offsets, order : int32 device arrays
        `lines` of the pattern's columns.
    x : float32 device array, or None
        The layer's input, placed as dx is; read only if `rectified`.
    g : Geometry
    add : int
        1 to add to dx.
    rectified : int
        1 to set dx to zero where x is not above zero: x came out of a ReLU.
    """
    sweep = Sweep(
        lanes=g.lanes,
        turn=WARP,
        channels=g.inputs,
        phases=g.stride,
        height=g.x_height,
        width=g.x_width,
        source_row=g.y_row,
        source_column=1,
        row=g.x_row,
        plane=g.x_plane,
        biased=0,
        relu=0,
        add=int(add),
        rectified=int(rectified),
    )
    # Offsets count from the first row and column that any survivor reads for the first pixels of a phase.
    up, left = ((kernel - 1 - g.padding) // g.stride for kernel in (g.kernel_height, g.kernel_width))
    start = dy_origin - up * g.y_row - left
    return _walk(dy, start, by_column, (starts, offsets, order), None, x, dx, dx_origin, g, sweep)


def reorder(values: Any, to_row: Any, by_column: Any) -> Launch:
    """Bring values from the order of rows into that of columns, once a step: reading them out of order costs a sector each.

    Parameters
    ----------
    values, by_column : float32 device arrays of (survivors,)
    to_row : int32 device array
        Of the pattern.
    """
    count = to_row.size
    return Launch(take, (max(1, -(-count // 256)),), (256,), (values, to_row, by_column, count))


@cuda.jit
def take(values, places, result, count):
    """Compute result[k] = values[places[k]]."""
    k = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if k < count:
        result[np.uint32(k)] = values[np.uint32(places[np.uint32(k)])]


def weight_gradient(
    x: Any,
    x_origin: int,
    dy: Any,
    dy_origin: int,
    starts: Any,
    offsets: Any,
    order: Any,
    partial: Any,
    g: Geometry,
    splits: int = 1,
) -> Launch:
    """Compute the gradients of the survivors, row by row, in `splits` parts, which the update adds up in their order.

    Parameters
    ----------
    x, dy : float32 device arrays
        Blocks of the input and of the output's gradient; dy is zero in lanes beyond the last sample.
    x_origin, dy_origin : int
    starts, offsets, order : int32 device arrays
        `lines` of the pattern's rows.
    partial : float32 device array of (splits, survivors), flat
    g : Geometry
    splits : int
        What `splits_for` says.
    """
    group, h, w = np.indices((g.lanes // WARP, g.height, g.width)).reshape(3, -1)
    start = x_origin - g.padding * (g.x_row + 1)
    spots = np.stack(
        (
            (start + g.stride * (h * g.x_row + w)) * g.lanes + group * WARP,
            (dy_origin + h * g.y_row + w) * g.lanes + group * WARP,
        ),
        axis=1,
    )
    stripes = _stripes(g, offsets.size)
    part = -(-len(spots) // splits)
    table = cuda.to_device(spots.astype(np.int32).reshape(-1))
    sizes = g.outputs, g.lanes, g.y_plane, stripes, part
    grid = (-(-g.outputs // SLOTS), stripes, splits)
    arguments = (x, dy, starts, offsets, order, table, partial, *sizes)
    return Launch(multiply_survivors, grid, (THREADS,), arguments)


def splits_for(g: Geometry, survivors: int) -> int:
    """Return into how many parts a weight gradient is cut, from the shapes alone.

    A linear layer is cut into few samples at a time, for then more of its inputs fit into a cache, and an image until a device is
    busy.
    """
    if g.height * g.width == 1:
        return _slices(g)
    blocks = -(-g.outputs // SLOTS) * _stripes(g, survivors)
    worthwhile = g.height * g.width * (g.lanes // WARP) // (WORTHWHILE * SPOTS)
    return max(1, min(2 * BUSY // blocks, worthwhile))


def _slices(g: Geometry) -> int:
    """Return the parts of a linear layer."""
    return min(8, -(-g.lanes // (WARP * SPOTS))) if g.height * g.width == 1 else 1


def _stripes(g: Geometry, survivors: int) -> int:
    """Return how many blocks share the turns of the same lines."""
    turns, tiles = -(-survivors // (g.outputs * TURN)), -(-g.outputs // SLOTS)
    return max(1, min(turns, -(-2 * BUSY // (tiles * _slices(g)))))


def _walk(
    source: Any,
    start: int,
    values: Any,
    pattern: tuple[Any, Any, Any],
    bias: Any,
    held: Any,
    result: Any,
    result_origin: int,
    g: Geometry,
    sweep: Sweep,
) -> Launch:
    """Choose the tile and the grid."""
    phases = sweep.phases
    pixels = -(-sweep.height // phases) * -(-sweep.width // phases)
    units = pixels * (sweep.lanes // WARP)
    density = pattern[1].size / (g.outputs * g.taps)
    tile = _tile(sweep.channels, units, phases**2, density)
    turns = [turn for turn in (8, 16, WARP) if turn * 4 * WARP * tile.spots <= CACHE * density]
    sweep = sweep._replace(turn=max(turns, default=4))
    grid = (-(-units // tile.spots), -(-sweep.channels // tile.lines), phases**2)
    bias, held = values if bias is None else bias, result if held is None else held  # never read, but of the right type
    arguments = (source, start, values, *pattern, bias, held, result, result_origin, sweep)
    return Launch(tile.walk, grid, (tile.threads,), arguments)


def _tile(channels: int, units: int, phases: int, density: float) -> Tile:
    large = DEEP if density < FEW and channels > WIDE.lines else WIDE
    blocks = -(-units // large.spots) * -(-channels // large.lines) * phases
    return large if blocks >= BUSY else NARROW
