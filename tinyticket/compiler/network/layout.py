"""The blocks of a network: for every value, every gradient and every parameter one, and where in it kernels begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tinyticket.compiler.network.graph import Graph, Operation, Value
from tinyticket.compiler.network.program import Block
from tinyticket.compiler.network.weights import Weights
from tinyticket.compiler.places import Places, write
from tinyticket.kernels.geometry import Image, Window, make_window, origin, plane, room, row
from tinyticket.kernels.geometry import Shape, tiles_for
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.nn import Buffer, Parameter
from tinyticket.sparse import ConvPattern, Pattern


class Layout:
    """Blocks by value, by parameter and by buffer.

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
        self.graph, self.slots, self.tiles = graph, slots, tiles_for(batch_size, LANES)
        self.offsets, self.bytes = Places(4), Places(1)
        self.weights: dict[Parameter, Weights] = {}
        self.buffers: dict[Buffer, Block] = {}
        self.constants: list[tuple[Block, Sequence[float]]] = []
        self._values: dict[Value, Block] = {}
        self._values_again: dict[Value, Block] = {}
        self._renewed: set[Value] = set()
        self._gradients: dict[Value, Block] = {}
        for operation in graph.operations:
            for name, parameter in operation.parameters.items():
                pattern = self._pattern(operation, masks[parameter]) if parameter in sparse else None
                by_column = pattern is not None and operation.inputs[0].needs_gradient
                mask = masks.get(parameter) if name == "weight" else None
                self.weights[parameter] = Weights(
                    parameter.shape, mask, pattern, by_column, slots, self.offsets, self.bytes
                )
            for buffer in operation.attributes.get("running", ()):
                self.buffers[buffer] = Block(buffer.data.size)

    def value(self, value: Value) -> Block:
        """Return where a value lies."""
        return self._block(self._values_again if value.root in self._renewed else self._values, value)

    def renew(self, value: Value) -> Block:
        """Return where a value will lie until `restart`, after nobody has needed it for a while."""
        self._renewed.add(value.root)
        return self.value(value)

    def restart(self) -> None:
        """Take all values for where they lie first, as every program begins."""
        self._renewed.clear()

    def gradient(self, value: Value) -> Block:
        """Return where a value's gradient lies."""
        return self._block(self._gradients, value)

    def constant(self, *numbers: float) -> Block:
        """Return a block that holds these numbers for good."""
        block = Block(len(numbers))
        self.constants.append((block, numbers))
        return block

    def write_constants(self, floats: np.ndarray) -> None:
        """Write what stays as it is."""
        for block, numbers in self.constants:
            write(floats, block.place, np.array(numbers, np.float32))

    def window(self, operation: Operation) -> Window:
        """Return the work of a convolution or a pooling."""
        return window_of(operation, self.tiles)

    def elementwise(self, x: Value, y: Value) -> Window:
        """Return the work of an operation that takes every number of x by itself to one of y, perhaps flattened."""
        return elementwise_window(x, y, self.tiles)

    def corners(self, padding: Operation) -> list[tuple[int, int]]:
        """Return for every tile where the input begins, and where it comes to lie in the padded output."""
        before, after = image(padding.inputs[0]), image(padding.output)
        x_tile, y_tile = before.channels * plane(before), after.channels * plane(after)
        return [(tile * x_tile, tile * y_tile + corner(padding)) for tile in range(self.tiles)]

    def shape(self, operation: Operation) -> Shape:
        """Return the work of a linear layer."""
        outputs, inputs = operation.parameters["weight"].shape
        return Shape(self.tiles, inputs, outputs, LANES)

    def _block(self, blocks: dict[Value, Block], value: Value) -> Block:
        root = value.root
        if root not in blocks:
            geometry = image(root)
            kept = any(o.kind == "pad2d" and o.output is root for o in self.graph.operations)
            kind = None if kept else tuple(geometry)  # what was padded has zeros inside
            blocks[root] = Block(room(geometry, self.tiles), origin(geometry), kind)
        return blocks[root]

    def _pattern(self, operation: Operation, mask: np.ndarray | None) -> Pattern | ConvPattern:
        assert mask is not None
        if operation.kind == "linear":
            return Pattern.from_mask(mask, LANES)
        return ConvPattern.from_mask(mask, self.window(operation), shared=True)


def image(value: Value, shared: int = 1) -> Image:
    """Return the geometry of a value, whose neighbouring images share the zeros between them unless `shared` is 0."""
    return Image(value.channels, value.height, value.width, value.border, shared)


def window_of(operation: Operation, tiles: int, shared: int = 1) -> Window:
    """Return the work of a convolution or a pooling."""
    given = operation.attributes
    x, y = image(operation.inputs[0], shared), image(operation.output, shared)
    # Poolings are clipped at the edge, so only a convolution's padding needs a border.
    roomy = x._replace(border=max(x.border, given["padding"]))
    window = make_window(tiles, roomy, y, tuple(given["kernel"]), given["stride"], given["padding"])
    return window._replace(x_row=row(x), x_plane=plane(x))


def elementwise_window(x: Value, y: Value, tiles: int, shared: int = 1) -> Window:
    """Return the work of an operation that takes every number of x by itself to one of y, perhaps flattened."""
    before = image(x, shared)
    after = image(y, shared) if (x.height, x.width) == (y.height, y.width) else before._replace(border=0)
    return make_window(tiles, before, after, (1, 1))


def inside(padding: Operation, shared: int = 1) -> Window:
    """Return the work of copying what is padded, of one tile at a time."""
    before, after = image(padding.inputs[0], shared), image(padding.output, shared)
    window = make_window(1, before, before, (1, 1))
    return window._replace(y_row=row(after), y_plane=plane(after))


def corner(padding: Operation, shared: int = 1) -> int:
    """Return how far from where the padded output's first pixel lies the input comes to lie in it."""
    after = image(padding.output, shared)
    (channels, _), (rows, _), (columns, _) = padding.attributes["padding"]
    return channels * plane(after) + rows * row(after) + columns * LANES
