"""Windows that slide over images: what convolutions and pooling have in common.

A window of kh x kw positions visits every place of a padded image. For each position in it, the pixels that it meets on its way are
a strided view of the image, one pixel for each output: reading through these views gathers, adding to them scatters.
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["output_size"]

Pair = tuple[int, int]


def output_size(size: Pair, kernel_size: Pair, stride: Pair, padding: Pair) -> Pair:
    """Return (height, width) of what windows over an image of `size` compute."""
    height, width = (
        (length + 2 * zeros - kernel) // step + 1
        for length, kernel, step, zeros in zip(size, kernel_size, stride, padding, strict=True)
    )
    return height, width


def with_border(x: np.ndarray, padding: Pair, value: float = 0.0) -> np.ndarray:
    """Return images (N, C, H, W) with `padding` rows and columns of `value` on every side; x itself if there are none."""
    if padding == (0, 0):
        return x
    (rows, columns), (n, channels, height, width) = padding, x.shape
    padded = np.full((n, channels, height + 2 * rows, width + 2 * columns), value, x.dtype)
    without_border(padded, padding)[...] = x
    return padded


def without_border(padded: np.ndarray, padding: Pair) -> np.ndarray:
    """Return the view of padded images that leaves the padding out."""
    rows, columns = padding
    return padded[:, :, rows : padded.shape[2] - rows, columns : padded.shape[3] - columns]


def positions(padded: np.ndarray, kernel_size: Pair, stride: Pair) -> Iterator[np.ndarray]:
    """Yield, for each position in the window in row order, the view (N, C, OH, OW) of the pixels that it meets."""
    height, width = output_size(padded.shape[2:], kernel_size, stride, (0, 0))
    down, across = stride
    for i in range(kernel_size[0]):
        for j in range(kernel_size[1]):
            yield padded[:, :, i : i + (height - 1) * down + 1 : down, j : j + (width - 1) * across + 1 : across]
