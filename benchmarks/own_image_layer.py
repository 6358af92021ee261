"""tinyticket's side of the convolutions: dense and sparse kernels on packed images, and which of them the library would choose.

Everything is allocated and prepared before the clock runs, as in a compiled step.
"""

from typing import Any

import numpy as np

from benchmarks.image_layer import ImageLayer
from benchmarks.layer import Results
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu import convolution as c
from tinyticket.kernels.cpu.arguments import even_shares
from tinyticket.kernels.cpu.convolution.winograd.transforms import KERNEL
from tinyticket.kernels.cpu.job import Prepared
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.sparse_convolution import SparseConv2d, SparseConv2dGradient
from tinyticket.kernels.cpu.sparse_linear import ReorderSurvivors
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.geometry import make_window
from tinyticket.sparse import ConvPattern
from tinyticket.sparse.choice import PATCH, fastest_convolution


class _Own:
    """Packed images with a border of zeros, and room for what is computed."""

    def __init__(self, layer: ImageLayer):
        self.layer = layer
        self.x, self.dy = (cpu.pack_images(array, layer.padding) for array in (layer.x, layer.dy))
        self.y, self.dx = (cpu.Images.zeros(images.tiles, images.geometry) for images in (self.dy, self.x))
        self.window = make_window(
            self.x.tiles, self.x.geometry, self.y.geometry, layer.mask.shape[2:], padding=layer.padding
        )
        self.bias = np.zeros(len(layer.mask), np.float32)
        self._forward: list[Prepared] = []
        self._backward: list[Prepared] = []

    def forward(self) -> None:
        for run in self._forward:
            run()

    def backward(self) -> None:
        for run in self._backward:
            run()

    def _images(self) -> tuple[np.ndarray, ...]:
        return tuple(cpu.unpack_images(images, self.layer.batch) for images in (self.y, self.dx))


class OwnSparseImages(_Own):
    """Sparse kernels; survivors are brought from the order in which they are updated into that of the forward pass each time."""

    def __init__(self, layer: ImageLayer):
        super().__init__(layer)
        x, y, dy, dx, window = self.x.interior, self.y.interior, self.dy.interior, self.dx.interior, self.window
        self.pattern = pattern = ConvPattern.from_mask(layer.mask, window)
        values = pattern.values(layer.weight)
        by_column, threads = pattern.by_column(values), thread_count(None)
        self.gradient = empty(pattern.count)
        forward = SparseConv2d(pattern.rows, values, self.bias, x, y, False, window)
        backward = SparseConv2dGradient(pattern.columns, by_column, x, dy, dx, self.gradient, False, False, window)
        self._forward = [
            _prepared(ReorderSurvivors(by_column, values, pattern.to_column), pattern.count),
            Prepared(forward, pattern.row_bounds(threads), None),
        ]
        self._backward = [Prepared(backward, pattern.column_bounds(threads), None)]

    def results(self) -> Results:
        return Results(*self._images(), self.pattern.by_row(self.gradient))


class OwnDenseImages(_Own):
    """Dense kernels; weights are packed for both directions each time, since an update has changed them."""

    def __init__(self, layer: ImageLayer):
        super().__init__(layer)
        x, y, dy, dx, window = self.x.interior, self.y.interior, self.dy.interior, self.dx.interior, self.window
        packed, packed_back = empty(c.packed_size(window)), empty(c.packed_back_size(window))
        self.gradient = empty(*layer.weight.shape)
        back = c.Conv2dInputGradient(packed_back, x, dy, dx, False, False, window)
        self._forward = [
            _prepared(c.PackConv2d(layer.weight, packed, packed_back, window), c.pack_conv2d_shares(window)),
            _prepared(c.Conv2d(packed, self.bias, x, y, False, window), c.conv2d_shares(window)),
        ]
        self._backward = [
            _prepared(back, c.conv2d_input_gradient_shares(window)),
            _prepared(c.Conv2dWeightGradient(x, dy, self.gradient, window), c.conv2d_weight_gradient_shares(window)),
        ]

    def results(self) -> Results:
        return Results(*self._images(), self.gradient[self.layer.mask])


class OwnWinogradImages(_Own):
    """Winograd's algorithm; weights are transformed for both directions each time, since an update has changed them."""

    def __init__(self, layer: ImageLayer):
        super().__init__(layer)
        x, y, dy, dx, window = self.x.interior, self.y.interior, self.dy.interior, self.dx.interior, self.window
        packed, packed_back = empty(c.winograd_size(window)), empty(c.winograd_back_size(window))
        self.gradient, sums = empty(*layer.weight.shape), empty(c.winograd_sums_size(window))
        parts = thread_count(None)
        ends = empty(max(c.winograd_room(window), c.winograd_gradient_room(window)) * parts), parts
        back = c.WinogradConv2dInputGradient(packed_back, x, dy, dx, *ends, False, False, window)
        self._forward = [
            _prepared(c.PackWinograd(layer.weight, packed, packed_back, window), c.pack_winograd_shares(window)),
            _prepared(
                c.WinogradConv2d(packed, self.bias, x, y, *ends, False, window), c.winograd_conv2d_shares(window)
            ),
        ]
        self._backward = [
            _prepared(back, c.winograd_conv2d_input_gradient_shares(window)),
            _prepared(c.WinogradSums(x, dy, sums, *ends, window), c.winograd_sums_shares(window)),
            _prepared(c.WinogradConv2dWeightGradient(sums, self.gradient, window), window.outputs),
        ]

    def results(self) -> Results:
        return Results(*self._images(), self.gradient[self.layer.mask])


def _prepared(job: Any, count: int) -> Prepared:
    """Prepare a kernel's work, cut into equal shares for all threads that there are now."""
    return Prepared(job, even_shares(count, None), None)


def takes_winograd(layer: ImageLayer) -> bool:
    """Return whether Winograd's algorithm computes a convolution."""
    return layer.kernel == KERNEL and layer.side >= PATCH


def chosen(layer: ImageLayer) -> str:
    """Return the kernels that the library would use for a convolution: "sparse", "dense" or "winograd"."""
    able, size = takes_winograd(layer), (layer.side, layer.side)
    return fastest_convolution(layer.mask.shape, layer.density, size, first=False, winograd=able)
