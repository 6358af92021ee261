"""What rows of a program call: kernels that take their arguments from the row. Each is compiled by itself, when first needed.

Arguments stand in the row in the order in which the functions here read them; the `pass_` files write them there.
"""

from numba import types

from tinyticket.compiler.network.program import Context
from tinyticket.compiler.network.routines import batch, convolution, images, linear
from tinyticket.kernels.cpu.vector.jit import Routine
from tinyticket.kernels.cpu.vector.simd import floats

_integers, _byte, _integer = types.CPointer(types.int64), types.CPointer(types.uint8), types.int64
_context = types.NamedTuple(
    (
        floats,
        types.CPointer(types.uint32),
        _byte,
        floats,
        _byte,
        types.boolean,
        floats,
        floats,
        floats,
        _integers,
        _integers,
        types.boolean,
        _integer,
        _integer,
        floats,
        types.CPointer(types.float64),
    ),
    Context,
)
ROUTINES = {
    helper.py_func.__name__: Routine(helper, _context, _integers, _integer, _integer)
    for helper in (
        batch.gather_batch,
        batch.loss_of_tiles,
        batch.sum_losses,
        batch.penalise,
        batch.update_weights,
        batch.scatter_survivors,
        linear.linear_forward,
        linear.linear_backward,
        linear.linear_transpose,
        linear.linear_update,
        linear.sparse_linear_forward,
        linear.sparse_linear_backward,
        linear.sparse_linear_gradient,
        convolution.convolution_pack,
        convolution.convolution_forward,
        convolution.convolution_backward,
        convolution.convolution_gradient,
        convolution.bias_backward,
        convolution.pooled_bias_backward,
        convolution.sparse_convolution_forward,
        convolution.sparse_convolution_backward,
        convolution.sparse_convolution_gradient,
        images.normalise,
        images.normalise_for_evaluation,
        images.normalise_again,
        images.normalise_backward,
        images.max_pool,
        images.max_pool_back,
        images.avg_pool,
        images.avg_pool_back,
        images.join,
        images.join_backward,
        images.copy,
        images.copy_back,
        images.drop,
        images.drop_backward,
    )
}
"""By name; a row's routine is one of these names."""
