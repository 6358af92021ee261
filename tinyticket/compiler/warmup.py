"""Compile everything that fully-connected networks need, once for a machine."""

from __future__ import annotations

import logging

import numpy as np

log = logging.getLogger(__name__)

ONCE = "compiling kernels for this machine: this takes some seconds, once"


def warmup() -> None:
    """Compile all kernels of compiled steps now, or load them from the cache: dense and sparse layers, training and evaluation.

    Steps do so by themselves when they first need a kernel; after this they start at once.
    """
    from tinyticket.compiler.mlp.step import MLPStep

    announce_if_cold()
    rng = np.random.default_rng(0)
    sizes = [(16, 16), (16, 16), (16, 16), (4, 16)]
    masks = [rng.random(size) < 0.5 for size in sizes]
    sparse = [True, True, False, False]
    x, y = rng.random((32, 16), np.float32), rng.integers(0, 4, 32)
    for first in (sparse, sparse[::-1]):  # the first layer has kernels of its own
        step = MLPStep(sizes, masks, first, [True] * 4, batch_size=16)
        data = step.bind(x, y)
        step.step(data, np.arange(16), 1e-3)
        step.evaluate(data)


def announce_if_cold() -> None:
    """Say that compiling takes a while where nothing has been compiled yet."""
    from tinyticket.kernels.cpu.jit import cache_folder

    folder = cache_folder()
    if folder is None or not any(folder.rglob("*.nbi")):
        log.warning(ONCE)
