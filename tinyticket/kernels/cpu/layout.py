"""The packed layout of activations: [tile][feature][lanes], the samples of a batch innermost.

A weight then meets a contiguous run of samples, and one loop serves dense and sparse layers alike. `lanes` is how
many samples lie beside each other, a multiple of sixteen: the whole batch if it is small, so that a fully-connected
layer reads its weights once. An image is [tile][channel][row] [column][lanes] with sixteen lanes; a fully-connected
layer's input is the same thing with one row and one column, or with rows and columns counted into the features. The
last tile is padded: what its spare lanes hold never reaches a loss, a gradient or a count.
"""

import ctypes
import math
from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cpu.machine import LANES

WIDEST = 64
"""Lanes beyond which a batch is cut into tiles: four vectors, what sparse kernels hold at once. A strip of wider tiles would
use only some of the sets of the first-level cache."""


class Shape(NamedTuple):
    """The sizes of a layer's work."""

    tiles: int
    inputs: int
    outputs: int
    lanes: int


def lanes_for(samples: int) -> int:
    """Choose the lanes for a batch: as many whole vectors as it fills, at most 64."""
    return min(max(-(-samples // LANES), 1) * LANES, WIDEST)


def tiles_for(samples: int, lanes: int) -> int:
    """Count the tiles that hold a batch."""
    return -(-samples // lanes)


def address_of(array: np.ndarray) -> int:
    """Return where an array begins."""
    memory: Any = array  # a buffer, which its annotations do not say
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(memory))  # array.ctypes.data takes three times as long
    except (TypeError, ValueError):  # read-only, empty or not contiguous
        return array.ctypes.data


def empty(*shape: int, dtype: type = np.float32) -> np.ndarray:
    """Allocate an uninitialised array that starts on a cache line; kernels are up to twice as fast on those."""
    raw = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + 64, np.uint8)
    return np.ndarray(shape, dtype, raw, -address_of(raw) % 64)


def pack(x: np.ndarray, lanes: int | None = None) -> np.ndarray:
    """Bring samples by features into the packed layout.

    Parameters
    ----------
    x : array of shape (samples, features)
    lanes : int, optional
        Samples beside each other, a multiple of 16; chosen by `lanes_for` if not given.

    Returns
    -------
    float32 array of shape (tiles, features, lanes), padded with zeros.
    """
    samples, features = x.shape
    lanes = lanes or lanes_for(samples)
    tiles = tiles_for(samples, lanes)
    padded = np.zeros((tiles * lanes, features), np.float32)
    padded[:samples] = x
    packed = empty(tiles, features, lanes)
    packed[...] = padded.reshape(tiles, lanes, features).transpose(0, 2, 1)
    return packed


def unpack(packed: np.ndarray, samples: int) -> np.ndarray:
    """Bring packed activations back into the shape (samples, features)."""
    features = packed.shape[1]
    return np.ascontiguousarray(packed.transpose(0, 2, 1).reshape(-1, features)[:samples])


def pack_samples(x: np.ndarray, lanes: int | None = None) -> np.ndarray:
    """Bring samples by features into the sample-major layout of the dense weight gradient.

    Returns
    -------
    float32 array of shape (tiles * lanes, width), both padded with zeros: width is the number of features rounded up
    to whole vectors.
    """
    samples, features = x.shape
    lanes = lanes or lanes_for(samples)
    rows = empty(tiles_for(samples, lanes) * lanes, -(-features // LANES) * LANES)
    rows[...] = 0
    rows[:samples, :features] = x
    return rows
