"""Activations: functions of each element."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn import functional
from tinyticket.nn.init import constant, zeros
from tinyticket.nn.module import Module
from tinyticket.nn.parameter import Parameter


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x):
        """Apply it to each element."""
        return functional.relu(x)


class LeakyReLU(Module):
    """x where positive, negative_slope * x elsewhere."""

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = float(negative_slope)

    def forward(self, x):
        """Apply it to each element."""
        return functional.leaky_relu(x, negative_slope=self.negative_slope)

    def settings(self):
        """Return the constructor's arguments."""
        return {"negative_slope": self.negative_slope}


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x):
        """Apply it to each element."""
        return functional.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x):
        """Apply it to each element."""
        return functional.sigmoid(x)


class GELU(Module):
    """x times the share of a standard normal distribution below x; `approximate` "tanh" as in `functional.gelu`."""

    def __init__(self, approximate: str = "none"):
        self.approximate = approximate
        functional.gelu(0.0, approximate=approximate)  # says that there is no such approximation

    def forward(self, x):
        """Apply it to each element."""
        return functional.gelu(x, approximate=self.approximate)

    def settings(self):
        """Return the constructor's arguments."""
        return {"approximate": self.approximate}


class SReLU(Module):
    """S-shaped rectified linear unit (Jin et al. 2016, arXiv 1512.07030), of which each unit learns four numbers.

    y = t_left + a_left (x - t_left) up to t_left, y = x from there to t = t_left + |t_right|, and y = t + a_right (x - t) beyond.

    Parameters
    ----------
    units : int
        Features of the input (N, units), or channels of images (N, units, H, W).
    rng : Generator, int or None
        Where the initial values come from.

    Attributes
    ----------
    t_left, a_left, t_right, a_right : Parameter, shape (units,)
        They start at 0, uniform from 0 to 1, uniform from 0 to 5, and 1, as in keras-contrib, which SET's authors took
        (Mocanu et al. 2018); the paper chooses t_right after some epochs instead. Pruning leaves them alone.
    """

    def __init__(self, units: int, rng: Any = None):
        self.units = operator.index(units)
        if self.units < 1:
            raise InputError(f"SReLU wants at least one unit, not {units}")
        self.t_left, self.a_left, self.t_right, self.a_right = (Parameter(zeros((self.units,))) for _ in range(4))
        self.reset_parameters(rng)

    def forward(self, x):
        """Apply it to each element of (N, units) or (N, units, ...)."""
        return functional.srelu(x, self.t_left, self.a_left, self.t_right, self.a_right)

    def reset_parameters(self, rng: Any) -> None:
        """Draw the left slopes and the widths of the middle anew; the other two start at 0 and 1."""
        rng, shape = np.random.default_rng(rng), (self.units,)
        self.t_left.data, self.a_right.data = zeros(shape), constant(shape, value=1)
        self.a_left.data, self.t_right.data = rng.uniform(0, 1, shape), rng.uniform(0, 5, shape)

    def settings(self):
        """Return the constructor's arguments."""
        return {"units": self.units}
