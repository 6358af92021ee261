"""Arrays on a device for tests: tiny, with tails, and rubbish in the lanes that hold no samples."""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry, origin, pack, unpack
from tinyticket.kernels.cuda.toolkit import cuda
from tinyticket.kernels.geometry import Image, gradient_border, make_window


class Layer(NamedTuple):
    """A layer's geometry, with the images that it reads and writes."""

    g: Geometry
    x: Image
    y: Image
    samples: int

    @property
    def x_shape(self):
        return self.samples, *self.x[:3]

    @property
    def y_shape(self):
        return self.samples, *self.y[:3]

    @property
    def weight_shape(self):
        return self.g.outputs, self.g.inputs, self.g.kernel_height, self.g.kernel_width


def laid_out(window, lanes, x, y, samples):
    """Lay the work of a window out over images that may have other borders."""
    return Layer(Geometry.of(window, lanes, origin(x), origin(y)), x, y, samples)


def layer(samples, inputs, outputs, size, kernel, stride=1, padding=0, lanes=None, roomy=0):
    """Lay a convolution out; `roomy` pixels are added to the borders that it needs."""
    height, width = ((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel, strict=True))
    needed = max(gradient_border(n, k, stride, padding) for n, k in zip(size, kernel, strict=True))
    x, y = Image(inputs, *size, padding + roomy), Image(outputs, height, width, needed + roomy)
    lanes = lanes or -(-samples // WARP) * WARP
    return laid_out(make_window(1, x, y, kernel, stride, padding), lanes, x, y, samples)


def linear(samples, inputs, outputs, lanes=None):
    """Lay a fully-connected layer out."""
    return layer(samples, inputs, outputs, (1, 1), (1, 1), lanes=lanes)


def device(array):
    """Copy an array to the device, flat."""
    return cuda.to_device(np.ascontiguousarray(array).reshape(-1))


def value(images, image, lanes, rubbish=1e3):
    """Put images on the device, rubbish in padded lanes of the interior: kernels may read it, but it must not matter."""
    samples = len(images)
    padded = np.full((lanes, *images.shape[1:]), rubbish, np.float32)
    padded[:samples] = images
    return device(pack(padded, image.border, lanes))


def images_of(array, image, samples):
    """Bring a value back."""
    return unpack(array.copy_to_host(), image, samples)


def border_is_zero(array, image):
    """Say whether nothing was written around the images."""
    whole = array.copy_to_host().reshape(
        image.channels, image.height + 2 * image.border, -1, array.size // _pixels(image)
    )
    inside = np.zeros(whole.shape[1:3], bool)
    b = image.border
    inside[b : b + image.height, b : b + image.width] = True
    return not whole[:, ~inside].any()


def _pixels(image):
    return image.channels * (image.height + 2 * image.border) * (image.width + 2 * image.border)


def same(result, expected, rtol=1e-5):
    """Agree to float32 rounding of sums of some hundred terms."""
    np.testing.assert_allclose(result, expected, rtol=rtol, atol=rtol * max(1, np.abs(expected).max()))


def run(launches):
    """Start one launch after the other."""
    for launch in launches:
        launch.run()
