"""The memory of a network: one array for each type of numbers, and one more that each thread has for itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyticket.compiler.op import Block
from tinyticket.compiler.places import LINE, Places
from tinyticket.kernels.cpu.packing import address_of, empty


class Arena:
    """Allocated places.

    Parameters
    ----------
    places : Places
    blocks : iterable of Block
        All that have been placed, for what they hold from the beginning.
    """

    def __init__(self, places: Places, blocks: Iterable[Block]):
        self._places = places
        self._shared = {
            dtype: self._zeros(dtype, size) for (dtype, private), size in places.sizes.items() if not private
        }
        self._own: dict[int, dict[Any, np.ndarray]] = {}
        for block in blocks:
            if block.fill:
                self[block][:] = block.fill

    def __getitem__(self, block: Block) -> np.ndarray:
        """Return a block that all threads share, a slice of its array."""
        return self._shared[block.dtype][block.place : block.place + block.size]

    def address(self, block: Block, thread: int) -> int:
        """Return the address of a block's origin, as a thread sees it."""
        array = self._part(thread)[block.dtype] if block.private else self._shared[block.dtype]
        return address_of(array) + (block.place + block.origin) * array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes that are allocated."""
        own = [array for part in self._own.values() for array in part.values()]
        return sum(array.nbytes for array in (*self._shared.values(), *own))

    def _part(self, thread: int) -> dict[Any, np.ndarray]:
        """Return what a thread has for itself, allocated when it is first needed."""
        if thread not in self._own:
            sizes = self._places.sizes.items()
            self._own[thread] = {dtype: self._zeros(dtype, size) for (dtype, private), size in sizes if private}
        return self._own[thread]

    @staticmethod
    def _zeros(dtype: Any, size: int) -> np.ndarray:
        """Allocate zeros, with a cache line to spare."""
        array = empty(size + LINE // np.dtype(dtype).itemsize, dtype=dtype)
        array[:] = 0
        return array
