"""What rows of a program call: kernels that take their arguments from the row. Each is compiled by itself, when first needed.

Arguments stand in the row in the order in which the functions below read them; `passes` writes them there.
"""

import numpy as np
from numba import types

from tinyticket.compiler.network.program import ARGUMENTS, Context
from tinyticket.kernels.cpu.batch_norm_passes import batch_norm_backward, batch_norm_eval, batch_norm_forward
from tinyticket.kernels.cpu.convolution_gradient import conv_weight_gradient
from tinyticket.kernels.cpu.convolution_passes import conv_forward, conv_input_gradient
from tinyticket.kernels.cpu.convolution_weights import conv_pack
from tinyticket.kernels.cpu.dense_passes import (
    dense_forward_rows,
    dense_input_gradient_columns,
    dense_weight_update_rows,
)
from tinyticket.kernels.cpu.dropout_passes import dropout_backward, dropout_forward
from tinyticket.kernels.cpu.gather import sample_blocks
from tinyticket.kernels.cpu.image import Image, Window
from tinyticket.kernels.cpu.image_bias import image_bias_backward
from tinyticket.kernels.cpu.image_gather_passes import gather_image_planes, gather_pixel_planes
from tinyticket.kernels.cpu.jit import Routine, device
from tinyticket.kernels.cpu.layout import Shape
from tinyticket.kernels.cpu.machine import LANES
from tinyticket.kernels.cpu.pooling_passes import (
    avg_pool_backward,
    avg_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from tinyticket.kernels.cpu.residual_passes import add_backward, add_forward, copy_backward, copy_forward
from tinyticket.kernels.cpu.simd import advance, at, floats
from tinyticket.kernels.cpu.softmax_cross_entropy import cross_entropy_vectors
from tinyticket.kernels.cpu.sparse_convolution_passes import (
    sparse_conv_backward,
    sparse_conv_forward,
    sparse_conv_gradient,
)
from tinyticket.kernels.cpu.sparse_passes import Lines, backward_columns, forward_rows, gradient_rows
from tinyticket.kernels.cpu.transpose import put
from tinyticket.kernels.cpu.update import State, update_range


@device
def _number(row, i):
    return at(row, ARGUMENTS + i)


@device
def _flag(row, i):
    return at(row, ARGUMENTS + i) > 0


@device
def _place(context, row, i):
    return advance(context.floats, at(row, ARGUMENTS + i))


@device
def _window(row, i):
    r = advance(row, ARGUMENTS + i)
    return Window(
        at(r, 0), at(r, 1), at(r, 2), at(r, 3), at(r, 4), at(r, 5), at(r, 6), at(r, 7), at(r, 8), at(r, 9), at(r, 10),
        at(r, 11), at(r, 12), at(r, 13), at(r, 14),
    )  # fmt: skip


@device
def _image(row, i):
    r = advance(row, ARGUMENTS + i)
    return Image(at(r, 0), at(r, 1), at(r, 2), at(r, 3))


@device
def _shape(row, i):
    r = advance(row, ARGUMENTS + i)
    return Shape(at(r, 0), at(r, 1), at(r, 2), at(r, 3))


@device
def _lines(context, row, i):
    starts, offsets = advance(context.offsets, _number(row, i)), advance(context.offsets, _number(row, i + 1))
    return Lines(starts, offsets, _number(row, i + 2))


@device
def _state(context, row, i):
    w, first, second = _place(context, row, i), _place(context, row, i + 1), _place(context, row, i + 2)
    return State(w, first, second, advance(context.bytes, _number(row, i + 3)), _flag(row, i + 4))


# -- the batch, the loss, weights


@device
def gather_batch(c, row, first, last):
    """Arguments: x, image."""
    x, image = _place(c, row, 0), _image(row, 1)
    if c.as_pixels:
        gather_pixel_planes(c.pixels, c.indices, c.crops, c.mean, c.std, x, image, c.samples, first, last, c.cropped)
    else:
        gather_image_planes(c.examples, c.indices, c.crops, x, image, c.samples, first, last, c.cropped)


@device
def loss_of_tiles(c, row, first, last):
    """Arguments: logits, their gradient, labels, losses, hits, shape."""
    labels, shape = _place(c, row, 2), _shape(row, 5)
    for sample in range(first * LANES, last * LANES):
        put(labels, sample, at(c.labels, at(c.indices, min(sample, c.samples - 1))))
    logits, gradient, losses, hits = _place(c, row, 0), _place(c, row, 1), _place(c, row, 3), _place(c, row, 4)
    scale = np.float32(1) / np.float32(c.samples)
    cross_entropy_vectors(logits, labels, gradient, losses, hits, shape, c.samples, scale, first, last)


@device
def sum_losses(c, row, first, last):
    """Arguments: losses, hits. The results are sums over the batch, in the order of its samples."""
    losses, hits = _place(c, row, 0), _place(c, row, 1)
    loss, correct = 0.0, 0.0
    for sample in range(c.samples):
        loss += at(losses, sample)
        correct += at(hits, sample)
    put(c.results, 0, loss)
    put(c.results, 1, correct)


@device
def update_weights(c, row, first, last):
    """Arguments: gradient, state."""
    update_range(c.rule, c.scalars, _state(c, row, 1), _place(c, row, 0), first, last)


@device
def scatter_survivors(c, row, first, last):
    """Arguments: survivors column by column, row by row, and the places of the former among the latter."""
    columns, rows, to_row = _place(c, row, 0), _place(c, row, 1), advance(c.offsets, _number(row, 2))
    for survivor in range(first, last):
        put(rows, at(to_row, survivor), at(columns, survivor))


# -- fully-connected layers


@device
def linear_forward(c, row, first, last):
    """Arguments: weight, bias, x, y, whether to rectify, shape."""
    w, bias, x, y = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    dense_forward_rows(w, bias, x, y, _shape(row, 5), first, last, _flag(row, 4))


@device
def linear_backward(c, row, first, last):
    """Arguments: weight, x, dy, dx, whether x was rectified, shape."""
    w, x, dy, dx = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    dense_input_gradient_columns(w, x, dy, dx, _shape(row, 5), first, last, _flag(row, 4))


@device
def linear_transpose(c, row, first, last):
    """Arguments: x, x sample by sample, shape."""
    sample_blocks(_place(c, row, 0), _place(c, row, 1), _shape(row, 2), first, last)


@device
def linear_update(c, row, first, last):
    """Arguments: x sample by sample, dy, state, shape."""
    x, dy = _place(c, row, 0), _place(c, row, 1)
    dense_weight_update_rows(x, dy, _state(c, row, 2), c.rule, c.scalars, _shape(row, 7), c.samples, first, last)


@device
def sparse_linear_forward(c, row, first, last):
    """Arguments: values, bias, x, y, whether to rectify, rows, shape."""
    values, bias, x, y = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    forward_rows(_lines(c, row, 5), values, bias, x, y, _shape(row, 8), first, last, _flag(row, 4))


@device
def sparse_linear_backward(c, row, first, last):
    """Arguments: values, x, dy, dx, gradient, whether x was rectified, columns, shape."""
    values, x, dy, dx, g = (
        _place(c, row, 0),
        _place(c, row, 1),
        _place(c, row, 2),
        _place(c, row, 3),
        _place(c, row, 4),
    )
    backward_columns(_lines(c, row, 6), values, x, dy, dx, g, _shape(row, 9), first, last, _flag(row, 5))


@device
def sparse_linear_gradient(c, row, first, last):
    """Arguments: x, dy, gradient, rows, shape."""
    gradient_rows(
        _lines(c, row, 3), _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _shape(row, 6), first, last
    )


# -- convolutions


@device
def convolution_pack(c, row, first, last):
    """Arguments: weights, packed, packed back, window."""
    conv_pack(_place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _window(row, 3), first, last)


@device
def convolution_forward(c, row, first, last):
    """Arguments: packed, bias, x, y, whether to rectify, window."""
    packed, bias, x, y = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    conv_forward(packed, bias, x, y, _window(row, 5), first, last, _flag(row, 4))


@device
def convolution_backward(c, row, first, last):
    """Arguments: packed back, x, dy, dx, whether to add, whether x was rectified, window."""
    packed, x, dy, dx = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    conv_input_gradient(packed, x, dy, dx, _window(row, 6), first, last, _flag(row, 4), _flag(row, 5))


@device
def convolution_gradient(c, row, first, last):
    """Arguments: x, dy, gradient, window."""
    conv_weight_gradient(_place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _window(row, 3), first, last)


@device
def sparse_convolution_forward(c, row, first, last):
    """Arguments: values, bias, x, y, whether to rectify, rows, window."""
    values, bias, x, y = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    sparse_conv_forward(_lines(c, row, 5), values, bias, x, y, _window(row, 8), first, last, _flag(row, 4))


@device
def sparse_convolution_backward(c, row, first, last):
    """Arguments: values, x, dy, dx, gradient, whether to add, whether x was rectified, columns, window."""
    values, x, dy, dx = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    g, columns, window, add, rectified = (
        _place(c, row, 4),
        _lines(c, row, 7),
        _window(row, 10),
        _flag(row, 5),
        _flag(row, 6),
    )
    sparse_conv_backward(columns, values, x, dy, dx, g, window, first, last, add, rectified)


@device
def sparse_convolution_gradient(c, row, first, last):
    """Arguments: x, dy, gradient, rows, window."""
    x, dy, gradient = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2)
    sparse_conv_gradient(_lines(c, row, 3), x, dy, gradient, _window(row, 6), first, last)


