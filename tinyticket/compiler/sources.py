"""What a step is trained and evaluated on: a data set, or a pair of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.data import Dataset, Pixels

Pair = tuple[np.ndarray | Pixels, np.ndarray]


def training_part(source: Dataset | Pair) -> Pair:
    """Return inputs and labels to train on: a data set's training part, or the pair itself."""
    return (source.x_train, source.y_train) if isinstance(source, Dataset) else _pair(source)


def test_part(source: Dataset | Pair) -> Pair:
    """Return inputs and labels to evaluate on: a data set's test part, or the pair itself."""
    return (source.x_test, source.y_test) if isinstance(source, Dataset) else _pair(source)


def _pair(source: Any) -> Pair:
    if not (isinstance(source, tuple) and len(source) == 2):
        raise TypeError(f"expected a data set or a pair (inputs, labels), not {type(source).__name__}")
    return source
