"""From operations to launches: by the kernel of an operation, what starts it on the device, or several kernels in its place.

Functions of `kernels.cuda` call their arguments as jobs call their fields, so most are called by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tinyticket.compiler.cuda.arena import Arena
from tinyticket.compiler.cuda.data import CudaData
from tinyticket.compiler.cuda.feeds import Feeds
from tinyticket.compiler.cuda.layout import CudaLayout
from tinyticket.compiler.graph import Operation
from tinyticket.compiler.op import Block, Op, Part
from tinyticket.kernels.cpu.batch_norm import BatchNorm
from tinyticket.kernels.cpu.batch_norm_gradient import BatchNormGradient
from tinyticket.kernels.cpu.job import kernel_of
from tinyticket.kernels.cpu.sparse_convolution import SparseConv2dGradient
from tinyticket.kernels.cpu.sparse_linear import SparseLinearGradient
from tinyticket.kernels.cpu.update import Update
from tinyticket.kernels.cuda import (
    activations,
    batch_norm,
    bias_gradient,
    convolution,
    elementwise,
    gather,
    linear,
    loss,
    pooling,
    sparse_convolution,
    update,
)
from tinyticket.kernels.cuda.geometry import Geometry, plane, row
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.geometry import LANES, make_window


class Updates(NamedTuple):
    """The job of the launch that updates all parameters."""

    updates: tuple[Update, ...]


@dataclass(frozen=True)
class Arrays:
    """The arrays on the device that the launches of a program are given.

    Attributes
    ----------
    layout : CudaLayout
    arena : Arena
    feeds : Feeds
    state : int32 device array of (2,)
        The turn, and how many lanes hold samples.
    labels : int32 device array of (lanes,)
        Of the batch.
    scratch : Block
        What one launch of an operation leaves to the next: as much as `scratch_size` says of any.
    kept_size : int
        Bytes of the masks of all dropouts in a turn.
    """

    layout: CudaLayout
    arena: Arena
    feeds: Feeds
    state: Any
    labels: Any
    scratch: Block
    kept_size: int

    def array(self, where: Block | Part) -> Any:
        """Return the array that a block is, the border of its images included."""
        return self.arena[where.block if isinstance(where, Part) else where]

    def origin(self, where: Block | Part) -> int:
        """Return how many pixels of that array lie before the first one inside the border."""
        return (where.block.origin + where.offset if isinstance(where, Part) else where.origin) // LANES

    def argument(self, op: Op, name: str, default: Any) -> Any:
        """Return what an operation's launch is given under a name: a field of the job, or what only a device has."""
        job, base = op.job, name.removesuffix("_origin")
        if name == "g":
            return geometry_of(job, self.layout.lanes)
        if name in ("state", "labels", "kept_size"):
            return getattr(self, name)
        if name in self.feeds:
            return self.feeds[name]
        if name in ("scratch", "by_column"):
            return self.arena[self.scratch]
        if name in ("rows", "products", "columns", "to_row"):
            assert op.layer is not None
            return getattr(self.layout.plans[op.layer], name)
        if name == "addend_row":
            return row(job.addend_image)
        if name == "addend_plane":
            return plane(job.addend_image)
        if name == "bias" and _is_without_bias(op.layer):
            return None
        if name != base:
            return self.origin(getattr(job, base))
        value = getattr(job, name, default)
        return self.array(value) if isinstance(value, Block | Part) else value


def _is_without_bias(layer: Operation | None) -> bool:
    return layer is not None and layer.kind in ("linear", "conv2d") and "bias" not in layer.parameters


def geometry_of(job: Any, lanes: int) -> Geometry:
    """Return the work of a job on images, which has a window, or on features, which has a shape."""
    if "window" in job._fields:
        return Geometry.of(job.window, lanes)
    return Geometry.of_features(job.shape.inputs, job.shape.outputs, lanes)


def scratch_size(job: Any, lanes: int) -> int:
    """Return how many numbers one launch of a job leaves to the next."""
    if isinstance(job, BatchNorm | BatchNormGradient):
        return batch_norm.scratch_size(geometry_of(job, lanes))
    return job.values.size if isinstance(job, SparseLinearGradient | SparseConv2dGradient) else 0


def launches_of(op: Op, on: Arrays) -> list[Launch]:
    """Return the launches that do an operation, but for the gathering of a batch."""
    return _update_launches(op.job, on) if isinstance(op.job, Updates) else LAUNCHES[kernel_of(op.job).name](op, on)


def gather_launch(op: Op, on: Arrays, data: CudaData, augmented: bool) -> Launch:
    """Return the launch that gathers a batch of some data, its labels too."""
    x, image = op.job.x, op.job.image
    g, draws = Geometry.of(make_window(1, image, image, (1, 1)), on.layout.lanes), None
    if augmented:
        draws = on.feeds["draws"]
    given = data.examples, data.labels, on.feeds["indices"], draws, on.state, on.array(x), on.origin(x), on.labels
    return gather.gather_images(*given, g, data.mean, data.std)


