"""Randomness by name: every use has its own stream, so that nothing drawn for one purpose moves another."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, trial: int, purpose: str, round: int = 0) -> np.random.Generator:
    """Return the generator for one purpose of one round of one trial.

    Parameters
    ----------
    seed, trial, round
        Whole numbers from 0 on.
    purpose
        What is drawn, such as "init", "batches" or "reinit". Its CRC-32 enters the key: Python's hash() changes by process.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(trial, zlib.crc32(purpose.encode()), round)))
