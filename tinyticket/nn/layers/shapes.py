"""Layers that only move or pad numbers."""

from __future__ import annotations

import operator
from typing import Any

from tinyticket.nn import functional
from tinyticket.nn.module import Module


class Flatten(Module):
    """Join all axes but the first: (N, C, H, W) to (N, C * H * W)."""

    def forward(self, x):
        """Reshape, keeping the batch axis."""
        return functional.flatten(x)


class ZeroPad2d(Module):
    """Zeros around images.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        Columns and rows of zeros.
    """

    def __init__(self, padding: Any):
        self.padding = _counts("ZeroPad2d", padding, 4)

    def forward(self, x):
        """Map (N, C, H, W) to (N, C, top + H + bottom, left + W + right)."""
        return functional.pad(x, self.padding)

    def settings(self):
        """Return the constructor's arguments."""
        return {"padding": list(self.padding)}


class ZeroPadChannels(Module):
    """Channels of zeros before and after those of images, as in the residual networks without projections.

    Parameters
    ----------
    padding : int or (before, after)
        Channels of zeros.
    """

    def __init__(self, padding: Any):
        self.padding = _counts("ZeroPadChannels", padding, 2)

    def forward(self, x):
        """Map (N, C, H, W) to (N, before + C + after, H, W)."""
        return functional.pad(x, (0, 0, 0, 0, *self.padding))

    def settings(self):
        """Return the constructor's arguments."""
        return {"padding": list(self.padding)}


def _counts(where: str, padding: Any, size: int) -> tuple[int, ...]:
    """Return `size` counts, from as many or from one for all."""
    try:
        counts = tuple(map(operator.index, padding if isinstance(padding, tuple | list) else (padding,) * size))
    except TypeError:
        counts = ()
    if len(counts) != size or min(counts) < 0:
        raise ValueError(f"{where}: padding is one whole number from 0 up, or {size} of them, not {padding!r}")
    return counts
