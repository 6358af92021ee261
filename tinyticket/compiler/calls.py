"""What a step is called with and returns, whatever the back end: checks, since kernels check nothing, dropout's draws, a score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinyticket.compiler.graph import Graph, Operation
from tinyticket.data import Pixels, SparseInputs
from tinyticket.data.sparse_inputs import is_sparse
from tinyticket.errors import InputError, near
from tinyticket.kernels.geometry import DRAWN, SINE_OF_ONE
from tinyticket.nn import Move, SparseLinear
from tinyticket.nn.losses import Loss
from tinyticket.nn.targets import split_weights

MOST_SHIFT = 2**30
"""Pixels beyond which kernels could not count."""


class Score(NamedTuple):
    """Loss and hits of an evaluation."""

    loss: float  # the mean
    correct: int
    examples: int


def whole_numbers(numbers: Any, name: str, dimensions: int) -> np.ndarray:
    """Return indices as kernels read them, int64; InputError for what is no array of whole numbers with so many dimensions."""
    array = np.asarray(numbers)
    if array.dtype.kind not in "iu" or array.ndim != dimensions:
        wanted = "whole numbers in one row" if dimensions == 1 else f"whole numbers in {dimensions} dimensions"
        raise InputError(f"{name} are {wanted}, not {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array, np.int64)


def array_of(examples: Any) -> Any:
    """Return examples as an array, or as what indexes like one: `Pixels` as they are, and `SparseInputs` of a sparse matrix."""
    if type(examples) in (np.ndarray, Pixels, SparseInputs):
        return examples
    if is_sparse(examples):
        return SparseInputs(examples, "examples")
    try:
        return np.asarray(examples)
    except ValueError:
        raise InputError("examples are an array, and not lists of different lengths") from None


def check_numbers(examples: Any) -> None:
    """Raise an error unless an array of examples is one of real numbers."""
    if examples.dtype.kind not in "biuf":
        raise InputError(f"examples are real numbers, not {examples.dtype}")


def check_some(examples: Any) -> None:
    """Raise an error where there are no examples, of which there is no mean."""
    if not np.ndim(examples) or not np.shape(examples)[0]:
        raise InputError(f"expected one example at least, not an array of shape {np.shape(examples)}")


def check_examples(graph: Graph, examples: Any) -> None:
    """Raise an error unless a network takes such examples; there may be none."""
    start = graph.start
    if examples.shape[1:] == (start.channels, start.height, start.width):
        return
    if examples.ndim < 2 or math.prod(examples.shape[1:]) != start.size:
        expected = (start.channels, start.height, start.width) if start.height * start.width > 1 else (start.channels,)
        raise InputError(f"predict takes examples of shape {expected}, not an array of shape {tuple(examples.shape)}")


def whole_labels(labels: Any, examples: int, classes: int | None = None) -> np.ndarray:
    """Return one label for each of so many examples, as integers; InputError unless there are, below `classes` if that is known."""
    labels = np.asarray(labels)
    kind = labels.dtype.kind
    if labels.ndim != 1 or kind not in "biuf" or (kind == "f" and np.any(labels != np.rint(labels))):
        raise InputError(f"labels are whole numbers, one for each example, not {labels.dtype} of shape {labels.shape}")
    if labels.size != examples:
        raise InputError(f"there are {examples} examples and {labels.size} labels, but each example has one label")
    if classes and examples and not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(f"labels must be from 0 to {classes - 1}, not {labels.min()} to {labels.max()}")
    return labels if kind in "iu" else labels.astype(np.int64)


def check_targets(loss: Loss, targets: Any, examples: int, outputs: int | None = None) -> np.ndarray:
    """Return the targets of so many examples; InputError unless a loss takes them, of so many outputs if that is known."""
    targets = np.asarray(targets)
    values, weights = split_weights(targets)
    if not loss.numbers:
        labels = whole_labels(values, examples, loss.classes(outputs) if outputs else None)
        return labels if weights is None else targets
    if values.dtype.kind != "f" or values.shape[:1] != (examples,) or (outputs and values.size != examples * outputs):
        wanted = f"({examples}, {outputs or 'outputs'})"
        raise InputError(f"targets are real numbers of shape {wanted}, not {values.dtype} of shape {values.shape}")
    return targets


def check_data(graph: Graph, examples: Any, labels: Any) -> None:
    """Raise an error unless these are examples for a network, with a label each."""
    start = graph.start
    check_numbers(examples)
    if math.prod(examples.shape[1:]) != start.size:
        taken = f"{start.channels} channels of {start.height} x {start.width}"
        raise InputError(f"examples of shape {examples.shape[1:]}, but the network takes {taken}")
    if split_weights(check_targets(graph.loss, labels, len(examples), graph.output.channels))[1] is not None:
        raise InputError(
            "in compiled steps all examples count the same: leave their weights out, or train with an EagerStep"
        )


def check_masks(masks: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    """Raise an error unless these are masks of weights, by name."""
    for name, mask in masks.items():
        if name not in weights:
            raise InputError(f"no weight is called {name!r}{near(name, weights)}")
        mask = np.asarray(mask)
        if mask.dtype != np.bool_ or mask.shape != weights[name].shape:
            wanted = f"{name} is bool of shape {weights[name].shape}"
            raise InputError(f"the mask of {wanted}, not {mask.dtype} of shape {mask.shape}")


def check_moves(moves: Mapping[str, Move], layers: Mapping[str, SparseLinear]) -> None:
    """Raise an error unless these are moves of the connections of layers, by the names of their weights."""
    for name, (connections, origins) in moves.items():
        if name not in layers:
            raise InputError(f"no layer of connections has a weight called {name!r}{near(name, layers)}")
        before, mask = layers[name].connections, layers[name].weight.mask
        if (connections.shape, connections.count, origins.shape) != (before.shape, before.count, (before.count,)):
            raise InputError(f"{connections} with {origins.size} origins cannot take the place of {before}, of {name}")
        if before.count and not -1 <= origins.min() <= origins.max() < before.count:
            raise InputError(f"origins of connections of {name} are from 0 to {before.count - 1}, or -1")
        if mask is not None and not mask.all():
            raise InputError(f"connections of {name} cannot move, since its mask has pruned some of them")


def check_run(batches: Any, rates: Any, draws: Any) -> tuple[np.ndarray, list[float] | None, np.ndarray | None]:
    """Return the batches, learning rates and draws of a run; InputError unless there is one rate a batch, and a draw an example."""
    batches = whole_numbers(batches, "batches", 2)
    check_some(batches)
    if rates is not None:
        try:
            rates = [float(rate) for rate in rates]
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"rates are numbers, a learning rate for each batch, not {rates!r:.60}") from None
        if len(rates) != len(batches):
            raise InputError(f"there are {len(batches)} batches and {len(rates)} learning rates")
    if draws is not None:
        draws = whole_numbers(draws, "draws", 3)
        if draws.shape != (*batches.shape, DRAWN):
            raise InputError(
                f"draws have shape {draws.shape}, but {(*batches.shape, DRAWN)} was expected: {DRAWN} an example"
            )
        sines = draws[..., 3]
        if draws.size and not -MOST_SHIFT < draws.min() <= draws.max() < MOST_SHIFT:
            raise InputError(f"draws shift images by less than {MOST_SHIFT} pixels")
        if draws.size and not -SINE_OF_ONE <= sines.min() <= sines.max() <= SINE_OF_ONE:
            raise InputError(f"draws turn images by sines from -{SINE_OF_ONE} to {SINE_OF_ONE}")
    return batches, rates, draws


def check_batch(graph: Graph, samples: int, batch_size: int) -> None:
    """Raise an error unless a step can be taken on so many samples."""
    if not 0 < samples <= batch_size:
        raise InputError(f"a batch of {samples} examples, but the step is compiled for 1 to {batch_size}")
    for operation in graph.of_kind("batch_norm") if samples == 1 else ():
        if operation.output.height * operation.output.width == 1:
            raise InputError(f"{operation.where}: one number a channel has no variance to train with")


def check_indices(indices: np.ndarray, size: int) -> None:
    """Raise an error unless all indices are of examples that there are."""
    if indices.size and not 0 <= indices.min() <= indices.max() < size:
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
