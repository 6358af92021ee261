"""What a network costs: multiply-adds for an example and bytes of its weights, dense and sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, no_grad
from tinyticket.errors import InputError
from tinyticket.nn import Module, Prunable
from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.result import Result, runs_of

VALUE, INDEX = 4, 4
"""Bytes of a float32 and of the position that a sparse format keeps beside it."""


def cost(result: Result) -> Analysis:
    """Return, for every density, multiply-adds of a forward pass of one example and bytes of weights, in means over trials.

    Only surviving weights are counted: a weight of a fully-connected layer costs one multiply-add, one of a convolution as many
    as its layer has output pixels. Sparse bytes are a value and an index for each survivor, dense bytes a value for each weight.
    """
    network, shape = result.network(), tuple(result.data["input_shape"])
    try:
        uses = uses_by_weight(network, shape)
    except ValueError as error:
        raise InputError(f"{result.path or 'the result'} is damaged: no examples of shape {shape}: {error}") from error
    rows: list[dict[str, Any]] = []
    for number, runs in runs_of(result).items():
        rounds = list(runs.values())
        left = {name: float(np.mean([np.count_nonzero(round.masks[name]) for round in rounds])) for name in uses}
        sizes = {name: rounds[0].masks[name].size for name in uses}
        operations = sum(uses[name] * left[name] for name in uses)
        dense = sum(uses[name] * sizes[name] for name in uses)
        work = {"multiply_adds": operations, "share_of_dense": operations / dense}
        size = {"sparse_bytes": sum(left.values()) * (VALUE + INDEX), "dense_bytes": sum(sizes.values()) * VALUE}
        rows.append({"round": number, "density": float(np.mean([round.density for round in rounds])), **work, **size})
    title = "Multiply-adds of a forward pass of one example"
    return Analysis(title, rows, "density", ("multiply_adds", "sparse_bytes"))


def uses_by_weight(model: Module, input_shape: tuple[int, ...]) -> dict[str, int]:
    """Return how often each weight of every layer that can be pruned is used for one example: its layer's output positions."""
    names = {id(parameter): name for name, parameter in model.prunable().items()}
    positions: dict[str, int] = {}

    def counted(module: Prunable, forward):
        def run(x):
            output = forward(x)
            positions[names[id(module.weight)]] = int(np.prod(output.shape[2:]))
            return output

        return run

    layers = [module for _, module in model.named_modules() if isinstance(module, Prunable)]
    for module in layers:
        vars(module)["forward"] = counted(module, module.forward)
    try:
        with no_grad():
            model.eval()(Tensor(np.zeros((1, *input_shape), np.float32)))
    finally:
        for module in layers:
            del vars(module)["forward"]
    return positions
