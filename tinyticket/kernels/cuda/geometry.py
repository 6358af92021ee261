"""Activations on a device: [channel][border, rows, border][border, columns, border][lanes], float32, the batch innermost.

It is the packed layout of the CPU with one tile that holds the whole batch: `lanes` samples, a multiple of 32, so that a warp
always reads neighbours and a pixel of one sample is never alone in its memory transaction. Borders are the CPU's, and hold zeros
for the same reason. A fully-connected value is an image of one pixel without a border. Distances are in pixels: an element is
found at pixel * lanes + sample, whatever the batch size.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.geometry import Image, Window

WARP = 32


class Geometry(NamedTuple):
    """The work of a layer, a convolution or a pooling: x is what it reads, y what it writes (in the forward pass).

    A linear layer is a convolution of one pixel by one weight.
    """

    lanes: int
    inputs: int  # channels of x
    outputs: int  # channels of y
    height: int  # of y, without its border
    width: int
    x_height: int
    x_width: int
    kernel_height: int
    kernel_width: int
    stride: int  # the same in both directions, as is padding
    padding: int
    x_row: int  # pixels from a pixel of x to the one below
    x_plane: int  # pixels from a channel of x to the next
    y_row: int
    y_plane: int

    @classmethod
    def of(cls, window: Window, lanes: int) -> "Geometry":
        """Return the geometry of a window of the CPU's for images with so many lanes."""
        distances = (window.x_row, window.x_plane, window.y_row, window.y_plane)
        return cls(int(lanes), *map(int, window[1:11]), *(int(distance) // LANES for distance in distances))

    @classmethod
    def of_features(cls, inputs: int, outputs: int, lanes: int) -> "Geometry":
        """Return the geometry of a linear layer."""
        return cls(
            lanes, inputs, outputs, 1, 1, 1, 1, 1, 1, stride=1, padding=0, x_row=1, x_plane=1, y_row=1, y_plane=1
        )

    @property
    def taps(self) -> int:
        """Weights of one output, K."""
        return self.inputs * self.kernel_height * self.kernel_width


def lanes_for(batch: int) -> int:
    """Return the lanes of a batch: its size, rounded up to whole warps."""
    return max(-(-batch // WARP), 1) * WARP


def row(image: Image) -> int:
    """Return the pixels between a pixel and the one below it."""
    return image.width + 2 * image.border


def plane(image: Image) -> int:
    """Return the pixels between a channel and the next."""
    return (image.height + 2 * image.border) * row(image)


def origin(image: Image) -> int:
    """Return the pixels before the first one inside the border: what kernels are given beside a block."""
    return image.border * (row(image) + 1)


def pack(x: np.ndarray, border: int = 0, lanes: int | None = None) -> np.ndarray:
    """Bring images, or features, into the layout of a device.

    Parameters
    ----------
    x : array of shape (samples, channels, rows, columns) or (samples, features)
    border : int
        Pixels of zeros around each image.
    lanes : int, optional
        `lanes_for` the samples if not given.

    Returns
    -------
    float32 array, flat: channels * (rows + 2 border) * (columns + 2 border) * lanes, zeros in padded lanes
    """
    if x.ndim not in (2, 4):
        raise InputError(
            f"x must have the shape (samples, channels, rows, columns) or (samples, features), not {x.shape}"
        )
    images = x.reshape(*x.shape, 1, 1) if x.ndim == 2 else x
    samples, channels, height, width = images.shape
    lanes = lanes or lanes_for(samples)
    if lanes % WARP or lanes < samples:
        raise InputError(f"lanes must be a multiple of {WARP} that holds {samples} samples, not {lanes}")
    packed = np.zeros((channels, height + 2 * border, width + 2 * border, lanes), np.float32)
    packed[:, border : border + height, border : border + width, :samples] = images.transpose(1, 2, 3, 0)
    return packed.reshape(-1)


def unpack(packed: np.ndarray, image: Image, samples: int) -> np.ndarray:
    """Bring a packed value back into the shape (samples, channels, rows, columns), without its border.

    Parameters
    ----------
    packed : array, flat
    image : Image
        Its channels, rows, columns and border.
    samples : int
    """
    channels, height, width, border = image[:4]
    pixels = channels * plane(image)
    if packed.size == 0 or packed.size % (pixels * WARP):
        raise InputError(f"a packed value of {packed.size} numbers does not hold lanes of {pixels} pixels")
    whole = packed.reshape(channels, height + 2 * border, width + 2 * border, -1)
    inside = whole[:, border : border + height, border : border + width, :samples]
    return np.ascontiguousarray(inside.transpose(3, 0, 1, 2))
