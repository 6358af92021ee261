"""Checks of a caller's arrays before a kernel has them: the right type, order and shape, or one clear sentence.

Kernels read contiguous float32 by address and check nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.packing import Images, contiguous, empty
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.geometry import (
    Image,
    Shape,
    Window,
    lanes_for,
    make_window,
    plane,
    row,
    tiles_for,
    whole_vectors,
)


def flat(array: np.ndarray, shape: Sequence[int], name: str) -> np.ndarray:
    """Return an input as a flat float32 array, copied only if it must be; any other shape is an error."""
    array = np.asarray(array)
    if array.shape != tuple(shape):
        raise InputError(f"{name} has shape {array.shape}, but {tuple(shape)} was expected")
    return contiguous(array).reshape(-1)


def _unexpected(array: np.ndarray, shape: Sequence[int], name: str, kind: str, why: str = "") -> InputError:
    expected = f"{kind} of shape {tuple(shape)} was expected"
    return InputError(f"{name} is {array.dtype} of shape {array.shape}, but {expected}{why}")


def flat_kept(array: np.ndarray, shape: Sequence[int], name: str) -> np.ndarray:
    """Return an input that is read again later as a flat view; one that would have to be copied is an error."""
    if array.shape != tuple(shape) or array.dtype != np.float32 or contiguous(array) is not array:
        raise _unexpected(array, shape, name, "C-contiguous float32", ", because it is not copied")
    return array.reshape(-1)


def flat_output(array: np.ndarray, shape: Sequence[int], name: str) -> np.ndarray:
    """Return an output as a flat view; one that would have to be copied is an error."""
    if array.shape != tuple(shape) or array.dtype != np.float32:
        raise _unexpected(array, shape, name, "float32")
    if not array.flags.carray:  # contiguous, aligned and writeable
        raise InputError(f"{name} must be C-contiguous and writeable, because the result is written into it")
    return array.reshape(-1)


def flat_bytes(array: np.ndarray, shape: Sequence[int], name: str, *others: type) -> np.ndarray:
    """Return a mask, bool or of other types of a byte, as flat bytes."""
    array = np.asarray(array)
    if array.shape != tuple(shape) or array.dtype not in (np.bool_, *others):
        raise _unexpected(array, shape, name, "bool")
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def flat_each(
    shape: Sequence[int], check: Callable[..., np.ndarray] = flat, /, **arrays: np.ndarray
) -> list[np.ndarray]:
    """Return arrays of one shape, flat and checked, by their names."""
    return [check(array, shape, name) for name, array in arrays.items()]


def check_examples(data: np.ndarray, dimensions: str) -> int:
    """Return the number of examples of a data set; raise InputError unless it has these dimensions and one example at least."""
    if data.ndim != dimensions.count(",") + 1 or not data.size:
        raise InputError(f"data must be ({dimensions}), not of shape {data.shape}")
    return len(data)


def chosen(indices: np.ndarray, examples: int) -> np.ndarray:
    """Return indices of examples as kernels read them; raise InputError unless they are whole numbers of examples, one at least."""
    if indices.ndim != 1 or not indices.size or indices.dtype.kind not in "iu":
        raise InputError(f"indices must be some whole numbers in one row, not {indices.dtype} of shape {indices.shape}")
    if indices.min() < 0 or indices.max() >= examples:
        raise InputError(f"indices must be from 0 to {examples - 1}, not {indices.min()} to {indices.max()}")
    return np.ascontiguousarray(indices, np.int64)


def batch_of(
    samples: int, features: int, lanes: int | None, sample_major: bool
) -> tuple[Shape, np.ndarray, np.ndarray | None]:
    """Return the shape of a batch of features, its packed activations, and its x_samples if they are asked for."""
    lanes = lanes_for(samples, lanes)
    tiles = tiles_for(samples, lanes)
    x_samples = empty(tiles * lanes, whole_vectors(features)) if sample_major else None
    return Shape(tiles, features, features, lanes), empty(tiles, features, lanes), x_samples


def images_like(x: Images, tiles: int, geometry: Image, name: str) -> np.ndarray:
    """Return the interior of images that must have a geometry, border included."""
    if x.tiles != tiles or x.geometry != geometry:
        raise InputError(f"{name} is {x.geometry} in {x.tiles} tiles, but {geometry} in {tiles} tiles was expected")
    return x.interior


def images_to_write(x: Images | None, tiles: int, geometry: Image, name: str) -> Images:
    """Return images that a result is written into or added to: those given, which must be writeable, or new zeros."""
    if x is None:
        return Images.zeros(tiles, geometry)
    images_like(x, tiles, geometry, name)
    if not x.array.flags.writeable:
        raise InputError(f"{name} must be writeable, because the result is written into it")
    return x


def addend_like(addend: Images | None, x: Images) -> tuple[np.ndarray | int, Image]:
    """Return the interior and the geometry of an addend, which differs from x by its border at most; 0 without one."""
    if addend is None:
        return 0, x.geometry
    image = x.geometry._replace(border=addend.border)
    return images_like(addend, x.tiles, image, "addend"), image


def elementwise_window(x: Images, border: int = 0) -> Window:
    """Return the work of what treats each pixel alone, into images with a border of their own."""
    image = x.geometry
    return make_window(x.tiles, image, image._replace(border=border), (1, 1))


def pooling_window(x: Images, kernel: int | tuple[int, int], stride: int | None, padding: int, border: int) -> Window:
    """Return the work of a pooling; a stride of None is the kernel's height."""
    image = x.geometry
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    stride = height if stride is None else stride
    if min(height, width, stride) < 1 or not 0 <= padding < min(height, width):
        raise InputError(
            f"pooling needs a kernel and a stride of at least 1 and a padding smaller than its kernel, not kernel {kernel}, "
            f"stride {stride}, padding {padding}"
        )
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in ((image.height, height), (image.width, width)))
    if min(rows, columns) < 1:
        raise InputError(f"a window of {height} by {width} does not fit into images of {image.height} by {image.width}")
    y = Image(image.channels, rows, columns, border)
    # Windows are clipped at the image's edge, so here padding needs no border.
    padded = image._replace(border=max(image.border, padding))
    window = make_window(x.tiles, padded, y, (height, width), stride, padding)
    return window._replace(x_row=row(image), x_plane=plane(image))


@cache
def even_bounds(count: int, chunks: int, multiple: int = 1) -> np.ndarray:
    """Cut `count` outputs into chunks of nearly equal size that start at multiples of a tile."""
    blocks = -(-count // multiple)
    return np.minimum(np.arange(chunks + 1) * blocks // chunks * multiple, count).astype(np.int64)


def even_shares(count: int, threads: int | None, multiple: int = 1) -> np.ndarray:
    """Cut `count` outputs into a share for each thread that may run, of those asked for."""
    return even_bounds(count, thread_count(threads), multiple)
