"""Comparing numbers bit for bit: 0.0 == -0.0, but their bytes differ."""

import numpy as np


def assert_positive_zeros(values: np.ndarray) -> None:
    assert values.tobytes() == np.zeros_like(values).tobytes(), f"not +0.0 bit for bit: {values}"


def same_bits(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Tell whether two states have the same names, dtypes and bytes."""
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes() for name in a
    )
