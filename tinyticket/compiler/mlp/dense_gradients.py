"""Gradients of all weights of a fully-connected network, pruned ones included, which no sparse kernel computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyticket.kernels.reference import (
    cross_entropy,
    cross_entropy_gradient,
    linear,
    linear_bias_gradient,
    linear_input_gradient,
    linear_weight_gradient,
    log_softmax,
)


def dense_gradients(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, list[tuple[np.ndarray, np.ndarray]]]:
    """Return a batch's mean cross-entropy and each layer's gradients of weight and bias; layers have ReLU between them.

    Parameters
    ----------
    weights, biases
        By layer, of shapes (out, in) and (out,).
    x, y
        Inputs (N, features) and integer labels (N,).
    """
    inputs, values = [], x
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        inputs.append(values)
        values = linear(values, weight, bias)
        if i < len(weights) - 1:
            np.maximum(values, 0, out=values)
    logs = log_softmax(values)
    loss = float(cross_entropy(logs, y).mean())
    dy = cross_entropy_gradient(logs, y, np.float32(1 / len(y)))
    gradients = []
    for weight, below in zip(reversed(weights), reversed(inputs), strict=True):
        gradients.append((linear_weight_gradient(dy, below), linear_bias_gradient(dy)))
        dy = linear_input_gradient(dy, weight) * (below > 0) if below is not x else dy
    return loss, gradients[::-1]
