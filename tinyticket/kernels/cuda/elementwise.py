"""Copies, additions and dropout on a device, number by number: as fast as memory delivers.

Padding is a copy to an origin further in; the gradient of an addition is a copy's, to each of its summands.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cuda.launch import Kernel, divided
from tinyticket.kernels.cuda.rows import finish, in_x, in_y, over_y, own, passed, rectified
from tinyticket.kernels.cuda.toolkit import cuda

_ZERO = np.float32(0)


class Spots(NamedTuple):
    """Where images lie that are laid out neither as x nor as y, in pixels."""

    origin: int
    row: int  # from a pixel to the one below
    plane: int  # from a channel to the next


def make_elementwise(function: Any, derivative: Any) -> tuple[Kernel, Kernel]:
    """Make the kernels of a function of each number, which may have a setting, and of its gradient.

    `function` is a device function from x and the setting to y; `derivative` one from dy, x and its place, y and its place, which
    is that of dy too, and the setting to dx: it reads one of x and y, or none.
    """

    @divided(over_y)
    def forward(x, y, g, setting=0):
        i, h, channel = own()
        if i < g.width * g.lanes:
            y[in_y(i, h, channel, g)] = function(x[in_x(i, h, channel, g)], setting)

    @divided(over_y)
    def backward(x, y, dy, dx, g, setting=0, add=0, x_is_relu_output=0):
        i, h, channel = own()
        if i < g.width * g.lanes:
            above, below = in_y(i, h, channel, g), in_x(i, h, channel, g)
            finish(dx, below, derivative(dy, x, below, y, above, setting), x, add, x_is_relu_output)

    return forward, backward


@cuda.jit(device=True)
def _copy_derivative(dy, x, below, y, above, relu):
    return passed(dy, y, above, relu)


copy, copy_gradient = make_elementwise(rectified, _copy_derivative)
"""Compute y = x, and dx = dy; the setting is `relu`."""


@divided(over_y)
def add(x, addend, addend_spots, y, g, relu=0):
    """Compute y = x + addend, perhaps through a ReLU; y may be either of them, and the addend lies at `Spots`."""
    i, h, channel = own()
    if i < g.width * g.lanes:
        spots = addend_spots
        beside = addend[np.uint32((spots.origin + channel * spots.plane + h * spots.row) * g.lanes + i)]
        y[in_y(i, h, channel, g)] = rectified(x[in_x(i, h, channel, g)] + beside, relu)


@divided(over_y)
def dropout(x, kept, kept_size, place, y, scale, g, state):
    """Compute y = x * scale where the mask is not zero, and zero elsewhere; scale is one over the share that is kept.

    `kept` has the masks of all dropouts, uint8 of (turns, kept_size); this one's, (channels, rows, columns, lanes), is at `place`.
    """
    i, h, channel = own()
    if i < g.width * g.lanes:
        value = _ZERO
        if kept[state[0] * kept_size + place + (channel * g.height + h) * g.width * g.lanes + i] != 0:
            value = x[in_x(i, h, channel, g)] * scale
        y[in_y(i, h, channel, g)] = value


@divided(over_y)
def dropout_gradient(x, dy, kept, kept_size, place, dx, scale, g, state, add=0, x_is_relu_output=0):
    """Compute dx = dy * scale where the mask is not zero; arguments as for `dropout`."""
    i, h, channel = own()
    if i < g.width * g.lanes:
        value = _ZERO
        if kept[state[0] * kept_size + place + (channel * g.height + h) * g.width * g.lanes + i] != 0:
            value = dy[in_y(i, h, channel, g)] * scale
        finish(dx, in_x(i, h, channel, g), value, x, add, x_is_relu_output)