@device
def bias_backward(c, row, first, last):
    """Arguments: dy, gradient, window."""
    image_bias_backward(_place(c, row, 0), _place(c, row, 1), _window(row, 2), first, last)


# -- the rest


@device
def normalise(c, row, first, last):
    """Arguments: x, y, addend, weight, bias, running mean and variance, mean, inverse, constants, two flags, window, image."""
    constants = _place(c, row, 9)
    batch_norm_forward(
        _place(c, row, 0),
        _place(c, row, 1),
        _place(c, row, 2),
        _place(c, row, 3),
        _place(c, row, 4),
        _place(c, row, 5),
        _place(c, row, 6),
        _place(c, row, 7),
        _place(c, row, 8),
        _window(row, 12),
        _image(row, 27),
        c.samples,
        at(constants, 0),
        at(constants, 1),
        first,
        last,
        _flag(row, 10),
        _flag(row, 11),
    )


@device
def normalise_for_evaluation(c, row, first, last):
    """Arguments as `normalise`."""
    batch_norm_eval(
        _place(c, row, 0),
        _place(c, row, 1),
        _place(c, row, 2),
        _place(c, row, 3),
        _place(c, row, 4),
        _place(c, row, 5),
        _place(c, row, 6),
        _window(row, 12),
        _image(row, 27),
        at(_place(c, row, 9), 0),
        first,
        last,
        _flag(row, 10),
        _flag(row, 11),
    )


