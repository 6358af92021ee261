"""The learned supermask of Zhou, Lan, Liu and Yosinski (2019, section 5): w_eff = w * b with b ~ Bernoulli(sigmoid(s)).

The gradient goes straight through the drawing, as if b were its probability p = sigmoid(s): ds = db p (1 - p), with db = w dw_eff.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.nn.parameter import Parameter
from tinyticket.nn.sources.sourced import Source


class Supermask(Source):
    """A mask drawn anew for every training batch, with probabilities that are learned; the weight is never trained.

    Parameters
    ----------
    weight : array
        w, of the layer's shape.
    rng : Generator or int
        Where the masks of training batches come from.
    evaluation : array of the weight's shape, values in [0, 1)
        The thresholds of evaluation: there a weight is kept where its threshold is below its probability. Uniformly drawn ones make
        that a sample of the same distribution, and always the same for the same scores.
    rescale : bool
        Whether the weights are multiplied by size / sum(b) in every draw ("dynamic weight rescaling").

    Attributes
    ----------
    scores : Parameter
        s, zero at first: every weight is there half of the time.
    """

    def __init__(self, weight: np.ndarray, rng: Any, evaluation: np.ndarray, rescale: bool = False):
        if evaluation.shape != weight.shape:
            raise ValueError(f"thresholds have the weight's shape {weight.shape}, not {evaluation.shape}")
        self.scores = Parameter(np.zeros_like(weight))
        self.rescale = rescale
        self._weight, self._rng, self._evaluation = weight.copy(), np.random.default_rng(rng), evaluation

    def forward(self) -> Tensor:
        """Return w_eff, with a mask of its own draw in training."""
        return bernoulli(self.scores, weight=self._weight, draw=self._draw(), rescale=self.rescale)

    def mask(self) -> np.ndarray:
        """Return the mask of evaluation."""
        return self._evaluation < probability(self.scores.data)

    def _draw(self) -> np.ndarray:
        if not self.training:
            return self._evaluation
        return self._rng.random(self._weight.shape, np.float32)


def probability(scores: np.ndarray) -> np.ndarray:
    """Return sigmoid(s); where exp(-s) overflows it is 0. In every step, this and the draws cost more than the network."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-scores))


@operation
def bernoulli(scores, *, weight, draw, rescale):
    """Return w where draw < sigmoid(s) and 0 elsewhere, times size / sum of the mask if rescaled.

    The gradient goes through that factor too, as in the authors' code: with b the mask, S its sum and c = size / S,
    db_i = c w_i g_i - (c / S) sum_j g_j w_j b_j.
    """
    p = probability(scores)
    mask = draw < p
    kept = int(np.count_nonzero(mask))
    factor = weight.dtype.type(weight.size / max(kept, 1) if rescale else 1)
    scaled = weight * factor if rescale else weight
    effective = np.where(mask, scaled, weight.dtype.type(0))

    def to_scores(g):
        to_mask = g * scaled
        if rescale:
            to_mask -= np.vdot(g, effective) / max(kept, 1)
        return to_mask * p * (1 - p)

    return effective, (to_scores,)
