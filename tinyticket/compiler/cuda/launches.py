"""From operations to launches: by the kernel of an operation, what starts it on the device, or several kernels in its place.

Functions of `kernels.cuda` call their arguments as jobs call their fields, so most are called by name.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tinyticket.compiler.cuda.arena import Arena
from tinyticket.compiler.cuda.feeds import CudaData, Feeds
from tinyticket.compiler.cuda.layout import CudaLayout
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
    """The arrays on the device that the launches of a program are given."""

    layout: CudaLayout
    arena: Arena
    feeds: Feeds
    state: Any  # int32 (2,): the turn, and how many lanes hold samples
    labels: Any  # int32 (lanes,): of the batch
    scratch: Block  # what one launch of an operation leaves to the next: as much as `scratch_size` says of any
    kept_size: int  # bytes of the masks of all dropouts in a turn

    def array(self, where: Block | Part) -> Any:
        """Return the array that a block is, the border of its images included."""
        return self.arena[where.block if isinstance(where, Part) else where]

    def argument(self, op: Op, name: str, default: Any) -> Any:
        """Return what an operation's launch is given under a name: a field of the job, or what only a device has."""
        job = op.job
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
        if name == "addend_spots":
            return elementwise.Spots(_origin(job.addend), row(job.addend_image), plane(job.addend_image))
        if name == "bias" and op.layer and op.layer.kind in ("linear", "conv2d") and name not in op.layer.parameters:
            return None
        value = getattr(job, name, default)
        return self.array(value) if isinstance(value, Block | Part) else value


def _origin(where: Any) -> int:
    """Return how many pixels of a block lie before the first one inside the border."""
    if not isinstance(where, Block | Part):
        return 0
    return (where.block.origin + where.offset if isinstance(where, Part) else where.origin) // LANES


def geometry_of(job: Any, lanes: int) -> Geometry:
    """Return the work of a job on images, which has a window, or on features, which has a shape; gradients lie as x and y do."""
    if "window" not in job._fields:
        return Geometry.of_features(job.shape.inputs, job.shape.outputs, lanes)
    x, y = (getattr(job, f"d{name}", getattr(job, name, None)) for name in "xy")
    return Geometry.of(job.window, lanes, _origin(x), _origin(y))


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
    x, image, draws = op.job.x, op.job.image, on.feeds["draws"] if augmented else None
    g = Geometry.of(make_window(1, image, image, (1, 1)), on.layout.lanes, x_origin=_origin(x))
    given = data.examples, data.labels, on.feeds["indices"], draws, on.state, on.array(x), on.labels
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


def by_name(*functions: Callable[..., Launch | tuple[Launch, ...]], **fields: str) -> Launcher:
    """Return what calls functions of `kernels.cuda` with the fields of a job that are called as their arguments.

    `fields` says, by an argument's name, what the field is called where they differ.
    """
    defaults = [{name: each.default for name, each in inspect.signature(f).parameters.items()} for f in functions]

    def launch(op: Op, on: Arrays) -> list[Launch]:
        launches: list[Launch] = []
        for function, names in zip(functions, defaults, strict=True):
            made = function(**{name: on.argument(op, fields.get(name, name), names[name]) for name in names})
            launches += [made] if isinstance(made, Launch) else made
        return launches

    return launch


def in_turn(*launchers: Launcher) -> Launcher:
    """Return what makes the launches of each."""
    return lambda op, on: [launch for launcher in launchers for launch in launcher(op, on)]


def _addend_gradient(op: Op, on: Arrays) -> list[Launch]:
    """Give what was added, if there is something, its gradient."""
    job = op.job
    if not getattr(job, "has_addend", True):
        return []
    spots = {"x_origin": _origin(job.d_addend), "x_row": row(job.addend_image), "x_plane": plane(job.addend_image)}
    blocks = (on.array(block) for block in (job.addend, job.y, job.dy, job.d_addend))
    flags = job.relu, job.add_to_addend, job.addend_is_relu_output
    return [elementwise.copy_gradient(*blocks, geometry_of(job, on.layout.lanes)._replace(**spots), *flags)]


_weight_gradient = by_name(sparse_convolution.sparse_conv2d_weight_gradient)


def _sparse_weight_gradient(op: Op, on: Arrays) -> list[Launch]:
    return _weight_gradient(op, on) if op.job.gradient.size else []


_sparse_gradient = in_turn(
    _sparse_weight_gradient,
    by_name(sparse_convolution.reorder_survivors, sparse_convolution.sparse_conv2d_input_gradient),
)

LAUNCHES: dict[str, Launcher] = {
    "gather_labels": in_turn(),  # the launch that gathers the batch brings them along
    "linear": by_name(linear.linear),
    "linear_input_gradient": by_name(linear.linear_input_gradient),
    "linear_weight_gradient": by_name(linear.linear_weight_gradient, x="x_samples"),
    "conv2d": by_name(convolution.conv2d, weight="packed"),
    "conv2d_input_gradient": by_name(convolution.conv2d_input_gradient, weight="packed_back"),
    "conv2d_weight_gradient": by_name(convolution.conv2d_weight_gradient),
    "conv2d_bias_gradient": by_name(convolution.conv2d_bias_gradient),
    "sparse_linear": by_name(sparse_convolution.sparse_conv2d),
    "sparse_linear_gradient": _sparse_gradient,
    "sparse_linear_weight_gradient": _sparse_weight_gradient,
    "sparse_conv2d": by_name(sparse_convolution.sparse_conv2d),
    "sparse_conv2d_gradient": _sparse_gradient,
    "sparse_conv2d_weight_gradient": _sparse_weight_gradient,
    "batch_norm": by_name(batch_norm.batch_statistics, batch_norm.batch_norm),
    "batch_norm_eval": by_name(batch_norm.batch_norm_eval),
    "batch_norm_gradient": in_turn(
        by_name(batch_norm.batch_gradient_sums, batch_norm.batch_norm_gradient), _addend_gradient
    ),
    "max_pool2d": by_name(pooling.max_pool2d),
    "max_pool2d_gradient": by_name(pooling.max_pool2d_gradient),
    "avg_pool2d": by_name(pooling.avg_pool2d),
    "avg_pool2d_gradient": by_name(pooling.avg_pool2d_gradient),
    "add": by_name(elementwise.add),
    "add_gradient": in_turn(by_name(elementwise.copy_gradient, setting="relu"), _addend_gradient),
    "copy": by_name(elementwise.copy, setting="relu"),
    "copy_gradient": by_name(elementwise.copy_gradient, setting="relu"),
    "dropout": by_name(elementwise.dropout),
    "dropout_gradient": by_name(elementwise.dropout_gradient),
    "leaky_relu": by_name(activations.leaky_relu, setting="slope"),
    "leaky_relu_gradient": by_name(activations.leaky_relu_gradient, setting="slope", y="dy"),
    "tanh": by_name(activations.tanh),
    "tanh_gradient": by_name(activations.tanh_gradient),
    "sigmoid": by_name(activations.sigmoid),
    "sigmoid_gradient": by_name(activations.sigmoid_gradient),
    "cross_entropy": by_name(loss.cross_entropy),
    "cross_entropy_eval": by_name(loss.cross_entropy_eval),
    "sum_losses": by_name(loss.sum_losses),
}
"""By the name of a kernel, what makes its launches."""
