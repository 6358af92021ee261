"""Fully-connected networks' layers: each holds its parameters and calls its function."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.errors import near
from tinyticket.nn import functional
from tinyticket.nn.init import INITIALISERS, zeros
from tinyticket.nn.module import Module, Prunable
from tinyticket.nn.parameter import Parameter


class Linear(Prunable):
    """y = x W^T + b.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Whether there is a b; it starts at zero.
    rng : Generator, int or None
        Where the initial weights come from.
    init : str
        Name of their distribution, a function of `nn.init`; the papers' Gaussian Glorot by default.

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
    bias : Parameter, shape (out_features,), or None
    """

    group = "fc"

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, rng: Any = None, init: str = "glorot_normal"
    ):
        in_features, out_features = operator.index(in_features), operator.index(out_features)
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Linear wants at least one input and one output, not {in_features} and {out_features}")
        if init not in INITIALISERS:
            raise ValueError(f"unknown initialisation {init!r}{near(init, INITIALISERS)}")
        self.in_features, self.out_features, self.init = in_features, out_features, init
        self.weight = Parameter(INITIALISERS[init]((out_features, in_features), rng))
        self.bias = Parameter(zeros((out_features,))) if bias else None

    def forward(self, x):
        """Map (..., in_features) to (..., out_features)."""
        return functional.linear(x, self.weight, self.bias)

    def reset_parameters(self, rng):
        """Draw the weight anew; the bias starts at zero."""
        self.weight.data = INITIALISERS[self.init](self.weight.shape, rng)
        if self.bias is not None:
            self.bias.data = zeros(self.bias.shape)

    def settings(self):
        """Return the constructor's arguments."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias is not None,
            "init": self.init,
        }


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


class Flatten(Module):
    """Join all axes but the first: (N, C, H, W) to (N, C * H * W)."""

    def forward(self, x):
        """Reshape, keeping the batch axis."""
        return functional.flatten(x)


class Dropout(Module):
    """Set elements to zero with probability p in training; do nothing in evaluation.

    Parameters
    ----------
    p : float
        Probability of dropping, 0 <= p < 1.
    rng : Generator, int or None
        Where the draws come from; assign `.rng` to start another stream.
    """

    def __init__(self, p: float = 0.5, rng: Any = None):
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is a probability from 0 up to, not including, 1; got {p}")
        self.p = float(p)
        self.rng = np.random.default_rng(rng)

    def forward(self, x):
        """Drop in training."""
        return functional.dropout(x, self.p, self.training, self.rng)

    def settings(self):
        """Return the constructor's arguments."""
        return {"p": self.p}


class Sequential(Module):
    """Modules one after the other, given as arguments or as one mapping from names to modules."""

    def __init__(self, *layers: Module | Mapping[str, Module]):
        named = (
            layers[0]
            if len(layers) == 1 and isinstance(layers[0], Mapping)
            else {str(i): layer for i, layer in enumerate(layers)}
        )
        for name, layer in named.items():
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential wants Modules; {name} is a {type(layer).__name__}")
            if hasattr(Module, name) or "." in name or "/" in name:
                raise ValueError(f"{name!r} cannot name a layer")
        vars(self).update(named)

    def __iter__(self):
        return (layer for _, layer in self.children())

    def __len__(self) -> int:
        return len(list(self.children()))

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]

    def forward(self, x) -> Tensor:
        """Pass x through every layer in turn."""
        for layer in self:
            x = layer(x)
        return x