@device
def normalise_backward(c, row, first, last):
    """Arguments: x, y, dy, dx, addend, its gradient, weight, bias, mean, inverse, their gradients, six flags, window, image."""
    batch_norm_backward(
        _place(c, row, 0),
        _place(c, row, 1),
        _place(c, row, 2),
        _place(c, row, 3),
        _place(c, row, 4),
        _place(c, row, 5),
        _place(c, row, 6),
        _place(c, row, 7),
        _place(c, row, 8),
        _place(c, row, 9),
        _place(c, row, 10),
        _place(c, row, 11),
        _window(row, 18),
        _image(row, 33),
        c.samples,
        first,
        last,
        _flag(row, 12),
        _flag(row, 13),
        _flag(row, 14),
        _flag(row, 15),
        _flag(row, 16),
        _flag(row, 17),
    )


@device
def max_pool(c, row, first, last):
    """Arguments: x, y, window."""
    max_pool_forward(_place(c, row, 0), _place(c, row, 1), _window(row, 2), first, last)


@device
def max_pool_back(c, row, first, last):
    """Arguments: x, y, dy, dx, whether to add, whether x was rectified, window."""
    x, y, dy, dx = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    max_pool_backward(x, y, dy, dx, _window(row, 6), first, last, _flag(row, 4), _flag(row, 5))


