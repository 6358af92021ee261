"""The kernels that a training step calls, each compiled by itself.

The step finds their addresses in an int64 array; what a network does not need is never compiled and has the address zero.
"""

import numpy as np
from numba import types

from tinyticket.kernels.cpu.bias import bias_gradient_rows
from tinyticket.kernels.cpu.dense_passes import (
    dense_forward_rows,
    dense_input_gradient_columns,
    dense_weight_update_rows,
)
from tinyticket.kernels.cpu.gather import gather_blocks, gather_pixel_blocks, sample_blocks
from tinyticket.kernels.cpu.vector.jit import Routine
from tinyticket.kernels.geometry import Shape
from tinyticket.kernels.cpu.vector.simd import floats
from tinyticket.kernels.cpu.softmax_cross_entropy import cross_entropy_vectors
from tinyticket.kernels.cpu.sparse_passes import Lines, backward_columns, forward_rows, gradient_rows
from tinyticket.kernels.cpu.update import State, update_range

_integer, _flag = types.int64, types.boolean
_lines = types.NamedTuple((types.CPointer(types.uint32), types.CPointer(types.uint32), _integer), Lines)
_shape = types.NamedUniTuple(_integer, 4, Shape)
_state = types.NamedTuple((floats, floats, floats, types.CPointer(types.uint8), _flag), State)
_indices = types.CPointer(_integer)
_range = _integer, _integer

(
    SPARSE_FORWARD,
    SPARSE_BACKWARD,
    SPARSE_GRADIENT,
    DENSE_FORWARD,
    DENSE_BACKWARD,
    DENSE_UPDATE,
    GATHER,
    GATHER_PIXELS,
    TRANSPOSE,
    LOSS,
    UPDATE,
    BIAS,
    COUNT,
) = range(13)

ROUTINES = {
    SPARSE_FORWARD: Routine(forward_rows, _lines, *[floats] * 4, _shape, *_range, _flag),
    SPARSE_BACKWARD: Routine(backward_columns, _lines, *[floats] * 5, _shape, *_range, _flag),
    SPARSE_GRADIENT: Routine(gradient_rows, _lines, *[floats] * 3, _shape, *_range),
    DENSE_FORWARD: Routine(dense_forward_rows, *[floats] * 4, _shape, *_range, _flag),
    DENSE_BACKWARD: Routine(dense_input_gradient_columns, *[floats] * 4, _shape, *_range, _flag),
    DENSE_UPDATE: Routine(
        dense_weight_update_rows, floats, floats, _state, _integer, floats, _shape, _integer, *_range
    ),
    GATHER: Routine(gather_blocks, floats, _indices, floats, floats, _flag, _shape, _integer, *_range),
    GATHER_PIXELS: Routine(
        gather_pixel_blocks, types.CPointer(types.uint8), _indices, floats, floats, _flag, _shape, _integer, *_range
    ),
    TRANSPOSE: Routine(sample_blocks, floats, floats, _shape, *_range),
    LOSS: Routine(cross_entropy_vectors, *[floats] * 5, _shape, _integer, types.float32, *_range),
    UPDATE: Routine(update_range, _integer, floats, _state, floats, *_range),
    BIAS: Routine(bias_gradient_rows, floats, floats, _shape, *_range),
}


def addresses(sparse: bool, dense: bool, hidden: bool) -> np.ndarray:
    """Compile what a network with sparse, dense or hidden layers needs, and return the addresses."""
    needed = {GATHER, GATHER_PIXELS, LOSS, UPDATE, BIAS}
    if sparse:
        needed |= {SPARSE_FORWARD, SPARSE_GRADIENT} | ({SPARSE_BACKWARD} if hidden else set())
    if dense:
        needed |= {DENSE_FORWARD, DENSE_UPDATE} | ({DENSE_BACKWARD, TRANSPOSE} if hidden else set())
    return np.array([ROUTINES[i].address if i in needed else 0 for i in range(COUNT)], np.int64)
