"""Fully-connected networks with ReLU between the layers."""

from __future__ import annotations

import math
import os
from itertools import pairwise

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn.layers import Dropout, Flatten, Linear, ReLU, Sequential
from tinyticket.nn.module import Module


def lenet_300_100(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """LeCun et al.'s network with 300 and 100 hidden units, the first of the lottery-ticket paper, for any input size."""
    return Sequential(fully_connected([math.prod(input_shape), 300, 100, classes], rng))


def mlp(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """Make the network whose layer sizes stand in its name, "mlp-784-200-50-10"; they must fit the data."""
    sizes = [int(size) for size in name.split("-")[1:]]
    if min(sizes) < 1:
        raise InputError(f"{name}: every layer has at least one unit")
    if 4 * (weights := sum(map(math.prod, pairwise(sizes)))) > (memory := _memory()):
        raise InputError(f"{name} has {weights:,} weights, for which {memory / 1e9:.1f} GB of memory are too little")
    if (sizes[0], sizes[-1]) != (math.prod(input_shape), classes):
        raise InputError(
            f"{name} has {sizes[0]} inputs and {sizes[-1]} outputs, but the data have "
            f"{math.prod(input_shape)} features and {classes} classes"
        )
    return Sequential(fully_connected(sizes, rng))


def _memory() -> float:
    """Return the bytes of memory of this machine, as far as it tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf


def fully_connected(
    sizes: list[int], rng: np.random.Generator, relu: str = "relu", dropout: float = 0.0
) -> dict[str, Module]:
    """Return, by name, Flatten, then Linear layers fc1, fc2, ... and `output`, with ReLU and, if wanted, dropout between them."""
    layers: dict[str, Module] = {"flatten": Flatten()}
    for i, (inputs, outputs) in enumerate(pairwise(sizes[:-1]), start=1):
        layers |= {f"fc{i}": Linear(inputs, outputs, rng=rng), f"{relu}{i}": ReLU()}
        if dropout:  # from a stream of its own, so that the weights are those of the network without
            layers[f"dropout{i}"] = Dropout(dropout, rng=rng.spawn(1)[0])
    layers["output"] = Linear(sizes[-2], sizes[-1], rng=rng)
    return layers
