"""The blocks of a network on a device: for every value, every gradient and every parameter one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyticket.compiler.device.patterns import DevicePattern, pattern_on_device
from tinyticket.compiler.device.weights import DeviceWeights
from tinyticket.compiler.network import layout as network
from tinyticket.compiler.network.graph import Graph, Operation, Value
from tinyticket.compiler.network.program import Block
from tinyticket.compiler.places import Places
from tinyticket.kernels.geometry import Image, make_window
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cuda.geometry import Geometry, lanes_for, origin, plane
from tinyticket.nn import Buffer, Parameter
from tinyticket.sparse import ConvPattern, Pattern


class DeviceLayout:
    """Blocks by value, by parameter and by buffer; geometries by operation.

    Parameters
    ----------
    graph
        Laid out already: values know their borders.
    masks : mapping of Parameter to bool array
        Of the weights that have one.
    sparse : set of Parameter
        Weights that run sparse; they have masks.
    slots : int
        How many arrays the optimizer remembers of each parameter.
    batch_size : int
    """

    def __init__(
        self,
        graph: Graph,
        masks: Mapping[Parameter, np.ndarray | None],
        sparse: set[Parameter],
        slots: int,
        batch_size: int,
    ):
        self.graph, self.slots, self.lanes = graph, slots, lanes_for(batch_size)
        self.masks = Places(1)
        self.weights: dict[Parameter, DeviceWeights] = {}
        self.buffers: dict[Buffer, Block] = {}
        self.constants: list[tuple[Block, float]] = []
        self._values: dict[Value, Block] = {}
        self._gradients: dict[Value, Block] = {}
        for operation in graph.operations:
            for name, parameter in operation.parameters.items():
                mask = masks.get(parameter) if name == "weight" else None
                pattern = self._pattern(operation, mask) if parameter in sparse else None
                lines = None if pattern is None else self._lines(operation, pattern)
                self.weights[parameter] = DeviceWeights(parameter.shape, mask, pattern, lines, slots, self.masks)
            for buffer in operation.attributes.get("running", ()):
                self.buffers[buffer] = Block(buffer.data.size)

    def value(self, value: Value) -> tuple[Block, int]:
        """Return where a value lies, and how many pixels on its first one inside the border."""
        return self._block(self._values, value), origin(image(value.root))

    def gradient(self, value: Value) -> tuple[Block, int]:
        """Return the same of a value's gradient."""
        return self._block(self._gradients, value), origin(image(value.root))

    def constant(self, size: int, number: float) -> Block:
        """Return a block that holds so many times this number for good."""
        block = Block(size)
        self.constants.append((block, number))
        return block

    def held(self) -> list[Block]:
        """Return what the host writes and reads: parameters, slots, running statistics, constants."""
        blocks = [block for weights in self.weights.values() for block in weights.blocks()]
        return [*blocks, *self.buffers.values(), *(block for block, _ in self.constants)]

    def geometry(self, operation: Operation) -> Geometry:
        """Return the work of a convolution, a pooling or a linear layer."""
        if operation.kind == "linear":
            outputs, inputs = operation.parameters["weight"].shape
            return Geometry.of(make_window(1, Image(inputs, 1, 1), Image(outputs, 1, 1), (1, 1)), self.lanes)
        return Geometry.of(network.window_of(operation, 1, shared=0), self.lanes)

    def elementwise(self, x: Value, y: Value) -> Geometry:
        """Return the work of an operation that takes every number of x by itself to one of y, perhaps flattened."""
        return Geometry.of(network.elementwise_window(x, y, 1, shared=0), self.lanes)

    def inside(self, padding: Operation) -> Geometry:
        """Return the work of copying what is padded."""
        return Geometry.of(network.inside(padding, shared=0), self.lanes)

    def _block(self, blocks: dict[Value, Block], value: Value) -> Block:
        root = value.root
        if root not in blocks:
            geometry = image(root)
            kept = any(o.kind == "pad2d" and o.output is root for o in self.graph.operations)
            kind = None if kept else tuple(geometry)  # what was padded has zeros inside
            blocks[root] = Block(root.channels * plane(geometry) * self.lanes, 0, kind)
        return blocks[root]

    def _pattern(self, operation: Operation, mask: np.ndarray | None) -> Pattern | ConvPattern:
        assert mask is not None
        if operation.kind == "linear":
            return Pattern.from_mask(mask, LANES, row_blocks=1, column_blocks=1)
        return ConvPattern.from_mask(mask, network.window_of(operation, 1, shared=0), row_blocks=1, column_blocks=1)

    def _lines(self, operation: Operation, pattern: Pattern | ConvPattern) -> DevicePattern:
        return pattern_on_device(pattern, self.geometry(operation), operation.inputs[0].needs_gradient)


def image(value: Value) -> Image:
    """Return the geometry of a value; on a device nobody shares zeros."""
    return network.image(value, shared=0)


def corner(padding: Operation) -> int:
    """Return how many pixels from where the padded output's first one lies the input comes to lie in it."""
    return network.corner(padding, shared=0) // LANES
