"""What is different in the layout of a device: whole batches beside each other, plain operations, gradients in parts."""

from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.compiler.graph import Operation
from tinyticket.compiler.layout import Layout, window_of
from tinyticket.kernels.cuda.convolution import conv2d_splits
from tinyticket.kernels.cuda.geometry import Geometry, lanes_for
from tinyticket.kernels.cuda.linear import linear_splits
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.sparse_plan import Plan
from tinyticket.kernels.cuda.sparse_tiles import forward_plan, input_plan, sparse_conv2d_splits, weight_plan
from tinyticket.kernels.geometry import LANES
from tinyticket.sparse import ConvPattern, Pattern


class Plans:
    """How the passes of a sparse layer read its survivors, whose lines are in one block each; uploaded when first launched."""

    def __init__(self, pattern: Pattern | ConvPattern, g: Geometry):
        self._pattern, self._g = pattern, g
        self._unit = LANES if isinstance(pattern, ConvPattern) else pattern.lanes

    @cached_property
    def rows(self) -> Plan:
        """Rows, as the forward pass reads them."""
        return forward_plan(self._pattern.rows, self._unit, self._g)

    @cached_property
    def products(self) -> Plan:
        """Rows, as the weight gradient reads them."""
        return weight_plan(self._pattern.rows, self._unit, self._g)

    @cached_property
    def columns(self) -> Plan:
        """Columns, as the input gradient reads them."""
        return input_plan(self._pattern.columns, self._unit, self._g)

    @cached_property
    def to_row(self) -> Any:
        """Where row by row each survivor column by column is, int32 device array."""
        count = self._pattern.count or 1  # a device has no empty arrays
        places = np.arange(count, dtype=np.int32)
        return upload(self._pattern.by_column(places) if self._pattern.count else places, "a pattern")


class CudaLayout(Layout):
    """A layout whose one tile holds the batch; parameters as for `Layout`.

    Blocks count a pixel as sixteen numbers, as everywhere; `kernels.cuda.geometry` has distances in pixels.
    """

    plain = True

    @cached_property
    def plans(self) -> dict[Operation, Plans]:
        """The plans of sparse layers."""
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
