"""What workers load once: objects in a folder, whose large arrays all of them see in the same memory.

Both ends are this program, on one machine and of one version; nothing of this is ever kept.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

_ALIGNED = 64


def pack(content: Any, folder: Path) -> None:
    """Write an object to a folder, its arrays apart, so that many processes can open them without a copy each.

    What cannot be sent to another process raises pickle.PicklingError, AttributeError or TypeError.
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
