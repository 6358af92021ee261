"""A whole training step of a fully-connected network in one compiled function, and in one parallel region.

Each thread owns some rows and some columns of every layer, and works through the step without leaving its region: it
meets the others wherever it needs what they have computed. To meet less often, each computes the small last layer and the
loss for itself. Each packs the whole batch for itself, too: with halves of it, what the other had packed came from its cache
more slowly than it is packed (8 of 50 microseconds at 2% density).

    gather, forward 1 | forward 2 | ... | forward L, loss, backward L | update L, backward L-1 | ... |
    update 2, gradient and update 1 |
"""

import numpy as np
from numba import prange

from tinyticket.compiler.call import call
from tinyticket.compiler.mlp.layers import (
    alone,
    are_known,
    field,
    floats_of,
    forward,
    gather,
    receive_job,
    rows_of,
    shape_of,
)
from tinyticket.compiler.mlp.program import (
    BIAS,
    BIAS_FIRST,
    BIAS_GRADIENT,
    BIAS_SECOND,
    BIASED,
    COLUMN_BLOCKS,
    COLUMN_OFFSETS,
    COLUMN_STARTS,
    FIRST,
    GRADIENT,
    INPUT_SAMPLES,
    MASK,
    MASKED,
    MASTER,
    OUTPUT,
    OUTPUT_GRADIENT,
    SECOND,
    SPARSE,
    TO_ROW,
    WEIGHTS,
)
from tinyticket.compiler.mlp.routines import BIAS as BIAS_SUMS
from tinyticket.compiler.mlp.routines import (
    DENSE_BACKWARD,
    DENSE_UPDATE,
    LOSS,
    SPARSE_BACKWARD,
    SPARSE_GRADIENT,
    TRANSPOSE,
    UPDATE,
)
from tinyticket.kernels.cpu.vector.barrier import ALONE, DECISION, SIZE, meet, together
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, pointer
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.cpu.update import State


@device
def _columns(memory, layer):
    starts = advance(memory.offsets, field(memory, layer, COLUMN_STARTS))
    offsets = advance(memory.offsets, field(memory, layer, COLUMN_OFFSETS))
    return Lines(starts, offsets, field(memory, layer, COLUMN_BLOCKS))


@device
def _state(memory, layer):
    w, m, v = floats_of(memory, layer, MASTER), floats_of(memory, layer, FIRST), floats_of(memory, layer, SECOND)
    return State(w, m, v, advance(memory.masks, field(memory, layer, MASK)), field(memory, layer, MASKED) > 0)


@device
def _row_bound(memory, layer, threads, chunk):
    return at(memory.bounds, 2 * layer * (threads + 1) + chunk)


@device
def _column_bound(memory, layer, threads, chunk):
    return at(memory.bounds, (2 * layer + 1) * (threads + 1) + chunk)


@device
def _backward(memory, batch, layer, x, dy, dx, first, last):
    """Input gradient of some columns, and their survivors' gradients."""
    master, shape = floats_of(memory, layer, MASTER), shape_of(memory, batch, layer)
    if field(memory, layer, SPARSE):
        gradient = floats_of(memory, layer, GRADIENT)
        call(
            memory.routines,
            SPARSE_BACKWARD,
            (_columns(memory, layer), master, x, dy, dx, gradient, shape, first, last, True),
        )
    else:
        call(memory.routines, DENSE_BACKWARD, (master, x, dy, dx, shape, first, last, True))


@device
def _update_bias(memory, batch, layer, dy, rule, scalars, first, last):
    gradient, shape = floats_of(memory, layer, BIAS_GRADIENT), shape_of(memory, batch, layer)
    call(memory.routines, BIAS_SUMS, (dy, gradient, shape, first, last))
    bias, m, v = (
        floats_of(memory, layer, BIAS),
        floats_of(memory, layer, BIAS_FIRST),
        floats_of(memory, layer, BIAS_SECOND),
    )
    call(memory.routines, UPDATE, (rule, scalars, State(bias, m, v, memory.masks, False), gradient, first, last))


@device
def _update_survivors(memory, layer, rule, scalars, starts, blocks, first, last):
    """Update the survivors of some lines, and perhaps the forward pass's copy of them."""
    begin, end = at(starts, first * blocks), at(starts, last * blocks)
    gradient, master = floats_of(memory, layer, GRADIENT), floats_of(memory, layer, MASTER)
    call(memory.routines, UPDATE, (rule, scalars, _state(memory, layer), gradient, begin, end))
    if layer > 0:
        weights, to_row = floats_of(memory, layer, WEIGHTS), advance(memory.offsets, field(memory, layer, TO_ROW))
        for survivor in range(begin, end):
            put(weights, at(to_row, survivor), at(master, survivor))


@device
def _update(memory, batch, layer, x, x_samples, dy, rule, scalars, threads, thread):
    """Update what a thread owns of a layer: rows of a dense or a first layer, columns of another sparse one."""
    top, bottom = _row_bound(memory, layer, threads, thread), _row_bound(memory, layer, threads, thread + 1)
    if not field(memory, layer, SPARSE):
        shape, state = shape_of(memory, batch, layer), _state(memory, layer)
        call(memory.routines, DENSE_UPDATE, (x_samples, dy, state, rule, scalars, shape, batch.samples, top, bottom))
    elif layer == 0:
        rows = rows_of(memory, layer)
        call(
            memory.routines,
            SPARSE_GRADIENT,
            (rows, x, dy, floats_of(memory, layer, GRADIENT), shape_of(memory, batch, layer), top, bottom),
        )
        _update_survivors(memory, layer, rule, scalars, rows.starts, rows.blocks, top, bottom)
    else:
        columns = _columns(memory, layer)
        left, right = _column_bound(memory, layer, threads, thread), _column_bound(memory, layer, threads, thread + 1)
        _update_survivors(memory, layer, rule, scalars, columns.starts, columns.blocks, left, right)
    if field(memory, layer, BIASED):
        _update_bias(memory, batch, layer, dy, rule, scalars, top, bottom)


