"""What compiled steps draw as eager layers do."""

from collections.abc import Mapping

import numpy as np

from tinyticket.compiler.graph import Operation


def draw_kept(dropout: Operation, samples: int) -> np.ndarray:
    """Draw what a dropout keeps of a batch, from its module's generator as it is now.

    Returns
    -------
    bool array of shape (samples, numbers in one sample)
    """
    given = dropout.attributes
    return given["module"].rng.random((samples, dropout.inputs[0].size), dtype=np.float32) >= given["p"]


def draw_masks(
    kept: Mapping[Operation, int], size: int, steps: int, samples: int, turns: int, tiles: int, lanes: int
) -> np.ndarray:
    """Draw what all dropouts keep, step after step as eager layers do, in the packed layout.

    Parameters
    ----------
    kept : mapping of Operation to int
        Dropouts, and where the bytes of each begin among those of a turn, `size` in all.
    size, steps, samples : int
    turns : int
        Of a step: one, or one for each tile.
    tiles, lanes : int
        Of a batch, padded lanes included.

    Returns
    -------
    uint8 array of shape (steps, turns, size)
    """
    drawn = np.empty((steps, turns, size), np.uint8)
    for step in range(steps):
        for dropout, begin in kept.items():
            padded = np.zeros((tiles * lanes, dropout.inputs[0].size), np.uint8)
            padded[:samples] = draw_kept(dropout, samples)
            packed = padded.reshape(tiles, lanes, -1).transpose(0, 2, 1)
            drawn[step, :, begin : begin + padded.size // turns] = packed.reshape(turns, -1)
    return drawn
