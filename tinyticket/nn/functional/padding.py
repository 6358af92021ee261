"""Padding: what is put around tensors, most often images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation, shapes
from tinyticket.errors import InputError

MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""Names of PyTorch's modes that take the values around from inside, and NumPy's names for them."""


def pad(input: Any, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Put elements around a tensor, or take some away.

    Parameters
    ----------
    input : Tensor
    pad : tuple of int
        Counts before and after, the last axis first: (left, right), (left, right, top, bottom), and so on; the third pair of images
        (N, C, H, W) are channels. A negative count removes elements.
    mode : {"constant", "reflect", "replicate", "circular"}
        Where the new elements come from: they are `value`, or repeat the input mirrored at its border, its outermost elements, or
        the input from its other end.
    value : float

    Raises
    ------
    InputError
        If there are more pairs than axes, a mode is unknown, or more is removed than there is.
    """
    shape = np.shape(input)
    if len(pad) % 2 or len(pad) > 2 * len(shape):
        raise InputError(
            f"pad wants a count before and one after for some of the last axes of shape {shape}; got {pad}"
        )
    pairs = [(0, 0)] * (len(shape) - len(pad) // 2) + [*zip(pad[::2], pad[1::2], strict=True)][::-1]
    left = [size + min(0, before) + min(0, after) for size, (before, after) in zip(shape, pairs, strict=True)]
    if min(left, default=0) < (0 if mode == "constant" else min(shape, default=0) > 0):
        raise InputError(f"pad: {pad} removes more than an input of shape {shape} has")
    if mode != "constant" and (mode not in MODES or value != 0 or (mode == "reflect" and min(pad, default=0) < 0)):
        raise InputError(
            f"pad: mode is 'constant', or, without a value, one of {', '.join(MODES)}, of which reflect removes nothing; "
            f"got {mode!r}, {pad} and the value {value}"
        )
    if min(pad, default=0) < 0:
        kept = (slice(max(0, -b), size - max(0, -a)) for size, (b, a) in zip(shape, pairs, strict=True))
        input = shapes.getitem(input, index=tuple(kept))
        pairs = [(max(0, before), max(0, after)) for before, after in pairs]
    if mode != "constant":
        return _from_inside(input, pairs, MODES[mode])
    if len(shape) == 4 and pairs[0] == (0, 0) and value == 0:
        return _pad2d(input, padding=tuple(pairs[1:]))
    return shapes.pad(input, pad_width=tuple(pairs), constant_values=value)


@operation
def _pad2d(x, *, padding):
    """Zeros around images: the padding that compiled steps know."""
    inside = (slice(None), *(slice(before, before + n) for (before, _), n in zip(padding, x.shape[1:], strict=True)))
    return np.pad(x, ((0, 0), *padding)), (lambda g: g[inside],)


def _from_inside(input: Any, pairs: list[tuple[int, int]], mode: str) -> Tensor:
    """Pad axis after axis by taking elements at places that run beyond the ends and come back."""
    for axis, (before, after) in enumerate(pairs):
        if (before, after) != (0, 0):
            places = np.pad(np.arange(np.shape(input)[axis]), (before, after), mode)  # type: ignore[call-overload]
            input = shapes.getitem(input, index=(slice(None),) * axis + (places,))
    return input if isinstance(input, Tensor) else Tensor(input)
