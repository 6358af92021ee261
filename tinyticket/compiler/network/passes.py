"""A training step as rows of a program: preparation, forward, loss, backward, update.

Gradients of a value that several operations read add up: the first to write starts it, the others add, and the last one applies
the gradient of the ReLU that the value came out of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from tinyticket.compiler.network.graph import Graph, Operation, Value
from tinyticket.compiler.network.layout import Layout, image
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.network.weights import Weights
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.convolution_gradient import weight_gradient_jobs
from tinyticket.kernels.cpu.convolution_passes import forward_jobs, input_gradient_jobs
from tinyticket.kernels.cpu.convolution_weights import pack_jobs, packed_back_size, packed_size
from tinyticket.kernels.cpu.dense_passes import OUTER_ROWS, ROWS
from tinyticket.kernels.cpu.image import Image
from tinyticket.kernels.cpu.machine import LANES
from tinyticket.nn import Parameter

Bounds = Callable[[int], np.ndarray]


def even(count: int, multiple: int = 1) -> Bounds:
    """Cut a number of jobs, all as much work, into equal shares."""
    return lambda threads: even_bounds(count, threads, multiple)


class Passes:
    """Writes the rows of a network's programs.

    Parameters
    ----------
    layout : Layout

    Attributes
    ----------
    training, evaluation : list of Row
    """

    def __init__(self, layout: Layout):
        self.layout, self.graph, self.tiles = layout, layout.graph, layout.tiles
        self._prepare: list[Row] = []
        self._forward: list[Row] = []
        self._evaluate: list[Row] = []
        self._backward: list[Row] = []
        self._update: list[Row] = []
        self._packed: dict[Operation, tuple[Block, Block]] = {}
        self._statistics: dict[Operation, tuple[Block, ...]] = {}
        self.masks: list[tuple[Operation, int]] = []
        self._to_come = _writers(self.graph)
        self._begun: set[Value] = set()
        self._write()

    def _write(self) -> None:
        graph, layout = self.graph, self.layout
        gather = self._gather()
        for operation in graph.operations:
            _FORWARD[operation.kind](self, operation)
            self._sign(operation)
        loss = self._loss()
        for operation in reversed(graph.operations):
            if operation.output.needs_gradient:
                _BACKWARD[operation.kind](self, operation)
                self._sign(operation)
        for operation in graph.operations:
            for parameter in operation.parameters.values():
                self._update_weights(layout.weights[parameter], parameter)
            self._sign(operation)
        self.training = [*self._prepare, gather, *self._forward, *loss, *self._backward, *self._update]
        self.evaluation = [*self._prepare, gather, *self._evaluate, *loss]

    def _sign(self, operation: Operation) -> None:
        """Say of all rows that are new whose they are."""
        for row in (*self._prepare, *self._forward, *self._evaluate, *self._backward, *self._update):
            row.owner = row.owner or operation

    # -- beginning and end

    def _update_weights(self, weights: Weights, parameter: Parameter) -> None:
        # In dense linear layers the update is part of the weight gradient's row.
        if parameter.ndim != 2 or weights.pattern is not None:
            row = Row("update_weights", [weights.gradient, *weights.state()], even(weights.count, LANES))
            row.reads, row.writes = [weights.gradient], weights.blocks()
            self._update.append(row)

    def _gather(self) -> Row:
        start, block = self.graph.start, self.layout.value(self.graph.start)
        # Features in one row are gathered as an image of one row.
        alone = start.height * start.width == 1
        geometry = Image(1, 1, start.channels, 0) if alone else image(start)
        return Row("gather_batch", [block, *geometry], even(self.tiles * geometry.channels), [], [block])

    def _loss(self) -> list[Row]:
        output, spots = self.graph.output, self.tiles * LANES
        labels, losses, hits = Block(spots), Block(spots), Block(spots)
        logits, gradient = self.layout.value(output), self.layout.gradient(output)
        shape = self.tiles, output.channels, output.channels, LANES
        self._begin(output)
        loss = Row(
            "loss_of_tiles",
            [logits, gradient, labels, losses, hits, *shape],
            even(self.tiles),
            [logits],
            [gradient, labels, losses, hits],
        )
        return [loss, Row("sum_losses", [losses, hits], even(1), [losses, hits], [])]

    def _begin(self, value: Value) -> tuple[bool, bool]:
        """Note that a row writes a value's gradient; return whether it adds and whether it applies a ReLU's gradient."""
        root = value.root
        add = root in self._begun
        self._begun.add(root)
        self._to_come[root] -= 1
        return add, root.rectified and self._to_come[root] == 0

    def _both(self, row: Row) -> None:
        """Note a row that training and evaluation have in common."""
        self._forward.append(row)
        self._evaluate.append(row)

    def _planes(self, value: Value) -> Bounds:
        return even(self.tiles * value.channels)

    def _bias(self, operation: Operation) -> Block:
        bias = operation.parameters.get("bias")
        if bias is not None:
            return self.layout.weights[bias].master
        return self.layout.constant(*[0.0] * operation.parameters["weight"].shape[0])

    # -- convolutions

    def conv2d(self, operation: Operation) -> None:
        """Write a convolution's forward pass."""
        weights, window = self.layout.weights[operation.parameters["weight"]], self.layout.window(operation)
        x, y, bias = self.layout.value(operation.inputs[0]), self.layout.value(operation.output), self._bias(operation)
        if weights.pattern is not None:
            self._scatter(operation)
            arguments = [weights.values, bias, x, y, operation.relu, *weights.rows, *window]
            bounds = weights.pattern.row_bounds
            self._both(Row("sparse_convolution_forward", arguments, bounds, [weights.values, bias, x], [y]))
            return
        packed, back = Block(packed_size(window)), Block(packed_back_size(window))
        self._packed[operation] = packed, back
        pack = Row("convolution_pack", [weights.master, packed, back, *window], even(pack_jobs(window)))
        pack.reads, pack.writes = [weights.master], [packed, back]
        self._prepare.append(pack)
        arguments = [packed, bias, x, y, operation.relu, *window]
        self._both(Row("convolution_forward", arguments, even(forward_jobs(window)), [packed, bias, x], [y]))

    def conv2d_backward(self, operation: Operation) -> None:
        """Write a convolution's gradients."""
        layout, (below,) = self.layout, operation.inputs
        weights, window = layout.weights[operation.parameters["weight"]], layout.window(operation)
        x, dy = layout.value(below), layout.gradient(operation.output)
        self._bias_backward(operation)
        pattern = weights.pattern
        if pattern is None:
            row = Row("convolution_gradient", [x, dy, weights.gradient, *window], even(weight_gradient_jobs(window)))
        elif not below.needs_gradient:
            arguments = [x, dy, weights.gradient, *weights.rows, *window]
            row = Row("sparse_convolution_gradient", arguments, pattern.row_bounds)
        else:
            dx, flags = layout.gradient(below), self._begin(below)
            arguments = [weights.master, x, dy, dx, weights.gradient, *flags, *weights.columns, *window]
            row = Row("sparse_convolution_backward", arguments, pattern.column_bounds)
            row.reads, row.writes = [weights.master, x, dy], [dx, weights.gradient]
            self._backward.append(row)
            return
        row.reads, row.writes = [x, dy], [weights.gradient]
        self._backward.append(row)
        if below.needs_gradient:
            dx, flags, back = layout.gradient(below), self._begin(below), self._packed[operation][1]
            arguments = [back, x, dy, dx, *flags, *window]
            bounds = even(input_gradient_jobs(window))
            self._backward.append(Row("convolution_backward", arguments, bounds, [back, x, dy], [dx]))

    def _bias_backward(self, operation: Operation) -> None:
        bias, y = operation.parameters.get("bias"), operation.output
        if bias is not None:
            gradient, dy = self.layout.weights[bias].gradient, self.layout.gradient(y)
            arguments = [dy, gradient, *self.layout.elementwise(y, y)]
            self._backward.append(Row("bias_backward", arguments, even(y.channels), [dy], [gradient]))

    def _scatter(self, operation: Operation) -> None:
        """Refresh what the forward pass reads from what the optimizer has updated."""
        weights = self.layout.weights[operation.parameters["weight"]]
        if weights.by_column:
            arguments = [weights.master, weights.values, weights.to_row]
            row = Row("scatter_survivors", arguments, even(weights.count, LANES), [weights.master], [weights.values])
            self._prepare.append(row)

    # -- fully-connected layers

    def linear(self, operation: Operation) -> None:
        """Write a linear layer's forward pass."""
        weights, shape = self.layout.weights[operation.parameters["weight"]], self.layout.shape(operation)
        x, y, bias = self.layout.value(operation.inputs[0]), self.layout.value(operation.output), self._bias(operation)
        lines: tuple[int, ...] = ()
        if weights.pattern is None:
            name, bounds = "linear_forward", even(shape.outputs, ROWS)
        else:
            self._scatter(operation)
            name, lines, bounds = "sparse_linear_forward", weights.rows, weights.pattern.row_bounds
        arguments = [weights.values, bias, x, y, operation.relu, *lines, *shape]
        self._both(Row(name, arguments, bounds, [weights.values, bias, x], [y]))

    def linear_backward(self, operation: Operation) -> None:
        """Write a linear layer's gradients, and the update of dense weights."""
        layout, (below,) = self.layout, operation.inputs
        weights, shape = layout.weights[operation.parameters["weight"]], layout.shape(operation)
        x, dy, pattern = layout.value(below), layout.gradient(operation.output), weights.pattern
        self._bias_backward(operation)
        if pattern is not None and not below.needs_gradient:
            arguments = [x, dy, weights.gradient, *weights.rows, *shape]
            row = Row("sparse_linear_gradient", arguments, pattern.row_bounds, [x, dy], [weights.gradient])
            self._backward.append(row)
            return
        if below.needs_gradient:
            dx, (add, rectified) = layout.gradient(below), self._begin(below)
            assert not add, "borders has seen to it"
            reads, writes = [weights.master, x, dy], [dx]
            if pattern is None:
                arguments, bounds = [weights.master, x, dy, dx, rectified, *shape], even(shape.inputs, ROWS)
                self._backward.append(Row("linear_backward", arguments, bounds, reads, writes))
            else:
                arguments = [weights.master, x, dy, dx, weights.gradient, rectified, *weights.columns, *shape]
                row = Row("sparse_linear_backward", arguments, pattern.column_bounds, reads, [dx, weights.gradient])
                self._backward.append(row)
        if pattern is None:
            self._dense_update(operation)

    def _dense_update(self, operation: Operation) -> None:
        layout, weights = self.layout, self.layout.weights[operation.parameters["weight"]]
        shape, x, dy = layout.shape(operation), layout.value(operation.inputs[0]), layout.gradient(operation.output)
        blocks = -(-shape.inputs // LANES)
        turned = Block(self.tiles * LANES * blocks * LANES, kind=("samples", self.tiles, blocks))
        self._backward.append(Row("linear_transpose", [x, turned, *shape], even(blocks), [x], [turned]))
        row = Row("linear_update", [turned, dy, *weights.state(), *shape], even(shape.outputs, OUTER_ROWS))
        row.reads, row.writes = [turned, dy], weights.blocks()
        self._backward.append(row)

    # -- normalisation

    def batch_norm(self, operation: Operation) -> None:
        """Write a batch normalisation, with what is added to it, in its two forms."""
        layout, x, y = self.layout, operation.inputs[0], operation.output
        weight, bias, mean, inverse, dweight, dbias = (Block(x.channels) for _ in range(6))
        if operation.parameters:
            held = [layout.weights[operation.parameters[name]] for name in ("weight", "bias")]
            (weight, bias), (dweight, dbias) = [w.master for w in held], [w.gradient for w in held]
        else:
            weight, bias = layout.constant(*[1.0] * x.channels), layout.constant(*[0.0] * x.channels)
        self._statistics[operation] = weight, bias, mean, inverse, dweight, dbias
        running = [layout.buffers[buffer] for buffer in operation.attributes["running"]]
        running = running or [Block(x.channels), Block(x.channels)]
        constants = layout.constant(operation.attributes["eps"], operation.attributes["momentum"])
        addend = operation.inputs[-1]
        values = [layout.value(x), layout.value(y), layout.value(addend)]
        flags = len(operation.inputs) > 1, operation.relu
        arguments = [*values, weight, bias, *running, mean, inverse, constants, *flags]
        arguments = [*arguments, *layout.elementwise(x, y), *image(addend)]
        reads = [values[0], values[2], weight, bias]
        writes = [values[1], *running, mean, inverse]
        self._forward.append(Row("normalise", arguments, even(x.channels), reads, writes))
        reads = [*reads, *running]
        self._evaluate.append(Row("normalise_for_evaluation", arguments, even(x.channels), reads, [values[1]]))

    def batch_norm_backward(self, operation: Operation) -> None:
        """Write the gradients of a batch normalisation and of what was added to it."""
        layout, x, y, addend = self.layout, operation.inputs[0], operation.output, operation.inputs[-1]
        has_addend = len(operation.inputs) > 1
        flags = [*self._begin(x), *(self._begin(addend) if has_addend else (False, False))]
        values = [layout.value(x), layout.value(y), layout.gradient(y), layout.gradient(x)]
        values += [layout.value(addend), layout.gradient(addend)]
        small = list(self._statistics[operation])
        arguments = [*values, *small, has_addend, operation.relu, *flags, *layout.elementwise(x, y), *image(addend)]
        reads = [*values[:3], values[4], *small[:4]]
        writes = [values[3], values[5], *small[4:]]
        self._backward.append(Row("normalise_backward", arguments, even(x.channels), reads, writes))

    # -- pooling, joins, copies

    def pool(self, operation: Operation) -> None:
        """Write a pooling."""
        x, y = self.layout.value(operation.inputs[0]), self.layout.value(operation.output)
        name = operation.kind.removesuffix("2d")
        arguments = [x, y, *self.layout.window(operation)]
        self._both(Row(name, arguments, self._planes(operation.output), [x], [y]))

    def pool_backward(self, operation: Operation) -> None:
        """Write a pooling's gradient."""
        layout, (below,), above = self.layout, operation.inputs, operation.output
        values = [layout.value(below), layout.value(above), layout.gradient(above), layout.gradient(below)]
        name = operation.kind.removesuffix("2d") + "_back"
        arguments = [*values, *self._begin(below), *layout.window(operation)]
        self._backward.append(Row(name, arguments, self._planes(above), values[:3], values[3:]))

    def add(self, operation: Operation) -> None:
        """Write an addition."""
        layout, (x, addend), y = self.layout, operation.inputs, operation.output
        values = [layout.value(value) for value in (x, addend, y)]
        arguments = [*values, operation.relu, *layout.elementwise(x, y), *image(addend)]
        self._both(Row("join", arguments, self._planes(y), values[:2], values[2:]))

    def add_backward(self, operation: Operation) -> None:
        """Write the gradients of both summands."""
        layout, (x, addend), y = self.layout, operation.inputs, operation.output
        flags = [*self._begin(x), *self._begin(addend)]
        values = [*(layout.value(value) for value in (x, addend, y)), layout.gradient(y)]
        results = [layout.gradient(x), layout.gradient(addend)]
        arguments = [*values, *results, operation.relu, *flags, *layout.elementwise(x, y), *image(addend)]
        self._backward.append(Row("join_backward", arguments, self._planes(y), values, results))

    def copy(self, operation: Operation) -> None:
        """Write a copy, perhaps through a ReLU."""
        layout, (x,), y = self.layout, operation.inputs, operation.output
        values = [layout.value(x), layout.value(y)]
        arguments = [*values, operation.relu, *layout.elementwise(x, y)]
        self._both(Row("copy", arguments, self._planes(x), values[:1], values[1:]))

    def copy_backward(self, operation: Operation) -> None:
        """Write a copy's gradient."""
        layout, (x,), y = self.layout, operation.inputs, operation.output
        values = [layout.value(x), layout.value(y), layout.gradient(y), layout.gradient(x)]
        arguments = [*values, operation.relu, *self._begin(x), *layout.elementwise(x, y)]
        self._backward.append(Row("copy_back", arguments, self._planes(x), values[:3], values[3:]))

    def pad(self, operation: Operation) -> None:
        """Write a copy into the middle of zeros, tile by tile, for channels may be padded too."""
        (x,), y = operation.inputs, operation.output
        before, after = self.layout.value(x), self.layout.value(y)
        window = self.layout.inside(operation)
        for i, (source, target) in enumerate(self.layout.corners(operation)):
            arguments = [(before, source), (after, target), False, *window]
            row = Row("copy", arguments, even(x.channels))
            if i == 0:  # the others touch the same blocks, but nothing that this one does
                row.reads, row.writes = [before], [after]
            self._both(row)

    def pad_backward(self, operation: Operation) -> None:
        """Write the gradient of what lies within the zeros."""
        layout, (x,), y = self.layout, operation.inputs, operation.output
        values = [layout.value(x), layout.value(y), layout.gradient(y), layout.gradient(x)]
        flags, window = self._begin(x), layout.inside(operation)
        for i, (source, target) in enumerate(layout.corners(operation)):
            places = zip(values, (source, target, target, source), strict=True)
            row = Row("copy_back", [*places, False, *flags, *window], even(x.channels))
            if i == 0:
                row.reads, row.writes = values[:3], values[3:]
            self._backward.append(row)

    def dropout(self, operation: Operation) -> None:
        """Write a dropout; evaluation copies."""
        layout, (x,), y = self.layout, operation.inputs, operation.output
        place = layout.bytes.take(self.tiles * x.size * LANES)
        self.masks.append((operation, place))
        scale = layout.constant(1 / (1 - operation.attributes["p"]))
        self._statistics[operation] = (scale,)
        values, window = [layout.value(x), layout.value(y)], layout.elementwise(x, y)
        bounds = self._planes(x)
        self._forward.append(Row("drop", [values[0], place, values[1], scale, *window], bounds, values[:1], values[1:]))
        self._evaluate.append(Row("copy", [*values, False, *window], bounds, values[:1], values[1:]))

    def dropout_backward(self, operation: Operation) -> None:
        """Write a dropout's gradient."""
        layout, (x,), y = self.layout, operation.inputs, operation.output
        place, (scale,) = dict(self.masks)[operation], self._statistics[operation]
        before, above, below = layout.value(x), layout.gradient(y), layout.gradient(x)
        arguments = [before, place, above, below, scale, *self._begin(x), *layout.elementwise(x, y)]
        self._backward.append(Row("drop_backward", arguments, self._planes(x), [before, above], [below]))


def _writers(graph: Graph) -> Counter[Value]:
    """Count for every value the rows that will write its gradient."""
    counts: Counter[Value] = Counter()
    counts[graph.output.root] += 1
    for operation in graph.operations:
        skips = operation.kind in ("conv2d", "linear")
        for value in operation.inputs:
            if operation.output.needs_gradient and (value.needs_gradient or not skips):
                counts[value.root] += 1
    return counts


_FORWARD = {
    "conv2d": Passes.conv2d,
    "linear": Passes.linear,
    "batch_norm": Passes.batch_norm,
    "max_pool2d": Passes.pool,
    "avg_pool2d": Passes.pool,
    "add": Passes.add,
    "copy": Passes.copy,
    "pad2d": Passes.pad,
    "dropout": Passes.dropout,
}
_BACKWARD = {
    "conv2d": Passes.conv2d_backward,
    "linear": Passes.linear_backward,
    "batch_norm": Passes.batch_norm_backward,
    "max_pool2d": Passes.pool_backward,
    "avg_pool2d": Passes.pool_backward,
    "add": Passes.add_backward,
    "copy": Passes.copy_backward,
    "pad2d": Passes.pad_backward,
    "dropout": Passes.dropout_backward,
}
