"""How the passes of a sparse layer read its survivors on a device, uploaded when a pass is first launched."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.sparse_plan import Plan
from tinyticket.kernels.cuda.sparse_tiles import forward_plan, input_plan, weight_plan
from tinyticket.kernels.geometry import LANES
from tinyticket.sparse import ConvPattern, Pattern


class Plans:
    """The plans of a layer.

    Parameters
    ----------
    pattern : Pattern or ConvPattern
        Its lines are in one block each.
    g : Geometry
        Of the layer.
    """

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
        places = self._pattern.to_row if self._pattern.count else np.zeros(1)  # a device has no empty arrays
        return upload(places.astype(np.int32), "a pattern")
