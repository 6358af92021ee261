"""Activations that are no plain function of NumPy."""

import math

import numpy as np

from tinyticket.autograd import operation
from tinyticket.errors import InputError
from tinyticket.kernels import reference

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


def srelu(input, t_left, a_left, t_right, a_right):
    """S-shaped rectified linear unit (Jin et al. 2016, arXiv 1512.07030), each channel with four numbers of its own.

    y = t_left + a_left (x - t_left) up to t_left, y = x from there to t = t_left + |t_right|, and y = t + a_right (x - t) beyond.
    The paper's right threshold is t; that t_right is its distance from t_left keeps the parts in order, as in keras-contrib.

    Parameters
    ----------
    input : Tensor, shape (N, C) or (N, C, ...)
    t_left, a_left, t_right, a_right : Tensor, shape (C,)
    """
    named = {"t_left": t_left, "a_left": a_left, "t_right": t_right, "a_right": a_right}
    for name, parameter in named.items():
        if np.ndim(input) < 2 or np.shape(parameter) != np.shape(input)[1:2]:
            raise InputError(
                f"srelu: {name} has shape {np.shape(parameter)}, but one number was expected for each channel of an input "
                f"(N, C) or (N, C, ...) of shape {np.shape(input)}"
            )
    return _srelu(input, *named.values())


@operation
def _srelu(*arrays):
    found: list[np.ndarray] = []

    def gradient_of(place):
        def gradient(g):  # the tape calls that of each array once at most, always with the same g
            if not found:
                found.extend(reference.srelu_gradient(g, *arrays))
            return found[place]

        return gradient

    return reference.srelu(*arrays), tuple(map(gradient_of, range(len(arrays))))
