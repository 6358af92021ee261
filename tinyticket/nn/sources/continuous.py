"""Continuous sparsification (Savarese, Silva and Maire 2020, arXiv 1912.04427): w_eff = w sigmoid(beta s), trained in w and in s.

While beta rises from 1 to 200, sigmoid(beta s) goes to the step function of s: the soft mask becomes the mask s > 0 in the course
of the training (section 3, equations 4 to 6). The loss that is descended has lambda * sum sigmoid(beta s) added, which goes to
lambda times the number of weights left: the density is what the penalty leaves.
"""

from __future__ import annotations

import numpy as np

from tinyticket.autograd import Tensor, operation, where
from tinyticket.nn.parameter import Parameter
from tinyticket.nn.sources.sourced import Source
from tinyticket.nn.sources.supermask import probability

FINAL = 200.0
"""The last beta, of the paper's section 5."""


class Continuous(Source):
    """A trained weight under a soft mask, which hardens with every training batch.

    Parameters
    ----------
    weight : Parameter
        w, trained with the scores.
    steps : int
        How many batches there are: beta of batch t is 200^(t / (steps - 1)).
    initial : float
        s at first, of every weight.
    penalty : float
        lambda.

    Attributes
    ----------
    scores : Parameter
        s.
    """

    def __init__(self, weight: Parameter, steps: int, initial: float, penalty: float):
        self.scores = Parameter(np.full_like(weight.data, initial))
        self.weight, self._steps, self._penalty, self._turn = weight, steps, penalty, 0

    def forward(self) -> Tensor:
        """Return w sigmoid(beta s) in training, where each call is the next batch, and w where s > 0 in evaluation."""
        if not self.training:
            return where(self.mask(), self.weight, np.zeros_like(self.weight.data))
        beta = FINAL ** (self._turn / max(self._steps - 1, 1))
        self._turn += 1
        return gated(self.weight, self.scores, beta=beta, penalty=self._penalty)

    def mask(self) -> np.ndarray:
        """Return which weights are kept: s > 0."""
        return self.scores.data > 0


@operation
def gated(weight, scores, *, beta, penalty):
    """Return m = w sigmoid(beta s). Beside the gradient of what follows, that of s has the penalty's, whose value is not added.

    dw = g sigmoid(beta s), ds = (g w + lambda) beta sigmoid(beta s) (1 - sigmoid(beta s)).
    """
    beta, penalty = (weight.dtype.type(number) for number in (beta, penalty))
    gate = probability(beta * scores)
    return weight * gate, (lambda g: g * gate, lambda g: (g * weight + penalty) * beta * gate * (1 - gate))
