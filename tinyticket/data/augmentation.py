"""Augmentation: every time an image is trained on, it is shifted by a few pixels, mirrored or not, and perhaps turned.

What happens to an image is drawn as small whole numbers, apart from the images: eager and compiled steps, a ticket and its
controls can so be given the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from tinyticket.errors import InputError, near
from tinyticket.kernels.geometry import DRAWN, SINE_OF_ONE

PAD = 4  # He et al. 2016 (arXiv 1512.03385), section 4.2: four pixels on each side, and half of the images mirrored
FILLS = ("zero", "edge")


@dataclass(frozen=True)
class Augmentation:
    """Random crops of the padded image, the usual augmentation of CIFAR, random mirroring, and random turns.

    Parameters
    ----------
    pad : int
        By how many pixels an image is shifted at most, in each direction.
    flip : bool
        Whether half of the images, at random, are mirrored left to right.
    turn : float
        By how many degrees, up to 90, an image is turned about its centre at most, either way; the sine of the angle is uniform.
    fill : str
        What comes in from outside: "zero", or "edge", the nearest pixel of the image.
    """

    pad: int = PAD
    flip: bool = True
    turn: float = 0.0
    fill: str = "zero"

    def __post_init__(self):
        if not isinstance(self.pad, Integral) or self.pad < 0:
            raise InputError(f"images are padded by a whole number of pixels from 0, not {self.pad!r}")
        if not 0 <= self.turn <= 90:
            raise InputError(f"images are turned by 0 to 90 degrees, not {self.turn!r}")
        if self.fill not in FILLS:
            raise InputError(f"what comes in from outside of an image is {' or '.join(FILLS)}, not {self.fill!r}")

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw what happens to some images.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws shifts, then mirrorings and turns, if there are any.
        count : int
            How many images, n.

        Returns
        -------
        ndarray of int64, shape (n, 5)
            For each image dy and dx, from -pad to pad, whether it is mirrored, 0 or 1, the sine of the angle by which it is
            turned, in parts of SINE_OF_ONE, and whether it is filled with its edge, 0 or 1; what `augment` takes.
        """
        draws = np.zeros((count, DRAWN), np.int64)
        draws[:, :2] = rng.integers(-self.pad, self.pad + 1, (count, 2))
        if self.flip:
            draws[:, 2] = rng.integers(0, 2, count)
        if self.turn:
            most = round(SINE_OF_ONE * math.sin(math.radians(self.turn)))
            draws[:, 3] = rng.integers(-most, most + 1, count)
        draws[:, 4] = self.fill == "edge"
        return draws

    def draws(self, rng: np.random.Generator, count: int) -> Iterator[NDArray[np.int64]]:
        """Draw for one batch of `count` images after another, without end, as `batches` deals them out."""
        while True:
            yield self.draw(rng, count)

    def apply(self, x: NDArray, draws: NDArray[np.int64]) -> NDArray:
        """Return what becomes of images under these draws: `augment`."""
        return augment(x, draws)


AUGMENTATIONS = {"flip-crop": Augmentation(), "flip-crop-turn": Augmentation(pad=3, turn=10, fill="edge")}
NAMES = ("none", *AUGMENTATIONS)


def augment(x: NDArray, draws: NDArray[np.int64]) -> NDArray:
    """Turn, shift and mirror images.

    With (dy, dx, flip, sine, edge) of an image and a sine of 0, out[c, h, w] = x[c, h + dy, w' + dx], where w' is w, or
    width - 1 - w if it is mirrored. With an angle, (h, w') is first turned by it about the centre of the image, and then the
    nearest pixel is taken. Where that is outside of the image, the number is zero, or with `edge` that of the nearest pixel inside.

    Parameters
    ----------
    x : ndarray, shape (n, channels, height, width)
        Normalised images: what is outside is zero as they are now.
    draws : ndarray of int64, shape (n, 5)
        dy, dx, flip, the sine of an angle from -90 to 90 degrees in parts of SINE_OF_ONE, counterclockwise, and edge of each image.

    Returns
    -------
    ndarray of x's dtype and shape

    Raises
    ------
    InputError
        If these are not images, or not as many draws.
    """
    if x.ndim != 4 or draws.shape != (len(x), DRAWN):
        raise InputError(
            f"images of shape {x.shape} with draws of shape {draws.shape}; expected (n, channels, height, width) and (n, {DRAWN})"
        )
    count, channels, height, width = x.shape
    dy, dx, flip, sine, edge = draws.T[:, :, None, None]
    rows, columns = np.arange(height)[:, None], np.where(flip != 0, np.arange(width)[::-1], np.arange(width))
    if sine.any():
        rows, columns = _turned(rows, columns, sine, height, width)
    rows, columns = rows + dy, columns + dx
    inside = (edge != 0) | (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    images, planes = np.ogrid[:count, :channels]
    moved = x[images[:, :, None, None], planes[:, :, None, None], rows[:, None], columns[:, None]]
    return np.where(inside[:, None], moved, x.dtype.type(0))


def _turned(rows: NDArray, columns: NDArray, sine: NDArray, height: int, width: int) -> tuple[NDArray, NDArray]:
    """Return which rows and columns are nearest to places turned about the centre, in whole numbers: the same on every device."""
    cosine = np.sqrt(SINE_OF_ONE**2 - sine**2).astype(np.int64)
    y, x = 2 * rows - (height - 1), 2 * columns - (width - 1)  # twice the distance from the centre
    turned = cosine * y + sine * x + height * SINE_OF_ONE, cosine * x - sine * y + width * SINE_OF_ONE
    return turned[0] // (2 * SINE_OF_ONE), turned[1] // (2 * SINE_OF_ONE)


def by_name(name: str) -> Augmentation | None:
    """Return the augmentation of that name.

    "none" is None, "flip-crop" shifts by up to 4 pixels and mirrors; "flip-crop-turn" shifts by up to 3, a tenth of an image of
    CIFAR, mirrors, turns by up to 10 degrees and fills with the edge, as SET's authors do (Mocanu et al. 2018, arXiv 1707.04780).

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in NAMES:
        raise InputError(f"no augmentation is called {name!r}{near(str(name), NAMES)}")
    return AUGMENTATIONS.get(name)
