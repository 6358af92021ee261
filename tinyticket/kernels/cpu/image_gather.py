"""Batches of images as a function of arrays: chosen, cropped, mirrored, normalised and packed in one pass.

>>> x = gather_images(data, indices, crops=crops, mean=mean, std=std, border=1)        # doctest: +SKIP
"""

import numpy as np
from numba import prange

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat
from tinyticket.kernels.geometry import Image
from tinyticket.kernels.cpu.image_arguments import flat_parameter, interior_output, zeros
from tinyticket.kernels.cpu.image_gather_passes import gather_image_planes, gather_pixel_planes
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.geometry import tiles_for
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import pointer
from tinyticket.kernels.cpu.threads import thread_count


@device
def _image_chunk(data, indices, crops, x, image, samples, cropped, first, last):
    d, i, c, packed = pointer(data, 0), pointer(indices, 0), pointer(crops, 0), pointer(x, 0)
    gather_image_planes(d, i, c, packed, image, samples, first, last, cropped)


@kernel
def gather_image_batch(bounds, data, indices, crops, x, image, samples, cropped):
    """`gather_image_planes` over chunks of planes."""
    if bounds.size == 2:
        _image_chunk(data, indices, crops, x, image, samples, cropped, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _image_chunk(data, indices, crops, x, image, samples, cropped, bounds[chunk], bounds[chunk + 1])


@device
def _pixel_chunk(pixels, indices, crops, mean, std, x, image, samples, cropped, first, last):
    d, i, c, packed = pointer(pixels, 0), pointer(indices, 0), pointer(crops, 0), pointer(x, 0)
    gather_pixel_planes(d, i, c, pointer(mean, 0), pointer(std, 0), packed, image, samples, first, last, cropped)


@kernel
def gather_pixel_image_batch(bounds, pixels, indices, crops, mean, std, x, image, samples, cropped):
    """`gather_pixel_planes` over chunks of planes."""
    if bounds.size == 2:
        _pixel_chunk(pixels, indices, crops, mean, std, x, image, samples, cropped, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _pixel_chunk(pixels, indices, crops, mean, std, x, image, samples, cropped, first, last)


def gather_images(
    data: np.ndarray,
    indices: np.ndarray,
    *,
    crops: np.ndarray | None = None,
    mean: np.ndarray | None = None,
    std: np.ndarray | None = None,
    border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Take images of a data set into the packed layout, perhaps cropped and mirrored.

    Parameters
    ----------
    data : array of shape (images, channels, height, width)
        float32, or uint8, which becomes (pixel / 255 - mean) / std.
    indices : integer array of shape (samples,)
        Which images, in which order; repeats are allowed.
    crops : integer array of shape (samples, 3), optional
        For each sample dy, dx and whether to flip: with w' = width - 1 - w where flipped, else w, the result at (h, w)
        is the normalised image at (h + dy, w' + dx), zero outside of it. That is a crop, at (dy, dx) from the centre,
        of the image padded with zeros, mirrored afterwards.
    mean, std : arrays of shape (channels,), optional
        For uint8 only; 0 and 1 if not given.
    border : int
        Zeros around the images of the result.
    threads : int, optional

    Returns
    -------
    array of shape (tiles, channels, height + 2 border, width + 2 border, 16), zeros in padded lanes
    """
    data, indices = np.asarray(data), np.asarray(indices)
    if data.ndim != 4 or 0 in data.shape or indices.ndim != 1 or not indices.size or indices.dtype.kind not in "iu":
        raise InputError(
            f"gather_images needs data (images, channels, height, width) and some indices, not {data.shape} and "
            f"{indices!r}"
        )
    if indices.min() < 0 or indices.max() >= len(data):
        raise InputError(f"indices must be from 0 to {len(data) - 1}, not {indices.min()} to {indices.max()}")
    samples, channels = indices.size, data.shape[1]
    image = Image(channels, data.shape[2], data.shape[3], border)
    tiles = tiles_for(samples, LANES)
    x = zeros(tiles, image)
    arrays = np.array(indices, np.int64), _flat_crops(crops, samples)
    rest = interior_output(x, tiles, image, "x"), image, samples, crops is not None
    bounds = even_bounds(tiles * channels, thread_count(threads))
    if data.dtype == np.uint8:
        pixels = np.ascontiguousarray(data).reshape(-1)
        pixels = pixels if pixels.flags.writeable else pixels.copy()
        center = np.zeros(channels, np.float32) if mean is None else flat_parameter(mean, channels, "mean")
        scale = np.ones(channels, np.float32) if std is None else flat_parameter(std, channels, "std")
        gather_pixel_image_batch(bounds, pixels, *arrays, center, scale, *rest)
    elif mean is not None or std is not None:
        raise InputError(f"mean and std are applied to pixels (uint8), but data is {data.dtype}")
    else:
        gather_image_batch(bounds, flat(data, data.shape, "data"), *arrays, *rest)
    return x


def _flat_crops(crops: np.ndarray | None, samples: int) -> np.ndarray:
    if crops is None:
        return np.zeros(3, np.int64)
    crops = np.asarray(crops)
    if crops.shape != (samples, 3) or crops.dtype.kind not in "iub":
        raise InputError(f"crops is {crops.dtype} of shape {crops.shape}, but integers of ({samples}, 3) were expected")
    return np.array(crops, np.int64).reshape(-1)
