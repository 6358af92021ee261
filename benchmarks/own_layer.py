"""tinyticket's side of the layers: sparse kernels, dense kernels, and which of them the library would choose."""

import numpy as np

from benchmarks.layer import Layer, Results
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.geometry import lanes_for
from tinyticket.sparse import Pattern
from tinyticket.sparse.choice import sparse_is_faster


class OwnSparse:
    """Sparse kernels on activations that are packed already, as between the layers of a compiled step; calls are prepared."""

    def __init__(self, layer: Layer):
        lanes = lanes_for(layer.batch)
        self.layer, self.pattern = layer, Pattern.from_mask(layer.mask, lanes, by_block=True)
        self.values = self.pattern.values(layer.weight)
        self.by_column = self.pattern.by_column(self.values)
        self.x, self.dy = cpu.pack(layer.x, lanes), cpu.pack(layer.dy, lanes)
        self.prepare()

    def prepare(self) -> None:
        """Prepare both calls for as many threads as there are now."""
        self._forward = cpu.prepare_sparse_linear(self.pattern, self.values, self.layer.bias, self.x)
        self._backward = cpu.prepare_sparse_linear_gradient(self.pattern, self.by_column, self.x, self.dy)

    def forward(self) -> None:
        self.y = self._forward()

    def backward(self) -> None:
        self.dx, self.gradient = self._backward()

    def _by_place(self) -> np.ndarray:
        """Return the survivors' gradients in C order."""
        return self.pattern.to_positions(self.pattern.by_row(self.gradient))

    def results(self) -> Results:
        count = self.layer.batch
        return Results(cpu.unpack(self.y, count), cpu.unpack(self.dx, count), self._by_place())


class OwnSparsePacking(OwnSparse):
    """The same between layers of another library: samples are packed and results brought back, every time."""

    def __init__(self, layer: Layer):
        super().__init__(layer)
        self.y, self.dx = empty(*layer.dy.shape), empty(*layer.x.shape)

    def prepare(self) -> None:
        """These calls, which take longer, are made anew each time."""

    def forward(self) -> None:
        cpu.sparse_linear_samples(self.pattern, self.values, self.layer.bias, self.layer.x, out=self.y)

    def backward(self) -> None:
        given = self.by_column, self.layer.x, self.layer.dy
        _, self.gradient = cpu.sparse_linear_samples_gradient(self.pattern, *given, out=self.dx)

    def results(self) -> Results:
        return Results(self.y, self.dx, self._by_place())


class OwnDense:
    """Dense kernels on packed activations; the sample-major copy that the weight gradient wants is counted."""

    def __init__(self, layer: Layer):
        self.layer = layer
        self.x, self.dy = cpu.pack(layer.x), cpu.pack(layer.dy)
        self.y = empty(*self.dy.shape)

    def prepare(self) -> None:
        """Calls of dense kernels, which take longer, are made anew each time."""

    def forward(self) -> None:
        cpu.linear(self.layer.weight, self.layer.bias, self.x, out=self.y)

    def backward(self) -> None:
        self.dx = cpu.linear_input_gradient(self.layer.weight, self.x, self.dy)
        samples = cpu.transpose_samples(self.x)
        self.dw = cpu.linear_weight_gradient(samples, self.dy, self.layer.batch, self.layer.inputs)

    def results(self) -> Results:
        count = self.layer.batch
        return Results(cpu.unpack(self.y, count), cpu.unpack(self.dx, count), self.dw[self.layer.mask])


def chosen(layer: Layer) -> str:
    """Return the kernels that the library would use for a layer: "sparse" or "dense"."""
    return "sparse" if sparse_is_faster(layer.mask.shape, layer.density, first=False) else "dense"
