"""Activations on a device: [channel][border, rows, border][border, columns, border][lanes], float32, the batch innermost.

It is the packed layout of the CPU with one tile that holds the whole batch: `lanes` samples, a multiple of 32, so that a warp
always reads neighbours and a pixel of one sample is never alone in its memory transaction. Borders are the CPU's, and hold zeros
for the same reason. A fully-connected value is an image of one pixel without a border. Distances are in pixels: an element is
found at pixel * lanes + sample, whatever the batch size.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels import geometry
from tinyticket.kernels.geometry import LANES, Image, Window

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
    x_origin: int = 0  # pixels before the first one of x inside its border
    y_origin: int = 0

    @classmethod
    def of(cls, window: Window, lanes: int, x_origin: int = 0, y_origin: int = 0) -> "Geometry":
        """Return the geometry of a window of the CPU's for images with so many lanes."""
        distances = (window.x_row, window.x_plane, window.y_row, window.y_plane)
        pixels = (int(distance) // LANES for distance in distances)
        return cls(int(lanes), *map(int, window[1:11]), *pixels)._replace(x_origin=x_origin, y_origin=y_origin)

    @classmethod
    def of_features(cls, inputs: int, outputs: int, lanes: int) -> "Geometry":
        """Return the geometry of a linear layer."""
        one = Image(inputs, 1, 1), Image(outputs, 1, 1)
        return cls.of(geometry.make_window(1, *one, (1, 1)), lanes)

    @property
    def taps(self) -> int:
        """Weights of one output, K."""
        return self.inputs * self.kernel_height * self.kernel_width


def lanes_for(batch: int) -> int:
    """Return the lanes of a batch: its size, rounded up to whole warps."""
    return max(-(-batch // WARP), 1) * WARP


def row(image: Image) -> int:
    """Return the pixels between a pixel and the one below it."""
    return geometry.row(image) // LANES


def plane(image: Image) -> int:
    """Return the pixels between a channel and the next."""
    return geometry.plane(image) // LANES


def origin(image: Image) -> int:
    """Return the pixels before the first one inside the border."""
    return geometry.origin(image) // LANES


def pack(x: np.ndarray, border: int = 0, lanes: int | None = None) -> np.ndarray:
    """Bring images, (samples, channels, rows, columns), or features, (samples, features), into the layout of a device.

    There are `border` pixels of zeros around each image, and zeros in padded lanes, `lanes_for` the samples if not given.
    """
    if x.ndim not in (2, 4):
        shapes = "(samples, channels, rows, columns) or (samples, features)"
        raise InputError(f"x must have the shape {shapes}, not {x.shape}")
    images = x.reshape(*x.shape, 1, 1) if x.ndim == 2 else x
    samples, channels, height, width = images.shape
    lanes = lanes or lanes_for(samples)
    if lanes % WARP or lanes < samples:
        raise InputError(f"lanes must be a multiple of {WARP} that holds {samples} samples, not {lanes}")
    packed = np.zeros((channels, height + 2 * border, width + 2 * border, lanes), np.float32)
    packed[:, border : border + height, border : border + width, :samples] = images.transpose(1, 2, 3, 0)
    return packed.reshape(-1)


def unpack(packed: np.ndarray, image: Image, samples: int) -> np.ndarray:
    """Bring a packed value, an array, back into the shape (samples, channels, rows, columns), without the image's border."""
    channels, height, width, border = image[:4]
    pixels = channels * plane(image)
    if packed.size == 0 or packed.size % (pixels * WARP):
        raise InputError(f"a packed value of {packed.size} numbers does not hold lanes of {pixels} pixels")
    whole = packed.reshape(channels, height + 2 * border, width + 2 * border, -1)
    inside = whole[:, border : border + height, border : border + width, :samples]
    return np.ascontiguousarray(inside.transpose(3, 0, 1, 2))
