"""What a step is called with and returns, whatever the back end: checks, since kernels check nothing, dropout's draws, a score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinyticket.compiler.graph import Graph, Operation
from tinyticket.errors import InputError


class Score(NamedTuple):
    """Loss and hits of an evaluation."""

    loss: float  # the mean
    correct: int
    examples: int


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
    for operation in graph.of_kind("batch_norm") if samples == 1 else ():
        if operation.output.height * operation.output.width == 1:
            raise InputError(f"{operation.where}: one number a channel has no variance to train with")


def check_indices(indices: np.ndarray, size: int) -> None:
    """Raise an error unless all indices are of examples that there are."""
    if not 0 <= indices.min() <= indices.max() < size:
        raise InputError(f"indices must be from 0 to {size - 1}")


def draw_masks(
    kept: Mapping[Operation, int], size: int, steps: int, samples: int, turns: int, tiles: int, lanes: int
) -> np.ndarray:
    """Draw what all dropouts keep, step after step, each from its module's generator as it is now, in the packed layout.

    `kept` says where the bytes of each dropout begin among those of a turn, `size` in all; a step has one turn, or one for each of
    the batch's tiles, padded lanes included. Return uint8 of shape (steps, turns, size).
    """
    drawn = np.empty((steps, turns, size), np.uint8)
    for step in range(steps):
        for dropout, begin in kept.items():
            rng, p, numbers = dropout.attributes["module"].rng, dropout.attributes["p"], dropout.inputs[0].size
            padded = np.zeros((tiles * lanes, numbers), np.uint8)
            padded[:samples] = rng.random((samples, numbers), dtype=np.float32) >= p
            packed = padded.reshape(tiles, lanes, -1).transpose(0, 2, 1)
            drawn[step, :, begin : begin + padded.size // turns] = packed.reshape(turns, -1)
    return drawn
