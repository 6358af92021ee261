"""A data set in the form that compiled steps read: flat float32, bytes where its numbers are pixels, or the non-zeros of CSR."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.compiler.calls import array_of, check_data
from tinyticket.compiler.graph import Graph
from tinyticket.data import Pixels, SparseInputs
from tinyticket.errors import InputError
from tinyticket.kernels.cpu.packing import address_of
from tinyticket.kernels.geometry import LANES

FIELDS = ("examples", "pixels", "as_pixels", "mean", "std", "labels", "as_sparse", "starts", "columns", "values")
"""Fields of a feed that name a data set."""

_CHUNK = 2**18  # numbers of a data set that are compared with pixels at a time


@dataclass(eq=False)
class Data:
    """Examples and their labels."""

    examples: np.ndarray  # flat: float32, or uint8 with sixteen bytes behind the last; of sparse ones the non-zeros
    size: int  # the number of examples
    labels: np.ndarray | None = None  # float32
    mean: np.ndarray | None = None  # float32, of each channel's pixels, as is the deviation
    std: np.ndarray | None = None
    starts: np.ndarray | None = None  # int64, of sparse examples: where the non-zeros of each begin, and the last's end
    columns: np.ndarray | None = None  # int32, of each non-zero

    @property
    def as_pixels(self) -> bool:
        """Whether the examples are bytes."""
        return self.examples.dtype == np.uint8

    @cached_property
    def words(self) -> tuple[int, ...]:
        """The words of a feed that name the data set, in the order of `FIELDS`."""
        numbers, as_pixels, as_sparse = address_of(self.examples), int(self.as_pixels), int(self.starts is not None)
        others = self.mean, self.std, self.labels, self.starts, self.columns
        mean, std, labels, starts, columns = [0 if array is None else address_of(array) for array in others]
        examples, pixels, values = numbers * (1 - as_pixels - as_sparse), numbers * as_pixels, numbers * as_sparse
        return examples, pixels, as_pixels, mean, std, labels, as_sparse, starts, columns, values


def bind(graph: Graph, features: bool, examples: Any, labels: np.ndarray) -> Data:
    """Return a data set in the form that steps read.

    Gathering a batch is a good part of a sparse step, and bytes are a quarter of the memory traffic; the bits of a step are the
    same. Images become bytes if they come as `Pixels`; examples that are gathered as `features` become bytes if all their numbers
    are pixels divided by 255. A sparse matrix stays one.
    """
    examples = array_of(examples)
    check_data(graph, examples, labels)
    labels = np.array(labels, np.float32)
    data = kept_form(graph, features, examples, labels)
    if data is not None:
        return data
    flat = np.ascontiguousarray(examples, np.float32).reshape(-1)
    pixels = _as_pixels(flat) if features else None
    return Data(flat if pixels is None else pixels, len(examples), labels)


def kept_form(graph: Graph, features: bool, examples: Any, labels: np.ndarray | None = None) -> Data | None:
    """Return examples that are no array in the form that they are kept in, or None where kernels read their numbers."""
    if isinstance(examples, SparseInputs):
        if not features and (graph.start.height * graph.start.width > 1 or graph.start.border):
            raise InputError(f"sparse examples are features {examples.shape[1:]}, but the network takes images")
        return Data(examples.values, len(examples), labels, starts=examples.starts, columns=examples.columns)
    if not isinstance(examples, Pixels) or features or graph.start.height * graph.start.width == 1:
        return None
    pixels = examples.pixels
    mean, std = (np.ascontiguousarray(part, np.float32) for part in (examples.mean, examples.std))
    return Data(np.ascontiguousarray(pixels, np.uint8).reshape(-1), len(examples), labels, mean, std)


def _as_pixels(numbers: np.ndarray) -> np.ndarray | None:
    """Return numbers times 255 as bytes, and sixteen more bytes; None unless dividing by 255 gives exactly these numbers again."""
    pixels = np.zeros(numbers.size + LANES, np.uint8)
    for start in range(0, numbers.size, _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        scaled = np.rint(chunk * np.float32(255))
        if not (scaled.min() >= 0 and scaled.max() <= 255 and np.array_equal(scaled / np.float32(255), chunk)):
            return None
        pixels[start : start + chunk.size] = scaled
    return pixels
