"""Sign-In: gradient descent on two factors of each weight, which lets weights pass through zero."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tinyticket.nn.parameter import Parameter
from tinyticket.optim.optimizer import Optimizer


class SignIn(Optimizer):
    """Gradient descent on m and w where a weight is theta = m w (Gadhikar, Jacobs, Zhou and Burkholz 2025, arXiv 2504.12801).

    With g = dL/dtheta a step is m <- m - lr (g w + decay m) and w <- w - lr (g m + decay w). Its flow keeps m^2 - w^2, and moves
    weights by -sqrt(4 theta^2 + beta^2) g where that is beta: at zero by -beta g, so that they can cross it, where of beta = 0
    they cannot, and large weights faster than plain descent does. Steps and decay let m^2 - w^2 drift, so every `period` steps
    the factors are made those of m^2 - w^2 = beta again, m > 0, and theta stays as it is.

    Weights of layers, arrays of two axes or more, have factors; biases and normalisation get plain SGD. It trains eagerly.

    Parameters
    ----------
    params : iterable of Parameter
    lr : float
    beta : float
        Above 0.
    period : int
        Steps from one rescaling to the next.
    weight_decay : float
        Of the factors; of what has none, L2.
    """

    SLOTS = ("first", "second")

    def __init__(
        self, params: Iterable[Parameter], lr: float, beta: float = 1.0, period: int = 100, weight_decay: float = 0
    ):
        super().__init__(params, lr, weight_decay)
        if not 0 < beta < math.inf or period < 1:
            raise ValueError(f"beta is above 0 and the period at least 1; got {beta} and {period}")
        self.beta, self.period = float(beta), int(period)
        self.factors = [(np.zeros_like(p.data), np.zeros_like(p.data)) if p.ndim > 1 else () for p in self.params]

    @np.errstate(over="ignore", invalid="ignore")  # of pruned weights, whose factors are 0 afterwards
    def _update(self, i, weight, gradient):
        rate, decay = float(self.lr), self.weight_decay
        if not self.factors[i]:
            weight -= rate * (gradient + decay * weight)
            return
        first, second = self.factors[i]
        # A first factor of 0 is one that is not there yet: of a weight that has just begun, or has been revived.
        due = np.ones_like(first, bool) if self.steps[i] % self.period == 0 else first == 0
        first[due], second[due] = balanced(weight[due], self.beta)
        moved = rate * (gradient * second + decay * first)
        second -= rate * (gradient * first + decay * second)
        first -= moved
        np.multiply(first, second, out=weight)

    def slots(self, i):
        return self.factors[i]


def balanced(weight: np.ndarray, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Return m > 0 and w with m w = theta and m^2 - w^2 = beta: m^2 = (sqrt(beta^2 + 4 theta^2) + beta) / 2."""
    first = np.sqrt((np.sqrt(beta**2 + 4 * weight * weight) + beta) / 2)
    return first, weight / first
