"""Fully-connected networks with ReLU or SReLU between the layers, dense ones and such as never were."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn.connections import Connections
from tinyticket.nn.layers import BatchNorm1d, Dropout, Flatten, Linear, ReLU, Sequential, SparseLinear, SReLU
from tinyticket.nn.module import Module

LAYER_FANS = "-layerfans"


def lenet_300_100(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """LeCun et al.'s network with 300 and 100 hidden units, the first of the lottery-ticket paper, for any input size."""
    return Sequential(fully_connected([math.prod(input_shape), 300, 100, classes], rng))


def mlp(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """Make the network whose layer sizes stand in its name, "mlp-784-200-50-10"; they must fit the data.

    "mlp-784-200-50-10-dropout0.3" drops 30% of the activations of each hidden layer while it trains; with "-srelu" at its end,
    activations are SReLUs; with "-norm" before both, each hidden layer is batch-normalised before its activation.
    """
    plain, hidden = _hidden(name)
    sizes = [int(size) for size in plain.split("-")[1:]]
    _check(name, sizes, input_shape, classes, sum(map(math.prod, pairwise(sizes))))
    return Sequential(fully_connected(sizes, rng, **hidden))


def sparse_mlp(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """Make a network of sparse layers with connections at random, which are drawn first, before all weights.

    "sparse-mlp-784-300-100-10@0.05" has 5% of the connections in all layers but the last, which is dense; with "@e20" a layer has
    20 * (inputs + outputs) connections, or all (Mocanu et al. 2018, equation 3 with epsilon 20). Normalisation,
    dropout and SReLU as in `mlp`; with "-layerfans" at its end, initial weights of sparse layers are as small as those of dense
    ones, and uniform.
    """
    layers = layer_sizes(name)
    sizes = [layers[0].inputs, *(layer.outputs for layer in layers)]
    weights = 3 * sum(layer.connections for layer in layers)  # each has a column and a place in the drawing too
    _check(name, sizes, input_shape, classes, weights)
    graphs = [None if layer.is_dense else Connections.random(*layer, rng) for layer in layers]

    init, fans = ("glorot_uniform", "layer") if name.endswith(LAYER_FANS) else ("glorot_normal", "connections")

    def make(inputs: int, outputs: int, rng: np.random.Generator) -> Module:
        graph = graphs.pop(0)
        if graph is None:
            return Linear(inputs, outputs, rng=rng)
        return SparseLinear(inputs, outputs, graph, rng=rng, init=init, fans=fans)

    return Sequential(fully_connected(sizes, rng, make=make, **_hidden(name)[1]))


class SparseLayer(NamedTuple):
    """How large a layer is of which the name of its network says how many connections it has."""

    inputs: int
    outputs: int
    connections: int

    @property
    def is_dense(self) -> bool:
        """Whether every input is connected with every output."""
        return self.connections == self.inputs * self.outputs


def layer_sizes(name: str) -> list[SparseLayer]:
    """Return the sizes of the layers of "sparse-mlp-IN-...-OUT@DENSITY", by its name alone."""
    sizes, _, amount = _hidden(name)[0].removeprefix("sparse-mlp-").partition("@")
    layers = [SparseLayer(*pair, math.prod(pair)) for pair in pairwise(map(int, sizes.split("-")))]
    if amount.startswith("e"):
        return [
            layer._replace(connections=min(layer.connections, round(float(amount[1:]) * sum(layer[:2]))))
            for layer in layers
        ]
    return [
        *(layer._replace(connections=round(float(amount) * layer.connections)) for layer in layers[:-1]),
        layers[-1],
    ]


def _hidden(name: str) -> tuple[str, dict[str, Any]]:
    """Return a name without what follows the sizes, and what that says as arguments of `fully_connected`."""
    name = name.removesuffix(LAYER_FANS)
    rest, _, rate = name.removesuffix("-srelu").partition("-dropout")
    plain = rest.removesuffix("-norm")
    relu = "srelu" if name.endswith("-srelu") else "relu"
    return plain, {"norm": plain != rest, "dropout": float(rate or 0), "relu": relu}


def _check(name: str, sizes: list[int], input_shape: tuple[int, ...], classes: int, weights: int) -> None:
    """Raise InputError unless a network of these sizes has units, fits into memory, and fits the data."""
    if min(sizes) < 1:
        raise InputError(f"{name}: every layer has at least one unit")
    if 4 * weights > (there := memory()):
        raise InputError(f"{name} has {weights:,} weights, for which {there / 1e9:.1f} GB of memory are too little")
    if (sizes[0], sizes[-1]) != (math.prod(input_shape), classes):
        raise InputError(
            f"{name} has {sizes[0]} inputs and {sizes[-1]} outputs, but the data have "
            f"{math.prod(input_shape)} features and {classes} classes"
        )


def memory() -> float:
    """Return the bytes of memory of this machine, as far as it tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf


def fully_connected(
    sizes: list[int],
    rng: np.random.Generator,
    relu: str = "relu",
    dropout: float = 0.0,
    norm: bool = False,
    make: Callable[..., Module] = Linear,
) -> dict[str, Module]:
    """Return, by name, Flatten, then linear layers fc1, fc2, ... and `output`, with ReLU between them.

    If wanted, batch normalisation stands before each ReLU and dropout behind it.

    `relu` is what the activations are called: those called "srelu" are SReLUs.
    """
    layers: dict[str, Module] = {"flatten": Flatten()}
    for i, (inputs, outputs) in enumerate(pairwise(sizes[:-1]), start=1):
        layers |= {
            f"fc{i}": make(inputs, outputs, rng=rng),
            **({f"norm{i}": BatchNorm1d(outputs)} if norm else {}),
            f"{relu}{i}": SReLU(outputs, rng) if relu == "srelu" else ReLU(),
        }
        if dropout:  # from a stream of its own, so that the weights are those of the network without
            layers[f"dropout{i}"] = Dropout(dropout, rng=rng.spawn(1)[0])
    layers["output"] = make(sizes[-2], sizes[-1], rng=rng)
    return layers
