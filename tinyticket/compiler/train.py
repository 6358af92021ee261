"""A whole training step of a fully-connected network in one compiled function, and in one parallel region.

Each thread owns some rows and some columns of every layer, and works through the step without leaving its region: it
meets the others wherever it needs what they have computed. To meet less often, each packs the whole batch for itself, and
computes the small last layer and the loss for itself.

    gather, forward 1 | forward 2 | ... | forward L, loss, backward L | update L, backward L-1 | ... | update 2, gradient
    1 and update 1
"""

import numpy as np
from numba import prange

from tinyticket.compiler.program import (
    BIAS,
    BIAS_FIRST,
    BIAS_GRADIENT,
    BIAS_SECOND,
    COLUMN_BLOCKS,
    COLUMN_OFFSETS,
    COLUMN_STARTS,
    FIELDS,
    FIRST,
    GRADIENT,
    INPUT_SAMPLES,
    INPUTS,
    MASK,
    MASKED,
    MASTER,
    OUTPUT,
    OUTPUT_GRADIENT,
    OUTPUTS,
    ROW_BLOCKS,
    ROW_OFFSETS,
    ROW_STARTS,
    SECOND,
    SPARSE,
    TO_ROW,
    WEIGHTS,
    Data,
    Memory,
)
from tinyticket.compiler.routines import BIAS as BIAS_SUMS
from tinyticket.compiler.routines import (
    DENSE_BACKWARD,
    DENSE_FORWARD,
    DENSE_UPDATE,
    GATHER,
    GATHER_PIXELS,
    LOSS,
    SPARSE_BACKWARD,
    SPARSE_FORWARD,
    SPARSE_GRADIENT,
    TRANSPOSE,
    UPDATE,
    call,
)
from tinyticket.kernels.cpu.barrier import ALONE, DECISION, SIZE, meet, together
from tinyticket.kernels.cpu.jit import device, kernel
from tinyticket.kernels.cpu.layout import Shape
from tinyticket.kernels.cpu.machine import LANES
from tinyticket.kernels.cpu.simd import advance, at, pointer
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cpu.transpose import put
from tinyticket.kernels.cpu.update import State


@device
def _field(memory, layer, field):
    return at(memory.table, layer * FIELDS + field)


@device
def _floats(memory, layer, field):
    return advance(memory.floats, at(memory.table, layer * FIELDS + field))


@device
def _shape(memory, batch, layer):
    return Shape(batch.tiles, _field(memory, layer, INPUTS), _field(memory, layer, OUTPUTS), batch.lanes)


@device
def _rows(memory, layer):
    starts = advance(memory.offsets, _field(memory, layer, ROW_STARTS))
    return Lines(starts, advance(memory.offsets, _field(memory, layer, ROW_OFFSETS)), _field(memory, layer, ROW_BLOCKS))


@device
def _columns(memory, layer):
    starts = advance(memory.offsets, _field(memory, layer, COLUMN_STARTS))
    offsets = advance(memory.offsets, _field(memory, layer, COLUMN_OFFSETS))
    return Lines(starts, offsets, _field(memory, layer, COLUMN_BLOCKS))


@device
def _state(memory, layer):
    w, m, v = _floats(memory, layer, MASTER), _floats(memory, layer, FIRST), _floats(memory, layer, SECOND)
    return State(w, m, v, advance(memory.masks, _field(memory, layer, MASK)), _field(memory, layer, MASKED) > 0)


@device
def _bound(memory, layer, columns, threads, thread):
    return at(memory.bounds, (2 * layer + columns) * (threads + 1) + thread)


@device
def _forward(memory, batch, layer, x, y, first, last, rectify):
    weights, bias, shape = _floats(memory, layer, WEIGHTS), _floats(memory, layer, BIAS), _shape(memory, batch, layer)
    if _field(memory, layer, SPARSE):
        call(memory.routines, SPARSE_FORWARD, (_rows(memory, layer), weights, bias, x, y, shape, first, last, rectify))
    else:
        call(memory.routines, DENSE_FORWARD, (weights, bias, x, y, shape, first, last, rectify))


