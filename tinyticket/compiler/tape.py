"""The tape of one pass through a model, and which module every node on it came from.

Nothing is asked of the model but to run: whatever Python its `forward` is made of, what it does to tensors is on the tape.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.autograd.tape import Node, nodes_before
from tinyticket.nn import Dropout, Module, Parameter


class UnsupportedError(Exception):
    """The model has something that no compiled kernel does; the message names the layer."""


@dataclass(frozen=True)
class Tape:
    """What a pass left behind."""

    start: Tensor  # what the model was given, two examples of zeros ...
    output: Tensor  # ... and what it made of them
    nodes: list[Node]  # first to last
    module_of: Callable[[Node], tuple[str, Module]]  # from a node to the name and the innermost module that made it
    names: dict[int, str]  # of parameters and buffers, by their id

    def where(self, node: Node) -> str:
        """Return the name and the kind of the module that made a node, for messages."""
        name, module = self.module_of(node)
        return f"{name or 'the model'} ({type(module).__name__})"

    def refusal(self, node: Node, reason: str) -> UnsupportedError:
        """Return the error that names the module that made a node."""
        return UnsupportedError(f"{self.where(node)}: {reason}")

    def parameter(self, node: Node, tensor: Tensor) -> Parameter:
        """Return a tensor that must be a trainable float32 parameter of the model."""
        if id(tensor) not in self.names or not isinstance(tensor, Parameter) or tensor.dtype != np.float32:
            raise self.refusal(node, "compiled kernels want float32 parameters of the model itself")
        if not tensor.requires_grad:
            raise self.refusal(node, "its parameters are frozen, which compiled steps do not know")
        return tensor


def record(model: Module, input_shape: tuple[int, ...]) -> Tape:
    """Run a model once in training mode and return the tape; the model stays as it was, its randomness included."""
    # Two examples: batch normalisation has no variance to train with in one.
    start = Tensor(np.zeros((2, *input_shape), np.float32), requires_grad=True)
    with _training(model), _spans(model) as module_of, np.errstate(all="ignore"):
        output = model(start)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    names |= {id(buffer): name for name, buffer in model.named_buffers()}
    nodes = nodes_before(output.node)[::-1] if isinstance(output, Tensor) else []
    if not nodes:
        raise UnsupportedError("the model does nothing to its input that shows on the tape")
    return Tape(start, output, nodes, module_of, names)


@contextlib.contextmanager
def _training(model: Module) -> Iterator[None]:
    """Put the model in training mode for the pass, since dropout must show on the tape; then bring back what that changes."""
    before = {module: module.training for _, module in model.named_modules()}
    buffers = {buffer: buffer.data.copy() for _, buffer in model.named_buffers()}
    generators = {module.rng: module.rng.bit_generator.state for _, module in model.named_modules()
                  if isinstance(module, Dropout)}  # fmt: skip
    model.train()
    try:
        yield
    finally:
        for buffer, values in buffers.items():
            buffer.data = values
        for generator, state in generators.items():
            generator.bit_generator.state = state
        for module, mode in before.items():
            module.training = mode


@contextlib.contextmanager
def _spans(model: Module) -> Iterator[Callable[[Node], tuple[str, Module]]]:
    """Give a function from a node to the innermost module that made it."""
    spans: list[tuple[int, int, str, Module]] = []

    def watched(name: str, module: Module, forward):
        def run(*inputs):
            first = Node("mark", (), (), {}).number  # nodes are numbered: what comes between two marks was made in here
            output = forward(*inputs)
            spans.append((first, Node("mark", (), (), {}).number, name, module))
            return output

        return run

    modules: dict[Module, str] = {}
    for name, module in model.named_modules():
        modules.setdefault(module, name)  # one may stand in several places
    for module, name in modules.items():
        vars(module)["forward"] = watched(name, module, module.forward)
    try:
        yield lambda node: min((s for s in spans if s[0] < node.number < s[1]), key=lambda s: s[1] - s[0])[2:]
    finally:
        for module in modules:
            del vars(module)["forward"]
