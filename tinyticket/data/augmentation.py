"""Augmentation: every time an image is trained on, it is shifted by a few pixels and mirrored or not.

Shifts and mirrorings are drawn as small whole numbers, apart from the images: eager and compiled steps, a ticket and its
controls can so be given the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from tinyticket.errors import InputError, near

PAD = 4  # He et al. 2016 (arXiv 1512.03385), section 4.2: four pixels on each side, and half of the images mirrored
NAMES = ("none", "flip-crop")


@dataclass(frozen=True)
class Augmentation:
    """Random crops of the padded image, the usual augmentation of CIFAR, and random mirroring.

    Parameters
    ----------
    pad : int
        By how many pixels an image is shifted at most, in each direction; what comes in from outside is zero.
    flip : bool
        Whether half of the images, at random, are mirrored left to right.
    """

    pad: int = PAD
    flip: bool = True

    def __post_init__(self):
        if not isinstance(self.pad, Integral) or self.pad < 0:
            raise InputError(f"images are padded by a whole number of pixels from 0, not {self.pad!r}")

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw what happens to some images.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws shifts, then mirrorings, if there are any.
        count : int
            How many images, n.

        Returns
        -------
        ndarray of int64, shape (n, 3)
            For each image dy and dx, from -pad to pad, and whether it is mirrored, 0 or 1; what `augment` takes.
        """
        draws = np.zeros((count, 3), np.int64)
        draws[:, :2] = rng.integers(-self.pad, self.pad + 1, (count, 2))
        if self.flip:
            draws[:, 2] = rng.integers(0, 2, count)
        return draws

    def draws(self, rng: np.random.Generator, count: int) -> Iterator[NDArray[np.int64]]:
        """Draw for one batch of `count` images after another, without end, as `batches` deals them out."""
        while True:
            yield self.draw(rng, count)

    def apply(self, x: NDArray, draws: NDArray[np.int64]) -> NDArray:
        """Return what becomes of images under these draws: `augment`."""
        return augment(x, draws)


def augment(x: NDArray, draws: NDArray[np.int64]) -> NDArray:
    """Shift and mirror images.

    With (dy, dx, flip) of an image, out[c, h, w] = x[c, h + dy, w' + dx], and zero where that is outside the image; w' is w,
    or width - 1 - w if it is mirrored.

    Parameters
    ----------
    x : ndarray, shape (n, channels, height, width)
        Normalised images: what is outside is zero as they are now.
    draws : ndarray of int64, shape (n, 3)
        dy, dx and flip of each image.

    Returns
    -------
    ndarray of x's dtype and shape

    Raises
    ------
    InputError
        If these are not images, or not as many draws.
    """
    if x.ndim != 4 or draws.shape != (len(x), 3):
        raise InputError(
            f"images of shape {x.shape} with draws of shape {draws.shape}; expected (n, channels, height, width) and (n, 3)"
        )
    count, channels, height, width = x.shape
    dy, dx, flip = draws.T[:, :, None]
    rows = np.arange(height) + dy
    columns = np.where(flip != 0, np.arange(width)[::-1], np.arange(width)) + dx
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None, :]
    images, planes = np.ogrid[:count, :channels]
    rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    shifted = x[images[:, :, None, None], planes[:, :, None, None], rows[:, None, :, None], columns[:, None, None, :]]
    return np.where(inside, shifted, x.dtype.type(0))


def by_name(name: str) -> Augmentation | None:
    """Return the augmentation of that name: "none" is None, "flip-crop" shifts by up to 4 pixels and mirrors.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in NAMES:
        raise InputError(f"no augmentation is called {name!r}{near(str(name), NAMES)}")
    return Augmentation() if name == "flip-crop" else None
