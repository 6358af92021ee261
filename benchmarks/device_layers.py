"""tinyticket's side of layers on a device: recorded launches over arrays that are there already, as within a compiled step."""

from typing import Any

import numpy as np

from benchmarks.image_layer import ImageLayer
from benchmarks.layer import Layer, Results
from tinyticket.compiler.cuda.choice import break_even
from tinyticket.compiler.cuda.layout import Plans
from tinyticket.kernels.cuda import convolution, linear, sparse_convolution, sparse_tiles
from tinyticket.kernels.cuda.driver import LaunchGraph
from tinyticket.kernels.cuda.geometry import Geometry, lanes_for, origin, pack, unpack
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.memory import upload, zeros
from tinyticket.kernels.geometry import LANES, Image, Window, make_window
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
            self.x_image, self.y_image = (
                Image(channels, layer.side, layer.side, layer.padding) for channels in (layer.channels, len(layer.mask))
            )
            window = make_window(1, self.x_image, self.y_image, layer.mask.shape[2:], padding=layer.padding)
        start, border = origin(self.x_image), self.x_image.border
        g = Geometry.of(window, lanes, start, start)
        x, dy = (upload(pack(array, border, lanes)) for array in (layer.x, layer.dy))
        self.y, self.dx = zeros(dy.size, np.float32), zeros(x.size, np.float32)
        self.passes = self._dense(x, dy, g) if kernel == "dense" else self._sparse(x, dy, g, window)
        backward = [*self.passes["weight gradient"], *self.passes["input gradient"]]
        self._forward, self._backward = LaunchGraph(self.passes["forward"]), LaunchGraph(backward)

    def _dense(self, x: Any, dy: Any, g: Geometry) -> dict[str, list[Launch]]:
        weight = upload(self.layer.weight)
        if isinstance(self.layer, Layer):
            self.gradient = zeros(linear.linear_splits(g) * weight.size, np.float32)
            return {
                "forward": [*linear.linear(x, weight, None, self.y, g)],
                "weight gradient": [linear.linear_weight_gradient(x, dy, self.gradient, g)],
                "input gradient": [*linear.linear_input_gradient(weight, None, dy, self.dx, g)],
            }
        self.gradient = zeros(convolution.conv2d_splits(g) * weight.size, np.float32)
        return {
            "forward": [convolution.conv2d(x, weight, None, self.y, g)],
            "weight gradient": [convolution.conv2d_weight_gradient(x, dy, self.gradient, g)],
            "input gradient": [convolution.conv2d_input_gradient(dy, weight, None, self.dx, g)],
        }

    def _sparse(self, x: Any, dy: Any, g: Geometry, window: Window) -> dict[str, list[Launch]]:
        layer, blocks = self.layer, {"row_blocks": 1, "column_blocks": 1}
        pattern: Pattern | ConvPattern
        if isinstance(layer, Layer):
            pattern = Pattern.from_mask(layer.mask, LANES, **blocks)
        else:
            pattern = ConvPattern.from_mask(layer.mask, window, **blocks)
        plans, splits = Plans(pattern, g), sparse_tiles.sparse_conv2d_splits(g)
        values, by_column = upload(pattern.values(layer.weight)), zeros(pattern.count, np.float32)
        self.gradient = zeros(splits * pattern.count, np.float32)
        above, below = (x, dy, plans.products), (dy, by_column, plans.columns, x, self.dx)
        return {
            "forward": [sparse_convolution.sparse_conv2d(x, values, plans.rows, None, self.y, g)],
            "weight gradient": [sparse_convolution.sparse_conv2d_weight_gradient(*above, self.gradient, g)],
            "input gradient": [
                sparse_convolution.reorder_survivors(values, plans.to_row, by_column),
                sparse_convolution.sparse_conv2d_input_gradient(*below, g),
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
        gradient = self.gradient.copy_to_host().reshape(-1, size).sum(axis=0)
        return Results(y, dx, gradient if self.kernel == "sparse" else gradient[layer.mask.reshape(-1)])


def chosen(layer: Layer | ImageLayer) -> str:
    """Return the kernels that the library would use for a layer on a device: "sparse" or "dense"."""
    return "sparse" if layer.density < break_even(isinstance(layer, Layer)) else "dense"
