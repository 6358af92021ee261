"""What the sparse convolution kernels compute, in plain NumPy: names and arguments of `kernels.cpu`, float64 inside.

The sum over the kernel's taps is written out: the input pixels that a tap meets are a strided slice of the padded input, a pixel
for each pixel of the output.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

LANES = 16


def sparse_conv_forward(
    pattern: Any, values: np.ndarray, bias: np.ndarray, x: np.ndarray, *, relu: bool = False
) -> np.ndarray:
    """Compute y = W * x + b with the survivors put back among zeros, perhaps through a ReLU."""
    window, weight = pattern.window, pattern.dense(values)
    images = _padded(x, window)
    y = np.zeros((len(images), window.outputs, window.height, window.width)) + bias[:, None, None]
    for i, j, met in _taps(window):
        y += np.einsum("oc,nchw->nohw", weight[:, :, i, j], images[met])
    border = (window.y_row // LANES - window.width) // 2
    return _packed(np.maximum(y, 0) if relu else y, border)


def sparse_conv_backward(
    pattern: Any,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    relu: bool = False,
    dx: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient, added to a dx that is given, and the survivors' gradients in the order of columns."""
    window, weight = pattern.window, pattern.dense(pattern.by_row(values))
    images, above = _padded(x, window), _interior(dy, window)
    padded = np.zeros_like(images)
    for i, j, met in _taps(window):
        padded[met] += np.einsum("oc,nohw->nchw", weight[:, :, i, j], above)
    p, border = window.padding, (window.x_row // LANES - window.x_width) // 2
    inside = np.s_[:, :, p : p + window.x_height, p : p + window.x_width]
    result = _packed(padded[inside], border).astype(np.float64) + (0 if dx is None else dx)
    result = np.where(x <= 0, 0, result) if relu else result
    return result.astype(np.float32), pattern.by_column(sparse_conv_gradient(pattern, x, dy))


def sparse_conv_gradient(pattern: Any, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Compute the survivors' gradients in C order of the mask: the dense gradient where the mask is true."""
    window = pattern.window
    images, above = _padded(x, window), _interior(dy, window)
    gradient = np.zeros(pattern.shape)
    for i, j, met in _taps(window):
        gradient[:, :, i, j] = np.einsum("nohw,nchw->oc", above, images[met])
    return gradient.astype(np.float32)[pattern.mask()]


def _taps(window: Any) -> Iterator[tuple[int, int, tuple[slice, ...]]]:
    """Yield each tap's row and column in the kernel, and the slices of the padded input that it meets."""
    s = window.stride
    for i in range(window.kernel_height):
        for j in range(window.kernel_width):
            rows = slice(i, i + s * (window.height - 1) + 1, s)
            yield i, j, (slice(None), slice(None), rows, slice(j, j + s * (window.width - 1) + 1, s))


def _images(packed: np.ndarray, height: int, width: int, around: int) -> np.ndarray:
    """Packed images as (samples, channels, rows, columns) in float64, with so many pixels of their border."""
    flat = packed.transpose(0, 4, 1, 2, 3).reshape(-1, *packed.shape[1:4]).astype(np.float64)
    start = (packed.shape[3] - width) // 2 - around
    return flat[:, :, start : start + height + 2 * around, start : start + width + 2 * around]


def _padded(x: np.ndarray, window: Any) -> np.ndarray:
    return _images(x, window.x_height, window.x_width, window.padding)


def _interior(dy: np.ndarray, window: Any) -> np.ndarray:
    return _images(dy, window.height, window.width, 0)


def _packed(images: np.ndarray, border: int) -> np.ndarray:
    """Bring (samples, channels, rows, columns) into the packed layout, in float32; samples fill their tiles."""
    framed = np.pad(images, ((0, 0), (0, 0), (border, border), (border, border)))
    tiles = framed.reshape(-1, LANES, *framed.shape[1:])
    return np.ascontiguousarray(tiles.transpose(0, 2, 3, 4, 1), np.float32)
