"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyticket.kernels.reference import sgd_update
from tinyticket.nn.parameter import Parameter
from tinyticket.optim.optimizer import Optimizer


class SGD(Optimizer):
    """SGD with optional momentum, Nesterov's look-ahead and L2 weight decay; PyTorch's arguments and formulas.

    Parameters
    ----------
    params : iterable of Parameter
    lr : float
    momentum, weight_decay : float
    nesterov : bool
        Needs momentum.
    """

    SLOTS = ("velocity",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        momentum: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ):
        super().__init__(params, lr, weight_decay)
        if momentum < 0 or (nesterov and momentum == 0):
            raise ValueError(f"momentum is at least 0, and above 0 with nesterov; got {momentum}")
        self.momentum, self.nesterov = float(momentum), nesterov
        self.velocities = [np.zeros(p.shape, p.dtype) if momentum else None for p in self.params]

    def _update(self, i, weight, gradient):
        first = self.steps[i] == 1
        sgd_update(
            weight, gradient, self.velocities[i], float(self.lr), self.momentum, self.weight_decay, self.nesterov, first
        )

    def slots(self, i):
        velocity = self.velocities[i]
        return () if velocity is None else (velocity,)
