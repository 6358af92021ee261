"""Pooling: maxima and means over windows of images."""

from __future__ import annotations

from typing import Any

from tinyticket.nn import functional
from tinyticket.nn.functional.windows import pair
from tinyticket.nn.layers.sizes import plain
from tinyticket.nn.module import Module


class _Pool2d(Module):
    """Windows over images.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Rows and columns of a window.
    stride : int or (int, int), optional
        Rows and columns from window to window; the window's own if not given.
    padding : int or (int, int)
        Rows and columns on each side.
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        kind = type(self).__name__
        self.kernel_size = pair(kernel_size, f"{kind}: kernel_size")
        self.stride = self.kernel_size if stride is None else pair(stride, f"{kind}: stride")
        self.padding = pair(padding, f"{kind}: padding", least=0)

    def settings(self):
        """Return the constructor's arguments."""
        return {
            "kernel_size": plain(self.kernel_size),
            "stride": plain(self.stride),
            "padding": plain(self.padding),
        }


class MaxPool2d(_Pool2d):
    """The maximum of every window.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, ceil_mode
        As those of `functional.max_pool2d`.
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, *, ceil_mode: bool = False
    ):
        super().__init__(kernel_size, stride, padding)
        self.dilation, self.ceil_mode = pair(dilation, "MaxPool2d: dilation"), bool(ceil_mode)

    def forward(self, x):
        """Map (N, C, H, W) to (N, C, ...), of the size that `functional.max_pool2d` says."""
        return functional.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def settings(self):
        """Return the constructor's arguments; those that came later only where they are used, so that files stay as they were."""
        later = (("dilation", plain(self.dilation), 1), ("ceil_mode", self.ceil_mode, False))
        return super().settings() | {name: value for name, value, default in later if value != default}


class AvgPool2d(_Pool2d):
    """The mean of every window, the padding's zeros counted; see `functional.avg_pool2d`."""

    def forward(self, x):
        """Map (N, C, H, W) to (N, C, (H + 2 padding - kernel) // stride + 1, ... of W)."""
        return functional.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """The mean of every channel over all its rows and columns."""

    def forward(self, x):
        """Map (N, C, H, W) to (N, C)."""
        return functional.global_avg_pool2d(x)
