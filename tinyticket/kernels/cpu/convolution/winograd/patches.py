"""Which convolutions Winograd's algorithm computes, and where the patches of pixels lie that it computes together."""

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
    """Return whether Winograd's algorithm can compute a convolution."""
    kernel = window.kernel_height, window.kernel_width
    sizes = window.height, window.width, window.x_height, window.x_width
    return kernel == (KERNEL, KERNEL) and window.stride == 1 and window.padding < KERNEL and min(sizes) >= PATCH


def check_winograd(window: Window) -> None:
    """Raise an InputError if Winograd's algorithm cannot compute a convolution."""
    if not takes_winograd(window):
        what = "a kernel of 3 by 3, a stride of 1, a padding below 3 and images of 4 by 4 pixels at least"
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
def put_patches(work, size, strip, together, sources, targets, rows, columns):
    """Write where the patches of a strip, `size` by `size` pixels, lie in both images, and where what is new in them begins."""
    across = (work.width + size - 1) // size
    area = (work.height + size - 1) // size * across
    source_size, target_size = work.channels * work.plane, work.others * work.other_plane
    for j in range(together):
        p = min(strip * together + j, work.tiles * area - 1)
        tile, h, w = p // area, p % area // across * size, p % across * size
        first_row, first_column = max(0, h + size - work.height), max(0, w + size - work.width)
        h, w = h - first_row, w - first_column
        put(sources, j, tile * source_size + h * work.row + w * LANES)
        put(targets, j, tile * target_size + h * work.other_row + w * LANES)
        put(rows, j, first_row if strip * together + j < work.tiles * area else size)
        put(columns, j, first_column)


@jitable
def patch_count(work, size):
    """Count the patches, `size` by `size` pixels, of all images."""
    return work.tiles * ((work.height + size - 1) // size) * ((work.width + size - 1) // size)


@jitable
def part_of(first, parts, shares):
    """Return which of so many even shares begins at `first`."""
    return ((first + 1) * parts + shares - 1) // shares - 1
