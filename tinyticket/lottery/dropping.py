"""Dropout's draws from a later iteration on: which those of the iterations before have passed over."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, no_grad
from tinyticket.nn import Dropout, Module


def dropouts(model: Module) -> list[Dropout]:
    """Return the layers of a model that drop."""
    return [module for _, module in model.named_modules() if isinstance(module, Dropout)]


def draws_a_step(model: Module, x: np.ndarray) -> int:
    """Return how many numbers the dropout of a training step on these examples draws; running statistics are moved by it."""
    layers, counting = dropouts(model), _Counting(np.random.PCG64(0))
    before = [layer.rng for layer in layers]
    for layer in layers:
        layer.rng = counting
    with no_grad():
        model.train()(Tensor(x))
    for layer, rng in zip(layers, before, strict=True):
        layer.rng = rng
    return counting.drawn


def pass_over(rng: np.random.Generator, draws: int) -> None:
    """Bring a fresh generator to where so many float32 numbers leave it, which are made of half of its 64 bits each."""
    bits = rng.bit_generator
    if isinstance(bits, np.random.PCG64):
        bits.advance(draws // 2)
        draws %= 2
    rng.random(draws, dtype=np.float32)


class _Counting(np.random.Generator):
    """Counts what is drawn."""

    drawn = 0

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Draw as ever."""
        self.drawn += int(np.prod(size if size is not None else 1))
        return super().random(size, dtype, out)
