"""Where the survivors of a masked convolution are, as the kernels on images read them.

Offsets are stretched over the image beforehand: a survivor's is where, counted from a pixel, it reads the other side. They depend
on the geometry of both images, so a pattern belongs to one place in one network. Kernels check no bounds: whatever they may reach
is validated here, once, against the borders of both images.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.geometry import Window, gradient_border
from tinyticket.sparse.orders import Orders

CACHE, LARGE_CACHE = 32 * 1024, 1024 * 1024
"""Bytes of images that a block of a row and of a column should read: a first-level and a second-level cache. Columns do two
multiply-adds for each load, which the second level keeps up with."""

WORTHWHILE = 8
"""Survivors of a row in a block below which cutting rows costs more than the cache saves (measured)."""

PATCH = 4
"""Side of the square of pixels that registers hold."""


@dataclass(frozen=True, eq=False)
class ConvPattern(Orders):
    """Positions of the survivors of a weight (outputs, inputs, kernel height, kernel width) for the images of one window.

    Attributes
    ----------
    rows : Lines
        One line for each output channel, C order of the mask. Offsets into x count from the input pixel under the window's
        corner, `padding` rows and columns before the output pixel times the stride.
    columns : Lines
        For each input channel one line for each phase of its pixels, (row mod stride) * stride + (column mod stride); survivors
        meet the pixels of one phase only. Offsets into dy count from the first row and column that any survivor reads.
    window : Window
    shared : bool
        Whether neighbouring rows and images share the zeros between them.
    """

    window: Window
    shared: bool = False

    @classmethod
    def from_mask(
        cls,
        mask: Any,
        window: Window,
        *,
        shared: bool = False,
        row_blocks: int | None = None,
        column_blocks: int | None = None,
    ) -> "ConvPattern":
        """Build the pattern of a mask.

        Parameters
        ----------
        mask : array of bool of shape (outputs, inputs, kernel height, kernel width)
            True where a weight survives. Channels may be empty.
        window : Window
            Geometry of both images; the number of tiles does not matter.
        shared : bool
            Whether neighbouring rows and images share the zeros between them.
        row_blocks, column_blocks : int, optional
            Pieces that lines are cut into; by a rule of size and density if not given. Sums keep their order, so the choice
            changes the speed and not a bit of any result.
        """
        mask = np.ascontiguousarray(mask)
        expected = window.outputs, window.inputs, window.kernel_height, window.kernel_width
        if mask.dtype != np.bool_ or mask.shape != expected or 0 in mask.shape:
            raise InputError(
                f"a convolution's pattern needs a bool mask of shape {expected}, not {mask.dtype} of shape {mask.shape}"
            )
        if max(window.inputs * window.x_plane, window.outputs * window.y_plane) >= 2**32:
            raise InputError(f"images of {window} need offsets beyond 32 bits")
        _check_borders(window, shared)
        forward, line, back = _taps(window)
        output, tap = np.nonzero(mask.reshape(window.outputs, -1))
        channel = tap // (window.kernel_height * window.kernel_width)
        keys, lines = line[tap], window.inputs * window.stride**2
        # A stable sort of 16-bit numbers is a radix sort, several times quicker than others.
        order = np.argsort(keys.astype(np.uint16 if lines < 2**16 else np.uint32), kind="stable")
        above = output[order]
        if row_blocks is None:
            per_line = output.size // window.outputs
            row_blocks = min(-(-_strip(window) * window.inputs // CACHE), per_line // WORTHWHILE)
        if column_blocks is None:
            column_blocks = -(-_strip(window) * window.outputs // LARGE_CACHE)
        rows = _lines(output, forward[tap], window.outputs, channel, window.inputs, row_blocks)
        offsets = back[tap[order]] + (above * window.y_plane).astype(np.uint32)
        columns = _lines(keys[order], offsets, lines, above, window.outputs, column_blocks)
        pattern = cls(mask.shape, rows, columns, order.astype(np.uint32), np.flatnonzero(mask), window, shared)
        pattern.validate()
        return pattern

    def of(self, mask: np.ndarray) -> "ConvPattern":
        """Return the pattern of another mask for the same images."""
        return ConvPattern.from_mask(mask, self.window, shared=self.shared)

    def mask(self) -> np.ndarray:
        """Return the bool mask."""
        mask = np.zeros(int(np.prod(self.shape)), np.bool_)
        mask[self.positions] = True
        return mask.reshape(self.shape)

    def validate(self) -> None:
        """Raise an error if a kernel that walks through this pattern would leave its images."""
        window = self.window
        _check_borders(window, self.shared)
        forward, line, back = _taps(window)
        phases = window.stride**2
        for name, lines, length in (
            ("rows", self.rows, window.outputs),
            ("columns", self.columns, window.inputs * phases),
        ):
            self._check_lines(name, lines, length)
        if not self.count:
            return
        if self.rows.offsets.max() > forward.max() or np.any(self.rows.offsets % np.uint32(LANES)):
            raise InputError(f"rows of a pattern reach beyond {window.inputs} images of x")
        phase = np.repeat(
            np.arange(window.inputs * phases) % phases, np.diff(self.columns.starts[:: self.columns.blocks])
        )
        # Shared zeros below an image lie in the next one's plane.
        size, inside = 2 * window.y_plane, np.zeros(self.count, np.bool_)
        above, place = np.divmod(self.columns.offsets.astype(np.int64), window.y_plane)
        reached = np.unique(line % phases * size + back)
        for beyond in range(1 + self.shared):
            here = np.isin(phase * size + place + beyond * window.y_plane, reached)
            inside |= here & (above >= beyond) & (above - beyond < window.outputs)
        if not inside.all():
            raise InputError(f"columns of a pattern reach beyond {window.outputs} images of dy")
        if self.to_row.max() >= self.count:
            raise InputError("the permutation of a pattern reaches beyond its survivors")


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


def _check_borders(window: Window, shared: bool) -> None:
    """Raise an error if some survivor would read beyond the zeros around an image."""
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


def _strip(window: Window) -> int:
    """Bytes of a channel that survivors read for one patch of the output, taken for a square."""
    height, width = min(window.height, PATCH), min(window.width, PATCH)
    rows = (height - 1) * window.stride + window.kernel_height
    return rows * ((width - 1) * window.stride + window.kernel_width) * LANES * 4


def _lines(line: np.ndarray, offsets: np.ndarray, count: int, place: np.ndarray, length: int, blocks: int) -> Lines:
    """Cut lines into so many blocks of the channels that they read, and count where each begins."""
    blocks = max(1, min(blocks, length))
    per_line = np.bincount(line * blocks + place * blocks // length, minlength=count * blocks)
    starts = np.concatenate(([0], np.cumsum(per_line))).astype(np.uint32)
    return Lines(starts, offsets, blocks)
