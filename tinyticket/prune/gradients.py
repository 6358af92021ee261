"""Derivatives of a model that scores at initialisation are made of, in float64 and by the eager autograd.

All functions take a working copy (`working_copy`), since a forward pass moves running statistics.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.errors import InputError
from tinyticket.nn import Dropout, Module, functional

Arrays = dict[str, np.ndarray]

STEP = 1e-7
"""Distance along the unit gradient at which `hessian_gradient_product` compares gradients. Rounding costs about 1e-16 / STEP,
the curvature of the gradient STEP**2; the smaller the step, the rarer a ReLU switches on the way."""


def working_copy(model: Module) -> Module:
    """Return a float64 copy in training mode without dropout: batch normalisation uses the batch, and nothing is random."""
    twin = copy.deepcopy(model).astype(np.float64).train()
    for _, part in twin.named_modules():
        if isinstance(part, Dropout):
            part.eval()
    return twin


def loss_gradients(model: Module, x: Any, y: Any, temperature: float = 1.0) -> Arrays:
    """Return dL/dw of every prunable weight, pruned ones included, where L is the batch's mean cross-entropy.

    Parameters
    ----------
    model
        A working copy.
    x, y
        Inputs (N, ...) and integer labels (N,) of one batch.
    temperature
        What logits are divided by.
    """
    logits = model(Tensor(np.asarray(x, np.float64)))
    return _gradients(model, functional.cross_entropy(logits / temperature, np.asarray(y)))


def hessian_gradient_product(model: Module, x: Any, y: Any, temperature: float = 200.0) -> Arrays:
    """Return H g by prunable weight: g the gradient of the loss to the surviving ones, H its matrix of second derivatives.

    Parameters are those of `loss_gradients`; GraSP's temperature is 200.

    Notes
    -----
    The tape does not record its own way back, so H u along u = g / |g| is the central difference
    (g(w + h u) - g(w - h u)) / 2h with h = STEP. Against exact products its relative error is below 1e-8 for Lenet-300-100 on
    MNIST (tests/prune/test_gradients.py holds small networks below 1e-6), and GraSP's masks are the same. A ReLU that switches
    within h of w would add an error of its own: of two million random ones, none did.
    """
    weights = model.prunable()
    start = {name: weight.data.copy() for name, weight in weights.items()}
    gradient = loss_gradients(model, x, y, temperature)
    for name, weight in weights.items():
        weight.apply_mask(gradient[name])
    norm = math.sqrt(sum(float(np.vdot(part, part)) for part in gradient.values()))
    if norm == 0:
        return {name: np.zeros_like(part) for name, part in gradient.items()}

    def gradient_at(distance: float) -> Arrays:
        for name, weight in weights.items():
            weight.data = start[name] + distance / norm * gradient[name]
        return loss_gradients(model, x, y, temperature)

    ahead, behind = gradient_at(STEP), gradient_at(-STEP)
    for name, weight in weights.items():
        weight.data = start[name]
    return {name: (ahead[name] - behind[name]) * (norm / (2 * STEP)) for name in weights}


def linearise(model: Module) -> Module:
    """Turn a working copy into the network whose flow SynFlow measures, and return it.

    Every parameter, biases and those of batch normalisation included, gets its absolute value; batch normalisation is in evaluation
    mode, where at initialisation it only scales, and dropout is off.
    """
    for parameter in model.parameters():
        parameter.data = np.abs(parameter.data)
    return model.eval()


def flow_gradients(model: Module, input_shape: tuple[int, ...]) -> Arrays:
    """Return dR/dw of every prunable weight, R the sum of the outputs of a linearised model for one example of ones."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _gradients(model, model(Tensor(np.ones((1, *input_shape)))).sum())


def _gradients(model: Module, result: Tensor) -> Arrays:
    for parameter in model.parameters():
        parameter.grad = None
    result.backward()
    found = {}
    for name, weight in model.prunable().items():
        if weight.grad is None:
            raise InputError(
                f"the output does not depend on {name}, so no gradient can tell what its weights are worth"
            )
        if not np.isfinite(weight.grad).all():
            raise InputError(f"the gradient of {name} is not finite: the network's outputs overflow")
        found[name] = weight.grad
    return found
