"""A convolution as rows of a program."""

from __future__ import annotations

from tinyticket.compiler.network.graph import Operation
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.network.writer import Writer, even
from tinyticket.kernels.cpu.convolution_gradient import weight_gradient_jobs
from tinyticket.kernels.cpu.convolution_passes import forward_jobs, input_gradient_jobs
from tinyticket.kernels.cpu.convolution_weights import pack_jobs, packed_back_size, packed_size
from tinyticket.kernels.cpu.vector.machine import LANES


def conv2d(writer: Writer, operation: Operation) -> None:
    """Write a convolution's forward pass."""
    weights, window = writer.layout.weights[operation.parameters["weight"]], writer.layout.window(operation)
    x, y, bias = writer.layout.value(operation.inputs[0]), writer.layout.value(operation.output), writer.bias(operation)
    if weights.pattern is not None:
        scatter(writer, operation)
        arguments = [weights.values, bias, x, y, operation.relu, *weights.rows, *window]
        bounds = weights.row_bounds
        writer.both(Row("sparse_convolution_forward", arguments, bounds, [weights.values, bias, x], [y]))
        return
    packed, back = Block(packed_size(window)), Block(packed_back_size(window))
    writer.packed[operation] = packed, back
    pack = Row("convolution_pack", [weights.master, packed, back, *window], even(pack_jobs(window)))
    pack.reads, pack.writes = [weights.master], [packed, back]
    writer.prepare.append(pack)
    arguments = [packed, bias, x, y, operation.relu, *window]
    writer.both(Row("convolution_forward", arguments, even(forward_jobs(window)), [packed, bias, x], [y]))


def conv2d_backward(writer: Writer, operation: Operation) -> None:
    """Write a convolution's gradients."""
    layout, (below,) = writer.layout, operation.inputs
    weights, window = layout.weights[operation.parameters["weight"]], layout.window(operation)
    x, dy = layout.value(below), layout.gradient(operation.output)
    bias_backward(writer, operation)
    pattern = weights.pattern
    if pattern is None:
        row = Row("convolution_gradient", [x, dy, weights.gradient, *window], even(weight_gradient_jobs(window)))
    elif not below.needs_gradient:
        arguments = [x, dy, weights.gradient, *weights.rows, *window]
        row = Row("sparse_convolution_gradient", arguments, weights.row_bounds)
    else:
        dx, flags = layout.gradient(below), writer.begin(below)
        arguments = [weights.master, x, dy, dx, weights.gradient, *flags, *weights.columns, *window]
        row = Row("sparse_convolution_backward", arguments, weights.column_bounds)
        row.reads, row.writes = [weights.master, x, dy], [dx, weights.gradient]
        # Columns in several blocks read x again after they have begun dx.
        row.over = [(x, dx)] if pattern.columns.blocks == 1 else []
        writer.backward.append(row)
        return
    row.reads, row.writes = [x, dy], [weights.gradient]
    writer.backward.append(row)
    if below.needs_gradient:
        dx, flags, back = layout.gradient(below), writer.begin(below), writer.packed[operation][1]
        arguments = [back, x, dy, dx, *flags, *window]
        bounds = even(input_gradient_jobs(window))
        writer.backward.append(Row("convolution_backward", arguments, bounds, [back, x, dy], [dx], [(x, dx)]))


def conv2d_gradient(writer: Writer, operation: Operation, gradient: Block) -> None:
    """Write the gradient of all weights, pruned ones included."""
    layout, window = writer.layout, writer.layout.window(operation)
    x, dy = layout.value(operation.inputs[0]), layout.gradient(operation.output)
    bounds = even(weight_gradient_jobs(window))
    writer.backward.append(Row("convolution_gradient", [x, dy, gradient, *window], bounds, [x, dy], [gradient]))


def bias_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradient of a layer's bias, if it has one."""
    bias, y, layout = operation.parameters.get("bias"), operation.output, writer.layout
    if bias is None:
        return
    gradient, dy = layout.weights[bias].gradient, layout.gradient(y)
    readers = [o for o in writer.graph.operations if any(x.root is y.root for x in o.inputs)]
    if [o.kind for o in readers] == ["max_pool2d"]:
        pooled = readers[0].output
        maxima, given = layout.value(pooled), layout.gradient(pooled)
        arguments = [maxima, given, gradient, y.rectified, *layout.elementwise(pooled, pooled)]
        row = Row("pooled_bias_backward", arguments, even(y.channels), [maxima, given], [gradient])
    else:
        row = Row("bias_backward", [dy, gradient, *layout.elementwise(y, y)], even(y.channels), [dy], [gradient])
    writer.backward.append(row)


def scatter(writer: Writer, operation: Operation) -> None:
    """Refresh what the forward pass reads from what the optimizer has updated."""
    weights = writer.layout.weights[operation.parameters["weight"]]
    if weights.by_column:
        arguments = [weights.master, weights.values, weights.to_row]
        row = Row("scatter_survivors", arguments, even(weights.count, LANES), [weights.master], [weights.values])
        writer.prepare.append(row)
