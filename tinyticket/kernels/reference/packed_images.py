"""What the kernels on packed images compute, in plain NumPy: names and arguments of `kernels.cpu`, float64 inside.

Images are brought back to (samples, channels, rows, columns); a convolution is then a sum of products over sliding windows.
"""

import numpy as np


def images_of(packed: np.ndarray, border: int) -> np.ndarray:
    """Packed images as (tiles * 16, channels, rows, columns) in float64, without their border."""
    tiles, channels, height, width, lanes = packed.shape
    images = packed.transpose(0, 4, 1, 2, 3).reshape(tiles * lanes, channels, height, width)
    return images[:, :, border : height - border, border : width - border].astype(np.float64)


def packed_images(images: np.ndarray, border: int, lanes: int = 16) -> np.ndarray:
    """Bring (tiles * 16, channels, rows, columns) into the packed layout with a border of zeros, in float32."""
    padded = np.pad(images, ((0, 0), (0, 0), (border, border), (border, border)))
    tiles = padded.reshape(-1, lanes, *padded.shape[1:])
    return np.ascontiguousarray(tiles.transpose(0, 2, 3, 4, 1), np.float32)


def windows_of(images: np.ndarray, kernel: tuple[int, ...], stride: int, padding: int) -> np.ndarray:
    """Return a view (samples, channels, rows, columns, kernel rows, kernel columns) of images after padding them."""
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::stride, ::stride]


def conv_forward(
    weight: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    border: int = 0,
    stride: int = 1,
    padding: int = 0,
    relu: bool = False,
    y_border: int = 0,
) -> np.ndarray:
    """Compute y = the cross-correlation of x with the weights + bias, perhaps through a ReLU."""
    windows = windows_of(images_of(x, border), weight.shape[2:], stride, padding)
    y = np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]
    return packed_images(np.maximum(y, 0) if relu else y, y_border)


def conv_input_gradient(
    weight: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    border: int = 0,
    y_border: int = 0,
    stride: int = 1,
    padding: int = 0,
    relu: bool = False,
    add_to: np.ndarray | None = None,
) -> np.ndarray:
    """Compute dx: each pixel of dy goes back, times the weights, to the window that it came from."""
    before, above = images_of(x, border), images_of(dy, y_border)
    dx = np.zeros_like(np.pad(before, ((0, 0), (0, 0), (padding, padding), (padding, padding))))
    height, width = (stride * size for size in above.shape[2:])
    for i, j in np.ndindex(*weight.shape[2:]):
        part = np.einsum("nohw,oc->nchw", above, weight[:, :, i, j])
        dx[:, :, i : i + height : stride, j : j + width : stride][:, :, : above.shape[2], : above.shape[3]] += part
    dx = dx[:, :, padding : padding + before.shape[2], padding : padding + before.shape[3]]
    dx = dx if add_to is None else dx + images_of(add_to, border)
    return packed_images(np.where(before <= 0, 0, dx) if relu else dx, border)


def conv_weight_gradient(
    x: np.ndarray,
    dy: np.ndarray,
    kernel: tuple[int, int],
    *,
    border: int = 0,
    y_border: int = 0,
    stride: int = 1,
    padding: int = 0,
) -> np.ndarray:
    """Compute dW, the products of dy with the windows of x, summed over samples and pixels."""
    windows = windows_of(images_of(x, border), kernel, stride, padding)
    return np.einsum("nohw,nchwij->ocij", images_of(dy, y_border), windows).astype(np.float32)
