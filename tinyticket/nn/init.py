"""Initial weights. Every function takes a shape and a generator (or seed) and returns a float32 array.

fan_in is the number of inputs of one output, fan_out the number of outputs that one input reaches; a convolution's kernel
positions count for both. Connections of a sparse layer have fans of their own: `by_fans`.
"""

from __future__ import annotations

from collections.abc import Callable
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


def _standard_normal(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.standard_normal(count, np.float32)


def _standard_uniform(rng: np.random.Generator, count: int) -> np.ndarray:
    return (rng.random(count, np.float32) * 2 - 1) * np.float32(np.sqrt(3))


def _signs(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.where(rng.random(count, np.float32) < 0.5, np.float32(-1), np.float32(1))


INITIALISERS = {f.__name__: f for f in (glorot_normal, glorot_uniform, he_normal, he_uniform, zeros, signed_constant)}


GLOROT, HE = (lambda fan_in, fan_out: 2 / (fan_in + fan_out)), (lambda fan_in, fan_out: 2 / fan_in)
BY_FANS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "glorot_normal": (_standard_normal, GLOROT),
    "glorot_uniform": (_standard_uniform, GLOROT),
    "he_normal": (_standard_normal, HE),
    "he_uniform": (_standard_uniform, HE),
    "signed_constant": (_signs, HE),
    "zeros": (lambda rng, count: np.zeros(count, np.float32), HE),
}
"""By the name of an initialiser, what draws numbers of variance 1, and the variance that weights get from their fans."""


def by_fans(name: str, fan_in: np.ndarray, fan_out: np.ndarray, rng: Any = None) -> np.ndarray:
    """Draw a weight for each connection of a sparse layer by an initialiser's rule for the connection's own two fans.

    Parameters
    ----------
    name : str
        One of INITIALISERS.
    fan_in, fan_out : array of shape (connections,)
        How many connections its output and its input have.
    rng : Generator, int or None
    """
    draw, variance = BY_FANS[name]
    values = draw(np.random.default_rng(rng), fan_in.size)
    values *= np.sqrt(variance(fan_in.astype(np.float32), fan_out.astype(np.float32)), dtype=np.float32)
    return values


def check_init(name: str) -> None:
    """Raise ValueError, with the nearest name, unless `name` is one of INITIALISERS."""
    if name not in INITIALISERS:
        raise ValueError(f"unknown initialisation {name!r}{near(name, INITIALISERS)}")
