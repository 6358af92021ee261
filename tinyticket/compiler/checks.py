"""What a step is given, checked before anything happens: kernels check nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinyticket.compiler.graph import Graph
from tinyticket.errors import InputError


def check_examples(graph: Graph, examples: Any) -> None:
    """Raise an error unless a network takes such examples; there may be none."""
    start = graph.start
    if examples.shape[1:] == (start.channels, start.height, start.width):
        return
    if examples.ndim < 2 or math.prod(examples.shape[1:]) != start.size:
        expected = (start.channels, start.height, start.width) if start.height * start.width > 1 else (start.channels,)
        raise InputError(f"predict takes examples of shape {expected}, not an array of shape {tuple(examples.shape)}")


def check_data(graph: Graph, examples: Any, labels: Any) -> None:
    """Raise an error unless these are examples for a network, with a label each."""
    start, classes, count = graph.start, graph.output.channels, len(examples)
    if math.prod(examples.shape[1:]) != start.size or len(labels) != count:
        raise InputError(
            f"data of shape {examples.shape} with {len(labels)} labels, but the network takes {start.channels} channels "
            f"of {start.height} x {start.width}"
        )
    if count and not 0 <= np.min(labels) <= np.max(labels) < classes:
        raise InputError(f"labels must be from 0 to {classes - 1}, not {np.min(labels)} to {np.max(labels)}")


def check_batch(graph: Graph, samples: int, batch_size: int) -> None:
    """Raise an error unless a step can be taken on so many samples."""
    if not 0 < samples <= batch_size:
        raise InputError(f"a batch of {samples} examples, but the step is compiled for 1 to {batch_size}")
    if samples > 1:
        return
    for operation in graph.operations:
        if operation.kind == "batch_norm" and operation.output.height * operation.output.width == 1:
            raise InputError(f"{operation.where}: one number a channel has no variance to train with")


def check_indices(indices: np.ndarray, size: int) -> None:
    """Raise an error unless all indices are of examples that there are."""
    if not 0 <= indices.min() <= indices.max() < size:
        raise InputError(f"indices must be from 0 to {size - 1}")
