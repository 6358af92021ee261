"""Winograd's convolution F(4x4, 3x3) of kernels of three by three at a stride of one (Lavin and Gray, 2015, arXiv 1509.09308).

Each four by four pixels of y are A' [sum over channels of (G g G') * (B' d B)] A, g a kernel, d the patch of six by six pixels of x
that they see, and * the product number by number: 36 products for each channel where the direct sum has 144.
"""

import numpy as np

from tinyticket.kernels.reference.windows import Pair, with_border

__all__ = ["winograd_conv2d", "winograd_error_bound"]

A = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]])
B = np.array(
    [
        [4, 0, 0, 0, 0, 0],
        [0, -4, 4, -2, 2, 4],
        [-5, -4, -4, -1, -1, 0],
        [0, 1, -1, 2, -2, -5],
        [1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
)
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24

ROUNDINGS = 19
"""Besides those of the sum over the channels: in each direction two for B, four for G and three for A, and the bias."""


def winograd_conv2d(x, weight, bias=None, padding: Pair = (0, 0)):
    """Return `conv2d` of images (N, C, H, W) with a weight (O, C, 3, 3) at a stride of one, by Winograd's algorithm."""
    y = _transformed(x, weight, padding, A, B, G)
    return y if bias is None else y + bias[:, np.newaxis, np.newaxis]


def winograd_error_bound(x, weight, padding: Pair = (0, 0), bias=None):
    """Return by how much each number of `winograd_conv2d` in float32 may differ from the exact one, (N, O, OH, OW) in float64.

    Each of the products that are added has been rounded n = C + 19 times at most, so that the error is below n u / (1 - n u) times
    the same sums of absolute values, u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). Errors seen
    are some hundred times smaller, and four to eleven times those of the direct sum.
    """
    roundings = (x.shape[1] + ROUNDINGS) * 2.0**-24
    x, weight, *matrices = (np.abs(array).astype(np.float64) for array in (x, weight, A, B, G))
    absolute = _transformed(x, weight, padding, *matrices)
    if bias is not None:
        absolute += np.abs(bias.astype(np.float64))[:, np.newaxis, np.newaxis]
    return roundings / (1 - roundings) * absolute


def _transformed(x, weight, padding: Pair, a, b, g):
    """Return the convolution with such matrices of the transforms; images are filled up with zeros to whole patches."""
    height, width = (size + 2 * zeros - 2 for size, zeros in zip(x.shape[2:], padding, strict=True))
    padded = with_border(x, padding, room=(-height % 4, -width % 4))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (6, 6), (2, 3))[:, :, ::4, ::4]
    a, b, g = (matrix.astype(x.dtype) for matrix in (a, b, g))
    d = np.einsum("ip,nchwij,jq->nchwpq", b, patches, b, optimize=True)
    products = np.einsum("ocpq,nchwpq->nohwpq", np.einsum("pi,ocij,qj->ocpq", g, weight, g), d, optimize=True)
    y = np.einsum("pi,nohwpq,qj->nohiwj", a, products, a, optimize=True)
    return y.reshape(*y.shape[:2], 4 * y.shape[2], -1)[:, :, :height, :width]
