"""What the kernels on packed images other than convolutions compute, in plain NumPy: names and arguments of `kernels.cpu`.

Arithmetic is float64, except where a batch is gathered: those bits are the definition.
"""

from typing import Any

import numpy as np

from tinyticket.kernels.reference.packed_images import images_of, packed_images

LANES = 16


def _finished(gradient: np.ndarray, x: np.ndarray, border: int, add_to: np.ndarray | None, x_relu: bool) -> np.ndarray:
    """Add what other consumers gave, pass nothing where the ReLU that made x gave zero, and pack."""
    if add_to is not None:
        gradient = gradient + images_of(add_to, border)
    return packed_images(np.where(images_of(x, border) <= 0, 0, gradient) if x_relu else gradient, border)


def _windows(
    images: np.ndarray, kernel: Any, stride: int | None, padding: int, fill: float
) -> tuple[np.ndarray, tuple]:
    """Return the windows, flattened, as (samples, channels, rows, columns, elements), and the padded positions of each."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    step = height if stride is None else stride
    edges = (0, 0), (0, 0), (padding, padding), (padding, padding)
    padded = np.pad(images, edges, constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))[:, :, ::step, ::step]
    rows, columns = np.ogrid[: views.shape[2], : views.shape[3]]
    i, j = np.divmod(np.arange(height * width), width)
    places = (rows * step)[..., None] + i, (columns * step)[..., None] + j
    return views.reshape(*views.shape[:4], -1), np.broadcast_arrays(*places)


def _scattered(parts: np.ndarray, places: Any, images: np.ndarray, padding: int) -> np.ndarray:
    """Add up what each element of each window gets, without the padding."""
    samples, channels, height, width = images.shape
    padded = np.zeros((samples, channels, height + 2 * padding, width + 2 * padding))
    np.add.at(padded, (slice(None), slice(None), *places), parts)
    return padded[:, :, padding : padding + height, padding : padding + width]


def max_pool(x, kernel, *, stride=None, padding=0, border=0, y_border=0):
    """Take the maximum of each window; what lies outside the image is not a candidate."""
    windows, _ = _windows(images_of(x, border), kernel, stride, padding, -np.inf)
    return packed_images(windows.max(axis=-1), y_border)


def max_pool_gradient(x, y, dy, kernel, *, stride=None, padding=0, add_to=None, x_relu=False, border=0, y_border=0):
    """Give the gradient of each maximum to the first element, in row order, that equals it."""
    images = images_of(x, border)
    windows, places = _windows(images, kernel, stride, padding, -np.inf)
    first = windows.argmax(axis=-1)[..., None] == np.arange(windows.shape[-1])
    parts = first * images_of(dy, y_border)[..., None]
    return _finished(_scattered(parts, places, images, padding), x, border, add_to, x_relu)


def avg_pool(x, kernel, *, stride=None, padding=0, border=0, y_border=0):
    """Take the average of each window, padding counted as zeros."""
    return packed_images(_windows(images_of(x, border), kernel, stride, padding, 0.0)[0].mean(axis=-1), y_border)


def avg_pool_gradient(x, dy, kernel, *, stride=None, padding=0, add_to=None, x_relu=False, border=0, y_border=0):
    """Give each element its share of the gradients of the averages it went into."""
    images = images_of(x, border)
    windows, places = _windows(images, kernel, stride, padding, 0.0)
    parts = np.broadcast_to(images_of(dy, y_border)[..., None] / windows.shape[-1], windows.shape)
    return _finished(_scattered(parts, places, images, padding), x, border, add_to, x_relu)


def _by_channel(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)[:, None, None]


def batch_norm(
    x,
    weight,
    bias,
    running_mean,
    running_variance,
    samples,
    *,
    addend=None,
    relu=False,
    epsilon=1e-5,
    momentum=0.1,
    border=0,
    y_border=0,
    addend_border=0,
):
    """Normalise by the statistics of the first `samples` samples; the running statistics are changed in place."""
    used = images_of(x, border)[:samples]
    count = used.size / used.shape[1]
    mean, variance = used.mean(axis=(0, 2, 3)), used.var(axis=(0, 2, 3))
    running_mean += momentum * (mean - running_mean)
    running_variance += momentum * (variance * count / (count - 1) - running_variance)
    borders = {"border": border, "y_border": y_border, "addend_border": addend_border}
    y = batch_norm_inference(x, weight, bias, mean, variance, addend=addend, relu=relu, epsilon=epsilon, **borders)
    return y, mean.astype(np.float32), (1 / np.sqrt(variance + epsilon)).astype(np.float32)


def batch_norm_inference(
    x,
    weight,
    bias,
    running_mean,
    running_variance,
    *,
    addend=None,
    relu=False,
    epsilon=1e-5,
    border=0,
    y_border=0,
    addend_border=0,
):
    """Normalise by given statistics, add, and set what is negative to zero."""
    off = images_of(x, border) - _by_channel(running_mean)
    y = off / np.sqrt(_by_channel(running_variance) + epsilon) * _by_channel(weight) + _by_channel(bias)
    if addend is not None:
        y = y + images_of(addend, addend_border)
    return packed_images(np.maximum(y, 0) if relu else y, y_border)


def batch_norm_gradient(
    x,
    y,
    dy,
    weight,
    bias,
    mean,
    inverse,
    samples,
    *,
    addend=None,
    relu=False,
    add_to=None,
    x_relu=False,
    addend_add_to=None,
    addend_relu=False,
    border=0,
    y_border=0,
    addend_border=0,
):
    """Return the gradients by input, addend, weight and bias; padded lanes have none."""
    upstream = images_of(dy, y_border)
    upstream = np.where(images_of(y, y_border) <= 0, 0, upstream) if relu else upstream
    upstream[samples:] = 0
    normal = (images_of(x, border) - _by_channel(mean)) * _by_channel(inverse)
    used, normal_used = upstream[:samples], normal[:samples]
    dbias, dweight = used.sum(axis=(0, 2, 3)), (used * normal_used).sum(axis=(0, 2, 3))
    count = used.size / used.shape[1]
    centered = upstream - (_by_channel(dbias) + normal * _by_channel(dweight)) / count
    centered[samples:] = 0
    dx = _finished(centered * _by_channel(weight) * _by_channel(inverse), x, border, add_to, x_relu)
    d_addend = None
    if addend is not None:
        d_addend = _finished(upstream, addend, addend_border, addend_add_to, addend_relu)
    return dx, d_addend, dweight.astype(np.float32), dbias.astype(np.float32)


def copy_images(x, *, relu=False, border=0, y_border=0):
    """Copy images, perhaps through a ReLU, to where they have another border."""
    images = images_of(x, border)
    return packed_images(np.maximum(images, 0) if relu else images, y_border)


def copy_images_gradient(x, y, dy, *, relu=False, add_to=None, x_relu=False, border=0, y_border=0):
    """Return dy, where y is positive if there was a ReLU."""
    upstream = images_of(dy, y_border)
    upstream = np.where(images_of(y, y_border) <= 0, 0, upstream) if relu else upstream
    return _finished(upstream, x, border, add_to, x_relu)


def add_images(x, addend, *, relu=False, border=0, addend_border=0, y_border=0):
    """Add images, perhaps through a ReLU."""
    y = images_of(x, border) + images_of(addend, addend_border)
    return packed_images(np.maximum(y, 0) if relu else y, y_border)


def add_images_gradient(
    x,
    addend,
    y,
    dy,
    *,
    relu=False,
    add_to=None,
    x_relu=False,
    addend_add_to=None,
    addend_relu=False,
    border=0,
    addend_border=0,
    y_border=0,
):
    """Hand dy on to both summands."""
    upstream = images_of(dy, y_border)
    upstream = np.where(images_of(y, y_border) <= 0, 0, upstream) if relu else upstream
    dx = _finished(upstream, x, border, add_to, x_relu)
    return dx, _finished(upstream, addend, addend_border, addend_add_to, addend_relu)


def dropout(x, keep, scale, *, border=0, y_border=0):
    """Keep some elements, scaled."""
    return packed_images(np.where(images_of(keep, 0), images_of(x, border) * scale, 0), y_border)


def dropout_gradient(x, keep, dy, scale, *, add_to=None, x_relu=False, border=0, y_border=0):
    """Keep some elements of the gradient, scaled."""
    return _finished(np.where(images_of(keep, 0), images_of(dy, y_border) * scale, 0), x, border, add_to, x_relu)


def gather_images(data, indices, *, crops=None, mean=None, std=None, border=0):
    """Take images of a data set: normalise, pad with zeros, crop at an offset from the centre, mirror, pack.

    This is float32 throughout, bit for bit what the kernel gives.
    """
    images = data[indices]
    if data.dtype == np.uint8:
        images = images.astype(np.float32) / np.float32(255)
        if mean is not None:
            images = images - np.asarray(mean, np.float32)[:, None, None]
        if std is not None:
            images = images / np.asarray(std, np.float32)[:, None, None]
    if crops is not None:
        images = np.stack(
            [_cropped(image, *crop) for image, crop in zip(images, np.asarray(crops).tolist(), strict=True)]
        )
    return packed_images(np.pad(images, ((0, -len(images) % LANES), (0, 0), (0, 0), (0, 0))), border)


def _cropped(image: np.ndarray, dy: int, dx: int, flip: int) -> np.ndarray:
    """Crop one image, padded with zeros, at (dy, dx) from its centre, and mirror what comes out."""
    _, height, width = image.shape
    pad = max(abs(dy), abs(dx))
    padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
    crop = padded[:, pad + dy : pad + dy + height, pad + dx : pad + dx + width]
    return crop[:, :, ::-1] if flip else crop
