"""What changes from turn to turn, on the device: arrays with a row for every turn of a call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyticket.kernels.cuda.memory import zeros


class Feeds:
    """Allocated feeds.

    Parameters
    ----------
    **rows : (dtype, int)
        By the name of a feed, as `kernels.cpu.feed.Feed` has them: the type and the number of what one turn is fed.

    Attributes
    ----------
    turns : int
        How many there is room for.
    bytes_a_turn : int
    """

    def __init__(self, **rows: tuple[Any, int]):
        self._rows, self.turns = rows, 0
        self._arrays: dict[str, Any] = {}
        self.bytes_a_turn = sum(size * np.dtype(dtype).itemsize for dtype, size in rows.values())

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __getitem__(self, name: str) -> Any:
        """Return the device array of a feed, flat."""
        return self._arrays[name]

    def reserve(self, turns: int) -> None:
        """Make room for so many turns, in new arrays; nobody else may hold the old ones, whose memory is free before."""
        self._arrays.clear()
        self.turns = 0  # should there be no room
        for name, (dtype, size) in self._rows.items():
            self._arrays[name] = zeros(turns * size, dtype, f"what {turns} steps are fed")
        self.turns = turns

    def write(self, name: str, rows: np.ndarray) -> None:
        """Upload a row for each turn from the first on."""
        flat = np.ascontiguousarray(rows, self._rows[name][0]).reshape(-1)
        self._arrays[name][: flat.size].copy_to_device(flat)

    def read(self, name: str, turns: int) -> np.ndarray:
        """Wait for the device and return the rows of the first turns."""
        size = self._rows[name][1]
        return self._arrays[name][: turns * size].copy_to_host().reshape(turns, size)


def padded(rows: Iterable[np.ndarray], lanes: int) -> np.ndarray:
    """Return rows of (samples, ...) as (turns, lanes, ...), zeros behind the samples."""
    stacked = np.asarray(rows)
    room = np.zeros((stacked.shape[0], lanes, *stacked.shape[2:]), stacked.dtype)
    room[:, : stacked.shape[1]] = stacked
    return room
