"""Read a model off the tape of one eager pass: which layers, in which order, with which parameters.

Nothing is asked of the model but to run: whatever Python its `forward` is made of, what it does to tensors is on the tape. The
tape of a network that can be compiled is a chain of the operations below; the first thing that is not names the layer that
prevents it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.autograd.tape import Node, nodes_before
from tinyticket.nn import Module, Parameter


class UnsupportedError(Exception):
    """The model has something that no compiled kernel does; the message names the layer."""


@dataclass(frozen=True)
class LinearLayer:
    """A fully-connected layer of the chain.

    Attributes
    ----------
    name : str
        Of its weight, as in `state_dict`.
    weight : Parameter, shape (out, in)
    bias : Parameter, shape (out,), or None
    relu : bool
        Whether a ReLU follows.
    """

    name: str
    weight: Parameter
    bias: Parameter | None
    relu: bool


def trace(model: Module, input_shape: tuple[int, ...]) -> list[LinearLayer]:
    """Return the layers of a fully-connected network: linear layers with ReLU between them, and an optional flatten before.

    Raises
    ------
    UnsupportedError
        If the model is anything else.
    """
    # Two examples: batch normalisation has no variance to train with in one.
    start = Tensor(np.zeros((2, *input_shape), np.float32), requires_grad=True)
    with _training(model), _layer_names(model) as layer_of:
        output = model(start)
        chain = _chain(start, output, layer_of)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    layers: list[LinearLayer] = []
    for node in chain:
        where = layer_of(node)
        if node.name == "linear":
            layers.append(_linear(node, names, where))
        elif node.name == "relu" and layers and not layers[-1].relu:
            layers[-1] = LinearLayer(layers[-1].name, layers[-1].weight, layers[-1].bias, relu=True)
        elif not (node.name == "flatten" and not layers):
            raise UnsupportedError(f"{where}: there is no compiled kernel for {node.name} here")
    _check(model, layers)
    return layers


def _chain(start: Tensor, output: Tensor, layer_of) -> list[Node]:
    """Return the nodes from start to output, first to last, if each takes the result of the one before and nothing else."""
    nodes = nodes_before(output.node)[::-1]
    before = None
    for node in nodes:
        straight = (node.inputs[0] is start) if before is None else (node.inputs[0].node is before)
        if not straight or any(not isinstance(tensor, Parameter) for tensor in node.inputs[1:]):
            raise UnsupportedError(
                f"{layer_of(node)}: {node.name} joins several paths or uses tensors that are no parameters"
            )
        before = node
    return nodes


def _linear(node: Node, names: dict[int, str], where: str) -> LinearLayer:
    weight, bias = node.inputs[1], node.inputs[2] if len(node.inputs) == 3 else None
    for tensor in (weight, bias):
        if tensor is not None and (id(tensor) not in names or tensor.dtype != np.float32):
            raise UnsupportedError(f"{where}: compiled kernels want float32 parameters of the model itself")
        if tensor is not None and not tensor.requires_grad:
            raise UnsupportedError(f"{where}: its parameters are frozen, which compiled steps do not know")
    assert isinstance(weight, Parameter)
    assert bias is None or isinstance(bias, Parameter)
    return LinearLayer(names[id(weight)], weight, bias, relu=False)


def _check(model: Module, layers: list[LinearLayer]) -> None:
    if not layers:
        raise UnsupportedError("the model has no linear layer")
    if layers[-1].relu:
        raise UnsupportedError(f"{layers[-1].name}: a ReLU after the last layer")
    if missing := [layer.name for layer in layers[:-1] if not layer.relu]:
        raise UnsupportedError(f"{missing[0]}: no ReLU between it and the next layer")
    used = [id(tensor) for layer in layers for tensor in (layer.weight, layer.bias) if tensor is not None]
    if len(set(used)) < len(used):
        raise UnsupportedError("two layers share a parameter")
    if unused := [name for name, parameter in model.named_parameters() if id(parameter) not in used]:
        raise UnsupportedError(f"{unused[0]}: a parameter that the output does not depend on")
    if buffers := [name for name, _ in model.named_buffers()]:
        raise UnsupportedError(f"{buffers[0]}: compiled steps do not update buffers")


@contextlib.contextmanager
def _training(model: Module) -> Iterator[None]:
    """Put the model in training mode for the pass, since dropout must show on the tape; its buffers come back as they were."""
    before = {module: module.training for _, module in model.named_modules()}
    buffers = {buffer: buffer.data.copy() for _, buffer in model.named_buffers()}
    model.train()
    try:
        yield
    finally:
        for buffer, values in buffers.items():
            buffer.data = values
        for module, mode in before.items():
            module.training = mode


@contextlib.contextmanager
def _layer_names(model: Module):
    """Give a function from a node to the name and kind of the innermost module that made it."""
    spans: list[tuple[int, int, str]] = []

    def watched(name: str, module: Module, forward):
        def run(*inputs):
            first = Node("mark", (), (), {}).number  # nodes are numbered: what comes between two marks was made in here
            output = forward(*inputs)
            spans.append((first, Node("mark", (), (), {}).number, f"{name or 'the model'} ({type(module).__name__})"))
            return output

        return run

    modules = list(model.named_modules())
    for name, module in modules:
        vars(module)["forward"] = watched(name, module, module.forward)
    try:
        yield lambda node: min((s for s in spans if s[0] < node.number < s[1]), key=lambda s: s[1] - s[0])[2]
    finally:
        for _, module in modules:
            del vars(module)["forward"]