def _update_launches(job: Updates, on: Arrays) -> list[Launch]:
    places = []
    for each in job.updates:
        weights, first, second, mask, masked = each.state
        parts = each.gradient.size // max(weights.size, 1)
        slots = weights.place, first.place, second.place
        places.append(update.Place(each.gradient.place, parts, *slots, mask.place if masked else -1, weights.size))
    shared = on.arena.floats, on.arena.bytes, places, on.feeds["scalars"], on.state
    return [update.update(job.updates[0].rule, *shared)]


# -- what makes the launches of an operation

Launcher = Callable[[Op, Arrays], list[Launch]]


def by_name(function: Callable[..., Launch | tuple[Launch, ...]], **fields: str) -> Launcher:
    """Return what calls a function with the fields of a job that are called as its arguments are.

    Parameters
    ----------
    function
        Of `kernels.cuda`.
    **fields : str
        By an argument's name the field's, where they differ.
    """
    defaults = {name: each.default for name, each in inspect.signature(function).parameters.items()}

    def launch(op: Op, on: Arrays) -> list[Launch]:
        made = function(**{name: on.argument(op, fields.get(name, name), defaults[name]) for name in defaults})
        return [made] if isinstance(made, Launch) else list(made)

    return launch


def in_turn(*launchers: Launcher) -> Launcher:
    """Return what makes the launches of each."""
    return lambda op, on: [launch for launcher in launchers for launch in launcher(op, on)]


def _nothing(op: Op, on: Arrays) -> list[Launch]:
    return []


def _addend_gradient(op: Op, on: Arrays) -> list[Launch]:
    """Give what was added, if there is something, its gradient."""
    job = op.job
    if not getattr(job, "has_addend", True):
        return []
    g = geometry_of(job, on.layout.lanes)._replace(x_row=row(job.addend_image), x_plane=plane(job.addend_image))
    blocks = on.array(job.addend), on.array(job.y), on.array(job.dy), on.origin(job.dy)
    flags = job.relu, job.add_to_addend, job.addend_is_relu_output
    return [elementwise.copy_gradient(*blocks, on.array(job.d_addend), on.origin(job.d_addend), g, *flags)]


_weight_gradient = by_name(sparse_convolution.sparse_conv2d_weight_gradient)


def _sparse_weight_gradient(op: Op, on: Arrays) -> list[Launch]:
    return _weight_gradient(op, on) if op.job.gradient.size else []


_sparse_gradient = in_turn(
    _sparse_weight_gradient,
    by_name(sparse_convolution.reorder_survivors),
    by_name(sparse_convolution.sparse_conv2d_input_gradient),
)

LAUNCHES: dict[str, Launcher] = {
    "gather_labels": _nothing,  # the launch that gathers the batch brings them along
    "linear": by_name(linear.linear),
    "linear_input_gradient": by_name(linear.linear_input_gradient),
    "linear_weight_gradient": by_name(linear.linear_weight_gradient, x="x_samples"),
    "conv2d": by_name(convolution.conv2d, weight="packed"),
    "conv2d_input_gradient": by_name(convolution.conv2d_input_gradient, weight="packed_back"),
    "conv2d_weight_gradient": by_name(convolution.conv2d_weight_gradient),
    "conv2d_bias_gradient": by_name(bias_gradient.conv2d_bias_gradient),
    "sparse_linear": by_name(sparse_convolution.sparse_conv2d),
    "sparse_linear_gradient": _sparse_gradient,
    "sparse_linear_weight_gradient": _sparse_weight_gradient,
    "sparse_conv2d": by_name(sparse_convolution.sparse_conv2d),
    "sparse_conv2d_gradient": _sparse_gradient,
    "sparse_conv2d_weight_gradient": _sparse_weight_gradient,
    "batch_norm": by_name(batch_norm.batch_norm),
    "batch_norm_eval": by_name(batch_norm.batch_norm_eval),
    "batch_norm_gradient": in_turn(by_name(batch_norm.batch_norm_gradient), _addend_gradient),
    "max_pool2d": by_name(pooling.max_pool2d),
    "max_pool2d_gradient": by_name(pooling.max_pool2d_gradient),
    "avg_pool2d": by_name(pooling.avg_pool2d),
    "avg_pool2d_gradient": by_name(pooling.avg_pool2d_gradient),
    "add": by_name(elementwise.add),
    "add_gradient": in_turn(by_name(elementwise.copy_gradient), _addend_gradient),
    "copy": by_name(elementwise.copy),
    "copy_gradient": by_name(elementwise.copy_gradient),
    "dropout": by_name(elementwise.dropout),
    "dropout_gradient": by_name(elementwise.dropout_gradient),
    "leaky_relu": by_name(activations.leaky_relu),
    "leaky_relu_gradient": by_name(activations.leaky_relu_gradient),
    "tanh": by_name(activations.tanh),
    "tanh_gradient": by_name(activations.tanh_gradient),
    "sigmoid": by_name(activations.sigmoid),
    "sigmoid_gradient": by_name(activations.sigmoid_gradient),
    "cross_entropy": by_name(loss.cross_entropy),
    "cross_entropy_eval": by_name(loss.cross_entropy_eval),
    "sum_losses": by_name(loss.sum_losses),
}
"""By the name of a kernel, what makes its launches."""
