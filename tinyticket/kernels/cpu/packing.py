"""Arrays in and out of the packed layout (`kernels.geometry` says how it lies)."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.checked import check_fields
from tinyticket.kernels.geometry import LANES, Image, Shape, check_samples, lanes_for, origin, tiles_for, whole_vectors


def address_of(array: np.ndarray) -> int:
    """Return where an array begins."""
    memory: Any = array  # a buffer, which its annotations do not say
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(memory))  # array.ctypes.data takes three times as long
    except (TypeError, ValueError):  # read-only, empty or not contiguous
        return array.ctypes.data


def empty(*shape: int, dtype: type = np.float32) -> np.ndarray:
    """Allocate an uninitialised array that starts on a cache line; kernels are up to twice as fast on those."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        raw = np.empty(size + 64, np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise InputError(f"an array of shape {shape} takes {size / 1e9:.3g} GB, which are not to be had") from None
    return np.ndarray(shape, dtype, raw, -address_of(raw) % 64)


def contiguous(array: np.ndarray) -> np.ndarray:
    """Return an array as kernels read it: C-contiguous and aligned float32, copied only if it must be."""
    array = np.ascontiguousarray(array, np.float32)
    return array if array.flags.aligned else array.copy()


def packed_shape(x: np.ndarray, name: str, matrix: tuple[int, ...] | None = None) -> Shape:
    """Return the sizes of packed activations and of the matrix (outputs, inputs) they meet; without one, both are the features."""
    if x.ndim != 3 or x.shape[2] % LANES or 0 in x.shape:
        raise InputError(
            f"{name} must be packed as (tiles, features, lanes) with lanes a multiple of {LANES}, not {x.shape}"
        )
    tiles, features, lanes = x.shape
    if matrix is None:
        return Shape(tiles, features, features, lanes)
    if len(matrix) != 2:
        raise InputError(f"weight must have the shape (outputs, inputs), not {matrix}")
    if matrix[1] != features:
        raise InputError(f"{name} has {features} features, but {matrix[1]} were expected")
    return Shape(tiles, features, matrix[0], lanes)


def pack(x: np.ndarray, lanes: int | None = None) -> np.ndarray:
    """Bring x, (samples, features), into the packed layout (tiles, features, lanes): float32, padded with zeros.

    Lanes are samples beside each other, a multiple of 16; chosen by `lanes_for` if not given.
    """
    rows, lanes = pack_samples(x, lanes), lanes_for(len(x), lanes)
    features = x.shape[1]
    packed = empty(len(rows) // lanes, features, lanes)
    packed[...] = rows.reshape(-1, lanes, rows.shape[1])[:, :, :features].transpose(0, 2, 1)
    return packed


def unpack(packed: np.ndarray, samples: int) -> np.ndarray:
    """Bring packed activations back into the shape (samples, features); InputError if they do not hold so many."""
    shape = packed_shape(packed, "packed")
    check_samples(samples, shape.tiles, shape.lanes)
    return np.ascontiguousarray(packed.transpose(0, 2, 1).reshape(-1, shape.inputs)[:samples])


def pack_samples(x: np.ndarray, lanes: int | None = None) -> np.ndarray:
    """Bring x, (samples, features), into the sample-major layout of the dense weight gradient: float32, padded with zeros.

    That is (tiles * lanes, width), where width is the number of features rounded up to whole vectors.
    """
    if x.ndim != 2 or not x.shape[1]:
        raise InputError(f"x must have the shape (samples, features), with one feature at least, not {x.shape}")
    (samples, features), lanes = x.shape, lanes_for(len(x), lanes)
    rows = empty(tiles_for(samples, lanes) * lanes, whole_vectors(features))
    rows[...] = 0
    rows[:samples, :features] = x
    return rows


@dataclass(frozen=True, eq=False)
class Images:
    """Packed images with a border of zeros: what kernels on images take and return.

    The array is (tiles, channels, rows + 2 border, columns + 2 border, 16), taken as it is if it is C-contiguous float32, else
    copied; InputError if there is no image of at least one pixel inside the border.
    """

    array: np.ndarray
    border: int = 0

    def __post_init__(self):
        if getattr(self.array, "dtype", None) != np.float32 or type(self.border) is not int or self.border < 0:
            check_fields(self)
        vars(self)["array"] = contiguous(self.array)
        shape = self.array.shape
        if len(shape) != 5 or shape[4] != LANES or 0 in shape:
            raise InputError(f"images must be packed as (tiles, channels, rows, columns, {LANES}), not {shape}")
        if min(shape[2:4]) <= 2 * self.border:
            raise InputError(f"images of shape {shape} have no room for a border of {self.border}")

    @property
    def tiles(self) -> int:
        """Number of tiles of sixteen samples."""
        return self.array.shape[0]

    @property
    def geometry(self) -> Image:
        """Channels, rows and columns without the border, and the border's width."""
        _, channels, height, width, _ = self.array.shape
        return Image(channels, height - 2 * self.border, width - 2 * self.border, self.border)

    @property
    def interior(self) -> np.ndarray:
        """The numbers as a flat view that begins with the first pixel inside the first border."""
        return self.array.reshape(-1)[origin(self.geometry) :]

    @classmethod
    def zeros(cls, tiles: int, geometry: Image) -> Images:
        """Allocate images of zeros."""
        height, width = (size + 2 * geometry.border for size in (geometry.height, geometry.width))
        array = empty(tiles, geometry.channels, height, width, LANES)
        array[...] = 0
        return cls(array, geometry.border)


def pack_images(x: np.ndarray, border: int = 0) -> Images:
    """Bring x, (samples, channels, rows, columns), into the packed layout, with zeros in padded lanes and in a border so wide."""
    if x.ndim != 4:
        raise InputError(f"images must have the shape (samples, channels, rows, columns), not {x.shape}")
    samples, channels, height, width = x.shape
    packed = Images.zeros(tiles_for(samples, LANES), Image(channels, height, width, border))
    inside = packed.array[:, :, border : border + height, border : border + width]
    whole = samples // LANES
    inside[:whole] = x[: whole * LANES].reshape(whole, LANES, channels, height, width).transpose(0, 2, 3, 4, 1)
    if whole < packed.tiles:
        inside[whole, ..., : samples - whole * LANES] = x[whole * LANES :].transpose(1, 2, 3, 0)
    return packed


def unpack_images(packed: Images, samples: int) -> np.ndarray:
    """Bring packed images back into the shape (samples, channels, rows, columns), without their border."""
    channels, height, width, border, _ = packed.geometry
    check_samples(samples, packed.tiles)
    inside = packed.array[:, :, border : border + height, border : border + width]
    return np.ascontiguousarray(inside.transpose(0, 4, 1, 2, 3).reshape(-1, channels, height, width)[:samples])
