"""Maximum pooling of packed images, and its gradient."""

from collections.abc import Sequence
from typing import NamedTuple

from tinyticket.kernels.cpu.arguments import even_shares, images_like, images_to_write, pooling_window
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.pooling.clipping import bounds, finish_vector
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, intrinsic, load, select, store, vector, zero
from tinyticket.kernels.geometry import Window


@intrinsic
def larger(typing, x, y):
    """Return the larger of two vectors, x where they are equal, and NaN where one is."""

    def codegen(context, builder, sig, args):
        x, y = args
        most = builder.select(builder.fcmp_ordered(">", y, x), y, x)  # one vmaxps, which returns x when unordered
        return builder.select(builder.fcmp_unordered("uno", y, y), y, most)

    return vector(vector, vector), codegen


@device
def _is_two_by_two(window):
    return window.kernel_height == 2 and window.kernel_width == 2 and window.stride == 2 and window.padding == 0


@device
def _clear_row(dx, place, end, x, add, x_is_relu_output):
    """Finish pixels that no window reaches, from `place` to `end`."""
    if x_is_relu_output or not add:
        while place < end:
            finish_vector(dx, place, zero(), x, add, x_is_relu_output)
            place += LANES


@device
def _max_two_by_two(x, y, window):
    for h in range(window.height):
        upper, out = advance(x, 2 * h * window.x_row), advance(y, h * window.y_row)
        lower = advance(upper, window.x_row)
        for w in range(window.width):
            i = 2 * LANES * w
            a, b = larger(load(upper, i), load(upper, i + LANES)), larger(load(lower, i), load(lower, i + LANES))
            store(out, w * LANES, larger(a, b))


@device
def _max_plane(x, y, window):
    for h in range(window.height):
        top = h * window.stride - window.padding
        first_row, last_row = bounds(top, window.kernel_height, window.x_height)
        for w in range(window.width):
            left = w * window.stride - window.padding
            first, last = bounds(left, window.kernel_width, window.x_width)
            corner = advance(x, top * window.x_row + left * LANES)
            most = load(corner, first_row * window.x_row + first * LANES)
            for i in range(first_row, last_row):
                for j in range(first, last):
                    most = larger(most, load(corner, i * window.x_row + j * LANES))
            store(y, h * window.y_row + w * LANES, most)


class MaxPool2d(NamedTuple):
    """The job of `max_pool2d`, whose share are planes: tile * channels + channel."""

    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats
    window: Window  # its padding is smaller than its kernel


@kernel(MaxPool2d)
def _max_pool2d(job, first, last):
    window = job.window
    for plane in range(first, last):
        before, after = advance(job.x, plane * window.x_plane), advance(job.y, plane * window.y_plane)
        if _is_two_by_two(window):
            _max_two_by_two(before, after, window)
        else:
            _max_plane(before, after, window)


@device
def _max_two_by_two_gradient(x, y, dy, dx, window, add, x_is_relu_output):
    width = window.x_width * LANES
    for h in range(window.height):
        upper, place = 2 * h * window.x_row, h * window.y_row
        lower = upper + window.x_row
        for w in range(window.width):
            most, left = load(y, place + w * LANES), load(dy, place + w * LANES)
            i, j = upper + 2 * LANES * w, lower + 2 * LANES * w
            smaller = load(x, i) < most
            finish_vector(dx, i, select(smaller, zero(), left), x, add, x_is_relu_output)
            left = select(smaller, left, zero())
            smaller = load(x, i + LANES) < most
            finish_vector(dx, i + LANES, select(smaller, zero(), left), x, add, x_is_relu_output)
            left = select(smaller, left, zero())
            smaller = load(x, j) < most
            finish_vector(dx, j, select(smaller, zero(), left), x, add, x_is_relu_output)
            finish_vector(dx, j + LANES, select(smaller, left, zero()), x, add, x_is_relu_output)
        _clear_row(dx, upper + 2 * LANES * window.width, upper + width, x, add, x_is_relu_output)
        _clear_row(dx, lower + 2 * LANES * window.width, lower + width, x, add, x_is_relu_output)
    for h in range(2 * window.height, window.x_height):
        _clear_row(dx, h * window.x_row, h * window.x_row + width, x, add, x_is_relu_output)


