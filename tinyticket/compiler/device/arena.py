"""The float32 memory of a network on a device, with a copy on the host of what both sides write: parameters, slots, statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyticket.compiler.network.arena import place_blocks
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.places import Places
from tinyticket.kernels.cuda.memory import zeros

LINE = 128
"""Bytes that a warp reads at once."""


class Arena:
    """Blocks in one device array; what the host holds lies in front.

    Parameters
    ----------
    held : sequence of Block
        What the host writes and reads.
    rows : list of Row
        A training step: values and gradients that are done with give up their places.

    Attributes
    ----------
    floats : float32 device array
    host : float32 array
        The held blocks: as the device has them after `download`, until the next step.
    """

    def __init__(self, held: Sequence[Block], rows: list[Row]):
        places = Places(4, LINE)
        for block in held:
            block.place = places.take(block.size)
        self.host = np.zeros(places.size, np.float32)
        place_blocks(places, rows)
        self.floats = zeros(places.size, np.float32, "the network with its values and gradients")

    def __getitem__(self, block: Block) -> Any:
        """Return a block, a slice of the device array."""
        return self.floats[block.place : block.place + max(block.size, 1)]

    def upload(self) -> None:
        """Bring the held blocks from the host to the device."""
        self.floats[: self.host.size].copy_to_device(self.host)

    def download(self) -> None:
        """Wait for the device and bring the held blocks to the host."""
        self.floats[: self.host.size].copy_to_host(self.host)
