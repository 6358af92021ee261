"""What SGD and Adam share: parameters, the learning rate, and masks that hold by construction."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.nn.parameter import Parameter


class Optimizer:
    """Base of the optimizers. Set `.lr` before a step to follow a schedule.

    Pruned weights get a gradient of exactly zero and keep zero slots, so momentum, Adam's moments and weight decay cannot revive
    them; that they are +0.0 afterwards is written, not hoped for.
    """

    def __init__(self, params: Iterable[Parameter], lr: float, weight_decay: float = 0.0):
        self.params = [] if isinstance(params, Tensor) else list(params)
        if not self.params or not all(isinstance(parameter, Parameter) for parameter in self.params):
            raise TypeError("an optimizer wants Parameters, one or more: model.parameters(), or a list")
        if not (lr >= 0 and weight_decay >= 0):
            raise ValueError(f"learning rate and weight decay are at least 0, not {lr} and {weight_decay}")
        self.lr, self.weight_decay = float(lr), float(weight_decay)  # NumPy's scalars would promote float32
        self.steps = [0] * len(self.params)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for i, parameter in enumerate(self.params):
            if parameter.grad is None:
                continue
            self.steps[i] += 1
            gradient = parameter.grad
            if parameter.mask is not None:
                gradient = gradient.copy()
                parameter.apply_mask(gradient)
            self._update(i, parameter.data, gradient)
            parameter.apply_mask(parameter.data, *self._slots(i))

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.params:
            parameter.grad = None

    def _update(self, i: int, weight: np.ndarray, gradient: np.ndarray) -> None:
        raise NotImplementedError

    def _slots(self, i: int) -> tuple[np.ndarray, ...]:
        raise NotImplementedError
