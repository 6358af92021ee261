"""Which convolutions Winograd's algorithm computes, and where the patches of two by two pixels lie that it computes together."""

from typing import NamedTuple

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.convolution.strips import jitable
from tinyticket.kernels.cpu.convolution.winograd.transforms import KERNEL, PATCH
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Window

__all__ = ["takes_winograd"]


def takes_winograd(window: Window) -> bool:
    """Return whether a convolution can be computed so."""
    kernel = window.kernel_height, window.kernel_width
    sizes = window.height, window.width, window.x_height, window.x_width
    return kernel == (KERNEL, KERNEL) and window.stride == 1 and window.padding < KERNEL and min(sizes) >= PATCH


def check_winograd(window: Window) -> None:
    """Raise an InputError if a convolution cannot be computed so."""
    if not takes_winograd(window):
        what = "a kernel of 3 by 3, a stride of 1, a padding below 3 and images of 2 by 2 pixels at least"
        raise InputError(f"Winograd's convolution needs {what}; got {window}")


class Work(NamedTuple):
    """A pass: so many images of channels are read, and of other channels written, whose pixels are counted."""

    tiles: int
    height: int  # of what is written
    width: int
    channels: int  # of what is read
    others: int  # of what is written
    row: int  # of what is read
    plane: int
    other_row: int
    other_plane: int


@jitable
def forward_work(w):
    """Return the work of the forward pass."""
    return Work(w.tiles, w.height, w.width, w.inputs, w.outputs, w.x_row, w.x_plane, w.y_row, w.y_plane)


@jitable
def backward_work(w):
    """Return the work of the input gradient."""
    return Work(w.tiles, w.x_height, w.x_width, w.outputs, w.inputs, w.y_row, w.y_plane, w.x_row, w.x_plane)


@device
def put_patches(work, strip, together, sources, targets, rows, columns):
    """Write where the patches of a strip lie in both images, and from which row and column on their pixels are theirs alone."""
    across = (work.width + 1) // PATCH
    area = (work.height + 1) // PATCH * across
    source_size, target_size = work.channels * work.plane, work.others * work.other_plane
    for j in range(together):
        p = min(strip * together + j, work.tiles * area - 1)
        tile, h, w = p // area, p % area // across * PATCH, p % across * PATCH
        first_row, first_column = max(0, h + PATCH - work.height), max(0, w + PATCH - work.width)
        h, w = h - first_row, w - first_column
        put(sources, j, tile * source_size + h * work.row + w * LANES)
        put(targets, j, tile * target_size + h * work.other_row + w * LANES)
        put(rows, j, first_row if strip * together + j < work.tiles * area else PATCH)
        put(columns, j, first_column)


@jitable
def patch_count(work):
    """Count the patches of all images."""
    return work.tiles * ((work.height + 1) // PATCH) * ((work.width + 1) // PATCH)


@jitable
def part_of(first, parts, shares):
    """Return which of so many even shares begins at `first`."""
    return ((first + 1) * parts + shares - 1) // shares - 1
