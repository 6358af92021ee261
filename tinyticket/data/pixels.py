"""Images kept as bytes: a quarter of the memory of float32, and normalised only where they are looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyticket.errors import InputError


class Pixels:
    """Images as bytes that index like the float32 array of (pixel / 255 - mean) / std.

    `x[indices]` is a float32 array, so whatever takes batches from an array can take them from here; compiled steps gather
    from `pixels` and normalise on the way. Every step of the formula is rounded to float32.

    Parameters
    ----------
    pixels : ndarray of uint8
        Images, C-contiguous, shape (N, channels, height, width).
    mean, std : array_like
        Of each channel's pixels / 255, shape (channels,).

    Attributes
    ----------
    pixels : ndarray of uint8
    mean, std : ndarray of float32, shape (channels,)

    Raises
    ------
    InputError
        If the pixels have another dtype, shape or layout, or do not go with mean and std.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, pixels: NDArray[np.uint8], mean: ArrayLike, std: ArrayLike):
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or not pixels.flags.c_contiguous:
            raise InputError(
                f"pixels are {pixels.dtype} {pixels.shape}; expected C-contiguous uint8 (N, channels, height, width)"
            )
        self.pixels, self.mean, self.std = pixels, np.asarray(mean, np.float32), np.asarray(std, np.float32)
        if not self.mean.shape == self.std.shape == pixels.shape[1:2] or not (self.std > 0).all():
            raise InputError(
                f"mean {self.mean.tolist()} and std {self.std.tolist()} do not go with {pixels.shape[1]} channels; "
                "expected one number a channel, std above 0"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, channels, height, width)."""
        return self.pixels.shape

    @property
    def ndim(self) -> int:
        """Four."""
        return self.pixels.ndim

    @property
    def nbytes(self) -> int:
        """Bytes that the images take in memory."""
        return self.pixels.nbytes

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, which: Any) -> NDArray[np.float32]:
        """Return chosen images as float32; `which` is what indexes the first axis of an array."""
        if isinstance(which, tuple):
            raise IndexError("Pixels are indexed by image alone; write x[images][...] for a part of some images")
        x = self.pixels[which].astype(np.float32)
        x /= np.float32(255)
        x -= self.mean[:, None, None]
        x /= self.std[:, None, None]
        return x

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        if copy is False:
            raise ValueError("Pixels become numbers only by being normalised, which copies them")
        return self[:].astype(dtype or self.dtype, copy=False)

    def select(self, which: Any) -> Pixels:
        """Return chosen images as `Pixels`, still as bytes."""
        return Pixels(np.ascontiguousarray(self.pixels[which]), self.mean, self.std)

    def __repr__(self) -> str:
        return f"Pixels({self.shape}, mean {self.mean.tolist()}, std {self.std.tolist()})"


def select(x: Any, which: Any) -> Any:
    """Return chosen examples in the form they are kept in: an array of an array, `Pixels` of `Pixels`, and so on."""
    return x[which] if isinstance(x, np.ndarray) else x.select(which)
