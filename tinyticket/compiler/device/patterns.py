"""Patterns of survivors as a device reads them, for each pass of a layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.sparse_plan import Plan
from tinyticket.kernels.cuda.sparse_tiles import forward_plan, input_plan, weight_plan
from tinyticket.sparse import ConvPattern, Pattern


class DevicePattern(NamedTuple):
    """Plans of a layer's passes; those of the input gradient are there only where somebody reads it."""

    rows: Plan
    products: Plan
    columns: Plan | None
    to_row: Any


def pattern_on_device(pattern: Pattern | ConvPattern, g: Geometry, both: bool) -> DevicePattern:
    """Upload a pattern whose lines are in one block each.

    Parameters
    ----------
    pattern
    g : Geometry
        Of the layer.
    both : bool
        Whether the order of columns is needed too, as it is for an input gradient.
    """
    unit = LANES if isinstance(pattern, ConvPattern) else pattern.lanes
    rows, products = forward_plan(pattern.rows, unit, g), weight_plan(pattern.rows, unit, g)
    if not both:
        return DevicePattern(rows, products, None, None)
    to_row = pattern.to_row.astype(np.int32) if pattern.count else np.zeros(1, np.int32)  # a device has no empty arrays
    return DevicePattern(rows, products, input_plan(pattern.columns, unit, g), upload(to_row, "a pattern"))
