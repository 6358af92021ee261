"""Images in the packed layout: [tile][channel][border, rows, border][border, columns, border][16 samples].

The border holds zeros, written once and never again, so that a convolution's padding costs neither a branch nor a copy:
a kernel that looks beyond the edge finds zeros there. A value and its gradient have the same border, the widest that
any pass over either of them looks into. Kernels take addresses of the interior's first pixel and distances between
rows and planes; what one convolution or pooling needs of both its images is a `Window`. All sizes are in floats.

Neighbours may share their border: what lies right of a row is then what lies left of the next one, and what lies below an image
what lies above the next. It is all the same to kernels, and saves a fifth of the memory on images of 8 by 8 pixels; but they are no
array of five dimensions then, so only compiled steps have such images.

A fully-connected value is an image of one pixel without a border, so flattening an image without a border moves nothing.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.layout import empty, tiles_for
from tinyticket.kernels.cpu.machine import LANES


class Image(NamedTuple):
    """The geometry of one value: its channels, its rows and columns without the border, and the border's width."""

    channels: int
    height: int
    width: int
    border: int = 0
    shared: int = 0  # 1 if neighbours share their border


class Window(NamedTuple):
    """The work of a convolution or a pooling: x is what it reads, y what it writes (in the forward pass)."""

    tiles: int
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
    x_row: int  # from a pixel of x to the one below
    x_plane: int  # from a channel of x to the next
    y_row: int
    y_plane: int


def row(image: Image) -> int:
    """Return the distance between a pixel and the one below it."""
    return (image.width + (2 - image.shared) * image.border) * LANES


def plane(image: Image) -> int:
    """Return the distance between a channel and the next."""
    return (image.height + (2 - image.shared) * image.border) * row(image)


def origin(image: Image) -> int:
    """Return where the first pixel inside the border is: the address that kernels are given."""
    return image.border * (row(image) + LANES)


def room(image: Image, tiles: int) -> int:
    """Return the size of some tiles of images; nobody shares the last border."""
    return tiles * image.channels * plane(image) + image.shared * origin(image)


def image_of(packed: np.ndarray, border: int, name: str = "x") -> Image:
    """Return the geometry of packed images of shape (tiles, channels, rows, columns, 16), borders included."""
    if packed.ndim != 5 or packed.shape[4] != LANES or 0 in packed.shape:
        raise InputError(f"{name} must be packed as (tiles, channels, rows, columns, {LANES}), not {packed.shape}")
    height, width = (size - 2 * border for size in packed.shape[2:4])
    if border < 0 or height < 1 or width < 1:
        raise InputError(f"{name} of shape {packed.shape} has no room for a border of {border}")
    return Image(packed.shape[1], height, width, border)


def make_window(tiles: int, x: Image, y: Image, kernel: tuple[int, int], stride: int = 1, padding: int = 0) -> Window:
    """Bring a convolution or a pooling and the geometry of its two images together.

    Parameters
    ----------
    tiles : int
        Tiles of sixteen samples.
    x, y : Image
        What is read and what is written.
    kernel : (height, width)
    stride, padding : int
        The same in both directions.

    Raises
    ------
    InputError
        If y is not as large as the convolution of x is, or x has a border narrower than the padding.
    """
    if min(tiles, *kernel, stride) < 1 or padding < 0 or min(*x[:3], *y[:3]) < 1 or min(x.border, y.border) < 0:
        raise InputError(f"a window of kernel {kernel}, stride {stride}, padding {padding} over {x} does not exist")
    if padding > x.border:
        raise InputError(f"padding {padding} is wider than the border of {x}")
    rows, columns = (
        (size + 2 * padding - span) // stride + 1 for size, span in zip((x.height, x.width), kernel, strict=True)
    )
    if (rows, columns) != (y.height, y.width) or min(rows, columns) < 1:
        raise InputError(
            f"kernel {kernel}, stride {stride}, padding {padding} make {rows} by {columns} pixels of {x}, not {y}"
        )
    sizes = x.channels, y.channels, y.height, y.width, x.height, x.width, *kernel, stride, padding
    return Window(*map(int, (tiles, *sizes, row(x), plane(x), row(y), plane(y))))


def gradient_border(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return the border that y must have in one direction so that the input gradient finds all it reads there.

    Parameters
    ----------
    size : int
        Rows (or columns) of x.
    kernel, stride, padding : int
        Of the convolution, in the same direction.
    """
    outputs = (size + 2 * padding - kernel) // stride + 1
    return max(0, (kernel - 1 - padding) // stride, (size - 1 + padding) // stride + 1 - outputs)


def pack_images(x: np.ndarray, border: int = 0) -> np.ndarray:
    """Bring images into the packed layout.

    Parameters
    ----------
    x : array of shape (samples, channels, rows, columns)
    border : int
        Pixels of zeros around each image.

    Returns
    -------
    float32 array of shape (tiles, channels, rows + 2 border, columns + 2 border, 16), zeros in padded lanes
    """
    if x.ndim != 4:
        raise InputError(f"images must have the shape (samples, channels, rows, columns), not {x.shape}")
    samples, channels, height, width = x.shape
    tiles = tiles_for(samples, LANES)
    packed = empty(tiles, channels, height + 2 * border, width + 2 * border, LANES)
    packed[...] = 0
    inside = packed[:, :, border : border + height, border : border + width]
    whole = samples // LANES
    inside[:whole] = x[: whole * LANES].reshape(whole, LANES, channels, height, width).transpose(0, 2, 3, 4, 1)
    if whole < tiles:
        inside[whole, ..., : samples - whole * LANES] = x[whole * LANES :].transpose(1, 2, 3, 0)
    return packed


def unpack_images(packed: np.ndarray, samples: int, border: int = 0) -> np.ndarray:
    """Bring packed images back into the shape (samples, channels, rows, columns), without their border."""
    image = image_of(packed, border, "packed")
    inside = packed[:, :, border : border + image.height, border : border + image.width]
    unpacked = inside.transpose(0, 4, 1, 2, 3).reshape(-1, *image[:3])
    return np.ascontiguousarray(unpacked[:samples])