@device
def _backward(memory, batch, layer, x, dy, dx, first, last):
    """Input gradient of some columns, and their survivors' gradients."""
    master, shape = _floats(memory, layer, MASTER), _shape(memory, batch, layer)
    if _field(memory, layer, SPARSE):
        gradient = _floats(memory, layer, GRADIENT)
        call(
            memory.routines,
            SPARSE_BACKWARD,
            (_columns(memory, layer), master, x, dy, dx, gradient, shape, first, last, True),
        )
    else:
        call(memory.routines, DENSE_BACKWARD, (master, x, dy, dx, shape, first, last, True))


@device
def _update_bias(memory, batch, layer, dy, rule, scalars, first, last):
    gradient, shape = _floats(memory, layer, BIAS_GRADIENT), _shape(memory, batch, layer)
    call(memory.routines, BIAS_SUMS, (dy, gradient, shape, first, last))
    bias, m, v = _floats(memory, layer, BIAS), _floats(memory, layer, BIAS_FIRST), _floats(memory, layer, BIAS_SECOND)
    call(memory.routines, UPDATE, (rule, scalars, State(bias, m, v, memory.masks, False), gradient, first, last))


@device
def _update_survivors(memory, layer, rule, scalars, starts, blocks, first, last, to_rows):
    """Update the survivors of some lines, and perhaps the forward pass's copy of them."""
    begin, end = at(starts, first * blocks), at(starts, last * blocks)
    gradient, master = _floats(memory, layer, GRADIENT), _floats(memory, layer, MASTER)
    call(memory.routines, UPDATE, (rule, scalars, _state(memory, layer), gradient, begin, end))
    if to_rows:
        weights, to_row = _floats(memory, layer, WEIGHTS), advance(memory.offsets, _field(memory, layer, TO_ROW))
        for survivor in range(begin, end):
            put(weights, at(to_row, survivor), at(master, survivor))


@device
def _update(memory, batch, layer, x, x_samples, dy, rule, scalars, threads, thread):
    """Update what a thread owns of a layer: rows of a dense or a first layer, columns of another sparse one."""
    top, bottom = _bound(memory, layer, 0, threads, thread), _bound(memory, layer, 0, threads, thread + 1)
    if not _field(memory, layer, SPARSE):
        shape, state = _shape(memory, batch, layer), _state(memory, layer)
        call(memory.routines, DENSE_UPDATE, (x_samples, dy, state, rule, scalars, shape, batch.samples, top, bottom))
    elif layer == 0:
        rows = _rows(memory, layer)
        call(
            memory.routines,
            SPARSE_GRADIENT,
            (rows, x, dy, _floats(memory, layer, GRADIENT), _shape(memory, batch, layer), top, bottom),
        )
        _update_survivors(memory, layer, rule, scalars, rows.starts, rows.blocks, top, bottom, False)
    else:
        columns = _columns(memory, layer)
        left, right = _bound(memory, layer, 1, threads, thread), _bound(memory, layer, 1, threads, thread + 1)
        _update_survivors(memory, layer, rule, scalars, columns.starts, columns.blocks, left, right, True)
    _update_bias(memory, batch, layer, dy, rule, scalars, top, bottom)


