"""Read a fully-connected network off the tape of one eager pass: which layers, in which order, with which parameters.

The tape of such a network is a chain of linear layers with ReLU between them; the first thing that is not says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyticket.autograd.tape import Node
from tinyticket.compiler.tape import Tape, UnsupportedError, record
from tinyticket.nn import Module, Parameter


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
    tape = record(model, input_shape)
    _check_chain(tape)
    layers: list[LinearLayer] = []
    for node in tape.nodes:
        if node.name == "linear":
            layers.append(_linear(tape, node))
        elif node.name == "relu" and layers and not layers[-1].relu:
            layers[-1] = LinearLayer(layers[-1].name, layers[-1].weight, layers[-1].bias, relu=True)
        elif not (node.name == "flatten" and not layers):
            raise UnsupportedError(f"{tape.where(node)}: there is no compiled kernel for {node.name} here")
    _check(model, layers)
    return layers


def _check_chain(tape: Tape) -> None:
    """Raise an error unless each node takes the result of the one before and nothing else."""
    before = None
    for node in tape.nodes:
        straight = (node.inputs[0] is tape.start) if before is None else (node.inputs[0].node is before)
        if not straight or any(not isinstance(tensor, Parameter) for tensor in node.inputs[1:]):
            raise UnsupportedError(
                f"{tape.where(node)}: {node.name} joins several paths or uses tensors that are no parameters"
            )
        before = node


def _linear(tape: Tape, node: Node) -> LinearLayer:
    weight, *bias = (tape.parameter(node, tensor) for tensor in node.inputs[1:])
    return LinearLayer(tape.names[id(weight)], weight, bias[0] if bias else None, relu=False)


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
