"""The memory of a network on a device, with a copy on the host of what both sides write: parameters, slots, statistics."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyticket.compiler.op import Block
from tinyticket.compiler.schedule import Places
from tinyticket.kernels.cuda.memory import zeros

LINE = 128
"""Bytes that a warp reads at once; every block starts at a multiple."""


class Arena:
    """Allocated places: device arrays of float32, of which the host has the first `held` too, and of bytes.

    `blocks` are all that have been placed, for what they hold from the beginning; patterns have arrays of their own.
    `host_is_current` says whether the host has what the device has: until the next step.
    """

    def __init__(self, places: Places, held: int, blocks: Iterable[Block]):
        self._host, self.host_is_current = np.zeros(held, np.float32), False
        self.floats = zeros(places.sizes[np.float32, False], np.float32, "the network with its values and gradients")
        self.bytes = zeros(places.sizes[np.uint8, False], np.uint8, "the masks")
        for block in blocks:
            if block.fill:
                self[block].copy_to_device(np.full(block.size, block.fill, np.float32))

    def __getitem__(self, block: Block) -> Any:
        """Return a block, a slice of its device array; a device has no empty ones."""
        array = self.bytes if block.dtype is np.uint8 else self.floats
        return array[block.place : block.place + max(block.size, 1)]

    def held(self, block: Block) -> np.ndarray:
        """Return what the device holds of a block in front, as the host has it; wait for the device if the host does not."""
        if not self.host_is_current:
            self.floats[: self._host.size].copy_to_host(self._host)
            self.host_is_current = True
        return self._host[block.place : block.place + block.size]

    def upload(self) -> None:
        """Bring what the host holds to the device."""
        self.floats[: self._host.size].copy_to_device(self._host)
