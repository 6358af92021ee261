"""Copies, ReLUs of no other kernel, residual additions and dropout of packed images."""

from functools import partial
from typing import Any, NamedTuple, Unpack

import numpy as np

from tinyticket.kernels.cpu.arguments import addend_like, flat_bytes, images_to_write
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.feed import Feed
from tinyticket.kernels.cpu.image_common import finish, passing, plane_of, row_of
from tinyticket.kernels.cpu.job import Floats, kernel
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.planes import (
    GradientOptions,
    Options,
    Planes,
    PlanesGradient,
    map_gradient,
    map_planes,
    run_forward,
    run_gradient,
)
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, broadcast, load, relu, select, surviving, zero
from tinyticket.kernels.geometry import Image, Window


class Copy(Planes):
    """The job of `copy`."""


class CopyGradient(PlanesGradient):
    """The job of `copy_gradient`."""


class Dropout(Planes):
    """The job of `dropout`: y = x * scale where the mask is not zero, and zero elsewhere."""


class DropoutGradient(PlanesGradient):
    """The job of `dropout_gradient`."""


@kernel(Copy)
@map_planes
def _copy(x, place, job):
    return relu(x) if job.relu else x


@kernel(CopyGradient)
@map_gradient
def _copy_gradient(dy, place, x, y, job):
    return passing(load(y, place[2]), dy) if job.relu else dy


@device
def _kept(x, place, job):
    """Return x * scale where the mask is not zero, and zero elsewhere."""
    plane, h, w = place
    start = (plane * job.window.height + h) * job.window.width * LANES
    kept = surviving(advance(job.feed.kept, job.place), start + w, LANES)
    return select(kept, x * broadcast(np.float32(job.scale)), zero())


@kernel(Dropout)
@map_planes
def _dropout(x, place, job):
    return _kept(x, place, job)


@kernel(DropoutGradient)
@map_gradient
def _dropout_gradient(dy, place, x, y, job):
    return _kept(dy, place, job)


class Add(NamedTuple):
    """The job of `add`; fields and share as in `Planes`."""

    x: Floats
    addend: Floats
    y: Floats  # may be either of them
    relu: bool
    window: Window
    addend_image: Image


class AddGradient(NamedTuple):
    """The job of `add_gradient`, as `PlanesGradient`: dy goes to both summands in one sweep."""

    x: Floats
    y: Floats
    dy: Floats
    dx: Floats
    add: bool
    x_is_relu_output: bool
    window: Window
    relu: bool
    addend: Floats  # read only if it is a ReLU's output
    d_addend: Floats
    add_to_addend: bool  # start from what d_addend holds
    addend_is_relu_output: bool
    addend_image: Image


@device
def _of_addend(place, job):
    """Return where a pixel of the addend lies."""
    plane, h, w = place
    return plane * plane_of(job.addend_image) + h * row_of(job.addend_image) + w


@kernel(Add)
@map_planes
def _add(x, place, job):
    total = x + load(job.addend, _of_addend(place, job))
    return relu(total) if job.relu else total


@device
def _give_addend(value, place, job):
    to = _of_addend(place, job)
    finish(job.d_addend, to, value, job.addend, job.add_to_addend, job.addend_is_relu_output)


@kernel(AddGradient)
@partial(map_gradient, hand_on=_give_addend)
def _add_gradient(dy, place, x, y, job):
    return passing(load(y, place[2]), dy) if job.relu else dy


# -- functions of arrays


def copy(x: Images, *, relu: bool = False, **options: Unpack[Options]) -> Images:
    """Copy images to where they have another border; options as in `kernels.cpu`."""
    return run_forward(Copy, x, {"relu": relu}, **options)


def copy_gradient(
    x: Images, y: Images, dy: Images, *, relu: bool = False, **options: Unpack[GradientOptions]
) -> Images:
    """Return the gradient of `copy`, whose result is y, by x; options as in `kernels.cpu`."""
    return run_gradient(CopyGradient, x, y, dy, {"relu": relu}, **options)


def add(x: Images, addend: Images, *, relu: bool = False, **options: Unpack[Options]) -> Images:
    """Add images of one size, as a residual block ends (He et al. 2016, figure 2); options as in `kernels.cpu`."""
    beside, image = addend_like(addend, x)
    fields = {"addend": beside, "relu": relu, "addend_image": image}
    return run_forward(Add, x, fields, **options)


def add_gradient(
    x: Images,
    addend: Images,
    y: Images,
    dy: Images,
    *,
    relu: bool = False,
    addend_add_to: Written[Images] | None = None,
    addend_is_relu_output: bool = False,
    **options: Unpack[GradientOptions],
) -> tuple[Images, Images]:
    """Return the gradients of `add`, whose result is y, by x and its addend, whose options are like those of x."""
    beside, image = addend_like(addend, x)
    d_addend = images_to_write(addend_add_to, x.tiles, image, "addend_add_to")
    flags = {"relu": relu, "add_to_addend": addend_add_to is not None, "addend_is_relu_output": addend_is_relu_output}
    fields = {"addend": beside, "d_addend": d_addend.interior, "addend_image": image, **flags}
    return run_gradient(AddGradient, x, y, dy, fields, **options), d_addend


def dropout(x: Images, keep: np.ndarray, scale: float, **options: Unpack[Options]) -> Images:
    """Keep some elements, scaled, and set the others to zero (Srivastava et al. 2014, scaled while training).

    Parameters
    ----------
    x : Images
    keep : uint8 or bool array of shape (tiles, channels, rows, columns, 16)
        Not zero where an element is kept.
    scale : float
        One over the share that is kept.
    **options
        As in `kernels.cpu`.
    """
    return run_forward(Dropout, x, _mask(keep, scale, x), **options)


def dropout_gradient(
    x: Images, keep: np.ndarray, dy: Images, scale: float, **options: Unpack[GradientOptions]
) -> Images:
    """Return the gradient of `dropout` by x; arguments and errors as in `dropout` and `copy_gradient`."""
    return run_gradient(DropoutGradient, x, None, dy, _mask(keep, scale, x), **options)


def _mask(keep: np.ndarray, scale: float, x: Images) -> dict[str, Any]:
    """Return the fields of a dropout's mask."""
    kept = flat_bytes(keep, (x.tiles, *x.geometry[:3], LANES), "keep", np.uint8)
    return {"scale": float(scale), "feed": Feed(kept=kept)}
