"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation


def dropout(input: Any, p: float = 0.5, training: bool = True, rng: Any = None) -> Tensor:
    """Set elements to zero with probability `p` and scale the others by 1 / (1 - p); without `training`, do nothing.

    `rng` is a generator or a seed; None draws fresh randomness.
    """
    if not 0 <= p < 1:
        raise ValueError(f"dropout: p is a probability from 0 up to, not including, 1; got {p}")
    if not training or p == 0:
        return input if isinstance(input, Tensor) else Tensor(input)
    return _dropout(input, keep=np.random.default_rng(rng).random(np.shape(input), dtype=np.float32) >= p, p=p)


@operation
def _dropout(x, *, keep, p):
    scale = keep * x.dtype.type(1 / (1 - p))
    return x * scale, (lambda g: g * scale,)
