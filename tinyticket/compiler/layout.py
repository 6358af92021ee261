"""The blocks of a network: for every value, every gradient, every parameter and every buffer one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tinyticket.compiler.graph import Graph, Operation, Value
from tinyticket.compiler.op import Block
from tinyticket.compiler.weights import AnyPattern, ConnectedWeights, Mask, NarrowWeights, Weights
from tinyticket.kernels.cpu.convolution import (
    packed_back_size,
    packed_size,
    winograd_back_size,
    winograd_gradient_room,
    winograd_room,
    winograd_size,
)
from tinyticket.kernels.cpu.vector.narrow import WIDTHS
from tinyticket.kernels.geometry import LANES, Image, Shape, Window, lanes_for, make_window, origin, plane, room, row
from tinyticket.kernels.read_only import frozen
from tinyticket.nn import Buffer, Parameter
from tinyticket.sparse import ConvPattern, Pattern

Masks = Mapping[Parameter, Mask]

SMALL = 1 << 16
"""Multiply-adds of vectors that a thread rather does than meet others for: some twenty microseconds, of which a second thread could
save half, and meeting it and reading what it computed takes a good part of that."""

PACKING = 8
"""What packing a vector of inputs takes, in multiply-adds: sixteen are read, turned in 64 shuffles, and stored."""


class Layout:
    """What all programs of a network share: where parameters and buffers lie, and how samples are packed.

    Weights in `sparse`, which have masks, run sparse, and convolutions in `winograd` by Winograd's algorithm; of each parameter the
    optimizer remembers so many arrays, its `slots`. If `single`, networks of features keep weights in the order for single
    samples too.
    A back end may have a layout of its own that changes `plain`, `_lanes` and `_gradient_parts`.
    """

    plain = False
    """Whether operations are lowered plainly: each gradient and each update by itself, survivors row by row in whole lines, weights
    and borders for each use alone, every value kept until the backward pass and computed once, nothing overwritten."""

    def __init__(
        self,
        graph: Graph,
        masks: Masks,
        sparse: set[Parameter],
        slots: int,
        batch_size: int,
        winograd: Collection[Parameter] = (),
        single: bool = False,
    ):
        self.graph, self.is_mlp = graph, graph.is_mlp and not self.plain
        self.shared = int(not self.plain)  # 1 if neighbouring images share the zeros between them
        self.lanes = self._lanes(batch_size)  # samples beside each other ...
        self.tiles = -(-batch_size // self.lanes)  # ... and tiles of so many that hold a batch
        # Samples beside each other where layers of some connections take fewer than a vector, else 0.
        self.narrow = next((width for width in WIDTHS[:-1] if batch_size <= width and self.is_mlp), 0)
        self.weights: dict[Parameter, Weights] = {}
        self.room = Block(0, private=True)  # what a thread needs within an operation
        self.buffers: dict[Buffer, Block] = {buffer: Block(buffer.data.size) for buffer in graph.buffers()}
        for operation in graph.operations:
            for name, parameter in operation.parameters.items():
                mask = masks.get(parameter) if name == "weight" else None
                if self.narrow and name == "weight" and operation.connected:
                    self.weights[parameter] = NarrowWeights(operation.connected.connections, mask, self.narrow, slots)
                    continue
                pattern = self._pattern(operation, mask) if parameter in sparse else None
                by_column = pattern is not None and operation.inputs[0].needs_gradient and not self.plain
                parts = self._gradient_parts(operation, pattern) if name == "weight" else 1
                kind = ConnectedWeights if name == "weight" and operation.connected else Weights
                weights = self.weights[parameter] = kind(parameter.shape, mask, pattern, by_column, slots, parts)
                if operation.kind == "conv2d" and name == "weight" and pattern is None and not self.plain:
                    window = window_of(operation, 1)
                    weights.winograd = parameter in winograd
                    sizes = (packed_size, packed_back_size)
                    if weights.winograd:
                        sizes = (winograd_size, winograd_back_size)
                        self.room.size = max(self.room.size, winograd_room(window), winograd_gradient_room(window))
                    weights.packed, weights.packed_back = (Block(size(window)) for size in sizes)
        if single and self.is_mlp:
            for weights in self.weights.values():
                weights.slice()

    def cut_gradients(self) -> None:
        """Let the gradients of a batch come in parts, one for each of its tiles."""
        for weights in self.weights.values():
            weights.gradient = Block(self.tiles * weights.count)

    def tile_bytes(self) -> int:
        """Count the bytes of a tile's values and of their gradients."""
        values = {value.root for o in self.graph.operations for value in (*o.inputs, o.output)}
        return sum(2 * 4 * room(image(value), self.lanes // LANES) for value in values)

    def largest(self) -> int:
        """Count the bytes of the largest value of a tile."""
        values = (o.output for o in self.graph.operations)
        return max(4 * room(image(value), self.lanes // LANES) for value in (self.graph.start, *values))

    def work(self) -> int:
        """Count the multiply-adds of vectors that one tile's way through the network is, packing included."""
        total = PACKING * self.graph.start.size
        for operation in self.graph.weighted():
            pixels = operation.output.height * operation.output.width
            total += self.weights[operation.parameters["weight"]].count * pixels
        return total * (self.lanes // LANES)

    def _lanes(self, batch_size: int) -> int:
        """Choose the lanes for batches of a size."""
        return lanes_for(batch_size) if self.is_mlp else LANES

    def _gradient_parts(self, operation: Operation, pattern: AnyPattern | None) -> int:
        """Return in how many parts the gradient of an operation's weight comes, which its update adds up."""
        return 1

    def _pattern(self, operation: Operation, mask: Mask) -> AnyPattern:
        blocks: dict[str, Any] = {"row_blocks": 1, "column_blocks": 1} if self.plain else {}
        if operation.kind == "linear":
            blocks["by_block"] = not self.plain
            if self.tiles * self.lanes == LANES:
                blocks["row_blocks"] = 1  # all that rows read for a single vector of samples is near
            if operation.connected:
                connections = operation.connected.connections
                positions = connections.positions()
                places = frozen(positions if mask is None else positions[mask])
                return Pattern(connections.shape, places, self.lanes, **blocks)
            assert mask is not None
            return Pattern.from_mask(mask, self.lanes, **blocks)
        assert mask is not None
        return ConvPattern.from_mask(mask, window_of(operation, 1, self.shared), shared=bool(self.shared), **blocks)


class Values:
    """Where the values of some tiles of samples lie, and their gradients.

    Each thread has all of them for itself if they are `private`, else only the batch and the logits where they are little work.
    """

    def __init__(self, layout: Layout, tiles: int, private: bool):
        self.graph, self.lanes, self.tiles, self.is_mlp = layout.graph, layout.lanes, tiles, layout.is_mlp
        self.shared, self.private = layout.shared, private
        self.vectors = tiles * layout.lanes // LANES  # of samples
        self._own = set() if private or layout.plain else self._cheap(layout)
        self._values: dict[Value, Block] = {}
        self._values_again: dict[Value, Block] = {}
        self._renewed: set[Value] = set()
        self._gradients: dict[Value, Block] = {}

    def value(self, value: Value) -> Block:
        """Return where a value lies."""
        blocks = self._values_again if value.root in self._renewed else self._values
        return self._block(blocks, value, self.is_private(value))

    def renew(self, value: Value) -> Block:
        """Return where a value will lie until `restart`, after no operation has needed it for a while."""
        self._renewed.add(value.root)
        return self.value(value)

    def restart(self) -> None:
        """Take all values for where they lie first, as every program begins."""
        self._renewed.clear()

    def gradient(self, value: Value) -> Block:
        """Return where a value's gradient lies.

        The batch's is written by operations that write what threads share too, so that each thread does a part of them.
        """
        private = self.private or (value.root in self._own and value.root is not self.graph.start.root)
        return self._block(self._gradients, value, private)

    def is_private(self, value: Value) -> bool:
        """Return whether each thread has a value for itself."""
        return self.private or value.root in self._own

    def image(self, value: Value) -> Image:
        """Return the geometry of a value; in wide tiles a feature's samples are a row of vectors."""
        return Image(value.size, 1, self.lanes // LANES) if self.is_mlp else image(value, self.shared)

    def window(self, operation: Operation) -> Window:
        """Return the work of a convolution or a pooling."""
        return window_of(operation, self.tiles, self.shared)

    def elementwise(self, x: Value, y: Value) -> Window:
        """Return the work of an operation that takes every number of x by itself to one of y, perhaps flattened."""
        before, after = self.image(x), self.image(y)
        if not self.is_mlp and (x.height, x.width) != (y.height, y.width):
            after = before._replace(border=0)
        return make_window(self.tiles, before, after, (1, 1))

    def shape(self, operation: Operation) -> Shape:
        """Return the work of a linear layer."""
        outputs, inputs = operation.weight_shape
        return Shape(self.tiles, inputs, outputs, self.lanes)

    def features(self, value: Value) -> Shape:
        """Return the sizes of a value of features."""
        return Shape(self.tiles, value.size, value.size, self.lanes)

    def _block(self, blocks: dict[Value, Block], value: Value, private: bool) -> Block:
        root = value.root
        if root not in blocks:
            geometry = self.image(root)
            padded = any(o.output is root for o in self.graph.of_kind("pad2d"))
            kind = None if padded else (*geometry, private)  # what was padded has zeros inside
            # Images count sixteen samples a tile; those of an MLP are rows of all lanes already.
            tiles = self.tiles if self.is_mlp else self.vectors
            blocks[root] = Block(room(geometry, tiles), origin(geometry), kind, private=private)
        return blocks[root]

    def _cheap(self, layout: Layout) -> set[Value]:
        """Return which of the batch and the logits each thread computes for itself."""
        own, last = set(), self.graph.operations[-1]
        if PACKING * self.graph.start.size * self.vectors <= SMALL:
            own.add(self.graph.start.root)
        if last.kind == "linear" and layout.weights[last.parameters["weight"]].count * self.vectors <= SMALL:
            own.add(last.output.root)
        return own


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
