"""Packed images for tests: odd sizes, batches with tails, whose spare lanes hold rubbish where only values are."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tinyticket.kernels.reference.packed_images import packed_images

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
    return packed_images(images.astype(np.float32), border)


def gradients(rng, count, shape, border):
    """Draw packed gradients: zero in spare lanes."""
    images = rng.standard_normal((lanes_of(count), *shape)).astype(np.float32)
    images[count:] = 0
    return packed_images(images, border)


def ones_around(x, border):
    """Fill the border with ones, to see whether it is written."""
    if border:
        inner = x[:, :, border:-border, border:-border].copy()
        x[...] = 1
        x[:, :, border:-border, border:-border] = inner
    return x


def chunked(kernel, *args, **options):
    """Run a kernel with one, two and three chunks on copies of its arrays; return what all gave, the same bits."""
    runs = []
    for chunks in (1, 2, 3):
        fresh = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
        named = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in options.items()}
        result = kernel(*fresh, threads=chunks, **named)
        runs.append((*(result if isinstance(result, tuple) else (result,)), *fresh))
    for other in runs[1:]:
        for one, two in zip(runs[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
    return result


def same(result, expected):
    """Agree to float32 rounding."""
    np.testing.assert_allclose(result, expected, rtol=2e-5, atol=2e-5)
