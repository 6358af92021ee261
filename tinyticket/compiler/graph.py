"""A network as operations and the values between them: what the tape says, in the terms of the kernels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tinyticket.nn import Buffer, Parameter, SparseLinear
from tinyticket.nn.losses import CrossEntropy, Loss

ACTIVATIONS = ("leaky_relu", "tanh", "sigmoid", "srelu")
"""Functions of each number that no layer's kernel ends in; a ReLU is part of the operation before it."""


@dataclass(eq=False)
class Value:
    """What an operation makes of a batch: images, or features as images of one pixel."""

    channels: int
    height: int = 1
    width: int = 1
    border: int = 0  # zeros around each image, as wide as any pass over the value or its gradient wants
    needs_gradient: bool = False  # whether a parameter lies before it
    # The value came out of a ReLU whose gradient falls to its consumers: the last of them to write the value's gradient sets that
    # to zero where the value is.
    is_relu_output: bool = False
    view_of: Value | None = None  # whose memory it shares, under another shape

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return self.channels * self.height * self.width

    @property
    def root(self) -> Value:
        """The value whose memory this one shares, or itself."""
        return self if self.view_of is None else self.view_of.root


@dataclass(eq=False)
class Operation:
    """One kernel's work in the forward pass."""

    kind: str  # "conv2d", "linear", "batch_norm", "max_pool2d", "avg_pool2d", "add", "copy", "pad2d", "dropout" or an activation
    where: str  # the module that it was found in, for messages
    inputs: list[Value]  # a batch normalisation may read an addend as its second
    output: Value
    parameters: dict[str, Parameter] = field(default_factory=dict)  # by name: "weight" and "bias", or those of an SReLU
    attributes: dict[str, Any] = field(default_factory=dict)  # kernel sizes, running statistics ...
    relu: bool = False  # whether a ReLU is part of it

    @property
    def connected(self) -> SparseLinear | None:
        """The layer whose connections alone have weights, if it is one of those."""
        return self.attributes.get("connected")

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """The shape of the weight, outputs and inputs first, whether or not there is a number for every pair of them."""
        return self.connected.connections.shape if self.connected else self.parameters["weight"].shape


@dataclass(eq=False)
class Graph:
    """A network in the order in which it is computed."""

    operations: list[Operation]
    start: Value  # the batch
    output: Value  # the logits
    names: dict[int, str]  # of parameters and buffers, by their id
    loss: Loss = field(default_factory=CrossEntropy)  # what follows the outputs in training and evaluation

    def consumers(self) -> dict[Value, list[Operation]]:
        """Return for every value the operations that read it, one that reads it twice twice."""
        found: dict[Value, list[Operation]] = {self.start: [], self.output: []}
        for operation in self.operations:
            found.setdefault(operation.output, [])
            for value in operation.inputs:
                found.setdefault(value, []).append(operation)
        return found

    def maker(self, value: Value) -> Operation | None:
        """Return the operation that makes a value, under whatever shape; None of the batch."""
        return next((each for each in self.operations if each.output.root is value.root), None)

    def reader(self, value: Value) -> Operation | None:
        """Return the first operation that reads a value before any other, under whatever shape; None of the logits."""
        return next((each for each in self.operations if each.inputs[0].root is value.root), None)

    @property
    def is_mlp(self) -> bool:
        """Whether it is a chain of linear layers, each with an activation but for the last.

        Samples of such a network may lie in wider tiles than sixteen lanes.
        """
        before, active = self.start, True
        for operation in self.operations:
            linear = operation.kind == "linear"
            straight = len(operation.inputs) == 1 and operation.inputs[0].root is before.root
            fits = active if linear else operation.kind in ACTIVATIONS and before is not self.start
            if not straight or not fits:
                return False
            before, active = operation.output, operation.relu or not linear
        return before is self.output and not active

    def weighted(self) -> list[Operation]:
        """Return the convolutions and linear layers."""
        return self.of_kind("conv2d", "linear")

    def of_kind(self, *kinds: str) -> list[Operation]:
        """Return the operations of some kinds, in a list of their own."""
        return [operation for operation in self.operations if operation.kind in kinds]

    def parameters(self) -> list[Parameter]:
        """Return all parameters in the order of the operations."""
        return [parameter for operation in self.operations for parameter in operation.parameters.values()]

    def buffers(self) -> list[Buffer]:
        """Return all running statistics."""
        return [buffer for operation in self.operations for buffer in operation.attributes.get("running", ())]
