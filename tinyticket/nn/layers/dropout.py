"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.nn import functional
from tinyticket.nn.module import Module


class Dropout(Module):
    """Set elements to zero with probability p in training; do nothing in evaluation.

    Parameters
    ----------
    p : float
        Probability of dropping, 0 <= p < 1.
    rng : Generator, int or None
        Where the draws come from; assign `.rng` to start another stream.
    """

    def __init__(self, p: float = 0.5, rng: Any = None):
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is a probability from 0 up to, not including, 1; got {p}")
        self.p = float(p)
        self.rng = np.random.default_rng(rng)

    def forward(self, x):
        """Drop in training."""
        return functional.dropout(x, self.p, self.training, self.rng)

    def settings(self):
        """Return the constructor's arguments."""
        return {"p": self.p}
