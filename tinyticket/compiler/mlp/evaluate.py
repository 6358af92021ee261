"""Loss and hits of a network over a data set, in one compiled function over the same arena as its training.

Each thread takes tiles of samples of its own through all layers, so threads never wait for each other. Sums are kept tile by
tile and added up in the order of the data afterwards: their bits do not depend on the number of threads.
"""

import numpy as np
from numba import prange

from tinyticket.compiler.call import call
from tinyticket.compiler.mlp.layers import are_known, gather, receive_job
from tinyticket.compiler.mlp.routines import LOSS
from tinyticket.compiler.mlp.tile import forward_tile, tile_shape
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, pointer
from tinyticket.kernels.cpu.vector.transpose import put


@device
def _evaluate_tile(memory, batch, data, indices, samples, sums, thread):
    """Take one tile of samples through the network; add their losses and hits up."""
    own = advance(memory.floats, batch.private + thread * batch.private_size)
    x, labels, logits = advance(own, batch.x), advance(own, batch.labels), advance(own, batch.logits)
    losses, hits = advance(own, batch.losses), advance(own, batch.hits)
    shape = tile_shape(memory, batch, np.int64(0))
    gather(memory, data, indices, shape, samples, x, x, samples < 0, labels)
    forward_tile(memory, batch, own, x)
    shape = tile_shape(memory, batch, batch.layers - 1)
    gradient, vectors = advance(own, batch.logits_gradient), batch.lanes // LANES
    call(memory.routines, LOSS, (logits, labels, gradient, losses, hits, shape, samples, np.float32(1), 0, vectors))
    loss, correct = 0.0, 0.0
    for sample in range(samples):
        loss += at(losses, sample)
        correct += at(hits, sample)
    put(sums, 0, loss)
    put(sums, 1, correct)


@device
def _evaluate_tiles(job, indices, count, sums, first, last, thread):
    for tile in range(first, last):
        start = tile * job.batch.lanes
        samples = min(job.batch.lanes, count - start)
        which, found = advance(indices, start), advance(sums, 2 * tile)
        _evaluate_tile(job.memory, job.batch, job.data, which, samples, found, thread)


@kernel
def evaluate(told, indices, sums):
    """Write the sums of losses and hits of each tile of `indices`; false if an index is not in the data.

    Parameters
    ----------
    told : int64 array
        A `Job`, handed over. Tiles have its batch's lanes; it has no more threads than the batch has memory for.
    indices : int64 array
    sums : float64 array of tiles * 2
    """
    job, count, tiles = receive_job(pointer(told, 0)), indices.size, sums.size // 2
    which, found = pointer(indices, 0), pointer(sums, 0)
    if not are_known(which, count, job.data):
        return False
    if job.threads == 1:
        _evaluate_tiles(job, which, count, found, np.int64(0), tiles, np.int64(0))
    else:
        for thread in prange(job.threads):  # whose body is given arrays, not addresses
            mine, me = receive_job(pointer(told, 0)), np.int64(thread)
            first, last = me * tiles // mine.threads, (me + 1) * tiles // mine.threads
            _evaluate_tiles(mine, pointer(indices, 0), count, pointer(sums, 0), first, last, me)
    return True
