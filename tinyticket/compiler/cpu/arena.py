"""The memory of a step: one array for each type of numbers that all threads share, and one more that each thread has alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyticket.compiler.op import Block
from tinyticket.compiler.schedule import LINE, Places
from tinyticket.kernels.cpu.packing import address_of, empty


class Arena:
    """The arrays in which blocks lie at the places that `places` has given them, each filled with what its block begins with."""

    def __init__(self, places: Places, blocks: Iterable[Block]):
        self._sizes = places.sizes
        self._shared = self._arrays(private=False)
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
        """Bytes of all arrays that have been allocated."""
        return sum(array.nbytes for part in (self._shared, *self._own.values()) for array in part.values())

    def _part(self, thread: int) -> dict[Any, np.ndarray]:
        """Return the arrays that a thread has alone, allocated when the thread first needs them."""
        if thread not in self._own:
            self._own[thread] = self._arrays(private=True)
        return self._own[thread]

    def _arrays(self, private: bool) -> dict[Any, np.ndarray]:
        """Allocate an array of zeros for each type of numbers, with a cache line to spare."""
        arrays = {}
        for (dtype, is_private), size in self._sizes.items():
            if is_private == private:
                arrays[dtype] = empty(size + LINE // np.dtype(dtype).itemsize, dtype=dtype)
                arrays[dtype][:] = 0
        return arrays
