"""Activations: functions of each element."""

from __future__ import annotations

from tinyticket.nn import functional
from tinyticket.nn.module import Module


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
