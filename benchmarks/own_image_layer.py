"""tinyticket's side of the convolutions: dense and sparse kernels on packed images, and which of them the library would choose.

Everything is allocated before the clock runs, as in a compiled step.
"""

import numpy as np

from benchmarks.image_layer import KERNEL, PADDING, ImageLayer
from benchmarks.layer import Results
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.convolution_gradient import convolution_gradient, weight_gradient_jobs
from tinyticket.kernels.cpu.convolution_passes import (
    convolution_backward,
    convolution_forward,
    forward_jobs,
    input_gradient_jobs,
)
from tinyticket.kernels.cpu.convolution_weights import convolution_pack, pack_jobs, packed_back_size, packed_size
from tinyticket.kernels.geometry import Image, make_window, origin
from tinyticket.kernels.cpu.sparse_convolution_passes import sparse_convolve, sparse_convolve_backward
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.sparse import ConvPattern
from tinyticket.sparse.choice import sparse_convolution_is_faster


class _Own:
    """Packed images with a border of zeros, and room for what is computed."""

    def __init__(self, layer: ImageLayer):
        self.layer = layer
        self.image = Image(layer.channels, layer.side, layer.side, PADDING)
        self.x, self.dy = cpu.pack_images(layer.x, PADDING), cpu.pack_images(layer.dy, PADDING)
        self.y, self.dx = np.zeros_like(self.dy), np.zeros_like(self.x)
        self.window = make_window(len(self.x), self.image, self.image, KERNEL, padding=PADDING)
        self.bias = np.zeros(layer.channels, np.float32)
        place = origin(self.image)
        self._x, self._dy, self._y, self._dx = (a.reshape(-1) for a in (self.x, self.dy, self.y, self.dx))
        self._where = place, place, self.window

    def _images(self) -> tuple[np.ndarray, np.ndarray]:
        return tuple(cpu.unpack_images(a, self.layer.batch, PADDING) for a in (self.y, self.dx))


class OwnSparseImages(_Own):
    """Sparse kernels; survivors are brought from the order in which they are updated into that of the forward pass each time."""

    def __init__(self, layer: ImageLayer):
        super().__init__(layer)
        self.pattern = ConvPattern.from_mask(layer.mask, self.window)
        self.by_column = self.pattern.by_column(self.pattern.values(layer.weight))
        self.gradient = cpu.empty(self.pattern.count)

    def forward(self) -> None:
        bounds, values = self.pattern.row_bounds(thread_count(None)), self.pattern.by_row(self.by_column)
        sparse_convolve(bounds, self.pattern.rows, values, self.bias, self._x, self._y, *self._where, False)

    def backward(self) -> None:
        bounds, given = self.pattern.column_bounds(thread_count(None)), (self.by_column, self._x, self._dy, self._dx)
        sparse_convolve_backward(bounds, self.pattern.columns, *given, self.gradient, *self._where, False, False)

    def results(self) -> Results:
        return Results(*self._images(), self.pattern.by_row(self.gradient))


class OwnDenseImages(_Own):
    """Dense kernels; weights are packed for both directions each time, since an update has changed them."""

    def __init__(self, layer: ImageLayer):
        super().__init__(layer)
        self.weight, window = layer.weight.reshape(-1), self.window
        self.packed, self.packed_back = cpu.empty(packed_size(window)), cpu.empty(packed_back_size(window))
        self.gradient = cpu.empty(self.weight.size)
        self.jobs = [jobs(window) for jobs in (pack_jobs, forward_jobs, input_gradient_jobs, weight_gradient_jobs)]

    def _bounds(self) -> list[np.ndarray]:
        return [even_bounds(count, thread_count(None)) for count in self.jobs]

    def forward(self) -> None:
        pack, forward, _, _ = self._bounds()
        convolution_pack(pack, self.weight, self.packed, self.packed_back, self.window)
        convolution_forward(forward, self.packed, self.bias, self._x, self._y, *self._where, False)

    def backward(self) -> None:
        _, _, back, gradient = self._bounds()
        convolution_backward(back, self.packed_back, self._x, self._dy, self._dx, *self._where, False, False)
        convolution_gradient(gradient, self._x, self._dy, self.gradient, *self._where)

    def results(self) -> Results:
        return Results(*self._images(), self.gradient.reshape(self.layer.mask.shape)[self.layer.mask])


def chosen(layer: ImageLayer) -> str:
    """Return the kernels that the library would use for a convolution: "sparse" or "dense"."""
    faster = sparse_convolution_is_faster(layer.mask.shape, layer.density, layer.side**2, first=False)
    return "sparse" if faster else "dense"
