"""The batch, its loss, and the update of weights."""

import numpy as np

from tinyticket.compiler.network.routines.arguments import image_at, number_at, place_at, shape_at, state_at
from tinyticket.kernels.cpu.image_gather_passes import gather_image_planes, gather_pixel_planes
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.penalty import l1_range
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.softmax_cross_entropy import cross_entropy_vectors
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.cpu.update import update_range


@device
def gather_batch(c, row, first, last):
    """Arguments: x, image."""
    x, image = place_at(c, row, 0), image_at(row, 1)
    if c.as_pixels:
        gather_pixel_planes(c.pixels, c.indices, c.crops, c.mean, c.std, x, image, c.samples, first, last, c.cropped)
    else:
        gather_image_planes(c.examples, c.indices, c.crops, x, image, c.samples, first, last, c.cropped)


@device
def loss_of_tiles(c, row, first, last):
    """Arguments: logits, their gradient, labels, losses, hits, shape."""
    labels, shape = place_at(c, row, 2), shape_at(row, 5)
    for sample in range(first * LANES, last * LANES):
        put(labels, sample, at(c.labels, at(c.indices, min(sample, c.samples - 1))))
    logits, gradient, losses, hits = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 3), place_at(c, row, 4)
    scale = np.float32(1) / np.float32(c.samples)
    cross_entropy_vectors(logits, labels, gradient, losses, hits, shape, c.samples, scale, first, last)


@device
def sum_losses(c, row, first, last):
    """Arguments: losses, hits. The results are sums over the batch, in the order of its samples."""
    losses, hits = place_at(c, row, 0), place_at(c, row, 1)
    loss, correct = 0.0, 0.0
    for sample in range(c.samples):
        loss += at(losses, sample)
        correct += at(hits, sample)
    put(c.results, 0, loss)
    put(c.results, 1, correct)


@device
def penalise(c, row, first, last):
    """Arguments: gradient, weights, place of the penalty's strength."""
    l1_range(at(place_at(c, row, 2), 0), place_at(c, row, 1), place_at(c, row, 0), first, last)


@device
def update_weights(c, row, first, last):
    """Arguments: gradient, state."""
    update_range(c.rule, c.scalars, state_at(c, row, 1), place_at(c, row, 0), first, last)


@device
def scatter_survivors(c, row, first, last):
    """Arguments: survivors column by column, row by row, and the places of the former among the latter."""
    columns, rows, to_row = place_at(c, row, 0), place_at(c, row, 1), advance(c.offsets, number_at(row, 2))
    for survivor in range(first, last):
        put(rows, at(to_row, survivor), at(columns, survivor))
