"""What programs on a device are fed: data sets, once, and what changes from turn to turn: arrays with a row for each of a call."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyticket.kernels.cuda.memory import upload, zeros


class CudaData:
    """Examples, float32 or uint8, and labels, uploaded once.

    Pixels that the network takes as images stay bytes, which the gathering kernel normalises by each channel's `mean` and `std`.
    """

    def __init__(self, examples: Any, labels: np.ndarray, images: bool):
        self.size, self.mean, self.std = len(examples), None, None
        pixels = getattr(examples, "pixels", None)
        if isinstance(pixels, np.ndarray) and images:
            self.mean, self.std = (upload(np.asarray(part, np.float32)) for part in (examples.mean, examples.std))
            self.examples = upload(pixels, "the data set")
        else:
            self.examples = upload(np.asarray(examples, np.float32), "the data set")
        self.labels = upload(np.asarray(labels, np.int32))


class Feeds:
    """Allocated feeds with room for so many `turns`, by the names that `kernels.cpu.feed.Feed` has for them.

    Each is told as the type and the number of what one turn is fed.
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
