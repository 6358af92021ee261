"""Softmax, its logarithm, and the cross-entropy loss with its gradient."""

import numpy as np

__all__ = ["cross_entropy", "cross_entropy_gradient", "log_softmax", "softmax"]


def softmax(x, axis=-1):
    """Return exp(x) over its sum along `axis`, shifted by the maximum so that nothing overflows."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x, axis=-1):
    """Return the logarithm of `softmax`, without losing small probabilities."""
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def cross_entropy(log_probabilities, labels):
    """Return each example's loss, shape (N,): minus the log-probability, of shape (N, classes), of its label, an integer."""
    return -log_probabilities[np.arange(len(labels)), labels]


def cross_entropy_gradient(log_probabilities, labels, upstream):
    """Return the gradient of the losses with respect to the logits: (softmax - one-hot) times `upstream`, of shape (N, 1) or ()."""
    gradient = np.exp(log_probabilities)
    gradient[np.arange(len(labels)), labels] -= 1
    return np.multiply(gradient, upstream, out=gradient)
