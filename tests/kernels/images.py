"""Packed images for tests: odd sizes, batches with tails, whose spare lanes hold rubbish where only values are."""

import itertools
import math
from fractions import Fraction

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tinyticket.kernels.cpu import Images, pack_images, unpack_images
from tinyticket.kernels.geometry import SINE_OF_ONE

quick = settings(max_examples=30, deadline=None)
borders = st.integers(0, 2)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
samples = st.sampled_from([1, 2, 7, 15, 16, 17, 31, 40, 64, 70])  # up to five tiles
channels = st.sampled_from([1, 2, 3, 5, 7])
generators = st.integers(0, 2**16).map(np.random.default_rng)


class Case(tuple):
    """What a test is about; printed without the thousands of numbers."""

    def __repr__(self):
        return repr([self._short(part) for part in self])

    @classmethod
    def _short(cls, part):
        if isinstance(part, dict):
            return {key: cls._short(value) for key, value in part.items()}
        if isinstance(part, Images):
            return part.tiles, part.geometry
        return part.shape if isinstance(part, np.ndarray) else part


def lanes_of(count):
    """Count the lanes of the tiles that hold so many samples."""
    return -(-count // 16) * 16


def values(rng, count, shape, border, ties=False):
    """Draw packed images; spare lanes hold finite rubbish."""
    images = rng.standard_normal((lanes_of(count), *shape))
    if ties:
        images = np.round(images)
    images[count:] = 1e3 * (1 + rng.random(images[count:].shape))
    return pack_images(images, border)


def gradients(rng, count, shape, border):
    """Draw packed gradients: zero in spare lanes."""
    return pack_images(rng.standard_normal((count, *shape)), border)


def plain(packed):
    """Return packed images as (tiles * 16, channels, rows, columns) in float64."""
    return unpack_images(packed, packed.tiles * 16).astype(np.float64)


def ones_around(packed):
    """Return a copy with ones in the border, to see whether it is read or written."""
    around = np.ones_like(packed.array)
    inside = (..., *(slice(packed.border, size - packed.border) for size in around.shape[2:4]), slice(None))
    around[inside] = packed.array[inside]
    return Images(around, packed.border)


def copied(value):
    """Return a copy of an array or of images, and anything else as it is."""
    if isinstance(value, Images):
        return Images(value.array.copy(), value.border)
    return value.copy() if isinstance(value, np.ndarray) else value


def numbers(value):
    """Return the array of images, and anything else as it is."""
    return value.array if isinstance(value, Images) else value


def chunked(kernel, *args, **options):
    """Run a kernel with one, two and three chunks on copies of its arrays; return what all gave, the same bits."""
    runs = []
    for chunks in (1, 2, 3):
        fresh = [copied(arg) for arg in args]
        result = kernel(*fresh, threads=chunks, **{key: copied(value) for key, value in options.items()})
        runs.append((*(result if isinstance(result, tuple) else (result,)), *fresh))
    for other in runs[1:]:
        for one, two in zip(runs[0], other, strict=True):
            np.testing.assert_array_equal(numbers(one), numbers(two))
    return result


def finished(gradient, x, add_to, x_is_relu_output):
    """Add what other consumers of x gave, and pass nothing where the ReLU that made x gave zero."""
    if add_to is not None:
        gradient = gradient + plain(add_to)
    return np.where(plain(x) <= 0, 0, gradient) if x_is_relu_output else gradient


def same(result, expected, rtol=2e-5, atol=2e-5):
    """Agree to float32 rounding; packed images with plain ones, and with zeros in the border."""
    if isinstance(result, Images):
        result, expected = result.array, pack_images(expected, result.border).array
    np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)


def equal(result, expected):
    """Be equal, packed images to plain ones, and zero in the border."""
    same(result, expected, rtol=0, atol=0)


def gathered(data, indices, draws=None, mean=None, std=None):
    """Return images of a data set: normalised, padded with zeros, cropped at an offset from the centre, mirrored.

    This is float32 throughout, bit for bit what the kernel gives.
    """
    images = data[indices]
    if data.dtype == np.uint8:
        images = images.astype(np.float32) / np.float32(255)
        if mean is not None:
            images = images - np.asarray(mean, np.float32)[:, None, None]
        if std is not None:
            images = images / np.asarray(std, np.float32)[:, None, None]
    if draws is None:
        return images
    return np.stack([_moved(image, *draw) for image, draw in zip(images, np.asarray(draws).tolist(), strict=True)])


def _moved(image, dy, dx, flip, sine, edge):
    """Crop an image, padded with zeros, at (dy, dx) from its centre, and mirror it; one that is turned or filled pixel by pixel."""
    _, height, width = image.shape
    if sine or edge:
        return _turned(image, dy, dx, flip, sine, edge)
    pad = max(abs(dy), abs(dx))
    padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
    crop = padded[:, pad + dy : pad + dy + height, pad + dx : pad + dx + width]
    return crop[:, :, ::-1] if flip else crop


def _turned(image, dy, dx, flip, sine, edge):
    """Look every pixel up where exact arithmetic finds it, in the image turned about its centre and then shifted."""
    _, height, width = image.shape
    sine, cosine = Fraction(sine, SINE_OF_ONE), Fraction(math.isqrt(SINE_OF_ONE**2 - sine**2), SINE_OF_ONE)
    out, middle = np.zeros_like(image), (Fraction(height - 1, 2), Fraction(width - 1, 2))
    for h, w in itertools.product(range(height), range(width)):
        y, x = h - middle[0], (-1 if flip else 1) * (w - middle[1])
        row = math.floor(cosine * y + sine * x + middle[0] + Fraction(1, 2)) + dy
        column = math.floor(cosine * x - sine * y + middle[1] + Fraction(1, 2)) + dx
        if edge:
            row, column = sorted((0, row, height - 1))[1], sorted((0, column, width - 1))[1]
        if 0 <= row < height and 0 <= column < width:
            out[:, h, w] = image[:, row, column]
    return out
