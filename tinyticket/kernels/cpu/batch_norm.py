"""Batch normalisation of packed images as functions of arrays, fused with the addend and the ReLU that follow it.

>>> y, mean, inverse = batch_norm(x, weight, bias, running_mean, running_variance, samples, relu=True)   # doctest: +SKIP
"""

import numpy as np
from numba import prange

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat_output
from tinyticket.kernels.cpu.batch_norm_passes import batch_norm_backward, batch_norm_eval, batch_norm_forward
from tinyticket.kernels.geometry import Image
from tinyticket.kernels.cpu.image_arguments import (
    elementwise_window,
    flat_parameter,
    gradient_to_write,
    interior,
    interior_output,
    zeros,
)
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import pointer
from tinyticket.kernels.cpu.threads import thread_count


@device
def _forward_chunk(images, parameters, window, other, samples, scalars, has_addend, rectify, first, last):
    x, y, addend = pointer(images[0], 0), pointer(images[1], 0), pointer(images[2], 0)
    weight, bias = pointer(parameters[0], 0), pointer(parameters[1], 0)
    running_mean, running_variance = pointer(parameters[2], 0), pointer(parameters[3], 0)
    mean, inverse = pointer(parameters[4], 0), pointer(parameters[5], 0)
    batch_norm_forward(
        x,
        y,
        addend,
        weight,
        bias,
        running_mean,
        running_variance,
        mean,
        inverse,
        window,
        other,
        samples,
        scalars[0],
        scalars[1],
        first,
        last,
        has_addend,
        rectify,
    )


@kernel
def batch_norm_channels(bounds, images, parameters, window, other, samples, scalars, has_addend, rectify):
    """`batch_norm_forward` over chunks of channels."""
    if bounds.size == 2:
        first, last = bounds[0], bounds[1]
        _forward_chunk(images, parameters, window, other, samples, scalars, has_addend, rectify, first, last)
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _forward_chunk(images, parameters, window, other, samples, scalars, has_addend, rectify, first, last)


@device
def _eval_chunk(images, parameters, window, other, epsilon, has_addend, rectify, first, last):
    x, y, addend = pointer(images[0], 0), pointer(images[1], 0), pointer(images[2], 0)
    weight, bias = pointer(parameters[0], 0), pointer(parameters[1], 0)
    mean, variance = pointer(parameters[2], 0), pointer(parameters[3], 0)
    flags = has_addend, rectify
    batch_norm_eval(x, y, addend, weight, bias, mean, variance, window, other, epsilon, first, last, *flags)


