"""One update of one parameter, in place. Masks are the caller's business: zero gradients and zero slots make zero updates."""

import math

import numpy as np

__all__ = ["adam_update", "l1_gradient", "sgd_update"]


def l1_gradient(weight, gradient, strength):
    """Add a subgradient of strength * sum |weight| to `gradient`, in place; at 0 it is 0."""
    gradient += strength * np.sign(weight)


def sgd_update(weight, gradient, velocity, lr, momentum=0.0, weight_decay=0.0, nesterov=False, first=False):
    """Stochastic gradient descent as PyTorch defines it, in place on `weight` and `velocity`, the momentum slot.

    g = gradient + weight_decay * weight; v = momentum * v + g (v = g at the `first` update); weight -= lr * v, or
    lr * (g + momentum * v) with Nesterov's look-ahead, or lr * g without momentum, where velocity is None.
    """
    g = gradient + weight_decay * weight if weight_decay else gradient
    if velocity is not None:
        if first:
            velocity[...] = g
        else:
            velocity *= momentum
            velocity += g
        g = g + momentum * velocity if nesterov else velocity
    weight -= lr * g


def adam_update(weight, gradient, mean, square, step, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    """Adam (Kingma and Ba 2015, algorithm 1) as PyTorch arranges it, in place on `weight` and the moments `mean` and `square`.

    Steps count from 1. Weight decay is added to the gradient (L2), as in the original Adam; `gradient` itself is not changed.
    """
    beta1, beta2 = betas
    g = gradient + weight_decay * weight if weight_decay else gradient
    mean *= beta1
    scratch = np.multiply(g, 1 - beta1, out=np.empty_like(mean))
    mean += scratch
    square *= beta2
    np.multiply(g, g, out=scratch)
    scratch *= 1 - beta2
    square += scratch
    np.sqrt(square, out=scratch)
    scratch /= math.sqrt(1 - beta2**step)  # no NumPy scalar: float64, it would make the division four times slower
    scratch += eps
    np.divide(mean, scratch, out=scratch)
    scratch *= lr / (1 - beta1**step)
    weight -= scratch
