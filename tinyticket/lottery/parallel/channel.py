"""Messages between processes: objects over a pipe, and a parcel of large arrays that all of them see in the same memory.

Both ends are this program, on one machine and of one version; nothing of this is ever kept.
"""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np

_LENGTH = struct.Struct("<Q")
_ALIGNED = 64


class Channel:
    """Sends and receives objects."""

    def __init__(self, reads: IO[bytes], writes: IO[bytes]):
        self._reads, self._writes = reads, writes

    def send(self, message: Any) -> None:
        """Send an object; BrokenPipeError if nobody listens any more."""
        content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._writes.write(_LENGTH.pack(len(content)))
        self._writes.write(content)
        self._writes.flush()

    def receive(self) -> Any:
        """Return the next object; EOFError if none comes any more."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return pickle.loads(self._exactly(length))

    def _exactly(self, length: int) -> bytes:
        content = self._reads.read(length)
        if len(content) < length:
            raise EOFError
        return content


def pack(content: Any, folder: Path) -> None:
    """Write an object to a folder, its arrays apart, so that many processes can open them without a copy each.

    Raises
    ------
    pickle.PicklingError, AttributeError, TypeError
        If something in it cannot be sent to another process.
    """
    arrays: list[pickle.PickleBuffer] = []
    (folder / "object").write_bytes(pickle.dumps(content, 5, buffer_callback=arrays.append))
    places, offset = [], 0
    with open(folder / "arrays", "wb") as file:
        for array in arrays:
            with array.raw() as raw:
                file.write(b"\0" * (-offset % _ALIGNED))
                offset += -offset % _ALIGNED
                file.write(raw)
                places.append((offset, raw.nbytes))
                offset += raw.nbytes
        file.write(b"\0")  # an empty file cannot be mapped
    (folder / "places").write_bytes(pickle.dumps(places))


def unpack(folder: Path) -> Any:
    """Open what `pack` wrote. Arrays are pages of one file, shared by all who open them; what one writes no other sees."""
    whole = np.memmap(folder / "arrays", mode="c")
    places = pickle.loads((folder / "places").read_bytes())
    buffers = [whole[offset : offset + size].data for offset, size in places]
    return pickle.loads((folder / "object").read_bytes(), buffers=buffers)
