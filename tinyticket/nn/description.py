"""Describe a model in plain data and build it again from that, so that a result file needs no pickle."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.nn import layers
from tinyticket.nn.connections import Connections
from tinyticket.nn.functional.windows import pair
from tinyticket.nn.module import Module, Prunable

CONTAINERS: dict[str, Callable[[dict[str, Module]], Module]] = {
    "Sequential": layers.Sequential,
    "Residual": lambda parts: layers.Residual(**parts),
}
LAYERS: dict[str, type[Module]] = {name: getattr(layers, name) for name in layers.__all__ if name not in CONTAINERS}


def describe(model: Module) -> dict[str, Any]:
    """Return a model as nested dicts of JSON values: {"layer": kind, its arguments...}, {"layer": "Sequential", "parts": {...}}.

    A Residual is described like a Sequential, with the parts "body" and, if it has one, "shortcut".
    A module of a class that is not the library's own becomes {"layer": "custom", "class": name, "parameters": shapes}: enough
    to say what it was, not to build it.
    """
    if type(model) in (layers.Sequential, layers.Residual):
        return {"layer": type(model).__name__, "parts": {name: describe(part) for name, part in model.children()}}
    if type(model) in LAYERS.values():
        return {"layer": type(model).__name__, **model.settings()}
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    return {"layer": "custom", "class": f"{type(model).__module__}.{type(model).__qualname__}", "parameters": shapes}


def own_class(model: Module) -> str | None:
    """Return the name of the first class in a model that is not the library's own, or None if all are."""
    known = {layers.Sequential, layers.Residual, *LAYERS.values()}
    return next((type(part).__name__ for _, part in model.named_modules() if type(part) not in known), None)


def described_weights(description: dict[str, Any]) -> int:
    """Return how many weights the layers of a described model have, without making them.

    Biases are not counted, but the starts of sparse layers: a few words may describe a layer of so many outputs and no weights.
    """
    given, kind = description.get, description["layer"]
    if kind in CONTAINERS:
        return sum(map(described_weights, description["parts"].values()))
    if kind == "Linear":
        return max(0, given("in_features", 0) * given("out_features", 0))
    if kind == "SparseLinear":
        return max(0, operator.index(given("connections", 0))) + max(0, given("out_features", 0))
    if kind == "Conv2d":
        rows, columns = pair(given("kernel_size"), "Conv2d: kernel_size")
        return given("in_channels", 0) * given("out_channels", 0) * rows * columns
    if kind == "Conv1d":
        return given("in_channels", 0) * given("out_channels", 0) * given("kernel_size", 0)
    if kind == "LayerNorm":
        return math.prod(map(operator.index, np.ravel(given("normalized_shape", 0))))
    return given("num_features", given("units", 0))


def build(description: dict[str, Any], state: Mapping[str, Any] | None = None) -> Module:
    """Build the model that `describe` described, with initial weights of seed 0 (load a state over them).

    Parameters
    ----------
    description : dict
    state : dict of arrays, optional
        A state of the model, whose connections its sparse layers get; otherwise as many are drawn at random.

    Raises
    ------
    InputError
        If a part is of a class that is not the library's own.
    ValueError
        If the state's connections are none of the described layer.
    """
    return _build(description, state, "")


def _build(description: dict[str, Any], state: Mapping[str, Any] | None, name: str) -> Module:
    arguments = dict(description)
    kind = arguments.pop("layer")
    if kind in CONTAINERS:
        prefix = f"{name}." if name else ""
        return CONTAINERS[kind](
            {part: _build(inner, state, prefix + part) for part, inner in arguments["parts"].items()}
        )
    if kind == "custom":
        raise InputError(
            f"the file describes a model of the class {arguments['class']}, which is not one of tinyticket's: "
            "make it yourself and load the weights with load_state_dict"
        )
    if kind not in LAYERS:
        raise InputError(f"the file describes a layer {kind!r} that this version does not know{near(kind, LAYERS)}")
    if issubclass(LAYERS[kind], Prunable | layers.SReLU):
        arguments["rng"] = 0
    if kind == "SparseLinear" and state is not None:
        arguments["connections"] = _connections(arguments, state, name)
    return LAYERS[kind](**arguments)


def _connections(arguments: Mapping[str, Any], state: Mapping[str, Any], name: str) -> Connections:
    """Return the connections of a sparse layer of this name in a state."""
    shape, prefix = (arguments["out_features"], arguments["in_features"]), f"{name}." if name else ""
    for part in ("starts", "columns"):
        if f"{prefix}{part}" not in state:
            raise ValueError(f"{name}: {part} of connections are missing, or no whole numbers")
    try:
        found = Connections(shape, state[f"{prefix}starts"], state[f"{prefix}columns"])
        if found.count != arguments["connections"]:
            raise InputError(f"it is described with {arguments['connections']} connections and has {found.count}")
    except InputError as error:
        raise ValueError(f"{name}: {error}") from None
    return found
