"""tinyticket's side of layers on a device: recorded launches over arrays that are there already, as within a compiled step."""

from typing import Any

import numpy as np

from benchmarks.image_layer import KERNEL, PADDING, ImageLayer
from benchmarks.layer import Layer, Results
from tinyticket.compiler.device.model import break_even
from tinyticket.compiler.device.patterns import pattern_on_device
from tinyticket.kernels.geometry import Image, Window, make_window
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cuda import dense, sparse, sparse_tiles
from tinyticket.kernels.cuda.driver import Playlist
from tinyticket.kernels.cuda.geometry import Geometry, lanes_for, origin, pack, unpack
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.memory import upload, zeros
from tinyticket.sparse import ConvPattern, Pattern


class OwnLayer:
    """A linear layer or a convolution on a device.

    Parameters
    ----------
    layer : Layer or ImageLayer
    kernel : {"dense", "sparse"}

    Attributes
    ----------
    passes : dict of str to list of Launch
        "forward", "weight gradient" and "input gradient".
    """

    def __init__(self, layer: Layer | ImageLayer, kernel: str):
        self.layer, self.kernel, lanes = layer, kernel, lanes_for(layer.batch)
        if isinstance(layer, Layer):
            self.x_image, self.y_image = Image(layer.inputs, 1, 1), Image(layer.outputs, 1, 1)
            window = make_window(1, self.x_image, self.y_image, (1, 1))
        else:
            self.x_image = self.y_image = Image(layer.channels, layer.side, layer.side, PADDING)
            window = make_window(1, self.x_image, self.y_image, KERNEL, padding=PADDING)
        g, border = Geometry.of(window, lanes), self.x_image.border
        start = origin(self.x_image)
        x, dy = (upload(pack(array, border, lanes)) for array in (layer.x, layer.dy))
        self.y, self.dx = zeros(dy.size, np.float32), zeros(x.size, np.float32)
        self.passes = self._dense(x, dy, start, g) if kernel == "dense" else self._sparse(x, dy, start, g, window)
        backward = [*self.passes["weight gradient"], *self.passes["input gradient"]]
        self._forward, self._backward = Playlist(self.passes["forward"]), Playlist(backward)

    def _dense(self, x: Any, dy: Any, start: int, g: Geometry) -> dict[str, list[Launch]]:
        weight, splits = upload(self.layer.weight), dense.splits_for(g)
        self.partial = zeros(splits * self.layer.weight.size, np.float32)
        return {
            "forward": [*dense.forward(x, start, weight, None, self.y, start, g, 0)],
            "weight gradient": [dense.weight_gradient(x, start, dy, start, self.partial, g, splits)],
            "input gradient": [*dense.input_gradient(dy, start, weight, None, self.dx, start, g, 0, 0)],
        }

    def _sparse(self, x: Any, dy: Any, start: int, g: Geometry, window: Window) -> dict[str, list[Launch]]:
        layer, blocks = self.layer, {"row_blocks": 1, "column_blocks": 1}
        pattern: Pattern | ConvPattern
        if isinstance(layer, Layer):
            pattern = Pattern.from_mask(layer.mask, LANES, **blocks)
        else:
            pattern = ConvPattern.from_mask(layer.mask, window, **blocks)
        lines, splits = pattern_on_device(pattern, g, both=True), sparse_tiles.splits_for(g)
        assert lines.columns is not None
        values, by_column = upload(pattern.values(layer.weight)), zeros(pattern.count, np.float32)
        self.partial = zeros(splits * pattern.count, np.float32)
        return {
            "forward": [sparse.forward(x, start, values, lines.rows, None, self.y, start, g, 0)],
            "weight gradient": [sparse.weight_gradient(x, start, dy, start, lines.products, self.partial, g, splits)],
            "input gradient": [
                sparse.reorder(values, lines.to_row, by_column),
                sparse.input_gradient(dy, start, by_column, lines.columns, x, self.dx, start, g, 0, 0),
            ],
        }

    def forward(self) -> None:
        self._forward.run()

    def backward(self) -> None:
        self._backward.run()

    def results(self) -> Results:
        """Return y and dx by sample, and the gradient's parts added up as the update adds them."""
        layer = self.layer
        y = unpack(self.y.copy_to_host(), self.y_image, layer.batch).reshape(layer.dy.shape)
        dx = unpack(self.dx.copy_to_host(), self.x_image, layer.batch).reshape(layer.x.shape)
        size = layer.survivors if self.kernel == "sparse" else layer.weight.size
        gradient = self.partial.copy_to_host().reshape(-1, size).sum(axis=0)
        return Results(y, dx, gradient if self.kernel == "sparse" else gradient[layer.mask.reshape(-1)])


def chosen(layer: Layer | ImageLayer) -> str:
    """Return the kernels that the library would use for a layer on a device: "sparse" or "dense"."""
    return "sparse" if layer.density < break_even(isinstance(layer, Layer)) else "dense"
