"""The memory of a network on a device, with a copy on the host of what both sides write: parameters, slots, statistics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyticket.compiler.op import Block
from tinyticket.compiler.schedule import Places
from tinyticket.kernels.cuda.memory import zeros

LINE = 128
"""Bytes that a warp reads at once; every block starts at a multiple."""


class Arena:
    """Allocated places: device arrays of float32 and of bytes. What else operations name, patterns, has arrays of its own.

    Parameters
    ----------
    places : Places
    held : int
        Numbers in front that the host writes and reads.
    blocks : iterable of Block
        All that have been placed, for what they hold from the beginning.

    Attributes
    ----------
    floats, bytes : float32 and uint8 device arrays
    host : float32 array
        The numbers in front: as the device has them after `download`, until the next step.
    """

    def __init__(self, places: Places, held: int, blocks: Iterable[Block]):
        self.host = np.zeros(held, np.float32)
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
        """Return what the host has of a block."""
        return self.host[block.place : block.place + block.size]

    def upload(self) -> None:
        """Bring what the host holds to the device."""
        self.floats[: self.host.size].copy_to_device(self.host)

    def download(self) -> None:
        """Wait for the device and bring to the host what it holds."""
        self.floats[: self.host.size].copy_to_host(self.host)
