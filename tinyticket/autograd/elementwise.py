"""Elementwise operations: forward and gradient side by side. `g` is the gradient of the result."""

import numpy as np

from tinyticket.autograd.operation import operation
from tinyticket.autograd.tensor import Tensor


@operation
def add(a, b):
    """a + b."""
    return a + b, (lambda g: g, lambda g: g)


@operation
def subtract(a, b):
    """a - b."""
    return a - b, (lambda g: g, lambda g: -g)


@operation
def multiply(a, b):
    """a * b."""
    return a * b, (lambda g: g * b, lambda g: g * a)


@operation
def divide(a, b):
    """a / b."""
    return a / b, (lambda g: g / b, lambda g: -(g / b) * (a / b))


@operation
def power(a, b):
    """a**b. At a = 0 the gradient to b is taken as 0, its limit from above for b > 0."""
    result = a**b

    def to_base(g):
        with np.errstate(divide="ignore", invalid="ignore"):
            return g * np.where(b == 0, np.zeros_like(b), b * a ** (b - 1))

    def to_exponent(g):
        with np.errstate(divide="ignore", invalid="ignore"):
            return g * np.where(a == 0, np.zeros_like(a), result * np.log(a))

    return result, (to_base, to_exponent)


@operation
def negative(a):
    """-a."""
    return -a, (lambda g: -g,)


@operation
def exp(a):
    """E ** a."""
    result = np.exp(a)
    return result, (lambda g: g * result,)


@operation
def log(a):
    """Natural logarithm of a."""
    return np.log(a), (lambda g: g / a,)


@operation
def sqrt(a):
    """Square root of a."""
    result = np.sqrt(a)
    return result, (lambda g: g / (2 * result),)


@operation
def sin(a):
    """Sine of a, in radians."""
    return np.sin(a), (lambda g: g * np.cos(a),)


@operation
def cos(a):
    """Cosine of a, in radians."""
    return np.cos(a), (lambda g: -g * np.sin(a),)


@operation
def tanh(a):
    """Hyperbolic tangent of a."""
    result = np.tanh(a)
    return result, (lambda g: g * (1 - result * result),)


@operation
def sigmoid(a):
    """1 / (1 + exp(-a)), through exp(-|a|): nothing overflows, and small probabilities keep their digits."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1 / (1 + e), e / (1 + e)), (lambda g: g * (e / ((1 + e) * (1 + e))),)


@operation
def relu(a):
    """max(a, 0); the gradient at 0 is 0. NaN stays NaN."""
    return np.maximum(a, 0), (lambda g: g * (a > 0),)


@operation
def leaky_relu(a, *, negative_slope=0.01):
    """a where a > 0, negative_slope * a elsewhere."""
    slope = np.where(a > 0, a.dtype.type(1), a.dtype.type(negative_slope))
    return a * slope, (lambda g: g * slope,)


@operation
def absolute(a):
    """|a|; the gradient at 0 is 0."""
    return np.abs(a), (lambda g: g * np.sign(a),)


@operation
def maximum(a, b):
    """Return the larger of a and b; where they are equal, each gets half the gradient."""
    return np.maximum(a, b), (lambda g: g * _share(a > b, a == b, g), lambda g: g * _share(b > a, a == b, g))


@operation
def minimum(a, b):
    """Return the smaller of a and b; where they are equal, each gets half the gradient."""
    return np.minimum(a, b), (lambda g: g * _share(a < b, a == b, g), lambda g: g * _share(b < a, a == b, g))


def _share(chosen, tied, g):
    return chosen.astype(g.dtype) + g.dtype.type(0.5) * tied


def clip(a, min=None, max=None) -> Tensor:
    """Limit a to [min, max]: numbers, arrays or tensors. Inside, borders included, a gets the gradient, outside the limit does."""
    limits = [-np.inf if min is None else min, np.inf if max is None else max]
    if isinstance(a, Tensor):  # only limits that are tensors may change its dtype
        limits = [limit if isinstance(limit, Tensor) else np.asarray(limit, a.dtype) for limit in limits]
    return _clip(a, *limits)


@operation
def _clip(a, low, high):
    inside, crossed = (low <= a) & (a <= high), low > high  # where limits cross, the result is `high`
    return np.clip(a, low, high), (
        lambda g: g * inside,
        lambda g: g * ((a < low) & ~crossed),
        lambda g: g * ((a > high) | crossed),
    )


def where(condition, a, b) -> Tensor:
    """Take a where `condition` holds and b elsewhere; the condition is an array of booleans, without gradient."""
    return _where(a, b, condition=np.asarray(condition, dtype=bool))


@operation
def _where(a, b, *, condition):
    return np.where(condition, a, b), (lambda g: g * condition, lambda g: g * ~condition)
