"""What SGD and Adam share: parameters, the learning rate, and masks that hold by construction."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.nn.parameter import Parameter


class Optimizer:
    """Base of the optimizers. Set `.lr` before a step to follow a schedule.

    After every update +0.0 is written over pruned weights and over their slots, so that neither momentum nor Adam's moments nor
    weight decay can revive them, whatever their gradients are.

    `SLOTS` names what `slots` returns.
    """

    SLOTS: tuple[str, ...] = ()

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
            self._update(i, parameter.data, np.asarray(parameter.grad, parameter.dtype))
            parameter.apply_mask(parameter.data, *self.slots(i))

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.params:
            parameter.grad = None

    def reset(self) -> None:
        """Forget everything: slots are zero and no step has been taken, as in a new optimizer."""
        for i, parameter in enumerate(self.params):
            parameter.fetch()  # a compiled step would write its slots over the zeros
            for slot in self.slots(i):
                slot[...] = 0
        self.steps = [0] * len(self.params)
        self.zero_grad()

    def _update(self, i: int, weight: np.ndarray, gradient: np.ndarray) -> None:
        raise NotImplementedError

    def slots(self, i: int) -> tuple[np.ndarray, ...]:
        """Return what the optimizer remembers of parameter i: momentum, or Adam's two moments."""
        raise NotImplementedError
