"""What stands between a caller's arrays and a kernel: the right type, order and shape, or one clear sentence.

Kernels take flat, C-contiguous float32 arrays and check nothing; compiling them for anything else would double what a
first run must compile.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.layout import Shape
from tinyticket.kernels.cpu.machine import LANES


def flat(array: np.ndarray, shape: Sequence[int], name: str) -> np.ndarray:
    """Return an input as a flat float32 array, copied only if it must be; any other shape is an error."""
    array = np.asarray(array)
    if array.shape != tuple(shape):
        raise InputError(f"{name} has shape {array.shape}, but {tuple(shape)} was expected")
    flattened = np.ascontiguousarray(array, np.float32).reshape(-1)
    # A read-only array (a memory map, a broadcast) would be another type to Numba, and so another compilation.
    return flattened if flattened.flags.writeable else flattened.copy()


def flat_kept(array: np.ndarray, shape: Sequence[int], name: str) -> np.ndarray:
    """Return an input that is read again later as a flat view; one that would have to be copied is an error."""
    if array.shape != tuple(shape) or array.dtype != np.float32 or not array.flags.c_contiguous:
        raise InputError(
            f"{name} is {array.dtype} of shape {array.shape}, but C-contiguous float32 of shape {tuple(shape)} was "
            "expected, because it is not copied"
        )
    return array.reshape(-1)


def flat_output(array: np.ndarray, shape: Sequence[int], name: str) -> np.ndarray:
    """Return an output as a flat view; one that would have to be copied is an error."""
    if array.shape != tuple(shape) or array.dtype != np.float32:
        raise InputError(
            f"{name} is {array.dtype} of shape {array.shape}, but float32 of shape {tuple(shape)} was expected"
        )
    if not (array.flags.c_contiguous and array.flags.writeable):
        raise InputError(f"{name} must be C-contiguous and writeable, because the result is written into it")
    return array.reshape(-1)


def packed_shape(x: np.ndarray, name: str, matrix: tuple[int, ...] | None = None) -> Shape:
    """Return the sizes of packed activations after checking them.

    With the shape (outputs, inputs) of the matrix they will meet; without one, both are the features.
    """
    if x.ndim != 3 or x.shape[2] % LANES or 0 in x.shape:
        raise InputError(
            f"{name} must be packed as (tiles, features, lanes) with lanes a multiple of {LANES}, not {x.shape}"
        )
    tiles, features, lanes = x.shape
    outputs, inputs = matrix or (features, features)
    if features != inputs:
        raise InputError(f"{name} has {features} features, but {inputs} were expected")
    return Shape(tiles, inputs, outputs, lanes)


@cache
def even_bounds(count: int, chunks: int, multiple: int = 1) -> np.ndarray:
    """Cut `count` outputs into chunks of nearly equal size that start at multiples of a tile."""
    blocks = -(-count // multiple)
    return np.minimum(np.arange(chunks + 1) * blocks // chunks * multiple, count).astype(np.int64)
