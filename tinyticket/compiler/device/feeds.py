"""What changes from step to step, on the device: arrays with a row for every turn of a call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyticket.compiler.device.work import Feed
from tinyticket.kernels.cuda.memory import zeros


class Feeds:
    """Allocated feeds.

    Parameters
    ----------
    *feeds : Feed
        Those that grow with the turns of a call.
    """

    def __init__(self, *feeds: Feed):
        self._feeds, self.turns = feeds, 0
        self.arrays: dict[Feed, Any] = {}
        self.bytes_a_turn = sum(feed.size * np.dtype(feed.dtype).itemsize for feed in feeds)

    def reserve(self, turns: int) -> None:
        """Make room for so many turns, in new arrays; nobody else may hold the old ones, whose memory is free before."""
        self.arrays.clear()
        self.turns = 0  # should there be no room
        for feed in self._feeds:
            self.arrays[feed] = zeros(turns * feed.size, feed.dtype, f"what {turns} steps are fed")
        self.turns = turns

    def write(self, feed: Feed, rows: np.ndarray) -> None:
        """Upload a row for each turn from the first on."""
        flat = np.ascontiguousarray(rows, feed.dtype).reshape(-1)
        self.arrays[feed][: flat.size].copy_to_device(flat)

    def read(self, feed: Feed, turns: int) -> np.ndarray:
        """Wait for the device and return the rows of the first turns."""
        return self.arrays[feed][: turns * feed.size].copy_to_host().reshape(turns, feed.size)


def padded(rows: Iterable[np.ndarray], lanes: int) -> np.ndarray:
    """Return rows of (samples, ...) as (turns, lanes, ...), zeros behind the samples."""
    stacked = np.asarray(rows)
    room = np.zeros((stacked.shape[0], lanes, *stacked.shape[2:]), stacked.dtype)
    room[:, : stacked.shape[1]] = stacked
    return room
