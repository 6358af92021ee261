"""A data set in the form that steps read: flat float32, or bytes where its numbers are pixels."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.compiler.checks import check_data
from tinyticket.compiler.graph import Graph
from tinyticket.kernels.cpu.packing import address_of
from tinyticket.kernels.geometry import LANES

_CHUNK = 2**18  # numbers that are looked at together while data are bound


class Data:
    """Examples and their labels.

    Parameters
    ----------
    examples : flat array
        float32, or uint8 with sixteen bytes behind the last.
    size : int
        How many examples.
    labels : float32 array, optional
    mean, std : float32 arrays, optional
        Of each channel's pixels.

    Attributes
    ----------
    as_pixels : bool
        Whether the examples are bytes.
    """

    def __init__(
        self,
        examples: np.ndarray,
        size: int,
        labels: np.ndarray | None = None,
        mean: np.ndarray | None = None,
        std: np.ndarray | None = None,
    ):
        self.examples, self.size, self.labels, self.mean, self.std = examples, size, labels, mean, std
        self.as_pixels = examples.dtype == np.uint8

    @cached_property
    def words(self) -> tuple[int, ...]:
        """What a feed holds of it: examples, pixels, as_pixels, mean, std, labels."""
        examples, pixels = (0, address_of(self.examples)) if self.as_pixels else (address_of(self.examples), 0)
        others = (0 if array is None else address_of(array) for array in (self.mean, self.std, self.labels))
        return examples, pixels, int(self.as_pixels), *others


def bind(graph: Graph, features: bool, examples: Any, labels: np.ndarray) -> Data:
    """Bring a data set into the form that steps read.

    Gathering a batch is a good part of a sparse step, and bytes are a quarter of the memory traffic; the bits of a step are the
    same.

    Parameters
    ----------
    graph : Graph
    features : bool
        Whether examples are gathered as features: bytes then are numbers that are pixels divided by 255. Images are bytes if they
        come as `Pixels`.
    examples, labels : arrays
    """
    check_data(graph, examples, labels)
    wide = np.array(labels, np.float32)
    data = pixels_of(graph, features, examples)
    if data is not None:
        return Data(data.examples, data.size, wide, data.mean, data.std)
    flat = np.ascontiguousarray(examples, np.float32).reshape(-1)
    pixels = _as_pixels(flat) if features else None
    return Data(flat if pixels is None else pixels, len(examples), wide)


def pixels_of(graph: Graph, features: bool, examples: Any) -> Data | None:
    """Return examples that are `Pixels` as bytes, if they are gathered as images."""
    pixels = getattr(examples, "pixels", None)
    if features or not isinstance(pixels, np.ndarray) or graph.start.height * graph.start.width == 1:
        return None
    mean, std = (np.ascontiguousarray(part, np.float32) for part in (examples.mean, examples.std))
    return Data(np.ascontiguousarray(pixels, np.uint8).reshape(-1), len(examples), None, mean, std)


def _as_pixels(numbers: np.ndarray) -> np.ndarray | None:
    """Return the bytes that give exactly these numbers when divided by 255, and sixteen more; None if there are none."""
    pixels = np.zeros(numbers.size + LANES, np.uint8)
    for start in range(0, numbers.size, _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        scaled = np.rint(chunk * np.float32(255))
        if not (scaled.min() >= 0 and scaled.max() <= 255 and np.array_equal(scaled / np.float32(255), chunk)):
            return None
        pixels[start : start + chunk.size] = scaled
    return pixels
