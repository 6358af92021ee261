"""Windows that slide over images: what convolutions and pooling have in common.

A window of kh x kw positions visits every place of a padded image. For each position in it, the pixels that it meets on its way are
a strided view of the image, one pixel for each output: reading through these views gathers, adding to them scatters.

Pairs are rows and columns. The dilation is how far neighbouring positions of the window lie apart. In `ceil_mode` the last windows
may reach beyond the padding on the right and below, as long as they begin before it; the room that they need is added there.
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["output_size", "reach"]

Pair = tuple[int, int]


def reach(kernel_size: Pair, dilation: Pair) -> Pair:
    """Return how many rows and columns of an image a window spans."""
    rows, columns = ((kernel - 1) * apart + 1 for kernel, apart in zip(kernel_size, dilation, strict=True))
    return rows, columns


def output_size(
    size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1), ceil_mode: bool = False
) -> Pair:
    """Return (height, width) of what windows over an image of `size` compute."""
    sides = zip(size, reach(kernel_size, dilation), stride, padding, strict=True)
    height, width = (_windows(length, span, step, zeros, ceil_mode) for length, span, step, zeros in sides)
    return height, width


def _windows(length: int, span: int, step: int, zeros: int, ceil_mode: bool) -> int:
    steps = length + 2 * zeros - span
    if not ceil_mode:
        return steps // step + 1
    return min(-(-steps // step), (length + zeros - 1) // step) + 1


def room(
    size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1), ceil_mode: bool = False
) -> Pair:
    """Return how many rows and columns the windows of `output_size` reach beyond the padding."""
    count = output_size(size, kernel_size, stride, padding, dilation, ceil_mode)
    sides = zip(count, size, reach(kernel_size, dilation), stride, padding, strict=True)
    rows, columns = (max(0, (n - 1) * step + span - length - 2 * zeros) for n, length, span, step, zeros in sides)
    return rows, columns


def with_border(x: np.ndarray, padding: Pair, value: float = 0.0, room: Pair = (0, 0)) -> np.ndarray:
    """Return images (N, C, H, W) with `padding` rows and columns of `value` on every side, and `room` more below and on the right.

    Without any of them it is x itself.
    """
    if padding == room == (0, 0):
        return x
    (rows, columns), (n, channels, height, width) = padding, x.shape
    padded = np.full((n, channels, height + 2 * rows + room[0], width + 2 * columns + room[1]), value, x.dtype)
    without_border(padded, padding, room)[...] = x
    return padded


def without_border(padded: np.ndarray, padding: Pair, room: Pair = (0, 0)) -> np.ndarray:
    """Return the view of padded images that leaves padding and room out."""
    rows, columns = padding
    return padded[:, :, rows : padded.shape[2] - rows - room[0], columns : padded.shape[3] - columns - room[1]]


def positions(padded: np.ndarray, kernel_size: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Iterator[np.ndarray]:
    """Yield, for each position in the window in row order, the view (N, C, OH, OW) of the pixels that it meets."""
    height, width = output_size(padded.shape[2:], kernel_size, stride, (0, 0), dilation)
    down, across = stride
    for i in range(0, kernel_size[0] * dilation[0], dilation[0]):
        for j in range(0, kernel_size[1] * dilation[1], dilation[1]):
            yield padded[:, :, i : i + (height - 1) * down + 1 : down, j : j + (width - 1) * across + 1 : across]
