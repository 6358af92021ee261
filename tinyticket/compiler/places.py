"""Places in arenas, given to blocks before anything is allocated."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tinyticket.compiler.op import Block

LINE = 64
"""Bytes of a cache line; every block starts on one."""


class Places:
    """Gives blocks their places in an arena for each type of numbers, and in a part of it that every thread has for itself.

    Parameters
    ----------
    line : int
        Bytes that blocks start at multiples of.

    Attributes
    ----------
    sizes : Counter of (dtype, whether private)
        How many numbers are taken.
    """

    def __init__(self, line: int = LINE):
        self._line = line
        self.sizes: Counter[tuple[Any, bool]] = Counter()

    def take(self, block: Block) -> int:
        """Return where a block may lie."""
        arena, step = (block.dtype, block.private), self._line // np.dtype(block.dtype).itemsize
        # One line stays free in front, for addresses a little before the first pixel of images.
        place = self.sizes[arena] or step
        self.sizes[arena] = place + -(-max(block.size, 1) // step) * step
        return place
