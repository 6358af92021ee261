"""Arrays that nobody can write: what kernels, which check no bounds, read of patterns, and what copies of a model share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def frozen(array: np.ndarray) -> np.ndarray:
    """Return an array that can no longer be written, nor through an array that it is a view of."""
    for each in _chain(array):
        each.flags.writeable = False
    return array


def kept(array: Any, dtype: Any = None) -> np.ndarray:
    """Return an array, perhaps of a type, in C order, that nobody can write: itself, if it is one already."""
    given = np.asarray(array)
    is_fit = dtype in (None, given.dtype) and given.flags.c_contiguous
    if is_fit and not any(each.flags.writeable for each in _chain(given)):
        return given
    return frozen(np.array(given, dtype, order="C"))


def _chain(array: Any) -> Iterator[np.ndarray]:
    """Yield an array, the one that it is a view of, and so on."""
    while isinstance(array, np.ndarray):
        yield array
        array = array.base