@device
def _step(memory, batch, data, indices, rule, scalars, results, meeting, round_, threads, thread):
    """Take one training step; return the number of the next meeting."""
    own = advance(memory.floats, batch.private + thread * batch.private_size)
    x, x_samples, labels = advance(own, batch.x), advance(own, batch.x_samples), advance(own, batch.labels)
    for sample in range(batch.samples):
        put(labels, sample, at(data.labels, at(indices, sample)))
    shape = _shape(memory, batch, 0)
    blocks = (shape.inputs + LANES - 1) // LANES
    both = _field(memory, 0, SPARSE) == 0
    if data.as_pixels:
        call(
            memory.routines, GATHER_PIXELS, (data.pixels, indices, x, x_samples, both, shape, batch.samples, 0, blocks)
        )
    else:
        call(memory.routines, GATHER, (data.examples, indices, x, x_samples, both, shape, batch.samples, 0, blocks))

    last = batch.layers - 1
    below = x
    for layer in range(last):
        top, bottom = _bound(memory, layer, 0, threads, thread), _bound(memory, layer, 0, threads, thread + 1)
        above = _floats(memory, layer, OUTPUT)
        _forward(memory, batch, layer, below, above, top, bottom, True)
        round_ = meet(meeting, threads, round_)
        below = above
        if not _field(memory, layer + 1, SPARSE):
            shape = _shape(memory, batch, layer + 1)
            blocks = (shape.inputs + LANES - 1) // LANES
            turned = _floats(memory, layer + 1, INPUT_SAMPLES)
            call(
                memory.routines,
                TRANSPOSE,
                (above, turned, shape, thread * blocks // threads, (thread + 1) * blocks // threads),
            )

    shape = _shape(memory, batch, last)
    logits, dy = advance(own, batch.logits), advance(own, batch.logits_gradient)
    losses, hits = advance(own, batch.losses), advance(own, batch.hits)
    _forward(memory, batch, last, below, logits, 0, shape.outputs, False)
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
        left, right = _bound(memory, layer, 1, threads, thread), _bound(memory, layer, 1, threads, thread + 1)
        below = _floats(memory, layer - 1, OUTPUT)
        dx = _floats(memory, layer - 1, OUTPUT_GRADIENT)
        _backward(memory, batch, layer, below, dy, dx, left, right)
        round_ = meet(meeting, threads, round_)
        turned = _floats(memory, layer, INPUT_SAMPLES)
        _update(memory, batch, layer, below, turned, dy, rule, scalars, threads, thread)
        dy = dx
    if last == 0:
        round_ = meet(meeting, threads, round_)
    _update(memory, batch, 0, x, x_samples, dy, rule, scalars, threads, thread)
    return meet(meeting, threads, round_)


@device
def _steps(memory, bounds, batch, data, indices, steps, rule, scalars, results, meeting, threads, thread):
    """Take several steps as one of some threads."""
    floats, offsets = pointer(memory.floats, 0), pointer(memory.offsets, 0)
    place = Memory(
        floats,
        offsets,
        pointer(memory.masks, 0),
        pointer(memory.table, 0),
        pointer(bounds, 0),
        pointer(memory.routines, 0),
    )
    source = Data(
        pointer(data.examples, 0), pointer(data.pixels, 0), data.as_pixels, pointer(data.labels, 0), data.count
    )
    round_ = 1
    for step in range(steps):
        i, s, r = pointer(indices, step * batch.samples), pointer(scalars, 8 * step), pointer(results, 2 * step)
        round_ = _step(place, batch, source, i, rule, s, r, pointer(meeting, 0), round_, threads, thread)


@kernel
def train(memory, alone, batch, data, indices, steps, rule, scalars, results, meeting, threads):
    """Take training steps; false, and nothing is done, if an index is not in the data.

    Parameters
    ----------
    memory : Memory
        With the bounds of so many threads.
    alone : int64 array
        The bounds of one thread, in case the others are not to be had.
    batch : Batch
    data : Data
    indices : int64 array of steps * samples
    steps, rule : int
    scalars : float32 array of steps * 8
    results : float64 array of steps * 2
        Mean loss and number of correct answers of each step.
    meeting : int64 array of barrier.SIZE
    threads : int
    """
    for i in range(steps * batch.samples):
        if indices[i] < 0 or indices[i] >= data.count:
            return False
    if threads == 1:
        _steps(memory, memory.bounds, batch, data, indices, steps, rule, scalars, results, meeting, 1, 0)
        return True
    for i in range(SIZE):
        meeting[i] = 0
    for thread in prange(threads):
        if together(pointer(meeting, 0), threads):
            _steps(memory, memory.bounds, batch, data, indices, steps, rule, scalars, results, meeting, threads, thread)
    if meeting[DECISION] == ALONE:
        _steps(memory, alone, batch, data, indices, steps, rule, scalars, results, meeting, 1, 0)
    return True
