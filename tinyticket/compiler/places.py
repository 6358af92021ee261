"""An arena is one array; its pieces get their places before it is allocated."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.kernels.cpu.packing import empty

LINE = 64


class Places:
    """Gives places in an array; every piece starts on a cache line."""

    def __init__(self, itemsize: int, line: int = LINE):
        self.size, self._line = 0, line // itemsize

    def take(self, count: int) -> int:
        """Return where `count` elements may lie."""
        place = self.size
        self.size += -(-max(count, 1) // self._line) * self._line
        return place

    def zeros(self, dtype: Any) -> np.ndarray:
        """Allocate the array, with a cache line to spare."""
        array = empty(self.size + self._line, dtype=dtype)
        array[:] = 0
        return array


def write(arena: np.ndarray, place: int, values: np.ndarray) -> None:
    """Copy an array of any shape into an arena."""
    arena[place : place + values.size] = np.asarray(values).reshape(-1)
