"""What stands between a caller's packed images and a kernel: checked sizes, and flat views that begin in the interior."""

from collections.abc import Sequence

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat, flat_output
from tinyticket.kernels.geometry import Image, Window, make_window, origin, plane, row
from tinyticket.kernels.cpu.packing import image_of
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.threads import thread_count


def shape_of(tiles: int, image: Image) -> tuple[int, int, int, int, int]:
    """Return the shape of the array that holds some tiles of images, borders included."""
    return tiles, image.channels, image.height + 2 * image.border, image.width + 2 * image.border, LANES


def zeros(tiles: int, image: Image) -> np.ndarray:
    """Allocate packed images of zeros."""
    array = empty(*shape_of(tiles, image))
    array[...] = 0
    return array


def plane_bounds(window: Window, threads: int | None) -> np.ndarray:
    """Return bounds of chunks of planes, every channel of every tile being one."""
    return even_bounds(window.tiles * window.inputs, thread_count(threads))


def interior(x: np.ndarray, tiles: int, image: Image, name: str) -> np.ndarray:
    """Return an input as a flat array that begins at row 0, column 0 of its first image; any other shape is an error."""
    return flat(x, shape_of(tiles, image), name)[origin(image) :]


def interior_output(x: np.ndarray, tiles: int, image: Image, name: str) -> np.ndarray:
    """Return the same view of an array that results are written into."""
    return flat_output(x, shape_of(tiles, image), name)[origin(image) :]


def flat_parameter(values: np.ndarray, channels: int, name: str) -> np.ndarray:
    """Return one float32 a channel."""
    return flat(values, (channels,), name)


def pooling_window(
    x: np.ndarray, kernel: int | Sequence[int], stride: int | None, padding: int, border: int, y_border: int
) -> tuple[Window, Image, Image]:
    """Return the work of a pooling and the geometries of its input and output; a stride of None is the kernel's height."""
    image = image_of(x, border, "x")
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    stride = height if stride is None else stride
    if min(height, width, stride) < 1 or not 0 <= padding < min(height, width):
        raise InputError(
            f"pooling needs a kernel and a stride of at least 1 and a padding smaller than its kernel, not kernel {kernel}, "
            f"stride {stride}, padding {padding}"
        )
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in ((image.height, height), (image.width, width)))
    if min(rows, columns) < 1:
        raise InputError(f"a window of {height} by {width} does not fit into images of {image.height} by {image.width}")
    y = Image(image.channels, rows, columns, y_border)
    # Windows are clipped at the image's edge, so here padding needs no border.
    padded = image._replace(border=max(border, padding))
    window = make_window(len(x), padded, y, (height, width), stride, padding)
    return window._replace(x_row=row(image), x_plane=plane(image)), image, y


def elementwise_window(x: np.ndarray, border: int, y_border: int) -> tuple[Window, Image, Image]:
    """Return the work of what treats each pixel alone, and the geometries of its input and output."""
    image = image_of(x, border, "x")
    y = image._replace(border=y_border)
    return make_window(len(x), image, y, (1, 1)), image, y


def gradient_to_write(add_to: np.ndarray | None, tiles: int, image: Image) -> np.ndarray:
    """Return the array that an input gradient goes into: what it adds to, or fresh zeros."""
    return zeros(tiles, image) if add_to is None else add_to
