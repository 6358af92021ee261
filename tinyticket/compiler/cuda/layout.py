"""What is different in the layout of a device: whole batches beside each other, plain operations, gradients in parts."""

from __future__ import annotations

from functools import cached_property

from tinyticket.compiler.cuda.plans import Plans
from tinyticket.compiler.graph import Operation
from tinyticket.compiler.layout import Layout, window_of
from tinyticket.kernels.cuda.convolution import conv2d_splits
from tinyticket.kernels.cuda.geometry import Geometry, lanes_for
from tinyticket.kernels.cuda.linear import linear_splits
from tinyticket.kernels.cuda.sparse_tiles import sparse_conv2d_splits
from tinyticket.sparse import ConvPattern, Pattern


class CudaLayout(Layout):
    """A layout whose one tile holds the batch; parameters as for `Layout`.

    Blocks count a pixel as sixteen numbers, as everywhere; `kernels.cuda.geometry` has distances in pixels.
    """

    plain = True

    @cached_property
    def plans(self) -> dict[Operation, Plans]:
        """How kernels read the survivors of sparse layers."""
        patterns = {o: self.weights[o.parameters["weight"]].pattern for o in self.graph.weighted()}
        return {o: Plans(pattern, self._geometry(o)) for o, pattern in patterns.items() if pattern is not None}

    def _lanes(self, batch_size: int) -> int:
        return lanes_for(batch_size)

    def _gradient_parts(self, operation: Operation, pattern: Pattern | ConvPattern | None) -> int:
        if operation.kind not in ("conv2d", "linear"):
            return 1
        splits = linear_splits if operation.kind == "linear" else conv2d_splits
        return (splits if pattern is None else sparse_conv2d_splits)(self._geometry(operation))

    def _geometry(self, layer: Operation) -> Geometry:
        if layer.kind == "linear":
            outputs, inputs = layer.parameters["weight"].shape
            return Geometry.of_features(inputs, outputs, self.lanes)
        return Geometry.of(window_of(layer, 1, self.shared), self.lanes)
