"""Pruned layers on a device, whose cost is that of their survivors: convolutions, and linear layers as convolutions of one pixel.

>>> rows = forward_plan(pattern.rows, LANES, g)                                              # doctest: +SKIP
>>> sparse_conv2d(x, values, rows, bias, y, g, relu=1).run()                                 # doctest: +SKIP

Patterns are those of the CPU, `sparse.Pattern` and `sparse.ConvPattern`, in one block: survivors row by row for the forward pass
and the weight gradient, column by column for the input gradient, each brought into a `Plan` by `sparse_tiles`.
"""

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.patches import View, forward_view, gradient_views, survey
from tinyticket.kernels.cuda.sparse_plan import Plan
from tinyticket.kernels.cuda.toolkit import cuda


def sparse_conv2d(x, values, rows: Plan, bias, y, g: Geometry, relu: int = 0) -> Launch:
    """Compute y = W * x + b, perhaps through a ReLU, from the values of survivors row by row, and `sparse_tiles.forward_plan`."""
    told = {"result_plane": g.y_plane * g.lanes, "biased": int(bias is not None), "relu": int(relu)}
    return _walk(rows, g, [forward_view(g)], (x, values, bias, None, y), **told)


def sparse_conv2d_input_gradient(
    dy, by_column, columns: Plan, x, dx, g: Geometry, add: int = 0, x_is_relu_output: int = 0
) -> Launch:
    """Compute dx, each pixel's gradient from the survivors that it met.

    The values of survivors are column by column, where `reorder_survivors` brings them, as is `sparse_tiles.input_plan`.
    """
    told = {"result_plane": g.x_plane * g.lanes, "add": int(add), "x_is_relu_output": int(x_is_relu_output)}
    return _walk(columns, g, gradient_views(g), (dy, by_column, None, x, dx), **told)


def reorder_survivors(values, to_row, by_column) -> Launch:
    """Bring values from the order of rows into that of columns, once a step: reading them out of order costs a sector each.

    `to_row` is the pattern's, an int32 device array.
    """
    count = to_row.size
    return Launch(take, (max(1, -(-count // 256)),), (256,), (values, to_row, by_column, count))


@cuda.jit
def take(values, places, result, count):
    """Compute result[k] = values[places[k]]."""
    k = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if k < count:
        result[np.uint32(k)] = values[np.uint32(places[np.uint32(k)])]


def sparse_conv2d_weight_gradient(x, dy, products: Plan, gradient, g: Geometry) -> Launch:
    """Compute the gradients of the survivors, row by row, in several parts.

    Something survives in `sparse_tiles.weight_plan`, the plan; `sparse_tiles.sparse_conv2d_splits` says how many parts are quick.
    """
    plan, table, splits = products, survey(products.patch, [forward_view(g)], g), gradient.size // products.survivors
    part = -(-len(table) * plan.work.groups // splits)
    work = plan.work._replace(result_plane=g.y_plane * g.lanes, tiles=len(table), part=part)
    given = x, dy, plan.places, plan.bounds, plan.order, upload(table), gradient, plan.survivors, work
    grid, shared = (work.chunks, plan.blocks, splits), plan.bytes + plan.warps * plan.tile.used_by_warp
    return Launch(plan.tile.kernel, grid, (plan.warps * WARP,), given, shared)


def _walk(plan: Plan, g: Geometry, views: list[View], arrays: tuple, **told: int) -> Launch:
    """Start the kernel of `sparse_walk` with the source, the values of survivors, a bias, x, and the result."""
    source, values, bias, held, result = arrays
    table, work = survey(plan.patch, views, g), plan.work._replace(**told)
    bias, held = values if bias is None else bias, result if held is None else held  # never read, but of the right type
    given = source, values, plan.places, plan.bounds, plan.order, upload(table), bias, held, result, work
    return Launch(plan.tile.kernel, (len(table) * work.groups, plan.blocks), (plan.warps * WARP,), given, plan.bytes)
