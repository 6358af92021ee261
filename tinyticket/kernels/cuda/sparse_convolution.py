"""Pruned layers on a device, whose cost is that of their survivors: convolutions, and linear layers as convolutions of one pixel.

>>> rows = forward_plan(pattern.rows, LANES, g)                                              # doctest: +SKIP
>>> sparse_conv2d(x, x_origin, values, rows, bias, y, y_origin, g, relu=1).run()             # doctest: +SKIP

Patterns are those of the CPU, `sparse.Pattern` and `sparse.ConvPattern`, in one block: survivors row by row for the forward pass
and the weight gradient, column by column for the input gradient, each brought into a `Plan` by `sparse_tiles`.
"""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda import sparse_products
from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.patches import View, forward_view, gradient_views, span_of, survey
from tinyticket.kernels.cuda.sparse_plan import Plan
from tinyticket.kernels.cuda.sparse_products import Products
from tinyticket.kernels.cuda.sparse_walk import Walk
from tinyticket.kernels.cuda.toolkit import cuda


def sparse_conv2d(
    x: Any, x_origin: int, values: Any, rows: Plan, bias: Any, y: Any, y_origin: int, g: Geometry, relu: int = 0
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
    rows : Plan
        `sparse_tiles.forward_plan`.
    bias : float32 device array of (outputs,), or None
    g : Geometry
    relu : int
        1 to set what is negative to zero.
    """
    views = [forward_view(g, x_origin, y_origin)]
    planes = g.inputs, g.x_plane, g.y_plane
    return _walk(x, values, rows, bias, None, y, views, g, planes, biased=int(bias is not None), relu=int(relu))


def sparse_conv2d_input_gradient(
    dy: Any,
    dy_origin: int,
    by_column: Any,
    columns: Plan,
    x: Any,
    dx: Any,
    dx_origin: int,
    g: Geometry,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Compute dx, each pixel's gradient from the survivors that it met.

    Parameters
    ----------
    dy, dx : float32 device arrays
        Blocks of gradients; the border of dy is as wide as `kernels.geometry.gradient_border` says.
    dy_origin, dx_origin : int
    by_column : float32 device array of (survivors,)
        Column by column: `reorder_survivors` brings them there.
    columns : Plan
        `sparse_tiles.input_plan`.
    x : float32 device array, or None
        The layer's input, placed as dx is; read only if `x_is_relu_output`.
    g : Geometry
    add : int
        1 to add to dx.
    x_is_relu_output : int
        1 to set dx to zero where x is not above zero: x came out of a ReLU.
    """
    views = gradient_views(g, dy_origin, dx_origin)
    planes = g.outputs, g.y_plane, g.x_plane
    return _walk(
        dy, by_column, columns, None, x, dx, views, g, planes, add=int(add), x_is_relu_output=int(x_is_relu_output)
    )


def reorder_survivors(values: Any, to_row: Any, by_column: Any) -> Launch:
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


def sparse_conv2d_weight_gradient(
    x: Any, x_origin: int, dy: Any, dy_origin: int, products: Plan, gradient: Any, g: Geometry
) -> Launch:
    """Compute the gradients of the survivors, row by row, in several parts, which the update adds up in their order.

    Parameters
    ----------
    x, dy : float32 device arrays
        Blocks of the input and of the output's gradient; dy is zero in lanes beyond the last sample.
    x_origin, dy_origin : int
    products : Plan
        `sparse_tiles.weight_plan`; something survives.
    gradient : float32 device array of (parts, survivors), flat
        `sparse_tiles.sparse_conv2d_splits` says how many parts are quick.
    g : Geometry
    """
    tile, patch, splits = products.tile, products.patch, gradient.size // products.survivors
    table = survey(patch, [forward_view(g, x_origin, dy_origin)], g)
    span = span_of(g, tile.columns)
    groups = g.lanes // span
    numbers = Products(
        groups=groups,
        span=span,
        positions=patch.size,
        pitch=patch.pitch,
        channels=products.channels,
        chunks=products.chunks,
        inputs=g.inputs,
        x_plane=g.x_plane * g.lanes,
        y_plane=g.y_plane * g.lanes,
        held=products.held,
        tiles=len(table),
        part=-(-len(table) * groups // splits),
    )
    given = (
        x,
        dy,
        products.places,
        products.bounds,
        products.order,
        upload(table),
        gradient,
        products.survivors,
        numbers,
    )
    grid, shared = (
        (products.chunks, products.blocks, splits),
        products.bytes + products.warps * sparse_products.SUMS * 4,
    )
    return Launch(tile.multiply, grid, (products.warps * WARP,), given, shared)


def _walk(
    source: Any,
    values: Any,
    plan: Plan,
    bias: Any,
    held: Any,
    result: Any,
    views: list[View],
    g: Geometry,
    planes: tuple[int, int, int],
    biased: int = 0,
    relu: int = 0,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Start the kernel of `sparse_walk`; `planes` are the source's channels, and pixels of a channel of source and result."""
    tile, patch, table = plan.tile, plan.patch, survey(plan.patch, views, g)
    span = span_of(g, tile.columns)
    numbers = Walk(
        groups=g.lanes // span,
        span=span,
        positions=patch.size,
        pitch=patch.pitch,
        channels=plan.channels,
        chunks=plan.chunks,
        inputs=planes[0],
        source_plane=planes[1] * g.lanes,
        result_plane=planes[2] * g.lanes,
        phases=len(views),
        hands=plan.hands,
        held=plan.held,
        biased=biased,
        relu=relu,
        add=add,
        x_is_relu_output=x_is_relu_output,
    )
    bias, held = values if bias is None else bias, result if held is None else held  # never read, but of the right type
    given = source, values, plan.places, plan.bounds, plan.order, upload(table), bias, held, result, numbers
    grid = len(table) * numbers.groups, plan.blocks
    return Launch(tile.walk, grid, (plan.warps * WARP,), given, plan.bytes)
