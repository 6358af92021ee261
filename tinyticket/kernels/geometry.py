"""Sizes of work in the packed layout, in plain Python: what a layer's features or images measure, and where they lie.

Activations are packed as [tile][feature][lanes], the samples of a batch innermost, so that a weight meets a contiguous run of
samples and one loop serves dense and sparse layers alike. `lanes` is the whole batch if it is small, so that a fully-connected
layer reads its weights once. The last tile is padded: what its spare lanes hold never reaches a loss, a gradient or a count.

Images are packed as [tile][channel][border, rows, border][border, columns, border][16 samples]. The border holds zeros, written
once and never again, so that a convolution's padding costs neither a branch nor a copy. A value and its gradient have the same
border, the widest that any pass over either of them looks into. Neighbours may share their border, right with left and below with
above, which saves a fifth of the memory on images of 8 by 8 pixels; such images are no array of five dimensions, so only compiled
steps have them. A fully-connected value is an image of one pixel without a border. All distances are in floats.
"""

from __future__ import annotations

from typing import NamedTuple

from tinyticket.errors import InputError

LANES = 16
"""Samples in a vector: a cache line of float32."""

WIDEST = 64
"""Lanes beyond which a batch is cut into tiles: four vectors, what sparse kernels hold at once. A strip of wider tiles would
use only some of the sets of the first-level cache."""

MOST_LANES = 1024
"""Lanes that may be asked for."""

SINE_OF_ONE = 2**16
"""The whole number that stands for a sine of 1: angles by which images are turned are given as whole numbers, by their sine."""

DRAWN = 5
"""Whole numbers that say what happens to an image of a batch: `data.augmentation.augment`."""


class Shape(NamedTuple):
    """The sizes of a fully-connected layer's work."""

    tiles: int
    inputs: int
    outputs: int
    lanes: int


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


def lanes_for(samples: int, wanted: int | None = None) -> int:
    """Choose the lanes for a batch of features: as many whole vectors as the batch fills, at most 64; or check those wanted."""
    if wanted is None:
        return min(max(-(-samples // LANES), 1) * LANES, WIDEST)
    if wanted % LANES or not 0 < wanted <= MOST_LANES:
        raise InputError(f"lanes must be a multiple of {LANES} from {LANES} to {MOST_LANES}, not {wanted}")
    return wanted


def tiles_for(samples: int, lanes: int) -> int:
    """Count the tiles that hold a batch."""
    return -(-samples // lanes)


def check_samples(samples: int, tiles: int, lanes: int = LANES, least: int = 0) -> None:
    """Raise InputError unless the tiles hold so many samples."""
    if not least <= samples <= tiles * lanes:
        raise InputError(f"{samples} samples do not fit into {tiles} tiles of {lanes} lanes")


def whole_vectors(features: int) -> int:
    """Round a number of features up to whole vectors."""
    return -(-features // LANES) * LANES


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
    """Return the size of some tiles of images; the last border is not shared."""
    return tiles * image.channels * plane(image) + image.shared * origin(image)


def make_window(tiles: int, x: Image, y: Image, kernel: tuple[int, int], stride: int = 1, padding: int = 0) -> Window:
    """Return the work of a convolution or a pooling; InputError if y or the border of x have not the size for it.

    A stride beyond the image, which nothing is left to take, is shortened: passes go through each of its phases.
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
    stride = min(stride, max(x.height, x.width) + 2 * padding + 1)
    sizes = x.channels, y.channels, y.height, y.width, x.height, x.width, *kernel, stride, padding
    return Window(*map(int, (tiles, *sizes, row(x), plane(x), row(y), plane(y))))


def gradient_border(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return the border that y must have in one direction, in which x has `size` pixels, for all that the input gradient reads."""
    outputs = (size + 2 * padding - kernel) // stride + 1
    return max(0, (kernel - 1 - padding) // stride, (size - 1 + padding) // stride + 1 - outputs)
