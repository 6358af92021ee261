"""Initial weights. Every function takes a shape and a generator (or seed) and returns a float32 array.

fan_in is the number of inputs of one output, fan_out the number of outputs that one input reaches; a convolution's kernel
positions count for both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.errors import near

Shape = tuple[int, ...]


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight of shape (out, in) or (out, in, kh, kw)."""
    if len(shape) < 2:
        raise ValueError(f"fans need a weight with at least two axes, (out, in, ...); got shape {shape}")
    positions = int(np.prod(shape[2:]))
    return shape[1] * positions, shape[0] * positions


def normal(shape: Shape, rng: Any = None, std: float = 1.0) -> np.ndarray:
    """Gaussian with mean 0 and standard deviation `std`."""
    return (std * np.random.default_rng(rng).standard_normal(shape)).astype(np.float32)


def uniform(shape: Shape, rng: Any = None, bound: float = 1.0) -> np.ndarray:
    """Uniform between -bound and bound."""
    return np.random.default_rng(rng).uniform(-bound, bound, shape).astype(np.float32)


def glorot_normal(shape: Shape, rng: Any = None) -> np.ndarray:
    """Gaussian with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, equation 12), the lottery-ticket papers' choice."""
    return normal(shape, rng, np.sqrt(2 / sum(fans(shape))))


def glorot_uniform(shape: Shape, rng: Any = None) -> np.ndarray:
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, equation 16)."""
    return uniform(shape, rng, np.sqrt(6 / sum(fans(shape))))


def he_normal(shape: Shape, rng: Any = None) -> np.ndarray:
    """Gaussian with variance 2 / fan_in, for layers before a ReLU (He et al. 2015, equation 10)."""
    return normal(shape, rng, np.sqrt(2 / fans(shape)[0]))


def he_uniform(shape: Shape, rng: Any = None) -> np.ndarray:
    """Uniform with variance 2 / fan_in (He et al. 2015, equation 10)."""
    return uniform(shape, rng, np.sqrt(6 / fans(shape)[0]))


def constant(shape: Shape, rng: Any = None, value: float = 0.0) -> np.ndarray:
    """`value` everywhere."""
    return np.full(shape, value, np.float32)


def zeros(shape: Shape, rng: Any = None) -> np.ndarray:
    """Zero everywhere, the usual start of biases."""
    return constant(shape, rng, 0.0)


def signed_constant(shape: Shape, rng: Any = None) -> np.ndarray:
    """Plus or minus the standard deviation sqrt(2 / fan_in), with random signs (Ramanujan et al. 2020, section 3)."""
    signs = np.random.default_rng(rng).integers(0, 2, shape) * 2 - 1
    return (signs * np.sqrt(2 / fans(shape)[0])).astype(np.float32)


INITIALISERS = {f.__name__: f for f in (glorot_normal, glorot_uniform, he_normal, he_uniform, zeros, signed_constant)}


def check_init(name: str) -> None:
    """Raise ValueError, with the nearest name, unless `name` is one of INITIALISERS."""
    if name not in INITIALISERS:
        raise ValueError(f"unknown initialisation {name!r}{near(name, INITIALISERS)}")
