"""The convolution of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation, shapes
from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.nn.functional.padding import pad
from tinyticket.nn.functional.windows import Pair, check_windows, pair


def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve images with a weight (in fact correlate, as all of deep learning does).

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
    weight : Tensor, shape (out, C / groups, kh, kw)
    bias : Tensor, shape (out,), or None
    stride, padding, dilation : int or (int, int)
        Rows and columns from window to window, of zeros on each side, and from position to position in a window. The padding may be
        "valid", which is none, or "same", which keeps the size of the image where the stride is 1.
    groups : int
        Into how many groups channels are divided; each group of outputs sees its own group of channels.

    Returns
    -------
    Tensor, shape (N, out, (H + 2 padding - dilation (kh - 1) - 1) // stride + 1, ... of W), without N if the input has none

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    if np.ndim(input) == 3:
        batch = shapes.expand_dims(input, axis=0)
        return shapes.squeeze(conv2d(batch, weight, bias, stride, padding, dilation, groups), axis=0)
    x, w = np.shape(input), np.shape(weight)
    if len(x) != 4 or len(w) != 4 or groups < 1 or x[1] != groups * w[1] or w[0] % groups:
        of_groups = "" if groups == 1 else f" / {groups}"
        wanted = f"an input (N, C, H, W) and a weight (out, C{of_groups}, kh, kw)"
        raise InputError(f"conv2d wants {wanted}{of_groups and ', out in as many groups'}; got shapes {x} and {w}")
    if bias is not None and np.shape(bias) != w[:1]:
        raise ValueError(f"conv2d wants a bias of shape {w[:1]} with a weight of shape {w}; got shape {np.shape(bias)}")
    stride, dilation = pair(stride, "conv2d: stride"), pair(dilation, "conv2d: dilation")
    if isinstance(padding, str):
        input, padding = _named_padding(input, padding, reference.reach((w[2], w[3]), dilation), stride)
    padding = pair(padding, "conv2d: padding", least=0)
    check_windows("conv2d", np.shape(input), (w[2], w[3]), stride, padding, dilation)
    parts = (input, weight) if bias is None else (input, weight, bias)
    return _conv2d(*parts, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: int = 1, padding: Any = 0, dilation: int = 1, groups: int = 1
) -> Tensor:
    """Convolve sequences (N, C, L) or (C, L) with a weight (out, C / groups, k): `conv2d` of images of one row."""
    if np.ndim(input) not in (2, 3) or np.ndim(weight) != 3:
        wanted = "an input (N, C, L) and a weight (out, C, k)"
        raise InputError(f"conv1d wants {wanted}; got shapes {np.shape(input)} and {np.shape(weight)}")
    rows, kernel = (shapes.expand_dims(array, axis=-2) for array in (input, weight))
    zeros = padding if isinstance(padding, str) else (0, padding)
    return shapes.squeeze(conv2d(rows, kernel, bias, (1, stride), zeros, (1, dilation), groups), axis=-2)


@operation
def _conv2d(x, weight, bias=None, *, stride, padding, dilation, groups):
    windows = stride, padding, dilation, groups
    gradients = (
        lambda g: reference.conv2d_input_gradient(g, weight, x.shape, *windows),
        lambda g: reference.conv2d_weight_gradient(g, x, weight.shape[2:], *windows),
        lambda g: reference.conv2d_bias_gradient(g),
    )
    return reference.conv2d(x, weight, bias, *windows), gradients[: 2 if bias is None else 3]


def _named_padding(input: Any, name: str, reach: Pair, stride: Pair) -> tuple[Any, Pair]:
    """Return the input and the padding that a name means; an odd row or column of zeros is put below or on the right before."""
    if name == "valid":
        return input, (0, 0)
    if name != "same" or stride != (1, 1):
        raise InputError(
            f"conv2d: padding is counts, 'valid', or with a stride of 1 'same'; got {name!r}, stride {stride}"
        )
    rows, columns = ((span - 1) // 2 for span in reach)
    odd_rows, odd_columns = ((span - 1) % 2 for span in reach)
    if odd_rows or odd_columns:
        input = pad(input, (0, odd_columns, 0, odd_rows))
    return input, (rows, columns)