@kernel
def batch_norm_eval_channels(bounds, images, parameters, window, other, epsilon, has_addend, rectify):
    """`batch_norm_eval` over chunks of channels."""
    if bounds.size == 2:
        _eval_chunk(images, parameters, window, other, epsilon, has_addend, rectify, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _eval_chunk(images, parameters, window, other, epsilon, has_addend, rectify, first, last)


@device
def _gradient_chunk(images, parameters, window, other, samples, flags, first, last):
    x, y, dy, dx = pointer(images[0], 0), pointer(images[1], 0), pointer(images[2], 0), pointer(images[3], 0)
    addend, d_addend = pointer(images[4], 0), pointer(images[5], 0)
    weight, bias = pointer(parameters[0], 0), pointer(parameters[1], 0)
    mean, inverse = pointer(parameters[2], 0), pointer(parameters[3], 0)
    dweight, dbias = pointer(parameters[4], 0), pointer(parameters[5], 0)
    batch_norm_backward(
        x,
        y,
        dy,
        dx,
        addend,
        d_addend,
        weight,
        bias,
        mean,
        inverse,
        dweight,
        dbias,
        window,
        other,
        samples,
        first,
        last,
        *flags,
    )


@kernel
def batch_norm_gradient_channels(bounds, images, parameters, window, other, samples, flags):
    """`batch_norm_backward` over chunks of channels."""
    if bounds.size == 2:
        _gradient_chunk(images, parameters, window, other, samples, flags, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _gradient_chunk(images, parameters, window, other, samples, flags, bounds[chunk], bounds[chunk + 1])


def _check_samples(samples: int, tiles: int) -> None:
    if not 1 <= samples <= tiles * LANES:
        raise InputError(f"{samples} samples do not fit into {tiles} tiles of {LANES} lanes")


def batch_norm(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    running_mean: np.ndarray,
    running_variance: np.ndarray,
    samples: int,
    *,
    addend: np.ndarray | None = None,
    relu: bool = False,
    epsilon: float = 1e-5,
    momentum: float = 0.1,
    border: int = 0,
    y_border: int = 0,
    addend_border: int = 0,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalise each channel by the mean and variance of the batch (Ioffe and Szegedy 2015, algorithm 1).

    Parameters
    ----------
    x : array of shape (tiles, channels, height + 2 border, width + 2 border, 16)
    weight, bias : arrays of shape (channels,)
    running_mean, running_variance : float32 arrays of shape (channels,)
        Changed in place: moved towards the mean and the unbiased variance by the share `momentum`.
    samples : int
        How many lanes hold samples; the rest count for nothing.
    addend : array of shape (tiles, channels, height + 2 addend_border, width + 2 addend_border, 16), optional
        Added after normalising.
    relu : bool
        Set what is negative to zero, last of all.
    epsilon : float
        Added to the variance.
    momentum : float
    border, y_border, addend_border : int
        Zeros around the images.
    threads : int, optional

    Returns
    -------
    y : array of shape (tiles, channels, height + 2 y_border, width + 2 y_border, 16)
    mean, inverse : arrays of shape (channels,)
        The batch's mean and one over its standard deviation, which `batch_norm_gradient` needs.
    """
    window, image, after = elementwise_window(x, border, y_border)
    tiles, channels = x.shape[:2]
    _check_samples(samples, tiles)
    if samples * image.height * image.width == 1:
        raise InputError("a variance needs more than one value a channel, but the batch has one sample of one pixel")
    y, mean, inverse = zeros(tiles, after), empty(channels), empty(channels)
    other = image._replace(border=addend_border)
    images = (
        interior(x, tiles, image, "x"),
        interior_output(y, tiles, after, "y"),
        _addend(addend, tiles, other),
    )
    parameters = (
        flat_parameter(weight, channels, "weight"),
        flat_parameter(bias, channels, "bias"),
        flat_output(running_mean, (channels,), "running_mean"),
        flat_output(running_variance, (channels,), "running_variance"),
        mean,
        inverse,
    )
    rest = window, other, samples, (np.float32(epsilon), np.float32(momentum)), addend is not None, bool(relu)
    batch_norm_channels(even_bounds(channels, thread_count(threads)), images, parameters, *rest)
    return y, mean, inverse


def batch_norm_inference(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    running_mean: np.ndarray,
    running_variance: np.ndarray,
    *,
    addend: np.ndarray | None = None,
    relu: bool = False,
    epsilon: float = 1e-5,
    border: int = 0,
    y_border: int = 0,
    addend_border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Normalise each channel by the running mean and variance; arguments and y as in `batch_norm`."""
    window, image, after = elementwise_window(x, border, y_border)
    tiles, channels = x.shape[:2]
    y, other = zeros(tiles, after), image._replace(border=addend_border)
    images = interior(x, tiles, image, "x"), interior_output(y, tiles, after, "y"), _addend(addend, tiles, other)
    parameters = (
        flat_parameter(weight, channels, "weight"),
        flat_parameter(bias, channels, "bias"),
        flat_parameter(running_mean, channels, "running_mean"),
        flat_parameter(running_variance, channels, "running_variance"),
    )
    rest = window, other, np.float32(epsilon), addend is not None, bool(relu)
    batch_norm_eval_channels(even_bounds(channels, thread_count(threads)), images, parameters, *rest)
    return y


def batch_norm_gradient(
    x: np.ndarray,
    y: np.ndarray,
    dy: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    mean: np.ndarray,
    inverse: np.ndarray,
    samples: int,
    *,
    addend: np.ndarray | None = None,
    relu: bool = False,
    add_to: np.ndarray | None = None,
    x_relu: bool = False,
    addend_add_to: np.ndarray | None = None,
    addend_relu: bool = False,
    border: int = 0,
    y_border: int = 0,
    addend_border: int = 0,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, np.ndarray]:
    """Return the gradients of `batch_norm` by its input, its addend, its weight and its bias.

    Parameters
    ----------
    x, y, weight, bias, mean, inverse, samples, addend, relu, border, y_border, addend_border, threads
        What `batch_norm` was given and returned.
    dy : array of y's shape
    add_to, addend_add_to : float32 arrays of the shapes of x and of the addend, optional
        What other consumers of them gave; changed and returned.
    x_relu, addend_relu : bool
        They came out of a ReLU: make the results the gradients by what went into it.

    Returns
    -------
    dx : array of x's shape, zero in lanes without a sample
    d_addend : array of the addend's shape; None without one
    dweight, dbias : arrays of shape (channels,)
    """
    window, image, after = elementwise_window(x, border, y_border)
    tiles, channels = x.shape[:2]
    _check_samples(samples, tiles)
    other = image._replace(border=addend_border)
    dx, dweight, dbias = gradient_to_write(add_to, tiles, image), empty(channels), empty(channels)
    d_addend = None if addend is None else gradient_to_write(addend_add_to, tiles, other)
    images = (
        interior(x, tiles, image, "x"),
        interior(y, tiles, after, "y"),
        interior(dy, tiles, after, "dy"),
        interior_output(dx, tiles, image, "add_to"),
        _addend(addend, tiles, other),
        empty(1) if d_addend is None else interior_output(d_addend, tiles, other, "addend_add_to"),
    )
    parameters = (
        flat_parameter(weight, channels, "weight"),
        flat_parameter(bias, channels, "bias"),
        flat_parameter(mean, channels, "mean"),
        flat_parameter(inverse, channels, "inverse"),
        dweight,
        dbias,
    )
    addend_flags = addend_add_to is not None, bool(addend_relu)
    flags = addend is not None, bool(relu), add_to is not None, bool(x_relu), *addend_flags
    bounds = even_bounds(channels, thread_count(threads))
    batch_norm_gradient_channels(bounds, images, parameters, window, other, samples, flags)
    return dx, d_addend, dweight, dbias


def _addend(addend: np.ndarray | None, tiles: int, other: Image) -> np.ndarray:
    return empty(1) if addend is None else interior(addend, tiles, other, "addend")
