"""Memory of a device, and one clear sentence where there is not enough of it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinyticket.errors import DeviceMemoryError
from tinyticket.kernels.cuda.toolkit import cuda

PIECE = 1 << 24
"""Numbers that are set to zero in one go."""


def zeros(size: int, dtype: Any, what: str = "this") -> Any:
    """Return a flat device array of zeros; `what` is said if it finds no room."""
    size = max(size, 1)  # a device has no empty arrays
    with device_memory(f"{what} ({_words(size * np.dtype(dtype).itemsize)})"):
        array = cuda.device_array(size, dtype)
        nothing = np.zeros(min(size, PIECE), dtype)
        for start in range(0, size, PIECE):
            piece = array[start : start + PIECE]
            piece.copy_to_device(nothing[: piece.size])
    return array


def upload(array: np.ndarray, what: str = "this") -> Any:
    """Return a flat copy of an array on the device; `what` is said if it finds no room."""
    with device_memory(f"{what} ({_words(array.nbytes)})"):
        return cuda.to_device(np.ascontiguousarray(array).reshape(-1))


@contextlib.contextmanager
def device_memory(what: str) -> Iterator[None]:
    """Turn a driver's error that memory is exhausted, of whatever class, into a DeviceMemoryError, one sentence."""
    try:
        yield
    except Exception as error:
        if isinstance(error, DeviceMemoryError) or "OUT_OF_MEMORY" not in str(error):
            raise
        said = f"the memory of the CUDA device has no room for {what}; {_left()}a smaller batch needs less"
        raise DeviceMemoryError(said) from None


def _left() -> str:
    """Say how much memory is left, if the driver still answers."""
    try:
        free, total = cuda.current_context().get_memory_info()
    except Exception:  # whatever an exhausted device makes of the question
        return ""
    return f"{_words(free)} of {_words(total)} are free, and "


def _words(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"
