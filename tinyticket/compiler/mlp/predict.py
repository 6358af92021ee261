"""Logits of new examples, in one call of one compiled function.

A ticket answers a single example in a few microseconds, so what a call costs besides counts: the network is described to compiled
code once, as one array of integers, and a call checks the shape of its examples and nothing else. Each thread takes tiles
of samples of its own through all layers, as in evaluation. Every sample's sums are added up in an order of their own, whatever
lies in the lanes beside it: its logits have the same bits in any batch, and for any number of threads.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from tinyticket.compiler.call import call
from tinyticket.compiler.mlp.layers import BATCH, MEMORY
from tinyticket.compiler.mlp.plan import Plan
from tinyticket.compiler.mlp.program import Batch, Memory
from tinyticket.compiler.mlp.routines import GATHER
from tinyticket.compiler.mlp.tile import forward_tile, tile_shape
from tinyticket.errors import InputError
from tinyticket.kernels.cpu import LANES
from tinyticket.kernels.cpu.handover import handed_over, numbers, received, types
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.simd import advance, pointer
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.transpose import square_of_lines, store_corner, transposed

WORTH_THREADS = 1 << 16
"""Multiply-adds of vectors below which one thread does it all: some twenty microseconds, of which a second thread could save half,
and waking it takes a good part of that."""

PACKING = 8
"""What packing a vector of inputs takes, in multiply-adds: sixteen are read, turned in 64 shuffles, and stored."""

_FLOAT32 = np.dtype(np.float32)


class Told(NamedTuple):
    """What compiled code is told about a network, handed over as one array."""

    memory: Memory
    batch: Batch
    order: np.ndarray  # int64, a tile's samples one after the other


_receive = received(types.NamedTuple((MEMORY, BATCH, numbers), Told))


@device
def _unpack(packed, lanes, classes, samples, logits):
    """Write packed logits out sample by sample."""
    for sample in range(0, samples, LANES):
        rows = min(LANES, samples - sample)
        for first in range(0, classes, LANES):
            count = min(LANES, classes - first)
            square = transposed(square_of_lines(advance(packed, first * lanes + sample), lanes, count), count)
            store_corner(advance(logits, sample * classes + first), classes, square, rows, count)


@device
def _predict_tile(told, x, samples, logits, thread):
    """Take one tile of samples through the network."""
    memory, batch = told.memory, told.batch
    own = advance(memory.floats, batch.private + thread * batch.private_size)
    packed, shape = advance(own, batch.x), tile_shape(memory, batch, np.int64(0))
    blocks = (shape.inputs + LANES - 1) // LANES
    call(memory.routines, GATHER, (x, told.order, packed, packed, samples < 0, shape, samples, 0, blocks))
    forward_tile(memory, batch, own, packed)
    classes = tile_shape(memory, batch, batch.layers - 1).outputs
    _unpack(advance(own, batch.logits), batch.lanes, classes, samples, logits)


@device
def _predict_tiles(told, x, features, samples, logits, classes, first, last, thread):
    for tile in range(first, last):
        start = tile * told.batch.lanes
        count = min(told.batch.lanes, samples - start)
        _predict_tile(told, advance(x, start * features), count, advance(logits, start * classes), thread)


@kernel
def predict(told, x, logits, threads):
    """Write the logits of all samples.

    Parameters
    ----------
    told : int64 array
        A `Told`, handed over.
    x : float32 array of shape (samples, features)
    logits : float32 array of shape (samples, classes)
    threads : int
        No more than the batch has memory for.
    """
    network, samples, features, classes = _receive(pointer(told, 0)), x.shape[0], x.shape[1], logits.shape[1]
    lanes = network.batch.lanes
    tiles = (samples + lanes - 1) // lanes
    if threads == 1:
        first, only = np.int64(0), np.int64(0)  # not constants, for which helpers would be compiled once more
        _predict_tiles(network, pointer(x, 0), features, samples, pointer(logits, 0), classes, first, tiles, only)
    else:
        for thread in prange(threads):  # whose body is given arrays, not addresses
            mine, me = _receive(pointer(told, 0)), np.int64(thread)
            first, last = me * tiles // threads, (me + 1) * tiles // threads
            _predict_tiles(mine, pointer(x, 0), features, samples, pointer(logits, 0), classes, first, last, me)


class Predictor:
    """Predictions of the network that a plan holds, whatever its weights are when they are asked for.

    Parameters
    ----------
    plan : Plan
    threads : int
        As many as the plan has memory for.
    """

    def __init__(self, plan: Plan, threads: int):
        self._plan, self._threads = plan, threads
        self._order = np.arange(plan.lanes)  # kept, as the plan is: compiled code has their addresses
        self._told = handed_over(Told(plan.memory, plan.batch, self._order))
        self._features, self._classes, self._lanes = plan.shapes[0][1], plan.shapes[-1][0], plan.lanes
        self._alone = WORTH_THREADS // self._tile_work()  # tiles that one thread takes

    def _tile_work(self) -> int:
        """Return how many multiply-adds of vectors a tile is."""
        weights = sum(
            o * i if pattern is None else pattern.count
            for (o, i), pattern in zip(self._plan.shapes, self._plan.patterns, strict=True)
        )
        return (weights + PACKING * self._features) * (self._lanes // LANES)

    def __call__(self, x: Any) -> np.ndarray:
        """Return the logits of examples (N, features), or of images of as many pixels, as float32 (N, classes)."""
        if x.ndim != 2 or x.shape[1] != self._features:
            x = self._flat(x)
        if x.dtype != _FLOAT32 or not x.flags.carray:  # for which nothing is compiled
            x = np.require(x, np.float32, ("C", "A", "W"))
        logits = np.empty((len(x), self._classes), np.float32)
        tiles = -(-len(x) // self._lanes)
        predict(self._told, x, logits, 1 if tiles <= max(self._alone, 1) else min(thread_count(self._threads), tiles))
        return logits

    def _flat(self, x: Any) -> np.ndarray:
        if x.ndim < 2 or math.prod(x.shape[1:]) != self._features:
            raise InputError(f"predict takes examples of shape (N, {self._features}), not {tuple(x.shape)}")
        return np.asarray(x, np.float32).reshape(len(x), self._features)
