"""The fully-connected layer."""

from __future__ import annotations

import operator
from typing import Any

from tinyticket.nn import functional
from tinyticket.nn.init import INITIALISERS, check_init, zeros
from tinyticket.nn.layers.drawn import Drawn
from tinyticket.nn.parameter import Parameter


class Linear(Drawn):
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
        check_init(init)
        self.in_features, self.out_features, self.init = in_features, out_features, init
        self.weight = Parameter(INITIALISERS[init]((out_features, in_features), rng))
        self.bias = Parameter(zeros((out_features,))) if bias else None

    def forward(self, x):
        """Map (..., in_features) to (..., out_features)."""
        return functional.linear(x, self.weight, self.bias)

    def settings(self):
        """Return the constructor's arguments."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias is not None,
            "init": self.init,
        }