@device
def avg_pool(c, row, first, last):
    """Arguments: x, y, window."""
    avg_pool_forward(_place(c, row, 0), _place(c, row, 1), _window(row, 2), first, last)


@device
def avg_pool_back(c, row, first, last):
    """Arguments: x, y, dy, dx, whether to add, whether x was rectified, window."""
    x, dy, dx = _place(c, row, 0), _place(c, row, 2), _place(c, row, 3)
    avg_pool_backward(x, dy, dx, _window(row, 6), first, last, _flag(row, 4), _flag(row, 5))


@device
def join(c, row, first, last):
    """Arguments: x, addend, y, whether to rectify, window, image."""
    x, addend, y = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2)
    add_forward(x, addend, y, _window(row, 4), _image(row, 19), first, last, _flag(row, 3))


@device
def join_backward(c, row, first, last):
    """Arguments: x, addend, y, dy, dx, gradient of the addend, five flags, window, image."""
    x, addend, y = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2)
    dy, dx, d_addend = _place(c, row, 3), _place(c, row, 4), _place(c, row, 5)
    rectify, add, rectified = _flag(row, 6), _flag(row, 7), _flag(row, 8)
    window, image = _window(row, 11), _image(row, 26)
    flags = rectify, add, rectified, _flag(row, 9), _flag(row, 10)
    add_backward(x, addend, y, dy, dx, d_addend, window, image, first, last, *flags)


@device
def copy(c, row, first, last):
    """Arguments: x, y, whether to rectify, window."""
    copy_forward(_place(c, row, 0), _place(c, row, 1), _window(row, 3), first, last, _flag(row, 2))


@device
def copy_back(c, row, first, last):
    """Arguments: x, y, dy, dx, whether to rectify, to add, whether x was rectified, window."""
    x, y, dy, dx = _place(c, row, 0), _place(c, row, 1), _place(c, row, 2), _place(c, row, 3)
    copy_backward(x, y, dy, dx, _window(row, 7), first, last, _flag(row, 4), _flag(row, 5), _flag(row, 6))


@device
def drop(c, row, first, last):
    """Arguments: x, place of the mask, y, place of the scale, window."""
    keep = advance(c.bytes, _number(row, 1))
    dropout_forward(_place(c, row, 0), keep, _place(c, row, 2), _window(row, 4), at(_place(c, row, 3), 0), first, last)


@device
def drop_backward(c, row, first, last):
    """Arguments: x, place of the mask, dy, dx, place of the scale, whether to add, whether x was rectified, window."""
    x, keep, dy, dx = _place(c, row, 0), advance(c.bytes, _number(row, 1)), _place(c, row, 2), _place(c, row, 3)
    scale, flags = at(_place(c, row, 4), 0), (_flag(row, 5), _flag(row, 6))
    dropout_backward(x, keep, dy, dx, _window(row, 7), scale, first, last, *flags)


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
        gather_batch, loss_of_tiles, sum_losses, update_weights, scatter_survivors,
        linear_forward, linear_backward, linear_transpose, linear_update,
        sparse_linear_forward, sparse_linear_backward, sparse_linear_gradient,
        convolution_pack, convolution_forward, convolution_backward, convolution_gradient, bias_backward,
        sparse_convolution_forward, sparse_convolution_backward, sparse_convolution_gradient,
        normalise, normalise_for_evaluation, normalise_backward,
        max_pool, max_pool_back, avg_pool, avg_pool_back, join, join_backward, copy, copy_back, drop, drop_backward,
    )
}  # fmt: skip
"""By name; a row's routine is one of these names."""
