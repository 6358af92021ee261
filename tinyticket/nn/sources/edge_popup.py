"""Edge-popup (Ramanujan, Wortsman, Kembhavi, Farhadi and Rastegari 2020): w where |s| is among the layer's k largest, 0 elsewhere.

The gradient passes to |s| as if that were what weights are multiplied by: d|s| = w dw_eff, also where w_eff is 0, and
ds = sign(s) d|s|, as in the authors' code. So a weight that is not there gains score as long as it would lower the loss, and
pops up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.nn.init import fans, uniform
from tinyticket.nn.parameter import Parameter
from tinyticket.nn.sources.sourced import Source


class EdgePopup(Source):
    """The weights with the largest scores; they are never trained, the scores are.

    Parameters
    ----------
    weight : array
        w, of the layer's shape.
    count : int
        How many weights are kept, from 1 to all.
    rng : Generator or int
        Where the initial scores come from: Kaiming's uniform distribution with a = sqrt(5), which lies between plus and minus
        1 / sqrt(fan_in).
    """

    def __init__(self, weight: np.ndarray, count: int, rng: Any):
        if not 1 <= count <= weight.size:
            raise ValueError(f"edge-popup keeps from 1 to all {weight.size} weights of a layer, not {count}")
        bound = fans(weight.shape)[0] ** -0.5
        self.scores = Parameter(uniform(weight.shape, rng, bound).astype(weight.dtype))
        self.count, self._weight = count, weight.copy()

    def forward(self) -> Tensor:
        """Return w_eff."""
        return popped_up(self.scores, weight=self._weight, count=self.count)

    def mask(self) -> np.ndarray:
        """Return which weights are kept."""
        return largest(np.abs(self.scores.data), self.count)


@operation
def popped_up(scores, *, weight, count):
    """Return w where |s| is among the `count` largest and 0 elsewhere."""
    mask = largest(np.abs(scores), count)
    return np.where(mask, weight, weight.dtype.type(0)), (lambda g: g * weight * np.sign(scores),)


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """Return True for exactly `count` of the largest values; of equal ones those of the lowest flat indices.

    In linear time: it is done in every step.
    """
    flat = values.ravel()
    border = np.partition(flat, flat.size - count)[flat.size - count]
    mask = flat > border
    missing = count - np.count_nonzero(mask)
    mask[np.flatnonzero(flat == border)[:missing]] = True
    return mask.reshape(values.shape)
