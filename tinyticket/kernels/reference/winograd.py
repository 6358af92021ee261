"""Winograd's convolution F(4x4, 3x3) of kernels of three by three at a stride of one (Lavin and Gray, 2015, arXiv 1509.09308).

Each four by four pixels of y are A' [sum over channels of (G g G') * (B' d B)] A, g a kernel, d the patch of six by six pixels of x
that they see, and * the product number by number: 36 products for each channel where the direct sum has 144. The gradient of g is
G' [sum over patches of (A e A') * (B' d B)] G, e the gradient of the four by four pixels: F(3x3, 4x4), of as many products.
"""

import numpy as np

from tinyticket.kernels.reference.windows import Pair, with_border

__all__ = ["winograd_conv2d", "winograd_conv2d_weight_gradient", "winograd_error_bound"]
__all__ += ["winograd_weight_gradient_error_bound"]

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

GRADIENT_ROUNDINGS = 23
"""Besides those of the sum over the patches: six each for A and B, five in each direction for G, and the product's."""


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


def winograd_conv2d_weight_gradient(dy, x, padding: Pair = (0, 0)):
    """Return `conv2d_weight_gradient` of a kernel of three by three at a stride of one, by Winograd's algorithm."""
    return _transformed_gradient(dy, x, padding, A, B, G)


def winograd_weight_gradient_error_bound(dy, x, padding: Pair = (0, 0)):
    """Return by how much `winograd_conv2d_weight_gradient` in float32 may differ from the exact one, (O, C, 3, 3) in float64.

    It is that of `winograd_error_bound`, for sums over as many products as there are patches in all images. Errors seen are
    thousands of times smaller, and two to thirteen times those of the direct sum, for its products are summed strip by strip.
    """
    patches = len(dy) * -(-dy.shape[2] // 4) * -(-dy.shape[3] // 4)
    roundings = (patches + GRADIENT_ROUNDINGS) * 2.0**-24
    dy, x, *matrices = (np.abs(array).astype(np.float64) for array in (dy, x, A, B, G))
    absolute = _transformed_gradient(dy, x, padding, *matrices)
    return roundings / (1 - roundings) * absolute


def _patches(x, padding: Pair, room: Pair):
    """Return the patches of images, (N, C, H / 4, W / 4, 6, 6), with zeros around and below and on the right."""
    padded = with_border(x, padding, room=room)
    return np.lib.stride_tricks.sliding_window_view(padded, (6, 6), (2, 3))[:, :, ::4, ::4]


def _transformed(x, weight, padding: Pair, a, b, g):
    """Return the convolution with such matrices of the transforms; images are filled up with zeros to whole patches."""
    height, width = (size + 2 * zeros - 2 for size, zeros in zip(x.shape[2:], padding, strict=True))
    patches = _patches(x, padding, (-height % 4, -width % 4))
    a, b, g = (matrix.astype(x.dtype) for matrix in (a, b, g))
    d = np.einsum("ip,nchwij,jq->nchwpq", b, patches, b, optimize=True)
    products = np.einsum("ocpq,nchwpq->nohwpq", np.einsum("pi,ocij,qj->ocpq", g, weight, g), d, optimize=True)
    y = np.einsum("pi,nohwpq,qj->nohiwj", a, products, a, optimize=True)
    return y.reshape(*y.shape[:2], 4 * y.shape[2], -1)[:, :, :height, :width]


def _transformed_gradient(dy, x, padding: Pair, a, b, g):
    """Return the gradient of the weight with such matrices of the transforms; dy is filled up with zeros to whole patches."""
    room = -dy.shape[2] % 4, -dy.shape[3] % 4
    pixels = with_border(dy, (0, 0), room=room)
    pixels = pixels.reshape(*dy.shape[:2], pixels.shape[2] // 4, 4, -1, 4)
    a, b, g = (matrix.astype(x.dtype) for matrix in (a, b, g))
    d = np.einsum("ip,nchwij,jq->nchwpq", b, _patches(x, padding, room), b, optimize=True)
    e = np.einsum("pi,nohiwj,qj->nohwpq", a, pixels, a, optimize=True)
    return np.einsum("pi,ocpq,qj->ocij", g, np.einsum("nohwpq,nchwpq->ocpq", e, d, optimize=True), g, optimize=True)
