"""Where the survivors of a masked convolution are, as the kernels on images read them.

A survivor's offset is where, counted from a pixel, it reads the other side: it depends on the geometry of both images, so a pattern
belongs to one place in one network.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu import lines
from tinyticket.kernels.cpu.checked import checked
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cpu.vector.machine import LANES, LARGE_CACHE
from tinyticket.kernels.geometry import Image, Window, gradient_border, make_window
from tinyticket.sparse.orders import CACHE, Orders, lines_of, order_of

WORTHWHILE = 8
"""Survivors of a row in a block below which cutting rows costs more than the cache saves (measured)."""

PATCH = 4
"""Side of the square of pixels that registers hold."""


@dataclass(frozen=True, eq=False)
class ConvPattern(lines.ConvPattern, Orders):
    """Positions of the survivors of a weight (outputs, inputs, kernel height, kernel width) for the images of one window.

    There is a row for each output channel, with offsets into x from the input pixel under the window's corner, `padding` rows and
    columns before the output pixel times the stride; and for each input channel a column for each phase of its pixels, (row mod
    stride) * stride + (column mod stride), with offsets into dy from the first row and column that any survivor reads.
    """

    window: Window
    shared: bool = False

    @classmethod
    @checked
    def from_mask(
        cls: Any,
        mask: np.ndarray,
        window: Window,
        *,
        shared: bool = False,
        row_blocks: int | None = None,
        column_blocks: int | None = None,
    ) -> "ConvPattern":
        """Build the pattern of a mask; the other arguments are those of the class and of `Pattern.from_mask`.

        Parameters
        ----------
        mask : array of bool of shape (outputs, inputs, kernel height, kernel width)
            True where a weight survives. Channels may be empty.
        window : Window
            Geometry of both images, by `make_window`; the number of tiles does not matter.
        """
        if mask.dtype != np.bool_:
            raise InputError(f"a convolution's pattern needs a bool mask, not {mask.dtype} of shape {mask.shape}")
        positions = np.flatnonzero(mask)
        return cls(mask.shape, positions, window, shared, row_blocks=row_blocks, column_blocks=column_blocks)

    def of(self, mask: np.ndarray) -> "ConvPattern":
        """Return the pattern of another mask for the same images."""
        return ConvPattern.from_mask(mask, self.window, shared=self.shared)

    def _check(self) -> None:
        window = self.window
        _check_window(window, self.shared)
        expected = window.outputs, window.inputs, window.kernel_height, window.kernel_width
        if self.shape != expected:
            raise InputError(f"the window needs a weight or mask of shape {expected}, not {self.shape}")
        if max(window.inputs * window.x_plane, window.outputs * window.y_plane) >= 2**32:
            raise InputError(f"images of {window} need offsets beyond 32 bits")

    def _row_lines(self) -> Lines:
        window, blocks = self.window, self.row_blocks
        forward, line, _ = _taps(window)
        output, tap = np.divmod(self.positions, line.size)
        channel = tap // (window.kernel_height * window.kernel_width)
        if blocks is None:
            per_line = output.size // window.outputs
            blocks = min(-(-_strip(window) * window.inputs // CACHE), per_line // WORTHWHILE)
        return lines_of(output, forward[tap], window.outputs, channel, window.inputs, blocks)

    def _column_lines(self) -> tuple[Lines, np.ndarray]:
        window, blocks = self.window, self.column_blocks
        _, line, back = _taps(window)
        output, tap = np.divmod(self.positions, line.size)
        keys, count = line[tap], window.inputs * window.stride**2
        order = order_of(keys, count)
        above = output[order]
        if blocks is None:  # they do two multiply-adds for each load, which the second-level cache keeps up with
            blocks = -(-_strip(window) * window.outputs // LARGE_CACHE)
        offsets = back[tap[order]] + (above * window.y_plane).astype(np.uint32)
        to_column = np.empty(order.size, np.uint32)
        to_column[order] = np.arange(order.size)
        return lines_of(keys[order], offsets, count, above, window.outputs, blocks), to_column


def _axis(kernel: int, length: int, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """For each tap along an axis of x: the phase of the pixels that it meets, and how far on in dy it reads, from the least."""
    tap = np.arange(kernel)
    phase = (tap - window.padding) % window.stride
    distance = (phase + window.padding - tap) // window.stride + (kernel - 1 - window.padding) // window.stride
    return phase, np.where(phase < length, distance, 0)  # an image smaller than the stride has phases without a pixel


def _taps(window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each (input, kernel row, kernel column): forward offset, line of columns, backward offset without the output."""
    c = np.arange(window.inputs)[:, None, None]
    kh, kw = np.arange(window.kernel_height)[:, None], np.arange(window.kernel_width)
    forward = c * window.x_plane + kh * window.x_row + kw * LANES
    i, down = _axis(window.kernel_height, window.x_height, window)
    j, across = _axis(window.kernel_width, window.x_width, window)
    line = c * window.stride**2 + i[:, None] * window.stride + j
    back = np.broadcast_to(down[:, None] * window.y_row + across * LANES, line.shape)
    return forward.ravel().astype(np.uint32), line.ravel(), back.ravel().astype(np.uint32)


def _check_window(window: Window, shared: bool) -> None:
    """Raise InputError unless a window is that of two images, and no survivor would read beyond the zeros around them."""
    if not all(type(size) is int for size in window) or min(window) < 0 or min(window.stride, window.tiles) < 1:
        raise InputError(f"a window has whole numbers only, unlike {window}")
    x_border = (window.x_row // LANES - window.x_width) // (2 - shared)
    y_border = (window.y_row // LANES - window.width) // (2 - shared)
    y_needed = max(
        gradient_border(size, kernel, window.stride, window.padding)
        for size, kernel in ((window.x_height, window.kernel_height), (window.x_width, window.kernel_width))
    )
    if x_border < window.padding or y_border < y_needed:
        raise InputError(
            f"a {window.kernel_height}x{window.kernel_width} convolution of stride {window.stride} and padding "
            f"{window.padding} needs a border of {window.padding} around its input and {y_needed} around its output, "
            f"not {x_border} and {y_border}"
        )
    x = Image(window.inputs, window.x_height, window.x_width, x_border, int(shared))
    y = Image(window.outputs, window.height, window.width, y_border, int(shared))
    kernel = window.kernel_height, window.kernel_width
    if make_window(window.tiles, x, y, kernel, window.stride, window.padding) != window:
        raise InputError(f"{window} is not the window of {x} and {y}, which make_window returns")


def _strip(window: Window) -> int:
    """Bytes of a channel that survivors read for one patch of the output, taken for a square."""
    height, width = min(window.height, PATCH), min(window.width, PATCH)
    rows = (height - 1) * window.stride + window.kernel_height
    return rows * ((width - 1) * window.stride + window.kernel_width) * LANES * 4
