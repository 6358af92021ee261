"""What SGD and Adam share: parameters, the learning rate, and masks that hold by construction."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.kernels.reference import l1_gradient
from tinyticket.nn.parameter import Parameter


class Optimizer:
    """Base of the optimizers. Set `.lr` before a step to follow a schedule.

    After every update +0.0 is written over pruned weights and over their slots, so that neither momentum nor Adam's moments nor
    weight decay can revive them, whatever their gradients are.

    `SLOTS` names what `slots` returns.

    Attributes
    ----------
    l1 : list of float
        Strengths of L1 penalties, by place in `params`: set them by `penalise`.
    """

    SLOTS: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Parameter], lr: float, weight_decay: float = 0.0):
        self.params = list(params) if isinstance(params, Iterable) and not isinstance(params, Tensor) else []
        if not self.params or not all(isinstance(parameter, Parameter) for parameter in self.params):
            raise TypeError("an optimizer wants Parameters, one or more: model.parameters(), or a list")
        if not (lr >= 0 and weight_decay >= 0):
            raise ValueError(f"learning rate and weight decay are at least 0, not {lr} and {weight_decay}")
        self.lr, self.weight_decay = float(lr), float(weight_decay)  # NumPy's scalars would promote float32
        self.steps = [0] * len(self.params)
        self.l1 = [0.0] * len(self.params)

    def penalise(self, parameters: Iterable[Parameter], strength: float) -> None:
        """Add strength * sign(w), of strength * sum |w| the gradient (0 at 0), to that of the loss in every step from now on.

        It is added where weight decay is: before momentum, or Adam's moments, take the gradient in. A strength of 0 ends it.

        Raises
        ------
        ValueError
            If the strength is below 0, or a parameter is none of this optimizer's.
        """
        if not 0 <= strength < math.inf:
            raise ValueError(f"the strength of a penalty is at least 0, not {strength}")
        places = {id(parameter): i for i, parameter in enumerate(self.params)}
        for parameter in parameters:
            if id(parameter) not in places:
                raise ValueError(
                    f"a parameter of shape {parameter.shape} is penalised that the optimizer does not update"
                )
            if self.l1[places[id(parameter)]] != strength:
                parameter.fetch()  # a compiled step takes the penalty over with the values
                self.l1[places[id(parameter)]] = float(strength)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for i, parameter in enumerate(self.params):
            if parameter.grad is None:
                continue
            self.steps[i] += 1
            gradient = np.asarray(parameter.grad, parameter.dtype)
            if self.l1[i]:
                gradient = gradient.copy()  # what is in `grad` stays the gradient of the loss
                l1_gradient(parameter.data, gradient, self.l1[i])
            self._update(i, parameter.data, gradient)
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