@device
def _max_plane_gradient(x, y, dy, dx, window, add, x_is_relu_output):
    """Scatter window by window, because windows may overlap."""
    width = window.x_width * LANES
    if not add:
        for h in range(window.x_height):
            _clear_row(dx, h * window.x_row, h * window.x_row + width, x, False, False)
    for h in range(window.height):
        top = h * window.stride - window.padding
        first_row, last_row = bounds(top, window.kernel_height, window.x_height)
        for w in range(window.width):
            left = w * window.stride - window.padding
            first, last = bounds(left, window.kernel_width, window.x_width)
            place = h * window.y_row + w * LANES
            most, rest = load(y, place), load(dy, place)
            for i in range(first_row, last_row):
                for j in range(first, last):
                    k = (top + i) * window.x_row + (left + j) * LANES
                    smaller = load(x, k) < most
                    store(dx, k, load(dx, k) + select(smaller, zero(), rest))
                    rest = select(smaller, rest, zero())
    if x_is_relu_output:
        for h in range(window.x_height):
            _clear_row(dx, h * window.x_row, h * window.x_row + width, x, True, True)


class MaxPool2dGradient(NamedTuple):
    """The job of `max_pool2d_gradient`, whose share are planes."""

    x: Floats
    y: Floats
    dy: Floats
    dx: Floats
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@kernel(MaxPool2dGradient)
def _max_pool2d_gradient(job, first, last):
    window, add, x_is_relu_output = job.window, job.add, job.x_is_relu_output
    for plane in range(first, last):
        before, gradient = advance(job.x, plane * window.x_plane), advance(job.dx, plane * window.x_plane)
        after, above = advance(job.y, plane * window.y_plane), advance(job.dy, plane * window.y_plane)
        if _is_two_by_two(window):
            _max_two_by_two_gradient(before, after, above, gradient, window, add, x_is_relu_output)
        else:
            _max_plane_gradient(before, after, above, gradient, window, add, x_is_relu_output)


# -- functions of arrays


def max_pool2d(
    x: Images,
    kernel: int | Sequence[int],
    *,
    stride: int | None = None,
    padding: int = 0,
    border: int = 0,
    threads: int | None = None,
) -> Images:
    """Take the maximum of each window; what lies outside the image is not a candidate.

    Parameters
    ----------
    x : Images
    kernel : int or pair of ints
        Height and width of the window.
    stride : int, optional
        The kernel's height if not given.
    padding : int
        Smaller than the kernel.
    border : int
        Zeros to leave around the images of the result.
    threads : int, optional

    Returns
    -------
    Images
    """
    window, after = pooling_window(x, kernel, stride, padding, border)
    y = Images.zeros(x.tiles, after)
    run(MaxPool2d(x.interior, y.interior, window), even_shares(x.tiles * window.inputs, threads))
    return y


def max_pool2d_gradient(
    x: Images,
    y: Images,
    dy: Images,
    kernel: int | Sequence[int],
    *,
    stride: int | None = None,
    padding: int = 0,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Images:
    """Give the gradient of each maximum to the first element, in row order, that equals it.

    Parameters
    ----------
    x, y : Images
        What `max_pool2d` was given and what it returned.
    dy : Images
        Like y.
    kernel, stride, padding, threads
        As in `max_pool2d`.
    add_to : Images like x, optional
        What other consumers of x gave; it is changed and returned.
    x_is_relu_output : bool
        Make the result the gradient by what went into the ReLU that made x.

    Returns
    -------
    Images, like x
    """
    window, after = pooling_window(x, kernel, stride, padding, y.border)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    values = x.interior, images_like(y, x.tiles, after, "y"), images_like(dy, x.tiles, after, "dy"), dx.interior
    job = MaxPool2dGradient(*values, add_to is not None, x_is_relu_output, window)
    run(job, even_shares(x.tiles * window.inputs, threads))
    return dx
