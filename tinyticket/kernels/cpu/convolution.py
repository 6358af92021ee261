"""A dense convolution on packed images: the passes as functions of arrays.

>>> x = pack_images(images, border=1)                                                          # doctest: +SKIP
>>> y = unpack_images(conv_forward(weight, bias, x, border=1, padding=1), len(images))         # doctest: +SKIP
"""

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat, flat_output
from tinyticket.kernels.cpu.convolution_gradient import convolution_gradient, weight_gradient_jobs
from tinyticket.kernels.cpu.convolution_passes import (
    convolution_backward,
    convolution_forward,
    forward_jobs,
    input_gradient_jobs,
)
from tinyticket.kernels.cpu.convolution_weights import convolution_pack, pack_jobs, packed_back_size, packed_size
from tinyticket.kernels.geometry import Image, Window, gradient_border, make_window, origin, plane, row
from tinyticket.kernels.cpu.packing import image_of
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.threads import thread_count


def _packed_image(tiles: int, image: Image) -> np.ndarray:
    """Allocate packed images with zeros in their border, and everywhere else."""
    packed = empty(tiles, image.channels, plane(image) // row(image), row(image) // 16, 16)
    packed[...] = 0
    return packed


def _window(weight_shape: tuple[int, ...], x: np.ndarray, border: int, stride: int, padding: int, y_border: int):
    """Return the geometry of x and y and their window."""
    image = image_of(x, border)
    if len(weight_shape) != 4 or weight_shape[1] != image.channels:
        raise InputError(
            f"weight has shape {weight_shape}, but (outputs, {image.channels}, rows, columns) was expected"
        )
    if stride < 1 or padding < 0:
        raise InputError(f"a convolution of stride {stride} and padding {padding} does not exist")
    outputs, _, *kernel = weight_shape
    height, width = ((size + 2 * padding - span) // stride + 1 for size, span in zip(image[1:3], kernel, strict=True))
    result = Image(outputs, height, width, y_border)
    return image, result, make_window(len(x), image, result, (kernel[0], kernel[1]), stride, padding)


def _check_border(window: Window, border: int) -> None:
    """See that dy has room for what the input gradient reads beyond its edge."""
    sizes = (window.x_height, window.kernel_height), (window.x_width, window.kernel_width)
    needed = max(gradient_border(size, kernel, window.stride, window.padding) for size, kernel in sizes)
    if border < needed:
        raise InputError(f"dy needs a border of {needed} zeros for the input gradient, not {border}")


def conv_pack(weight: np.ndarray, window: Window, *, threads: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Bring a convolution's weights into the orders in which its passes read them.

    Parameters
    ----------
    weight : array of shape (outputs, inputs, rows, columns)
    window : Window
    threads : int, optional

    Returns
    -------
    packed : array of shape (packed_size(window),), for the forward pass
    packed_back : array of shape (packed_back_size(window),), for the input gradient
    """
    master = flat(weight, (window.outputs, window.inputs, window.kernel_height, window.kernel_width), "weight")
    packed, packed_back = empty(packed_size(window)), empty(packed_back_size(window))
    convolution_pack(even_bounds(pack_jobs(window), thread_count(threads)), master, packed, packed_back, window)
    return packed, packed_back


def conv_forward(
    weight: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    border: int = 0,
    stride: int = 1,
    padding: int = 0,
    relu: bool = False,
    y_border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Compute the convolution (cross-correlation, as everybody calls it) of packed images, perhaps through a ReLU.

    Parameters
    ----------
    weight : array of shape (outputs, inputs, rows, columns)
    bias : array of shape (outputs,)
    x : array of shape (tiles, inputs, height + 2 border, width + 2 border, 16)
        As `pack_images` makes it.
    border : int
        Of x, at least the padding.
    stride, padding : int
        The same in both directions.
    relu : bool
        Set what is negative to zero.
    y_border : int
        Border of zeros to leave around the result.
    threads : int, optional
        All that Numba may use, if not given; the result has the same bits for any number.

    Returns
    -------
    array of shape (tiles, outputs, height + 2 y_border, width + 2 y_border, 16)
    """
    image, result, window = _window(weight.shape, x, border, stride, padding, y_border)
    packed, _ = conv_pack(weight, window, threads=threads)
    y = _packed_image(len(x), result)
    arrays = packed, flat(bias, (result.channels,), "bias"), flat(x, x.shape, "x"), y.reshape(-1)
    bounds = even_bounds(forward_jobs(window), thread_count(threads))
    convolution_forward(bounds, *arrays, origin(image), origin(result), window, bool(relu))
    return y


def conv_input_gradient(
    weight: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    border: int = 0,
    y_border: int = 0,
    stride: int = 1,
    padding: int = 0,
    relu: bool = False,
    add_to: np.ndarray | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute the gradient of a convolution by its input.

    Parameters
    ----------
    weight, x, border, stride, padding, threads
        As in `conv_forward`.
    dy : array of shape (tiles, outputs, height + 2 y_border, width + 2 y_border, 16)
        Its border must be zeros, and wide enough (`gradient_border`).
    y_border : int
    relu : bool
        x came out of a ReLU: make the result the gradient by what went into it.
    add_to : float32 array of the shape of x, optional
        Gradient to add to, in place, before the ReLU; for an x that has other consumers.

    Returns
    -------
    array of the shape of x, zeros in its border
    """
    image, result, window = _window(weight.shape, x, border, stride, padding, y_border)
    _check_border(window, y_border)
    _, packed_back = conv_pack(weight, window, threads=threads)
    dx = _packed_image(len(x), image) if add_to is None else add_to
    above = flat(dy, (len(x), result.channels, *(size + 2 * y_border for size in result[1:3]), 16), "dy")
    arrays = packed_back, flat(x, x.shape, "x"), above, flat_output(dx, x.shape, "add_to")
    bounds = even_bounds(input_gradient_jobs(window), thread_count(threads))
    flags = add_to is not None, bool(relu)
    convolution_backward(bounds, *arrays, origin(image), origin(result), window, *flags)
    return dx


def conv_weight_gradient(
    x: np.ndarray,
    dy: np.ndarray,
    kernel: tuple[int, int],
    *,
    border: int = 0,
    y_border: int = 0,
    stride: int = 1,
    padding: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Compute the gradient of a convolution by its weights, summed over samples and pixels.

    Parameters
    ----------
    x, dy, border, y_border, stride, padding, threads
        As in `conv_input_gradient`; dy is zero in padded lanes.
    kernel : (rows, columns)

    Returns
    -------
    array of shape (outputs, inputs, rows, columns)
    """
    above = image_of(dy, y_border, "dy")
    shape = above.channels, x.shape[1], *kernel
    image, result, window = _window(shape, x, border, stride, padding, y_border)
    if result != above or len(dy) != len(x):
        raise InputError(f"dy is {above} in {len(dy)} tiles, but {result} in {len(x)} tiles was expected")
    gradient = empty(*shape)
    arrays = flat(x, x.shape, "x"), flat(dy, dy.shape, "dy"), gradient.reshape(-1)
    bounds = even_bounds(weight_gradient_jobs(window), thread_count(threads))
    convolution_gradient(bounds, *arrays, origin(image), origin(result), window)
    return gradient
