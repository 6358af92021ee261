"""Activations that are no plain function of NumPy."""

import math

import numpy as np

from tinyticket.autograd import operation
from tinyticket.errors import InputError

_ROOT, _CUBIC = math.sqrt(2 / math.pi), 0.044715


def gelu(input, *, approximate="none"):
    """input times the share of a standard normal distribution below it (Hendrycks and Gimpel 2016).

    `approximate` "tanh" is their approximation 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
    """
    if approximate not in ("none", "tanh"):
        raise InputError(f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    return _gelu_tanh(input) if approximate == "tanh" else _gelu(input)


@operation
def _gelu(x):
    from scipy.special import erf  # here, because few networks need it

    below = 0.5 * (1 + erf(x * math.sqrt(0.5)))
    return x * below, (lambda g: g * (below + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)),)


@operation
def _gelu_tanh(x):
    t = np.tanh(_ROOT * (x + _CUBIC * x * x * x))
    slope = _ROOT * (1 + 3 * _CUBIC * x * x)
    return 0.5 * x * (1 + t), (lambda g: g * 0.5 * (1 + t + x * (1 - t * t) * slope),)
