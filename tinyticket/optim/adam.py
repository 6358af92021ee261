"""Adam."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyticket.kernels.reference import adam_update
from tinyticket.nn.parameter import Parameter
from tinyticket.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015) with L2 weight decay; PyTorch's arguments and formulas.

    Parameters
    ----------
    params : iterable of Parameter
    lr : float
    betas : (float, float)
        Decay of the mean of the gradient and of its square.
    eps : float
    weight_decay : float
    """

    SLOTS = ("mean", "square")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
    ):
        super().__init__(params, lr, weight_decay)
        if not all(0 <= beta < 1 for beta in betas) or eps < 0:
            raise ValueError(f"betas lie in [0, 1) and eps is at least 0; got {betas} and {eps}")
        self.betas, self.eps = (float(betas[0]), float(betas[1])), float(eps)
        self.means = [np.zeros(p.shape, p.dtype) for p in self.params]
        self.squares = [np.zeros(p.shape, p.dtype) for p in self.params]

    def _update(self, i, weight, gradient):
        adam_update(
            weight,
            gradient,
            self.means[i],
            self.squares[i],
            self.steps[i],
            float(self.lr),
            self.betas,
            self.eps,
            self.weight_decay,
        )

    def slots(self, i):
        return self.means[i], self.squares[i]


class AdamW(Adam):
    """Adam with weight decay that is decoupled from the gradients (Loshchilov and Hutter 2019, algorithm 2).

    Each step first multiplies the weights by 1 - lr * weight_decay, and then is Adam's without decay. Arguments are Adam's, and
    the default of `weight_decay` is PyTorch's. It trains eagerly: no compiled kernel has this decay.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(params, lr, betas, eps, weight_decay)

    def _update(self, i, weight, gradient):
        weight *= 1 - float(self.lr) * self.weight_decay
        moments = self.means[i], self.squares[i]
        adam_update(weight, gradient, *moments, self.steps[i], float(self.lr), self.betas, self.eps)
