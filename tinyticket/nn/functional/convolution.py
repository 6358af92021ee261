"""The convolution of images, and padding with zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.kernels import reference
from tinyticket.nn.functional.windows import check_windows, pair


def conv2d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0) -> Tensor:
    """Convolve images with a weight (in fact correlate, as all of deep learning does).

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W)
    weight : Tensor, shape (out, C, kh, kw)
    bias : Tensor, shape (out,), or None
    stride, padding : int or (int, int)
        Rows and columns from window to window, and of zeros on each side.

    Returns
    -------
    Tensor, shape (N, out, (H + 2 padding - kh) // stride + 1, (W + 2 padding - kw) // stride + 1)

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    x, w = np.shape(input), np.shape(weight)
    if len(x) != 4 or len(w) != 4 or x[1] != w[1]:
        raise ValueError(f"conv2d wants an input (N, C, H, W) and a weight (out, C, kh, kw); got shapes {x} and {w}")
    if bias is not None and np.shape(bias) != w[:1]:
        raise ValueError(f"conv2d wants a bias of shape {w[:1]} with a weight of shape {w}; got shape {np.shape(bias)}")
    stride, padding = pair(stride, "conv2d: stride"), pair(padding, "conv2d: padding", least=0)
    check_windows("conv2d", x, (w[2], w[3]), stride, padding)
    parts = (input, weight) if bias is None else (input, weight, bias)
    return _conv2d(*parts, stride=stride, padding=padding)


@operation
def _conv2d(x, weight, bias=None, *, stride, padding):
    gradients = (
        lambda g: reference.conv2d_input_gradient(g, weight, x.shape, stride, padding),
        lambda g: reference.conv2d_weight_gradient(g, x, weight.shape[2:], stride, padding),
        lambda g: reference.conv2d_bias_gradient(g),
    )
    return reference.conv2d(x, weight, bias, stride, padding), gradients[: 2 if bias is None else 3]


def pad(input: Any, pad: tuple[int, ...]) -> Tensor:
    """Put zeros around images.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W)
    pad : tuple of int
        PyTorch's order, the last axis first: (left, right), (left, right, top, bottom), or those and (first, last), which are
        channels.

    Raises
    ------
    ValueError
        If the input is no image, or the numbers are not 2, 4 or 6 counts.
    """
    if np.ndim(input) != 4:
        raise ValueError(f"pad wants images (N, C, H, W); got shape {np.shape(input)}")
    if len(pad) not in (2, 4, 6) or min(pad) < 0:
        raise ValueError(f"pad: wants 2, 4 or 6 counts, (left, right, top, bottom, first, last); got {pad}")
    counts = (*pad, *(0,) * (6 - len(pad)))
    return _pad2d(input, padding=(counts[4:], counts[2:4], counts[:2]))


@operation
def _pad2d(x, *, padding):
    inside = (slice(None), *(slice(before, before + n) for (before, _), n in zip(padding, x.shape[1:], strict=True)))
    return np.pad(x, ((0, 0), *padding)), (lambda g: g[inside],)
