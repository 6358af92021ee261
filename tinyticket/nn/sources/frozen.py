"""Pruned weights that stay at a value: w_eff = m w + (1 - m) f."""

from __future__ import annotations

import numpy as np

from tinyticket.autograd import Tensor, where
from tinyticket.nn.parameter import Parameter
from tinyticket.nn.sources.sourced import Source


class Frozen(Source):
    """The survivors of a masked parameter, and `frozen` where it was pruned.

    The parameter itself keeps +0.0 there, and so do its gradient and what optimizers remember: nothing can move a frozen weight.

    Parameters
    ----------
    weight : Parameter
        With a mask.
    frozen : array of the weight's shape and dtype
        What pruned weights are; under True of the mask it is not looked at.
    """

    def __init__(self, weight: Parameter, frozen: np.ndarray):
        if weight.mask is None or frozen.shape != weight.shape or frozen.dtype != weight.dtype:
            raise ValueError(
                f"Frozen wants a masked weight and values of its shape and dtype, {weight.dtype} {weight.shape}; "
                f"got {frozen.dtype} {frozen.shape}, mask {'missing' if weight.mask is None else 'given'}"
            )
        self.weight, self.frozen = weight, frozen

    def forward(self) -> Tensor:
        """Return m w + (1 - m) f."""
        return where(self.weight.mask, self.weight, self.frozen)