@device
def _step(memory, batch, data, indices, rule, scalars, results, meeting, round_, threads, thread):
    """Take one training step; return the number of the next meeting."""
    own = advance(memory.floats, batch.private + thread * batch.private_size)
    x, x_samples, labels = advance(own, batch.x), advance(own, batch.x_samples), advance(own, batch.labels)
    bottom_layer = np.int64(0)  # not a constant, for which helpers would be compiled once more
    shape, both = shape_of(memory, batch, bottom_layer), field(memory, 0, SPARSE) == 0
    gather(memory, data, indices, shape, batch.samples, x, x_samples, both, labels)

    last = batch.layers - 1
    below = x
    for layer in range(last):
        top, bottom = _row_bound(memory, layer, threads, thread), _row_bound(memory, layer, threads, thread + 1)
        above = floats_of(memory, layer, OUTPUT)
        forward(memory, layer, shape_of(memory, batch, layer), below, above, top, bottom, layer < last)
        round_ = meet(meeting, threads, round_)
        below = above
        if not field(memory, layer + 1, SPARSE):
            shape = shape_of(memory, batch, layer + 1)
            blocks = (shape.inputs + LANES - 1) // LANES
            turned = floats_of(memory, layer + 1, INPUT_SAMPLES)
            call(
                memory.routines,
                TRANSPOSE,
                (above, turned, shape, thread * blocks // threads, (thread + 1) * blocks // threads),
            )

    shape = shape_of(memory, batch, last)
    logits, dy = advance(own, batch.logits), advance(own, batch.logits_gradient)
    losses, hits = advance(own, batch.losses), advance(own, batch.hits)
    forward(memory, last, shape, below, logits, bottom_layer, shape.outputs, last < 0)
    scale = np.float32(1) / np.float32(batch.samples)
    vectors = batch.tiles * batch.lanes // LANES
    call(memory.routines, LOSS, (logits, labels, dy, losses, hits, shape, batch.samples, scale, 0, vectors))
    if thread == 0:
        loss, correct = 0.0, 0.0
        for sample in range(batch.samples):
            loss += at(losses, sample)
            correct += at(hits, sample)
        put(results, 0, loss / batch.samples)
        put(results, 1, correct)

    for layer in range(last, 0, -1):
        left, right = _column_bound(memory, layer, threads, thread), _column_bound(memory, layer, threads, thread + 1)
        below = floats_of(memory, layer - 1, OUTPUT)
        dx = floats_of(memory, layer - 1, OUTPUT_GRADIENT)
        _backward(memory, batch, layer, below, dy, dx, left, right)
        round_ = meet(meeting, threads, round_)
        turned = floats_of(memory, layer, INPUT_SAMPLES)
        _update(memory, batch, layer, below, turned, dy, rule, scalars, threads, thread)
        dy = dx
    if last == 0:
        round_ = meet(meeting, threads, round_)
    _update(memory, batch, bottom_layer, x, x_samples, dy, rule, scalars, threads, thread)
    return meet(meeting, threads, round_)


@device
def _steps(job, memory, indices, scalars, results, steps, threads, thread):
    """Take several steps as one of some threads."""
    round_, batch = np.int64(1), job.batch
    for step in range(steps):
        i, s, r = advance(indices, step * batch.samples), advance(scalars, 8 * step), advance(results, 2 * step)
        round_ = _step(memory, batch, job.data, i, job.rule, s, r, job.meeting, round_, threads, thread)


@device
def _steps_together(job, indices, scalars, results, steps, thread):
    """Take several steps with the others, if all are there."""
    if together(job.meeting, job.threads):
        _steps(job, job.memory, indices, scalars, results, steps, job.threads, thread)


@device
def _steps_alone(job, indices, scalars, results, steps):
    # Helpers are compiled anew for constants and for unsigned numbers, such as prange gives; these are neither.
    _steps(job, alone(job), indices, scalars, results, steps, np.int64(1), np.int64(0))


@kernel
def train(told, indices, scalars, results):
    """Take training steps; false, and nothing is done, if an index is not in the data.

    Parameters
    ----------
    told : int64 array
        A `Job`, handed over.
    indices : int64 array of steps * samples
    scalars : float32 array of steps * 8
    results : float64 array of steps * 2
        Mean loss and number of correct answers of each step.
    """
    job, steps = receive_job(pointer(told, 0)), results.size // 2
    which, rates, found = pointer(indices, 0), pointer(scalars, 0), pointer(results, 0)
    if not are_known(which, steps * job.batch.samples, job.data):
        return False
    if job.threads == 1:
        _steps_alone(job, which, rates, found, steps)
        return True
    for i in range(SIZE):
        put(job.meeting, i, np.int64(0))
    for thread in prange(job.threads):  # whose body is given arrays, not addresses
        mine, me = receive_job(pointer(told, 0)), np.int64(thread)
        _steps_together(mine, pointer(indices, 0), pointer(scalars, 0), pointer(results, 0), steps, me)
    if at(job.meeting, DECISION) == ALONE:
        _steps_alone(job, which, rates, found, steps)
    return True
