"""The convolutions of images and of sequences."""

from __future__ import annotations

import operator
from typing import Any

from tinyticket.nn import functional
from tinyticket.nn.functional.windows import pair
from tinyticket.nn.init import INITIALISERS, check_init, zeros
from tinyticket.nn.layers.drawn import Drawn
from tinyticket.nn.layers.sizes import plain
from tinyticket.nn.parameter import Parameter


class Conv2d(Drawn):
    """Convolution of images (in fact the correlation, as in all of deep learning) plus a bias for each channel.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding, dilation : int or (int, int)
        Rows and columns of a window, from window to window, of zeros on each side, and from position to position in a window. The
        padding may also be "valid" (none) or "same" (images keep their size).
    groups : int
        Into how many groups the channels in and out are divided; each group out sees its own group in.
    bias : bool
        Whether there is a bias; it starts at zero. Before a batch normalisation it would do nothing.
    rng : Generator, int or None
        Where the initial weights come from.
    init : str
        Name of their distribution, a function of `nn.init`; the papers' Gaussian Glorot by default.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels / groups, kernel rows, kernel columns)
    bias : Parameter, shape (out_channels,), or None
    """

    group = "conv"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        *,
        bias: bool = True,
        rng: Any = None,
        init: str = "glorot_normal",
    ):
        self.in_channels, self.out_channels = operator.index(in_channels), operator.index(out_channels)
        if self.in_channels < 1 or self.out_channels < 1:
            raise ValueError(f"Conv2d wants at least one channel in and out, not {in_channels} and {out_channels}")
        self.kernel_size, self.stride = pair(kernel_size, "Conv2d: kernel_size"), pair(stride, "Conv2d: stride")
        self.padding = padding if padding in ("same", "valid") else pair(padding, "Conv2d: padding", least=0)
        self.dilation, self.groups = pair(dilation, "Conv2d: dilation"), operator.index(groups)
        if self.groups < 1 or self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"Conv2d: {groups} groups do not divide {in_channels} channels in and {out_channels} out")
        if padding == "same" and self.stride != (1, 1):
            raise ValueError(f"Conv2d: padding 'same' goes with a stride of 1, not {stride}")
        check_init(init)
        self.init = init
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight = Parameter(INITIALISERS[init](shape, rng))
        self.bias = Parameter(zeros((self.out_channels,))) if bias else None

    def forward(self, x):
        """Map images (N, in_channels, H, W) to (N, out_channels, ...), of the size that `functional.conv2d` says."""
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def settings(self):
        """Return the constructor's arguments; those that came later only where they are used, so that files stay as they were."""
        later = {
            name: value for name, value in (("dilation", plain(self.dilation)), ("groups", self.groups)) if value != 1
        }
        return later | {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": plain(self.kernel_size),
            "stride": plain(self.stride),
            "padding": self.padding if isinstance(self.padding, str) else plain(self.padding),
            "bias": self.bias is not None,
            "init": self.init,
        }


class Conv1d(Drawn):
    """Convolution of sequences (in fact the correlation) plus a bias for each channel.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding, dilation : int
        Length of a window, steps from window to window, zeros at each end, and from position to position in a window. The padding
        may also be "valid" (none) or "same" (sequences keep their length).
    groups, bias, rng, init
        As of `Conv2d`.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels / groups, kernel_size)
    bias : Parameter, shape (out_channels,), or None
    """

    group = "conv"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: Any = 0,
        dilation: int = 1,
        groups: int = 1,
        *,
        bias: bool = True,
        rng: Any = None,
        init: str = "glorot_normal",
    ):
        counts = in_channels, out_channels, kernel_size, stride, dilation, groups
        self.in_channels, self.out_channels, self.kernel_size, self.stride, self.dilation, self.groups = map(
            operator.index, counts
        )
        if min(map(operator.index, counts)) < 1:
            raise ValueError(
                f"Conv1d wants channels, kernel_size, stride, dilation and groups of at least 1, not {counts}"
            )
        self.padding = padding if padding in ("same", "valid") else operator.index(padding)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"Conv1d: {groups} groups do not divide {in_channels} channels in and {out_channels} out")
        check_init(init)
        self.init = init
        shape = (self.out_channels, self.in_channels // self.groups, self.kernel_size)
        self.weight = Parameter(INITIALISERS[init](shape, rng))
        self.bias = Parameter(zeros((self.out_channels,))) if bias else None

    def forward(self, x):
        """Map sequences (N, in_channels, L) to (N, out_channels, ...)."""
        return functional.conv1d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def settings(self):
        """Return the constructor's arguments."""
        names = "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "init"
        return {**{name: getattr(self, name) for name in names}, "bias": self.bias is not None}
