"""A small table with labels and numbers, and what makes fits quick."""

import numpy as np

QUICK = {"hidden_layers": (24,), "rounds": 2, "iterations": 100, "batch_size": 16, "random_state": 0}

_rng = np.random.default_rng(0)
LABELS = _rng.integers(0, 3, 150)
X = (3 * np.eye(3, 5)[LABELS] + _rng.normal(size=(150, 5))).astype(np.float32)
WORDS = np.array(["red", "green", "blue"])[LABELS]
NUMBERS = X[:, :2] @ np.array([[10.0, 1.0], [-20.0, 2.0]]) + 100
